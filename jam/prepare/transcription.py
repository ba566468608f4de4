"""Words of a recording without lyrics: by Whisper, or by the embedded judge, which knows the words of a list and no others.

The judge reads by a loop of words: the best path (Viterbi) through all words of the list, one after another, with silence or other
sounds between them. A frequent word costs less than a rare one. It knows no lyrics and no settings.
Letters: F frames, K sounds, V words, S states.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from jam import assets, files
from jam.eval.alignment import FORBIDDEN, Emissions
from jam.eval.judge import Judge
from jam.eval.measures import Absent
from jam.eval.recognisers import Recogniser
from jam.lyrics.languages import base
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.sheet import split
from jam.lyrics.words import Word
from jam.prepare.search import Sounds, lenient
from jam.prepare.weights import digest_of
from jam.timing import SAMPLE_RATE

WORD_PRICE = 12.0  # of each word, so that short ones do not stand for every sound
FREQUENCY = 1.0  # how much a word's logarithmic frequency counts
OTHER_PRICE = 1.5  # of a frame of sounds that are no word, under the best sound's score


class Transcriber(Protocol):
    """Whoever writes down what is sung."""

    name: str
    digest: str  # SHA-256 of all on which the words depend

    def write(self, samples: Tensor, language: str | None = None) -> tuple[Word, ...]:
        """The words heard in `samples` (2, N) at 44.1 kHz; 0 for times that it does not tell. Absent for a language that it lacks."""
        ...


@dataclass(frozen=True)
class Vocabulary:
    """Words that may be sung: how each is written, its sounds, and its price."""

    words: tuple[str, ...]
    sounds: tuple[tuple[int, ...], ...]
    prices: np.ndarray  # (V,)


def read_vocabulary(path: str | Path) -> dict[str, float]:
    """{word: count} of a text of words, one a line with a count or several without, as lists of frequent words are.

    Raises ValueError, in one line, for a file without words and for a count that is none.
    """
    found: dict[str, float] = {}
    for number, line in enumerate(files.read_bytes(path, "vocabulary").decode("utf-8", "replace").splitlines(), 1):
        parts = line.split()
        counted = len(parts) == 2 and parts[1].replace(".", "", 1).isdigit()
        for word in parts[:1] if counted else parts:
            found[word] = found.get(word, 0.0) + (float(parts[1]) if counted else 1.0)
        if counted and float(parts[1]) <= 0:
            raise ValueError(f"{path}: line {number}: {parts[0]!r} has the count {parts[1]}; give a number above 0")
    if not found:
        raise ValueError(f"{path}: holds no words; write one a line, with its count where it is known")
    return found


def vocabulary_of(counts: dict[str, float], phonemizer: Phonemizer, spell: Callable[[Word], list[int]]) -> Vocabulary:
    """The vocabulary of {word: count}; of words that sound alike the most frequent stays. Words of no sound are left out."""
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    said = phonemizer.ipa(ordered)
    best: dict[tuple[int, ...], str] = {}
    for word, ipa in zip(ordered, said, strict=True):
        best.setdefault(tuple(spell(Word(0.0, 0.0, word, ipa))), word)
    best.pop((), None)
    total = sum(counts[word] for word in best.values())
    prices = np.array([WORD_PRICE - FREQUENCY * math.log(counts[word] / total) for word in best.values()])
    return Vocabulary(tuple(best.values()), tuple(best), prices)


@dataclass(frozen=True)
class _Loop:
    """The states of all words one after another, (S,), and where each word ends."""

    codes: np.ndarray
    price: np.ndarray  # of entering: the word's for a first sound, 0 for the others
    is_first: np.ndarray
    last: np.ndarray  # (V,) each word's last state


def _loop(vocabulary: Vocabulary) -> _Loop:
    codes = np.array([code for word in vocabulary.sounds for code in word])
    last = np.cumsum([len(word) for word in vocabulary.sounds]) - 1
    first = np.concatenate([[0], last[:-1] + 1])
    price, is_first = np.zeros(len(codes)), np.zeros(len(codes), bool)
    price[first], is_first[first] = vocabulary.prices, True
    return _Loop(codes, price, is_first, last)


def read(sounds: Sounds, emissions: Emissions, vocabulary: Vocabulary) -> tuple[Word, ...]:
    """The words of the best path through `emissions`, with their times in seconds."""
    if not len(emissions.scores):
        return ()
    loop = _loop(vocabulary)
    entered, left = _forward(sounds, lenient(emissions, sounds), loop)
    edge, found = emissions.first - emissions.frame / 2, []
    for number, begin, end in _backward(entered, left, loop, sounds):
        found.append(Word(float(edge + begin * emissions.frame), float(edge + end * emissions.frame), vocabulary.words[number]))
    return tuple(found)


def _forward(sounds: Sounds, emissions: Emissions, loop: _Loop) -> tuple[np.ndarray, np.ndarray]:
    """Whether each state was entered in each frame, (F, S / 8) in bits; and which word ended best with it, (F,), -1 for none."""
    sums, gaps = _sums(emissions)
    least, depth = sounds.least, int(sounds.least.max()) + 1
    kinds = [(length, (least == length)[loop.codes]) for length in np.unique(least)]
    past, ends = np.full((depth, len(loop.codes)), FORBIDDEN), np.full(len(sums), FORBIDDEN)
    ends[0] = 0.0  # the best of all that may come before a word, after so many frames
    entered, left = np.zeros((len(sums) - 1, -(-len(loop.codes) // 8)), np.uint8), np.full(len(sums) - 1, -1)
    for index in range(len(sums) - 1):
        row = sums[index + 1]
        since = np.maximum(index + 1 - least, 0)
        paid = (row - sums[since, np.arange(len(least))])[loop.codes]
        held = past[(index - 1) % depth] + (row - sums[index])[loop.codes]
        came = np.full(len(loop.codes), FORBIDDEN)
        for length, mine in kinds:
            if index + 1 >= length:
                before = past[(index - length) % depth]
                came = np.where(mine, np.where(loop.is_first, ends[index + 1 - length], np.concatenate([[FORBIDDEN], before[:-1]])), came)
        entering = came - loop.price + paid
        best = past[index % depth] = np.maximum(held, entering).clip(FORBIDDEN)
        entered[index] = np.packbits(entering > held)
        word, resting = int(best[loop.last].argmax()), ends[index] + gaps[index]
        if best[loop.last[word]] > resting:
            left[index] = word
        ends[index + 1] = max(resting, best[loop.last[word]])
    return entered, left


def _backward(entered: np.ndarray, left: np.ndarray, loop: _Loop, sounds: Sounds) -> list[tuple[int, int, int]]:
    """(word, first frame, the frame after its last) of the best path."""
    found, index = [], len(left) - 1
    while index >= 0:
        if left[index] < 0:
            index -= 1
            continue
        number, end = int(left[index]), index + 1
        state = int(loop.last[number])
        while True:
            while not entered[index, state >> 3] >> (7 - (state & 7)) & 1:
                index -= 1
            index -= int(sounds.least[loop.codes[state]])
            if loop.is_first[state]:
                break
            state -= 1
        found.append((number, index + 1, end))
    return found[::-1]


def _sums(emissions: Emissions) -> tuple[np.ndarray, np.ndarray]:
    """Running sums (F + 1, K) of the sounds' scores; and the score of no word in each frame, (F,)."""
    scores = emissions.scores.astype(np.float64)
    gaps = scores.max(1) - OTHER_PRICE
    if emissions.silence is not None:
        gaps = np.maximum(gaps, scores[:, emissions.silence])
    return np.concatenate([np.zeros((1, scores.shape[1])), np.cumsum(scores, 0)]), gaps


