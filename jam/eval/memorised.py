"""Songs that a model remembers instead of making: the nearest training song, by its style and by its latents.

Two recordings of one passage have latents that rise and fall together, wherever in the song it stands; two songs of one style do not. So
latents tell a copy, and the style vector says only how near in style a song is. The module knows no audio and no network; it reads
shards as training does. Letters: R style vectors of all training songs, T latent frames of a song, C channels (64), L frames of a piece,
P pieces of a song, S training songs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from jam.data.example import check_latent, read_tensor
from jam.data.shards import Sample, name, shard_paths, stored
from jam.eval.measures import Measure, Value
from jam.randomness import generator
from jam.timing import LATENT_CHANNELS, STYLE_WIDTH, frames_to_seconds

PIECE = 128  # frames: 6 s, so that a copied passage is found in a song that is otherwise new
BLOCK = 64  # training songs that are searched at a time
STILL = 0.05  # of the usual movement of latents: what moves less is silence, and like any other silence
LEAST = 0.5  # likeness of latents below which nothing is a copy, however little training songs are like each other
SAME = 0.95  # likeness from which on two training songs count as one song that is there twice
DRAWN, STYLES_DRAWN = 48, 1000  # training songs that thresholds are told from, by latents and by style
TAIL = 0.25  # of their likenesses: the highest, which the tail is told from
MEMORY = 8 << 30  # bytes of latents that are held

MEASURES: tuple[Measure, ...] = (
    Measure(
        "safety.latent",
        "likeness to the nearest training song",
        "",
        "lower",
        "mean",
        "Greatest correlation of a six-second piece of the song's latents with any six seconds of any training song, over all shifts; "
        "every channel made alike and less its mean in the piece.",
        "normalised cross-correlation; own definition",
        "It finds what sounds the same at the same speed and pitch: not a melody that is sung anew, nor a passage moved in pitch or time.",
    ),
    Measure(
        "safety.embedding",
        "style likeness to the nearest training song",
        "",
        "neither",
        "mean",
        "Greatest cosine of the song's style vector with those of the training songs.",
        "nearest neighbour in the space of the style encoder; own definition",
        "A song in the style that was asked for is near training songs of that style: it is no sign of a copy by itself.",
    ),
    Measure(
        "safety.flagged",
        "songs flagged as remembered",
        "%",
        "lower",
        "mean",
        "Songs whose latents are more like a training song than training songs are like each other (a quantile of these, its tail taken "
        "for exponential); of songs without latents, their style vectors.",
        "own definition; the tail after Pickands 1975",
        "A flag is a reason to listen, not a proof; songs that share a loop with a training song may be flagged.",
    ),
)


@dataclass(frozen=True)
class Near:
    """The training song that is nearest: how like, and by latents which frame of ours is like which frame of it."""

    key: str
    likeness: float
    ours: int = 0
    its: int = 0


@dataclass(frozen=True)
class Thresholds:
    """The likeness from which on a song is flagged."""

    latent: float
    embedding: float


@dataclass(frozen=True)
class Resemblance:
    """What a song has of the measures, and a line for people where it was flagged."""

    values: dict[str, Value]
    notes: tuple[str, ...] = ()


class Corpus:
    """The training songs: their style vectors, and the means of their latents."""

    def __init__(self, keys: Sequence[str], styles: Sequence[Tensor], latents: Sequence[Tensor]) -> None:
        """`styles` are (n, 512) and `latents` (T, C) of each song."""
        assert len(keys) == len(styles) == len(latents) > 0
        self.keys = tuple(keys)
        self.styles = functional.normalize(torch.cat([one.float() for one in styles]), dim=-1)  # (R, 512)
        self.owner = torch.repeat_interleave(torch.arange(len(keys)), torch.tensor([len(one) for one in styles]))  # (R,)
        frames = sum(len(one) for one in latents)
        self.mean = cast(Tensor, sum(one.double().sum(0) for one in latents) / frames).float()  # (C,)
        power = cast(Tensor, sum((one.float() - self.mean).double().square().sum(0) for one in latents) / frames)
        self.deviation = power.sqrt().clamp_min(1e-6).float()
        self.latents = [one.half() for one in latents]

    @classmethod
    def read(cls, pattern: str | Sequence[str], limit: int | None = None) -> Corpus:
        """The first `limit` songs of shards. Raises ValueError, in one line, for shards that are damaged, hold none or too much."""
        keys, styles, latents, size = [], [], [], 0
        for sample in _samples(pattern, limit):
            latent, style = (read_tensor(sample[part], f"{name(sample)}: {part}") for part in ("latent.pt", "style.pt"))
            check_latent(latent, f"{name(sample)}: latent.pt")
            if not style.numel() or style.shape[-1] != STYLE_WIDTH:
                raise ValueError(f"{name(sample)}: style.pt is {list(style.shape)}; expected [{STYLE_WIDTH}] or [n, {STYLE_WIDTH}]")
            keys.append(str(sample["__key__"]))
            styles.append(style.float().reshape(-1, STYLE_WIDTH))
            latents.append(latent[:LATENT_CHANNELS].T.half().contiguous())
            size += latents[-1].nbytes
            if size > MEMORY:
                raise ValueError(f"{pattern}: the latents of {len(keys)} songs fill {MEMORY >> 30} GiB; set safety.limit to fewer songs")
        if not keys:
            raise ValueError(f"{pattern}: the shards hold no songs")
        return cls(keys, styles, latents)

    def nearest_by_embedding(self, vector: Tensor, without: int | None = None) -> Near:
        """The training song whose style is nearest to `vector` (512,), song `without` left out."""
        likeness = self.styles @ functional.normalize(vector.float(), dim=0)
        if without is not None:
            likeness[self.owner == without] = -1.0
        best = int(likeness.argmax())
        return Near(self.keys[int(self.owner[best])], float(likeness[best]))

    def nearest_by_latent(self, latents: Tensor, without: int | None = None) -> Near | None:
        """The training song a piece of which is most like a piece of `latents` (T, C), song `without` left out; None of silence alone."""
        pieces, starts = _pieces(self._alike(latents))
        if not len(pieces):
            return None
        best: Near | None = None
        songs = [place for place in range(len(self.keys)) if place != without]
        songs.sort(key=lambda place: len(self.latents[place]))  # blocks of songs of about one length
        for low in range(0, len(songs), BLOCK):
            block = songs[low : low + BLOCK]
            likeness, shifts = correlations(pieces, [self._alike(self.latents[place]) for place in block])  # (S, P)
            here = int(likeness.argmax())
            song, piece = divmod(here, len(pieces))
            if best is None or float(likeness[song, piece]) > best.likeness:
                best = Near(self.keys[block[song]], float(likeness[song, piece]), starts[piece], int(shifts[song, piece]))
        return best

    def thresholds(self, quantile: float, seed: int = 0) -> Thresholds:
        """The likeness that a share of 1 - `quantile` of training songs would have to the rest of them, by a draw of songs.

        Songs that are there twice do not count. By latents it is from `LEAST` to `SAME`. By style it is at most 1, which flags nothing:
        where training songs of a style have one vector, that tells no copy. Raises ValueError for fewer than eight songs.
        """
        if len(self.keys) < 8:
            raise ValueError(f"safety.shards hold {len(self.keys)} songs; what is like by chance is told from eight or more")
        order = torch.randperm(len(self.keys), generator=generator("memorised", seed)).tolist()
        by_latent = [self.nearest_by_latent(self.latents[place], place) for place in order[:DRAWN]]
        vectors = [(place, self.styles[self.owner == place].mean(0)) for place in order[:STYLES_DRAWN]]
        by_style = [self.nearest_by_embedding(vector, place).likeness for place, vector in vectors]
        different = [one.likeness for one in by_latent if one is not None and one.likeness < SAME]
        return Thresholds(min(max(tail(different, quantile), LEAST), SAME), min(tail(by_style, quantile), 1.0))

    def _alike(self, latents: Tensor) -> Tensor:
        """Latents (T, C), every channel of mean 0 and deviation 1 over the training songs."""
        return (latents.float() - self.mean) / self.deviation


def measure(corpus: Corpus, thresholds: Thresholds, vector: Tensor | None = None, latents: Tensor | None = None) -> Resemblance:
    """What a song has of the measures: of its style vector (512,), of its latents (T, C), or of both."""
    values: dict[str, Value] = {}
    style = None if vector is None else corpus.nearest_by_embedding(vector)
    copy = None if latents is None else corpus.nearest_by_latent(latents)
    if style is not None:
        values["safety.embedding"] = Value(style.likeness)
    if copy is not None:
        values["safety.latent"] = Value(copy.likeness)
    near, bar = (copy, thresholds.latent) if copy is not None else (style, thresholds.embedding)
    if near is None:
        return Resemblance({})
    values["safety.flagged"] = Value(100.0 * (near.likeness > bar))
    return Resemblance(values, (_note(near, bar, copy is not None),) if near.likeness > bar else ())


def correlations(pieces: Tensor, songs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The greatest correlation (S, P) of each piece, of `pieces` (P, L, C), with L frames of each song (T, C), and at which frame.

    A piece and what it lies upon are less their channels' means; songs shorter than a piece are filled up with zeros.
    """
    length = pieces.shape[1]
    centred = pieces - pieces.mean(1, keepdim=True)
    size = max(length, *(len(song) for song in songs))
    padded = torch.stack([functional.pad(song, (0, 0, 0, size - len(song))) for song in songs])  # (S, T, C)
    points = 1 << (size - 1).bit_length()
    heard, asked = torch.fft.rfft(padded, points, 1), torch.fft.rfft(centred, points, 1)  # (S, F, C), (P, F, C)
    products = torch.matmul(heard.transpose(0, 1), asked.conj().permute(1, 2, 0))  # (F, S, P)
    dots = torch.fft.irfft(products.permute(1, 2, 0), points, -1)[..., : size - length + 1]  # (S, P, shifts)
    energy = _energy(padded, length)  # (S, shifts)
    last = torch.tensor([max(len(song) - length, 0) for song in songs])[:, None]  # shifts that lie within the song
    moves = (energy > STILL * length * padded.shape[-1]) & (torch.arange(energy.shape[1]) <= last)
    norms = energy.clamp_min(1e-9).sqrt()[:, None] * centred.square().sum((1, 2)).sqrt()[None, :, None]
    likeness = torch.where(moves[:, None], dots / norms, torch.zeros(()))
    found = likeness.max(-1)
    return found.values, found.indices


