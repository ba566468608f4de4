"""What each stage finds of the songs that were sung: tables of figures, each beside its ceiling, its floor and its bar."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from figures import CODED, FLOOR, SUNG, TRUE, Row, Table, above, at_least, at_most, drawn, pooled, row, within
from hear import Asked, Job, found_words, hear, sound_of, text
from sing import Sung

from jam import assets
from jam.eval import embeddings, frechet
from jam.eval.alignment import Found
from jam.eval.measures import Value
from jam.eval.measuring import song_of
from jam.eval.results import Estimate
from jam.lyrics.tempo import UNHEARD, tempo_of
from jam.nano import corpus
from jam.style.nano import NanoStyle
from jam.timing import SAMPLE_RATE

WORKERS = 2
NEAR_TEMPO = 0.06
REFERENCES = 60  # songs of the corpus, every second a cappella
LINES, CLOSED, EDGE, NEAR = "lyrics.line", "sphinx.wer", "edges.ms", "edges.within"
Measures = dict[str, dict[str, dict[str, Value]]]  # by condition, by song, by measure


def mapped(work: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Any]:
    """`work` of each job, by two fresh processes."""
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        return list(pool.map(work, jobs, chunksize=2))


def jobs_of(songs: Sequence[Sung], is_line: bool, is_open: bool = False) -> list[Job]:
    """What is to be heard of a set; each song's floor is the lyrics of the next one that has others."""
    texts = tuple(text(song.item) for song in songs)
    written = tuple(one.written for one in texts)
    asked = [Asked(one, written, texts, place, is_line, "genre" not in songs[place].row) for place, one in enumerate(texts)]
    found = []
    for place, song in enumerate(songs):
        others = [asked[(place + step) % len(asked)] for step in range(1, len(asked))]
        rival = next((one for one in others if one.text.written != asked[place].text.written), asked[place])
        found.append(Job(song.item.id, song.recordings, asked[place], rival, is_open))
    return found


def measured(jobs: Sequence[Job]) -> Measures:
    """Every measure of words."""
    found: Measures = {}
    for job, values in zip(jobs, mapped(hear, jobs), strict=True):
        for condition, measures in values.items():
            found.setdefault(condition, {})[job.name] = measures
    return found


def bars_of(name: str) -> dict[str, Any]:
    """The bars of a set of lines."""
    if name == "band":
        return {LINES: at_least(95), EDGE: at_most(25), NEAR: at_least(90)}
    bars = {LINES: at_least(98), "sphinx.line": at_least(96), EDGE: at_most(20), NEAR: at_least(95)} if name == "lines" else {}
    return bars | {"above": at_most(15 if name == "unheard" else 10)}


def lines(name: str, songs: Sequence[Sung], _work: Path) -> Table:
    """Lines of one song each: which line, where its words, how many of them pocketsphinx gets wrong."""
    found, bars = measured(jobs_of(songs, True)), bars_of(name)
    rows = _word_rows(found, bars, is_line=True)
    if name == "voices":
        for voice in sorted({song.row["voice"] for song in songs}):
            ids = {song.item.id for song in songs if song.row["voice"] == voice}
            part = {one: {song: values for song, values in every.items() if song in ids} for one, every in found.items()}
            rows += [row(f"{label}, {voice}", "%", pooled(part, measure)) for label, measure in (("line, judge", LINES), ("WER", CLOSED))]
    return Table(name, tuple(one for one in rows if one.figures))


def _word_rows(found: Measures, bars: dict[str, Any], is_line: bool) -> list[Row]:
    rows = [row("right line of the set's, judge", "%", pooled(found, LINES), bars.get(LINES))]
    rows += [row("right line of the set's, pocketsphinx", "%", pooled(found, "sphinx.line"), bars.get("sphinx.line"))] if is_line else []
    rows += [
        row("line margin, judge", "nats/frame", pooled(found, "lyrics.margin")),
        row("word edges, median error, judge", "ms", pooled(found, EDGE, "median"), bars.get(EDGE)),
        row("word edges within 100 ms, judge", "%", pooled(found, NEAR), bars.get(NEAR)),
        row("WER of the set's words, pocketsphinx", "%", pooled(found, CLOSED)),
        row("the same above the codec round trip", "points", above(found, CLOSED), bars.get("above")),
        row("time before the first word with a voice, judge", "%", pooled(found, "before.voice")),
    ]
    return rows


