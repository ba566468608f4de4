"""What an evaluation found: its songs, its controls, its facts; what `report.json` holds. It knows no metric and draws nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jam.eval.measures import Value
from jam.lyrics.words import Word


@dataclass(frozen=True)
class Estimate:
    """A figure of a set of songs, its 95 % interval, and how many songs it rests on."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class SongResult:
    """What was found of one song; `problem` where it could not be measured.

    `asked` are the words at the times asked for (none where these are unknown), `sung` those that were found, at their times, `heard` the
    texts that recognisers wrote down, by recogniser.
    """

    id: str
    audio: str  # the file, as it was given
    duration: float = 0.0  # seconds of the file
    values: dict[str, Value] = field(default_factory=dict)
    asked: tuple[Word, ...] = ()
    sung: tuple[Word, ...] = ()
    lyrics: str = ""  # asked for, a line a line
    heard: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Condition:
    """One set of songs measured by the same code: the songs themselves, or a control.

    `estimates` are the figures of the set by measure, `whole` among them those that only a set has (such as a Fréchet distance).
    """

    name: str  # songs, true recording, codec round trip, shuffled lyrics
    songs: tuple[SongResult, ...]
    estimates: dict[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """All that was found. `conditions` begins with the songs themselves; `facts` are what makes it repeatable (seed, model, settings,
    versions, normaliser, aligner); `absent` says in a line each what was not measured and how to have it."""

    name: str
    conditions: tuple[Condition, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
