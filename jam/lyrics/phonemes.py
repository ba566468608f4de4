"""Words to IPA to token ids: the only door to DeepPhonemizer (package `dp`, MIT), whose checkpoints name the network's tokens.

A checkpoint is a pickle. It is read with torch's restricted unpickler and an allow-list of the three classes that the released
`en_us_cmudict_ipa_forward.pt` holds; any other class is refused by name and nothing of it runs. Knows nothing of times or slots.

Words are looked up in the checkpoint's dictionary first, as written, in lower case, then as a title; unknown ones in parts (at hyphens, and
letter by letter for short words in capitals); what is still unknown goes through the network.
"""

import logging
import pickle
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jam.lyrics.grid import BLANK
from jam.lyrics.words import Word, label

if TYPE_CHECKING:
    from dp.model.model import Model
    from dp.preprocessing.text import Preprocessor

logger = logging.getLogger(__name__)

END_OF_WORD = "_"  # token 0: the phonemizer's padding, and the end of each word
PUNCTUATION = ".,?!:;"  # kept in the IPA, a token each, in the order in which they are added to those of a checkpoint
LANGUAGE = "en_us"
ACRONYM_LETTERS = 4  # unknown words in capitals of at most so many letters are spelled: NYC, but not MOOONLIGHT

_PLAIN = dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u0060\u00b4"), "'") | dict.fromkeys(range(0x2010, 0x2016), "-")
_PIECE = re.compile(rf"[{re.escape(PUNCTUATION)}]|(?:[^\W\d_]|['-])+")  # a mark, or letters with apostrophes and hyphens


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
        self._cache: dict[tuple[str, str], str] = {}

    @classmethod
    def load(cls, path: str | Path) -> "Phonemizer":
        """The phonemizer of a DeepPhonemizer checkpoint (.pt), on the CPU.

        Raises ValueError, in one line, for a file that is missing, holds anything but such a checkpoint, or pickles other classes.
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
            return cls(model, checkpoint["preprocessor"], checkpoint.get("phoneme_dict") or {})
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ValueError(f"{path}: its parts do not fit each other ({reason}); fetch the file again") from error

    def ipa(self, words: Sequence[str], language: str = LANGUAGE) -> list[str]:
        """The IPA of each of `words`, with its punctuation kept; "" for one without letters or punctuation.

        Raises ValueError for an unknown language, and for a word with digits, signs, or letters that the checkpoint cannot read.
        """
        if language not in self.languages:
            raise ValueError(f"the phonemizer does not speak {language!r}; it knows {', '.join(self.languages)}")
        for word in words:
            if complaint := self._complaint(word):
                raise ValueError(f"the word {word!r} {complaint}")
        pieces = {word: self._pieces(word, language) for word in dict.fromkeys(words) if (language, word) not in self._cache}
        predicted = self.predict(sorted({text for parts in pieces.values() for text, entry in parts if entry is None}), language)
        for word, parts in pieces.items():
            self._cache[language, word] = "".join(predicted[text] if entry is None else entry for text, entry in parts)
        return [self._cache[language, word] for word in words]

    def ids(self, ipa: str) -> list[int]:
        """Token ids of a word's `ipa`, one a symbol, `_` at the end; symbols without a token are dropped, and no IPA has no ids."""
        if not ipa:
            return []
        ended = ipa if ipa.endswith(END_OF_WORD) else ipa + END_OF_WORD
        return [self.symbols[symbol] for symbol in ended if symbol in self.symbols]

    def ids_of(self, word: Word) -> list[int]:
        """Token ids of a timed word: those of its own phonemes where it has them, else of its text. Raises ValueError as `ipa` does."""
        return self.ids(self.ipa([word.word])[0] if word.phoneme is None else word.phoneme)

    def words(self, words: Sequence[Word], where: str = "lyrics", language: str = LANGUAGE) -> tuple[Word, ...]:
        """The same words, phonemes filled in where they have none.

        Raises ValueError as `ipa` does, naming `where` and the word's number.
        """
        for index, word in enumerate(words):
            if word.phoneme is None and (complaint := self._complaint(word.word)):
                raise ValueError(f"{where}: {label(index, word.word)} {complaint}")
        found = iter(self.ipa([word.word for word in words if word.phoneme is None], language))
        return tuple(word if word.phoneme is not None else replace(word, phoneme=next(found)) for word in words)

    def knows(self, word: str, language: str = LANGUAGE) -> bool:
        """Whether the dictionary has all of `word`, so that nothing of it is the network's guess."""
        return all(entry is not None for _, entry in self._pieces(word, language))

    def predict(self, words: Sequence[str], language: str = LANGUAGE) -> dict[str, str]:
        """The network's own IPA of each of `words`, whether the dictionary has them or not."""
        by_length: dict[int, list[str]] = {}
        for word in dict.fromkeys(words):
            by_length.setdefault(len(word), []).append(word)
        found = {}
        for alike in by_length.values():  # words of one length need no padding: no word's IPA depends on its company
            found.update({result.word: result.phonemes for result in self._predict(words=alike, lang=language, batch_size=64)})
        return found

    def _complaint(self, word: str) -> str | None:
        """What a person has to change before `word` can be read, None where nothing."""
        text = _clean(word)
        if spoken := _distinct(filter(_is_spoken, text)):
            return f"has {spoken}; write numbers and signs as words, or give it a 'phoneme'"
        if foreign := _distinct(letter for letter in text if letter.isalpha() and not self._is_readable(letter)):
            return f"has letters that the phonemizer cannot read ({foreign}); write it in English, or give it a 'phoneme'"
        return None

    def _is_readable(self, letter: str) -> bool:
        return (letter.lower() if self._lowercase else letter) in self._readable

    def _pieces(self, word: str, language: str) -> list[tuple[str, str | None]]:
        """What `word` is made of, in order: (text, its IPA), None where the network has to find it."""
        pieces: list[tuple[str, str | None]] = []
        for text in _PIECE.findall(_clean(word)):
            if text in PUNCTUATION:
                pieces.append((text, text))
            elif (entry := self._entry(text, language)) is not None:
                pieces.append((text, entry))
            else:
                pieces += [(part, self._entry(part, language)) for part in self._parts(text, language)]
        return pieces

    def _parts(self, text: str, language: str) -> list[str]:
        """An unknown word divided at its hyphens, short capitals into letters; without the quotes around a part."""
        parts: list[str] = []
        for part in filter(None, (part.strip("'") for part in text.split("-"))):
            spelled = part.isupper() and len(part) <= ACRONYM_LETTERS and self._entry(part, language) is None
            parts += list(part) if spelled else [part]
        return parts

    def _entry(self, text: str, language: str) -> str | None:
        """The dictionary's IPA of `text`: as written, without quotes around it, then without any apostrophe (as dictionaries may be)."""
        dictionary = self._dictionary.get(language, {})
        for form in (text, text.strip("'"), text.replace("'", "")):
            for spelling in (form, form.lower(), form.title()):
                if spelling in dictionary:
                    return dictionary[spelling]
        return None


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


def _clean(word: str) -> str:
    """`word` with compatibility letters, apostrophes, dashes and dots in their plain forms."""
    return unicodedata.normalize("NFKC", word.translate(_PLAIN))


def _is_spoken(letter: str) -> bool:
    """Whether a singer would have to say it: a digit, or a sign that stands for a word."""
    return unicodedata.category(letter) in {"Nd", "Nl", "No", "Sc"} or letter in "&@%#+="


def _distinct(letters: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(letters))
