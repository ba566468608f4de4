"""What one process listens with: the aligners' networks, the recognisers, the style encoder, the codec. It measures nothing.

What is asked for and not on this machine is named in `absent`, a line each, and everything else goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from jam import assets
from jam.eval.alignment import Emissions
from jam.eval.judge import Judge
from jam.eval.measures import Absent
from jam.eval.settings import EvalConfig
from jam.lyrics.words import Word
from jam.song import StyleEncoder, load_codec, load_style
from jam.timing import SAMPLE_RATE

if TYPE_CHECKING:
    from jam.eval.embeddings import Embedding
    from jam.eval.recognisers import Recogniser

log = logging.getLogger(__name__)
T = TypeVar("T")
PLACES = {
    **{"ctc": "alignment.ctc_path", "whisper": "lyrics.whisper_path", "faster-whisper": "lyrics.faster_whisper_path"},
    **{"style": "style.path", "codec": "codec.path", "clap": "sound.clap_path", "vggish": "sound.vggish_path"},
}
"""Where the settings name an instrument's files."""


@dataclass(frozen=True)
class Aligner:
    """What hears a recording (samples at a rate in Hz), and how it spells a word in its tokens."""

    hear: Callable[[Tensor, int], Emissions]
    spell: Callable[[Word], list[int]]


@dataclass(frozen=True)
class Listened:
    """What was heard in one recording: emissions by aligner, texts by recogniser, and what the judge heard, if it is asked at all."""

    emissions: dict[str, Emissions] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    judge: Emissions | None = None


