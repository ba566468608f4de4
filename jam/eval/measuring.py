"""One song through every instrument: what was asked, what is heard, and the values, for the song and for its controls alike.

It writes nothing and sums nothing up; a song that cannot be measured has its problem told, and the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
from torch import Tensor

from jam import audio
from jam.eval import edges, identify, lengths, sound, sphinx, styles
from jam.eval.alignment import Alignment, align
from jam.eval.asked import Text
from jam.eval.benchmark import Item
from jam.eval.ears import Ears, Listened
from jam.eval.fidelity import phone_errors
from jam.eval.identify import SpokenLine
from jam.eval.judge import share_known, sounds
from jam.eval.measures import Absent, Value, by
from jam.eval.results import SongResult
from jam.eval.settings import EvalConfig
from jam.lyrics.languages import base
from jam.lyrics.words import Word
from jam.timing import SAMPLE_RATE

SONGS = "songs"
TRUE, CODED, SHUFFLED = "true recording", "codec round trip", "shuffled lyrics"
CONDITIONS = (SONGS, TRUE, CODED, SHUFFLED)
FEW_KNOWN = 0.9  # of the symbols of the lyrics that the judge has a sound for; with fewer its word is worth little


@dataclass(frozen=True)
class Job:
    """One song to measure: its request, and another song's, against which it is the control `shuffled lyrics`."""

    name: str
    item: Item
    text: Text
    audio: Path
    whole: Path | None = None  # the canvas uncut, where it was kept
    rival: tuple[Item, Text] | None = None
    controls: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bench:
    """What is the same for all songs of a benchmark: everybody's texts, from which lines are told, and the genres that it names."""

    texts: tuple[Text, ...] = ()
    genres: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trace:
    """What training songs are searched for: a song's style (512,) and its latents (T, C), where there is what makes them."""

    style: Tensor | None
    latents: Tensor | None


