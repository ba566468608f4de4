"""What every word of a sheet asks of its singer: how it is said, the slots and syllables it needs, or why nobody can read it.

Also what stands among the words and is not to be sung: section tags, and symbols. Knows nothing of durations, and judges nothing
(`jam.lyrics.lint` does).
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from numbers import Real
from typing import TypeGuard

from jam.lyrics.phonemes import LANGUAGE, Phonemizer
from jam.lyrics.sheet import Sheet, SheetWord, is_sung
from jam.lyrics.spoken import spoken
from jam.lyrics.syllables import LEAST_SYLLABLE, count
from jam.lyrics.words import BEYOND_SECONDS, Phone, Word, label
from jam.timing import SLOT_SECONDS

_NAME = r"(?:pre-?|post-?)?(?:verse|chorus|bridge|intro|outro|refrain|interlude|instrumental|coda)"
_NUMBERED = re.compile(rf"{_NAME}(?: (?:\d+|[ivx]+))", re.IGNORECASE)
_WITH_COLON = re.compile(rf"({_NAME}(?: (?:\d+|[ivx]+|[a-d]))?):", re.IGNORECASE)
_ALONE = re.compile(_NAME, re.IGNORECASE)
TAG_WORDS = 8  # a bracket that does not close within so many words opens no tag

_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|\{\\[^{}]*\}")  # <i>, {\an8}
_UNSUNG = frozenset("*_[]{}<>\\|~^\ufe0e\ufe0f")
_JOINERS = frozenset("\u200c\u200d")  # between letters of some scripts they belong to the spelling


@dataclass(frozen=True)
class Demand:
    """What a word asks for.

    `ipa` is how it is said ("": not at all), `tokens` the slots that its symbols and its end want, `syllables` those it is sung with,
    `complaint` why it cannot be read, None where it can, and `phones` its phones in the phonemizer's signs.
    """

    ipa: str = ""
    tokens: int = 0
    syllables: int = 0
    complaint: str | None = None
    phones: tuple[Phone, ...] | None = None

    @property
    def least(self) -> float:
        """Seconds without which it cannot be sung whole."""
        return max(self.tokens * SLOT_SECONDS, self.syllables * LEAST_SYLLABLE)


@dataclass(frozen=True)
class Tag:
    """`words` words from index `first` of a sheet on that name a section, and are not lyrics."""

    first: int
    words: int
    name: str
    note: str | None = None


@dataclass(frozen=True)
class Limits:
    """What can be sung: `duration` seconds of the song (None: as long as the model can), `canvas` seconds of the model's longest song."""

    duration: float | None
    canvas: float

    @property
    def end(self) -> float:
        """When singing has to end."""
        return self.canvas if self.duration is None else min(self.duration, self.canvas)


@dataclass(frozen=True)
class Run:
    """`words` words without times from index `first` on, which need at least `need` seconds (`syllables` syllables) from `begin` to `end`.

    `bound` is what ends the time they have: index and name of a word's time, of a line's, or None, the end of the song.
    """

    first: int
    words: int
    syllables: int
    need: float
    begin: float
    end: float
    bound: tuple[str, int, str] | None


def runs(sheet: Sheet, asked: Sequence[Demand], end: float) -> list[Run]:
    """The words without times, between the times that are known; `end` is when the song ends."""
    found: list[Run] = []
    open_: list[int] = []
    begin = 0.0
    for now, bound, word in _moments(sheet):
        if word is not None:
            open_.append(word)
            continue
        if open_:
            found.append(_run(open_, asked, begin, now, bound))
        begin, open_ = max(now, 0.0), []
    if open_:
        found.append(_run(open_, asked, begin, end, None))
    return found


def _run(indices: Sequence[int], asked: Sequence[Demand], begin: float, end: float, bound: tuple[str, int, str] | None) -> Run:
    wants = [asked[index] for index in indices]
    return Run(indices[0], len(indices), sum(want.syllables for want in wants), sum(want.least for want in wants), begin, end, bound)


def _moments(sheet: Sheet) -> Iterator[tuple[float, tuple[str, int, str] | None, int | None]]:
    """The sheet's known times with whose they are, and between them the words without."""
    index = 0
    for number, line in enumerate(sheet.lines):
        if is_time(line.start):
            yield line.start, ("line", number, "start"), None
        for word in line.words:
            if is_time(word.start):
                yield word.start, ("word", index, "start"), None
            if not (is_time(word.start) and is_time(word.end)):
                yield 0.0, None, index
            if is_time(word.end):
                yield word.end, ("word", index, "end"), None
            index += 1
        if is_time(line.end):
            yield line.end, ("line", number, "end"), None


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is a number that could be seconds: finite, no bool."""
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, Real)):
        return False
    return abs(float(value)) < BEYOND_SECONDS


def is_time(value: object) -> TypeGuard[float]:
    """Whether `value` is a moment of a song, in seconds."""
    return is_number(value) and value >= 0


def demands(sheet: Sheet, phonemizer: Phonemizer) -> list[Demand]:
    """What each of the sheet's words asks for, in their order. Logs nothing, and raises nothing for words that cannot be read."""
    asked = [_asked(word, sheet.language) for word in sheet.words]
    with quiet():
        complaints, found = _read(asked, phonemizer)
    said = ["".join(phone.phoneme for phone in word.phones) if word.phones else word.phoneme or "" for word in found]
    made = {ipa: _demand(ipa, phonemizer) for ipa in dict.fromkeys(said)}
    return [
        Demand(complaint=complaints[word]) if word in complaints else replace(made[ipa], phones=one.phones) if one.phones else made[ipa]
        for word, one, ipa in zip(asked, found, said, strict=True)
    ]


