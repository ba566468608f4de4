"""What is heard in one recording: lines, words, edges, voice where there should be none, style, spectrum. Each process has its own ears."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jam import assets, audio
from jam.eval import identify, lengths, sound
from jam.eval.alignment import Emissions, Found, align
from jam.eval.asked import Text, text_of
from jam.eval.benchmark import Item
from jam.eval.fidelity import errors, of_words
from jam.eval.judge import Judge
from jam.eval.measures import Value
from jam.eval.measuring import song_of
from jam.eval.normal import normalise
from jam.eval.sphinx import Listener, to_pcm
from jam.lyrics.phonemes import Phonemizer
from jam.timing import SAMPLE_RATE

WITHIN_MS = 100
BEFORE = 0.05  # seconds before the first word in which it may already be heard
FALL_SECONDS = 0.3  # after the asked end
QUIETEST_DB = -100.0
THIRDS = np.array([1000 * 2 ** (place / 3) for place in range(-14, 13)])  # Hz, 40 to 16000


@dataclass(frozen=True)
class Asked:
    """What one recording should hold, and among what it is told: the lines of its set, of which it is number `place`."""

    text: Text
    lines: tuple[str, ...]  # as written
    texts: tuple[Text, ...]  # of the whole set
    place: int
    is_line: bool  # whether the song is one line
    is_alone: bool  # a cappella: pocketsphinx hears it


@functools.cache
def judge() -> Judge:
    """The bundle's."""
    torch.set_num_threads(1)
    return Judge.load(assets.BUNDLE)


@functools.cache
def phonemizer() -> Phonemizer:
    """The bundle's."""
    return Phonemizer.load(assets.BUNDLE / "phonemizer.pt")


@functools.lru_cache(maxsize=2)
def listener(lines: tuple[str, ...]) -> Listener:
    """pocketsphinx that knows the words of `lines` alone, or, without any, its general English."""
    return Listener(lines, phonemizer().ipa)


def text(item: Item) -> Text:
    """The lyrics of an item, as they are to be heard."""
    return text_of(item.sheet, phonemizer(), where=item.id, duration=item.duration)


def words_of(samples: Tensor, asked: Asked, is_open: bool = False) -> dict[str, Value]:
    """Everything of words in a recording (2, N); `is_open` adds what pocketsphinx's general English finds."""
    ears, lyrics = judge(), asked.text
    heard = ears.hear(samples, SAMPLE_RATE)
    others = [line for one in asked.texts for line in one.spoken_lines(ears.spell) if line.size]
    found = identify.measure(heard, lyrics.spoken_lines(ears.spell), others, count=50)
    found |= edges(lyrics, align(heard, lyrics.spelled(ears.spell)).words)
    first = min((word.start for word in lyrics.timed), default=0.0)
    found |= before(heard, first)
    if asked.is_alone:
        pcm = to_pcm(samples)
        told = listener(asked.lines)
        if asked.is_line:
            found["sphinx.line"] = Value(100.0 * (told.choose(asked.lines, pcm) == asked.place))
        found["sphinx.wer"] = errors(lyrics.written, written(told, pcm), "pocketsphinx")["lyrics.wer@pocketsphinx"]
        if is_open:
            found["sphinx.found"] = words_found(lyrics.written, written(listener(()), pcm))
    return found


def written(reader: Listener, pcm: bytes) -> str:
    """What is read."""
    return " ".join(word.word for word in reader.read(pcm))


def words_found(asked: str, heard: str) -> Value:
    """The share of the words asked for that stand, in order, in what was heard, in %."""
    told = of_words(normalise(asked), normalise(heard))
    hits = told.length - told.substitutions - told.deletions
    return Value(100 * hits / max(1, told.length), told.length)


