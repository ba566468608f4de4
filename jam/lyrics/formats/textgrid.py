"""Praat TextGrids: tiers of words, of phones, and of lines and sections. The door to praatio, which parses and writes them.

Words with their phones are what a forced aligner gives: phones of ARPAbet become IPA, others are taken for IPA. Intervals of silence are
no words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from jam.lyrics.lexicon import arpabet_to_ipa, is_arpabet
from jam.lyrics.sheet import PLAN, Line, Section, Sheet, SheetWord, of_words, split
from jam.lyrics.words import BEYOND_SECONDS, Phone, Word

WORDS = ("words", "word", "ort", "ort-mau", "kan", "text", "lyrics", "orthography", "transcript")
PHONES = ("phones", "phone", "mau", "phonemes", "phoneme", "segments", "phon", "ipa")
LINES = ("lines", "line", "utterances", "utterance", "phrases", "phrase", "sentences", "sentence")
SECTIONS = ("sections", "section", "parts", "structure")
SILENCE = ("", "sil", "sp", "spn", "<eps>", "<sil>", "<p:>", "<p>", "<usb>", "<nib>", "<unk>", "#", "_", "h#", "pau", "br", "ap")
UNHEARD = ("spn", "<unk>", "<usb>", "<nib>")  # something is said there that the aligner did not understand
ROUNDING = 1e-4  # seconds by which aligners' tiers miss each other

_TIME = re.compile(r"\s*(?:xmin|xmax)\s*=\s*(.*?)\s*$")
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")

Interval = tuple[float, float, str]


@dataclass(frozen=True)
class _Tiers:
    """The tiers that are read, an interval each (start, end, label)."""

    words: list[Interval]
    phones: list[Interval]
    lines: list[Interval]
    sections: list[Interval]


def read(text: str, where: str) -> Sheet:
    """The sheet of a TextGrid, in the long or the short text form.

    Words come from the tier `words` (or a common other name, or the only one there is) and their phones from `phones`, where it is.
    A tier of lines alone gives untimed words in timed lines. Raises ValueError for a file that is broken, has no such tier, or has
    intervals out of order.
    """
    grid = _parsed(text, where)
    remarks: list[str] = []
    tiers = _chosen(grid, where, remarks)
    words = _words(tiers, where, remarks)
    if tiers.words or not tiers.lines:
        sheet = _in_lines(words, tiers.lines)
    else:
        sheet = Sheet(tuple(_line(interval, where, remarks) for interval in tiers.lines if interval[2].strip().lower() not in SILENCE))
    sheet = _in_sections(sheet, tiers.sections)
    return replace(sheet, duration=_number(grid.get("xmax"), f"{where}: the grid's xmax"), remarks=tuple(remarks))


def write(sheet: Sheet) -> str:
    """The sheet as a long TextGrid with the tiers words, lines, and phones and sections where they are known.

    Raises ValueError for words without times, and for words or sections that overlap, which intervals cannot.
    """
    from praatio.utilities import textgrid_io

    words = [_timed(word) for word in sheet.words]
    phones = [(p.start, p.end, p.phoneme) for word in sheet.words for p in word.phones or ()]
    lines = [_whole(line) for line in sheet.lines if line.words]
    spans = [(s.start, s.end, f"{s.name}: {s.note}" if s.note else s.name) for s in sheet.sections]
    sections = [(start, end, label) for start, end, label in spans if start is not None and end is not None]
    end = max([sheet.duration or 0.0, *(interval[1] for interval in (*words, *sections))], default=1.0) or 1.0
    tiers = [("words", words), *([("phones", phones)] if phones else []), ("lines", lines), *([("sections", sections)] if sections else [])]
    grid = {"xmin": 0.0, "xmax": end, "tiers": [_tier(name, intervals, end) for name, intervals in tiers]}
    written: str = textgrid_io.getTextgridAsStr(grid, "long_textgrid", includeBlankSpaces=True)
    return written


def _parsed(text: str, where: str) -> dict[str, Any]:
    """The grid as praatio knows it. Raises ValueError in one line for what it cannot parse."""
    from praatio.utilities import errors, textgrid_io

    if "TextGrid" not in text[:200]:
        raise ValueError(f"{where}: line 1: is no TextGrid in text form; save it from Praat as text")
    for number, row in enumerate(text.split("\n"), start=1):
        if (time := _TIME.match(row)) is not None and not _NUMBER.fullmatch(time[1]):
            raise ValueError(f"{where}: line {number}: {time[1][:20]!r} is no time; write seconds, such as 1.5")
    try:
        grid: dict[str, Any] = textgrid_io.parseTextgridStr(text, includeEmptyIntervals=True)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, errors.PraatioException) as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise ValueError(f"{where}: is no whole TextGrid ({reason}); save it from Praat as text") from error
    said = re.search(r"^\s*size = (\d+)", text, flags=re.MULTILINE)
    if not grid.get("tiers") or (said and int(said[1]) != len(grid["tiers"])):
        count = len(grid.get("tiers") or [])
        raise ValueError(f"{where}: holds {count} whole tiers of {said[1] if said else 'some'}; save it from Praat again")
    return grid


def _chosen(grid: dict[str, Any], where: str, remarks: list[str]) -> _Tiers:
    tiers = [(str(tier["name"]), tier) for tier in grid["tiers"]]
    intervals = {name: tier for name, tier in tiers if tier["class"] == "IntervalTier"}
    found: dict[str, list[Interval]] = {}
    used: set[str] = set()
    for kind, names in (("words", WORDS), ("phones", PHONES), ("lines", LINES), ("sections", SECTIONS)):
        name = next((name for wanted in names for name in intervals if _plain(name) == wanted), None)
        if name is not None:
            found[kind] = _entries(intervals[name], name, where)
            used.add(name)
    if "words" not in found and "lines" not in found:
        rest = [name for name in intervals if name not in used]
        if len(rest) != 1:
            shown = ", ".join(repr(name[:20]) for name, _ in tiers[:8])
            raise ValueError(f"{where}: has no tier called words (it has {shown}); rename the tier of words to 'words'")
        found["words"] = _entries(intervals[rest[0]], rest[0], where)
        used.add(rest[0])
    remarks += [f"tier {name!r}: is not read" for name, _ in tiers if name not in used]
    return _Tiers(*(found.get(kind, []) for kind in ("words", "phones", "lines", "sections")))


def _plain(name: str) -> str:
    """A tier's name without its speaker: `Anna - words` is `words`."""
    return re.split(r"\s+-\s+|\s*/\s*", name.strip().lower())[-1]


