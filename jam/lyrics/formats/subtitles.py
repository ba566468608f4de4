"""Subtitles: SRT, WebVTT (with a stamp for each word, where it has them) and ASS karaoke. The door to pysubs2, which reads and writes ASS.

SRT and WebVTT are read here, since pysubs2 takes a broken stamp for words and knows no line numbers. Markup and positions are left out.
"""

from __future__ import annotations

import html
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jam.lyrics.formats.stamps import check_order, hours_of, seconds_of
from jam.lyrics.sheet import PLAN, Line, Sheet, SheetWord, is_sung, split

ARROW = re.compile(r"\s*(\S+)\s*-->\s*(\S+)(\s.*)?")
_MARKUP = re.compile(r"<(?![\d:.]+>)/?[^<>]*>|\{\\[^{}]*\}")  # <i>, <c.loud>, {\an8}; not a stamp
_INNER = re.compile(r"<([\d:.]+)>")
_OVERRIDE = re.compile(r"\{([^{}]*)\}")
_KARAOKE = re.compile(r"\\(?:k[fo]?|K)\s*(\d+)")
_DIALOGUE = re.compile(r"^[ \t]*Dialogue:[ \t]*", re.MULTILINE | re.IGNORECASE)
_DRAWING = re.compile(r"\{[^{}]*\\p([0-9]+)(?![a-z])")
_BREAK = re.compile(r"\\[Nnh]")
ASS_LONGEST = 10 * 3600 - 1  # seconds: its hours have one digit
VTT_BLOCKS = ("NOTE", "STYLE", "REGION")


@dataclass(frozen=True)
class _Cue:
    """A subtitle: when it is, its text, and the file's line that says when."""

    start: float
    end: float
    text: str
    number: int


def read_srt(text: str, where: str) -> Sheet:
    """The sheet of an SRT text: a line of untimed words a cue.

    Raises ValueError, naming the line, for a stamp that is no time, an end before its start, and text outside cues.
    """
    return _sheet(list(_cues(text.split("\n"), where)), where)


def read_vtt(text: str, where: str) -> Sheet:
    """The sheet of a WebVTT text; words that inner stamps divide have times. Raises ValueError as `read_srt` does."""
    rows = text.split("\n")
    if not rows[0].startswith("WEBVTT"):
        raise ValueError(f"{where}: line 1: {rows[0][:30]!r} where WEBVTT belongs; write WEBVTT on a line of its own")
    rows[0] = ""
    number = 1
    while number < len(rows) and rows[number].strip() and "-->" not in rows[number]:  # the header's own lines
        rows[number] = ""
        number += 1
    return _sheet(list(_cues(_without_blocks(rows), where)), where)


def read_ass(text: str, where: str) -> Sheet:
    """The sheet of an ASS or SSA text: a line for each dialogue; words are timed by karaoke tags, whose syllables are joined.

    Raises ValueError, naming the line, for a dialogue whose times or fields cannot be read.
    """
    import pysubs2

    text = _DIALOGUE.sub("Dialogue: ", text)
    rows = text.split("\n")
    numbers = [number for number, row in enumerate(rows, start=1) if row.startswith("Dialogue:")]
    for number in numbers:
        _check_dialogue(rows[number - 1], f"{where}: line {number}")
    if not numbers:
        raise ValueError(f"{where}: holds no 'Dialogue:' line; give an ASS file with lyrics")
    try:
        with warnings.catch_warnings(action="ignore"):  # on styles, which say nothing of words
            subtitles = pysubs2.SSAFile.from_string(text, format_="ssa" if "[V4 Styles]" in text else "ass")
    except (pysubs2.exceptions.Pysubs2Error, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"{where}: is no ASS that can be read ({' '.join(str(error).split())[:100]}); save it anew") from error
    events = [event for event in subtitles if event.type == "Dialogue"]
    if len(events) != len(numbers):
        raise ValueError(f"{where}: only {len(events)} of its {len(numbers)} dialogues lie in [Events]; move the others there")
    cues = [_Cue(event.start / 1000, event.end / 1000, event.text, number) for event, number in zip(events, numbers, strict=True)]
    title = subtitles.info.get("Title") or None
    return replace(_sheet(cues, where, karaoke=True), title=None if title == DEFAULT_TITLE else title)


