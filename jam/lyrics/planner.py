"""Times for words that have none: a sheet becomes one whose every word is timed, by tempo, metre, syllables and stress.

What a sheet knows (times of words, lines, sections) is kept exactly and the rest is laid out around it. Usual lengths come from
`jam.lyrics.pace` (rules) or `jam.lyrics.durations` (learned); all of them are stretched alike until they fill the song, then lines begin
on beats, sections on bars, and stressed syllables move to the beat. Knows no file format and no sound.
"""

from __future__ import annotations

import bisect
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

import numpy as np

from jam.lyrics import durations, pace
from jam.lyrics.elastic import Piece, place
from jam.lyrics.pace import Beat, Lengths
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord
from jam.lyrics.syllables import Sung, sung
from jam.lyrics.words import FORGIVEN_SECONDS, label
from jam.randomness import generator
from jam.timing import FRAME_RATE, SLOTS_PER_FRAME

logger = logging.getLogger(__name__)

BPM = 100.0  # where nobody says
METHODS = ("rules", "learned", "auto")
BACKING = ("sing", "drop")
LEAST_SYLLABLE = 0.12  # seconds; nobody sings faster for long
SPARE_SLOTS = 2  # beside a slot for each symbol: the word's end, and one more, since another reading may be longer
ROUNDING = 0.002  # seconds that rounding to milliseconds may take from a word
LEAST_WORD = 0.02  # seconds a word between given times that leave hardly any
LEAST_BREATH = 0.08
HASTE, LEISURE = 0.5, 1.6  # times its usual length within which the learned durations know songs
LEAST_LEAD = 0.3  # before the first word and after the last
SLOWEST = 2.0  # times its usual length a word is drawn out at most, where the song is longer than its words need;
DRAWN_OUT = 4.0  # where the file says when the line ends
BARS = 4  # of an instrumental section that says nothing about its length
SECTION_BEATS = 2.0  # of rest between sections, beside a breath
PULL = 0.25  # of a syllable: a stressed one moves to the beat no further
JITTER = 0.15  # relative, of rests and held words, by which plans of different seeds differ
AROUND_GIVE, BREATH_GIVE = 0.4, 0.6  # how intro and outro, and rests, give way when words give way by 1
NOTHING = 1e-6  # seconds: takes up time only when nothing else can

SPARE = Piece(
    0.0, 1e-3, give=4.0
)  # before and after the singing, in a song far longer than its words: nothing, until all else is stretched
ENGLISH = "en"
SLOT = 1 / (FRAME_RATE * SLOTS_PER_FRAME)

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


@dataclass(frozen=True)
class PlanSettings(Knobs):
    """The knobs, and what belongs to one song: its `duration`, when its `sections` are, by name, and the `seed` of small choices (0: none).

    A name that several sections have means the first; `Chorus 2` is the second that is called `Chorus`, unless one is called so.
    """

    duration: float | None = None
    sections: Mapping[str, tuple[float, float]] | None = None
    seed: int = 0


@dataclass
class _Row:
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


def plan(sheet: Sheet, ipa_of: Callable[[Sequence[str]], Sequence[str]], settings: PlanSettings | None = None) -> Sheet:
    """The sheet with times (seconds, to the millisecond) for all its words, spans for its sections, a tempo and a duration.

    `ipa_of` gives the IPA of words, as `Phonemizer.ipa` does; it is asked for words without one, in English. Words are in order, do not
    overlap beyond what the sheet itself says, and end within the duration. The same sheet and settings give the same times.

    Raises ValueError, in one line, for settings that mean nothing, for a duration too short for the words (telling the least that
    works), for given times that are out of order or leave no room, and for what `ipa_of` refuses.
    """
    settings = settings or PlanSettings()
    _check(settings)
    sheet = _to_sing(sheet, settings.backing == "drop")
    sheet = replace(sheet, sections=_asked(sheet.sections, settings.sections))
    bpm = settings.bpm or sheet.bpm or BPM
    beat = Beat(60.0 / bpm, settings.beats_per_bar)
    lines = measured(sheet, ipa_of)
    duration = settings.duration or sheet.duration

    def laid_out(usual: Lengths) -> _Row:
        row = _row(sheet, lines, _varied(usual, settings.seed), beat, settings)
        _reconcile(row, sheet)
        return row

    rules = pace.by_rules(lines, beat, settings.density)
    row = laid_out(rules)
    if duration is None:
        duration = _proposed(row, beat, settings)
    if sheet.words and _is_learned(settings):
        row = laid_out(_learned(lines, beat, rules, row, duration, settings))
    _finish(row, sheet, duration)
    _snap(row, sheet, beat)
    points = place(row.pieces, row.nails)
    _stress(points, row, lines, beat)
    return replace(_filled(sheet, row, _rounded(points, row)), bpm=bpm, duration=duration)


