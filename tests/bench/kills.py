"""A run of 200 steps is killed (SIGKILL) at ten random moments and gone on with each time; is it the run that was never stopped?

    python tests/bench/kills.py [steps=200] [kills=10] [processes=1] [workers=1] [seed=0]

Real shards, `python -m jam.train`, checkpoints every seven steps. A kill comes a random moment after a random step was logged, so that it
falls into a step, a line of the log or a checkpoint being written. It prints the greatest difference of weights, moving average and logged
losses, which should be 0 for one process and at most 1e-6 for several (gloo).
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from jam.training import checkpoint
from tests.test_train import Desk, read
from tests.training.test_loop import losses


def live(desk: Desk, run: str, words: list[str], processes: int, step: int | None, delay: float = 0.0) -> bool:
    """One life of a run, killed `delay` seconds after a step was logged; whether it came to its end."""
    process = desk.start(run, *words, processes=processes)
    log = desk.folder / run / "metrics.jsonl"
    while process.poll() is None and (step is None or logged(log) < step):
        time.sleep(0.002)
    time.sleep(delay)
    if process.poll() is None:
        for child in children(process.pid):
            os.kill(child, signal.SIGKILL)
        process.kill()
    process.wait()
    return process.returncode == 0


def logged(log: Path) -> int:
    """The last step of a log."""
    whole = [line for line in read(log) if line.endswith("}")]
    return json.loads(whole[-1])["step"] if whole else 0


def children(parent: int) -> list[int]:
    """The processes that a process started, and theirs."""
    found = [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if parent_of(stat) == parent]
    return [process for child in found for process in [*children(child), child]]


def parent_of(stat: Path) -> int | None:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def greatest(one: dict, other: dict) -> float:
    """The greatest difference between two dicts of tensors."""
    assert list(one) == list(other)
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def main(words: list[str]) -> int:
    """Reads key=value words, kills, and compares."""
    given = {name: int(value) for name, value in (word.split("=") for word in words)}
    steps, kills, processes = given.get("steps", 200), given.get("kills", 10), given.get("processes", 1)
    moments = random.Random(given.get("seed", 0))
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        more = [f"training.max_steps={steps}", "training.last_per_steps=7", f"data.train_dataloader.num_workers={given.get('workers', 1)}"]
        assert live(desk, "whole", more, processes, None)
        done = 0
        for step in sorted(moments.sample(range(1, steps - 10), kills)):
            ended = live(desk, "killed", more, processes, step, moments.uniform(0, 0.3))
            newest = checkpoint.newest(desk.folder / "killed")
            at = 0 if newest is None else checkpoint.load(newest)["step"]
            done += not ended
            sys.stdout.write(f"kill {done}: step {logged(desk.folder / 'killed' / 'metrics.jsonl')}, checkpoint of step {at}\n")
        while not live(desk, "killed", more, processes, None):
            pass
        expected, found = desk.state("whole"), desk.state("killed")
        weights, averaged = greatest(expected["model"], found["model"]), greatest(expected["ema"]["weights"], found["ema"]["weights"])
        pairs = list(zip(losses(desk.folder / "whole"), losses(desk.folder / "killed"), strict=True))
        loss = max(abs(one[1] - other[1]) for one, other in pairs)
    sys.stdout.write(f"{done} kills, {processes} processes, {len(pairs)} of {steps} steps in the log; greatest differences: ")
    sys.stdout.write(f"weights {weights:g}, moving average {averaged:g}, losses {loss:g}\n")
    limit = 0 if processes == 1 else 1e-6
    return 0 if max(weights, averaged, loss) <= limit and done == kills and len(pairs) == steps else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
