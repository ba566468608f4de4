"""Intervals and paired comparisons: by hand where that is possible, by simulation where it is not."""

import math
import time

import numpy as np
import pytest

from jam.eval import statistics
from jam.eval.measures import Value
from jam.eval.statistics import estimate, paired
from tests.bench.coverage import CASES, coverage, differences


def plain(*numbers: float) -> list[Value]:
    return [Value(number) for number in numbers]


def named(*numbers: float) -> dict[str, Value]:
    return {f"song {place}": Value(number) for place, number in enumerate(numbers)}


@pytest.mark.parametrize("case", CASES)
def test_intervals_hold_the_truth_in_95_of_100_sets(case):
    """400 sets tell a share to a standard deviation of 1.1 of 100: the bars, 93 and 97, are two of these further apart.

    An interval of 90 % passes once in 300 times, one of 99.5 % never. tests/bench/coverage.py has five times as many sets and no slack.
    Takes a second or two a case: each set is drawn again 500 times.
    """
    assert 0.908 <= coverage(case, 400, 500) <= 0.992


def test_differences_of_like_systems_hold_nothing_and_their_p_is_uniform():
    """As above; a share of p at most q is told to a standard deviation of sqrt(q (1 - q) / 400). Takes 2 s, as above."""
    share, chances = differences(400, 500)
    assert 0.908 <= share <= 0.992
    for p in (0.05, 0.2, 0.5, 0.8):
        assert np.mean(chances <= p) == pytest.approx(p, abs=3 * math.sqrt(p * (1 - p) / 400))


def test_a_mean_counts_each_song_by_its_weight():
    assert estimate([Value(0.5, 10), Value(0.1, 30)], "mean").value == pytest.approx(0.2)


def test_a_median_is_that_of_all_samples_together():
    songs = [Value(1, 1, (1.0,)), Value(5, 1, (4.0, 5.0, 6.0, 7.0))]
    assert estimate(songs, "median").value == 5
    assert estimate(plain(3, 9, 4, 5), "median").value == 4.5  # a value without samples is its own


def test_a_median_of_draws_is_that_of_the_samples_drawn():
    """Against numpy's median of the samples written out, with ties and uneven songs."""
    draw = np.random.default_rng(0)
    songs = [Value(0, 1, tuple(draw.integers(0, 9, draw.integers(1, 7)).astype(float))) for _ in range(6)]
    counts = draw.multinomial(6, np.full(6, 1 / 6), 200)
    written = [np.median(np.concatenate([np.tile(song.samples, times) for song, times in zip(songs, row, strict=True)])) for row in counts]
    assert statistics._median(statistics._Pool.of(songs), counts).tolist() == written


def test_very_many_samples_are_told_by_quantiles_to_well_within_the_interval():
    draw = np.random.default_rng(1)
    songs = [Value(0, 1, tuple(draw.normal(draw.normal(), 1, 2000))) for _ in range(10)]
    counts = draw.multinomial(10, np.full(10, 0.1), 50)
    written = [np.median(np.concatenate([np.tile(song.samples, times) for song, times in zip(songs, row, strict=True)])) for row in counts]
    assert statistics._median(statistics._Pool.of(songs), counts) == pytest.approx(written, abs=0.01)


def test_few_songs_have_students_interval():
    """Of 1, 2, 3: mean 2, standard error 1 / sqrt(3), t with two degrees of freedom 4.3027 (a table's)."""
    found = estimate(plain(1, 2, 3), "mean")
    assert (found.low, found.high) == (pytest.approx(2 - 4.3027 / 3**0.5, abs=1e-4), pytest.approx(2 + 4.3027 / 3**0.5, abs=1e-4))


def test_many_songs_of_a_bell_have_nearly_students_interval():
    values = np.random.default_rng(3).normal(size=200)
    found, half = estimate(plain(*values), "mean"), 1.972 * values.std(ddof=1) / 200**0.5
    assert found.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_the_interval_of_skewed_songs_reaches_further_to_the_long_side():
    found = estimate(plain(*np.random.default_rng(4).lognormal(0, 1, 40)), "mean")
    assert found.high - found.value > 1.2 * (found.value - found.low)


@pytest.mark.parametrize("pooled", ["mean", "median"])
def test_one_song_says_nothing_of_others(pooled):
    found = estimate(plain(3.0), pooled)
    assert (found.value, found.low, found.high, found.count) == (3.0, -math.inf, math.inf, 1)


