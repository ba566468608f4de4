"""Fits the embedded codec: which 64 directions of four log-mel columns matter, over vocals and mixes alike.

Writes `codec.safetensors`, which `jam.vae.nano` reads; it knows the corpus, and nothing of training.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from jam.nano.corpus import KINDS, Song
from jam.timing import FRAME_SAMPLES, LATENT_CHANNELS, SAMPLE_RATE
from jam.vae.nano import COLUMNS, FILE, WINDOW, NanoCodec, log_mel

log = logging.getLogger(__name__)
MELS, LOW_HERTZ, HIGH_HERTZ = 80, 40, 16_000


def mel_filters() -> Tensor:
    """Slaney's mel filters, (80, 1025)."""
    import librosa

    return torch.from_numpy(librosa.filters.mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=MELS, fmin=LOW_HERTZ, fmax=HIGH_HERTZ))


def columns(song: Song, kind: str, mel: Tensor, window: Tensor) -> Tensor:
    """Grouped log-mel values (T, 320) of one rendering."""
    samples = torch.from_numpy(song.read(kind))[None]
    samples = functional.pad(samples, (0, -samples.shape[-1] % FRAME_SAMPLES))
    return log_mel(samples, mel, window).reshape(-1, COLUMNS * MELS)


def principal(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Basis (64, 320) and scale (64,): latents divided by the root of their deviation (half whitening), overall variance one."""
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0)[:LATENT_CHANNELS], vectors.flip(1)[:, :LATENT_CHANNELS]
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()  # eigenvectors come with either sign
    scale = values**0.25 * (values**0.5).mean().sqrt()
    return (vectors * signs).T.contiguous(), scale


def fit(songs: Iterable[Song], folder: Path) -> dict[str, float]:
    """Fits on `songs`, writes `folder`/codec.safetensors; the share of variance it keeps of each kind."""
    from safetensors.torch import save_file

    mel, window = mel_filters(), torch.hann_window(WINDOW)
    width = COLUMNS * MELS
    counts = dict.fromkeys(KINDS, 0)
    sums = {kind: torch.zeros(width, dtype=torch.float64) for kind in KINDS}
    squares = {kind: torch.zeros(width, width, dtype=torch.float64) for kind in KINDS}
    for song in songs:
        for kind in KINDS:
            values = columns(song, kind, mel, window)
            counts[kind] += len(values)
            sums[kind] += values.sum(0, dtype=torch.float64)
            squares[kind] += (values.T @ values).double()
    total = sum(counts.values())
    mean = sum(sums.values(), torch.zeros(width, dtype=torch.float64)) / total
    covariance = sum(squares.values(), torch.zeros(width, width, dtype=torch.float64)) / total - torch.outer(mean, mean)
    basis, scale = principal(covariance)
    codec = NanoCodec(mel.float(), mean.float(), basis.float(), scale.float())
    kept = {"all": _kept(covariance, basis)}
    for kind in KINDS:
        own = sums[kind] / counts[kind]
        kept[kind] = _kept(squares[kind] / counts[kind] - torch.outer(own, own), basis)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(codec, name) for name in ("mel", "mean", "basis", "scale")}
    save_file(tensors, folder / FILE, metadata={"kept": json.dumps({name: round(share, 5) for name, share in kept.items()})})
    log.info("codec: fitted on %d frames, variance kept %s", total, kept)
    return kept


def _kept(covariance: Tensor, basis: Tensor) -> float:
    """The share of variance that lies along `basis`."""
    return float(torch.trace(basis @ covariance @ basis.T) / torch.trace(covariance))