def moves(name: str, songs: Sequence[Sung], _work: Path) -> Table:
    """What happens to the words of a line when one of them is moved, or stretched."""
    jobs = jobs_of(songs, True)
    heard = dict(zip((job.name for job in jobs), mapped(found_words, jobs), strict=True))
    values: Measures = {}
    for line, group in groupby(songs, lambda song: song.item.id[: song.item.id.index("-", len("moves-"))]):
        variants = {song.item.id.removeprefix(f"{line}-"): (heard[song.item.id], song.row["changed"]) for song in group}
        for condition in (SUNG, CODED, TRUE):
            if "as-is" in variants:
                values.setdefault(condition, {})[line] = changes({one: (f[condition], place) for one, (f, place) in variants.items()})
    rows = (
        row("shift of a word moved by 200 ms, median", "ms", pooled(values, "shift", "median"), within(170, 230)),
        row("shift of the other words, median", "ms", pooled(values, "others", "median"), at_most(20)),
        row("length of a word stretched to twice its length, median", "times", pooled(values, "stretch", "median"), within(1.7, 2.3)),
        row("shift of the other words then, median", "ms", pooled(values, "others then", "median"), at_most(20)),
        row("lines whose words were all found", "%", pooled(values, "found")),
    )
    return Table(name, rows)


def changes(variants: dict[str, tuple[Sequence[Found | None], int]]) -> dict[str, Value]:
    """Shifts in ms and the ratio of lengths against the line as it is; of words found in both alone."""
    before, place = variants["as-is"]
    told: dict[str, Value] = {"found": Value(100.0 * all(one is not None for words, _ in variants.values() for one in words))}
    for variant, measure in (("moved", "others"), ("stretched", "others then")):
        after = variants.get(variant, ([], 0))[0]
        pairs = [(number, a, b) for number, (a, b) in enumerate(zip(before, after, strict=False)) if a is not None and b is not None]
        shifts = [1000 * abs(b.start - a.start) for number, a, b in pairs if number != place]
        own = [(a, b) for number, a, b in pairs if number == place]
        told |= {measure: Value(float(np.median(shifts)), len(shifts), tuple(shifts))} if shifts else {}
        if own and variant == "moved":
            told["shift"] = Value(500 * (own[0][1].start - own[0][0].start + own[0][1].end - own[0][0].end))
        if own and variant == "stretched":
            told["stretch"] = Value((own[0][1].end - own[0][1].start) / max(0.01, own[0][0].end - own[0][0].start))
    return told


def whole_songs(name: str, songs: Sequence[Sung], work: Path) -> Table:
    """Whole songs: words, what is heard before and after, how far they are from songs of the corpus, how fast they were sung."""
    found = measured(jobs_of(songs, False, is_open=True))
    alone = {song.item.id for song in songs if "genre" not in song.row}
    rows: list[Row] = []
    for label, ids in (("a cappella", alone), ("band", {song.item.id for song in songs} - alone)):
        part = {one: {song: values for song, values in every.items() if song in ids} for one, every in found.items()}
        bars = {**bars_of("lines"), LINES: at_least(98)} if label == "a cappella" else bars_of("band")
        some = [one for one in _word_rows(part, bars, is_line=False) if one.figures]
        rows += [Row(f"{label}: {one.label}", one.unit, one.figures, one.bar, one.met) for one in some]
    heard = pooled(found, "before.voice")
    rows.append(row("time before the first word with a voice, judge", "%", heard, at_most(1)))
    falls: Measures = {SUNG: {}}
    for song in songs:
        falls[SUNG][song.item.id] = {key: Value(song.facts[key]) for key in ("later", "within") if key in song.facts}
        falls[SUNG][song.item.id] |= {"fallen": Value(100.0 * (song.facts["later"] >= 50))} if "later" in song.facts else {}
    rows += [
        row("fall of the level from 0.3 s after the end on", "dB", pooled(falls, "later", "median"), at_least(50)),
        row("songs in which it falls by 50 dB", "%", pooled(falls, "fallen")),
        row("fall in those 0.3 s", "dB", pooled(falls, "within", "median")),
        row("words found by open English, a cappella", "%", pooled(found, "sphinx.found")),
        row("the same, share of the codec round trip's", "times", _ratio(found, "sphinx.found"), at_least(0.5)),
        *distances(songs, work),
    ]
    took = {SUNG: {song.item.id: {"factor": Value(song.facts["took"] / song.facts["seconds"], song.facts["seconds"])} for song in songs}}
    rows.append(row("seconds for a second of song", "", pooled(took, "factor"), at_most(1)))
    return Table(name, tuple(one for one in rows if one.figures), (f"Distances: from {_references(work)[0]}.",))


