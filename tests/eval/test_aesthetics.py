"""How songs please: a tiny network of Audiobox's own class where its package is installed, and a stand-in for SongEval's program."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from jam.eval import aesthetics
from jam.eval.aesthetics import Audiobox, song_eval
from jam.eval.measures import Absent

RATE = 44_100
INSTALLED = importlib.util.find_spec("audiobox_aesthetics") is not None
needs_package = pytest.mark.skipif(not INSTALLED, reason="needs audiobox_aesthetics")
SCALE = {axis: {"mean": 5.0 + place, "std": 1.5} for place, axis in enumerate(aesthetics.AXES)}
SHAPE = {"proj_num_layer": 2, "proj_ln": True, "nth_layer": 3, "precision": "bf16", "target_transform": SCALE}
PROGRAM = """
import argparse, json, pathlib, wave
words = argparse.ArgumentParser()
words.add_argument("-i"); words.add_argument("-o"); words.add_argument("--use_cpu", default="False")
words = words.parse_args()
assert pathlib.Path("eval.py").exists() and pathlib.Path(words.o).is_dir()
votes = {}
for path in sorted(pathlib.Path(words.i).iterdir()):
    seconds = wave.open(str(path)).getnframes() / 44100
    votes[path.stem] = {"Coherence": seconds, "Musicality": 2.5, "Memorability": 3, "Clarity": float("nan"), "Naturalness": 4.25}
with open("calls", "a") as file:
    print(words.use_cpu, len(votes), file=file)
votes.pop("000002", None)
(pathlib.Path(words.o) / "result.json").write_text(json.dumps(votes))
"""


def noise(seconds: float, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(2, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def toolkit(folder: Path, program: str = PROGRAM) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "eval.py").write_text(program)
    return folder


def one_line(error: BaseException) -> str:
    assert "\n" not in str(error)
    return str(error)


def test_measures_are_those_of_both_instruments():
    names = [measure.name for measure in aesthetics.MEASURES]
    assert names == [f"aesthetics.{name}" for name in [*aesthetics.AXES.values(), *(name.lower() for name in aesthetics.DIMENSIONS)]]


def test_songs_have_the_votes_of_the_toolkit_by_their_own_names_in_one_call(tmp_path):
    folder = toolkit(tmp_path / "songeval")
    songs = [("a/b: strange", noise(1.0)), ("b", noise(2.0)), ("unheard", noise(0.5)), ("b.x", noise(3.0))]
    found = song_eval(iter(songs), folder)
    assert set(found) == {"a/b: strange", "b", "b.x"}
    assert {name: values["aesthetics.coherence"].value for name, values in found.items()} == {"a/b: strange": 1, "b": 2, "b.x": 3}
    assert set(found["b"]) == {
        f"aesthetics.{name}" for name in ("coherence", "musicality", "memorability", "naturalness")
    }  # NaN is no vote
    assert (folder / "calls").read_text() == "True 4\n"


def test_the_toolkit_is_told_of_a_gpu_by_not_being_told_of_the_processor(tmp_path):
    folder = toolkit(tmp_path / "songeval")
    song_eval([("a", noise(0.5))], folder, device="cuda")
    assert (folder / "calls").read_text() == "False 1\n"


def test_the_toolkits_own_environment_runs_it(tmp_path):
    folder = toolkit(tmp_path / "songeval")
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ntouch used\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    assert "a" in song_eval([("a", noise(0.5))], folder)
    assert (folder / "used").exists()


def test_no_songs_need_no_program(tmp_path):
    folder = toolkit(tmp_path / "songeval", "raise SystemExit(1)")
    assert song_eval([], folder) == {}


def test_without_a_toolkit_a_line_says_where_it_is_had():
    with pytest.raises(Absent, match="SongEval: no toolkit is named; check out https://") as caught:
        song_eval([("a", noise(0.5))], None)
    one_line(caught.value)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import no_such_library", "eval.py failed .*No module named 'no_such_library'"),
        ("raise SystemExit(3)", "eval.py failed .it said nothing"),
        ("pass", "wrote no result.json"),
        (PROGRAM.replace("json.dumps(votes)", "'[1, 2]'"), "wrote no result.json that can be read"),
        (PROGRAM.replace("2.5", "'much'"), "wrote no result.json that can be read"),
    ],
)
def test_a_toolkit_that_fails_is_told_in_a_line(tmp_path, program, message):
    with pytest.raises(ValueError, match=message) as caught:
        song_eval([("a", noise(0.5))], toolkit(tmp_path / "songeval", program))
    assert not isinstance(caught.value, Absent)
    one_line(caught.value)


def test_a_folder_that_is_no_toolkit_is_told(tmp_path):
    with pytest.raises(ValueError, match="no eval.py, so not the toolkit"):
        song_eval([("a", noise(0.5))], tmp_path)


@pytest.mark.skipif(INSTALLED, reason="the package is installed")
def test_without_the_package_a_line_says_what_to_install():
    with pytest.raises(Absent, match="audiobox_aesthetics is not installed; pip install 'jam\\[aesthetics\\]'") as caught:
        Audiobox.load()
    one_line(caught.value)


@pytest.fixture
def tiny(monkeypatch) -> Any:
    """A small random network of the package's class."""
    from audiobox_aesthetics.model import aes
    from audiobox_aesthetics.model.wavlm import WavLMConfig

    layers = "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2"
    small = {"encoder_layers": 2, "encoder_embed_dim": 32, "encoder_ffn_embed_dim": 32, "encoder_attention_heads": 2}
    config = vars(aes.DEFAULT_AUDIO_CFG) | small | {"conv_feature_layers": layers, "conv_pos": 16, "conv_pos_groups": 4}
    monkeypatch.setattr(aes, "DEFAULT_AUDIO_CFG", WavLMConfig(config))
    torch.manual_seed(0)
    return aes.AesMultiOutput(**SHAPE | {"precision": "32"}).eval()


