"""An exponential moving average of the trained weights. It knows a network only as named tensors, whole or sharded over processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(tensor: Tensor) -> Tensor:
    """A tensor, gathered from all processes where they share it, on the CPU. Every process must ask."""
    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach().cpu()


def lay(into: Tensor, given: Tensor) -> None:
    """Copies a whole tensor into a weight, or each process' part of it into a sharded one."""
    shared = distribute_tensor(given.to(into.device), into.device_mesh, into.placements) if isinstance(into, DTensor) else given
    into.copy_(shared)


class MovingAverage:
    """Shadow weights: after update n they move by 1 - min(decay, (1 + n) / (10 + n)) toward the weights, to forget early ones."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.weights = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """One step toward the model's present weights."""
        self.updates += 1
        rate = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        live = dict(model.named_parameters())
        torch._foreach_lerp_(list(self.weights.values()), [live[name].detach() for name in self.weights], rate)

    @contextlib.contextmanager
    def swapped(self, model: nn.Module) -> Iterator[None]:
        """The model with the averaged weights; the live ones are put back at the end, to the bit."""
        self._swap(model)
        try:
            yield
        finally:
            self._swap(model)

    @torch.no_grad()
    def _swap(self, model: nn.Module) -> None:
        live = dict(model.named_parameters())
        for name, shadow in self.weights.items():
            kept = live[name].detach().clone()
            live[name].copy_(shadow)
            shadow.copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes to go on exactly: whole tensors on the CPU. Every process must ask."""
        return {"updates": self.updates, "weights": {name: whole(weight) for name, weight in self.weights.items()}}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a saved state of the same network."""
        self.updates = int(state["updates"])
        for name, weight in self.weights.items():
            lay(weight, state["weights"][name])
