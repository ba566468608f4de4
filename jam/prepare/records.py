"""What preparation knows of a recording: where it lies, what its sound is like, when its words are sung, and what became of it.

Records and their JSON, and nothing that makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SPLITS = ("train", "valid")


@dataclass(frozen=True)
class Blob:
    """Where bytes lie: a whole file, or `size` bytes from `offset` of one (a member of a tar). `name` tells by its suffix what they are."""

    path: str  # a local path, or a URL that fsspec opens
    name: str
    offset: int | None = None
    size: int | None = None


@dataclass(frozen=True)
class Track:
    """A recording of the input and what is said of it. Its lyrics are a file, or `inline` (a text, or what a JSON file would hold)."""

    id: str  # a key of shards: letters, digits, `_` and `-`
    audio: Blob
    lyrics: Blob | None = None
    inline: Any = None
    license: str | None = None
    source: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()  # descriptions
    split: str = "train"
    instrumental: bool = False  # said to be without words
    where: str = ""  # where it stands in the input, for messages


@dataclass(frozen=True)
class Unread:
    """A song of the input that cannot be read: its name or place, and in a line what is wrong."""

    id: str
    where: str
    problem: str


@dataclass(frozen=True)
class Facts:
    """What signal processing tells of a recording as it lies on disk."""

    seconds: float
    rate: int  # Hz
    channels: int
    format: str  # such as MP3, or WAV PCM_16
    peak: float  # of full scale 1
    loudness: float | None  # LUFS; None for silence
    silence: float  # share of the song, 0 to 1
    longest_silence: float  # seconds
    clipping: float  # % of samples
    offset: float  # % of full scale
    is_mono: bool  # the channels are equal
    bandwidth: float  # Hz, above which there is nothing to speak of
    damage: str | None = None  # what is wrong with the file although it can be read, such as its end missing


@dataclass(frozen=True)
class SungWord:
    """A word of the lyrics and when it is sung, in seconds; None where that is not known.

    `confidence` is the mean log-probability of its sounds under the best one (0 at best), None where nobody listened. `is_found`: it was
    heard, or nobody doubts it. `is_known`: a dictionary has it, so that its phonemes are not guessed. `phones` are the times of its
    phonemes, (start, end, phoneme) each, where they were given with its own.
    """

    word: str
    start: float | None = None
    end: float | None = None
    phoneme: str | None = None
    language: str | None = None
    confidence: float | None = None
    is_found: bool = True
    is_known: bool = True
    line: int = 0
    phones: tuple[tuple[float, float, str], ...] | None = None


@dataclass(frozen=True)
class Timing:
    """When the words of a song are sung: by which `method` (given, aligned, transcribed; none for a song without words), heard by whom.

    `extra` are stretches (start, end) in which something is sung that the lyrics lack. `lag` is the median of heard less given onsets in
    ms, and `error` the median of their sizes, where times were given and somebody listened.
    """

    method: str
    heard_by: str | None = None
    words: tuple[SungWord, ...] = ()
    extra: tuple[tuple[float, float], ...] = ()
    lag: float | None = None
    error: float | None = None
    language: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def found(self) -> float | None:
        """Which share of the words was found, 0 to 1; None for a song without words."""
        return sum(word.is_found for word in self.words) / len(self.words) if self.words else None

    @property
    def confidence(self) -> float | None:
        """The mean confidence of the words that were found; None where nobody listened."""
        sure = [word.confidence for word in self.words if word.is_found and word.confidence is not None]
        return sum(sure) / len(sure) if sure else None

    @property
    def unknown(self) -> float | None:
        """Which share of the words no dictionary has; None for a song without words."""
        return sum(not word.is_known for word in self.words) / len(self.words) if self.words else None


@dataclass(frozen=True)
class Reason:
    """Why a song is not in the shards: the rule (a setting, or a stage) and a line with the values."""

    rule: str
    text: str


@dataclass(frozen=True)
class Prepared:
    """What became of a recording."""

    id: str
    where: str
    audio_sha256: str | None = None
    split: str = "train"
    license: str | None = None
    source: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    facts: Facts | None = None
    timing: Timing | None = None
    frames: int | None = None  # latent frames
    latents: str | None = None  # key of its latents in the cache
    styles: str | None = None  # key of its styles in the cache
    sizes: tuple[int, int] | None = None  # bytes of its latents and its styles, as shards hold them
    reasons: tuple[Reason, ...] = ()  # none: it goes into the shards
    costs: Mapping[str, float] = field(default_factory=dict)  # seconds that each stage took, when it was done

    @property
    def is_rejected(self) -> bool:
        """Whether it stays out of the shards."""
        return bool(self.reasons)


def to_json(record: Facts | Timing | Prepared) -> dict[str, Any]:
    """A record as JSON holds it."""
    return asdict(record)


def facts_of(stored: Mapping[str, Any]) -> Facts:
    """The facts that `to_json` wrote."""
    return Facts(**stored)


def timing_of(stored: Mapping[str, Any]) -> Timing:
    """The timing that `to_json` wrote."""
    words = tuple(_word_of(word) for word in stored["words"])
    extra = tuple((float(start), float(end)) for start, end in stored["extra"])
    return Timing(**{**stored, "words": words, "extra": extra, "remarks": tuple(stored["remarks"])})


def _word_of(stored: Mapping[str, Any]) -> SungWord:
    phones = None if stored["phones"] is None else tuple((float(start), float(end), name) for start, end, name in stored["phones"])
    return SungWord(**{**stored, "phones": phones})


def prepared_of(stored: Mapping[str, Any]) -> Prepared:
    """What `to_json` wrote of a recording."""
    made: dict[str, Any] = {
        "tags": tuple(stored["tags"]),
        "prompts": tuple(stored["prompts"]),
        "facts": None if stored["facts"] is None else facts_of(stored["facts"]),
        "timing": None if stored["timing"] is None else timing_of(stored["timing"]),
        "reasons": tuple(Reason(**reason) for reason in stored["reasons"]),
        "sizes": None if stored["sizes"] is None else tuple(stored["sizes"]),
    }
    return Prepared(**{**stored, **made})
