"""Evaluation from the command line: `python -m jam.eval.evaluate songs=FOLDER [benchmark=FILE] [config=configs/eval/nano.yaml]`.

A folder of songs, and what was asked of them, in; a report with intervals and controls out. Composes settings, benchmark, instruments
and report. A song that cannot be measured is a row with its problem; what is optional and missing is told in a line, and the rest goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from jam import __version__, assets, config
from jam.eval import judge, normal, report, together
from jam.eval.asked import Text, text_of
from jam.eval.benchmark import Candidate, Item, Unread, candidates, jame, read_benchmark
from jam.eval.measuring import Bench, Job, Measured, Measurer, Work
from jam.eval.results import Evaluation, SongResult
from jam.eval.settings import EvalConfig
from jam.files import read_json
from jam.lyrics.phonemes import Phonemizer

log = logging.getLogger("jam")

SOME_FAILED = 1  # exit status when not every song could be measured
JAME = "jame"


def evaluate(settings: EvalConfig) -> Evaluation:
    """Measures a folder of songs. Raises ValueError or OSError, in one line, for settings, folders and benchmarks that cannot be used."""
    if settings.songs is None:
        raise ValueError("songs is not set; name the folder of the songs, such as songs=outputs")
    if not Path(settings.songs).is_dir():
        raise ValueError(f"{settings.songs}: no such folder; songs names the folder of the songs")
    phonemizer = Phonemizer.load(settings.phonemizer)
    work = prepare(settings, phonemizer)
    beside = together.Beside.read(settings)  # before the songs: they take long
    measured = list(_measured(settings, work))
    absent = {name: line for one in measured for name, line in one.absent.items()}
    conditions = together.conditions(settings, work, measured, phonemizer, beside, absent)
    name = settings.name or Path(settings.songs).resolve().name
    return Evaluation(name, conditions, facts(settings, work), tuple(absent.values()))


def prepare(settings: EvalConfig, phonemizer: Phonemizer) -> Work:
    """The songs and what was asked of them, made ready. Raises ValueError for a benchmark or a folder that cannot be used."""
    assert settings.songs is not None
    broken: list[SongResult] = []
    items: list[Item] = []
    for entry in _entries(settings):
        if isinstance(entry, Unread):
            broken.append(SongResult(entry.where, "", problem=entry.problem))
        else:
            items.append(entry)
    language = settings.lyrics.language
    texts = {item.id: text_of(item.sheet, phonemizer, item.language or language, item.source or item.id, item.duration) for item in items}
    found = candidates(items, settings.songs, {one.id for one in broken})[: settings.num_songs]
    broken += [SongResult(one.name, str(one.audio or ""), problem=one.problem) for one in found if one.problem is not None]
    good = [one for one in found if one.problem is None]
    if not good:
        reason = broken[0].problem if broken else "it holds no audio"
        raise ValueError(f"{settings.songs}: no song to measure ({reason})")
    bench = Bench(tuple(texts.values()), tuple(sorted({item.genre for item in items if item.genre})))
    return Work(tuple(_jobs(settings, good, texts)), bench, tuple(broken))


def _entries(settings: EvalConfig) -> list[Item | Unread]:
    """What was asked for: of the benchmark, else of the lyrics beside the songs."""
    if settings.benchmark == JAME:
        return list(jame())
    return list(read_benchmark(settings.benchmark or str(settings.songs)))


def _jobs(settings: EvalConfig, found: Sequence[Candidate], texts: Mapping[str, Text]) -> Iterator[Job]:
    """A job for each song; its rival is a song half the benchmark away, with other words as they are read, not as they are written."""
    read = {name: normal.normalise(text.written, text.language) for name, text in texts.items()}
    for place, one in enumerate(found):
        assert one.audio is not None, one
        text = texts[one.item.id]
        order = [found[(place + len(found) // 2 + step) % len(found)] for step in range(len(found))]
        other = next((rival.item for rival in order if read[rival.item.id] not in ("", read[one.item.id])), None)
        rival = None if other is None else (other, texts[other.id])
        yield Job(one.name, one.item, text, one.audio, one.whole, rival, tuple(settings.controls), tuple(settings.rooms))


def _measured(settings: EvalConfig, work: Work) -> Iterator[Measured]:
    """Every job, in order, by as many processes as the settings say."""
    from tqdm import tqdm

    count = min(settings.processes, len(work.jobs))
    with tqdm(total=len(work.jobs), unit="song", desc="measuring") as bar:
        measurer = Measurer(settings, work)
        measurer.ears.load(settings.rooms, any(job.item.reference for job in work.jobs))  # a fault of theirs is no fault of a song
        if count == 1:
            for job in work.jobs:
                yield measurer.measure(job)
                bar.update()
            return
        context = multiprocessing.get_context("spawn")  # a fork of a process that has used torch's threads may hang
        with ProcessPoolExecutor(count, context, _begin, (settings, work)) as pool:
            for one in pool.map(_measure, work.jobs):
                yield one
                bar.update()


_PROCESS: dict[str, Measurer] = {}  # the one measurer of a process of the pool


def _begin(settings: EvalConfig, work: Work) -> None:
    torch.set_num_threads(1)
    _PROCESS["measurer"] = Measurer(settings, work)


def _measure(job: Job) -> Measured:
    return _PROCESS["measurer"].measure(job)


def facts(settings: EvalConfig, work: Work) -> dict[str, Any]:
    """What makes an evaluation repeatable: settings, seed, versions, the hashes of lyrics, judge and phonemizer, and who sang."""
    languages = sorted({text.language for text in work.bench.texts})
    return {
        "jam": __version__,
        "torch": torch.__version__,
        "seed": settings.seed,
        "benchmark": Path(settings.benchmark).name if settings.benchmark else "the lyrics beside the songs",
        "asked": _asked(work),
        "judge": _digest(settings.alignment.judge_path or assets.BUNDLE / judge.FILE),
        "phonemizer": _digest(settings.phonemizer),
        "normaliser": {language: normal.normaliser(language) for language in languages},
        "system": _singers(work),
        "settings": asdict(settings),
    }


def _digest(path: str | Path) -> str:
    """A file's name and the SHA-256 of what it holds; of what is no file its name."""
    return f"{Path(path).name} {assets.sha256(path)}" if Path(path).is_file() else str(path)


