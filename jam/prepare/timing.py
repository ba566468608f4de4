"""When the words of a recording are sung: by times that are given, by aligning the lyrics, or by writing down what is heard.

Who listens is the embedded judge or a CTC network. It knows no files of songs, no cache and no rule that rejects.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from jam import assets
from jam.eval.alignment import Alignment, Emissions, Found, align
from jam.eval.asked import Text, text_of
from jam.eval.judge import SOUNDS, Judge
from jam.eval.measures import Absent
from jam.lyrics.phonemes import LANGUAGE, Phonemizer
from jam.lyrics.sheet import LINE_WORDS, Line, Sheet, SheetWord, of_words
from jam.lyrics.words import Word
from jam.prepare import search
from jam.prepare.forced import forced
from jam.prepare.records import SungWord, Timing
from jam.prepare.search import Window
from jam.prepare.transcription import JudgeReader, Transcriber, WhisperReader, read_vocabulary, vocabulary_of
from jam.prepare.weights import digest_of
from jam.timing import SAMPLE_RATE

if TYPE_CHECKING:
    from jam.eval.ctc import Hearer

log = logging.getLogger(__name__)

METHODS = ("auto", "given", "align", "transcribe")
ALIGNERS = ("judge", "ctc")
SEARCHES = ("viterbi", "forced_align")
RECOGNISERS = ("judge", "whisper", "faster-whisper")
FAR = 1.0  # seconds from its given start from which on a word that is heard counts as another
AROUND = 2.0  # seconds beside a line's own times in which its words are looked for
SUNG = 3.0  # seconds of singing from which on a song without lyrics is told to have some
ENOUGH = 0.5  # share of the words that a line's times must let find, lest they are wrong

VOWELS = SOUNDS[1:16]
FAMILIES = ("m n ŋ", "p b t d k ɡ", "f θ s z ʃ ʒ v ð", "tʃ dʒ ʃ ʒ", "l ɹ w j")
"""Sounds that the judge takes for one another, and that voices and dictionaries exchange."""


@dataclass(frozen=True)
class TimingSettings:
    """`timing`: how it is found out when words are sung, and who listens."""

    method: str = "auto"  # auto | given | align | transcribe; auto: given where all words have times, else align, else transcribe
    aligner: str = "ctc"  # ctc (a network of the hub) | judge (the embedded one, taught with synthetic voices alone)
    judge_path: str | None = None  # null: the embedded one
    ctc_path: str | None = None  # a folder of a transformers CTC model; null: the hub or its cache
    search: str | None = None  # viterbi | forced_align (of torchaudio, for ctc alone); null: forced_align for ctc, else viterbi
    batch: int = 4  # windows of 30 s that a CTC network hears at once
    recogniser: str | None = None  # judge | whisper | faster-whisper: who writes down songs without lyrics; null: nobody
    whisper_path: str | None = None  # a folder as transformers writes it; null: the hub or its cache
    faster_whisper_path: str | None = None  # a folder of ct2-transformers-converter; null: the hub or its cache
    vocabulary: str | None = None  # a text of words, with counts or without: those that the judge may write down
    verify: bool = True  # times that are given, and songs without lyrics, are listened to as well

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("aligner", ALIGNERS)):
            if getattr(self, name) not in known:
                raise ValueError(f"timing.{name} is {getattr(self, name)!r}; choose of {', '.join(known)}")
        if self.search not in (None, *SEARCHES):
            raise ValueError(f"timing.search is {self.search!r}; choose of {', '.join(SEARCHES)}, or null")
        if self.search == "forced_align" and self.aligner != "ctc":
            raise ValueError("timing.search is forced_align, which needs a CTC network; set timing.aligner to ctc, or search to null")
        if self.recogniser not in (None, *RECOGNISERS):
            raise ValueError(f"timing.recogniser is {self.recogniser!r}; choose of {', '.join(RECOGNISERS)}, or null")
        if self.method == "transcribe" and self.recogniser is None:
            raise ValueError(f"timing.method is transcribe, but timing.recogniser is null; choose of {', '.join(RECOGNISERS)}")
        if self.recogniser == "judge" and self.vocabulary is None:
            raise ValueError("timing.recogniser is judge, which knows the words of a list alone; name a text of words as timing.vocabulary")
        if self.batch < 1:
            raise ValueError(f"timing.batch is {self.batch}; give a number of windows from 1")


@dataclass(frozen=True)
class Aligner:
    """What hears samples at a rate in Hz, how it spells a word in its tokens, how it places words, and the SHA-256 of its weights."""

    name: str
    hear: Callable[[Tensor, int], Emissions]
    spell: Callable[[Word], list[int]]
    place: Callable[[Emissions, Sequence[Sequence[int]], Sequence[Window | None] | None], Alignment]
    digest: str
    holds_lines: bool  # whether it heeds when lines are sung


class Timer:
    """Listens to recordings; ready on one device."""

    def __init__(
        self, settings: TimingSettings, phonemizer: Phonemizer, aligner: Aligner, transcriber: Transcriber | None = None
    ) -> None:
        self.settings, self.phonemizer, self.aligner, self.transcriber = settings, phonemizer, aligner, transcriber

    @classmethod
    def load(cls, settings: TimingSettings, phonemizer: Phonemizer, device: str | torch.device = "cpu") -> Timer:
        """Loads those who listen. Raises Absent or ValueError, one line, for weights that are missing or do not fit."""
        return cls(settings, phonemizer, _aligner(settings, device), _transcriber(settings, phonemizer, device))

    @property
    def identity(self) -> str:
        """SHA-256 of the settings and weights that decide the outcome; the phonemizer and the song come on top of it."""
        said = {name: value for name, value in asdict(self.settings).items() if not name.endswith("_path") and name != "batch"}
        said.pop("vocabulary")  # the words themselves are in the transcriber's digest
        told = json.dumps([said, self.aligner.digest, self.transcriber and self.transcriber.digest], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def time(self, samples: Tensor, sheet: Sheet | None, language: str | None = None, where: str = "lyrics") -> Timing:
        """When the words of `sheet` are sung in `samples` (2, N) at 44.1 kHz; `language` is of lyrics that name none.

        A `sheet` without words is of an instrumental; where there is none at all, what is sung is written down, if somebody can. Raises
        ValueError, one line, for lyrics that cannot be read, and for the method `given` where times lack.
        """
        if self.transcriber is not None and (sheet is None or (self.settings.method == "transcribe" and sheet.words)):
            return self._transcribed(samples, self.transcriber, language, where)
        if sheet is None or not sheet.words:
            return self._wordless(samples, language, () if sheet is None else sheet.remarks)
        text = self._text(sheet, language, where, samples.shape[-1] / SAMPLE_RATE)
        return self._given(samples, text) if self._is_given(sheet, where) else self._aligned(samples, text)

    def _wordless(self, samples: Tensor, language: str | None, remarks: tuple[str, ...]) -> Timing:
        """A song without lyrics, and whether it is sung all the same."""
        if not self.settings.verify:
            return Timing("none", language=language, remarks=remarks)
        extra = self.aligner.place(self.aligner.hear(samples, SAMPLE_RATE), (), None).extra
        seconds = sum(end - start for start, end in extra)
        told = (f"has no lyrics, but singing is heard for {seconds:.0f} s",) if seconds >= SUNG else ()
        return Timing("none", self.aligner.name, extra=extra, language=language, remarks=(*remarks, *told))

    def _text(self, sheet: Sheet, language: str | None, where: str, seconds: float) -> Text:
        """The lyrics as they should be heard; what cannot be read or be sung is refused."""
        text = text_of(sheet, self.phonemizer, language, where, seconds)
        told = text.remarks[len(sheet.remarks) :]
        if told:
            raise ValueError(told[0])
        silent = sum(not sounds for sounds in text.spelled(self.aligner.spell))
        if silent:
            remark = f"{silent} of {len(text.words)} words have no sound that {self.aligner.name} knows, so that they cannot be found"
            return replace(text, remarks=(*text.remarks, remark))
        return text

    def _is_given(self, sheet: Sheet, where: str) -> bool:
        """Whether the times are taken as they are given."""
        if self.settings.method == "given" and sheet.timing != "words":
            raise ValueError(f"{where}: not all words have times, and timing.method is given; give them, or take auto")
        return self.settings.method in ("auto", "given") and sheet.timing == "words"

    def _given(self, samples: Tensor, text: Text) -> Timing:
        words = [_as_given(word, asked) for word, asked in zip(self._words(text), text.words, strict=True)]
        if not self.settings.verify:
            return Timing("given", words=tuple(words), language=text.language, remarks=text.remarks)
        heard = self._heard(samples, text)
        checked = tuple(_checked(word, found) for word, found in zip(words, heard.words, strict=True))
        lags = [1000 * (found.start - asked.start) for asked, found in zip(text.words, heard.words, strict=True) if found is not None]
        lag, error = (float(np.median(lags)), float(np.median(np.abs(lags)))) if lags else (None, None)
        return Timing("given", self.aligner.name, checked, heard.extra, lag, error, text.language, text.remarks)

    def _aligned(self, samples: Tensor, text: Text) -> Timing:
        heard, remarks = self._heard_in_lines(samples, text)
        words = tuple(_placed(word, found) for word, found in zip(self._words(text), heard.words, strict=True))
        return Timing("aligned", self.aligner.name, words, heard.extra, language=text.language, remarks=(*text.remarks, *remarks))

    def _transcribed(self, samples: Tensor, transcriber: Transcriber, language: str | None, where: str) -> Timing:
        """What somebody writes down, aligned as lyrics are; words that tell their times are looked for near them."""
        words = transcriber.write(samples, language)
        if not words:
            return Timing("none", transcriber.name, language=language, remarks=("no words are heard",))
        is_timed = any(word.end > 0 for word in words)
        sheet = of_words(words) if is_timed else _laid_out(words)
        found = self._aligned(samples, self._text(sheet, language, where, samples.shape[-1] / SAMPLE_RATE))
        heard_by = transcriber.name if transcriber.name == self.aligner.name else f"{transcriber.name}, {self.aligner.name}"
        return replace(found, method="transcribed", heard_by=heard_by)

    def _heard_in_lines(self, samples: Tensor, text: Text) -> tuple[Alignment, tuple[str, ...]]:
        """Where the words are, each near its line's own times; where those let find too little, wherever they are, and a remark."""
        emissions, spelled = self.aligner.hear(samples, SAMPLE_RATE), text.spelled(self.aligner.spell)
        windows = _windows(text) if self.aligner.holds_lines else None
        held = self.aligner.place(emissions, spelled, windows)
        if windows is None or _share(held) >= ENOUGH:
            return held, ()
        free = self.aligner.place(emissions, spelled, None)
        if _share(free) <= _share(held):
            return held, ()
        return free, (f"the times of its lines let find {_share(held):.0%} of the words, and {_share(free):.0%} are found without them",)

    def _heard(self, samples: Tensor, text: Text) -> Alignment:
        return self.aligner.place(self.aligner.hear(samples, SAMPLE_RATE), text.spelled(self.aligner.spell), None)

    def _words(self, text: Text) -> list[SungWord]:
        """The words without times."""
        numbers = [number for number, (low, high) in enumerate(text.spans) for _ in range(low, high)]
        return [
            SungWord(word.word, phoneme=word.phoneme, language=word.language, is_known=self._knows(word, text.language), line=number)
            for word, number in zip(text.words, numbers, strict=True)
        ]

    def _knows(self, word: Word, language: str) -> bool:
        return not word.word or self.phonemizer.knows(word.word, word.language or language or LANGUAGE)


