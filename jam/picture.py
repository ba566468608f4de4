"""A song as a picture: its mel spectrogram with the words drawn where they are sung. The door to matplotlib."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jam.files import write_whole
from jam.lyrics.words import Word
from jam.timing import SAMPLE_RATE, frames_to_seconds

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
    from matplotlib.figure import Figure

    seconds = samples.shape[-1] / SAMPLE_RATE
    figure = Figure(figsize=(_width(seconds), 4.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    levels = mel_spectrogram(samples).numpy()
    axes.imshow(levels, origin="lower", aspect="auto", extent=(0, seconds, 0, MELS), cmap="magma", vmin=-RANGE_DB, vmax=0)
    _mark(axes, words, MELS)
    axes.set(xlabel="seconds", ylabel="mel band", xlim=(0, seconds))
    axes.set_title(title, parse_math=False)
    return _write(path, figure)


def draw_latent(path: str | Path, latents: Tensor, words: Sequence[Word], title: str) -> Path:
    """Writes the PNG of a song's latents (T, C), a channel a row, words in seconds. Raises OSError when it cannot be written."""
    from matplotlib.figure import Figure

    frames, channels = latents.shape
    seconds, far = frames_to_seconds(frames), float(latents.abs().float().quantile(0.99, dim=0).mean())
    figure = Figure(figsize=(_width(seconds), 4.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    extent = (0, seconds, 0, channels)
    image = axes.imshow(latents.T.numpy(), origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-far, vmax=far)
    figure.colorbar(image, ax=axes, pad=0.01)
    above = channels / 0.86
    axes.set(xlabel="seconds", ylabel="latent channel", xlim=(0, seconds), ylim=(0, above), facecolor="black")
    _mark(axes, words, above)
    axes.set_title(title, parse_math=False)
    return _write(path, figure)


def draw_curves(path: str | Path, curves: Mapping[str, Sequence[tuple[float, float]]], along: str, up: str) -> Path:
    """Writes the PNG of curves, each a list of points, by name; `along` and `up` name the axes. Raises OSError as `draw`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 5.0), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for name, points in curves.items():
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, label=name, linewidth=1.2, marker="." if len(points) < 30 else None)
    axes.set(xlabel=along, ylabel=up)
    axes.grid(alpha=0.3)
    if curves:
        axes.legend()
    return _write(path, figure)


def _width(seconds: float) -> float:
    """Inches for so long a song."""
    return max(8.0, min(60.0, 0.9 * seconds))


def _mark(axes: Any, words: Sequence[Word], top: float) -> None:
    """Draws words at their seconds, in the upper seventh of axes that go up to `top`."""
    for index, word in enumerate(words):
        axes.axvspan(word.start, word.end, ymin=0.93, ymax=1.0, color="white", alpha=0.25 if index % 2 else 0.4, linewidth=0)
        axes.axvline(word.start, color="white", linewidth=0.5, alpha=0.5)
        height = top * (0.95 if index % 2 else 0.885)
        axes.text(word.start, height, f" {word.word or word.phoneme}", color="white", fontsize=8, parse_math=False, clip_on=True)


def _write(path: str | Path, figure: Any) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # letters that the font lacks are drawn as boxes
        FigureCanvasAgg(figure).print_png(drawn)
    return write_whole(path, drawn.getbuffer())
