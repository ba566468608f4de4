"""MuQ-MuLan: a reference recording or a prompt to a 512-vector of one joint space. This is the door to `muq`.

It knows nothing of songs; which part of a recording counts is chosen in `clip`.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jam import audio
from jam.assets import MUQ_MULAN, Asset, fetch, locate
from jam.timing import STYLE_WIDTH

RATE = 24_000  # Hz, mono
SHORTEST_SECONDS = 0.5  # less is no music to describe, and too short for the network's windows
WEIGHTS = "model.safetensors"
PICKLED_WEIGHTS = "pytorch_model.bin"


class MuQStyle:
    """Encodes audio and text; vectors have unit length up to ten seconds of audio, and are means over pieces of ten for more."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def load(cls, source: str | Path | Asset = MUQ_MULAN, device: str | torch.device = "cpu") -> "MuQStyle":
        """MuQ-MuLan from the hub, its cache, or a folder with `config.json` and its weights.

        The two towers that the config names (MuQ and XLM-RoBERTa) are read from folders of their last names inside that folder where
        these exist, else from the hub or its cache. Raises ValueError or OSError, one line, for parts that are missing or do not fit.
        """
        from muq import MuQMuLan

        path = locate(source, MUQ_MULAN)
        config = _read_config(path)
        try:
            model: Any = MuQMuLan(config)
        except OSError as error:
            towers = " and ".join(config[tower]["name"] for tower in ("audio_model", "text_model"))
            reason = str(error).strip().splitlines()[0]
            raise OSError(f"{path}: the towers {towers} could not be loaded ({reason}); fetch them, or lay them beside it") from error
        _load_weights(model, _weights(source, path))
        return cls(model.eval().requires_grad_(False).to(device))

    @torch.no_grad()
    def from_audio(self, samples: Tensor, rate: int) -> Tensor:
        """The style (512,) of `samples` (channels, N) at `rate` Hz. Raises ValueError for less than half a second."""
        if samples.shape[-1] < SHORTEST_SECONDS * rate:
            raise ValueError(f"a style clip of {samples.shape[-1] / rate:.3f} s is too short; give at least {SHORTEST_SECONDS} s")
        mono = audio.resample(samples.float().mean(0), rate, RATE)  # (N,)
        return self.model(wavs=mono[None].to(self.model.device))[0].float().cpu()

    @torch.no_grad()
    def from_text(self, prompt: str) -> Tensor:
        """The style (512,) of a description, English or Chinese. Raises ValueError for an empty one."""
        if not prompt.strip():
            raise ValueError("the style prompt is empty; describe the music in a few words")
        return self.model(texts=[prompt])[0].float().cpu()


def _read_config(path: Path) -> dict[str, Any]:
    """The settings in `path`, towers that lie beside it named by their folders."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        for tower in ("audio_model", "text_model"):
            beside = path.parent / config[tower]["name"].rsplit("/", 1)[-1]
            if beside.is_dir():
                config[tower]["name"] = str(beside)
        found = (config["mulan"]["sr"], config["mulan"]["dim_latent"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the settings of a MuQ-MuLan ({type(error).__name__}: {error})") from error
    if found != (RATE, STYLE_WIDTH):
        raise ValueError(f"{path}: (rate, width) are {found}, JAM's style needs {(RATE, STYLE_WIDTH)}")
    return config


def _weights(source: str | Path | Asset, config: Path) -> Path:
    """The weights beside `config`, in safetensors if there are such; from the hub where `source` is an asset."""
    for name in (WEIGHTS, PICKLED_WEIGHTS):
        if config.with_name(name).is_file():
            return config.with_name(name)
    if not isinstance(source, Asset):
        raise ValueError(f"{config.parent}: neither {WEIGHTS} nor {PICKLED_WEIGHTS} lies beside config.json")
    try:
        return fetch(Asset(source.repo, WEIGHTS, source.revision))
    except OSError:  # not every revision has both kinds
        return fetch(Asset(source.repo, PICKLED_WEIGHTS, source.revision))


def _load_weights(model: Any, path: Path) -> None:
    """Fill `model` from `path`; every tensor of it must be there (older libraries' extra buffers are left out)."""
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    try:
        if path.suffix == ".safetensors":
            missing, _ = load_model(model, path, strict=False)
        else:
            missing, _ = model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=False)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path}: these weights do not fit the config beside them ({str(error).splitlines()[-1].strip()})") from error
    if missing:
        raise ValueError(f"{path}: {len(missing)} tensors are missing, first {sorted(missing)[0]}")
