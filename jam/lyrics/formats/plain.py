"""Plain text: a line of lyrics a line, with headings for sections, as people write and paste it. Nothing in it has a time.

    [Title: Come Home]          facts of the song: Title (also # Come Home), Style, Tempo (or BPM), Language, Duration
    [Verse 1: soft piano]       a section; also **Verse 1**, ## Verse 1, `Verse 1:`, VERSE 1
    [Chorus x2]                 sung twice; a chorus that has no lines is the one before again
    A line (backing words)      round brackets are backing vocals
    Again and again (x2)        the line is sung twice
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from jam.lyrics.formats.stamps import STAMP, seconds_of
from jam.lyrics.sheet import KINDS, Line, Section, Sheet, SheetWord, kind_of, split

FACTS = {
    "title": ("title", "song", "name"),
    "style": ("style", "genre", "style of music", "mood"),
    "bpm": ("tempo", "bpm"),
    "language": ("language", "lang"),
    "duration": ("duration", "length"),
}
IGNORED = ("artist", "album", "by", "author", "composer", "writer", "copyright", "key", "capo", "tuning", "year", "credits", "produced by")
MOST_REPEATS = 32

_TAG = re.compile(r"\[([^\[\]]*)\]")
_MARKED = re.compile(r"\s*(?:\*\*|__)(.+?)(?:\*\*|__)\s*:?\s*|\s*#{1,6}\s+(.+?)\s*#*\s*")
_MARKUP = re.compile(r"[*_]{2,}|<[^<>]*>")
_FACT = re.compile(r"([A-Za-z][A-Za-z ]*?)\s*[:=]\s*(.+)")
_TIMES = re.compile(r"[\s(]*\b(?:[xX\u00d7]\s?(\d+)|(\d+)\s?[xX\u00d7])[\s).!]*$")
_PARTED = re.compile(r"\s*(?::|\s[-\u2013\u2014]\s|,|\|)\s*")  # a section's name from the note about it
_NUMBER = r"(?:\s+(?:\d+|[ivx]+|[a-d]))?"
_ALONE = re.compile(rf"(?:intro|verse|(?:pre-?|post-?)?chorus|refrain|bridge|outro|interlude|instrumental){_NUMBER}", re.IGNORECASE)
_WHICH = r"(?:(?:final|last|first|second|third|guitar|piano|drum|bass|sax|instrumental)\s+)?"
_CAPITALS = re.compile(rf"{_WHICH}(?:{'|'.join(word for words in KINDS.values() for word in words)}){_NUMBER}", re.IGNORECASE)
_NUMBERED = re.compile(rf"[a-z][a-z -]*?{_NUMBER}", re.IGNORECASE)
_PARTS = re.compile(r"(?:part|section|movement|scene)\b", re.IGNORECASE)
_CHORD = re.compile(
    r"[A-G][#b\u266f\u266d]?(?:maj|min|m|M|dim|aug|sus|add)?\d{0,2}(?:(?:sus|add|[b#])\d{1,2})*(?:/[A-G][#b]?)?|[|%-]|N\.?C\.?"
)
_RULE = re.compile(r"\s*(?:[-=_*~\u2013\u2014]\s*){3,}")


@dataclass
class _Writing:
    """What is gathered line by line."""

    where: str
    lines: list[Line] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    repeats: list[int] = field(default_factory=list)  # of each section
    facts: dict[str, str | float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def read(text: str, where: str) -> Sheet:
    """The sheet of a plain text, its repeats written out. Raises ValueError, naming the line, for a brace without its partner,
    repeats without end, a tempo or duration that is none, and a text without any words or sections."""
    writing = _Writing(where)
    for number, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            _row(row, number, writing)
    if not writing.lines and not any(section.kind != "other" for section in writing.sections):
        raise ValueError(f"{where}: holds no words to sing; write lyrics, a line a line")
    lines, sections = _repeated(writing)
    return Sheet(lines, sections, remarks=tuple(writing.remarks), **writing.facts)  # type: ignore[arg-type]


def write(sheet: Sheet) -> str:
    """The sheet as plain text that `read` gives back, without its times. IPA is written as `word{IPA}`."""
    rows = [f"[{name}: {_flat(str(value))}]" for name, value in _written_facts(sheet)]
    shown = -1
    for line in sheet.lines:
        upto = len(sheet.sections) - 1 if line is sheet.lines[-1] and line.section is None else line.section
        for index in range(shown + 1, (shown if upto is None else upto) + 1):
            rows += [""] * bool(rows) + [_heading(sheet.sections[index])]
        shown = shown if upto is None else max(shown, upto)
        rows.append(_shown(line.words))
    for section in sheet.sections[shown + 1 :]:
        rows += [""] * bool(rows) + [_heading(section)]
    return "".join(row + "\n" for row in rows)


def _row(row: str, number: int, writing: _Writing) -> None:
    """Takes in a line of the file: a heading, a fact, a rule, chords, or words."""
    marked = _MARKED.fullmatch(row)
    inner = _clean(marked[1] or marked[2]) if marked is not None else _clean(row)
    if _is_heading(inner, marked is not None):
        _begin(inner.rstrip(":"), number, writing)
    elif not writing.lines and not writing.sections and _fact(inner, number, writing):
        return
    elif not writing.lines and not writing.sections and not writing.facts and re.match(r"\s*#\s", row):
        writing.facts["title"] = inner
    elif _is_chords(row):
        writing.remarks.append(f"line {number}: the chords {row.strip()[:30]!r} are not sung")
    elif not _RULE.fullmatch(row):
        begun = len(writing.sections)
        text = _tagless(row, number, writing)
        times = _TIMES.fullmatch(f" {text.strip()}") if len(writing.sections) > begun else None
        if times is not None:  # [Chorus] x2
            writing.repeats[-1] = _count(times[1] or times[2], f"{writing.where}: line {number}")
        else:
            _sing(text, number, writing)


def _sing(text: str, number: int, writing: _Writing) -> None:
    """Takes in a line of words, as often as it says."""
    times = _TIMES.search(text)
    count = _count(times[1] or times[2], f"{writing.where}: line {number}") if times else 1
    try:
        words, left_out = split(_MARKUP.sub(" ", text[: times.start()] if times else text))
    except ValueError as error:
        raise ValueError(f"{writing.where}: line {number}: {error}") from error
    writing.remarks += [f"line {number}: {symbol!r} is not sung" for symbol in left_out]
    if times and not words:
        writing.remarks.append(f"line {number}: {text.strip()!r} stands alone, so nothing is repeated; write it at the end of a line")
    if words:
        section = len(writing.sections) - 1 if writing.sections else None
        writing.lines += [Line(words, section=section, number=number)] * count


def _tagless(row: str, number: int, writing: _Writing) -> str:
    """Takes in the bracketed tags of a line; the line without them. A section begins with the words after its tag."""
    before = ""
    at = 0
    for tag in _TAG.finditer(row):
        before += row[at : tag.start()]
        at = tag.end()
        inner = _clean(tag[1])
        if inner and not before.strip() and _names_section(inner):
            _begin(inner, number, writing)
        elif not inner or not _fact(inner, number, writing):
            writing.remarks.append(f"line {number}: the tag [{inner}] is not sung")
    return before + row[at:]


def _clean(text: str) -> str:
    return " ".join(_MARKUP.sub(" ", text).split()).removeprefix("[").removesuffix("]").strip() if text.strip() else ""


def _is_heading(text: str, marked: bool) -> bool:
    """Whether a line without brackets is a heading: it names a section and, by itself, cannot well be meant to be sung."""
    if not _names_section(text.rstrip(":")):
        return False
    name = text.rstrip(":").strip()
    if _TIMES.search(name):
        name = _TIMES.sub("", name)
    told = marked or text.endswith(":") or (name.isupper() and bool(_CAPITALS.fullmatch(name)))
    return bool(_ALONE.fullmatch(name)) or (told and bool(_NUMBERED.fullmatch(_PARTED.split(name)[0])) and len(name.split()) <= 4)


def _names_section(text: str) -> bool:
    name = _PARTED.split(text, 1)[0]
    return kind_of(name) != "other" or bool(_PARTS.match(name))


def _begin(text: str, number: int, writing: _Writing) -> None:
    """Begins the section that a heading names: `Chorus x2: soft piano`. Raises ValueError for repeats without end."""
    name, *notes = _PARTED.split(text.strip(), 1)
    count = 1
    for part in (name, *notes):
        if (times := _TIMES.search(f" {part}")) is not None:
            count = _count(times[1] or times[2], f"{writing.where}: line {number}")
    name, *notes = (_TIMES.sub("", f" {part}").strip() for part in (name, *notes))
    writing.sections.append(Section(name, next((note for note in notes if note), None)))
    writing.repeats.append(count)


def _fact(text: str, number: int, writing: _Writing) -> bool:
    """Takes in `Title: Come Home` and its like; whether it was one. Raises ValueError for a tempo or duration that is no number."""
    fact = _FACT.fullmatch(text)
    name = fact[1].lower() if fact is not None else ""
    known = next((key for key, names in FACTS.items() if name in names), None)
    if fact is None or (known is None and name not in IGNORED):
        return False
    if known is None:
        writing.remarks.append(f"line {number}: {text[:40]!r} is not sung")
    elif known in ("bpm", "duration"):
        writing.facts[known] = _measure(fact[2], known, f"{writing.where}: line {number}")
    else:
        writing.facts[known] = fact[2].strip()
    return True


def _measure(text: str, name: str, place: str) -> float:
    """A tempo or a duration."""
    if name == "duration" and re.fullmatch(STAMP, text.strip()):
        try:
            return seconds_of(text)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
    found = re.match(r"\s*(\d+(?:\.\d+)?)", text)
    value = float(found[1]) if found else 0.0
    if not 0 < value < 1e5:
        unit = "beats a minute, such as 100" if name == "bpm" else "seconds, such as 60"
        raise ValueError(f"{place}: {name} is {text[:20]!r}; write {unit}")
    return value


def _count(digits: str, place: str) -> int:
    if len(digits) > 3 or not 1 <= int(digits) <= MOST_REPEATS:
        raise ValueError(f"{place}: x{digits[:6]} is no number of times from 1 to {MOST_REPEATS}; write such as (x2)")
    return int(digits)


def _is_chords(row: str) -> bool:
    pieces = row.replace("|", " | ").split()
    chords = [piece for piece in pieces if _CHORD.fullmatch(piece.strip("()[]"))]
    telling = len(chords) > 1 or any(len(chord) > 1 for chord in chords)
    return bool(pieces) and len(chords) == len(pieces) and telling and any(piece[0] in "ABCDEFG([" for piece in pieces)


def _repeated(writing: _Writing) -> tuple[tuple[Line, ...], tuple[Section, ...]]:
    """The lines with sections sung as often as they say, and choruses without lines sung as before."""
    own: dict[int | None, list[Line]] = {}
    for line in writing.lines:
        own.setdefault(line.section, []).append(line)
    lines = list(own.get(None, []))
    for index, section in enumerate(writing.sections):
        sung = own.get(index) or _former(index, section, writing.sections, own)
        own.setdefault(index, [])
        lines += [replace(line, section=index) for line in sung] * writing.repeats[index]
    return tuple(lines), tuple(writing.sections)


def _former(index: int, section: Section, sections: list[Section], own: dict[int | None, list[Line]]) -> list[Line]:
    """The lines of the latest section of that name, or, of a chorus, of that kind."""
    earlier = [(sections[other], own[other]) for other in range(index - 1, -1, -1) if own.get(other)]
    same = [lines for other, lines in earlier if other.name.casefold() == section.name.casefold()]
    alike = [lines for other, lines in earlier if section.kind.endswith("chorus") and other.kind == section.kind]
    return next(iter(same or alike), [])


def _written_facts(sheet: Sheet) -> Iterator[tuple[str, object]]:
    for name, value in (("Title", sheet.title), ("Style", sheet.style), ("Language", sheet.language)):
        if value is not None:
            yield name, value
    for name, number in (("Tempo", sheet.bpm), ("Duration", sheet.duration)):
        if number is not None:
            yield name, f"{number:g}"


def _heading(section: Section) -> str:
    return f"[{_flat(section.name)}: {_flat(section.note)}]" if section.note else f"[{_flat(section.name)}]"


def _shown(words: tuple[SheetWord, ...]) -> str:
    pieces = []
    for index, word in enumerate(words):
        text = _flat(word.word) + ("" if word.phoneme is None else f"{{{word.phoneme}}}")
        opens = word.backing and not (index and words[index - 1].backing)
        closes = word.backing and not (index + 1 < len(words) and words[index + 1].backing)
        pieces.append("(" * opens + text + ")" * closes)
    return " ".join(pieces)


def _flat(text: str) -> str:
    return " ".join(text.translate({ord(mark): " " for mark in "[]{}()"}).split())
