"""What differs between lyrics and a mended copy of them, a line for each word, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jam.lyrics.demands import is_number, tags, without_unsung
from jam.lyrics.sheet import Line, Sheet, SheetWord
from jam.lyrics.words import label


def changes(sheet: Sheet, fixed: Sheet) -> list[str]:
    """What mending changed: `line 3, word 12 ('moon'): sung from 1.5 to 2 s, not from 1.5 to 3 s`. Nothing where nothing was changed."""
    if fixed == sheet:
        return []
    lines = [line for line, _ in sheet.placed()]
    told: list[tuple[int, str]] = []
    tagged: set[int] = set()
    for tag in tags(sheet):
        tagged |= set(range(tag.first, tag.first + tag.words))
        told.append((tag.first, f"{_place(lines, sheet.words, tag.first)}: {tag.name!r} names a section now, and is not sung"))
    pairs = _pairs(sheet.words, fixed.words, tagged)
    furthest = -1
    for index, word in enumerate(sheet.words):
        if index in tagged:
            continue
        place = _place(lines, sheet.words, index)
        if index not in pairs:
            told.append((index, f"{place}: left out"))
            continue
        told += [(index, f"{place}: {change}") for change in _differences(word, fixed.words[pairs[index]], pairs[index] < furthest)]
        furthest = max(furthest, pairs[index])
    told += [(index, change) for index, change in _line_differences(sheet, fixed, pairs)]
    return [change for _, change in sorted(told, key=lambda pair: pair[0])] or ["sections were set in order"]


def _place(lines: Sequence[Line], words: Sequence[SheetWord], index: int) -> str:
    number = lines[index].number
    name = label(index, words[index].word)
    return name if number is None else f"line {number}, {name}"


def _pairs(old: Sequence[SheetWord], new: Sequence[SheetWord], tagged: set[int]) -> dict[int, int]:
    """{index of a word: its index in the mended copy}: words of one text in the order of their times, then those that lost letters."""
    waiting: dict[str, list[int]] = {}
    for index, word in enumerate(new):
        waiting.setdefault(_key(word), []).append(index)
    pairs: dict[int, int] = {}
    timed = sorted((index for index in range(len(old)) if index not in tagged), key=lambda index: _time(old, index))
    for index in timed:
        if queue := waiting.get(_key(old[index])):
            pairs[index] = queue.pop(0)
    left = sorted(index for queue in waiting.values() for index in queue)
    for index in sorted(set(timed) - set(pairs)):
        found = next((place for place in left if new[place].word and _is_within(new[place].word, str(old[index].word))), None)
        if found is not None:
            pairs[index] = found
            left.remove(found)
    return pairs


def _key(word: SheetWord) -> str:
    return without_unsung(str(word.word)).strip() or str(word.phoneme or "")


def _time(words: Sequence[SheetWord], index: int) -> tuple[float, int]:
    """By what words of one text are told apart: when the mended copy has them begin."""
    known = [time for time in (words[index].start, words[index].end) if is_number(time)]
    return max(min(known, default=0.0), 0.0), index


def _is_within(short: str, long: str) -> bool:
    """Whether `short` is `long` without some of its signs."""
    signs = iter(long)
    return all(sign in signs for sign in short)


def _differences(old: SheetWord, new: SheetWord, moved: bool) -> Iterator[str]:
    if old.word != new.word:
        yield f"written {new.word!r} now"
    if (old.start, old.end) != (new.start, new.end):
        if new.start is None and new.end is None:
            yield f"its times, {_shown(old.start)} to {_shown(old.end)} s, are left open"
        else:
            yield f"sung from {_shown(new.start)} to {_shown(new.end)} s, not from {_shown(old.start)} to {_shown(old.end)} s"
    elif moved:
        yield f"moved to its time, {_shown(new.start)} s"
    elif old.phones != new.phones:
        yield "the times of its phones are set right" if new.phones else "the times of its phones are left open"
    for key, before, after in (("phoneme", old.phoneme, new.phoneme), ("language", old.language, new.language)):
        if before != after:
            yield f"its {key} is {after!r} now, not {before!r}"


def _shown(time: object) -> str:
    return f"{time:g}" if is_number(time) else "?" if time is None else str(time)[:20]


def _line_differences(sheet: Sheet, fixed: Sheet, pairs: dict[int, int]) -> Iterator[tuple[int, str]]:
    """Times of lines that are others now."""
    homes = [line for line in fixed.lines for _ in line.words]
    first = 0
    for number, line in enumerate(sheet.lines, start=1):
        found = next((pairs[index] for index in range(first, first + len(line.words)) if index in pairs), None)
        if found is not None and (line.start, line.end) != (homes[found].start, homes[found].end):
            new = homes[found]
            times = f"{_shown(new.start)} to {_shown(new.end)} s, not {_shown(line.start)} to {_shown(line.end)} s"
            yield first, f"line {line.number or number}: its times are {times}"
        first += len(line.words)
