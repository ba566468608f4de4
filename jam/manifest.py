"""The manifest: a JSON list of songs that are wished for -> requests. It knows no model, and nothing of how songs are sung.

An entry has `id`, its words (`lrc_path`, a file in any format of `jam.lyrics.formats`, or `lyrics`, the words themselves),
`duration` (seconds), and a style: `audio_path` (a clip), `prompt_path` (a text file) or `prompt` (the text itself); neither is the
negative style. Paths are relative to the working folder, else to the manifest's. Words without times are planned, for which an entry may
say `bpm`, `language`, `sections`, `density`, `intro` and `gap`. An entry that is wrong keeps its problem, so that the others can be
sung. A file of lyrics in place of the manifest is one song.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jam import audio
from jam.files import read_bytes, read_json
from jam.lyrics import formats
from jam.lyrics.formats import timed_json
from jam.lyrics.layout import BPM_RANGE, DENSITY_RANGE
from jam.lyrics.planner import PlanSettings, plan
from jam.lyrics.sheet import Sheet
from jam.lyrics.words import BEYOND_SECONDS
from jam.song import SongRequest, Style, takes

log = logging.getLogger("jam")

KEYS = (
    *("id", "lrc_path", "lyrics", "duration", "audio_path", "prompt_path", "prompt"),
    *("language", "bpm", "sections", "density", "intro", "gap"),
)
MEASURED = ("genre", "key", "reference")  # of a benchmark: read by `jam.eval`, not sung
LONGEST_ID = 200  # bytes; file systems stop names at 255, and takes and suffixes are added


@dataclass(frozen=True)
class Planning:
    """How words without times get them: who tells their IPA (`ipa_of`), and what the planner is set to where a song says nothing."""

    ipa_of: Callable[[Sequence[str]], Sequence[str]]
    settings: PlanSettings = field(default_factory=PlanSettings)


@dataclass(frozen=True)
class Reading:
    """How a manifest is read: `use_prompt_style` prefers descriptions to clips where a song has both, `prompt` is the style of songs that
    have none, and `planning` serves words without times and songs without a duration (None: they are refused)."""

    use_prompt_style: bool = False
    prompt: str | None = None
    planning: Planning | None = None


@dataclass(frozen=True)
class Entry:
    """One song of a manifest: a request, or the problem that keeps it from being one."""

    where: str  # the manifest and the song's place in it, for messages
    request: SongRequest | None = None
    lyrics: str = ""  # where the request's words come from: a file, or the place in the manifest
    sheet: Sheet = field(default_factory=Sheet)  # the words with their lines and sections, timed
    problem: str | None = None


def read_manifest(path: str | Path, reading: Reading | None = None, take_count: int = 1) -> list[Entry]:
    """The songs of a manifest, in order; a file of lyrics is one song, named for the file.

    Raises ValueError, in one line, for a file that is missing, broken, no list or empty; what is wrong with a song is its `problem`.
    """
    path, reading = Path(path), reading or Reading()
    entries: list[Entry] = []
    taken: dict[str, int] = {}  # names, without regard to case, which some file systems do not keep
    for number, item in enumerate(_listed(path), start=1):
        entry = _entry(item, f"{path}: song {number}", path.parent, reading)
        if entry.request is not None:
            names = [request.name for request in takes(entry.request, take_count)]
            clash = next((name for name in names if name.casefold() in taken), None)
            if clash is not None:
                problem = f"{entry.where}: the name {clash!r} is song {taken[clash.casefold()]}'s; give each song its own 'id'"
                entry = Entry(entry.where, problem=problem)
            else:
                taken |= {name.casefold(): number for name in names}
        entries.append(entry)
    return entries


def _listed(path: Path) -> list[Any]:
    """What the manifest lists, one or more."""
    if not path.is_file():
        raise ValueError(f"{path}: no such manifest; evaluation.test_set_path names a JSON list of songs, or a file of lyrics")
    if path.suffix.lower() != ".json" and formats.detect(read_bytes(path, "manifest"), str(path)) != "json":
        return [_song_of(path)]
    listed = read_json(path, "manifest", "a list of songs")
    if _holds_words(listed):
        return [_song_of(path)]
    if not isinstance(listed, list):
        raise ValueError(f"{path}: holds {type(listed).__name__}; write a list of songs")
    if not listed:
        raise ValueError(f"{path}: holds no songs; write at least one")
    return listed


def _song_of(lyrics: Path) -> dict[str, Any]:
    """The entry of a song that is nothing but a file of lyrics."""
    return {"id": re.sub(r"[^\w -]+", "-", lyrics.stem).strip(" -") or "song", "lrc_path": str(lyrics)}


def _holds_words(listed: Any) -> bool:
    """Whether a JSON file is lyrics and no manifest: words are listed in it, not songs."""
    if isinstance(listed, dict):
        return timed_json.holds_words(listed)
    if not isinstance(listed, list) or not listed:
        return False
    return all(isinstance(item, dict) and "start" in item and {"word", "phoneme", "phones"} & item.keys() for item in listed)


def _entry(item: Any, where: str, folder: Path, reading: Reading) -> Entry:
    if not isinstance(item, dict):
        return Entry(where, problem=f"{where}: is {type(item).__name__}; write an object with id, lrc_path, duration")
    try:
        name = name_of(item.get("id"))
    except ValueError as error:
        return Entry(where, problem=f"{where}: {error}")
    where = f"{where} ({name})"
    unknown = [key for key in item if key not in (*KEYS, *MEASURED)]
    if unknown:
        log.warning("%s: %s: not read; known are %s", where, ", ".join(map(repr, unknown)), ", ".join(KEYS))
    try:
        return _wished(item, name, where, folder, reading)
    except ValueError as error:
        return Entry(where, problem=placed(where, str(error)))


def placed(where: str, problem: str) -> str:
    """A problem with the song's place before it, once."""
    return problem if problem.startswith(f"{where}: ") else f"{where}: {problem}"


