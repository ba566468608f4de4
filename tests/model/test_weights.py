"""Weights load strictly, whatever the layout on disk, and what is wrong is named."""

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
