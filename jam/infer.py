"""Inference from the command line: `python -m jam.infer config=configs/nano.yaml`. A manifest of songs in, a folder of songs out.

Composes settings, manifest, singer and records. A broken song is reported by name and the rest are sung; a song that was finished is
verified by its record and not sung again; under `accelerate launch` the processes share the songs.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from jam import assets, audio, config, records
from jam.data.settings import DatasetSettings
from jam.lyrics.phonemes import Phonemizer
from jam.manifest import Entry, read_manifest
from jam.model import weights
from jam.model.settings import ModelSettings
from jam.sampler import time_grid
from jam.song import Plan, SampleSettings, Singer, SingSettings, Song, SongRequest, load_codec, load_network, load_style, takes
from jam.timing import MAX_FRAMES, SLOTS_PER_FRAME, STYLE_WIDTH

log = logging.getLogger("jam")

SOME_FAILED = 1  # exit status when songs were sung but not all


@dataclass(frozen=True)
class SampleKwargs(SampleSettings):
    """`evaluation.sample_kwargs`: the trajectory, and `batch_infer_num` takes of each song."""

    batch_infer_num: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        time_grid(self.steps, self.sway_sampling_coef)
        if self.batch_infer_num < 1:
            raise ValueError(f"evaluation.sample_kwargs.batch_infer_num is {self.batch_infer_num}; a song needs at least one take")


@dataclass(frozen=True)
class EvaluationSettings:
    """`evaluation`: what is sung, by which model, and what is written."""

    checkpoint_path: str | None = None  # a .safetensors file or a folder; null: JAM-0.5 from the hub or its cache
    output_dir: str = "outputs"
    test_set_path: str = "inputs/input.json"
    batch_size: int = 1
    num_samples: int | None = None  # only the first so many songs
    vae_type: str = "diffrhythm"  # diffrhythm | stable_audio | nano
    vae_path: str | None = None  # null: the hub, its cache, or the embedded bundle
    style_type: str = "muq"  # muq | nano
    style_path: str | None = None
    ignore_style: bool = False
    use_prompt_style: bool = False  # the description rather than the clip, where a song has both
    num_style_secs: float = 30.0
    random_crop_style: bool = False
    negative_style_prompt: str | None = None  # a .npy or .pt of 512 numbers, or zeros
    use_chunked_decoding: bool = True
    chunked_overlap: int = 32
    chunked_size: int = 128
    audio_format: str = "mp3"  # mp3 | wav | flac
    precision: str = "auto"  # auto | float32 | bfloat16 | float16
    device: str | None = None  # null: CUDA where it is, else the CPU
    overwrite: bool = False  # sing finished songs anew
    spectrograms: bool = True
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    sample_kwargs: SampleKwargs = field(default_factory=SampleKwargs)

    def __post_init__(self) -> None:
        if self.audio_format not in audio.FORMATS:
            raise ValueError(f"evaluation.audio_format is {self.audio_format}; choose {', '.join(audio.FORMATS)}")
        for name in ("batch_size", "chunked_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"evaluation.{name} is {getattr(self, name)}; give a number from 1")
        if not 0 <= self.chunked_overlap < self.chunked_size:
            raise ValueError(f"evaluation.chunked_overlap is {self.chunked_overlap}; give 0 to {self.chunked_size - 1}")
        if self.num_style_secs <= 0:
            raise ValueError(f"evaluation.num_style_secs is {self.num_style_secs}; give seconds above 0")
        if self.num_samples is not None and self.num_samples < 1:
            raise ValueError(f"evaluation.num_samples is {self.num_samples}; give a number from 1, or null for all songs")


@dataclass(frozen=True)
class InferConfig:
    """Every setting of inference."""

    project_root: str = "."
    max_frames: int = MAX_FRAMES
    lrc_upsample_factor: int = SLOTS_PER_FRAME
    seed: int = 0
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    data: Any = None  # training's sections, which a shared YAML may hold
    training: Any = None
    wandb: Any = None


def load_config(words: Sequence[str], default_file: str | None = None) -> InferConfig:
    """The settings of a command line; what a model says of how it sings best lies under the YAML and the words."""
    first = config.load(InferConfig, words, default_file)
    checkpoint = first.evaluation.checkpoint_path
    own = {} if checkpoint is None else weights.read_extra(checkpoint, "sample")
    return config.load(InferConfig, words, default_file, under={"evaluation": {"sample_kwargs": own}}) if own else first


def load_singer(settings: InferConfig, device: torch.device) -> Singer:
    """The singer that the settings describe. Raises what its parts' loaders raise."""
    e = settings.evaluation
    checkpoint = e.checkpoint_path or assets.fetch(assets.JAM_05)
    sample = SampleSettings(**{f.name: getattr(e.sample_kwargs, f.name) for f in fields(SampleSettings)})
    carries = weights.read_settings(checkpoint) is not None
    return Singer(
        load_network(checkpoint, settings.model.dit, device, e.precision),
        Phonemizer.load(e.dataset.phonemizer_checkpoint or assets.fetch(assets.PHONEMIZER)),
        lambda: load_style(e.style_type, e.style_path, device),
        load_codec(e.vae_type, e.vae_path, device),
        SingSettings(
            sample=sample,
            max_frames=None if carries and e.dataset.max_frames == MAX_FRAMES else e.dataset.max_frames,
            filler=e.dataset.filler,  # type: ignore[arg-type]
            num_style_secs=e.num_style_secs,
            random_crop_style=e.random_crop_style,
            ignore_style=e.ignore_style,
            use_chunked_decoding=e.use_chunked_decoding,
            chunked_size=e.chunked_size,
            chunked_overlap=e.chunked_overlap,
            seed=settings.seed,
        ),
        read_negative_style(e.negative_style_prompt),
    )


