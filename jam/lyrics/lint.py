"""Can these lyrics be sung as they stand? Every problem, with its place and what to do about it, before anything is sung.

Timed, partly timed and untimed sheets are judged alike, by what is known of them. What mends a sheet is `jam.lyrics.mend`, to be had from
here too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from jam.lyrics import languages
from jam.lyrics.changes import changes
from jam.lyrics.demands import Demand, Limits, Run, demands, is_number, is_time, language_of, quiet, runs, tags, unsung
from jam.lyrics.mend import fix
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.sheet import Sheet, SheetWord
from jam.lyrics.spoken import MARKS
from jam.lyrics.words import FORGIVEN_SECONDS, ROUNDING, Phone, Word, label, validate
from jam.timing import SLOT_SECONDS, seconds_to_slot

__all__ = ["Limits", "Problem", "changes", "check", "fix"]

EASY_SYLLABLES = 7.0  # a second: quicker lines are hard to follow, even rapped
EASY_WORDS = 5.0
FEW_WORDS = 3  # lines of fewer are too short for a pace
LONG_GAP = 8.0  # seconds
EASE = 4.0  # syllables a second of songs at their ease, for estimates
RANKS = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Problem:
    """Something that keeps lyrics from being sung as they are written (`error`), that will be heard (`warning`), or worth knowing (`note`).

    `code` names its kind, such as `too-dense`; `place` is where (`line 3, word 12 ('moon')`), `start` when, in seconds, where known;
    `message` says what is wrong, and `fix` what to do, "" for nothing.
    """

    level: str
    code: str
    place: str
    start: float | None
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"; {self.fix}" if self.fix else "")


Found = Iterator[tuple[int, Problem]]  # with the index of the word, by which they are ordered


def check(sheet: Sheet, phonemizer: Phonemizer, limits: Limits) -> tuple[Problem, ...]:
    """What is wrong with the lyrics: errors first, then warnings, then notes, each in the order in which they are sung.

    What `Sheet.timed` would refuse is an error, as is what would be lost or cannot be read; nothing is raised for lyrics, however bad.
    """
    song = _Song(sheet, phonemizer, limits)
    found = [problem for judge in JUDGES for problem in judge(song)]
    found.sort(key=lambda pair: (RANKS[pair[1].level], pair[0]))
    return tuple(problem for _, problem in found)


class _Song:
    """A sheet, and what all that judge it want to know of it."""

    def __init__(self, sheet: Sheet, phonemizer: Phonemizer, limits: Limits) -> None:
        self.sheet, self.phonemizer, self.limits = sheet, phonemizer, limits
        self.words = sheet.words
        self.lines = [line for line, _ in sheet.placed()]

    @cached_property
    def demands(self) -> list[Demand]:
        """What each word asks for."""
        return demands(self.sheet, self.phonemizer)

    @cached_property
    def tagged(self) -> frozenset[int]:
        """The words that belong to section tags."""
        return frozenset(index for tag in tags(self.sheet) for index in range(tag.first, tag.first + tag.words))

    def problem(self, level: str, code: str, index: int, message: str, fix: str = "") -> tuple[int, Problem]:
        """A problem of the word at `index`."""
        start = self.words[index].start
        return index, Problem(level, code, self.place(index), start if is_number(start) else None, message, fix)

    def place(self, index: int) -> str:
        """Where the word at `index` stands: `line 3, word 12 ('moon')`."""
        number = self.lines[index].number
        name = label(index, self.words[index].word)
        return f"line {number}, {name}" if number is not None else name

    def when(self, index: int) -> tuple[float, float] | None:
        """When the word at `index` is sung, None where that is unknown or makes no sense."""
        start, end = self.words[index].start, self.words[index].end
        return (start, end) if is_time(start) and is_time(end) and end >= start else None

    def grouped(self, level: str, code: str, cases: Sequence[tuple[int, str, str]]) -> Found:
        """A problem for each distinct (message, fix), at the first of its words, saying how many more there are."""
        groups: dict[tuple[str, str], list[int]] = {}
        for index, message, mending in cases:
            groups.setdefault((message, mending), []).append(index)
        for (message, mending), indices in groups.items():
            yield self.problem(level, code, indices[0], message + _more(len(indices) - 1), mending)


def _more(count: int) -> str:
    return f" (and {count} more word{'s' * (count > 1)})" if count else ""


def _texts(song: _Song) -> Found:
    """Words that hold nothing, or no text."""
    for index, word in enumerate(song.words):
        for key, value in (("word", word.word), ("language", word.language), ("phoneme", word.phoneme)):
            if not isinstance(value, str) and (key == "word" or value is not None):
                yield song.problem("error", "no-text", index, f"'{key}' is {str(value)[:40]!r}, not text", "write it in quotes")
        if isinstance(word.word, str) and not word.word.strip() and not str(word.phoneme or "").strip() and not word.phones:
            yield song.problem("error", "empty", index, "has neither text nor phoneme", "give it a word, or remove it")


def _times(song: _Song) -> Found:
    """Times that make no sense by themselves."""
    for index, word in enumerate(song.words):
        for key, value in (("start", word.start), ("end", word.end)):
            if value is None:
                continue
            if not is_number(value):
                yield song.problem("error", "no-time", index, f"'{key}' is {str(value)[:40]!r}, no time", "write seconds, such as 1.5")
            elif value < 0:
                yield song.problem("error", "negative-time", index, f"its {key} is {value:g} s", "songs begin at 0 s; shift the lyrics")
        if is_number(word.start) and is_number(word.end) and word.end < word.start:
            message = f"end {word.end:g} is before start {word.start:g}"
            yield song.problem("error", "backwards", index, message, f"exchange them, or end it after {word.start:g} s")
        elif is_time(word.start) and word.start == word.end:
            message = f"starts and ends at {word.start:g} s, so it will not be heard"
            yield song.problem("warning", "no-length", index, message, "give it a later end")


def _phones(song: _Song) -> Found:
    """Phones that do not lie one after the other in their word."""
    for index, word in enumerate(song.words):
        when = song.when(index)
        if word.phones is None or when is None:
            continue
        try:
            with quiet():
                validate([Word(*when, "a", None, None, word.phones)], "lyrics")
        except ValueError as error:
            message = str(error).removeprefix("lyrics: ").removeprefix(label(0, "a")).removeprefix(": ")
            yield song.problem("error", "phones", index, *_halves(message))


def _order(song: _Song) -> Found:
    """Words that start before the one before them, or sound into the one after them."""
    starts = [(index, word.start) for index, word in enumerate(song.words) if is_time(word.start)]
    for (before, earlier), (index, start) in itertools.pairwise(starts):
        if start < earlier:
            message = f"starts at {start:g} s, before {label(before, song.words[before].word)} at {earlier:g} s"
            yield song.problem("error", "order", index, message, "put the words in the order they are sung")
        elif (when := song.when(before)) is not None and start < when[1] - ROUNDING and song.words[index].end != start:
            message = f"sung until {when[1]:g} s, overlaps {label(index, song.words[index].word)}, which starts at {start:g} s"
            yield song.problem("warning", "overlap", before, f"{message}: the later one is heard", f"end it at {start:g} s")


def _gaps(song: _Song) -> Found:
    """Long silence between words, where no instrumental section says that it is meant."""
    timed = [(index, when) for index in range(len(song.words)) if (when := song.when(index)) is not None]
    for (before, (_, end)), (index, (start, _)) in itertools.pairwise(timed):
        if start - end > LONG_GAP and index == before + 1 and not _is_instrumental(song, before, index):
            message = f"nothing is sung for {start - end:.1f} s before it, from {end:g} s on"
            yield song.problem("warning", "gap", index, message, "shift it, or name the part between, such as [Instrumental]")


def _is_instrumental(song: _Song, before: int, index: int) -> bool:
    """Whether a section without lines lies between two words."""
    first, last = song.lines[before].section, song.lines[index].section
    begin = -1 if first is None else first
    return last is not None and last - begin > 1


def _ends(song: _Song) -> Found:
    """Words past the end of the song, or beyond what the model can sing at all."""
    limits = song.limits
    longest = f"this model sings at most {limits.canvas:.2f} s"
    if limits.duration is not None and limits.duration > limits.canvas + FORGIVEN_SECONDS:
        yield -1, Problem("error", "canvas", "song", None, f"lasts {limits.duration:g} s, but {longest}", "ask for less")
    late = [index for index, word in enumerate(song.words) if _last(word) > limits.end + FORGIVEN_SECONDS]
    if late and limits.duration is not None and limits.duration <= limits.canvas:
        message = f"is sung until {_last(song.words[late[0]]):g} s, but the song lasts {limits.duration:g} s{_more(len(late) - 1)}"
        yield song.problem("error", "past-end", late[0], message, "ask for a longer duration, or remove the word")
    elif late:
        message = f"is sung until {_last(song.words[late[0]]):g} s, but {longest}{_more(len(late) - 1)}"
        yield song.problem("error", "canvas", late[0], message, "divide the song in two")


def _last(word: SheetWord) -> float:
    """The later of a word's times that are known, else 0."""
    return max((time for time in (word.start, word.end) if is_time(time)), default=0.0)


