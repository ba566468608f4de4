"""The training loop: draws noise and moments, averages flow errors, steps. It knows no shards, files of weights or layers.

Everything random comes from generators named by seed, step and process, so a resumed run goes on as if it had never stopped.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from jam.conditions import drop_out
from jam.data.collate import Batch
from jam.flow import draw_moments, errors
from jam.model.dit import DiT
from jam.randomness import generator
from jam.training import checkpoint
from jam.training.ema import MovingAverage
from jam.training.optim import adamw, learning_rate_ratio

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger("jam")

Watch = Callable[[dict[str, float], int], None]  # (record, step)


@dataclass(frozen=True)
class TrainingSettings:
    """The run; learning rate, clipping and warm-up are in optimizer steps."""

    max_steps: int = 100_000
    learning_rate: float = 7.5e-5
    num_warmup_updates: int = 1000
    grad_accumulation_steps: int = 1
    max_grad_norm: float = 10.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    use_constant_lr: bool = False
    decay_share: float = 1.0  # the share of the steps after warm-up in which the rate falls; 1 as JAM-0.5
    use_ema: bool = False
    ema_decay: float = 0.999
    precision: str = "auto"  # auto | float32 | bfloat16 | float16
    compile: bool = False
    checkpoint_path: str = "checkpoints"
    save_per_updates: int = 10_000  # a checkpoint that is kept
    last_per_steps: int = 1000  # the newest one, replaced
    log_every: int = 10
    valid_every: int = 1000
    resume_from_checkpoint: str | None = None  # a folder, or auto: the newest under checkpoint_path, if any
    resume_from_safetensors: str | None = None  # weights to start from


@dataclass
class Run:
    """What changes while a run goes on."""

    step: int = 0
    songs: int = 0  # of this process
    losses: list[Tensor] = field(default_factory=list)
    since: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0


def batch_error(model: nn.Module, batch: Batch, noise: torch.Generator) -> Tensor:
    """(B,) flow errors of a batch at moments and noise drawn from the CPU generator `noise`."""
    t = draw_moments(len(batch.x_1), noise).to(batch.x_1.device)
    x_0 = torch.randn(batch.x_1.shape, generator=noise).to(batch.x_1.device)
    return errors(model, x_0, batch.x_1, t, batch.conditions)


@torch.no_grad()
def validation_error(model: nn.Module, batches: Iterable[Batch], device: torch.device | str) -> float:
    """Mean flow error over held-out batches, with noise and moments that are the same each time."""
    sums = [batch_error(model, batch.to(device), generator("validation", i)) for i, batch in enumerate(batches)]
    return float(torch.cat(sums).mean())


def fit(
    model: DiT,
    batches: Callable[[int], Iterable[Batch]],
    settings: TrainingSettings,
    accelerator: Accelerator,
    *,
    seed: int,
    dual_drop_prob: Sequence[float],
    lyrics_drop_prob: float = 0.0,
    validation: Callable[[], Iterable[Batch]] | None = None,
    state: dict[str, Any] | None = None,
    watch: Watch | None = None,
) -> None:
    """Trains `model` in place for `settings.max_steps` optimizer steps and writes checkpoints and `metrics.jsonl`.

    `batches(songs)` gives endless batches of this process after `songs` songs; `state` is a loaded checkpoint to go on from; `watch` gets
    each logged record. Raises ValueError when the loss is no longer a number.
    """
    model.to(accelerator.device)
    optimizer = adamw(model.parameters(), settings.learning_rate, settings.weight_decay, settings.betas)
    ema = MovingAverage(model, settings.ema_decay) if settings.use_ema and accelerator.is_main_process else None
    run = Run() if state is None else _restore(state, model, optimizer, ema)
    prepared, optimizer = accelerator.prepare(model, optimizer)
    runner: nn.Module = torch.compile(prepared, dynamic=False) if settings.compile else prepared  # type: ignore[assignment]
    Path(settings.checkpoint_path).mkdir(parents=True, exist_ok=True)
    loader = iter(batches(run.songs))
    while run.step < settings.max_steps:
        rate = settings.learning_rate * learning_rate_ratio(
            run.step, settings.num_warmup_updates, settings.max_steps, settings.use_constant_lr, settings.decay_share
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        runner.train()
        loss, norm = _step(runner, prepared, optimizer, loader, settings, accelerator, run, (seed, dual_drop_prob, lyrics_drop_prob))
        run.losses.append(loss)
        run.step += 1
        if ema is not None:
            ema.update(model)
        if run.step % settings.log_every == 0:
            record = _record(run, norm, rate, accelerator)
            if validation is not None and run.step % settings.valid_every == 0:
                record["valid_loss"] = _validate(model, ema, validation, accelerator)
            _write(record, settings, accelerator, watch)
        if accelerator.is_main_process:
            _save_when_due(settings, model, ema, optimizer, run)
    accelerator.wait_for_everyone()


def _restore(state: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer, ema: MovingAverage | None) -> Run:
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    if ema is not None and state["ema"] is not None:
        ema.load_state_dict(state["ema"])
    return Run(step=state["step"], songs=state["songs"])


def _step(
    runner: nn.Module,
    prepared: nn.Module,
    optimizer: Any,
    loader: Any,
    settings: TrainingSettings,
    accelerator: Accelerator,
    run: Run,
    draws: tuple[int, Sequence[float], float],
) -> tuple[Tensor, Tensor]:
    """One optimizer step over `grad_accumulation_steps` batches -> (mean loss, gradient norm)."""
    seed, dual_drop_prob, lyrics_drop_prob = draws
    total = torch.zeros((), device=accelerator.device)
    for part in range(settings.grad_accumulation_steps):
        batch = next(loader).to(accelerator.device)
        noise = generator("train", seed, run.step, part, accelerator.process_index)
        conditions = drop_out(batch.conditions, dual_drop_prob, noise, lyrics_drop_prob)
        batch = Batch(batch.keys, batch.x_1, conditions, batch.seconds)
        with accelerator.autocast():
            loss = batch_error(runner, batch, noise).mean() / settings.grad_accumulation_steps
        accelerator.backward(loss)
        total += loss.detach()
        run.songs += len(batch.x_1)
        run.seconds += batch.seconds
    norm = accelerator.clip_grad_norm_(prepared.parameters(), settings.max_grad_norm)
    optimizer.step()
    optimizer.zero_grad()
    return total, norm


def _record(run: Run, norm: Tensor, rate: float, accelerator: Accelerator) -> dict[str, float]:
    """What is logged of the steps since the last record. Raises ValueError when the loss is not finite."""
    loss = float(accelerator.reduce(torch.stack(run.losses).mean(), "mean"))
    if not math.isfinite(loss):
        raise ValueError(f"step {run.step}: the loss is {loss}; lower training.learning_rate or look at the data")
    elapsed = time.perf_counter() - run.since
    record = {
        "step": run.step,
        "loss": loss,
        "grad_norm": float(norm),
        "learning_rate": rate,
        "steps_per_second": len(run.losses) / elapsed,
        "song_seconds_per_second": run.seconds * accelerator.num_processes / elapsed,
    }
    run.losses.clear()
    run.since, run.seconds = time.perf_counter(), 0.0
    return record


def _validate(model: DiT, ema: MovingAverage | None, validation: Callable[[], Iterable[Batch]], accelerator: Accelerator) -> float:
    """The held-out error of the averaged weights where there are any; the live ones are put back."""
    if not accelerator.is_main_process:
        return math.nan
    live = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.eval()
    if ema is not None:
        model.load_state_dict(ema.weights, strict=False)
    with accelerator.autocast():
        error = validation_error(model, validation(), accelerator.device)
    model.load_state_dict(live, strict=False)
    return error


def _write(record: dict[str, float], settings: TrainingSettings, accelerator: Accelerator, watch: Watch | None) -> None:
    if not accelerator.is_main_process:
        return
    with (Path(settings.checkpoint_path) / "metrics.jsonl").open("a") as metrics:
        metrics.write(json.dumps(record) + "\n")
    log.info("  ".join(f"{name} {value:.4g}" for name, value in record.items()))
    if watch is not None:
        watch(record, int(record["step"]))


def _save_when_due(settings: TrainingSettings, model: DiT, ema: MovingAverage | None, optimizer: Any, run: Run) -> None:
    names = []
    if run.step % settings.last_per_steps == 0 or run.step == settings.max_steps:
        names.append(checkpoint.LAST)
    if run.step % settings.save_per_updates == 0:
        names.append(f"step_{run.step}")
    for name in names:
        state = {
            "step": run.step,
            "songs": run.songs,
            "model": model.state_dict(),
            "ema": None if ema is None else ema.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        averaged = model.state_dict() if ema is None else ema.weights
        checkpoint.save(settings.checkpoint_path, name, state, averaged, model.settings)
