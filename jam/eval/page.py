"""Parts of a page: tables, plots and texts with their differences marked, as HTML and SVG that need no script and no network.

It knows no measure and no evaluation. Everything that comes in as text is escaped; only what is named `html` is taken as it is.
"""

from __future__ import annotations

import bisect
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT = 460, 112, 28  # units of a plot; left is room for names
ROW, FOOT = 26, 24
TICKS = 4
BINS, OUTER = 40, 0.005  # of a histogram of counts: its bins, and the share at either end that its outermost bins gather
MAP = 440  # units of a map's height
COLOURS = 8  # that a map tells apart
BELOW, ABOVE = "\u2193", "\u2191"  # arrows
DASH = "\u2013"

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6b7c; --line: #d9dfe7; --ground: #ffffff; --panel: #f5f7fa;
  --c0: #2f6fd0; --c1: #23915f; --c2: #8a5fbf; --c3: #a0713a; --bad: #b3261e; --gone: #fbdcd9; --new: #d3f0dd; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa7b8; --line: #333d4b; --ground: #12161c; --panel: #1b212a;
  --c0: #6ea3f5; --c1: #56c793; --c2: #b994ea; --c3: #d6a368; --bad: #ff8a80; --gone: #5b2723; --new: #1f4a31; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.2rem; font: 16px/1.5 system-ui, sans-serif; }
