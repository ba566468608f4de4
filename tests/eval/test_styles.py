"""Style, on songs of known tempo and key, and by the embedded encoder."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from jam import assets, audio
from jam.eval import styles
from jam.eval.benchmark import Item
from jam.song import load_style

RATE = 44_100
CLIPS = Path(__file__).resolve().parents[2] / "inputs" / "clips"
GENRES = ("pop", "folk", "electronic", "hip-hop")


@pytest.fixture(scope="module")
def encoder():
    if not (assets.BUNDLE / "style.safetensors").is_file():
        pytest.skip("the embedded style encoder is not built")
    return load_style("nano", None, torch.device("cpu"))


def clicks(bpm: float, seconds: float = 12.0) -> Tensor:
    """A short noise at every beat, and a low tone at every fourth: (2, N)."""
    song = torch.zeros(round(seconds * RATE))
    burst = 0.5 * torch.randn(2000, generator=torch.Generator().manual_seed(0)) * torch.exp(-torch.arange(2000) / 300)
    for beat in range(int(seconds * bpm / 60)):
        start = round(beat * 60 / bpm * RATE)
        song[start : start + 2000] += burst[: len(song) - start] * (1.0 if beat % 4 else 1.5)
    return song.expand(2, -1)


def tones(pitches: list[int], seconds: float = 2.0) -> Tensor:
    """A chord of MIDI numbers, (2, N)."""
    clock = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return (0.1 * sum(torch.sin(2 * math.pi * 440 * 2 ** ((p - 69) / 12) * clock) for p in pitches)).float().expand(2, -1)


C_MAJOR = torch.cat([tones([48, 64, 67]), tones([53, 65, 69]), tones([55, 62, 71]), tones([48, 64, 67])], 1)


def values(samples: Tensor, item: Item, encoder=None, genres=()) -> dict[str, float]:
    found = styles.measure(samples, item, encoder, "nano", genres)
    assert {name.partition("@")[0] for name in found} <= {measure.name for measure in styles.MEASURES}
    return {name.removeprefix("style."): value.value for name, value in found.items()}


@pytest.mark.parametrize("bpm", [72, 90, 100, 120, 138])
def test_a_click_track_agrees_with_its_tempo_and_with_no_other(bpm):
    song = clicks(bpm)
    assert values(song, Item("a", bpm=bpm * 1.02)) == {"tempo": 100, "tempo_multiple": 100}
    assert values(song, Item("a", bpm=bpm * 1.15)) == {"tempo": 0, "tempo_multiple": 0}


def test_tempi_are_counted_in_one_octave():
    assert values(clicks(80), Item("a", bpm=160)) == {"tempo": 100, "tempo_multiple": 100}


@pytest.mark.parametrize(
    ("heard", "asked", "once", "multiples"),
    [(100, 104, True, True), (100, 104.3, False, False), (100, 95.9, False, False), (138, 70.5, True, True), (100, 50, True, True),
     (100, 300, False, True), (100, 33.4, False, True), (100, 150, False, True), (100, 125, False, False)],
)  # fmt: skip
def test_tempi_agree_within_four_parts_of_a_hundred_whatever_the_octave(heard, asked, once, multiples):
    assert styles.tempi_agree(heard, asked) == once
    assert styles.tempi_agree(heard, asked, styles.MULTIPLES) == multiples


@pytest.mark.parametrize(("multiples", "parts", "told"), [((1,), 9, "one tempo in nine"), (styles.MULTIPLES, 3, "one tempo in three")])
def test_tempi_agree_by_chance_as_often_as_is_told(multiples, parts, told):
    tempi = [70 * 2 ** (step / 200) for step in range(200)]
    agreeing = [styles.tempi_agree(heard, asked, multiples) for heard in tempi for asked in tempi]
    assert round(len(agreeing) / sum(agreeing)) == parts
    name = "style.tempo" if multiples == (1,) else "style.tempo_multiple"
    assert told in next(measure.limits for measure in styles.MEASURES if measure.name == name)


def test_a_song_without_a_beat_has_no_tempo_to_agree():
    assert values(torch.zeros(2, 5 * RATE), Item("a", bpm=100, key="C")) == {}


@pytest.mark.parametrize(("key", "score"), [("C major", 100), ("F", 50), ("Am", 30), ("Cm", 20), ("E", 0)])
def test_a_song_in_c_is_held_against_the_key_asked_for(key, score):
    assert values(C_MAJOR, Item("a", key=key))["key"] == score


def test_tempo_and_key_are_those_of_the_reference_where_none_is_written(tmp_path):
    reference = audio.write(tmp_path / "true.wav", clicks(110)[:, : C_MAJOR.shape[1]] + C_MAJOR)
    assert values(clicks(110), Item("a", reference=reference))["tempo"] == 100
    assert values(C_MAJOR, Item("a", reference=reference))["key"] == 100
    assert values(C_MAJOR, Item("a", reference=reference, key="E"))["key"] == 0


def test_the_tempo_is_that_of_the_style_clip_where_there_is_nothing_else(tmp_path):
    style = audio.write(tmp_path / "style.wav", clicks(84))
    found = values(clicks(84), Item("a", style_audio=style))
    assert found == {"tempo": 100, "tempo_multiple": 100}  # no key: a style does not ask for one


def test_a_key_that_is_none_is_told_with_its_place():
    with pytest.raises(ValueError, match="songs.jsonl, item 3: key 'H' is not one we know"):
        values(C_MAJOR, Item("a", key="H", source="songs.jsonl, item 3"))


def test_a_clip_that_is_missing_is_told(encoder):
    with pytest.raises(ValueError, match="no such audio file"):
        values(C_MAJOR, Item("a", style_audio=Path("/nowhere/clip.wav"), bpm=100), encoder)


def test_a_clip_that_is_too_short_is_told_by_its_file(tmp_path, encoder):
    audio.write(tmp_path / "blip.wav", torch.full((2, 4410), 0.1))
    with pytest.raises(ValueError, match=r"blip\.wav: .*too short"):
        styles.measure(torch.full((2, 88200), 0.1), Item("a", style_audio=tmp_path / "blip.wav", bpm=100), encoder, "nano")


def test_a_clip_is_itself_and_less_like_the_others(encoder):
    paths = {genre: CLIPS / f"{genre}.flac" for genre in GENRES}
    for genre, path in paths.items():
        song, rate = audio.read(path)
        near = {other: values(song, Item("a", style_audio=paths[other], key="C"), encoder)["audio@nano"] for other in GENRES}
        assert rate == RATE
        assert near[genre] == pytest.approx(1, abs=1e-5)
        assert max(value for other, value in near.items() if other != genre) < 0.99


@pytest.mark.parametrize("genre", ["pop", "electronic", "hip-hop"])  # the folk clip is sung alone, which the encoder hears first
def test_clips_are_nearest_to_their_genres_and_descriptions(encoder, genre):
    song, _ = audio.read(CLIPS / f"{genre}.flac")
    found = {other: values(song, Item("a", style=f"{other} song", genre=other, key="C"), encoder, GENRES) for other in GENRES}
    assert {other: told["genre@nano"] for other, told in found.items()} == {other: 100.0 * (other == genre) for other in GENRES}
    assert max(GENRES, key=lambda other: found[other]["text@nano"]) == genre


def test_genres_that_the_encoder_does_not_tell_apart_are_left_out(encoder):
    song, _ = audio.read(CLIPS / "pop.flac")
    assert "genre@nano" not in values(song, Item("a", genre="zydeco"), encoder, ("zydeco", "polka"))
    assert "genre@nano" not in values(song, Item("a", genre="pop"), encoder, ("pop",))
    assert "genre@nano" not in values(song, Item("a"), encoder, GENRES)


def test_a_moment_too_short_for_the_encoder_is_left_out(encoder):
    assert values(C_MAJOR[:, : RATE // 4], Item("a", style="pop"), encoder) == {}
