"""Examples to batches: crops padded with silence to one canvas. It does not know where examples come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from jam.conditions import Conditions
from jam.data.example import Example
from jam.timing import frames_to_seconds


@dataclass(frozen=True)
class Batch:
    """B songs on one canvas of T latent frames."""

    keys: tuple[str, ...]
    x_1: Tensor  # (B, T, C)
    conditions: Conditions
    seconds: float  # of song, padding not counted
    draws: tuple[str, ...]  # a song's name in this use: its noise, moment and drop-out are functions of it alone

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return replace(self, x_1=self.x_1.to(device), conditions=self.conditions.to(device))

    def cut(self, frames: int) -> Batch:
        """The same songs, of whose canvas only the first so many frames are there."""
        whole = self.x_1.shape[1]
        if frames >= whole:
            return self
        lengths = (self.conditions.duration_rel * whole).round().clamp(max=frames)
        seconds = frames_to_seconds(int(lengths.sum()))
        return replace(self, x_1=self.x_1[:, :frames], conditions=self.conditions.cut(frames), seconds=seconds)

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory, from which copies to a GPU are faster."""
        pinned: dict[str, Any] = {name: None if value is None else value.pin_memory() for name, value in vars(self.conditions).items()}
        return replace(self, x_1=self.x_1.pin_memory(), conditions=Conditions(**pinned))


def pad(latents: Sequence[Tensor], silence: Tensor, max_frames: int) -> Tensor:
    """Latents (frames, C), each continued with the latent of silence (C,) up to `max_frames`: (B, T, C)."""
    canvas = silence.float().expand(len(latents), max_frames, -1).clone()  # (B, T, C)
    for row, song in zip(canvas, latents, strict=True):
        row[: len(song)] = song
    return canvas


def collate(examples: Sequence[Example], silence: Tensor, max_frames: int, draws: Sequence[str]) -> Batch:
    """One batch of `examples`, each continued with the latent of silence (C,) up to `max_frames`; `draws` names each one's use."""
    return Batch(
        keys=tuple(example.key for example in examples),
        x_1=pad([example.latents for example in examples], silence, max_frames),
        conditions=Conditions.cat([example.conditions for example in examples]),
        seconds=frames_to_seconds(sum(len(example.latents) for example in examples)),
        draws=tuple(draws),
    )
