"""The only crop: a stored song becomes an example with the latents, style and words of one place."""

import io
import pickle
from pathlib import Path

import pytest
import torch

from jam.conditions import Conditions
from jam.data.collate import collate
from jam.data.example import CropSettings, Recording, decode, draw_latents, make_example
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
    batch = collate(examples, torch.full((64,), -7.0), 24, ["0:0:k", "0:1:k"])
    assert batch.x_1.shape == (2, 24, 64)
    assert batch.x_1[0, 10:].eq(-7).all() and batch.x_1[0, 9, 0] == 9 and not batch.x_1[1].eq(-7).any()
    assert batch.seconds == pytest.approx(frames_to_seconds(34))
    assert (len(batch), batch.keys, batch.draws) == (2, ("k", "k"), ("0:0:k", "0:1:k"))
    assert batch.to("meta").x_1.is_meta and batch.to("meta").draws == batch.draws


@pytest.mark.parametrize(
    ("latent", "said"),
    [
        (torch.zeros(64, 9), r"latent.pt is \[64, 9\] instead of \[128, frames\]"),
        (torch.zeros(128, 0), "instead of"),
        (torch.full((128, 9), torch.nan), "not finite"),
    ],
)
def test_broken_latents_are_refused_by_name(latent, said):
    with pytest.raises(ValueError, match=said):
        make_example(Recording("k", latent, torch.eye(512)[:1], ()), CropSettings(max_frames=16), ids_of, drawn())


def test_a_style_that_a_song_lacks_is_named():
    with pytest.raises(ValueError, match="has 3 styles, none of index 3; change always_use_style_index"):
        make_example(recording(), CropSettings(max_frames=16, always_use_style_index=3), ids_of, drawn())


def stored(song, **parts) -> dict:
    return {"__key__": "k"} | {name.partition(".")[2]: data for name, data in song("k", **parts).items()}


def test_a_stored_song_has_words_and_any_number_of_styles(song):
    assert decode(stored(song)).styles.shape == (1, 512)
    many = decode(stored(song, **{"style.pt": torch.ones(3, 512, dtype=torch.float16)}))
    assert many.styles.shape == (3, 512) and many.styles.dtype == torch.float32
    assert many.words == (Word(0.0, 0.2, "la", "la"),) and many.latent.shape == (128, 12)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"style.pt": None, "json": None}, "has no style.pt, json"),
        ({"style.pt": torch.zeros(7)}, r"style.pt is \[7\]"),
        ({"style.pt": torch.zeros(0, 512)}, r"style.pt is \[0, 512\]"),
        ({"style.pt": torch.full((512,), torch.inf)}, "not finite"),
        ({"style.pt": torch.tensor(1.0)}, r"style.pt is \[\]"),
        ({"latent.pt": b"broken"}, "latent.pt: is not a readable tensor"),
        ({"latent.pt": torch.zeros(128, 4, dtype=torch.complex64)}, "latent.pt: holds a tensor that is not of plain numbers"),
        ({"latent.pt": torch.zeros(128, 4).to_sparse()}, "not of plain numbers"),
        ({"json": b"{"}, "json cannot be read"),
        ({"json": b"[" * 100_000}, "json cannot be read"),
        ({"json": b"\xff"}, "json cannot be read"),
        ({"json": {"word": [{"start": 2, "end": 1, "word": "x"}]}}, "word 1"),
        ({"json": {"words": []}}, "has no 'word' list"),
    ],
)
def test_a_broken_song_is_refused_with_what_is_wrong(song, parts, said):
    with pytest.raises(ValueError, match=said) as error:
        decode(stored(song, **parts))
    assert "\n" not in str(error.value)


def test_no_damage_to_a_tensor_is_more_than_a_refusal(song):
    whole = stored(song, frames=3)
    draw = torch.Generator().manual_seed(0)
    for _ in range(300):
        content = bytearray(whole["style.pt"])
        at, value = torch.randint(min(900, len(content)), (1,), generator=draw), torch.randint(256, (1,), generator=draw)
        content[int(at)] = int(value)
        try:
            decode(whole | {"style.pt": bytes(content)})
        except ValueError as error:
            assert "style.pt" in str(error)


def test_a_tensor_that_hides_code_is_refused(song, tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    for save in (pickle.dumps, saved):
        with pytest.raises(ValueError, match="not a readable tensor"):
            decode(stored(song, **{"latent.pt": save(Evil())}))
    assert not (tmp_path / "ran").exists()


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()
