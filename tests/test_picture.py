"""The picture of a song: a mel spectrogram in dB, and a PNG that shows its words."""

import warnings

import pytest
import torch

from jam.lyrics.words import Word
from jam.picture import MELS, RANGE_DB, draw, draw_latent, mel_spectrogram

WORDS = (Word(0.1, 0.5, "river"), Word(0.5, 0.9, "$moon$"), Word(1.0, 1.0, "月"), Word(1.1, 1.2, "", "luː"))


def test_the_loudest_is_0_db_and_a_higher_tone_lies_in_a_higher_band(tone):
    low, high = (mel_spectrogram(tone(hertz, 1.0)) for hertz in (300, 3000))
    assert low.shape == (MELS, 44_100 // 512 + 1)
    assert float(low.max()) == 0 and float(low.min()) >= -RANGE_DB
    assert int(low.mean(1).argmax()) < int(high.mean(1).argmax())


def test_silence_is_dark_and_a_song_shorter_than_a_window_is_no_fault():
    assert torch.all(mel_spectrogram(torch.zeros(2, 4410)) == -RANGE_DB)
    assert mel_spectrogram(torch.ones(2, 100)).isfinite().all()


@pytest.mark.parametrize("words", [WORDS, ()])
def test_a_picture_opens_and_any_letters_are_drawn_without_complaint(tmp_path, tone, words):
    from matplotlib.image import imread

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = draw(tmp_path / "deep" / "song.png", tone(440, 1.5), words, r"5$ for \$ $x_ 月")
    assert imread(path).shape == (420, 800, 4)
    assert [file.name for file in path.parent.iterdir()] == ["song.png"]


@pytest.mark.parametrize("words", [WORDS, ()])
@pytest.mark.parametrize("latents", [torch.randn(40, 64), torch.zeros(1, 64)])
def test_latents_are_drawn_with_their_words(tmp_path, latents, words):
    from matplotlib.image import imread

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = draw_latent(tmp_path / "latent.png", latents, words, "$ 月")
    assert imread(path).shape == (420, 800, 4)
