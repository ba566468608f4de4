"""How songs please, by networks that learnt listeners' votes: Audiobox Aesthetics (four axes) and SongEval (five dimensions).

Both are optional. This is the door to `audiobox_aesthetics`, whose weights are read here and never unpickled at will; SongEval has no
package, so its published toolkit is run as a program of its own. The module knows no lyrics and no style.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jam import audio
from jam.assets import Asset, fetch
from jam.eval.measures import Absent, Measure, Value
from jam.timing import SAMPLE_RATE

AUDIOBOX = Asset("facebook/audiobox-aesthetics", "model.safetensors", beside=("config.json",))
AXES = {"CE": "ce", "CU": "cu", "PC": "pc", "PQ": "pq"}  # as the package calls them, as we do
SHAPE = ("nth_layer", "use_weighted_layer_sum", "normalize_embed", "output_dim")  # settings that make the network, beside proj_*
RATE, WINDOW = 16_000, 10  # Hz, seconds: what Audiobox hears at once
TOGETHER = 8  # windows
DIMENSIONS = ("Coherence", "Musicality", "Memorability", "Clarity", "Naturalness")
TOOLKIT = "https://github.com/ASLP-lab/SongEval"


def _axis(name: str, label: str, meaning: str) -> Measure:
    """One axis of Audiobox Aesthetics."""
    return Measure(
        f"aesthetics.{name}",
        f"{label} ({name.upper()})",
        "",
        "neither" if name == "pc" else "higher",
        "mean",
        f"{meaning}, from 1 to 10, as listeners are predicted to vote; the mean of windows of 10 s.",
        "Audiobox Aesthetics (Tjandra et al. 2025, arXiv 2502.05139)",
        "It hears 16 kHz mono and no words, and learnt from records of all kinds of sound: it is not calibrated for synthetic song.",
    )


def _dimension(name: str, meaning: str) -> Measure:
    """One dimension of SongEval."""
    return Measure(
        f"aesthetics.{name.lower()}",
        name.lower(),
        "",
        "higher",
        "mean",
        f"{meaning}, from 1 to 5, as trained listeners are predicted to vote.",
        "SongEval (Yao et al. 2025, arXiv 2505.10793), by its published toolkit",
        "It was learnt on whole songs of minutes; of short clips its votes are extrapolations.",
    )


MEASURES: tuple[Measure, ...] = (
    _axis("ce", "content enjoyment", "How much one enjoys listening"),
    _axis("cu", "content usefulness", "How useful it is to one who makes content of it"),
    _axis("pc", "production complexity", "How many layers of sound there are"),
    _axis("pq", "production quality", "How well it is recorded and mixed"),
    _dimension("Coherence", "How well the parts of the song hang together"),
    _dimension("Musicality", "How musical the song is as a whole"),
    _dimension("Memorability", "How well the song stays in mind"),
    _dimension("Clarity", "How clear the structure of the song is"),
    _dimension("Naturalness", "How natural breath and phrasing of the voice are"),
)


class Audiobox:
    """Audiobox Aesthetics: its network, and the mean and spread that bring each axis back to the listeners' scale."""

    def __init__(self, model: Any) -> None:
        self.model = model.eval().requires_grad_(False)

    @classmethod
    def load(cls, source: str | Path | None = None, device: str | torch.device = "cpu") -> Audiobox:
        """The network of `source`: a folder with model.safetensors and config.json, a checkpoint.pt, or None for the hub and its cache.

        Raises Absent where the package is not installed or the hub does not give the weights, and ValueError, one line, for a `source`
        that does not hold them.
        """
        network = _package().model.aes.AesMultiOutput
        try:
            path = fetch(AUDIOBOX) if source is None else _weights(Path(source))
        except OSError as error:
            raise Absent(f"aesthetics by Audiobox: {error}") from error
        return cls(_pickled(network, path) if path.suffix in (".pt", ".pth") else _plain(network, path)).to(device)

    def to(self, device: str | torch.device) -> Audiobox:
        """The same on another device."""
        self.model.to(device)
        return self

    @torch.no_grad()
    def measure(self, samples: Tensor) -> dict[str, Value]:
        """The four axes of `samples` (channels, N) at 44.1 kHz. Windows of 10 s count by how much of them is song."""
        mono = audio.resample(samples.float().mean(0, keepdim=True), SAMPLE_RATE, RATE)  # (1, N)
        waves, masks, weights, _ = _package().infer.make_inference_batch([mono], WINDOW, WINDOW, RATE)
        device = next(self.model.parameters()).device
        heard: dict[str, list[Tensor]] = {axis: [] for axis in AXES}
        for start in range(0, len(waves), TOGETHER):
            part = slice(start, start + TOGETHER)
            votes = self.model({"wav": torch.stack(waves[part]).to(device), "mask": torch.stack(masks[part]).to(device)})
            for axis in AXES:
                heard[axis].append(votes[axis].double().cpu())
        share = torch.tensor(weights, dtype=torch.float64) / sum(weights)
        scale = self.model.target_transform
        return {
            f"aesthetics.{name}": Value(float(torch.cat(heard[axis]) @ share) * scale[axis]["std"] + scale[axis]["mean"])
            for axis, name in AXES.items()
        }