def _room(song: _Song) -> Found:
    """Words without times that do not fit into the time they are left."""
    whole = song.sheet.timing == "none"
    for run in runs(song.sheet, song.demands, song.limits.end):
        have = max(run.end - run.begin, 0.0)
        if run.need > have:
            yield _no_room(song, run, have, whole)
        elif run.syllables > EASY_SYLLABLES * have:
            message = f"{run.syllables} syllables in {have:.2f} s are {run.syllables / have:.1f} a second: quicker than is easily sung"
            yield song.problem("warning", "too-dense", run.first, message, "give them more time, or fewer words")
    untimed = [index for index, word in enumerate(song.words) if not word.is_timed]
    if untimed:
        ease = sum(song.demands[index].syllables for index in untimed) / EASE
        count = f"{len(untimed)} of {len(song.words)} words have" if len(untimed) < len(song.words) else "no word has"
        yield -1, Problem("note", "untimed", "lyrics", None, f"{count} times: they are planned; at ease they take about {ease:.0f} s", "")
        if song.sheet.timing == "none" and ease > song.limits.end:
            message = f"at ease they take about {ease:.0f} s, but there are {song.limits.end:.2f} s: many will be hurried"
            yield -1, Problem("warning", "hurried", "lyrics", None, message, "sing fewer words, or ask for a longer song")


