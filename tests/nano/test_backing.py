"""The band: genres differ, scores are obeyed, sound has the asked length."""

import numpy as np
import pytest

pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")
pytest.importorskip("pretty_midi")

from jam.nano import backing, compose
from jam.timing import SAMPLE_RATE


@pytest.fixture(scope="module")
def scores():
    return [compose.compose(seed) for seed in range(16)]


def test_arrangements_come_from_the_score_alone(scores):
    assert [backing.arrange(score) for score in scores] == [backing.arrange(score) for score in scores]


def test_players_belong_to_their_genre(scores):
    for score in scores:
        plan = backing.arrange(score)
        chords, bass, colour, lead = backing.BANDS[score.genre]
        assert plan.chords in chords and plan.bass in bass and plan.colour in colour and plan.lead in lead


def test_notes_lie_in_the_key(scores):
    for score in scores:
        for part in backing.play(score).instruments:
            if not part.is_drum:
                assert all((note.pitch - score.key) % 12 in score.scale for note in part.notes)


def test_the_band_plays_to_the_end(scores):
    for score in scores:
        assert backing.play(score).get_end_time() >= score.seconds - 2 * score.beat


def test_every_name_of_a_style_is_known():
    for style in backing.STYLES.values():
        assert {*style.chords, *style.bass, *style.colour, *style.lead} <= set(backing.INSTRUMENTS)
        grooves = [*style.grooves, *style.waltzes]
        assert {drum for groove in grooves for drum in groove} | {*style.fill, style.crash} <= set(backing.DRUMS)
        assert all(len(steps) == 16 for groove in style.grooves for steps in groove.values())
        assert all(len(steps) == 12 for groove in style.waltzes for steps in groove.values())
        assert all(len(figure.steps) == 16 and len(figure.waltz) in (0, 12) for figure in style.figures)
        assert min(len(style.chords), len(style.colour), len(style.lead)) >= 3


def test_the_instruments_told_are_those_that_play(scores):
    for score in scores:
        assert {backing.arrange(score).chords, backing.arrange(score).bass} <= set(backing.tags(score))
        assert set(backing.tags(score)) <= {*backing.INSTRUMENTS, "drums"}


def test_a_second_attempt_plays_the_same_notes(scores):
    first, second = (backing.play(scores[0], attempt).instruments for attempt in (0, 1))
    assert [[note.pitch for note in part.notes] for part in first] == [[note.pitch for note in part.notes] for part in second]


@pytest.mark.skipif(not backing.available(), reason="fluidsynth or the FluidR3_GM sound font is not installed")
def test_a_synthesiser_that_fails_is_asked_three_times(scores, monkeypatch):
    asked = []
    monkeypatch.setattr(
        backing.subprocess, "run", lambda *_, **__: asked.append(1) or backing.subprocess.CompletedProcess([], 1, "", "broken")
    )
    with pytest.raises(ValueError, match="broken"):
        backing.render(scores[0])
    assert len(asked) == backing.TRIES


@pytest.mark.skipif(not backing.available(), reason="fluidsynth or the FluidR3_GM sound font is not installed")
def test_sound_lasts_as_long_as_the_score_and_fades_out(scores):
    score = min(scores, key=lambda score: score.seconds)
    samples = backing.render(score)
    assert samples.shape == (2, round(score.seconds * SAMPLE_RATE))
    assert np.abs(samples[0] - samples[1]).max() > 0.01  # a band is wide
    assert np.abs(samples).max() > 0.02 and np.abs(samples[:, -20:]).max() < 1e-3
