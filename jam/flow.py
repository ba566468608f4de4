"""Rectified flow: straight lines from noise to songs (Liu et al. 2022; JAM, arXiv 2507.20880, section 3.1).

x_0 noise, x_1 song, t from 0 to 1, velocity x_1 - x_0. It knows a velocity only as a callable, and nothing of what conditions it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from jam.conditions import Conditions

Velocity = Callable[[Tensor, Tensor, Conditions], Tensor]  # (x_t (B, T, C), t (B,), conditions) -> (B, T, C)


def interpolate(x_0: Tensor, x_1: Tensor, t: Tensor) -> Tensor:
    """x_t = (1 - t) x_0 + t x_1, (B, T, C), for moments t (B,)."""
    t = t[:, None, None]
    return (1 - t) * x_0 + t * x_1


def draw_moments(songs: int, generator: torch.Generator) -> Tensor:
    """(B,) moments t = sigmoid(normal(0, 1)) (logit-normal, Esser et al. 2024), drawn on the CPU."""
    return torch.sigmoid(torch.randn(songs, generator=generator))


def errors(velocity: Velocity, x_0: Tensor, x_1: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
    """(B,): each song's mean squared velocity error over its whole canvas, padding included."""
    predicted = velocity(interpolate(x_0, x_1, t), t, conditions)
    return (predicted - (x_1 - x_0)).square().mean(dim=(1, 2))