def _check(settings: PlanSettings) -> None:
    """Raises ValueError for settings that mean nothing."""
    for name in ("bpm", "beats_per_bar", "density", "duration"):
        value = getattr(settings, name)
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} is {value:g}; give a number above 0")
    for name in ("intro", "outro", "gap"):
        value = getattr(settings, name)
        if value is not None and not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value:g}; give seconds, 0 or more")
    for name, known in (("method", METHODS), ("backing", BACKING)):
        if getattr(settings, name) not in known:
            raise ValueError(f"{name} is {getattr(settings, name)!r}; choose one of {', '.join(known)}")


def _is_learned(settings: PlanSettings) -> bool:
    """Whether the method means the learned durations; `auto` does where there are some."""
    known = settings.weights is not None or durations.weights_path().is_file()
    return settings.method == "learned" or (settings.method == "auto" and known)


def _learned(lines: Sequence[Sequence[Sung]], beat: Beat, rules: Lengths, row: _Row, duration: float, settings: PlanSettings) -> Lengths:
    """The learned lengths for the part of the song that is not instrumental, which is asked for no more and no less than it can fill."""
    whole = sum(rules.words) + sum(rules.rests) + rules.outro
    share = whole / sum(max(piece.usual, piece.least) for piece in row.pieces)
    seconds = min(max(duration * share, whole * HASTE), whole * LEISURE)
    path = durations.weights_path() if settings.weights is None else Path(settings.weights)
    found = durations.by_model(durations.Text(tuple(map(tuple, lines)), beat, seconds), path)
    return replace(found, words=tuple(length / settings.density for length in found.words))


def _to_sing(sheet: Sheet, drops_backing: bool) -> Sheet:
    """The sheet without lines that have no words, and perhaps without its backing words."""
    lines = [replace(line, words=tuple(word for word in line.words if not (drops_backing and word.backing))) for line in sheet.lines]
    return replace(sheet, lines=tuple(line for line in lines if line.words))


def _asked(sections: tuple[Section, ...], spans: Mapping[str, tuple[float, float]] | None) -> tuple[Section, ...]:
    """The sections with the spans that are asked for by name."""
    found = list(sections)
    for name, (start, end) in (spans or {}).items():
        if not 0 <= start < end:
            raise ValueError(f"section {name!r} from {start:g} s to {end:g} s: give its start and a later end, in seconds")
        index = _named(sections, name)
        found[index] = replace(found[index], start=float(start), end=float(end))
    return tuple(found)


def _named(sections: Sequence[Section], name: str) -> int:
    """The section that a name means."""
    names = [section.name.casefold().strip() for section in sections]
    wanted = name.casefold().strip()
    if wanted in names:
        return names.index(wanted)
    numbered = re.fullmatch(r"(.*\S)\s+(\d+)", wanted)
    same = [index for index, known in enumerate(names) if numbered and known == numbered[1]]
    if numbered and 1 <= int(numbered[2]) <= len(same):
        return same[int(numbered[2]) - 1]
    raise ValueError(f"section {name!r} is not in the lyrics; they have {', '.join(s.name for s in sections) or 'no sections'}")


def measured(sheet: Sheet, ipa_of: Callable[[Sequence[str]], Sequence[str]]) -> list[list[Sung]]:
    """What each word of each line asks for. Words of other languages, which `ipa_of` need not read, are judged by their spelling."""
    asked = dict.fromkeys(word.word for word in sheet.words if _is_english(word, sheet) and _ipa(word) is None)
    known = dict(zip(asked, ipa_of(list(asked)), strict=True)) if asked else {}

    def asks(word: SheetWord) -> Sung:
        given = _ipa(word)
        return sung(word.word, known.get(word.word) if given is None else given)

    return [[asks(word) for word in line.words] for line in sheet.lines]


def _is_english(word: SheetWord, sheet: Sheet) -> bool:
    return (word.language or sheet.language or ENGLISH).lower().startswith(ENGLISH)


def _ipa(word: SheetWord) -> str | None:
    """The IPA that the sheet itself gives for a word."""
    return "".join(phone.phoneme for phone in word.phones) if word.phones and word.phoneme is None else word.phoneme


