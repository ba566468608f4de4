"""The `dataset` section of a YAML, as the released system's users write it, and the data room's own settings that it means."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch

from jam.data.example import CropSettings, read_tensor
from jam.data.shards import ShardSettings
from jam.lyrics.grid import Filler
from jam.timing import LATENT_CHANNELS, MAX_FRAMES, SAMPLE_RATE, SLOTS_PER_FRAME

log = logging.getLogger("jam")

VAE = "vae"  # as silence_latent_path


@dataclass(frozen=True)
class DatasetSettings:
    """`data.train_dataset` and `evaluation.dataset`. Inference reads `max_frames`, `filler` and `phonemizer_checkpoint` of it."""

    pattern: str | None = None  # several are joined by `::`
    dpo_json_path: str | None = None  # pairs to compare, for DPO
    vae_sampled: bool = True  # pairs are (T, 64) latents; false: (128, T), 64 means over 64 deviations
    id_list_jsonl: str | None = None
    max_frames: int = MAX_FRAMES
    multiple_styles: bool = True  # false: a song's first style only
    sampling_rate: int = SAMPLE_RATE
    shuffle: bool = True
    shuffle_songs: int = 100  # songs that are shuffled together, in the memory of each lane
    silence_latent_path: str | None = None  # a file, or vae: that of the VAE; null: zeros
    tokenizer_path: str | None = None  # read by nothing: the phonemizer's own symbols are the tokens
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
        if self.shuffle_songs < 1:
            raise ValueError(f"data.train_dataset.shuffle_songs is {self.shuffle_songs}; give 1 or more")
        for name in ("ignore_by_duration_threshold", "resample_by_duration_threshold"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise ValueError(f"data.train_dataset.{name} is {seconds}; give seconds above 0, or null")
        if self.always_use_style_index is not None and self.always_use_style_index < 0:
            raise ValueError(f"data.train_dataset.always_use_style_index is {self.always_use_style_index}; styles count from 0")

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
            shuffle_songs=self.shuffle_songs,
            ignore_by_duration_threshold=self.ignore_by_duration_threshold,
            resample_by_duration_threshold=self.resample_by_duration_threshold,
            crop=crop,
        )


def read_silence(path: str | None, of_vae: Callable[[], torch.Tensor] | None = None) -> torch.Tensor:
    """The latent of silence (64,): from a file (.pt or .npy), from `of_vae` where `path` is `vae`, or zeros.

    Raises ValueError, in one line, for a file of another shape, and what `of_vae` raises.
    """
    if path is None:
        log.info(
            "short songs are padded with zeros, as no silence is given; set data.train_dataset.silence_latent_path to a file of the "
            "VAE's own silence, or to vae"
        )
        return torch.zeros(LATENT_CHANNELS)
    if path == VAE:
        if of_vae is None:
            raise ValueError(f"data.train_dataset.silence_latent_path is {VAE}, but no VAE is at hand; name a file")
        silence = of_vae()
    else:
        silence = _stored_silence(path)
    if silence.numel() != LATENT_CHANNELS or not torch.isfinite(silence).all():
        raise ValueError(f"{path}: holds {list(silence.shape)} numbers, or some that are not finite, instead of {LATENT_CHANNELS}")
    return silence.detach().cpu().float().flatten()


def _stored_silence(path: str) -> torch.Tensor:
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; data.train_dataset.silence_latent_path names a .pt or .npy of {LATENT_CHANNELS} numbers")
    if not path.endswith(".npy"):
        return read_tensor(Path(path).read_bytes(), path)
    import numpy as np

    try:
        return torch.as_tensor(np.load(path, allow_pickle=False))
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(f"{path}: holds no numbers that can be read; give a .npy or .pt of {LATENT_CHANNELS} numbers") from error
