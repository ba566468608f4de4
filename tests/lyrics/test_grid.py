import json
from pathlib import Path

import pytest
import torch

from jam.lyrics.grid import BLANK, NO_PHONEME, fill, slots
from jam.lyrics.words import Word
from jam.timing import Span

GOLDEN = Path(__file__).parents[1] / "golden"
LYRICS = json.loads((GOLDEN / "lyrics.json").read_text(encoding="utf-8"))
FILLERS = json.loads((GOLDEN / "fillers.json").read_text(encoding="utf-8"))


def golden_ids(word: Word) -> list[int]:
    ipa = word.phoneme + "_" if word.phoneme and not word.phoneme.endswith("_") else word.phoneme
    return [LYRICS["token_ids"][symbol] for symbol in ipa if symbol in LYRICS["token_ids"]]


@pytest.mark.parametrize("case", FILLERS, ids=lambda case: f"{case['filler']}-{len(case['ids'])}-in-{case['length']}")
def test_golden_fillers_are_equal(case):
    assert case["blank_id"] == BLANK
    assert fill(case["ids"], case["length"], case["filler"]) == case["out"]


@pytest.mark.parametrize("case", LYRICS["cases"], ids=lambda c: f"{c['filler']}-of-{c['latent_frames']}-from-{c['crop_start_frame']}")
def test_golden_slots_and_time_scalars_are_equal(case):
    assert LYRICS["no_phoneme_id"] == NO_PHONEME
    span = Span(case["cropped_frames"], case["max_frames"], case["crop_start_frame"], case["latent_frames"])
    words = [Word(**word) for word in LYRICS["words"]]
    canvas = slots(words, span, golden_ids, case["filler"], case["upsample"])
    assert canvas.dtype == torch.int64
    assert canvas.tolist() == case["tokens"]
    for name in ("start_time", "duration_abs", "duration_rel"):
        assert getattr(span, name) == pytest.approx(case[name], abs=1e-6)


def test_random_durations_keep_every_token_in_order_and_fill_every_slot():
    generator = torch.Generator().manual_seed(5)
    for length in (3, 4, 10, 50):
        filled = fill([5, 6, 7], length, "random_duration", generator)
        assert len(filled) == length
        assert [token for index, token in enumerate(filled) if index == 0 or filled[index - 1] != token] == [5, 6, 7]
    assert fill([5, 6, 7], 2, "random_duration", generator) == [5, 6]


def test_random_durations_follow_their_generator():
    drawn = [fill([5, 6, 7], 40, "random_duration", torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(ValueError, match=r"torch\.Generator"):
        fill([5, 6], 4, "random_duration")


def test_an_unknown_filler_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown filler 'spread'; choose one of average_sparse"):
        fill([5], 4, "spread")


def test_no_words_leave_the_canvas_without_phonemes():
    assert slots([], Span(3, 5), golden_ids).tolist() == [NO_PHONEME] * 20


def test_slots_of_other_sizes_follow_slots_per_frame():
    assert slots([Word(0.0, 1.0, phoneme="s")], Span(30, 30), golden_ids, slots_per_frame=2).shape == (60,)
