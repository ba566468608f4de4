"""A stored song becomes a training example: the only crop. It does not know shards, batches or the network.

C latent channels (64), T latent frames of the whole song, S slots of the canvas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jam.conditions import Conditions
from jam.lyrics.grid import Filler, slots
from jam.lyrics.words import Word
from jam.timing import LATENT_CHANNELS, MAX_FRAMES, SLOTS_PER_FRAME, Span


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


def draw_latents(latent: Tensor, generator: torch.Generator) -> Tensor:
    """(2C, T) means and standard deviations -> (T, C) latents, mean + deviation * noise."""
    mean, deviation = latent.float().chunk(2, dim=0)
    return (mean + deviation * torch.randn(mean.shape, generator=generator)).T.contiguous()


def make_example(
    recording: Recording, settings: CropSettings, ids_of: Callable[[Word], Sequence[int]], generator: torch.Generator
) -> Example:
    """One random crop of at most `settings.max_frames` of a song, with its latents, style and slots drawn from `generator`.

    Raises ValueError, naming the song, for a latent of the wrong shape or with values that are no numbers, and for a style that is absent.
    """
    latent, styles = recording.latent, recording.styles
    if latent.ndim != 2 or latent.shape[0] != 2 * LATENT_CHANNELS or not latent.shape[1]:
        raise ValueError(f"{recording.key}: latent.pt is {list(latent.shape)} instead of [{2 * LATENT_CHANNELS}, frames]")
    if not torch.isfinite(latent).all():
        raise ValueError(f"{recording.key}: latent.pt holds values that are not finite numbers")
    song_frames = latent.shape[1]
    frames = min(song_frames, settings.max_frames)
    latest = 0 if settings.always_crop_from_beginning else song_frames - frames
    start = int(torch.randint(latest + 1, (1,), generator=generator))
    span = Span(frames, settings.max_frames, start, song_frames)
    index = settings.always_use_style_index
    if index is None:
        index = int(torch.randint(len(styles), (1,), generator=generator))
    elif not 0 <= index < len(styles):
        raise ValueError(f"{recording.key}: has {len(styles)} styles, none of index {index}; change always_use_style_index")
    row = slots(recording.words, span, ids_of, settings.filler, settings.slots_per_frame, generator)  # (S,)
    return Example(
        key=recording.key,
        latents=draw_latents(latent[:, start : start + frames], generator),
        conditions=Conditions.single(row, styles[index], span),
    )
