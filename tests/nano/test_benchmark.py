"""The benchmark's songs are what they are said to be, whoever renders them and however often."""

import json
import shutil

import pytest

from jam import audio
from jam.eval.benchmark import Item, read_benchmark
from jam.manifest import read_manifest
from jam.nano import benchmark, texts
from jam.nano.compose import GENRES
from jam.nano.voice import Note, SungWord

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
needs_band = pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")


def test_the_held_out_lines_are_sung_after_a_short_rest():
    (one,) = benchmark.piece("lines", 3)
    assert [word.word for word in one.score.words] == texts.held_out_lines()[3].split()
    assert 0.5 <= one.score.words[0].start <= 1.0 and one.a_cappella
    assert one.score.words[-1].end < one.score.seconds


def test_bands_take_all_genres_in_turn_and_all_voices():
    pieces = [benchmark.piece("band", number)[0] for number in range(16)]
    assert {one.score.genre for one in pieces[:8]} == set(GENRES)
    assert len({one.score.voice for one in pieces}) == 4


def test_a_stretched_word_keeps_its_start_and_its_notes_fill_it():
    word = SungWord("river", 1.0, 1.4, (Note(1.0, 1.2, 50), Note(1.2, 1.4, 52)))
    longer = benchmark.stretched(word, 2.0)
    assert (longer.start, longer.end) == (1.0, pytest.approx(1.8))
    assert [note.end for note in longer.notes] == pytest.approx([1.4, 1.8])


@needs_flite
def test_of_the_variants_of_a_line_one_word_differs():
    as_is, later, longer = benchmark.piece("moves", 0)
    place = as_is.changed
    for other, start, length in ((later, 0.2, 1.0), (longer, 0.0, 2.0)):
        assert other.score.seconds == as_is.score.seconds
        for number, (a, b) in enumerate(zip(as_is.score.words, other.score.words, strict=True)):
            moved, times = (start, length) if number == place else (0.0, 1.0)
            assert b.start - a.start == pytest.approx(moved)
            assert benchmark.length(b) == pytest.approx(times * benchmark.length(a))
        for a, b in zip(other.score.words, other.score.words[1:], strict=False):
            assert a.end <= b.start + 1e-6


@needs_flite
def test_unheard_lines_hold_words_that_no_training_has():
    words = [word.word for number in range(5) for word in benchmark.piece("unheard", number)[0].score.words]
    assert set(words) & texts.reserved_words()


@needs_flite
def test_songs_last_as_long_as_they_are_said_to():
    first, last = (benchmark.piece("songs", number)[0].score.seconds for number in (0, 19))
    assert 20 <= first < last <= 60


@needs_flite
@needs_band
def test_a_set_is_a_manifest_and_a_benchmark(tmp_path):
    benchmark.make(tmp_path, workers=1, first=1, sets=("styles_audio", "styles_text", "moves"))
    for name, rows in (("styles_audio", 1), ("styles_text", 1), ("moves", 3)):
        path = tmp_path / name / benchmark.FILE
        told = json.loads(path.read_text())
        items, entries = read_benchmark(path), read_manifest(path)
        assert len(told) == len(items) == len(entries) == rows
        for row, item, entry in zip(told, items, entries, strict=True):
            assert isinstance(item, Item) and item.reference is not None and entry.request is not None, (item, entry)
            samples, rate = audio.read(item.reference)
            assert samples.shape[-1] / rate == pytest.approx(row["duration"], abs=0.01)
            assert entry.request.duration == row["duration"]
    told = json.loads((tmp_path / "styles_audio" / benchmark.FILE).read_text())[0]
    assert 12 <= told["duration"] <= 16 and "prompt" not in told
    text = json.loads((tmp_path / "styles_text" / benchmark.FILE).read_text())[0]
    assert (text["genre"], text["bpm"], text["voice"]) == (told["genre"], told["bpm"], told["voice"])
    assert text["genre"] in text["prompt"]