def _entries(tier: dict[str, Any], name: str, where: str) -> list[Interval]:
    """A tier's intervals as numbers and labels. Raises ValueError for times that are none or out of order."""
    entries: list[Interval] = []
    for number, entry in enumerate(tier["entries"], start=1):
        place = f"{where}: tier {name!r}, interval {number}"
        start, end = (_number(value, place) for value in entry[:2])
        if start is None or end is None or end < start or (entries and start < entries[-1][1] - ROUNDING):
            raise ValueError(f"{place}: from {entry[0]} to {entry[1]} s is out of order; mend the tier in Praat")
        entries.append((start, end, str(entry[2]).strip()))
    return entries


def _number(value: object, place: str) -> float | None:
    try:
        number = float(str(value))
    except ValueError as error:
        raise ValueError(f"{place}: {str(value)[:20]!r} is no time; write seconds") from error
    return number if 0 <= number < BEYOND_SECONDS else None


def _words(tiers: _Tiers, where: str, remarks: list[str]) -> list[SheetWord]:
    """The words of the tier with their phones; what is no word is told where something was said."""
    found: list[SheetWord] = []
    for start, end, label in tiers.words:
        if label.lower() in SILENCE:
            if label.lower() in UNHEARD:
                remarks.append(f"tier of words: {label!r} at {start:g} s is no word and is left out")
            continue
        try:
            words, left_out = split(label)
        except ValueError as error:
            raise ValueError(f"{where}: tier of words, at {start:g} s: {error}") from error
        remarks += [f"tier of words: {symbol!r} at {start:g} s is not sung" for symbol in left_out]
        placed = [*words]
        if placed:
            placed[0] = replace(placed[0], start=start)
            placed[-1] = replace(placed[-1], end=end)
        found += placed
    return _with_phones(found, [phone for phone in tiers.phones if phone[2].lower() not in SILENCE], remarks)


def _with_phones(words: Sequence[SheetWord], phones: Sequence[Interval], remarks: list[str]) -> list[SheetWord]:
    """Words with the phones whose middle lies in them."""
    arpabet = bool(phones) and all(is_arpabet(label) for _, _, label in phones)
    given: dict[int, list[Phone]] = {}
    index = 0
    for start, end, label in phones:
        middle = (start + end) / 2
        while index < len(words) and (words[index].end or 0.0) <= middle:
            index += 1
        word = words[index] if index < len(words) else None
        if word is None or word.start is None or word.end is None or middle < word.start:
            remarks.append(f"tier of phones: {label!r} at {start:g} s lies in no word and is left out")
            continue
        ipa = arpabet_to_ipa(label.rstrip("012")) if arpabet else label
        given.setdefault(index, []).append(Phone(max(start, word.start), min(end, word.end), ipa))
    return [replace(word, phones=tuple(given[index])) if index in given else word for index, word in enumerate(words)]


