"""A stored song becomes a training example: the only crop. It does not know shards, batches or the network.

A song is stored as `latent.pt` (128 x T: 64 means then 64 standard deviations), `style.pt` (512 or n x 512) and `json` (`word`: a list of
words with `start`, `end`, `phoneme`). Tensors are read with `weights_only`, so a song never runs code.
C latent channels (64), T latent frames of the whole song, S slots of the canvas.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from jam.conditions import Conditions
from jam.lyrics import formats
from jam.lyrics.grid import Filler, slots
from jam.lyrics.words import Word
from jam.timing import LATENT_CHANNELS, MAX_FRAMES, SLOTS_PER_FRAME, STYLE_WIDTH, Span

PARTS = ("latent.pt", "style.pt", "json")  # files of a stored song


@dataclass(frozen=True)
class Recording:
    """A song as a shard stores it."""

    key: str
    latent: Tensor  # (2C, T): C means over C standard deviations
    styles: Tensor  # (n, 512)
    words: tuple[Word, ...]


@dataclass(frozen=True)
class CropSettings:
    """How an example is cut from a song: the canvas, where it may start, which style it takes, how words fill their slots."""

    max_frames: int = MAX_FRAMES
    always_crop_from_beginning: bool = False
    always_use_style_index: int | None = None  # None: one of the song's styles is drawn at each use
    filler: Filler = "average_sparse"
    slots_per_frame: int = SLOTS_PER_FRAME


@dataclass(frozen=True)
class Example:
    """A crop of a song and its conditions."""

    key: str
    latents: Tensor  # (frames, C), not padded
    conditions: Conditions  # of one song


def read_tensor(data: bytes, name: str) -> Tensor:
    """The tensor of plain numbers that torch.save wrote. Raises ValueError, naming it, for anything else."""
    try:
        value = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, LookupError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{name}: is not a readable tensor ({' '.join(str(error).split())[:80]})") from error
    if not isinstance(value, Tensor):
        raise ValueError(f"{name}: holds a {type(value).__name__} instead of a tensor")
    if value.layout is not torch.strided or value.device.type != "cpu" or value.is_complex() or value.is_quantized:
        raise ValueError(f"{name}: holds a tensor that is not of plain numbers")
    return value


def decode(sample: Mapping[str, Any]) -> Recording:
    """A raw sample (names to bytes, and `__key__`) -> the song it stores. Raises ValueError, saying what is wrong with it."""
    absent = [name for name in PARTS if name not in sample]
    if absent:
        raise ValueError(f"has no {', '.join(absent)}")
    if "__twice__" in sample:
        raise ValueError(f"has {sample['__twice__']} twice")
    latent, style = (read_tensor(sample[name], name) for name in ("latent.pt", "style.pt"))
    styles = style.float().reshape(-1, style.shape[-1]) if style.ndim and style.numel() else style
    if styles.ndim != 2 or styles.shape[1] != STYLE_WIDTH or not len(styles) or not torch.isfinite(styles).all():
        raise ValueError(f"style.pt is {list(style.shape)} or not finite; expected [512] or [n, 512] numbers")
    try:
        lyrics = json.loads(sample["json"])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"json cannot be read ({error})") from error
    return Recording(str(sample["__key__"]), latent, styles, formats.parse(lyrics, "json"))


def draw_latents(latent: Tensor, generator: torch.Generator) -> Tensor:
    """(2C, T) means and standard deviations -> (T, C) latents, mean + deviation * noise."""
    mean, deviation = latent.float().chunk(2, dim=0)
    return (mean + deviation * torch.randn(mean.shape, generator=generator)).T.contiguous()


def check_latent(latent: Tensor, where: str) -> None:
    """Raises ValueError, naming `where`, unless `latent` is (2C, T) finite numbers of at least one frame."""
    if latent.ndim != 2 or latent.shape[0] != 2 * LATENT_CHANNELS or not latent.shape[1]:
        raise ValueError(f"{where} is {list(latent.shape)} instead of [{2 * LATENT_CHANNELS}, frames]")
    if not torch.isfinite(latent).all():
        raise ValueError(f"{where} holds values that are not finite numbers")


def draw_span(song_frames: int, settings: CropSettings, generator: torch.Generator) -> Span:
    """A random place of at most `settings.max_frames` in a song of `song_frames`."""
    frames = min(song_frames, settings.max_frames)
    latest = 0 if settings.always_crop_from_beginning else song_frames - frames
    start = int(torch.randint(latest + 1, (1,), generator=generator))
    return Span(frames, settings.max_frames, start, song_frames)


def draw_style(styles: Tensor, settings: CropSettings, generator: torch.Generator) -> Tensor:
    """One of a song's styles (n, 512), drawn or that of `settings.always_use_style_index`. Raises ValueError where it has none of it."""
    index = settings.always_use_style_index
    if index is None:
        return styles[int(torch.randint(len(styles), (1,), generator=generator))]
    if not 0 <= index < len(styles):
        raise ValueError(f"has {len(styles)} styles, none of index {index}; change always_use_style_index")
    return styles[index]


def make_example(
    recording: Recording, settings: CropSettings, ids_of: Callable[[Word], Sequence[int]], generator: torch.Generator
) -> Example:
    """One random crop of at most `settings.max_frames` of a song, with its latents, style and slots drawn from `generator`.

    Raises ValueError, saying what is wrong with the song, for a latent of the wrong shape or with values that are no numbers, and for a
    style that is absent.
    """
    check_latent(recording.latent, "latent.pt")
    span = draw_span(recording.latent.shape[1], settings, generator)
    style = draw_style(recording.styles, settings, generator)
    row = slots(recording.words, span, ids_of, settings.filler, settings.slots_per_frame, generator)  # (S,)
    return Example(
        key=recording.key,
        latents=draw_latents(recording.latent[:, span.start_frame : span.start_frame + span.frames], generator),
        conditions=Conditions.single(row, style, span),
    )
