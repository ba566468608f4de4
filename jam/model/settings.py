"""The `model` section of a YAML: the network's sizes and the flow's settings, as the released system's users write them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jam.model.dit import DiTSettings
from jam.timing import LATENT_CHANNELS, MAX_FRAMES

SFT = ("none", "win", "gt")


@dataclass(frozen=True)
class FlowSettings:
    """`model.cfm`: how the flow is trained. `dual_drop_prob` is [style, lyrics where style is dropped].

    `sft` says whose flow error is added in preference training: nobody's, the winner's, or the real recording's.
    """

    max_frames: int = MAX_FRAMES
    num_channels: int = LATENT_CHANNELS
    dual_drop_prob: tuple[float, float] = (0.1, 0.5)
    lyrics_drop_prob: float = 0.0  # lyrics alone; not in JAM-0.5
    no_edit: bool = True
    sft: str | None = "none"  # none | win | gt; null and false mean none

    def __post_init__(self) -> None:
        if self.sft is None or self.sft.lower() == "false":
            object.__setattr__(self, "sft", "none")
        if self.sft not in SFT:
            raise ValueError(f"model.cfm.sft is {self.sft}; choose {', '.join(SFT)}")
        if not self.no_edit:
            raise ValueError("model.cfm.no_edit is false; editing needs context audio, which JAM-0.5 was not trained with: set it to true")


@dataclass(frozen=True)
class Added:
    """An adapter that is added to the network, `weight` times."""

    path: str
    weight: float = 1.0


@dataclass(frozen=True)
class ModelSettings:
    """`model`: the network, its flow, and the adapters that inference adds to the network."""

    num_channels: int = LATENT_CHANNELS
    cfm: FlowSettings = field(default_factory=FlowSettings)
    dit: DiTSettings = field(default_factory=DiTSettings)
    lora: Any = None  # an adapter's folder, {path: FOLDER, weight: 0.5}, or a list of these

    def __post_init__(self) -> None:
        added(self.lora)
        channels = {"num_channels": self.num_channels, "cfm.num_channels": self.cfm.num_channels, "dit.mel_dim": self.dit.mel_dim}
        frames = {"cfm.max_frames": self.cfm.max_frames, "dit.max_frames": self.dit.max_frames}
        for values in (channels, frames):
            if len(set(values.values())) > 1:
                told = ", ".join(f"model.{name} {value}" for name, value in values.items())
                raise ValueError(f"{told}: these must be equal")


def added(lora: Any) -> list[Added]:
    """The adapters that `model.lora` means: none, a folder, a mapping of path and weight, or a list of these. Else raises ValueError."""
    if lora is None:
        return []
    return [_added(one) for one in (lora if isinstance(lora, list | tuple) else [lora])]


def _added(one: Any) -> Added:
    given = {"path": one} if isinstance(one, str | Path) else one
    if not isinstance(given, Mapping) or not {"path"} <= set(given) <= {"path", "weight"}:
        raise ValueError(f"model.lora holds {one!r}; give an adapter's folder, {{path: FOLDER, weight: 0.5}}, or a list of these")
    path, weight = given["path"], given.get("weight", 1.0)
    if not isinstance(path, str | Path) or not str(path):
        raise ValueError(f"model.lora has the path {path!r}; give an adapter's folder")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
        raise ValueError(f"model.lora has the weight {weight!r} for {path}; give a number such as 0.5")
    return Added(str(path), float(weight))
