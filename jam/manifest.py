"""The manifest: a JSON list of songs that are wished for -> requests. It knows no model, and nothing of how songs are sung.

An entry has `id`, `lrc_path` (timed words), `duration` (seconds), and a style: `audio_path` (a clip), `prompt_path` (a text file) or
`prompt` (the text itself); neither is the negative style. Paths are relative to the working folder, else to the manifest's. An entry that
is wrong keeps its problem, so that the others can be sung.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jam.files import read_json
from jam.lyrics import formats
from jam.lyrics.words import BEYOND_SECONDS
from jam.song import SongRequest, Style, takes

log = logging.getLogger("jam")

KEYS = ("id", "lrc_path", "duration", "audio_path", "prompt_path", "prompt")
LONGEST_ID = 200  # bytes; file systems stop names at 255, and takes and suffixes are added


@dataclass(frozen=True)
class Entry:
    """One song of a manifest: a request, or the problem that keeps it from being one."""

    where: str  # the manifest and the song's place in it, for messages
    request: SongRequest | None = None
    lyrics: str = ""  # the file that the request's words come from
    problem: str | None = None


def read_manifest(path: str | Path, use_prompt_style: bool = False, take_count: int = 1) -> list[Entry]:
    """The songs of a manifest, in order; `use_prompt_style` prefers descriptions to clips where a song has both.

    Raises ValueError, in one line, for a file that is missing, broken, no list or empty; what is wrong with a song is its `problem`.
    """
    path = Path(path)
    entries: list[Entry] = []
    taken: dict[str, int] = {}  # names, without regard to case, which some file systems do not keep
    for number, item in enumerate(_listed(path), start=1):
        entry = _entry(item, f"{path}: song {number}", path.parent, use_prompt_style)
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
        raise ValueError(f"{path}: no such manifest; evaluation.test_set_path names a JSON list of songs")
    listed = read_json(path, "manifest", "a list of songs")
    if not isinstance(listed, list):
        raise ValueError(f"{path}: holds {type(listed).__name__}; write a list of songs")
    if not listed:
        raise ValueError(f"{path}: holds no songs; write at least one")
    return listed


def _entry(item: Any, where: str, folder: Path, use_prompt_style: bool) -> Entry:
    if not isinstance(item, dict):
        return Entry(where, problem=f"{where}: is {type(item).__name__}; write an object with {', '.join(KEYS[:3])}")
    try:
        name = _id(item)
    except ValueError as error:
        return Entry(where, problem=f"{where}: {error}")
    where = f"{where} ({name})"
    unknown = [key for key in item if key not in KEYS]
    if unknown:
        log.warning("%s: %s: not read; known are %s", where, ", ".join(map(repr, unknown)), ", ".join(KEYS))
    try:
        lyrics = _file(item, "lrc_path", folder)
        return Entry(where, _request(item, name, lyrics, folder, use_prompt_style), str(lyrics))
    except ValueError as error:
        return Entry(where, problem=f"{where}: {error}")


def _id(item: dict[str, Any]) -> str:
    name = item.get("id")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"'id' is {_shown(name)}; give the song a name")
    unfit = any(c in '/\\:*?"<>|' or not c.isprintable() for c in name)
    if unfit or name.startswith(".") or name != name.strip() or len(name.encode()) > LONGEST_ID:
        raise ValueError(
            f"'id' is {_shown(name)}, which cannot be a file's name; use letters, digits, - and _, at most {LONGEST_ID}, "
            "without slashes or a leading dot"
        )
    return name


def _request(item: dict[str, Any], name: str, lyrics: Path, folder: Path, use_prompt_style: bool) -> SongRequest:
    duration = item.get("duration")
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 < duration < BEYOND_SECONDS:  # refuses NaN too
        raise ValueError(f"'duration' is {_shown(duration)}; write the song's seconds, such as 20.5")
    words = formats.read(lyrics, float(duration))
    return SongRequest(name, words, float(duration), _style(item, folder, use_prompt_style))


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
        raise ValueError(f"{source} is {_shown(text)}; write the style's description in quotes")
    if not text.strip():
        raise ValueError(f"{source} is empty; describe the style in a few words, or leave it out")
    return " ".join(text.split())


def _file(item: dict[str, Any], key: str, folder: Path) -> Path:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        lyrics = " (lyrics of [] are an instrumental)" if key == "lrc_path" else ""
        raise ValueError(f"{key!r} is {_shown(value)}; give a path{lyrics}")
    for candidate in (Path(value), folder / value):
        with contextlib.suppress(OSError, RuntimeError):  # a name that is too long, a closed folder, nobody's home: no such file
            file = candidate.expanduser()
            if file.is_file():
                return file
    raise ValueError(f"{key!r} is {_shown(value)}: no such file, neither from here nor beside the manifest")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."
