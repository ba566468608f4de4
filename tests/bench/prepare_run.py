"""Two hundred rendered songs become shards in one command: how long it takes, how near the words lie, which wrong words are flagged.

    python tests/bench/prepare_run.py FOLDER OUTPUT [key=value ...]

`FOLDER` is what `prepare_songs.py` made; further words go to `jam.data.prepare`. Errors are those of word boundaries (starts and ends)
against the exact ones, of words that are what is sung; a wrong word is flagged where it is not found.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from jam.prepare.places import Folder
from jam.prepare.records import Prepared, prepared_of


def main(words: list[str]) -> int:
    """Prepares, and prints what was found."""
    folder, output = Path(words[0]), Path(words[1])
    own = [f"input={folder / 'songs'}", f"output={output}", "config=configs/prepare/nano.yaml", "license=Apache-2.0", "source=rendered"]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "jam.data.prepare", *own, *words[2:]], check=False)
    seconds = time.perf_counter() - began
    truth = json.loads((folder / "truth.json").read_text())
    tell(f"status {done.returncode}, {seconds / 60:.2f} min for {sum(song['seconds'] for song in truth.values()) / 3600:.2f} h")
    songs = [prepared_of(entry) for entry in stored(output)]
    judged(songs, truth)
    return done.returncode


def stored(output: Path) -> list[dict]:
    """The songs as the cache has them."""
    folder = Folder(str(output / "cache" / "songs"))
    found = [json.loads((folder.read(name) or b"")[44:]) for name in folder.names()]
    return sorted(found, key=lambda song: song["id"])


def judged(songs: list[Prepared], truth: dict) -> None:
    """Prints errors and flags."""
    errors: dict[str, list[float]] = {"all right": [], "a tenth wrong": []}
    flagged, wrong, right_flagged, right = 0, 0, 0, 0
    for song in songs:
        told = truth[song.id]
        kind = "a tenth wrong" if told["wrong"] else "all right"
        for place, (word, sung) in enumerate(zip(song.timing.words if song.timing else (), told["word"], strict=False)):
            if place in told["wrong"]:
                wrong, flagged = wrong + 1, flagged + (not word.is_found)
                continue
            right, right_flagged = right + 1, right_flagged + (not word.is_found)
            if word.start is not None and word.end is not None:
                errors[kind] += [1000 * abs(word.start - sung["start"]), 1000 * abs(word.end - sung["end"])]
    for kind, found in errors.items():
        tell(f"{kind}: median {np.median(found):.1f} ms, 95 % within {np.percentile(found, 95):.0f} ms ({len(found)} boundaries)")
    tell(f"wrong words flagged {flagged} of {wrong}; right ones {right_flagged} of {right}")
    tell(f"songs kept {sum(not song.is_rejected for song in songs)} of {len(songs)}")


def tell(line: str) -> None:
    """Prints a line."""
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
