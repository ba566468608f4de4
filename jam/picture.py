"""A song as a picture: its mel spectrogram with the words drawn where they are sung. The door to matplotlib."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from jam.files import write_whole
from jam.lyrics.words import Word
from jam.timing import SAMPLE_RATE

HOP, WINDOW, MELS = 512, 2048, 96
RANGE_DB = 80.0
FAINTEST = 1e-7  # magnitudes below are silence


def mel_spectrogram(samples: Tensor) -> Tensor:
    """(channels, N) at 44.1 kHz -> (MELS, columns) in dB below the loudest value, at least -80; silence is -80 throughout."""
    import torchaudio

    bank = torchaudio.functional.melscale_fbanks(WINDOW // 2 + 1, 40.0, SAMPLE_RATE / 2, MELS, SAMPLE_RATE)  # (K, MELS)
    mono = torch.nn.functional.pad(samples.float().mean(0), (0, max(0, WINDOW - samples.shape[-1])))
    spectrum = torch.stft(mono, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True).abs()
    level = 20 * torch.log10((bank.T @ spectrum).clamp_min(FAINTEST))
    loudest = level.max().clamp_min(20 * math.log10(FAINTEST) + RANGE_DB)
    return (level - loudest).clamp_min(-RANGE_DB)


def draw(path: str | Path, samples: Tensor, words: Sequence[Word], title: str) -> Path:
    """Writes the PNG of a song: (channels, N) at 44.1 kHz, words in seconds. Raises OSError when it cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    seconds = samples.shape[-1] / SAMPLE_RATE
    figure = Figure(figsize=(max(8.0, min(60.0, 0.9 * seconds)), 4.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    levels = mel_spectrogram(samples).numpy()
    axes.imshow(levels, origin="lower", aspect="auto", extent=(0, seconds, 0, MELS), cmap="magma", vmin=-RANGE_DB, vmax=0)
    for index, word in enumerate(words):
        axes.axvspan(word.start, word.end, ymin=0.93, ymax=1.0, color="white", alpha=0.25 if index % 2 else 0.4, linewidth=0)
        axes.axvline(word.start, color="white", linewidth=0.5, alpha=0.5)
        height = MELS * (0.95 if index % 2 else 0.885)
        axes.text(word.start, height, f" {word.word or word.phoneme}", color="white", fontsize=8, parse_math=False, clip_on=True)
    axes.set(xlabel="seconds", ylabel="mel band", xlim=(0, seconds))
    axes.set_title(title, parse_math=False)
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # letters that the font lacks are drawn as boxes
        FigureCanvasAgg(figure).print_png(drawn)
    return write_whole(path, drawn.getbuffer())
