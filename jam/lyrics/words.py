"""Timed words and what makes a list of them valid. Knows nothing of files, phonemes or slots.

Every refusal is one line: where the words come from, which word (counted from 1), its value, and what to do.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

from jam.timing import frames_to_seconds

logger = logging.getLogger(__name__)

FORGIVEN_SECONDS = frames_to_seconds(1)  # a word may outlast the asked duration by one latent frame: durations are often rounded
ROUNDING = 1e-6  # seconds that sums of numbers may miss each other by
PHONE_TOLERANCE = 1e-3  # seconds by which phones may overlap each other or leave their word: files round
BEYOND_SECONDS = 1e6  # no song lasts twelve days


@dataclass(frozen=True)
class Phone:
    """A phoneme (IPA, one symbol or several) and when it is sung, in seconds from the beginning of the song."""

    start: float
    end: float
    phoneme: str


@dataclass(frozen=True)
class Word:
    """A word and when it is sung.

    `start` and `end` are seconds from the beginning of the song. `phoneme` is IPA, None where the phonemizer shall find it; an empty
    string is a word that is not pronounced. `language` is a code such as `fr`, None for the song's own. `phones` are the times of the
    word's phonemes, where they are known: they are sung exactly then, whatever `phoneme` says.
    """

    start: float
    end: float
    word: str = ""
    phoneme: str | None = None
    language: str | None = None
    phones: tuple[Phone, ...] | None = None


def validate(words: Sequence[Word], where: str, duration: float | None = None) -> tuple[Word, ...]:
    """The same words as a tuple, once they are known to be singable.

    `where` names their source in messages (a path, or "lyrics"); `duration` is that of the song in seconds, None where unknown.
    No words at all are an instrumental. Words that overlap, or last no time, are allowed and warned about: of two that overlap the
    later one is heard, and a word of no length vanishes.

    Raises ValueError for a time that is no number, not finite or negative, an end before its start, words out of order, a word with
    neither text nor phoneme, phones out of order or outside their word, and a word beyond `duration`.
    """
    for index, word in enumerate(words):
        name = label(index, word.word)
        _check_text(word, f"{where}: {name}")
        _check_times(word, f"{where}: {name}")
        _check_phones(word, f"{where}: {name}")
        if duration is not None and word.end > duration + FORGIVEN_SECONDS:
            raise ValueError(
                f"{where}: {name}: sung from {word.start:g} s to {word.end:g} s, but the song lasts {duration:g} s; "
                "ask for a longer duration, or remove the word"
            )
        if index:
            _compare(words[index - 1], label(index - 1, words[index - 1].word), word, name, where)
        if word.end == word.start:
            logger.warning("%s: %s: starts and ends at %g s, so it will not be heard; give it a later end", where, name, word.start)
    return tuple(words)


def label(index: int, word: object) -> str:
    """How messages name a word: `word 3 ('moon')` for index 2; on one line, whatever the word holds."""
    text = repr(word)
    return f"word {index + 1} ({text if len(text) <= 40 else text[:36] + '...' + text[0]})"


def _check_text(word: Word, where: str) -> None:
    if not isinstance(word.word, str):
        raise ValueError(f"{where}: 'word' is {_shown(word.word)}, not text; write it in quotes")
    if word.language is not None and not isinstance(word.language, str):
        raise ValueError(f"{where}: 'language' is {_shown(word.language)}, not text; write a code in quotes, such as \"fr\"")
    if word.phoneme is not None and not isinstance(word.phoneme, str):
        raise ValueError(f"{where}: 'phoneme' is {_shown(word.phoneme)}, not text; write it in quotes, or leave it out")
    if not word.word.strip() and not (word.phoneme or "").strip() and not word.phones:
        raise ValueError(f"{where}: has neither text nor phoneme; give it a 'word', or remove it")


def _check_phones(word: Word, where: str) -> None:
    if word.phones is None:
        return
    if not word.phones:
        raise ValueError(f"{where}: 'phones' is empty; leave it out, or write the word's phonemes with their times")
    now = word.start - PHONE_TOLERANCE
    for number, phone in enumerate(word.phones, start=1):
        name = f"{where}: phone {number} ({phone.phoneme!r})"
        if not isinstance(phone.phoneme, str) or not phone.phoneme.strip():
            raise ValueError(f"{name}: has no 'phoneme'; write its IPA")
        _check_times(phone, name)
        if phone.start < now or phone.end > word.end + PHONE_TOLERANCE:
            raise ValueError(
                f"{name}: {phone.start:g} s to {phone.end:g} s; phones follow each other within the word, {word.start:g} to {word.end:g} s"
            )
        now = phone.end - PHONE_TOLERANCE


def _check_times(word: Word | Phone, where: str) -> None:
    for key, value in (("start", word.start), ("end", word.end)):
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ValueError(f"{where}: '{key}' is {_shown(value)}, not a number; write seconds, such as 1.5")
        if not abs(value) < BEYOND_SECONDS:  # so written, it refuses NaN too
            raise ValueError(f"{where}: '{key}' is {_shown(value)}; write seconds, such as 1.5")
        if value < 0:
            raise ValueError(f"{where}: '{key}' is {value:g}, a negative time; songs begin at 0 s")
    if word.end < word.start:
        raise ValueError(f"{where}: end {word.end:g} is before start {word.start:g}; times are seconds, start first")


def _compare(earlier: Word, earlier_name: str, later: Word, later_name: str, where: str) -> None:
    if later.start < earlier.start:
        raise ValueError(
            f"{where}: {later_name}: starts at {later.start:g} s, before {earlier_name} at {earlier.start:g} s; "
            "put the words in the order they are sung"
        )
    if later.start < earlier.end - ROUNDING and later.end > later.start:
        logger.warning(
            "%s: %s: sung until %g s, overlaps %s, which starts at %g s; the later one is heard",
            *(where, earlier_name, earlier.end, later_name, later.start),
        )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
