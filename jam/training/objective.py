"""What a run makes smaller: a batch and a velocity give each song's loss. It knows no optimizer, processes or files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from jam.conditions import drop_out
from jam.data.collate import Batch
from jam.flow import Velocity, draw, errors


@dataclass(frozen=True)
class Measured:
    """What an objective says of a batch of B songs."""

    loss: Tensor  # (), to be differentiated: the mean over the songs
    t: Tensor  # (B,) moments
    values: dict[str, Tensor]  # (B,) each, for the log; `loss` is among them


Objective = Callable[[Velocity, Any], Measured]  # (velocity, batch on its device)


def flow_objective(dual_drop_prob: Sequence[float], lyrics_drop_prob: float = 0.0) -> Objective:
    """Rectified flow's error (JAM, arXiv 2507.20880, section 3.1) under drop-out of style and lyrics: pretraining and fine-tuning.

    Noise, moment and drop-out of a song are functions of its `batch.draws` name.
    """

    def measure(velocity: Velocity, batch: Batch) -> Measured:
        draws = draw(batch.draws, *batch.x_1.shape[1:]).to(batch.x_1.device)
        conditions = drop_out(batch.conditions, dual_drop_prob, draws.drop, lyrics_drop_prob)
        error = errors(velocity, draws.x_0, batch.x_1, draws.t, conditions)  # (B,)
        return Measured(error.mean(), draws.t, {"loss": error.detach()})

    return measure
