"""Benchmarks for the embedded singer: sets of songs that no training knows, with everything known of them exactly.

`FOLDER/SET/benchmark.json` is a manifest that `jam.infer` sings and a benchmark that `jam.eval.evaluate` reads: lyrics with their times,
duration, style, genre, tempo, key and voice, and the true recording as `reference`. The sets:

- `lines`: the fifty held-out lines a cappella, a line a song; `band`: the same under a backing, genres and voices in turn;
- `voices`: lines of the split "test" a cappella, as many of each voice; `unheard`: lines whose content words no training holds;
- `moves`: lines a cappella as they are, with one inner word 0.2 s later, and with that word twice as long; all else stays where it is;
- `songs`: whole songs of 20 to 60 s, every second a cappella;
- `styles_audio`, `styles_text`: the same songs of 12 to 16 s, their style told by a clip of another song or in words.

Genres are by seed in turn, so seeds of a set follow each other. It knows how songs are rendered, and nothing of measuring.
"""

import json
import logging
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jam import audio
from jam.files import write_whole
from jam.lyrics.formats import timed_json
from jam.lyrics.sheet import of_words
from jam.lyrics.words import Word
from jam.nano import backing, corpus, texts
from jam.nano.compose import Melody, Score, Section, compose, moved, pace, place_line
from jam.nano.pronunciation import dictionary
from jam.nano.style import A_CAPPELLA, MALE
from jam.nano.style import VOICES as VOICE_TAGS
from jam.nano.voice import VOICES, Note, SungWord

log = logging.getLogger(__name__)
FILE = "benchmark.json"
SEED = 9_000_000  # of its first song: far from those of every corpus
SPLIT = "test"
SETS = ("lines", "voices", "unheard", "band", "moves", "songs", "styles_audio", "styles_text")
COUNTS = {"voices": 40, "unheard": 50, "moves": 24, "songs": 20, "styles": 64}
BLOCK = 1000  # seeds of a set
USUAL_VOICE = "rms"
INTRO, TAIL = (0.5, 1.0), (0.6, 1.0)  # seconds before a line and after it
SONG_SECONDS, STYLE_SECONDS = (20.0, 60.0), (12.0, 16.0)
VARIANTS = ("as-is", "moved", "stretched")
SHIFT, SPARE = 0.2, 0.05  # seconds by which a word is moved, and that stay free after it
MOVABLE = (0.2, 0.6)  # seconds that a word lasts which is moved and stretched
SAME_TEMPO = 0.02  # by which the tempo of a song may differ from that of the clip which tells its style
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TOLD_INSTRUMENTS = 3  # in a description


@dataclass(frozen=True)
class Piece:
    """One song of a set, on paper; `changed` is the place of the word that differs from the variant as it is."""

    name: str
    score: Score
    seed: int
    a_cappella: bool
    clip: int | None = None  # the seed of the song whose recording tells the style; None: words do
    changed: int | None = None


def make(folder: Path, workers: int = 2, seed: int = SEED, first: int | None = None, sets: Sequence[str] = SETS) -> Path:
    """Renders the `sets` into `folder`, of each only its `first` songs where that is given; `folder`.

    A set that is there already stays. ValueError where flite or fluidsynth is missing.
    """
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for name in sets:
            path = folder / name / FILE
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            pieces = list(pool.map(partial(piece, name, seed=seed), range(count(name, first)), chunksize=2))
            rows = list(pool.map(partial(render, folder=path.parent), [one for group in pieces for one in group], chunksize=2))
            write_whole(path, (json.dumps(rows, indent=1, ensure_ascii=False) + "\n").encode())
            log.info("benchmark %s: %d songs, %.0f s", name, len(rows), sum(row["duration"] for row in rows))
    return folder


def count(name: str, first: int | None = None) -> int:
    """How many songs a set has; of `moves` how many lines."""
    every = len(texts.held_out_lines()) if name in ("lines", "band") else COUNTS[name.partition("_")[0]]
    return every if first is None else min(first, every)


