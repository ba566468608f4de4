"""`python -m jam.export`: a checkpoint becomes a model that sings as the trained network does, and nothing else is overwritten."""

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from jam import config, export
from jam.conditions import Conditions
from jam.model import lora, weights
from jam.model.dit import DiT, DiTSettings
from jam.model.lora import LoraSettings
from jam.randomness import generator
from jam.timing import Span
from jam.training import checkpoint

TINY = DiTSettings(max_frames=16, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16)
ADAPTER = LoraSettings(rank=4, alpha=8.0)


def tiny(*names: object) -> DiT:
    model = DiT(TINY)
    filled(model, *names)
    return model


def filled(model: DiT, *names: object) -> None:
    with torch.no_grad():
        for name, value in lora.trained(model).items():
            value.normal_(std=0.1, generator=generator("test", *names, name))


def velocity(model: DiT) -> Tensor:
    one = Conditions.single(torch.arange(64) % 40 + 3, torch.ones(512) / 512**0.5, Span(12, 16))
    with torch.no_grad():
        return model(torch.randn(1, 16, 64, generator=generator("test", "x")), torch.tensor([0.3]), one)


def copied(model: DiT) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in lora.trained(model).items()}


class Desk:
    """A folder with checkpoints, and the entry that exports them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / "output"

    def saved(self, live: DiT, ema: DiT | None, **state: Any) -> None:
        average = None if ema is None else {"updates": 9, "weights": copied(ema)}
        facts = {"dit": asdict(TINY), "lora": None, "base": None, "extra": {}}
        whole = {"step": 7, "model": copied(live), "ema": average, "optimizer": {}, "processes": [], **facts} | state
        checkpoint.save(self.folder / "checkpoints", ["last"], whole, lambda folder: folder.mkdir(parents=True))

    def run(self, *words: str) -> int:
        given = [f"checkpoint={self.folder / 'checkpoints' / 'last'}", f"output={self.output}", *words]
        return config.run(export.main, given)

    def sections(self) -> dict[str, Any]:
        return json.loads((self.output / "settings.json").read_text())


@pytest.fixture
def desk(tmp_path, caplog) -> Desk:
    caplog.set_level(logging.INFO)
    return Desk(tmp_path)


@pytest.fixture
def adapted(desk) -> tuple[DiT, DiT]:
    """A base of half precision on disk and a checkpoint of its adapter; returns the live and the averaged network, unmerged."""
    base = {name: value.half() for name, value in tiny("base").state_dict().items()}
    weights.save(base, TINY, desk.folder / "base", sample={"steps": 5}, lyrics={"filler": "average_repeat"})
    live, ema = (weights.load(desk.folder / "base") for _ in range(2))
    for model, name in ((live, "live"), (ema, "ema")):
        lora.attach(model, ADAPTER)
        filled(model, name)
    recorded = {"path": str(desk.folder / "base"), "sha256": weights.fingerprint(base)}
    desk.saved(live, ema, lora=asdict(ADAPTER), base=recorded)
    return live, ema


def test_the_average_is_exported_unless_the_live_weights_are_asked_for(desk, caplog):
    live, ema = tiny("live"), tiny("ema")
    desk.saved(live, ema)
    assert desk.run() == 0
    assert torch.equal(velocity(weights.load(desk.output)), velocity(ema))
    assert desk.sections()["export"] == {"step": 7, "weights": "ema", "lora": None, "base": None}
    assert caplog.messages[-1] == (
        f"{desk.output}: step 7, ema weights, float32; sing with evaluation.checkpoint_path={desk.output}"
    )
    assert desk.run("weights=live") == 0  # over the earlier export
    assert torch.equal(velocity(weights.load(desk.output)), velocity(live))


def test_without_an_average_the_live_weights_are_exported(desk, caplog):
    live = tiny("live")
    desk.saved(live, None)
    assert desk.run() == 0
    assert torch.equal(velocity(weights.load(desk.output)), velocity(live))
    assert desk.run("weights=ema") == config.BAD_INPUT
    assert "holds no moving average (training.use_ema was false); export weights=live" in caplog.messages[-1]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_an_export_has_the_number_type_that_is_asked_for(desk, precision):
    desk.saved(tiny("live"), None)
    assert desk.run(f"precision={precision}") == 0
    assert {value.dtype for value in weights.read_tensors(desk.output).values()} == {getattr(torch, precision)}


@pytest.mark.parametrize(("weight", "advice"), [(1e5, "export precision=float32"), (float("nan"), "take an earlier checkpoint")])
def test_values_that_are_no_numbers_are_not_exported(desk, caplog, weight, advice):
    live = tiny("live")
    with torch.no_grad():
        live.proj_out.bias[3] = weight
    desk.saved(live, None)
    assert desk.run("precision=float16") == config.BAD_INPUT
    assert "proj_out.bias has values that are no numbers in float16; " + advice in caplog.messages[-1]
    assert not desk.output.exists()


def test_an_adapter_is_merged_into_its_base(desk, adapted):
    for kind, model in zip(("live", "ema"), adapted, strict=True):
        assert desk.run(f"weights={kind}") == 0
        merged = weights.load(desk.output)
        assert (velocity(merged) - velocity(model)).abs().max() < 1e-5
        assert not torch.allclose(velocity(merged), velocity(weights.load(desk.folder / "base")), atol=1e-2)
    sections = desk.sections()
    assert sections["sample"] == {"steps": 5} and sections["lyrics"] == {"filler": "average_repeat"}  # of the base
    assert sections["export"]["lora"]["rank"] == 4


def test_a_base_that_moved_is_named_and_another_one_is_refused(desk, adapted, caplog):
    (desk.folder / "base").rename(desk.folder / "moved")
    assert desk.run() == config.BAD_INPUT
    assert caplog.messages[-1].endswith("base: the network that the adapter was trained on is not there any more; name it with base=PATH")
    assert desk.run(f"base={desk.folder / 'moved'}") == 0
    weights.save(tiny("other").state_dict(), TINY, desk.folder / "other")
    assert desk.run(f"base={desk.folder / 'other'}") == config.BAD_INPUT
    assert "trained on the network " in caplog.messages[-1] and "other/model.safetensors is " in caplog.messages[-1]
    assert (velocity(weights.load(desk.output)) - velocity(adapted[1])).abs().max() < 1e-5  # the earlier export is whole


def test_settings_beside_the_weights_come_from_training_and_over_them_from_a_model_like_it(desk):
    desk.saved(tiny("live"), None, extra={"sample": {"steps": 4}, "lyrics": {"filler": "average_sparse"}})
    weights.save(tiny("like").state_dict(), TINY, desk.folder / "like", sample={"steps": 9}, export={"step": 1})
    assert desk.run(f"like={desk.folder / 'like'}") == 0
    sections = desk.sections()
    assert (sections["sample"], sections["lyrics"], sections["export"]["step"]) == ({"steps": 9}, {"filler": "average_sparse"}, 7)


def test_a_folder_with_other_things_is_left_alone(desk, caplog):
    desk.saved(tiny("live"), None)
    weights.save(tiny("mine").state_dict(), TINY, desk.output)  # a model, and no export
    before = weights.fingerprint(weights.read_tensors(desk.output))
    assert desk.run() == config.BAD_INPUT
    assert "holds other things (model.safetensors, settings.json); choose a new folder" in caplog.messages[-1]
    assert weights.fingerprint(weights.read_tensors(desk.output)) == before
    desk.output = desk.folder / "file"
    desk.output.write_text("mine")
    assert desk.run() == config.BAD_INPUT and "which is a file" in caplog.messages[-1]
    desk.output = desk.folder / "empty"
    desk.output.mkdir()
    assert desk.run() == 0
    (desk.output / "notes.txt").write_text("mine")
    assert desk.run() == config.BAD_INPUT and (desk.output / "notes.txt").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["checkpoint=absent"], "absent: no checkpoint"),
        (["output=null"], "output is not given"),
        (["weights=best"], "weights is best; choose ema, live"),
        (["precision=half"], "precision is half; choose float32"),
        (["base=absent"], "holds a whole network, which needs no base"),
        (["like=absent"], "absent: no such file"),
        (["wings=2"], "unknown setting wings"),
    ],
)
def test_what_cannot_be_exported_is_one_line(desk, caplog, words, said):
    desk.saved(tiny("live"), None)
    assert desk.run(*words) == config.BAD_INPUT
    assert said in caplog.messages[-1] and "\n" not in caplog.messages[-1]
    assert not desk.output.exists()


def test_weights_of_other_sizes_than_the_checkpoint_says_are_refused(desk, caplog):
    desk.saved(tiny("live"), None, dit=asdict(replace(TINY, depth=3)))
    assert desk.run() == config.BAD_INPUT
    assert "misses tensors: transformer_blocks.2" in caplog.messages[-1]


def test_a_full_disk_leaves_the_earlier_export(desk, caplog, file_size_limit):
    desk.saved(tiny("live"), tiny("ema"))
    assert desk.run() == 0
    before = weights.fingerprint(weights.read_tensors(desk.output))
    with file_size_limit(2000):
        assert desk.run("weights=live") == config.BAD_INPUT
    assert "free some space" in caplog.messages[-1]
    assert weights.fingerprint(weights.read_tensors(desk.output)) == before and desk.sections()["export"]["weights"] == "ema"
