"""LRC: a stamp for each line, and, where it is enhanced, one for each word. Knows no other format.

    [ti:Title] [length:02:10] [offset:+250]     tags; a positive offset, in milliseconds, makes lyrics come earlier
    [00:12.30] a line                           several stamps sing a line several times
    [00:12.30] <00:12.30> a <00:12.60> line <00:13.10>
    [00:15.00]                                  ends the line before
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jam.lyrics.formats.stamps import STAMP, check_order, minutes_of, seconds_of
from jam.lyrics.sheet import PLAN, Line, Sheet, SheetWord, split
from jam.lyrics.words import BEYOND_SECONDS

_STAMPS = re.compile(rf"\s*((?:\[-?{STAMP}\]\s*)+)(.*)", re.DOTALL)
_TAG = re.compile(r"\s*\[\s*([A-Za-z#][\w#-]*)\s*:([^\]]*)\]\s*")
_INNER = re.compile(r"<\s*([^<>]*?\d[^<>]*?)\s*>")
_BRACKETED = re.compile(rf"\[({STAMP})\]")  # some write the stamp of a word as that of a line
_COLONS = re.compile(r"^(\d+:\d+):(\d+)$")  # mm:ss:xx, where subtitles would mean hours
_SINGER = re.compile(r"^[FMD]:(?=\s|$)")  # female, male, duet: who sings the line
_KNOWN = ("ti", "ar", "al", "au", "by", "re", "ve", "length", "offset", "la", "lang", "language", "tool", "lr", "#")


@dataclass
class _Reading:
    """What is gathered line by line."""

    where: str
    lines: list[Line]
    remarks: list[str]
    tags: dict[str, str]
    ends: list[float]  # where an empty line says that the one before ends


def read(text: str, where: str) -> Sheet:
    """The sheet of an LRC text; lines without inner stamps have untimed words.

    Raises ValueError, naming the line, for a stamp that is no time, words before any stamp, and times out of order within a line.
    """
    reading = _Reading(where, [], [], {}, [])
    for number, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            _row(row, number, reading)
    shift = _offset(reading)
    lines = sorted(reading.lines, key=lambda line: line.start or 0.0)
    if lines != reading.lines and len({line.number for line in lines}) == len(lines):
        reading.remarks.append("the lines were not in the order of their stamps, and were put into it")
    lines = _ended(lines, sorted(reading.ends))
    lines = [_shifted(line, shift, reading) for line in lines] if shift else lines
    if not lines and not reading.tags:
        raise ValueError(f"{where}: line 1: holds no stamped line; write [00:12.30] before each")
    language = next((reading.tags[key] for key in ("la", "lang", "language") if reading.tags.get(key)), None)
    duration = _length(reading)
    return Sheet(tuple(lines), (), reading.tags.get("ti") or None, language, duration=duration, remarks=tuple(reading.remarks))


def write(sheet: Sheet) -> str:
    """The sheet as LRC, enhanced where its words have times; hundredths of a second.

    Raises ValueError for a line that has neither a time of its own nor timed words.
    """
    rows = [] if sheet.title is None else [f"[ti:{_flat(sheet.title)}]"]
    rows += [] if sheet.language is None else [f"[la:{_flat(sheet.language)}]"]
    rows += [] if sheet.duration is None else [f"[length:{minutes_of(sheet.duration)}]"]
    for index, line in enumerate(sheet.lines):
        if line.words:
            rows += _written(line, index, sheet.lines)
    return "".join(row + "\n" for row in rows)


def _row(row: str, number: int, reading: _Reading) -> None:
    place = f"{reading.where}: line {number}"
    stamped = _STAMPS.match(row)
    if stamped is None:
        _unstamped(row, number, reading)
        return
    starts = [_seconds(stamp, place) for stamp in re.findall(r"\[([^\]]*)\]", stamped[1])]
    words, left_out, end = _words(_SINGER.sub("", _BRACKETED.sub(r"<\1>", stamped[2]).lstrip(), count=1), starts[0], place)
    if (singer := _SINGER.match(stamped[2].lstrip())) is not None:
        reading.remarks.append(f"line {number}: {singer[0]!r} says who sings and is not sung")
    reading.remarks += [f"line {number}: {symbol!r} is not sung" for symbol in left_out]
    if not words:
        reading.ends += starts
        return
    for start in starts:
        moved = [_moved(word, start - starts[0]) for word in words]
        reading.lines.append(Line(tuple(moved), start, None if end is None else end + start - starts[0], number=number))


def _unstamped(row: str, number: int, reading: _Reading) -> None:
    """Tags, or what has no place in LRC."""
    at = 0
    while (tag := _TAG.match(row, at)) is not None:
        name = tag[1].lower()
        reading.tags.setdefault(name, tag[2].strip())
        if name not in _KNOWN:
            reading.remarks.append(f"line {number}: the tag [{tag[1]}:...] is not read")
        at = tag.end()
    rest = row[at:].strip()
    if not rest:
        return
    if rest.startswith("[") and re.match(r"\[\s*-?\d", rest):
        stamp = rest.partition("]")[0][:40] + "]"
        raise ValueError(f"{reading.where}: line {number}: {stamp!r} is no stamp; write [minutes:seconds], such as [01:23.45]")
    if rest.startswith(("[", "#", "//")):
        reading.remarks.append(f"line {number}: {rest[:40]!r} has no stamp and is not read")
        return
    raise ValueError(f"{reading.where}: line {number}: {rest[:40]!r} has no stamp; write [00:12.30] before it")


def _words(text: str, begin: float, place: str) -> tuple[tuple[SheetWord, ...], tuple[str, ...], float | None]:
    """The words of a line that begins at `begin`, with their inner stamps, what nobody sings, and when the line ends."""
    parts = _INNER.split(text)
    if len(parts) == 1:
        return *_split(text.strip(), place), None
    words, left_out = _split(parts[0], place)
    times = [_seconds(stamp, place) for stamp in parts[1::2]]
    left, timed = list(left_out), _spread(words, begin, times[0]) if begin <= times[0] else list(words)
    if any(later < earlier for earlier, later in zip(times, times[1:], strict=False)):
        raise ValueError(f"{place}: its inner stamps are out of order; put them in the order of the words")
    for index, (start, sung) in enumerate(zip(times, parts[2::2], strict=True)):
        found, unsung = _split(sung, place)
        end = times[index + 1] if index + 1 < len(times) else None
        timed += _spread(found, start, end)
        left += unsung
    return tuple(timed), tuple(left), times[-1] if not parts[-1].strip() else None


def _split(text: str, place: str) -> tuple[tuple[SheetWord, ...], tuple[str, ...]]:
    try:
        return split(text)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _spread(words: Sequence[SheetWord], start: float, end: float | None) -> list[SheetWord]:
    """Words under one stamp: the first begins there, the last ends at the next; what lies between is not known."""
    placed = list(words)
    if placed:
        placed[0] = replace(placed[0], start=start)
        placed[-1] = replace(placed[-1], end=end)
    return placed


def _moved(word: SheetWord, seconds: float) -> SheetWord:
    if not seconds:
        return word
    return replace(word, start=_plus(word.start, seconds), end=_plus(word.end, seconds))


def _plus(time: float | None, seconds: float) -> float | None:
    return None if time is None else round(max(0.0, time + seconds), 6)


def _ended(lines: list[Line], ends: list[float]) -> list[Line]:
    """Lines end where an empty stamp says so before the next line begins; a last word without an end ends with its line."""
    ended = []
    for line, following in zip(lines, [*lines[1:], None], strict=False):
        begin = line.start or 0.0
        stop = next((end for end in ends if end >= begin and (following is None or end <= (following.start or 0.0))), None)
        end = line.end if line.end is not None else stop
        last = line.words[-1]
        if last.start is not None and last.end is None and end is not None and end >= last.start:
            line = replace(line, words=(*line.words[:-1], replace(last, end=end)))
        ended.append(replace(line, end=end))
    return ended


def _shifted(line: Line, seconds: float, reading: _Reading) -> Line:
    if (line.start or 0.0) + seconds < 0:
        reading.remarks.append(f"line {line.number}: the offset puts it before the song's beginning; it starts at 0 s")
    words = tuple(_moved(word, seconds) for word in line.words)
    return replace(line, words=words, start=_plus(line.start, seconds), end=_plus(line.end, seconds))


def _offset(reading: _Reading) -> float:
    """Seconds to add to every time: minus the tag's milliseconds, as players do."""
    tag = reading.tags.get("offset")
    if not tag:
        return 0.0
    try:
        seconds = -float(tag) / 1000
    except ValueError:
        seconds = math.nan
    if not abs(seconds) < BEYOND_SECONDS:  # so written, it refuses NaN too
        raise ValueError(f"{reading.where}: the tag [offset:{tag[:20]}] is no number; write milliseconds, such as [offset:-500]")
    return seconds


