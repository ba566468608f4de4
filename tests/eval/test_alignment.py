import itertools

import numpy as np
import pytest

from jam.eval import alignment
from jam.eval.alignment import Emissions, align, score

FRAME = 0.01
TOKENS = 8  # 0 is silence, or the blank


def heard(*stretches: tuple[int, int], blank: bool = False, sure: float = 0.9) -> Emissions:
    """Emissions of stretches (token, frames), each frame `sure` of its token."""
    row = np.concatenate([np.full(frames, token) for token, frames in stretches])
    scores = np.full((len(row), TOKENS), np.log((1 - sure) / (TOKENS - 1)), np.float32)
    scores[np.arange(len(row)), row] = np.log(sure)
    return Emissions(scores, FRAME, FRAME / 2, blank=0 if blank else None, silence=None if blank else 0)


def times(found: alignment.Alignment) -> list[tuple[float, float] | None]:
    return [None if word is None else (round(word.start, 6), round(word.end, 6)) for word in found.words]


def test_words_are_found_exactly_where_they_sound():
    found = align(heard((0, 20), (1, 10), (2, 10), (0, 5), (3, 30), (0, 10)), [[1, 2], [3]])
    assert times(found) == [(0.2, 0.4), (0.45, 0.75)]
    assert found.extra == ()


def test_words_may_follow_each_other_without_a_gap():
    found = align(heard((1, 10), (2, 12), (2, 8), (3, 15)), [[1, 2], [3]])
    assert times(found) == [(0.0, 0.3), (0.3, 0.45)]


def test_a_word_that_is_not_sung_is_passed_over_and_its_neighbours_keep_their_places():
    found = align(heard((0, 10), (1, 20), (0, 30), (5, 20), (0, 10)), [[1], [2, 3, 4], [5]])
    assert times(found) == [(0.1, 0.3), None, (0.6, 0.8)]


def test_the_first_and_the_last_word_may_be_missing():
    found = align(heard((0, 10), (2, 20), (0, 30)), [[1, 6], [2], [3, 4]])
    assert times(found) == [None, (0.1, 0.3), None]


def test_what_is_sung_beside_the_lyrics_is_extra():
    found = align(heard((1, 20), (0, 10), (5, 10), (6, 10), (0, 10), (2, 20)), [[1], [2]])
    assert times(found) == [(0.0, 0.2), (0.6, 0.8)]
    assert [(round(start, 6), round(end, 6)) for start, end in found.extra] == [(0.3, 0.5)]


def test_a_held_sound_alone_is_no_extra_word():
    assert align(heard((1, 20), (0, 10), (5, 40), (0, 10)), [[1]]).extra == ()


def test_wrong_lyrics_are_not_found():
    found = align(heard((1, 20), (2, 20), (3, 20)), [[4, 5], [6, 7]])
    assert times(found) == [None, None]


def test_a_word_without_sounds_is_not_found_and_disturbs_nothing():
    assert times(align(heard((1, 20), (2, 20)), [[1], [], [2]])) == [(0.0, 0.2), None, (0.2, 0.4)]


def test_no_frames_find_nothing():
    empty = Emissions(np.zeros((0, TOKENS), np.float32), FRAME, silence=0)
    assert align(empty, [[1], [2]]).words == (None, None)
    assert align(heard((0, 5)), []).words == ()


def test_more_sounds_than_frames_are_passed_over_not_refused():
    assert times(align(heard((1, 2)), [[1, 2, 3, 4, 5]])) == [None]


def test_blanks_between_letters_belong_to_their_word():
    found = align(heard((0, 5), (1, 1), (0, 6), (2, 1), (0, 9), (3, 1), (0, 4), blank=True), [[1, 2], [3]])
    assert times(found) == [(0.05, 0.13), (0.22, 0.23)]


def test_a_double_letter_needs_a_blank_between():
    one, two = heard((1, 6), blank=True), heard((1, 3), (0, 1), (1, 3), blank=True)
    double = [[[1, 1]]]
    assert score(two, double)[0] == pytest.approx(np.log(0.9), abs=1e-4)
    assert score(one, double)[0] < np.log(0.9) - 0.1


def test_equal_letters_of_two_words_need_a_blank_too():
    assert score(heard((1, 6), blank=True), [[[1], [1]]])[0] < np.log(0.9) - 0.1
    assert score(heard((1, 6)), [[[1], [1]]])[0] == pytest.approx(np.log(0.9), abs=1e-4)


