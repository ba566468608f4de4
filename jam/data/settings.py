"""The `dataset` section of a YAML, as the released system's users write it, and the data room's own settings that it means."""

from __future__ import annotations

import logging
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch

from jam.data.example import CropSettings
from jam.data.shards import ShardSettings
from jam.lyrics.grid import Filler
from jam.timing import LATENT_CHANNELS, MAX_FRAMES, SAMPLE_RATE, SLOTS_PER_FRAME

log = logging.getLogger("jam")


@dataclass(frozen=True)
class DatasetSettings:
    """`data.train_dataset` and `evaluation.dataset`. Inference reads `max_frames`, `filler` and `phonemizer_checkpoint` of it."""

    pattern: str | None = None
    id_list_jsonl: str | None = None
    max_frames: int = MAX_FRAMES
    multiple_styles: bool = True  # false: a song's first style only
    sampling_rate: int = SAMPLE_RATE
    shuffle: bool = True
    silence_latent_path: str | None = None  # null: zeros
    phonemizer_checkpoint: str | None = None  # null: from the hub
    lrc_upsample_factor: int = SLOTS_PER_FRAME
    filler: str = "average_sparse"
    resample_by_duration_threshold: float | None = None
    ignore_by_duration_threshold: float | None = None
    always_crop_from_beginning: bool = False
    always_use_style_index: int | None = None

    def __post_init__(self) -> None:
        if self.sampling_rate != SAMPLE_RATE:
            raise ValueError(f"dataset.sampling_rate is {self.sampling_rate}; latents are of {SAMPLE_RATE} Hz audio")
        if self.lrc_upsample_factor != SLOTS_PER_FRAME:
            raise ValueError(f"dataset.lrc_upsample_factor is {self.lrc_upsample_factor}; the lyric encoder halves slots twice: use 4")
        if self.filler not in get_args(Filler):
            raise ValueError(f"dataset.filler is {self.filler}; choose one of {', '.join(get_args(Filler))}")
        if self.max_frames < 1:
            raise ValueError(f"dataset.max_frames is {self.max_frames}; give at least one latent frame")

    def shards(self) -> ShardSettings:
        """What the shard reader takes."""
        crop = CropSettings(
            max_frames=self.max_frames,
            always_crop_from_beginning=self.always_crop_from_beginning,
            always_use_style_index=self.always_use_style_index if self.multiple_styles else 0,
            filler=self.filler,  # type: ignore[arg-type]
        )
        return ShardSettings(
            pattern=self.pattern,
            id_list_jsonl=self.id_list_jsonl,
            shuffle=self.shuffle,
            ignore_by_duration_threshold=self.ignore_by_duration_threshold,
            resample_by_duration_threshold=self.resample_by_duration_threshold,
            crop=crop,
        )


def read_silence(path: str | None) -> torch.Tensor:
    """The latent of silence (64,): from a file (.pt or .npy), or zeros. Raises ValueError, in one line, for a file of another shape."""
    if path is None:
        log.info("short songs are padded with zeros; set data.train_dataset.silence_latent_path to the VAE's own silence")
        return torch.zeros(LATENT_CHANNELS)
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; data.train_dataset.silence_latent_path names a .pt or .npy of {LATENT_CHANNELS} numbers")
    try:
        if path.endswith(".npy"):
            import numpy as np

            silence = torch.as_tensor(np.load(path, allow_pickle=False))
        else:
            silence = torch.as_tensor(torch.load(path, map_location="cpu", weights_only=True))
    except (ValueError, TypeError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: holds no numbers that can be read; give a .npy or .pt of {LATENT_CHANNELS} numbers") from error
    if silence.numel() != LATENT_CHANNELS:
        raise ValueError(f"{path}: holds {list(silence.shape)} numbers instead of {LATENT_CHANNELS}")
    return silence.float().flatten()
