"""The tempo of a recording by beat tracking: the door to librosa. Knows no lyrics and no files."""

from __future__ import annotations

import functools
import logging
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

RATE = 22_050  # Hz at which beats are tracked
UNHEARD = (100.0, 0.0)  # beats a minute and first beat where no beat is heard
RANGE = (70.0, 140.0)  # beats a minute; slower and faster ones are counted double and half
FEWEST = 4  # beats that make a tempo
SHORTEST = 2.0  # seconds


def tempo_of(samples: Tensor, rate: int) -> tuple[float, float]:
    """Beats a minute, and the first beat in seconds, of `samples` (channels, N) at `rate` Hz.

    By librosa's beat tracker (Ellis 2007, "Beat Tracking by Dynamic Programming"), the tempo refined by the mean distance of its beats.
    Where no beat is heard, in silence or in less than 2 s, the answer is 100 bpm and 0 s, with a warning.
    """
    import numpy as np

    librosa = _librosa()
    mono = samples.mean(0).double().cpu().numpy()
    if mono.size < SHORTEST * rate or not np.abs(mono).max() > 0:
        return _unheard()
    mono = librosa.resample(mono, orig_sr=rate, target_sr=RATE, res_type="polyphase") if rate != RATE else mono
    _, beats = librosa.beat.beat_track(y=mono, sr=RATE, units="time")
    if len(beats) < FEWEST:
        return _unheard()
    distance, first = np.polyfit(np.arange(len(beats)), beats, 1)  # seconds: a beat, and the first of them, by all beats together
    return folded(60.0 / float(distance)), round(float(first % distance), 3)


@functools.cache
def _librosa() -> Any:
    """librosa, its beat tracker compiled. One process at a time does it: several at once spoil numba's cache on the disk, and crash."""
    from filelock import FileLock

    owner = os.getuid() if hasattr(os, "getuid") else "all"
    with FileLock(Path(tempfile.gettempdir()) / f"jam-beats-{owner}.lock"):
        import librosa
        import numpy as np

        clicks = np.zeros(4 * RATE)
        clicks[:: RATE // 2] = 1.0
        librosa.beat.beat_track(y=clicks, sr=RATE, units="time")
    return librosa


def folded(bpm: float) -> float:
    """A tempo within the usual range, doubled or halved as often as needed, to a tenth."""
    low, high = RANGE
    while bpm < low:
        bpm *= 2
    while bpm > high:
        bpm /= 2
    assert math.isfinite(bpm), bpm
    return round(bpm, 1)


def _unheard() -> tuple[float, float]:
    logger.warning("no beat is heard in the clip; %g beats a minute are taken", UNHEARD[0])
    return UNHEARD
