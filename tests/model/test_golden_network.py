"""The network, the flow and the sampler against the golden numbers (`tests/golden/README.md`)."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from jam.conditions import Conditions
from jam.flow import errors
from jam.guidance import GuidanceSettings, guided
from jam.model.dit import DiT, DiTSettings
from jam.sampler import euler, time_grid

GOLDEN = Path(__file__).parents[1] / "golden"


def golden_tensor(name: str, shape: list[int]) -> torch.Tensor:
    r = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("norm.weight"):
        r = 1 + 0.1 * r
    elif name.endswith("text_embed.text_embed.weight"):
        r = 0.5 * r
    elif len(shape) >= 2:
        r = r / np.sqrt(np.prod(shape[1:]))
    else:
        r = 0.1 * r
    return torch.tensor(r.astype(np.float32))


@pytest.fixture(scope="module")
def model() -> DiT:
    settings = json.loads((GOLDEN / "dit_config.json").read_text())
    tensors = settings.pop("tensors")
    dit = DiT(DiTSettings(**settings))
    dit.load_state_dict({name.removeprefix("transformer."): golden_tensor(name, shape) for name, shape in tensors.items()})
    return dit.eval()


@pytest.fixture(scope="module")
def cases() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "dit_cases.safetensors")


@pytest.fixture(scope="module")
def conditions(cases: dict[str, torch.Tensor]) -> Conditions:
    scalars = {name: cases[name] for name in ("start_time", "duration_abs", "duration_rel")}
    return Conditions(slots=cases["text"], style=cases["style"], context=cases["cond"], **scalars)


def furthest(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


@pytest.mark.parametrize(("name", "dropped"), [("text_embed", False), ("text_embed_dropped", True)])
def test_lyric_features_equal_golden(model, cases, conditions, name, dropped):
    with torch.no_grad():
        assert furthest(model.text_embed(conditions.without(lyrics=dropped).slots), cases[name]) < 2e-4


@pytest.mark.parametrize("audio", [False, True])
@pytest.mark.parametrize("lyrics", [False, True])
@pytest.mark.parametrize("style", [False, True])
def test_velocity_equals_golden_whatever_is_dropped(model, cases, conditions, audio, lyrics, style):
    kept = conditions.without(lyrics=lyrics, style=style, context=audio)
    with torch.no_grad():
        velocity = model(cases["x"], cases["time"], kept)
    assert furthest(velocity, cases[f"velocity_dropaudio{audio:d}_droptext{lyrics:d}_dropstyle{style:d}"]) < 2e-4


@pytest.mark.parametrize(
    ("name", "settings", "sway"),
    [
        ("sample_dual_cfg", GuidanceSettings(), None),
        ("sample_dual_cfg_fixed", GuidanceSettings(fix_dual_cfg=True), None),
        ("sample_cfg4", GuidanceSettings(dual_cfg=None, cfg_strength=4.0), None),
        ("sample_no_cfg", GuidanceSettings(dual_cfg=None, cfg_strength=0.0), None),
        ("sample_cfg4_sway", GuidanceSettings(dual_cfg=None, cfg_strength=4.0), -1.0),
    ],
)
def test_trajectories_equal_golden(model, cases, conditions, name, settings, sway):
    with torch.no_grad():
        velocity = guided(model, replace(conditions, context=None), settings, cases["negative_style"][0])
    song = euler(velocity, cases["noise"], time_grid(10, sway))
    assert furthest(song, cases[name]) < 2e-3


def test_flow_errors_equal_golden(model, cases, conditions):
    with torch.no_grad():
        each = errors(model, cases["fm_x0"], cases["fm_x1"], cases["time"], replace(conditions, context=None))
    assert furthest(each, cases["fm_loss_per_sample"]) < 1e-4
    assert furthest(each.mean(), cases["fm_loss"]) < 1e-4


def test_released_layout_names_and_sizes_equal_golden():
    tensors = json.loads((GOLDEN / "jam05_tensors.json").read_text())
    with torch.device("meta"):
        dit = DiT(DiTSettings())
    assert {"transformer." + name: list(value.shape) for name, value in dit.state_dict().items()} == tensors
    assert sum(p.numel() for p in dit.parameters()) == 532_934_592
