"""Words to IPA to token ids: the only door to DeepPhonemizer (package `dp`, MIT), whose checkpoints name the network's tokens.

A checkpoint is a pickle. It is read with torch's restricted unpickler and an allow-list of the three classes that the released
`en_us_cmudict_ipa_forward.pt` holds; any other class is refused by name and nothing of it runs. Knows nothing of times or slots.

What is sung is what `jam.lyrics.spoken` makes of a word. Its parts are looked up in the user's lexicon, then in the checkpoint's
dictionary, as written, in lower case, then as a title; unknown ones in parts (at hyphens, and letter by letter for short words in
capitals); what is still unknown goes through the network. Words of other languages are read by others (`jam.lyrics.languages`) and brought
onto the same symbols.
"""

import logging
import pickle
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jam.lyrics import homographs, languages
from jam.lyrics.grid import BLANK
from jam.lyrics.languages import ESPEAK
from jam.lyrics.lexicon import arpabet_to_ipa, is_arpabet
from jam.lyrics.spoken import LETTER_NAMES, in_context, is_worded, plain, spoken
from jam.lyrics.words import Word, label

if TYPE_CHECKING:
    from dp.model.model import Model
    from dp.preprocessing.text import Preprocessor

logger = logging.getLogger(__name__)

END_OF_WORD = "_"  # token 0: the phonemizer's padding, and the end of each word
PUNCTUATION = ".,?!:;"  # kept in the IPA, a token each, in the order in which they are added to those of a checkpoint
LANGUAGE = "en_us"
ACRONYM_LETTERS = 4  # unknown words in capitals of at most so many letters are spelled: NYC, but not MOOONLIGHT

Piece = tuple[str, str | None]  # a text and its IPA, None where the network has to find it

_PIECE = re.compile(rf"[{re.escape(PUNCTUATION)}]|(?:[^\W\d_]|['-])+")  # a mark, or letters with apostrophes and hyphens
_MARKED = re.compile(rf"[{re.escape(PUNCTUATION)}]|[^{re.escape(PUNCTUATION)}]+")  # a mark, or what stands between marks
_ENDINGS = {  # contractions: what is said after some last sounds of a word, and after all others
    "'s": {"szʃʒ": "ɪz", "ptkfθ": "s", "": "z"},
    "'d": {"td": "ɪd", "": "d"},
    "'ll": {"": "əl"},
    "'ve": {"": "əv"},
    "'re": {"": "ɝ"},
    "n't": {"": "ənt"},
}
_RIME = re.compile("[aeiouæɑɔəɛɝɚɜɪʊʌɐ].*")  # of a syllable: its vowel and what follows


def token_ids(symbols: Iterable[str], languages: Iterable[str]) -> dict[str, int]:
    """Token ids of a phonemizer's `symbols`: 0 `_`, the `languages`, `<end>`, the symbols in their order, then the punctuation they lack.

    Raises ValueError if an id reaches 62, the first that the slots keep for themselves.
    """
    names = [END_OF_WORD, *(f"<{language}>" for language in languages), "<end>", *symbols]
    ids: dict[str, int] = {}
    for name in names:
        ids[name] = len(ids)
    return _with_punctuation(ids)


