"""A sheet as a row of pieces of time: words, rests, intro, instrumentals, outro; and the points of it whose time is given.

It says how far each piece may give way and whether the given times leave room; it knows neither the metre nor how long things usually are.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jam.lyrics import pace
from jam.lyrics.elastic import Piece
from jam.lyrics.pace import Beat, Lengths
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord
from jam.lyrics.syllables import LEAST_SYLLABLE, Sung
from jam.lyrics.words import FORGIVEN_SECONDS, label
from jam.timing import SLOT_SECONDS

METHODS = ("rules", "learned", "auto")
BACKING = ("sing", "drop")
BPM_RANGE = (20.0, 400.0)  # what a tempo can be
DENSITY_RANGE = (0.1, 10.0)
SPARE_SLOTS = 2  # beside a slot for each symbol: the word's end, and one more, since another reading may be longer
ROUNDING = 0.002  # seconds that rounding to milliseconds may take from a word
LEAST_WORD = 0.02  # seconds a word between given times that leave hardly any
LEAST_BREATH = 0.08
LEAST_LEAD = 0.3  # before the first word and after the last
SLOWEST = 2.0  # times its usual length a word is drawn out at most, where the song is longer than its words need;
DRAWN_OUT = 4.0  # where the file says when the line ends
BARS = 4  # of an instrumental section that says nothing about its length
SECTION_BEATS = 2.0  # of rest between sections, beside a breath
AROUND_GIVE, BREATH_GIVE, SECTION_GIVE, MUSIC_GIVE = 0.4, 0.6, 0.8, 0.7  # how rests and music give way when words give way by 1
NOTHING = 1e-6  # seconds: takes up time only when nothing else can
SPARE = Piece(0.0, NOTHING, give=8.0)  # before and after the words of a song that is far longer than they are

_BARS = re.compile(r"(\d+)\s*[- ]?bars?\b", re.IGNORECASE)
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:s|sec|secs|seconds?)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Knobs:
    """What a user may turn, whatever the song. None leaves it to the planner; times are in seconds.

    `density` above 1 packs syllables closer and leaves more rest; `intro` comes before the first word, `outro` after the last, `gap`
    between lines; `backing` words are sung or dropped (`sing`, `drop`); `method` is `rules`, `learned`, or `auto`, the better of the
    two; `weights` is a file of learned durations instead of those shipped.
    """

    bpm: float | None = None
    beats_per_bar: int = 4
    density: float = 1.0
    intro: float | None = None
    outro: float | None = None
    gap: float | None = None
    backing: str = "sing"
    method: str = "auto"
    weights: str | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in (("bpm", BPM_RANGE), ("beats_per_bar", (1, 32)), ("density", DENSITY_RANGE)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} is {value:g}; give a number from {low:g} to {high:g}")
        for name in ("intro", "outro", "gap"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value:g}; give seconds, 0 or more")
        for name, known in (("method", METHODS), ("backing", BACKING)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(known)}")


@dataclass
class Row:
    """The song as a row of pieces; points between them are numbered, point i before piece i."""

    pieces: list[Piece] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # the point at which each word begins,
    ends: list[int] = field(default_factory=list)  # and ends
    sections: dict[int, tuple[int, int]] = field(default_factory=dict)  # from which point to which each section is
    nails: dict[int, float] = field(default_factory=dict)  # points whose time is known, to be kept exactly,
    marks: dict[int, float] = field(default_factory=dict)  # or as far as nails leave room

    def add(self, piece: Piece) -> int:
        """Appends a piece; the number of the point after it."""
        self.pieces.append(piece)
        return self.now

    @property
    def now(self) -> int:
        """The last point."""
        return len(self.pieces)


def lay_out(sheet: Sheet, lines: Sequence[Sequence[Sung]], usual: Lengths, beat: Beat, settings: Knobs) -> Row:
    """The song as pieces that are as long as they usually are, with the times that are given."""
    row = Row()
    groups = list(_groups(sheet))
    instrumental_before = True  # what comes before the first word is the intro, unless a section is
    for place_of, (section, indexes) in enumerate(groups):
        if not indexes:
            assert section is not None
            begin = row.now
            row.sections[section] = (begin, row.add(_instrumental(sheet.sections[section], usual, beat, settings, place_of, len(groups))))
            instrumental_before = True
            continue
        row.add(_before(usual, beat, settings, len(row.starts), place_of > 0 and instrumental_before, place_of > 0))
        if not row.starts and not place_of and settings.intro is None:
            row.add(SPARE)
        begin = row.now
        row.add(Piece(0.0, NOTHING))
        for number, index in enumerate(indexes):
            _add_line(row, sheet.lines[index], lines[index], usual, settings, bool(number))
        if section is not None:
            row.sections[section] = (row.sections.get(section, (begin, 0))[0], row.add(Piece(0.0, NOTHING)))
        instrumental_before = False
    if settings.outro is None and not instrumental_before:
        row.add(SPARE)
    row.add(_after(usual, settings, bool(groups) and instrumental_before))
    for section, points in row.sections.items():
        times = (sheet.sections[section].start, sheet.sections[section].end)
        row.marks |= {point: time for point, time in zip(points, times, strict=True) if time is not None}
    return row


def _groups(sheet: Sheet) -> Iterator[tuple[int | None, list[int]]]:
    """The song's parts in order: (section, its lines); an instrumental section has no lines, lines outside sections have none."""
    empty = sorted(set(range(len(sheet.sections))) - {line.section for line in sheet.lines})
    lines: list[int] = []
    for index, line in enumerate(sheet.lines):
        if lines and line.section != sheet.lines[lines[-1]].section:
            yield sheet.lines[lines[-1]].section, lines
            lines = []
        while not lines and empty and line.section is not None and empty[0] < line.section:
            yield empty.pop(0), []
        lines.append(index)
    if lines:
        yield sheet.lines[lines[-1]].section, lines
    for index in empty:
        yield index, []