def _as_given(word: SungWord, asked: Word) -> SungWord:
    """A word at its given times."""
    phones = None if asked.phones is None else tuple((phone.start, phone.end, phone.phoneme) for phone in asked.phones)
    return replace(word, start=asked.start, end=asked.end, phones=phones)


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


def _laid_out(words: Sequence[Word]) -> Sheet:
    """Words without times in lines."""
    lines = [words[place : place + LINE_WORDS] for place in range(0, len(words), LINE_WORDS)]
    return Sheet(tuple(Line(tuple(SheetWord(word.word) for word in line)) for line in lines))


def _transcriber(settings: TimingSettings, phonemizer: Phonemizer, device: str | torch.device) -> Transcriber | None:
    """Who writes down songs without lyrics; None where nobody is to."""
    if settings.recogniser is None:
        return None
    if settings.recogniser != "judge":
        key = "whisper_path" if settings.recogniser == "whisper" else "faster_whisper_path"
        with _named(f"timing.{key}"):
            return WhisperReader.load(settings.recogniser, getattr(settings, key), device)
    assert settings.vocabulary is not None
    judge = Judge.load(settings.judge_path or assets.BUNDLE, device)
    vocabulary = vocabulary_of(read_vocabulary(settings.vocabulary), phonemizer, judge.spell)
    return JudgeReader(judge, _sounds(), vocabulary, digest_of(judge.net))


