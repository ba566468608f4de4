"""An exponential moving average of the weights. It knows a network only as named tensors."""

import torch
from torch import Tensor, nn


class MovingAverage:
    """Shadow weights: after update n they move by 1 - min(decay, (1 + n) / (10 + n)) toward the weights, to forget early ones."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.weights = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """One step toward the model's present weights."""
        self.updates += 1
        rate = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        live = dict(model.named_parameters())
        torch._foreach_lerp_(list(self.weights.values()), [live[name].detach() for name in self.weights], rate)

    def state_dict(self) -> dict[str, Tensor | int]:
        """What `load_state_dict` takes to go on exactly."""
        return {**self.weights, "updates": self.updates}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Goes on from a saved state of the same network."""
        self.updates = int(state["updates"])
        for name, weight in self.weights.items():
            saved = state[name]
            assert isinstance(saved, Tensor), name
            weight.copy_(saved)