def _varied(usual: Lengths, seed: int) -> Lengths:
    """The lengths a little changed by the seed; 0 changes nothing."""
    if not seed:
        return usual
    import torch

    draws = torch.randn(2, len(usual.words), generator=generator("planner", seed)).mul(JITTER).exp().tolist()
    words = [length * factor**0.3 for length, factor in zip(usual.words, draws[0], strict=True)]
    return Lengths(tuple(words), tuple(rest * factor for rest, factor in zip(usual.rests, draws[1], strict=True)), usual.outro)


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


def _row(sheet: Sheet, lines: Sequence[Sequence[Sung]], usual: Lengths, beat: Beat, settings: PlanSettings) -> _Row:
    """The song as pieces that are as long as they usually are, with the times that are given."""
    row = _Row()
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


def _before(usual: Lengths, beat: Beat, settings: PlanSettings, word: int, follows_music: bool, is_section: bool) -> Piece:
    """The rest before the first word of a part: the intro, nothing after an instrumental, else a breath and more."""
    if follows_music:
        return Piece(0.0, NOTHING)
    if not word and not is_section:
        return _fixed(settings.intro) or Piece(min(LEAST_LEAD, usual.rests[0]), usual.rests[0], give=AROUND_GIVE)
    least = LEAST_BREATH if settings.gap is None else settings.gap
    return Piece(least, usual.rests[word] + SECTION_BEATS * beat.seconds, give=0.8)


def _after(usual: Lengths, settings: PlanSettings, follows_music: bool) -> Piece:
    """The rest after the last word."""
    if follows_music:
        return Piece(0.0, NOTHING)
    return _fixed(settings.outro) or Piece(min(LEAST_LEAD, usual.outro), usual.outro, give=AROUND_GIVE)


def _fixed(seconds: float | None) -> Piece | None:
    """A piece that lasts exactly so long; None for None."""
    return None if seconds is None else Piece(seconds, seconds, seconds)


def _instrumental(section: Section, usual: Lengths, beat: Beat, settings: PlanSettings, place_of: int, count: int) -> Piece:
    """A section without words: as long as its note or name says, the intro and outro as they are asked for, else some bars."""
    told = f"{section.note or ''} {section.name}"
    if place_of == 0 and settings.intro is not None:
        return Piece(settings.intro, settings.intro, settings.intro)
    if place_of == count - 1 and settings.outro is not None:
        return Piece(settings.outro, settings.outro, settings.outro)
    if (bars := _BARS.search(told)) is not None:
        return Piece(beat.seconds, max(int(bars[1]), 1) * beat.bar, give=0.7)
    if (seconds := _SECONDS.search(told)) is not None:
        return Piece(beat.seconds, max(float(seconds[1]), beat.seconds), give=0.7)
    lasts = BARS * beat.bar
    if place_of in (0, count - 1) and usual.rests:
        lasts = usual.rests[0] if place_of == 0 else usual.outro
    return Piece(min(beat.seconds, lasts), lasts)


def _add_line(row: _Row, line: Line, words: Sequence[Sung], usual: Lengths, settings: PlanSettings, rests: bool) -> None:
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
    return max(LEAST_SYLLABLE * max(word.syllables, pace.UNVOICED), slots * SLOT) + ROUNDING


def _reconcile(row: _Row, sheet: Sheet) -> None:
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


def _where(sheet: Sheet, index: int) -> str:
    """`line 3: ` for the line of word `index`, where the file has lines."""
    for line in sheet.lines:
        if index < len(line.words):
            return f"line {line.number}: " if line.number else ""
        index -= len(line.words)
    return ""


def _proposed(row: _Row, beat: Beat, settings: PlanSettings) -> float:
    """A duration in which everything lasts as usual, a whole number of bars where nothing is given."""
    if not row.starts and not row.sections:
        raise ValueError("an instrumental without sections has no length of its own; give a duration")
    last = max((point for point in row.nails), default=0)
    tail = sum(min(max(piece.usual, piece.least), piece.most) for piece in row.pieces[last:])
    seconds = max([0.0, *row.nails.values()]) + tail
    if row.nails or settings.outro is not None:
        return math.ceil(seconds * 100 - 1e-6) / 100
    return round(math.ceil(seconds / beat.bar - 1e-6) * beat.bar, 3)


def _finish(row: _Row, sheet: Sheet, duration: float) -> None:
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


def _check_room(row: _Row, sheet: Sheet, before: int, after: int) -> None:
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


