"""What is watched while preferences are tuned, since both errors of a pair may rise while their difference falls. It changes nothing.

The policy is compared with the frozen reference on held-out pairs and songs, at noise and moments that are the same each time; what the
reference answers to them is computed once, before training, and kept on the CPU. k latents a song, B songs, T frames, C channels.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jam.conditions import Conditions
from jam.data.collate import Batch
from jam.dpo.loss import PairErrors, compared, preference_losses
from jam.dpo.pairs import PairBatch
from jam.flow import Velocity, draw, interpolate
from jam.training.objective import Measured, Objective

log = logging.getLogger("jam")

ON_WORSE = ("warn", "stop", "ignore")


@dataclass(frozen=True)
class Probe:
    """Held-out latents at fixed noise and moments, and what the reference says to them."""

    names: tuple[str, ...]  # of the B songs' random streams
    x_1: Tensor  # (k B, T, C): B winners, then B losers; or B songs
    conditions: Conditions  # of B songs
    seconds: float
    reference: Tensor  # (k B, T, C) velocities

    @property
    def copies(self) -> int:
        """k: latents a song."""
        return len(self.x_1) // len(self.conditions)

    def to(self, device: torch.device | str) -> Probe:
        """The same probe on another device."""
        return Probe(self.names, self.x_1.to(device), self.conditions.to(device), self.seconds, self.reference.to(device))

    def compared(self, velocity: Velocity) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Moments, the network's and the reference's errors, and the network's drift, (k B,) each.

        Drift is the mean squared difference of the two velocities, relative to the reference's own mean square.
        """
        x_t, t, target = noised(self.names, self.x_1, self.copies)
        answer = velocity(x_t, t, self.conditions).float()
        drift = _mean_square(answer - self.reference) / _mean_square(self.reference)
        return t, _mean_square(answer - target), _mean_square(self.reference - target), drift


def probes(velocity: Velocity, batches: Iterable[PairBatch | Batch], device: torch.device | str) -> list[Probe]:
    """Held-out batches with the velocities of the reference, kept on the CPU. Gradients and autocast are the caller's."""
    found = []
    for batch in batches:
        x_1 = torch.cat([batch.winner, batch.loser]) if isinstance(batch, PairBatch) else batch.x_1
        x_t, t, _ = noised(batch.draws, x_1, len(x_1) // len(batch))
        answer = velocity(x_t.to(device), t.to(device), batch.conditions.to(device)).float().cpu()
        found.append(Probe(batch.draws, x_1, batch.conditions, batch.seconds, answer))
    return found


def noised(names: tuple[str, ...], x_1: Tensor, copies: int) -> tuple[Tensor, Tensor, Tensor]:
    """x_t, t and the target x_1 - x_0 of k latents a song, which share noise and moment; both are functions of the songs' names."""
    draws = draw(names, *x_1.shape[1:]).to(x_1.device)
    x_0, t = draws.x_0.repeat(copies, 1, 1), draws.t.repeat(copies)
    return interpolate(x_0, x_1, t), t, x_1 - x_0


def measure_pairs(beta: float) -> Objective:
    """An objective over probes of pairs: loss, accuracy, margin, errors, gains over the reference, and drift, of each pair."""

    def measure(velocity: Velocity, probe: Probe) -> Measured:
        t, errors, references, drift = (value.unflatten(0, (2, -1)) for value in probe.compared(velocity))  # (2, B)
        policy, frozen = PairErrors(*errors), PairErrors(*references)
        loss = preference_losses(policy, frozen, beta)
        return Measured(loss.mean(), t[0], {"loss": loss, **compared(policy, frozen, beta), "drift": drift.mean(0)})

    return measure


def measure_songs(velocity: Velocity, probe: Probe) -> Measured:
    """An objective over probes of songs: the error, its gain over the reference's, and the drift, of each song."""
    t, error, reference, drift = probe.compared(velocity)
    return Measured(error.mean(), t, {"song_error": error, "song_gain": error - reference, "song_drift": drift})


@dataclass
class Watch:
    """Says when the policy fits winners worse than the frozen reference, by more than `share` of the reference's error, in the mean of the
    last `window` records since the run was last started. Called with each record; returns a reason to stop where `on_worse` is `stop`."""

    on_worse: str = "warn"
    share: float = 0.05
    window: int = 20
    _seen: deque[tuple[float, float]] = field(default_factory=deque)
    _warned: bool = False

    def __call__(self, record: Mapping[str, float]) -> str | None:
        if self.on_worse == "ignore" or "winner_gain" not in record:
            return None
        self._seen.append((record["winner_gain"], record["winner_error"] - record["winner_gain"]))
        if len(self._seen) > self.window:
            self._seen.popleft()
        gain, reference = (sum(values) for values in zip(*self._seen, strict=True))
        if len(self._seen) < self.window or gain <= self.share * reference:
            self._warned = False
            return None
        told = f"the winners' error is {gain / reference:.1%} above the reference's (dpo.worse_share is {self.share:.1%})"
        advice = "lower training.learning_rate or training.beta_dpo, or set model.cfm.sft to win or gt"
        if self.on_worse == "stop":
            return f"{told}; {advice}"
        if not self._warned:
            log.warning("step %d: %s; %s", record["step"], told, advice)
        self._warned = True
        return None


def _mean_square(values: Tensor) -> Tensor:
    return values.square().mean(dim=(1, 2))