def _wished(item: dict[str, Any], name: str, where: str, folder: Path, reading: Reading) -> Entry:
    """The entry of a song that can be sung. Raises ValueError for one that cannot."""
    duration = _number(item, "duration", 0, BEYOND_SECONDS, "the song's seconds, such as 20.5")
    sheet, source = _sheet(item, where, folder)
    for remark in sheet.remarks:
        log.warning("%s: %s", source, remark)
    style = _style(item, folder, reading.use_prompt_style) or sheet.style or reading.prompt
    knobs = _knobs(item)
    if duration is None or sheet.timing != "words":
        sheet = _planned(sheet, knobs, duration, style, source, reading.planning)
        duration = sheet.duration
    elif knobs:
        log.warning("%s: %s: nothing to plan, as all words have times", where, ", ".join(map(repr, knobs)))
    assert duration is not None, source
    lines = tuple(len(line.words) for line in sheet.lines)
    return Entry(where, SongRequest(name, sheet.timed(source, duration), duration, style, lines=lines), source, sheet)


def _sheet(item: dict[str, Any], where: str, folder: Path) -> tuple[Sheet, str]:
    """The song's lyrics, and where they come from."""
    if item.get("lyrics") is None or item.get("lrc_path") is not None:
        if item.get("lyrics") is not None:
            raise ValueError("has both 'lrc_path' and 'lyrics'; keep one")
        file = _file(item, "lrc_path", folder)
        sheet, source = formats.read_sheet(file), str(file)
    else:
        source, written = f"{where}: 'lyrics'", item["lyrics"]
        sheet = formats.sheet_of(written, source) if isinstance(written, str) else formats.parse_sheet(written, source)
    language = item.get("language")
    if language is not None and (not isinstance(language, str) or not language.strip()):
        raise ValueError(f"'language' is {shown(language)}; write a code in quotes, such as \"fr\"")
    return (replace(sheet, language=language.strip()) if language else sheet), source


def _knobs(item: dict[str, Any]) -> dict[str, Any]:
    """The planner's knobs that the entry turns. Raises ValueError for a value that means nothing."""
    asked: dict[str, Any] = {
        "bpm": _number(item, "bpm", *BPM_RANGE, "beats a minute, such as 100"),
        "density": _number(item, "density", *DENSITY_RANGE, "1 for the usual pace, 1.2 for a faster one"),
        "intro": _number(item, "intro", 0, BEYOND_SECONDS, "seconds before the first word", zero=True),
        "gap": _number(item, "gap", 0, BEYOND_SECONDS, "seconds between lines", zero=True),
        "sections": _sections(item),
    }
    return {knob: value for knob, value in asked.items() if value is not None}


