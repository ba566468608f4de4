"""The objective: what it asks of the networks, how it drops out, what it logs, and whom it moves."""

import math
from dataclasses import replace

import pytest
import torch

from jam.dpo.objective import ANCHOR_WEIGHT, dpo_objective, live_reference
from jam.dpo.pairs import PairBatch, collate_pairs, load_pair
from jam.flow import draw, errors
from jam.model import lora
from tests.dpo.made import FRAMES, ids_of, source_of, tiny

NO_DROP = (0.0, 0.0)


@pytest.fixture
def batch(pairs_in) -> PairBatch:
    files = pairs_in(3, truth=True)
    crop = source_of(files).crop
    return collate_pairs([load_pair(each, f"0:0:{each.key}", crop, True, ids_of) for each in files], torch.zeros(64), FRAMES)


def swapped(batch: PairBatch) -> PairBatch:
    return replace(batch, winner=batch.loser, loser=batch.winner)


def test_equal_networks_give_log_2_whatever_the_pairs(batch):
    measured = dpo_objective(live_reference(tiny()), 2000, "none", (0.5, 0.5))(tiny(), batch)
    assert torch.allclose(measured.values["loss"], torch.tensor(math.log(2)))
    assert measured.loss.item() == pytest.approx(math.log(2))
    assert measured.values["accuracy"].tolist() == [0.5] * 3
    assert measured.values["winner_gain"].eq(0).all()


def test_its_errors_are_those_of_each_recording_alone(batch):
    policy, frozen = tiny(1), tiny(2)
    values = dpo_objective(live_reference(frozen), 10, "gt", NO_DROP)(policy, batch).values
    draws = draw(batch.draws, FRAMES, 64)
    for name, latents in (("winner", batch.winner), ("loser", batch.loser), ("truth", batch.truth)):
        alone = errors(policy, draws.x_0, latents, draws.t, batch.conditions)
        assert torch.allclose(values[f"{name}_error"], alone, atol=1e-5)
        if name != "truth":
            gain = alone - errors(frozen, draws.x_0, latents, draws.t, batch.conditions)
            assert torch.allclose(values[f"{name}_gain"], gain, atol=1e-5)
    margin = -0.5 * 10 * (values["winner_gain"] - values["loser_gain"])
    assert torch.allclose(values["margin"], margin, atol=1e-4)


def test_swapping_winner_and_loser_flips_the_margin(batch):
    objective = dpo_objective(live_reference(tiny(2)), 10, "none", NO_DROP)
    there, back = objective(tiny(1), batch).values, objective(tiny(1), swapped(batch)).values
    assert torch.allclose(there["margin"], -back["margin"], atol=1e-4)
    assert torch.allclose(there["accuracy"], 1 - back["accuracy"])


def test_a_step_lowers_the_winners_error_against_the_losers(batch):
    policy = tiny()
    objective = dpo_objective(live_reference(tiny()), 100, "none", NO_DROP)
    objective(policy, batch).loss.backward()
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.grad is not None:
                parameter -= 1e-5 * parameter.grad
    values = objective(policy, batch).values
    assert values["winner_gain"].mean() < 0 < values["loser_gain"].mean()
    assert values["margin"].mean() > 0


@pytest.mark.parametrize(("sft", "anchor"), [("none", None), (None, None), ("win", "winner_error"), ("gt", "truth_error")])
def test_the_anchor_is_a_fifth_of_its_error(batch, sft, anchor):
    values = dpo_objective(live_reference(tiny(2)), 10, sft, NO_DROP)(tiny(1), batch).values
    added = 0 if anchor is None else ANCHOR_WEIGHT * values[anchor]
    assert torch.allclose(values["loss"], values["preference_loss"] + added)
    assert ANCHOR_WEIGHT == 0.2


@pytest.mark.parametrize(("sft", "latents"), [("none", 2), ("win", 2), ("gt", 3)])
def test_each_network_is_asked_once_with_conditions_of_each_song_once(batch, sft, latents):
    asked = []

    def listening(name, model):
        def velocity(x_t, t, conditions):
            asked.append((name, len(x_t), len(conditions), torch.is_grad_enabled()))
            return model(x_t, t, conditions)

        return velocity

    dpo_objective(live_reference(listening("reference", tiny())), 10, sft, NO_DROP)(listening("policy", tiny()), batch)
    assert asked == [("reference", 2 * 3, 3, False), ("policy", latents * 3, 3, True)]


def test_drop_out_is_the_same_for_both_networks(batch):
    seen = []

    def velocity(x_t, t, conditions):
        seen.append(conditions)
        return tiny()(x_t, t, conditions)

    dpo_objective(live_reference(velocity), 10, "none", (0.5, 0.5))(velocity, batch)
    reference, policy = seen
    assert torch.equal(reference.style, policy.style) and torch.equal(reference.slots, policy.slots)


def test_the_base_of_an_adapter_is_its_reference(batch):
    base, policy = tiny(), tiny()
    lora.attach(policy, lora.LoraSettings(rank=4, dropout=0.5))
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    policy.train()
    from functools import partial

    free = dpo_objective(live_reference(None, partial(lora.disabled, policy)), 10, "none", NO_DROP)
    copied = dpo_objective(live_reference(base), 10, "none", NO_DROP)
    torch.manual_seed(0)
    first = free(policy, batch)
    torch.manual_seed(0)
    second = copied(policy, batch)
    assert all(torch.equal(first.values[name], second.values[name]) for name in first.values)
    assert first.values["winner_gain"].abs().max() > 0
    first.loss.backward()
    assert all((parameter.grad is not None) == parameter.requires_grad for parameter in policy.parameters())