def read_negative_style(source: str | None) -> torch.Tensor | None:
    """The 512 numbers of a .npy or .pt file; None for `zeros` or nothing. Raises ValueError in one line for another file."""
    if source in (None, "zeros"):
        return None
    path = Path(str(source))
    if not path.is_file():
        raise ValueError(f"{path}: no such file; evaluation.negative_style_prompt names a .npy or .pt of {STYLE_WIDTH} numbers, or zeros")
    if path.suffix == ".npy":
        import numpy as np

        vector = torch.from_numpy(np.load(path, allow_pickle=False))
    else:
        vector = torch.load(path, map_location="cpu", weights_only=True)
    if vector.numel() != STYLE_WIDTH:
        raise ValueError(f"{path}: holds {list(vector.shape)} numbers instead of {STYLE_WIDTH}")
    return vector.float().flatten()


def infer(settings: InferConfig) -> int:
    """Sings the manifest's songs; returns the exit status: 0, or 1 when some song could not be sung."""
    from accelerate import PartialState
    from accelerate.utils import gather_object

    e = settings.evaluation
    state = PartialState(cpu=e.device == "cpu")
    device = torch.device(e.device) if e.device else state.device
    if not state.is_main_process:
        log.setLevel(logging.ERROR)
    folder = records.ResultFolder(Path(e.output_dir), e.audio_format, e.spectrograms)
    count = e.sample_kwargs.batch_infer_num
    entries = read_manifest(e.test_set_path, e.use_prompt_style, count)[: e.num_samples]
    good = [entry.request for entry in entries if entry.request is not None]
    wanted = [request for request in good for request in takes(request, count)]
    files = [e.checkpoint_path, e.vae_path, e.style_path, e.negative_style_prompt, e.dataset.phonemizer_checkpoint]
    run = Run(settings, folder, records.fingerprint(_what_matters(settings), files), device)
    if state.is_main_process:
        folder.path.mkdir(parents=True, exist_ok=True)
        config.save(settings, folder.path / "generation_config.yaml")
    failed = run.sing(wanted[state.process_index :: state.num_processes], show=state.is_main_process)
    failed = gather_object(failed) if state.num_processes > 1 else failed
    if state.is_main_process:
        problems = [(entry.name, entry.problem) for entry in entries if entry.problem] + failed
        folder.write_metadata(request.name for request in wanted)
        for name, problem in problems:
            log.error("not sung: %s: %s", name, problem)
        log.info("%d of %d songs are in %s", *_count(entries, count, problems), folder.path / "generated")
        failed = problems
    if state.num_processes > 1:
        state.wait_for_everyone()
        state.destroy_process_group()
    return SOME_FAILED if failed else 0


