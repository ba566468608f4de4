"""Words that are written down: by a loop of words over emissions written by hand, and through Whisper's doors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from jam import assets
from jam.eval.alignment import Emissions
from jam.eval.judge import SOUNDS, Judge
from jam.eval.measures import Absent
from jam.eval.recognisers import Heard
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.words import Word
from jam.prepare.search import Sounds, sounds_of
from jam.prepare.transcription import JudgeReader, Vocabulary, WhisperReader, read, read_vocabulary, vocabulary_of
from jam.timing import SAMPLE_RATE

NAMES = ("sil", "a", "e", "o", "p", "s", "m")
FRAME = 0.01


@pytest.fixture(scope="module")
def sounds() -> Sounds:
    return sounds_of(NAMES, NAMES[1:4], [])


def heard(text: str, sure: float = 0.98) -> Emissions:
    """Emissions of a text such as `_20 p4 a10`: each sound and for how many frames; `_` is silence."""
    path = [0 if piece[0] == "_" else NAMES.index(piece[0]) for piece in text.split() for _ in range(int(piece[1:]))]
    chances = np.full((len(path), len(NAMES)), (1 - sure) / (len(NAMES) - 1))
    chances[np.arange(len(path)), path] = sure
    return Emissions(np.log(chances).astype(np.float32), FRAME, FRAME / 2, silence=0)


def vocabulary(**prices: float) -> Vocabulary:
    """Words of the names' signs."""
    return Vocabulary(tuple(prices), tuple(tuple(NAMES.index(sign) for sign in word) for word in prices), np.array(list(prices.values())))


def places(words: tuple[Word, ...]) -> list[tuple[str, int, int]]:
    return [(word.word, round(word.start / FRAME), round(word.end / FRAME)) for word in words]


def test_words_are_read_with_their_times(sounds: Sounds) -> None:
    found = read(sounds, heard("_20 p4 a12 s6 _10 m6 o15 m6 o12 p5 _20"), vocabulary(pas=5, mo=5, mop=5, sa=5))
    assert places(found) == [("pas", 20, 42), ("mo", 52, 73), ("mop", 73, 96)]


def test_a_song_may_begin_and_end_within_words(sounds: Sounds) -> None:
    assert places(read(sounds, heard("p4 a12 s6"), vocabulary(pas=5))) == [("pas", 0, 22)]


def test_of_words_that_fit_alike_the_frequent_one_is_read(sounds: Sounds) -> None:
    song = heard("_20 p4 a6 e6 s6 _9")
    assert [word.word for word in read(sounds, song, vocabulary(pas=5, pes=9))] == ["pas"]
    assert [word.word for word in read(sounds, song, vocabulary(pas=9, pes=5))] == ["pes"]


def test_what_is_no_word_of_the_list_is_no_word(sounds: Sounds) -> None:
    assert read(sounds, heard("_20 m5 s5 p5 m5 s5 _20"), vocabulary(pas=5, mo=5)) == ()
    assert read(sounds, heard("_99"), vocabulary(pas=5)) == ()
    assert read(sounds, Emissions(np.zeros((0, len(NAMES)), np.float32), FRAME, silence=0), vocabulary(pas=5)) == ()


def test_lists_of_words_are_read_with_and_without_counts(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("river 120\nlight 3.5\nstone\nbridge bridge moon\n")
    assert read_vocabulary(path) == {"river": 120, "light": 3.5, "stone": 1, "bridge": 2, "moon": 1}
    for content, told in (("  \n", "holds no words"), ("river 0\n", "line 1: 'river' has the count 0")):
        path.write_text(content)
        with pytest.raises(ValueError, match=told) as error:
            read_vocabulary(path)
        assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer.load(assets.BUNDLE / "phonemizer.pt")


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load(assets.BUNDLE)


def test_of_words_that_sound_alike_the_most_frequent_stays(phonemizer: Phonemizer, judge: Judge) -> None:
    found = vocabulary_of({"see": 1.0, "sea": 5.0, "stone": 2.0}, phonemizer, judge.spell)
    assert found.words == ("sea", "stone")
    assert found.prices[0] < found.prices[1]
    assert [SOUNDS[code] for code in found.sounds[0]] == ["s", "iː"]


def test_the_judge_reads_english_and_its_words_are_part_of_its_digest(phonemizer: Phonemizer, judge: Judge, sounds: Sounds) -> None:
    one, other = (
        JudgeReader(judge, sounds, vocabulary_of(counts, phonemizer, judge.spell), "weights")
        for counts in ({"sea": 1.0}, {"sea": 1.0, "moon": 1.0})
    )
    assert one.digest != other.digest
    with pytest.raises(Absent, match="whisper"):
        one.write(torch.zeros(2, SAMPLE_RATE), "fr")


class Says:
    """A recogniser that says what it is told to."""

    name, needs = "whisper", ""

    def __init__(self, said: Heard) -> None:
        self.said = said

    def write(self, samples: Tensor, language: str | None = None) -> Heard:  # noqa: ARG002
        return self.said


def test_whisper_s_words_keep_their_times_where_it_tells_them() -> None:
    timed = (Word(1.0, 1.5, "over"), Word(1.5, 2.0, "there"))
    assert WhisperReader(Says(Heard("over there", timed)), "-").write(torch.zeros(2, 9)) == timed
    found = WhisperReader(Says(Heard(" Over the {odd} hills - again,")), "-").write(torch.zeros(2, 9))
    assert [word.word for word in found] == ["Over", "the", "odd", "hills", "again,"]
    assert all(word.end == 0 for word in found)


def test_a_whisper_that_is_not_here_is_absent(tmp_path: Path) -> None:
    with pytest.raises(Absent, match="nowhere"):
        WhisperReader.load("whisper", str(tmp_path / "nowhere"))
