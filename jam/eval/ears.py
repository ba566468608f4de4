"""What one process listens with: the aligners' networks, the recognisers, the style encoder, the codec. It measures nothing.

What is asked for and not on this machine is named in `absent`, a line each, and everything else goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

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

log = logging.getLogger(__name__)
T = TypeVar("T")
Spell = Callable[[Word], list[int]]


@dataclass(frozen=True)
class Listened:
    """What was heard in one recording: emissions by aligner, texts by recogniser, and the judge's sounds."""

    emissions: dict[str, Emissions] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    sounds: tuple[str, ...] = ()


class Ears:
    """Instruments on one device; each is loaded when it is first used."""

    def __init__(self, settings: EvalConfig, vocabulary: Mapping[str, str], device: str | torch.device = "cpu") -> None:
        """`vocabulary` is every word of the benchmark with its IPA, for recognisers that know no others."""
        self.settings, self.vocabulary, self.device = settings, dict(vocabulary), device
        self.absent: dict[str, str] = {}  # instrument: the line that says what to do

    @cached_property
    def judge(self) -> Judge:
        """The embedded judge."""
        return Judge.load(self.settings.alignment.judge_path or assets.BUNDLE, self.device)

    @cached_property
    def aligners(self) -> dict[str, Any]:
        """By name, what has `hear(samples, rate) -> Emissions` and `spell(word) -> tokens`."""
        wanted: dict[str, Callable[[], Any]] = {"judge": lambda: self.judge, "ctc": self._load_ctc}
        found = {name: self._tried(name, wanted[name]) for name in self.settings.alignment.aligners}
        return {name: aligner for name, aligner in found.items() if aligner is not None}

    @cached_property
    def recognisers(self) -> dict[str, Any]:
        """By name, those that write words down."""
        names = [name for name in self.settings.lyrics.recognisers if name != "judge"]
        found = {name: self._tried(name, lambda name=name: self._load_recogniser(name)) for name in names}
        return {name: recogniser for name, recogniser in found.items() if recogniser is not None}

    @cached_property
    def style(self) -> StyleEncoder:
        """What compares songs with descriptions and clips."""
        return load_style(self.settings.style.encoder, self.settings.style.path, torch.device(self.device))

    @cached_property
    def codec(self) -> Any:
        """What the control `codec round trip` goes through."""
        return load_codec(self.settings.codec.kind, self.settings.codec.path, torch.device(self.device))

    def listen(self, samples: Tensor, rooms: Sequence[str], language: str) -> Listened:
        """Everything that is heard in `samples` (2, N) at 44.1 kHz for the rooms `timing` and `lyrics`."""
        if not {"timing", "lyrics"} & set(rooms):
            return Listened()
        emissions = {name: aligner.hear(samples, SAMPLE_RATE) for name, aligner in self.aligners.items()}
        if "lyrics" not in rooms:
            return Listened(emissions)
        heard = emissions.get("judge")
        if heard is None and "judge" in self.settings.lyrics.recognisers:
            heard = self.judge.hear(samples, SAMPLE_RATE)
        texts = {name: self._written(name, recogniser, samples, language) for name, recogniser in self.recognisers.items()}
        written = {name: text for name, text in texts.items() if text is not None}
        return Listened(emissions, written, tuple(self.judge.write(heard)) if heard else ())

    def round_trip(self, samples: Tensor) -> Tensor:
        """`samples` (2, N) through the codec and back, as long as before."""
        with torch.no_grad():
            mean, _ = self.codec.encode(samples[None])
            return self.codec.decode(mean)[0, :, : samples.shape[-1]].float().cpu()

    def _written(self, name: str, recogniser: Any, samples: Tensor, language: str) -> str | None:
        return self._tried(name, lambda: recogniser.write(samples, language).text)

    def _tried(self, name: str, load: Callable[[], T]) -> T | None:
        """What `load` gives; None, and a line in `absent`, where it is not on this machine."""
        if name in self.absent:
            return None
        try:
            return load()
        except (Absent, OSError) as error:
            self.absent[name] = str(error)
            return None

    def _load_ctc(self) -> Any:
        from jam.eval.ctc import Ctc

        return Ctc.load(self.settings.alignment.ctc_path, self.device)

    def _load_recogniser(self, name: str) -> Any:
        from jam.eval import recognisers

        s = self.settings.lyrics
        if name == "pocketsphinx":
            return recognisers.Pocketsphinx(self.vocabulary if s.closed_vocabulary else None)
        if name == "whisper":
            return recognisers.Whisper.load(s.whisper_path, self.device)
        return recognisers.FasterWhisper.load(s.faster_whisper_path, self.device)


