"""The worker processes of one process: a task for each of many songs, results in order, few under way at a time.

A worker ends with the process that started it, however that ends. On the CPU each computes with one thread, so that results do not depend
on how many there are.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

import torch

from jam.prepare.cache import Cache
from jam.prepare.places import Folder
from jam.prepare.preparing import Preparer
from jam.prepare.settings import PrepareConfig

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4  # tasks of each worker that are under way or wait

_OWN: dict[str, Preparer] = {}  # the one preparer of a worker process


class Crew:
    """`count` worker processes, or, where that is 1, this process itself. Use it as a context."""

    def __init__(self, settings: PrepareConfig, cache: str, device: torch.device, count: int) -> None:
        self._parts = (settings, cache, str(device))
        self.count = count
        self._pool: ProcessPoolExecutor | None = None
        self._threads = torch.get_num_threads()
        self.own = _preparer(*self._parts)

    def __enter__(self) -> Crew:
        torch.set_num_threads(1)
        if self.count > 1:
            context = multiprocessing.get_context("spawn")  # a fork of a process that has used torch's threads may hang
            self._pool = ProcessPoolExecutor(self.count, context, _begin, self._parts)
        return self

    def __exit__(self, *_error: object) -> None:
        torch.set_num_threads(self._threads)
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def each(self, task: Callable[[Preparer, T], R], items: Iterable[T]) -> Iterator[R]:
        """What `task`, a function of a module, gives for each of `items`, in their order.

        Raises what the task raises, and OSError, in one line, where a worker was killed.
        """
        if self._pool is None:
            yield from (task(self.own, item) for item in items)
            return
        left, under_way = iter(items), deque[Future[R]]()
        try:
            while True:
                for item in islice(left, AHEAD * self.count - len(under_way)):
                    under_way.append(self._pool.submit(_run, task, item))
                if not under_way:
                    return
                yield under_way.popleft().result()
        except BrokenProcessPool as error:
            raise OSError("a worker process was killed, perhaps for want of memory; lower workers, and run again to go on") from error


def _preparer(settings: PrepareConfig, cache: str, device: str) -> Preparer:
    return Preparer(settings, Cache(Folder(cache)), torch.device(device))


def _begin(settings: PrepareConfig, cache: str, device: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the process that leads
    logging.getLogger("jam").setLevel(logging.ERROR)  # only the process that leads speaks
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _OWN["preparer"] = _preparer(settings, cache, device)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(task: Callable[[Preparer, Any], R], item: Any) -> R:
    return task(_OWN["preparer"], item)
