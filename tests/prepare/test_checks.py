"""What signal processing tells of a recording, on signals of which theory knows the answer."""

import io
import math

import pytest
import soundfile
import torch
from torch import Tensor

from jam import audio
from jam.prepare import checks
from jam.prepare.decoding import Decoded, at_44k
from jam.prepare.records import Facts

RATE = 44_100


def facts(samples: Tensor, rate: int = RATE) -> Facts:
    decoded = Decoded(samples, rate, samples.shape[0], "WAV PCM_16", samples.shape[1])
    return checks.facts(decoded, at_44k(decoded))


def noise(seconds: float, rate: int = RATE, level: float = 0.1) -> Tensor:
    return level * torch.randn(2, round(seconds * rate), generator=torch.Generator().manual_seed(0))


def test_a_sine_has_the_level_and_length_that_theory_gives(tone):
    found = facts(tone(997, 5.0).expand(2, -1)[:1].expand(2, -1))
    assert found.seconds == 5
    assert found.peak == pytest.approx(0.5, abs=1e-3)
    assert found.loudness == pytest.approx(20 * math.log10(0.5), abs=0.1)
    assert (found.rate, found.channels, found.format, found.damage) == (RATE, 2, "WAV PCM_16", None)
    assert (found.silence, found.clipping) == (0, 0)


def test_silence_has_no_loudness():
    found = facts(torch.zeros(2, 3 * RATE))
    assert found.loudness is None
    assert (found.silence, found.longest_silence, found.bandwidth, found.peak) == (1, 3, 0, 0)


def test_silence_is_counted_and_its_longest_stretch_is_found():
    quiet = torch.zeros(2, RATE)
    found = facts(torch.cat([noise(2), quiet, noise(2), quiet, quiet, noise(3)], 1))
    assert found.silence == pytest.approx(0.3, abs=0.01)
    assert found.longest_silence == pytest.approx(2, abs=0.1)
    assert facts(noise(2) * 0.02).silence == 0


def test_clipping_and_offset_are_told():
    assert facts((20 * noise(1)).clamp(-1, 1)).clipping > 10
    assert facts(noise(1) + 0.2).offset == pytest.approx(20, abs=0.2)


def test_equal_channels_are_mono_even_as_lossy_coding_leaves_them():
    one = noise(2)[:1].expand(2, -1)
    assert facts(one).is_mono
    assert not facts(noise(2)).is_mono
    assert not facts(torch.stack([one[0], 0.9 * one[1]])).is_mono
    for kind in ("MP3", "OGG"):
        stream = io.BytesIO()
        soundfile.write(stream, one.T.numpy(), RATE, format=kind)
        assert facts(audio.of_bytes(stream.getvalue(), kind)[0]).is_mono


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100])
def test_a_recording_that_was_resampled_keeps_its_bandwidth(rate):
    assert 0.47 * rate <= facts(noise(3, rate), rate).bandwidth <= 0.5 * rate
    up = audio.resample(noise(3, rate), rate, RATE)  # a gentle filter: it passes some of what lies above
    for samples in (up, (up * 32_767).round() / 32_767):
        assert 0.47 * rate <= facts(samples).bandwidth <= 0.7 * rate


def test_what_is_bright_for_moments_counts_and_noise_in_pauses_does_not(tone):
    song = tone(440, 10.0)
    dither = torch.randn(2, RATE * 10, generator=torch.Generator().manual_seed(0)) / 32_768
    assert facts(song + dither).bandwidth < 1_500
    hats = song.clone()
    for place in range(0, hats.shape[1] - 4410, RATE // 2):
        hats[:, place : place + 4410] += 0.3 * noise(0.1)
    assert facts(hats + dither).bandwidth > 20_000
    paused = torch.cat([song, dither], 1)
    assert facts(paused).bandwidth < 1_500


def test_a_single_sample_and_a_moment_have_facts_too():
    for count in (1, 10, 1000):
        found = facts(torch.full((2, count), 0.5))
        assert found.peak == 0.5
        assert found.is_mono


def test_a_tone_that_rises_has_the_bandwidth_of_its_end():
    hertz = torch.linspace(100, 15_000, 20 * RATE, dtype=torch.float64)
    sweep = 0.5 * torch.sin(2 * math.pi * torch.cumsum(hertz, 0) / RATE).float().expand(2, -1)
    assert 14_000 < facts(sweep).bandwidth < 15_300
