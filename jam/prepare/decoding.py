"""A recording's bytes -> its samples, as they are and at 44.1 kHz. It judges nothing but whether there is sound that fits into memory."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from jam import audio
from jam.timing import SAMPLE_RATE

LONGEST = 6 * 3600.0  # seconds: 7.6 GB of samples


@dataclass(frozen=True)
class Decoded:
    """A recording: `samples` (2, N) at its own `rate`, and what its file said of itself."""

    samples: Tensor
    rate: int  # Hz
    channels: int  # of the file
    format: str  # such as MP3, or WAV PCM_16
    frames_expected: int | None  # samples a channel that the file announced; None where it did not

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return self.samples.shape[1] / self.rate


def decode(content: bytes, name: str) -> Decoded:
    """The recording that a file's `content` is; `name` names it in messages.

    Raises ValueError, in one line, for what is no audio, is empty, holds numbers that are not finite, is of a kind that needs PyAV where
    that is not installed, or announces more than six hours, which are not decoded.
    """
    told = audio.header(content, name)
    if told.frames is not None and told.frames > LONGEST * told.rate:
        hours = told.frames / told.rate / 3600
        raise ValueError(f"{name}: lasts {hours:.1f} h, more than {LONGEST / 3600:.0f} h are not decoded; cut it into songs")
    samples, rate = audio.of_bytes(content, name)
    return Decoded(samples, rate, told.channels, told.format, told.frames)


def at_44k(decoded: Decoded) -> Tensor:
    """Its samples (2, N) at 44.1 kHz."""
    return audio.resample(decoded.samples, decoded.rate, SAMPLE_RATE)