DEFAULT_TITLE = "Default Aegisub file"


def write_srt(sheet: Sheet) -> str:
    """The sheet as SRT, a cue a line of lyrics. Raises ValueError for a line without times."""
    rows = []
    for number, (start, end, line) in enumerate(_timed_lines(sheet), start=1):
        rows.append(f"{number}\n{hours_of(start, ',')} --> {hours_of(end, ',')}\n{_shown(line.words)}\n")
    return "\n".join(rows)


def write_vtt(sheet: Sheet) -> str:
    """The sheet as WebVTT, a cue a line, with a stamp before each timed word and after one that rests. Raises ValueError as `write_srt`."""
    rows = ["WEBVTT\n"]
    for start, end, line in _timed_lines(sheet):
        timed = all(word.is_timed for word in line.words)
        sung = _stamped(line.words) if timed else html.escape(_shown(line.words), quote=False)
        rows.append(f"{hours_of(start)} --> {hours_of(end)}\n{sung}\n")
    return "\n".join(rows)


def write_ass(sheet: Sheet) -> str:
    """The sheet as ASS karaoke (`\\kf`), in hundredths of a second. Raises ValueError for words without times."""
    import pysubs2

    subtitles = pysubs2.SSAFile()
    subtitles.info["Title"] = sheet.title or DEFAULT_TITLE
    for start, end, line in _timed_lines(sheet):
        if not all(word.is_timed for word in line.words):
            first = next(word for word in line.words if not word.is_timed)
            raise ValueError(f"the word {first.word!r} has no times; plan them: {PLAN} timed.ass")
        if end > ASS_LONGEST:
            raise ValueError(f"line {line.number or 1} ends at {end:g} s; ASS has times up to {ASS_LONGEST} s alone")
        begin = round(start * 100)
        subtitles.append(pysubs2.SSAEvent(begin * 10, max(begin, round(end * 100)) * 10, text=_karaoke(line.words, begin)))
    return subtitles.to_string("ass")


def _cues(rows: Sequence[str], where: str) -> Iterator[_Cue]:
    """The cues of SRT or WebVTT, in the file's order: a stamp's line, then text up to an empty line."""
    number = 0
    while number < len(rows):
        row, place = rows[number], f"{where}: line {number + 1}"
        number += 1
        if not row.strip():
            continue
        if "-->" not in row:
            if number < len(rows) and "-->" in rows[number]:  # the cue's number or name
                continue
            raise ValueError(f"{place}: {row.strip()[:40]!r} belongs to no cue; write 00:00:01,000 --> 00:00:02,000 on the line before")
        start, end = _span(row, place)
        first = number
        while number < len(rows) and rows[number].strip() and "-->" not in rows[number]:
            number += 1
        last = number
        if number < len(rows) and "-->" in rows[number] and last > first and rows[last - 1].strip().isdigit():
            last -= 1  # the next cue's number, without an empty line before it
        yield _Cue(start, end, "\n".join(rows[first:last]), first)
        number = last


def _span(row: str, place: str) -> tuple[float, float]:
    """When a cue is. Raises ValueError for what is no span of time."""
    parts = ARROW.fullmatch(row)
    if parts is None:
        raise ValueError(f"{place}: {row.strip()[:40]!r} is no span; write 00:00:01,000 --> 00:00:02,000")
    if parts[1].startswith("-") or parts[2].startswith("-"):
        raise ValueError(f"{place}: {row.strip()[:40]!r} has a negative time; songs begin at 0 s")
    try:
        start, end = seconds_of(parts[1]), seconds_of(parts[2])
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    if end < start:
        raise ValueError(f"{place}: ends at {parts[2]}, before it starts at {parts[1]}; mend the times")
    return start, end


