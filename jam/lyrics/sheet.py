"""Lyrics as people have them: lines and sections of words, timed, partly timed, or not at all. Every format is read into a `Sheet`.

A sheet whose words all have times gives timed words (`Sheet.timed`); the planner gives times to the others. Knows no file format, no
phonemes and no slots.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from jam.lyrics.words import Phone, Word, label, validate

LINE_WORDS = 8  # timed words without lines are laid out in lines of at most so many,
LINE_GAP = 0.35  # which end where the singer rests for so many seconds, or a sentence ends

PLAN = "python -m jam.lyrics plan FILE --output"  # what gives times to words that have none

Timing = Literal["words", "partly", "none"]

_INLINE = re.compile(r"([^\s{}]*)\{([^{}]*)\}([.,?!:;]*)")  # word{IPA}, or {IPA} alone, with a mark after it
_DASH = re.compile(r"(?<=\w)(?:--+|[\u2013\u2014\u2015\u2026]+|\.{3,})(?=\w)")  # between words that no space divides
_SPOKEN_SIGNS = "&@%#+=$\u00a3\u20ac\u00a5\u00a2"  # a singer says them


@dataclass(frozen=True)
class SheetWord:
    """A word of a sheet; `start` and `end` (seconds) where they are known, each by itself. Otherwise as `jam.lyrics.words.Word`."""

    word: str = ""
    start: float | None = None
    end: float | None = None
    phoneme: str | None = None
    language: str | None = None
    phones: tuple[Phone, ...] | None = None
    backing: bool = False  # sung behind the lead: in brackets, as people write it

    @property
    def is_timed(self) -> bool:
        """Whether both its times are known."""
        return self.start is not None and self.end is not None


@dataclass(frozen=True)
class Line:
    """Words sung in one breath; `start` and `end` (seconds) where the file times the line. `number` is its line in the file, from 1."""

    words: tuple[SheetWord, ...]
    start: float | None = None
    end: float | None = None
    section: int | None = None  # index into the sheet's sections
    number: int | None = None


@dataclass(frozen=True)
class Section:
    """A part of a song: `name` as written (`Verse 1`), a note about it (`soft piano`), and when it is, in seconds, where known.

    A section without lines is instrumental. `kind` is one of `KINDS`, or `other`.
    """

    name: str
    note: str | None = None
    start: float | None = None
    end: float | None = None

    @property
    def kind(self) -> str:
        """What the name means: `Verse 1` is a verse, `Guitar Solo` an instrumental."""
        return kind_of(self.name)


@dataclass(frozen=True)
class Sheet:
    """A song's lyrics in the order they are sung: `lines`, and the sections in which they lie.

    `remarks` are what reading had to leave out or guess, a line each, with the place in the file.
    """

    lines: tuple[Line, ...] = ()
    sections: tuple[Section, ...] = ()
    title: str | None = None
    language: str | None = None  # of words that name none; None: American English
    style: str | None = None  # a description that stands in the file
    bpm: float | None = None
    duration: float | None = None  # seconds of the song, where the file says
    remarks: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[SheetWord, ...]:
        """All words, in the order they are sung."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def timing(self) -> Timing:
        """`words` where every word has both times (as where there are none), `none` where nothing has any, else `partly`."""
        if all(word.is_timed for word in self.words):
            return "words"
        places: Iterable[SheetWord | Line] = (*self.words, *self.lines)
        return "partly" if any(place.start is not None or place.end is not None for place in places) else "none"

    def timed(self, where: str = "lyrics", duration: float | None = None) -> tuple[Word, ...]:
        """The words with their times, validated as `jam.lyrics.words.validate` does; a word's language is the sheet's where it has none.

        Raises ValueError for a word without times, naming its line, and for what `validate` refuses.
        """
        words = []
        for index, (line, word) in enumerate(self.placed()):
            if word.start is None or word.end is None:
                place = f"line {line.number}: " if line.number else ""
                raise ValueError(
                    f"{where}: {place}{label(index, word.word)} has no times; plan them: {PLAN} timed.json"
                )
            words.append(Word(word.start, word.end, word.word, word.phoneme, word.language or self.language, word.phones))
        return validate(words, where, duration)

    def placed(self) -> Iterator[tuple[Line, SheetWord]]:
        """Every word with its line."""
        return ((line, word) for line in self.lines for word in line.words)


