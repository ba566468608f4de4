"""Training from the command line: `accelerate launch -m jam.train config=configs/pretrain.yaml`. Composes settings, data, network and loop.

The settings are those of the released system's YAMLs (see README), unknown ones refused.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from jam import assets, config
from jam.data.collate import Batch
from jam.data.settings import DatasetSettings, read_silence
from jam.data.shards import LoaderSettings, Shards, ShardSettings, load_batches
from jam.lyrics.phonemes import Phonemizer
from jam.model import weights
from jam.model.dit import DiT
from jam.model.precision import choose
from jam.model.settings import ModelSettings
from jam.timing import MAX_FRAMES, SLOTS_PER_FRAME
from jam.training import checkpoint
from jam.training.loop import TrainingSettings, fit

log = logging.getLogger("jam")

PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


@dataclass(frozen=True)
class DataSettings:
    """`data`: what is trained on, and, where `valid_pattern` is set, what is held out."""

    train_dataset: DatasetSettings = field(default_factory=DatasetSettings)
    train_dataloader: LoaderSettings = field(default_factory=LoaderSettings)
    valid_pattern: str | None = None


@dataclass(frozen=True)
class WandbSettings:
    """`wandb`: where metrics go beside `metrics.jsonl`; `mode` is online, offline or disabled."""

    project: str = "jam"
    name: str | None = None
    mode: str = "disabled"
    resume_id: str | None = None


@dataclass(frozen=True)
class TrainConfig:
    """Every setting of training."""

    project_root: str = "."
    max_frames: int = MAX_FRAMES
    lrc_upsample_factor: int = SLOTS_PER_FRAME
    seed: int = 0
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    wandb: WandbSettings = field(default_factory=WandbSettings)
    evaluation: Any = None  # inference's section, which a shared YAML may hold


def train(settings: TrainConfig) -> None:
    """One training run, from scratch, from weights, or on from a checkpoint."""
    from accelerate import Accelerator
    from accelerate.utils import set_seed

    training, cfm = settings.training, settings.model.cfm
    precision = choose(training.precision, "cuda" if torch.cuda.is_available() else "cpu")
    accelerator = Accelerator(mixed_precision=PRECISIONS[str(precision).removeprefix("torch.")])
    set_seed(settings.seed)
    canvas = settings.data.train_dataset.max_frames
    if settings.model.dit.max_frames != canvas:
        given = settings.model.dit.max_frames
        raise ValueError(f"model.dit.max_frames is {given} and data.train_dataset.max_frames {canvas}; make them equal")
    state = _resumed(training)
    model = DiT(settings.model.dit)
    if state is None and training.resume_from_safetensors is not None:
        tensors = weights.read_tensors(training.resume_from_safetensors)
        weights.check(model.state_dict(), tensors, training.resume_from_safetensors)
        model.load_state_dict(tensors)
    dataset = settings.data.train_dataset
    phonemizer = Phonemizer.load(dataset.phonemizer_checkpoint or assets.fetch(assets.PHONEMIZER))
    silence = read_silence(dataset.silence_latent_path)
    source = dataset.shards()

    def batches(songs: int) -> Iterable[Batch]:
        loader, ids_of = settings.data.train_dataloader, phonemizer.ids_of
        place = (accelerator.process_index, accelerator.num_processes)
        return load_batches(Shards(source, ids_of, settings.seed, *place, skip=songs, hand=loader.batch_size), loader, silence)

    validation = partial(_held_out, settings, source, phonemizer, silence) if settings.data.valid_pattern else None
    fit(
        model,
        batches,
        training,
        accelerator,
        seed=settings.seed,
        dual_drop_prob=cfm.dual_drop_prob,
        lyrics_drop_prob=cfm.lyrics_drop_prob,
        validation=validation,
        state=state,
        watch=_watcher(settings.wandb) if accelerator.is_main_process else None,
    )


def _held_out(settings: TrainConfig, source: ShardSettings, phonemizer: Phonemizer, silence: torch.Tensor) -> Iterable[Batch]:
    once = replace(source, pattern=settings.data.valid_pattern, shuffle=False, id_list_jsonl=None)
    return load_batches(Shards(once, phonemizer.ids_of, seed=0, epochs=1), replace(settings.data.train_dataloader, num_workers=0), silence)


def _resumed(training: TrainingSettings) -> dict[str, Any] | None:
    """The checkpoint that the settings ask to go on from."""
    if training.resume_from_checkpoint is None:
        return None
    if training.resume_from_checkpoint != "auto":
        return checkpoint.load(training.resume_from_checkpoint)
    newest = checkpoint.newest(training.checkpoint_path)
    return None if newest is None else checkpoint.load(newest)


def _watcher(settings: WandbSettings) -> Callable[[dict[str, float], int], None] | None:
    if settings.mode == "disabled":
        return None
    import wandb

    run = wandb.init(project=settings.project, name=settings.name, mode=settings.mode, id=settings.resume_id, resume="allow")  # type: ignore[arg-type]

    def watch(record: dict[str, float], step: int) -> None:
        run.log(record, step=step)

    return watch


def main(words: list[str]) -> None:
    """Entry: trains with the command line's settings."""
    train(config.load(TrainConfig, words))


if __name__ == "__main__":
    sys.exit(config.run(main))
