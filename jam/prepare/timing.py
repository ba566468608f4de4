"""When the words of a recording are sung: by times that are given, by aligning the lyrics, or by writing down what is heard.

Who listens is the embedded judge or a CTC network. It knows no files of songs, no cache and no rule that rejects.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jam import assets
from jam.eval.alignment import Alignment, Emissions, Found, align
from jam.eval.asked import Text, text_of
from jam.eval.judge import Judge
from jam.lyrics.phonemes import LANGUAGE, Phonemizer
from jam.lyrics.sheet import Sheet
from jam.lyrics.words import Word
from jam.prepare.records import SungWord, Timing
from jam.timing import SAMPLE_RATE

log = logging.getLogger(__name__)

METHODS = ("auto", "given", "align", "transcribe")
ALIGNERS = ("judge", "ctc")
FAR = 1.0  # seconds from its given start from which on a word that is heard counts as another


@dataclass(frozen=True)
class TimingSettings:
    """`timing`: how it is found out when words are sung, and who listens."""

    method: str = "auto"  # auto | given | align | transcribe; auto: given where all words have times, else align, else transcribe
    aligner: str = "judge"  # judge (taught with synthetic voices alone) | ctc (a network of the hub)
    judge_path: str | None = None  # null: the embedded one
    ctc_path: str | None = None  # a folder of a transformers CTC model; null: the hub or its cache
    verify: bool = True  # times that are given are listened to as well
    language: str | None = None  # of songs that name none; null: English

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("aligner", ALIGNERS)):
            if getattr(self, name) not in known:
                raise ValueError(f"timing.{name} is {getattr(self, name)!r}; choose of {', '.join(known)}")


@dataclass(frozen=True)
class Aligner:
    """What hears samples at a rate in Hz, how it spells a word in its tokens, and the SHA-256 of its weights."""

    name: str
    hear: Callable[[Tensor, int], Emissions]
    spell: Callable[[Word], list[int]]
    digest: str


class Timer:
    """Listens to recordings; ready on one device."""

    def __init__(self, settings: TimingSettings, phonemizer: Phonemizer, aligner: Aligner) -> None:
        self.settings, self.phonemizer, self.aligner = settings, phonemizer, aligner

    @classmethod
    def load(cls, settings: TimingSettings, phonemizer: Phonemizer, device: str | torch.device = "cpu") -> Timer:
        """Loads those who listen. Raises Absent or ValueError, one line, for weights that are missing or do not fit."""
        return cls(settings, phonemizer, _aligner(settings, device))

    @property
    def identity(self) -> str:
        """SHA-256 of the settings and weights that decide the outcome; the phonemizer and the song come on top of it."""
        told = json.dumps([asdict(self.settings), self.aligner.digest], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def time(self, samples: Tensor, sheet: Sheet | None, language: str | None = None, where: str = "lyrics") -> Timing:
        """When the words of `sheet` are sung in `samples` (2, N) at 44.1 kHz; `language` is of lyrics that name none.

        Raises ValueError, one line, for lyrics that cannot be read, and for the method `given` where times lack.
        """
        language = language or self.settings.language
        if sheet is None or not sheet.words:
            return Timing("none", language=language, remarks=() if sheet is None else sheet.remarks)
        text = self._text(sheet, language, where, samples.shape[-1] / SAMPLE_RATE)
        if self._is_given(sheet, where):
            return self._given(samples, text)
        return self._aligned(samples, text)

    def _text(self, sheet: Sheet, language: str | None, where: str, seconds: float) -> Text:
        """The lyrics as they should be heard; what cannot be read or be sung is refused."""
        text = text_of(sheet, self.phonemizer, language, where, seconds)
        for remark in text.remarks[len(sheet.remarks) :]:
            raise ValueError(remark)
        return text

    def _is_given(self, sheet: Sheet, where: str) -> bool:
        """Whether the times are taken as they are given."""
        if self.settings.method == "given" and sheet.timing != "words":
            raise ValueError(f"{where}: not all words have times, and timing.method is given; give them, or take auto")
        return self.settings.method in ("auto", "given") and sheet.timing == "words"

    def _given(self, samples: Tensor, text: Text) -> Timing:
        words = [replace(word, start=asked.start, end=asked.end) for word, asked in zip(self._words(text), text.words, strict=True)]
        if not self.settings.verify:
            return Timing("given", words=tuple(words), language=text.language, remarks=text.remarks)
        heard = self._heard(samples, text)
        checked = tuple(_checked(word, found) for word, found in zip(words, heard.words, strict=True))
        lags = [1000 * (found.start - asked.start) for asked, found in zip(text.words, heard.words, strict=True) if found is not None]
        lag, error = (float(np.median(lags)), float(np.median(np.abs(lags)))) if lags else (None, None)
        return Timing("given", self.aligner.name, checked, heard.extra, lag, error, text.language, text.remarks)

    def _aligned(self, samples: Tensor, text: Text) -> Timing:
        heard = self._heard(samples, text)
        words = tuple(_placed(word, found) for word, found in zip(self._words(text), heard.words, strict=True))
        return Timing("aligned", self.aligner.name, words, heard.extra, language=text.language, remarks=text.remarks)

    def _heard(self, samples: Tensor, text: Text) -> Alignment:
        return align(self.aligner.hear(samples, SAMPLE_RATE), text.spelled(self.aligner.spell))

    def _words(self, text: Text) -> list[SungWord]:
        """The words without times."""
        numbers = [number for number, (low, high) in enumerate(text.spans) for _ in range(low, high)]
        return [
            SungWord(word.word, phoneme=word.phoneme, language=word.language, is_known=self._knows(word, text.language), line=number)
            for word, number in zip(text.words, numbers, strict=True)
        ]

    def _knows(self, word: Word, language: str) -> bool:
        return not word.word or self.phonemizer.knows(word.word, word.language or language or LANGUAGE)


def _placed(word: SungWord, found: Found | None) -> SungWord:
    """A word where it was found."""
    if found is None:
        return replace(word, is_found=False)
    return replace(word, start=found.start, end=found.end, confidence=found.confidence)


def _checked(word: SungWord, found: Found | None) -> SungWord:
    """A word that keeps its given times, and whether it was heard there."""
    assert word.start is not None
    near = found is not None and abs(found.start - word.start) <= FAR
    return replace(word, confidence=None if found is None else found.confidence, is_found=near)


def _aligner(settings: TimingSettings, device: str | torch.device) -> Aligner:
    if settings.aligner == "judge":
        judge = Judge.load(settings.judge_path or assets.BUNDLE, device)
        return Aligner("judge", judge.hear, judge.spell, digest_of(judge.net))
    from jam.eval import ctc

    hearer = ctc.Hearer.load(settings.ctc_path or ctc.WAV2VEC2, device)
    return Aligner("ctc", hearer.hear, lambda word: hearer.spell(word.word, word.language), digest_of(hearer.model))


def digest_of(network: Any) -> str:
    """SHA-256 of a network's weights, whatever file they came from."""
    found = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def sung(words: Sequence[SungWord]) -> list[SungWord]:
    """The words that have times and were found."""
    return [word for word in words if word.is_found and word.start is not None]
