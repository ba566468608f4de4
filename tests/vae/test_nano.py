"""The learned codec at a tiny size: frames lie on their samples, decoding repeats itself, its sources are what they say."""

import pytest
import torch

from jam.timing import FRAME_SAMPLES, SAMPLE_RATE
from jam.vae import nano
from jam.vae.chunks import encode_chunked
from jam.vae.nano import CodecSettings, NanoCodec, borrowed, hertz, likeness, pitch_classes, pulses, spread, still_noise
from jam.vae.spectra import HOP, MARGIN, WINDOW, columns, overlap_add, spectrum, transform

TINY = CodecSettings(bands=24, side_bands=8, hidden=16, wide=16, width=32, dilations=(1, 2), phase_bins=64)


def filters(bands: int) -> torch.Tensor:
    librosa = pytest.importorskip("librosa")
    return torch.from_numpy(librosa.filters.mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=bands, fmin=40, fmax=20_000))


@pytest.fixture(scope="module")
def codec() -> NanoCodec:
    torch.manual_seed(0)
    made = NanoCodec(TINY).eval().requires_grad_(False)
    made.set_bands(filters(24), filters(8))
    made.decoder.mean.fill_(-6.0)
    return made


def tone(frames: int) -> torch.Tensor:
    time = torch.arange(frames * FRAME_SAMPLES) / SAMPLE_RATE
    left, right = (0.1 * torch.sin(2 * torch.pi * pitch * time) for pitch in (220.0, 330.0))
    return torch.stack([left, right])[None]  # (1, 2, N)


def test_samples_are_covered_by_whole_frames(codec):
    mean, deviation = codec.encode(torch.zeros(2, 2, 3 * FRAME_SAMPLES + 1))
    assert mean.shape == deviation.shape == (2, 4, 64)
    assert not deviation.any()


def test_decoding_gives_2048_stereo_samples_a_frame_and_repeats_itself(codec):
    latents = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(1))
    audio = codec.decode(latents)
    assert audio.shape == (2, 2, 5 * FRAME_SAMPLES) and audio.dtype == torch.float32
    assert torch.equal(audio, codec.decode(latents))
    torch.testing.assert_close(codec.decode(latents[:1]), audio[:1], rtol=0, atol=1e-3)


def test_pieces_sound_as_the_whole(codec, monkeypatch):
    latents = torch.randn(1, 60, 64, generator=torch.Generator().manual_seed(2))
    monkeypatch.setattr(nano, "PIECE", 10_000)
    whole = codec.decode(latents)
    monkeypatch.setattr(nano, "PIECE", 50)
    torch.testing.assert_close(codec.decode(latents), whole, rtol=0, atol=2e-3 * float(whole.abs().max()))


@pytest.mark.parametrize("count", [64, 100, 129])  # whole steps, and some samples that no window sees
def test_a_spectrum_and_its_gradient_are_those_of_torch(count):
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(2, count, generator=generator, dtype=torch.float64, requires_grad=True)
    window = torch.hann_window(32, dtype=torch.float64) + 0.1
    plain = torch.fft.rfft(samples.unfold(-1, 32, 8) * window)
    made = spectrum(samples, window)
    torch.testing.assert_close(made, plain)
    weights = torch.randn(made.shape, generator=generator, dtype=torch.complex128)
    gradients = [
        torch.autograd.grad((weights * one).abs().square().sum() + (weights * one).real.sum(), samples)[0] for one in (made, plain)
    ]
    torch.testing.assert_close(*gradients)


def test_a_frame_describes_its_own_samples(codec):
    audio = torch.zeros(1, 1, 12 * FRAME_SAMPLES)
    audio[..., 5 * FRAME_SAMPLES : 6 * FRAME_SAMPLES] = 0.1 * torch.randn(FRAME_SAMPLES, generator=torch.Generator().manual_seed(0))
    touched = (codec.encode(audio)[0][0] - codec.silence()).norm(dim=1) > 1e-2
    assert touched[4:7].all() and not touched[:4].any() and not touched[7:].any()  # a window is as long as a frame


def test_left_and_right_are_told_apart_and_mono_is_their_middle(codec):
    both = codec.encode(tone(4))[0]
    mono = codec.encode(tone(4).mean(1, keepdim=True))[0]
    assert (both - mono).abs().max() > 1e-2
    torch.testing.assert_close(codec.encode(tone(4).mean(1, keepdim=True).expand(-1, 2, -1))[0], mono)


def test_chunks_encode_as_the_whole_to_the_very_ends(codec):
    audio = tone(40)[..., : 40 * FRAME_SAMPLES - 700]
    chunked, _ = encode_chunked(codec.encode, audio, 16, 2 * codec.encoder_reach)
    torch.testing.assert_close(chunked, codec.encode(audio)[0], rtol=0, atol=1e-4)


