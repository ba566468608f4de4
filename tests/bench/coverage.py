"""How often is the truth within the 95 % intervals of jam.eval.statistics? Sets of songs are drawn whose truth is known.

    python tests/bench/coverage.py [repeats=2000] [draws=2000]

To lie between 93 and 97 of 100. Two thousand sets tell a share to one of 100 (two standard deviations).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np

from jam.eval.measures import Pooling, Value
from jam.eval.statistics import DRAWS, estimate, paired

Songs = list[Value]


def normal(draw: np.random.Generator, songs: int) -> Songs:
    """Songs that differ as errors of measurement do; truth 0."""
    return [Value(float(value)) for value in draw.normal(size=songs)]


def lognormal(draw: np.random.Generator, songs: int) -> Songs:
    """Songs of which some have much more than others; truth exp(1/8)."""
    return [Value(float(value)) for value in draw.lognormal(0, 0.5, songs)]


def shares(draw: np.random.Generator, songs: int) -> Songs:
    """Shares of 40 words each, by songs that are easier and harder; truth 0.2."""
    return [Value(count / 40, 40) for count in draw.binomial(40, draw.beta(2, 8, songs)).tolist()]


def rare_shares(draw: np.random.Generator, songs: int) -> Songs:
    """Shares of 40 words each that are 0 of many songs; truth 0.02."""
    return [Value(count / 40, 40) for count in draw.binomial(40, draw.beta(0.5, 24.5, songs)).tolist()]


def uneven_shares(draw: np.random.Generator, songs: int) -> Songs:
    """The same of songs of 20 to 80 words; truth 0.2."""
    words = draw.integers(20, 81, songs)
    counts = draw.binomial(words, draw.beta(2, 8, songs))
    return [Value(count / length, length) for count, length in zip(counts.tolist(), words.tolist(), strict=True)]


def medians(draw: np.random.Generator, songs: int) -> Songs:
    """Onset errors of 40 words each (ms), every song with a lag of its own; truth 0."""
    errors = draw.normal(0, 30, (songs, 1)) + draw.normal(0, 50, (songs, 40))
    return [Value(float(np.median(row)), 40, tuple(row)) for row in errors]


CASES: dict[str, tuple[Callable[[np.random.Generator, int], Songs], int, Pooling, float]] = {
    "normal, 20 songs": (normal, 20, "mean", 0.0),
    "normal, 50 songs": (normal, 50, "mean", 0.0),
    "lognormal, 50 songs": (lognormal, 50, "mean", math.exp(1 / 8)),
    "shares of words, 30 songs": (shares, 30, "mean", 0.2),
    "shares of uneven songs, 30 songs": (uneven_shares, 30, "mean", 0.2),
    "rare shares of words, 30 songs": (rare_shares, 30, "mean", 0.02),
    "medians of words, 40 songs": (medians, 40, "median", 0.0),
}


def coverage(case: str, repeats: int, draws: int) -> float:
    """The share of `repeats` sets whose interval holds the truth."""
    make, songs, pooled, truth = CASES[case]
    draw = np.random.default_rng(7)
    found = [estimate(make(draw, songs), pooled, seed, draws=draws) for seed in range(repeats)]
    return sum(one.low <= truth <= one.high for one in found) / repeats


def differences(repeats: int, draws: int, songs: int = 20) -> tuple[float, np.ndarray]:
    """Of two systems that are alike: the share of intervals that hold 0, and every p."""
    draw, found = np.random.default_rng(8), []
    for seed in range(repeats):
        hard = draw.normal(0, 10, songs)  # what the lyrics do to both
        a, b = ({str(song): Value(float(hard[song] + draw.exponential(4)), 40) for song in range(songs)} for _ in range(2))
        found.append(paired(a, b, "mean", seed, draws=draws))
    return sum(one.low <= 0 <= one.high for one in found) / repeats, np.array([one.p for one in found])


def main(words: list[str]) -> int:
    """Reads key=value words, prints the share of each case; exit status 1 where one is not between 93 and 97 of 100."""
    given = dict(word.split("=", 1) for word in words)
    repeats, draws = int(given.get("repeats", 2000)), int(given.get("draws", DRAWS))
    found = {case: coverage(case, repeats, draws) for case in CASES}
    found["differences, 20 songs"], chances = differences(repeats, draws)
    for case, share in found.items():
        print(f"{case:36s} {100 * share:5.1f}")  # noqa: T201
    print("p at most 0.05 / 0.2 / 0.5:", *(f"{np.mean(chances <= p):.3f}" for p in (0.05, 0.2, 0.5)))  # noqa: T201
    return int(not all(0.93 <= share <= 0.97 for share in found.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
