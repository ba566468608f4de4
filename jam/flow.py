"""Rectified flow: straight lines from noise to songs (Liu et al. 2022; JAM, arXiv 2507.20880, section 3.1).

x_0 noise, x_1 song, t from 0 to 1, velocity x_1 - x_0. It knows a velocity only as a callable, and nothing of what conditions it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jam.conditions import Conditions
from jam.randomness import generator

Velocity = Callable[[Tensor, Tensor, Conditions], Tensor]  # (x_t (B, T, C), t (B,), conditions) -> (B, T, C)


def interpolate(x_0: Tensor, x_1: Tensor, t: Tensor) -> Tensor:
    """x_t = (1 - t) x_0 + t x_1, (B, T, C), for moments t (B,)."""
    t = t[:, None, None]
    return (1 - t) * x_0 + t * x_1


@dataclass(frozen=True)
class Draws:
    """What chance gives to B songs in training, each its own stream."""

    x_0: Tensor  # (B, T, C) noise
    t: Tensor  # (B,) moments
    drop: Tensor  # (B, 3) uniform numbers, which `conditions.drop_out` takes

    def to(self, device: torch.device | str) -> Draws:
        """The same draws on another device."""
        return Draws(self.x_0.to(device), self.t.to(device), self.drop.to(device))


def draw(names: Sequence[str], frames: int, channels: int) -> Draws:
    """Noise, moments t = sigmoid(normal(0, 1)) (logit-normal, Esser et al. 2024) and drop-out's numbers, drawn on the CPU.

    Row b is a function of `names[b]` alone: a song is trained alike in any batch, on any device, in any process.
    """
    streams = [generator("flow", name) for name in names]
    return Draws(
        t=torch.sigmoid(torch.cat([torch.randn(1, generator=stream) for stream in streams])),
        drop=torch.stack([torch.rand(3, generator=stream) for stream in streams]),
        x_0=torch.stack([torch.randn(frames, channels, generator=stream) for stream in streams]),
    )


def errors(velocity: Velocity, x_0: Tensor, x_1: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
    """(B,): each song's mean squared velocity error over its whole canvas, padding included.

    With k latents a song (in blocks: every song's first, every song's second) x_0, x_1 and t have k B rows, as the answer has.
    """
    predicted = velocity(interpolate(x_0, x_1, t), t, conditions)
    return (predicted - (x_1 - x_0)).square().mean(dim=(1, 2))
