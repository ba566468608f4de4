"""Renders the songs of tests/eval/songs: vocal and band apart, so that tests can mute words and mix at any level.

    python tests/bench/eval_songs.py [count=6] [seed=9500000]

It needs flite and fluidsynth, as `jam.nano.build` does. No training song and no song of the singer's benchmark has these seeds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from jam import audio
from jam.lyrics.formats import timed_json
from jam.lyrics.sheet import of_words
from jam.lyrics.words import Word
from jam.nano import benchmark, corpus
from jam.nano.pronunciation import dictionary

SECONDS = 22.0  # a song lasts at most so long
FOLDER = Path(__file__).parent.parent / "eval" / "songs"


def main(words: list[str]) -> int:
    """Reads key=value words and renders."""
    given = {"count": 6, "seed": 9_500_000} | {key: int(value) for key, value in (word.split("=", 1) for word in words)}
    items = []
    for place, seed in enumerate(range(given["seed"], given["seed"] + given["count"])):
        score = corpus.written(seed, "rms", "test", SECONDS)
        vocal, mix = (samples.mean(0) for samples in corpus.render(score))
        name = f"song-{place}"
        for kind, samples in (("vocal", vocal), ("band", mix - vocal)):
            audio.write(FOLDER / f"{name}.{kind}.mp3", torch.from_numpy(samples)[None])
        facts = corpus.facts(score, seed)
        timed = [Word(word["start"], word["end"], word["word"], dictionary()[word["word"]]) for word in facts["word"]]
        lyrics = json.loads(timed_json.write(of_words(timed, score.lines)))
        key = f"{benchmark.NOTES[score.key]} {'minor' if score.minor else 'major'}"
        told = {"id": name, "duration": round(score.seconds, 3), "genre": score.genre, "bpm": score.bpm, "key": key}
        items.append(told | {"lyrics": lyrics})
    (FOLDER / "benchmark.json").write_text(json.dumps(items, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