def test_the_score_of_the_right_words_is_that_of_what_is_heard():
    right, wrong, none = score(heard((1, 10), (2, 10)), [[[1, 2]], [[2, 1]], []])
    assert right == pytest.approx(np.log(0.9), abs=1e-4)
    assert wrong < right and none < right


def test_scores_of_several_lyrics_are_those_of_each_alone():
    emissions = heard((1, 10), (0, 3), (2, 10), (3, 10), sure=0.6)
    several = [[[1], [2, 3]], [[1, 2], [3]], [[4]], [], [[3, 2, 1]]]
    assert score(emissions, several) == pytest.approx([score(emissions, [one])[0] for one in several])


def test_a_path_is_the_best_of_all_paths():
    rng = np.random.default_rng(0)
    scores = np.log(rng.dirichlet(np.ones(4), 9)).astype(np.float32)
    emissions = Emissions(scores, FRAME, silence=0)
    gap = np.maximum(scores[:, 0], scores.max(1) - alignment.EXTRA_PRICE)
    best = max(
        sum((gap[:a].sum(), scores[a:b, 1].sum(), scores[b:c, 2].sum(), gap[c:d].sum(), scores[d:e, 3].sum(), gap[e:].sum()))
        for a in range(9) for b in range(a + 1, 9) for c in range(b + 1, 9) for d in range(c, 9) for e in range(d + 1, 10)
    )  # fmt: skip
    assert score(emissions, [[[1, 2], [3]]])[0] == pytest.approx(best / 9, abs=1e-5)


def test_a_cut_keeps_its_times():
    part = heard((0, 20), (1, 10), (0, 20)).cut(0.15, 0.4)
    assert len(part.scores) == 25
    assert times(align(part, [[1]])) == [(0.2, 0.3)]


def test_confidence_falls_with_doubt():
    sure, unsure = (align(heard((0, 5), (1, 20), (0, 5), sure=s), [[1]]).words[0] for s in (0.95, 0.5))
    assert sure is not None and unsure is not None
    assert sure.confidence == 0 and unsure.confidence == 0  # the best sound is the word's own in both
    drowned = heard((0, 5), (1, 20), (0, 5))
    drowned.scores[12] = drowned.scores[0]  # a moment of silence in the word
    found = align(drowned, [[1]]).words[0]
    assert found is not None and found.confidence < 0


def test_words_are_passed_over_as_the_cheapest_of_all_ways_says():
    rng = np.random.default_rng(1)
    for _ in range(40):
        scores = np.log(rng.dirichlet(np.full(4, 0.3), 14) + 1e-4).astype(np.float32) * 3
        emissions = Emissions(scores, FRAME, silence=0)
        words = [[1], [2, 3], [1, 2]]
        graph = alignment._graph([words], None, alignment.SKIP_PRICE)
        path = alignment._trace(alignment._emitted(emissions, graph), graph)
        sung = sorted({int(number) for number in graph.word[path] if number >= 0})
        prices = {
            chosen: 14 * score(emissions, [[words[number] for number in chosen]])[0] - alignment.SKIP_PRICE * (3 - len(chosen))
            for count in range(4)
            for chosen in itertools.combinations(range(3), count)
        }
        best = max(prices, key=lambda chosen: prices[chosen])
        assert prices[tuple(sung)] >= prices[best] - 1e-3, (sung, best)


def test_letters_with_blanks_between_are_extra_words_too():
    letters = [(5, 1), (0, 8), (6, 1), (0, 9), (7, 1), (0, 40), (1, 1), (0, 5), (2, 1), (0, 5)]
    found = align(heard((0, 10), *letters, blank=True), [[1, 2]])
    assert times(found) == [(0.7, 0.77)]
    assert [(round(start, 6), round(end, 6)) for start, end in found.extra] == [(0.1, 0.3)]


def test_blanks_of_a_word_say_nothing_of_its_confidence():
    emissions = heard((1, 2), (0, 20), (2, 2), blank=True)
    emissions.scores[5:15, 0] = np.log(0.2)  # something is heard besides
    emissions.scores[5:15, 6] = np.log(0.6)
    found = align(emissions, [[1, 2]]).words[0]
    assert found is not None and found.confidence == 0
