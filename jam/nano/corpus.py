"""The corpus: whole songs on disk, each a cappella and under its backing, with exact word times.

`WORK/songs/NNNNNN.vocal.wav` and `.mix.wav` are 16-bit mono at 44.1 kHz; `NNNNNN.json`, written last, holds the song's facts and
its words. A song is remade from its number and the seed alone, so a stopped run goes on where it was.
"""

import json
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from jam import audio
from jam.nano import backing, voice
from jam.nano.compose import Score, compose
from jam.nano.pronunciation import phones_of

log = logging.getLogger(__name__)
BACKING_DB = (4.5, 8.0)  # how far the backing lies under the vocal
KINDS = ("vocal", "mix")


@dataclass(frozen=True)
class Song:
    """One rendered song on disk."""

    index: int
    facts: dict  # genre, bpm, key, minor, beats_per_bar, voice, duration, instruments, seed, word: [{word, start, end}]
    folder: Path

    def path(self, kind: str) -> Path:
        """The sound file of `kind` ("vocal" or "mix")."""
        return self.folder / f"{self.index:06d}.{kind}.wav"

    def read(self, kind: str) -> np.ndarray:
        """The samples of `kind`, (N,) float32 mono."""
        return audio.read(self.path(kind))[0][0].numpy()


def song_seed(seed: int, index: int) -> int:
    """The seed of song number `index` of the corpus `seed`; neighbours differ in genre."""
    return seed * 1_000_000 + index


def says_as_written(word: str, singer: str) -> bool:
    """Whether flite's pronunciation of `word` is the dictionary's first one."""
    return voice.spoken_phones(word, singer) == phones_of(word)


def render(score: Score, singer: str = "rms") -> tuple[np.ndarray, np.ndarray]:
    """The vocal alone and the vocal under its backing, both (N,) float32 mono."""
    vocal = voice.sing(score.words, score.seconds, singer)
    band = backing.render(score).mean(0)
    level = np.random.default_rng([score.arrangement, 4]).uniform(*BACKING_DB)
    band *= voice.LOUDNESS * 10 ** (-level / 20) / voice.root_mean_square(band, score.words)
    return vocal, vocal + band


def facts(score: Score, singer: str, seed: int) -> dict:
    """What is remembered of a song beside its sound."""
    words = [{"word": w.word, "start": round(w.start, 4), "end": round(w.end, 4), "pitch": [n.pitch for n in w.notes]} for w in score.words]
    return {
        "genre": score.genre,
        "bpm": score.bpm,
        "key": score.key,
        "minor": score.minor,
        "beats_per_bar": score.beats_per_bar,
        "voice": singer,
        "duration": score.seconds,
        "instruments": list(backing.tags(score)),
        "seed": seed,
        "word": words,
    }


def make_song(index: int, folder: Path, seed: int, singer: str) -> float:
    """Renders song `index` unless it is there already; its seconds."""
    record = folder / f"{index:06d}.json"
    if record.exists():
        return json.loads(record.read_text())["duration"]
    own = song_seed(seed, index)
    score = compose(own, singer, partial(says_as_written, singer=singer))
    for kind, samples in zip(KINDS, render(score, singer), strict=True):
        loudest = float(np.abs(samples).max())
        audio.write(folder / f"{index:06d}.{kind}.wav", torch.from_numpy(samples / max(1.0, loudest / 0.99))[None])
    part = record.with_suffix(".part")
    part.write_text(json.dumps(facts(score, singer, own)))
    os.replace(part, record)
    return score.seconds


def make(work: Path, hours: float, seed: int = 0, singer: str = "rms", workers: int = 2) -> None:
    """Renders songs into `work`/songs until they last `hours` in all. ValueError where flite or fluidsynth is missing."""
    folder = work / "songs"
    folder.mkdir(parents=True, exist_ok=True)
    done, index = 0.0, 0
    with ProcessPoolExecutor(workers) as pool:
        while done < hours * 3600:
            batch = range(index, index + 48)
            done += sum(pool.map(partial(make_song, folder=folder, seed=seed, singer=singer), batch))
            index = batch.stop
            log.info("corpus: %d songs, %.2f of %.2f hours", index, done / 3600, hours)


def songs(work: Path) -> Iterator[Song]:
    """The finished songs of `work`, in order. ValueError where there are none."""
    folder = work / "songs"
    records = sorted(folder.glob("??????.json"))
    if not records:
        raise ValueError(f"{folder}: no songs; run the stage corpus first")
    for record in records:
        yield Song(int(record.stem), json.loads(record.read_text()), folder)
