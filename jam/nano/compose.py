"""Songs on paper: lyrics, melody, tempo, key and arrangement of one synthetic song, drawn from a named seed.

A `Score` says everything that the voice and the backing need. The module knows nothing of sound.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jam.nano.pronunciation import phones_of, syllables, variants
from jam.nano.voice import Note, SungWord

LONGEST = 23.7  # seconds; the embedded model's canvas of 512 latent frames lasts 23.78 s
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
VOCAL_RANGE = {"rms": (45, 57), "awb": (45, 57), "kal16": (45, 57), "slt": (57, 69)}  # MIDI numbers
GENRES = ("pop", "folk", "electronic", "hiphop")
TEMPO = {"pop": (92, 126), "folk": (70, 112), "electronic": (116, 138), "hiphop": (72, 98)}
PROGRESSIONS = {  # scale degrees, one a bar
    "pop": ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (3, 4, 0, 5)),
    "folk": ((0, 3, 0, 4), (0, 4, 3, 0), (0, 0, 3, 4), (0, 5, 3, 0)),
    "electronic": ((5, 3, 0, 4), (0, 5, 2, 6), (0, 2, 5, 3), (5, 5, 3, 4)),
    "hiphop": ((5, 5, 3, 4), (0, 3, 0, 3), (0, 0, 5, 4), (1, 4, 0, 0)),
}
SMALL_WORDS = frozenset(["the", "a", "of", "to", "and", "in", "my", "is", "i", "on", "at", "it", "for", "be"])


@dataclass(frozen=True)
class Score:
    """One song on paper. `arrangement` seeds the backing's own choices of instruments and patterns; `lines` are the words of each line."""

    genre: str
    bpm: float
    beats_per_bar: int
    key: int  # pitch class of the tonic, 0 is C
    minor: bool
    progression: tuple[int, ...]
    seconds: float
    words: tuple[SungWord, ...]
    arrangement: int
    lines: tuple[int, ...] = ()

    @property
    def beat(self) -> float:
        """Seconds a beat."""
        return 60.0 / self.bpm

    @property
    def scale(self) -> tuple[int, ...]:
        """Semitones above the tonic."""
        return MINOR if self.minor else MAJOR


@functools.cache
def held_out_lines() -> tuple[str, ...]:
    """The fifty lyric lines that measure the singer; never sung in its corpus."""
    return tuple((Path(__file__).with_name("lines.txt")).read_text(encoding="utf-8").split("\n")[:50])


@functools.cache
def common_words() -> tuple[str, ...]:
    """Frequent words of English lyrics, those of the held-out lines among them."""
    frequent = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split()
    return tuple(sorted({*frequent, *(word for line in held_out_lines() for word in line.split())}))


@functools.cache
def rare_words() -> tuple[str, ...]:
    """Every word of the dictionary with 2 to 10 plain letters."""
    return tuple(sorted(word for word in variants() if word.isascii() and word.isalpha() and 2 <= len(word) <= 10))


def anything(word: str) -> bool:
    """Accepts any word."""
    return bool(word)


def draw_line(rng: np.random.Generator, accept: Callable[[str], bool] = anything) -> list[str]:
    """4 to 9 words, half of them common and half rare ones that `accept` takes; never a held-out line."""
    while True:
        line = []
        for _ in range(int(rng.integers(4, 10))):
            source = common_words() if rng.random() < 0.5 else rare_words()
            word = source[int(rng.integers(len(source)))]
            while source is rare_words() and not accept(word):
                word = source[int(rng.integers(len(source)))]
            line.append(word)
        if " ".join(line) not in held_out_lines():
            return line


class Melody:
    """A random walk over the scale within the voice's range."""

    def __init__(self, rng: np.random.Generator, key: int, scale: Sequence[int], voice: str) -> None:
        low, high = VOCAL_RANGE[voice]
        self.rng = rng
        self.pitches = [pitch for pitch in range(low, high + 1) if (pitch - key) % 12 in scale]
        self.index = int(rng.integers(2, len(self.pitches) - 2))

    def step(self) -> int:
        """The next MIDI number."""
        self.index = int(np.clip(self.index + self.rng.integers(-2, 3), 0, len(self.pitches) - 1))
        return self.pitches[self.index]