def _line(interval: Interval, where: str, remarks: list[str]) -> Line:
    start, end, label = interval
    try:
        words, left_out = split(label)
    except ValueError as error:
        raise ValueError(f"{where}: tier of lines, at {start:g} s: {error}") from error
    remarks += [f"tier of lines: {symbol!r} at {start:g} s is not sung" for symbol in left_out]
    return Line(words, start, end)


def _in_lines(words: Sequence[SheetWord], lines: Sequence[Interval]) -> Sheet:
    """Words dealt out to the lines in which they begin, or to lines that rests divide."""
    spans = [(start, end) for start, end, label in lines if label.lower() not in SILENCE]
    if not all(word.is_timed for word in words):
        return Sheet((Line(tuple(words)),) if words else ())
    if not spans:
        timed = [Word(word.start or 0.0, word.end or 0.0, word.word, word.phoneme, word.language, word.phones) for word in words]
        backing = iter([word.backing for word in words])
        grouped = of_words(timed)
        rows = (replace(line, words=tuple(replace(word, backing=next(backing)) for word in line.words)) for line in grouped.lines)
        return Sheet(tuple(rows))
    groups: list[list[SheetWord]] = []
    former = -2
    for word in words:
        index = next((i for i, (start, end) in enumerate(spans) if start - ROUNDING <= (word.start or 0.0) < end), -1)
        if index != former or not groups:
            groups.append([])
        groups[-1].append(word)
        former = index
    return Sheet(tuple(Line(tuple(group)) for group in groups))


def _in_sections(sheet: Sheet, intervals: Sequence[Interval]) -> Sheet:
    """The sheet with its lines in the sections in which they begin."""
    sections = [_section(*interval) for interval in intervals if interval[2]]
    lines = []
    for line in sheet.lines:
        begin = line.words[0].start if line.words and line.words[0].start is not None else line.start
        inside = (i for i, s in enumerate(sections) if begin is not None and (s.start or 0.0) - ROUNDING <= begin < (s.end or 0.0))
        lines.append(replace(line, section=next(inside, None)))
    return replace(sheet, lines=tuple(lines), sections=tuple(sections))


def _section(start: float, end: float, label: str) -> Section:
    name, colon, note = label.strip("[]").partition(":")
    return Section(name.strip(), note.strip() or None if colon else None, start, end)


def _timed(word: SheetWord) -> Interval:
    if word.start is None or word.end is None:
        raise ValueError(f"the word {word.word!r} has no times; plan them: {PLAN} timed.TextGrid")
    return word.start, word.end, _label(word)


def _whole(line: Line) -> Interval:
    """A line from its first word to its last."""
    return _timed(line.words[0])[0], _timed(line.words[-1])[1], " ".join(_label(word) for word in line.words)


def _label(word: SheetWord) -> str:
    """The word as `split` reads it back, with its IPA where its phones do not say it."""
    ipa = "" if word.phoneme is None or (word.phones and word.word) else f"{{{word.phoneme}}}"
    text = (word.word or "") + ipa
    return f"({text})" if word.backing else text


def _tier(name: str, intervals: Sequence[tuple[float, float, str]], end: float) -> dict[str, Any]:
    kept = list(intervals)
    for start, stop, label in kept:
        if stop <= start:
            raise ValueError(f"{label!r} at {start:g} s has no length, which no TextGrid holds; mend the times")
    for former, later in pairwise(kept):
        if later[0] < former[1] - ROUNDING:
            raise ValueError(f"{former[2]!r} ends at {former[1]:g} s, after {later[2]!r} begins, which no TextGrid holds; mend the times")
    return {"class": "IntervalTier", "name": name, "xmin": 0.0, "xmax": end, "entries": list(_apart(kept))}


def _apart(intervals: Sequence[Interval]) -> Iterator[Interval]:
    """Intervals that rounding made overlap, cut where the next begins."""
    for (start, stop, label), following in zip(intervals, [*intervals[1:], None], strict=True):
        yield start, stop if following is None else min(stop, following[0]), label
