"""The embedded style encoder as shipped."""

import logging

import pytest
import torch

from jam.assets import BUNDLE
from jam.style.nano import NanoStyle


@pytest.fixture(scope="module")
def style():
    return NanoStyle.load(BUNDLE)


def noise(seconds: float, rate: int = 44_100) -> torch.Tensor:
    return 0.1 * torch.randn(2, int(seconds * rate), generator=torch.Generator().manual_seed(0))


def test_both_doors_give_unit_vectors_of_512(style):
    for vector in (style.from_audio(noise(2), 44_100), style.from_text("slow folk song")):
        assert vector.shape == (512,) and vector.dtype == torch.float32
        assert vector.norm().item() == pytest.approx(1, abs=1e-5)


def test_loudness_does_not_matter(style):
    clip = noise(2)
    torch.testing.assert_close(style.from_audio(clip, 44_100), style.from_audio(clip * 0.2, 44_100), atol=1e-3, rtol=0)


def test_any_sample_rate_is_heard(style):
    assert style.from_audio(noise(2, 16_000), 16_000).norm().item() == pytest.approx(1, abs=1e-5)


def test_synonyms_mean_the_same(style):
    assert torch.equal(style.from_text("Hip-Hop, violin"), style.from_text("a rap track with fiddle"))
    assert style.named("rap with fiddle and electric guitar") == {"hiphop", "fiddle", "clean guitar"}


def test_genres_and_a_cappella_are_far_apart(style):
    prompts = ["pop song with a band", "folk song with a band", "electronic song with a band", "hip hop song with a band", "a cappella"]
    vectors = torch.stack([style.from_text(prompt) for prompt in prompts])
    likeness = vectors @ vectors.T - 2 * torch.eye(len(prompts))
    assert likeness.max() < 0.6


def test_a_prompt_of_unknown_words_is_neutral_and_warned_of(style, caplog):
    with caplog.at_level(logging.WARNING):
        vector = style.from_text("xyzzy")
    assert "xyzzy" in caplog.text and vector.isfinite().all()


def test_an_empty_prompt_and_a_short_clip_are_refused(style):
    with pytest.raises(ValueError, match="empty"):
        style.from_text("  ")
    with pytest.raises(ValueError, match="too short"):
        style.from_audio(noise(0.2), 44_100)


def test_a_missing_encoder_is_one_line_that_says_how_to_make_it(tmp_path):
    with pytest.raises(ValueError, match="stage=style") as caught:
        NanoStyle.load(tmp_path)
    assert "\n" not in str(caught.value)
