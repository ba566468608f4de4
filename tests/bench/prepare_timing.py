"""How well preparation times songs: edges of words, words that are not sung, lyrics of another song, songs without lyrics.

    python tests/bench/prepare_timing.py FOLDER [each=1] [workers=2]

`FOLDER` is what tests/bench/prepare_songs.py rendered; `each` takes every so-manieth song. The constants of `jam.prepare.search` were
chosen on songs whose number leaves 0, 1, 3 or 6 when divided by 8; the figures of the others are told apart.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jam import assets, audio
from jam.lyrics.formats import read_sheet
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.words import Word
from jam.nano.texts import common_words
from jam.prepare.records import Timing
from jam.prepare.timing import Timer, TimingSettings
from jam.prepare.transcription import JudgeReader
from jam.timing import SAMPLE_RATE

READ_EACH = 10  # songs are read without their lyrics
SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True)
class Measured:
    """A song: with its own lyrics and with another's, its truth, and the seconds that timing took."""

    name: str
    own: Timing
    other: Timing
    truth: dict[str, Any]
    took: float

    @property
    def is_fresh(self) -> bool:
        """Whether no constant was chosen on it."""
        return int(self.name.split("-")[1]) % 8 not in (0, 1, 3, 6)


@cache
def timer() -> Timer:
    """One for each process."""
    torch.set_num_threads(1)
    return Timer.load(TimingSettings(aligner="judge"), Phonemizer.load(assets.BUNDLE / "phonemizer.pt"))


def mix(folder: Path, name: str) -> Tensor:
    """A song's samples (2, N) at 44.1 kHz."""
    samples, rate = audio.read(next(path for path in folder.glob(f"songs/{name}.*") if path.suffix != ".txt"))
    return audio.resample(samples, rate, SAMPLE_RATE)


def measure(names: tuple[str, str], folder: Path, truth: dict[str, Any]) -> Measured:
    """One song, and the lyrics of another."""
    name, other = names
    samples = mix(folder, name)
    begin = time.perf_counter()
    own = timer().time(samples, read_sheet(folder / f"songs/{name}.txt"))
    took = time.perf_counter() - begin
    return Measured(name, own, timer().time(samples, read_sheet(folder / f"songs/{other}.txt")), truth[name], took)


def edges(songs: Sequence[Measured]) -> str:
    """Errors of the right words' starts and ends, in ms."""
    errors = [
        1000 * abs(heard - true)
        for song in songs
        for place, (word, sung) in enumerate(zip(song.own.words, song.truth["word"], strict=True))
        if word.is_found and place not in song.truth["wrong"]
        for heard, true in ((word.start, sung["start"]), (word.end, sung["end"]))
        if heard is not None
    ]
    median, most, last = np.quantile(errors, (0.5, 0.95, 0.99))
    within = 100 * np.mean(np.array(errors) < 150)
    return f"boundary errors: median {median:.0f} ms, 95 % {most:.0f} ms, 99 % {last:.0f} ms; {within:.1f} % under 150 ms"


def flags(songs: Sequence[Measured]) -> str:
    """How words that are not sung are told."""
    pairs = [(not word.is_found, place in song.truth["wrong"]) for song in songs for place, word in enumerate(song.own.words)]
    flagged, wrong = np.array(pairs).T
    hits = (flagged & wrong).sum()
    lost = (flagged & ~wrong).sum() / (~wrong).sum()
    return (
        f"wrong words {wrong.sum()} of {len(wrong)}: flagged with precision {hits / flagged.sum():.1%}, recall {hits / wrong.sum():.1%}; "
        f"of right words {lost:.1%} are lost; of words kept {(wrong & ~flagged).sum() / (~flagged).sum():.2%} are wrong"
    )


def pairs(songs: Sequence[Measured]) -> str:
    """Shares of words found with own and others' lyrics, and what rules of a least share would do."""
    own, other = (np.array([getattr(song, kind).found for song in songs]) for kind in ("own", "other"))
    rules = ", ".join(f"{share:.0%}: {(own < share).mean():.1%} / {(other < share).mean():.1%}" for share in SHARES)
    sure = [np.median([getattr(song, kind).confidence or -9.0 for song in songs]) for kind in ("own", "other")]
    return (
        f"words found: own lyrics {own.mean():.1%} (least {own.min():.1%}), another song's {other.mean():.1%} (most {other.max():.1%}); "
        f"median confidence {sure[0]:.2f} / {sure[1]:.2f}\nrejected at a least share, own / another's: {rules}"
    )


def read(folder: Path, truth: dict[str, Any], names: Sequence[str]) -> str:
    """What the judge writes down of songs without lyrics, from the frequent words and the rare ones of all songs."""
    counts = dict.fromkeys(common_words(), 20.0) | {one["word"]: 1.0 for song in truth.values() for one in song["word"]}
    with tempfile.TemporaryDirectory() as scratch:
        vocabulary = Path(scratch) / "words.txt"
        vocabulary.write_text("".join(f"{word} {count}\n" for word, count in counts.items()), encoding="utf-8")
        scribe = Timer.load(TimingSettings(aligner="judge", recogniser="judge", vocabulary=str(vocabulary)), timer().phonemizer)
    reader = scribe.transcriber
    assert isinstance(reader, JudgeReader)
    canon = dict(zip(reader.vocabulary.sounds, reader.vocabulary.words, strict=True))  # words that sound alike are one
    wrong = sung = 0
    seconds = 0.0
    for name in names:
        samples = mix(folder, name)
        begin = time.perf_counter()
        heard = [word.word for word in reader.write(samples)]
        seconds += time.perf_counter() - begin
        said = timer().phonemizer.ipa([one["word"] for one in truth[name]["word"]])
        true = [canon[tuple(reader.judge.spell(Word(0.0, 0.0, "", ipa)))] for ipa in said]
        wrong, sung = wrong + edits(true, heard), sung + len(true)
    each = seconds / sum(truth[name]["seconds"] for name in names)
    return f"reading, of {len(canon)} words: {wrong / sung:.1%} of {sung} words wrong, in {each:.4f} s for each second of song"


def edits(true: Sequence[str], heard: Sequence[str]) -> int:
    """How many words have to be changed, put in or left out."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(true, 1):
        before, row[0] = row[:], number
        for place, other in enumerate(heard, 1):
            row[place] = min(before[place] + 1, row[place - 1] + 1, before[place - 1] + (word != other))
    return row[-1]


def main(words: list[str]) -> int:
    """Reads the folder and key=value words, and prints."""
    given = {"each": "1", "workers": "2"} | dict(word.split("=", 1) for word in words[1:])
    folder = Path(words[0])
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    names = list(truth)[:: int(given["each"])]
    with ProcessPoolExecutor(int(given["workers"])) as pool:
        songs = list(pool.map(partial(measure, folder=folder, truth=truth), zip(names, names[1:] + names[:1], strict=True)))
    for label, chosen in (("all songs", songs), ("fresh songs", [song for song in songs if song.is_fresh])):
        sys.stdout.write(f"{label} ({len(chosen)})\n{edges(chosen)}\n{flags(chosen)}\n{pairs(chosen)}\n")
    seconds = sum(song.truth["seconds"] for song in songs)
    sys.stdout.write(read(folder, truth, names[::READ_EACH]) + "\n")
    sys.stdout.write(f"{sum(song.took for song in songs) / seconds:.4f} s for each second of song\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
