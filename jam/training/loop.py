"""The training loop: every stage's (pretraining, fine-tuning, preference tuning), on one device or many. It knows no shards and no layers.

A step: batches of songs through an objective, gradients averaged over processes, clipped, AdamW, moving average. Everything random comes
from streams named by the seed, the song and its use, so a resumed run goes on as if it had never stopped.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import random
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from jam.data.loader import Loader
from jam.files import write_whole
from jam.model.dit import DiT
from jam.model.lora import LoraSettings
from jam.training import checkpoint, signals
from jam.training.ema import MovingAverage, whole
from jam.training.objective import Objective
from jam.training.optim import adamw, learning_rate_ratio
from jam.training.window import Window

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger("jam")

METRICS = "metrics.jsonl"
WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
LAID = StateDictOptions(full_state_dict=True, ignore_frozen_params=True, strict=False)


@dataclass(frozen=True)
class SampleSongs:
    """`training.samples`: songs that are sung while training goes on, by the averaged weights where there are any."""

    every: int = 0  # steps; 0: none are sung
    test_set_path: str = "inputs/input.json"
    num_samples: int | None = 2  # the first so many of the manifest
    vae_type: str = "diffrhythm"  # diffrhythm | stable_audio | nano
    vae_path: str | None = None
    style_type: str = "muq"  # muq | nano
    style_path: str | None = None
    steps: int = 50
    dual_cfg: tuple[float, float] | None = (4.7, 2.6)


@dataclass(frozen=True)
class TrainingSettings:
    """`training`: the run. Steps are optimizer steps."""

    max_steps: int = 100_000
    learning_rate: float = 7.5e-5
    num_warmup_updates: int = 1000
    grad_accumulation_steps: int = 1
    max_grad_norm: float = 10.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    use_constant_lr: bool = False
    decay_share: float = 1.0  # the share of the steps after warm-up in which the rate falls; 1 as JAM-0.5
    canvases: tuple[int, ...] | None = None  # steps see so many frames of the canvas, in turn; null: all of it
    use_ema: bool = False
    ema_decay: float = 0.999
    precision: str = "auto"  # auto | float32 | bfloat16 | float16
    compile: bool = False
    checkpoint_path: str = "checkpoints"
    save_per_updates: int = 10_000  # a checkpoint that is kept
    last_per_steps: int = 1000  # the newest one, replaced
    keep_last_n: int | None = None  # of those that are kept; null: all
    log_every: int = 10
    valid_every: int = 1000
    resume_from_checkpoint: str | None = None  # a folder, or auto: the newest under checkpoint_path, if any
    resume_from_safetensors: str | None = None  # weights to start from
    beta_dpo: float = 2000.0  # of preference tuning
    lora: LoraSettings = field(default_factory=LoraSettings)
    samples: SampleSongs = field(default_factory=SampleSongs)

    def __post_init__(self) -> None:
        for name in ("max_steps", "grad_accumulation_steps", "save_per_updates", "last_per_steps", "log_every", "valid_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"training.{name} is {getattr(self, name)}; give a number from 1")
        if self.keep_last_n is not None and self.keep_last_n < 1:
            raise ValueError(f"training.keep_last_n is {self.keep_last_n}; give a number from 1, or null to keep all")
        if self.canvases is not None and not (self.canvases and min(self.canvases) > 0):
            raise ValueError(f"training.canvases is {list(self.canvases)}; give numbers of frames from 1, or null for the whole canvas")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"training.ema_decay is {self.ema_decay}; give a number from 0, below 1")
        if not self.learning_rate > 0 or not self.max_grad_norm > 0:
            raise ValueError(f"training.learning_rate is {self.learning_rate} and max_grad_norm {self.max_grad_norm}; both must be above 0")


@dataclass(frozen=True)
class Hooks:
    """What a stage adds to the loop; each is called in every process."""

    validate: Callable[[nn.Module], dict[str, float]] | None = None  # each `valid_every` steps, the averaged weights laid in
    sing: Callable[[nn.Module, int], int] | None = None  # each `samples.every` steps, likewise -> how many songs it sang
    judge: Callable[[Mapping[str, float]], str | None] | None = None  # a reason to stop, from a record
    watch: Callable[[Mapping[str, float], int], None] | None = None  # a record and its step; in the main process only


@dataclass
class Run:
    """What changes while a run goes on."""

    step: int = 0
    window: Window = field(default_factory=Window)
    norm: float = 0.0  # of the last step's gradients, before clipping


class Training:
    """A network being trained on this process' device, with its optimizer and moving average."""

    def __init__(self, model: DiT, settings: TrainingSettings, accelerator: Accelerator) -> None:
        self.settings, self.accelerator = settings, accelerator
        optimizer = adamw(model.named_parameters(), settings.learning_rate, settings.weight_decay, settings.betas)
        self.prepared, self.optimizer = accelerator.prepare(model, optimizer)
        self.model: Any = accelerator.unwrap_model(self.prepared, keep_torch_compile=False)  # sharded where it is shared
        self.sharded = isinstance(self.model.proj_out.weight, DTensor)
        if self.sharded:
            for name in ("prepare", "velocity"):  # what songs are sung by, beside `forward`
                register_fsdp_forward_method(self.model, name)
        self.runner: Any = torch.compile(self.prepared, dynamic=False) if settings.compile else self.prepared
        self.ema = MovingAverage(self.model, settings.ema_decay) if settings.use_ema else None
        self.run = Run()

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """A context in which the network answers by its averaged weights, where there are any, and is not trained."""
        self.runner.eval()
        with contextlib.nullcontext() if self.ema is None else self.ema.swapped(self.model), torch.no_grad():
            try:
                yield
            finally:
                for module in self.model.modules():
                    if isinstance(module, FSDPModule):
                        module.reshard()  # a forward pass without a backward pass leaves weights gathered

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint's state; its own moving average is taken up if it has one."""
        set_optimizer_state_dict(self.model, self.optimizer.optimizer, state["optimizer"], options=LAID)
        set_model_state_dict(self.model, state["model"], options=LAID)
        if self.ema is not None:
            averaged = state["ema"] or {"updates": 0, "weights": state["model"]}
            self.ema.load_state_dict(averaged)
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.run.step = state["step"]
        if len(state["processes"]) == self.accelerator.num_processes:
            own = state["processes"][self.accelerator.process_index]
            self.run.window.load_state_dict(own["window"], self.accelerator.device)
            _set_random_states(own["random"])

    def state(self, songs: Loader) -> dict[str, Any]:
        """All that `restore` and the data need to go on. Every process must ask; the main one's answer is whole."""
        from accelerate.utils import gather_object

        own = {"window": self.run.window.state_dict(), "data": songs.state(), "random": _random_states()}
        scaler = self.accelerator.scaler
        return {
            "step": self.run.step,
            "model": {name: whole(value) for name, value in get_model_state_dict(self.model, options=WHOLE).items()},  # type: ignore[arg-type]
            "ema": None if self.ema is None else self.ema.state_dict(),
            "optimizer": get_optimizer_state_dict(self.model, self.optimizer.optimizer, options=WHOLE),
            "scaler": None if scaler is None else scaler.state_dict(),
            "processes": gather_object([own]),
        }


