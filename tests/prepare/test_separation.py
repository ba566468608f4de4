"""The voice apart from the band: tiny random networks saved as published ones are, and what must not be loaded."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jam.eval.measures import Absent
from jam.prepare.separation import SeparationSettings, Separator
from jam.timing import SAMPLE_RATE

TINY = {"channels": 4, "dconv_depth": 1}


class Halves(nn.Module):
    """Half of every sample is the voice: what comes out is known exactly."""

    sources = ("drums", "vocals")

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5))
        self.seen: list[torch.Size] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.shape)
        return torch.stack([torch.zeros_like(x), self.share * x], 1)


def noise(seconds: float) -> Tensor:
    return torch.randn(2, round(seconds * SAMPLE_RATE), generator=torch.Generator().manual_seed(0)) * 0.1


def settings(**given: Any) -> SeparationSettings:
    return SeparationSettings(enabled=True, **({"path": "-", "segment": 1.0} | given))


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.6, 3.25])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_segments_are_joined_without_a_seam(seconds: float, overlap: float) -> None:
    song = noise(seconds)
    found = Separator(Halves(), settings(overlap=overlap)).vocals(song)
    expected = 0.5 * (song - song.mean())  # a constant is no voice
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_no_more_than_a_batch_of_segments_is_heard_at_once() -> None:
    network = Halves()
    Separator(network, settings(batch=3)).vocals(noise(8))
    assert [tuple(shape) for shape in network.seen] == [(3, 2, SAMPLE_RATE)] * 3 + [(2, 2, SAMPLE_RATE)]


def test_silence_stays_silent() -> None:
    assert Separator(Halves(), settings()).vocals(torch.zeros(2, 50_000)).abs().max() == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small HDemucs with its settings beside it."""
    from safetensors.torch import save_file
    from torchaudio.models import HDemucs

    path = tmp_path_factory.mktemp("hdemucs")
    torch.manual_seed(0)
    network = HDemucs(sources=["drums", "bass", "other", "vocals"], **TINY)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(TINY))
    return path


def test_a_network_of_torchaudio_is_loaded_from_a_folder(folder: Path) -> None:
    separator = Separator.load(settings(path=str(folder)))
    song = noise(1.5)
    found = separator.vocals(song)
    assert found.shape == song.shape and found.isfinite().all() and found.std() > 0
    torch.testing.assert_close(separator.vocals(song), found, atol=0, rtol=0)


def test_what_changes_the_voice_changes_the_identity(folder: Path) -> None:
    known = Separator.load(settings(path=str(folder))).identity
    assert Separator.load(settings(path=str(folder), batch=4)).identity == known
    assert Separator.load(settings(path=str(folder), overlap=0.1)).identity != known


DEMUCS = """
import torch
class {name}(torch.nn.Module):
    def __init__(self, sources, segment=None):
        super().__init__()
        self.sources, self.gain = sources, torch.nn.Parameter(torch.tensor(0.0))
    def forward(self, x):
        return torch.stack([self.gain * x for _ in self.sources], 1)
"""


@pytest.fixture
def demucs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is laid out as demucs is."""
    (tmp_path / "demucs").mkdir()
    for module, name in (("htdemucs", "HTDemucs"), ("hdemucs", "HDemucs"), ("other", "Other")):
        (tmp_path / "demucs" / f"{module}.py").write_text(DEMUCS.format(name=name))
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "demucs"]:
        monkeypatch.delitem(sys.modules, name)


def checkpoint(path: Path, module: str, name: str) -> Path:
    """A checkpoint as demucs writes it."""
    import importlib
    from fractions import Fraction

    klass = getattr(importlib.import_module(f"demucs.{module}"), name)
    kwargs = {"sources": ["drums", "vocals"], "segment": Fraction(39, 5)}
    torch.save({"klass": klass, "args": (), "kwargs": kwargs, "state": {"gain": torch.tensor(0.25)}}, path)
    return path


@pytest.mark.usefixtures("demucs")
def test_a_checkpoint_of_demucs_is_loaded_with_its_class(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "voice.th", "htdemucs", "HTDemucs")
    song = noise(1.2)
    found = Separator.load(settings(path=str(path))).vocals(song)
    torch.testing.assert_close(found, 0.25 * (song - song.mean()), atol=1e-5, rtol=1e-4)


@pytest.mark.usefixtures("demucs")
@pytest.mark.parametrize("name", ["demucs.htdemucs.HTDemucs", "demucs.other.Other"])
def test_a_file_of_its_later_kind_is_loaded_too(tmp_path: Path, name: str) -> None:
    from safetensors.torch import save_file

    fraction = {"_type": "fraction", "numerator": 39, "denominator": 5}
    said = {"klass": name, "args": "[]", "kwargs": json.dumps({"sources": ["drums", "vocals"], "segment": fraction})}
    save_file({"gain": torch.tensor(0.25)}, tmp_path / "voice.safetensors", said)
    given = settings(path=str(tmp_path / "voice.safetensors"))
    if "other" in name:
        with pytest.raises(ValueError, match=r"its class is demucs\.other\.Other"):
            Separator.load(given)
    else:
        assert Separator.load(given).vocals(noise(1.2)).std() > 0


@pytest.mark.usefixtures("demucs")
def test_any_other_class_is_refused(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "voice.th", "other", "Other")
    with pytest.raises(ValueError, match=r"voice\.th: not a network") as told:
        Separator.load(settings(path=str(path)))
    assert "\n" not in str(told.value)


@pytest.mark.usefixtures("demucs")
def test_without_the_package_its_checkpoint_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = checkpoint(tmp_path / "voice.th", "htdemucs", "HTDemucs")
    monkeypatch.setitem(sys.modules, "demucs.htdemucs", None)
    with pytest.raises(Absent, match=r"jam\[separation\]"):
        Separator.load(settings(path=str(path)))


@pytest.mark.usefixtures("hub_cache")
def test_weights_of_the_hub_that_are_not_here_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Absent, match=r"separation\.path"):
        Separator.load(SeparationSettings(enabled=True))


def test_what_is_missing_or_broken_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(Absent, match="nowhere"):
        Separator.load(settings(path=str(tmp_path / "nowhere")))
    broken = [tmp_path / "broken.th", tmp_path / "broken.safetensors"]
    for path in broken:
        path.write_bytes(b"no checkpoint")
    for path in (*broken, tmp_path):
        with pytest.raises(ValueError, match="not a network") as told:
            Separator.load(settings(path=str(path)))
        assert "\n" not in str(told.value)
    other = Halves()
    other.sources = ("drums", "bass")
    with pytest.raises(ValueError, match="drums, bass"):
        Separator(other, settings())


@pytest.mark.parametrize("given", [{"overlap": 0.6}, {"segment": 0.1}, {"batch": 0}])
def test_settings_that_cannot_be_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"separation.{next(iter(given))}"):
        settings(**given)