def _before(usual: Lengths, beat: Beat, settings: Knobs, word: int, follows_music: bool, is_section: bool) -> Piece:
    """The rest before the first word of a part: the intro, nothing after an instrumental, else a breath and more."""
    if follows_music:
        return Piece(0.0, NOTHING)
    if not word and not is_section:
        return _fixed(settings.intro) or Piece(min(LEAST_LEAD, usual.rests[0]), usual.rests[0], give=AROUND_GIVE)
    least = LEAST_BREATH if settings.gap is None else settings.gap
    return Piece(least, usual.rests[word] + SECTION_BEATS * beat.seconds, give=SECTION_GIVE)


def _after(usual: Lengths, settings: Knobs, follows_music: bool) -> Piece:
    """The rest after the last word."""
    if follows_music:
        return Piece(0.0, NOTHING)
    return _fixed(settings.outro) or Piece(min(LEAST_LEAD, usual.outro), usual.outro, give=AROUND_GIVE)


def _fixed(seconds: float | None) -> Piece | None:
    """A piece that lasts exactly so long; None for None."""
    return None if seconds is None else Piece(seconds, seconds, seconds)


def _instrumental(section: Section, usual: Lengths, beat: Beat, settings: Knobs, place_of: int, count: int) -> Piece:
    """A section without words: as long as its note or name says, the intro and outro as they are asked for, else some bars."""
    told = f"{section.note or ''} {section.name}"
    if place_of == 0 and settings.intro is not None:
        return Piece(settings.intro, settings.intro, settings.intro)
    if place_of == count - 1 and settings.outro is not None:
        return Piece(settings.outro, settings.outro, settings.outro)
    if (bars := _BARS.search(told)) is not None:
        return Piece(beat.seconds, max(int(bars[1]), 1) * beat.bar, give=MUSIC_GIVE)
    if (seconds := _SECONDS.search(told)) is not None:
        return Piece(beat.seconds, max(float(seconds[1]), beat.seconds), give=MUSIC_GIVE)
    lasts = BARS * beat.bar
    if place_of in (0, count - 1) and usual.rests:
        lasts = usual.rests[0] if place_of == 0 else usual.outro
    return Piece(min(beat.seconds, lasts), lasts)


def _add_line(row: Row, line: Line, words: Sequence[Sung], usual: Lengths, settings: Knobs, rests: bool) -> None:
    """A line's words and the rests between them; before the first one too, where the line `rests`."""
    for index, (word, asks) in enumerate(zip(line.words, words, strict=True)):
        number = len(row.starts)
        if index or rests:
            row.add(_rest(usual.rests[number], settings.gap if not index else None, not index))
        row.starts.append(row.now)
        most = usual.words[number] * (SLOWEST if line.end is None else DRAWN_OUT)
        row.ends.append(row.add(Piece(least_seconds(asks), usual.words[number], max(most, least_seconds(asks)))))
        start, end = _times(word)
        row.nails |= {point: time for point, time in ((row.starts[-1], start), (row.ends[-1], end)) if time is not None}
    if line.words and line.start is not None:
        row.nails.setdefault(row.starts[-len(words)], line.start)
    if line.words and line.end is not None:
        row.marks[row.add(Piece(0.0, NOTHING))] = line.end


