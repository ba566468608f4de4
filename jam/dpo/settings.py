"""The `dpo` section of a YAML: the reference, and what watches over a run of preference tuning."""

from dataclasses import dataclass

from jam.dpo.monitor import ON_WORSE


@dataclass(frozen=True)
class DPOSettings:
    """`dpo`. What the released system's YAMLs hold of it is elsewhere: `training.beta_dpo`, `model.cfm.sft`, `data.train_dataset`."""

    reference_path: str | None = None  # weights of the frozen reference; None: those of training.resume_from_safetensors
    precompute_reference: int = 0  # K: a pair has K fixed draws, whose reference errors are computed before training; 0: at each step
    on_worse: str = "warn"  # warn | stop | ignore: when the policy fits winners worse than the reference does
    worse_share: float = 0.05  # by more than this share of the reference's error
    worse_window: int = 20  # mean of so many log lines
    valid_json_path: str | None = None  # held-out pairs
    valid_count: int = 64  # the first so many held-out pairs, and held-out songs

    def __post_init__(self) -> None:
        if self.on_worse not in ON_WORSE:
            raise ValueError(f"dpo.on_worse is {self.on_worse}; choose one of {', '.join(ON_WORSE)}")
        for name, least in {"precompute_reference": 0, "worse_window": 1, "valid_count": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"dpo.{name} is {getattr(self, name)}; give {least} or more")
        if not self.worse_share >= 0:
            raise ValueError(f"dpo.worse_share is {self.worse_share}; give a share such as 0.05")