@dataclass
class Measured:
    """What was found of one job, by condition: its result, its rows (w, d) by embedding, its trace; and what was absent."""

    name: str
    item: str = ""  # of the benchmark; several takes answer one
    results: dict[str, SongResult] = field(default_factory=dict)
    rows: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    traces: dict[str, Trace] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What is to be measured: jobs, what is the same for all, and the songs that cannot be measured."""

    jobs: tuple[Job, ...]
    bench: Bench
    broken: tuple[SongResult, ...]

    @cached_property
    def vocabulary(self) -> dict[str, str]:
        """Every English word of the benchmark, as recognisers write words, with its IPA."""
        texts = (text for text in self.bench.texts if base(text.language) == "en")
        words = ((sphinx.spelled(word.word), word.phoneme) for text in texts for word in text.words)
        return {said[0]: phoneme for said, phoneme in words if len(said) == 1 and phoneme}


class Measurer:
    """Measures songs one after another, with one process' instruments."""

    def __init__(self, settings: EvalConfig, work: Work) -> None:
        self.settings, self.bench, self.ears = settings, work.bench, Ears(settings, work.vocabulary)
        self._others: list[SpokenLine] | None = None

    def measure(self, job: Job) -> Measured:
        """All conditions of a job. What is wrong with a file is its result's problem."""
        found = Measured(job.name, job.item.id)
        self._condition(found, SONGS, job, job.audio)
        if job.item.reference is not None:
            self._condition(found, TRUE, job, job.item.reference)
        found.absent = dict(self.ears.absent)
        return found

    def _condition(self, found: Measured, name: str, job: Job, path: Path) -> None:
        """Measures one recording, and the controls that are made of it."""
        if name != SONGS and not {TRUE, CODED} & set(job.controls):
            return
        try:
            self._heard(found, name, job, path)
        except ValueError as error:
            found.results[name] = SongResult(job.name, str(path), problem=str(error))

    def _heard(self, found: Measured, name: str, job: Job, path: Path) -> None:
        """Fills in what one recording gives. Raises ValueError, in one line, for a file that cannot be read."""
        samples = song_of(path)
        whole = song_of(job.whole) if name == SONGS and job.whole is not None else None
        listened = self.ears.listen(samples, job.rooms, job.text.language)
        if name == SONGS or name in job.controls:
            found.results[name] = self._result(job, path, samples, listened, whole)
        self._embed(found, name, job, samples)
        if name == SONGS and job.rival is not None and SHUFFLED in job.controls:
            found.results[SHUFFLED] = self._shuffled(job, path, samples, listened)
        if name == TRUE and CODED in job.controls and self.ears.codec is not None:
            coded = self.ears.round_trip(samples)
            self._embed(found, CODED, job, coded)
            found.results[CODED] = self._result(job, path, coded, self.ears.listen(coded, job.rooms, job.text.language))

    def _embed(self, found: Measured, name: str, job: Job, samples: Tensor) -> None:
        """The rows of a recording, for what only a set has, and its trace, for the search among training songs."""
        if "sound" in job.rooms:
            found.rows[name] = self.ears.rows(samples)
        is_searched = "safety" in job.rooms and self.settings.safety.shards is not None and name in (SONGS, TRUE)
        if is_searched and samples.shape[-1] >= SAMPLE_RATE:
            style = None if self.ears.style is None else self.ears.style.from_audio(samples, SAMPLE_RATE)
            found.traces[name] = Trace(style, self.ears.latents(samples))

    def _result(self, job: Job, path: Path, samples: Tensor, listened: Listened, whole: Tensor | None = None) -> SongResult:
        """What is found of one recording that should be `job`'s song."""
        values: dict[str, Value] = {}
        if "duration" in job.rooms:
            first = min((word.start for word in job.text.timed), default=None)
            values |= lengths.measure(samples, job.item.duration, first, whole)
        if "sound" in job.rooms:
            values |= sound.measure(samples)
        return self._against(job, job.item, job.text, path, samples, listened, values)

    def _shuffled(self, job: Job, path: Path, samples: Tensor, listened: Listened) -> SongResult:
        """The song against another song's request: what a figure is worth when nothing was sung as asked."""
        assert job.rival is not None
        return self._against(job, *job.rival, path, samples, listened, {})

    def _against(
        self, job: Job, item: Item, text: Text, path: Path, samples: Tensor, listened: Listened, values: dict[str, Value]
    ) -> SongResult:
        """`values`, and what a recording has of the lyrics and the style that `item` asks for."""
        said, alignment, notes = self._words(text, listened, job.rooms)
        found = said | values
        if "style" in job.rooms:
            try:
                found |= styles.measure(samples, item, self.ears.style, self.settings.style.encoder, self.bench.genres)
            except ValueError as error:  # of the clip or the reference, not of the song
                notes = (*notes, f"no style is measured: {error}")
        seconds, words = samples.shape[-1] / SAMPLE_RATE, sung(text, alignment)
        return SongResult(job.name, str(path), seconds, found, text.timed, words, text.written, listened.texts, notes, item=job.item.id)

    def _words(self, text: Text, listened: Listened, rooms: Sequence[str]) -> tuple[dict[str, Value], Alignment, tuple[str, ...]]:
        """The values of `timing` and `lyrics`, where the first aligner found the words, and what is to be known of them."""
        values: dict[str, Value] = {}
        first: Alignment | None = None
        for name, emissions in listened.emissions.items():
            spelled = text.spelled(self.ears.aligners[name].spell)
            if text.words and not any(spelled):
                continue  # a language that this aligner cannot spell
            alignment = align(emissions, spelled)
            first = first or alignment
            if "timing" in rooms:
                values |= {by(measure, name): value for measure, value in edges.measure(text.asked, alignment, spelled).items()}
        found = first or Alignment((None,) * len(text.words), ())
        if "lyrics" in rooms:
            values |= self._fidelity(text, listened, found)
        return values, found, (*text.remarks, *_doubts(text, listened))

    def _fidelity(self, text: Text, listened: Listened, found: Alignment) -> dict[str, Value]:
        """What the judge says of the lyrics; what recognisers wrote down is counted later, all songs together."""
        values: dict[str, Value] = {}
        if listened.judge is None:
            return values
        judge, s = self.ears.judge, self.settings
        named = identify.measure(listened.judge, text.spoken_lines(judge.spell, found), self._rivals(), s.lyrics.candidates, s.seed)
        values |= {by(measure, "judge"): value for measure, value in named.items()}
        if "judge" in s.lyrics.recognisers:
            every = [sound for word in text.words for sound in sounds(word.phoneme or "")]
            asked = [sound for sound, _ in groupby(every)]  # the judge cannot tell two of a sound from a long one
            try:
                values |= phone_errors(asked, judge.write(listened.judge), "judge")
            except Absent as error:
                self.ears.absent["jiwer"] = str(error)
        return values

    def _rivals(self) -> list[SpokenLine]:
        """Every line of the benchmark, as the judge spells it."""
        if self._others is None:
            self._others = [line for text in self.bench.texts for line in text.spoken_lines(self.ears.judge.spell) if line.size]
        return self._others


def _doubts(text: Text, listened: Listened) -> tuple[str, ...]:
    """A line where the judge knows few of the symbols of lyrics."""
    known = share_known([word.phoneme or "" for word in text.words])
    told = f"the judge has a sound for only {100 * known:.0f} % of the symbols of these lyrics; its figures are worth little here"
    return (told,) if known < FEW_KNOWN and listened.judge is not None else ()


def song_of(path: Path) -> Tensor:
    """The samples (2, N) of a file at 44.1 kHz. Raises what `jam.audio.read` raises."""
    samples, rate = audio.read(path)
    return audio.resample(samples, rate, SAMPLE_RATE)


def sung(text: Text, alignment: Alignment) -> tuple[Word, ...]:
    """The words that were found, where they were found."""
    pairs = zip(text.words, alignment.words, strict=True)
    return tuple(Word(round(found.start, 4), round(found.end, 4), word.word) for word, found in pairs if found is not None)
