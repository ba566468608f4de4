import numpy as np
import pytest

from jam.eval.alignment import Emissions
from jam.eval.identify import SpokenLine, measure, rivals
from jam.eval.measures import Value

SOUNDS = 12  # 0 is silence


def lines(count: int, seed: int = 0) -> list[SpokenLine]:
    """Lines of three words of three sounds, a second each, one after another."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(1, SOUNDS, (count, 3, 3))
    return [SpokenLine(tuple(tuple(map(int, word)) for word in line), float(place), place + 0.9) for place, line in enumerate(drawn)]


def sung(song: list[SpokenLine], sure: float = 0.8) -> Emissions:
    """Emissions of a song in which each sound lasts 100 ms and a silence of 100 ms follows each line."""
    row = np.concatenate([np.repeat([code for word in line.words for code in word] + [0], 10) for line in song])
    scores = np.full((len(row), SOUNDS), np.log((1 - sure) / (SOUNDS - 1)), np.float32)
    scores[np.arange(len(row)), row] = np.log(sure)
    return Emissions(scores, 0.01, 0.005, silence=0)


def moved(song: list[SpokenLine], other: list[SpokenLine]) -> list[SpokenLine]:
    """The words of `other` at the times of `song`."""
    return [SpokenLine(theirs.words, own.start, own.end) for own, theirs in zip(song, other, strict=True)]


def test_every_line_of_a_song_is_told_from_forty_nine():
    song = lines(6)
    values = measure(sung(song), song, [*song, *lines(100, 1)])
    assert values["lyrics.line"].value == 100
    assert values["lyrics.line"].weight == 6
    assert values["lyrics.margin"].value > 0.3


def test_with_others_words_lines_are_identified_as_often_as_by_chance():
    song, others = lines(40), lines(40, 2)
    values = measure(sung(song), moved(song, others), lines(300, 3), count=5)
    assert 0 <= values["lyrics.line"].value <= 45  # chance is 20 %; of 40 lines more than 18 are right less than once in 10,000 times
    assert values["lyrics.line"].value > 0
    assert values["lyrics.margin"].value < 0


def test_where_the_sung_line_is_among_the_rivals_another_is_never_identified():
    song = lines(8)
    values = measure(sung(song), moved(song, song[1:] + song[:1]), song, count=8)
    assert values["lyrics.line"].value == 0


def test_a_line_is_no_rival_of_itself_and_no_rival_comes_twice():
    line, *others = lines(5)
    drawn = rivals(line, [line, *others, *others], 10, 0)
    assert {one.words for one in drawn} == {one.words for one in others}
    assert len(drawn) == 4


def test_rivals_are_of_like_length():
    short = [SpokenLine(((1, 2),), 0, 1), SpokenLine(((2, 3),), 0, 1)]
    long = [SpokenLine(((code, 5, 6, 7, 8, 9),), 0, 1) for code in range(1, 9)]
    assert rivals(SpokenLine(((3, 4),)), [*long, *short], 1, 0)[0] in short
    assert rivals(SpokenLine(((3, 4, 5, 6, 7, 8),)), [*short, *long], 1, 0)[0] in long


def test_a_line_without_times_is_not_identified_and_has_no_margin():
    song = lines(2)
    lost = SpokenLine(song[1].words)
    values = measure(sung(song), [song[0], lost], lines(20, 1))
    assert values["lyrics.line"].value == 50
    assert values["lyrics.margin"].weight == 1


def test_there_is_nothing_to_tell_of_no_lines_or_from_no_others():
    song = lines(1)
    assert measure(sung(song), [], song) == {}
    assert measure(sung(song), song, song) == {}
    assert measure(sung(song), [SpokenLine((), 0, 1)], lines(5)) == {}


def test_a_window_past_the_end_is_measured_all_the_same():
    song = lines(2)
    late = SpokenLine(song[0].words, 50.0, 51.0)
    values = measure(sung(song), [late], lines(20, 1))
    assert values["lyrics.line"].value == pytest.approx(0)
    assert "lyrics.margin" not in values


def test_a_window_too_short_for_its_sounds_identifies_nothing():
    song = lines(2)
    cut = sung(song).cut(0.0, 0.05)
    shorter = [SpokenLine(((code,),), 0, 1) for code in range(1, 8)]
    values = measure(cut, song[:1], [*song, *shorter])
    assert values == {"lyrics.line": Value(0.0, 1)}
