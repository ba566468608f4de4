"""Which line is sung: each line of a song is to be told from others by what a network heard. Knows no audio and no files."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jam.eval.alignment import Emissions, score
from jam.eval.measures import Measure, Value

MARGIN = 0.25  # seconds heard before a line's first word and after its last

MEASURES = (
    Measure(
        "lyrics.line", "line identified", "%", "higher", "mean",
        "Share of lines whose own words fit what is heard while they should be sung better than each of N - 1 other lines do: N is "
        "`lyrics.candidates`, or all there are in a small benchmark, taken from its other lines, those of like length first.",
        "forced alignment scores over closed sets, as in speaker and keyword identification",
        "It saturates: a line may be told from others long before a listener understands it. Chance is 1 in N, and less where the line "
        "that is sung is among the others. Of lyrics without times the window is where their own words were found, which flatters them.",
    ),
    Measure(
        "lyrics.margin", "line margin", "nats/frame", "higher", "mean",
        "By how much a line's own words fit better than the best of the others, in mean log-probability a frame; below 0 another is best.",
        "as line identified", "Its size depends on the network that listens; compare only within one report, beside its controls.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class SpokenLine:
    """A line as tokens, a word a tuple; `start` and `end` are when it should be sung, in seconds, None where that is unknown."""

    words: tuple[tuple[int, ...], ...]
    start: float | None = None
    end: float | None = None

    @property
    def size(self) -> int:
        """How many tokens it has."""
        return sum(map(len, self.words))


def rivals(line: SpokenLine, others: Sequence[SpokenLine], count: int, seed: int) -> list[SpokenLine]:
    """`count` of `others` (all, if fewer) that are not the line itself: drawn from the twice as many that are most like it in length."""
    different = {other.words: other for other in others if other.words != line.words and other.size}
    near = sorted(different.values(), key=lambda other: abs(other.size - line.size))[: 2 * count]
    drawn = np.random.default_rng([seed, line.size]).permutation(len(near))[:count]
    return [near[int(place)] for place in sorted(drawn)]


def measure(
    emissions: Emissions, lines: Sequence[SpokenLine], others: Sequence[SpokenLine], count: int = 50, seed: int = 0
) -> dict[str, Value]:
    """Line identification of one song among `count` lines each; empty where it has no lines, or there is nothing to tell them from.

    A line that is not to be found at all (no times, or none within the song) counts as not identified, and has no margin.
    """
    identified, margins = [], []
    for line in (line for line in lines if line.size):
        against = rivals(line, others, count - 1, seed)
        if not against:
            continue
        heard = _window(emissions, line)
        if heard is None:
            identified.append(False)
            continue
        scores = score(heard, [line.words, *(other.words for other in against)])
        margins.append(float(scores[0] - scores[1:].max()))
        identified.append(margins[-1] > 0)
    values = {"lyrics.line": Value(100 * float(np.mean(identified)), len(identified))} if identified else {}
    return values | ({"lyrics.margin": Value(float(np.mean(margins)), len(margins))} if margins else {})


def _window(emissions: Emissions, line: SpokenLine) -> Emissions | None:
    """What is heard while a line should be sung; None where that is unknown, or is not enough for its sounds."""
    if line.start is None or line.end is None or line.start >= emissions.end:
        return None
    heard = emissions.cut(line.start - MARGIN, line.end + MARGIN)
    return heard if len(heard.scores) >= line.size else None