def _no_room(song: _Song, run: Run, have: float, whole: bool) -> tuple[int, Problem]:
    if whole:
        message = f"{len(song.words)} words take at least {run.need:.1f} s, but there are {have:g} s"
        return -1, Problem("error", "too-long", "lyrics", None, message, f"ask for at least {run.need + 1:.0f} s, or sing fewer words")
    what = "1 word without times needs" if run.words == 1 else f"{run.words} words without times need"
    message = f"{what} at least {run.need:.2f} s, but there are {have:.2f} s, from {run.begin:g} s"
    return song.problem("error", "no-room", run.first, message, "move the times beside them, or remove these")


def _pace(song: _Song) -> Found:
    """Timed lines too quick to be followed."""
    first = 0
    for line in song.sheet.lines:
        last = first + len(line.words)
        span = _span(song, first, last)
        if span > 0 and len(line.words) >= FEW_WORDS:
            syllables = sum(demand.syllables for demand in song.demands[first:last])
            fast = [
                f"{count} {kind} in {span:.2f} s are {count / span:.1f} a second"
                for count, kind, easy in ((syllables, "syllables", EASY_SYLLABLES), (len(line.words), "words", EASY_WORDS))
                if count > easy * span
            ]
            if fast:
                mending = "spread the line, or give it fewer words"
                yield song.problem("warning", "too-dense", first, f"{fast[0]}: quicker than is easily sung", mending)
        first = last


def _span(song: _Song, first: int, last: int) -> float:
    """Seconds from the first to the last of some words that are all timed; else 0."""
    times = [song.when(index) for index in range(first, last)]
    known = [when for when in times if when is not None]
    return known[-1][1] - known[0][0] if known and len(known) == len(times) else 0.0


