"""Time as a row of pieces that stretch and shrink, each in its own way, between points that are nailed down. Knows nothing of words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

FURTHEST = 80.0  # natural logarithm of the strongest pull
HALVINGS = 48
TINY = 1e-12  # seconds: even pieces that are nothing share what is left


@dataclass(frozen=True)
class Piece:
    """A stretch of time in seconds: at least `least`, left alone `usual`, at most `most`; a pull f makes it usual * f ** give."""

    least: float
    usual: float
    most: float = math.inf
    give: float = 1.0


def lengths(pieces: Sequence[Piece], total: float) -> np.ndarray:
    """How long each piece lasts, (N,), when one pull on all of them makes them last `total` seconds together.

    Where even the least is too long, or the most too short, all are scaled alike: the caller knows whether that may be.
    """
    least, usual, most, give = (np.array([getattr(piece, name) for piece in pieces]) for name in ("least", "usual", "most", "give"))
    usual = np.clip(usual, least, most)
    if not total > least.sum():
        return least * (max(total, 0.0) / least.sum()) if least.sum() > 0 else np.full(len(pieces), max(total, 0.0) / len(pieces))

    def pulled(log_pull: float) -> np.ndarray:
        return np.clip(usual * np.exp(np.minimum(give * log_pull, FURTHEST)), least, most)

    low, high = -FURTHEST, FURTHEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if pulled(middle).sum() < total else (low, middle)
    found = np.maximum(pulled(high), TINY)
    return found * (total / found.sum())  # no pull may be enough, and halving never quite arrives


def place(pieces: Sequence[Piece], nails: Mapping[int, float]) -> np.ndarray:
    """When each of the points between the pieces is, (N + 1,): point i before piece i; `nails` are the known ones, 0 and N among them.

    Nails are honoured exactly, even where a later one is earlier.
    """
    points = np.empty(len(pieces) + 1)
    known = sorted(nails)
    assert known[0] == 0 and known[-1] == len(pieces), known
    points[0] = nails[0]
    for before, after in zip(known, known[1:], strict=False):
        if after > before + 1:
            spans = lengths(pieces[before:after], nails[after] - nails[before])
            points[before + 1 : after + 1] = nails[before] + np.cumsum(spans)
        points[after] = nails[after]
    return points