@contextmanager
def quiet() -> Iterator[None]:
    """While it lasts, what is warned of when words are validated and read is not logged: problems tell it."""
    loggers = [logging.getLogger(f"jam.lyrics.{name}") for name in ("words", "phonemes")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.disabled = was


def language_of(word: SheetWord, sheet: Sheet) -> str:
    """The language in which a word is read."""
    return word.language or sheet.language or LANGUAGE


def tags(sheet: Sheet) -> list[Tag]:
    """The section tags that stand among the words: `[Chorus: soft piano]`, `Verse 2:`, or a line that is nothing but `Verse 2`."""
    found: list[Tag] = []
    offset = 0
    for line in sheet.lines:
        texts = [word.word if isinstance(word.word, str) else "" for word in line.words]
        index = 0
        while index < len(texts):
            tag = _tag(texts, index, line.number is not None)
            if tag is not None and not (tag[0] == 1 and line.words[index].phoneme and not texts[index].startswith("[")):
                name, _, note = tag[1].partition(":")
                found.append(Tag(offset + index, tag[0], " ".join(name.split()), note.strip() or None))
            index += tag[0] if tag is not None else 1
        offset += len(texts)
    return found


def unsung(text: str) -> str:
    """What of `text` nobody sings, each sign once: emoji, notes, markup; punctuation and signs that stand for words are none."""
    return "".join(dict.fromkeys(part for part, is_sung in _divided(text) if not is_sung))


def without_unsung(text: str) -> str:
    """`text` without the signs that nobody sings."""
    return "".join(part for part, is_sung in _divided(text) if is_sung)


def _tag(texts: Sequence[str], index: int, has_lines: bool) -> tuple[int, str] | None:
    """The tag that begins with word `index` of a line: its words and what it says; None where none does."""
    if texts[index].startswith("["):
        for last in range(index, min(index + TAG_WORDS, len(texts))):
            if texts[last].rstrip(".,:;").endswith("]"):
                inside = " ".join(texts[index : last + 1]).rstrip(".,:;")[1:-1]
                return (last + 1 - index, inside) if is_sung(inside) else None
    for words in (1, 2):
        if (colon := _WITH_COLON.fullmatch(" ".join(texts[index : index + words]))) is not None:
            return min(words, len(texts) - index), colon[1]
    whole = " ".join(texts).rstrip(".")
    alone = has_lines and whole[:1].isupper() and _ALONE.fullmatch(whole) is not None
    return (len(texts), whole) if index == 0 and (alone or _NUMBERED.fullmatch(whole) is not None) else None


def _asked(word: SheetWord, language: str | None) -> Word:
    """The word as the phonemizer is asked for it; without times, since they change nothing, so that equal words are equal."""
    text = word.word if isinstance(word.word, str) else ""
    code = word.language or language
    phones = tuple(phone for phone in word.phones or () if isinstance(phone.phoneme, str))
    phoneme = word.phoneme if isinstance(word.phoneme, str) else None
    return Word(0, 0, text, phoneme, code if isinstance(code, str) else None, phones or None)


def _read(asked: Sequence[Word], phonemizer: Phonemizer) -> tuple[dict[Word, str], tuple[Word, ...]]:
    """{word: why nobody can read it}, and all words with their phonemes, which are empty for these."""
    try:
        return {}, phonemizer.words(asked)
    except ValueError:
        complaints = _complaints(list(dict.fromkeys(asked)), phonemizer)
        return complaints, phonemizer.words([Word(0, 0, "", "") if word in complaints else word for word in asked])


def _complaints(distinct: Sequence[Word], phonemizer: Phonemizer) -> dict[Word, str]:
    """{word: why nobody can read it}, found by halves."""
    try:
        phonemizer.words(distinct, "lyrics")
        return {}
    except ValueError as error:
        if len(distinct) == 1:
            return {distinct[0]: str(error).removeprefix("lyrics: ").removeprefix(label(0, distinct[0].word)).strip(" :")}
    half = len(distinct) // 2
    return _complaints(distinct[:half], phonemizer) | _complaints(distinct[half:], phonemizer)


def _demand(ipa: str, phonemizer: Phonemizer) -> Demand:
    ids = phonemizer.ids(ipa)
    return Demand(ipa, len(ids), count(ipa)) if len(ids) > 1 else Demand(ipa)


def _divided(text: str) -> Iterator[tuple[str, bool]]:
    """Markup and signs of `text`, and whether each is sung."""
    if text.isascii() and text.isalpha():
        yield text, True
        return
    begin = 0
    for found in (*_MARKUP.finditer(text), None):
        end = found.start() if found is not None else len(text)
        for place in range(begin, end):
            joins = text[place] in _JOINERS and text[place - 1 : place].isalpha() and text[place + 1 : place + 2].isalpha()
            yield text[place], joins or not _is_unsung(text[place])
        if found is not None:
            yield found[0], False
            begin = found.end()


@lru_cache(maxsize=4096)
def _is_unsung(sign: str) -> bool:
    """Whether it is a symbol, or has no shape, and no singer would say it."""
    if sign.isascii() and sign.isprintable():
        return sign in _UNSUNG
    odd = unicodedata.category(sign) in ("So", "Sk", "Sm", "Cc", "Cf", "Co", "Cn")
    return sign in _UNSUNG or (odd and spoken(f"a{sign}b").replace(" ", "") == "ab")
