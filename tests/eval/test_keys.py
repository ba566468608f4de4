"""Keys, heard in songs that are rendered in known ones."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from jam.eval import keys
from jam.eval.keys import Key
from jam.nano import backing
from jam.nano.compose import compose

RATE = 44_100
EVERY_KEY = [(tonic, minor) for tonic in range(12) for minor in (False, True)]
CHORDS = {False: [(0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)], True: [(0, 3, 7), (5, 8, 12), (7, 10, 14), (0, 3, 7)]}  # I IV V I


def chord(pitches: list[float], seconds: float = 0.8) -> Tensor:
    """Decaying tones of six partials each, (N,)."""
    clock = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    tones = [torch.sin(2 * math.pi * 440 * 2 ** ((p - 69) / 12) * k * clock) / k**1.2 for p in pitches for k in range(1, 7)]
    return torch.stack(tones).sum(0) * torch.exp(-2 * clock)


def cadence(tonic: int, minor: bool, tuning: float = 0.0) -> Tensor:
    """Four chords with a bass, (2, N); `tuning` in semitones."""
    parts = [chord([36 + tonic + notes[0] + tuning, *(60 + (tonic + note) % 12 + tuning for note in notes)]) for notes in CHORDS[minor]]
    return (0.05 * torch.cat(parts)).float().expand(2, -1)


@pytest.mark.parametrize(("tonic", "minor"), EVERY_KEY)
def test_a_cadence_is_heard_in_its_key(tonic, minor):
    heard = keys.key_of(cadence(tonic, minor))
    assert heard[:2] == (tonic, minor)
    assert 0.7 < heard.strength <= 1


@pytest.mark.parametrize("tuning", [-0.4, -0.2, 0.3, 0.45])
def test_an_instrument_out_of_tune_is_in_the_same_key(tuning):
    assert keys.key_of(cadence(3, True, tuning))[:2] == (3, True)


def test_the_strength_of_a_cadence_is_greater_than_that_of_noise():
    noise = torch.randn(2, 3 * RATE, generator=torch.Generator().manual_seed(0))
    assert keys.key_of(noise).strength < 0.7 < keys.key_of(cadence(0, False)).strength


def test_loudness_and_drums_do_not_change_the_key():
    song = cadence(8, False)
    hits = torch.zeros_like(song)
    bursts = torch.randn(12, 2000, generator=torch.Generator().manual_seed(1)) * torch.exp(-torch.arange(2000) / 300)
    for index, burst in enumerate(bursts):
        hits[:, index * 11_000 : index * 11_000 + 2000] = 0.5 * burst
    assert keys.key_of(song + hits)[:2] == keys.key_of(0.001 * song)[:2] == (8, False)


def test_the_chroma_of_a_tone_is_its_pitch_class(tone):
    assert keys.chroma(tone(440, 2.0)).argmax() == 9
    assert keys.chroma(tone(261.6, 2.0)).argmax() == 0


def test_silence_has_no_key():
    assert keys.key_of(torch.zeros(2, RATE)) is None


@pytest.mark.parametrize("count", [1, 500])
def test_songs_of_a_moment_are_heard(tone, count):
    heard = keys.key_of(tone(440, 1.0)[:, -count:])
    assert heard is None or 0 <= heard.tonic < 12


def test_the_profile_of_a_key_is_that_key():
    for tonic, minor in EVERY_KEY:
        heard = keys.best(np.roll(keys.MINOR if minor else keys.MAJOR, tonic))
        assert heard == (tonic, minor, pytest.approx(1))


@pytest.mark.parametrize(
    ("text", "tonic", "minor"),
    [
        ("C major", 0, False), ("C", 0, False), ("c minor", 0, True), ("Am", 9, True), ("AM", 9, False), ("F# minor", 6, True),
        ("F#m", 6, True), ("Bb", 10, False), ("Bbm", 10, True), ("b minor", 11, True), ("Bm", 11, True), ("A-flat minor", 8, True),
        ("E♭ maj", 3, False), ("C sharp min", 1, True), ("Cb", 11, False), ("B# major", 0, False), (" G:min ", 7, True),
    ],
)  # fmt: skip
def test_written_keys_are_read(text, tonic, minor):
    assert keys.named(text)[:2] == (tonic, minor)


@pytest.mark.parametrize("text", ["", "H major", "C dorian", "7", "major", "C major or so"])
def test_what_is_no_key_is_refused_in_a_line(text):
    with pytest.raises(ValueError, match="is not one we know") as caught:
        keys.named(text)
    assert "\n" not in str(caught.value)


def test_names_are_read_back():
    for tonic, minor in EVERY_KEY:
        assert keys.named(str(Key(tonic, minor))) == (tonic, minor, 1)


@pytest.mark.parametrize(
    ("heard", "score"),
    [("C", 1), ("G", 0.5), ("F", 0), ("Am", 0.3), ("Cm", 0.2), ("Em", 0), ("D", 0), ("Gm", 0)],
)
def test_nearness_to_c_major_is_that_of_the_contest(heard, score):
    assert keys.agreement(keys.named(heard), keys.named("C")) == score


@pytest.mark.parametrize(("heard", "score"), [("Am", 1), ("Em", 0.5), ("Dm", 0), ("C", 0.3), ("A", 0.2), ("F", 0)])
def test_nearness_to_a_minor_is_that_of_the_contest(heard, score):
    assert keys.agreement(keys.named(heard), keys.named("Am")) == score


@pytest.mark.skipif(not backing.available(), reason="needs fluidsynth and its sound font")
def test_most_rendered_songs_are_heard_in_or_near_their_key():
    """Eight bands of instruments and drums, a few seconds each to render; over 48 of them the score is 0.74."""
    scores = [compose(seed) for seed in range(9000, 9008)]
    heard = [keys.key_of(torch.from_numpy(backing.render(score))) for score in scores]
    near = [keys.agreement(found, Key(score.key, score.minor)) for found, score in zip(heard, scores, strict=True)]
    assert sum(near) / len(near) >= 0.6  # by chance 0.1
