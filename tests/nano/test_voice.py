"""The synthetic singer: lengths, pitch and silence are where they were asked for."""

import numpy as np
import pytest

from jam.nano import voice
from jam.nano.voice import Note, Phone, SungWord, phone_edges, pitch_curve
from jam.timing import SAMPLE_RATE

needs_flite = pytest.mark.skipif(not voice.available(), reason="flite is not installed")


def sung(word: str, start: float, end: float, pitch: float = 57.0) -> SungWord:
    return SungWord(word, start, end, (Note(start, end, pitch),))


def test_vowels_absorb_a_words_stretching():
    phones = [Phone("m", 0.0, 0.1), Phone("uw", 0.1, 0.3), Phone("n", 0.3, 0.4)]
    edges = phone_edges(phones, 1.0)
    np.testing.assert_allclose(edges, [0.0, 0.1, 0.9, 1.0])


def test_consonants_fill_at_most_55_percent_of_a_short_word():
    phones = [Phone("s", 0.0, 0.2), Phone("uw", 0.2, 0.4), Phone("n", 0.4, 0.6)]
    edges = phone_edges(phones, 0.2)
    assert edges[2] - edges[1] == pytest.approx(0.45 * 0.2)
    assert edges[-1] == pytest.approx(0.2)


def test_a_word_without_vowels_is_stretched_evenly():
    np.testing.assert_allclose(phone_edges([Phone("s", 0.0, 0.1), Phone("t", 0.1, 0.3)], 0.6), [0.0, 0.2, 0.6])


def test_pitch_is_the_notes_and_glides_between():
    curve = pitch_curve([Note(0.0, 0.3, 57.0), Note(0.3, 0.6, 69.0)], 120)
    assert curve[20] == pytest.approx(220.0) and curve[90] == pytest.approx(440.0)
    assert 220 < curve[60] < 440


@needs_flite
def test_words_sound_in_their_times_and_nowhere_else():
    pytest.importorskip("pyworld")
    words = [sung("moon", 0.5, 1.1), sung("river", 1.6, 2.4)]
    samples = voice.sing(words, 3.0)
    assert samples.shape == (3 * SAMPLE_RATE,) and samples.dtype == np.float32
    envelope = np.sqrt(np.convolve(samples**2, np.ones(441) / 441, "same"))
    times = np.arange(len(samples)) / SAMPLE_RATE
    inside = ((times > 0.52) & (times < 1.08)) | ((times > 1.62) & (times < 2.38))
    outside = (times < 0.48) | ((times > 1.13) & (times < 1.57)) | (times > 2.43)
    assert envelope[outside].max() < 0.002 < np.percentile(envelope[inside], 10)
    assert voice.root_mean_square(samples, words) == pytest.approx(voice.LOUDNESS, rel=1e-3)


@needs_flite
def test_no_words_are_silence():
    assert not voice.sing([], 1.0).any()


@needs_flite
def test_a_word_without_sound_is_named():
    with pytest.raises(ValueError, match=r"'\.\.\.'"):
        voice.analyse("...")


@needs_flite
def test_flite_says_what_the_dictionary_says():
    assert voice.spoken_phones("mountain") == ("M", "AW", "N", "T", "AH", "N")