def _length(reading: _Reading) -> float | None:
    tag = reading.tags.get("length")
    if not tag:
        return None
    try:
        return seconds_of(tag)
    except ValueError:
        reading.remarks.append(f"the tag [length:{' '.join(tag[:20].split())}] is no time and is not read")
        return None


def _seconds(stamp: str, place: str) -> float:
    if stamp.strip().startswith("-"):
        raise ValueError(f"{place}: {stamp.strip()!r} is a negative time; songs begin at 0 s")
    try:
        return seconds_of(_COLONS.sub(r"\1.\2", stamp.strip()))
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _written(line: Line, index: int, lines: Sequence[Line]) -> list[str]:
    """A line as rows; enhanced where its words are timed."""
    first = line.words[0].start if line.words[0].start is not None else line.start
    if first is None:
        number = f"line {line.number or index + 1}"
        raise ValueError(f"{number} ({line.words[0].word!r} ...) has no times; plan them: {PLAN} timed.lrc")
    if all(word.is_timed for word in line.words):
        check_order(line.words)
        return [f"[{minutes_of(first)}] {_timed(line.words)}"]
    rows = [f"[{minutes_of(first)}] {' '.join(_shown(word) for word in line.words)}"]
    following = lines[index + 1].start if index + 1 < len(lines) else None
    if line.end is not None and (following is None or line.end <= following):
        rows.append(f"[{minutes_of(line.end)}]")
    return rows


def _timed(words: Sequence[SheetWord]) -> str:
    """`<start> word <start> word <end>`, with the end of a word before a rest."""
    pieces: list[str] = []
    for word, following in zip(words, [*words[1:], None], strict=True):
        assert word.start is not None and word.end is not None, word
        pieces.append(f"<{minutes_of(word.start)}> {_shown(word)}")
        if following is None or round((following.start or 0.0) * 100) > round(word.end * 100):
            pieces.append(f"<{minutes_of(word.end)}>")
    return " ".join(pieces)


def _shown(word: SheetWord) -> str:
    text = _flat(word.word or word.phoneme or "")
    return f"({text})" if word.backing else text


def _flat(text: str) -> str:
    """`text` on one line, without the brackets that are read as times or IPA; what they divide stays one word."""
    return " ".join(text.translate({ord(mark): None for mark in "<>[]{}"}).split())