@pytest.fixture
def folder(tiny, tmp_path) -> Path:
    """It as the hub keeps it."""
    from safetensors.torch import save_model

    save_model(tiny, str(tmp_path / "model.safetensors"))
    (tmp_path / "config.json").write_text(json.dumps(SHAPE))
    return tmp_path


@pytest.fixture
def checkpoint(tiny, tmp_path) -> Path:
    """It as it was published first."""
    state = {f"model.{name}": tensor for name, tensor in tiny.state_dict().items()}
    shape = {name: value for name, value in SHAPE.items() if name != "target_transform"}
    torch.save({"state_dict": state, "model_cfg": shape, "target_transform": SCALE}, tmp_path / "checkpoint.pt")
    return tmp_path


@needs_package
@pytest.mark.parametrize("seconds", [0.3, 10.0, 23.7])
def test_the_votes_are_those_of_the_packages_own_predictor(tiny, folder, seconds):
    from audiobox_aesthetics.infer import AXES_NAME, AesPredictor, Normalize

    theirs = AesPredictor.__new__(AesPredictor)
    theirs.data_col, theirs.sample_rate, theirs.device, theirs.model = "path", 16_000, torch.device("cpu"), tiny
    theirs.target_transform = {axis: Normalize(**SCALE[axis]) for axis in AXES_NAME}
    song = noise(seconds)
    expected = theirs.forward([{"path": song, "sample_rate": RATE}])[0]
    found = Audiobox.load(folder).measure(song)
    assert {name: value.value for name, value in found.items()} == pytest.approx(
        {f"aesthetics.{axis.lower()}": vote for axis, vote in expected.items()}, abs=1e-4
    )
    assert len({round(value.value, 6) for value in found.values()}) == 4


@needs_package
def test_long_songs_are_heard_a_few_windows_at_a_time_with_the_same_votes(folder, monkeypatch):
    song, ears = noise(41.0), Audiobox.load(folder)
    whole = ears.measure(song)
    monkeypatch.setattr(aesthetics, "TOGETHER", 2)
    parts = ears.measure(song)
    assert {n: v.value for n, v in parts.items()} == pytest.approx({n: v.value for n, v in whole.items()}, abs=1e-5)


@needs_package
def test_both_published_forms_give_the_same_network(folder, checkpoint):
    song = noise(2.0)
    assert folder == checkpoint
    votes = Audiobox.load(checkpoint / "checkpoint.pt").measure(song)
    assert votes == Audiobox.load(folder / "model.safetensors").measure(song) == Audiobox.load(folder).measure(song)


@needs_package
def test_a_checkpoint_that_holds_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": {}, "model_cfg": {}, "target_transform": Trap()}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="not a checkpoint of Audiobox"):
        Audiobox.load(tmp_path)
    assert not (tmp_path / "ran").exists()


@needs_package
def test_weights_that_are_missing_or_do_not_fit_are_told_in_a_line(folder, tmp_path):
    with pytest.raises(ValueError, match="neither model.safetensors nor checkpoint.pt"):
        Audiobox.load(tmp_path / "nowhere")
    (folder / "config.json").write_text(json.dumps(SHAPE | {"proj_num_layer": 4}))
    with pytest.raises(ValueError, match="not the weights and config.json") as caught:
        Audiobox.load(folder)
    one_line(caught.value)


@needs_package
def test_weights_that_no_hub_gives_are_absent(monkeypatch, hub_cache):  # noqa: ARG001
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Absent, match="aesthetics by Audiobox: .*hub is off") as caught:
        Audiobox.load()
    one_line(caught.value)
