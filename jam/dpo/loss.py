"""The preference loss as arithmetic on flow errors, song by song. It knows no network, noise or files.

Diffusion-DPO (Wallace et al. 2023, arXiv 2311.12908, equation 14) with the rectified flow's velocity error in place of the noise's: a
recording's implicit reward is how much smaller the policy's error on it is than the frozen reference's. Every tensor is (B,), float32.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class PairErrors:
    """One network's flow errors on the two recordings of each pair, at the same noise and moment; (B,) each."""

    winner: Tensor
    loser: Tensor


def margins(policy: PairErrors, reference: PairErrors, beta: float) -> Tensor:
    """(B,) implicit rewards of the winners less those of the losers: 0.5 beta ((e_l - r_l) - (e_w - r_w)); 0 where the networks agree."""
    gains = (policy.winner.float() - policy.loser.float()) - (reference.winner.float() - reference.loser.float())
    return -0.5 * beta * gains


def preference_losses(policy: PairErrors, reference: PairErrors, beta: float) -> Tensor:
    """(B,) softplus(0.5 beta ((e_w - e_l) - (r_w - r_l))), which is -log sigmoid of the margin; log 2 where the networks agree."""
    return softplus(-margins(policy, reference, beta))


def compared(policy: PairErrors, reference: PairErrors, beta: float) -> dict[str, Tensor]:
    """What is watched of pairs, (B,) each: which policy tells them apart better, by how much, and who of them has gained or lost."""
    margin = margins(policy, reference, beta)
    return {
        "accuracy": agreements(margin),
        "margin": margin,
        "winner_error": policy.winner,
        "loser_error": policy.loser,
        "winner_gain": policy.winner - reference.winner,
        "loser_gain": policy.loser - reference.loser,
    }


def agreements(margin: Tensor) -> Tensor:
    """(B,) 1 where the policy prefers the winner more than the reference does (a margin above 0), 0 where less, one half at a tie."""
    return 0.5 * (1 + margin.sign())
