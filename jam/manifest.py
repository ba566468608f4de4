"""The manifest: a JSON list of songs that are wished for -> requests. It knows no model, and nothing of how songs are sung.

An entry has `id`, `lrc_path` (timed words), `duration` (seconds), and a style: `audio_path` (a clip), `prompt_path` (a text file) or
`prompt` (the text itself); neither is the negative style. Paths are relative to the working folder, else to the manifest's. An entry that
is wrong keeps its problem, so that the others can be sung.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jam.lyrics import formats
from jam.song import SongRequest, Style, takes

log = logging.getLogger("jam")

KEYS = ("id", "lrc_path", "duration", "audio_path", "prompt_path", "prompt")
LONGEST_ID = 120  # characters; file systems stop names at 255 bytes


@dataclass(frozen=True)
class Entry:
    """One song of a manifest: a request, or the problem that keeps it from being one."""

    name: str  # its id, or where it stands when it has none
    request: SongRequest | None = None
    problem: str | None = None


def read_manifest(path: str | Path, use_prompt_style: bool = False, take_count: int = 1) -> list[Entry]:
    """The songs of a manifest, in order; `use_prompt_style` prefers descriptions to clips where a song has both.

    Raises ValueError, in one line, for a file that is missing, broken, no list or empty; what is wrong with a song is its `problem`.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such manifest; evaluation.test_set_path names a JSON list of songs")
    try:
        listed = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8; save the manifest as UTF-8") from error
    if not isinstance(listed, list):
        raise ValueError(f"{path}: holds {type(listed).__name__}; expected a list of songs")
    if not listed:
        raise ValueError(f"{path}: holds no songs")
    entries: list[Entry] = []
    taken: dict[str, int] = {}
    for number, item in enumerate(listed, start=1):
        entry = _entry(item, number, path, use_prompt_style)
        if entry.request is not None:
            names = [request.name for request in takes(entry.request, take_count)]
            clash = next((name for name in names if name in taken), None)
            if clash is not None:
                problem = f"{path}: song {number}: the name {clash!r} is song {taken[clash]}'s; give each its own id"
                entry = Entry(entry.name, problem=problem)
            else:
                taken |= dict.fromkeys(names, number)
        entries.append(entry)
    return entries


def _entry(item: Any, number: int, path: Path, use_prompt_style: bool) -> Entry:
    where = f"{path}: song {number}"
    if not isinstance(item, dict):
        return Entry(f"song {number}", problem=f"{where}: is {type(item).__name__}; expected an object with {', '.join(KEYS[:3])}")
    try:
        name = _id(item, where)
    except ValueError as error:
        return Entry(f"song {number}", problem=str(error))
    try:
        return Entry(name, _request(item, name, f"{where} ({name})", path.parent, use_prompt_style))
    except ValueError as error:
        return Entry(name, problem=str(error))


def _id(item: dict[str, Any], where: str) -> str:
    name = item.get("id")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"{where}: 'id' is {name!r}; give the song a name")
    bad = [c for c in name if c in '/\\:*?"<>|' or not c.isprintable()]
    if bad or name.startswith(".") or name != name.strip() or len(name) > LONGEST_ID:
        raise ValueError(
            f"{where}: 'id' is {name[:60]!r}, which cannot be a file's name; use at most {LONGEST_ID} letters, digits, - and _, "
            "without slashes or a leading dot"
        )
    return name


def _request(item: dict[str, Any], name: str, where: str, folder: Path, use_prompt_style: bool) -> SongRequest:
    unknown = [key for key in item if key not in KEYS]
    if unknown:
        log.warning("%s: %s: not read; known are %s", where, ", ".join(map(str, unknown)), ", ".join(KEYS))
    duration = item.get("duration")
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not math.isfinite(duration) or duration <= 0:
        raise ValueError(f"{where}: 'duration' is {duration!r}; give seconds above 0")
    if "lrc_path" not in item:
        raise ValueError(f"{where}: has no 'lrc_path'; name its lyrics (a file of [] is an instrumental)")
    words = formats.read(_file(item, "lrc_path", where, folder), float(duration))
    return SongRequest(name, words, float(duration), _style(item, where, folder, use_prompt_style))


def _style(item: dict[str, Any], where: str, folder: Path, use_prompt_style: bool) -> Style | None:
    prompt = None
    if item.get("prompt") is not None:
        prompt = item["prompt"]
    elif item.get("prompt_path") is not None:
        prompt = _file(item, "prompt_path", where, folder).read_text(encoding="utf-8-sig", errors="replace")
    if prompt is not None and (not isinstance(prompt, str) or not prompt.strip()):
        raise ValueError(f"{where}: the style's description is empty; write a few words, or leave it out")
    if item.get("audio_path") is None or (use_prompt_style and prompt is not None):
        return None if prompt is None else " ".join(prompt.split())
    return _file(item, "audio_path", where, folder)


def _file(item: dict[str, Any], key: str, where: str, folder: Path) -> Path:
    value = item[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}: '{key}' is {value!r}; give a path")
    candidates: Iterable[Path] = (Path(value).expanduser(), folder / value)
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        raise ValueError(f"{where}: '{key}' {value}: no such file, neither from here nor beside the manifest")
    return found
