"""Songs from WebDataset shards, endless and reproducible: the one door to `webdataset`. It does not know the network.

A sample is `KEY.latent.pt` (128 x T: 64 means then 64 standard deviations), `KEY.style.pt` (512 or n x 512) and `KEY.json` (`word`: a
list of words with `start`, `end`, `phoneme`). Tensors are read with `weights_only`, so a shard never runs code. A shard that is missing and
a song that is broken stop the run, by name.
"""

from __future__ import annotations

import io
import json
import logging
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from jam.data.collate import collate
from jam.data.example import CropSettings, Recording, make_example
from jam.lyrics import formats
from jam.lyrics.words import Word
from jam.randomness import generator
from jam.timing import STYLE_WIDTH, frames_to_seconds

log = logging.getLogger("jam")

RESAMPLE_POWER = 1.2  # a song is kept with probability (duration / threshold) ** 1.2
SHUFFLE_SONGS = 1000  # songs in the shuffle buffer


@dataclass(frozen=True)
class ShardSettings:
    """Which songs are read: a brace pattern or several of them, and who of them is left out."""

    pattern: str | None = None
    id_list_jsonl: str | None = None  # a file of {"id": KEY} lines: only these songs
    shuffle: bool = True
    ignore_by_duration_threshold: float | None = None  # seconds: shorter songs are left out
    resample_by_duration_threshold: float | None = None  # seconds: shorter songs are kept with a probability, drawn at each use
    crop: CropSettings = field(default_factory=CropSettings)


def shard_paths(pattern: str | Sequence[str]) -> list[str]:
    """The shards that a brace pattern (`songs-{000000..000009}.tar`) means.

    Raises ValueError naming local shards that do not exist.
    """
    from webdataset.shardlists import expand_urls

    paths = list(expand_urls(pattern))
    absent = [path for path in paths if ":" not in path and not Path(path).is_file()]
    if absent or not paths:
        raise ValueError(f"{pattern}: {len(absent)} of {len(paths)} shards are missing, the first is {absent[0] if absent else 'none'}")
    return paths


def read_ids(path: str | Path) -> frozenset[str]:
    """The ids of a file of `{"id": ...}` lines. Raises ValueError naming the file and line that are broken."""
    ids = set()
    for number, line in enumerate(Path(path).read_text(encoding="utf-8-sig").splitlines(), start=1):
        if line.strip():
            try:
                ids.add(str(json.loads(line)["id"]))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f'{path}: line {number}: expected {{"id": "..."}}, found {line.strip()[:60]}') from error
    return frozenset(ids)


def decode(sample: dict[str, Any]) -> Recording:
    """A raw sample (names to bytes) -> the song it stores. Raises ValueError with shard, key and what is wrong."""
    where = f"{sample.get('__url__', 'shard')}: {sample['__key__']}"
    absent = [name for name in ("latent.pt", "style.pt", "json") if name not in sample]
    if absent:
        raise ValueError(f"{where}: has no {', '.join(absent)}")
    latent, style = (_tensor(sample[name], f"{where}: {name}") for name in ("latent.pt", "style.pt"))
    styles = style.float().reshape(-1, style.shape[-1]) if style.ndim else style
    if styles.ndim != 2 or styles.shape[1] != STYLE_WIDTH or not len(styles) or not torch.isfinite(styles).all():
        raise ValueError(f"{where}: style.pt is {list(style.shape)} or not finite; expected [512] or [n, 512] numbers")
    try:
        lyrics = json.loads(sample["json"])
    except ValueError as error:
        raise ValueError(f"{where}: json cannot be read ({error})") from error
    return Recording(str(sample["__key__"]), latent, styles, formats.parse(lyrics, where))


