"""A preparation is killed (SIGKILL, all its processes) at random moments and gone on with: are the shards those of one that never was?

    python tests/bench/prepare_kills.py SONGS WORK [kills=5] [seed=0] [processes=2] [key=value ...]

`SONGS` is a folder of songs; the runs write into folders of `WORK`. Printed are the hashes of SHA256SUMS after one uninterrupted run, after
the killed one, and after one of several processes, and whether all are equal.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def start(songs: str, output: Path, words: list[str], processes: int = 1) -> subprocess.Popen[bytes]:
    """Starts a run in its own group of processes."""
    settings = [f"input={songs}", f"output={output}", "config=configs/prepare/nano.yaml", "license=Apache-2.0", "source=rendered", *words]
    launch = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}", "--master_port=29731"] if processes > 1 else []
    output.mkdir(parents=True, exist_ok=True)
    with (output.parent / f"{output.name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *launch, "-m", "jam.data.prepare", *settings], cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )


def sums(output: Path) -> str:
    """The hash of the list of hashes, and what the shards themselves hash to."""
    listed = (output / "SHA256SUMS").read_bytes()
    for line in listed.decode().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((output / name).read_bytes()).hexdigest() == digest, name
    return hashlib.sha256(listed).hexdigest()


def main(words: list[str]) -> int:
    """Runs, kills, compares."""
    songs, work = words[0], Path(words[1])
    own = {"kills": 5, "seed": 0, "processes": 2}
    given = dict(word.split("=", 1) for word in words[2:])
    own |= {name: int(given.pop(name)) for name in list(given) if name in own}
    settings = [f"{name}={value}" for name, value in given.items()]
    began = time.perf_counter()
    assert start(songs, work / "whole", settings).wait() == 0
    whole = time.perf_counter() - began
    drawn = random.Random(own["seed"])
    killed = 0
    while killed < own["kills"]:
        run = start(songs, work / "killed", settings)
        time.sleep(drawn.uniform(0.2, 1.0) * whole * 2 / (own["kills"] + 1))
        if run.poll() is not None:
            sys.stdout.write("ended before it was killed\n")
            break
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        killed += 1
    assert start(songs, work / "killed", settings).wait() == 0
    assert start(songs, work / "shared", settings, own["processes"]).wait() == 0
    found = {name: sums(work / name) for name in ("whole", "killed", "shared")}
    for name, digest in found.items():
        sys.stdout.write(f"{name:8} {digest}\n")
    same = len(set(found.values())) == 1
    sys.stdout.write(f"{killed} kills, a run of {whole:.0f} s: {'equal' if same else 'DIFFERENT'}\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
