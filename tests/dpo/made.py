"""Pairs on disk, and a network that is small enough to tune in a test: what the tests of preference tuning share."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jam.data.example import CropSettings
from jam.dpo.listing import PairFiles
from jam.dpo.source import PairSource
from jam.lyrics.words import Word
from jam.model.dit import DiT, DiTSettings
from jam.training.loop import METRICS

PHONEMIZER = Path(__file__).parents[2] / "externals/nano/phonemizer.pt"
FRAMES = 12
TINY = DiTSettings(max_frames=FRAMES, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16)


def ids_of(word: Word) -> list[int]:
    """Token ids without a phonemizer."""
    return [1 + ord(letter) % 50 for letter in word.word]


def write_pairs(folder: Path, count: int = 3, frames: int = 20, **changes: Any) -> Path:
    """A list of pairs of random latents in `folder`, each with ground truth, style and a word; `changes` go into every entry."""
    pairs = []
    for index in range(count):
        stream = torch.Generator().manual_seed(index)
        parts = {key: torch.randn(frames, 64, generator=stream) for key in ("win_latent", "lose_latent", "gt_latent")}
        pairs.append(parts | {"style_path": torch.randn(512, generator=stream)})
    return write_recordings(folder, pairs, [{"start": 0.1, "end": 0.3, "word": "moon"}], **changes)


def write_recordings(folder: Path, pairs: Sequence[Mapping[str, Tensor]], words: Sequence[Mapping[str, Any]], **changes: Any) -> Path:
    """A list of pairs whose tensors are given by key, all with the same words."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for index, tensors in enumerate(pairs):
        for key, tensor in tensors.items():
            torch.save(tensor.clone(), folder / f"{key}{index}.pt")
        (folder / f"{index}.json").write_text(json.dumps(list(words)))
        files = {key: f"{key}{index}.pt" for key in tensors}
        entries.append({"id": f"song{index}", "lrc_path": f"{index}.json", **files} | changes)
    listing = folder / "pairs.json"
    listing.write_text(json.dumps(entries))
    return listing


def words_of(sizes: DiTSettings, **settings: Any) -> list[str]:
    """The command line of a short run with a network of these sizes; `__` in a name is a dot."""
    names = ("dim", "depth", "heads", "text_dim", "conv_layers", "cond_dim", "text_num_embeds")
    canvases = ("model.cfm", "model.dit", "data.train_dataset")
    given = {
        "max_frames": sizes.max_frames,
        **{f"model.dit.{name}": getattr(sizes, name) for name in names},
        **{f"{section}.max_frames": sizes.max_frames for section in canvases},
        "data.train_dataset.phonemizer_checkpoint": PHONEMIZER,
        "training.precision": "float32",
    } | {name.replace("__", "."): value for name, value in settings.items()}
    return [f"{name}={value}" for name, value in given.items()]


def records_in(folder: Path) -> list[dict[str, float]]:
    """What a run logged."""
    return [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]


def tiny(seed: int = 0) -> DiT:
    """A small network whose answers are not zero, as a fresh one's would be."""
    torch.manual_seed(seed)
    model = DiT(TINY)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def source_of(files: tuple[PairFiles, ...], **changes: Any) -> PairSource:
    given = {"crop": CropSettings(max_frames=FRAMES), "silence": torch.full((64,), 0.25), "ids_of": ids_of, "sampled": True}
    return PairSource(files, **given | changes)  # type: ignore[arg-type]
