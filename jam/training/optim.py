"""The optimizer and its learning rate, a pure function of the step. It knows parameters only as tensors."""

from collections.abc import Iterable

import torch
from torch import nn


def learning_rate_ratio(step: int, warmup: int, max_steps: int, constant: bool = False, decay_share: float = 1.0) -> float:
    """Share of the peak learning rate at optimizer step `step` (from 0): linear warm-up over `warmup` steps, then linear decay to zero
    over the last `decay_share` of the steps after it (1: all of them, as JAM-0.5), or constant."""
    if step < warmup:
        return (step + 1) / warmup
    if constant:
        return 1.0
    decay_steps = max(1.0, decay_share * (max_steps - warmup))
    return min(1.0, max(0.0, (max_steps - step) / decay_steps))


def adamw(parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float, betas: tuple[float, float]) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019), fused; weight decay on matrices only, not on gains and biases."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, betas=betas, fused=True)