def _ratio(found: Measures, measure: str) -> dict[str, Estimate]:
    """The singer's figure over the codec round trip's, over the songs that have both."""
    shared = [name for name, values in found.get(SUNG, {}).items() if measure in values and measure in found[CODED].get(name, {})]
    if not shared:
        return {}
    a, b = ([found[one][name][measure] for name in shared] for one in (SUNG, CODED))

    def figure(places: np.ndarray) -> float:
        own, other = (sum(values[int(at)].value * values[int(at)].weight for at in places) for values in (a, b))
        return own / other if other else float("nan")

    return {SUNG: drawn(len(shared), figure)}


def _references(work: Path) -> tuple[str, list[Path]]:
    """Recordings of the corpus that no training has seen, every second a cappella; none where there is no corpus."""
    try:
        kept = [song for song in corpus.songs(work) if corpus.split_of(song.index) == "valid"][:REFERENCES]
    except ValueError:
        kept = []
    if len(kept) < 8:
        return "the true recordings of the same songs (no corpus lies in work)", []
    kinds = ("vocal", "mix")
    return f"{len(kept)} held-out songs of the corpus", [song.path(kinds[place % 2]) for place, song in enumerate(kept)]


def _heard(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Rows (w, 512) of the style encoder, thirds (27,) and the loudness range of a file."""
    samples = song_of(path)
    rows = embeddings.StyleRows(_style(), "nano").rows(samples)
    return rows, *sound_of(samples)


def distances(songs: Sequence[Sung], work: Path) -> list[Row]:
    """How far the songs are from those of the corpus, against how far their true recordings through the codec are."""
    from scipy.stats import wasserstein_distance

    paths = _references(work)[1] or [song.recordings[TRUE] for song in songs]
    others = mapped(_heard, paths)
    sets = {one: mapped(_heard, [song.recordings[one] for song in songs]) for one in (SUNG, CODED, TRUE)}
    if len(songs) < 2 or len(others) < 2:
        return []
    fitted = np.concatenate([rows for rows, _, _ in others])
    spectrum, ranges = np.mean([thirds for _, thirds, _ in others], 0), [span for _, _, span in others]
    measures: dict[str, Callable[[list[Any]], float]] = {
        "Fréchet distance, style embedding": lambda some: frechet.distance(np.concatenate([rows for rows, _, _ in some]), fitted),
        "spectral balance, mean difference of thirds of an octave in dB": lambda some: float(
            np.abs(np.mean([thirds for _, thirds, _ in some], 0) - spectrum).mean()
        ),
        "loudness range, earth mover's distance in LU": lambda some: float(wasserstein_distance([span for _, _, span in some], ranges)),
    }
    found = []
    for label, measure in measures.items():
        figures = {one: drawn(len(songs), lambda places, s=some, m=measure: m([s[int(at)] for at in places])) for one, some in sets.items()}

        def ratio(places: np.ndarray, m: Callable[[list[Any]], float] = measure) -> float:
            own, coded = (m([sets[one][int(at)] for at in places]) for one in (SUNG, CODED))
            return own / coded if coded else float("nan")

        found.append(row(label, "", figures))
        found.append(row("the same, share of the codec round trip's", "times", {SUNG: drawn(len(songs), ratio)}, at_most(1.5)))
    return found


_CACHE: dict[str, NanoStyle] = {}


def _style() -> NanoStyle:
    """The bundle's style encoder, one for each process."""
    if not _CACHE:
        import torch

        torch.set_num_threads(1)
        _CACHE["style"] = NanoStyle.load(assets.BUNDLE)
    return _CACHE["style"]


def style_of(job: tuple[dict[str, Any], dict[str, Path]]) -> dict[str, dict[str, Value]]:
    """What the style encoder and the beat tracker hear in a song's recordings, against what was asked; by condition."""
    asked, recordings = job
    found = {}
    for name, path in recordings.items():
        samples = song_of(path)
        told = _style().read_out(_style().from_audio(samples, SAMPLE_RATE))
        beats = tempo_of(samples, SAMPLE_RATE)
        right = {
            "genre": max(told["genre"], key=told["genre"].get) == asked["genre"],
            "voice": max(told["voice"], key=told["voice"].get) == asked["voice"],
            "tempo": is_near(told["bpm"], asked["bpm"]),
            "beats": beats != UNHEARD and any(is_near(beats[0] * octave, asked["bpm"]) for octave in (0.5, 1, 2)),
            "a cappella": told["a cappella"] < 0.5,
        }
        found[name] = {key: Value(100.0 * bool(value)) for key, value in right.items()}
    return found


def is_near(heard: float, asked: float) -> bool:
    """Whether a tempo is within 6 %."""
    return abs(heard / asked - 1) <= NEAR_TEMPO


def styles(name: str, songs: Sequence[Sung], _work: Path) -> Table:
    """Genre, tempo and voice as asked; the floor is the singer's song against another one's request."""
    jobs = [(song.row, song.recordings) for song in songs]
    values: Measures = {}
    for song, told in zip(songs, mapped(style_of, jobs), strict=True):
        for condition, measures in told.items():
            values.setdefault(condition, {})[song.item.id] = measures
    count = len(songs)
    rivals = [(songs[(place + count // 2 + 1) % count].row, {SUNG: song.recordings[SUNG]}) for place, song in enumerate(songs)]
    values[FLOOR] = {song.item.id: told[SUNG] for song, told in zip(songs, mapped(style_of, rivals), strict=True)}
    bar = at_least(90 if name == "styles_audio" else 80)
    rows = [
        row("right one of 8 genres, style encoder", "%", pooled(values, "genre"), bar),
        row("tempo within 6 %, style encoder", "%", pooled(values, "tempo"), at_least(80)),
        row("tempo within 6 % or an octave of it, beat tracker", "%", pooled(values, "beats")),
        row("right one of 4 voices, style encoder", "%", pooled(values, "voice"), at_least(90)),
        row("heard as a band", "%", pooled(values, "a cappella")),
    ]
    for genre in sorted({song.row["genre"] for song in songs}):
        ids = {song.item.id for song in songs if song.row["genre"] == genre}
        part = {one: {song: told for song, told in every.items() if song in ids} for one, every in values.items()}
        rows.append(row(f"right genre, {genre}", "%", pooled(part, "genre")))
    return Table(name, tuple(rows))


def cost(words: Sequence[str]) -> Table:
    """Loading, memory and speed in a fresh process that sings the songs of `inputs/`; the size of the bundle."""
    code = Path(__file__).with_name("cost.py")
    environment = os.environ | {"OMP_NUM_THREADS": "2", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, str(code), *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"the songs of inputs/ were not sung: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    told["bundle"] = sum(path.stat().st_size for path in assets.BUNDLE.rglob("*") if path.is_file()) / 1e6
    labels = {
        "load": ("loading, imports left out", "s", at_most(3)),
        "imports": ("imports", "s", None),
        "memory": ("peak memory", "GB", at_most(2)),
        "factor": ("seconds for a second of song, songs of inputs/, two cores", "", at_most(1)),
        "bundle": ("bundle", "MB", at_most(60)),
    }
    rows = [row(label, unit, {SUNG: Estimate(told[key], told[key], told[key], 1)}, bar) for key, (label, unit, bar) in labels.items()]
    return Table("cost", tuple(rows))


STAGES: dict[str, tuple[tuple[str, ...], Callable[[str, Sequence[Sung], Path], Table]]] = {
    **{name: ((name,), lines) for name in ("lines", "voices", "unheard", "band")},
    "moves": (("moves",), moves),
    "songs": (("songs",), whole_songs),
    "styles": (("styles_audio", "styles_text"), styles),
}