def _slots(song: _Song) -> Found:
    """Words that lose phonemes, or all of themselves, since they have too few slots."""
    following: int | None = None  # the first slot of the word after
    problems = []
    for index in reversed(range(len(song.words))):
        when, demand = song.when(index), song.demands[index]
        if when is None or not demand.tokens or when[0] >= song.limits.end:
            continue
        first = seconds_to_slot(when[0])
        last = seconds_to_slot(min(when[1], song.limits.end + FORGIVEN_SECONDS))
        kept = last if following is None or following < first else min(last, following)
        if last > first:
            following = first
        if when[1] > when[0] and (problem := _cut(song, index, first, last, kept)) is not None:
            problems.append(problem)
    yield from problems


def _cut(song: _Song, index: int, first: int, last: int, kept: int) -> tuple[int, Problem] | None:
    """What a word loses that has the slots from `first` to `kept` of those that it was meant to have, to `last`."""
    demand, slots = song.demands[index], kept - first
    if slots < 1:
        short = f"lasts {last - first} slots of {SLOT_SECONDS:.3f} s, so it will not be heard"
        message = "is covered by the words after it, so it will not be heard" if last > first else short
        return song.problem("error", "lost", index, message, _longer(song, index, demand.tokens))
    if song.words[index].phones or slots >= demand.tokens:
        return None
    cut = "".join([symbol for symbol in demand.ipa if symbol in song.phonemizer.symbols][slots:]).removesuffix("_")
    slot = f"{slots} slot{'s' * (slots > 1)}"
    if not cut:
        return song.problem("note", "end-cut", index, f"has {slot}: its phonemes fit, but not its end", _longer(song, index, demand.tokens))
    message = f"has {slot} for {demand.tokens - 1} phonemes and its end: {cut!r} is cut"
    return song.problem("warning", "phonemes-cut", index, message, _longer(song, index, demand.tokens))


def _longer(song: _Song, index: int, slots: int) -> str:
    """How a word gets so many slots."""
    when = song.when(index)
    assert when is not None, index
    wanted = when[0] + slots * SLOT_SECONDS
    following = next((start for later in song.words[index + 1 :] if is_time(start := later.start)), song.limits.end)
    if wanted <= following:
        return f"end it at {wanted:.3f} s or later"
    return f"it wants {slots * SLOT_SECONDS:.3f} s: start it earlier, or its neighbours later"


def _phone_slots(song: _Song) -> Found:
    """Phones with times of their own that have too few slots."""
    for index, demand in enumerate(song.demands):
        if demand.phones is None or song.when(index) is None or not demand.tokens:
            continue
        cut = [phone.phoneme for phone in demand.phones if _is_cut(phone, len(song.phonemizer.ids(phone.phoneme)) - 1)]
        if cut:
            message = f"its phones {' '.join(cut)} have fewer slots of {SLOT_SECONDS:.3f} s than symbols, which are cut"
            yield song.problem("warning", "phonemes-cut", index, message, "make them longer")


def _is_cut(phone: Phone, symbols: int) -> bool:
    """Whether a phone has fewer slots than symbols."""
    known = is_time(phone.start) and is_time(phone.end)
    return known and seconds_to_slot(phone.end) - seconds_to_slot(phone.start) < symbols


def _unreadable(song: _Song) -> Found:
    """Words that nobody can read."""
    cases = []
    for index, demand in enumerate(song.demands):
        if demand.complaint is not None and index not in song.tagged:
            cases.append((index, *_halves(demand.complaint)))
    yield from song.grouped("error", "unreadable", cases)


def _symbols(song: _Song) -> Found:
    """Symbols that nobody sings, and words that are nothing else."""
    cases = []
    for index, word in enumerate(song.words):
        if index in song.tagged or not isinstance(word.word, str) or word.phoneme is not None or word.phones or not word.word.strip():
            continue
        demand = song.demands[index]
        if demand.tokens == 0 and demand.complaint is None:
            cases.append((index, f"nothing of {word.word[:40]!r} is sung", "remove it"))
        elif symbols := unsung(word.word):
            cases.append((index, f"{symbols!r} is not sung", "remove it"))
    yield from song.grouped("warning", "unsung", cases)


