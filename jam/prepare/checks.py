"""What signal processing tells of a recording before anything is learned from it: level, silence, faults, bandwidth. It rejects nothing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from jam import audio
from jam.eval.sound import FULL_SCALE, clipping
from jam.prepare.decoding import Decoded
from jam.prepare.records import Facts
from jam.timing import SAMPLE_RATE

WINDOW = 0.05  # seconds in which silence is looked for
SILENT = 10 ** (-60 / 20)  # root mean square, of full scale 1, below which a window is silent
MONO = 1e-6  # share of the energy that lies in the difference of channels that are equal, as lossy coding leaves it (-60 dB)
SPECTRUM = 2048  # samples
LOUD = 30.0  # dB under the loudest spectrum down to which spectra are looked at: others may be noise of rounding
OFTEN = 0.95  # quantile over spectra
FLOOR = 50.0  # dB under the greatest of a spectrum's bands down to which there is something to speak of
BAND = 8  # bins of a band, 172 Hz
QUIETEST = 1e-12  # a power below which all is nothing


def facts(decoded: Decoded, samples44: Tensor, damage: str | None = None) -> Facts:
    """What there is to say of a recording; `samples44` (2, N) are its samples at 44.1 kHz, `damage` what is wrong with its file."""
    samples = decoded.samples
    peak = max(float(samples.max()), -float(samples.min()))
    is_silent = _silent(samples, decoded.rate)  # (windows,)
    loudness = audio.loudness(samples44) if bool(samples.any()) else -math.inf
    return Facts(
        seconds=decoded.seconds,
        rate=decoded.rate,
        channels=decoded.channels,
        format=decoded.format,
        peak=peak,
        loudness=loudness if math.isfinite(loudness) else None,
        silence=float(is_silent.double().mean()),
        longest_silence=min(_longest(is_silent) * WINDOW, decoded.seconds),
        clipping=clipping(samples) if peak >= FULL_SCALE else 0.0,
        offset=100 * float(samples.mean(1, dtype=torch.float64).abs().max()),
        is_mono=_is_mono(samples),
        bandwidth=min(bandwidth(samples44), decoded.rate / 2),
        damage=damage,
    )


def bandwidth(samples44: Tensor) -> float:
    """Hz up to which `samples44` (2, N) at 44.1 kHz have something to speak of; 0 for silence.

    Own definition. Of every spectrum (46 ms) that is within 30 dB of the loudest, the highest band of 172 Hz is sought that comes within
    50 dB of the spectrum's greatest; the bandwidth is the upper edge that one of twenty of these spectra reach. What is bright for moments,
    a cymbal or an s, so counts, and noise does not. What was resampled from a lower rate by a gentle filter may show up to a third more
    than half that rate.
    """
    power = _spectra(samples44)  # (bands, spectra)
    total = power.sum(0)
    if float(total.max()) <= QUIETEST:
        return 0.0
    power = power[:, total >= total.max() * 10 ** (-LOUD / 10)]
    is_heard = power >= power.amax(0) * 10 ** (-FLOOR / 10)
    bands = torch.arange(1, len(power) + 1)[:, None]
    highest = (is_heard * bands).amax(0).sort().values  # (spectra,)
    return float(highest[math.floor(OFTEN * (len(highest) - 1))]) * BAND * SAMPLE_RATE / SPECTRUM


def _spectra(samples44: Tensor) -> Tensor:
    """Power (bands, spectra) of both channels, by windows that do not overlap."""
    short = max(0, SPECTRUM - samples44.shape[1])
    samples44 = torch.nn.functional.pad(samples44, (0, short))
    window = torch.hann_window(SPECTRUM) / SPECTRUM
    spectra = torch.stft(samples44, SPECTRUM, SPECTRUM, window=window, center=False, return_complex=True)  # (2, bins, spectra)
    power = spectra.real.square().add_(spectra.imag.square()).sum(0)[: SPECTRUM // 2]
    return power.reshape(-1, BAND, power.shape[1]).sum(1)


def _silent(samples: Tensor, rate: int) -> Tensor:
    """Which windows are silent; an end that fills none counts with the last."""
    size = min(samples.shape[1], max(1, round(WINDOW * rate)))
    power = samples.square().mean(0)
    power = power[: len(power) // size * size].reshape(-1, size).mean(1)
    return power.sqrt() < SILENT


def _longest(marks: Tensor) -> int:
    """The length of the longest run of what is marked."""
    edges = torch.nn.functional.pad(marks.int(), (1, 1)).diff()
    lengths = (edges == -1).nonzero()[:, 0] - (edges == 1).nonzero()[:, 0]
    return int(lengths.max()) if len(lengths) else 0


def _is_mono(samples: Tensor) -> bool:
    """Whether the channels are equal, but for what lossy coding made of them."""
    left, right = samples
    return float((left - right).square().sum()) <= MONO * float((left + right).square().sum()) + QUIETEST
