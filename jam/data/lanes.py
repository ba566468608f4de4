"""Lanes: who reads which song of an endless list, in which order, and where a lane stands. It does not know files or songs.

A unit is a shard, or one of `parts` parts of it (the songs whose number leaves the same remainder) where there are fewer shards than
lanes. Every epoch has an order of its units; the units of all epochs are one endless list, and lane l of L reads numbers l, l + L,
l + 2L and so on. So every lane is as far as the others, and a song of an epoch is read by exactly one.

Within a lane songs are shuffled in blocks: as many as `block` are read, and handed out in an order that is drawn. A block never crosses
an epoch. A place is where a block begins and how many of its songs were handed out: a lane that goes on there reads the block again.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import torch

from jam.randomness import generator

log = logging.getLogger("jam")

Found = dict[str, Any] | str  # a stored song, or one line about a broken shard
Read = Callable[[int, int, int, int], Iterator[tuple[int, Found]]]  # epoch, shard, part, first song -> songs with their numbers


@dataclass(frozen=True)
class Plan:
    """How songs are dealt: everything that a place depends on."""

    seed: int
    shards: int
    lanes: int
    shuffle: bool
    block: int  # songs that are shuffled together

    @property
    def parts(self) -> int:
        """Units that each shard is divided into."""
        return max(1, -(-self.lanes // self.shards))

    @property
    def units(self) -> int:
        """Units of an epoch."""
        return self.shards * self.parts

    @property
    def share(self) -> int:
        """Units of an epoch that a lane has at most."""
        return -(-self.units // self.lanes)

    def part(self, unit: int) -> tuple[int, int]:
        """The shard and the part of it that a number of the endless list means."""
        epoch, position = divmod(unit, self.units)
        return divmod(_order(self.seed, epoch, self.units, self.shuffle)[position], self.parts)

    def start(self, lane: int, epoch: int = 0) -> dict[str, int]:
        """The place of a lane at the beginning of an epoch."""
        first = epoch * self.units
        return {"lane": lane, "unit": first + (lane - first) % self.lanes, "song": 0, "handed": 0, "songs": 0, "read": 0, "broken": 0}

    def begun(self, place: dict[str, int]) -> int:
        """The last epoch that a lane has begun, -1 for none."""
        fresh = place["song"] == 0 and place["handed"] == 0
        return max(-1, (place["unit"] - (self.lanes if fresh else 0)) // self.units)


class Lane:
    """One lane, read block by block."""

    def __init__(self, plan: Plan, place: dict[str, int], read: Read, last: int | None = None) -> None:
        """Goes on at `place`; ends before the unit `last`, or never."""
        self._plan, self._read, self._last = plan, read, last
        self.number = place["lane"]
        self._unit, self._song, self._handed = place["unit"], place["song"], place["handed"]
        self.songs = place["songs"]  # whole songs handed out
        self.read = place["read"]  # songs handed out, broken ones too
        self.broken = place["broken"]  # broken songs and shards met
        self.notes: list[str] = []  # broken shards, met since the caller emptied it
        self._block: deque[dict[str, Any]] = deque()
        self._ahead = (self._unit, self._song)  # where the next block begins
        self._open: Iterator[tuple[int, Found]] | None = None
        self._passed = 0  # units since the last whole song

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to read."""
        return self._last is not None and self._unit >= self._last and not self._block

    def place(self) -> dict[str, int]:
        """Where the lane stands, in plain numbers."""
        at = {"lane": self.number, "unit": self._unit, "song": self._song, "handed": self._handed}
        return at | {"songs": self.songs, "read": self.read, "broken": self.broken}

    def take(self) -> tuple[int, dict[str, Any]] | None:
        """The next stored song and its epoch; None at the end, or where more than an epoch of units has held no whole song."""
        while not self._block:
            if self.ended or self._passed > self._plan.share:
                self._passed = 0
                return None
            self._fill()
        epoch = self._unit // self._plan.units
        sample = self._block.popleft()
        self._handed += 1
        if not self._block:
            self._advance()
        return epoch, sample

    def praise(self) -> None:
        """The song last taken was whole."""
        self.songs += 1
        self._passed = 0

    def _fill(self) -> None:
        songs = self._next_block()
        order = list(range(len(songs)))
        if self._plan.shuffle:
            drawn = generator("block", self._plan.seed, self.number, self._unit, self._song)
            order = torch.randperm(len(songs), generator=drawn).tolist()
        self._block.extend(songs[index] for index in order[self._handed :])
        if not self._block:
            self._advance()

    def _advance(self) -> None:
        (self._unit, self._song), self._handed = self._ahead, 0

    def _next_block(self) -> list[dict[str, Any]]:
        """The songs of the block that begins here; what is broken was noted before where some of them were handed out before."""
        songs: list[dict[str, Any]] = []
        epoch, unit, song = self._unit // self._plan.units, self._unit, self._song
        while len(songs) < self._plan.block and unit // self._plan.units == epoch:
            if self._open is None:
                self._open = self._read(epoch, *self._plan.part(unit), song)
            item = next(self._open, None)
            if item is None:
                self._open, unit, song = None, unit + self._plan.lanes, 0
                self._passed += 1
                continue
            song = item[0] + 1
            if not isinstance(item[1], str):
                songs.append(item[1])
            elif not self._handed:
                self.notes.append(item[1])
        self._ahead = (unit, song)
        return songs


def begin(plan: Plan, fixed: bool, reader: int, readers: int, places: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Where a reader's lanes stand: at the beginning where there are no `places`, else where all readers of a checkpoint left them.

    `plan.lanes` is kept where it is `fixed`; else it is that of the checkpoint where it suffices for the readers, or one for each. Lanes
    that cannot go on where they stood start at the next epoch that none of them has begun, with a warning.
    Raises ValueError for fewer lanes than readers.
    """
    old = Plan(**places[0]["plan"]) if places else None
    if not fixed:
        plan = replace(plan, lanes=old.lanes if old is not None and old.lanes >= readers else readers)
    if plan.lanes < readers:
        raise ValueError(
            f"data.train_dataloader.lanes is {plan.lanes}, but {readers} readers (processes x workers) share the songs; "
            f"set it to {readers} or a multiple of that, or to null, or use fewer workers"
        )
    mine = range(reader, plan.lanes, readers)
    stood = {lane["lane"]: lane for place in places for lane in place["lanes"]}
    if old == plan and set(stood) == set(range(plan.lanes)):
        lanes = [stood[lane] for lane in mine]
    else:
        epoch = 0 if old is None else 1 + max(old.begun(place) for place in stood.values())
        lanes = [plan.start(lane, epoch) for lane in mine]
        if old is not None and reader == 0:
            log.warning(
                "%s: the songs that were left of epoch %d wait for the next one; data goes on with epoch %d",
                _difference(old, plan, len(stood)),
                epoch - 1,
                epoch,
            )
    return {"plan": asdict(plan), "lanes": lanes}


def _difference(old: Plan, new: Plan, found: int) -> str:
    changes = [f"{name} was {value} and is {vars(new)[name]}" for name, value in vars(old).items() if value != vars(new)[name]]
    return "songs are dealt in another way than in the checkpoint (" + (", ".join(changes) or f"of its lanes {found} are known") + ")"


@lru_cache(maxsize=16)
def _order(seed: int, epoch: int, units: int, shuffle: bool) -> tuple[int, ...]:
    order = list(range(units))
    if shuffle:
        random.Random(f"{seed}:{epoch}").shuffle(order)
    return tuple(order)
