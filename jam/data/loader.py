"""Batches from worker processes, and where they stand: the one use of torch's DataLoader. It does not know what a batch is.

A source is read by R readers: `num_workers` worker processes (or the process itself) of each process. Readers tell with every batch
where their source stands after it, so that a run goes on from the last batch that was handed out, whatever had been read ahead.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

log = logging.getLogger("jam")

Place = dict[str, Any]  # plain Python: a checkpoint holds it


@dataclass(frozen=True)
class LoaderSettings:
    """`data.train_dataloader`: how batches are loaded, as torch's DataLoader has it, and `lanes`."""

    batch_size: int = 1  # songs, of each process
    num_workers: int = 0  # of each process; 0: the process reads for itself
    persistent_workers: bool = False
    pin_memory: bool = False
    prefetch_factor: int | None = None  # batches that each worker reads ahead; None: torch's own, 2
    lanes: int | None = None  # streams that the songs are dealt to; None: one for each reader

    def __post_init__(self) -> None:
        least = {"batch_size": 1, "num_workers": 0, "prefetch_factor": 1, "lanes": 1}
        for name, smallest in least.items():
            value = getattr(self, name)
            if value is not None and value < smallest:
                raise ValueError(f"data.train_dataloader.{name} is {value}; give {smallest} or more")


@dataclass(frozen=True)
class Delivery:
    """What a reader hands over: a batch, where its source stands after it, and what was left out since the delivery before."""

    batch: Any | None
    place: Place
    broken: tuple[str, ...] = ()  # each a broken song or shard, in one line
    stopped: str | None = None  # the source cannot go on: why, in one line

    def pin_memory(self) -> Delivery:
        """The same delivery with its batch in page-locked memory."""
        return self if self.batch is None else replace(self, batch=self.batch.pin_memory())


class Source(Protocol):
    """What a Loader reads: songs, or pairs of them.

    It is copied into each worker process. Its batches have `.pin_memory()`. Together the readers 0 .. readers - 1 read everything once.
    A ValueError or OSError that leaves `deliveries` stops the run with its message.
    """

    def begin(self, reader: int, readers: int, places: Sequence[Place], /) -> Place:
        """Where a reader starts: at the beginning where there are no `places`, else where the readers of a checkpoint, all of them and
        perhaps another number, have left off. Asked in the main process; reads no songs."""
        ...

    def deliveries(self, reader: int, readers: int, place: Place, /) -> Iterator[Delivery]:
        """What a reader hands over from `place` on; endless, or not. Given the place of a delivery, it goes on after that."""
        ...


class Loader:
    """The batches of one process, and where it stands after the last one that was handed out.

    `states` are what `state()` gave in all processes of a checkpoint, in any order. With as many processes and workers as then, the
    batches that follow are exactly those that would have followed; with others the source decides how it goes on.
    """

    def __init__(
        self, source: Source, settings: LoaderSettings, process: int = 0, processes: int = 1, states: Sequence[dict[str, Any]] | None = None
    ) -> None:
        self._source, self._settings = source, settings
        self._process, self._processes, self._workers = process, processes, max(1, settings.num_workers)
        before = sorted(states or [], key=lambda state: state["process"])
        places = [place for state in before for place in state["places"]]
        readers = processes * self._workers
        self._places = [source.begin(process * self._workers + slot, readers, places) for slot in range(self._workers)]
        mine = before[process::processes]
        self.broken: int = sum(state["broken"] for state in mine)  # songs and shards left out so far
        self.batches: int = sum(state["batches"] for state in mine)  # handed out so far
        same = len(before) == processes and before[process]["workers"] == self._workers
        self._turn: int = before[process]["turn"] if same else 0  # the worker whose batch is next

    def state(self) -> dict[str, Any]:
        """Where this process stands after the last batch that was handed out: plain Python, for a checkpoint."""
        return {
            "process": self._process,
            "workers": self._workers,
            "turn": self._turn,
            "batches": self.batches,
            "broken": self.broken,
            "places": list(self._places),
        }

    def __iter__(self) -> Generator[Any]:
        """The batches from here on. Raises ValueError, in one line, where the source cannot go on, OSError where a worker was killed."""
        for slot, delivery in self._deliveries():
            self.broken += len(delivery.broken)
            for line in delivery.broken:
                log.warning("left out: %s", line)
            if delivery.stopped is not None:
                raise ValueError(delivery.stopped)
            self._places[slot], self._turn = delivery.place, (slot + 1) % self._workers
            if delivery.batch is not None:
                self.batches += 1
                yield delivery.batch

    def _deliveries(self) -> Iterator[tuple[int, Delivery]]:
        chosen = self._settings
        readers = _Readers(self._source, list(self._places), self._turn, self._process, self._processes)
        loader = DataLoader(
            readers,
            batch_size=None,
            num_workers=chosen.num_workers,
            persistent_workers=chosen.persistent_workers and chosen.num_workers > 0,
            pin_memory=chosen.pin_memory and torch.cuda.is_available(),
            prefetch_factor=chosen.prefetch_factor if chosen.num_workers else None,
            worker_init_fn=_prepare_worker,
            generator=torch.Generator(),  # DataLoader draws a seed: not from the run's own random numbers
        )
        iterator = _start(loader)
        workers = list(getattr(iterator, "_workers", ()))
        try:
            while (handed := _next(iterator)) is not None:
                yield handed
        finally:
            del iterator, loader  # asks the workers to leave,
            for worker in workers:  # and ends those that do not, waiting for a shard that does not come
                worker.kill()


class _Readers(IterableDataset):
    """The readers of one process, as DataLoader's workers find them; worker 0 is the one whose turn is next."""

    def __init__(self, source: Source, places: Sequence[Place], turn: int, process: int, processes: int) -> None:
        super().__init__()
        self._source, self._places, self._turn = source, places, turn
        self._first, self._readers = process * len(places), processes * len(places)

    def __iter__(self) -> Iterator[tuple[int, Delivery]]:
        worker = get_worker_info()
        slot = (self._turn + (0 if worker is None else worker.id)) % len(self._places)
        place = self._places[slot]
        try:
            for delivery in self._source.deliveries(self._first + slot, self._readers, place):
                place = delivery.place
                yield slot, delivery
        except (ValueError, OSError) as error:
            yield slot, Delivery(None, place, stopped=" ".join(str(error).split()))


def _start(loader: DataLoader) -> Iterator[tuple[int, Delivery]]:
    """The loader's iterator. A worker that dies is told where its batch is asked for, not, as torch has it, wherever the run is then."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGCHLD"):
        return iter(loader)
    before = signal.getsignal(signal.SIGCHLD)
    iterator = iter(loader)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL if before is None else before)
    return iterator


def _next(iterator: Iterator[tuple[int, Delivery]]) -> tuple[int, Delivery] | None:
    try:
        return next(iterator, None)
    except RuntimeError as error:
        if "exited unexpectedly" in str(error):
            raise OSError(
                "a worker process that reads songs was killed, perhaps for want of memory; lower data.train_dataloader.num_workers or "
                "prefetch_factor, or data.train_dataset.shuffle_songs"
            ) from error
        raise


def _prepare_worker(_worker: int) -> None:
    """Ctrl-C and SIGTERM reach the training loop alone, and only the main process speaks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log.setLevel(logging.ERROR)
