"""What all recordings have together: counts, hours, distributions, and a bounded choice of songs worth a look. Goes over songs once.

It holds numbers for every song and records for few, so that a million songs fit in memory. It writes nothing.
"""

from __future__ import annotations

import bisect
import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jam.prepare import costs
from jam.prepare.records import Facts, Prepared, Reason, SungWord, Timing, Unread

UNREAD = "input"  # the rule by which what cannot be read at all is told
SHOWN_SONGS, SHOWN_REJECTED, SHOWN_FLAGGED, MAPPED = 2000, 500, 200, 2000  # at most so many on the page


@dataclass(frozen=True)
class Flags:
    """When a song that is kept is worth a look; each is off at null.

    The default share of words was chosen on 200 rendered songs of about 28 words, aligned by the judge: all of the songs with 10 % wrong
    words are below it, and 15 % of those without.
    """

    found: float | None = 0.96  # share of its words that were found, at least (0 to 1)
    confidence: float | None = -1.0  # mean log-probability of its words, at least
    extra: float | None = 0.08  # share of the song in which is sung what the lyrics lack, at most (0 to 1)
    lag: float | None = 150.0  # ms between given times and what is heard, at most, either way

    def __post_init__(self) -> None:
        for name in ("found", "extra"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"report.flags.{name} is {value}; give a share from 0 to 1, or null")
        if self.lag is not None and self.lag < 0:
            raise ValueError(f"report.flags.lag is {self.lag}; give milliseconds from 0, or null")


@dataclass(frozen=True)
class Figure:
    """A number that songs have: how it is called, what it means, and where it comes from."""

    name: str
    label: str
    unit: str
    meaning: str
    of: Callable[[Prepared], float | None]


def _fact(name: str, factor: float = 1.0) -> Callable[[Prepared], float | None]:
    return lambda song: None if song.facts is None or getattr(song.facts, name) is None else factor * getattr(song.facts, name)


def _heard(name: str, factor: float = 1.0) -> Callable[[Prepared], float | None]:
    return lambda song: None if song.timing is None or getattr(song.timing, name) is None else factor * getattr(song.timing, name)


def _density(song: Prepared) -> float | None:
    if song.facts is None or song.timing is None or not song.timing.words or song.facts.seconds <= 0:
        return None
    return len(song.timing.words) / song.facts.seconds


FIGURES = (
    Figure("seconds", "Duration", "s", "How long the recording lasts.", _fact("seconds")),
    Figure("words_per_second", "Words per second", "", "Words of the lyrics over the length of the song.", _density),
    Figure("loudness", "Loudness", "LUFS", "Integrated loudness (ITU-R BS.1770).", _fact("loudness")),
    Figure("bandwidth", "Bandwidth", "Hz", "Above it there is nothing to speak of: low in what was upsampled.", _fact("bandwidth")),
    Figure("silence", "Silence", "%", "Share of the song that is silent.", _fact("silence", 100.0)),
    Figure("found", "Words found", "%", "Share of the words of the lyrics that were heard.", _heard("found", 100.0)),
    Figure("confidence", "Alignment confidence", "", "Mean log-probability of the words found; 0 at best.", _heard("confidence")),
    Figure("unknown", "Words in no dictionary", "%", "Share of the words whose phonemes are guessed.", _heard("unknown", 100.0)),
    Figure("lag", "Lag of given times", "ms", "Median of heard less given onsets; above 0 words are heard late.", _heard("lag")),
)


@dataclass
class Group:
    """Songs, and what they have together."""

    songs: int = 0
    seconds: float = 0.0
    words: int = 0

    def add(self, song: Prepared) -> None:
        """Counts a song."""
        self.songs += 1
        self.seconds += song.facts.seconds if song.facts is not None else 0.0
        self.words += len(song.timing.words) if song.timing is not None else 0

    def as_json(self) -> dict[str, float]:
        """As JSON holds it."""
        return {"songs": self.songs, "hours": round(self.seconds / costs.HOUR, 6), "words": self.words}


