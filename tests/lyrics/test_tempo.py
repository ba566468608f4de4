"""Tempo by beat tracking, of sounds that are made here."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from jam.lyrics.tempo import folded, tempo_of


def clicks(bpm: float, first: float, rate: int, seconds: float = 12.0) -> torch.Tensor:
    """A click track (2, N)."""
    samples = torch.zeros(2, round(seconds * rate))
    click = torch.sin(torch.arange(round(0.03 * rate)) * 2 * torch.pi * 1000 / rate) * torch.linspace(1, 0, round(0.03 * rate))
    beat = first
    while beat + 0.1 < seconds:
        start = round(beat * rate)
        samples[:, start : start + len(click)] += click
        beat += 60 / bpm
    return samples


@pytest.mark.parametrize(("bpm", "rate"), [(80, 44_100), (100, 44_100), (128, 22_050)])  # librosa compiles at its first call: seconds
def test_the_tempo_of_a_click_track_is_heard_within_a_beat_a_minute_and_its_first_beat_within_a_tenth(bpm, rate):
    found, first = tempo_of(clicks(bpm, 0.5, rate), rate)
    assert found == pytest.approx(bpm, abs=1)
    offset = (first - 0.5) % (60 / bpm)
    assert min(offset, 60 / bpm - offset) < 0.1


@pytest.mark.parametrize("samples", [torch.zeros(2, 44_100 * 5), torch.zeros(2, 100), torch.zeros(2, 0)])
def test_silence_and_snippets_have_the_usual_tempo_with_a_warning(samples, caplog):
    assert tempo_of(samples, 44_100) == (100.0, 0.0)
    assert "no beat is heard" in caplog.text


def test_tempi_are_folded_into_the_usual_range():
    assert [folded(bpm) for bpm in (50, 70, 100, 140, 190, 30)] == [100, 70, 100, 140, 95, 120]


def test_one_process_at_a_time_compiles_the_beat_tracker():
    lock = Path(tempfile.gettempdir()) / f"jam-beats-{os.getuid()}.lock"
    with FileLock(lock):
        other = subprocess.Popen([sys.executable, "-c", "from jam.lyrics import tempo; tempo._librosa()"])
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(5)
    assert other.wait(120) == 0
