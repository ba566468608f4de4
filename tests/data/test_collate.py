"""Batches: songs on one canvas, of which a part may be seen."""

import torch

from jam.conditions import Conditions
from jam.data.collate import Batch, pad
from jam.flow import draw
from jam.timing import SLOTS_PER_FRAME, Span, frames_to_seconds


def batch(frames: tuple[int, ...] = (10, 30), canvas: int = 40) -> Batch:
    latents = [torch.randn(count, 4, generator=torch.Generator().manual_seed(count)) for count in frames]
    rows = [Conditions.single(torch.arange(canvas * SLOTS_PER_FRAME), torch.zeros(512), Span(count, canvas)) for count in frames]
    names = tuple(map(str, frames))
    return Batch(names, pad(latents, torch.full((4,), 9.0), canvas), Conditions.cat(rows), frames_to_seconds(sum(frames)), names)


def test_songs_are_continued_with_silence():
    x_1 = batch().x_1
    assert x_1.shape == (2, 40, 4)
    assert (x_1[0, 10:] == 9).all() and (x_1[1, 30:] == 9).all() and not (x_1[1, :30] == 9).any()


def test_a_part_of_the_canvas_is_its_first_frames_and_nothing_else_changes():
    whole = batch()
    part = whole.cut(16)
    assert torch.equal(part.x_1, whole.x_1[:, :16])
    assert torch.equal(part.conditions.slots, whole.conditions.slots[:, : 16 * SLOTS_PER_FRAME])
    assert torch.equal(part.conditions.duration_rel, whole.conditions.duration_rel) and part.draws == whole.draws
    assert part.seconds == frames_to_seconds(10 + 16)
    assert whole.cut(40) is whole


def test_a_song_has_the_same_noise_on_a_part_of_the_canvas():
    part, whole = draw(("a", "b"), 16, 4), draw(("a", "b"), 40, 4)
    assert torch.equal(part.x_0, whole.x_0[:, :16]) and torch.equal(part.t, whole.t) and torch.equal(part.drop, whole.drop)
