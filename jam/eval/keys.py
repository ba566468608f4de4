"""The key of a recording: what pitch classes sound, and which of the 24 keys they fit best. It knows no files and no network.

A key that changes within a song is told as one; music without a key has a low strength.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jam.timing import SAMPLE_RATE

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHIFTS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1, "sharp": 1, "flat": -1}
MODES = {word: "minor" for word in ("m", "min", "minor", "aeolian")} | {word: "major" for word in ("", "M", "maj", "major", "ionian")}
WRITTEN = re.compile(r"\s*([A-Ga-g])[-\s]*([Ss]harp|[Ff]lat|[#♯b♭]|)[-:\s]*([A-Za-z]*)\s*")
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)  # Krumhansl and Kessler 1982, from the tonic up
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
FIFTH, RELATIVE, PARALLEL = 0.5, 0.3, 0.2  # what MIREX gives for keys that are near
WINDOW, HOP = 16_384, 8_192  # samples of a spectrum (2.7 Hz a bin)
LOWEST, HIGHEST = 33, 93  # MIDI numbers that are heard: 55 to 1760 Hz
A4 = 440.0  # Hz, MIDI 69
AUDIBLE = 0.03  # of the greatest magnitude of a moment: what is fainter is no peak
SILENT = 1e-5  # full scale


class Key(NamedTuple):
    """A key: its tonic (0 is C, 11 is B), whether it is minor, and how well it fits (a correlation, 1 at the most; 1 for a named key)."""

    tonic: int
    minor: bool
    strength: float = 1.0

    def __str__(self) -> str:
        return f"{NAMES[self.tonic]} {'minor' if self.minor else 'major'}"


def key_of(samples: Tensor) -> Key | None:
    """The key of `samples` (channels, N) at 44.1 kHz, by its pitch classes' correlation with Krumhansl's profiles; None of silence."""
    return best(chroma(samples))


def best(heard: np.ndarray) -> Key | None:
    """The key whose profile correlates best with the pitch classes `heard` (12,); None where all are alike."""
    if not heard.std() > 1e-9 * abs(heard.mean()):
        return None
    fits = _profiles() @ (heard - heard.mean()) / np.linalg.norm(heard - heard.mean())
    place = int(fits.argmax())
    return Key(place % 12, place >= 12, float(fits[place]))


def named(text: str) -> Key:
    """The key that is written as C major, F# minor, Bbm, a-flat minor or G. Raises ValueError for anything else."""
    found = WRITTEN.fullmatch(text)
    mode = MODES.get(found[3] if found and found[3] == "M" else found[3].lower()) if found else None
    if found is None or mode is None:
        raise ValueError(f"key {text!r} is not one we know; write it as C major, F# minor or Bbm")
    return Key((LETTERS[found[1].upper()] + SHIFTS[found[2].lower()]) % 12, mode == "minor")


def agreement(heard: Key, asked: Key) -> float:
    """How near `heard` is to `asked`, as MIREX scores: 1 the same, 0.5 a fifth above, 0.3 relative, 0.2 parallel, else 0."""
    above = (heard.tonic - asked.tonic) % 12
    if heard.minor == asked.minor:
        return {0: 1.0, 7: FIFTH}.get(above, 0.0)
    if above == 0:
        return PARALLEL
    return RELATIVE if above == (9 if heard.minor else 3) else 0.0


def chroma(samples: Tensor) -> np.ndarray:
    """How much each pitch class (12,), from C on, sounds in `samples` (channels, N) at 44.1 kHz.

    The peaks of each spectrum between 55 and 1760 Hz count by the roots of their magnitudes, at the pitch classes of the song's own
    tuning; each moment counts by the root of its loudest class.
    """
    mono = samples.float().mean(0)
    if not mono.abs().max() > SILENT:
        return np.zeros(12)
    moments, weights, pitches = _peaks(mono)
    tuning = np.angle((weights**2 * np.exp(2j * np.pi * pitches)).sum()) / (2 * np.pi)  # semitones above the concert pitch
    heard = np.zeros((moments.max(initial=0) + 1, 12))
    np.add.at(heard, (moments, np.round(pitches - tuning).astype(int) % 12), weights)
    return (heard / np.sqrt(heard.max(1, keepdims=True) + 1e-9)).sum(0)


def _peaks(mono: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All spectral peaks of `mono` (N,): at which spectrum each stands, its weight, and its MIDI number with a part, (n,) each."""
    mono = torch.nn.functional.pad(mono, (WINDOW // 2, WINDOW // 2))
    spectra = torch.stft(mono, WINDOW, HOP, window=torch.hann_window(WINDOW), center=False, return_complex=True).abs().T.numpy()
    hertz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    low, high = np.searchsorted(hertz, A4 * 2 ** ((np.array([LOWEST, HIGHEST]) - 69) / 12))
    here, left, right = spectra[:, low:high], spectra[:, low - 1 : high - 1], spectra[:, low + 1 : high + 1]
    audible = here >= AUDIBLE * here.max(1, keepdims=True)
    rows, bins = np.nonzero((here > left) & (here >= right) & audible)
    below, top, above = (np.log(part[rows, bins] + 1e-12) for part in (left, here, right))
    bend = np.minimum(below - 2 * top + above, -1e-9)
    places = bins + low + 0.5 * (below - above) / bend  # the top of the parabola through three bins
    return rows, np.sqrt(here[rows, bins]), 69 + 12 * np.log2(places * SAMPLE_RATE / WINDOW / A4)


@functools.cache
def _profiles() -> np.ndarray:
    """The profiles of the 24 keys (24, 12), major ones first, each of mean 0 and length 1."""
    rows = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    rows -= rows.mean(1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
