"""Pronunciations: words to ARPAbet phones (the CMU dictionary that pocketsphinx ships) and ARPAbet to IPA.

The IPA follows the symbols of the phonemizer that JAM-0.5 was trained with (long vowels carry a length mark, r is written ɹ).
The dictionary carries no stress, so neither does the IPA, and the reduced vowel of "about" is written ʌ like that of "cup".
The module knows nothing of unknown words: those are the phonemizer's business.
"""

import functools
from collections.abc import Sequence

from jam.eval import sphinx
from jam.lyrics.lexicon import ARPABET

VOWELS = frozenset(["AA", "AE", "AH", "AO", "AW", "AX", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"])

PREFERRED = {"live": "L IH V", "tear": "T IH R", "tears": "T IH R Z", "wind": "W IH N D"}  # the dictionary puts the rarer reading first


def arpabet_to_ipa(phones: Sequence[str]) -> str:
    """One IPA string for ARPAbet `phones` (stress digits, if any, are ignored). ValueError for a phone that is not ARPAbet."""
    ipa = []
    for index, phone in enumerate(phones):
        symbol = ARPABET.get(phone.upper().rstrip("012"))
        if symbol is None:
            raise ValueError(f"phone {index} ({phone!r}) of {' '.join(phones)!r} is not ARPAbet; known are {' '.join(ARPABET)}")
        ipa.append(symbol)
    return "".join(ipa)


def syllables(phones: Sequence[str]) -> int:
    """How many syllables the ARPAbet `phones` make: their vowels, at least one."""
    return max(1, sum(phone.upper().rstrip("012") in VOWELS for phone in phones))


@functools.cache
def variants() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Every pronunciation of every word, ARPAbet, first one first. ValueError where pocketsphinx is not installed."""
    found = dict(sphinx.dictionary())
    for word, preferred in PREFERRED.items():
        reading = tuple(preferred.split())
        found[word] = (reading, *(phones for phones in found[word] if phones != reading))
    return found


def phones_of(word: str) -> tuple[str, ...]:
    """The first pronunciation of `word` in ARPAbet. ValueError for a word that the dictionary lacks."""
    found = variants().get(word.lower())
    if found is None:
        raise ValueError(f"the word {word!r} is not in the CMU dictionary; choose another or spell its sound")
    return found[0]


@functools.cache
def dictionary() -> dict[str, str]:
    """The first pronunciation of every word as IPA, {word: ipa}; words are lower case, some carry apostrophes."""
    return {word: arpabet_to_ipa(phones[0]) for word, phones in variants().items()}