class Shards(IterableDataset):
    """Endless training examples: epoch after epoch, every song once in each, in an order that is a function of the seed.

    The songs of an epoch are dealt in turn to `processes`, and each share by hands of `hand` songs (a batch) to its loader's workers.
    Iteration starts after `skip` songs of the share, so that a run resumed after whole batches goes on where it stopped.
    """

    def __init__(
        self,
        settings: ShardSettings,
        ids_of: Callable[[Word], Sequence[int]],
        seed: int = 0,
        process: int = 0,
        processes: int = 1,
        skip: int = 0,
        hand: int = 1,
        epochs: int | None = None,
    ) -> None:
        super().__init__()
        if settings.pattern is None:
            raise ValueError("data.train_dataset.pattern is not set; give the shards, for example data/songs-{000000..000009}.tar")
        self.settings, self.ids_of, self.seed, self.epochs = settings, ids_of, seed, epochs
        self.process, self.processes, self.skip, self.hand = process, processes, skip, hand
        self.paths = shard_paths(settings.pattern)
        self.ids = None if settings.id_list_jsonl is None else read_ids(settings.id_list_jsonl)

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        workers, mine = (1, 0) if worker is None else (worker.num_workers, worker.id)
        position = 0  # songs of this process' share so far
        epoch = 0
        while self.epochs is None or epoch < self.epochs:
            before = position
            for index, sample in enumerate(self._songs(epoch)):
                if index % self.processes != self.process:
                    continue
                position += 1
                if position > self.skip and (position - 1 - self.skip) // self.hand % workers == mine:
                    yield make_example(decode(sample), self.settings.crop, self.ids_of, generator(self.seed, epoch, sample["__key__"]))
            if position == before:
                raise ValueError(f"{self.settings.pattern}: no song is left for process {self.process} by the id list and duration rules")
            epoch += 1

    def _songs(self, epoch: int) -> Iterator[dict[str, Any]]:
        """The raw samples of one epoch that the rules keep, in its order."""
        from webdataset.filters import shuffle
        from webdataset.tariterators import tarfile_to_samples

        order = random.Random(f"{self.seed}:{epoch}")
        paths = list(self.paths)
        if self.settings.shuffle:
            order.shuffle(paths)
        samples = filter(self._wanted(epoch), tarfile_to_samples(handler=_stop)({"url": path} for path in paths))
        return shuffle(bufsize=SHUFFLE_SONGS, initial=SHUFFLE_SONGS, rng=order)(samples) if self.settings.shuffle else samples

    def _wanted(self, epoch: int) -> Callable[[dict[str, Any]], bool]:
        least, threshold = self.settings.ignore_by_duration_threshold, self.settings.resample_by_duration_threshold

        def wanted(sample: dict[str, Any]) -> bool:
            if self.ids is not None and sample["__key__"] not in self.ids:
                return False
            if least is None and threshold is None:
                return True
            seconds = frames_to_seconds(decode(sample).latent.shape[1])
            if least is not None and seconds <= least:
                return False
            draw = torch.rand(1, generator=generator("resample", self.seed, epoch, sample["__key__"]))
            return threshold is None or float(draw) < (seconds / threshold) ** RESAMPLE_POWER

        return wanted


@dataclass(frozen=True)
class LoaderSettings:
    """How batches are loaded; as torch's DataLoader has them."""

    batch_size: int = 1
    num_workers: int = 0
    persistent_workers: bool = False
    pin_memory: bool = False
    prefetch_factor: int | None = None


def load_batches(shards: Shards, settings: LoaderSettings, silence: torch.Tensor) -> DataLoader:
    """Batches of padded examples; `silence` (C,) continues short songs. An incomplete last batch of finite shards is kept."""
    return DataLoader(
        shards,
        batch_size=settings.batch_size,
        num_workers=settings.num_workers,
        persistent_workers=settings.persistent_workers and settings.num_workers > 0,
        pin_memory=settings.pin_memory,
        prefetch_factor=settings.prefetch_factor if settings.num_workers else None,
        collate_fn=partial(collate, silence=silence, max_frames=shards.settings.crop.max_frames),
    )


def _tensor(data: bytes, where: str) -> torch.Tensor:
    try:
        value = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, LookupError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{where}: is not a readable tensor ({' '.join(str(error).split())[:80]})") from error
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"{where}: holds a {type(value).__name__} instead of a tensor")
    return value


def _stop(error: Exception) -> bool:
    """What webdataset does about a broken shard: it ends the run, by name."""
    raise ValueError(f"a shard cannot be read: {' '.join(str(error).split())}; check or remove it") from error
