"""Syllables of words, by their IPA or, where nobody can read them, by their spelling; which of them is stressed; which words are small.

Knows no times, no files and no phonemizer. IPA is that of `jam.lyrics.phonemes`: long vowels carry a mark, stress may.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from jam.lyrics.spoken import MARKS

LEAST_SYLLABLE = 0.12  # seconds; nobody sings faster for long
PRIMARY, SECONDARY = "\u02c8\u02cc"  # before a stressed syllable

_SMALL = """
a an the and or but nor so if as than that of to in on at by for from with into onto up out off over under
i you he she it we they me him her us them my your his its our their this these those there here
is am are was were be been being do does did has have had will would shall should can could may might must
i'm i'll i'd i've you're you'll you've he's she's it's we're we'll we've they're they'll they've that's there's
not don't can't won't isn't oh no just when where while till who what how
"""
SMALL_WORDS = frozenset(_SMALL.split())
"""Words that carry grammar rather than sense: sung short, off the beat. A breath comes before them rather than after."""

_NUCLEUS = re.compile(
    "(?:a\u026a|a\u028a|e\u026a|o\u028a|\u0254\u026a|\u0259\u028a|e\u0259"  # diphthongs
    "|[aeiouy\u00e6\u00f8\u0153\u0250\u0251\u0252\u0254\u0259\u0258\u025a\u025b\u025c\u025d\u025e\u0264\u0268\u026a\u026f\u0275\u0276\u0289\u028a\u028c\u028f]"
    "|[bdfghjklmnprstvz\u014b\u0279\u0281](?=\u0329))\u0329?\u0303?\u02d0?"  # vowels, and consonants that stand for one; nasal, long
)
_WEAK_PREFIX = re.compile(  # before one or two consonants and a full vowel that does not end the word
    "(?:[\u0259\u028c]|[bd\u0279]\u026a)[^\\W\u0259\u025d\u026a\u028c]{1,2}?"
    "(?!i\u02d0[.,?!:;]*$)[aeiou\u00e6\u0251\u0254\u025b\u028a]"
)
_SPELLED = re.compile(r"[aeiouy]+|[^\W\d_a-z]|\d")  # letters of other scripts, and digits, are a syllable each


@dataclass(frozen=True)
class Sung:
    """What a word asks of the time it is given.

    `syllables` are those it has (0: it is not voiced), `stressed` the index of the one that wants the beat, `symbols` the phonemes and
    marks that need a slot each (its end not counted), `mark` the punctuation after it, and `is_small` whether it is one of `SMALL_WORDS`.
    """

    syllables: int
    stressed: int = 0
    symbols: int = 0
    mark: str = ""
    is_small: bool = False


def sung(word: str, ipa: str | None) -> Sung:
    """What `word` asks for, said as `ipa`; None where nobody knows how it is said, so that its spelling must do."""
    text = word.strip().lower().replace("\u2019", "'")
    mark = next((sign for sign in (text or ipa or "")[-1:] if sign in MARKS), "")
    plain = text.strip(MARKS + "\"'()[]\u201c\u201d\u2026")
    if ipa is None:
        return Sung(count_spelled(plain), 0, len(plain) + len(mark), mark, plain in SMALL_WORDS)
    return Sung(count(ipa), stressed(ipa), len(ipa), mark, plain in SMALL_WORDS)


def count(ipa: str) -> int:
    """Syllables of a word's IPA: its vowels, diphthongs counted once; at least one where anything is voiced, 0 where nothing is."""
    if not any(unicodedata.category(sign)[0] == "L" for sign in ipa):
        return 0
    return max(1, len(_NUCLEUS.findall(ipa)))


def count_spelled(word: str) -> int:
    """Syllables by spelling, as most languages sing them: groups of vowels, at least one where there is a letter or a digit."""
    letters = "".join(sign for sign in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(sign))
    return max(any(sign.isalnum() for sign in letters), len(_SPELLED.findall(letters)))


def stressed(ipa: str) -> int:
    """The index of a word's stressed syllable: the one marked so; else the second after a weak prefix (`ago`, `before`), else the first."""
    nuclei = [found.start() for found in _NUCLEUS.finditer(ipa)]
    marked = next((ipa.index(mark) for mark in (PRIMARY, SECONDARY) if mark in ipa), None)
    if marked is not None:
        return min(sum(place < marked for place in nuclei), max(len(nuclei) - 1, 0))
    return 1 if _WEAK_PREFIX.match(ipa) else 0
