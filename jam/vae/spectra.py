"""Short-time spectra whose columns lie on latent frames, and samples of them again; four columns a frame.

Column j is centred on the samples [512 j, 512 (j + 1)). The module knows nothing of codecs. Letters: B songs, N samples, F columns,
K bins of the spectrum.
"""

import torch
from torch import Tensor
from torch.nn import functional

from jam.timing import FRAME_SAMPLES

HOP = 512
WINDOW = 2048
BINS = WINDOW // 2 + 1
COLUMNS = FRAME_SAMPLES // HOP  # a latent frame
MARGIN = (WINDOW - HOP) // 2  # samples before the first column's quarter that its window sees


def columns(samples: Tensor, window: Tensor) -> Tensor:
    """Complex spectrum (B, F, K) of `samples` (B, F * 512), as if silence lay around them."""
    return transform(functional.pad(samples, (MARGIN, MARGIN)), window)


def transform(padded: Tensor, window: Tensor) -> Tensor:
    """Complex spectrum (B, F, K) of `padded` (B, F * 512 + 2 MARGIN)."""
    return torch.fft.rfft(padded.unfold(-1, WINDOW, HOP) * window)


def overlap_add(spectrum: Tensor, window: Tensor) -> Tensor:
    """Samples (B, F * 512 + 2 MARGIN) of a complex `spectrum` (B, F, K), least squares where windows overlap."""
    pieces = torch.fft.irfft(spectrum, WINDOW) * window  # (B, F, WINDOW)
    weights = (window**2).expand(1, *pieces.shape[1:])
    return _add(pieces) / _add(weights).clamp_min(1e-3)


def _add(pieces: Tensor) -> Tensor:
    """Sums (B, F, WINDOW) at steps of HOP: (B, (F - 1) * HOP + WINDOW)."""
    songs, count, _ = pieces.shape
    parts = WINDOW // HOP
    blocks = pieces.reshape(songs, count, parts, HOP)
    total = functional.pad(blocks[:, :, 0], (0, 0, 0, parts - 1))
    for part in range(1, parts):
        total = total + functional.pad(blocks[:, :, part], (0, 0, part, parts - 1 - part))
    return total.reshape(songs, -1)
