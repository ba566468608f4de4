"""The rules of music: how long words and rests usually last."""

import pytest

from jam.lyrics.pace import Beat, around, by_rules, divisions, step
from jam.lyrics.syllables import Sung

MOON, THE, RIVER, NEVER = Sung(1, 0, 3), Sung(1, 0, 2, is_small=True), Sung(2, 0, 4), Sung(2, 0, 4)
BEAT = Beat(0.6, 4)


def test_a_syllable_lasts_a_simple_part_of_the_beat():
    assert [step(Beat(seconds, 4)) for seconds in (0.4, 0.6, 1.0)] == [0.4, 0.3, 0.5]
    assert step(BEAT, density=1.5) == pytest.approx(0.2)


def test_words_last_by_syllables_small_ones_are_short_and_the_last_of_a_line_is_held():
    lengths = by_rules([[THE, RIVER, MOON], [MOON]], BEAT)
    the, river, moon, _ = lengths.words
    assert the < river / 2 < moon
    assert lengths.rests[1:3] == (0, 0) and lengths.rests[3] > BEAT.seconds


def test_a_comma_makes_a_rest_and_a_stop_a_longer_one():
    comma, stop = Sung(1, 0, 4, ","), Sung(1, 0, 4, ".")
    _, *rests = by_rules([[comma, MOON, stop, MOON]], BEAT).rests
    assert 0 == rests[1] < rests[0] < rests[2]


def test_a_line_longer_than_a_breath_is_divided_preferably_before_a_small_word():
    line = [RIVER] * 5 + [THE] + [NEVER] * 5
    assert divisions(line) == (5,)
    assert divisions([RIVER] * 6) == ()


def test_longer_songs_have_longer_intros():
    seconds = [around(length, BEAT) for length in (3, 20, 60, 200)]
    assert seconds == sorted(seconds) and seconds[1][0] == BEAT.bar