def _without_blocks(rows: list[str]) -> list[str]:
    """WebVTT without its notes, styles and regions."""
    kept, inside = [], False
    for index, row in enumerate(rows):
        begins = row.startswith(VTT_BLOCKS) and "-->" not in row and (index == 0 or not rows[index - 1].strip())
        inside = (inside or begins) and bool(row.strip())
        kept.append("" if inside else row)
    return kept


def _check_dialogue(row: str, place: str) -> None:
    fields = row.removeprefix("Dialogue:").split(",", 9)
    if len(fields) < 10:
        raise ValueError(f"{place}: has {len(fields)} of a dialogue's 10 fields; write Dialogue: 0,START,END,Default,,0,0,0,,TEXT")
    _span(f"{fields[1].strip()} --> {fields[2].strip()}", place)


def _sheet(cues: list[_Cue], where: str, karaoke: bool = False) -> Sheet:
    """A sheet of cues in the order of their starts; empty ones are left out, and those that overlap are told."""
    remarks: list[str] = []
    if not cues:
        raise ValueError(f"{where}: holds no cues; write 00:00:01,000 --> 00:00:02,000 and text below it")
    ordered = sorted(cues, key=lambda cue: cue.start)
    if ordered != cues:
        remarks.append("the cues were not in the order of their times, and were put into it")
    lines: list[Line] = []
    for cue in ordered:
        try:
            words, left_out = _sung(cue) if karaoke else _words(cue)
        except ValueError as error:
            raise ValueError(f"{where}: line {cue.number}: {error}") from error
        remarks += [f"line {cue.number}: {symbol!r} is not sung" for symbol in left_out]
        if not words:
            remarks.append(f"line {cue.number}: the cue holds no words and is left out")
            continue
        if lines and cue.start < (lines[-1].end or 0.0):
            remarks.append(f"line {cue.number}: the cue starts at {cue.start:g} s, before the one of line {lines[-1].number} ends")
        lines.append(Line(tuple(words), cue.start, cue.end, number=cue.number))
    return Sheet(tuple(lines), remarks=tuple(remarks))


def _words(cue: _Cue) -> tuple[list[SheetWord], list[str]]:
    """The words of an SRT or WebVTT cue, timed where stamps stand between them, and what nobody sings."""
    text = html.unescape(_MARKUP.sub("", re.sub(r"<v[. ][^>]*>", "", cue.text.replace("\n", " "))))
    parts = _INNER.split(text)
    if len(parts) == 1:
        words, left_out = split(text)
        return list(words), list(left_out)
    times = [cue.start, *(seconds_of(stamp) for stamp in parts[1::2])]
    if any(later < earlier for earlier, later in zip(times, [*times[1:], cue.end], strict=True)):
        raise ValueError("its inner stamps are out of order or leave the cue; put them between its start and its end")
    found: list[SheetWord] = []
    unsung: list[str] = []
    for sung, start, end in zip(parts[0::2], times, [*times[1:], cue.end], strict=True):
        words, left_out = split(sung)
        found += _within(words, start, end)
        unsung += left_out
    return found, unsung


def _within(words: Sequence[SheetWord], start: float, end: float) -> list[SheetWord]:
    """Words between two stamps: the first begins at one, the last ends at the other; what lies between is not known."""
    placed = list(words)
    if placed:
        placed[0] = replace(placed[0], start=start)
        placed[-1] = replace(placed[-1], end=end)
    return placed


