"""What signal processing tells of a song, on signals of which theory knows the answer."""

import math
import time

import numpy as np
import pyloudnorm
import pytest
import torch
from torch import Tensor

from jam import audio
from jam.eval import sound

RATE = 44_100


def both(wave: Tensor) -> Tensor:
    """One wave (N,) on both channels."""
    return wave.float().expand(2, -1)


def times(seconds: float) -> Tensor:
    return torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE


def sine(hertz: float, seconds: float, level: float = 1.0, phase: float = 0.0) -> Tensor:
    return level * torch.sin(2 * math.pi * hertz * times(seconds) + phase)


def noise(seconds: float, channels: int = 2, level: float = 0.1, seed: int = 0) -> Tensor:
    return level * torch.randn(channels, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def values(samples: Tensor) -> dict[str, float]:
    found = sound.measure(samples)
    assert set(found) <= {measure.name for measure in sound.MEASURES}
    assert all(math.isfinite(value.value) for value in found.values())
    return {name.removeprefix("sound."): value.value for name, value in found.items()}


def test_every_measure_is_found_in_a_song_and_listed_once():
    names = [measure.name for measure in sound.MEASURES]
    assert list(dict.fromkeys(names)) == names
    assert set(sound.measure(noise(4.0))) == set(names)


def test_a_sine_of_a_kilohertz_on_both_channels_is_as_loud_as_the_standard_says():
    assert values(both(sine(997, 5.0)))["loudness"] == pytest.approx(0.0, abs=0.1)  # -3.01 LUFS for one channel, twice the power
    assert values(both(sine(997, 5.0, level=0.1)))["loudness"] == pytest.approx(-20.0, abs=0.1)


def test_the_k_weighting_is_the_table_of_the_standard_at_48_kilohertz():
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585]
    high_pass = [1, -2, 1, 1, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(sound.k_weighting(48_000), [shelf, high_pass], atol=1e-7)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)],  # EBU Tech 3342, tests 1 to 4
)
def test_loudness_ranges_are_those_of_the_broadcasters_own_tests(levels, expected):
    song = torch.cat([sine(1000, 20.0, level=10 ** (level / 20)) for level in levels])
    assert sound.loudness_range(both(song)) == pytest.approx(expected, abs=1)


def test_loudness_range_agrees_with_another_implementation():
    swell = torch.linspace(0.02, 1, 20 * RATE)
    song = noise(20.0) * swell
    theirs = pyloudnorm.Meter(RATE).loudness_range(song.T.double().numpy())
    assert sound.loudness_range(song) == pytest.approx(theirs, abs=0.5)


def test_a_song_below_three_seconds_has_no_loudness_range():
    assert sound.loudness_range(noise(2.9)) is None
    assert sound.loudness_range(noise(3.1)) is not None


def test_the_true_peak_between_the_samples_is_found():
    wave = both(sine(RATE / 4, 1.0, phase=math.pi / 4))  # every sample at 0.707, the wave at 1
    assert wave.abs().max() == pytest.approx(0.7071, abs=1e-3)
    middle = wave * torch.hann_window(RATE)  # no edge
    assert sound.true_peak(middle) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("hertz", [100, 997, 5_000, 11_025, 15_000, 19_000])
@pytest.mark.parametrize("phase", [0.0, 0.5, 1.0])
def test_the_true_peak_of_sines_is_their_level(hertz, phase):
    wave = both(sine(hertz, 1.0, level=0.5, phase=phase)) * torch.hann_window(RATE) ** 0.1
    missed = -20 * math.log10(math.cos(math.pi * hertz / 4 / RATE))  # dB, where the crest lies between two of the four
    assert -6.02 - missed - 0.05 < sound.true_peak(wave) < -6.02 + 0.05


def test_a_square_wave_at_full_scale_is_clipped_throughout_and_a_sine_is_not():
    square = both(sine(100.1, 1.0, phase=0.01).sign())
    assert sound.clipping(square) == pytest.approx(100)
    assert sound.clipping(both(sine(100, 1.0))) < 5  # its crests touch full scale
    assert sound.clipping(both(sine(100, 1.0, level=0.99))) == 0


def test_clipping_counts_the_samples_of_a_cut_sine():
    cut = both(sine(50, 2.0, level=2.0).clamp(-1, 1))
    assert sound.clipping(cut) == pytest.approx(100 * 2 / 3, abs=0.3)  # |sin| > 1/2 for two thirds of a turn


def test_runs_of_two_are_not_clipping_nor_are_swings_from_one_rail_to_the_other():
    samples = torch.zeros(2, 1000)
    samples[0, 10:12] = 1
    samples[1, 20:30] = torch.tensor([1.0, -1.0] * 5)
    assert sound.clipping(samples) == 0
    samples[1, 50:53] = -1
    assert sound.clipping(samples) == pytest.approx(100 * 3 / 2000)


