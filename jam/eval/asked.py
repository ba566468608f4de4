"""The lyrics of an item as they should be heard: words, their IPA, their lines. Knows no audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from jam.eval.alignment import Alignment, Found
from jam.eval.identify import SpokenLine
from jam.lyrics import sheet as sheets
from jam.lyrics.phonemes import LANGUAGE, Phonemizer
from jam.lyrics.sheet import Line, Sheet
from jam.lyrics.words import Word

USUAL_WORD = 0.5  # seconds of a word of a line whose end nobody tells


@dataclass(frozen=True)
class Text:
    """Lyrics to be heard. `words` have the times asked for, or 0 where `is_timed` is false; `lines` is how many words each line has, and
    `windows` when each is to be heard (start, end), None where that is unknown."""

    words: tuple[Word, ...] = ()
    is_timed: tuple[bool, ...] = ()
    lines: tuple[int, ...] = ()
    windows: tuple[tuple[float, float] | None, ...] = ()
    language: str = LANGUAGE
    remarks: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[Word | None, ...]:
        """The words that have times, None in the places of the others."""
        return tuple(word if timed else None for word, timed in zip(self.words, self.is_timed, strict=True))

    @property
    def timed(self) -> tuple[Word, ...]:
        """The words that have times."""
        return tuple(word for word in self.asked if word is not None)

    @property
    def written(self) -> str:
        """The lyrics, a line a line."""
        return "\n".join(" ".join(word.word for word in self.words[low:high]) for low, high in self.spans)

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Where each line begins and ends among the words."""
        found, place = [], 0
        for count in self.lines:
            found.append((place, place + count))
            place += count
        return tuple(found)

    def spelled(self, spell: Callable[[Word], list[int]]) -> list[tuple[int, ...]]:
        """The tokens of each word, as one network writes them."""
        return [tuple(spell(word)) for word in self.words]

    def spoken_lines(self, spell: Callable[[Word], list[int]], heard: Alignment | None = None) -> list[SpokenLine]:
        """The lines as tokens, and when they should be sung; where no times were asked for, when their words were `heard`."""
        tokens, lines = self.spelled(spell), []
        for (low, high), asked in zip(self.spans, self.windows, strict=True):
            window = asked or _around([] if heard is None else [word for word in heard.words[low:high] if word is not None])
            lines.append(SpokenLine(tuple(word for word in tokens[low:high] if word), *(window or (None, None))))
        return lines


def text_of(
    sheet: Sheet, phonemizer: Phonemizer, language: str | None = None, where: str = "lyrics", duration: float | None = None
) -> Text:
    """The text of a sheet, every word with its IPA; where the phonemizer cannot read it, without.

    A remark says so, and so it does of times that no song of `duration` seconds can have.
    """
    code = sheet.language or language or LANGUAGE
    plain = [
        Word(word.start or 0.0, word.end or 0.0, word.word, word.phoneme, word.language, word.phones if word.is_timed else None)
        for word in sheet.words
    ]
    try:
        said, remarks = phonemizer.words(plain, where, code), sheet.remarks
    except ValueError as error:
        said, remarks = tuple(plain), (*sheet.remarks, f"no sounds are known of these lyrics: {error}")
    if sheet.timing == "words":
        try:
            sheet.timed(where, duration)
        except ValueError as error:
            remarks = (*remarks, f"the times asked for cannot be: {error}")
    lines = tuple(line for line in _divided(sheet).lines if line.words)
    counts = tuple(len(line.words) for line in lines)
    return Text(said, tuple(word.is_timed for word in sheet.words), counts, tuple(_windows(lines)), code, remarks)


def _divided(sheet: Sheet) -> Sheet:
    """The sheet with lines: timed words that all stand in one are divided at their rests."""
    if len(sheet.lines) != 1 or sheet.timing != "words" or not sheet.words:
        return sheet
    return sheets.of_words([Word(word.start or 0.0, word.end or 0.0, word.word) for word in sheet.words])


def _windows(lines: Sequence[Line]) -> Iterator[tuple[float, float] | None]:
    """When each line is to be heard: while its words are, else from its own start to its end, or to the next line's start."""
    for place, line in enumerate(lines):
        timed = [(word.start, word.end) for word in line.words if word.start is not None and word.end is not None]
        if timed:
            yield min(start for start, _ in timed), max(end for _, end in timed)
        elif line.start is None:
            yield None
        else:
            following = next((other.start for other in lines[place + 1 :] if other.start is not None), None)
            end = line.end if line.end is not None else following
            yield line.start, max(end if end is not None else line.start + USUAL_WORD * len(line.words), line.start)


def _around(words: Sequence[Found]) -> tuple[float, float] | None:
    """From the first of words that were found to the last."""
    return (words[0].start, words[-1].end) if words else None
