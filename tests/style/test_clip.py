"""Which part of a reference recording counts."""

import pytest
import torch

from jam.style.clip import clip

RATE = 100
SONG = torch.arange(1000.0).expand(2, -1)  # ten seconds


def test_the_first_seconds_are_taken_without_a_generator():
    assert torch.equal(clip(SONG, RATE, 3), SONG[:, :300])


@pytest.mark.parametrize("seconds", [10, 10.001, 30])
@pytest.mark.parametrize("random", [False, True])
def test_a_recording_that_is_not_longer_is_taken_whole(seconds, random):
    assert torch.equal(clip(SONG, RATE, seconds, torch.Generator() if random else None), SONG)


def test_a_random_piece_is_whole_and_the_same_for_the_same_seed():
    pieces = [clip(SONG, RATE, 9.98, torch.Generator().manual_seed(seed)) for seed in range(40)]
    starts = {int(piece[0, 0]) for piece in pieces}
    assert starts == {0, 1, 2}
    assert all(torch.equal(piece, SONG[:, int(piece[0, 0]) :][:, :998]) for piece in pieces)
    assert torch.equal(pieces[7], clip(SONG, RATE, 9.98, torch.Generator().manual_seed(7)))


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_at_all_is_refused(seconds):
    with pytest.raises(ValueError, match="num_style_secs"):
        clip(SONG, RATE, seconds)
