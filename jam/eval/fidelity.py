"""How faithfully lyrics are sung: errors between the words asked for and those that were heard, by words, characters and phones.

jiwer counts, and this is one of its doors. The module knows no audio and no recogniser; `jam.eval.normal` says what is one word.

A text of no words has no error rate: nothing is given of it, whatever was heard. Where nothing was heard, all words are missing: 100 %.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jam.eval.measures import Absent, Measure, Value, by
from jam.eval.normal import normalise, said
from jam.lyrics.lexicon import ARPABET

Phonemes = Callable[[list[str]], list[list[str]]]
"""Words to the phones of each."""

_SOURCE = "Levenshtein distance by jiwer over texts that Whisper's normaliser made alike (Radford et al. 2022, appendix C)"
_READER = "It is an error of the singer and of the reader together: read it beside that of a true recording."

MEASURES = (
    Measure(
        "lyrics.wer", "word error rate", "%", "lower", "mean",
        "Words that were heard otherwise, left out or put in, of all words asked for; above 100 % where much is put in.",
        _SOURCE, f"{_READER} Reading is hard where instruments play, and easy where a language model can guess.",
        is_rate=True,
    ),
    Measure(
        "lyrics.cer", "character error rate", "%", "lower", "mean",
        "The same by characters, the spaces between words among them: a word that is nearly right counts little.",
        _SOURCE, f"{_READER} Letters are not sounds.",
        is_rate=True,
    ),
    Measure(
        "lyrics.per", "phone error rate", "%", "lower", "mean",
        "The same by phones, without stress and length: of a recogniser that writes words, the phones of these words.",
        "Levenshtein distance by jiwer over the phonemizer's IPA",
        f"{_READER} Of words it says how they are said, not how they were sung; contractions stay as they are written.",
        is_rate=True,
    ),
    Measure(
        "lyrics.substitutions", "words heard otherwise", "%", "lower", "mean",
        "Words that were heard as another, of all words asked for.",
        _SOURCE, "Of alignments with as few errors jiwer takes one: only the sum of the three shares is certain.",
    ),
    Measure(
        "lyrics.deletions", "words left out", "%", "lower", "mean",
        "Words that nothing was heard for, of all words asked for.",
        _SOURCE, "A recogniser also leaves out what it is not sure of.",
    ),
    Measure(
        "lyrics.insertions", "words put in", "%", "lower", "mean",
        "Words that were heard and not asked for, of all words asked for.",
        _SOURCE, "Recognisers make up words over music without a voice.",
        is_rate=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Errors:
    """The fewest changes that turn what was asked for into what was heard, and the length of what was asked for."""

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def count(self) -> int:
        """All of them."""
        return self.substitutions + self.deletions + self.insertions


def errors(asked: str, heard: str, instrument: str, phonemes: Phonemes | None = None, language: str | None = "en") -> dict[str, Value]:
    """The measures of one song by one recogniser: `asked` are its lyrics, `heard` what `instrument` wrote down, both as written.

    `phonemes` gives the phones of words, None where nobody can; they are asked for the words as they are spoken, not as normalised.
    Nothing is given of a song without words. Raises Absent where jiwer is not installed.
    """
    reference, hypothesis = normalise(asked, language), normalise(heard, language)
    if not reference:
        return {}
    words = of_words(reference, hypothesis)
    letters = of_words(" ".join(_letters(reference)), " ".join(_letters(hypothesis)))
    found = {
        "lyrics.wer": _share(words.count, words.length),
        "lyrics.cer": _share(letters.count, letters.length),
        "lyrics.substitutions": _share(words.substitutions, words.length),
        "lyrics.deletions": _share(words.deletions, words.length),
        "lyrics.insertions": _share(words.insertions, words.length),
    }
    named = {by(name, instrument): value for name, value in found.items()}
    if phonemes is not None:
        named |= phone_errors(_said(asked, phonemes, language), _said(heard, phonemes, language), instrument)
    return named


def phone_errors(asked: Sequence[str], heard: Sequence[str], instrument: str) -> dict[str, Value]:
    """`lyrics.per` of phones (IPA), those asked for and those that `instrument` wrote down; nothing where none were asked for.

    Marks of stress and length are taken off, since recognisers do not hear them alike. Raises Absent where jiwer is not installed.
    """
    wanted, found = bare(asked), bare(heard)
    if not wanted:
        return {}
    changed = of_words(" ".join(wanted), " ".join(found))
    return {by("lyrics.per", instrument): _share(changed.count, changed.length)}


def of_words(asked: str, heard: str) -> Errors:
    """The errors between texts whose words are divided by spaces; `asked` may be empty. Raises Absent where jiwer is not installed."""
    try:
        import jiwer
    except ImportError as error:
        raise Absent("lyric errors: jiwer is not installed; pip install 'jam[eval]'") from error
    if not asked.split():
        return Errors(0, 0, len(heard.split()), 0)
    counted = jiwer.process_words(asked, heard)
    return Errors(counted.substitutions, counted.deletions, counted.insertions, len(asked.split()))


def bare(phones: Sequence[str]) -> list[str]:
    """`phones` without marks of stress, length and punctuation; those of which nothing stays are left out."""
    plain = ("".join(sign for sign in phone if sign.isalpha() and unicodedata.category(sign) != "Lm") for phone in phones)
    return [phone for phone in plain if phone]


def phones_of(ipa: str) -> list[str]:
    """The phones of a word's IPA: diphthongs and affricates are one phone each, marks belong to no phone."""
    signs = "".join(bare(list(ipa)))
    phones: list[str] = []
    while signs:
        phone = signs[:2] if signs[:2] in _DOUBLE else signs[0]
        phones.append(phone)
        signs = signs[len(phone) :]
    return phones


_DOUBLE = frozenset({"aʊ", "aɪ", "eɪ", "oʊ", "ɔɪ", "tʃ", "dʒ"})
assert set(ARPABET.values()) >= _DOUBLE


def _share(count: int, length: int) -> Value:
    return Value(100 * count / length, weight=length)


def _letters(text: str) -> list[str]:
    """Characters as words for `of_words`; a space is a character, written _ (which no normalised text has)."""
    return list(text.replace(" ", "_"))


def _said(text: str, phonemes: Phonemes, language: str | None) -> list[str]:
    """The phones of a text as it is said."""
    signs = ("".join(sign for sign in word if sign.isalpha() or sign in "'-").strip("'-") for word in said(text, language).split())
    words = [word for word in signs if word]
    return [phone for word in phonemes(words) for phone in word] if words else []
