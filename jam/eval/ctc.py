"""What a CTC network of the hub hears (wav2vec 2.0, HuBERT and their like): probabilities of letters, frame by frame, for aligning.

Songs go through it in windows that overlap, so that memory does not grow with the song. Such networks peak: a letter lasts a frame or two,
so a word's end is where its last letter began. Knows no lyrics, but how a word is spelled in the network's letters.
"""

import json
import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jam import assets, audio
from jam.assets import Asset
from jam.eval.alignment import Emissions
from jam.eval.measures import Absent
from jam.lyrics.spoken import spoken

WAV2VEC2 = Asset(
    "facebook/wav2vec2-base-960h",
    "model.safetensors",
    beside=("config.json", "vocab.json", "preprocessor_config.json", "tokenizer_config.json"),
)
RATE = 16_000  # Hz
WINDOW = 30.0  # seconds that are heard at once
CONTEXT = 3.0  # seconds at each end of a window that are heard and not kept
DELIMITER = "|"  # how these vocabularies write the space between words


class Hearer:
    """A network with a letter for each frame, and its vocabulary {letter: code}."""

    name = "ctc"

    def __init__(
        self,
        model: Any,
        vocabulary: dict[str, int],
        scaled: bool = True,
        window: float = WINDOW,
        context: float = CONTEXT,
        batch: int = 1,
    ) -> None:
        """`scaled`: the network was taught sound of no offset and unit variance; `batch` windows of one length are heard at once.

        ValueError where a window has no room but context.
        """
        if window < 3 * context:
            raise ValueError(
                f"a window of {window:g} s has no room for {context:g} s of context at both ends; take at least {3 * context:g} s"
            )
        self.model, self.vocabulary, self.scaled, self.batch = model.eval(), vocabulary, scaled, batch
        self.stride = math.prod(model.config.conv_stride)  # samples
        self.reach = _reach(model.config.conv_kernel, model.config.conv_stride)
        self._window, self._context = round(window * RATE / self.stride), round(context * RATE / self.stride)

    @classmethod
    def load(cls, source: str | Path | Asset = WAV2VEC2, device: str | torch.device = "cpu", batch: int = 1) -> "Hearer":
        """The network of a folder as `save_pretrained` writes it (config.json, model.safetensors, vocab.json), or of the hub.

        Raises Absent, one line, where it is not to be had; ValueError for a folder that holds something else.
        """
        folder = _folder(source)
        vocabulary = _vocabulary(folder / "vocab.json")
        from transformers import AutoModelForCTC

        try:
            model = AutoModelForCTC.from_pretrained(folder, use_safetensors=True, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ValueError(f"{folder}: not a CTC network that can be read ({reason}); give config.json and model.safetensors") from error
        if max(vocabulary.values()) >= model.config.vocab_size:
            raise ValueError(f"{folder}: vocab.json has code {max(vocabulary.values())}, but the network {model.config.vocab_size} tokens")
        return cls(model.to(device), vocabulary, _is_scaled(folder / "preprocessor_config.json"), batch=batch)

    @torch.no_grad()
    def hear(self, samples: Tensor, rate: int) -> Emissions:
        """Log-probabilities of the vocabulary in each frame of `samples` (channels, N) at `rate` Hz."""
        mono = audio.resample(samples.float().mean(0), rate, RATE)
        if self.scaled:
            mono = (mono - mono.mean()) / (mono.var(unbiased=False) + 1e-7).sqrt() if len(mono) else mono
        frames = max(1, math.ceil((len(mono) - self.reach) / self.stride) + 1)
        mono = torch.nn.functional.pad(mono, (0, max(0, (frames - 1) * self.stride + self.reach - len(mono))))
        scores = np.concatenate([part for cores in self._alike(frames) for part in self._parts(mono, cores, frames)])
        blank, silence = self.model.config.pad_token_id, self.vocabulary.get(DELIMITER)
        return Emissions(scores, self.stride / RATE, self.reach / 2 / RATE, blank=blank, silence=silence)

    def spell(self, word: str, language: str | None = None) -> list[int]:
        """The codes of a word as it is spoken, in the network's letters; accents that it lacks are taken off, other signs left out."""
        said = " ".join(spoken(word, language or "en_us", reads=self._reads).split())
        codes = (self._code(DELIMITER if sign == " " else sign) for sign in said)
        found = [code for code in codes if code is not None]
        edge = self.vocabulary.get(DELIMITER)
        while found and found[-1] == edge:
            found.pop()
        return found

    def _reads(self, letter: str) -> bool:
        return self._code(letter) is not None

    def _code(self, sign: str) -> int | None:
        return next((self.vocabulary[form] for form in (sign, sign.upper(), sign.lower()) if form in self.vocabulary), None)

    def _cores(self, frames: int) -> list[tuple[int, int]]:
        """The frames (first, last + 1) that each window gives; one for a song that fits in a window."""
        if frames <= self._window:
            return [(0, frames)]
        step = self._window - 2 * self._context
        return [(first, min(first + step, frames)) for first in range(0, frames, step)]

    def _alike(self, frames: int) -> Iterator[list[tuple[int, int]]]:
        """The cores in order, those together whose windows are of one length, at most `batch`."""
        for _, alike in groupby(self._cores(frames), lambda core: np.diff(self._around(core, frames))[0]):
            cores = list(alike)
            yield from (cores[place : place + self.batch] for place in range(0, len(cores), self.batch))

    def _around(self, core: tuple[int, int], frames: int) -> tuple[int, int]:
        """The frames that are heard for a core: it and what stands around it."""
        return max(0, core[0] - self._context), min(frames, core[1] + self._context)

    def _parts(self, mono: Tensor, cores: list[tuple[int, int]], frames: int) -> Iterator[np.ndarray]:
        """Scores of each core's frames, (last - first, K), their windows heard at once."""
        windows = [self._around(core, frames) for core in cores]
        heard = torch.stack([mono[low * self.stride : (high - 1) * self.stride + self.reach] for low, high in windows])
        logits = self.model(heard.to(self.model.device)).logits  # (B, high - low, K)
        for (first, last), (low, _), row in zip(cores, windows, logits, strict=True):
            yield row[first - low : last - low].float().log_softmax(-1).cpu().numpy()


def _reach(kernels: list[int], strides: list[int]) -> int:
    """How many samples a frame is made of."""
    reach, stride = 1, 1
    for kernel, step in zip(kernels, strides, strict=True):
        reach += (kernel - 1) * stride
        stride *= step
    return reach


def _folder(source: str | Path | Asset) -> Path:
    if not isinstance(source, Asset):
        if not Path(source).is_dir():
            raise Absent(f"alignment by a CTC network: {source}: no such folder; name one that holds {WAV2VEC2.repo}, or its like")
        return Path(source)
    try:
        return assets.fetch(source).parent
    except OSError as error:
        raise Absent(f"alignment by a CTC network: {error}") from error


def _vocabulary(path: Path) -> dict[str, int]:
    """{letter: code} of a vocab.json."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: no vocabulary that can be read; give the network's vocab.json, {{letter: code}}") from error
    if not isinstance(found, dict) or not found or not all(isinstance(code, int) for code in found.values()):
        raise ValueError(f"{path}: not one vocabulary {{letter: code}}; of a network of many languages give that of one")
    return found


def _is_scaled(path: Path) -> bool:
    """Whether the network hears sound of unit variance, as most do."""
    return not path.is_file() or bool(json.loads(path.read_text(encoding="utf-8")).get("do_normalize", True))
