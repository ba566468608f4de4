"""The loop: it learns, it logs, it stops when asked to, and a resumed run is the run that never stopped."""

import json
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from jam.conditions import Conditions
from jam.data.collate import Batch
from jam.data.loader import Delivery, Loader, LoaderSettings
from jam.model import weights
from jam.model.dit import DiT, DiTSettings
from jam.randomness import generator
from jam.training import checkpoint
from jam.training.loop import Hooks, SampleSongs, TrainingSettings, fit
from jam.training.objective import Measured, flow_objective

TINY = DiTSettings(max_frames=8, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16)


class Tones:
    """Songs whose latents say which phoneme they sing, dealt to readers in turn; every `bad`-th is broken."""

    def __init__(self, batch_size: int = 2, bad: int = 0) -> None:
        self.batch_size, self.bad = batch_size, bad

    def begin(self, reader: int, _readers: int, places) -> dict:
        return next((place for place in places if place["reader"] == reader), {"reader": reader, "batches": 0})

    def deliveries(self, reader: int, readers: int, place: dict) -> Iterator[Delivery]:
        batches = place["batches"]
        while True:
            first = (batches * readers + reader) * self.batch_size
            keys = tuple(str(first + i) for i in range(self.batch_size))
            slot = torch.stack([torch.randint(3, 6, (1,), generator=generator("test", key)) for key in keys])  # (B, 1)
            zeros = torch.zeros(len(keys))
            batch = Batch(
                keys=keys,
                x_1=(slot - 4.0)[..., None].expand(-1, 8, 64).clone(),
                conditions=Conditions(slot.expand(-1, 32).clone(), torch.zeros(len(keys), 512), zeros, zeros, zeros + 1),
                seconds=1.0,
                draws=keys,
            )
            batches += 1
            broken = ("shard: x: is broken",) if self.bad and batches % self.bad == 0 else ()
            yield Delivery(batch, {"reader": reader, "batches": batches}, broken)


def run(folder: Path, state=None, hooks: Hooks | None = None, source: Tones | None = None, objective=None, **changes) -> DiT:
    torch.manual_seed(0)
    model = DiT(TINY)
    settings = TrainingSettings(
        **{
            "max_steps": 8,
            "num_warmup_updates": 2,
            "learning_rate": 1e-2,
            "use_ema": True,
            "checkpoint_path": str(folder),
            "last_per_steps": 100,
            "save_per_updates": 10_000,
            "log_every": 2,
        }
        | changes
    )
    states = None if state is None else [own["data"] for own in state["processes"]]
    songs = Loader(source or Tones(), LoaderSettings(batch_size=2), states=states)
    fit(
        model,
        songs,
        objective or flow_objective((0.1, 0.5)),
        settings,
        Accelerator(cpu=True),
        write_model=lambda tensors, to: weights.save(tensors, TINY, to / "model"),
        facts={"dit": {}, "code": "test"},
        state=state,
        hooks=hooks,
        flops=(1e6, 1e12),
    )
    return model


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same(one: dict, other: dict) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def losses(folder: Path) -> list[tuple[int, float, float]]:
    return [(record["step"], record["loss"], record["grad_norm"]) for record in metrics(folder)]


@pytest.mark.parametrize("stop", [3, 4])  # within a window of the log, and at its end
def test_a_resumed_run_equals_one_that_never_stopped_to_the_bit(tmp_path, stop):
    run(tmp_path / "whole")
    whole = checkpoint.load(tmp_path / "whole" / "last")
    folder = tmp_path / "stopped"
    run(folder, save_per_updates=stop)
    for name in ("last", f"step_{2 * stop}"):
        if (folder / name).exists():
            (folder / name).rename(tmp_path / name)  # as if the run had been killed after its first checkpoint
    state = checkpoint.load(checkpoint.newest(folder))
    assert state["step"] == stop
    run(folder, state=state)
    resumed = checkpoint.load(folder / "last")
    assert same(whole["model"], resumed["model"])
    assert same(whole["ema"]["weights"], resumed["ema"]["weights"])
    assert losses(tmp_path / "whole") == losses(folder)


