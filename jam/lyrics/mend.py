"""Lyrics mended: a copy that can be sung, as near to what was written as it goes.

Section tags become sections, what cannot be read or sung is left out, times are brought into order and into the song. Words keep their
times where nothing is wrong with them. Mending what is mended changes nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from jam.lyrics.demands import Demand, Limits, Run, Tag, demands, is_number, is_time, quiet, runs, tags, without_unsung
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord
from jam.lyrics.words import FORGIVEN_SECONDS, Phone, Word, validate
from jam.timing import SLOT_SECONDS, seconds_to_slot

ROUNDS = 20  # mending one thing may bring up another, though rarely more than once
Place = TypeVar("Place", Line, Section)
ONE_SLOT = 1.001 * SLOT_SECONDS  # seconds that hold a slot wherever they lie


def fix(sheet: Sheet, phonemizer: Phonemizer, limits: Limits) -> Sheet:
    """A mended copy, in which `jam.lyrics.lint.check` finds no error, but for languages that nobody reads.

    Words are left out where nothing else helps: past the end, or beyond what there is time for.
    """
    for _ in range(ROUNDS):
        mended = _once(sheet, phonemizer, limits)
        if mended == sheet:
            break
        sheet = mended
    return sheet


def _once(sheet: Sheet, phonemizer: Phonemizer, limits: Limits) -> Sheet:
    sheet = _readable(_without_tags(_texts(sheet)), phonemizer)
    sheet = _in_order(_times(sheet))
    sheet = _within(sheet, limits.end)
    sheet = _laid_out(sheet, demands(sheet, phonemizer), limits.end)
    sheet = _with_room(sheet, phonemizer, limits.end)
    return _words(sheet, lambda _, word: _with_phones(word, phonemizer))


def _words(sheet: Sheet, change: Callable[[int, SheetWord], SheetWord | None]) -> Sheet:
    """The sheet with each word changed, by its index, or left out; lines and sections that lose all their words go with them."""
    counter = itertools.count()
    lines = []
    for line in sheet.lines:
        words = tuple(word for old in line.words if (word := change(next(counter), old)) is not None)
        if words or not line.words:
            lines.append(line if words == line.words else replace(line, words=words))
    return _with_lines(sheet, lines)


def _with_lines(sheet: Sheet, lines: Sequence[Line]) -> Sheet:
    """The sheet with other lines, without the sections that had lines and have none of these."""
    left = {line.section for line in lines}
    gone = {line.section for line in sheet.lines} - left - {None}
    kept = [index for index in range(len(sheet.sections)) if index not in gone]
    places: dict[int | None, int | None] = {old: new for new, old in enumerate(kept)}
    moved = tuple(line if line.section is None else replace(line, section=places.get(line.section)) for line in lines)
    return replace(sheet, lines=moved, sections=tuple(sheet.sections[index] for index in kept))


def _texts(sheet: Sheet) -> Sheet:
    """Text where text belongs."""

    def change(_: int, word: SheetWord) -> SheetWord | None:
        if not isinstance(word.word, str):
            word = replace(word, word="" if word.word is None else str(word.word))
        if not isinstance(word.phoneme, str | None):
            word = replace(word, phoneme=None)
        if not isinstance(word.language, str | None):
            word = replace(word, language=None)
        return word if word.word.strip() or (word.phoneme or "").strip() or word.phones else None

    return _words(sheet, change)


# Section tags


def _without_tags(sheet: Sheet) -> Sheet:
    """The sheet with its tags as sections: what follows a tag, up to the next section, is the new section's."""
    found = {tag.first: tag for tag in tags(sheet)}
    if not found:
        return sheet
    after: dict[int, list[Section]] = {index: [] for index in range(-1, len(sheet.sections))}  # new sections, by the one they follow
    pieces: list[tuple[int, int, Line]] = []  # (section, how many new ones after it, line)
    for old, line in _cut_at_tags(sheet, found):
        if isinstance(line, Tag):
            after[old].append(Section(line.name, line.note))
        else:
            pieces.append((old, len(after[old]), line))
    return _renumbered(sheet, after, pieces)


