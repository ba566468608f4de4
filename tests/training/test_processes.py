"""Several processes train as one does, with whole weights and with sharded ones; each test starts Pythons, which takes seconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jam.training import checkpoint
from tests.training.test_loop import losses, metrics, same

HERE = Path(__file__).parent


def train(folder: Path, processes: int = 1, **given: int) -> Path:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    words = [f"{name}={value}" for name, value in {**given, "processes": processes}.items()]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent.parent)}
    done = subprocess.run(
        [*(launch if processes > 1 else [sys.executable]), str(HERE / "several.py"), str(folder), *words],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """One process with batches of four."""
    return train(tmp_path_factory.mktemp("one"), batch=4)


def close(folder: Path, other: Path, tolerance: float) -> None:
    for record, expected in zip(metrics(folder), metrics(other), strict=True):
        names = [name for name in expected if "loss" in name]
        assert [record[name] for name in names] == pytest.approx([expected[name] for name in names], abs=tolerance)


@pytest.mark.parametrize("fsdp", [0, 1])
def test_two_processes_follow_the_losses_of_one_with_larger_batches(tmp_path, one, fsdp):
    two = train(tmp_path / "two", 2, batch=2, fsdp=fsdp)
    close(two, one, 1e-5)
    state, expected = (checkpoint.load(folder / "last") for folder in (two, one))
    assert list(state["model"]) == list(expected["model"])


@pytest.mark.parametrize("fsdp", [0, 1])
def test_two_processes_go_on_as_if_they_had_not_stopped(tmp_path, fsdp):
    whole = train(tmp_path / "whole", 2, batch=1, parts=2, fsdp=fsdp, save=3)
    stopped = tmp_path / "stopped"
    shutil.copytree(whole / "step_3", stopped / "step_3")
    shutil.copy(whole / "metrics.jsonl", stopped)
    train(stopped, 2, batch=1, parts=2, fsdp=fsdp, save=3)
    state, expected = (checkpoint.load(folder / "last") for folder in (stopped, whole))
    assert same(state["model"], expected["model"]) and same(state["ema"]["weights"], expected["ema"]["weights"])
    assert losses(stopped) == losses(whole)


def test_a_sharded_checkpoint_goes_on_in_one_process(tmp_path, one):
    shards = train(tmp_path / "shards", 2, batch=2, fsdp=1, steps=4)
    train(shards, 1, batch=4)
    assert metrics(shards)[-1]["step"] == 8
    assert metrics(shards)[-1]["loss"] < 1.5 * metrics(one)[-1]["loss"]


def test_an_adapter_trains_in_shards(tmp_path):
    folder = train(tmp_path / "lora", 2, batch=2, fsdp=1, lora=2, steps=4)
    assert all("lora_" in name for name in checkpoint.load(folder / "last")["model"])


def test_sharded_bfloat16_rounds_weights_and_nothing_else(tmp_path):
    """Moments and velocities stay float32, as without shards: an error is off by a thousandth, not by a fiftieth."""
    whole = train(tmp_path / "whole", 1, batch=4, bf16=1, steps=2)
    shards = train(tmp_path / "shards", 2, batch=2, bf16=1, fsdp=1, steps=2)
    close(shards, whole, 3e-3)
