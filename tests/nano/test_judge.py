import numpy as np
import pytest
import torch

from jam.eval.judge import FRAME, SOUNDS, Judge
from jam.nano import judge, voice
from jam.nano.corpus import Song
from jam.nano.judge import Heard, Recipe, accuracy, coloured, labels, mel_filters, save, train

needs_flite = pytest.mark.skipif(not voice.available(), reason="flite is not installed")


def material(count: int = 6, frames: int = 400) -> list[Heard]:
    """Columns in which each sound is its own band, so that it can be learned in a few steps."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        row = np.repeat(rng.integers(0, 8, frames // 20), 20)
        columns = rng.normal(-6, 0.3, (64, len(row)))
        columns[8 * row, np.arange(len(row))] += 5
        found.append(Heard(columns.astype(np.float16), row))
    return found


def test_it_learns_what_is_heard(tmp_path):
    found = material()
    taught = train(found, mel_filters(), Recipe(steps=25, batch=4))
    assert accuracy(taught, found) > 0.8
    assert accuracy(train(found, mel_filters(), Recipe(steps=1, batch=2)), found) < 0.6
    save(taught, tmp_path)
    again = Judge.load(tmp_path)
    assert accuracy(again, found) == pytest.approx(accuracy(taught, found), abs=0.02)


def test_how_frequent_each_sound_is_is_remembered():
    found = material()
    prior = train(found, mel_filters(), Recipe(steps=1, batch=2)).net.prior.exp()
    assert prior.sum().item() == pytest.approx(1, abs=1e-4)
    assert prior[:8].sum() > 0.9


def test_noise_has_the_deviation_that_is_asked():
    assert coloured(np.random.default_rng(0), 44_100).std() == pytest.approx(1, rel=1e-6)


def test_disturbed_columns_differ_by_song_and_stay_near():
    columns = torch.zeros(3, 64, 10)
    disturbed = judge._disturbed(columns, np.random.default_rng(0))
    assert disturbed.shape == columns.shape
    assert not torch.allclose(disturbed[0], disturbed[1])
    assert disturbed.abs().max() < 6
    assert torch.equal(disturbed[..., 0], disturbed[..., -1])


@needs_flite
def test_each_sound_is_labelled_while_it_lasts(tmp_path):
    song = Song(0, {"voice": "rms", "seed": 0, "word": [{"word": "moon", "start": 0.2, "end": 0.8}]}, tmp_path)
    row = labels(song, 100)
    assert set(row[:20]) == set(row[80:]) == {0}
    order = [SOUNDS[code] for code in dict.fromkeys(row[20:80].tolist())]
    assert order == ["m", "uː", "n"]
    assert (row == SOUNDS.index("uː")).sum() * FRAME > 0.3  # vowels are held