class Ears:
    """Instruments on one device; each is loaded when it is first used."""

    def __init__(self, settings: EvalConfig, vocabulary: Mapping[str, str]) -> None:
        """`vocabulary` is every word of the benchmark with its IPA, for recognisers that know no others."""
        self.settings, self.vocabulary, self.device = settings, dict(vocabulary), settings.on
        self.absent: dict[str, str] = {}  # instrument: the line that says what to do

    @cached_property
    def judge(self) -> Judge:
        """The embedded judge."""
        return Judge.load(self.settings.alignment.judge_path or assets.BUNDLE, self.device)

    @cached_property
    def aligners(self) -> dict[str, Aligner]:
        """By name, those that find words."""
        wanted = {"judge": lambda: Aligner(self.judge.hear, self.judge.spell), "ctc": self._load_ctc}
        found = {name: self._tried(name, wanted[name]) for name in self.settings.alignment.aligners}
        return {name: aligner for name, aligner in found.items() if aligner is not None}

    @cached_property
    def recognisers(self) -> dict[str, Recogniser]:
        """By name, those that write words down."""
        names = [name for name in self.settings.lyrics.recognisers if name != "judge"]
        found = {name: self._tried(name, partial(self._load_recogniser, name)) for name in names}
        return {name: recogniser for name, recogniser in found.items() if recogniser is not None}

    @cached_property
    def style(self) -> StyleEncoder | None:
        """What compares songs with descriptions and clips."""
        s = self.settings.style
        return self._tried("style", lambda: load_style(s.encoder, s.path, torch.device(self.device)))

    @cached_property
    def embeddings(self) -> dict[str, Embedding]:
        """By name, those that turn songs into rows for the Fréchet distance."""
        from jam.eval.embeddings import ClapRows, VggishRows

        s = self.settings
        wanted: dict[str, Callable[[], Embedding | None]] = {
            "style": self._style_rows,
            "clap": lambda: ClapRows.load(s.sound.clap_path, self.device),
            "vggish": lambda: VggishRows.load(s.sound.vggish_path, self.device),
        }
        found = {name: self._tried(name, wanted[name]) for name in s.sound.embeddings}
        return {embedding.name: embedding for embedding in found.values() if embedding is not None}

    def _style_rows(self) -> Embedding | None:
        from jam.eval.embeddings import StyleRows

        return None if self.style is None else StyleRows(self.style, self.settings.style.encoder)

    def rows(self, samples: Tensor) -> dict[str, np.ndarray]:
        """The rows (w, d) of `samples` (2, N) at 44.1 kHz, by embedding."""
        return {name: embedding.rows(samples) for name, embedding in self.embeddings.items()}

    @cached_property
    def codec(self) -> Any:
        """What the control `codec round trip` goes through, and what training songs are searched by; None where it is not there."""
        s = self.settings.codec
        return self._tried("codec", lambda: load_codec(s.kind, s.path, torch.device(self.device)))

    def load(self, rooms: Sequence[str], has_references: bool) -> None:
        """Loads what every song needs. Raises ValueError or OSError, one line, for files that are missing or do not fit."""
        if {"timing", "lyrics"} & set(rooms):
            _ = self.aligners, self.recognisers, self.judge if "judge" in self.settings.lyrics.recognisers else None
        if {"style", "sound", "safety"} & set(rooms):
            _ = self.style
        if has_references and "codec round trip" in self.settings.controls:
            _ = self.codec

    def listen(self, samples: Tensor, rooms: Sequence[str], language: str) -> Listened:
        """Everything that is heard in `samples` (2, N) at 44.1 kHz for the rooms `timing` and `lyrics`."""
        if not {"timing", "lyrics"} & set(rooms):
            return Listened()
        emissions = {name: aligner.hear(samples, SAMPLE_RATE) for name, aligner in self.aligners.items()}
        heard = emissions.get("judge")
        if "lyrics" not in rooms:
            return Listened(emissions, judge=heard)
        if heard is None and "judge" in self.settings.lyrics.recognisers:
            heard = self.judge.hear(samples, SAMPLE_RATE)
        texts = {name: self._written(name, recogniser, samples, language) for name, recogniser in self.recognisers.items()}
        written = {name: text for name, text in texts.items() if text is not None}
        return Listened(emissions, written, heard)

    @torch.no_grad()
    def latents(self, samples: Tensor) -> Tensor | None:
        """The codec's latents (T, C) of `samples` (2, N) at 44.1 kHz; None where it is not there."""
        return None if self.codec is None else self.codec.encode(samples[None].to(self.device))[0][0].float().cpu()

    @torch.no_grad()
    def round_trip(self, samples: Tensor) -> Tensor:
        """`samples` (2, N) through the codec and back, as long as before."""
        mean = self.codec.encode(samples[None].to(self.device))[0]
        return self.codec.decode(mean)[0, :, : samples.shape[-1]].float().cpu()

    def _written(self, name: str, recogniser: Recogniser, samples: Tensor, language: str) -> str | None:
        """What a recogniser wrote down; None, and a line in `absent`, where it lacks the language: it goes on with the other songs."""
        try:
            return recogniser.write(samples, language).text
        except Absent as error:
            self.absent[f"{name} in {language}"] = str(error)
            return None

    def _tried(self, name: str, load: Callable[[], T]) -> T | None:
        """What `load` gives; None, and a line in `absent`, where it is not on this machine."""
        if name in self.absent:
            return None
        try:
            return load()
        except (Absent, OSError) as error:
            key = PLACES.get(name, "")
            self.absent[name] = str(error) if not key or key in str(error) else f"{error}; the setting is {key}"
            return None

    def _load_ctc(self) -> Aligner:
        from jam.eval import ctc

        hearer = ctc.Hearer.load(self.settings.alignment.ctc_path or ctc.WAV2VEC2, self.device)
        return Aligner(hearer.hear, lambda word: hearer.spell(word.word, word.language))

    def _load_recogniser(self, name: str) -> Recogniser:
        from jam.eval import recognisers

        s = self.settings.lyrics
        if name == "pocketsphinx":
            if s.closed_vocabulary and not self.vocabulary:
                raise Absent("what pocketsphinx hears: it reads English, and no words of these lyrics are; use Whisper")
            texts = self.vocabulary if s.closed_vocabulary else ()
            return recognisers.Sphinx(texts, lambda words: [self.vocabulary.get(word, "") for word in words])
        if name == "whisper":
            return recognisers.Whisper.load(s.whisper_path or recognisers.WHISPER, self.device)
        return recognisers.FasterWhisper.load(s.faster_whisper_path or recognisers.FASTER_WHISPER, str(self.device))