@pytest.mark.parametrize("pooled", ["mean", "median"])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_songs_that_are_all_alike_have_an_interval_of_no_width(pooled, value):
    found = estimate([Value(value, weight) for weight in range(1, 13)], pooled)
    assert (found.low, found.high) == (pytest.approx(found.value, rel=1e-9, abs=0), pytest.approx(found.value, rel=1e-9, abs=0))
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize("pooled", ["mean", "median"])
@pytest.mark.parametrize("count", [2, 7, 8, 30])
def test_an_interval_is_of_numbers_and_around_its_figure_where_only_one_song_differs(pooled, count):
    found = estimate(plain(1.0, *[0.0] * (count - 1)), pooled)
    assert found.low <= found.value <= found.high
    assert math.isfinite(found.low) and math.isfinite(found.high)


def test_no_songs_and_songs_of_no_weight_are_refused():
    for given in ([], [Value(1.0, 0.0)]):
        with pytest.raises(ValueError, match="no song has a value"):
            estimate(given, "mean")


def test_a_song_of_no_weight_does_not_count_in_a_mean():
    assert estimate([Value(1.0, 5), Value(9.0, 0)], "mean").count == 1


def test_the_same_seed_gives_the_same_interval_and_another_another():
    values = plain(*np.random.default_rng(5).normal(size=20))
    assert estimate(values, "mean", 1) == estimate(values, "mean", 1)
    assert estimate(values, "mean", 1) != estimate(values, "mean", 2)


def test_a_wider_level_has_a_wider_interval():
    values = plain(*np.random.default_rng(6).normal(size=20))
    wide, narrow = estimate(values, "mean", level=0.99), estimate(values, "mean", level=0.8)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_difference_is_b_less_a_over_the_songs_that_both_have():
    a, b = {"x": Value(1.0), "y": Value(2.0), "only a": Value(99.0)}, {"y": Value(5.0), "x": Value(3.0), "only b": Value(-99.0)}
    found = paired(a, b, "mean")
    assert (found.value, found.count, found.wins, found.losses) == (2.5, 2, 2, 0)


def test_p_is_that_of_all_exchanges_counted_by_hand():
    """Of differences 1, 2, 3 and 10 two of the sixteen ways to sign them reach a sum of 16: p is 1/8, as 10,000 exchanges tell to 1 %."""
    assert paired(named(0, 0, 0, 0), named(1, 2, 3, 10), "mean").p == pytest.approx(1 / 8, abs=0.01)


@pytest.mark.parametrize("pooled", ["mean", "median"])
def test_a_steady_difference_is_sure_though_songs_differ_more(pooled):
    hard = np.random.default_rng(7).normal(0, 50, 20)
    steps = np.random.default_rng(8).normal(3, 1, 20)
    found = paired(named(*hard), named(*(hard + steps)), "mean" if pooled == "mean" else "median")
    assert found.value == pytest.approx(3, abs=1 if pooled == "mean" else 30)
    if pooled == "mean":
        assert 2 < found.low < 3 < found.high < 4
        assert found.p < 0.001


def test_medians_of_shifted_words_differ_by_the_shift():
    draw = np.random.default_rng(9)
    a = {str(song): Value(0, 1, tuple(draw.normal(0, 20, 40))) for song in range(20)}
    b = {song: Value(0, 1, tuple(sample + 120 for sample in value.samples)) for song, value in a.items()}
    found = paired(a, b, "median")
    assert found.value == pytest.approx(120)
    assert 110 < found.low <= 120 <= found.high < 130
    assert found.p < 0.001


@pytest.mark.parametrize("pooled", ["mean", "median"])
def test_a_system_does_not_differ_from_itself(pooled):
    songs = named(*np.random.default_rng(10).normal(size=12))
    found = paired(songs, songs, pooled)
    assert (found.value, found.low, found.high, found.p, found.wins, found.losses) == (0, 0, 0, 1, 0, 0)


def test_wins_are_counted_for_the_better_side():
    a, b = named(1, 1, 1, 1), named(0, 0, 2, 1)
    lower, higher = paired(a, b, "mean", better="lower"), paired(a, b, "mean")
    assert (lower.wins, lower.losses) == (2, 1)
    assert (higher.wins, higher.losses) == (1, 2)


def test_one_shared_song_proves_nothing():
    found = paired(named(1.0), named(5.0), "mean")
    assert (found.value, found.low, found.high, found.p) == (4.0, -math.inf, math.inf, 1.0)


def test_systems_that_share_no_song_are_refused():
    with pytest.raises(ValueError, match="no song is in both systems"):
        paired({"x": Value(1.0)}, {"y": Value(1.0)}, "mean")


def test_sixty_measures_of_fifty_songs_are_estimated_in_seconds():
    draw = np.random.default_rng(11)
    values = [Value(float(draw.random()), 40, tuple(draw.normal(size=60))) for _ in range(50)]
    began = time.process_time()
    for pooled in ("mean", "median"):
        for seed in range(3):
            estimate(values, pooled, seed)
    assert time.process_time() - began < 2  # sixty: 20 s at the worst, 3 s as measured
