"""Two evaluations side by side: `python -m jam.eval.compare A B [output=FOLDER]`, A and B a `report.json` each, or the folder that has one.

Where both have the same songs, their difference is paired: each song is compared with itself. It measures nothing anew.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from jam import config
from jam.eval import catalogue, page, results
from jam.eval.measures import Measure, Value, base, joined
from jam.eval.report import figure, heading, room_of
from jam.eval.results import Condition, Estimate, Evaluation
from jam.eval.statistics import Difference, paired
from jam.files import write_whole

log = logging.getLogger("jam")

HTML, FILE = "compare.html", "compare.json"
SURE = 0.05  # a difference of a smaller p is marked
PER_SYSTEM = ("system", "name", "songs", "output", "overwrite", "workers", "device", "audio", "spectrograms")  # may differ freely


@dataclass(frozen=True)
class CompareConfig:
    """Settings of a comparison, beside the two reports."""

    output: str | None = None  # a folder for compare.html and compare.json; null: only the screen
    seed: int = 0  # of the bootstrap and the permutations


@dataclass(frozen=True)
class Compared:
    """One measure of both: the figure of each over all its songs, and B less A over the songs that both have."""

    name: str
    measure: Measure
    a: Estimate | None
    b: Estimate | None
    difference: Difference | None = None

    @property
    def verdict(self) -> str:
        """Which is better, where the difference is more than chance would give; "" where none is."""
        if self.difference is None or self.difference.p >= SURE or self.measure.better == "neither" or not self.difference.value:
            return ""
        return "B" if (self.difference.value > 0) == (self.measure.better == "higher") else "A"


@dataclass(frozen=True)
class Comparison:
    """All measures of two evaluations; `songs` are the ids that both have, `warnings` why figures may not be comparable."""

    a: str
    b: str
    songs: tuple[str, ...]
    rows: tuple[Compared, ...]
    warnings: tuple[str, ...] = ()


def compare(a: Evaluation, b: Evaluation, seed: int = 0) -> Comparison:
    """The songs of two evaluations, measure by measure. Raises ValueError where no song has the same id in both."""
    first, second = _songs(a), _songs(b)
    shared = _measured(first) & _measured(second)
    if not shared:
        raise ValueError(f"{a.name} and {b.name}: no song has the same id in both; evaluate the same benchmark with both systems")
    names = {name for name in (*first.estimates, *second.estimates) if base(name) in {measure.name for measure in catalogue.MEASURES}}
    rows = tuple(_compared(name, first, second, shared, seed) for name in sorted(names, key=catalogue.place))
    return Comparison(a.name, b.name, tuple(sorted(shared)), rows, tuple(_warnings(a, b, shared)))


def as_lines(found: Comparison) -> Iterator[str]:
    """The comparison as lines of a terminal."""
    yield f"A: {found.a}   B: {found.b}   songs that both have: {len(found.songs)}"
    yield f"{'measure':<44}{'A':>10}{'B':>10}{'B - A':>10}{'95 % interval':>22}{'p':>8}{'better':>8}"
    for row in found.rows:
        unit = f" ({row.measure.unit})" if row.measure.unit else ""
        figures = "".join(f"{page.number(one.value) if one else '-':>10}" for one in (row.a, row.b))
        yield f"{_short(row.name + unit, 43):<44}{figures}{_difference_text(row)}{row.verdict:>8}"


def write(folder: str | Path, found: Comparison) -> Path:
    """Writes compare.json and compare.html; returns the page. Raises OSError in one line where the folder cannot be written."""
    folder = Path(folder)
    content = json.dumps(_as_json(found), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    write_whole(folder / FILE, content.encode())
    return write_whole(folder / HTML, _as_page(found).encode())


def _songs(evaluation: Evaluation) -> Condition:
    """The songs themselves: the first condition."""
    if not evaluation.conditions:
        raise ValueError(f"{evaluation.name}: the report has no songs; evaluate them again")
    return evaluation.conditions[0]


def _measured(condition: Condition) -> set[str]:
    return {song.id for song in condition.songs if song.problem is None}


def _values(condition: Condition, name: str, ids: set[str]) -> dict[str, Value]:
    """What each song has, takes of one song together: they are not independent."""
    found: dict[str, list[Value]] = {}
    for song in condition.songs:
        if song.id in ids and name in song.values:
            found.setdefault(song.item or song.id, []).append(song.values[name])
    return {name: joined(takes) for name, takes in found.items()}


def _compared(name: str, a: Condition, b: Condition, ids: set[str], seed: int) -> Compared:
    """One measure; the difference only where some song has a value in both, which figures of whole sets have not."""
    measure = catalogue.measure(name)
    first, second = _values(a, name, ids), _values(b, name, ids)
    counted = [
        song for song in first.keys() & second.keys() if measure.pooled == "median" or min(first[song].weight, second[song].weight) > 0
    ]
    difference = paired(first, second, measure.pooled, seed, measure.better) if counted else None
    return Compared(name, measure, a.estimates.get(name), b.estimates.get(name), difference)


def _warnings(a: Evaluation, b: Evaluation, shared: set[str]) -> Iterator[str]:
    """What makes figures of two evaluations differ though the songs do not."""
    first, second = dict(_flat(a.facts)), dict(_flat(b.facts))
    for fact in dict.fromkeys((*first, *second)):
        if fact.removeprefix("settings.").partition(".")[0] not in PER_SYSTEM and first.get(fact) != second.get(fact):
            yield f"{fact} differs: {_short(str(first.get(fact)), 60)} (A), {_short(str(second.get(fact)), 60)} (B)"
    for name, evaluation in (("A", a), ("B", b)):
        alone = len(_measured(_songs(evaluation)) - shared)
        if alone:
            yield f"{alone} songs of {name} have no counterpart; they are in {name}'s figures, not in the differences"


def _flat(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Facts within facts, by dotted names."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", list(value) if isinstance(value, tuple) else value


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _difference_text(row: Compared) -> str:
    if row.difference is None:
        return f"{'-':>10}{'':>22}{'':>8}"
    d = row.difference
    return f"{page.number(d.value):>10}{page.interval(d.low, d.high):>22}{_chance(d.p):>8}"


def _chance(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def _as_json(found: Comparison) -> dict[str, Any]:
    rows = []
    for row in found.rows:
        estimates = {side: None if one is None else _plain(vars(one)) for side, one in (("a", row.a), ("b", row.b))}
        difference = None if row.difference is None else _plain(vars(row.difference))
        rows.append({"measure": row.name, **estimates, "difference": difference, "better": row.verdict or None})
    return {"a": found.a, "b": found.b, "songs": list(found.songs), "warnings": list(found.warnings), "measures": rows}


def _plain(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as JSON knows them: null for an end that is none."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in numbers.items()}


def _as_page(found: Comparison) -> str:
    head = ["measure", f"A: {found.a}", f"B: {found.b}", "B \u2212 A", "p", "songs won by B, by A"]
    rows: list[str] = []
    room = ""
    for row in found.rows:
        if room_of(row.name) != room:
            room = room_of(row.name)
            rows.append(page.band(room, len(head)))
        rows.append(page.row([heading(row.name, row.measure), figure(row.a), figure(row.b), *_difference_cells(row)], len(head) - 1))
    told = f"<h2>Take care</h2>\n{page.listed(found.warnings)}" if found.warnings else ""
    note = f"Differences are over the {len(found.songs)} songs that both have, with their 95 % interval; p is of a permutation test."
    bold = f"Bold: better by more than chance would give (p below {SURE:g}, each measure by itself)."
    title = f"{found.a} and {found.b}"
    html = f'<h1>{escape(title)}</h1>\n<p class="soft">{note} {bold}</p>\n{told}{page.table(head, rows, len(head) - 1)}'
    return page.page(f"{title}: compared", html)


def _difference_cells(row: Compared) -> list[str]:
    d = row.difference
    if d is None:
        return [page.DASH] * 3
    value = f"<b>{page.number(d.value)}</b>" if row.verdict else page.number(d.value)
    better = f' <span class="soft">{row.verdict} better</span>' if row.verdict else ""
    return [f"{value}{better}<small>{page.interval(d.low, d.high)}</small>", escape(_chance(d.p)), f"{d.wins}, {d.losses}"]


def main(words: Sequence[str]) -> int:
    """Entry: compares two reports on the screen, and in files where `output` names a folder."""
    named = [word for word in words if "=" not in word or Path(word).exists()]
    if len(named) != 2:
        raise ValueError(f"{len(named)} reports are named; write python -m jam.eval.compare A B, each a report.json or its folder")
    settings = config.load(CompareConfig, [word for word in words if word not in named])
    found = compare(results.read(named[0]), results.read(named[1]), settings.seed)
    for warning in found.warnings:
        log.warning("take care: %s", warning)
    sys.stdout.write("\n".join(as_lines(found)) + "\n")
    if settings.output is not None:
        log.info("written: %s", write(settings.output, found))
    return 0


if __name__ == "__main__":
    sys.exit(config.run(main))
