"""Short-time spectra whose columns lie on latent frames, and samples of them again; four columns a frame.

Column j is centred on the samples [512 j, 512 (j + 1)). The module knows nothing of codecs. Letters: B songs, N samples, F columns,
K bins of the spectrum.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from jam.timing import FRAME_SAMPLES

HOP = 512
WINDOW = 2048
BINS = WINDOW // 2 + 1
COLUMNS = FRAME_SAMPLES // HOP  # a latent frame
MARGIN = (WINDOW - HOP) // 2  # samples before the first column's quarter that its window sees


def planes(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    """Real and imaginary parts of a complex `spectrum`, views; products of planes take half the work of complex numbers with real ones."""
    real, imaginary = torch.view_as_real(spectrum).unbind(-1)
    return real, imaginary


def modulus(real: Tensor, imaginary: Tensor) -> Tensor:
    """Absolute values; where both are zero the gradient is zero too."""
    return (real.square() + imaginary.square() + 1e-12).sqrt()


def columns(samples: Tensor, window: Tensor) -> Tensor:
    """Complex spectrum (B, F, K) of `samples` (B, F * 512), as if silence lay around them."""
    return transform(functional.pad(samples, (MARGIN, MARGIN)), window)


class _Spectrum(torch.autograd.Function):
    """Spectra of windowed pieces; its gradient is one inverse transform, where autograd's own takes complex ones of twice the length."""

    @staticmethod
    def forward(ctx: Any, samples: Tensor, window: Tensor) -> Tensor:
        ctx.save_for_backward(window)
        ctx.count = samples.shape[-1]
        return torch.fft.rfft(samples.unfold(-1, len(window), len(window) // 4) * window)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (window,) = ctx.saved_tensors
        ends = gradients[0].clone()
        ends[..., 0] *= 2  # the inverse transform counts all but the first and the last bin twice
        ends[..., -1] *= 2
        total = _add(torch.fft.irfft(ends, len(window), norm="forward") * (window / 2))
        return functional.pad(total, (0, ctx.count - total.shape[-1])), None


def spectrum(samples: Tensor, window: Tensor) -> Tensor:
    """Complex spectrum (B, columns, len(window) / 2 + 1) of `samples` (B, N) at steps of a quarter of the window, no sample added."""
    found: Tensor = _Spectrum.apply(samples, window)
    return found


def transform(padded: Tensor, window: Tensor) -> Tensor:
    """Complex spectrum (B, F, K) of `padded` (B, F * 512 + 2 MARGIN)."""
    return spectrum(padded, window)


def overlap_add(spectrum: Tensor, window: Tensor) -> Tensor:
    """Samples (B, F * 512 + 2 MARGIN) of a complex `spectrum` (B, F, K), least squares where windows overlap."""
    pieces = torch.fft.irfft(spectrum, WINDOW) * window  # (B, F, WINDOW)
    weights = (window**2).expand(1, *pieces.shape[1:])
    return _add(pieces) / _add(weights).clamp_min(1e-3)


def _add(pieces: Tensor) -> Tensor:
    """Sums pieces (B, F, 4 S) at steps of S: (B, (F + 3) * S)."""
    songs, count, size = pieces.shape
    parts = WINDOW // HOP
    blocks = pieces.reshape(songs, count, parts, size // parts)
    total = functional.pad(blocks[:, :, 0], (0, 0, 0, parts - 1))
    for part in range(1, parts):
        total = total + functional.pad(blocks[:, :, part], (0, 0, part, parts - 1 - part))
    return total.reshape(songs, -1)
