"""The corpus: whole songs on disk, each a cappella and under its backing, with exact word times.

`WORK/songs/NNNNNN.vocal.flac` and `.mix.flac` are 16-bit stereo at 44.1 kHz; `NNNNNN.json`, written last, holds the song's facts and
its words. A song is remade from its number and the seed alone, so a stopped run goes on where it was.
"""

import functools
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jam import audio
from jam.files import write_whole
from jam.nano import backing, voice
from jam.nano.compose import Score, compose, voice_of
from jam.nano.pronunciation import phones_of

log = logging.getLogger(__name__)
BACKING_DB = (4.5, 8.0)  # how far the backing lies under the vocal
KINDS = ("vocal", "mix")
HELD_OUT_EACH = 23  # the last song of so many is valid, the others train
BATCH = 16  # songs between two lines of the log


@dataclass(frozen=True)
class Song:
    """One rendered song on disk."""

    index: int
    facts: dict  # as `facts` makes them
    folder: Path

    def path(self, kind: str) -> Path:
        """The sound file of `kind` ("vocal" or "mix")."""
        return self.folder / f"{self.index:06d}.{kind}.flac"

    def read(self, kind: str) -> np.ndarray:
        """The samples of `kind`, (2, N) float32."""
        return audio.read(self.path(kind))[0].numpy()


def song_seed(seed: int, index: int) -> int:
    """The seed of song number `index` of the corpus `seed`; neighbours differ in genre."""
    return seed * 1_000_000 + index


def split_of(index: int) -> str:
    """Whether song `index` is of the split "train" or "valid"; its words are of the same split of the texts."""
    return "valid" if index % HELD_OUT_EACH == HELD_OUT_EACH - 1 else "train"


@functools.lru_cache(maxsize=200_000)
def says_as_written(word: str, singer: str) -> bool:
    """Whether flite's pronunciation of `word` is the dictionary's first one."""
    return voice.spoken_phones(word, singer) == phones_of(word)


def written(seed: int, singer: str | None = None, split: str = "train", seconds: float | None = None) -> Score:
    """The song of `seed`, of words that its singer says as the dictionary does; the singer is drawn where none is given."""
    singer = singer or voice_of(seed)
    return compose(seed, singer, partial(says_as_written, singer=singer), split, seconds)


def render(score: Score) -> tuple[np.ndarray, np.ndarray]:
    """The vocal alone, alike in both channels, and the vocal amid its backing: (2, N) float32 each."""
    vocal = np.stack([voice.sing(score.words, score.seconds, score.voice)] * 2)
    band = backing.render(score)
    level = np.random.default_rng([score.arrangement, 4]).uniform(*BACKING_DB)
    sounding = float(np.sqrt(np.mean([voice.root_mean_square(channel, score.words) ** 2 for channel in band])))
    band *= voice.LOUDNESS * 10 ** (-level / 20) / sounding
    return vocal, vocal + band


def facts(score: Score, seed: int, split: str = "train") -> dict[str, Any]:
    """What is remembered of a song beside its sound; times in seconds."""
    sections = [(one.kind, one.bar * score.bar, (one.bar + one.bars) * score.bar) for one in score.sections]
    return {
        "genre": score.genre,
        "bpm": score.bpm,
        "key": score.key,
        "minor": score.minor,
        "beats_per_bar": score.beats_per_bar,
        "voice": score.voice,
        "duration": score.seconds,
        "instruments": list(backing.tags(score)),
        "seed": seed,
        "split": split,
        "sections": [{"kind": k, "start": round(start, 4), "end": round(min(end, score.seconds), 4)} for k, start, end in sections],
        "lines": list(score.lines),
        "word": [
            {"word": w.word, "start": round(w.start, 4), "end": round(w.end, 4), "pitch": [n.pitch for n in w.notes]} for w in score.words
        ],
    }


def make_song(index: int, folder: Path, seed: int) -> float:
    """Renders song `index` unless it is there already; its seconds."""
    record = folder / f"{index:06d}.json"
    if record.exists():
        return json.loads(record.read_text())["duration"]
    own, split = song_seed(seed, index), split_of(index)
    score = written(own, split=split)
    for kind, samples in zip(KINDS, render(score), strict=True):
        loudest = float(np.abs(samples).max())
        audio.write(folder / f"{index:06d}.{kind}.flac", torch.from_numpy(samples / max(1.0, loudest / 0.99)))
    write_whole(record, json.dumps(facts(score, own, split)).encode())
    return score.seconds


def make(work: Path, hours: float, seed: int = 0, workers: int = 2) -> None:
    """Renders songs into `work`/songs until they last `hours` in all. ValueError where flite or fluidsynth is missing."""
    folder = work / "songs"
    folder.mkdir(parents=True, exist_ok=True)
    done, index = 0.0, 0
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        while done < hours * 3600:
            batch = range(index, index + BATCH)
            done += sum(pool.map(partial(make_song, folder=folder, seed=seed), batch))
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
