"""The entry: shards in, checkpoints out; alike on one process and on two; killed at any moment, it goes on as if nothing had been."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from jam import assets, config, flow
from jam.export import ExportConfig, export
from jam.model import lora, weights
from jam.train import TrainConfig, begin, train
from jam.training import checkpoint, objective
from tests.data.conftest import song, write
from tests.test_configs import RELEASED
from tests.training.test_loop import losses, same

ROOT = Path(__file__).parent.parent
SIZES = {"max_frames": 16, "dim": 32, "depth": 2, "heads": 2, "text_dim": 16, "conv_layers": 1, "cond_dim": 16}


class Desk:
    """A folder with seven shards of songs that differ, and the words that train a tiny network on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        draws = torch.Generator().manual_seed(0)
        for shard in range(7):
            names = [f"{shard}{i}" for i in range(2 + shard % 3)]
            latents = [torch.cat([torch.randn(64, 20, generator=draws), torch.full((64, 20), 0.1)]) for _ in names]
            write(folder / f"s-{shard}.tar", *(song(name, **{"latent.pt": latent}) for name, latent in zip(names, latents, strict=True)))

    def words(self, run: str, *more: str) -> list[str]:
        sizes = [f"model.dit.{name}={value}" for name, value in SIZES.items()]
        return [
            *sizes,
            "model.cfm.max_frames=16",
            "data.train_dataset.max_frames=16",
            f"data.train_dataset.pattern={self.folder}/s-{{0..6}}.tar",
            f"data.train_dataset.phonemizer_checkpoint={assets.BUNDLE / 'phonemizer.pt'}",
            "data.train_dataset.shuffle_songs=3",
            "data.train_dataloader.batch_size=2",
            "training.max_steps=6",
            "training.num_warmup_updates=2",
            "training.learning_rate=1e-2",
            "training.precision=float32",
            "training.use_ema=true",
            "training.log_every=1",
            f"training.checkpoint_path={self.folder / run}",
            "training.resume_from_checkpoint=auto",
            *more,
        ]

    def train(self, run: str, *more: str) -> dict:
        train(config.load(TrainConfig, self.words(run, *more)))
        return self.state(run)

    def start(self, run: str, *more: str, processes: int = 1) -> subprocess.Popen:
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)] if processes > 1 else []
        command = [sys.executable, *launch, "-m", "jam.train", *self.words(run, *more)]
        return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True)

    def state(self, run: str) -> dict:
        return checkpoint.load(self.folder / run / "last")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_run_leaves_a_model_that_loads_its_metrics_and_its_curve(desk):
    state = desk.train("run", f"data.valid_pattern={desk.folder}/s-0.tar", "training.valid_every=3")
    records = [json.loads(line) for line in (desk.folder / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert [record["step"] for record in records if "valid_loss" in record] == [3, 6]
    assert all(record["model_flops_share"] > 0 for record in records)
    assert (desk.folder / "run" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert weights.load(desk.folder / "run" / "last" / "model").settings.dim == 32
    assert weights.read_extra(desk.folder / "run" / "last" / "model", "lyrics") == {"filler": "average_sparse"}
    assert state["settings"]["seed"] == 0 and state["code"] and state["wandb_id"] is None


def test_two_processes_accumulation_and_a_large_batch_are_one(desk):
    """Takes long: it starts two Pythons. Lanes hold the order of songs, whatever reads them."""
    more = ("training.max_steps=20", "data.train_dataloader.lanes=2", "training.last_per_steps=20")
    two = desk.start("two", *more, processes=2)
    desk.train("parts", *more, "training.grad_accumulation_steps=2")
    desk.train("four", *more, "data.train_dataloader.batch_size=4")
    told = two.communicate()[1]
    assert two.returncode == 0, told[-2000:]
    expected = losses(desk.folder / "four")
    assert len(expected) == 20
    for run in ("two", "parts"):
        assert [loss for _, loss, _ in losses(desk.folder / run)] == pytest.approx([loss for _, loss, _ in expected], abs=1e-5)


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_random_moments_it_ends_as_if_nothing_had_been(desk, workers):
    """Takes long: it starts a Python for each life. Ten kills of 200 steps are measured by hand, see tests/bench/kills.py."""
    more = (f"data.train_dataloader.num_workers={workers}", "training.max_steps=30", "training.last_per_steps=4", "training.log_every=3")
    assert desk.start("whole", *more).wait() == 0  # in a Python of its own, with as many threads
    whole = desk.state("whole")
    moments = random.Random(workers)
    lives = 0
    while not (desk.folder / "killed" / "last").exists() or desk.state("killed")["step"] < 30:
        process = desk.start("killed", *more)
        if lives < 2:
            begun = len(read(desk.folder / "killed" / "metrics.jsonl"))
            while process.poll() is None and len(read(desk.folder / "killed" / "metrics.jsonl")) <= begun:
                time.sleep(0.01)
            time.sleep(moments.random() * 0.1)
            process.send_signal(signal.SIGKILL)
        process.wait()
        lives += 1
    assert lives >= 2
    killed = desk.state("killed")
    assert same(whole["model"], killed["model"]) and same(whole["ema"]["weights"], killed["ema"]["weights"])
    assert losses(desk.folder / "whole") == losses(desk.folder / "killed")


def read(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_sigterm_saves_and_the_status_says_so(desk):
    process = desk.start("stopped", "training.max_steps=100000", "training.last_per_steps=100000", "data.train_dataloader.num_workers=2")
    while process.poll() is None and len(read(desk.folder / "stopped" / "metrics.jsonl")) < 3:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 143, told
    assert desk.state("stopped")["step"] >= 3 and "all is saved" in told and "Traceback" not in told


def test_weights_to_start_from_are_read_strictly_and_differences_named(desk):
    first = desk.train("first")
    words = desk.words("second", f"training.resume_from_safetensors={desk.folder / 'first' / 'last' / 'model'}")
    start = begin(config.load(TrainConfig, words))
    assert same(dict(start.model.state_dict()), first["ema"]["weights"])
    with pytest.raises(ValueError, match="made with other sizes than model.dit: dim 32 instead of 64"):
        begin(config.load(TrainConfig, [*words, "model.dit.dim=64"]))


def test_changed_settings_are_told_and_other_sizes_refused(desk, caplog):
    desk.train("run")
    caplog.set_level("INFO")
    begin(config.load(TrainConfig, desk.words("run", "training.learning_rate=1e-3")))
    assert "training.learning_rate was 0.01 in the checkpoint and is 0.001 now" in caplog.text
    with pytest.raises(ValueError, match="the checkpoint: was made with other sizes than model.dit: depth 2 instead of 3"):
        begin(config.load(TrainConfig, desk.words("run", "model.dit.depth=3")))


def test_an_adapter_is_trained_alone_and_bound_to_its_base(desk):
    desk.train("base")
    base = desk.folder / "base" / "last" / "model"
    more = (f"training.resume_from_safetensors={base}", "training.lora.rank=2")
    desk.train("lora", *more, "training.max_steps=3")
    state = desk.train("lora", *more)  # goes on from step 3
    assert state["step"] == 6 and all(".lora_" in name for name in state["model"])
    adapter = lora.read(desk.folder / "lora" / "last" / "adapter")
    assert adapter.base == weights.fingerprint(weights.read_tensors(base))
    folder = export(ExportConfig(checkpoint=str(desk.folder / "lora" / "last"), output=str(desk.folder / "merged")))
    merged, plain = weights.load(folder), weights.load(base)
    assert sum(not torch.equal(value, plain.state_dict()[name]) for name, value in merged.state_dict().items()) == 8  # four layers a block
    assert weights.read_extra(folder, "lyrics") == {"filler": "average_sparse"}
    desk.train("other", "seed=1")
    with pytest.raises(ValueError, match="adapter was trained on .*name the same weights"):
        desk.train("lora", f"training.resume_from_safetensors={desk.folder / 'other' / 'last' / 'model'}", "training.lora.rank=2")
    with pytest.raises(ValueError, match=r"its adapter has targets \['k_proj', .*\], training.lora has \['q_proj'\]"):
        desk.train("lora", *more, "training.lora.targets=[q_proj]")
    with pytest.raises(ValueError, match=r"its adapter has alpha 2, training.lora has 8"):
        desk.train("lora", *more, "training.lora.alpha=8")
    with pytest.raises(ValueError, match=r"is of an adapter, but training.lora.rank is 0"):
        desk.train("lora")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["training.lora.rank=2"], "training.lora adapts weights; name them in training.resume_from_safetensors"),
        (["model.lora=somewhere"], "model.lora is for inference"),
        (["data.train_dataset.max_frames=32"], "make them equal"),
        (["wandb.mode=sometimes"], "wandb.mode is sometimes; choose online, offline, disabled"),
        (["data.max_bad_share=2"], "data.max_bad_share is 2"),
        (["training.resume_from_checkpoint=nowhere"], "nowhere: no checkpoint"),
        (["data.valid_pattern=nowhere-{0..3}.tar"], "4 of 4 shards are missing"),
        (["training.canvases=[8,32]"], "training.canvases holds 32 frames, more than the canvas of 16"),
        (["training.canvases=[]"], "training.canvases is"),
        (["training.precision=float16"], "float16, which trains on CUDA devices only"),
    ],
)
def test_settings_that_contradict_are_refused_in_one_line(desk, words, said):
    with pytest.raises(ValueError, match=said):
        train(config.load(TrainConfig, desk.words("run", *words)))


def test_steps_may_see_part_of_the_canvas_in_turn(desk, monkeypatch):
    seen = []
    errors = flow.errors

    def spy(velocity, x_0, x_1, *rest):
        seen.append(x_1.shape[1])
        return errors(velocity, x_0, x_1, *rest)

    monkeypatch.setattr(objective, "errors", spy)
    desk.train("run", "training.canvases=[8,12,16]", f"data.valid_pattern={desk.folder}/s-0.tar", "training.valid_every=6")
    assert seen[:6] == [8, 12, 16, 8, 12, 16] and set(seen[6:]) == {16}  # validation sees all


def test_a_plan_allocates_nothing_and_needs_no_data(capsys):
    from jam.train import main

    main(["plan=true", "model.dit.max_frames=512", "model.cfm.max_frames=512", "data.train_dataset.max_frames=512"])
    told = capsys.readouterr().out
    assert "532,934,592 parameters" in told and "checkpointing" in told


def test_weights_and_biases_keeps_an_offline_run_that_goes_on(desk, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    state = desk.train("run", "wandb.mode=offline", "training.max_steps=2")
    assert state["wandb_id"] and list((desk.folder / "run" / "wandb").glob("offline-run-*"))
    assert desk.train("run", "wandb.mode=offline")["wandb_id"] == state["wandb_id"]


def test_a_yaml_of_the_released_system_trains_unchanged_but_for_paths_and_sizes(desk, monkeypatch):
    """Takes long: it starts the YAML's four workers."""
    monkeypatch.chdir(desk.folder)
    silence = desk.folder / "silence.npy"
    np.save(silence, np.zeros(64, dtype=np.float32))
    (desk.folder / "ids.jsonl").write_text("".join(f'{{"id": "{shard}{i}"}}\n' for shard in range(7) for i in range(4)))
    text = RELEASED.replace("songs/{000000..000099}.tar", f"{desk.folder}/s-{{0..6}}.tar")
    text = text.replace("phonemizer.pt", str(assets.BUNDLE / "phonemizer.pt"))
    text = text.replace("resample_by_duration_threshold: 150", "resample_by_duration_threshold: 0.9")  # the songs last a second
    text = text.replace("ignore_by_duration_threshold: 30", "ignore_by_duration_threshold: 0.5")
    (desk.folder / "released.yaml").write_text(text)
    sizes = [f"model.dit.{name}={value}" for name, value in SIZES.items() if name != "max_frames"]
    short = ["max_frames=16", "training.max_steps=3", "training.log_every=1"]
    train(config.load(TrainConfig, ["config=released.yaml", *sizes, *short]))
    assert [step for step, *_ in losses(desk.folder / "checkpoints")] == [1, 2, 3]
    assert weights.load(desk.folder / "checkpoints" / "last" / "model").settings.dim == 32
