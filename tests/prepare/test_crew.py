"""Many tasks by few processes: in order, each once, and errors come through."""

import os
from pathlib import Path

import pytest
import torch

from jam.prepare.crew import Crew
from jam.prepare.preparing import Preparer
from jam.prepare.settings import PrepareConfig

CPU = torch.device("cpu")


def square(_preparer: Preparer, number: int) -> tuple[int, int, int]:
    """A task of a worker: the answer, who gave it, with how many threads."""
    return number * number, os.getpid(), torch.get_num_threads()


def fail(_preparer: Preparer, number: int) -> int:
    if number == 3:
        raise ValueError("song 3 is at fault")
    return number


def die(_preparer: Preparer, _number: int) -> None:
    os._exit(9)


@pytest.mark.parametrize("count", [1, 2])
def test_results_are_in_order_each_once_and_by_one_thread(tmp_path: Path, count: int) -> None:
    before = torch.get_num_threads()
    with Crew(PrepareConfig(), str(tmp_path), CPU, count) as crew:
        found = list(crew.each(square, range(25)))
        assert [answer for answer, _, _ in found] == [number * number for number in range(25)]
        assert {threads for _, _, threads in found} == {1}
        assert (os.getpid() in {process for _, process, _ in found}) == (count == 1)
        with pytest.raises(ValueError, match="song 3 is at fault"):
            list(crew.each(fail, range(5)))
    assert torch.get_num_threads() == before


def test_a_worker_that_is_killed_is_one_line(tmp_path: Path) -> None:
    with Crew(PrepareConfig(), str(tmp_path), CPU, 2) as crew, pytest.raises(OSError, match="a worker process was killed.*run again"):
        list(crew.each(die, range(3)))