def _snap(row: _Row, sheet: Sheet, beat: Beat) -> None:
    """Nails the beginnings of lines to beats, of sections to bars, where there is room and nothing else is said."""
    points = place(row.pieces, row.nails)
    least = np.concatenate([[0.0], np.cumsum([piece.least for piece in row.pieces])])
    known = sorted(row.nails)
    firsts = {point for point, _ in row.sections.values()}
    number = 0
    for line in sheet.lines:
        point = row.starts[number] if line.words else -1
        number += len(line.words)
        if point < 0 or point in row.nails or _is_settled(row, known[bisect.bisect(known, point) - 1], point):
            continue
        grid = beat.bar if point - 1 in firsts and abs(_nearest(points[point], beat.bar) - points[point]) <= beat.seconds else beat.seconds
        time = round(_nearest(points[point], grid), 3)
        position = bisect.bisect(known, point)
        before, after = known[position - 1], known[position]
        fits_before = time - row.nails[before] >= least[point] - least[before]
        if fits_before and row.nails[after] - time >= least[after] - least[point]:
            row.nails[point] = time
            known.insert(position, point)


def _is_settled(row: _Row, nail: int, point: int) -> bool:
    """Whether nothing between a nail and a point gives way, so that the point's time is as good as given."""
    return all(piece.least == piece.most or piece.usual <= NOTHING for piece in row.pieces[nail:point])


def _nearest(time: float, grid: float) -> float:
    return round(time / grid) * grid


def _stress(points: np.ndarray, row: _Row, lines: Sequence[Sequence[Sung]], beat: Beat) -> None:
    """Moves the borders between a line's words, in place, so that stressed syllables meet the beat or a simple part of it."""
    number = 0
    for line in lines:
        for index, word in enumerate(line):
            if index and not word.is_small and word.syllables:
                _pull(points, row, number + index, word, beat)
        number += len(line)


def _pull(points: np.ndarray, row: _Row, index: int, word: Sung, beat: Beat) -> None:
    """Moves the beginning of word `index`, and the end of the one before it with it, if both are free."""
    before, start, end = row.ends[index - 1], row.starts[index], row.ends[index]
    if start in row.nails or before in row.nails:
        return
    syllable = (points[end] - points[start]) / word.syllables
    grid = min((beat.seconds / part for part in pace.PARTS), key=lambda length: abs(math.log(length / max(syllable, SLOT))))
    onset = points[start] + syllable * word.stressed
    on_beat, on_grid = _nearest(onset, beat.seconds), _nearest(onset, grid)
    shift = (on_beat if abs(on_beat - onset) <= grid / 2 else on_grid) - onset
    shift *= abs(shift) <= PULL * syllable
    earliest = points[row.starts[index - 1]] + row.pieces[row.starts[index - 1]].least - points[before]
    latest = points[end] - row.pieces[start].least - points[start]
    if earliest <= shift <= latest:
        points[before : start + 1] += shift


def _rounded(points: np.ndarray, row: _Row) -> list[float]:
    """The points to the millisecond; given ones exactly, and none beyond a given one."""
    times = [round(float(point), 3) for point in points]
    for point, time in row.nails.items():
        times[point] = time
    known = sorted(row.nails)
    for before, after in zip(known, known[1:], strict=False):
        for point in range(before + 1, after):
            times[point] = max(min(times[point], row.nails[after]), row.nails[before])
    return times


def _filled(sheet: Sheet, row: _Row, times: Sequence[float]) -> Sheet:
    """The sheet with the times of its words and sections."""
    edges = iter(zip(row.starts, row.ends, strict=True))
    lines = []
    for line in sheet.lines:
        words = []
        for word in line.words:
            start, end = next(edges)
            words.append(replace(word, start=times[start], end=times[end]))
        lines.append(replace(line, words=tuple(words)))
    return replace(sheet, lines=tuple(lines), sections=_spans(sheet, row, times))


def _spans(sheet: Sheet, row: _Row, times: Sequence[float]) -> tuple[Section, ...]:
    """The sections with their spans; each lasts until the next begins, unless the sheet says otherwise."""
    order = sorted(row.sections, key=lambda section: row.sections[section])
    found = list(sheet.sections)
    for section, following in zip_longest(order, order[1:]):
        begin, end = row.sections[section]
        until = end if following is None else row.sections[following][0]
        known = sheet.sections[section]
        start = known.start if known.start is not None else times[begin]
        stop = known.end if known.end is not None else times[until]
        found[section] = replace(known, start=start, end=max(stop, start))
    return tuple(found)
