"""The frozen reference: it never changes, it costs half the memory in half precision, and its errors may be computed beforehand."""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator

from jam.data.loader import Loader, LoaderSettings
from jam.dpo.objective import dpo_objective, live_reference
from jam.dpo.reference import ERRORS_FILE, compute_errors, files_digest, frozen, kept_errors, refuse_another, stored_reference
from tests.dpo.made import TINY, source_of, tiny

DROP = (0.5, 0.5)


def batches(files, epochs=2, **changes):
    return Loader(source_of(files, epochs=epochs, cycle=2, batch_size=2, **changes), LoaderSettings())


def test_errors_computed_beforehand_are_those_of_the_live_reference(pairs_in):
    files = pairs_in(3)
    reference, policy = tiny(2), tiny(1)
    table = compute_errors(reference, batches(files, shuffle=False), DROP, 0.1, Accelerator(cpu=True))
    assert len(table) == 6
    live = dpo_objective(live_reference(reference), 10, "none", DROP, 0.1)
    stored = dpo_objective(stored_reference(table), 10, "none", DROP, 0.1)
    for batch in batches(files, epochs=4):
        one, other = live(policy, batch).values, stored(policy, batch).values
        assert all(torch.allclose(one[name], other[name], atol=1e-4) for name in one)


def test_a_pair_that_was_not_asked_about_is_named(pairs_in):
    (batch, *_) = batches(pairs_in(1))
    with pytest.raises(ValueError, match="pair 0:0:song0: has no reference error"):
        dpo_objective(stored_reference({}), 10, "none", DROP)(tiny(), batch)


def test_kept_errors_serve_again_until_something_changes(tmp_path, caplog):
    caplog.set_level("INFO")
    accelerator, computed = Accelerator(cpu=True), []

    def compute():
        computed.append(1)
        return {"0:0:a": (0.5, 0.25), "0:0:b": (1.5, 2.0)}

    facts = {"seed": "0", "the reference": "abc"}
    first = kept_errors(tmp_path, facts, compute, accelerator)
    assert kept_errors(tmp_path, facts, compute, accelerator) == first and len(computed) == 1
    assert kept_errors(tmp_path, facts | {"seed": "1"}, compute, accelerator) == first and len(computed) == 2
    assert "seed changed since" in caplog.text
    (tmp_path / ERRORS_FILE).write_bytes(b"PK\x03\x04")
    assert kept_errors(tmp_path, facts, compute, accelerator) == first and len(computed) == 3
    assert "cannot be read" in caplog.text


def test_another_latent_is_another_digest(pairs_in, tmp_path):
    files = pairs_in(2)
    listing = tmp_path / "pairs" / "pairs.json"
    before = files_digest(listing, files)
    assert files_digest(listing, files) == before
    torch.save(torch.zeros(5, 64), files[1].loser)
    assert files_digest(listing, files) != before


def test_a_reference_that_changed_is_refused():
    refuse_another("a" * 64, "a" * 64, "base")
    with pytest.raises(ValueError, match="base: is not the reference that this run.* bbbbbbbbbbbb instead of aaaaaaaaaaaa"):
        refuse_another("a" * 64, "b" * 64, "base")


def test_held_in_bfloat16_it_answers_to_the_bit_as_it_would_in_float32(pairs_in):
    whole = tiny().eval()
    held = frozen(whole.state_dict(), TINY, "base", torch.device("cpu"), torch.bfloat16)
    (batch, *_) = batches(pairs_in(2))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        answers = [model(batch.winner, torch.tensor([0.2, 0.7]), batch.conditions) for model in (whole, held)]
    assert torch.equal(*answers)
    size = {name: sum(p.numel() * p.element_size() for p in model.parameters()) for name, model in (("whole", whole), ("held", held))}
    assert size["held"] < 0.75 * size["whole"]  # most of a full-size network is linear
    assert not any(parameter.requires_grad for parameter in held.parameters()) and not held.training


def test_tuning_a_policy_leaves_its_reference_as_it_was(pairs_in):
    policy = tiny()
    held = frozen(tiny().state_dict(), TINY, "base", torch.device("cpu"), torch.float32)
    before = {name: value.clone() for name, value in held.state_dict().items()}
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    for batch in batches(pairs_in(2)):
        optimizer.zero_grad()
        dpo_objective(live_reference(held), 10, "win", DROP)(policy, replace(batch)).loss.backward()
        optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in held.state_dict().items())
    assert not torch.equal(policy.proj_out.weight, held.proj_out.weight)
