"""All songs together: texts counted, votes and likeness added, distances of sets, estimates with intervals. It reads no benchmark.

What each song has by itself is made in `measuring`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jam.eval import aesthetics, catalogue, fidelity, frechet, memorised
from jam.eval.asked import Text
from jam.eval.benchmark import audio_files
from jam.eval.ears import Ears
from jam.eval.measures import Absent, Value, joined
from jam.eval.measuring import CODED, CONDITIONS, SHUFFLED, SONGS, TRUE, Measured, Work, song_of
from jam.eval.results import Condition, Estimate, SongResult
from jam.eval.settings import EvalConfig
from jam.eval.statistics import estimate
from jam.lyrics.phonemes import Phonemizer


@dataclass(frozen=True)
class Beside:
    """What the songs are held against beside their requests: recordings, and the songs that a model was trained on."""

    recordings: tuple[Path, ...] = ()
    corpus: memorised.Corpus | None = None

    @classmethod
    def read(cls, settings: EvalConfig) -> Beside:
        """As the settings say. Raises ValueError, in one line, for a folder or shards that cannot be read."""
        folder, s = settings.sound.references, settings.safety
        files = audio_files(folder) if folder is not None and "sound" in settings.rooms else []
        corpus = memorised.Corpus.read(s.shards, s.limit) if s.shards is not None and "safety" in settings.rooms else None
        return cls(tuple(files), corpus)


def conditions(
    settings: EvalConfig, work: Work, measured: Sequence[Measured], phonemizer: Phonemizer, beside: Beside, absent: dict[str, str]
) -> tuple[Condition, ...]:
    """The songs and their controls, summed up; what only all of them together have is added, and what is absent told in `absent`."""
    sets = {name: [one.results[name] for one in measured if name in one.results] for name in CONDITIONS}
    texts = {job.name: job.text for job in work.jobs}
    rivals = {job.name: job.rival[1] for job in work.jobs if job.rival is not None}
    if "lyrics" in settings.rooms:
        for name, found in sets.items():
            asked = rivals if name == SHUFFLED else texts
            sets[name] = [_with_errors(one, asked[one.id], phonemizer, absent) for one in found]
    if "aesthetics" in settings.rooms:
        _add_votes(settings, sets, absent)
    if "safety" in settings.rooms:
        _add_likeness(settings, sets, measured, beside.corpus, absent)
    recordings = _recordings(settings, work, measured, beside.recordings, absent)
    kept = []
    for name, found in sets.items():
        itself = name == TRUE and not beside.recordings  # a set is at no distance from itself
        whole = {} if itself else _distances(_rows(measured, name), recordings, settings.seed)
        figures = summed_up(found, settings.seed) | whole
        if figures or name == SONGS or any(one.problem for one in found):
            kept.append(Condition(name, (*found, *(work.broken if name == SONGS else ())), figures))
        elif name in settings.controls and not (name == CODED and "codec" in absent):
            absent[name] = _no_control(name)
    return tuple(kept)


def _no_control(name: str) -> str:
    """Why a control is not there."""
    if name == SHUFFLED:
        return f"{name}: there are no two songs of different words, or nothing of words was measured"
    return f"{name}: no item of the benchmark names a 'reference'; name a true recording of each song to have it"


def summed_up(found: Sequence[SongResult], seed: int) -> dict[str, Estimate]:
    """The estimates of a set of songs, in the catalogue's order. Takes of one song are one draw: they are not independent."""
    by_measure: dict[str, dict[str, list[Value]]] = {}
    for one in found:
        for name, value in one.values.items():
            by_measure.setdefault(name, {}).setdefault(one.item or one.id, []).append(value)
    estimates = {}
    for name in sorted(by_measure, key=catalogue.place):
        measure = catalogue.measure(name)
        low, high = measure.bounds
        figure = estimate([joined(takes) for takes in by_measure[name].values()], measure.pooled, seed)
        estimates[name] = replace(figure, low=max(figure.low, low), high=min(figure.high, high))
    return estimates


