"""The loader: batches in turn from each worker, where they stand, and clear words when a worker fails."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pytest
import torch

from jam.data.loader import Delivery, Loader, LoaderSettings, Place

MP_PATIENCE = "torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL"  # how long torch waits for a worker, 5 s


@dataclass
class Numbers:
    """Reader r of R gives r, r + R, r + 2R and so on; at `fault` it does as `does` says."""

    fault: int = -1
    does: str = "stops"

    def begin(self, reader: int, readers: int, places: Sequence[Place], /) -> Place:
        if len(places) == readers:
            return places[reader]
        return {"next": max((place["next"] for place in places), default=0) + reader}

    def deliveries(self, _reader: int, readers: int, place: Place, /) -> Iterator[Delivery]:
        number = place["next"]
        while True:
            broken = ()
            if number == self.fault:
                if self.does == "stops":
                    raise OSError(5, "the disk\nis gone")
                if self.does == "dies":
                    os.kill(os.getpid(), signal.SIGKILL)
                if self.does == "errs":
                    raise AssertionError("a fault of ours")
                if self.does == "hangs":
                    time.sleep(1000)
                broken = (f"song {number}",)
            yield Delivery(torch.tensor([number, os.getpid()]), {"next": number + readers}, broken)
            number += readers


def load(workers: int = 0, source: Numbers | None = None, place: tuple[int, int] = (0, 1), states=None, **settings) -> Loader:
    return Loader(source or Numbers(), LoaderSettings(num_workers=workers, **settings), *place, states)


def take(loader: Loader, count: int) -> list[int]:
    return [int(batch[0]) for batch in islice(iter(loader), count)]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_workers_take_turns_and_a_loader_goes_on_where_it_was_left(workers):
    loader = load(workers)
    assert take(loader, 4) == [0, 1, 2, 3]
    assert take(load(workers, states=[loader.state()]), 5) == [4, 5, 6, 7, 8]
    assert take(loader, 2) == [4, 5]  # what had been read ahead does not count
    assert loader.batches == 6


@pytest.mark.parametrize("settings", [{"prefetch_factor": 5}, {"persistent_workers": True, "pin_memory": True}])
def test_reading_ahead_changes_nothing(settings):
    loader = load(2, place=(1, 2), **settings)
    assert take(loader, 5) == [2, 3, 6, 7, 10]
    assert loader.state()["places"] == [{"next": 14}, {"next": 11}]


def test_states_of_all_processes_in_any_order_go_on():
    loaders = [load(2, place=(process, 2)) for process in range(2)]
    for loader in loaders:
        take(loader, 3)
    states = [loader.state() for loader in loaders][::-1]
    assert [take(load(2, place=(process, 2), states=states), 2) for process in range(2)] == [[5, 8], [7, 10]]


def test_with_other_workers_turns_begin_anew():
    loader = load(2)
    take(loader, 3)
    assert take(load(3, states=[loader.state()]), 3) == [4, 5, 6]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_broken_is_told_counted_and_kept(caplog, workers):
    loader = load(workers, Numbers(3, "tells"))
    take(loader, 3)
    assert loader.broken == 0  # read ahead, not handed out
    take(loader, 2)
    assert loader.broken == 1 and [record.getMessage() for record in caplog.records] == ["left out: song 3"]
    assert load(workers, states=[loader.state()]).broken == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_source_that_cannot_go_on_stops_the_run_in_one_line_after_what_came_before(workers):
    found = []
    with pytest.raises(ValueError, match=r"^\[Errno 5\] the disk is gone$"):
        for batch in load(workers, Numbers(5)):
            found.append(int(batch[0]))
    assert found == [0, 1, 2, 3, 4]


def test_a_worker_that_is_killed_is_told_with_what_to_do_where_its_batch_is_asked_for(monkeypatch):
    monkeypatch.setattr(MP_PATIENCE, 0.2)
    with pytest.raises(OSError, match="was killed, perhaps for want of memory; lower data.train_dataloader.num_workers"):
        for _ in load(2, Numbers(5, "dies")):
            time.sleep(0.1)


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(AssertionError, match="a fault of ours"):
        take(load(2, Numbers(5, "errs")), 9)


def test_workers_do_not_hear_signals_that_are_meant_for_the_loop():
    loader = iter(load(2))
    pids = {int(next(loader)[1]) for _ in range(4)}
    for pid in pids:
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
    assert {int(next(loader)[1]) for _ in range(20)} == pids


def test_a_worker_that_hangs_does_not_keep_the_run_from_ending(monkeypatch):
    monkeypatch.setattr(MP_PATIENCE, 0.2)
    loader = iter(load(1, Numbers(1, "hangs")))
    pid = int(next(loader)[1])
    started = time.monotonic()
    loader.close()
    while any(child.pid == pid for child in multiprocessing.active_children()):
        assert time.monotonic() - started < 30
        time.sleep(0.05)


def test_loading_draws_nothing_from_the_runs_own_random_numbers():
    before = torch.get_rng_state()
    take(load(0), 2)
    take(load(1), 2)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("words", [{"batch_size": 0}, {"num_workers": -1}, {"prefetch_factor": 0}, {"lanes": 0}])
def test_settings_that_mean_nothing_are_refused(words):
    name, value = next(iter(words.items()))
    with pytest.raises(ValueError, match=rf"data.train_dataloader.{name} is {value}; give"):
        LoaderSettings(**words)
