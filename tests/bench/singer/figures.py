"""Figures, their bars, and the tables that tell them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from jam.eval.measures import Pooling, Value
from jam.eval.results import Estimate
from jam.eval.statistics import estimate, paired

SUNG, CODED, TRUE, FLOOR = "singer", "codec round trip", "true recording", "shuffled lyrics"
CONDITIONS = (SUNG, CODED, TRUE, FLOOR)
DRAWS = 1000
SHARES = frozenset(  # in %, so no interval leaves 0 to 100
    [
        *("lyrics.line", "sphinx.line", "sphinx.found", "edges.within", "before.voice", "found", "fallen"),
        *("genre", "voice", "tempo", "beats", "a cappella"),
    ]
)
Songs = Mapping[str, Mapping[str, Value]]  # by song, by measure


@dataclass(frozen=True)
class Row:
    """One figure of every condition that has it; `bar` is what the singer's has to reach, and whether it `met` it."""

    label: str
    unit: str
    figures: dict[str, Estimate] = field(default_factory=dict)
    bar: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Table:
    """The figures of one stage."""

    name: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def at_least(low: float) -> tuple[str, Callable[[float], bool]]:
    """The bar of a figure that should be high."""
    return f"at least {low:g}", lambda value: value >= low


def at_most(high: float) -> tuple[str, Callable[[float], bool]]:
    """The bar of a figure that should be low."""
    return f"at most {high:g}", lambda value: value <= high


def within(low: float, high: float) -> tuple[str, Callable[[float], bool]]:
    """The bar of a figure that should be so much."""
    return f"{low:g} to {high:g}", lambda value: low <= value <= high


def row(
    label: str, unit: str, figures: Mapping[str, Estimate], bar: tuple[str, Callable[[float], bool]] | None = None, told: str = SUNG
) -> Row:
    """A row; the figure of the condition `told` is held against the bar."""
    if bar is None or told not in figures:
        return Row(label, unit, dict(figures), bar[0] if bar else "")
    return Row(label, unit, dict(figures), bar[0], bool(bar[1](figures[told].value)))


def pooled(conditions: Mapping[str, Songs], measure: str, pooling: Pooling = "mean") -> dict[str, Estimate]:
    """The figure of `measure` of each condition that has it, over its songs."""
    found = {}
    for name, songs in conditions.items():
        values = [values[measure] for values in songs.values() if measure in values]
        if any(value.weight > 0 for value in values):
            one = estimate(values, pooling)
            found[name] = replace(one, low=max(one.low, 0.0), high=min(one.high, 100.0)) if measure in SHARES else one
    return found


def above(conditions: Mapping[str, Songs], measure: str) -> dict[str, Estimate]:
    """How much more the singer has of `measure` than the codec round trip, song by song."""
    sets = [{name: values[measure] for name, values in conditions.get(one, {}).items() if measure in values} for one in (CODED, SUNG)]
    if not set(sets[0]) & set(sets[1]):
        return {}
    found = paired(sets[0], sets[1], "mean")
    return {SUNG: Estimate(found.value, found.low, found.high, len(set(sets[0]) & set(sets[1])))}


def drawn(count: int, figure: Callable[[np.ndarray], float], seed: int = 0) -> Estimate:
    """The figure of all songs, places (count,), with the percentiles of it over songs drawn again."""
    rng = np.random.default_rng(seed)
    values = [figure(rng.integers(0, count, count)) for _ in range(DRAWS)]
    low, high = np.quantile([value for value in values if math.isfinite(value)] or [math.nan], [0.025, 0.975])
    return Estimate(float(figure(np.arange(count))), float(low), float(high), count)


def told(one: Estimate | None) -> str:
    """`98.2 (95.1 to 99.6)`, or nothing."""
    if one is None:
        return ""
    digits = 3 if abs(one.value) < 1 else 1
    if not math.isfinite(one.low) or not math.isfinite(one.high):
        return f"{one.value:.{digits}f}"
    return f"{one.value:.{digits}f} ({one.low:.{digits}f} to {one.high:.{digits}f})"


def markdown(table: Table) -> str:
    """The table as Markdown: conditions across, the bar and whether it was met at the end."""
    names = [name for name in CONDITIONS if any(name in one.figures for one in table.rows)]
    lines = [f"## {table.name}", "", "| " + " | ".join(["figure", *names, "bar", ""]) + " |", "|---" * (len(names) + 3) + "|"]
    for one in table.rows:
        verdict = "" if one.met is None else "met" if one.met else "missed"
        label = f"{one.label}, {one.unit}" if one.unit else one.label
        lines.append("| " + " | ".join([label, *(told(one.figures.get(name)) for name in names), one.bar, verdict]) + " |")
    counts = sorted({figure.count for one in table.rows for figure in one.figures.values()})
    lines += ["", f"Songs: {', '.join(map(str, counts))}. 95 % intervals over songs in brackets."] if counts else []
    return "\n".join([*lines, *table.notes]) + "\n"


def write(tables: Sequence[Table], folder: Path) -> None:
    """`folder`/figures.md and figures.json; stages of earlier runs that were not run again stay."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "figures.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept |= {table.name: _plain(asdict(table)) | {"markdown": markdown(table)} for table in tables}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "figures.md").write_text("\n".join(one["markdown"] for one in kept.values()), encoding="utf-8")


def _plain(value: object) -> object:
    """The value with None for numbers that JSON lacks."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