class Phonemizer:
    """A loaded checkpoint: IPA of words, and the token ids of IPA. Results are cached."""

    def __init__(self, model: "Model", preprocessor: "Preprocessor", dictionary: Mapping[str, Mapping[str, str]]) -> None:
        """`dictionary` is {language: {word: IPA}}; `model` and `preprocessor` serve the words that it lacks."""
        from dp.model.predictor import Predictor

        self.symbols = _with_punctuation(dict(preprocessor.phoneme_tokenizer.token_to_idx))
        self.languages = tuple(preprocessor.lang_tokenizer.lang_index)
        self._readable = frozenset(preprocessor.text_tokenizer.token_to_idx) - preprocessor.text_tokenizer.special_tokens
        self._lowercase = preprocessor.text_tokenizer.lowercase
        self._predict = Predictor(model=model.eval(), preprocessor=preprocessor)
        self._dictionary = dictionary
        self._lexicon: dict[str, str] = {}
        self._sources: dict[str, str] = {}
        self._readers: dict[str, languages.Reads] = {}
        self._said: dict[tuple[str, str], str] = {}
        self._divided: dict[tuple[str, str], list[Piece]] = {}
        self._cache: dict[tuple[str, str], str] = {}
        self._accents: dict[tuple[str, str], dict[str, str]] = {}

    @classmethod
    def load(cls, path: str | Path, lexicon: Mapping[str, str] | None = None, languages: Mapping[str, str] | None = None) -> "Phonemizer":
        """The phonemizer of a DeepPhonemizer checkpoint (.pt), on the CPU.

        `lexicon` {word: IPA} (`jam.lyrics.lexicon.read`) goes before the dictionary. `languages` says who reads the words of other
        languages, {code: "espeak", or the path of a DeepPhonemizer checkpoint}; for a code that it lacks espeak is asked, where it is
        installed.

        Raises ValueError, in one line, for a file that is missing, holds anything but such a checkpoint, or pickles other classes, and for
        a lexicon with symbols that have no token.
        """
        path = Path(path)
        checkpoint = _unpickle(path)
        from dp.preprocessing.text import Preprocessor

        missing = [key for key in ("preprocessor", "config", "model") if key not in checkpoint]
        if missing or not isinstance(checkpoint.get("preprocessor"), Preprocessor):
            raise ValueError(f"{path}: lacks {', '.join(missing) or 'a Preprocessor'}; give a DeepPhonemizer checkpoint (.pt)")
        try:
            model, _ = build(checkpoint["config"])
            model.load_state_dict(checkpoint["model"])
            phonemizer = cls(model, checkpoint["preprocessor"], checkpoint.get("phoneme_dict") or {})
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ValueError(f"{path}: its parts do not fit each other ({reason}); fetch the file again") from error
        phonemizer._lexicon = {plain(word).lower(): phonemizer._sayable(word, ipa) for word, ipa in (lexicon or {}).items()}
        phonemizer._sources = dict(languages or {})
        for code, source in phonemizer._sources.items():
            if source != ESPEAK and not Path(source).is_file():
                raise ValueError(f"{source}: no such file, but 'languages' says that it reads {code!r}; give a checkpoint, or espeak")
        return phonemizer

    def ipa(self, words: Sequence[str], language: str = LANGUAGE) -> list[str]:
        """The IPA of each of `words` as they are spoken, with its punctuation kept; "" for one of which nothing is said.

        A word that is spoken as several, such as `1999`, has the IPA of all of them joined. Raises ValueError for a language that nobody
        reads, and for a word with letters that cannot be read.
        """
        own = self._own(language)
        if own is None:
            return self._foreign(words, language)
        for word in words:
            if complaint := self._complaint(word, own):
                raise ValueError(f"the word {word!r} {complaint}")
        pieces = {word: self._pieces(word, own) for word in dict.fromkeys(words) if (own, word) not in self._cache}
        predicted = self.predict(sorted({text for parts in pieces.values() for text, entry in parts if entry is None}), own)
        for word, parts in pieces.items():
            self._cache[own, word] = "".join(predicted[text] if entry is None else entry for text, entry in parts)
        return [self._cache[own, word] for word in words]

    def ids(self, ipa: str) -> list[int]:
        """Token ids of a word's `ipa`, one a symbol, `_` at the end; symbols without a token are dropped, and no IPA has no ids."""
        if not ipa:
            return []
        ended = ipa if ipa.endswith(END_OF_WORD) else ipa + END_OF_WORD
        return [self.symbols[symbol] for symbol in ended if symbol in self.symbols]

    def ids_of(self, word: Word) -> list[int]:
        """Token ids of a timed word: those of its own phonemes or phones where it has them, else of its text.

        Raises ValueError as `ipa` does.
        """
        if word.phoneme is not None:
            return self.ids(word.phoneme)
        if word.phones:
            return self.ids("".join(phone.phoneme for phone in word.phones))
        return self.ids(self.ipa([word.word], word.language or LANGUAGE)[0])

    def lost(self, ipa: str) -> tuple[str, ...]:
        """The symbols of `ipa` that have no token, so that they are not sung, each once."""
        return tuple(dict.fromkeys(symbol for symbol in ipa if symbol not in self.symbols and not symbol.isspace()))

    def words(self, words: Sequence[Word], where: str = "lyrics", language: str = LANGUAGE) -> tuple[Word, ...]:
        """The same words, phonemes filled in where they have none; their neighbours decide how `live`, `$5 million` or `St.` are said.

        A word is read in its own `language`, else in `language`. Phonemes that are given stay, in the signs that the model has heard for
        the same sounds; phones may be ARPAbet, as aligners write them. Sounds of other languages that the model lacks are told in one
        warning. Raises ValueError as `ipa` does, naming `where` and the word's number.
        """
        meant = in_context([word.word for word in words])
        texts = [said if languages.base(word.language or language) == "en" else word.word for word, said in zip(words, meant, strict=True)]
        found: dict[int, str] = {}
        for code, indices in _by_language(words, language).items():
            found.update(self._found(words, texts, indices, code, where))
        return tuple(self._with_phoneme(word, found.get(index)) for index, word in enumerate(words))

    def knows(self, word: str, language: str = LANGUAGE) -> bool:
        """Whether the dictionary, or the lexicon, has all of `word`, so that nothing of it is the network's guess."""
        own = self._own(language)
        return own is None or all(entry is not None for _, entry in self._pieces(word, own))

    def guessed(self, words: Sequence[str], language: str = LANGUAGE) -> dict[str, str]:
        """{word: IPA} of those of `words` that no dictionary has whole, with the network's guess; what cannot be read is left out."""
        own = self._own(language)
        if own is None:
            return {}
        unknown = [word for word in dict.fromkeys(words) if not self._complaint(word, own) and not self.knows(word, own)]
        return dict(zip(unknown, self.ipa(unknown, own), strict=True))

    def exchanged(self, words: Sequence[str], language: str) -> dict[str, str]:
        """{sound: what is sung for it} of words of another language, where the model lacks the sound; "" where nothing is sung."""
        if self._own(language) is not None:
            return {}
        self._foreign(words, language)
        return {symbol: sung for word in words for symbol, sung in self._accents[language, word].items()}

    def predict(self, words: Sequence[str], language: str = LANGUAGE) -> dict[str, str]:
        """The network's own IPA of each of `words`, whether the dictionary has them or not."""
        by_length: dict[int, list[str]] = {}
        for word in dict.fromkeys(words):
            by_length.setdefault(len(word), []).append(word)
        found = {}
        for alike in by_length.values():  # words of one length need no padding: no word's IPA depends on its company
            found.update({result.word: result.phonemes for result in self._predict(words=alike, lang=language, batch_size=64)})
        return found

    @cached_property
    def heard(self) -> frozenset[str]:
        """The symbols of the dictionary's IPA: those that a model has heard. Other symbols may have a token that no song ever held."""
        return frozenset(symbol for words in self._dictionary.values() for symbol in set("".join(words.values())))

    def _found(self, words: Sequence[Word], texts: Sequence[str], indices: Sequence[int], language: str, where: str) -> dict[int, str]:
        """{index: IPA} of the words of one language. Raises ValueError, naming the word."""
        own = self._own(language)
        for index in indices:
            if own is not None and (complaint := self._complaint(texts[index], own)):
                raise ValueError(f"{where}: {label(index, words[index].word)} {complaint}")
        said = [texts[index] for index in indices]
        try:
            found = dict(zip(indices, self.ipa(said, language), strict=True))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if own is None and (exchanged := self.exchanged(said, language)):
            logger.warning("%s: %s", where, languages.told(language, exchanged))
        if own is not None and languages.base(own) == "en":
            for index in indices:
                if (read := self._in_company(texts, index, own)) is not None:
                    found[index] = read
        return found

    def _in_company(self, texts: Sequence[str], index: int, language: str) -> str | None:
        """The IPA of a homograph as its neighbours mean it, None for other words and where the dictionary's own is meant."""
        reading = homographs.reading(texts, index)
        if reading is None:
            return None
        pieces = self._pieces(texts[index], language)
        spoken_parts = [text for text, _ in pieces if text not in PUNCTUATION]
        if len(spoken_parts) != 1 or plain(spoken_parts[0]).lower() in self._lexicon:
            return None
        read = self._read_as(spoken_parts[0], reading, language)
        return None if read is None else "".join(read if text == spoken_parts[0] else text for text, _ in pieces)

    def _read_as(self, text: str, reading: homographs.Reading, language: str) -> str | None:
        """The IPA that a reading describes, in the symbols of this dictionary; None where it lacks the words that describe it."""
        own, other = self._entry(text, language), self._entry(reading.like, language)
        if own is None or other is None:
            return None
        other = other[: len(other) - reading.cut]
        if not reading.rhymes:
            return other
        begin, rime = _RIME.search(own), _RIME.search(other)
        return None if begin is None or rime is None else own[: begin.start()] + rime[0]

    def _with_phoneme(self, word: Word, found: str | None) -> Word:
        """The word with the IPA that was found, or its own, or that of its phones."""
        if found is not None:
            return replace(word, phoneme=found)
        phones = tuple(replace(phone, phoneme=self._heard_as(phone.phoneme)) for phone in word.phones) if word.phones else None
        if word.phoneme is None:
            return replace(word, phoneme="".join(phone.phoneme for phone in phones or ()), phones=phones)
        return replace(word, phoneme=languages.respelled(word.phoneme, self.heard), phones=phones)

    def _heard_as(self, phone: str) -> str:
        """A phone, IPA or ARPAbet, in the signs that the model has heard."""
        return languages.respelled(arpabet_to_ipa(phone) if is_arpabet(phone) else phone, self.heard)

    def _own(self, language: str) -> str | None:
        """Which of the checkpoint's languages reads `language`, None where another phonemizer does. Raises ValueError where nobody does."""
        if language in self.languages:
            return language
        alike = [own for own in self.languages if languages.base(own) == languages.base(language)]
        if alike and language not in self._sources:
            return alike[0]
        if self._source(language) is None:
            raise ValueError(
                f"the phonemizer does not speak {language!r}; it knows {', '.join(self.languages)}; for others, "
                "pip install 'jam[languages]', or name a DeepPhonemizer checkpoint: languages: {" + language + ": FILE}"
            )
        return None

    def _source(self, language: str) -> str | None:
        """What reads another language: as the user says, for the code or the language alone, else espeak where it is installed."""
        said = self._sources.get(language) or self._sources.get(languages.base(language))
        return said or (ESPEAK if languages.has_espeak() else None)

    def _reader(self, language: str) -> languages.Reads:
        """What gives the IPA of words of another language."""
        if language not in self._readers:
            source = self._source(language)
            assert source is not None, language
            if source == ESPEAK:
                self._readers[language] = languages.espeak(language)
            else:
                other = Phonemizer.load(source)
                code = next((code for code in other.languages if languages.base(code) == languages.base(language)), language)
                self._readers[language] = lambda words: other.ipa(words, code)
        return self._readers[language]

    def _foreign(self, words: Sequence[str], language: str) -> list[str]:
        """The IPA of words of another language, in symbols that the model has heard."""
        reads = self._reader(language)
        new = {word: _MARKED.findall(spoken(word, language)) for word in dict.fromkeys(words) if (language, word) not in self._cache}
        texts = sorted({text.strip() for parts in new.values() for text in parts if text not in PUNCTUATION and is_worded(text)})
        found = dict(zip(texts, reads(texts), strict=True)) if texts else {}
        for word, parts in new.items():
            ipa = "".join(text if text in PUNCTUATION else found.get(text.strip(), "") for text in parts)
            self._cache[language, word], self._accents[language, word] = languages.onto(ipa, self.heard, self.symbols)
        return [self._cache[language, word] for word in words]

    def _sayable(self, word: str, ipa: str) -> str:
        """A user's IPA in the symbols of this phonemizer. Raises ValueError for one that has none."""
        sung, _ = languages.onto(ipa, self.heard, self.symbols)
        if lost := self.lost(sung):
            known = " ".join(symbol for symbol in self.symbols if len(symbol) == 1 and symbol != END_OF_WORD)
            raise ValueError(f"lexicon: {word!r}: {' '.join(lost)} cannot be sung; the phonemizer knows {known}")
        return sung

    def _complaint(self, word: str, language: str) -> str | None:
        """What a person has to change before `word` can be read, None where nothing."""
        if self._of_lexicon(word) is not None:
            return None
        if foreign := _distinct(letter for letter in self._text(word, language) if letter.isalpha() and not self._is_readable(letter)):
            return f"has letters that the phonemizer cannot read ({foreign}); name its language, or give it a 'phoneme'"
        return None

    def _is_readable(self, letter: str) -> bool:
        return (letter.lower() if self._lowercase else letter) in self._readable

    def _text(self, word: str, language: str) -> str:
        """`word` as it is spoken."""
        key = (language, word)
        if key not in self._said:
            self._said[key] = spoken(word, language, lambda text: self._entry(text, language) is not None, self._is_readable)
        return self._said[key]

    def _pieces(self, word: str, language: str) -> list[Piece]:
        """What `word` is made of, in order: (text, its IPA), None where the network has to find it."""
        key = (language, word)
        if key not in self._divided:
            whole = self._of_lexicon(word)
            self._divided[key] = self._divide(self._text(word, language), language) if whole is None else whole
        return self._divided[key]

    def _divide(self, said: str, language: str) -> list[Piece]:
        pieces: list[Piece] = []
        for text in _PIECE.findall(said):
            if text in PUNCTUATION:
                pieces.append((text, text))
            elif (entry := self._entry(text, language)) is not None:
                pieces.append((text, entry))
            else:
                pieces += [(part, self._entry(part, language)) for part in self._parts(text, language)]
        return pieces

    def _of_lexicon(self, word: str) -> list[Piece] | None:
        """The pieces of a word that the user's lexicon has as it is written, whatever signs it holds."""
        text = plain(word)
        core = text.strip(f'{PUNCTUATION}"()[]')
        entry = self._lexicon.get(core.lower()) if core else None
        if entry is None:
            return None
        before, _, after = text.partition(core)
        marks: list[list[Piece]] = [[(mark, mark) for mark in side if mark in PUNCTUATION] for side in (before, after)]
        return [*marks[0], (core, entry), *marks[1]]

    def _parts(self, text: str, language: str) -> list[str]:
        """An unknown word divided at its hyphens, short capitals into letters; without the quotes around a part."""
        parts: list[str] = []
        for part in filter(None, (part.strip("'") for part in text.split("-"))):
            spelled = part.isupper() and len(part) <= ACRONYM_LETTERS and self._entry(part, language) is None
            parts += [self._letter(letter, language) for letter in part] if spelled else [part]
        return parts

    def _letter(self, letter: str, language: str) -> str:
        """A letter as it is looked up: by its name where that has an entry, for dictionaries have `a` as the article."""
        name = LETTER_NAMES.get(letter.lower(), letter)
        return name if languages.base(language) == "en" and self._entry(name, language) is not None else letter

    def _entry(self, text: str, language: str) -> str | None:
        """The lexicon's or the dictionary's IPA of `text`: as written, without quotes around it, without any apostrophe, or contracted."""
        if (entry := self._listed(text, language)) is not None:
            return entry
        if text.endswith("in'"):  # lovin', before the name that is spelled so without a quote
            whole = self._listed(text[:-1] + "g", language)
            if whole is not None and whole.endswith("ŋ"):
                return whole[:-1] + "n"
        for form in (text.strip("'"), text.replace("'", "")):
            if (entry := self._listed(form, language)) is not None:
                return entry
        return self._contracted(text, language) if "'" in text[1:] and languages.base(language) == "en" else None

    def _listed(self, text: str, language: str) -> str | None:
        """The lexicon's or the dictionary's IPA of `text`, as written, in lower case, or as a title."""
        if (entry := self._lexicon.get(text.lower())) is not None:
            return entry
        dictionary = self._dictionary.get(language, {})
        return next((dictionary[spelling] for spelling in (text, text.lower(), text.title()) if spelling in dictionary), None)

    def _contracted(self, text: str, language: str) -> str | None:
        """The IPA of a contraction that no dictionary has, of its known first part: `Zara's`, `moon'll`."""
        lower = text.lower()
        ending = next((ending for ending in _ENDINGS if lower.endswith(ending)), None)
        first = self._entry(text[: -len(ending)], language) if ending else None
        if ending is None or not first:
            return None
        sound = next(sound for last, sound in _ENDINGS[ending].items() if first[-1] in last or not last)
        return first + languages.onto(sound, self.heard, self.symbols)[0]


