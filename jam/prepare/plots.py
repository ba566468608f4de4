"""The plots of a preparation: how its numbers are spread, where its styles lie, and a song's sound with its words. It measures nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from torch import Tensor

from jam import picture
from jam.eval import page
from jam.lyrics.words import Word
from jam.prepare.records import SungWord, Timing
from jam.prepare.tally import FIGURES
from jam.timing import SAMPLE_RATE

LONGEST = 60.0  # seconds that a picture shows
BEFORE = 1.0  # of them before the first word
LEAST = 0.05  # seconds that a word that was not found is drawn at least


def distributions(values: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """How each number is spread over songs: bars for those kept, a line for those rejected."""
    parts = []
    for figure in FIGURES:
        kept, rejected = values[figure.name]
        drawn = page.counts({"kept": kept, "rejected": rejected}, figure.unit)
        if drawn:
            caption = f"{escape(figure.label)} <small>{escape(figure.meaning)}</small>"
            parts.append(f"<figure><figcaption>{caption}</figcaption>{drawn}</figure>\n")
    return f'<div class="plots">{"".join(parts)}</div>\n' if parts else ""


def plane(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, d) on the plane (n, 2) on which they differ most, and the shares (2,) of their variance that it keeps.

    Principal components (Pearson 1901), by singular values; the largest weight of each is positive, so that the same vectors always lie
    the same way.
    """
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    missing = max(0, 2 - len(sizes))
    sizes, axes = np.pad(sizes, (0, missing))[:2], np.pad(axes, ((0, missing), (0, 0)))[:2]
    largest = axes[np.arange(2), np.abs(axes).argmax(1)]
    axes = axes * np.where(largest < 0, -1.0, 1.0)[:, None]
    whole = float((centred**2).sum())
    return centred @ axes.T, sizes**2 / whole if whole > 0 else np.zeros(2)


def style_map(songs: Sequence[tuple[str, str, np.ndarray]]) -> str:
    """Songs (name, group, mean style vector) as points; those of the commonest groups in colours. "" for fewer than three."""
    if len(songs) < 3:
        return ""
    places, shares = plane(np.stack([vector for _, _, vector in songs]))
    common = [name for name, _ in sorted(Counter(group for _, group, _ in songs).items(), key=lambda entry: (-entry[1], entry[0]))]
    named = common if len(common) <= page.COLOURS else common[: page.COLOURS]
    groups: dict[str, list[tuple[str, float, float]]] = {name: [] for name in named}
    for (name, group, _), (x, y) in zip(songs, places, strict=True):
        groups.setdefault(group if group in named else "others", []).append((name, float(x), float(y)))
    told = f"{len(songs)} songs; the plane keeps {100 * shares.sum():.0f} % of how their styles differ ({100 * shares[0]:.0f} % across)"
    return f"<figure><figcaption>{told}</figcaption>{page.scatter(groups)}</figure>\n"


def lyrics(words: Iterable[SungWord]) -> str:
    """Words in their lines as html, those that were not found marked."""
    lines: dict[int, list[str]] = {}
    for word in words:
        shown = escape(word.word or word.phoneme or "")
        lines.setdefault(word.line, []).append(shown if word.is_found else f"<mark>{shown}</mark>")
    shown = "\n".join(" ".join(line) for line in lines.values())
    return f'<div class="lyrics">{shown}</div>\n'


def draw_song(path: str | Path, samples: Tensor, timing: Timing | None, title: str) -> Path:
    """Writes the PNG of the first minute of singing in a song (2, N): found words, those that were not, and other singing.

    Raises OSError as `jam.picture.draw`.
    """
    words = timing.words if timing is not None else ()
    begin, end = excerpt(words, samples.shape[-1] / SAMPLE_RATE)
    found = [Word(word.start, word.end, word.word) for word in words if word.is_found and word.start is not None and word.end is not None]
    extra = [(max(a, begin) - begin, min(b, end) - begin) for a, b in (timing.extra if timing is not None else ()) if a < end and b > begin]
    cut = samples[:, round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    shown = title if end - begin >= samples.shape[-1] / SAMPLE_RATE else f"{title}, {begin:.0f} to {end:.0f} s"
    return picture.draw_checked(path, cut, _within(found, begin, end), _within(supposed(words, end), begin, end), extra, shown)


def excerpt(words: Sequence[SungWord], seconds: float) -> tuple[float, float]:
    """From when to when a picture shows a song: a minute from shortly before its first word."""
    first = next((word.start for word in words if word.start is not None), 0.0)
    begin = min(max(0.0, first - BEFORE), max(0.0, seconds - LONGEST))
    return begin, min(seconds, begin + LONGEST)


def supposed(words: Sequence[SungWord], seconds: float) -> list[Word]:
    """The words that were not found: at their times where they have any, else evenly between the neighbours that have."""
    placed: list[Word] = []
    for index, word in enumerate(words):
        if word.is_found:
            continue
        if word.start is not None and word.end is not None:
            placed.append(Word(word.start, word.end, word.word))
            continue
        before, after = index, index
        while before > 0 and words[before - 1].start is None:
            before -= 1
        while after + 1 < len(words) and words[after + 1].start is None:
            after += 1
        low = (words[before - 1].end if before else None) or 0.0
        high = (words[after + 1].start if after + 1 < len(words) else None) or max(seconds, low)
        wide = max(high - low, 0.0) / (after - before + 1)
        start = low + wide * (index - before)
        placed.append(Word(start, start + max(wide, LEAST), word.word))
    return placed


def _within(words: Sequence[Word], begin: float, end: float) -> list[Word]:
    """Words that touch a stretch, with times from its beginning."""
    shown = [word for word in words if word.end > begin and word.start < end]
    return [Word(max(word.start - begin, 0.0), min(word.end, end) - begin, word.word) for word in shown]
