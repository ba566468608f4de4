"""Sound on disk and in memory: read, resample, bring to one loudness, write (WAV, FLAC, MP3).

Samples are float32 tensors (2, N), stereo, full scale 1. This is the door to soundfile and pyloudnorm. The module knows
nothing of latents, songs or settings.
"""

import io
from pathlib import Path

import torch
from torch import Tensor

from jam.files import write_whole
from jam.timing import SAMPLE_RATE

LOUDNESS = -14.0  # LUFS (ITU-R BS.1770), the level of every song
FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "mp3": "MPEG_LAYER_III"}  # how each kind of file is coded
SILENCE = 1e-6  # a peak below this (-120 dB) is silence: raising it would make rounding errors audible
LOUDNESS_BLOCK = 0.4  # seconds BS.1770 needs at least


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
    try:
        data, rate = soundfile.read(str(path), dtype="float32", always_2d=True)  # (N, channels)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: not audio that can be read ({error.error_string.strip()}); give a WAV, FLAC, MP3 or OGG file") from error
    if len(data) == 0:
        raise ValueError(f"{path}: the audio is empty (no samples)")
    samples = torch.from_numpy(data).T  # (channels, N)
    if not samples.isfinite().all():
        first = int((~samples.isfinite()).any(0).nonzero()[0])
        raise ValueError(f"{path}: sample {first} is not a finite number; save the audio again without NaN or infinity")
    if samples.shape[0] != 2:
        samples = samples.mean(0, keepdim=True).expand(2, -1)
    return samples.contiguous(), int(rate)


def resample(samples: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """`samples` (..., N) at `from_rate` Hz as (..., ceil(N to_rate / from_rate)) at `to_rate` Hz, by windowed sinc."""
    if from_rate == to_rate:
        return samples
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
