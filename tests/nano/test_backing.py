"""The band: genres differ, scores are obeyed, sound has the asked length."""

import numpy as np
import pytest

pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")
pytest.importorskip("pretty_midi")

from jam.nano import backing, compose
from jam.timing import SAMPLE_RATE


@pytest.fixture(scope="module")
def scores():
    return [compose.compose(seed) for seed in range(8)]


def test_arrangements_come_from_the_score_alone(scores):
    assert [backing.arrange(score) for score in scores] == [backing.arrange(score) for score in scores]


def test_players_belong_to_their_genre(scores):
    for score in scores:
        plan = backing.arrange(score)
        chords, bass, colour = backing.BANDS[score.genre]
        assert plan.chords in chords and plan.bass in bass and plan.colour in colour


def test_notes_lie_in_the_key(scores):
    for score in scores:
        for part in backing.play(score).instruments:
            if not part.is_drum:
                assert all((note.pitch - score.key) % 12 in score.scale for note in part.notes)


def test_the_band_plays_to_the_end(scores):
    for score in scores:
        assert backing.play(score).get_end_time() >= score.seconds - 2 * score.beat


@pytest.mark.skipif(not backing.available(), reason="fluidsynth or the FluidR3_GM sound font is not installed")
def test_sound_lasts_as_long_as_the_score_and_fades_out(scores):
    score = min(scores, key=lambda score: score.seconds)
    samples = backing.render(score)
    assert samples.shape == (2, round(score.seconds * SAMPLE_RATE))
    assert np.abs(samples).max() > 0.02 and np.abs(samples[:, -20:]).max() < 1e-3
