"""The loop: it learns, it logs, and a resumed run is the run that never stopped."""

import json
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from jam.conditions import Conditions
from jam.data.collate import Batch
from jam.model import weights
from jam.model.dit import DiT, DiTSettings
from jam.randomness import generator
from jam.training import checkpoint
from jam.training.loop import TrainingSettings, fit
from jam.training.optim import learning_rate_ratio

TINY = DiTSettings(max_frames=8, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16)


def batches(songs: int):
    """Endless batches of two songs whose latents say which slot they carry; reproducible from the number of songs before."""
    while True:
        draws = generator("test", songs)
        slot = torch.randint(3, 6, (2, 1), generator=draws)
        yield Batch(
            keys=("a", "b"),
            x_1=(slot - 4.0)[..., None].expand(2, 8, 64).clone(),
            conditions=Conditions(slot.expand(2, 32).clone(), torch.zeros(2, 512), torch.zeros(2), torch.zeros(2), torch.ones(2)),
            seconds=1.0,
        )
        songs += 2


def run(folder: Path, steps: int, state=None, **changes) -> DiT:
    torch.manual_seed(0)
    model = DiT(TINY)
    settings = TrainingSettings(
        **{
            "max_steps": 8,
            "num_warmup_updates": 2,
            "learning_rate": 1e-2,
            "use_ema": True,
            "checkpoint_path": str(folder),
            "last_per_steps": steps,
            "save_per_updates": 10_000,
            "log_every": 2,
        }
        | changes
    )
    fit(model, batches, settings, Accelerator(), seed=1, dual_drop_prob=(0.1, 0.5), state=state)
    return model


def test_a_resumed_run_equals_one_that_never_stopped(tmp_path):
    run(tmp_path / "whole", 8)
    whole = checkpoint.load(tmp_path / "whole" / "last")
    run(tmp_path / "stopped", 3, last_per_steps=3, max_steps=8)  # leaves checkpoints at 3, 6 and 8
    run(tmp_path / "first", 4, max_steps=8, save_per_updates=4)
    state = checkpoint.load(tmp_path / "first" / "step_4")
    assert state["step"] == 4
    run(tmp_path / "second", 8, state=state)
    resumed = checkpoint.load(tmp_path / "second" / "last")
    for part in ("model", "ema"):
        assert all(torch.equal(torch.as_tensor(whole[part][name]), torch.as_tensor(resumed[part][name])) for name in whole[part])


def test_it_learns_and_writes_its_metrics_and_a_model_that_loads(tmp_path):
    run(tmp_path, 80, max_steps=80, decay_share=0.5)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert weights.load(tmp_path / "last" / "model").settings == TINY


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    with pytest.raises(ValueError, match="the loss is (nan|inf)"):
        run(tmp_path, 8, learning_rate=1e30)


def test_a_full_disk_keeps_the_former_checkpoint(tmp_path, monkeypatch):
    run(tmp_path, 4, max_steps=4)
    before = checkpoint.load(tmp_path / "last")["step"]

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="former checkpoint is kept"):
        run(tmp_path, 8, max_steps=8)
    monkeypatch.undo()
    assert checkpoint.load(tmp_path / "last")["step"] == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last", "metrics.jsonl"]


def test_the_learning_rate_rises_and_falls_in_lines():
    ratios = [learning_rate_ratio(step, warmup=4, max_steps=12) for step in range(13)]
    assert ratios[:4] == [0.25, 0.5, 0.75, 1.0]
    assert ratios[4:] == pytest.approx([1 - i / 8 for i in range(9)])
    assert learning_rate_ratio(11, 4, 12, constant=True) == 1.0
    assert [learning_rate_ratio(step, 2, 12, decay_share=0.5) for step in (2, 7, 12)] == [1.0, 1.0, 0.0]
