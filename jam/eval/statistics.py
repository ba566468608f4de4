"""How sure a figure is: intervals over songs, and whether two systems differ over the same songs. It knows no metric.

Songs are what is drawn again: words of one song are sung alike, so they are no independent samples. Each end of the interval of a mean (a
ratio of sums, each song by its weight) is the further one of Student's and of the studentised bootstrap's (bootstrap-t: Efron & Tibshirani
1993, chapter 12.5): the first is too near where songs are skewed, the second where few lie far out. Of fewer than eight songs, or of hardly
any that differ, it is Student's. A median of pooled samples has the percentile interval, its tails widened for small sets (Hesterberg 2015,
section 5.3). `tests/bench/coverage.py` says how often the truth is within. Letters: n songs, D draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jam.eval.measures import Better, Pooling, Value
from jam.eval.results import Estimate

LEVEL, DRAWS, FLIPS = 0.95, 2000, 10_000
FEWEST = 8  # songs from which on they are drawn again for a mean: fewer are too often all the same one
STEPS = 4096  # samples that a median is told by: of more, so many of their quantiles
NOISE = 1e-9  # of the values: differences below it are rounding


@dataclass(frozen=True)
class Difference:
    """How much more system B has of a measure than system A over the same songs, its interval, and the chance of one as large by luck.

    `wins` counts the songs of which B has the better value (the higher one where neither is better), `losses` those where A has.
    """

    value: float
    low: float
    high: float
    p: float
    wins: int
    losses: int
    count: int


def estimate(values: Sequence[Value], pooled: Pooling, seed: int = 0, level: float = LEVEL, draws: int = DRAWS) -> Estimate:
    """The figure of a set of songs and its interval.

    Of one song the interval is all numbers, -inf to inf. Songs that all have the same value have an interval of no width: of few of them
    that says little, so look at the count. In a mean, songs of weight 0 do not count. Raises ValueError where there is no song.
    """
    counted = _counted(values, pooled)
    if not counted:
        raise ValueError(f"no song has a value ({len(values)} were given, without those of weight 0); there is nothing to estimate")
    if pooled == "mean":
        value, low, high = _mean_interval(_Means.of(counted), seed, level, draws)
    else:
        value = _middle(counted)
        low, high = _percentiles(value, [_Pool.of(counted)], len(counted), seed, level, draws)
    return Estimate(value, low, high, len(counted))


def paired(
    a: Mapping[str, Value],
    b: Mapping[str, Value],
    pooled: Pooling,
    seed: int = 0,
    better: Better = "higher",
    level: float = LEVEL,
    draws: int = DRAWS,
) -> Difference:
    """Figure of `b` less figure of `a` over the songs that both have, by their ids.

    `p` is of a permutation test: were the systems alike, each song's two values might as well be exchanged (two-sided; Fisher 1935).
    Raises ValueError where no song is in both.
    """
    shared = sorted(set(a) & set(b))
    weighed = [name for name in shared if pooled == "median" or min(a[name].weight, b[name].weight) > 0]
    if not weighed:
        raise ValueError(f"no song is in both systems ({len(a)} and {len(b)} songs); compare songs of the same ids")
    first, second = [a[name] for name in weighed], [b[name] for name in weighed]
    value, low, high, p = (_paired_means if pooled == "mean" else _paired_medians)(first, second, seed, level, draws)
    gains = np.array([y.value - x.value for x, y in zip(first, second, strict=True)]) * (-1 if better == "lower" else 1)
    return Difference(value, low, high, p, int((gains > 0).sum()), int((gains < 0).sum()), len(weighed))


def _counted(values: Sequence[Value], pooled: Pooling) -> list[Value]:
    assert all(math.isfinite(value.value) and value.weight >= 0 for value in values), values
    return [value for value in values if pooled == "median" or value.weight > 0]


@dataclass(frozen=True)
class _Means:
    """Weighted means, of one system or of two: `values` and `weights` are (systems, n); the figure is the last less the first."""

    values: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, *systems: Sequence[Value]) -> _Means:
        return cls(
            np.array([[value.value for value in values] for values in systems]),
            np.array([[value.weight for value in values] for values in systems]),
        )

    def figures(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The figure and its standard error (D,) where song i is taken counts[:, i] times, `counts` (D, n)."""
        songs = counts.shape[1]
        figure, pull = np.zeros(len(counts)), np.zeros(counts.shape)  # a song's pull on the figure
        for sign, values, weights in zip(_signs(len(self.values)), self.values, self.weights, strict=True):
            total = counts @ weights
            mean = counts @ (weights * values) / total
            figure += sign * mean
            pull += sign * weights * (values - mean[:, None]) / total[:, None]
        return figure, np.sqrt(songs / max(songs - 1, 1) * (counts * pull**2).sum(1))


def _signs(systems: int) -> tuple[int, ...]:
    return (1,) if systems == 1 else (-1, 1)


