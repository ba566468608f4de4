"""Pairs on disk, and a network that is small enough to tune in a test: what the tests of preference tuning share."""

import json
from pathlib import Path
from typing import Any

import torch

from jam.data.example import CropSettings
from jam.dpo.listing import PairFiles
from jam.dpo.source import PairSource
from jam.lyrics.words import Word
from jam.model.dit import DiT, DiTSettings

FRAMES = 12
TINY = DiTSettings(max_frames=FRAMES, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16)


def ids_of(word: Word) -> list[int]:
    """Token ids without a phonemizer."""
    return [1 + ord(letter) % 50 for letter in word.word]


def write_pairs(folder: Path, count: int = 3, frames: int = 20, **changes: Any) -> Path:
    """A list of pairs of random latents in `folder`, each with ground truth, style and two words."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for index in range(count):
        names = {key: f"{key}{index}.pt" for key in ("win_latent", "lose_latent", "gt_latent", "style_path")}
        stream = torch.Generator().manual_seed(index)
        for key, name in names.items():
            shape = (512,) if key == "style_path" else (frames, 64)
            torch.save(torch.randn(shape, generator=stream), folder / name)
        (folder / f"{index}.json").write_text(json.dumps([{"start": 0.1, "end": 0.3, "word": "moon"}]))
        entries.append({"id": f"song{index}", "lrc_path": f"{index}.json", **names} | changes)
    listing = folder / "pairs.json"
    listing.write_text(json.dumps(entries))
    return listing


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
