"""What pocketsphinx hears of lines that the synthetic singer sings; each decoder takes a second to load."""

from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("pocketsphinx")

from jam.eval.measures import Absent
from jam.eval.sphinx import RATE, Listener, arpabet, dictionary, pieces, pronunciations, spelled, to_pcm
from jam.nano import voice
from jam.nano.compose import MAJOR, Melody, place_line
from jam.timing import SAMPLE_RATE

needs_flite = pytest.mark.skipif(not voice.available(), reason="flite is not installed")
LINES = ("silver water under the bridge", "we carry lanterns over the hill", "morning comes slowly to the harbour wall")


@pytest.fixture(scope="module")
def songs() -> list[tuple[Any, np.ndarray]]:
    """Each of the lines: its words at their times, and the singer's samples (N,)."""
    pytest.importorskip("pyworld")
    found = []
    for index, line in enumerate(LINES):
        words = place_line(line.split(), 0.5, 0.3, 0.5, Melody(np.random.default_rng(index), 5, MAJOR, "rms"))
        found.append((words, voice.sing(words, words[-1].end + 0.5)))
    return found


@pytest.fixture(scope="module")
def listener() -> Listener:
    """One listener with the lines' vocabulary."""
    return Listener(LINES)


def noise(seconds: float, level: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, level, round(seconds * RATE))


def test_sound_is_16_bit_mono_at_16_khz_with_a_fixed_peak(tone: Any) -> None:
    heard = np.frombuffer(to_pcm(0.01 * tone(300, 1.0)), "<i2")
    assert len(heard) == RATE
    assert np.abs(heard).max() == pytest.approx(0.7 * 32767, rel=0.01)
    assert to_pcm(tone(300, 1.0)) == to_pcm(tone(300, 1.0))


def test_long_sound_is_cut_where_it_is_quiet() -> None:
    sound = noise(70, 3000)
    for second in (22, 48):
        sound[second * RATE : (second + 1) * RATE] *= 0.01
    found = pieces(sound.astype("<i2").tobytes())
    assert found[0][0] == 0 and found[-1][1] == len(sound)
    assert [end for _, end in found[:-1]] == [start for start, _ in found[1:]]
    assert all(end - start <= 30 * RATE for start, end in found)
    assert [round(end / RATE - 0.5) for _, end in found[:-1]] == [22, 48]


def test_short_sound_is_one_piece_and_none_is_no_piece() -> None:
    assert pieces(noise(3.003, 100).astype("<i2").tobytes()) == [(0, round(3.003 * RATE))]
    assert pieces(noise(0.005, 100).astype("<i2").tobytes()) == [(0, 80)]
    assert pieces(b"") == []


def test_words_are_spelled_as_the_dictionary_spells_them() -> None:
    assert spelled("Don\u2019t (oh!) twenty-five 2 [Verse] \u2014 'cause") == ["don't", "oh", "twenty", "five", "two", "'cause"]


def test_ipa_becomes_the_dictionary_s_phones() -> None:
    assert arpabet("ˈsɪlvɝ") == dictionary()["silver"][0]
    assert arpabet("tʃeɪndʒ") == ("CH", "EY", "N", "JH")
    assert arpabet("əɡoʊ") == ("AH", "G", "OW")
    assert arpabet("bax") == ("B", "AA", "HH")  # the nearest that English has
    assert arpabet("") == ()


def test_every_word_s_ipa_leads_back_to_its_phones() -> None:
    from jam.lyrics.lexicon import arpabet_to_ipa

    for word in ("bridge", "measure", "though", "thing", "yellow", "joy", "hour", "church", "wood", "caught", "father"):
        for phones in dictionary()[word]:
            assert arpabet(arpabet_to_ipa(" ".join(phones))) == phones


def test_unknown_words_are_said_by_their_ipa_or_are_told() -> None:
    assert pronunciations(["zorblax", "silver"]).keys() == {"silver"}
    said = pronunciations(["zorblax"], lambda words: ["zɔːɹblæks" for _ in words])
    assert said == {"zorblax": (("Z", "AO", "R", "B", "L", "AE", "K", "S"),)}
    listener = Listener(["zorblax silver"])
    assert listener.vocabulary == ("silver",) and listener.unknown == ("zorblax",)
    with pytest.raises(Absent, match="none of 1 words"):
        Listener(["zorblax"])


def test_a_word_that_cannot_be_said_is_refused_by_name(listener: Listener) -> None:
    with pytest.raises(ValueError, match="'zorblax'.*IPA"):
        listener.align("silver zorblax", to_pcm(torch.zeros(2, SAMPLE_RATE)))


def test_silence_is_read_as_nothing(listener: Listener) -> None:
    assert listener.read(to_pcm(torch.zeros(2, 2 * SAMPLE_RATE))) == ()
    assert listener.read(b"") == ()


@needs_flite
def test_sung_lines_are_read_chosen_and_aligned(songs: list, listener: Listener) -> None:
    right = 0
    for index, (words, samples) in enumerate(songs):
        pcm = to_pcm(samples)
        right += sum(word.word in spelled(LINES[index]) for word in listener.read(pcm))
        assert listener.choose(LINES, pcm) == index
        own, other = listener.align(LINES[index], pcm), listener.align(LINES[index - 1], pcm)
        assert own is not None and (other is None or other.score < own.score)
        assert [word.word for word in own.words] == LINES[index].split()
        edges = [abs(found.start - word.start) for found, word in zip(own.words, words, strict=True)]
        assert np.median(edges) < 0.05
    assert right >= 0.7 * sum(len(line.split()) for line in LINES)


@needs_flite
def test_no_answer_depends_on_what_was_heard_before(songs: list, listener: Listener) -> None:
    first, second = (to_pcm(samples) for _, samples in songs[:2])
    alone, score = listener.read(first), listener.align(LINES[0], first)
    listener.read(second)
    listener.align(LINES[1], second)
    assert listener.read(first) == alone != ()
    assert listener.align(LINES[0], first) == score is not None


@needs_flite
def test_long_songs_have_their_words_at_their_times(songs: list, listener: Listener) -> None:
    _, samples = songs[0]
    first = np.concatenate([samples, np.zeros(25 * SAMPLE_RATE - len(samples), np.float32)])
    heard = listener.read(to_pcm(np.concatenate([first, samples])))
    for word in ("silver", "bridge"):
        once, again = (found.start for found in heard if found.word == word)
        assert again - once == pytest.approx(25, abs=0.05)