KINDS = {
    "intro": ("intro",),
    "verse": ("verse", "strophe", "couplet", "rap"),
    "pre-chorus": ("pre-chorus", "prechorus", "pre chorus", "build", "lift"),
    "post-chorus": ("post-chorus", "postchorus", "post chorus", "tag"),
    "chorus": ("chorus", "refrain", "hook"),
    "bridge": ("bridge", "middle eight", "middle 8"),
    "instrumental": ("instrumental", "interlude", "solo", "break", "breakdown", "drop", "riff", "silence", "pause", "music"),
    "outro": ("outro", "coda", "ending", "end", "fade"),
}
"""Kinds of section, and the words that name them; the first that fits is taken."""


def kind_of(name: str) -> str:
    """The kind that a section's name means, `other` for one that means none; case, numbers and what else is written do not matter."""
    plain = " ".join(re.sub(r"[^a-z0-9 -]", " ", name.lower()).split())
    for kind in ("pre-chorus", "post-chorus", *KINDS):
        if any(re.search(rf"\b{re.escape(word)}\b", plain) for word in KINDS[kind]):
            return kind
    return "other"


def of_words(words: Sequence[Word], counts: Sequence[int] = ()) -> Sheet:
    """Timed words as a sheet, in lines of so many words; where `counts` do not add up to the words, as where there are none, lines end at a
    rest of `LINE_GAP` seconds, at the end of a sentence, or at `LINE_WORDS` words."""
    if words and sum(counts) == len(words):
        left = iter(words)
        return Sheet(tuple(Line(tuple(_as_written(next(left)) for _ in range(count))) for count in counts if count))
    lines: list[list[SheetWord]] = []
    for word in words:
        last = lines[-1] if lines else []
        rests = bool(last) and last[-1].end is not None and word.start - last[-1].end >= LINE_GAP
        if not last or len(last) == LINE_WORDS or rests or last[-1].word.endswith((".", "!", "?", ";")):
            lines.append([])
        lines[-1].append(_as_written(word))
    return Sheet(tuple(Line(tuple(line)) for line in lines))


def _as_written(word: Word) -> SheetWord:
    return SheetWord(word.word, word.start, word.end, word.phoneme, word.language, word.phones)


def split(text: str) -> tuple[tuple[SheetWord, ...], tuple[str, ...]]:
    """The words of a line of text, and what of it nobody sings (notes, dashes, emoji), which is left out.

    Words are divided by spaces and long dashes. `{ɹaɪt}` is a word of that IPA, `write{ɹaɪt}` a word with its IPA; words in round
    brackets are backing vocals. Raises ValueError for a brace without its partner.
    """
    words: list[SheetWord] = []
    left_out: list[str] = []
    backing = False
    for piece in _pieces(text):
        if piece in ("(", ")"):
            backing = piece == "("
        elif (inline := _INLINE.fullmatch(piece)) is not None:
            words.append(SheetWord(inline[1] + inline[3] * bool(inline[1]), phoneme=inline[2].strip() + inline[3], backing=backing))
        elif "{" in piece or "}" in piece:
            raise ValueError(f"{piece!r} has a brace without its partner; write IPA as word{{IPA}} or {{IPA}}")
        elif is_sung(piece):
            words.append(SheetWord(piece, backing=backing))
        elif words and all(mark in ".,?!:;" for mark in piece) and not words[-1].word.endswith(tuple(piece)):
            words[-1] = _with_mark(words[-1], piece)
        else:
            left_out.append(piece)
    return tuple(words), tuple(left_out)


def is_sung(text: str) -> bool:
    """Whether a singer would voice anything of `text`: a letter, a digit, or a sign that stands for a word."""
    return any(sign in _SPOKEN_SIGNS or unicodedata.category(sign)[0] in "LN" for sign in text)


def _pieces(text: str) -> list[str]:
    """`text` at its spaces, long dashes and round brackets (each a piece); braces keep what they hold together."""
    held = re.sub(r"\{[^{}]*\}", lambda braces: braces[0].replace(" ", "").replace("(", "\0").replace(")", "\1"), text)
    spaced = _DASH.sub(" ", re.sub(r"([()\uff08\uff09])", r" \1 ", held))
    plain = {"\uff08": "(", "\uff09": ")"}
    return [plain.get(piece, piece).replace("\0", "(").replace("\1", ")") for piece in spaced.split()]


def _with_mark(word: SheetWord, mark: str) -> SheetWord:
    """The word with a mark that stood apart from it, as in `why ?`."""
    return replace(word, word=word.word + mark if word.word else "", phoneme=None if word.phoneme is None else word.phoneme + mark)
