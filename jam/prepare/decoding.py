"""A recording's bytes -> its samples, as they are and at 44.1 kHz. It judges nothing but whether there is sound that fits into memory."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from jam import audio
from jam.timing import SAMPLE_RATE

LONGEST = 6 * 3600.0  # seconds
MOST = 2.1e9  # samples of all channels, of 4 bytes: six hours of 48 kHz stereo
RATES = (4_000, 768_000)  # Hz: a rate beyond them is that of a broken header
PADDING = 1 << 16  # bytes between a tag and the first frame that are passed over
LOUDEST = 100.0  # of full scale 1: a peak beyond it is no sound, or one in another unit


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

    Raises ValueError, in one line, for what is no audio, is empty, holds numbers that are not finite or far beyond full scale, has a rate
    that no recording has, is of a kind that needs PyAV where that is not installed, or announces more than six hours or 8 GB of samples:
    these are not decoded.
    """
    content = _unpadded(content)
    told = audio.header(content, name)
    _check(told, name)
    try:
        samples, rate = audio.of_bytes(content, name)
    except MemoryError as error:
        raise ValueError(f"{name}: announces {told.frames} samples, which do not fit into memory; cut it into songs") from error
    peak = float(samples.abs().max())
    if peak > LOUDEST:
        raise ValueError(f"{name}: its peak is {peak:.3g} times full scale; save it again with samples from -1 to 1")
    return Decoded(samples, rate, told.channels, told.format, told.frames)


def at_44k(decoded: Decoded) -> Tensor:
    """Its samples (2, N) at 44.1 kHz."""
    return audio.resample(decoded.samples, decoded.rate, SAMPLE_RATE)


def after_tags(content: bytes) -> int:
    """Where what a file holds begins: behind its ID3v2 tags."""
    start = 0
    while content[start : start + 3] == b"ID3" and len(content) >= start + 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(content[start + 6 : start + 10], (21, 14, 7, 0), strict=True))
        start += 10 + size + (10 if content[start + 5] & 0x10 else 0)
    return start


def _unpadded(content: bytes) -> bytes:
    """The file without zeros before its first frame of MP3, which some taggers leave there and libsndfile does not pass over."""
    start = after_tags(content)
    head = content[start : start + PADDING]
    first = len(head) - len(head.lstrip(b"\0"))
    is_mpeg = head[first : first + 1] == b"\xff" and head[first + 1 : first + 2] >= b"\xe0"
    return content[start + first :] if first and is_mpeg else content


def _check(told: audio.Header, name: str) -> None:
    """Raises ValueError for a header that no recording has that could be decoded here."""
    if not RATES[0] <= told.rate <= RATES[1]:
        raise ValueError(f"{name}: its sample rate is {told.rate} Hz; give audio of {RATES[0]} to {RATES[1]} Hz")
    if told.frames is None:
        return
    if told.frames > LONGEST * told.rate:
        hours = told.frames / told.rate / 3600
        raise ValueError(f"{name}: lasts {hours:.1f} h, more than {LONGEST / 3600:.0f} h are not decoded; cut it into songs")
    if told.frames * told.channels > MOST:
        raise ValueError(f"{name}: holds {told.frames} samples of {told.channels} channels, too many to decode; cut it into songs")