body { color: var(--ink); background: var(--ground); }
h1 { font-size: 1.7rem; margin: 0.4rem 0; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 0.6rem; } h3 { font-size: 1.05rem; margin: 1.4rem 0 0.3rem; }
a { color: var(--c0); } small, .soft { color: var(--soft); font-size: 0.82em; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.32rem 0.7rem 0.32rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td.number, th.number { text-align: right; white-space: nowrap; }
tr.room th { padding-top: 1.1rem; color: var(--soft); }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--ground); }
article th:first-child, article td:first-child { background: var(--panel); }
td small { display: block; } tr.bad td { color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.7rem; margin: 1rem 0; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 0.7rem 0.9rem; }
.card b { display: block; font-size: 1.5rem; font-weight: 650; }
article { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 0.9rem 1.1rem; margin: 1rem 0; }
article h3 { margin-top: 0; } article img { max-width: none; height: 260px; background: white; } audio { width: 100%; margin: 0.5rem 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 0.4rem 1.6rem; }
figure { margin: 0.6rem 0; } figcaption { font-weight: 600; font-size: 0.92rem; }
figcaption small { font-weight: 400; } svg { width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .soft { fill: var(--soft); } svg .grid { stroke: var(--line); }
.c4 { --c: var(--bad); } .c5 { --c: #1fa1a1; } .c6 { --c: #c9549b; } .c7 { --c: #8a8f3a; } .c8 { --c: var(--soft); }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
svg .dot { fill: var(--c); opacity: 0.45; } svg .bar { fill: var(--c); opacity: 0.5; } svg .mark { fill: var(--c); }
svg .point { fill: var(--c); opacity: 0.75; } svg .frame { fill: none; stroke: var(--line); }
svg .span { stroke: var(--c); stroke-width: 3; } svg .edge { stroke: var(--c); fill: none; stroke-width: 1.8; }
del { background: var(--gone); text-decoration: line-through; } ins { background: var(--new); text-decoration: none; }
mark { background: var(--gone); color: inherit; border-bottom: 2px solid var(--bad); }
.lyrics { white-space: pre-wrap; margin: 0.2rem 0 0.6rem; }
pre { overflow-x: auto; background: var(--panel); padding: 0.8rem; font-size: 0.85rem; }
summary { cursor: pointer; color: var(--soft); }
"""


def page(title: str, html: str) -> str:
    """A whole document."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{html}\n</body>\n</html>\n"
    )


def table(head: Sequence[str], rows: Iterable[str], numbers: int = 0) -> str:
    """A table with named columns, the last `numbers` of them of numbers; `rows` are html."""
    first = len(head) - numbers
    named = "".join(f"<th{_number_class(place >= first)}>{escape(name)}</th>" for place, name in enumerate(head))
    return f'<div class="scroll"><table>\n<thead><tr>{named}</tr></thead>\n<tbody>\n{"".join(rows)}</tbody></table></div>\n'


def row(html: Sequence[str], numbers: int = 0, kind: str = "") -> str:
    """A row of cells, the last `numbers` of them of numbers."""
    first = len(html) - numbers
    cells = "".join(f"<td{_number_class(place >= first)}>{cell}</td>" for place, cell in enumerate(html))
    return f"<tr{_class(kind)}>{cells}</tr>\n"


def band(text: str, columns: int) -> str:
    """A row that heads those below it."""
    return f'<tr class="room"><th colspan="{columns}">{escape(text)}</th></tr>\n'


def listed(lines: Iterable[str]) -> str:
    """Lines as a list."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>\n"


def folded(summary: str, html: str) -> str:
    """A part that opens when it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>\n{html}</details>\n"


def number(value: float) -> str:
    """A figure with about three digits, such as 0.123, 4.56, 78.9 or 1234; a dash for one without end."""
    if not math.isfinite(value):
        return DASH
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 or size == 0 else 3
    text = f"{value:.{digits}f}"
    return text if float(text) else "0.00"


def interval(low: float, high: float) -> str:
    """An interval, or that there is none, as of a single song."""
    return f"{number(low)} to {number(high)}" if math.isfinite(low) and math.isfinite(high) else "no interval"


@dataclass(frozen=True)
class Strip:
    """A row of a plot: a dot for each song, by name, and the figure of all with its interval where it has one."""

    name: str
    dots: tuple[tuple[str, float], ...]
    value: float | None = None
    low: float = -math.inf
    high: float = math.inf

    @property
    def ends(self) -> tuple[float, ...]:
        """All numbers that must be within the plot."""
        whole = () if self.value is None else (self.value, self.low, self.high)
        return tuple(end for end in (*(dot for _, dot in self.dots), *whole) if math.isfinite(end))


def strips(rows: Sequence[Strip], unit: str) -> str:
    """A plot of rows one below the other on one scale; "" where there is no number at all."""
    ends = [end for strip in rows for end in strip.ends]
    if not ends:
        return ""
    scale = _Scale.over(min(ends), max(ends))
    height = ROW * len(rows) + FOOT
    drawn = "".join(_strip(strip, place, scale) for place, strip in enumerate(rows))
    return _svg(height, scale.drawn(height - FOOT, unit) + drawn)


def histogram(series: Mapping[str, Sequence[float]], step: float, reach: float, unit: str, height: int = 190) -> str:
    """Shares of numbers in bins of `step`, from -reach to reach; what lies beyond is in the outermost. The first series has bars, the
    others lines. "" where there is no number."""
    bins = round(2 * reach / step)
    shares = {name: _shares(numbers, step, reach, bins) for name, numbers in series.items() if len(numbers)}
    if not shares:
        return ""
    top = max(max(each) for each in shares.values())
    scale = _Scale(-reach, reach, tuple(reach * place / 2 for place in range(-2, 3)))
    floor = height - FOOT
    parts = [scale.drawn(floor, unit)]
    for place, (name, each) in enumerate(shares.items()):
        edges = [scale(-reach + step * edge) for edge in range(bins + 1)]
        tops = [floor - (floor - 16) * share / top for share in each]
        heights = list(zip(edges[:-1], edges[1:], tops, strict=True))
        parts.append(f'<g class="c{place % 4}">{_bars(heights, floor) if place == 0 else _outline(heights, floor)}')
        parts.append(f'<text x="0" y="{16 + 18 * place}" class="mark">{escape(name)}</text><title>{escape(name)}</title></g>')
    return _svg(height, "".join(parts))


def counts(series: Mapping[str, Sequence[float]], unit: str, height: int = 170) -> str:
    """How many numbers lie in bins of a round width; what lies far out is in the outermost. The first series has bars, the others lines.

    "" where there is no number.
    """
    known = {name: [value for value in numbers if math.isfinite(value)] for name, numbers in series.items()}
    known = {name: numbers for name, numbers in known.items() if numbers}
    if not known:
        return ""
    edges = _edges(sorted(value for numbers in known.values() for value in numbers))
    scale, floor = _Scale.over(edges[0], edges[-1]), height - FOOT
    binned = {name: _counted(numbers, edges) for name, numbers in known.items()}
    top = max(max(each) for each in binned.values())
    parts = [scale.drawn(floor, unit), f'<text class="soft" x="{WIDTH - RIGHT}" y="10" text-anchor="end">highest: {top}</text>']
    for place, (name, each) in enumerate(binned.items()):
        heights = [
            (scale(low), scale(high), floor - (floor - 16) * count / top)
            for low, high, count in zip(edges[:-1], edges[1:], each, strict=True)
        ]
        colour = "c4" if place else "c0"
        parts.append(f'<g class="{colour}">{_outline(heights, floor) if place else _told_bars(heights, floor, edges, each)}')
        parts.append(f'<text x="0" y="{16 + 18 * place}" class="mark">{escape(name)}</text></g>')
    return _svg(height, "".join(parts))


def scatter(groups: Mapping[str, Sequence[tuple[str, float, float]]]) -> str:
    """Named points (name, x, y) on a plane, a colour for each of the first groups; names show under the pointer. "" where there is none."""
    points = [(x, y) for group in groups.values() for _, x, y in group]
    if not points:
        return ""
    across, up = ([min(each), max(each)] for each in zip(*points, strict=True))
    left, right, above, below = LEFT + 8.0, WIDTH - 8.0, 10.0, MAP - 10.0
    wide, high = (max(ends[1] - ends[0], 1e-9) for ends in (across, up))
    parts = [f'<rect class="frame" x="{LEFT}" y="2" width="{WIDTH - LEFT - 2}" height="{MAP - 4}"/>']
    for place, (name, group) in enumerate(groups.items()):
        shown = name if len(name) <= 15 else name[:14] + "\u2026"
        parts.append(f'<g class="c{min(place, COLOURS)}"><circle class="point" cx="5" cy="{12 + 20 * place}" r="4"/>')
        parts.append(f'<text x="14" y="{16 + 20 * place}">{escape(shown)}</text>')
        for title, x, y in group:
            place_x, place_y = left + (x - across[0]) / wide * (right - left), below - (y - up[0]) / high * (below - above)
            told = escape(f"{title} ({name})")
            parts.append(f'<circle class="point" cx="{place_x:.1f}" cy="{place_y:.1f}" r="3.2"><title>{told}</title></circle>')
        parts.append("</g>")
    return _svg(MAP, "".join(parts))


def facts(named: Mapping[str, Any]) -> str:
    """Facts by name as a table, those that have parts folded below it."""
    plain = {key: value for key, value in named.items() if not isinstance(value, Mapping)}
    rows = [row([escape(str(key)), escape(str(value))]) for key, value in plain.items()]
    parts = [table(["fact", "value"], rows)] if rows else []
    for key, value in named.items():
        if key not in plain:
            written = json.dumps(value, indent=1, ensure_ascii=False, default=str)
            parts.append(folded(str(key), f"<pre>{escape(written)}</pre>"))
    return "".join(parts)


def differences(asked: str, heard: str) -> tuple[str, str]:
    """Two texts as html: words that only the first has are marked as deleted, those that only the second has as inserted.

    Case and punctuation do not count.
    """
    first, second = re.findall(r"\S+|\n", asked), heard.split()
    words = [(place, _plain(word)) for place, word in enumerate(first) if word != "\n"]
    matcher = SequenceMatcher(None, [word for _, word in words], [_plain(word) for word in second], autojunk=False)
    same_a: set[int] = set()
    same_b: set[int] = set()
    for block in matcher.get_matching_blocks():
        same_a |= {words[place][0] for place in range(block.a, block.a + block.size)}
        same_b |= set(range(block.b, block.b + block.size))
    return _marked(first, same_a, "del"), _marked(second, same_b, "ins")


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _number_class(is_number: bool) -> str:
    return _class("number" if is_number else "")


def _plain(word: str) -> str:
    """A word as it is compared."""
    return re.sub(r"[^\w]+", "", word).casefold() or word


def _marked(words: Sequence[str], same: set[int], tag: str) -> str:
    """Words as html, those that are not in `same` within `tag`."""
    parts = []
    for place, word in enumerate(words):
        if word == "\n":
            parts.append("\n")
        else:
            parts.append((escape(word) if place in same else f"<{tag}>{escape(word)}</{tag}>") + " ")
    return "".join(parts).strip()


@dataclass(frozen=True)
class _Scale:
    """Numbers to places along a plot."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, low: float, high: float) -> _Scale:
        """A scale with round ticks that holds both ends."""
        room = (high - low) * 0.04 or max(abs(low) * 0.1, 0.5)
        low, high = low - room, high + room
        rough = (high - low) / TICKS
        power = 10 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
        first = math.ceil(low / step)
        return cls(low, high, tuple(step * place for place in range(first, math.floor(high / step) + 1)))

    def __call__(self, value: float) -> float:
        return LEFT + (value - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def drawn(self, bottom: int, unit: str) -> str:
        """Its ticks, down to `bottom`."""
        parts = []
        for place, tick in enumerate(self.ticks):
            named = f"{tick:g}" if abs(tick) > 1e-12 else "0"
            text = f"{named} {unit}" if place == len(self.ticks) - 1 and unit else named
            parts.append(f'<line class="grid" x1="{self(tick):.1f}" x2="{self(tick):.1f}" y1="0" y2="{bottom}"/>')
            parts.append(f'<text class="soft" x="{self(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{escape(text)}</text>')
        return "".join(parts)


def _strip(strip: Strip, place: int, scale: _Scale) -> str:
    middle = ROW * place + ROW / 2
    parts = [f'<g class="c{place % 4}"><text x="0" y="{middle + 4:g}">{escape(strip.name)}</text>']
    for order, (name, value) in enumerate(strip.dots):
        title = f"<title>{escape(name)}: {number(value)}</title>" if place == 0 else ""
        parts.append(f'<circle class="dot" cx="{scale(value):.1f}" cy="{middle + (order * 7 % 5 - 2) * 2:g}" r="3">{title}</circle>')
    if strip.value is not None:
        low, high = max(strip.low, scale.low), min(strip.high, scale.high)
        title = f"{strip.name}: {number(strip.value)}, {interval(strip.low, strip.high)}"
        if math.isfinite(strip.low) and math.isfinite(strip.high):
            parts.append(f'<line class="span" x1="{scale(low):.1f}" x2="{scale(high):.1f}" y1="{middle:g}" y2="{middle:g}"/>')
        x = scale(strip.value)
        parts.append(f'<path class="mark" d="M{x:.1f} {middle - 7:g}l5 7l-5 7l-5 -7z"><title>{escape(title)}</title></path>')
    return "".join(parts) + "</g>"


def _shares(numbers: Sequence[float], step: float, reach: float, bins: int) -> list[float]:
    counts = [0] * bins
    for value in numbers:
        counts[min(max(math.floor((value + reach) / step), 0), bins - 1)] += 1
    return [count / len(numbers) for count in counts]


def _bars(heights: Sequence[tuple[float, float, float]], floor: float) -> str:
    return "".join(
        f'<rect class="bar" x="{left:.1f}" width="{right - left:.1f}" y="{top:.1f}" height="{floor - top:.1f}"/>'
        for left, right, top in heights
        if top < floor
    )


def _edges(ordered: Sequence[float]) -> list[float]:
    """The edges of bins of a round width over sorted numbers, but for the outermost of them."""
    cut = math.floor(OUTER * len(ordered))
    low, high = ordered[cut], ordered[-1 - cut]
    high = high if high > low else low + max(abs(low), 1.0) / 10  # all numbers are equal: a bar with some room
    rough = (high - low) / BINS
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step), math.floor(high / step) + 1
    return [step * place for place in range(first, last + 1)]


def _counted(numbers: Iterable[float], edges: Sequence[float]) -> list[int]:
    found = [0] * (len(edges) - 1)
    for value in numbers:
        found[min(max(bisect.bisect_right(edges, value) - 1, 0), len(found) - 1)] += 1
    return found


def _told_bars(heights: Sequence[tuple[float, float, float]], floor: float, edges: Sequence[float], counted: Sequence[int]) -> str:
    """Bars that say under the pointer what they count."""
    return "".join(
        f'<rect class="bar" x="{left:.1f}" width="{right - left:.1f}" y="{top:.1f}" height="{floor - top:.1f}">'
        f"<title>{edges[place]:g} to {edges[place + 1]:g}: {counted[place]}</title></rect>"
        for place, (left, right, top) in enumerate(heights)
        if counted[place]
    )


def _outline(heights: Sequence[tuple[float, float, float]], floor: float) -> str:
    path = "".join(f"L{left:.1f} {top:.1f}L{right:.1f} {top:.1f}" for left, right, top in heights)
    return f'<path class="edge" d="M{heights[0][0]:.1f} {floor:g}{path}L{heights[-1][1]:.1f} {floor:g}"/>'


def _svg(height: int, html: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{html}</svg>'
