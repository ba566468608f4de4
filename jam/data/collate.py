"""Examples to batches: crops padded with silence to one canvas. It does not know where examples come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return Batch(self.keys, self.x_1.to(device), self.conditions.to(device), self.seconds)


def collate(examples: Sequence[Example], silence: Tensor, max_frames: int) -> Batch:
    """One batch of `examples`, each continued with the latent of silence (C,) up to `max_frames`."""
    x_1 = silence.float().expand(len(examples), max_frames, -1).clone()  # (B, T, C)
    for row, example in zip(x_1, examples, strict=True):
        row[: len(example.latents)] = example.latents
    conditions = Conditions.cat([example.conditions for example in examples])
    seconds = frames_to_seconds(sum(len(example.latents) for example in examples))
    return Batch(tuple(example.key for example in examples), x_1, conditions, seconds)
