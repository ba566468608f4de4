"""The settings of `python -m jam.data.prepare`: those of the stages, each its owner's, and what is the same for all songs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from jam.prepare.encoding import LatentSettings, StyleSettings
from jam.prepare.packing import PackSettings
from jam.prepare.report import ReportSettings
from jam.prepare.rules import Rules
from jam.prepare.separation import SeparationSettings
from jam.prepare.timing import TimingSettings

PHASES = ("all", "check", "encode", "pack")


@dataclass(frozen=True)
class PrepareConfig:
    """Everything that can be set."""

    input: str | None = None  # a folder, a manifest, or WebDataset tars of audio
    output: str | None = None  # a folder for the shards
    cache: str | None = None  # where what the stages made is kept; null: OUTPUT/cache
    license: str | None = None  # of songs that name none
    source: str | None = None  # where songs that do not say it come from
    language: str | None = None  # of songs that name none; null: American English
    tags: tuple[str, ...] = ()  # of every song
    valid_share: float = 0.0  # so many of the songs that name no split go to valid-*.tar
    num_songs: int | None = None  # only the first so many
    seed: int = 0  # of that split
    phase: str = "all"  # or check, encode, pack, for arrays of jobs
    share: str | None = None  # which job of an array this is, 1/16 to 16/16; null: no array
    device: str | None = None  # null: a CUDA device where there is one
    workers: int | None = None  # processes of each process; null: one for each core, or one with a GPU
    phonemizer_path: str | None = None  # null: from the hub
    lexicon_path: str | None = None  # pronunciations of one's own
    languages: dict[str, str] | None = None  # {fr: espeak, de: a DeepPhonemizer checkpoint}
    rules: Rules = field(default_factory=Rules)
    timing: TimingSettings = field(default_factory=TimingSettings)
    separation: SeparationSettings = field(default_factory=SeparationSettings)
    latents: LatentSettings = field(default_factory=LatentSettings)
    styles: StyleSettings = field(default_factory=StyleSettings)
    pack: PackSettings = field(default_factory=PackSettings)
    report: ReportSettings = field(default_factory=ReportSettings)

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise ValueError(f"phase is {self.phase}; choose one of {', '.join(PHASES)}")
        if not 0 <= self.valid_share < 1:
            raise ValueError(f"valid_share is {self.valid_share}; give a share from 0 to less than 1")
        for name in ("num_songs", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give a number from 1, or null")
        _ = self.part
        if self.share is not None and self.phase not in ("check", "encode"):
            raise ValueError(f"share={self.share} with phase={self.phase}; jobs share the phases check and encode, one job packs")

    @property
    def part(self) -> tuple[int, int] | None:
        """Which of how many jobs this is, from 0; None where there is no array of jobs."""
        if self.share is None:
            return None
        found = re.fullmatch(r"([0-9]+)/([0-9]+)", self.share)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(f"share is {self.share}; write 1/16 for the first of sixteen jobs, to 16/16 for the last")
        return int(found[1]) - 1, int(found[2])

    def processes(self, on_cpu: bool) -> int:
        """How many worker processes each process has: by default the processes of a machine share the cores that they may use."""
        if self.workers is not None or not on_cpu:
            return self.workers or 1
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
