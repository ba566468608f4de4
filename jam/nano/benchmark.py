"""A benchmark for the embedded singer: songs of the corpus' composer that no training knows, with everything known of them exactly.

`FOLDER/benchmark.json` is a manifest that `jam.infer` sings and a benchmark that `jam.eval.evaluate` reads: lyrics with their times,
duration, description, genre, tempo and key, and the true recording as `reference`. Every second song is a cappella.
"""

import json
import logging
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jam import audio
from jam.files import write_whole
from jam.lyrics.formats import timed_json
from jam.lyrics.sheet import of_words
from jam.lyrics.words import Word
from jam.nano import corpus
from jam.nano.compose import Score, compose
from jam.nano.pronunciation import dictionary
from jam.nano.style import A_CAPPELLA, MALE

log = logging.getLogger(__name__)
FILE = "benchmark.json"
SEED = 9_000_000  # of its first song: far from those of every corpus
LENGTHS = (16.0, 23.7)  # seconds
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def make(folder: Path, count: int = 50, singer: str = "rms", workers: int = 2, seed: int = SEED) -> Path:
    """Renders `count` songs into `folder`; the path of the benchmark. ValueError where flite or fluidsynth is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        songs = list(pool.map(partial(make_song, folder=folder, singer=singer), chosen(count, singer, seed), range(count)))
    write_whole(folder / FILE, (json.dumps(songs, indent=1, ensure_ascii=False) + "\n").encode())
    log.info("benchmark: %d songs, %.0f s, in %s", count, sum(song["duration"] for song in songs), folder)
    return folder / FILE


def chosen(count: int, singer: str, seed: int = SEED) -> list[int]:
    """The seeds of the first `count` songs that are long enough; nothing else decides."""
    found: list[int] = []
    number = seed
    while len(found) < count:
        if LENGTHS[0] <= written(number, singer).seconds <= LENGTHS[1]:
            found.append(number)
        number += 1
    return found


def written(seed: int, singer: str) -> Score:
    """The song of a seed, of words that flite says as the dictionary does."""
    return compose(seed, singer, partial(corpus.says_as_written, singer=singer))


def make_song(seed: int, number: int, folder: Path, singer: str = "rms") -> dict[str, Any]:
    """Renders one song, and what the benchmark says of it."""
    score = written(seed, singer)
    alone = number % 2 == 0
    samples = corpus.render(score, singer)[0 if alone else 1]
    name = f"{'alone' if alone else 'band'}-{number:03d}"
    loudest = float(np.abs(samples).max())
    audio.write(folder / f"{name}.flac", torch.from_numpy(samples / max(1.0, loudest / 0.99))[None])
    facts = corpus.facts(score, singer, seed)
    kind = [A_CAPPELLA, "solo"] if alone else [score.genre, *facts["instruments"]]
    words = [Word(word["start"], word["end"], word["word"], dictionary()[word["word"]]) for word in facts["word"]]
    return {
        "id": name,
        "duration": round(score.seconds, 3),
        "prompt": ", ".join([*kind, MALE]),
        "lyrics": json.loads(timed_json.write(of_words(words, score.lines))),
        "reference": f"{name}.flac",
        **({} if alone else {"genre": score.genre, "bpm": score.bpm, "key": f"{NOTES[score.key]} {'minor' if score.minor else 'major'}"}),
    }
