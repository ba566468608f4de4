"""Duration control, on songs whose beginnings and ends are known."""

import math

import pytest
import torch
from torch import Tensor

from jam.eval import lengths

RATE = 44_100


def silence(seconds: float) -> Tensor:
    return torch.zeros(2, round(seconds * RATE))


def values(*given, **named) -> dict[str, float]:
    found = lengths.measure(*given, **named)
    assert set(found) <= {measure.name for measure in lengths.MEASURES}
    assert all(math.isfinite(value.value) for value in found.values())
    return {name.removeprefix("duration."): value.value for name, value in found.items()}


def test_a_song_that_starts_and_ends_when_asked_has_no_errors(tone):
    found = values(torch.cat([tone(440, 3.0), silence(1.0)], 1), asked=4.0, first_word=0.5)
    assert found["length_error"] == found["late_end"] == found["lead_in"] == found["late_start"] == 0
    assert found["silence_end"] == pytest.approx(1.0, abs=0.01)
    assert found["cut_off"] == lengths.FLOOR
    assert "tail" not in found


@pytest.mark.parametrize("more", [0.5, 2.345, 7.0])
def test_sound_that_goes_on_after_the_end_is_caught_for_as_long_as_it_lasts(tone, more):
    found = values(torch.cat([tone(440, 5.003), tone(330, more), silence(0.7)], 1), asked=5.003)
    assert found["late_end"] == pytest.approx(more, abs=0.011)
    assert found["length_error"] == pytest.approx(more + 0.7, abs=1e-4)
    assert found["tail"] == pytest.approx(10 * math.log10(more / (more + 0.7)), abs=0.01)


@pytest.mark.parametrize("decibels", [-6.0, -20.0, -36.0, -55.0])
def test_the_tail_is_told_in_decibels_against_the_song(tone, decibels):
    song = torch.cat([tone(440, 4.0), tone(440, 2.0) * 10 ** (decibels / 20)], 1)
    found = values(song, asked=4.0)
    assert found["tail"] == pytest.approx(decibels, abs=0.01)
    assert found["late_end"] == (pytest.approx(2.0, abs=0.01) if decibels > lengths.SOUNDING else 0)


def test_the_level_of_a_song_does_not_fall_with_the_rests_in_it(tone):
    with_rests = torch.cat([tone(440, 1.0), silence(6.0), tone(440, 1.0), tone(440, 1.0) * 0.1], 1)
    assert values(with_rests, asked=8.0)["tail"] == pytest.approx(-20, abs=0.01)


def test_silence_after_the_end_is_the_floor_and_no_late_end(tone):
    found = values(torch.cat([tone(440, 4.0), silence(2.0)], 1), asked=4.0)
    assert (found["tail"], found["late_end"], found["length_error"]) == (lengths.FLOOR, 0, pytest.approx(2.0))


def test_what_follows_is_heard_in_the_whole_canvas_where_it_was_kept(tone):
    whole = torch.cat([tone(440, 4.0), tone(440, 1.5)], 1)
    cut = whole[:, : 4 * RATE]
    assert values(cut, asked=4.0)["late_end"] == 0
    found = values(cut, asked=4.0, whole=whole)
    assert found["late_end"] == pytest.approx(1.5, abs=0.01)
    assert found["tail"] == pytest.approx(0, abs=0.01)
    assert found["length_error"] == 0


def test_silence_at_the_start_is_measured_and_held_against_the_first_word(tone):
    song = torch.cat([silence(1.25), tone(440, 3.0)], 1)
    assert values(song)["lead_in"] == pytest.approx(1.25, abs=0.01)
    assert values(song, first_word=0.75)["late_start"] == pytest.approx(0.5, abs=0.01)
    assert values(song, first_word=1.5)["late_start"] == 0


def test_a_song_that_stops_in_full_sound_is_told_from_one_that_fades(tone):
    song = tone(440, 4.0)
    fading = song * torch.linspace(1, 0, 4 * RATE).clamp(max=0.5)
    assert values(song)["cut_off"] == pytest.approx(0, abs=0.01)
    assert values(fading)["cut_off"] < -30


def test_a_file_that_is_too_short_has_its_length_error_and_no_tail(tone):
    found = values(tone(440, 3.0), asked=5.0)
    assert found["length_error"] == pytest.approx(2.0)
    assert found["late_end"] == 0
    assert "tail" not in found


def test_of_silence_only_lengths_are_told():
    assert values(silence(3.0), asked=2.0, first_word=1.0) == {
        "length_error": 1.0, "lead_in": 3.0, "late_start": 2.0, "silence_end": 3.0,
    }  # fmt: skip


def test_what_was_not_asked_is_left_out(tone):
    assert set(values(tone(440, 1.0))) == {"lead_in", "silence_end", "cut_off"}


@pytest.mark.parametrize("count", [1, 3, 440, 442])
def test_songs_of_a_moment_are_measured(count):
    found = values(torch.full((2, count), 0.5), asked=1.0)
    assert found["cut_off"] == pytest.approx(0, abs=0.01)
    assert found["silence_end"] == 0


def test_a_quiet_song_is_measured_like_a_loud_one(tone):
    song = torch.cat([silence(0.5), tone(440, 3.0), tone(220, 1.0) * 0.3, silence(0.5)], 1)
    loud, quiet = values(song, asked=3.5), values(song * 0.01, asked=3.5)
    assert quiet == pytest.approx(loud, abs=1e-3)
