"""The sampler: follows a velocity from noise to song along a time grid. It knows the velocity only as a callable (x_t, t) -> velocity."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


class Cancelled(Exception):
    """Raised where a caller asked to stop."""


def time_grid(steps: int, sway_sampling_coef: float | None = None) -> list[float]:
    """`steps` points from 0 to 1, so `steps` - 1 evaluations; sway: t + s (cos(pi t / 2) - 1 + t) (F5-TTS, arXiv 2410.06885, eq. 7).

    Raises ValueError for fewer than two points, or for a sway that is not in the range in which time keeps growing.
    """
    if steps < 2:
        raise ValueError(f"sample_kwargs.steps is {steps}; a trajectory needs at least 2 points")
    sway = sway_sampling_coef or 0.0
    if not -1.0 <= sway <= 2 / (math.pi - 2):
        raise ValueError(f"sample_kwargs.sway_sampling_coef is {sway}; time runs forward only from -1 to {2 / (math.pi - 2):.2f}")
    grid = [i / (steps - 1) for i in range(steps)]
    return [t + sway * (math.cos(math.pi / 2 * t) - 1 + t) for t in grid]


@torch.no_grad()
def euler(
    velocity: Callable[[Tensor, float], Tensor],
    x_0: Tensor,
    grid: list[float],
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Tensor:
    """Euler's method from x_0 (B, T, C) at grid[0] to grid[-1]; `progress(done, all)` after each step.

    Raises Cancelled before the next step once `cancelled()` is true.
    """
    x_t = x_0
    for i, (t, following) in enumerate(zip(grid[:-1], grid[1:], strict=True)):
        if cancelled is not None and cancelled():
            raise Cancelled(f"stopped after {i} of {len(grid) - 1} steps")
        x_t = x_t + (following - t) * velocity(x_t, t)
        if progress is not None:
            progress(i + 1, len(grid) - 1)
    return x_t
