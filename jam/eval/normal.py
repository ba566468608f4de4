"""Texts as error rates compare them: what is written in two ways, and is one word, is written in one.

English goes through Whisper's own normaliser (lower case, no marks, contractions written out), other languages through its basic one,
after numbers and signs became words: Whisper's English normaliser writes numbers in digits, and so makes one word, 000, of `oh oh oh`.
Knows no recogniser and counts nothing.
"""

import functools
import re
import unicodedata
from collections.abc import Callable

from jam.lyrics.languages import base
from jam.lyrics.spoken import plain, spoken
from jam.lyrics.stretched import STRETCHED, shortened

UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "my"})
"""Languages that put no spaces between words: each character is a word, as in Whisper's own evaluation."""

_HEADING = re.compile(r"\[[^\]\n]*\]")
_WORD = re.compile(r"[^\W\d_]+")


def normalise(text: str, language: str | None = "en") -> str:
    """`text` as it is compared: words divided by single spaces, "" where nothing is left.

    Round brackets are opened (second voices are sung; Whisper's normaliser drops what they hold); words in square brackets, which head
    sections, are dropped; stretched words are shortened (`looove` is `love`); numbers are words. In English the fillers hmm, mm, mhm,
    mmm, uh and um are dropped too, as Whisper's normaliser does.
    """
    words = _whisper(_kind(language))(said(text, language)).split()
    return " ".join(word for word in words if any(sign.isalnum() for sign in word))


def said(text: str, language: str | None = "en") -> str:
    """`text` as it is said, in lower case and one line: without headings, numbers and signs in words, stretched words shortened.

    Digits stay in languages without spaces.
    """
    open_text = _HEADING.sub(" ", _plain(text)).replace("(", " ").replace(")", " ")
    short = _WORD.sub(lambda word: shortened(word[0].lower(), None) if STRETCHED.search(word[0]) else word[0], open_text)
    line = " ".join(short.split())
    return (line if _kind(language) == "characters" else spoken(line, base(language or "en"))).lower()


def _plain(text: str) -> str:
    """`text` with plain apostrophes, dashes and letters, its lines kept."""
    return "\n".join(plain(line) for line in text.splitlines())


def normaliser(language: str | None = "en") -> str:
    """The name of what `normalise` does to texts of `language`, for a report's facts."""
    whisper = {
        "english": "Whisper English, without its digits and its list of British spellings",
        "words": "Whisper basic, vowel signs kept",
        "characters": "Whisper basic, each character a word, vowel signs kept",
    }
    return f"{whisper[_kind(language)]}; numbers in words, round brackets opened, stretched letters shortened"


def _kind(language: str | None) -> str:
    code = base(language or "en")
    return "english" if code == "en" else "characters" if code in UNSPACED else "words"


@functools.cache
def _whisper(kind: str) -> Callable[[str], str]:
    from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

    if kind == "english":
        english = EnglishTextNormalizer({})
        english.standardize_numbers = lambda text: text
        return english
    basic = BasicTextNormalizer(split_letters=kind == "characters")
    basic.clean = lambda text: "".join(" " if unicodedata.category(sign)[0] in "SP" else sign for sign in text)  # it drops vowels of Hindi
    return basic
