"""A training run on disk: written aside and renamed, so that a kill at any moment leaves a whole checkpoint. Read without pickle's freedom.

A checkpoint is a folder: `state.pt` (step, model, moving average, optimizer; read with `weights_only`) and `model/`, the averaged weights
in the form that inference loads. `last` is the newest; `step_N` are kept.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jam.model import weights
from jam.model.dit import DiTSettings

LAST = "last"


def save(root: str | Path, name: str, state: Mapping[str, Any], averaged: Mapping[str, Tensor], settings: DiTSettings) -> Path:
    """Writes checkpoint `name` under `root`; an older one of that name is replaced only once the new one is whole.

    Raises OSError (a full disk) with the older one untouched.
    """
    root = Path(root)
    target, aside, former = root / name, root / f".{name}.part", root / f".{name}.old"
    for leftover in (aside, former):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        weights.save(averaged, settings, aside / "model")
        torch.save(dict(state), aside / "state.pt")
    except (OSError, RuntimeError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise OSError(f"{target}: could not be written ({error}); the former checkpoint is kept") from error
    if target.exists():
        os.replace(target, former)
    os.replace(aside, target)
    shutil.rmtree(former, ignore_errors=True)
    return target


def newest(root: str | Path) -> Path | None:
    """The newest whole checkpoint under `root`, or None. A kill between two renames leaves the former one, which then counts."""
    for name in (LAST, f".{LAST}.old"):
        if (Path(root) / name / "state.pt").exists():
            return Path(root) / name
    return None


def load(path: str | Path) -> dict[str, Any]:
    """The state of a checkpoint folder, on the CPU. Raises ValueError in one line for a folder that holds none."""
    file = Path(path) / "state.pt"
    if not file.exists():
        raise ValueError(f"{path}: no checkpoint (state.pt) there; training.resume_from_checkpoint names a folder such as checkpoints/last")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{file}: is not a readable checkpoint ({str(error).splitlines()[0][:80]})") from error
