"""Renders songs for the preparation of recordings: mixes in four formats beside plain lyrics, and the exact times of every word.

    python tests/bench/prepare_songs.py FOLDER [count=200] [seed=12000000] [wrong=0.1] [workers=2]

`FOLDER/songs/ID.{flac,mp3,ogg,wav}` are voice and band of two pieces sung one after the other, by four voices in turn, `ID.txt` the lyrics
without times. In every second song a share `wrong` of the words is not what is sung. `FOLDER/truth.json` says when each word is sung, and
which are wrong. It needs flite and fluidsynth, as `jam.nano.build` does. No training song has these seeds.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from jam import audio
from jam.nano import corpus
from jam.nano.pronunciation import dictionary
from jam.nano.texts import common_words
from jam.timing import SAMPLE_RATE

VOICES = ("rms", "slt", "awb", "kal16")
KINDS = ("flac", "mp3", "ogg", "wav")
SECONDS = 18.0  # a song lasts at least so long


def piece(number: int, seconds: float, seed: int, singer: str) -> tuple[np.ndarray, list[dict[str, Any]], list[int]]:
    """Samples (N,), words that are sung from `seconds` on, and how many each line has."""
    score = corpus.written(seed + number, singer)
    mix = corpus.render(score)[1].mean(0)
    words = corpus.facts(score, seed + number)["word"]
    sung = [{"word": one["word"], "start": one["start"] + seconds, "end": one["end"] + seconds} for one in words]
    return mix, sung, list(score.lines)


def written(words: list[str], lines: list[int]) -> str:
    """Lyrics, a line a line."""
    left = iter(words)
    return "".join(" ".join(next(left) for _ in range(count)) + "\n" for count in lines)


def replaced(words: list[str], share: float, rng: np.random.Generator) -> tuple[list[str], list[int]]:
    """The words with a share of them exchanged for others that sound otherwise, and which."""
    wrong = sorted(int(place) for place in rng.permutation(len(words))[: round(share * len(words))])
    found = list(words)
    for place in wrong:
        while dictionary()[found[place]] == dictionary()[words[place]]:
            found[place] = common_words()[int(rng.integers(len(common_words())))]
    return found, wrong


def song(number: int, folder: Path, seed: int, share: float) -> tuple[str, dict[str, Any]]:
    """Renders one song; its name and the truth of it."""
    singer, kind = VOICES[number % 4], KINDS[number // 4 % 4]
    name = f"{singer}-{number:03d}"
    first, sung, lines = piece(0, 0.0, seed + 10 * number, singer)
    seconds, place, parts = len(first) / SAMPLE_RATE, 1, [first]
    while seconds < SECONDS:
        more, words, counts = piece(place, seconds, seed + 10 * number, singer)
        parts, sung, lines = [*parts, more], [*sung, *words], [*lines, *counts]
        seconds, place = seconds + len(more) / SAMPLE_RATE, place + 1
    samples = np.concatenate(parts)
    samples = samples / max(1.0, float(np.abs(samples).max()) / 0.99)
    path = folder / "songs" / f"{name}.{kind}"
    if kind == "ogg":
        soundfile.write(path, samples, SAMPLE_RATE, format="OGG", subtype="VORBIS")
    else:
        audio.write(path, torch.from_numpy(samples).expand(2, -1))
    text = [one["word"] for one in sung]
    asked, wrong = replaced(text, share if number % 2 else 0.0, np.random.default_rng([seed, number]))
    path.with_suffix(".txt").write_text(written(asked, lines), encoding="utf-8")
    return name, {"seconds": seconds, "wrong": wrong, "word": [one | {"asked": other} for one, other in zip(sung, asked, strict=True)]}


def main(words: list[str]) -> int:
    """Reads the folder and key=value words, and renders."""
    given = {"count": "200", "seed": "12000000", "wrong": "0.1", "workers": "2"} | dict(word.split("=", 1) for word in words[1:])
    folder = Path(words[0])
    (folder / "songs").mkdir(parents=True, exist_ok=True)
    make = partial(song, folder=folder, seed=int(given["seed"]), share=float(given["wrong"]))
    with ProcessPoolExecutor(int(given["workers"])) as pool:
        truth = dict(pool.map(make, range(int(given["count"]))))
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    sys.stdout.write(f"{len(truth)} songs, {sum(one['seconds'] for one in truth.values()) / 3600:.2f} h\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
