"""Every figure of the embedded singer, each beside its ceiling, its floor and its bar.

    python tests/bench/singer bundle=DIR work=DIR out=DIR [stages=lines,band] [first=N] [evaluation.sample_kwargs.steps=24 ...]

`work` is that of `jam.nano.build`, whose stage `benchmark` rendered the songs (WORK/benchmark). Each set is sung by one process into
OUT/sung and is not sung again; then OUT/figures.md and OUT/figures.json tell what was heard. The ceiling is the true recording through the
codec, the floor the singer's songs against the lyrics of others. `first` takes so many songs of each set (of `moves` so many lines). Words
with a dot, and `max_frames`, are settings of `jam.infer`.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

GIVEN = {"bundle": "externals/nano", "work": "work/nano", "out": "work/nano/measured", "stages": "", "first": "0"}
EVERY = ("lines", "voices", "unheard", "band", "moves", "songs", "styles", "cost")


def parse(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Our own words, and those of `jam.infer`. Raises ValueError for others."""
    own, passed = dict(GIVEN), []
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key in own:
            own[key] = value
        elif equals and ("." in key or key in ("max_frames", "seed")):
            passed.append(word)
        else:
            raise ValueError(f"{word!r}: known are {', '.join(f'{key}=' for key in GIVEN)} and settings of jam.infer")
    unknown = [name for name in own["stages"].split(",") if name and name not in EVERY]
    if unknown:
        raise ValueError(f"stages={own['stages']}: {unknown[0]!r} is not known; choose of {', '.join(EVERY)}")
    return own, passed


def main(words: list[str]) -> int:
    """Sings, hears and writes."""
    own, passed = parse(words)
    os.environ["JAM_NANO"] = str(Path(own["bundle"]).resolve())  # before anything of jam is imported; processes of ours inherit it
    from figures import markdown, write
    from sing import load, songs
    from stages import STAGES, cost

    out, work, first = Path(own["out"]), Path(own["work"]), int(own["first"]) or None
    wanted = [name for name in own["stages"].split(",") if name] or list(EVERY)
    if "cost" in wanted:  # alone on the machine, so before the singer is loaded
        tables = [cost(passed)]
        write(tables, out)
        sys.stdout.write(markdown(tables[0]) + "\n")
    singer = load(passed) if set(wanted) - {"cost"} else None
    for name in (name for name in wanted if name != "cost"):
        assert singer is not None
        for part in STAGES[name][0]:
            begin = time.perf_counter()
            count = 3 * first if first and part == "moves" else first
            sung = list(songs(singer, work / "benchmark" / part, out / "sung" / part, count))
            table = STAGES[name][1](part, sung, work)
            write([table], out)
            sys.stdout.write(f"{markdown(table)}\n({part}: {time.perf_counter() - begin:.0f} s)\n\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    try:
        sys.exit(main(sys.argv[1:]))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