def test_it_learns_and_writes_its_metrics_and_a_model_that_loads(tmp_path):
    run(tmp_path, max_steps=80, decay_share=0.5, source=Tones(bad=10))
    records = metrics(tmp_path)
    assert sum(record["loss"] for record in records[-5:]) < 0.8 * sum(record["loss"] for record in records[:5])
    assert weights.load(tmp_path / "last" / "model").settings == TINY
    assert [record["step"] for record in records] == list(range(2, 81, 2))
    assert {"grad_norm", "learning_rate", "songs_per_second", "song_seconds_per_second", "model_flops_share", "peak_memory_gb"} <= set(
        records[0]
    )
    assert records[-1]["bad_samples"] == 8
    assert any("loss_q2" in record for record in records)


def test_quarters_of_t_are_the_means_of_their_songs(tmp_path):
    def objective(_velocity, batch):
        t = torch.tensor([0.1, 0.8]) if int(batch.keys[0]) % 4 else torch.tensor([0.1, 0.1])
        values = {"loss": t * 10, "accuracy": torch.ones(2)}
        return Measured((_velocity(batch.x_1, t, batch.conditions) ** 2).mean(), t, values)

    model, settings = DiT(TINY), TrainingSettings(max_steps=2, log_every=2, checkpoint_path=str(tmp_path))
    songs = Loader(Tones(), LoaderSettings())
    fit(model, songs, objective, settings, Accelerator(cpu=True), write_model=lambda tensors, to: weights.save(tensors, TINY, to))
    (record,) = metrics(tmp_path)
    assert record["loss"] == pytest.approx((1 + 1 + 1 + 8) / 4)
    assert (record["loss_q1"], record["loss_q4"]) == pytest.approx((1, 8))
    assert "loss_q2" not in record and record["accuracy"] == 1


def test_a_loss_that_is_no_number_stops_the_run_and_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="the (loss is (nan|inf)|gradients are no numbers)"):
        run(tmp_path, learning_rate=1e30, last_per_steps=3, log_every=100)
    assert checkpoint.newest(tmp_path) is None


def test_gradients_that_are_no_numbers_are_not_saved(tmp_path):
    def objective(velocity, batch):
        measured = flow_objective((0, 0))(velocity, batch)
        zero = velocity(batch.x_1, measured.t, batch.conditions).sum() * 0
        loss = measured.loss + zero.sqrt() if batch.keys[0] == "6" else measured.loss  # of step 4: a number, its slope is none
        return Measured(loss, measured.t, measured.values)

    run(tmp_path, max_steps=3)
    state = checkpoint.load(tmp_path / "last")
    with pytest.raises(ValueError, match="step 4: the gradients are no numbers"):
        run(tmp_path, state=state, objective=objective, last_per_steps=4, log_every=100)
    assert checkpoint.load(tmp_path / "last")["step"] == 3


def test_a_folder_with_later_checkpoints_is_not_mixed_with_a_new_run(tmp_path):
    run(tmp_path, save_per_updates=4)
    with pytest.raises(ValueError, match=r"is of step 8, and this run begins at step 0; go on from it .*or choose another"):
        run(tmp_path)
    with pytest.raises(ValueError, match="is of step 8, and this run begins at step 4"):
        run(tmp_path, state=checkpoint.load(tmp_path / "step_4"))
    assert len(metrics(tmp_path)) == 4


@pytest.mark.parametrize(("content", "said"), [(None, "is no checkpoint, or one that was cut short"), ({"step": 3}, "has no model, ema")])
def test_what_is_no_checkpoint_of_this_version_is_refused_in_one_line(tmp_path, content, said):
    (tmp_path / "state.pt").write_bytes(b"not a state")
    if content is not None:
        torch.save(content, tmp_path / "state.pt")
    with pytest.raises(ValueError, match=f"state.pt: {said}"):
        checkpoint.load(tmp_path)


def test_a_full_disk_keeps_the_former_checkpoint(tmp_path, monkeypatch):
    run(tmp_path, max_steps=4)
    before = checkpoint.load(tmp_path / "last")
    step = before["step"]

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="former checkpoint is kept"):
        run(tmp_path, state=before)
    monkeypatch.undo()
    assert checkpoint.load(tmp_path / "last")["step"] == step
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last", "metrics.jsonl"]


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_saves_before_leaving_and_the_handlers_come_back(tmp_path, number, raised):
    before = signal.getsignal(number)

    def kill(_record):
        os.kill(os.getpid(), number)

    with pytest.raises(raised):
        run(tmp_path, hooks=Hooks(judge=kill))
    assert checkpoint.load(tmp_path / "last")["step"] == 2
    assert signal.getsignal(number) is before


