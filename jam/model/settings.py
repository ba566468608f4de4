"""The `model` section of a YAML: the network's sizes and the flow's settings, as the released system's users write them."""

from dataclasses import dataclass, field

from jam.model.dit import DiTSettings
from jam.timing import LATENT_CHANNELS, MAX_FRAMES


@dataclass(frozen=True)
class FlowSettings:
    """`model.cfm`: how the flow is trained. `dual_drop_prob` is [style, lyrics where style is dropped]."""

    max_frames: int = MAX_FRAMES
    num_channels: int = LATENT_CHANNELS
    dual_drop_prob: tuple[float, float] = (0.1, 0.5)
    lyrics_drop_prob: float = 0.0  # lyrics alone; not in JAM-0.5
    no_edit: bool = True

    def __post_init__(self) -> None:
        if not self.no_edit:
            raise ValueError("model.cfm.no_edit is false; editing needs context audio, which JAM-0.5 was not trained with: set it to true")


@dataclass(frozen=True)
class ModelSettings:
    """`model`: the network and its flow."""

    num_channels: int = LATENT_CHANNELS
    cfm: FlowSettings = field(default_factory=FlowSettings)
    dit: DiTSettings = field(default_factory=DiTSettings)

    def __post_init__(self) -> None:
        channels = {"num_channels": self.num_channels, "cfm.num_channels": self.cfm.num_channels, "dit.mel_dim": self.dit.mel_dim}
        frames = {"cfm.max_frames": self.cfm.max_frames, "dit.max_frames": self.dit.max_frames}
        for values in (channels, frames):
            if len(set(values.values())) > 1:
                told = ", ".join(f"model.{name} {value}" for name, value in values.items())
                raise ValueError(f"{told}: these must be equal")