def test_clipping_survives_a_file_of_sixteen_bits(tmp_path):
    cut = both(sine(50, 1.0, level=2.0))
    again, _ = audio.read(audio.write(tmp_path / "loud.wav", cut))
    assert sound.clipping(again) == pytest.approx(sound.clipping(cut.clamp(-1, 1)), abs=0.1)


@pytest.mark.parametrize(("hertz", "band"), [(40, "sub"), (110, "low"), (1000, "mid"), (4000, "presence"), (9000, "brilliance")])
def test_a_sine_lies_in_its_band_and_is_its_own_centre(hertz, band):
    found = sound.balance(both(sine(hertz, 3.0)))
    assert found[band] > 99
    assert found["centroid"] == pytest.approx(hertz, abs=max(3, 0.01 * hertz))


def test_white_noise_lies_in_each_band_by_its_width():
    found = sound.balance(noise(20.0))
    for name, (low, high) in sound.BANDS.items():
        assert found[name] == pytest.approx(100 * (high - low) / 19_980, rel=0.05, abs=0.03)
    assert found["centroid"] == pytest.approx(RATE / 4, rel=0.01)


def plucked(starts: list[float], hertz: list[float], seconds: float) -> Tensor:
    """Decaying notes of some partials: (2, N)."""
    song, after = torch.zeros(round(seconds * RATE), dtype=torch.float64), times(0.7)
    for start, pitch in zip(starts, hertz, strict=True):
        tones = torch.stack([torch.sin(2 * math.pi * pitch * k * after) / k for k in range(1, 9)])
        song[round(start * RATE) :][: len(after)] += tones.sum(0) * torch.exp(-6 * after) * (1 - after / 0.7)  # ends without a click
    return both(0.2 * song)


@pytest.mark.parametrize("level", [1.0, 0.01])
def test_every_note_is_an_onset_at_its_time_however_loud_the_song(level):
    starts = [0.3 + 0.25 * i + 0.03 * (i % 3) for i in range(30)]
    song = level * plucked(starts, [220 * 2 ** ((i * 5 % 12) / 12) for i in range(30)], 9.0)
    found = sound.onsets(song)
    assert len(found) == 30
    assert np.abs(found - starts).max() < 0.03
    assert values(song)["onsets"] == pytest.approx(30 / 9, abs=1e-6)


@pytest.mark.parametrize("rate", [1.0, 4.0, 10.0])
def test_clicks_are_counted(rate):
    song = torch.zeros(2, 10 * RATE)
    song[:, (torch.arange(int(10 * rate)) / rate * RATE + 2000).long()] = 0.9
    assert values(song)["onsets"] == pytest.approx(rate)


def test_what_goes_on_has_no_onsets():
    clock = times(6.0)
    vibrato = both(
        torch.stack([torch.sin(k * (2 * math.pi * 300 * clock + 2.0 * torch.sin(2 * math.pi * 5.5 * clock))) / k for k in range(1, 8)]).sum(
            0
        )
    )
    for steady in (both(sine(440, 6.0)), vibrato, noise(6.0)):
        assert len(sound.onsets(steady)) <= 1  # the beginning itself


def test_stereo_is_known_for_mono_opposed_and_independent_channels():
    wave = noise(3.0, 1)[0]
    assert sound.stereo(both(wave)) == pytest.approx({"width": 0, "correlation": 1})
    assert sound.stereo(torch.stack([wave, -wave])) == pytest.approx({"width": 100, "correlation": -1})
    assert sound.stereo(noise(10.0)) == pytest.approx({"width": 50, "correlation": 0}, abs=0.5)
    assert sound.stereo(torch.stack([wave, torch.zeros_like(wave)])) == {"width": pytest.approx(50)}


def test_a_constant_offset_is_told_of_the_worse_channel():
    assert values(noise(2.0, level=0.01) + torch.tensor([[0.02], [-0.05]]))["offset"] == pytest.approx(5, abs=0.02)


def test_of_silence_only_clipping_and_offset_are_told():
    assert values(torch.zeros(2, RATE)) == {"clipping": 0, "offset": 0}


@pytest.mark.parametrize("count", [1, 2, 300, 5000])
def test_songs_of_a_moment_are_measured(count):
    assert values(noise(1.0)[:, :count])["true_peak"] < 0


def test_a_song_of_twenty_seconds_takes_less_than_half_a_second_of_one_core():
    song = noise(20.0)
    sound.measure(song[:, :RATE])  # libraries load
    start = time.process_time()
    sound.measure(song)
    assert time.process_time() - start < 1.0  # 0.3 s alone; a core that is shared takes longer
