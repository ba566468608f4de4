"""Training from the command line: `accelerate launch -m jam.train config=configs/pretrain.yaml`. Composes settings, data, network and loop.

Pretraining, fine-tuning of the whole network and of an adapter (LoRA) are this one entry with other settings; preference tuning
(`jam.dpo.train_dpo`) begins and ends as it does. The settings are those of the released system's YAMLs (see README), unknown ones refused.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from jam import assets, config
from jam.data.loader import Loader, LoaderSettings, Source
from jam.data.settings import DatasetSettings, read_silence
from jam.data.shards import shard_paths
from jam.data.songs import Songs, held_out
from jam.lyrics.phonemes import Phonemizer
from jam.model import lora, weights
from jam.model.dit import DiT
from jam.model.precision import choose
from jam.model.settings import ModelSettings
from jam.song import load_codec
from jam.timing import MAX_FRAMES, SLOTS_PER_FRAME
from jam.training.loop import METRICS, Hooks, TrainingSettings, fit
from jam.training.objective import Objective, flow_objective
from jam.training.samples import Samples
from jam.training.start import code_version, load_network, load_state, make_accelerator
from jam.training.watch import WandbSettings, open_run, watcher
from jam.training.window import held_out_means

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger("jam")


@dataclass(frozen=True)
class DataSettings:
    """`data`: what is trained on, and, where `valid_pattern` is set, what is held out."""

    train_dataset: DatasetSettings = field(default_factory=DatasetSettings)
    train_dataloader: LoaderSettings = field(default_factory=LoaderSettings)
    valid_pattern: str | None = None
    max_bad_share: float = 0.01  # of songs that are broken, before the run stops

    def __post_init__(self) -> None:
        if not 0 <= self.max_bad_share <= 1:
            raise ValueError(f"data.max_bad_share is {self.max_bad_share}; give a share from 0 to 1")


@dataclass(frozen=True)
class TrainConfig:
    """Every setting of training."""

    project_root: str = "."
    max_frames: int = MAX_FRAMES
    lrc_upsample_factor: int = SLOTS_PER_FRAME
    seed: int = 0
    plan: bool = False  # only tell what memory the run would take
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    wandb: WandbSettings = field(default_factory=WandbSettings)
    evaluation: Any = None  # the sections of inference and of preference tuning, which a shared YAML may hold
    dpo: Any = None


@dataclass(frozen=True)
class Start:
    """What a run begins with, in this process."""

    settings: TrainConfig
    accelerator: Accelerator
    model: DiT  # with the weights to start from, its adapter attached
    phonemizer: Phonemizer
    state: dict[str, Any] | None  # of the checkpoint to go on from
    base: dict[str, str] | None  # path and fingerprint of the weights that were read
    extra: dict[str, Any]  # sections that a saved model carries beside its sizes

    def loader(self, source: Source) -> Loader:
        """This process' batches of a source, from where the checkpoint's processes left off."""
        states = None if self.state is None else [own["data"] for own in self.state["processes"]]
        settings, accelerator = self.settings.data.train_dataloader, self.accelerator
        return Loader(source, settings, accelerator.process_index, accelerator.num_processes, states)

    def silence(self) -> Tensor:
        """The latent (64,) that short songs are continued with."""
        samples, path = self.settings.training.samples, self.settings.data.train_dataset.silence_latent_path
        return read_silence(path, lambda: load_codec(samples.vae_type, samples.vae_path, self.accelerator.device).silence())  # type: ignore[attr-defined]


def begin(settings: TrainConfig) -> Start:
    """The processes, the network and its weights, ready to train. Raises ValueError, in one line, for what does not fit together."""
    _refuse_contradictions(settings)
    accelerator = make_accelerator(settings.training, settings.seed)
    if not accelerator.is_main_process:
        log.setLevel(logging.WARNING)  # the main process tells; each names the broken songs that it met
    state = load_state(settings.training, _told(settings))
    model, base, extra = load_network(settings.model.dit, settings.training, settings.seed, state)
    dataset = settings.data.train_dataset
    phonemizer = Phonemizer.load(dataset.phonemizer_checkpoint or assets.fetch(assets.PHONEMIZER))
    return Start(settings, accelerator, model, phonemizer, state, base, extra | {"lyrics": {"filler": dataset.filler}})


def end(
    start: Start,
    songs: Loader,
    objective: Objective,
    hooks: Hooks,
    latents: int = 1,
    references: float = 0,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Trains to the end. A song has `latents` latents; a policy that is not trained is asked about `references` times as many; `facts` go
    into every checkpoint."""
    from jam.training.flops import peak_flops, training_flops

    settings, accelerator = start.settings, start.accelerator
    training = settings.training
    run = open_run(settings.wandb, training.checkpoint_path, start.state) if accelerator.is_main_process else None
    filler = settings.data.train_dataset.filler
    samples = Samples(training, start.phonemizer, filler, settings.seed, accelerator) if training.samples.every else None  # type: ignore[arg-type]
    precision = choose(training.precision, accelerator.device)
    seen = training.canvases or (settings.model.dit.max_frames,)
    every = [training_flops(settings.model.dit, frames, latents, training.lora.rank > 0, references) for frames in seen]
    flops = sum(every) / len(every)
    own = {
        "dit": asdict(settings.model.dit),
        "lora": asdict(training.lora) if training.lora.rank else None,
        "base": start.base,
        "extra": start.extra,
        "settings": _told(settings),
        "code": code_version(),
        "wandb_id": None if run is None else run.id,
    }
    fit(
        start.model,
        songs,
        objective,
        training,
        accelerator,
        write_model=_writer(start),
        facts=own | dict(facts or {}),
        state=start.state,
        hooks=replace(hooks, sing=samples, watch=None if run is None else watcher(run, training.checkpoint_path)),
        flops=(flops, peak_flops(accelerator.device, precision)),
    )
    if accelerator.is_main_process:
        _draw(Path(training.checkpoint_path))
    if run is not None:
        run.finish()