def _count(entries: Sequence[Entry], takes_each: int, problems: Sequence[tuple[str, str | None]]) -> tuple[int, int]:
    whole = len(entries) * takes_each
    unsung = sum(takes_each if entry.request is None else 0 for entry in entries)
    return whole - unsung - (len(problems) - sum(entry.request is None for entry in entries)), whole


@dataclass
class Run:
    """One process' share of the songs; the singer is loaded when there is something to sing."""

    settings: InferConfig
    folder: records.ResultFolder
    fingerprint: str
    device: torch.device
    singer: Singer | None = None

    def sing(self, wanted: Sequence[SongRequest], show: bool) -> list[tuple[str, str]]:
        """Sings what is not finished yet; returns (name, reason) of what could not be sung."""
        from tqdm import tqdm

        e = self.settings.evaluation
        keys = {request.name: self._key(request) for request in wanted}
        waiting = [request for request in wanted if e.overwrite or not self.folder.is_finished(request.name, keys[request.name])]
        if len(waiting) < len(wanted):
            log.info("%d songs are finished already; evaluation.overwrite=true sings them anew", len(wanted) - len(waiting))
        failed = []
        with tqdm(total=len(waiting), unit="song", disable=not show or not waiting) as bar:
            for start in range(0, len(waiting), e.batch_size):
                batch = waiting[start : start + e.batch_size]
                failed += self._sing_batch(batch, keys)
                bar.update(len(batch))
        return failed

    def _sing_batch(self, wanted: Sequence[SongRequest], keys: dict[str, str]) -> list[tuple[str, str]]:
        if self.singer is None:
            self.singer = load_singer(self.settings, self.device)
        plans: list[Plan] = []
        failed = []
        for request in wanted:
            try:
                plans.append(self.singer.plan(request))
            except ValueError as error:
                failed.append((request.name, str(error)))
        began = time.perf_counter()
        songs: list[Song] = []
        if plans:
            try:
                songs = self.singer.sing_batch(plans)
            except ValueError as error:
                failed += [(plan.request.name, str(error)) for plan in plans]
        for song in songs:
            facts = {"seed": self.settings.seed, "seconds_to_sing": round((time.perf_counter() - began) / len(songs), 3)}
            self.folder.write(song, keys[song.request.name], facts)
        return failed

    def _key(self, request: SongRequest) -> str:
        words = [asdict(word) for word in request.words]
        clip = request.style if isinstance(request.style, Path) else None
        return records.fingerprint([self.fingerprint, request.name, words, request.duration, str(request.style)], [clip])


def _what_matters(settings: InferConfig) -> Any:
    """The settings that change a song."""
    kept = asdict(settings.evaluation)
    for name in ("output_dir", "test_set_path", "batch_size", "num_samples", "overwrite", "device", "spectrograms"):
        kept.pop(name)
    kept["sample_kwargs"].pop("batch_infer_num")
    return [settings.seed, kept, asdict(settings.model.dit)]


def main(words: list[str]) -> int:
    """Entry: sings with the command line's settings."""
    return infer(load_config(words))


if __name__ == "__main__":
    sys.exit(config.run(main))