def _sung(cue: _Cue) -> tuple[list[SheetWord], list[str]]:
    """The words of an ASS dialogue, timed where it has karaoke tags, and what nobody sings."""
    drawing = _DRAWING.search(cue.text)
    if drawing is not None and int(drawing[1]):
        return [], ["a drawing"]
    if _KARAOKE.search(cue.text) is None:
        words, left_out = split(_OVERRIDE.sub("", _BREAK.sub(" ", cue.text)))
        return list(words), list(left_out)
    found: list[SheetWord] = []
    unsung: list[str] = []
    for text, start, end in _joined(cue):
        words, left_out = split(text)
        found += _within(words, start, end)
        unsung += left_out
    return found, unsung


def _joined(cue: _Cue) -> Iterator[tuple[str, float, float]]:
    """Words with their times, from syllables: one that neither ends in a space nor has one before the next goes on."""
    word, begin, end, now = "", cue.start, cue.start, cue.start
    for text, seconds in _syllables(cue.text):
        if word and text[:1].isspace():
            yield word, begin, end
            word = ""
        if is_sung(text) and not is_sung(word):
            begin = now
        now = round(now + seconds, 3)
        if text.strip():
            word, end = word + text.strip(), now
        if word and text[-1:].isspace():
            yield word, begin, end
            word = ""
    if word:
        yield word, begin, end


def _syllables(text: str) -> Iterator[tuple[str, float]]:
    """(text, seconds) of each karaoke tag's syllable; what stands before the first tag lasts no time."""
    pieces = _OVERRIDE.split(_BREAK.sub(" ", text))
    seconds = 0.0
    for index, piece in enumerate(pieces):
        if index % 2:
            durations = _KARAOKE.findall(piece)
            if durations:
                yield from (("", int(duration) / 100) for duration in durations[:-1])
                seconds = int(durations[-1]) / 100
            continue
        if piece or index:
            yield piece, seconds
            seconds = 0.0


def _timed_lines(sheet: Sheet) -> Iterator[tuple[float, float, Line]]:
    """Each line with words, and when it is. Raises ValueError for one whose times are not known."""
    for number, line in enumerate(sheet.lines, start=1):
        if not line.words:
            continue
        start = line.words[0].start if line.words[0].start is not None else line.start
        end = line.words[-1].end if line.words[-1].end is not None else line.end
        if start is None or end is None:
            raise ValueError(f"line {line.number or number} ({line.words[0].word!r} ...) has no times; plan them: {PLAN} timed.srt")
        check_order(line.words)
        if end < start:
            raise ValueError(f"line {line.number or number} ends at {end:g} s, before it starts at {start:g} s; mend its times")
        yield start, end, line


def _stamped(words: Sequence[SheetWord]) -> str:
    """`a <00:00:01.000>line`, the first word without a stamp, as the cue itself says when it begins, unless it is the only one."""
    pieces = [f"<{hours_of(words[0].start or 0.0)}>"] if len(words) == 1 else []
    for index, word in enumerate(words):
        if index:
            before = words[index - 1].end
            if before is not None and word.start is not None and round(before, 3) < round(word.start, 3):
                pieces.append(f"<{hours_of(before)}>")
            pieces.append(f"<{hours_of(word.start or 0.0)}>")
        pieces.append(html.escape(_text(word), quote=False) + " ")
    return "".join(pieces).strip()


def _karaoke(words: Sequence[SheetWord], begin: int) -> str:
    """`{\\kf20}word {\\k10}{\\kf30}word`, in hundredths of a second from `begin`."""
    pieces: list[str] = []
    now = begin
    for word in words:
        start, end = round((word.start or 0.0) * 100), round((word.end or 0.0) * 100)
        if start > now:
            pieces.append(f"{{\\k{start - now}}}")
        pieces.append(f"{{\\kf{max(0, end - max(start, now))}}}{_text(word)} ")
        now = max(end, now)
    return "".join(pieces).strip()


def _shown(words: Sequence[SheetWord]) -> str:
    return " ".join(_text(word) for word in words)


def _text(word: SheetWord) -> str:
    text: Any = word.word or word.phoneme or ""
    text = " ".join(text.replace("-->", "->").split())
    return f"({text})" if word.backing else text
