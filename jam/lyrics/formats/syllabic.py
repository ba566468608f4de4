"""Words that scores write syllable by syllable, joined, and sheets as scores can hold them. Knows no format and no ticks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest

from jam.lyrics.sheet import PLAN, Line, Section, Sheet, SheetWord, of_words, split
from jam.lyrics.words import Word

TICK = 5e-4  # seconds that a tick of a written score lasts at most: times return within a millisecond


@dataclass
class Token:
    """A word as it is gathered: its text so far, seconds of its begin and end, and its place in the file (`event 3`)."""

    text: str
    start: float | None
    end: float | None
    place: str


def sheet_of(rows: Iterable[Sequence[Token]], sections: Sequence[Section], where: str) -> Sheet:
    """Tokens as lines of words with what was left out as remarks; one row alone is divided where the singer rests.

    Lines lie in the sections in which they begin. Raises ValueError, naming the place, for a brace without its partner.
    """
    remarks: list[str] = []
    lines = [line for row in rows if (line := Line(_words(row, where, remarks))).words]
    if len(lines) == 1:
        lines = _divided(lines[0])
    return Sheet(tuple(replace(line, section=_section(line, sections)) for line in lines), tuple(sections), remarks=tuple(remarks))


def section_of(label: str, start: float, end: float) -> Section:
    """`Verse 1: soft piano` as a section with its note."""
    name, _, note = label.partition(":")
    return Section(name.strip(), note.strip() or None, start, end)


def sections_of(marks: Iterable[tuple[float, str]], end: float) -> tuple[Section, ...]:
    """Sections that begin at marks (seconds, label) and last until the next; a mark without text only ends the one before."""
    ordered = sorted(marks, key=lambda mark: mark[0])
    spans = pairwise([*ordered, (end, "")])
    return tuple(section_of(label, start, max(start, stop)) for (start, label), (stop, _) in spans if label.strip())


def marks_of(sheet: Sheet) -> list[tuple[float, str]]:
    """What `sections_of` reads back: the sheet's sections that have times, and an empty mark where one ends before the next."""
    marks: list[tuple[float, str]] = []
    timed = [section for section in sheet.sections if section.start is not None]
    for section, following in zip_longest(timed, timed[1:]):
        marks.append((section.start or 0.0, f"{section.name}: {section.note}" if section.note else section.name))
        if section.end is not None and (following is None or section.end < (following.start or 0.0)):
            marks.append((section.end, ""))
    return marks


def notes_of(sheet: Sheet, format: str) -> list[tuple[float, float, str, bool]]:
    """Every word as (start, end, text, whether its line ends). Raises ValueError for words without times, and words that overlap."""
    notes: list[tuple[float, float, str, bool]] = []
    for line in sheet.lines:
        for index, word in enumerate(line.words):
            if word.start is None or word.end is None:
                raise ValueError(f"the word {word.word!r} has no times; plan them: {PLAN} timed.json")
            if notes and word.start < notes[-1][1] - TICK:
                _, end, former, _ = notes[-1]
                raise ValueError(f"{former!r} ends at {end:g} s, after {word.word!r} begins, which no {format} holds; mend the times")
            notes.append((word.start, word.end, label_of(word), index + 1 == len(line.words)))
    return notes


def label_of(word: SheetWord) -> str:
    """The word as `split` reads it back: `word{IPA}`, in brackets where it is backing."""
    phoneme = word.phoneme
    if phoneme is None and not word.word and word.phones:
        phoneme = "".join(phone.phoneme for phone in word.phones)
    text = word.word + ("" if phoneme is None else f"{{{phoneme}}}")
    return f"({text})" if word.backing else text


def _words(row: Sequence[Token], where: str, remarks: list[str]) -> tuple[SheetWord, ...]:
    """The words of a row; a bracket that opens in one token holds until it is closed."""
    found: list[SheetWord] = []
    is_open = False
    for token in row:
        try:
            words, left_out = split("(" * is_open + token.text)
        except ValueError as error:
            raise ValueError(f"{where}: {token.place}: {error}") from error
        is_open = max(token.text.rfind(mark) for mark in "(\uff08") > max(token.text.rfind(mark) for mark in ")\uff09") or (
            is_open and not any(mark in token.text for mark in ")\uff09")
        )
        remarks += [f"{token.place}: {symbol!r} is not sung" for symbol in left_out]
        placed = [*words]
        if placed:
            placed[0] = replace(placed[0], start=token.start)
            placed[-1] = replace(placed[-1], end=token.end)
        found += placed
    return tuple(found)


def _divided(line: Line) -> list[Line]:
    words = [Word(word.start, word.end, word.word) for word in line.words if word.start is not None and word.end is not None]
    if len(words) < len(line.words):
        return [line]
    ends = [0]
    for part in of_words(words).lines:
        ends.append(ends[-1] + len(part.words))
    return [Line(line.words[start:end]) for start, end in pairwise(ends)]


def _section(line: Line, sections: Sequence[Section]) -> int | None:
    """The last section that has begun, and not ended, where the line begins."""
    begin = line.words[0].start
    inside = (
        index
        for index in range(len(sections) - 1, -1, -1)
        if begin is not None and (sections[index].start or 0.0) - TICK <= begin < (sections[index].end or 0.0)
    )
    return next(inside, None)
