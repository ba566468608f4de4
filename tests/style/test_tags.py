"""The first embedded style encoder, with weights of chance."""

import json
import logging

import pytest
import torch
from safetensors.torch import save_file

from jam.style.nano import NanoStyle
from jam.style.tags import StyleNet, TagStyle

TAGS = ("hiphop", "fiddle", "clean guitar")
PHRASES = {"hip hop": "hiphop", "rap": "hiphop", "violin": "fiddle", "fiddle": "fiddle", "electric guitar": "clean guitar"}


@pytest.fixture
def style() -> TagStyle:
    torch.manual_seed(0)
    net = StyleNet(len(TAGS), 128)
    net.mel.copy_(torch.rand(net.mel.shape) / 1000)
    return TagStyle(net, TAGS, PHRASES)


def noise(seconds: float, rate: int = 44_100) -> torch.Tensor:
    return 0.1 * torch.randn(2, int(seconds * rate), generator=torch.Generator().manual_seed(0))


def test_synonyms_mean_the_same(style):
    assert torch.equal(style.from_text("Hip-Hop, violin"), style.from_text("a rap track with fiddle"))
    assert style.named("rap with fiddle and electric guitar") == {"hiphop", "fiddle", "clean guitar"}


def test_a_prompt_of_unknown_words_is_neutral_and_warned_of(style, caplog):
    with caplog.at_level(logging.WARNING):
        assert torch.equal(style.from_text("xyzzy"), style.net.read(torch.zeros(1, 3))[0])
    assert "xyzzy" in caplog.text


def test_a_bundle_that_holds_one_is_opened(style, tmp_path):
    save_file(style.net.state_dict(), tmp_path / "style.safetensors")
    (tmp_path / "style.json").write_text(json.dumps({"tags": TAGS, "phrases": PHRASES}))
    again = NanoStyle.load(tmp_path)
    assert isinstance(again, TagStyle)
    assert torch.equal(again.from_text("rap"), style.from_text("rap"))
    assert torch.equal(again.from_audio(noise(1), 44_100), style.from_audio(noise(1), 44_100))
