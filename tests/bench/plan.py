"""How far off are planned words? Composes songs as the embedded singer's corpus was, gives the planner their text, and compares onsets.

    python tests/bench/plan.py [songs=400] [first=30000000] [corpus=WORK/songs] [weights=planner.safetensors] [write=FOLDER]

Songs are those of the seeds from `first` on; `corpus` takes instead the held-out songs of a rendered corpus (their lines are made again,
which needs flite). `write` stores the songs' true times as JSON in a folder, which `jam.lyrics.train_planner` reads. It prints a table
of median and 90th percentile onset errors: naive, rules and learned, with lines and without; and how long planning a song takes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from jam.lyrics import durations, train_planner
from jam.lyrics.formats import timed_json
from jam.lyrics.planner import PlanSettings
from jam.lyrics.sheet import Line, Sheet, SheetWord
from jam.lyrics.train_planner import TimedSong
from jam.nano.compose import Score, compose
from jam.nano.corpus import song_seed, songs, written
from jam.nano.pronunciation import dictionary
from jam.nano.shards import held_out


def song_of(score: Score) -> TimedSong:
    """A composed song, with its true lines and times."""
    words = iter(SheetWord(w.word, round(w.start, 4), round(w.end, 4), dictionary()[w.word]) for w in score.words)
    lines = tuple(Line(tuple(next(words) for _ in range(count))) for count in score.lines)
    return TimedSong(Sheet(lines, bpm=score.bpm, duration=round(score.seconds, 4)), score.beats_per_bar)


def of_corpus(work: Path) -> list[TimedSong]:
    """The held-out songs of a corpus, composed again and found to be the same."""
    found = []
    for song in songs(work):
        if held_out(song.index):
            singer = song.facts["voice"]
            timed = song_of(written(song_seed(0, song.index), singer, song.facts["split"]))
            assert timed.onsets == [word["start"] for word in song.facts["word"]], song.index
            found.append(timed)
    return found


def stored(song: TimedSong) -> str:
    """A song as JSON: its sheet, and its metre."""
    return json.dumps(json.loads(timed_json.write(song.sheet)) | {"beats_per_bar": song.beats_per_bar}, ensure_ascii=False)


def main(words: list[str]) -> int:
    """Reads key=value words and prints the table."""
    given = dict(word.split("=", 1) for word in words)
    first, count = int(given.get("first", 30_000_000)), int(given.get("songs", 400))
    timed = of_corpus(Path(given["corpus"]).parent) if "corpus" in given else [song_of(compose(first + n)) for n in range(count)]
    if "write" in given:
        folder = Path(given["write"])
        folder.mkdir(parents=True, exist_ok=True)
        for number, song in enumerate(timed):
            (folder / f"{number:06d}.json").write_text(stored(song), encoding="utf-8")
        return 0
    weights = given.get("weights", str(durations.weights_path()))
    sys.stdout.write("\n".join(train_planner.report(timed, list, weights)) + "\n")
    began = time.perf_counter()
    for song in timed:
        train_planner.planned_onsets(song, list, False, PlanSettings(method="learned", weights=weights))
    sys.stdout.write(f"{(time.perf_counter() - began) / len(timed) * 1000:.1f} ms a song\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
