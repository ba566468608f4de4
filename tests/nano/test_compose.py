"""Scores: what every song on paper keeps to."""

import numpy as np
import pytest

pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")

from jam.nano import compose
from jam.nano.compose import GENRES, LONGEST, MAJOR, VOCAL_RANGE, Melody, place_line


@pytest.fixture(scope="module")
def scores():
    return [compose.compose(seed) for seed in range(48)]


def test_the_same_seed_gives_the_same_score(scores):
    assert compose.compose(3) == scores[3]
    assert compose.compose(3) != compose.compose(11)


def test_every_song_fits_the_embedded_models_canvas(scores):
    assert all(8 <= score.seconds <= LONGEST for score in scores)
    assert all(0.29 < score.seconds - score.words[-1].end < 4.01 for score in scores)
    assert 28 < np.mean([score.seconds for score in scores]) < 39


def test_words_follow_each_other_and_last_a_while(scores):
    for score in scores:
        assert score.words[0].start >= 0.3
        assert all(word.end - word.start > 0.1 for word in score.words)
        assert all(before.end <= after.start + 1e-9 for before, after in zip(score.words, score.words[1:], strict=False))
        assert sum(score.lines) == len(score.words)


def test_every_genre_comes_in_turn_and_every_voice_sings(scores):
    assert [score.genre for score in scores[:8]] == list(GENRES)
    assert {score.voice for score in scores} == set(VOCAL_RANGE)
    assert {score.beats_per_bar for score in scores} == {3, 4} and {score.minor for score in scores} == {False, True}


def test_sections_follow_each_other_and_nobody_sings_between_verses(scores):
    for score in scores:
        assert score.sections[0].bar == 0
        assert all(a.bar + a.bars == b.bar for a, b in zip(score.sections, score.sections[1:], strict=False))
        last = score.sections[-1]
        assert last.bar * score.bar < score.seconds <= (last.bar + last.bars) * score.bar + 1e-6
        for section in score.sections:
            begin, end = section.bar * score.bar, (section.bar + section.bars) * score.bar
            sung = any(word.start < end and word.end > begin for word in score.words)
            assert sung == (section.kind in ("verse", "chorus"))


def test_a_second_chorus_is_the_first_one_again(scores):
    found = 0
    for score in scores:
        choruses = [section for section in score.sections if section.kind == "chorus"]
        sung = []
        for section in choruses:
            begin, end = section.bar * score.bar, (section.bar + section.bars) * score.bar
            words = [word for word in score.words if begin <= word.start < end]
            sung.append([(word.word, round(word.start - begin, 6), [note.pitch for note in word.notes]) for word in words])
        for again in sung[1:]:
            found += 1
            assert again == sung[0][: len(again)]
    assert found > 5


def test_notes_lie_in_the_key_and_the_voices_range(scores):
    for score in scores:
        low, high = VOCAL_RANGE[score.voice]
        pitches = [note.pitch for word in score.words for note in word.notes]
        assert all(low <= pitch <= high and (pitch - score.key) % 12 in score.scale for pitch in pitches)


def test_a_song_lasts_about_as_long_as_asked():
    seconds = [compose.compose(seed, seconds=30.0).seconds for seed in range(16)]
    assert max(seconds) <= 30 and np.mean(seconds) > 28
    with pytest.raises(ValueError, match="too short"):
        compose.compose(0, seconds=3.0)


def test_a_words_notes_fill_it_and_its_syllables_have_one_each_at_least():
    melody = Melody(np.random.default_rng(1), 0, MAJOR, "rms")
    (word,) = place_line(["mountain"], 0.5, 0.3, 0.5, melody)
    assert word.start == 0.5 and len(word.notes) >= 2
    assert word.notes[0].start == 0.5 and word.notes[0].end == word.notes[1].start
    assert word.notes[-1].end == pytest.approx(word.end, abs=0.031)
