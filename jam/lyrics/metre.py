"""Beats and bars: moves what is laid out so that lines, sections and stressed syllables meet them. Words are syllables here."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import numpy as np

from jam.lyrics import pace
from jam.lyrics.elastic import place
from jam.lyrics.layout import NOTHING, Row
from jam.lyrics.pace import Beat
from jam.lyrics.sheet import Sheet
from jam.lyrics.syllables import Sung
from jam.timing import SLOT_SECONDS

PULL = 0.25  # of a syllable: a stressed one moves to the beat no further


def snap(row: Row, sheet: Sheet, beat: Beat) -> None:
    """Nails the beginnings of lines to beats, of sections to bars, where there is room and nothing else is said."""
    points = place(row.pieces, row.nails)
    least = np.concatenate([[0.0], np.cumsum([piece.least for piece in row.pieces])])
    known = sorted(row.nails)
    firsts = {point for point, _ in row.sections.values()}
    number = 0
    for line in sheet.lines:
        point = row.starts[number] if line.words else -1
        number += len(line.words)
        if point < 0 or point in row.nails or _is_settled(row, known[bisect.bisect(known, point) - 1], point):
            continue
        grid = beat.bar if point - 1 in firsts and abs(_nearest(points[point], beat.bar) - points[point]) <= beat.seconds else beat.seconds
        time = round(_nearest(points[point], grid), 3)
        position = bisect.bisect(known, point)
        before, after = known[position - 1], known[position]
        fits_before = time - row.nails[before] >= least[point] - least[before]
        if fits_before and row.nails[after] - time >= least[after] - least[point]:
            row.nails[point] = time
            known.insert(position, point)


def _is_settled(row: Row, nail: int, point: int) -> bool:
    """Whether nothing between a nail and a point gives way, so that the point's time is as good as given."""
    return all(piece.least == piece.most or piece.usual <= NOTHING for piece in row.pieces[nail:point])


def _nearest(time: float, grid: float) -> float:
    return round(time / grid) * grid


def stress(points: np.ndarray, row: Row, lines: Sequence[Sequence[Sung]], beat: Beat) -> None:
    """Moves the borders between a line's words, in place, so that stressed syllables meet the beat or a simple part of it."""
    number = 0
    for line in lines:
        for index, word in enumerate(line):
            if index and not word.is_small and word.syllables:
                _pull(points, row, number + index, word, beat)
        number += len(line)


def _pull(points: np.ndarray, row: Row, index: int, word: Sung, beat: Beat) -> None:
    """Moves the beginning of word `index`, and the end of the one before it with it, if both are free."""
    before, start, end = row.ends[index - 1], row.starts[index], row.ends[index]
    if start in row.nails or before in row.nails:
        return
    syllable = (points[end] - points[start]) / word.syllables
    grid = min((beat.seconds / part for part in pace.PARTS), key=lambda length: abs(math.log(length / max(syllable, SLOT_SECONDS))))
    onset = points[start] + syllable * word.stressed
    on_beat, on_grid = _nearest(onset, beat.seconds), _nearest(onset, grid)
    shift = (on_beat if abs(on_beat - onset) <= grid / 2 else on_grid) - onset
    shift *= abs(shift) <= PULL * syllable
    earliest = points[row.starts[index - 1]] + row.pieces[row.starts[index - 1]].least - points[before]
    latest = points[end] - row.pieces[start].least - points[start]
    if earliest <= shift <= latest:
        points[before : start + 1] += shift