class JudgeReader:
    """The embedded judge and a list of words."""

    name = "judge"

    def __init__(self, judge: Judge, sounds: Sounds, vocabulary: Vocabulary, digest: str) -> None:
        self.judge, self.sounds, self.vocabulary = judge, sounds, vocabulary
        told = repr((digest, vocabulary.words, vocabulary.sounds, vocabulary.prices.tolist()))
        self.digest = hashlib.sha256(told.encode()).hexdigest()

    def write(self, samples: Tensor, language: str | None = None) -> tuple[Word, ...]:
        """The words heard, with their times. Absent for another language than English."""
        if base(language or "en") != "en":
            raise Absent(f"what the judge hears: it reads English, and this song is in {language}; set timing.recogniser to whisper")
        return read(self.sounds, self.judge.hear(samples, SAMPLE_RATE), self.vocabulary)


class WhisperReader:
    """Whisper, by one of its doors."""

    def __init__(self, recogniser: Recogniser, digest: str) -> None:
        self.recogniser, self.name, self.digest = recogniser, recogniser.name, digest

    @classmethod
    def load(cls, name: str, path: str | None, device: str | torch.device = "cpu") -> WhisperReader:
        """`whisper` or `faster-whisper` of a folder, or of the hub. Raises Absent or ValueError, one line, where it is not to be had."""
        from jam.eval import recognisers

        if name == "whisper":
            whisper = recognisers.Whisper.load(path or recognisers.WHISPER, device)
            said = [whisper.model.generation_config.to_json_string(), whisper.processor.tokenizer.get_vocab()]
            told = repr((digest_of(whisper.model), said))
            return cls(whisper, hashlib.sha256(told.encode()).hexdigest())
        faster = recognisers.FasterWhisper.load(path or recognisers.FASTER_WHISPER, str(device))
        folder = Path(path) if path else assets.fetch(recognisers.FASTER_WHISPER).parent
        parts = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in (".bin", ".json", ".txt")]
        told = repr([(path.name, assets.sha256(path)) for path in parts])
        return cls(faster, hashlib.sha256(told.encode()).hexdigest())

    def write(self, samples: Tensor, language: str | None = None) -> tuple[Word, ...]:
        """The words heard, with their times where this Whisper tells them."""
        heard = self.recogniser.write(samples, language)
        return heard.words or tuple(Word(0.0, 0.0, word.word) for word in split(_unbraced(heard.text))[0])


def _unbraced(text: str) -> str:
    """The text without signs that mark phonemes in lyrics."""
    return text.replace("{", " ").replace("}", " ")
