"""Recordings of one song, cut alike and batched: files -> `Pair` -> `PairBatch`. It knows no network and no order of pairs.

B pairs, T latent frames of the canvas, C latent channels (64). What is on disk is T x C numbers (sampled latents, as inference saves them)
or 2C x T (C means over C deviations, sampled at each use).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from jam.conditions import Conditions
from jam.data.collate import pad
from jam.data.example import CropSettings, draw_latents, draw_span, draw_style, read_tensor
from jam.dpo.listing import PairFiles
from jam.lyrics import formats
from jam.lyrics.grid import slots
from jam.lyrics.words import Word
from jam.randomness import generator
from jam.timing import LATENT_CHANNELS, STYLE_WIDTH, frames_to_seconds, seconds_to_frames


@dataclass(frozen=True)
class Pair:
    """One crop of a song's recordings, and the conditions that they share."""

    key: str
    draws: str  # names the random streams of this pair in this use
    winner: Tensor  # (frames, C), not padded
    loser: Tensor  # (frames, C)
    truth: Tensor | None  # (frames, C), where the ground truth is asked for
    conditions: Conditions  # of one song


@dataclass(frozen=True)
class PairBatch:
    """B pairs on one canvas."""

    keys: tuple[str, ...]
    winner: Tensor  # (B, T, C)
    loser: Tensor  # (B, T, C)
    truth: Tensor | None  # (B, T, C), where the ground truth is asked for
    conditions: Conditions
    seconds: float  # of song, padding not counted
    draws: tuple[str, ...]  # draws[b] names the random streams of pair b in this use

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str) -> PairBatch:
        """The same batch on another device."""
        return self._moved(lambda latents: latents.to(device), self.conditions.to(device))

    def pin_memory(self) -> PairBatch:
        """The same batch, its latents in page-locked memory, from which copies to a GPU are faster."""
        return self._moved(Tensor.pin_memory, self.conditions)

    def _moved(self, move: Callable[[Tensor], Tensor], conditions: Conditions) -> PairBatch:
        truth = None if self.truth is None else move(self.truth)
        return replace(self, winner=move(self.winner), loser=move(self.loser), truth=truth, conditions=conditions)


def load_pair(files: PairFiles, draws: str, settings: CropSettings, sampled: bool, ids_of: Callable[[Word], Sequence[int]]) -> Pair:
    """A pair's recordings, cut at the same place to the same frames, with what is drawn (crop, style, latents' noise) named by `draws`.

    `sampled`: latents are T x C, else 2C x T. The song is the shortest of the latents, or `files.seconds` of them. Raises ValueError naming
    the file, for one that cannot be read, has another shape, or holds what is no number; and for words that cannot be phonemised.
    """
    paths = [files.winner, files.loser, *([] if files.truth is None else [files.truth])]
    latents = [_latent(path, sampled) for path in paths]  # (frames, C) or (2C, frames)
    frames = min(latent.shape[0 if sampled else 1] for latent in latents)
    if files.seconds is not None:
        frames = min(frames, max(1, seconds_to_frames(files.seconds)))
    stream = generator(draws)
    span = draw_span(frames, settings, stream)
    style = draw_style(torch.zeros(1, STYLE_WIDTH) if files.style is None else _styles(files.style), settings, stream)
    row = slots(formats.read(files.lyrics), span, ids_of, settings.filler, settings.slots_per_frame, stream)  # (S,)
    inside = slice(span.start_frame, span.start_frame + span.frames)
    cuts = [latent[inside] if sampled else draw_latents(latent[:, inside], generator("latent", draws)) for latent in latents]
    truth = None if files.truth is None else cuts[2]
    return Pair(files.key, draws, cuts[0], cuts[1], truth, Conditions.single(row, style, span))


def collate_pairs(pairs: Sequence[Pair], silence: Tensor, max_frames: int) -> PairBatch:
    """One batch of `pairs`, each recording continued with the latent of silence (C,) up to `max_frames`."""
    truths = [pair.truth for pair in pairs if pair.truth is not None]
    assert len(truths) in (0, len(pairs)), "some pairs have a ground truth and others have none"
    return PairBatch(
        keys=tuple(pair.key for pair in pairs),
        winner=pad([pair.winner for pair in pairs], silence, max_frames),
        loser=pad([pair.loser for pair in pairs], silence, max_frames),
        truth=pad(truths, silence, max_frames) if truths else None,
        conditions=Conditions.cat([pair.conditions for pair in pairs]),
        seconds=frames_to_seconds(sum(len(pair.winner) for pair in pairs)),
        draws=tuple(pair.draws for pair in pairs),
    )


def _latent(path: Path, sampled: bool) -> Tensor:
    """(frames, C) where `sampled`, else (2C, frames) means over deviations."""
    latent = _numbers(path)
    side, channels = (1, LATENT_CHANNELS) if sampled else (0, 2 * LATENT_CHANNELS)
    if latent.ndim != 2 or latent.shape[side] != channels or not latent.numel():
        wanted = f"[frames, {channels}]" if sampled else f"[{channels}, frames]"
        told = f"data.train_dataset.vae_sampled is {str(sampled).lower()}, which expects {wanted}"
        raise ValueError(f"{path}: holds {list(latent.shape)} numbers; {told}")
    if not torch.isfinite(latent).all():
        raise ValueError(f"{path}: holds values that are not finite numbers; make this latent again")
    return latent


def _styles(path: Path) -> Tensor:
    """(n, 512) style vectors of a file."""
    style = _numbers(path)
    styles = style.reshape(-1, style.shape[-1]) if style.ndim else style
    if styles.ndim != 2 or styles.shape[1] != STYLE_WIDTH or not len(styles) or not torch.isfinite(styles).all():
        raise ValueError(f"{path}: holds {list(style.shape)} numbers or some that are not finite; expected [512] or [n, 512]")
    return styles


def _numbers(path: Path) -> Tensor:
    """The float32 tensor in a .npy or .pt file, read without pickle's freedom."""
    if path.suffix != ".npy":
        return read_tensor(path.read_bytes(), str(path)).float()
    import numpy as np

    try:
        return torch.as_tensor(np.load(path, allow_pickle=False)).float()
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(f"{path}: holds no numbers that can be read ({' '.join(str(error).split())[:80]})") from error
