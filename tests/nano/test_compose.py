"""Scores: what every song on paper keeps to."""

import numpy as np
import pytest

pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")

from jam.nano import compose
from jam.nano.compose import LONGEST, MAJOR, Melody, held_out_lines, place_line


@pytest.fixture(scope="module")
def scores():
    return [compose.compose(seed) for seed in range(24)]


def test_the_same_seed_gives_the_same_score(scores):
    assert compose.compose(3) == scores[3]
    assert compose.compose(3) != compose.compose(7)


def test_every_song_fits_the_embedded_models_canvas(scores):
    assert all(4 < score.seconds <= LONGEST for score in scores)
    assert all(score.words and score.words[-1].end < score.seconds for score in scores)


def test_words_follow_each_other_and_last_a_while(scores):
    for score in scores:
        assert score.words[0].start >= 0.25
        assert all(word.end - word.start > 0.1 for word in score.words)
        assert all(before.end <= after.start + 1e-9 for before, after in zip(score.words, score.words[1:], strict=False))


def test_every_genre_comes_in_turn(scores):
    assert [score.genre for score in scores[:4]] == list(compose.GENRES)


def test_notes_lie_in_the_key_and_the_voices_range(scores):
    low, high = compose.VOCAL_RANGE["rms"]
    for score in scores:
        pitches = [note.pitch for word in score.words for note in word.notes]
        assert all(low <= pitch <= high and (pitch - score.key) % 12 in score.scale for pitch in pitches)


def test_no_held_out_line_is_ever_drawn():
    rng = np.random.default_rng(0)
    assert not {" ".join(compose.draw_line(rng)) for _ in range(200)} & set(held_out_lines())


def test_refused_rare_words_are_never_drawn():
    rng = np.random.default_rng(0)
    line = [word for _ in range(20) for word in compose.draw_line(rng, lambda word: word.startswith("s"))]
    assert all(word.startswith("s") or word in compose.common_words() for word in line)


def test_a_words_notes_fill_it_and_its_syllables_have_one_each():
    melody = Melody(np.random.default_rng(1), 0, MAJOR, "rms")
    (word,) = place_line(["mountain"], 0.5, 0.3, 0.5, melody)
    assert (word.start, len(word.notes)) == (0.5, 2)
    assert word.notes[0].start == 0.5 and word.notes[0].end == word.notes[1].start
    assert word.notes[-1].end == pytest.approx(word.end, abs=0.031)


def test_there_are_fifty_held_out_lines():
    assert len(held_out_lines()) == 50 and all(held_out_lines())