def train(settings: TrainConfig) -> None:
    """One training run, from scratch, from weights, or on from a checkpoint."""
    shard_paths(settings.data.train_dataset.pattern)  # what is missing is told before anything is loaded
    if settings.data.valid_pattern is not None:
        shard_paths(settings.data.valid_pattern)
    start = begin(settings)
    accelerator, loader, cfm = start.accelerator, settings.data.train_dataloader, settings.model.cfm
    silence, ids_of = start.silence(), start.phonemizer.ids_of
    source = replace(settings.data.train_dataset.shards(), max_bad_share=settings.data.max_bad_share)
    songs = Songs(source, ids_of, silence, loader, settings.seed)
    kept_out = replace(source, pattern=settings.data.valid_pattern, id_list_jsonl=None, resample_by_duration_threshold=None)

    def validate(model: nn.Module) -> dict[str, float]:
        batches = held_out(kept_out, ids_of, silence, loader.batch_size)
        return held_out_means(flow_objective((0.0, 0.0)), batches, model, accelerator)

    hooks = Hooks(validate=None if settings.data.valid_pattern is None else validate)
    end(start, start.loader(songs), flow_objective(cfm.dual_drop_prob, cfm.lyrics_drop_prob), hooks)


def _told(settings: TrainConfig) -> dict[str, Any]:
    """The settings as a checkpoint keeps them."""
    return asdict(replace(settings, evaluation=None, plan=False))


def _refuse_contradictions(settings: TrainConfig) -> None:
    canvas, given = settings.data.train_dataset.max_frames, settings.model.dit.max_frames
    if given != canvas:
        raise ValueError(f"model.dit.max_frames is {given} and data.train_dataset.max_frames {canvas}; make them equal")
    longest = max(settings.training.canvases or (1,))
    if longest > canvas:
        raise ValueError(f"training.canvases holds {longest} frames, more than the canvas of {canvas} (data.train_dataset.max_frames)")
    if settings.model.lora is not None:
        raise ValueError("model.lora is for inference; merge that adapter with jam.export and start from the result")
    if settings.training.lora.rank and settings.training.resume_from_safetensors is None:
        raise ValueError("training.lora adapts weights; name them in training.resume_from_safetensors")


def _writer(start: Start) -> Callable[[Mapping[str, Tensor], Path], object]:
    """What writes averaged weights into a checkpoint for inference."""
    settings, base = start.settings, start.base
    if settings.training.lora.rank:
        assert base is not None, "an adapter without a base"
        return lambda tensors, folder: lora.save(
            folder / "adapter", tensors, settings.training.lora, settings.model.dit, base["sha256"]
        )
    return lambda tensors, folder: weights.save(tensors, settings.model.dit, folder / "model", **start.extra)


def _draw(folder: Path) -> None:
    """The loss curve of the whole run, as a picture beside its metrics."""
    from jam.picture import draw_curves

    if not (folder / METRICS).exists():
        return  # the run had ended before it began
    records = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    names = ("loss", "valid_loss")
    curves = {name: [(record["step"], record[name]) for record in records if name in record] for name in names}
    draw_curves(folder / "loss.png", {name: points for name, points in curves.items() if points}, "step", "loss")


def plan(settings: TrainConfig, latents: int = 1, reference: bool = False) -> str:
    """What memory a run would take, in lines for people; nothing is allocated."""
    from jam.training.plan import Job, describe, memory_plan

    training = settings.training
    job = Job(
        settings.model.dit,
        settings.data.train_dataloader.batch_size,
        choose(training.precision, "cuda" if torch.cuda.is_available() else "cpu"),
        training.grad_accumulation_steps,
        training.use_ema,
        training.lora,
        processes=int(os.environ.get("WORLD_SIZE", "1")),
        sharded=os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true",
        latents=latents,
        reference=reference,
    )
    return describe(memory_plan(job))


def tell(text: str) -> None:
    """Writes lines for people, once for all processes."""
    if os.environ.get("RANK", "0") == "0":
        sys.stdout.write(f"{text}\n")


def main(words: Sequence[str]) -> None:
    """Entry: trains with the command line's settings, or tells what that would take."""
    settings = config.load(TrainConfig, words)
    if settings.plan:
        tell(plan(settings))
    else:
        train(settings)


if __name__ == "__main__":
    sys.exit(config.run(main))
