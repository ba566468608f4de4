"""The optimizer and its learning rate, a pure function of the step. It knows parameters only as tensors."""

from collections.abc import Iterable

from torch import nn
from torch.optim import AdamW


def learning_rate_ratio(step: int, warmup: int, max_steps: int, constant: bool = False, decay_share: float = 1.0) -> float:
    """Share of the peak learning rate at optimizer step `step` (from 0): linear warm-up over `warmup` steps, then linear decay to zero
    over the last `decay_share` of the steps after it (1: all of them, as JAM-0.5), or constant."""
    if step < warmup:
        return (step + 1) / warmup
    if constant:
        return 1.0
    decay_steps = max(1.0, decay_share * (max_steps - warmup))
    return min(1.0, max(0.0, (max_steps - step) / decay_steps))


def adamw(named: Iterable[tuple[str, nn.Parameter]], learning_rate: float, weight_decay: float, betas: tuple[float, float]) -> AdamW:
    """AdamW (Loshchilov & Hutter 2019), fused, of the parameters that have gradients; weight decay on matrices, kernels and embeddings
    only, not on gains and biases, whatever their shape."""
    trained = [(name, parameter) for name, parameter in named if parameter.requires_grad]
    groups = [
        {"params": [p for name, p in trained if is_decayed(name, p)], "weight_decay": weight_decay},
        {"params": [p for name, p in trained if not is_decayed(name, p)], "weight_decay": 0.0},
    ]
    return AdamW([group for group in groups if group["params"]], lr=learning_rate, betas=betas, fused=True)


def is_decayed(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter is no gain or bias: those lie along one axis, or are the blocks' tables of shifts, scales and gates."""
    return sum(length > 1 for length in parameter.shape) > 1 and not name.endswith(".modulation")