def song_eval(songs: Iterable[tuple[str, Tensor]], toolkit: str | Path | None, device: str = "cpu") -> dict[str, dict[str, Value]]:
    """The five dimensions of each of `songs`, (name, samples (2, N) at 44.1 kHz), by SongEval's toolkit, run once for all.

    `toolkit` is the folder of its checkout; an environment of its own, .venv, in that folder is used where there is one. A song it gave
    no votes for is left out. Raises Absent where no toolkit is named, and ValueError, one line, where it fails.
    """
    if toolkit is None:
        raise Absent(f"aesthetics by SongEval: no toolkit is named; check out {TOOLKIT}, install what it needs, name its folder")
    toolkit = Path(toolkit).resolve()
    if not (toolkit / "eval.py").is_file():
        raise ValueError(f"{toolkit}: no eval.py, so not the toolkit of SongEval; name the folder of a checkout of {TOOLKIT}")
    with tempfile.TemporaryDirectory() as folder:
        heard, told = Path(folder) / "songs", Path(folder) / "result"
        told.mkdir()
        names = {}
        for number, (name, samples) in enumerate(songs):  # numbered: names may be no file names, and their stems may be alike
            names[f"{number:06d}"] = name
            audio.write(heard / f"{number:06d}.wav", samples)
        if not names:
            return {}
        _run(toolkit, heard, told, device)
        votes = _votes(toolkit, told / "result.json")
    return {name: votes[stem] for stem, name in names.items() if votes.get(stem)}


def _package() -> Any:
    """The package `audiobox_aesthetics` with the modules of it that are used here. Raises Absent where it is not installed."""
    try:
        import audiobox_aesthetics
        import audiobox_aesthetics.infer
        import audiobox_aesthetics.model.aes
    except ImportError as error:
        missing = error.name or "audiobox_aesthetics"
        raise Absent(f"aesthetics by Audiobox: {missing} is not installed; pip install 'jam[aesthetics]'") from error
    return audiobox_aesthetics


def _weights(source: Path) -> Path:
    """The weights at a path of the user's: the file itself, or in that folder. Raises ValueError where there are none."""
    candidates = [source] if source.is_file() else [source / "model.safetensors", source / "checkpoint.pt"]
    for path in candidates:
        if path.is_file():
            return path
    raise ValueError(f"{source}: neither model.safetensors nor checkpoint.pt of Audiobox Aesthetics lies there")


def _plain(network: Any, path: Path) -> Any:
    """The network of weights in safetensors, with the settings beside them."""
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    config = path.with_name("config.json")
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
        model = network(**_known(settings), target_transform=_scale(settings))
        load_model(model, path)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{path}: not the weights and config.json of Audiobox Aesthetics ({_last_line(error)})") from error
    return model


def _pickled(network: Any, path: Path) -> Any:
    """The network of the published checkpoint.pt: tensors and plain values alone are unpickled."""
    import pickle

    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        model = network(**_known(saved["model_cfg"]), target_transform=_scale(saved))
        model.load_state_dict({re.sub(r"^model\.", "", name): tensor for name, tensor in saved["state_dict"].items()})
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: not a checkpoint of Audiobox Aesthetics ({_last_line(error)})") from error
    return model


def _known(settings: dict[str, Any]) -> dict[str, Any]:
    """Those of `settings` that shape the network; it always works in 32 bits."""
    return {name: value for name, value in settings.items() if name in SHAPE or name.startswith("proj_")} | {"precision": "32"}


def _scale(settings: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Mean and spread of the votes, by axis."""
    return {axis: {part: float(settings["target_transform"][axis][part]) for part in ("mean", "std")} for axis in AXES}


def _run(toolkit: Path, heard: Path, told: Path, device: str) -> None:
    """The toolkit's program over the songs of a folder. Raises ValueError with the last line it said where it fails."""
    own = toolkit / ".venv" / "bin" / "python"
    words = [str(own if own.exists() else sys.executable), "eval.py", "-i", str(heard), "-o", str(told)]
    words += ["--use_cpu", "True"] if torch.device(device).type == "cpu" else []
    result = subprocess.run(words, cwd=toolkit, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    if result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ValueError(f"{toolkit}: SongEval's eval.py failed ({said}); run it by hand there on a song to see the whole")


def _votes(toolkit: Path, path: Path) -> dict[str, dict[str, Value]]:
    """The dimensions of each file by its stem, as the toolkit wrote them."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        rows = {stem: {name: float(votes[name]) for name in DIMENSIONS if name in votes} for stem, votes in told.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{toolkit}: SongEval's eval.py wrote no result.json that can be read ({_last_line(error)})") from error
    finite = {stem: {name: vote for name, vote in votes.items() if math.isfinite(vote)} for stem, votes in rows.items()}
    return {stem: {f"aesthetics.{name.lower()}": Value(vote) for name, vote in votes.items()} for stem, votes in finite.items()}


def _last_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
