"""The voice apart from the band, by Demucs (Defossez et al. 2021, Rouard et al. 2023): only to be listened to, never to be encoded.

Songs go through it in segments that overlap, so that memory does not grow with the song. The door to `demucs`, whose checkpoints name
classes: those of `CLASSES` are made, any other is refused and nothing of it runs. It knows no words. Letters: B segments, N samples.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pickle
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from jam import assets
from jam.assets import Asset
from jam.eval.measures import Absent
from jam.prepare.weights import digest_of
from jam.timing import SAMPLE_RATE

VOICE = "vocals"
SOURCES = ("drums", "bass", "other", VOICE)  # of networks that do not name theirs
HTDEMUCS = Asset("adefossez/HTDemucs", "955717e8.safetensors")
CLASSES = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs")
FILES = "a checkpoint of demucs (955717e8.safetensors or .th) or torchaudio's hdemucs_high_trained.pt"


@dataclass(frozen=True)
class SeparationSettings:
    """`separation`: whether words are listened for in the voice alone."""

    enabled: bool = False
    path: str | None = None  # a checkpoint of demucs or torchaudio, or a folder with config.json and model.safetensors; null: the hub
    segment: float = 7.8  # seconds that are heard at once; HTDemucs takes no more
    overlap: float = 0.25  # share of a segment that the next one hears as well
    batch: int = 1  # segments at once

    def __post_init__(self) -> None:
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
        path = _found(settings.path)
        try:
            return cls(_network(path).to(device), settings)
        except ImportError as error:
            missing = error.name or "demucs"
            raise Absent(f"separation of the voice: {path} needs the package {missing}; pip install 'jam[separation]'") from error
        except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, pickle.UnpicklingError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ValueError(f"{path}: not a network that separates the voice ({reason}); give {FILES}") from error

    @property
    def identity(self) -> str:
        """SHA-256 of the weights and the settings that decide the outcome."""
        said = {name: value for name, value in asdict(self.settings).items() if name not in ("enabled", "path", "batch")}
        told = [said, digest_of(self.network), list(getattr(self.network, "sources", SOURCES))]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

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


def _found(path: str | None) -> Path:
    """The file or folder that is named, else that of the hub. Raises Absent where it is not to be had."""
    if path is None:
        try:
            return assets.fetch(HTDEMUCS)
        except OSError as error:
            raise Absent(f"separation of the voice: {error}; the setting is separation.path") from error
    if not Path(path).exists():
        raise Absent(f"separation of the voice: {path}: no such file; fetch {FILES}, and set separation.path")
    return Path(path)


def _network(path: Path) -> Any:
    """The network of a file or a folder. ImportError where it needs a package that is not installed."""
    if path.is_dir():
        return _of_folder(path)
    return _of_safetensors(path) if path.suffix == ".safetensors" else _of_checkpoint(path)


def _of_folder(folder: Path) -> Any:
    """torchaudio's HDemucs with the settings of config.json and the weights of model.safetensors."""
    from safetensors.torch import load_file
    from torchaudio.models import HDemucs

    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    network = HDemucs(**({"sources": list(SOURCES)} | settings))
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network


def _of_safetensors(path: Path) -> Any:
    """The network of a file of demucs 4.1, whose metadata name its class and settings."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        said, tensors = file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dict)
    if said.get("klass") not in CLASSES:
        raise ValueError(f"its class is {said.get('klass')}, not one of {', '.join(CLASSES)}")
    args, kwargs = (json.loads(said[name], object_hook=_fraction) for name in ("args", "kwargs"))
    network = _class(said["klass"])(*args, **kwargs)
    network.load_state_dict(tensors)
    return network


def _of_checkpoint(path: Path) -> Any:
    """The network of a pickled checkpoint: demucs' own, which names its class, or the weights of torchaudio's hdemucs_high."""
    from torchaudio.models import hdemucs_high

    named = [name for name in torch.serialization.get_unsafe_globals_in_checkpoint(path) if name in CLASSES]
    with torch.serialization.safe_globals([*map(_class, named), Fraction]):
        stored = torch.load(path, "cpu", weights_only=True)
    if isinstance(stored, dict) and "klass" in stored:
        network = stored["klass"](*stored["args"], **stored["kwargs"])
        network.load_state_dict(stored["state"])
        return network
    network = hdemucs_high(list(SOURCES))
    network.load_state_dict(stored)
    return network


def _class(name: str) -> Any:
    """A class of demucs."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def _fraction(stored: dict[str, Any]) -> Any:
    """A fraction as demucs writes it in JSON; other objects stay."""
    return Fraction(stored["numerator"], stored["denominator"]) if stored.get("_type") == "fraction" else stored