def _cut_at_tags(sheet: Sheet, found: dict[int, Tag]) -> Iterator[tuple[int, Line | Tag]]:
    """Lines without their tags, and the tags between them, each with the section in which it stands (-1: none)."""
    index = 0
    for line in sheet.lines:
        section = -1 if line.section is None else line.section
        words: list[SheetWord] = []
        skip = 0
        for word in line.words:
            if index in found:
                if words:
                    yield section, replace(line, words=tuple(words))
                    words = []
                skip = found[index].words
                yield section, found[index]
            if skip:
                skip -= 1
            else:
                words.append(word)
            index += 1
        if words or not line.words:
            yield section, line if len(words) == len(line.words) else replace(line, words=tuple(words))


def _renumbered(sheet: Sheet, after: dict[int, list[Section]], pieces: Sequence[tuple[int, int, Line]]) -> Sheet:
    """The sheet with new sections among the old; a tag at the beginning of a section is its name."""
    opened = {old for old, new, _ in pieces if new == 0}
    sections: list[Section] = []
    places: dict[tuple[int, int], int | None] = {(-1, 0): None}
    for old in after:
        heads = [] if old < 0 else [sheet.sections[old]]
        if heads and after[old] and old not in opened:
            first = after[old][0]
            heads = [replace(heads[0], name=first.name, note=first.note)]
            places[old, 1] = places[old, 0] = len(sections)
        elif heads:
            places[old, 0] = len(sections)
        sections += heads
        for number, section in enumerate(after[old], start=1):
            if (old, number) not in places:
                places[old, number] = len(sections)
                sections.append(section)
    return replace(sheet, sections=tuple(sections), lines=tuple(replace(line, section=places[old, new]) for old, new, line in pieces))


# What can be read


def _readable(sheet: Sheet, phonemizer: Phonemizer) -> Sheet:
    """The sheet without symbols that nobody sings, without letters that nobody reads, and without words of which nothing remains."""
    plain = _words(sheet, lambda _, word: word if word.phoneme is not None or word.phones else replace(word, word=_stripped(word.word)))
    asked = demands(plain, phonemizer)

    def change(index: int, word: SheetWord) -> SheetWord | None:
        if word.phoneme is not None or word.phones:
            return word
        if asked[index].complaint is None:
            return word if asked[index].tokens else None
        if not _reads("a", word, plain, phonemizer):  # its language is what cannot be read, and there is nothing to mend
            return word
        text = "".join(sign for sign in word.word if not sign.isalpha() or _reads(sign, word, plain, phonemizer))
        return replace(word, word=text) if text and text != word.word else None

    return _words(plain, change)


def _stripped(text: str) -> str:
    return without_unsung(text).strip() if without_unsung(text) != text else text


def _reads(text: str, word: SheetWord, sheet: Sheet, phonemizer: Phonemizer) -> bool:
    """Whether `text` can be read in the language of a word."""
    try:
        with quiet():
            phonemizer.words([Word(0, 0, text, None, word.language or sheet.language)])
    except ValueError:
        return False
    return True


# Times


def _times(sheet: Sheet) -> Sheet:
    """The sheet with times that make sense: from 0 on, the start before the end; others are left to be planned."""

    def change(_: int, word: SheetWord) -> SheetWord:
        start, end = _sensible(word.start, word.end)
        return word if (start, end) == (word.start, word.end) else replace(word, start=start, end=end)

    timed = _words(sheet, change)
    return replace(timed, lines=tuple(map(_sensibly, timed.lines)), sections=tuple(map(_sensibly, timed.sections)))


def _sensibly(place: Place) -> Place:
    start, end = _sensible(place.start, place.end)
    return place if (start, end) == (place.start, place.end) else replace(place, start=start, end=end)


def _sensible(start: object, end: object) -> tuple[float | None, float | None]:
    first = start if is_number(start) else None
    last = end if is_number(end) else None
    if first is not None and last is not None and last < first:
        first, last = last, first
    if last is not None and last < 0:
        first = last = None
    if first is not None and first < 0:
        first = None if last is None else 0.0
    return first, last


