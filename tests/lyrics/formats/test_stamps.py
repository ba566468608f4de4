"""Times as lyrics files write them: all the usual forms, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jam.lyrics.formats.stamps import check_order, hours_of, minutes_of, seconds_of
from jam.lyrics.sheet import SheetWord


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("00:00.00", 0.0), ("01:23", 83.0), ("1:23.4", 83.4), ("01:23.45", 83.45), ("01:23:45", 5025.0), ("00:01:23.456", 83.456),
        ("00:00:00,000", 0.0), (" 01:00:01,5 ", 3601.5), ("75:00.00", 4500.0), ("00:01.123456", 1.123456),
    ],
)  # fmt: skip
def test_stamps_of_every_form_are_read(stamp, seconds):
    assert seconds_of(stamp) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ("moon", "'moon' is no time; write minutes:seconds"), ("12.5", "is no time"), ("-00:01", "is no time"), ("00:60.00", "60 or more"),
        ("01:60:00.0", "60 or more"), ("9999999:00.0", "later than any song"), ("00:00.", "is no time"), ("", "is no time"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(stamp, said):
    with pytest.raises(ValueError, match=said):
        seconds_of(stamp)


@given(st.integers(0, 5_000_000))
def test_times_come_back(millis):
    seconds = millis / 1000
    assert seconds_of(minutes_of(seconds, 3)) == pytest.approx(seconds, abs=1e-9)
    assert seconds_of(hours_of(seconds)) == seconds_of(hours_of(seconds, ",")) == pytest.approx(seconds, abs=1e-9)
    assert seconds_of(minutes_of(seconds)) == pytest.approx(seconds, abs=5.001e-3)


def test_rounding_carries_into_the_next_minute():
    assert (minutes_of(59.999), hours_of(3599.9999)) == ("01:00.00", "01:00:00.000")


def test_words_out_of_order_are_refused_and_words_that_overlap_are_not():
    check_order([SheetWord("a", 0.0, 2.0), SheetWord("b"), SheetWord("c", 1.0, 1.5)])
    with pytest.raises(ValueError, match="'b' from 0.5 to 0.7 s is out of order; mend it: python -m jam.lyrics check"):
        check_order([SheetWord("a", 1.0, 2.0), SheetWord("b", 0.5, 0.7)])
    with pytest.raises(ValueError, match="'a' from 2 to 1 s is out of order"):
        check_order([SheetWord("a", 2.0, 1.0)])