def test_a_judge_stops_the_run_which_is_saved(tmp_path):
    hooks = Hooks(judge=lambda record: "winners got worse" if record["step"] == 4 else None)
    with pytest.raises(ValueError, match="step 4: winners got worse"):
        run(tmp_path, hooks=hooks)
    assert checkpoint.load(tmp_path / "last")["step"] == 4


def test_the_averaged_weights_are_judged_and_the_live_ones_come_back(tmp_path):
    seen = []

    def validate(model):
        seen.append({name: p.clone() for name, p in model.named_parameters()})
        return {"loss": 1.0}

    model = run(tmp_path, hooks=Hooks(validate=validate), valid_every=8, ema_decay=0.5)
    state = checkpoint.load(tmp_path / "last")
    assert same(seen[0], state["ema"]["weights"]) and not same(seen[0], state["model"])
    assert same({name: p.detach() for name, p in model.named_parameters()}, state["model"])
    assert metrics(tmp_path)[-1]["valid_loss"] == 1.0


def test_validation_and_songs_need_no_line_of_the_log(tmp_path):
    hooks = Hooks(validate=lambda _model: {"loss": 2.0}, sing=lambda _model, _step: 1)
    run(tmp_path, hooks=hooks, valid_every=3, log_every=4, samples=SampleSongs(every=5))
    found = [[record["step"], *(name for name in ("loss", "valid_loss", "songs_sung") if name in record)] for record in metrics(tmp_path)]
    assert found == [[3, "valid_loss"], [4, "loss"], [5, "songs_sung"], [6, "valid_loss"], [8, "loss"]]


def test_so_many_checkpoints_are_kept(tmp_path):
    run(tmp_path, save_per_updates=2, keep_last_n=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last", "metrics.jsonl", "step_6", "step_8"]
    assert checkpoint.load(tmp_path / "last")["step"] == 8


def test_accumulated_batches_are_one_larger_batch(tmp_path):
    run(tmp_path / "two", grad_accumulation_steps=2)
    run(tmp_path / "four", source=Tones(batch_size=4))
    two, four = ([loss for _, loss, _ in losses(tmp_path / name)] for name in ("two", "four"))
    assert two == pytest.approx(four, abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"log_every": 0}, "training.log_every is 0"),
        ({"keep_last_n": 0}, "training.keep_last_n is 0"),
        ({"ema_decay": 1.0}, "training.ema_decay is 1.0"),
        ({"learning_rate": 0.0}, "training.learning_rate is 0.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        TrainingSettings(**changes)


def test_weights_stay_numbers(tmp_path):
    model = run(tmp_path)
    assert all(math.isfinite(float(p.detach().sum())) for p in model.parameters())


def test_songs_are_sung_by_the_network_as_it_is(tmp_path):
    """With the embedded codec and style encoder, which takes a second or two."""
    import soundfile

    from jam import assets
    from jam.lyrics.phonemes import Phonemizer
    from jam.training.samples import Samples

    (tmp_path / "words.json").write_text('[{"start": 0.0, "end": 0.2, "word": "la"}]')
    songs = [{"id": "one", "lrc_path": "words.json", "duration": 0.3, "prompt": "pop"}]
    (tmp_path / "songs.json").write_text(json.dumps([*songs, {**songs[0], "id": "long", "duration": 9}]))
    wanted = SampleSongs(4, str(tmp_path / "songs.json"), 2, "nano", None, "nano", None, 3)
    settings = TrainingSettings(checkpoint_path=str(tmp_path / "run"), samples=wanted)
    phonemizer = Phonemizer.load(assets.BUNDLE / "phonemizer.pt")
    sing = Samples(settings, phonemizer, "average_sparse", 0, Accelerator(cpu=True))
    run(tmp_path / "run", hooks=Hooks(sing=sing), samples=wanted)
    assert [record.get("songs_sung") for record in metrics(tmp_path / "run")] == [None, 1, None, 1]  # the other is too long for it
    folder = tmp_path / "run" / "samples" / "step_4"
    assert soundfile.info(folder / "one.flac").duration == pytest.approx(0.3, abs=0.01)
    assert sorted(path.name for path in folder.iterdir()) == ["one.flac", "one.png"]
