"""Sound on disk and in memory: read, resample, bring to one loudness, write (WAV, FLAC, MP3).

Samples are float32 tensors (2, N), stereo, full scale 1. This is the door to soundfile, PyAV and pyloudnorm. The module knows
nothing of latents, songs or settings.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jam.files import write_whole
from jam.timing import SAMPLE_RATE

LOUDNESS = -14.0  # LUFS (ITU-R BS.1770), the level of every song
FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "mp3": "MPEG_LAYER_III"}  # how each kind of file is coded
SILENCE = 1e-6  # a peak below this (-120 dB) is silence: raising it would make rounding errors audible
LOUDNESS_BLOCK = 0.4  # seconds BS.1770 needs at least
FOREIGN = (b"\x1aE\xdf\xa3", b"0&\xb2u\x8ef\xcf\x11", b"MAC ", b"wvpk")  # how WebM, WMA, APE and WavPack begin
UNRELATED = 1000  # a filter with so many phases or more is not made by torchaudio: it would take gigabytes


@dataclass(frozen=True)
class Header:
    """What a file says of itself before it is decoded. `frames` (samples a channel) is None where it does not say."""

    frames: int | None
    rate: int  # Hz
    channels: int
    format: str  # such as MP3, or WAV PCM_16


def read(path: str | Path) -> tuple[Tensor, int]:
    """Samples (2, N) and their rate in Hz, from any file libsndfile knows (WAV, FLAC, MP3, OGG, AIFF).

    Mono is doubled; more than two channels are averaged into both. Raises ValueError, one line, for a file that is missing,
    is no audio, holds no samples, or holds numbers that are not finite.
    """
    import soundfile

    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such audio file")
    if path.is_dir():
        raise ValueError(f"{path}: this is a folder, an audio file is needed")
    with _told(path):
        data, rate = soundfile.read(str(path), dtype="float32", always_2d=True)  # (N, channels)
    return _stereo(data, path), int(rate)


def of_bytes(content: bytes, name: str) -> tuple[Tensor, int]:
    """Samples (2, N) and their rate in Hz of a file that is `content`; `name` names it in messages.

    What libsndfile does not know (M4A, AAC, WMA, WebM, ...) is read by PyAV. Raises ValueError as `read`, and where PyAV is not installed.
    """
    if is_foreign(content):
        return _of_foreign(content, name)
    import soundfile

    with _told(name):
        data, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)  # (N, channels)
    return _stereo(data, name), int(rate)


def header(content: bytes, name: str) -> Header:
    """What a file that is `content` says of itself. Raises ValueError as `of_bytes`, but its samples are not looked at."""
    if is_foreign(content):
        return _foreign_header(content, name)
    import soundfile

    with _told(name):
        told = soundfile.info(io.BytesIO(content))
    kind = told.format if told.subtype.startswith(told.format) or told.format == "MP3" else f"{told.format} {told.subtype}"
    return Header(told.frames, told.samplerate, told.channels, kind)


def is_foreign(content: bytes) -> bool:
    """Whether a file is of a kind that libsndfile does not read, and PyAV does."""
    if content[:2] in (b"\xff\xf1", b"\xff\xf9"):  # AAC in ADTS: layer 0, which MP3 never is
        return True
    if content.startswith(b"fLaC") and not int.from_bytes(content[21:26], "big") & 0xF_FFFF_FFFF:  # its length is not told: from a pipe
        return True
    return content[4:8] == b"ftyp" or content.startswith(FOREIGN)


@contextmanager
def _told(name: str | Path) -> Iterator[None]:
    """libsndfile's refusals in one line."""
    import soundfile

    try:
        yield
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip() or "its data are damaged, or end too early"
        raise ValueError(f"{name}: not audio that can be read ({reason}); give a WAV, FLAC, MP3 or OGG file") from error


def _stereo(data: Any, name: str | Path) -> Tensor:
    """Samples (2, N) of an array (N, channels). Raises ValueError where there are none, or some are not finite."""
    if len(data) == 0:
        raise ValueError(f"{name}: the audio is empty (no samples)")
    samples = torch.from_numpy(data).T  # (channels, N)
    if not samples.isfinite().all():
        first = int((~samples.isfinite()).any(0).nonzero()[0])
        raise ValueError(f"{name}: sample {first} is not a finite number; save the audio again without NaN or infinity")
    if samples.shape[0] != 2:
        samples = samples.mean(0, keepdim=True).expand(2, -1)
    return samples.contiguous()


