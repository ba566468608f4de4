"""Lyrics on disk, in every format: which one a file has is told by what it holds. The formats themselves are the files beside this one.

Each of these reads a text (or bytes) into a `Sheet` and writes a `Sheet`; they know no phonemizer and no slots.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from jam.files import parse_json, read_bytes, write_whole
from jam.lyrics.formats import detection, lrc, midi, musicxml, plain, subtitles, table, textgrid, timed_json
from jam.lyrics.formats.encoding import decode
from jam.lyrics.formats.stamps import check_order
from jam.lyrics.formats.timed_json import parse, parse_sheet, write_json
from jam.lyrics.sheet import Sheet, of_words
from jam.lyrics.words import Word

__all__ = ["NAMES", "detect", "format_of", "parse", "parse_sheet", "read", "read_sheet", "sheet_in"]
__all__ += ["sheet_of", "write", "write_json", "write_lrc"]

logger = logging.getLogger(__name__)

UNORDERED = ("json", "csv", "tsv", "text")  # they hold words as they come
CUES = ("srt", "vtt", "ass", "midi")  # they hold nothing but words in time
NAMES = ("json", "lrc", "srt", "vtt", "ass", "textgrid", "musicxml", "midi", "csv", "tsv", "text")


def read_sheet(path: str | Path, encoding: str | None = None, format: str | None = None) -> Sheet:
    """The lyrics of a file, in the format that it holds, or in `format`; what was left out or guessed are its remarks.

    Raises ValueError, in one line with the place, for a file that is missing, empty, no text, or broken.
    """
    return sheet_in(read_bytes(path, "lyrics file"), str(path), encoding, format)


def sheet_in(content: bytes, where: str, encoding: str | None = None, format: str | None = None) -> Sheet:
    """The lyrics that the `content` of a file holds, as `read_sheet` has them; `where` names the file in messages."""
    name = _known(format) or detection.of_bytes(content)
    if name == "midi" or (name == "musicxml" and content.startswith(detection.ZIP)):
        return _of_bytes(name, content, where)
    if not content.strip():
        raise ValueError(f"{where}: is empty; write lyrics, or [] for an instrumental")
    text, remarks = decode(content, where, encoding)
    name = name or detection.of_text(text, PurePath(where).name)
    if name == "musicxml":
        return _of_bytes(name, content, where)
    if name == "json" and remarks:
        raise ValueError(f"{where}: {remarks[0].partition(' is not UTF-8')[0]} is not UTF-8; save the lyrics file as UTF-8")
    sheet = _of_text(name, text, where)
    return replace(sheet, remarks=(*remarks, *sheet.remarks)) if remarks else sheet


def sheet_of(text: str, where: str) -> Sheet:
    """The lyrics of a text in any format that is text, such as one that stands in a manifest; `where` names it in messages."""
    if not text.strip():
        raise ValueError(f"{where}: is empty; write lyrics, or [] for an instrumental")
    name = detection.of_text(text)
    return _of_bytes(name, text.encode(), where) if name == "musicxml" else _of_text(name, text, where)


def read(path: str | Path, duration: float | None = None) -> tuple[Word, ...]:
    """The timed words of a lyrics file; none at all is an instrumental. What the file holds besides is told as warnings.

    `duration` is the song's, in seconds, where known: words beyond it are refused. Raises ValueError, in one line, for what `read_sheet`
    refuses, for words without times, and for words that `validate` refuses.
    """
    sheet = read_sheet(path)
    for remark in sheet.remarks:
        logger.warning("%s: %s", path, remark)
    return sheet.timed(str(path), duration)


def write(path: str | Path, sheet: Sheet, format: str | None = None) -> Path:
    """Write lyrics in `format`, or the one that the suffix of `path` means; the file is whole or not there. Returns the path.

    Raises ValueError for a suffix that means none, and for lyrics that the format cannot hold, such as words without times.
    """
    name = format_of(path, format)
    try:
        if name in CUES and not sheet.words:
            raise ValueError(f"there are no words, and {name} holds nothing else; write .json or .txt")
        if name not in UNORDERED:
            check_order(sheet.words)
        content = _writer(name)(sheet)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return write_whole(path, content.encode() if isinstance(content, str) else content)


def format_of(path: str | Path, format: str | None = None) -> str:
    """The format in which `write` would write a file. Raises ValueError for a suffix that means none."""
    name = _known(format) or detection.SUFFIXES.get(Path(path).suffix.lower())
    if name is None:
        raise ValueError(f"{path}: its suffix means no format of lyrics; choose {', '.join(detection.SUFFIXES)}, or name the format")
    return name


def write_lrc(
    path: str | Path, words: Sequence[Word], title: str | None = None, duration: float | None = None, lines: Sequence[int] = ()
) -> Path:
    """Write timed `words` as enhanced LRC: `[mm:ss.xx] <mm:ss.xx> word <mm:ss.xx> word <mm:ss.xx>`, the last stamp the end of the line.

    `lines` are the numbers of words of each line; without them lines end as `jam.lyrics.sheet.of_words` says. `title` and `duration`
    (seconds) become tags.
    """
    return write_whole(path, lrc.write(replace(of_words(words, lines), title=title, duration=duration)).encode())


def detect(content: bytes, name: str = "") -> str:
    """The format, one of `NAMES`, of what a file holds; `name` decides only what its content leaves open. Raises ValueError for no text."""
    return detection.of_bytes(content) or detection.of_text(decode(content, name or "content")[0], name)


def _known(format: str | None) -> str | None:
    if format is not None and format not in NAMES:
        raise ValueError(f"no format of lyrics is called {format!r}; choose {', '.join(NAMES)}")
    return format


def _of_bytes(name: str, content: bytes, where: str) -> Sheet:
    return midi.read(content, where) if name == "midi" else musicxml.read(content, where)


def _of_text(name: str, text: str, where: str) -> Sheet:
    """The sheet of a text in the format `name`."""
    if name == "json":
        return parse_sheet(parse_json(text, where, "a list of words, or [] for an instrumental"), where)
    readers: dict[str, Callable[[str, str], Sheet]] = {
        "lrc": lrc.read,
        "srt": subtitles.read_srt,
        "vtt": subtitles.read_vtt,
        "ass": subtitles.read_ass,
        "textgrid": textgrid.read,
        "csv": table.read,
        "tsv": table.read,
        "text": plain.read,
    }
    return readers[name](text, where)


def _writer(name: str) -> Callable[[Sheet], str | bytes]:
    writers: dict[str, Callable[[Sheet], str | bytes]] = {
        "json": timed_json.write,
        "lrc": lrc.write,
        "srt": subtitles.write_srt,
        "vtt": subtitles.write_vtt,
        "ass": subtitles.write_ass,
        "textgrid": textgrid.write,
        "musicxml": musicxml.write,
        "midi": midi.write,
        "csv": table.write,
        "tsv": table.write_tsv,
        "text": plain.write,
    }
    return writers[name]