def _times(word: SheetWord) -> tuple[float | None, float | None]:
    """When the sheet says that a word begins and ends; its phones may say it."""
    first, last = (word.phones[0].start, word.phones[-1].end) if word.phones else (None, None)
    return (word.start if word.start is not None else first), (word.end if word.end is not None else last)


def _rest(usual: float, asked: float | None, is_breath: bool) -> Piece:
    """The rest before a word within a part."""
    if asked is not None:
        return Piece(asked, asked, asked)
    return Piece(LEAST_BREATH, max(usual, LEAST_BREATH), give=BREATH_GIVE) if is_breath else Piece(0.0, usual, max(usual * 3, NOTHING))


def least_seconds(word: Sung) -> float:
    """The shortest time in which a word can be sung: of its syllables, or of the slots that its symbols need."""
    slots = word.symbols + SPARE_SLOTS if word.symbols else 0
    return max(LEAST_SYLLABLE * max(word.syllables, pace.UNVOICED), slots * SLOT_SECONDS) + ROUNDING


def reconcile(row: Row, sheet: Sheet) -> None:
    """Turns marks into nails: kept where they can be, cut by the nails around them. Raises ValueError for words that are out of order."""
    words = [word.word for word in sheet.words]
    latest = (0.0, "the song begins")
    for index, point in enumerate(row.starts):
        if point in row.nails:
            if row.nails[point] < latest[0]:
                raise ValueError(
                    f"{_where(sheet, index)}{label(index, words[index])} starts at {row.nails[point]:g} s, but {latest[1]} at "
                    f"{latest[0]:g} s; put the words in the order they are sung"
                )
            latest = (row.nails[point], f"{label(index, words[index])} starts")
    low = 0.0
    floors = {}
    for point in range(row.now + 1):
        low = max(low, row.nails.get(point, 0.0))
        floors[point] = low
    high = math.inf
    for point in range(row.now, -1, -1):
        if point in row.marks and point not in row.nails:
            row.nails[point] = min(max(row.marks[point], floors[point]), high)
        high = min(high, row.nails.get(point, math.inf))


def least(row: Row) -> float:
    """Seconds that the song takes at least: up to the last given time, and what comes after it."""
    last = max(row.nails, default=0)
    return row.nails.get(last, 0.0) + sum(piece.least for piece in row.pieces[last:])


def nail_ends(row: Row, sheet: Sheet, duration: float) -> None:
    """Nails the song's two ends and sees that the words have room. Raises ValueError where they have not."""
    if row.nails and max(row.nails.values()) > duration + FORGIVEN_SECONDS:
        last = max(row.nails.values())
        raise ValueError(f"the song lasts {duration:g} s, but times are given up to {last:g} s; ask for a duration of at least {last:g} s")
    row.nails.setdefault(0, 0.0)
    row.nails[row.now] = duration
    known = sorted(row.nails)
    for before, after in zip(known, known[1:], strict=False):
        if after > before + 1:
            _check_room(row, sheet, before, after)


def _check_room(row: Row, sheet: Sheet, before: int, after: int) -> None:
    """Raises ValueError where the pieces between two nails have too little time; between given times words may be hurried."""
    within = range(bisect.bisect_left(row.starts, before), bisect.bisect_left(row.starts, after))
    inside = [index for index in within if not {row.starts[index], row.ends[index]} <= row.nails.keys()]
    room = row.nails[after] - row.nails[before]
    least = sum(piece.least for piece in row.pieces[before:after])
    if not inside or least <= room + 1e-9:
        return
    if after == row.now:
        needed = math.ceil((row.nails[before] + least) * 10) / 10
        raise ValueError(
            f"the song lasts {row.nails[after]:g} s, too short for its {len(row.starts)} words; "
            f"ask for a duration of at least {needed:g} s, or for fewer words"
        )
    if room < LEAST_WORD * len(inside):
        index = inside[0]
        raise ValueError(
            f"{_where(sheet, index)}{label(index, sheet.words[index].word)} has no room: {len(inside)} word(s) between "
            f"{row.nails[before]:g} s and {row.nails[after]:g} s; give it times, or more time between those around it"
        )


def _where(sheet: Sheet, index: int) -> str:
    """`line 3: ` for the line of word `index`, where the file has lines."""
    for line in sheet.lines:
        if index < len(line.words):
            return f"line {line.number}: " if line.number else ""
        index -= len(line.words)
    return ""