def fit(
    model: DiT,
    songs: Loader,
    objective: Objective,
    settings: TrainingSettings,
    accelerator: Accelerator,
    *,
    write_model: Callable[[Mapping[str, Tensor], Path], object],
    facts: Mapping[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    hooks: Hooks | None = None,
    flops: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Trains `model` in place for `settings.max_steps` optimizer steps; writes checkpoints and `metrics.jsonl`.

    `songs` are this process' endless batches; `write_model(weights, folder)` writes the averaged weights for inference; `facts` go into
    every checkpoint; `state` is a loaded checkpoint to go on from, whose tensors are taken out of it; `flops` are a song's model FLOPs in
    a step and the device's peak.

    Raises ValueError when the loss is no longer a number, when the songs end or break, or when a hook finds reason to stop; OSError when a
    checkpoint cannot be written; KeyboardInterrupt or SystemExit, all saved, after Ctrl-C or SIGTERM.
    """
    hooks = hooks or Hooks()
    training = Training(model, settings, accelerator)
    if state is not None:
        training.restore(state)
        for name in ("model", "ema", "optimizer"):
            del state[name]  # gigabytes
    _refuse_other_steps(training.run.step)
    checkpoint.refuse_later(settings.checkpoint_path, training.run.step)
    if accelerator.is_main_process:
        _cut_metrics(Path(settings.checkpoint_path), training.run.step)
    accelerator.wait_for_everyone()
    saved = training.run.step
    with signals.listening() as wish, contextlib.closing(iter(songs)) as batches:
        while training.run.step < settings.max_steps:
            rate = _step(training, batches, objective)
            logged = training.run.step % settings.log_every == 0 or training.run.step == settings.max_steps
            record = _record(training, songs, rate, flops) if logged else {}
            record |= _look(training, hooks)
            reason = _tell(training, record, hooks)
            stop = _agreed(wish.number, accelerator)
            names = _due(training.run.step, settings, leaving=bool(stop or reason))
            if names:
                _save(training, songs, names, write_model, facts or {})
                saved = training.run.step
            if reason:
                raise ValueError(f"step {saved}: {reason}; the run is saved in {settings.checkpoint_path}")
            if stop:
                log.info("stopped at step %d; all is saved, training.resume_from_checkpoint=auto goes on", saved)
                signals.leave(stop)
    accelerator.wait_for_everyone()


def _step(training: Training, batches: Iterator[Any], objective: Objective) -> float:
    """One optimizer step over `grad_accumulation_steps` batches -> its learning rate."""
    settings, accelerator, run, optimizer = training.settings, training.accelerator, training.run, training.optimizer
    ratio = learning_rate_ratio(
        run.step, settings.num_warmup_updates, settings.max_steps, settings.use_constant_lr, settings.decay_share
    )
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate * ratio
    run.window.start()
    training.runner.train()
    parts = settings.grad_accumulation_steps
    for part in range(parts):
        batch = next(batches).to(accelerator.device)
        if settings.canvases is not None:
            batch = batch.cut(settings.canvases[run.step % len(settings.canvases)])
        waits = part < parts - 1 and not training.sharded  # shards that waited would be whole gradients
        with accelerator.no_sync(training.prepared) if waits else contextlib.nullcontext():
            with accelerator.autocast():
                measured = objective(training.runner, batch)
            accelerator.backward(measured.loss / parts)
        run.window.add(measured, batch.seconds)
    norm = accelerator.clip_grad_norm_(training.prepared.parameters(), settings.max_grad_norm)
    optimizer.step()
    optimizer.zero_grad()
    if training.ema is not None:
        training.ema.update(training.model)
    run.norm = norm
    run.step += 1
    run.window.steps += 1
    if accelerator.device.type == "cuda":
        torch.cuda.synchronize(accelerator.device)  # what was asked for counts when it is done
    run.window.stop()
    return settings.learning_rate * ratio


def _record(training: Training, songs: Loader, rate: float, flops: tuple[float, float]) -> dict[str, float]:
    """What is logged of the songs since the last record, of all processes. Raises ValueError when the loss is not finite."""
    accelerator, run = training.accelerator, training.run
    record = run.window.means(accelerator)
    _refuse_infinite(training, all(map(math.isfinite, record.values())), record["loss"])
    broken = accelerator.reduce(torch.tensor(songs.broken, device=accelerator.device), "sum")
    head = {"step": run.step, "loss": record.pop("loss"), "grad_norm": _number(run.norm), "learning_rate": rate}
    record = head | record | run.window.pace(accelerator)
    if all(flops):
        record["model_flops_share"] = record["songs_per_second"] * flops[0] / (flops[1] * accelerator.num_processes)
    record |= {"peak_memory_gb": peak_memory(accelerator.device) / 1e9, "bad_samples": int(broken)}
    run.window = Window()
    return record


def _refuse_infinite(training: Training, finite: bool, loss: float = math.nan) -> None:
    """Raises ValueError, in all processes alike, where losses or gradients are no numbers any more, so that they are not saved."""
    advice = "lower training.learning_rate or look at the data"
    if not finite:
        raise ValueError(f"step {training.run.step}: the loss is {loss}; {advice}")
    if training.accelerator.scaler is None and not math.isfinite(_number(training.run.norm)):
        raise ValueError(f"step {training.run.step}: the gradients are no numbers; {advice}")


def _look(training: Training, hooks: Hooks) -> dict[str, float]:
    """Validates and sings where it is time for it, with the averaged weights."""
    settings, step = training.settings, training.run.step
    found: dict[str, float] = {}
    if hooks.validate is not None and step % settings.valid_every == 0:
        with training.averaged(), training.accelerator.autocast():
            found = {f"valid_{name}": value for name, value in hooks.validate(training.prepared).items()}
    if hooks.sing is not None and settings.samples.every and step % settings.samples.every == 0:
        with training.averaged():
            found["songs_sung"] = hooks.sing(training.model, step)
    return found


def _tell(training: Training, record: dict[str, float], hooks: Hooks) -> str | None:
    """Writes a record where there is one; returns what a judge finds wrong with it."""
    if not record:
        return None
    record = {"step": training.run.step} | record
    if training.accelerator.is_main_process:
        with (Path(training.settings.checkpoint_path) / METRICS).open("a") as metrics:
            metrics.write(json.dumps(record) + "\n")
        log.info("  ".join(f"{name} {value:.4g}" for name, value in record.items() if name[-3:-1] != "_q"))
        if hooks.watch is not None:
            hooks.watch(record, training.run.step)
    return None if hooks.judge is None else hooks.judge(record)


def _due(step: int, settings: TrainingSettings, leaving: bool) -> list[str]:
    """The names by which a checkpoint is to be written now."""
    last = leaving or step % settings.last_per_steps == 0 or step == settings.max_steps
    kept = step % settings.save_per_updates == 0
    return [checkpoint.LAST] * last + [f"step_{step}"] * kept


def _save(
    training: Training,
    songs: Loader,
    names: list[str],
    write_model: Callable[[Mapping[str, Tensor], Path], object],
    facts: Mapping[str, Any],
) -> None:
    good = torch.tensor(float(training.run.window.is_finite()), device=training.accelerator.device)
    _refuse_infinite(training, bool(training.accelerator.reduce(good, "sum") == training.accelerator.num_processes))
    state = training.state(songs) | dict(facts)
    if training.accelerator.is_main_process:
        averaged = state["model"] if state["ema"] is None else state["ema"]["weights"]
        root = training.settings.checkpoint_path
        checkpoint.save(root, names, state, lambda folder: write_model(averaged, folder))
        checkpoint.keep(root, training.settings.keep_last_n)
    training.accelerator.wait_for_everyone()


def _cut_metrics(folder: Path, step: int) -> None:
    """Drops records after `step`, which will come again, and one that a kill cut short."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / METRICS
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    kept = [line for line in lines if (found := _step_of(line)) is not None and found <= step]
    if kept != lines:
        write_whole(file, "".join(kept).encode())


def _step_of(line: str) -> int | None:
    try:
        return int(json.loads(line)["step"]) if line.endswith("\n") else None
    except (ValueError, KeyError, TypeError):
        return None


def _refuse_other_steps(step: int) -> None:
    """Raises ValueError, in all processes alike, where they begin at different steps: each has looked for the checkpoint itself."""
    from accelerate.utils import gather_object

    steps = set(gather_object([step]))
    if len(steps) > 1:
        told = ", ".join(map(str, sorted(steps)))
        raise ValueError(f"the processes begin at steps {told}; training.checkpoint_path must be a folder that all machines see")


def _agreed(number: int, accelerator: Accelerator) -> int:
    """The signal that any of the processes has heard; all answer alike."""
    if accelerator.num_processes == 1:
        return number
    heard = torch.zeros(accelerator.num_processes, device=accelerator.device)
    heard[accelerator.process_index] = number
    return int(accelerator.reduce(heard, "sum").max())


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that tensors on a CUDA device, or else this process, ever took."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _number(value: Any) -> float:
    return float(whole(value)) if isinstance(value, DTensor) else float(value)


def _random_states() -> dict[str, Any]:
    """The libraries' own random states, for what draws from them (an adapter's drop-out)."""
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    version, internal, gauss = random.getstate()
    numpy = np.random.get_state(legacy=False)
    numpy["state"]["key"] = numpy["state"]["key"].tolist()
    return {"torch": torch.get_rng_state(), "cuda": cuda, "python": [version, list(internal), gauss], "numpy": numpy}


def _set_random_states(states: Mapping[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    np.random.set_state(states["numpy"])
