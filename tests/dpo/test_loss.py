"""The preference loss: arithmetic by hand, its gradient, and what it says of equal, swapped and tied pairs."""

import math

import pytest
import torch

from jam.dpo.loss import PairErrors, agreements, margins, preference_losses


def errors(winner: float, loser: float) -> PairErrors:
    return PairErrors(torch.tensor([winner]), torch.tensor([loser]))


def test_the_loss_is_that_of_hand_arithmetic():
    """Policy 0.500 on the winner and 0.502 on the loser, reference 0.501 on both, beta 2000:
    (0.500 - 0.502) - (0.501 - 0.501) = -0.002; times 0.5 x 2000 is -2; softplus(-2) = log(1 + 0.135335) = 0.126928. The margin is 2.
    """
    policy, reference = errors(0.500, 0.502), errors(0.501, 0.501)
    assert margins(policy, reference, 2000).item() == pytest.approx(2, rel=1e-4)
    assert preference_losses(policy, reference, 2000).item() == pytest.approx(math.log1p(math.exp(-2)), rel=1e-4)
    assert math.log1p(math.exp(-2)) == pytest.approx(0.126928, abs=1e-6)


def test_equal_networks_give_log_2_and_a_tie():
    same = errors(0.7, 0.4)
    assert preference_losses(same, same, 2000).item() == pytest.approx(math.log(2))
    assert agreements(margins(same, same, 2000)).item() == 0.5


def test_swapping_winner_and_loser_flips_the_margin():
    policy, reference = errors(0.50, 0.53), errors(0.51, 0.52)
    there = margins(policy, reference, 100)
    back = margins(PairErrors(policy.loser, policy.winner), PairErrors(reference.loser, reference.winner), 100)
    assert there.item() == pytest.approx(-back.item())
    assert [agreements(there).item(), agreements(back).item()] == [1, 0]


def test_its_gradient_lowers_the_winners_error_and_raises_the_losers():
    """At a margin of 0 the gradient is 0.5 beta sigmoid(0) = 0.25 beta: plus for the winner's error, minus for the loser's."""
    winner, loser = torch.tensor([0.5], requires_grad=True), torch.tensor([0.5], requires_grad=True)
    preference_losses(PairErrors(winner, loser), errors(0.5, 0.5), beta=8.0).sum().backward()
    assert winner.grad is not None and loser.grad is not None
    assert [winner.grad.item(), loser.grad.item()] == [2, -2]


def test_a_wide_margin_does_not_overflow():
    losses = preference_losses(errors(1.0, 0.0), errors(0.0, 1.0), beta=2000)
    assert losses.item() == 2000
    assert preference_losses(errors(0.0, 1.0), errors(1.0, 0.0), beta=2000).item() == 0


def test_errors_in_half_precision_are_compared_in_float32():
    half = PairErrors(torch.tensor([0.5], dtype=torch.bfloat16), torch.tensor([0.25], dtype=torch.bfloat16))
    assert preference_losses(half, half, 2000).dtype == torch.float32
