"""The style clips of `inputs/`: ten seconds of each genre, composed, sung and played as the corpus is, from seeds of their own.

A clip is not part of the corpus and no song of it is sung by the model. Folk is a cappella, as its song asks.
"""

import logging
from itertools import count
from pathlib import Path

import torch

from jam import audio
from jam.nano.compose import GENRES
from jam.nano.corpus import render, written
from jam.timing import SAMPLE_RATE

log = logging.getLogger(__name__)

CLIP_SEED = 70_000_000  # far from the corpus' seeds
SECONDS = 10.0
CLIPS = {"pop": "pop", "folk": "folk", "electronic": "electronic", "hip-hop": "hiphop"}  # file name: genre
A_CAPPELLA = ("folk",)


def make(folder: Path, seed: int = 0, singer: str = "rms") -> None:
    """Renders every clip into `folder`/NAME.flac. ValueError where flite or fluidsynth is missing."""
    for name, genre in CLIPS.items():
        seeds = (CLIP_SEED + seed + number for number in count())
        scores = (written(one, singer) for one in seeds if GENRES[one % len(GENRES)] == genre)
        score = next(score for score in scores if score.seconds > SECONDS + 2 and score.beats_per_bar == 4 and score.words[0].start < 2.5)
        vocal, mix = render(score)
        samples = torch.from_numpy(vocal if name in A_CAPPELLA else mix)[:, : round(SECONDS * SAMPLE_RATE)]
        audio.write(folder / f"{name}.flac", audio.normalize(samples, lufs=-18.0))
        log.info("clips: %s, %.0f bpm", folder / f"{name}.flac", score.bpm)
