"""Preference tuning's objective: pairs and two velocities give each pair's loss. It knows no optimizer and no files.

B pairs, T latent frames, C channels. The recordings of a pair share noise, moment, conditions and drop-out, so that nothing but the
recordings tells them apart; they go through a network in one call, and what conditions them is encoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from jam.conditions import Conditions, drop_out
from jam.dpo.loss import PairErrors, compared, preference_losses
from jam.dpo.pairs import PairBatch
from jam.flow import Draws, Velocity, draw, errors
from jam.training.objective import Measured, Objective

ANCHOR_WEIGHT = 0.2  # of the supervised error that `sft` adds, as JAM-0.5's

# (policy's velocity, batch, its draws, its conditions after drop-out) -> errors of the frozen reference
ReferenceErrors = Callable[[Velocity, PairBatch, Draws, Conditions], PairErrors]


def dpo_objective(
    reference: ReferenceErrors, beta: float, sft: str | None, dual_drop_prob: Sequence[float], lyrics_drop_prob: float = 0.0
) -> Objective:
    """The preference loss, plus `ANCHOR_WEIGHT` times the mean error on the winner (`sft` is win) or on the ground truth (gt).

    What is logged of each pair: `loss`, `preference_loss`, `accuracy` (1 where the winner gained on the loser), `margin`, the policy's
    `winner_error` and `loser_error`, by how much they exceed the reference's (`winner_gain`, `loser_gain`), and `truth_error`.
    """

    def measure(velocity: Velocity, batch: PairBatch) -> Measured:
        draws = draw(batch.draws, *batch.winner.shape[1:]).to(batch.winner.device)
        conditions = drop_out(batch.conditions, dual_drop_prob, draws.drop, lyrics_drop_prob)
        frozen = reference(velocity, batch, draws, conditions)  # before the policy's graph takes its memory
        recordings = [batch.winner, batch.loser, *([_truth(batch)] if sft == "gt" else [])]
        measured = block_errors(velocity, recordings, draws, conditions)
        policy = PairErrors(measured[0], measured[1])
        preference = preference_losses(policy, frozen, beta)
        anchor = {"win": measured[0], "gt": measured[-1]}.get(sft or "", torch.zeros_like(preference))
        loss = preference + ANCHOR_WEIGHT * anchor  # (B,)
        truth = {"truth_error": measured[2]} if sft == "gt" else {}
        values = {"loss": loss, "preference_loss": preference, **compared(policy, frozen, beta), **truth}
        return Measured(loss.mean(), draws.t, {name: value.detach() for name, value in values.items()})

    return measure


def block_errors(velocity: Velocity, recordings: Sequence[Tensor], draws: Draws, conditions: Conditions) -> tuple[Tensor, ...]:
    """(B,) float32 errors on each of several recordings (B, T, C) of the same songs, at shared noise and moments, in one call."""
    copies = len(recordings)
    x_0, t = draws.x_0.repeat(copies, 1, 1), draws.t.repeat(copies)
    return errors(velocity, x_0, torch.cat(list(recordings)), t, conditions).float().chunk(copies)


def live_reference(
    frozen: Velocity | None = None, without_adapter: Callable[[], AbstractContextManager[None]] = nullcontext
) -> ReferenceErrors:
    """A reference that answers at each step: another network, or (None) the policy's own base while `without_adapter()` holds."""

    @torch.no_grad()
    def measure(velocity: Velocity, batch: PairBatch, draws: Draws, conditions: Conditions) -> PairErrors:
        with without_adapter():
            return PairErrors(*block_errors(frozen or velocity, [batch.winner, batch.loser], draws, conditions))

    return measure


def _truth(batch: PairBatch) -> Tensor:
    assert batch.truth is not None, "sft gt needs the ground truth's latents"
    return batch.truth
