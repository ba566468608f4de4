"""What a log line sums up: the values of the songs since the line before, whole and by quarter of t. It knows no objective."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from accelerate import Accelerator

    from jam.training.objective import Measured, Objective

QUARTERS = 4


@dataclass
class Window:
    """Sums over songs of this process, [whole, q1 .. q4] each, and the seconds of work and of song."""

    sums: dict[str, Tensor] = field(default_factory=dict)  # name -> (5,)
    songs: Tensor | None = None  # (5,)
    steps: int = 0
    song_seconds: float = 0.0
    seconds: float = 0.0  # of work: not of validation, singing, saving
    since: float | None = None  # when the clock was last started

    def add(self, measured: Measured, song_seconds: float, weight: float = 1.0) -> None:
        """Counts a batch of songs in; one of no weight only tells which values there are."""
        quarter = (measured.t.detach().float() * QUARTERS).long().clamp(0, QUARTERS - 1)  # (B,)
        share = torch.cat([torch.ones_like(quarter)[:, None], torch.nn.functional.one_hot(quarter, QUARTERS)], dim=1) * weight  # (B, 5)
        self.songs = share.sum(0) if self.songs is None else self.songs + share.sum(0)
        for name, values in measured.values.items():
            total = (values.detach().float()[:, None] * share).sum(0)  # (5,)
            self.sums[name] = self.sums[name] + total if name in self.sums else total
        self.song_seconds += song_seconds

    def start(self) -> None:
        """Starts the clock."""
        self.since = time.perf_counter()

    def stop(self) -> None:
        """Stops the clock, for what is no training."""
        if self.since is not None:
            self.seconds += time.perf_counter() - self.since
        self.since = None

    def is_finite(self) -> bool:
        """Whether every value so far is a number."""
        return all(bool(total[0].isfinite()) for total in self.sums.values())

    def pace(self, accelerator: Accelerator) -> dict[str, float]:
        """Songs, seconds of song and steps in a second, of all processes together."""
        assert self.songs is not None, "a window without songs"
        speed = accelerator.num_processes / self.seconds
        songs, steps = float(self.songs[0]) * speed, self.steps / self.seconds
        return {"songs_per_second": songs, "song_seconds_per_second": self.song_seconds * speed, "steps_per_second": steps}

    def means(self, accelerator: Accelerator) -> dict[str, float]:
        """Means over the songs of all processes: NAME and NAME_q1 .. NAME_q4 (where songs fell into that quarter)."""
        assert self.songs is not None, "a window without songs"
        names = list(self.sums)
        table = torch.stack([self.songs, *(self.sums[name] for name in names)])  # (1 + names, 5)
        table = accelerator.reduce(table, "sum")
        heard, *totals = table.double().cpu()
        record = {}
        for name, total in zip(names, totals, strict=True):
            record[name] = float(total[0] / heard[0])
            record |= {f"{name}_q{q}": float(total[q] / heard[q]) for q in range(1, QUARTERS + 1) if heard[q]}
        return record

    def state_dict(self) -> dict[str, Any]:
        """The sums, whole: a resumed run logs what an uninterrupted one would."""
        songs = None if self.songs is None else self.songs.cpu()
        sums = {name: total.cpu() for name, total in self.sums.items()}
        return {"sums": sums, "songs": songs, "steps": self.steps, "song_seconds": self.song_seconds, "seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Goes on from saved sums."""
        self.sums = {name: total.to(device) for name, total in state["sums"].items()}
        self.songs = None if state["songs"] is None else state["songs"].to(device)
        self.steps, self.song_seconds, self.seconds = state["steps"], state["song_seconds"], state["seconds"]


def held_out_means(objective: Objective, batches: Iterable[Any], model: nn.Module, accelerator: Accelerator) -> dict[str, float]:
    """An objective's means over held-out batches, shared among the processes, which all run equally many.

    Raises ValueError where there are no songs.
    """
    window, rest = Window(), iter(batches)
    while group := list(islice(rest, accelerator.num_processes)):
        place = accelerator.process_index
        batch = group[place] if place < len(group) else group[0]
        window.add(objective(model, batch.to(accelerator.device)), batch.seconds, float(place < len(group)))
    if window.songs is None:
        raise ValueError("the held-out data holds no songs; look at data.valid_pattern and the duration rules")
    return window.means(accelerator)