class Least:
    """Of all that it is offered, the `count` items with the least keys, in order; keys differ."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.entries: list[tuple[Any, Any]] = []

    def offer(self, key: Any, item: Any) -> None:
        """Takes an item if it is among the least."""
        if len(self.entries) >= self.count and (not self.entries or key >= self.entries[-1][0]):
            return
        bisect.insort(self.entries, (key, item), key=lambda entry: entry[0])
        del self.entries[self.count :]

    @property
    def items(self) -> list[Any]:
        """The items, least key first."""
        return [item for _, item in self.entries]


@dataclass(frozen=True)
class Entry:
    """A line about a song: its name, where it stands in the input, and rules or flags with what they say."""

    id: str
    where: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Line:
    """A song in the list of all: whether it is kept, whether it is worth a look, and its figures in the order of `FIGURES`."""

    id: str
    is_rejected: bool
    is_flagged: bool
    values: tuple[float | None, ...]


@dataclass
class Tally:
    """What songs have together; `add` each once."""

    flags: Flags
    seed: int = 0
    pictures: int = 0
    kept: Group = field(default_factory=Group)
    rejected: Group = field(default_factory=Group)
    size: int = 0  # bytes of latents and styles, of songs that are kept
    heard: int = 0  # words that were found, of songs that are kept
    flagged_songs: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)  # word and guessed phonemes
    groups: dict[str, dict[str, Group]] = field(default_factory=dict)
    meter: costs.Meter = field(default_factory=costs.Meter)

    def __post_init__(self) -> None:
        self.values = {figure.name: (array("d"), array("d")) for figure in FIGURES}  # of songs kept, and of those rejected
        self.away, self.flagged, self.overview = Least(SHOWN_REJECTED), Least(SHOWN_FLAGGED), Least(SHOWN_SONGS)
        self.sample, self.mapped = Least(self.pictures), Least(MAPPED)

    def add_unread(self, song: Unread) -> None:
        """Counts what cannot be read."""
        self.rejected.songs += 1
        self.rules[UNREAD] += 1
        self.away.offer((UNREAD, song.id, song.where), Entry(song.id, song.where, (Reason(UNREAD, song.problem),)))

    def add(self, song: Prepared) -> None:
        """Counts a song."""
        self.meter.add(song)
        values = tuple(figure.of(song) for figure in FIGURES)
        self.overview.offer(song.id, Line(song.id, song.is_rejected, bool(flagged(song, self.flags)), values))
        for figure, value in zip(FIGURES, values, strict=True):
            if value is not None and math.isfinite(value):
                self.values[figure.name][song.is_rejected].append(value)
        if song.is_rejected:
            self._add_rejected(song)
        else:
            self._add_kept(song)

    def _add_rejected(self, song: Prepared) -> None:
        self.rejected.add(song)
        self.rules.update({reason.rule for reason in song.reasons})
        self.away.offer((song.reasons[0].rule, song.id, song.where), Entry(song.id, song.where, song.reasons))

    def _add_kept(self, song: Prepared) -> None:
        self.kept.add(song)
        self.size += sum(song.sizes or ())
        for kind, names in _names(song).items():
            for name in names:
                self.groups.setdefault(kind, {}).setdefault(name, Group()).add(song)
        words = song.timing.words if song.timing is not None else ()
        self.heard += sum(word.is_found for word in words)
        self.unknown.update((word.word, word.phoneme or "") for word in words if not word.is_known)
        if flagged(song, self.flags):
            self.flagged_songs += 1
            self.flagged.offer((_found(song), song.id), song)
        drawn = hashlib.sha256(f"{self.seed}/{song.id}".encode()).hexdigest()
        self.sample.offer((drawn, song.id), song)
        self.mapped.offer((drawn, song.id), replace(song, timing=None))


def flagged(song: Prepared, flags: Flags) -> tuple[Reason, ...]:
    """Why a song is worth a look: words that were not found, singing that the lyrics lack, little confidence, times that are off."""
    if song.is_rejected or song.timing is None:
        return ()
    return tuple(_flags(song.timing, song.facts.seconds if song.facts is not None else 0.0, flags))


def _flags(timing: Timing, seconds: float, flags: Flags) -> Iterator[Reason]:
    extra, lag = extra_seconds(timing), timing.lag
    if flags.found is not None and timing.found is not None and timing.found < flags.found:
        yield Reason("found", f"{len(missed_words(timing.words))} of {len(timing.words)} words were not found")
    if flags.confidence is not None and timing.confidence is not None and timing.confidence < flags.confidence:
        yield Reason("confidence", f"its words are heard with a confidence of {timing.confidence:.2f}")
    if flags.extra is not None and extra > flags.extra * seconds:
        yield Reason("extra", f"{extra:.1f} s are sung that the lyrics lack")
    if flags.lag is not None and lag is not None and abs(lag) > flags.lag:
        yield Reason("lag", f"its words are heard {abs(lag):.0f} ms {'after' if lag > 0 else 'before'} their given times")


def extra_seconds(timing: Timing) -> float:
    """How long is sung what the lyrics lack."""
    return sum(end - start for start, end in timing.extra)


def group_of(song: Prepared) -> str:
    """By what a song is coloured: its first tag, else its source."""
    return song.tags[0] if song.tags else song.source or "no tag"


def as_json(song: Prepared, flags: Flags) -> dict[str, Any]:
    """All that the report tells of a song; of its words only those that were not found."""
    row: dict[str, Any] = {"id": song.id, "where": song.where, "audio_sha256": song.audio_sha256, "split": song.split}
    row |= {"license": song.license, "source": song.source, "language": song.language, "tags": list(song.tags)}
    row |= {"is_rejected": song.is_rejected, "reasons": reasons_json(song.reasons), "flags": reasons_json(flagged(song, flags))}
    row |= {"facts": _facts_json(song.facts), "timing": None if song.timing is None else _timing_json(song.timing)}
    row |= {"words_per_second": _density(song), "frames": song.frames, "costs": dict(song.costs)}
    return row


def unread_json(song: Unread) -> dict[str, Any]:
    """What the report tells of a song that cannot be read."""
    return {"id": song.id, "where": song.where, "is_rejected": True, "reasons": [{"rule": UNREAD, "text": song.problem}]}


def reasons_json(reasons: tuple[Reason, ...]) -> list[dict[str, str]]:
    """Rules and what they say, as JSON holds them."""
    return [{"rule": reason.rule, "text": reason.text} for reason in reasons]


def _facts_json(facts: Facts | None) -> dict[str, Any] | None:
    return None if facts is None else {name: getattr(facts, name) for name in facts.__dataclass_fields__}


def _timing_json(timing: Timing) -> dict[str, Any]:
    missed = [{"index": index, "word": word.word, "line": word.line} for index, word in enumerate(timing.words) if not word.is_found]
    told: dict[str, Any] = {"method": timing.method, "heard_by": timing.heard_by, "words": len(timing.words), "found": timing.found}
    told |= {"confidence": timing.confidence, "unknown": timing.unknown, "lag": timing.lag, "error": timing.error}
    return told | {"missed": missed, "extra": [list(span) for span in timing.extra], "remarks": list(timing.remarks)}


def _names(song: Prepared) -> dict[str, tuple[str, ...]]:
    """The groups that a song belongs to; none is a group too."""
    language = song.language or (song.timing.language if song.timing is not None else None)
    method = song.timing.method if song.timing is not None else "none"
    return {
        **{"license": (song.license or "none",), "source": (song.source or "none",), "language": (language or "none",)},
        **{"tag": song.tags or ("none",), "split": (song.split,), "method": (method,)},
    }


def _found(song: Prepared) -> float:
    share = song.timing.found if song.timing is not None else None
    return 1.0 if share is None else share


def missed_words(words: Sequence[SungWord]) -> list[str]:
    """The words that were not found, in order."""
    return [word.word for word in words if not word.is_found]