def tail(likenesses: Sequence[float], quantile: float) -> float:
    """A quantile of likenesses, beyond what so few can tell: the highest quarter is taken for an exponential tail. Of none it is 1."""
    values = np.array(likenesses)
    if not len(values):
        return 1.0
    base = float(np.quantile(values, 1 - TAIL))
    if 1 - quantile >= TAIL:
        return float(np.quantile(values, quantile))
    above = values[values > base] - base
    excess = float(above.mean()) if len(above) else 0.0
    return base + excess * math.log(TAIL / (1 - quantile))


def _samples(pattern: str | Sequence[str], limit: int | None) -> Iterator[Sample]:
    """The first `limit` raw songs of shards. Raises ValueError for one that is damaged, or a song that lacks a part."""
    count = 0
    for path in shard_paths(pattern):
        for sample in stored(path):
            if isinstance(sample, str):
                raise ValueError(sample)
            absent = [part for part in ("latent.pt", "style.pt") if part not in sample]
            if absent:
                raise ValueError(f"{name(sample)}: has no {', '.join(absent)}")
            yield sample
            count += 1
            if count == limit:
                return


def _pieces(latents: Tensor) -> tuple[Tensor, list[int]]:
    """Pieces (P, L, C) of a song, half over each other, and where they start; those that hardly move are left out."""
    length = min(PIECE, len(latents))
    last = len(latents) - length
    starts = [*range(0, last, PIECE // 2), last]
    pieces = torch.stack([latents[start : start + length] for start in starts])
    spread = (pieces - pieces.mean(1, keepdim=True)).square().sum((1, 2))
    kept = (spread > STILL * length * latents.shape[1]).tolist()
    return pieces[torch.tensor(kept)], [start for start, moves in zip(starts, kept, strict=True) if moves]


def _energy(songs: Tensor, length: int) -> Tensor:
    """The energy (S, shifts) of each stretch of `length` frames of songs (S, T, C), less its channels' means."""
    sums = functional.pad(songs.double().cumsum(1), (0, 0, 1, 0))
    squares = functional.pad(songs.double().square().sum(2).cumsum(1), (1, 0))
    means = (sums[:, length:] - sums[:, :-length]).square().sum(2) / length
    return (squares[:, length:] - squares[:, :-length] - means).float()


def _note(near: Near, bar: float, by_latent: bool) -> str:
    """A flag for people."""
    told = f"{near.likeness:.2f}, flagged from {bar:.2f}"
    if not by_latent:
        return f"its style is that of training song {near.key} (cosine {told}); listen to both"
    ours, its = frames_to_seconds(near.ours), frames_to_seconds(near.its)
    return f"from {ours:.1f} s it is like training song {near.key} from {its:.1f} s (correlation {told}); listen to both"