def pace(rng: np.random.Generator, beat: float) -> float:
    """Seconds a syllable: a simple part of the beat between 0.18 and 0.5 s."""
    choices = [part * beat for part in (0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0) if 0.18 <= part * beat <= 0.5]
    return float(rng.choice(choices)) if choices else 0.35


def place_line(words: Sequence[str], start: float, step: float, beat: float, melody: Melody) -> list[SungWord]:
    """Times and notes for `words` from `start` seconds on, about `step` seconds a syllable; the last word is held."""
    rng, sung, now = melody.rng, [], start
    gap = float(rng.choice([0.0, 0.015, 0.03]))
    for index, word in enumerate(words):
        begin, notes = now, []
        count = syllables(phones_of(word))
        for syllable in range(count):
            length = step * float(rng.choice([0.75, 1.0, 1.0, 1.0, 1.25]))
            if count == 1 and word in SMALL_WORDS:
                length *= 0.8
            if syllable == count - 1 and index < len(words) - 1 and rng.random() < 0.08:
                length += beat * float(rng.choice([0.5, 1.0]))
            if syllable == count - 1 and index == len(words) - 1:
                length += beat * float(rng.choice([0.25, 0.5, 1.0, 1.5]))
            length = max(length, 0.15)
            notes.append(Note(now, now + length, melody.step()))
            now += length
        sung.append(SungWord(word, begin, now - gap, tuple(notes)))
        if rng.random() < 0.08:
            now += float(rng.uniform(0.1, 0.6))
    return sung


def next_start(rng: np.random.Generator, after: float, beat: float, bar: float) -> float:
    """When the line after one that ended at `after` begins: at the next beat, the next bar, or a bar later, sometimes loosely."""
    chance = rng.random()
    if chance < 0.45:
        start = math.ceil(after / beat) * beat
    else:
        start = math.ceil(after / bar) * bar + (bar if chance > 0.9 else 0.0) + beat * float(rng.choice([0.0, 0.0, 0.5]))
    return start + float(rng.uniform(0.0, 0.03)) + 0.02


def compose(seed: int, voice: str = "rms", accept: Callable[[str], bool] = anything) -> Score:
    """The song of `seed`: 5 to 23.7 s (one in seven short), genre by seed in turn, everything else drawn."""
    rng = np.random.default_rng([seed, 1])
    genre = GENRES[seed % len(GENRES)]
    bpm = float(rng.integers(*TEMPO[genre], endpoint=True))
    beat = 60.0 / bpm
    waltz = rng.random() < {"folk": 0.3, "pop": 0.08}.get(genre, 0.0)
    beats_per_bar = 3 if waltz else 4
    bar = beat * beats_per_bar
    key, minor = int(rng.integers(12)), bool(rng.random() < {"electronic": 0.6, "hiphop": 0.6}.get(genre, 0.25))
    progressions = PROGRESSIONS[genre]
    progression = progressions[int(rng.integers(len(progressions)))]
    melody = Melody(rng, key, MINOR if minor else MAJOR, voice)
    short = rng.random() < 0.15
    target = float(rng.uniform(5, 9) if short else rng.uniform(14, LONGEST))
    intro = float(rng.choice([0.25, 0.5, 1.0]) if short else rng.choice([0.5, 1.0, 1.0]) * min(bar, 2.6))
    words: list[SungWord] = []
    lines: list[int] = []
    start, step = max(0.3, intro), pace(rng, beat)
    while True:
        if rng.random() < 0.3:
            step = pace(rng, beat)
        line = place_line(draw_line(rng, accept), start, step, beat, melody)
        while line and line[-1].end > target - 0.35:
            line.pop()
        if len(line) >= (1 if not words else 3):
            words += line
            lines.append(len(line))
        if not words:  # one long word did not fit: draw another line
            continue
        start = next_start(rng, line[-1].end if line else target, beat, bar)
        if start > target - 1.5 or not line:
            break
    seconds = min(target, words[-1].end + float(rng.uniform(0.3, 2.5)))
    arrangement = int(rng.integers(2**31))
    return Score(genre, bpm, beats_per_bar, key, minor, tuple(progression), seconds, tuple(words), arrangement, tuple(lines))