def _add_votes(settings: EvalConfig, sets: dict[str, list[SongResult]], absent: dict[str, str]) -> None:
    """Adds what published judges of beauty say of the songs and of the true recordings."""
    s, device = settings.aesthetics, settings.on
    for name in (SONGS, TRUE):
        found = [one for one in sets[name] if one.problem is None]
        votes: dict[str, dict[str, Value]] = {one.id: {} for one in found}
        if s.audiobox and "audiobox" not in absent:
            try:
                judged = aesthetics.Audiobox.load(s.audiobox_path, device)
                for one in found:
                    votes[one.id] |= judged.measure(song_of(Path(one.audio)))
            except Absent as error:
                absent["audiobox"] = str(error)
        if "songeval" not in absent:
            try:
                told = aesthetics.song_eval(((one.id, song_of(Path(one.audio))) for one in found), s.songeval, device)
                for song, values in told.items():
                    votes[song] |= values
            except Absent as error:
                absent["songeval"] = str(error)
        sets[name] = [replace(one, values=one.values | votes.get(one.id, {})) for one in sets[name]]


def _add_likeness(
    settings: EvalConfig,
    sets: dict[str, list[SongResult]],
    measured: Sequence[Measured],
    corpus: memorised.Corpus | None,
    absent: dict[str, str],
) -> None:
    """Adds which training song each song and each true recording is most like, and flags those that are too like it."""
    if corpus is None:
        absent["safety"] = "safety: no training songs are named; name the shards that the model was trained on with safety.shards=PATTERN"
        return
    bars = corpus.thresholds(settings.safety.quantile, settings.seed)
    for name in (SONGS, TRUE):
        found = {one.name: memorised.measure(corpus, bars, t.style, t.latents) for one in measured if (t := one.traces.get(name))}
        sets[name] = [
            replace(one, values=one.values | found[one.id].values, notes=(*one.notes, *found[one.id].notes)) if one.id in found else one
            for one in sets[name]
        ]


Rows = dict[str, list[np.ndarray]]  # by embedding, each song's rows (w, d)


def _rows(measured: Sequence[Measured], name: str, takes: bool = True) -> list[dict[str, np.ndarray]]:
    """The rows of a condition, a song a part: takes of one song lie together, or the first alone where all have the same recording."""
    found: dict[str, list[dict[str, np.ndarray]]] = {}
    for one in measured:
        if name in one.rows:
            found.setdefault(one.item or one.name, []).append(one.rows[name])
    kept = (songs if takes else songs[:1] for songs in found.values())
    return [{key: np.concatenate([rows[key] for rows in songs]) for key in songs[0]} for songs in kept]


def _recordings(settings: EvalConfig, work: Work, measured: Sequence[Measured], files: Sequence[Path], absent: dict[str, str]) -> Rows:
    """What the songs' distance is measured from: `files` of the user's, or the true recordings; by embedding."""
    if not files:
        return _by_embedding(_rows(measured, TRUE, takes=False))
    ears, found = Ears(settings, work.vocabulary), []
    for path in files:
        try:
            found.append(ears.rows(song_of(path)))
        except ValueError as error:
            absent[f"recording {path}"] = f"sound.references: {error}"
    return _by_embedding(found)


def _distances(songs: Sequence[dict[str, np.ndarray]], recordings: Rows, seed: int) -> dict[str, Estimate]:
    """What only a set has: its distances from recordings, by each embedding."""
    found: dict[str, Estimate] = {}
    for name, rows in _by_embedding(songs).items():
        found |= frechet.measure(rows, recordings.get(name, []), name, seed)
    return found


def _by_embedding(songs: Sequence[dict[str, np.ndarray]]) -> Rows:
    return {name: [rows[name] for rows in songs if name in rows] for name in {name for rows in songs for name in rows}}


def _with_errors(one: SongResult, text: Text, phonemizer: Phonemizer, absent: dict[str, str]) -> SongResult:
    """The result with the errors of what recognisers wrote down."""
    values = dict(one.values)
    try:
        for name, heard in one.heard.items():
            values |= fidelity.errors(text.written, heard, name, lambda words: _phones(phonemizer, words, text.language), text.language)
    except Absent as error:
        absent["jiwer"] = str(error)
    return replace(one, values=values)


def _phones(phonemizer: Phonemizer, words: list[str], language: str) -> list[list[str]]:
    """The phones of each word; none of one that the phonemizer cannot read, which a recogniser may write."""
    found = []
    for word in words:
        try:
            found.append(fidelity.phones_of(phonemizer.ipa([word], language)[0]))
        except ValueError:
            found.append([])
    return found
