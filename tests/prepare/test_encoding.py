"""Latents and style vectors of recordings, by the embedded codec and style encoder."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from jam import audio
from jam.assets import BUNDLE
from jam.data.example import check_latent, read_tensor
from jam.prepare.encoding import LatentEncoder, LatentSettings, StyleEncoder, StyleSettings, gain, heard, to_bytes, windows
from jam.style.nano import NanoStyle
from jam.timing import FRAME_SAMPLES, SAMPLE_RATE
from jam.vae.griffin_lim import GriffinLimCodec
from jam.vae.nano import NanoCodec

LATENTS = LatentSettings(vae_type="nano")
STYLES = StyleSettings(style_type="nano")


@pytest.fixture(scope="module")
def codec() -> GriffinLimCodec:
    found = NanoCodec.load(BUNDLE)
    assert isinstance(found, GriffinLimCodec)
    return found


@pytest.fixture(scope="module")
def style() -> NanoStyle:
    return NanoStyle.load(BUNDLE)


def noise(seconds: float, level: float = 0.1) -> torch.Tensor:
    return level * torch.randn(2, round(seconds * SAMPLE_RATE), generator=torch.Generator().manual_seed(3))


def test_latents_are_the_codecs_means_over_its_deviations(codec):
    samples = noise(2.0)
    latent = LatentEncoder(codec, LATENTS).encode(samples)
    check_latent(latent, "here")
    mean, deviation = codec.encode(samples[None])
    torch.testing.assert_close(latent, torch.cat([mean[0], deviation[0]], -1).T)
    assert latent.is_contiguous() and latent.dtype == torch.float32


def test_chunks_are_a_matter_of_memory_alone(codec):
    samples = noise(3.0)
    small = LatentEncoder(codec, replace(LATENTS, chunk=24)).encode(samples)
    torch.testing.assert_close(small, LatentEncoder(codec, LATENTS).encode(samples), rtol=0, atol=1e-4)


def test_an_overlap_that_does_not_cover_the_codecs_reach_is_refused(codec):
    with pytest.raises(ValueError, match=r"latents\.overlap is 1; this codec needs 2 frames"):
        LatentEncoder(codec, replace(LATENTS, overlap=1))


def test_half_precision_halves_what_is_stored_and_little_else(codec):
    samples = noise(1.0)
    half, full = (LatentEncoder(codec, replace(LATENTS, stored=stored)).encode(samples) for stored in ("float16", "float32"))
    assert half.dtype == torch.float16 and len(to_bytes(half)) < 0.6 * len(to_bytes(full))
    torch.testing.assert_close(half.float(), full, rtol=1e-3, atol=1e-3)


def test_silence_is_the_codecs(codec):
    encoder = LatentEncoder(codec, LATENTS)
    torch.testing.assert_close(encoder.encode(torch.zeros(2, 8 * FRAME_SAMPLES))[:64, 4], encoder.silence())


def test_a_song_is_brought_to_a_loudness_before_it_is_encoded(codec):
    quiet, loud = (LatentEncoder(codec, replace(LATENTS, lufs=-23.0)).encode(noise(2.0, level)) for level in (0.01, 0.1))
    torch.testing.assert_close(quiet, loud, rtol=0, atol=0.02)


def test_a_gain_reaches_a_loudness_or_full_scale_and_leaves_silence_alone():
    samples = noise(2.0)
    assert audio.loudness(samples * gain(samples, -23.0)) == pytest.approx(-23.0, abs=0.01)
    assert float((samples * gain(samples, -1.0)).abs().max()) == pytest.approx(1.0)
    assert gain(torch.zeros(2, SAMPLE_RATE), -14.0) == 1.0


def test_latents_that_are_no_numbers_are_refused(codec):
    large = GriffinLimCodec(codec.mel, codec.mean, codec.basis, codec.scale * 1e-6)
    with pytest.raises(ValueError, match="not finite in float32, stored as float16"):
        LatentEncoder(large, replace(LATENTS, stored="float16")).encode(noise(0.1))


@pytest.fixture(scope="module")
def oobleck(tmp_path_factory) -> str:
    """A Stable Audio VAE at the smallest width, saved as diffusers saves it."""
    from diffusers import AutoencoderOobleck

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("oobleck")
    AutoencoderOobleck(channel_multiples=[1, 1, 1, 1, 1], decoder_channels=4).save_pretrained(path / "vae")
    return str(path)


def test_the_stable_audio_vae_encodes_in_the_precision_that_is_asked_for(oobleck):
    exact, coarse = (LatentEncoder.load(LatentSettings(vae_path=oobleck, precision=precision)) for precision in ("float32", "bfloat16"))
    samples = noise(0.04)  # a frame
    latent = exact.encode(samples)
    mean, deviation = exact.codec.encode(samples[None])
    torch.testing.assert_close(latent, torch.cat([mean[0], deviation[0]], -1).T)
    near = coarse.encode(samples)
    assert near.dtype == torch.float32 and 0 < (near - latent).abs().mean() < 0.1 * latent.abs().mean()
    assert exact.identity != coarse.identity


def test_windows_are_spread_from_the_beginning_to_the_end():
    assert windows(100, 4, 10) == [0, 30, 60, 90]
    assert windows(100, 1, 10) == [45]
    assert windows(10, 4, 10) == windows(7, 4, 10) == [0]


def test_a_short_song_has_fewer_windows_that_share_at_most_half():
    assert windows(12, 8, 10) == [0, 2]
    assert windows(20, 8, 10) == [0, 5, 10]
    assert len(windows(44, 8, 10)) == 8


def test_windows_without_music_are_passed_over():
    samples = noise(8.0)
    samples[:, 2 * SAMPLE_RATE : 4 * SAMPLE_RATE] *= 1e-3
    assert heard(samples, 4, 2 * SAMPLE_RATE) == [0, 4 * SAMPLE_RATE, 6 * SAMPLE_RATE]
    assert heard(torch.zeros(2, 8 * SAMPLE_RATE), 4, 2 * SAMPLE_RATE)  # a silent song has a style all the same


def test_styles_are_of_windows_and_then_of_descriptions(style):
    samples = noise(6.0)
    vectors = StyleEncoder(style, replace(STYLES, seconds=2.0, count=3)).encode(samples, ["slow folk song", " "])
    assert vectors.shape == (4, 512)
    torch.testing.assert_close(vectors[1], style.from_audio(samples[:, 2 * SAMPLE_RATE : 4 * SAMPLE_RATE], SAMPLE_RATE))
    torch.testing.assert_close(vectors[3], style.from_text("slow folk song"))


def test_descriptions_can_be_left_out(style):
    assert len(StyleEncoder(style, replace(STYLES, prompts=False)).encode(noise(3.0), ["slow folk song"])) == 1


def test_less_than_half_a_second_has_no_style(style):
    with pytest.raises(ValueError, match="0.400 s is too short"):
        StyleEncoder(style, STYLES).encode(noise(0.4))


def test_an_identity_is_that_of_weights_and_settings_and_not_of_their_place(codec, style, tmp_path):
    copied = tmp_path / "codec.safetensors"
    copied.write_bytes((BUNDLE / "codec.safetensors").read_bytes())
    here, there = (LatentEncoder.load(replace(LATENTS, vae_path=path)) for path in (None, str(copied)))
    assert here.identity == there.identity == LatentEncoder(codec, LATENTS).identity
    changed = GriffinLimCodec(codec.mel, codec.mean, codec.basis, codec.scale * 2)
    others = {LatentEncoder(changed, LATENTS).identity, LatentEncoder(codec, replace(LATENTS, stored="float16")).identity}
    assert len(others | {here.identity}) == 3
    retold = NanoStyle(style.net, style.tags, {**style.phrases, "new": style.tags[0]})
    assert StyleEncoder(style, STYLES).identity == StyleEncoder.load(STYLES).identity != StyleEncoder(retold, STYLES).identity


def test_the_same_tensor_is_the_same_bytes_in_another_process():
    code = """