def test_a_saved_codec_loads_with_its_sizes(codec, tmp_path):
    codec.save(tmp_path)
    again = NanoCodec.load(tmp_path)
    assert isinstance(again, NanoCodec) and again.settings == TINY
    torch.testing.assert_close(again.encode(tone(3))[0], codec.encode(tone(3))[0], rtol=0, atol=0.02)


def test_a_file_that_is_no_codec_is_refused(tmp_path):
    with pytest.raises(ValueError, match="stage=codec"):
        NanoCodec.load(tmp_path)
    (tmp_path / "codec.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="codec.safetensors") as caught:
        NanoCodec.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_samples_come_back_from_their_spectrum():
    window = torch.hann_window(WINDOW)
    samples = torch.randn(2, 12 * HOP + 2 * MARGIN, generator=torch.Generator().manual_seed(0))
    again = overlap_add(transform(samples, window), window)
    torch.testing.assert_close(again[:, 400:-400], samples[:, 400:-400], rtol=0, atol=1e-5)
    assert columns(samples[:, : 12 * HOP], window).shape == (2, 12, WINDOW // 2 + 1)


def test_there_is_a_pulse_each_period():
    train = pulses(torch.full((1, 40), 441.0))  # a period of 100 samples
    assert train.shape == (1, 40 * HOP + 2 * MARGIN)
    assert train.sum().item() == pytest.approx(train.shape[1] / 100, abs=1)
    places = (train[0] > 0.5).nonzero()[:, 0]
    assert (places.diff() - 100).abs().max() <= 1


def test_pauses_of_the_voice_are_bridged():
    pitch = torch.full((1, 40), 441.0)
    pitch[:, 10:20] = 0
    torch.testing.assert_close(pulses(pitch), pulses(torch.full((1, 40), 441.0)), rtol=0, atol=1e-3)
    assert pulses(torch.zeros(1, 10)).sum() > 0  # no voice at all: some pitch


def test_the_pitch_is_the_mean_of_the_likeliest_classes():
    logits = torch.full((1, 2, 1 + nano.PITCHES), -20.0)
    logits[0, 0, 0] = 1.0  # voiced
    logits[0, :, 1 + 100] = 5.0
    logits[0, :, 1 + 101] = 5.0
    found = hertz(logits)
    assert found[0, 1] == 0
    assert found[0, 0].log().item() == pytest.approx(pitch_classes()[100:102].mean().item(), abs=1e-4)


def test_mel_values_of_a_flat_spectrum_are_spread_to_a_flat_one():
    mel = filters(24)
    spreading = spread(mel)
    values = torch.log(0.3 * mel.sum(1))
    levels = (values @ spreading[:-1] + spreading[-1]).exp()
    torch.testing.assert_close(levels, torch.full_like(levels, 0.3))


def test_the_side_goes_along_with_the_middle_as_left_and_right_say():
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.complex(*torch.randn(2, 500, generator=generator)) for _ in range(2))
    middle, side = (left + right) / 2, (left - right) / 2
    true = (middle * side.conj()).real / (middle.abs() * side.abs())
    found = likeness(middle.abs(), side.abs(), (left.abs() / right.abs()).log())
    torch.testing.assert_close(found, true.clamp(-0.999, 0.999), rtol=0, atol=1e-3)


def test_the_noise_of_songs_comes_round_again_without_a_seam(codec):
    hiss, noise, other = still_noise(torch.device("cpu"))
    assert len(hiss) == nano.PERIOD * HOP
    twice = transform(torch.cat([hiss, hiss])[None, : (nano.PERIOD + 40) * HOP + 2 * MARGIN], codec.window)
    for first, last in ((0, 40), (nano.PERIOD - 20, nano.PERIOD + 20)):
        real, imaginary = nano._turn(noise, first, last)
        angle = torch.complex(real, imaginary)
        torch.testing.assert_close(angle, twice[:, first:last] / (twice[:, first:last].abs() + 1e-4), rtol=0, atol=1e-3)
    assert not torch.allclose(noise[0], other[0], atol=0.1)


def test_what_is_left_stays_left(codec):
    shape = (1, 40, WINDOW // 2 + 1)
    phases = torch.zeros(1, 40, 7 * TINY.phase_bins)
    level = torch.full(shape, -2.0)
    lent = borrowed(torch.full((1, 40), 200.0), codec.window)
    for side, balance in ((-2.0, 8.0), (-2.0, -8.0)):
        middle, beside = nano.synthesise(nano.Guess(level, level + side + 2, phases, torch.full(shape, balance)), lent, codec.window)
        left, right = (part[:, MARGIN:-MARGIN].square().mean().sqrt() for part in (middle + beside, middle - beside))
        louder, softer = (left, right) if balance > 0 else (right, left)
        assert louder > 5 * softer
