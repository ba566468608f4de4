"""The only crop: a stored song becomes an example with the latents, style and words of one place."""

import pytest
import torch

from jam.conditions import Conditions
from jam.data.collate import collate
from jam.data.example import CropSettings, Recording, draw_latents, make_example
from jam.lyrics.grid import slots
from jam.lyrics.words import Word
from jam.timing import Span, frames_to_seconds

WORDS = (Word(0.1, 0.6, "moon", "ab"), Word(0.8, 1.4, "river", "ba"))


def ids_of(word: Word) -> list[int]:
    return [ord(letter) - ord("a") + 3 for letter in word.phoneme or ""]


def recording(frames: int = 40, deviation: float = 0.0) -> Recording:
    mean = torch.arange(frames).expand(64, -1).float()  # the value of a frame is its number
    return Recording("k", torch.cat([mean, torch.full_like(mean, deviation)]), torch.eye(512)[:3], WORDS)


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_song_that_fits_is_taken_whole():
    example = make_example(recording(), CropSettings(max_frames=64), ids_of, drawn())
    assert example.latents[:, 0].tolist() == list(range(40))
    assert float(example.conditions.start_time) == 0


def test_a_crop_has_the_words_and_the_start_of_its_place():
    for seed in range(5):
        example = make_example(recording(), CropSettings(max_frames=16), ids_of, drawn(seed))
        start = int(example.latents[0, 0])
        span = Span(16, 16, start, 40)
        assert example.latents[:, 5].tolist() == list(range(start, start + 16))
        assert torch.equal(example.conditions.slots[0], slots(WORDS, span, ids_of))
        assert float(example.conditions.start_time) == pytest.approx(start / 40)


def test_crops_from_the_beginning_start_there_and_a_style_index_is_obeyed():
    settings = CropSettings(max_frames=16, always_crop_from_beginning=True, always_use_style_index=2)
    for seed in range(3):
        example = make_example(recording(), settings, ids_of, drawn(seed))
        assert example.latents[0, 0] == 0
        assert torch.equal(example.conditions.style[0], torch.eye(512)[2])


def test_every_style_of_a_song_is_drawn_sometime():
    crop = CropSettings(max_frames=64)
    styles = {int(make_example(recording(), crop, ids_of, drawn(s)).conditions.style.argmax()) for s in range(30)}
    assert styles == {0, 1, 2}


def test_latents_are_drawn_with_the_stored_mean_and_deviation():
    latent = torch.cat([torch.full((64, 4000), 2.0), torch.full((64, 4000), 0.5)])
    drawn_latents = draw_latents(latent, drawn())
    assert drawn_latents.shape == (4000, 64)
    assert float(drawn_latents.mean()) == pytest.approx(2.0, abs=0.01)
    assert float(drawn_latents.std()) == pytest.approx(0.5, abs=0.01)


def test_a_stored_song_and_a_requested_one_with_the_same_words_have_equal_conditions():
    stored = make_example(recording(), CropSettings(max_frames=64, always_use_style_index=0), ids_of, drawn()).conditions
    span = Span(40, 64)
    asked = Conditions.single(slots(WORDS, span, ids_of), torch.eye(512)[0], span)
    assert all(torch.equal(getattr(stored, name), getattr(asked, name)) for name in ("slots", "style", "duration_abs", "duration_rel"))


def test_short_songs_go_on_in_silence():
    examples = [make_example(recording(frames), CropSettings(max_frames=24), ids_of, drawn()) for frames in (10, 24)]
    batch = collate(examples, torch.full((64,), -7.0), 24)
    assert batch.x_1.shape == (2, 24, 64)
    assert batch.x_1[0, 10:].eq(-7).all() and batch.x_1[0, 9, 0] == 9 and not batch.x_1[1].eq(-7).any()
    assert batch.seconds == pytest.approx(frames_to_seconds(34))


@pytest.mark.parametrize(
    ("latent", "said"),
    [
        (torch.zeros(64, 9), r"latent.pt is \[64, 9\] instead of \[128, frames\]"),
        (torch.zeros(128, 0), "instead of"),
        (torch.full((128, 9), torch.nan), "not finite"),
    ],
)
def test_broken_latents_are_refused_by_name(latent, said):
    with pytest.raises(ValueError, match=f"k: .*{said}"):
        make_example(Recording("k", latent, torch.eye(512)[:1], ()), CropSettings(max_frames=16), ids_of, drawn())
