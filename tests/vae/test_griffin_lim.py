"""The embedded codec as shipped: frames lie on their samples, decoding is deterministic and near the original."""

import pytest
import torch

from jam.assets import BUNDLE
from jam.timing import FRAME_SAMPLES
from jam.vae.chunks import encode_chunked
from jam.vae.griffin_lim import GriffinLimCodec, griffin_lim, magnitudes


@pytest.fixture(scope="module")
def codec():
    return GriffinLimCodec.load(BUNDLE)


def tone(frames: int) -> torch.Tensor:
    time = torch.arange(frames * FRAME_SAMPLES) / 44_100
    harmonics = sum(torch.sin(2 * torch.pi * 150 * number * time) / number for number in range(1, 12))
    return (0.1 * harmonics)[None, None].repeat(1, 2, 1)  # (1, 2, N)


def test_samples_are_covered_by_whole_frames(codec):
    mean, deviation = codec.encode(torch.zeros(2, 2, 3 * FRAME_SAMPLES + 1))
    assert mean.shape == deviation.shape == (2, 4, 64)
    assert not deviation.any()


def test_decoding_gives_2048_equal_stereo_samples_a_frame(codec):
    audio = codec.decode(torch.zeros(2, 5, 64))
    assert audio.shape == (2, 2, 5 * FRAME_SAMPLES) and audio.dtype == torch.float32
    assert torch.equal(audio[:, 0], audio[:, 1])


def test_silence_is_the_latent_of_digital_silence_and_decodes_to_it(codec):
    silence = codec.silence()
    torch.testing.assert_close(codec.encode(torch.zeros(1, 2, 8 * FRAME_SAMPLES))[0][0, 5], silence)
    assert codec.decode(silence.expand(1, 8, 64)).abs().max() < 1e-3


def test_a_frame_describes_its_own_samples(codec):
    audio = torch.zeros(1, 1, 12 * FRAME_SAMPLES)
    audio[..., 5 * FRAME_SAMPLES : 6 * FRAME_SAMPLES] = 0.1 * torch.randn(FRAME_SAMPLES, generator=torch.Generator().manual_seed(0))
    loudness = (codec.encode(audio)[0][0] - codec.silence()).norm(dim=1)
    touched = loudness > 1e-2
    assert touched[4:7].all() and not touched[:4].any() and not touched[7:].any()  # a window is as long as a frame
    mel = codec.expand(codec.encode(audio)[0])[0].exp().sum(1)  # a column a quarter of a frame
    centre = (mel * torch.arange(len(mel))).sum() / mel.sum()
    assert centre.item() == pytest.approx(21.5, abs=0.3)


def test_chunks_encode_as_the_whole_to_the_very_ends(codec):
    audio = tone(40)[..., : 40 * FRAME_SAMPLES - 700]
    expected = codec.encode(audio)[0]
    chunked, deviation = encode_chunked(codec.encode, audio, 16, 2 * codec.encoder_reach)
    torch.testing.assert_close(chunked, expected, rtol=0, atol=1e-4)
    assert deviation.shape == expected.shape
    assert (encode_chunked(codec.encode, audio, 16, 0)[0] - expected).abs().max() > 1e-2  # its windows reach over edges


def test_decoding_is_deterministic_and_does_not_depend_on_company(codec):
    latents = codec.encode(tone(20))[0]
    alone = codec.decode(latents)
    assert torch.equal(alone, codec.decode(latents))
    together = codec.decode(torch.cat([latents, torch.randn(1, 20, 64, generator=torch.Generator().manual_seed(1))]))
    torch.testing.assert_close(together[:1], alone, atol=1e-3, rtol=0)


def test_a_round_trip_keeps_the_log_mel_values(codec):
    audio = tone(20)
    latents = codec.encode(audio)[0]
    again = codec.encode(codec.decode(latents))[0]
    error = (codec.expand(again) - codec.expand(latents))[0, 8:-8].abs().mean()
    assert error < 0.35


def test_griffin_lim_finds_a_signal_with_the_asked_magnitudes(codec):
    wanted = magnitudes(tone(20)[:, 0], codec.window)
    got = magnitudes(griffin_lim(wanted, codec.window), codec.window)
    assert ((got - wanted).norm() / wanted.norm()).item() < 0.15


def test_a_missing_codec_is_one_line_that_says_how_to_make_it(tmp_path):
    with pytest.raises(ValueError, match="stage=codec") as caught:
        GriffinLimCodec.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_codec_is_refused(tmp_path):
    (tmp_path / "codec.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="codec.safetensors"):
        GriffinLimCodec.load(tmp_path)