def build(config: Mapping[str, Any]) -> "tuple[Model, Preprocessor]":
    """DeepPhonemizer's network, untrained, and its preprocessor for one of its configs."""
    from dp.model.model import ModelType, create_model
    from dp.preprocessing.text import Preprocessor

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="enable_nested_tensor is True")  # the library asks for what its layout cannot use
        return create_model(ModelType(config["model"]["type"]), config), Preprocessor.from_config(config)


def save(
    path: str | Path,
    model: "Model",
    preprocessor: "Preprocessor",
    config: Mapping[str, Any],
    dictionary: Mapping[str, Mapping[str, str]],
    step: int,
) -> None:
    """Write a checkpoint that `Phonemizer.load`, and DeepPhonemizer itself, read; weights in half precision to halve the file."""
    import torch

    checkpoint = {
        "preprocessor": preprocessor,
        "config": dict(config),
        "model": {name: tensor.detach().cpu().half() for name, tensor in model.state_dict().items()},
        "phoneme_dict": {language: dict(words) for language, words in dictionary.items()},
        "step": step,
        "optimizer": None,
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    torch.save(checkpoint, part)
    part.replace(path)


def _unpickle(path: Path) -> dict[str, Any]:
    """The dictionary a checkpoint holds. ValueError in one line for anything else, and for classes outside the allow-list."""
    import torch
    from dp.preprocessing.text import LanguageTokenizer, Preprocessor, SequenceTokenizer

    if not path.is_file():
        raise ValueError(f"{path}: no such file; give a DeepPhonemizer checkpoint (.pt)")
    try:
        with torch.serialization.safe_globals([Preprocessor, LanguageTokenizer, SequenceTokenizer]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, AttributeError, ValueError) as error:
        if refused := re.search(r"GLOBAL (\S+)", str(error)):
            raise ValueError(
                f"{path}: pickles {refused[1]}, which no phonemizer needs, so nothing was loaded; fetch the file from a source you trust"
            ) from error
        raise ValueError(f"{path}: is no DeepPhonemizer checkpoint ({type(error).__name__}); fetch the file again") from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f"{path}: holds a {type(checkpoint).__name__}; give a DeepPhonemizer checkpoint (.pt)")
    return checkpoint


def _with_punctuation(ids: dict[str, int]) -> dict[str, int]:
    for symbol in PUNCTUATION:
        if symbol not in ids:
            ids[symbol] = max(ids.values()) + 1
    if (last := max(ids.values())) >= BLANK:
        raise ValueError(f"the phonemizer's symbols need token ids up to {last}, but ids from {BLANK} on are the grid's; use fewer symbols")
    return ids


def _by_language(words: Sequence[Word], language: str) -> dict[str, list[int]]:
    """{language: indices} of the words whose phonemes have to be found."""
    found: dict[str, list[int]] = {}
    for index, word in enumerate(words):
        if word.phoneme is None and not word.phones:
            found.setdefault(word.language or language, []).append(index)
    return found


def _distinct(letters: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(letters))
