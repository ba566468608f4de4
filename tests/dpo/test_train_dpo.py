"""The whole entry on a tiny network: its settings, its runs, its resumption, and the planted preference that it has to learn."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from jam import config
from jam.dpo.reference import ERRORS_FILE
from jam.dpo.train_dpo import DPOConfig, main
from jam.model import weights
from jam.training import checkpoint
from tests.dpo.made import PHONEMIZER, TINY, records_in, tiny, words_of, write_pairs
from tests.test_configs import RELEASED

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tune(tmp_path):
    """The function `tune(folder, **settings)`: a run on a tiny network over three pairs; returns its records."""
    base = weights.save(tiny().state_dict(), TINY, tmp_path / "base").parent
    listing = write_pairs(tmp_path / "pairs")

    def run(name: str, **changes: Any) -> list[dict[str, float]]:
        settings = {
            "data__train_dataset__dpo_json_path": listing,
            "data__train_dataloader__batch_size": 2,
            "training__resume_from_safetensors": base,
            "training__checkpoint_path": tmp_path / name,
            "training__learning_rate": 1e-3,
            "training__num_warmup_updates": 1,
            "training__max_steps": 8,
            "training__log_every": 2,
            "training__beta_dpo": 50,
        }
        main(words_of(TINY, **settings | changes))
        return records_in(tmp_path / name)

    return run


def paced(records: list[dict[str, float]]) -> list[dict[str, float]]:
    """Records without what the clock and the memory say."""
    told = ("second", "memory", "flops")
    return [{key: value for key, value in each.items() if not any(word in key for word in told)} for each in records]


def test_a_run_logs_what_it_watches_and_leaves_a_model(tune, tmp_path):
    held_out = write_pairs(tmp_path / "held", 2)
    records = tune("run", dpo__valid_json_path=held_out, training__valid_every=4)
    assert [record["step"] for record in records] == [2, 4, 6, 8]
    names = {"loss", "accuracy", "margin", "winner_error", "loser_error", "winner_gain", "loser_gain"}
    assert names <= set(records[0])
    assert any(f"margin_q{quarter}" in record for record in records for quarter in (2, 3))
    assert {f"valid_{name}" for name in names | {"drift"}} <= set(records[1])
    assert records[-1]["margin"] > 0 and records[-1]["valid_drift"] > 0
    assert weights.load(tmp_path / "run" / "last" / "model").settings == TINY


@pytest.mark.parametrize("changes", [{}, {"dpo__precompute_reference": 2}, {"training__lora__rank": 4, "training__lora__dropout": 0.1}])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(tune, tmp_path, changes):
    whole = tune("whole", **changes)
    tune("stopped", training__max_steps=8, training__save_per_updates=3, **changes)
    for name in ("last", "step_6"):
        shutil.rmtree(tmp_path / "stopped" / name)
    resumed = tune("stopped", training__resume_from_checkpoint="auto", **changes)
    assert paced(resumed) == paced(whole)
    one, other = (checkpoint.load(tmp_path / name / "last")["model"] for name in ("whole", "stopped"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_reference_errors_computed_beforehand_train_as_live_ones_do(tune, tmp_path):
    short = {"training__max_steps": 1, "training__log_every": 1}  # in the first epoch the draws are those without precomputing
    stored, live = tune("stored", dpo__precompute_reference=1, **short), tune("live", **short)
    assert stored[0]["loss"] == pytest.approx(live[0]["loss"], abs=1e-5)
    assert (tmp_path / "stored" / ERRORS_FILE).exists()


def test_a_reference_that_changed_is_refused_on_resume(tune, tmp_path):
    tune("run", training__max_steps=2)
    weights.save(tiny(3).state_dict(), TINY, tmp_path / "base")
    with pytest.raises(ValueError, match="base: is not the reference that this run began with"):
        tune("run", training__resume_from_checkpoint="auto")


def test_another_reference_than_the_start_may_be_named(tune, tmp_path):
    weights.save(tiny(3).state_dict(), TINY, tmp_path / "other")
    (record,) = tune("run", training__max_steps=2, dpo__reference_path=tmp_path / "other")
    assert abs(record["winner_gain"]) > 1e-3


def test_pairs_are_seen_on_their_whole_canvas(tune):
    with pytest.raises(ValueError, match=r"training\.canvases is not for preference tuning"):
        tune("run", training__canvases="[8]")


def test_a_run_begins_with_weights(tune):
    with pytest.raises(ValueError, match="name them in training.resume_from_safetensors"):
        tune("run", training__resume_from_safetensors="null")


def test_missing_files_are_told_before_anything_is_loaded(tune, tmp_path):
    listing = write_pairs(tmp_path / "holes")
    for name in ("lose_latent0.pt", "style_path2.pt", "1.json"):
        (tmp_path / "holes" / name).unlink()
    with pytest.raises(ValueError, match="3 of 3 pairs cannot be used: .*lose_latent0.*1.json.*style_path2"):
        tune("run", data__train_dataset__dpo_json_path=listing, training__resume_from_safetensors="nowhere")


def test_a_run_stops_and_is_saved_when_winners_get_worse(tune, tmp_path):
    with pytest.raises(ValueError, match="winners' error is .* above the reference's.*the run is saved"):
        tune("run", dpo__on_worse="stop", dpo__worse_window=1, dpo__worse_share=0.01, training__learning_rate=0.05)
    assert checkpoint.newest(tmp_path / "run") == tmp_path / "run" / "last"


@pytest.mark.parametrize(
    ("changes", "two"),
    [({}, True), ({"dpo__precompute_reference": 2}, False), ({"training__lora__rank": 4}, False)],
)
def test_the_plan_knows_of_two_latents_and_of_the_reference(tmp_path, monkeypatch, capsys, changes, two):
    monkeypatch.chdir(tmp_path)
    main(words_of(TINY, plan=True, data__train_dataset__dpo_json_path="unread.json", **changes))
    told = capsys.readouterr().out
    assert "with 2 latents each" in told
    assert ("the reference's weights" in told) == two
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dpo.on_worse=shout"], "dpo.on_worse is shout; choose one of warn, stop, ignore"),
        (["dpo.worse_window=0"], "dpo.worse_window is 0"),
        (["dpo.valid_count=0"], "dpo.valid_count is 0"),
        (["dpo.precompute_reference=-1"], "dpo.precompute_reference is -1"),
        (["dpo.worse_share=-0.1"], "dpo.worse_share is -0.1"),
        (["dpo.refrence_path=x"], "did you mean dpo.reference_path"),
    ],
)
def test_settings_that_cannot_be_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        config.load(DPOConfig, words)


def test_the_shipped_settings_are_the_released_ones():
    settings = config.load(DPOConfig, [f"config={ROOT / 'configs/dpo.yaml'}"])
    assert settings.training.learning_rate == 5e-7 and settings.training.beta_dpo == 2000
    assert settings.model.dit.max_frames == settings.model.cfm.max_frames == settings.data.train_dataset.max_frames == 5000
    assert settings.data.train_dataset.vae_sampled and settings.model.cfm.sft == "none"


def test_a_yaml_of_the_released_system_tunes_unchanged_but_for_paths_and_sizes(tmp_path, monkeypatch):
    """Its values: sft gt, beta 2000, four workers, averaged weights. It starts those workers, which takes seconds."""
    monkeypatch.chdir(tmp_path)
    base = weights.save(tiny().state_dict(), TINY, tmp_path / "base").parent
    listing = write_pairs(tmp_path / "pairs", 9)
    torch.save(torch.zeros(64), tmp_path / "silence.pt")
    text = RELEASED.replace("dpo_json_path: pairs.json", f"dpo_json_path: {listing}").replace("silence.npy", "silence.pt")
    text = text.replace("phonemizer_checkpoint: phonemizer.pt", f"phonemizer_checkpoint: {PHONEMIZER}")
    (tmp_path / "released.yaml").write_text(text.replace("resume_from_safetensors: null", f"resume_from_safetensors: {base}"))
    sizes = [f"model.dit.{name}={getattr(TINY, name)}" for name in ("dim", "depth", "heads", "text_dim", "conv_layers", "cond_dim")]
    main(["config=released.yaml", "max_frames=12", *sizes, "training.max_steps=3", "training.log_every=1"])
    records = records_in(tmp_path / "checkpoints")
    assert [record["step"] for record in records] == [1, 2, 3] and "truth_error" in records[0]
    assert checkpoint.load(tmp_path / "checkpoints" / "last")["ema"]["updates"] == 3
