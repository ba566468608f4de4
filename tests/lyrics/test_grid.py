import json
from pathlib import Path
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jam.lyrics.grid import BLANK, END, NO_PHONEME, Filler, fill, slots
from jam.lyrics.words import Phone, Word
from jam.timing import Span, seconds_to_slot

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


SLOT = 2048 / 44100 / 4  # seconds


def row(words: list[Word], filler: Filler = "average_sparse", frames: int = 4, **crop: int) -> list[int]:
    return slots(words, Span(frames, frames, **crop), golden_ids, filler, generator=torch.Generator().manual_seed(1)).tolist()


def phoned(*phones: tuple[float, float, str], start: float = 1, end: float = 13) -> Word:
    """A word whose times, and its phones', are in slots, a little later so that truncation finds them."""
    return Word(
        (start + 0.1) * SLOT,
        (end + 0.1) * SLOT,
        "word",
        None,
        None,
        tuple(Phone((a + 0.1) * SLOT, (b + 0.1) * SLOT, p) for a, b, p in phones),
    )


def test_phones_are_placed_by_their_own_times_and_the_word_ends_in_its_last_slot():
    s, i, n = (LYRICS["token_ids"][symbol] for symbol in "sɪn")
    word = phoned((1, 3, "s"), (3, 8, "ɪ"), (9, 12, "n"))
    assert row([word]) == [63, s, 62, i, 62, 62, 62, 62, 62, n, 62, 62, END, 63, 63, 63]
    assert row([word], "average_repeat") == [63, s, s, i, i, i, i, i, 62, n, n, n, END, 63, 63, 63]


def test_a_last_phone_gives_up_its_last_slot_only_where_it_keeps_another():
    s, i = (LYRICS["token_ids"][symbol] for symbol in "sɪ")
    assert row([phoned((1, 3, "s"), (3, 5, "ɪ"), end=5)], "average_repeat")[:6] == [63, s, s, i, END, 63]
    assert row([phoned((1, 3, "s"), (3, 4, "ɪ"), end=4)], "average_repeat")[:6] == [63, s, s, i, 63, 63]


def test_a_phone_of_several_symbols_shares_its_slots_by_the_filler():
    o, u = (LYRICS["token_ids"][symbol] for symbol in "oʊ")
    assert row([phoned((1, 5, "oʊ"), end=6)])[:7] == [63, o, 62, u, 62, END, 63]


def test_phones_without_tokens_write_nothing():
    assert row([phoned((1, 5, "☃"))]) == [63] * 16


def test_phones_are_cropped_with_the_song():
    word = phoned((1, 3, "s"), (3, 8, "ɪ"), (9, 12, "n"))
    whole = row([word])
    cropped = slots([word], Span(3, 3, start_frame=1, song_frames=4), golden_ids).tolist()
    assert cropped[4:] == whole[8:]
    assert cropped[0] == LYRICS["token_ids"]["ɪ"]  # what is left of a phone is filled anew, as words are


@given(
    st.lists(st.floats(0, 0.5), min_size=2, max_size=12).map(sorted),
    st.lists(st.sampled_from(["s", "ɪ", "oʊ", "n"]), min_size=6, max_size=6),
    st.sampled_from(get_args(Filler)),
)
def test_every_phone_sounds_within_its_own_times(times, sounds, filler):
    phones = tuple(Phone(a, b, p) for a, b, p in zip(times[::2], times[1::2], sounds, strict=False))
    word = Word(times[0], phones[-1].end, "word", phones=phones)
    found = row([word], filler, frames=12)
    last = seconds_to_slot(word.end) - 1
    inside = {slot: phone for phone in phones for slot in range(seconds_to_slot(phone.start), seconds_to_slot(phone.end))}
    for slot, token in enumerate(found):
        if token not in (BLANK, NO_PHONEME) and not (token == END and slot == last):
            assert token in golden_ids(Word(0, 1, phoneme=inside[slot].phoneme))
    for phone in phones:
        first = seconds_to_slot(phone.start)
        if seconds_to_slot(phone.end) > first:
            assert found[first] == golden_ids(Word(0, 1, phoneme=phone.phoneme))[0]
