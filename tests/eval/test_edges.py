import pytest

from jam.eval.alignment import Alignment, Found
from jam.eval.edges import MEASURES, measure
from jam.lyrics.words import Word


def words(*starts: float) -> list[Word | None]:
    return [Word(start, start + 0.3, f"w{place}") for place, start in enumerate(starts)]


def found(*starts: float | None, extra: tuple[tuple[float, float], ...] = ()) -> Alignment:
    return Alignment(tuple(None if start is None else Found(start, start + 0.4, -0.1) for start in starts), extra)


def test_every_value_is_of_a_measure_that_is_listed():
    values = measure(words(1, 2), found(1.1, None))
    assert set(values) == {one.name for one in MEASURES}


def test_a_constant_lag_is_the_lag_and_no_error_of_rhythm():
    values = measure(words(1, 2, 3), found(1.12, 2.12, 3.12))
    assert values["timing.lag_ms"].value == pytest.approx(120)
    assert values["timing.onset_ms"].value == pytest.approx(120)
    assert values["timing.rhythm_ms"].value == pytest.approx(0)
    assert values["timing.offset_ms"].value == pytest.approx(220)


def test_words_that_come_early_have_a_lag_below_nought():
    values = measure(words(1, 2, 3), found(0.9, 1.9, 2.95))
    assert values["timing.lag_ms"].value == pytest.approx(-100)
    assert values["timing.onset_ms"].value == pytest.approx(100)


def test_missing_words_count_as_outside_and_have_no_error():
    values = measure(words(1, 2, 3, 4), found(1.04, None, 3.09, 4.3))
    assert values["timing.coverage"].value == pytest.approx(75)
    assert values["timing.missing"].value == pytest.approx(25)
    assert [values[f"timing.within_{limit}"].value for limit in (50, 100, 200)] == pytest.approx([25, 50, 50])
    assert values["timing.onset_ms"].value == pytest.approx(90)
    assert values["timing.onset_ms"].samples == pytest.approx((40, 90, 300))


def test_what_is_sung_beside_is_counted_by_the_words():
    assert measure(words(1, 2), found(1, 2, extra=((5, 6),)))["timing.extra"].value == pytest.approx(50)


def test_words_without_times_have_coverage_alone():
    assert set(measure([None, None], found(1, None))) == {"timing.coverage", "timing.missing", "timing.extra"}


def test_some_words_without_times_leave_the_errors_of_the_others():
    values = measure([words(1)[0], None], found(1.1, 5))
    assert values["timing.within_200"].weight == 1
    assert values["timing.onset_ms"].samples == pytest.approx((100,))


def test_a_song_without_words_has_no_timing():
    assert measure([], found()) == {}


def test_no_word_found_leaves_no_errors_but_shares():
    values = measure(words(1, 2), found(None, None))
    assert "timing.onset_ms" not in values
    assert values["timing.within_50"].value == 0
    assert values["timing.missing"].value == 100


def test_words_that_have_no_sound_do_not_count():
    values = measure(words(1, 2, 3), found(1, None, 3), [(4, 5), (), (6,)])
    assert values["timing.coverage"].value == 100
    assert values["timing.coverage"].weight == values["timing.within_50"].weight == 2
    assert measure(words(1), found(None), [()]) == {}