def _tokens(song: _Song) -> Found:
    """Symbols of IPA that the model does not know."""
    cases = []
    lost: dict[str, tuple[str, ...]] = {}
    for index, demand in enumerate(song.demands):
        if demand.ipa not in lost:
            lost[demand.ipa] = song.phonemizer.lost(demand.ipa)
        if lost[demand.ipa]:
            message = f"{' '.join(lost[demand.ipa])} of {demand.ipa!r} has no token: it is not sung"
            cases.append((index, message, "write it with other symbols"))
    yield from song.grouped("warning", "no-token", cases)


def _section_tags(song: _Song) -> Found:
    """Section tags that would be sung."""
    for tag in tags(song.sheet):
        mending = "make it a section's name" if tag.words == 1 else f"make these {tag.words} words a section's name"
        yield song.problem("error", "section-tag", tag.first, f"{tag.name!r} names a section, and would be sung", mending)


def _sections(song: _Song) -> Found:
    """Sections and lines whose times make no sense."""
    index = 0
    places: list[tuple[int, str, float | None, float | None]] = []
    for number, section in enumerate(song.sheet.sections, start=1):
        places.append((-1, f"section {number} ({section.name!r})", section.start, section.end))
    for number, line in enumerate(song.sheet.lines, start=1):
        places.append((index, f"line {line.number or number}", line.start, line.end))
        index += len(line.words)
    for index, place, start, end in places:
        known = [value for value in (start, end) if value is not None]
        if not all(map(is_time, known)) or (len(known) == 2 and known[1] < known[0]):
            message = f"its times are {start} s to {end} s"
            yield index, Problem("warning", "line-times", place, None, message, "write seconds from 0 on, the start first")
        elif known and song.limits.end + FORGIVEN_SECONDS < known[-1]:
            message = f"lasts until {known[-1]:g} s, but the song until {song.limits.end:.4g} s"
            yield index, Problem("warning", "line-times", place, start, message, "end it earlier")


def _guesses(song: _Song) -> Found:
    """Words that no dictionary has, with the pronunciation that is guessed."""
    by_language: dict[str, list[int]] = {}
    for index, word in enumerate(song.words):
        plain = word.phoneme is None and not word.phones and song.demands[index].tokens > 0 and index not in song.tagged
        if plain:
            by_language.setdefault(language_of(word, song.sheet), []).append(index)
    for language, indices in by_language.items():
        texts = [song.words[index].word for index in indices]
        guessed = song.phonemizer.guessed(texts, language)
        cases = [
            (index, f"is in no dictionary: sung as {guessed[text]!r}", f"to say it otherwise, write {text.rstrip(MARKS)}{{IPA}}")
            for index, text in zip(indices, texts, strict=True)
            if text in guessed
        ]
        yield from song.grouped("note", "guessed", cases)
        with quiet():
            exchanged = song.phonemizer.exchanged(texts, language)
        if exchanged:
            message = languages.told(language, exchanged) + _more(len(indices) - 1)
            yield song.problem("warning", "accent", indices[0], message, "the model has not heard these sounds")


def _remarks(song: _Song) -> Found:
    """What reading had to leave out or guess."""
    for remark in song.sheet.remarks:
        place, colon, message = remark.partition(": ")
        placed = bool(colon) and re.fullmatch(r"\w+ \d+", place) is not None
        yield len(song.words), Problem("note", "read", place if placed else "lyrics", None, message if placed else remark, "")


def _halves(message: str) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    wrong, _, mending = message.partition("; ")
    return wrong, mending


JUDGES: tuple[Callable[[_Song], Found], ...] = (
    *(_texts, _times, _phones, _order, _ends, _room, _slots, _phone_slots, _pace, _gaps),
    *(_unreadable, _section_tags, _sections, _symbols, _tokens, _guesses, _remarks),
)