def _planned(
    sheet: Sheet, knobs: dict[str, Any], duration: float | None, style: Style | None, source: str, planning: Planning | None
) -> Sheet:
    """The sheet with times for all its words, and a duration."""
    if planning is None:
        sheet.timed(source)  # raises for the first word without times
        raise ValueError("'duration' is None; write the song's seconds, such as 20.5")
    if not sheet.words and duration is None and sheet.duration is None:
        raise ValueError("an instrumental has no words to propose a 'duration' by; write its seconds, such as 20.5")
    settings = replace(planning.settings, duration=duration, **knobs)
    if settings.bpm is None and sheet.bpm is None:
        settings = replace(settings, bpm=_heard_tempo(style))
    try:
        return plan(sheet, planning.ipa_of, settings)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _heard_tempo(style: Style | None) -> float | None:
    """Beats a minute of a style's clip, or that its description names; None where neither tells."""
    if isinstance(style, str):
        named = re.search(r"\b(\d{2,3})\s*bpm\b", style, flags=re.IGNORECASE)
        return float(named[1]) if named and BPM_RANGE[0] <= float(named[1]) <= BPM_RANGE[1] else None
    if not isinstance(style, Path):
        return None
    from jam.lyrics.tempo import tempo_of

    return tempo_of(*audio.read(style))[0]


def _sections(item: dict[str, Any]) -> dict[str, tuple[float, float]] | None:
    """`{"Verse 1": [4.0, 12.5], ...}`: when sections are, in seconds."""
    given = item.get("sections")
    if given is None:
        return None
    wanted = 'write {"Verse 1": [4.0, 12.5]}, from and to in seconds'
    if not isinstance(given, Mapping):
        raise ValueError(f"'sections' is {shown(given)}; {wanted}")
    spans = {}
    for name, span in given.items():
        fits = isinstance(span, list) and len(span) == 2 and all(_is_number(value) for value in span)
        if not fits or not 0 <= span[0] < span[1] < BEYOND_SECONDS:
            raise ValueError(f"'sections': {name!r} is {shown(span)}; {wanted}")
        spans[str(name)] = (float(span[0]), float(span[1]))
    return spans


def _number(item: dict[str, Any], key: str, low: float, high: float, advice: str, zero: bool = False) -> float | None:
    """A number of the entry above `low` (or `low` itself, where `zero`) and up to `high`; None where it says nothing."""
    value = item.get(key)
    if value is None:
        return None
    if not _is_number(value) or not low <= value <= high or (value == 0 and not zero):  # so written, it refuses NaN too
        raise ValueError(f"{key!r} is {shown(value)}; write {advice}")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def name_of(value: Any, what: str = "song") -> str:
    """The name of a song or item, one that a file can have. Raises ValueError for anything else."""
    name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"'id' is {shown(value)}; give the {what} a name")
    unfit = any(c in '/\\:*?"<>|' or not c.isprintable() for c in name)
    if unfit or name.startswith(".") or name != name.strip() or len(name.encode()) > LONGEST_ID:
        raise ValueError(
            f"'id' is {shown(value)}, which cannot be a file's name; use letters, digits, - and _, at most {LONGEST_ID}, "
            "without slashes or a leading dot"
        )
    return name


def _style(item: dict[str, Any], folder: Path, use_prompt_style: bool) -> Style | None:
    description = _description(item, folder)
    if item.get("audio_path") is None or (use_prompt_style and description is not None):
        return description
    return _file(item, "audio_path", folder)


def _description(item: dict[str, Any], folder: Path) -> str | None:
    """The style in words, on one line; None where the song has none."""
    if item.get("prompt") is not None:
        source, text = "'prompt'", item["prompt"]
    elif item.get("prompt_path") is not None:
        file = _file(item, "prompt_path", folder)
        source = str(file)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{file}: byte {error.start} is not UTF-8; save the description as UTF-8") from error
        except OSError as error:
            raise ValueError(f"{file}: cannot be read ({error.strerror}); check its permissions") from error
    else:
        return None
    if not isinstance(text, str):
        raise ValueError(f"{source} is {shown(text)}; write the style's description in quotes")
    if not text.strip():
        raise ValueError(f"{source} is empty; describe the style in a few words, or leave it out")
    return " ".join(text.split())


def _file(item: dict[str, Any], key: str, folder: Path) -> Path:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        lyrics = " (lyrics of [] are an instrumental)" if key == "lrc_path" else ""
        raise ValueError(f"{key!r} is {shown(value)}; give a path{lyrics}")
    found = located(value, folder)
    if found is None:
        raise ValueError(f"{key!r} is {shown(value)}: no such file, neither from here nor beside the manifest")
    return found


def located(value: str, folder: Path) -> Path | None:
    """The file that `value` names from here, else from `folder`; None where there is none."""
    for candidate in (Path(value), folder / value):
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # a name that is too long, a closed folder, nobody's home, a zero byte
            file = candidate.expanduser()
            if file.is_file():
                return file
    return None


def shown(value: object) -> str:
    """A value as messages have it, at most 100 signs."""
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."