def edges(text: Text, found: Sequence[Found | None]) -> dict[str, Value]:
    """Errors of the starts and ends of words in ms, and the share within 100 ms, words not found being outside."""
    pairs = [(word, one) for word, one in zip(text.asked, found, strict=True) if word is not None]
    errors = [1000 * abs(a - b) for word, one in pairs if one is not None for a, b in ((word.start, one.start), (word.end, one.end))]
    values = {"edges.within": Value(100 * sum(error <= WITHIN_MS for error in errors) / max(1, 2 * len(pairs)), 2 * len(pairs))}
    return values | ({"edges.ms": Value(float(np.median(errors)), len(errors), tuple(errors))} if errors else {})


def before(heard: Emissions, first: float) -> dict[str, Value]:
    """The share of the time before the first word in which a voice is heard, in %."""
    frames = int((first - BEFORE - heard.first) / heard.frame)
    if frames < 1:
        return {}
    return {"before.voice": Value(100 * float((heard.scores[:frames].argmax(1) != heard.silence).mean()), frames)}


def fall(whole: Tensor, seconds: float) -> dict[str, float]:
    """How far the level falls at the asked end, in dB: `later` from 0.3 s after it on, `within` during those 0.3 s, against the song."""
    end, later = round(seconds * SAMPLE_RATE), round((seconds + FALL_SECONDS) * SAMPLE_RATE)
    song = lengths.level(lengths.levels(whole[:, :end]))
    if not song or whole.shape[-1] < later + lengths.BLOCK:
        return {}
    parts = {"later": whole[:, later:], "within": whole[:, end:later]}
    return {name: decibels(song) - decibels(float(part.double().square().mean())) for name, part in parts.items()}


def decibels(power: float) -> float:
    """A mean square in dB, not below the least that counts."""
    return max(QUIETEST_DB, 10 * float(np.log10(power))) if power > 0 else QUIETEST_DB


def thirds(samples: Tensor) -> np.ndarray:
    """The level of each third of an octave in dB against that of all of them, (27,)."""
    window = torch.hann_window(8192)
    spectrum = torch.stft(samples, 8192, 4096, window=window, return_complex=True).abs().double().square().mean((0, 2)).numpy()
    hertz = np.fft.rfftfreq(8192, 1 / SAMPLE_RATE)
    power = np.array([spectrum[(hertz >= f * 2 ** (-1 / 6)) & (hertz < f * 2 ** (1 / 6))].sum() for f in THIRDS])
    return 10 * np.log10(power / power.sum() + 1e-9)


def sound_of(samples: Tensor) -> tuple[np.ndarray, float]:
    """Thirds (27,) and the loudness range in LU, 0 where it is none."""
    return thirds(samples), sound.loudness_range(samples) or 0.0


@dataclass(frozen=True)
class Job:
    """One song: where its recordings lie, what it should hold, and what it is held against as the floor."""

    name: str
    recordings: dict[str, Path]  # by condition
    asked: Asked
    rival: Asked
    is_open: bool = False


def hear(job: Job) -> dict[str, dict[str, Value]]:
    """Every measure of words of a song, by condition; the floor is the singer's song against another one's lyrics."""
    from figures import FLOOR, SUNG

    samples = {name: song_of(path) for name, path in job.recordings.items()}
    found = {name: words_of(one, job.asked, job.is_open) for name, one in samples.items()}
    if SUNG in samples:
        found[FLOOR] = words_of(samples[SUNG], replace(job.rival, is_alone=job.asked.is_alone), job.is_open)
    return found


def found_words(job: Job) -> dict[str, list[Found | None]]:
    """Where the judge finds each word, by condition."""
    spelled = job.asked.text.spelled(judge().spell)
    return {name: list(align(judge().hear(song_of(path), SAMPLE_RATE), spelled).words) for name, path in job.recordings.items()}


def save(path: Path, samples: Tensor) -> Path:
    """Writes samples that may pass full scale, turned down."""
    return audio.write(path, samples / max(1.0, float(samples.abs().max()) / 0.99))