def _of_foreign(content: bytes, name: str) -> tuple[Tensor, int]:
    """Samples and rate, by PyAV."""
    import numpy as np

    with _foreign(content, name) as (av, container, stream):
        planar = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
        parts = [part.to_ndarray() for frame in container.decode(stream) for part in planar.resample(frame)]  # (channels, n)
        parts += [part.to_ndarray() for part in planar.resample(None)]
        rate = int(stream.rate)
    joined = np.concatenate(parts, 1) if parts else np.zeros((2, 0), np.float32)
    return _stereo(np.ascontiguousarray(joined.T), name), rate


def _foreign_header(content: bytes, name: str) -> Header:
    with _foreign(content, name) as (av, container, stream):
        seconds = container.duration / av.time_base if container.duration else None
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        frames = None if seconds is None else round(seconds * stream.rate)
        return Header(frames, int(stream.rate), int(stream.channels), f"{container.format.name.split(',')[0]} {stream.codec_context.name}")


@contextmanager
def _foreign(content: bytes, name: str) -> Iterator[tuple[Any, Any, Any]]:
    """PyAV, a file and its audio. Raises ValueError, in one line, for what it refuses, and where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise ValueError(f"{name}: is read by PyAV; pip install 'jam[formats]', or give WAV, FLAC, MP3 or OGG") from error
    try:
        with av.open(io.BytesIO(content), metadata_errors="replace") as container:
            if not container.streams.audio:
                raise ValueError(f"{name}: holds no audio; give a file with sound")
            yield av, container, container.streams.audio[0]
    except (av.FFmpegError, EOFError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"{name}: not audio that can be read ({reason}); fetch it again, or give WAV, FLAC, MP3 or OGG") from error


def resample(samples: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """`samples` (..., N) at `from_rate` Hz as (..., ceil(N to_rate / from_rate)) at `to_rate` Hz, by windowed sinc."""
    if from_rate == to_rate:
        return samples
    common = math.gcd(from_rate, to_rate)
    if to_rate // common >= UNRELATED:
        from scipy.signal import resample_poly

        return torch.from_numpy(resample_poly(samples.numpy(), to_rate // common, from_rate // common, axis=-1)).to(samples)
    import torchaudio

    return torchaudio.functional.resample(samples, from_rate, to_rate)


def loudness(samples: Tensor, rate: int = SAMPLE_RATE) -> float:
    """Integrated loudness of `samples` (channels, N) in LUFS (BS.1770), -inf for silence; shorter than 0.4 s is measured repeated."""
    import pyloudnorm

    block = round(LOUDNESS_BLOCK * rate)
    if samples.shape[-1] < block:
        samples = samples.repeat(1, -(-block // samples.shape[-1]))
    return float(pyloudnorm.Meter(rate).integrated_loudness(samples.T.double().cpu().numpy()))


def normalize(samples: Tensor, rate: int = SAMPLE_RATE, lufs: float = LOUDNESS) -> Tensor:
    """`samples` (channels, N) without offset, each channel at its own full scale, then all brought to `lufs`.

    This is JAM's released normalisation. Peaks of very uneven music may leave [-1, 1]; `write` clips them. A silent channel stays
    silent, and so does silence.
    """
    samples = samples.double()
    samples = samples - samples.mean(-1, keepdim=True)
    peak = samples.abs().amax(-1, keepdim=True)  # (channels, 1)
    samples = torch.where(peak < SILENCE, 0.0, samples / (peak + 1e-8))
    level = loudness(samples, rate)
    if level == float("-inf"):
        return samples.float()
    return (samples * 10 ** ((lufs - level) / 20)).float()


def write(path: str | Path, samples: Tensor, rate: int = SAMPLE_RATE, format: str | None = None) -> Path:
    """Write `samples` (channels, N) at `rate` Hz; wav, flac or mp3 by `format`, else by the suffix. Returns the path.

    The file is written aside and then renamed, so that a file of this name is always whole. Raises ValueError for an unknown
    format, an unfit rate, or samples that are not finite; OSError, one line, when the disk is full or the folder cannot be
    written: no part is left.
    """
    import soundfile

    path = Path(path)
    kind = (format or path.suffix.removeprefix(".")).lower()
    if kind not in FORMATS:
        raise ValueError(f"{path}: audio format '{kind}' is unknown; use {', '.join(FORMATS)}")
    if not samples.isfinite().all():
        raise ValueError(f"{path}: the samples hold numbers that are not finite; nothing was written")
    data = samples.detach().float().clamp(-1, 1).T.cpu().numpy()  # (N, channels)
    coded = io.BytesIO()
    try:
        soundfile.write(coded, data, rate, format=kind.upper(), subtype=FORMATS[kind])
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: {kind} cannot hold {data.shape[1]} channels at {rate} Hz ({error.error_string.strip()})") from error
    return write_whole(path, coded.getbuffer())