@contextlib.contextmanager
def _named(key: str) -> Iterator[None]:
    """What is not on this machine is told with the setting that names it."""
    try:
        yield
    except Absent as error:
        raise Absent(f"{error}; the setting is {key}") from error


def _sounds() -> search.Sounds:
    """The judge's sounds as the search knows them."""
    return search.sounds_of(SOUNDS, VOWELS, [family.split() for family in FAMILIES])


def _windows(text: Text) -> list[Window | None] | None:
    """When each word may be sung, by its line's own times; None where no line has any."""
    found: list[Window | None] = []
    for (low, high), window in zip(text.spans, text.windows, strict=True):
        partly = any(text.is_timed[low:high]) and not all(text.is_timed[low:high])  # such a window ends with the last timed word
        wide = None if window is None or partly else (window[0] - AROUND, window[1] + AROUND)
        found += [wide] * (high - low)
    return found if any(window is not None for window in found) else None


def _share(heard: Alignment) -> float:
    """Which share of the words was found."""
    return sum(word is not None for word in heard.words) / max(1, len(heard.words))


def _aligner(settings: TimingSettings, device: str | torch.device) -> Aligner:
    if settings.aligner == "judge":
        judge = Judge.load(settings.judge_path or assets.BUNDLE, device)
        return Aligner("judge", judge.hear, judge.spell, partial(search.place, _sounds()), digest_of(judge.net), True)
    from jam.eval import ctc

    with _named("timing.ctc_path; the judge that is embedded is timing.aligner=judge"):
        hearer = ctc.Hearer.load(settings.ctc_path or ctc.WAV2VEC2, device, settings.batch)
    place = align if settings.search == "viterbi" else forced
    return Aligner(
        "ctc",
        hearer.hear,
        lambda word: hearer.spell(word.word, word.language),
        lambda emissions, words, _: place(emissions, words),
        _digest_of_hearer(hearer),
        False,
    )


def _digest_of_hearer(hearer: Hearer) -> str:
    """SHA-256 of all on which what a CTC network hears depends: its weights, and how it is fed and read."""
    told = [digest_of(hearer.model), hearer.vocabulary, hearer.scaled, hearer.stride, hearer.reach, hearer.model.config.pad_token_id]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
