"""`python inference.py`: which model sings, why, and what it says of it."""

import json
import logging
from pathlib import Path

import pytest
import torch

import inference
from jam import assets, config
from jam.infer import InferConfig
from jam.model import weights
from jam.model.dit import DiT, DiTSettings

ROOT = Path(__file__).parent.parent
TINY = DiTSettings(max_frames=48, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16)


def never(*_args: object) -> bool:
    raise AssertionError("asked for nothing")


@pytest.mark.parametrize(
    ("cuda", "cached", "reachable", "model", "why"),
    [
        (False, never, never, "nano", "no CUDA device"),
        (True, lambda _asset: Path("weights"), never, "jam-0.5", "its weights are in the hub's cache"),
        (True, lambda asset: Path("weights") if asset is assets.JAM_05 else None, lambda: True, "jam-0.5", "the hub answers"),
        (True, lambda _asset: None, lambda: True, "jam-0.5", "the hub answers"),
        (True, lambda _asset: None, lambda: False, "nano", "the hub did not answer in 10 s"),
    ],
)
def test_auto_takes_jam_where_a_gpu_and_its_weights_are(monkeypatch, cuda, cached, reachable, model, why):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(assets, "cached", cached)
    monkeypatch.setattr(assets, "reachable", reachable)
    chosen, reason = inference.choose("auto")
    assert chosen == model and why in reason and "\n" not in reason


@pytest.mark.parametrize("model", ["nano", "jam-0.5"])
def test_a_model_that_is_asked_for_is_taken_unquestioned(monkeypatch, model):
    for owner, name in ((torch.cuda, "is_available"), (assets, "cached"), (assets, "reachable")):
        monkeypatch.setattr(owner, name, never)
    assert inference.choose(model) == (model, "as asked")


def test_another_model_is_refused_in_one_line(caplog):
    assert config.run(inference.main, ["model=jam-1"]) == config.BAD_INPUT
    assert caplog.messages == ["error: model is jam-1; choose auto, jam-0.5, nano"]


@pytest.mark.parametrize("model", list(inference.CONFIGS))
def test_the_settings_of_every_model_load(model):
    assert config.load(InferConfig, [], str(ROOT / inference.CONFIGS[model])).evaluation.test_set_path == "inputs/input.json"


def test_the_entry_says_which_model_sings_and_sings_with_the_other_words(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(ROOT)
    caplog.set_level(logging.INFO)
    weights.save(DiT(TINY).state_dict(), TINY, tmp_path / "model", sample={"steps": 2})
    (tmp_path / "lyrics.json").write_text("[]")
    (tmp_path / "input.json").write_text(json.dumps([{"id": "a", "lrc_path": "lyrics.json", "duration": 1.0}]))
    words = ["model=auto", "model=nano", f"evaluation.checkpoint_path={tmp_path / 'model'}", "evaluation.spectrograms=false"]
    words += [f"evaluation.test_set_path={tmp_path / 'input.json'}", f"evaluation.output_dir={tmp_path / 'out'}", "evaluation.device=cpu"]
    assert config.run(inference.main, words) == 0
    assert (tmp_path / "out" / "generated" / "a.mp3").is_file()
    assert caplog.messages[0] == "model: nano (as asked)"
    assert caplog.messages[-1] == f"1 of 1 songs are in {tmp_path}/out/generated"
