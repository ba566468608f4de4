"""A training checkpoint made into a model: `python -m jam.export checkpoint=checkpoints/last output=FOLDER`, for `jam.infer` to sing with.

Composes checkpoint, adapter and weights; an adapter is merged into the network that it was trained on. It reads no songs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from jam import config
from jam.files import read_json
from jam.model import lora, weights
from jam.model.dit import DiTSettings
from jam.model.lora import Adapter, LoraSettings
from jam.model.precision import TYPES
from jam.training import checkpoint
from jam.training.start import locate

log = logging.getLogger("jam")

KINDS = ("ema", "live")
OWN = "export"  # the section by which an exported folder is known


@dataclass(frozen=True)
class ExportConfig:
    """Every setting of an export."""

    checkpoint: str = "checkpoints/last"
    output: str | None = None
    weights: str | None = None  # ema (the moving average) | live; null: ema where training kept one
    precision: str = "float32"  # float32 | bfloat16 | float16
    base: str | None = None  # of an adapter: a file, a folder, nano or jam-0.5; null: as training had it
    like: str | None = None  # a model whose other settings (sample, lyrics) are taken over

    def __post_init__(self) -> None:
        if self.output is None:
            raise ValueError("output is not given; name the folder to write, such as output=models/mine")
        if self.weights not in (None, *KINDS):
            raise ValueError(f"weights is {self.weights}; choose {', '.join(KINDS)}")
        if self.precision not in TYPES:
            raise ValueError(f"precision is {self.precision}; choose {', '.join(TYPES)}")


def export(settings: ExportConfig) -> Path:
    """Writes the model of a checkpoint; returns its folder.

    Raises ValueError or OSError in one line: no checkpoint, another base than the adapter's, a folder that holds something else, no space.
    """
    output = Path(str(settings.output))
    _refuse_others(output)
    state = checkpoint.load(settings.checkpoint)
    kind, tensors = _chosen(state, settings)
    dit, base = DiTSettings(**state["dit"]), _base(state, settings)
    if base is not None:
        adapter = Adapter(tensors, LoraSettings(**state["lora"]), dit, state["base"]["sha256"], settings.checkpoint)
        tensors = lora.merged(weights.read_tensors(base), [(adapter, 1.0)], base)
    weights.check(weights.expected(dit), tensors, settings.checkpoint)
    converted = _converted(tensors, settings)
    step, sha256 = state["step"], None if state["base"] is None else state["base"]["sha256"]
    own = {OWN: {"step": step, "weights": kind, "lora": state["lora"], "base": sha256}}
    weights.save(converted, dit, output, **_sections(state, base, settings.like), **own)
    log.info("%s: step %d, %s weights, %s; sing with evaluation.checkpoint_path=%s", output, step, kind, settings.precision, output)
    return output


def _refuse_others(output: Path) -> None:
    """Raises ValueError for a folder with anything but an earlier export in it."""
    if output.exists() and not output.is_dir():
        raise ValueError(f"output is {output}, which is a file; name a folder")
    names = {path.name for path in output.iterdir()} if output.exists() else set()
    ours = {name.removesuffix(".part") for name in names} <= {weights.WEIGHTS_FILE, weights.SETTINGS_FILE}
    beside = output / weights.SETTINGS_FILE
    if names and not (ours and beside.exists() and OWN in read_json(beside, "model's settings", "nothing")):
        raise ValueError(f"output is {output}, which holds other things ({', '.join(sorted(names)[:3])}); choose a new folder")


def _chosen(state: Mapping[str, Any], settings: ExportConfig) -> tuple[str, dict[str, Tensor]]:
    """Which of a checkpoint's weights are exported, and they."""
    kind = settings.weights or ("live" if state["ema"] is None else "ema")
    if kind == "live":
        return kind, state["model"]
    if state["ema"] is None:
        raise ValueError(f"{settings.checkpoint}: holds no moving average (training.use_ema was false); export weights=live")
    return kind, state["ema"]["weights"]


def _base(state: Mapping[str, Any], settings: ExportConfig) -> Path | None:
    """The weights that an adapter was trained on, as the settings or else the checkpoint name them; None for a whole network."""
    if state["lora"] is None:
        if settings.base is not None:
            raise ValueError(f"{settings.checkpoint}: holds a whole network, which needs no base; leave base out")
        return None
    if settings.base is not None:
        return weights.find(locate(settings.base))
    recorded = Path(state["base"]["path"])
    if not recorded.exists():
        raise ValueError(f"{recorded}: the network that the adapter was trained on is not there any more; name it with base=PATH")
    return weights.find(recorded)


def _sections(state: Mapping[str, Any], base: Path | None, like: str | None) -> dict[str, dict[str, Any]]:
    """What is saved beside the weights: the base's sections, over them those of training, over them those of `like`."""
    found: dict[str, dict[str, Any]] = {} if base is None else weights.read_sections(base)
    found |= state.get("extra") or {}
    found |= {} if like is None else weights.read_sections(like)
    return {name: section for name, section in found.items() if name not in ("dit", OWN)}


def _converted(tensors: Mapping[str, Tensor], settings: ExportConfig) -> dict[str, Tensor]:
    """The tensors in the number type of the settings. Raises ValueError for numbers that are none, or not in that type."""
    converted = {name: value.to(TYPES[settings.precision]) for name, value in tensors.items()}
    broken = [name for name, value in converted.items() if not value.isfinite().all()]
    if broken:
        advice = "export precision=float32" if all(tensors[name].isfinite().all() for name in broken) else "take an earlier checkpoint"
        raise ValueError(f"{settings.checkpoint}: {broken[0]} has values that are no numbers in {settings.precision}; {advice}")
    return converted


def main(words: list[str]) -> None:
    """Entry: exports with the command line's settings."""
    export(config.load(ExportConfig, words))


if __name__ == "__main__":
    sys.exit(config.run(main))
