"""Guidance: a walk along a chain of ever better informed conditions, each stride stretched (Ho & Salimans 2022, generalised).

v = v_0 + sum_k w_k (v_k - v_(k-1)) = sum_k c_k v_k. The chain runs as one batch; a link whose coefficient c_k is zero is not evaluated.
It knows the network as two callables, and nothing of the sampler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from jam.conditions import Conditions

if TYPE_CHECKING:
    from jam.model.dit import DiT


@dataclass(frozen=True)
class GuidanceSettings:
    """How strongly lyrics and style pull.

    `dual_cfg` [a, b]: v_null + b (v_lyr - v_null) + a (v_full - v_lyr); with `fix_dual_cfg`: v_null + a (v_sty - v_null)
    + b (v_full - v_sty).
    Where `dual_cfg` is null, `cfg_strength` s: v_full + s (v_full - v_null); s = 0 is no guidance. Outside `cfg_range` (moments t) the
    full prediction stands alone; null is the released system's choice, [0.05, 1] for dual guidance and every t for single.
    """

    dual_cfg: tuple[float, float] | None = (4.7, 2.6)
    fix_dual_cfg: bool = False
    cfg_strength: float = 4.0
    cfg_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.dual_cfg is not None and len(self.dual_cfg) != 2:
            raise ValueError(f"sample_kwargs.dual_cfg is {self.dual_cfg}; give two numbers, or null for single guidance")
        low, high = self.active
        if not low <= high:
            raise ValueError(f"sample_kwargs.cfg_range is [{low}, {high}]; give [from, to] with from <= to")

    @property
    def active(self) -> tuple[float, float]:
        """The moments [from, to] in which guidance acts."""
        if self.cfg_range is not None:
            return self.cfg_range
        return (0.0, 1.0) if self.dual_cfg is None else (0.05, 1.0)


@dataclass(frozen=True)
class Link:
    """One link of a chain: conditions and their coefficient in the guided velocity."""

    conditions: Conditions
    coefficient: float


def coefficients(weights: Sequence[float]) -> list[float]:
    """Coefficients c_0 .. c_n of the chain's velocities for its n stride weights; they sum to 1."""
    strides = [1.0, *weights, 0.0]
    return [strides[k] - strides[k + 1] for k in range(len(strides) - 1)]


def chain(full: Conditions, settings: GuidanceSettings, negative_style: Tensor) -> list[Link]:
    """The links from least to best informed, `full` last; `negative_style` is (512,), zeros where none is wished."""
    lyrics_only = full.with_style(negative_style)
    null = lyrics_only.without(lyrics=True)
    weights: tuple[float, ...]
    if settings.dual_cfg is not None:
        a, b = settings.dual_cfg
        middle, weights = (full.without(lyrics=True), (a, b)) if settings.fix_dual_cfg else (lyrics_only, (b, a))
        steps = [null, middle, full]
    else:
        steps, weights = [null, full], (1 + settings.cfg_strength,)
    links = [Link(step, c) for step, c in zip(steps, coefficients(weights), strict=True)]
    return [link for link in links if link.coefficient != 0.0]


def guided(model: DiT, full: Conditions, settings: GuidanceSettings, negative_style: Tensor) -> Callable[[Tensor, float], Tensor]:
    """A velocity (x_t (B, T, C), t) -> (B, T, C) of the guided songs; everything that stays the same is computed here, once."""
    links = chain(full, settings, negative_style)
    walk = model.prepare(Conditions.cat([link.conditions for link in links]))
    closes = links[-1].conditions is full  # it does, unless its own coefficient is zero
    alone = walk.last(len(full)) if closes else model.prepare(full)
    low, high = settings.active

    def velocity(x_t: Tensor, t: float) -> Tensor:
        inside = low <= t <= high
        copies, prepared = (len(links), walk) if inside else (1, alone)
        moments = torch.full((copies * len(x_t),), t, device=x_t.device)
        v = model.velocity(x_t.repeat(copies, 1, 1), moments, prepared)  # (links * B, T, C)
        if not inside:
            return v
        scales = torch.tensor([link.coefficient for link in links], device=v.device)
        return torch.einsum("k,kbtc->btc", scales, v.unflatten(0, (copies, -1)))

    return velocity
