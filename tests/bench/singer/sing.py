"""Sings a benchmark's sets with one singer, and codes their true recordings; what is there already stays."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from figures import CODED, SUNG, TRUE
from hear import fall, save

from jam import audio
from jam.eval.benchmark import Item, read_benchmark
from jam.eval.measuring import song_of
from jam.files import write_whole
from jam.infer import load_config, load_singer
from jam.lyrics.demands import quiet
from jam.manifest import read_manifest
from jam.song import Singer

FILE = "benchmark.json"


@dataclass(frozen=True)
class Sung:
    """One song of a set: its request as the benchmark tells it, its recordings by condition, and how it was sung."""

    item: Item
    row: dict[str, Any]
    recordings: dict[str, Path]
    facts: dict[str, float]  # took: seconds; later, within: fall of the level in dB


def load(words: list[str]) -> Singer:
    """The bundle's singer, with settings of `jam.infer` over it."""
    settings = load_config(words, "configs/nano.yaml")
    return load_singer(settings, torch.device("cpu"))


def songs(singer: Singer, folder: Path, out: Path, first: int | None) -> Iterator[Sung]:
    """The songs of the set in `folder`, sung into `out` one after another."""
    path = folder / FILE
    rows = json.loads(path.read_text(encoding="utf-8"))[:first]
    with quiet():
        entries, items = read_manifest(path)[:first], read_benchmark(path)[:first]
    for row, entry, item in zip(rows, entries, items, strict=True):
        if entry.request is None or not isinstance(item, Item) or item.reference is None:
            raise ValueError(f"{path}: {row['id']}: {entry.problem or item}")
        target, told = out / f"{item.id}.flac", out / f"{item.id}.json"
        if not told.exists():
            begin = time.perf_counter()
            plain = item.id.rpartition("-")[0] if "changed" in row else item.id  # variants of a line have the same noise
            song = singer.sing(replace(entry.request, id=plain))
            facts = {"took": time.perf_counter() - begin, "seconds": entry.request.duration}
            audio.write(target, song.audio)
            write_whole(told, json.dumps(facts | fall(song.whole, entry.request.duration)).encode())
        coded = out / f"{item.id}.coded.flac"
        if not coded.exists():
            save(coded, round_trip(singer, song_of(item.reference)))
        recordings = {SUNG: target, CODED: coded, TRUE: item.reference}
        yield Sung(item, row, recordings, json.loads(told.read_text()))


@torch.no_grad()
def round_trip(singer: Singer, samples: torch.Tensor) -> torch.Tensor:
    """A recording (2, N) through the codec."""
    codec: Any = singer.codec
    return singer.decode(codec.encode(samples[None])[0])[0, :, : samples.shape[-1]].float()