def _mean_interval(means: _Means, seed: int, level: float, draws: int) -> tuple[float, float, float]:
    """The figure of means and its interval."""
    songs = means.values.shape[1]
    figures, errors = means.figures(np.ones((1, songs)))
    figure, error = float(figures[0]), float(errors[0])
    if songs == 1:
        return figure, -math.inf, math.inf
    if error <= NOISE * float(np.abs(means.values).max()) / math.sqrt(songs):
        return figure, figure, figure
    low, high = _student(songs, level)
    if songs >= FEWEST:
        drawn, spread = means.figures(_drawn(songs, seed, draws))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(spread > NOISE * error, (drawn - figure) / spread, np.sign(drawn - figure) * np.inf)
        ends = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2], method="nearest")
        if np.isfinite(ends).all():
            low, high = min(low, float(ends[0])), max(high, float(ends[1]))
    return figure, figure - high * error, figure - low * error


def _student(songs: int, level: float) -> tuple[float, float]:
    """The ends of Student's distribution of one degree of freedom fewer than songs."""
    from scipy.special import stdtrit

    end = float(stdtrit(songs - 1, (1 + level) / 2))
    return -end, end


def _drawn(songs: int, seed: int, draws: int) -> np.ndarray:
    """How often each song is taken in each draw with replacement, (D, n)."""
    return np.random.default_rng(seed).multinomial(songs, np.full(songs, 1 / songs), draws).astype(np.float64)


def _paired_means(a: list[Value], b: list[Value], seed: int, level: float, draws: int) -> tuple[float, float, float, float]:
    """Difference of means, its interval and p."""
    means = _Means.of(a, b)
    value, low, high = _mean_interval(means, seed, level, draws)
    flipped = _flipped(len(a), seed)
    sums, weights = means.values * means.weights, means.weights
    moved_sums, moved_weights = flipped @ (sums[1] - sums[0]), flipped @ (weights[1] - weights[0])
    first = (sums[0].sum() + moved_sums) / (weights[0].sum() + moved_weights)
    second = (sums[1].sum() - moved_sums) / (weights[1].sum() - moved_weights)
    return value, low, high, _chance(second - first, value, float(np.abs(means.values).max()))


def _paired_medians(a: list[Value], b: list[Value], seed: int, level: float, draws: int) -> tuple[float, float, float, float]:
    """Difference of the medians of all samples, its interval and p."""
    pools, both = [_Pool.of(a), _Pool.of(b)], _Pool.of([*a, *b])
    value = _middle(b) - _middle(a)
    low, high = _percentiles(value, pools, len(a), seed, level, draws)
    flipped = _flipped(len(a), seed)[:draws]
    stays, goes = np.concatenate([1 - flipped, flipped], 1), np.concatenate([flipped, 1 - flipped], 1)
    return value, low, high, _chance(_median(both, goes) - _median(both, stays), value, float(np.abs(both.samples).max()))


def _middle(values: Sequence[Value]) -> float:
    """The median of all samples."""
    return float(np.median([sample for value in values for sample in value.samples or (value.value,)]))


def _flipped(songs: int, seed: int) -> np.ndarray:
    """Which songs' values are exchanged, ones in (D, n)."""
    return np.random.default_rng([seed, 1]).integers(0, 2, (FLIPS, songs)).astype(np.float64)


def _chance(flipped: np.ndarray, value: float, size: float) -> float:
    """The share of exchanges with a difference as large as `value`, that of no exchange among them."""
    as_large = np.abs(flipped) >= abs(value) - NOISE * size
    return float((1 + as_large.sum()) / (1 + len(flipped)))


@dataclass(frozen=True)
class _Pool:
    """All samples of all songs in rising order, (M,), of very many every so manieth.

    `ranks` (M, n) says how many of each song's are not above it.
    """

    samples: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, values: Sequence[Value]) -> _Pool:
        """A value without samples is its own only one."""
        samples = [np.sort(value.samples or (value.value,)) for value in values]
        every = np.unique(np.concatenate(samples))
        kept = every[np.linspace(0, len(every) - 1, min(len(every), STEPS)).astype(int)]
        return cls(kept, np.stack([np.searchsorted(each, kept, side="right") for each in samples], 1).astype(np.int32))


def _median(pool: _Pool, counts: np.ndarray) -> np.ndarray:
    """The median (D,) of the samples where song i's are taken counts[:, i] times, `counts` (D, n)."""
    counts = counts.astype(np.int32)
    total = counts @ pool.ranks[-1]
    return (_sample(pool, counts, (total - 1) // 2) + _sample(pool, counts, total // 2)) / 2


def _sample(pool: _Pool, counts: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The sample (D,) that `place` others come before, by bisection."""
    low, high = np.zeros_like(place), np.full_like(place, len(pool.samples) - 1)
    while (low < high).any():
        middle = (low + high) // 2
        reached = np.einsum("dn,dn->d", counts, pool.ranks[middle]) > place
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    return pool.samples[low]


def _percentiles(value: float, pools: list[_Pool], songs: int, seed: int, level: float, draws: int) -> tuple[float, float]:
    """The interval of a median, or of the difference of two, from draws of songs; never without the figure itself."""
    from scipy.special import ndtr

    if songs == 1:
        return -math.inf, math.inf
    counts = _drawn(songs, seed, draws)
    drawn = sum(sign * _median(pool, counts) for sign, pool in zip(_signs(len(pools)), pools, strict=True))
    tail = float(ndtr(_student(songs, level)[0] * math.sqrt(songs / (songs - 1))))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return min(float(low), value), max(float(high), value)