def _in_order(sheet: Sheet) -> Sheet:
    """The words by their starts; those without stay behind the ones they follow."""
    entries: list[tuple[float, int, SheetWord]] = []
    now = 0.0
    for number, line in enumerate(sheet.lines):
        now = line.start if is_time(line.start) else now
        for word in line.words:
            now = word.start if is_time(word.start) else now
            entries.append((now, number, word))
    if all(before[0] <= after[0] for before, after in itertools.pairwise(entries)):
        return sheet
    entries.sort(key=lambda entry: entry[0])
    pieces = [(number, tuple(word for _, _, word in group)) for number, group in itertools.groupby(entries, key=lambda entry: entry[1])]
    return _with_lines(sheet, [_piece(sheet.lines[number], words) for number, words in pieces])


def _piece(line: Line, words: tuple[SheetWord, ...]) -> Line:
    """Some words of a line, without its times where they are not all."""
    return replace(line, words=words) if len(words) == len(line.words) else replace(line, words=words, start=None, end=None)


def _within(sheet: Sheet, end: float) -> Sheet:
    """The sheet without what begins past the end, and nothing of it sung past the end."""
    late = {index for index, (line, word) in enumerate(sheet.placed()) if _begins(word, line) > end - ONE_SLOT}

    def change(index: int, word: SheetWord) -> SheetWord | None:
        if index in late:
            return None
        return replace(word, end=end) if word.end is not None and word.end > end + FORGIVEN_SECONDS else word

    kept = _words(sheet, change)
    lines, sections = tuple(_until(line, end) for line in kept.lines), tuple(_until(section, end) for section in kept.sections)
    return replace(kept, lines=lines, sections=sections)


def _begins(word: SheetWord, line: Line) -> float:
    """When a word begins at the earliest."""
    known = (word.start, line.start) if word.start is None and word.end is None else (word.start,)
    return next((time for time in known if time is not None), 0.0)


def _until(place: Place, end: float) -> Place:
    if place.start is not None and place.start > end - ONE_SLOT:
        return replace(place, start=None, end=None)
    return replace(place, end=end) if place.end is not None and place.end > end + FORGIVEN_SECONDS else place


@dataclass
class _Timed:
    """A timed word while it is laid out: its index, its times, the slots it wants, and those without which it is lost."""

    index: int
    start: float
    end: float
    slots: int
    least: float  # seconds

    @property
    def want(self) -> float:
        """Seconds that hold its slots wherever they lie."""
        return self.slots * ONE_SLOT

    def holds(self, end: float, slots: int) -> bool:
        """Whether so many slots lie between its start and `end`."""
        return seconds_to_slot(end) - seconds_to_slot(self.start) >= slots


def _laid_out(sheet: Sheet, asked: Sequence[Demand], end: float) -> Sheet:
    """The timed words one after the other: overlaps cut, and words that are too short lengthened into the rest after them.

    The word after one that has no such rest starts later by what it can spare. Every word has a slot at least: those that find none leave.
    """
    words = [_timed(index, word, asked[index]) for index, word in enumerate(sheet.words) if word.is_timed]
    fitting = sum(total <= end for total in itertools.accumulate(_up(word.least) for word in words))
    gone = {word.index for word in words[fitting:]}
    words = words[:fitting]
    _place_starts(words, end)
    _place_ends(words, end)
    placed = {word.index: (word.start, word.end) for word in words}

    def change(index: int, word: SheetWord) -> SheetWord | None:
        start, end = placed.get(index, (word.start, word.end))
        return None if index in gone else word if (start, end) == (word.start, word.end) else replace(word, start=start, end=end)

    return _halves_freed(_words(sheet, change))


def _halves_freed(sheet: Sheet) -> Sheet:
    """The sheet without single times that lie within a word before: their words are left to be planned."""
    now = 0.0

    def change(_: int, word: SheetWord) -> SheetWord:
        nonlocal now
        if word.start is not None and word.end is not None:
            now = word.end
        elif (word.start is not None and word.start < now) or (word.end is not None and word.end <= now):
            return replace(word, start=None, end=None)
        return word

    return _words(sheet, change)


def _timed(index: int, word: SheetWord, demand: Demand) -> _Timed:
    assert word.start is not None and word.end is not None, word
    slots = min(demand.tokens, 1) if word.phones else demand.tokens  # phones have their own times
    return _Timed(index, word.start, word.end, slots, ONE_SLOT if demand.tokens else 0.0)


