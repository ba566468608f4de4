"""Weights load strictly, whatever the layout on disk, and what is wrong is named."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from jam.model import weights
from jam.model.dit import DiT, DiTSettings

TINY = DiTSettings(max_frames=16, mel_dim=8, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    weights.save(DiT(TINY).state_dict(), TINY, tmp_path)
    return tmp_path


def test_a_saved_folder_carries_its_settings(folder):
    assert weights.load(folder).settings == TINY


def test_a_bare_file_takes_the_callers_sizes_and_gives_equal_weights(folder, tmp_path):
    bare = tmp_path / "elsewhere" / "jam-0_5.safetensors"
    bare.parent.mkdir()
    bare.write_bytes((folder / "model.safetensors").read_bytes())
    loaded, original = weights.load(bare, TINY), weights.load(folder)
    assert all(torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), original.state_dict().values(), strict=True))
    assert weights.load(bare.parent, TINY).settings == TINY


def test_names_on_disk_are_the_released_ones(folder):
    assert all(name.startswith("transformer.") for name in load_file(folder / "model.safetensors"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("transformer.proj_out.bias"), "misses tensors: proj_out.bias"),
        (lambda t: t.update(extra=torch.zeros(1)), "has unknown tensors: extra"),
        (lambda t: t.update({"transformer.proj_out.bias": torch.zeros(3)}), r"proj_out.bias is \[3\] instead of \[8\]"),
    ],
)
def test_wrong_tensors_are_named(folder, change, said):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError, match=said):
        weights.load(folder)


def test_a_file_that_is_no_safetensors_is_refused_in_one_line(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        weights.load(tmp_path)
    with pytest.raises(ValueError, match="no such file"):
        weights.load(tmp_path / "absent.safetensors")


def test_settings_of_another_version_are_refused(folder):
    stored = json.loads((folder / "settings.json").read_text())
    stored["dit"]["wings"] = 2
    (folder / "settings.json").write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="wings"):
        weights.load(folder)


def test_heads_are_honoured(folder):
    x, t = torch.randn(1, 16, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([0.3])
    two = weights.load(folder)
    four = DiT(DiTSettings(**{**vars(TINY), "heads": 4}))
    four.load_state_dict(two.state_dict())
    from jam.conditions import Conditions
    from jam.timing import Span

    conditions = Conditions.single(torch.full((64,), 5), torch.zeros(512), Span(16, 16))
    torch.nn.init.normal_(two.proj_out.weight, generator=torch.Generator().manual_seed(2))
    four.load_state_dict(two.state_dict())
    assert not torch.allclose(two(x, t, conditions), four(x, t, conditions))


def test_every_kind_of_difference_is_named_in_one_line(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.proj_out.bias"] = torch.zeros(3)
    tensors["wings"] = tensors.pop("transformer.proj_out.weight")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError) as refused:
        weights.load(folder)
    said = str(refused.value)
    parts = ("misses tensors: proj_out.weight", "has unknown tensors: wings", "has misshapen tensors: proj_out.bias is [3] instead of [8]")
    assert all(f"{part}; " in said for part in parts) and "\n" not in said


def test_an_adapter_in_place_of_a_network_is_told_apart(folder):
    save_file({"base_model.model.q_proj.lora_A.weight": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match="holds an adapter, not a whole network"):
        weights.load(folder)


def test_a_fingerprint_is_of_the_tensors_and_not_of_the_file(folder):
    tensors = weights.read_tensors(folder)
    first = weights.fingerprint(tensors)
    assert first == weights.fingerprint({"transformer." + name: tensors[name] for name in sorted(tensors, reverse=True)})
    for change in (
        {"proj_out.bias": tensors["proj_out.bias"].half()},
        {"proj_out.bias": tensors["proj_out.bias"][None]},
        {"proj_out.bias": tensors["proj_out.bias"] + 1e-6},
        {"extra": torch.tensor(1.0)},
    ):
        assert weights.fingerprint(tensors | change) != first
    one, two = b"\x80\x3f", b"\x00\x40"  # in bfloat16
    known = hashlib.sha256(b"a torch.bfloat16 [2]\n" + one + two).hexdigest()
    assert weights.fingerprint({"a": torch.tensor([1.0, 2.0], dtype=torch.bfloat16)}) == known


def test_a_full_disk_leaves_the_former_model(folder, file_size_limit):
    before = weights.fingerprint(weights.read_tensors(folder))
    with file_size_limit(2000), pytest.raises(OSError, match="free some space"):
        weights.save({name: value + 1 for name, value in DiT(TINY).state_dict().items()}, TINY, folder, sample={"steps": 2})
    assert weights.fingerprint(weights.read_tensors(folder)) == before and weights.read_extra(folder, "sample") == {}
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "settings.json"}
