import json
from pathlib import Path

import pytest

from jam.lyrics.formats import read
from jam.lyrics.phonemes import Phonemizer

ROOT = Path(__file__).parents[2]
SONGS = json.loads((ROOT / "inputs" / "input.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("song", SONGS, ids=lambda song: song["id"])
def test_a_shipped_song_has_words_that_fit_its_duration_and_rests_between_lines(song, caplog):
    words = read(ROOT / song["lrc_path"], song["duration"])
    assert not caplog.messages
    assert 12 <= song["duration"] <= 24
    assert 1.5 < words[0].start < 3
    rests = [later.start - earlier.end for earlier, later in zip(words, words[1:], strict=False)]
    assert sum(rest > 0.2 for rest in rests) >= 3
    assert (ROOT / song["prompt_path"]).read_text(encoding="utf-8").strip()


def test_the_embedded_phonemizer_reads_every_shipped_word_from_its_dictionary():
    phonemizer = Phonemizer.load(ROOT / "externals" / "nano" / "phonemizer.pt")
    assert len({song["id"] for song in SONGS}) == len(SONGS) == 4
    for song in SONGS:
        for word in read(ROOT / song["lrc_path"]):
            assert phonemizer.knows(word.word), word
            assert len(phonemizer.ids_of(word)) > 1
