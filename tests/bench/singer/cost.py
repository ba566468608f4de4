"""Loads the singer, sings the songs of `inputs/` as `python inference.py` does, and prints what it took. Run it in a fresh process."""

import json
import resource
import sys
import time
from pathlib import Path

BEGIN = time.perf_counter()

from sing import load  # noqa: E402 - the imports are timed

from jam.lyrics.demands import quiet  # noqa: E402
from jam.manifest import read_manifest  # noqa: E402


def main(words: list[str]) -> int:
    """Prints seconds and gigabytes."""
    ready = time.perf_counter()
    singer = load(words)
    loaded = time.perf_counter()
    with quiet():
        wishes = [entry.request for entry in read_manifest(Path("inputs/input.json")) if entry.request is not None]
    begin = time.perf_counter()
    for wish in wishes:
        _ = singer.sing(wish).audio
    took = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    told = {"imports": ready - BEGIN, "load": loaded - ready, "memory": memory, "factor": took / sum(wish.duration for wish in wishes)}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
