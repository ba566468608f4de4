"""What a measure is, and what a song has of it. Each file of this room that measures lists its measures as `MEASURES`.

A measure that several instruments give carries the instrument after an @: `lyrics.wer@pocketsphinx`, `timing.onset_ms@judge`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", "neither"]
Pooling = Literal["mean", "median"]
POSITIVE = ("%", "ms", "s", "Hz", "1/s")  # units of what is never below 0, where a measure does not say otherwise


@dataclass(frozen=True)
class Measure:
    """One measure: how it is written, which way is better, where it comes from and what it cannot tell.

    `pooled` says what a set of songs has of it: the mean of its songs' values, each by its weight, or the median of all their samples.
    """

    name: str  # room.name, such as timing.onset_ms
    label: str  # as people read it, such as onset error
    unit: str  # ms, s, %, LUFS, dB, or nothing
    better: Better
    pooled: Pooling
    meaning: str  # the definition, in a sentence or two
    source: str  # paper, standard or library
    limits: str  # what it cannot tell
    signed: bool = False  # whether it may be below 0 though its unit would not
    is_rate: bool = False  # whether it may pass 100 %, as errors do that are put in

    @property
    def bounds(self) -> tuple[float, float]:
        """What a value and the ends of its interval lie between: shares 0 and 100 %, rates, times and frequencies 0 and more."""
        if self.signed or self.unit not in POSITIVE:
            return -math.inf, math.inf
        return 0.0, 100.0 if self.unit == "%" and not self.is_rate else math.inf


@dataclass(frozen=True)
class Value:
    """What one song has of a measure.

    `weight` is how much it counts in a mean (of a share of words: how many words); `samples` are what a median pools.
    """

    value: float
    weight: float = 1.0
    samples: tuple[float, ...] = ()


class Absent(ValueError):
    """Something optional is not on this machine. Its text says in a line what is not measured, and what to install or fetch."""


def base(name: str) -> str:
    """A measure's name without its instrument: `lyrics.wer` of `lyrics.wer@pocketsphinx`."""
    return name.partition("@")[0]


def by(name: str, instrument: str) -> str:
    """A measure's name with the instrument that gave it."""
    return f"{name}@{instrument}"


def joined(takes: Sequence[Value]) -> Value:
    """What several takes of one song have together, each by its weight."""
    weight = sum(take.weight for take in takes)
    value = sum(take.value * take.weight for take in takes) / weight if weight else takes[0].value
    return Value(value, weight, tuple(sample for take in takes for sample in take.samples))
