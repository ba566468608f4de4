"""The Oobleck VAE, with diffusers' own class at a tiny width and random weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from jam.timing import FRAME_SAMPLES
from jam.vae.chunks import decode_chunked, encode_chunked
from jam.vae.stable_audio import StableAudioVAE

NAME = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A saved VAE of JAM's time and channels: 2048 samples a frame, 64 channels."""
    from diffusers import AutoencoderOobleck

    torch.manual_seed(0)
    model = AutoencoderOobleck(encoder_hidden_size=128, channel_multiples=[1, 1, 1, 1, 1], decoder_channels=4)
    path = tmp_path_factory.mktemp("oobleck")
    model.save_pretrained(path / "vae")
    return path


@pytest.fixture(scope="module")
def vae(folder) -> StableAudioVAE:
    return StableAudioVAE.load(folder)


def latents(frames: int) -> torch.Tensor:
    return torch.randn(1, frames, 64, generator=torch.Generator().manual_seed(1))


def test_a_frame_is_2048_stereo_samples_both_ways(vae, tone):
    audio = tone(440, 1.0)[None, :, : 5 * 2048 - 100]
    mean, std = vae.encode(audio)
    assert mean.shape == std.shape == (1, 5, 64)
    assert (std > 0).all()
    assert vae.decode(mean).shape == (1, 2, 5 * 2048)


def test_it_is_what_diffusers_computes(vae, folder, tone):
    from diffusers import AutoencoderOobleck

    model = AutoencoderOobleck.from_pretrained(folder / "vae").eval()
    audio = tone(440, 1.0)[None, :, : 4 * 2048]
    with torch.no_grad():
        expected = model.encode(audio).latent_dist
        torch.testing.assert_close(vae.encode(audio), (expected.mean.mT, expected.std.mT))
        torch.testing.assert_close(vae.decode(expected.mean.mT), model.decode(expected.mean).sample)


def test_no_sample_depends_on_a_frame_beyond_its_reach(vae):
    song = latents(80)
    other = song.clone()
    other[:, 40] += 1
    changed = (vae.decode(other) - vae.decode(song)).abs().amax((0, 1)).unflatten(0, (80, 2048)).amax(1).nonzero()
    assert (changed.min(), changed.max()) == (40 - vae.reach, 40 + vae.reach)


def test_chunks_of_the_released_sizes_equal_the_whole(vae):
    song = latents(150)
    torch.testing.assert_close(decode_chunked(vae.decode, song), vae.decode(song), rtol=0, atol=1e-5)


def sound(frames: float) -> torch.Tensor:
    return 0.3 * torch.randn(1, 2, round(frames * FRAME_SAMPLES), generator=torch.Generator().manual_seed(2))


def test_no_latent_depends_on_a_sample_beyond_the_reach_of_the_encoder(vae):
    samples = sound(17).requires_grad_()
    vae.model.encode(samples).latent_dist.parameters[..., 8].sum().backward()
    touched = samples.grad.abs().sum((0, 1)).nonzero()
    assert vae.encoder_reach == 8
    # 14885 samples on either side, by the sum of its convolutions: beyond seven frames and within eight
    assert (touched.min(), touched.max()) == (8 * FRAME_SAMPLES - 14885, 9 * FRAME_SAMPLES - 1 + 14885)


def test_chunks_encode_as_the_whole_to_the_very_ends(vae):
    samples = sound(22.3)
    for chunked, expected in zip(encode_chunked(vae.encode, samples, 20, 2 * vae.encoder_reach), vae.encode(samples), strict=True):
        assert chunked.shape == (1, 23, 64)
        torch.testing.assert_close(chunked, expected, rtol=0, atol=1e-5)


def test_silence_is_one_latent_and_a_silent_song_is_made_of_it(vae):
    silence = vae.silence()
    assert silence.shape == (64,)
    mean, _ = vae.encode(torch.zeros(1, 2, 26 * 2048))
    torch.testing.assert_close(mean[0, 12:14], silence.expand(2, 64))


def test_half_precision_is_near_and_comes_back_in_full(folder, vae):
    coarse = StableAudioVAE.load(folder, dtype=torch.bfloat16).decode(latents(4))
    assert coarse.dtype == torch.float32
    exact = vae.decode(latents(4))
    assert (coarse - exact).abs().mean() < 0.05 * exact.abs().mean()


@pytest.mark.parametrize("where", [f"vae/{NAME}", "vae"])
def test_the_file_or_its_folder_may_be_named(folder, where):
    StableAudioVAE.load(folder / where)


def test_a_cached_copy_of_the_hub_is_found_offline(folder, hub_cache, monkeypatch):
    from jam.assets import STABLE_AUDIO_VAE

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OSError, match=r"stabilityai/stable-audio-open-1\.0"):
        StableAudioVAE.load()
    for name in (NAME, "config.json"):
        hub_cache(STABLE_AUDIO_VAE.repo, f"vae/{name}", (folder / "vae" / name).read_bytes())
    assert StableAudioVAE.load().decode(latents(1)).shape == (1, 2, 2048)


@pytest.mark.parametrize(
    ("key", "value"), [("downsampling_ratios", [2, 4, 4, 4, 8]), ("decoder_input_channels", 32), ("sampling_rate", 48_000)]
)
def test_a_vae_of_other_time_or_channels_is_refused(folder, tmp_path, key, value):
    config = json.loads((folder / "vae" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {key: value}))
    (tmp_path / NAME).touch()
    with pytest.raises(ValueError, match=r"config\.json: .* JAM's latents need \(2048, 64, 2, 44100\)$"):
        StableAudioVAE.load(tmp_path)


def test_missing_or_broken_parts_are_named(folder, tmp_path):
    (tmp_path / NAME).write_text("not tensors")
    with pytest.raises(ValueError, match=r"config\.json must lie beside"):
        StableAudioVAE.load(tmp_path)
    (tmp_path / "config.json").write_bytes((folder / "vae" / "config.json").read_bytes())
    with pytest.raises(ValueError, match="not a safetensors file"):
        StableAudioVAE.load(tmp_path)
    tensors = load_file(folder / "vae" / NAME)
    del tensors["decoder.conv1.bias"]
    save_file(tensors, tmp_path / NAME)
    with pytest.raises(ValueError, match=r"1 tensors do not fit .* first decoder\.conv1\.bias$"):
        StableAudioVAE.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="not the settings of an Oobleck VAE"):
        StableAudioVAE.load(tmp_path)
