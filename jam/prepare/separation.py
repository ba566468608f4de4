"""The voice apart from the band, by Demucs (Defossez et al. 2021, Rouard et al. 2023): only to be listened to, never to be encoded.

Songs go through it in segments that overlap, so that memory does not grow with the song. The door to `demucs`, whose checkpoints name
classes: those of `CLASSES` are made, any other is refused and nothing of it runs. It knows no words. Letters: B segments, N samples.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jam.eval.measures import Absent
from jam.prepare.weights import digest_of
from jam.timing import SAMPLE_RATE

VOICE = "vocals"
SOURCES = ("drums", "bass", "other", VOICE)  # of networks that do not name theirs
CLASSES = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs")
FILES = "a checkpoint of demucs (such as 955717e8-8726e21a.th) or torchaudio's hdemucs_high_trained.pt"


@dataclass(frozen=True)
class SeparationSettings:
    """`separation`: whether words are listened for in the voice alone."""

    enabled: bool = False
    path: str | None = None  # a checkpoint of demucs or of torchaudio, or a folder with config.json and model.safetensors
    segment: float = 7.8  # seconds that are heard at once; HTDemucs takes no more
    overlap: float = 0.25  # share of a segment that the next one hears as well
    batch: int = 1  # segments at once

    def __post_init__(self) -> None:
        if self.enabled and self.path is None:
            raise ValueError(f"separation.enabled is true, but separation.path is null; fetch {FILES}, and name it")
        if not 0 <= self.overlap <= 0.5:
            raise ValueError(f"separation.overlap is {self.overlap}; give a share of a segment from 0 to 0.5")
        if not 1 <= self.segment <= 600:
            raise ValueError(f"separation.segment is {self.segment}; give seconds from 1 to 600")
        if self.batch < 1:
            raise ValueError(f"separation.batch is {self.batch}; give a number of segments from 1")


class Separator:
    """A network that divides songs; ready on one device."""

    def __init__(self, network: Any, settings: SeparationSettings) -> None:
        """`network` maps (B, 2, N) at 44.1 kHz to (B, sources, 2, N). ValueError where none of its sources is the voice."""
        self.network, self.settings = network.eval().requires_grad_(False), settings
        sources = list(getattr(network, "sources", SOURCES))
        if VOICE not in sources:
            raise ValueError(f"{settings.path}: this network divides songs into {', '.join(sources)}; take one that knows {VOICE}")
        self._place = sources.index(VOICE)

    @classmethod
    def load(cls, settings: SeparationSettings, device: str | torch.device = "cpu") -> Separator:
        """The network of `settings.path`. Raises Absent or ValueError, one line, where it is missing or does not fit."""
        path = Path(settings.path or "")
        if settings.path is None or not path.exists():
            raise Absent(f"separation of the voice: {settings.path}: no such file; fetch {FILES}, and set separation.path")
        network = _of_folder(path) if path.is_dir() else _of_file(path)
        return cls(network.to(device), settings)

    @property
    def identity(self) -> str:
        """SHA-256 of the weights and the settings that decide the outcome."""
        said = {name: value for name, value in asdict(self.settings).items() if name not in ("enabled", "path", "batch")}
        return hashlib.sha256(json.dumps([said, digest_of(self.network)], sort_keys=True).encode()).hexdigest()

    @torch.no_grad()
    def vocals(self, samples: Tensor) -> Tensor:
        """The voice (2, N) of `samples` (2, N) at 44.1 kHz; segments fade into each other."""
        mono = samples.mean(0)
        mean, deviation = mono.mean(), mono.std(correction=0).clamp_min(1e-8)
        size = round(self.settings.segment * SAMPLE_RATE)
        fade = torch.minimum(torch.arange(1, size + 1), torch.arange(size, 0, -1)).float()
        summed, weight = torch.zeros_like(samples), torch.zeros(samples.shape[-1])
        for starts, segments in self._batches((samples - mean) / deviation, size):
            found = self.network(segments.to(self._device))[:, self._place].float().cpu()  # (B, 2, size)
            for start, segment in zip(starts, found, strict=True):
                end = min(start + size, samples.shape[-1])
                summed[:, start:end] += segment[:, : end - start] * fade[: end - start]
                weight[start:end] += fade[: end - start]
        return summed / weight.clamp_min(1e-8) * deviation

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def _batches(self, samples: Tensor, size: int) -> Iterator[tuple[list[int], Tensor]]:
        """Where segments start, and the segments (B, 2, size), the last one filled up with silence."""
        step = max(1, round(size * (1 - self.settings.overlap)))
        count = max(1, -(-(samples.shape[-1] - size) // step) + 1)
        starts = [place * step for place in range(count)]
        padded = torch.nn.functional.pad(samples, (0, max(0, starts[-1] + size - samples.shape[-1])))
        for place in range(0, count, self.settings.batch):
            chosen = starts[place : place + self.settings.batch]
            yield chosen, torch.stack([padded[:, start : start + size] for start in chosen])


def _of_folder(folder: Path) -> Any:
    """torchaudio's HDemucs with the settings of config.json and the weights of model.safetensors."""
    from safetensors.torch import load_file
    from torchaudio.models import HDemucs

    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        network = HDemucs(**({"sources": list(SOURCES)} | settings))
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise _broken(folder, error) from error
    return network


def _of_file(path: Path) -> Any:
    """The network of a checkpoint: demucs' own, which names its class, or the weights of torchaudio's hdemucs_high."""
    import pickle

    from torchaudio.models import hdemucs_high

    try:
        with torch.serialization.safe_globals([*_classes(), Fraction]):
            stored = torch.load(path, "cpu", weights_only=True)
        if isinstance(stored, dict) and "klass" in stored:
            network = stored["klass"](*stored["args"], **stored["kwargs"])
            network.load_state_dict(stored["state"])
            return network
        network = hdemucs_high(list(SOURCES))
        network.load_state_dict(stored)
    except pickle.UnpicklingError as error:
        if "demucs." in str(error) and not _classes():
            raise Absent(f"separation of the voice: {path} needs the package demucs; pip install 'jam[separation]'") from error
        raise _broken(path, error) from error
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise _broken(path, error) from error
    return network


def _classes() -> list[type]:
    """The classes that checkpoints of demucs may name; none where it is not installed."""
    try:
        return [getattr(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in CLASSES]
    except ImportError:
        return []


def _broken(path: Path, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:160]
    return ValueError(f"{path}: not a network that separates the voice ({reason}); give {FILES}")
