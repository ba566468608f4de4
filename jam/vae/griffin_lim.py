"""A codec without learning: mono log-mel values in 64 principal components a frame, heard again by Griffin-Lim.

The first embedded singer was made with it, and the learned codec of `jam.vae.nano` is measured beside it.

A latent frame holds four columns of 80 log-mel values (hop 512) reduced by principal components; frame i describes exactly the samples
[2048 i, 2048 (i + 1)), each column centred on its quarter. It is deterministic and coloured, and knows nothing of songs or chunks.
Letters: B songs, T frames, N samples, F = 4 T columns, K bins of the spectrum.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from jam.timing import FRAME_SAMPLES, LATENT_CHANNELS
from jam.vae.spectra import COLUMNS, HOP, MARGIN, WINDOW, columns, overlap_add, transform

FILE = "codec.safetensors"
FLOOR = 1e-4  # added to magnitudes before the logarithm
NNLS_STEPS = 30
GRIFFIN_LIM_STEPS = 32
MOMENTUM = 0.99
PHASE_SEED = 0


def magnitudes(mono: Tensor, window: Tensor) -> Tensor:
    """Spectral magnitudes (B, F, K) of `mono` (B, F * 512), column j centred on the samples [512 j, 512 (j + 1))."""
    return columns(mono, window).abs()


def log_mel(mono: Tensor, mel: Tensor, window: Tensor) -> Tensor:
    """Log-mel columns (B, F, 80) of `mono` (B, F * 512); `mel` is (80, K)."""
    return torch.log(magnitudes(mono, window) @ mel.T + FLOOR)


class GriffinLimCodec(torch.nn.Module):
    """Encodes and decodes 44.1 kHz audio; mono inside, its two output channels are equal."""

    # Griffin-Lim spreads by 1.5 windows a step; chunks meet with another phase, so a song should be decoded whole (23.8 s at most).
    reach = 1 + GRIFFIN_LIM_STEPS * (WINDOW - HOP) // FRAME_SAMPLES
    encoder_reach = 1  # frames on either side of a frame that its windows see into

    def __init__(self, mel: Tensor, mean: Tensor, basis: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.mel: Tensor
        self.mean: Tensor
        self.basis: Tensor
        self.scale: Tensor
        self.window: Tensor
        self.register_buffer("mel", mel)  # (80, K)
        self.register_buffer("mean", mean)  # (320,)
        self.register_buffer("basis", basis)  # (64, 320) orthonormal rows
        self.register_buffer("scale", scale)  # (64,) what a latent of 1 is worth
        self.register_buffer("window", torch.hann_window(WINDOW))

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "GriffinLimCodec":
        """The codec in `folder`/codec.safetensors (or that file itself). ValueError, one line, where it is missing or does not fit."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = Path(folder)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise ValueError(f"{path}: the embedded codec is missing; make it with python -m jam.nano.build stage=codec")
        try:
            tensors = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path}: not a safetensors file ({error}); fetch it again") from error
        mels, bins = 80, WINDOW // 2 + 1
        width = COLUMNS * mels
        shapes = {"mel": (mels, bins), "mean": (width,), "basis": (LATENT_CHANNELS, width), "scale": (LATENT_CHANNELS,)}
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        if found != shapes:
            raise ValueError(f"{path}: holds {found} where the embedded codec needs {shapes}")
        return cls(**tensors).to(device)

    @torch.no_grad()
    def encode(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation, both (B, T, 64), T = ceil(N / 2048), of `audio` (B, channels, N); the deviation is zero."""
        mono = audio.to(self.mel).mean(1)  # (B, N)
        mono = functional.pad(mono, (0, -mono.shape[-1] % FRAME_SAMPLES))
        latents = self.reduce(log_mel(mono, self.mel, self.window))
        return latents, torch.zeros_like(latents)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Audio (B, 2, T * 2048), float32, of `latents` (B, T, 64)."""
        spectrum = self.spectrum(self.expand(latents.to(self.mel)))
        return griffin_lim(spectrum, self.window).unsqueeze(1).expand(-1, 2, -1).contiguous()

    def silence(self) -> Tensor:
        """The latent (64,) of digital silence."""
        return self.encode(torch.zeros(1, 1, FRAME_SAMPLES, device=self.mel.device))[0][0, 0]

    def reduce(self, values: Tensor) -> Tensor:
        """Latents (B, T, 64) of log-mel `values` (B, 4 T, 80)."""
        return (values.reshape(len(values), -1, self.mean.numel()) - self.mean) @ self.basis.T / self.scale

    def expand(self, latents: Tensor) -> Tensor:
        """Log-mel columns (B, 4 T, 80) of `latents` (B, T, 64)."""
        return ((latents * self.scale) @ self.basis + self.mean).reshape(len(latents), -1, self.mel.shape[0])

    def spectrum(self, values: Tensor) -> Tensor:
        """Non-negative magnitudes (B, F, K) whose mel values are nearest to `values` (B, F, 80): multiplicative least squares."""
        wanted = (values.exp() - FLOOR).clamp_min(0.0)  # (B, F, 80)
        guess = (wanted @ torch.linalg.pinv(self.mel).T).clamp_min(1e-8)  # (B, F, K)
        pull = wanted @ self.mel
        for _ in range(NNLS_STEPS):
            guess = guess * pull / ((guess @ self.mel.T) @ self.mel + 1e-8)
        return guess


def griffin_lim(spectrum: Tensor, window: Tensor) -> Tensor:
    """Samples (B, F * 512) whose magnitudes come near `spectrum` (B, F, K).

    Griffin and Lim (1984), accelerated by momentum (Perraudin, Balazs and Sondergaard, 2013); the first phase is drawn from a fixed
    seed, the same for each song of a batch, so a song does not depend on its company.
    """
    generator = torch.Generator().manual_seed(PHASE_SEED)
    phase = 2 * torch.pi * torch.rand(spectrum.shape[1:], generator=generator).to(spectrum)
    angles = torch.polar(torch.ones_like(phase), phase).expand(spectrum.shape)
    before = torch.zeros_like(angles)
    for _ in range(GRIFFIN_LIM_STEPS):
        now = transform(overlap_add(spectrum * angles, window), window)
        angles = now - before * (MOMENTUM / (1 + MOMENTUM))
        angles = angles / angles.abs().clamp_min(1e-16)
        before = now
    return overlap_add(spectrum * angles, window)[:, MARGIN:-MARGIN]
