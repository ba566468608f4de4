"""The plan: what it counts is what a real step allocates, it allocates nothing itself, and its table follows from the settings."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from jam.conditions import Conditions
from jam.model.dit import DiT, DiTSettings
from jam.model.lora import LoraSettings, attach
from jam.training.plan import Job, describe, memory_plan

SMALL = DiTSettings(max_frames=256, dim=256, depth=3, heads=4, text_dim=128, conv_layers=1, cond_dim=64)
LORA = LoraSettings(rank=4)

FULL_SIZE = """
import pathlib, re, time
import torch
from jam.model.dit import DiTSettings
from jam.training.plan import Job, memory_plan
began = time.perf_counter()
plan = memory_plan(Job(DiTSettings(), 1))
status = pathlib.Path("/proc/self/status").read_text()  # getrusage would tell the memory of the process that started this one, too
print(plan.step.parameters, time.perf_counter() - began, re.search(r"VmHWM:\\s+(\\d+)", status)[1])
"""


@pytest.fixture(scope="module")
def plain():
    return memory_plan(Job(SMALL, 2))


def allocated(job: Job) -> int:
    """The most bytes that a real forward and backward pass has of the allocator at once, by torch's profiler."""
    model = DiT(job.dit)
    if job.lora.rank:
        attach(model, job.lora)
    frames, rows = job.dit.max_frames, job.batch_size * job.latents
    slots, numbers = torch.ones(job.batch_size, 4 * frames, dtype=torch.long), torch.zeros(job.batch_size)
    conditions = Conditions(slots, torch.ones(job.batch_size, 512), numbers, numbers, numbers)
    x_t, t = torch.randn(rows, frames, 64), torch.rand(rows)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        with torch.autocast("cpu", job.precision, enabled=job.precision != torch.float32):
            error = (model(x_t, t, conditions) - x_t).square().mean()
        error.backward()
    changes = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = peak = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


@pytest.mark.parametrize(
    "job",
    [
        Job(SMALL, 2),
        Job(SMALL, 2, torch.float32),
        Job(replace(SMALL, grad_ckpt=True), 4),
        Job(SMALL, 2, lora=LORA),
        Job(replace(SMALL, grad_ckpt=True), 4, lora=LORA),
        Job(SMALL, 1, latents=3),
        Job(replace(SMALL, time_modulation=True), 2),
    ],
    ids=["bfloat16", "float32", "checkpointing", "lora", "lora, checkpointing", "three latents", "modulation"],
)
def test_a_real_step_allocates_what_was_planned(job):
    """Within a tenth; where blocks are computed again, up to a fifth less, as the plan lets all that one of them computes live at once."""
    least = 0.8 if job.dit.grad_ckpt else 0.9
    assert least <= allocated(job) / memory_plan(job).memory.at_once <= 1.1


def test_weights_gradients_moments_and_average_are_multiples_of_the_parameters(plain):
    memory = memory_plan(Job(SMALL, 2, ema=True, reference=True)).memory
    parameters = sum(parameter.numel() for parameter in DiT(SMALL).parameters())
    assert plain.step.parameters == plain.step.trained == parameters
    assert memory.weights == memory.gradients == memory.average == 4 * parameters and memory.reference == 2 * parameters
    assert memory.moments == 8 * parameters
    assert memory.total - plain.memory.total == 6 * parameters  # the average and the reference


def test_attention_is_planned_without_laid_out_scores(plain):
    longer = memory_plan(Job(replace(SMALL, max_frames=2 * SMALL.max_frames), 2))
    assert longer.step.activations == pytest.approx(2 * plain.step.activations, rel=0.02)


def test_checkpointing_and_lora_and_sharding_each_need_less(plain):
    needs = {(way.sharded, way.lora.rank > 0, way.dit.grad_ckpt): memory.total for way, memory in plain.others}
    assert len(needs) == 8
    for sharded, lora, saving in needs:
        if saving:
            assert needs[sharded, lora, True] < needs[sharded, lora, False]
        if lora:
            assert needs[sharded, True, saving] < needs[sharded, False, saving]
        if sharded:
            assert needs[True, lora, saving] < needs[False, lora, saving]


def test_an_adapters_reference_is_its_base():
    ways = memory_plan(Job(SMALL, 2, reference=True)).others
    assert all((memory.reference > 0) == (way.lora.rank == 0) for way, memory in ways)


def test_gradients_that_stay_between_batches_need_more(plain):
    assert memory_plan(Job(SMALL, 2, accumulation=2)).memory.total > plain.memory.total


def test_several_processes_keep_their_gradients_and_sharding_divides(plain):
    spread = memory_plan(Job(SMALL, 2, processes=4)).memory
    sharded = memory_plan(Job(SMALL, 2, processes=4, sharded=True)).memory
    assert spread.at_once == plain.memory.gradients + plain.step.peak_beside_gradients
    assert spread.total >= plain.memory.total
    assert sharded.weights == plain.memory.weights // 4
    assert sharded.copies == 0 < sharded.gathered


def test_cards_have_less_than_their_name_and_a_margin_is_kept(plain):
    memory = replace(plain.memory, at_once=0, weights=0, moments=int((24 * 2**30 - 1e9) / 1.1) - 1)
    assert memory.fits(24) and not memory.fits(12)
    assert not replace(memory, weights=10).fits(24)


def test_the_text_names_the_settings_and_every_way(plain):
    text = describe(plain)
    assert f"{plain.step.parameters:,} parameters, all trained; 2 songs of 256 frames at once on each device, in bfloat16" in text
    for way in ("all weights", "all weights, checkpointing", "LoRA of rank 16", "all weights, checkpointing, FSDP over 8"):
        assert f"  {way} " in text
    assert max(len(line) for line in text.splitlines()) <= 100
    assert " trained (" in describe(memory_plan(Job(SMALL, 2, lora=LORA)))


def test_lora_targets_that_match_nothing_are_refused():
    with pytest.raises(ValueError, match="no_such_proj"):
        memory_plan(Job(SMALL, 2, lora=LoraSettings(rank=4, targets=("no_such_proj",))))


def test_the_full_size_is_planned_in_seconds_and_allocates_nothing():  # about 8 s: four steps of sixteen blocks, and imports
    told = subprocess.run([sys.executable, "-W", "ignore", "-c", FULL_SIZE], capture_output=True, text=True, check=True).stdout.split()
    assert int(told[0]) == 532_934_592
    assert float(told[1]) < 60  # a tenth of it on a machine that does nothing else
    assert int(told[2]) * 1024 < 1.2e9  # the weights alone would be 2.1 GB
