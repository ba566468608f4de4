"""Tables: CSV and TSV with a header, a word or a line of lyrics a row. Knows no other format.

Columns: `word` or `text`, and where they are known `start`, `end`, `duration`, `phoneme`, `language`, `line` (rows of one number are one
line), `section`, `backing`. Times are seconds or stamps (`01:23.45`); a decimal comma is understood where semicolons divide.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from jam.lyrics.formats.stamps import seconds_of
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord, is_sung, split

NAMES = {
    "word": ("word", "words", "token", "label"),
    "text": ("text", "lyric", "lyrics", "sentence", "segment"),
    "start": ("start", "begin", "onset", "start_time", "from"),
    "end": ("end", "stop", "offset", "end_time", "to", "finish"),
    "duration": ("duration", "length", "dur"),
    "phoneme": ("phoneme", "phonemes", "ipa"),
    "language": ("language", "lang"),
    "line": ("line", "line_id"),
    "section": ("section", "part"),
    "backing": ("backing",),
}
WRITTEN = ("start", "end", "word", "phoneme", "language", "line", "section", "backing")
YES = ("1", "true", "yes", "x")


def read(text: str, where: str) -> Sheet:
    """The sheet of a table. Raises ValueError, naming the line, for a header without words, a row of another width, and wrong times."""
    delimiter = delimiter_of(text)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    remarks: list[str] = []
    try:
        header = next(reader, [])
        columns = _columns(header, where, remarks)
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((reader.line_num, _cells(row, columns, header, f"{where}: line {reader.line_num}")))
    except csv.Error as error:
        raise ValueError(f"{where}: line {reader.line_num}: not a table ({error}); mend the quotes there") from error
    comma = delimiter == ";"
    return _sheet(rows, where, comma, remarks)


def write(sheet: Sheet, delimiter: str = ",") -> str:
    """The sheet as CSV: a word a row, its line's number, its section's name; times in seconds, empty where unknown."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(WRITTEN)
    for number, line in enumerate(sheet.lines, start=1):
        section = "" if line.section is None else sheet.sections[line.section].name
        for word in line.words:
            times = ["" if time is None else f"{time:.6f}".rstrip("0").rstrip(".") for time in (word.start, word.end)]
            facts = [word.word, word.phoneme or "", word.language or "", number, section, "yes" if word.backing else ""]
            writer.writerow([*times, *facts])
    return stream.getvalue()


def write_tsv(sheet: Sheet) -> str:
    """The sheet as TSV, otherwise as `write`."""
    return write(sheet, "\t")


def delimiter_of(text: str) -> str:
    """What divides the header: a tab, a semicolon, or a comma."""
    header = text.lstrip().split("\n", 1)[0]
    return max("\t;,", key=header.count)


def known_columns(header: Sequence[str]) -> dict[str, int]:
    """Where, in a header, each column that is read stands; the first, where two mean the same."""
    found: dict[str, int] = {}
    for index, cell in enumerate(header):
        name = next((name for name, others in NAMES.items() if cell.strip().strip("\"'").lower() in others), None)
        if name is not None:
            found.setdefault(name, index)
    return found


def _columns(header: Sequence[str], where: str, remarks: list[str]) -> dict[str, int]:
    """Where each known column is; the others are told."""
    found = known_columns(header)
    unknown = [cell.strip() for index, cell in enumerate(header) if index not in found.values()]
    if "word" not in found and "text" not in found:
        shown = ", ".join(repr(cell[:20]) for cell in header[:6])
        raise ValueError(f"{where}: line 1: no column is called word or text (there are {shown}); write a header such as start,end,word")
    if unknown:
        remarks.append(f"line 1: the columns {', '.join(map(repr, unknown))} are not read")
    return found


def _cells(row: Sequence[str], columns: Mapping[str, int], header: Sequence[str], place: str) -> dict[str, str]:
    if len(row) != len(header):
        raise ValueError(f"{place}: has {len(row)} cells, the header {len(header)}; put quotes around a cell that holds the divider")
    return {name: row[index].strip() for name, index in columns.items()}


def _sheet(rows: Sequence[tuple[int, dict[str, str]]], where: str, comma: bool, remarks: list[str]) -> Sheet:
    lines: list[Line] = []
    sections: list[Section] = []
    former: str | None = None
    for number, cells in rows:
        place = f"{where}: line {number}"
        start, end = _times(cells, place, comma)
        words = _words(cells, place, number, remarks)
        if not words:
            continue
        section = _section(cells.get("section", ""), sections)
        whole = "text" in cells and not cells.get("word")
        if whole and len(words) > 1:
            lines.append(Line(words, start, end, section, number))
            former = None
            continue
        word = replace(words[0], start=start, end=words[-1].end if len(words) > 1 else end)
        timed = (word,) if len(words) == 1 else (word, *words[1:-1], replace(words[-1], end=end))
        key = cells.get("line", "") if "line" in cells else "all"
        if lines and former == key and lines[-1].section == section:
            lines[-1] = replace(lines[-1], words=(*lines[-1].words, *timed))
        else:
            lines.append(Line(timed, section=section, number=number))
        former = key
    return Sheet(tuple(lines), tuple(sections), remarks=tuple(remarks))


def _section(name: str, sections: list[Section]) -> int | None:
    """The index of a section, begun where the one before has another name."""
    if not name:
        return None
    if not sections or sections[-1].name != name:
        sections.append(Section(name))
    return len(sections) - 1


def _words(cells: Mapping[str, str], place: str, number: int, remarks: list[str]) -> tuple[SheetWord, ...]:
    text = cells.get("word") or cells.get("text", "")
    phoneme, language = cells.get("phoneme") or None, cells.get("language") or None
    backing = cells.get("backing", "").lower() in YES
    if phoneme is not None and not text:
        return (SheetWord("", phoneme=phoneme, language=language, backing=backing),)
    if cells.get("word") and is_sung(text) and len(text.split()) == 1 and not re.search(r"[(){}]", text):
        return (SheetWord(text, phoneme=phoneme, language=language, backing=backing),)
    try:
        words, left_out = split(text)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    remarks += [f"line {number}: {symbol!r} is not sung" for symbol in left_out]
    if not words:
        remarks.append(f"line {number}: the row holds no words and is left out")
    if phoneme is not None and len(words) == 1:
        words = (replace(words[0], phoneme=phoneme),)
    return tuple(replace(word, language=language or word.language, backing=backing or word.backing) for word in words)


def _times(cells: Mapping[str, str], place: str, comma: bool) -> tuple[float | None, float | None]:
    start, end, lasts = (_time(cells.get(key, ""), key, place, comma) for key in ("start", "end", "duration"))
    if end is None and start is not None and lasts is not None:
        end = round(start + lasts, 6)
    if start is not None and end is not None and end < start:
        raise ValueError(f"{place}: end {end:g} is before start {start:g}; mend the times")
    return start, end


def _time(cell: str, key: str, place: str, comma: bool) -> float | None:
    if not cell:
        return None
    if ":" in cell and not cell.startswith("-"):
        try:
            return seconds_of(cell)
        except ValueError as error:
            raise ValueError(f"{place}: {key}: {error}") from error
    try:
        value = float(cell.replace(",", ".") if comma else cell)
    except ValueError as error:
        raise ValueError(f"{place}: {key} is {cell[:20]!r}, no time; write seconds, such as 1.5") from error
    if not 0 <= value < 1e6:
        raise ValueError(f"{place}: {key} is {cell[:20]}; write seconds from 0, such as 1.5")
    return value
