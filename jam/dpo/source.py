"""The order of pairs: endless, seeded, dealt to processes and their workers, resumable at any pair. It does not know what a pair holds.

Position i of the run is pair `permutation(epoch)[i % n]` of n, epoch i // n. Process i % P takes it; a process' batches go to its workers
in turn. So what a run sees depends neither on the number of workers nor, batch size times processes being equal, on that of processes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from jam.data.example import CropSettings
from jam.data.loader import Delivery, Place
from jam.data.songs import FEWEST_SONGS
from jam.dpo.listing import PairFiles
from jam.dpo.pairs import Pair, collate_pairs, load_pair
from jam.lyrics.words import Word
from jam.randomness import generator

log = logging.getLogger("jam")


@dataclass
class PairSource:
    """What `jam.data.loader.Loader` reads pairs from."""

    files: Sequence[PairFiles]
    crop: CropSettings
    silence: Tensor  # (C,)
    ids_of: Callable[[Word], Sequence[int]]
    sampled: bool  # latents are T x C, not 2C x T
    seed: object = 0
    batch_size: int = 1
    processes: int = 1
    cycle: int | None = None  # after so many epochs the same noise, moments and crops come again; None: never
    epochs: int | None = None  # None: endless
    max_bad_share: float = 0.01
    shuffle: bool = True

    def begin(self, reader: int, readers: int, places: Sequence[Place]) -> Place:
        """As `jam.data.loader.Source`: exactly where it was with as many readers, else at the first batch that some reader had not read.

        Where the pairs, their order or the seed are others than before, at the start of the next epoch.
        """
        layout, order = [len(places), self.processes, self.batch_size], [len(self.files), str(self.seed), self.shuffle]
        same = bool(places) and places[0]["order"] == order
        if same and places[0]["layout"] == layout and len(places) == readers:
            return dict(places[reader])
        start = 0
        if places:
            _, processes, size = places[0]["layout"]
            start = places[0]["start"] + min(place["batch"] for place in places) * processes * size
        if places and not same:
            epoch = -(-start // places[0]["order"][0])
            start = epoch * len(self.files)
            if reader == 0:
                log.warning("the pairs, their order or the seed have changed since the checkpoint; they are read from epoch %d on", epoch)
        workers = readers // self.processes
        layout = [readers, self.processes, self.batch_size]
        return {"layout": layout, "order": order, "start": start, "batch": reader % workers, "read": 0, "broken": 0}

    def deliveries(self, reader: int, readers: int, place: Place) -> Iterator[Delivery]:
        """As `jam.data.loader.Source`. A pair that cannot be used is left out of its batch and told."""
        workers = readers // self.processes
        while batch := self._positions(place, process=reader // workers):
            pairs, broken = self._load(batch)
            read, lost = place["read"] + len(batch), place["broken"] + len(broken)
            place = place | {"batch": place["batch"] + workers, "read": read, "broken": lost}
            loaded = collate_pairs(pairs, self.silence, self.crop.max_frames) if pairs else None
            yield Delivery(loaded, place, tuple(broken), self._verdict(read, lost))

    def _positions(self, place: Place, process: int) -> list[int]:
        first = place["start"] + place["batch"] * self.processes * self.batch_size + process
        positions = range(first, first + self.processes * self.batch_size, self.processes)
        return [position for position in positions if self.epochs is None or position < self.epochs * len(self.files)]

    def _load(self, positions: Sequence[int]) -> tuple[list[Pair], list[str]]:
        pairs, broken = [], []
        for position in positions:
            epoch, index = divmod(position, len(self.files))
            files = self.files[self._order(epoch)[index]]
            try:
                pairs.append(load_pair(files, self.draws(epoch, files.key), self.crop, self.sampled, self.ids_of))
            except (ValueError, OSError) as error:
                broken.append(f"pair {files.key}: {' '.join(str(error).split())}")
        return pairs, broken

    def draws(self, epoch: int, key: str) -> str:
        """The name of a pair's random streams in an epoch."""
        return f"{self.seed}:{epoch if self.cycle is None else epoch % self.cycle}:{key}"

    def _order(self, epoch: int) -> list[int]:
        if epoch not in self._orders:
            self._orders.clear()
            count = len(self.files)
            stream = generator("pairs", self.seed, epoch)
            self._orders[epoch] = torch.randperm(count, generator=stream).tolist() if self.shuffle else list(range(count))
        return self._orders[epoch]

    @cached_property
    def _orders(self) -> dict[int, list[int]]:
        return {}

    def _verdict(self, read: int, broken: int) -> str | None:
        if broken <= self.max_bad_share * max(read, FEWEST_SONGS):
            return None
        return f"{broken} of {read} pairs were broken, more than data.max_bad_share {self.max_bad_share:g}; mend them or raise it"