def _place_starts(words: Sequence[_Timed], end: float) -> None:
    """Starts each word late enough for the one before it, and early enough for those after it."""
    latest = end
    limits = []
    for word in reversed(words):
        latest = _down(latest - word.least)
        limits.append(latest)
    written = [word.start for word in words] + [end]
    for number, (word, limit) in enumerate(zip(words, reversed(limits), strict=True)):
        if number:
            before = words[number - 1]
            if word.start < before.start + before.least:
                word.start = _up(before.start + before.least)
            if not before.holds(word.start, before.slots - 1):
                spared = _down(written[number + 1] - word.want)
                word.start = max(word.start, min(_up(before.start + before.want), spared))
        word.start = min(word.start, max(limit, 0.0))


def _place_ends(words: Sequence[_Timed], end: float) -> None:
    """Ends each word before the one after it; late enough for its slots, where that leaves room."""
    for word, following in zip(words, [*(word.start for word in words[1:]), end], strict=False):
        forgiven = FORGIVEN_SECONDS if word is words[-1] else 0.0
        if not word.holds(word.end, word.slots):
            word.end = max(word.end, min(_up(word.start + word.want), following))
        word.end = max(min(word.end, following + forgiven), word.start)


def _up(seconds: float) -> float:
    """Rounded up to a millisecond."""
    return math.ceil(seconds * 1000 - 1e-6) / 1000


def _down(seconds: float) -> float:
    """Rounded down to a millisecond."""
    return math.floor(seconds * 1000 + 1e-6) / 1000


def _with_phones(word: SheetWord, phonemizer: Phonemizer) -> SheetWord:
    """The word with the phones that lie within its times; without their times where they make no sense."""
    if word.phones is None or _are_good(word):
        return word
    if word.is_timed and all(is_time(phone.start) and is_time(phone.end) and isinstance(phone.phoneme, str) for phone in word.phones):
        clipped = replace(word, phones=tuple(_clipped(word, word.phones)) or None)
        if clipped.phones and _are_good(clipped):
            return clipped
    if word.phoneme is not None:
        return replace(word, phones=None)
    [asked] = demands(Sheet((Line((word,)),)), phonemizer)
    return replace(word, phones=None, phoneme=asked.ipa or None)


def _are_good(word: SheetWord) -> bool:
    """Whether the word's phones can be sung; those of a word without times cannot."""
    if word.start is None or word.end is None:
        return False
    try:
        with quiet():
            validate([Word(word.start, word.end, "a", None, None, word.phones)], "lyrics")
    except ValueError:
        return False
    return True


def _clipped(word: SheetWord, phones: Sequence[Phone]) -> Iterator[Phone]:
    """What of the phones lies within the word's times, and after the phone before."""
    now, last = word.start or 0.0, word.end or 0.0
    for phone in phones:
        start, end = max(phone.start, now), min(phone.end, last)
        if start < end:
            yield replace(phone, start=start, end=end)
            now = end


# Room for words without times


def _with_room(sheet: Sheet, phonemizer: Phonemizer, end: float) -> Sheet:
    """The sheet with room for its words without times: times that leave none are given up, and at the end of the song words."""
    while True:
        asked = demands(sheet, phonemizer)
        tight = [run for run in runs(sheet, asked, end) if run.need > max(run.end - run.begin, 0.0)]
        if not tight:
            return sheet
        for run in tight:
            if run.bound is not None:
                sheet = _given_up(sheet, *run.bound)
        if tight[-1].bound is None:
            sheet = _shortened(sheet, tight[-1], asked)


def _given_up(sheet: Sheet, kind: str, number: int, key: str) -> Sheet:
    """The sheet without a time: that of a line, or both of a word."""
    if kind == "word":
        return _words(sheet, lambda index, word: replace(word, start=None, end=None) if index == number else word)
    line = sheet.lines[number]
    line = replace(line, start=None) if key == "start" else replace(line, end=None)
    return replace(sheet, lines=(*sheet.lines[:number], line, *sheet.lines[number + 1 :]))


def _shortened(sheet: Sheet, run: Run, asked: Sequence[Demand]) -> Sheet:
    """The sheet without the last words of a run that are too many."""
    totals = itertools.accumulate(asked[index].least for index in range(run.first, run.first + run.words))
    fitting = sum(total <= max(run.end - run.begin, 0.0) for total in totals)
    gone = range(run.first + fitting, run.first + run.words)
    return _words(sheet, lambda index, word: None if index in gone else word)
