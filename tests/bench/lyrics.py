"""How many words a minute pass through lint and grid? Many songs of timed lyrics, on one core, with the embedded phonemizer.

    python tests/bench/lyrics.py [words=100000] [unknown=0.02] [song=300]

Songs of `song` words are drawn from the corpus' dictionary; a share `unknown` of the words is in no dictionary, and goes through the
phonemizer's network. Each song is checked, gets its phonemes and is laid into slots, as `jam.infer` does. To pass 100,000 words a minute.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np
import torch

from jam import assets
from jam.lyrics.grid import slots
from jam.lyrics.lint import Limits, check, fix
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.sheet import of_words
from jam.lyrics.words import Word, validate
from jam.nano.texts import common_words, rare_words
from jam.randomness import generator
from jam.timing import MAX_FRAMES, Span, frames_to_seconds

BAR = 100_000  # words a minute
CANVAS = frames_to_seconds(MAX_FRAMES)


def songs(words: int, unknown: float, length: int) -> Iterator[list[Word]]:
    """Songs of `length` words, one after the other in even time; half of the words are common."""
    draw = np.random.default_rng(generator("bench", "lyrics").initial_seed())
    common, rare = common_words(), rare_words()
    for start in range(0, words, length):
        texts = []
        for _ in range(min(length, words - start)):
            source = common if draw.random() < 0.5 else rare
            text = source[int(draw.integers(len(source)))]
            texts.append(text + "ling" if draw.random() < unknown else text)
        step = (CANVAS - 2) / length
        yield [Word(1 + index * step, 1 + (index + 0.9) * step, text) for index, text in enumerate(texts)]


def main(words: list[str]) -> int:
    """Reads key=value words, prints what each part takes and words a minute; exit status 1 below the bar."""
    given = dict(word.split("=", 1) for word in words)
    count, unknown, length = int(given.get("words", 100_000)), float(given.get("unknown", 0.02)), int(given.get("song", 300))
    torch.set_num_threads(1)
    phonemizer, limits = Phonemizer.load(assets.BUNDLE / "phonemizer.pt"), Limits(CANVAS, CANVAS)
    seconds = dict.fromkeys(("check", "phonemes", "grid", "fix (not counted)"), 0.0)
    for song in songs(count, unknown, length):
        sheet = of_words(song)
        began = time.perf_counter()
        check(sheet, phonemizer, limits)
        checked = time.perf_counter()
        sung = phonemizer.words(validate(song, "lyrics", CANVAS))
        found = time.perf_counter()
        slots(sung, Span(MAX_FRAMES, MAX_FRAMES), phonemizer.ids_of)
        laid = time.perf_counter()
        fix(sheet, phonemizer, limits)
        for part, now, before in zip(seconds, (checked, found, laid, time.perf_counter()), (began, checked, found, laid), strict=True):
            seconds[part] += now - before
    for part, spent in seconds.items():
        sys.stdout.write(f"{part:18} {spent:7.2f} s\n")
    spent = seconds["check"] + seconds["phonemes"] + seconds["grid"]
    pace = 60 * count / spent
    sys.stdout.write(f"{count} words in {spent:.2f} s: {pace:,.0f} words a minute\n")
    return 0 if pace >= BAR else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