import hashlib, sys, torch
from jam.prepare.encoding import to_bytes
values = torch.arange(24.).reshape(4, 6)
sys.stdout.write(hashlib.sha256(to_bytes(values.T)).hexdigest())
"""
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    part = torch.arange(48.0)[:24].reshape(4, 6).T  # of a larger storage, and not contiguous
    assert hashlib.sha256(to_bytes(part)).hexdigest() == elsewhere
    assert torch.equal(read_tensor(to_bytes(part), "part"), part)


@pytest.mark.parametrize(
    ("settings", "values", "told"),
    [
        (LatentSettings, {"vae_type": "diffrhythm"}, "latents.vae_type is diffrhythm; choose stable_audio or nano"),
        (LatentSettings, {"precision": "auto"}, "latents.precision is auto"),
        (LatentSettings, {"vae_type": "nano", "precision": "bfloat16"}, "the embedded codec has float32 alone"),
        (LatentSettings, {"stored": "int8"}, "latents.stored is int8"),
        (LatentSettings, {"overlap": 256}, "latents.overlap is 256 of chunks of 256"),
        (LatentSettings, {"lufs": 3.0}, "latents.lufs is 3.0"),
        (StyleSettings, {"style_type": "clap"}, "styles.style_type is clap; choose muq or nano"),
        (StyleSettings, {"count": 0}, "styles.count is 0"),
        (StyleSettings, {"seconds": float("nan")}, "styles.seconds is nan"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, values, told):
    with pytest.raises(ValueError) as error:
        settings(**values)
    assert told in str(error.value)
