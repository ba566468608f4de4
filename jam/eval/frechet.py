"""How far a set of songs is from a set of recordings, by their embeddings: the Fréchet distance and the kernel distance.

It knows no audio and no encoder: a song is its rows, embeddings (w, d) of its windows; `jam.eval.embeddings` makes them. Letters: n and m
rows of the two sets, d numbers a row, w windows of a song, S songs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from jam.eval.measures import Measure, by
from jam.eval.results import Estimate

GROUPS = 20  # of songs that are left out in turn, for intervals
SUBSETS, LEAST_SHARE = 15, 0.3  # sizes of subsets that are extended to infinity, the smallest a share of all songs
BANDWIDTH_ROWS = 1000  # of the recordings, that the kernel's width is told from
PERCENT = 100.0

_SET = "It is of a whole set: it says nothing of one song, hears what its embedding hears, and needs recordings of the same kind of music."

MEASURES: tuple[Measure, ...] = (
    Measure(
        "sound.fad",
        "Fréchet audio distance",
        "",
        "lower",
        "mean",
        "Distance between the normal distributions that fit the embeddings of the songs and of the recordings: "
        "|mean - mean|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), exact where there are fewer windows than dimensions.",
        "Kilgour et al. 2019 (arXiv 1812.08466)",
        f"{_SET} The fewer songs, the larger it comes out: compare it only with that of a control of as many songs, by the same embedding.",
    ),
    Measure(
        "sound.fad_inf",
        "Fréchet audio distance of infinitely many songs",
        "",
        "lower",
        "mean",
        "Fréchet distances of subsets of the songs, extended along a line in 1 / size to a set without end. "
        "Only where the smallest subset has more windows than the embedding has dimensions.",
        "Gui et al. 2024 (arXiv 2311.01616)",
        f"{_SET} The line holds for large sets; what few recordings add to the distance stays in it. Its interval is that of the plain "
        "distance, moved: the line's own doubt is not in it.",
    ),
    Measure(
        "sound.kad",
        "kernel audio distance",
        "%",
        "lower",
        "mean",
        "Squared maximum mean discrepancy of the embeddings (unbiased; a Gaussian kernel as wide as the median distance of the recordings "
        "to each other), times 100. Windows of one song are not compared with each other.",
        "Chung et al. 2025 (arXiv 2502.15602); Gretton et al. 2012",
        f"{_SET} Near 0 it may come out below 0.",
        signed=True,
    ),
)


@dataclass(frozen=True)
class Normal:
    """The normal distribution that fits rows: its mean (d,), and `root` (r, d), r at most d, whose root^T root is the covariance."""

    mean: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Normal:
        """That of `rows` (n, d), at least two. Raises ValueError for fewer."""
        rows = np.asarray(rows, np.float64)
        if len(rows) < 2:
            raise ValueError(f"{len(rows)} embeddings have no spread; a Fréchet distance needs two or more in each set")
        mean = rows.mean(0)
        centred = (rows - mean) / math.sqrt(len(rows) - 1)
        return cls(mean, centred if len(rows) <= rows.shape[1] else np.asarray(np.linalg.qr(centred, mode="r")))


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """The Fréchet distance of rows (n, d) and (m, d). Raises ValueError where a set has fewer than two rows.

    tr((S1 S2)^(1/2)) is the sum of the singular values of root1 root2^T, where S = root^T root: no covariance is inverted and no root of
    one is drawn, so sets of fewer rows than dimensions are exact.
    """
    return _between(Normal.of(a), Normal.of(b))


def kernel_distance(a: np.ndarray | Sequence[np.ndarray], b: np.ndarray | Sequence[np.ndarray]) -> float:
    """The unbiased squared maximum mean discrepancy of `b`, the recordings, and `a`; rows (n, d), or the rows (w, d) of each song.

    Pairs of the same song are left out, a row with itself among them. Raises ValueError where a set has fewer than two songs.
    """
    songs, recordings = _songs(a), _songs(b)
    return _Kernels.of(songs, recordings).distance(np.ones(len(songs)))


def at_infinity(songs: Sequence[np.ndarray], recordings: np.ndarray, seed: int = 0) -> float | None:
    """The Fréchet distance of a set without end; None where the smallest subset of songs has not more rows than dimensions."""
    fitted, draw = Normal.of(recordings), np.random.default_rng(seed)
    sizes = np.unique(np.linspace(LEAST_SHARE * len(songs), len(songs), SUBSETS).round().astype(int))
    if len(sizes) < 3 or sizes[0] * min(len(song) for song in songs) <= recordings.shape[1]:
        return None
    counts, found = [], []
    for size in sizes:
        rows = np.concatenate([songs[place] for place in draw.permutation(len(songs))[:size]])
        counts.append(len(rows))
        found.append(_between(Normal.of(rows), fitted))
    return float(np.polynomial.Polynomial.fit(1 / np.array(counts), found, 1).convert().coef[0])


def measure(songs: Sequence[np.ndarray], recordings: Sequence[np.ndarray], instrument: str, seed: int = 0) -> dict[str, Estimate]:
    """The measures of a set of songs against recordings, each its rows (w, d), by the embedding `instrument`.

    Intervals tell how the figure would change with other songs, the recordings and the number of songs as they are. Nothing is given of
    sets of fewer than two songs.
    """
    if min(len(songs), len(recordings)) < 2:
        return {}
    fitted = Normal.of(np.concatenate(recordings))
    kernels = _Kernels.of(songs, recordings)
    rest = at_infinity(songs, np.concatenate(recordings), seed)
    found = {
        "sound.fad": _estimate(lambda kept: _between(Normal.of(np.concatenate(_only(songs, kept))), fitted), len(songs), seed),
        "sound.kad": _estimate(lambda kept: PERCENT * kernels.distance(kept), len(songs), seed),
    }
    if rest is not None:
        change = rest - found["sound.fad"].value
        found["sound.fad_inf"] = Estimate(rest, found["sound.fad"].low + change, found["sound.fad"].high + change, len(songs))
    return {by(name, instrument): one for name, one in found.items()}


def _between(a: Normal, b: Normal) -> float:
    shared = np.linalg.svd(a.root @ b.root.T, compute_uv=False).sum()
    found = np.square(a.mean - b.mean).sum() + np.square(a.root).sum() + np.square(b.root).sum() - 2 * shared
    return max(0.0, float(found))  # rounding may leave it a hair below


def _songs(rows: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    """Songs of their rows; of plain rows each is a song."""
    return [np.atleast_2d(song) for song in rows]


@dataclass(frozen=True)
class _Kernels:
    """Sums of the kernel over the pairs of windows of each pair of songs: within `a` (S, S), of `a` and `b`; means of `b`."""

    within: np.ndarray
    across: np.ndarray  # (S,), against all rows of b
    counts: np.ndarray  # (S,) rows of each song of a
    others: int  # rows of b
    apart: float  # mean of the kernel over pairs of different songs of b

    @classmethod
    def of(cls, a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> _Kernels:
        if min(len(a), len(b)) < 2:
            raise ValueError(f"a kernel distance needs two or more songs in each set; these have {len(a)} and {len(b)}")
        width = _bandwidth(np.concatenate(b))
        own, sizes = _sums(b, b, width), np.array([len(song) for song in b])
        pairs = float(sizes.sum() ** 2 - np.square(sizes).sum())
        apart = float(own.sum() - np.trace(own)) / pairs
        counts = np.array([len(song) for song in a])
        return cls(_sums(a, a, width), _sums(a, b, width).sum(1), counts, int(sizes.sum()), apart)

    def distance(self, kept: np.ndarray) -> float:
        """The discrepancy of the songs of `a` that are kept, ones in (S,)."""
        within = kept @ self.within @ kept - kept @ np.diag(self.within)
        rows = float(kept @ self.counts)
        pairs = rows**2 - float(kept @ np.square(self.counts))
        return float(within / pairs + self.apart - 2 * (kept @ self.across) / (rows * self.others))


def _bandwidth(rows: np.ndarray) -> float:
    """The median distance of rows to each other, of which at most so many are taken; 1 where all are the same."""
    few = rows[np.unique(np.linspace(0, len(rows) - 1, BANDWIDTH_ROWS).astype(int))]
    squares = _squares(few, few)[np.triu_indices(len(few), 1)]
    return math.sqrt(float(np.median(squares))) or 1.0


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (n, m)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return (np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T).clip(min=0)


def _sums(a: Sequence[np.ndarray], b: Sequence[np.ndarray], width: float) -> np.ndarray:
    """Sums of the kernel over the windows of each pair of songs, (songs of a, songs of b)."""
    rows, starts = np.concatenate(b), np.cumsum([0, *(len(song) for song in b[:-1])])
    return np.stack([np.add.reduceat(np.exp(-_squares(song, rows) / (2 * width**2)).sum(0), starts) for song in a])


def _only(songs: Sequence[np.ndarray], kept: np.ndarray) -> list[np.ndarray]:
    return [song for song, stays in zip(songs, kept, strict=True) if stays]


def _estimate(figure: Callable[[np.ndarray], float], songs: int, seed: int) -> Estimate:
    """The figure of all songs, and Student's interval by the jackknife that leaves out a group of songs at a time (Shao & Wu 1989)."""
    from scipy.special import stdtrit

    value, groups = figure(np.ones(songs)), min(GROUPS, songs)
    if songs < 4:
        return Estimate(value, -math.inf, math.inf, songs)
    group = np.random.default_rng(seed).permutation(songs) % groups
    without = np.array([figure((group != left).astype(np.float64)) for left in range(groups)])
    half = float(stdtrit(groups - 1, 0.975) * math.sqrt((groups - 1) / groups * np.square(without - without.mean()).sum()))
    return Estimate(value, value - half, value + half, songs)
