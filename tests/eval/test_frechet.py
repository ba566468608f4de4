"""Distances of sets: against formulas written out, of a set to itself, and of recordings to the same with noise."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from jam import assets, audio
from jam.eval import frechet
from jam.eval.embeddings import StyleRows
from jam.style.nano import NanoStyle

CLIPS = Path(__file__).parent.parent.parent / "inputs" / "clips"


def draws(name: int) -> np.random.Generator:
    return np.random.default_rng(name)


def songs_of(draw: np.random.Generator, count: int, width: int = 8, shift: float = 0.0) -> list[np.ndarray]:
    """Songs whose windows are alike."""
    return [draw.normal(shift, 1, width) + draw.normal(0, 0.5, (6, width)) for _ in range(count)]


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
@pytest.mark.parametrize(("count", "width"), [(50, 512), (600, 64), (2, 512)])
def test_a_set_is_at_no_distance_from_itself(count, width, scale):
    rows = scale * draws(0).normal(size=(count, width))
    assert 0 <= frechet.distance(rows, rows) < 1e-6
    assert 0 <= frechet.distance(rows, rows[::-1]) < 1e-6


def test_the_distance_is_that_of_the_formula():
    draw = draws(1)
    a, b = draw.normal(size=(300, 6)) @ draw.normal(size=(6, 6)), 0.3 + draw.normal(size=(200, 6))
    s1, s2 = np.cov(a.T), np.cov(b.T)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    assert frechet.distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet.distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_sets_of_few_rows_in_many_dimensions_are_exact():
    """Each set varies along one axis of its own, by variance 2: the roots share nothing, so the traces stay whole."""
    a, b = np.zeros((2, 100)), np.zeros((2, 100))
    a[:, 3] = (-1, 1)
    b[:, 7] = (4, 6)
    assert frechet.distance(a, b) == pytest.approx(25 + 2 + 2)
    b[:, 7], b[:, 3] = 5, (-2, 2)  # along the same axis: (sqrt 8 - sqrt 2)^2
    assert frechet.distance(a, b) == pytest.approx(25 + (8**0.5 - 2**0.5) ** 2)


def test_one_row_has_no_spread():
    with pytest.raises(ValueError, match="1 embeddings have no spread"):
        frechet.distance(np.ones((1, 3)), np.ones((2, 3)))


def test_the_kernel_distance_is_that_of_the_formula():
    draw = draws(2)
    a, b = draw.normal(size=(5, 3)), draw.normal(0.5, 1, (7, 3))
    apart = [math.dist(b[i], b[j]) for i in range(7) for j in range(i)]

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return math.exp(-(math.dist(x, y) ** 2) / (2 * np.median(apart) ** 2))

    within = np.mean([kernel(a[i], a[j]) for i in range(5) for j in range(5) if i != j])
    apart_b = np.mean([kernel(b[i], b[j]) for i in range(7) for j in range(7) if i != j])
    across = np.mean([kernel(x, y) for x in a for y in b])
    assert frechet.kernel_distance(a, b) == pytest.approx(within + apart_b - 2 * across)


def test_windows_of_one_song_are_not_compared_in_the_kernel_distance():
    draw = draws(3)
    a, b = [draw.normal(size=(2, 3)), draw.normal(size=(3, 3))], [draw.normal(size=(2, 3)), draw.normal(size=(4, 3))]
    width = frechet._bandwidth(np.concatenate(b))
    between = [[np.exp(-frechet._squares(x, y) / (2 * width**2)) for y in (*a, *b)] for x in (*a, *b)]
    across = np.block([[between[0][2], between[0][3]], [between[1][2], between[1][3]]]).mean()
    assert frechet.kernel_distance(a, b) == pytest.approx(between[0][1].mean() + between[2][3].mean() - 2 * across)


def test_the_kernel_distance_of_like_sets_is_nothing_on_average():
    """It is unbiased: the mean of 100 draws is within three of its standard errors."""
    found = [frechet.kernel_distance(songs_of(draws(seed), 12), songs_of(draws(seed + 1000), 15)) for seed in range(100)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 10


def test_both_distances_grow_with_a_shift():
    recordings = songs_of(draws(4), 60)
    found = [frechet.measure(songs_of(draws(5), 60, shift=shift), recordings, "x") for shift in (0, 0.5, 1, 2)]
    for name in ("sound.fad@x", "sound.kad@x"):
        values = [one[name].value for one in found]
        assert values == sorted(values)
        assert found[2][name].low > found[0][name].high


def test_more_songs_bring_the_distance_down_and_the_line_to_infinity_further():
    """Songs and recordings are alike: the distance is 0 but for what small sets add."""
    recordings = np.concatenate(songs_of(draws(6), 3000))
    few, many = songs_of(draws(7), 40), songs_of(draws(8), 200)
    at_few, at_many = (frechet.distance(np.concatenate(songs), recordings) for songs in (few, many))
    beyond = frechet.at_infinity(many, recordings)
    assert beyond is not None
    assert at_few > 2 * at_many > 4 * abs(beyond)


def test_few_windows_are_not_extended_to_infinity():
    draw = draws(9)
    assert frechet.at_infinity(songs_of(draw, 4, 64), draw.normal(size=(200, 64))) is None
    assert "sound.fad_inf@x" not in frechet.measure(songs_of(draw, 4, 64), songs_of(draw, 40, 64), "x")
    assert "sound.fad_inf@x" in frechet.measure(songs_of(draw, 60, 4), songs_of(draw, 40, 4), "x")


def test_intervals_hold_what_other_songs_would_give():
    """Ninety sets of songs: the mean figure of such sets is in 95 of 100 intervals, told to 2.3; so 88 to 100 pass."""
    recordings = songs_of(draws(10), 50)
    found = [frechet.measure(songs_of(draws(100 + seed), 40, shift=0.4), recordings, "x", seed) for seed in range(90)]
    for name in ("sound.fad@x", "sound.kad@x"):
        mean = np.mean([one[name].value for one in found])
        assert np.mean([one[name].low <= mean <= one[name].high for one in found]) > 0.88
        spread = np.std([one[name].value for one in found])
        assert np.median([one[name].high - one[name].low for one in found]) < 1.5 * 2 * 1.96 * spread


def test_few_songs_have_no_interval_and_one_song_no_distance():
    recordings = songs_of(draws(11), 10)
    assert frechet.measure(songs_of(draws(12), 1), recordings, "x") == {}
    two = frechet.measure(songs_of(draws(12), 2), recordings, "x")["sound.fad@x"]
    assert (two.low, two.high, two.count) == (-math.inf, math.inf, 2)


def test_every_measure_is_listed():
    found = frechet.measure(songs_of(draws(13), 60, 4), songs_of(draws(14), 40, 4), "x")
    assert {name.partition("@")[0] for name in found} == {measure.name for measure in frechet.MEASURES}


def test_noise_takes_recordings_away_from_themselves():
    """The clips through the embedded style encoder, with white noise at falling distance. Takes a second or two: 4 clips, 5 levels."""
    encoder = StyleRows(NanoStyle.load(assets.BUNDLE), "nano")
    clips = [audio.resample(*_at(path)) for path in sorted(CLIPS.glob("*.flac"))]
    clean = [encoder.rows(clip) for clip in clips]
    distances = []
    for decibels in (40, 20, 10, 0):
        noisy = [clip + _noise(clip, decibels) for clip in clips]
        distances.append(frechet.distance(np.concatenate([encoder.rows(one) for one in noisy]), np.concatenate(clean)))
    assert frechet.distance(np.concatenate(clean), np.concatenate(clean)) < 1e-6
    assert 1e-6 < distances[0] < distances[1] < distances[2] < distances[3]


def _at(path: Path) -> tuple[torch.Tensor, int, int]:
    samples, rate = audio.read(path)
    return samples[:, : 8 * rate], rate, 44_100


def _noise(clip: torch.Tensor, decibels: float) -> torch.Tensor:
    drawn = torch.randn(clip.shape, generator=torch.Generator().manual_seed(0))
    return drawn * clip.square().mean().sqrt() * 10 ** (-decibels / 20)
