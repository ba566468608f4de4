"""What an evaluation found: its songs, its controls, its facts; what `report.json` holds. It knows no metric and draws nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jam.eval.measures import Value
from jam.files import read_json
from jam.lyrics.words import Phone, Word

FILE = "report.json"
FORMAT = 1  # of the file; another one is refused


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
    item: str = ""  # of the benchmark, which several takes answer; empty: `id`


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


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON has it, which `from_json` gives back equal (facts too, where they are plain: lists, not tuples, and no paths).

    An interval without an end has null there: JSON knows no infinity.
    """
    conditions = [
        {
            "name": condition.name,
            "estimates": {name: _of_estimate(estimate) for name, estimate in condition.estimates.items()},
            "songs": [_of_song(song) for song in condition.songs],
        }
        for condition in evaluation.conditions
    ]
    plain = {"format": FORMAT, "name": evaluation.name, "facts": evaluation.facts, "absent": list(evaluation.absent)}
    return plain | {"conditions": conditions}


def from_json(data: Any, where: str) -> Evaluation:
    """The evaluation that JSON holds; `where` names it in messages. Raises ValueError, in one line, for anything else."""
    found = data.get("format") if isinstance(data, Mapping) else None
    if found != FORMAT:
        raise ValueError(f"{where}: is no report of this version (format {str(found)[:20]}, not {FORMAT}); evaluate the songs again")
    try:
        conditions = tuple(_condition(condition) for condition in data["conditions"])
        return Evaluation(data["name"], conditions, dict(data["facts"]), tuple(data["absent"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{where}: is no whole report ({type(error).__name__}: {error}); evaluate the songs again") from error


def read(path: str | Path) -> Evaluation:
    """The evaluation of a `report.json`, or of the folder that has one. Raises ValueError, in one line, for one that cannot be read."""
    path = Path(path) / FILE if Path(path).is_dir() else Path(path)
    return from_json(read_json(path, "report", "what jam.eval.evaluate writes"), str(path))


def _of_estimate(estimate: Estimate) -> dict[str, Any]:
    ends = {key: end if math.isfinite(end) else None for key, end in (("low", estimate.low), ("high", estimate.high))}
    return {"value": estimate.value, **ends, "count": estimate.count}


def _of_value(value: Value) -> dict[str, Any]:
    """A value, without what it has by default."""
    weight = {} if value.weight == 1 else {"weight": value.weight}
    return {"value": value.value} | weight | ({"samples": list(value.samples)} if value.samples else {})


def _of_word(word: Word) -> dict[str, Any]:
    known = {key: value for key in ("phoneme", "language") if (value := getattr(word, key)) is not None}
    phones = {} if word.phones is None else {"phones": [vars(phone) for phone in word.phones]}
    return {"start": word.start, "end": word.end, "word": word.word} | known | phones


def _of_song(song: SongResult) -> dict[str, Any]:
    plain = {key: getattr(song, key) for key in ("id", "audio", "item", "duration", "lyrics", "heard", "problem")}
    return plain | {
        "notes": list(song.notes),
        "values": {name: _of_value(value) for name, value in song.values.items()},
        "asked": [_of_word(word) for word in song.asked],
        "sung": [_of_word(word) for word in song.sung],
    }


def _condition(data: Mapping[str, Any]) -> Condition:
    songs = tuple(_song(song) for song in data["songs"])
    return Condition(data["name"], songs, {name: _estimate(estimate) for name, estimate in data["estimates"].items()})


def _estimate(data: Mapping[str, Any]) -> Estimate:
    low, high = data["low"], data["high"]
    return Estimate(data["value"], -math.inf if low is None else low, math.inf if high is None else high, data["count"])


def _song(data: Mapping[str, Any]) -> SongResult:
    values = {name: _value(value) for name, value in data["values"].items()}
    plain = {key: data[key] for key in ("id", "audio", "item", "duration", "lyrics", "heard", "problem")}
    return SongResult(**plain, values=values, asked=_words(data["asked"]), sung=_words(data["sung"]), notes=tuple(data["notes"]))


def _value(data: Mapping[str, Any]) -> Value:
    return Value(data["value"], data.get("weight", 1.0), tuple(data.get("samples", ())))


def _words(listed: Sequence[Mapping[str, Any]]) -> tuple[Word, ...]:
    return tuple(
        Word(
            word["start"],
            word["end"],
            word["word"],
            word.get("phoneme"),
            word.get("language"),
            tuple(Phone(**phone) for phone in word["phones"]) if "phones" in word else None,
        )
        for word in listed
    )
