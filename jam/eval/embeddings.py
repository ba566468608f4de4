"""Songs as rows of embeddings, one for each window, for the distances of `jam.eval.frechet`: a style encoder, CLAP, VGGish.

The doors to CLAP (of transformers) and to torchvggish. The module knows no sets and no distances. Letters: N samples at 44.1 kHz, w
windows of a song, d numbers a window.
"""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from jam import audio
from jam.assets import Asset, locate
from jam.eval.measures import Absent
from jam.song import StyleEncoder
from jam.timing import SAMPLE_RATE

CLAP = Asset("laion/clap-htsat-unfused", "config.json", beside=("model.safetensors", "preprocessor_config.json"))
CLAP_WEIGHTS = "model.safetensors"
CLAP_SECONDS = 10.0  # that the network hears at a time
STYLE_SECONDS = 5.0
OVERLAP = 2  # windows begin at every such part of their length
SHORTEST_SECONDS = 1.0  # shorter songs are filled up with silence

VGGISH_RATE, VGGISH_WIDTH = 16_000, 128
VGGISH_HASH = "10086976"  # the first of its SHA-256, as torch.hub names files
VGGISH_FILE = f"vggish-{VGGISH_HASH}.pth"
VGGISH_URL = f"https://github.com/harritaylor/torchvggish/releases/download/v0.1/{VGGISH_FILE}"


class Embedding(Protocol):
    """What turns a song (2, N) at 44.1 kHz into rows (w, d); `name` is what stands after the @."""

    name: str

    def rows(self, samples: Tensor) -> np.ndarray: ...


def windows(samples: Tensor, seconds: float, rate: int = SAMPLE_RATE) -> list[Tensor]:
    """Overlapping windows of `seconds` of samples (channels, N), the last one ending where the song does; of a short song all of it."""
    length = round(seconds * rate)
    short = round(SHORTEST_SECONDS * rate) - samples.shape[-1]
    if short > 0:
        samples = torch.nn.functional.pad(samples, (0, short))
    last = max(0, samples.shape[-1] - length)
    starts = [*range(0, last, length // OVERLAP), last]
    return [samples[..., start : start + length] for start in starts]


class StyleRows:
    """The style encoder (`nano` or `muq`) over windows of five seconds."""

    def __init__(self, encoder: StyleEncoder, name: str) -> None:
        self.encoder, self.name = encoder, name

    def rows(self, samples: Tensor) -> np.ndarray:
        """(w, 512)."""
        return torch.stack([self.encoder.from_audio(part, SAMPLE_RATE) for part in windows(samples, STYLE_SECONDS)]).numpy()


class ClapRows:
    """LAION's CLAP (Wu et al. 2023, arXiv 2211.06687), its audio tower over windows of ten seconds."""

    name = "clap"

    def __init__(self, model: Any, extractor: Any) -> None:
        self.model, self.extractor = model.eval().requires_grad_(False), extractor

    @classmethod
    def load(cls, path: str | Path | None = None, device: str | torch.device = "cpu") -> ClapRows:
        """CLAP from a folder as transformers saves one, with safetensors; None: from the hub or its cache.

        Raises Absent where it is not to be had, ValueError for a folder that holds no such model.
        """
        from safetensors import SafetensorError
        from transformers import ClapFeatureExtractor, ClapModel

        try:
            folder = locate(path or CLAP, CLAP).parent
        except OSError as error:
            raise Absent(f"sound.fad@clap: {error}, as sound.clap_path") from error
        if not (folder / CLAP_WEIGHTS).is_file():
            raise ValueError(f"{folder}: holds no {CLAP_WEIGHTS}; save the model as safetensors (pickled weights are not read)")
        try:
            model: Any
            model, told = ClapModel.from_pretrained(folder, use_safetensors=True, local_files_only=True, output_loading_info=True)
            extractor = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise ValueError(f"{folder}: no CLAP model can be read there ({_line(error)})") from error
        if told["missing_keys"]:
            raise ValueError(f"{folder}: {len(told['missing_keys'])} tensors of CLAP are missing, first {sorted(told['missing_keys'])[0]}")
        return cls(model.to(device), extractor)

    @torch.no_grad()
    def rows(self, samples: Tensor) -> np.ndarray:
        """(w, d) of unit length."""
        rate, found = self.extractor.sampling_rate, []
        mono = audio.resample(samples.float().mean(0, keepdim=True), SAMPLE_RATE, rate)
        for part in windows(mono, CLAP_SECONDS, rate):
            heard = self.extractor(part[0].numpy(), sampling_rate=rate, return_tensors="pt")
            found.append(self.model.get_audio_features(**heard.to(self.model.device))[0].float().cpu())
        return torch.stack(found).numpy()


class VggishRows:
    """VGGish (Hershey et al. 2017, arXiv 1609.09430) as torchvggish has it: a row for each 0.96 s, before its last ReLU and its PCA."""

    name = "vggish"

    def __init__(self, net: torch.nn.Module) -> None:
        self.net = net.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: str | Path | None = None, device: str | torch.device = "cpu") -> VggishRows:
        """The network with the weights at `path`, a file or the folder that holds it; None: those in torch.hub's cache.

        Raises Absent where torchvggish or the weights are missing, ValueError for a file that does not hold them.
        """
        try:
            from torchvggish.torchvggish import VGG, make_layers
        except ImportError as error:
            raise Absent("sound.fad@vggish: torchvggish is not installed; pip install 'jam[vggish]'") from error
        net = VGG(make_layers(), postprocess=False)
        _fill(net, _vggish_file(path))
        net.embeddings = net.embeddings[:-1]
        return cls(net.to(device))

    @torch.no_grad()
    def rows(self, samples: Tensor) -> np.ndarray:
        """(w, 128)."""
        from torchvggish.vggish_input import waveform_to_examples

        mono = audio.resample(samples.float().mean(0, keepdim=True), SAMPLE_RATE, VGGISH_RATE)
        filled = mono if mono.shape[-1] > VGGISH_RATE else windows(mono, SHORTEST_SECONDS, VGGISH_RATE)[0]
        columns = waveform_to_examples(filled[0].double().numpy(), VGGISH_RATE, return_tensor=False)
        device = next(self.net.parameters()).device
        return self.net(torch.from_numpy(columns).float()[:, None].to(device)).cpu().numpy()


def _vggish_file(path: str | Path | None) -> Path:
    """The weights' file. Raises Absent where none was named and none is in the cache, ValueError where the named one is not there."""
    if path is None:
        cached = Path(torch.hub.get_dir()) / "checkpoints" / VGGISH_FILE
        if not cached.is_file():
            raise Absent(f"sound.fad@vggish: its weights are not on this machine; fetch {VGGISH_URL} and name it as sound.vggish_path")
        return cached
    file = Path(path) / VGGISH_FILE if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise ValueError(f"{file}: no such file; sound.vggish_path names {VGGISH_FILE}, from {VGGISH_URL}")
    return file


def _fill(net: torch.nn.Module, file: Path) -> None:
    """The weights of `file` into `net`, all of them. A file that has its published name must have its published content."""
    if file.name == VGGISH_FILE:
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if not found.startswith(VGGISH_HASH):
            raise ValueError(f"{file}: its SHA-256 begins with {found[:8]} instead of {VGGISH_HASH}; fetch it again from {VGGISH_URL}")
    try:
        net.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError, EOFError, AttributeError, TypeError) as error:
        raise ValueError(f"{file}: holds no VGGish weights ({_line(error)})") from error


def _line(error: Exception) -> str:
    """An error in a few words."""
    return " ".join(str(error).split())[:120] or type(error).__name__