def _asked(work: Work) -> str:
    """The SHA-256 of all lyrics that were asked for, with their times."""
    texts = [[text.written, [(word.start, word.end) for word in text.timed]] for text in work.bench.texts]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _singers(work: Work) -> dict[str, Any]:
    """Who sang, as `jam.infer` recorded it beside the songs: the hash of model and settings, seeds, versions."""
    found: dict[str, set[str]] = {}
    for job in work.jobs:
        record = job.audio.parent.parent / "local_files" / f"{job.name}.json"
        if record.is_file():
            stored = read_json(record, "record", "an object")
            for key in ("model", "seed", "jam"):
                found.setdefault(key, set()).add(str(stored.get(key)))
    return {key: sorted(values) for key, values in found.items()}


def main(words: list[str]) -> int:
    """Entry: measures, and writes the report; 1 where some song could not be measured."""
    settings = config.load(EvalConfig, words)
    Path(settings.output).mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is told before anything is measured
    found = evaluate(settings)
    page = report.write(settings.output, found, settings.audio, settings.spectrograms, settings.processes)
    for line in found.absent:
        log.warning("not measured: %s", line)
    problems = {
        f"{song.id}: {song.problem}": None for condition in found.conditions for song in condition.songs if song.problem is not None
    }
    for problem in problems:
        log.error("not measured: %s", problem)
    count = sum(song.problem is None for song in found.conditions[0].songs)
    log.info("%d %s measured; the report is %s", count, "song" if count == 1 else "songs", page)
    return SOME_FAILED if problems else 0


if __name__ == "__main__":
    sys.exit(config.run(main))
