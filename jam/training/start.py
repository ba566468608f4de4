"""What a training run begins with: its processes, its checkpoint, and the network with the weights to start from. It knows no songs."""

from __future__ import annotations

import logging
import subprocess
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.distributed.fsdp import MixedPrecisionPolicy

from jam import __version__, assets
from jam.model import lora, weights
from jam.model.dit import DiT, DiTSettings
from jam.model.lora import LoraSettings
from jam.model.precision import choose
from jam.training import checkpoint
from jam.training.loop import TrainingSettings

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger("jam")

PRECISIONS = {torch.float32: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}
EMBEDDED, RELEASED = "nano", "jam-0.5"  # words for weights that have no path of their own
FREE = ("max_frames", "grad_ckpt")  # sizes in which a network may differ from its saved weights


def make_accelerator(training: TrainingSettings, seed: int) -> Accelerator:
    """The processes of this run: a GPU each, or CPUs with gloo. Raises ValueError for a precision that they cannot train in."""
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs, set_seed

    warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")  # normalisation under autocast, as it should be
    cpu = not torch.accelerator.is_available()
    precision = choose(training.precision, "cpu" if cpu else torch.accelerator.current_accelerator(check_available=True) or "cpu")
    if precision == torch.float16 and not torch.cuda.is_available():
        raise ValueError("training.precision is float16, which trains on CUDA devices only; choose bfloat16 or float32")
    views = DistributedDataParallelKwargs(gradient_as_bucket_view=True)  # DDP's sums are the gradients themselves, not a copy of them
    accelerator = Accelerator(mixed_precision=PRECISIONS[precision], cpu=cpu, kwargs_handlers=[views])
    keep_exact(accelerator, precision)
    set_seed(seed)
    return accelerator


def keep_exact(accelerator: Accelerator, precision: torch.dtype) -> None:
    """Lets FSDP2 gather weights in `precision` and no more: Accelerate would round moments, velocities and summed gradients too."""
    plugin: Any = getattr(accelerator.state, "fsdp_plugin", None)
    if plugin is not None and plugin.fsdp_version == 2 and precision != torch.float32:
        plugin.mixed_precision_policy = MixedPrecisionPolicy(param_dtype=precision, reduce_dtype=torch.float32, cast_forward_inputs=False)


def load_state(training: TrainingSettings, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The checkpoint that `training` asks to go on from; what has changed in `settings` since is told."""
    if training.resume_from_checkpoint is None:
        return None
    auto = training.resume_from_checkpoint == "auto"
    path = checkpoint.newest(training.checkpoint_path) if auto else Path(training.resume_from_checkpoint)
    if path is None:
        return None
    state = checkpoint.load(path)
    if bool(state["lora"]) != bool(training.lora.rank):
        kind = "an adapter" if state["lora"] else "a whole network"
        raise ValueError(f"{path}: is of {kind}, but training.lora.rank is {training.lora.rank}; make them agree")
    if state["lora"]:
        _refuse_other_adapter(LoraSettings(**state["lora"]), training.lora, path)
    log.info("going on from %s, step %d", path, state["step"])
    for name, former, now in _changed(state["settings"], settings):
        log.info("%s was %s in the checkpoint and is %s now", name, former, now)
    return state


def _refuse_other_adapter(saved: LoraSettings, asked: LoraSettings, where: object) -> None:
    facts = {
        "rank": (saved.rank, asked.rank),
        "alpha": (saved.alpha or saved.rank, asked.alpha or asked.rank),
        "targets": (sorted(saved.targets), sorted(asked.targets)),
    }
    for name, (former, now) in facts.items():
        if former != now:
            raise ValueError(f"{where}: its adapter has {name} {former}, training.lora has {now}; make them agree, or begin a new run")


def _changed(former: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any, Any]]:
    for name in now:
        if isinstance(now[name], dict) and isinstance(former.get(name), dict):
            yield from _changed(former[name], now[name], f"{prefix}{name}.")
        elif former.get(name) != now[name]:
            yield f"{prefix}{name}", former.get(name), now[name]


def locate(source: str) -> Path:
    """The weights that `training.resume_from_safetensors` means: a path, `nano` (embedded) or `jam-0.5` (the hub or its cache)."""
    if source == EMBEDDED:
        return assets.BUNDLE / "model"
    return assets.fetch(assets.JAM_05) if source == RELEASED else Path(source)


def load_network(
    dit: DiTSettings, training: TrainingSettings, seed: int, state: Mapping[str, Any] | None
) -> tuple[DiT, dict[str, str] | None, dict[str, Any]]:
    """The network with the weights it starts from -> it, where those came from, and the sections that were saved beside them.

    The weights of a checkpoint's `state` itself are laid in by the loop. Raises ValueError, naming what differs, for weights of another
    network, and for an adapter whose base is another one than before.
    """
    source, adapter = training.resume_from_safetensors, training.lora
    model = DiT(dit)
    base, extra = None, {}
    if source is not None and (state is None or adapter.rank):
        path = locate(source)
        _refuse_other_sizes(weights.read_settings(path), dit, path)
        tensors = weights.read_tensors(path)
        weights.check(model.state_dict(), tensors, path)
        base = {"path": str(path), "sha256": weights.fingerprint(tensors)}
        model.load_state_dict(tensors)
        extra = {name: found for name in ("sample", "evaluation") if (found := weights.read_extra(path, name))}
    if state is not None:
        _refuse_other_sizes(DiTSettings(**state["dit"]), dit, "the checkpoint")
        _refuse_other_base(state["base"], base, bool(adapter.rank))
        base, extra = state["base"], state["extra"]
    if adapter.rank:
        lora.attach(model, adapter, seed)
    return model, base, extra


def _refuse_other_sizes(saved: DiTSettings | None, asked: DiTSettings, where: object) -> None:
    """Raises ValueError naming the sizes in which saved weights differ from those asked for."""
    given, wanted = asdict(saved or asked), asdict(asked)
    names = [name for name in wanted if name not in FREE and given[name] != wanted[name]]
    if names:
        told = ", ".join(f"{name} {given[name]} instead of {wanted[name]}" for name in names)
        raise ValueError(f"{where}: was made with other sizes than model.dit: {told}")


def _refuse_other_base(saved: Mapping[str, str] | None, read: Mapping[str, str] | None, adapter: bool) -> None:
    if adapter and (saved is None or read is None or saved["sha256"] != read["sha256"]):
        told = "none" if saved is None else f"{saved['path']} ({saved['sha256'][:12]})"
        found = "none" if read is None else f"{read['path']} ({read['sha256'][:12]})"
        raise ValueError(f"the checkpoint's adapter was trained on {told}, resume_from_safetensors is {found}; name the same weights")


def code_version() -> str:
    """The version of jam, and of its checkout where it is one."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return __version__
    return f"{__version__} {found.stdout.strip()}".strip()
