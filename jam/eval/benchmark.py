"""What was asked for: the items of a benchmark, and the songs of a folder that answer them. It measures nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from jam.lyrics.sheet import Sheet


@dataclass(frozen=True)
class Item:
    """What was asked of one song: lyrics (timed or not; none for an instrumental), and as much of the rest as is known."""

    id: str
    sheet: Sheet = field(default_factory=Sheet)
    duration: float | None = None  # seconds
    style: str | None = None  # a description
    style_audio: Path | None = None  # a clip
    reference: Path | None = None  # a true recording of this song
    genre: str | None = None
    bpm: float | None = None
    key: str | None = None  # such as C major
    language: str | None = None
    source: str = ""  # where it stands, for messages


@dataclass(frozen=True)
class Candidate:
    """A song that answers an item: its audio, and its latents where they were kept; or the problem that it has none."""

    item: Item
    audio: Path | None = None
    latents: Path | None = None
    problem: str | None = None