def piece(name: str, number: int, seed: int = SEED) -> tuple[Piece, ...]:
    """Song `number` of the set `name`; of `moves` its variants."""
    own = seed + BLOCK * (SETS.index(name) - (name == "styles_text")) + number  # both sets of styles are the same songs
    rng, title = np.random.default_rng([own, 8]), f"{name}-{number:03d}"
    if name in ("lines", "band"):
        alone = name == "lines"
        voice = USUAL_VOICE if alone else VOICES[number // len(VOICES) % len(VOICES)]
        words = texts.held_out_lines()[number].split()
        return (Piece(title, line_song(own, voice, words), own, alone),)
    if name == "voices":
        voice = VOICES[number % len(VOICES)]
        return (Piece(title, line_song(own, voice, texts.draw_line(rng, _accepts(voice), SPLIT)), own, True),)
    if name == "unheard":
        return (Piece(title, line_song(own, USUAL_VOICE, texts.draw_unheard_line(rng, _accepts(USUAL_VOICE))), own, True),)
    if name == "moves":
        return variants(title, own, rng)
    if name == "songs":
        share = number / max(1, COUNTS["songs"] - 1)
        longest = SONG_SECONDS[0] + 4.0 + (SONG_SECONDS[1] - SONG_SECONDS[0] - 4.0) * share
        score = _of_length(own, VOICES[number // 2 % len(VOICES)], longest, SONG_SECONDS)
        return (Piece(title, score, own, number % 2 == 0),)
    score = _of_length(own, VOICES[number // 8 % len(VOICES)], STYLE_SECONDS[1] - 0.2, STYLE_SECONDS)
    return (Piece(title, score, own, False, like(score, own) if name == "styles_audio" else None),)


def line_song(seed: int, voice: str, words: Sequence[str]) -> Score:
    """A song of one line: genre, tempo, key and band of the song of `seed`."""
    score, rng = compose(seed, voice, split=SPLIT, seconds=12.0), np.random.default_rng([seed, 9])
    melody = Melody(rng, score.key, score.scale, voice)
    placed = place_line(words, float(rng.uniform(*INTRO)), pace(rng, score.beat), score.beat, melody)
    return _with_words(score, placed, placed[-1].end + float(rng.uniform(*TAIL)))


def variants(title: str, seed: int, rng: np.random.Generator) -> tuple[Piece, ...]:
    """A line with room after one inner word: as it is, with that word later, and with it twice as long."""
    voice = VOICES[seed % len(VOICES)]
    while True:
        line = texts.draw_line(rng, _accepts(voice), SPLIT)
        score = line_song(seed, voice, line)
        inner = [place for place in range(1, len(line) - 1) if MOVABLE[0] <= length(score.words[place]) <= MOVABLE[1]]
        if inner:
            break
    place = int(rng.choice(inner))
    word = score.words[place]
    room = max(SHIFT, length(word)) + SPARE
    before, after = list(score.words[:place]), moved(score.words[place + 1 :], room)
    told = {"as-is": word, "moved": moved([word], SHIFT)[0], "stretched": stretched(word, 2.0)}
    return tuple(
        Piece(f"{title}-{variant}", _with_words(score, [*before, told[variant], *after], score.seconds + room), seed, True, changed=place)
        for variant in VARIANTS
    )


def length(word: SungWord) -> float:
    """Seconds that a word lasts."""
    return word.end - word.start


def stretched(word: SungWord, times: float) -> SungWord:
    """`word` from the same start, so many times as long, its notes too."""

    def later(moment: float) -> float:
        return word.start + times * (moment - word.start)

    return replace(word, end=later(word.end), notes=tuple(Note(later(n.start), later(n.end), n.pitch) for n in word.notes))


def like(score: Score, seed: int) -> int:
    """The seed of another song of the same genre and metre and nearly the same tempo; with the same voice it tells the style."""
    number = seed + 8 * BLOCK  # a multiple of the genres, beyond all sets
    while True:
        number += 8
        other = compose(number, score.voice, split=SPLIT, seconds=STYLE_SECONDS[1])
        if abs(other.bpm / score.bpm - 1) <= SAME_TEMPO and other.beats_per_bar == score.beats_per_bar:
            assert other.genre == score.genre
            return number


def render(one: Piece, folder: Path) -> dict[str, Any]:
    """Writes the recording of a song, and that of its style where one tells it; its row of the benchmark."""
    score = one.score
    facts = corpus.facts(score, one.seed, SPLIT)
    _write(folder / f"{one.name}.flac", corpus.render(score)[0 if one.a_cappella else 1])
    words = [Word(word["start"], word["end"], word["word"], dictionary()[word["word"]]) for word in facts["word"]]
    row = {
        "id": one.name,
        "duration": round(score.seconds, 3),
        "lyrics": json.loads(timed_json.write(of_words(words, score.lines))),
        "reference": f"{one.name}.flac",
        "voice": score.voice,
    }
    if one.clip is None:
        row["prompt"] = described(score, one.a_cappella)
    else:
        row["audio_path"] = f"{one.name}.style.flac"
        other = corpus.written(one.clip, score.voice, SPLIT, STYLE_SECONDS[1])
        _write(folder / row["audio_path"], corpus.render(other)[1])
    if not one.a_cappella:
        row |= {"genre": score.genre, "bpm": score.bpm, "key": f"{NOTES[score.key]} {'minor' if score.minor else 'major'}"}
    return row | ({"changed": one.changed} if one.changed is not None else {})


def described(score: Score, a_cappella: bool) -> str:
    """A song's style in words."""
    voice = [VOICE_TAGS[score.voice], *([] if score.voice == "slt" else [MALE])]
    if a_cappella:
        return ", ".join([A_CAPPELLA, *voice])
    return ", ".join([score.genre, f"{score.bpm:.0f} bpm", *backing.tags(score)[:TOLD_INSTRUMENTS], *voice])


def _with_words(score: Score, words: Sequence[SungWord], seconds: float) -> Score:
    """The score with one line of other words, under a verse that lasts as long."""
    progression = score.sections[-1].progression
    verse = Section("verse", 0, max(1, math.ceil(seconds / score.bar)), progression, 1.0)
    return replace(score, words=tuple(words), lines=(len(words),), seconds=seconds, sections=(verse,))


def _of_length(seed: int, voice: str, longest: float, limits: tuple[float, float]) -> Score:
    """The song of `seed` that lasts at most `longest` seconds, shortened in small steps until it is within `limits`."""
    for step in range(16):
        score = corpus.written(seed, voice, SPLIT, longest - 0.25 * step)
        if limits[0] <= score.seconds <= limits[1]:
            return score
    for step in range(1, 16):
        score = corpus.written(seed, voice, SPLIT, longest + step)
        if limits[0] <= score.seconds <= limits[1]:
            return score
    raise ValueError(f"seed {seed}: no song of {limits[0]:g} to {limits[1]:g} s was found; take another seed")


def _accepts(voice: str) -> Callable[[str], bool]:
    """Takes words that the voice says as the dictionary does."""
    return partial(corpus.says_as_written, singer=voice)


def _write(path: Path, samples: np.ndarray) -> None:
    loudest = float(np.abs(samples).max())
    audio.write(path, torch.from_numpy(samples / max(1.0, loudest / 0.99)))
