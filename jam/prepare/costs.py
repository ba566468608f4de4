"""What preparation costs: seconds of work by stage, measured on songs that were prepared, and what other numbers of songs would cost.

It measures nothing itself and knows no stage by name.
"""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from jam.prepare.records import Prepared

HOUR = 3600.0  # seconds


@dataclass(frozen=True)
class Cost:
    """What a stage took, in seconds of one process: of the songs that came to it, and as a whole."""

    stage: str
    songs: int  # that came to it
    median: float  # a song
    mean: float  # a song
    total: float
    audio: float  # seconds that these songs last
    share: float  # of the seconds of all songs, 0 to 1: those that came to it

    @property
    def per_hour(self) -> float:
        """Seconds of work that an hour of audio takes in this stage."""
        return self.total / self.audio * HOUR if self.audio > 0 else 0.0

    @property
    def speed(self) -> float | None:
        """How many times faster than the songs are played; None for a stage that took no time."""
        return self.audio / self.total if self.total > 0 else None


@dataclass(frozen=True)
class Projection:
    """What so many songs would take: hours of one process by stage, hours with all processes at work, and bytes of shards."""

    songs: int
    audio: float  # hours
    processes: int
    stages: tuple[tuple[str, float], ...]  # hours of one process
    work: float  # hours of one process, all stages together
    wall: float  # hours, if the processes share the work evenly
    size: float | None  # bytes of shards, None where nobody measured


class Meter:
    """Adds up what songs cost, one after the other."""

    def __init__(self) -> None:
        self.songs = 0
        self.seconds = 0.0  # of audio
        self.taken: dict[str, array[float]] = {}
        self.audio: dict[str, float] = {}

    def add(self, song: Prepared) -> None:
        """Counts a song; one that was never decoded lasts 0 s."""
        self.songs += 1
        lasts = song.facts.seconds if song.facts is not None else 0.0
        self.seconds += lasts
        for stage, taken in song.costs.items():
            self.taken.setdefault(stage, array("d")).append(taken)
            self.audio[stage] = self.audio.get(stage, 0.0) + lasts

    def costs(self) -> tuple[Cost, ...]:
        """What each stage took, in the order in which songs came to them."""
        return tuple(self._cost(stage, taken) for stage, taken in self.taken.items())

    def _cost(self, stage: str, taken: Sequence[float]) -> Cost:
        audio, total = self.audio[stage], sum(taken)
        share = audio / self.seconds if self.seconds > 0 else 0.0
        return Cost(stage, len(taken), statistics.median(taken), total / len(taken), total, audio, share)


def projection(costs: Sequence[Cost], songs: int, seconds: float, processes: int = 1, rate: float | None = None) -> Projection:
    """What `songs` songs of `seconds` each would take, if they are like those measured: of them too only a share comes to each stage.

    Work is taken to grow with the seconds of audio. `rate` is the bytes of shards that a second of input took, None where unknown.
    """
    assert songs >= 0 and seconds >= 0 and processes >= 1, (songs, seconds, processes)
    audio = songs * seconds / HOUR
    stages = tuple((cost.stage, audio * cost.share * cost.per_hour / HOUR) for cost in costs)
    work = sum(hours for _, hours in stages)
    return Projection(songs, audio, processes, stages, work, work / processes, None if rate is None else rate * audio * HOUR)
