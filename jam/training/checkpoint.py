"""A training run on disk: written aside and renamed, so that a kill at any moment leaves a whole checkpoint. Read without pickle's freedom.

A checkpoint is a folder: `state.pt` (all that a run needs to go on, read with `weights_only`), `info.json` (its step, for people and for
`newest`) and `model/`, the averaged weights in the form that inference loads, or `adapter/` where an adapter is trained. `last` is the
newest; `step_N` are kept.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from jam.files import write_whole

LAST = "last"
STATE, INFO = "state.pt", "info.json"
PARTS = ("step", "model", "ema", "optimizer", "processes")  # that every state has


def save(root: str | Path, names: Sequence[str], state: Mapping[str, Any], write_model: Callable[[Path], object]) -> None:
    """Writes a checkpoint under `root` by each of `names`; an older one of a name is replaced only once the new one is whole.

    `write_model(folder)` writes the weights for inference. Raises OSError (a full disk) with the older ones untouched.
    """
    root = Path(root)
    aside = root / ".new.part"
    _sweep(root)
    try:
        write_model(aside)
        with (aside / STATE).open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        write_whole(aside / INFO, (json.dumps({"step": state["step"], "code": state.get("code")}) + "\n").encode())
        for name in names[1:]:
            _remove(root / f".{name}.part")
            shutil.copytree(aside, root / f".{name}.part", copy_function=_link)
    except (OSError, RuntimeError) as error:
        for name in ("new", *names[1:]):
            _remove(root / f".{name}.part")
        raise OSError(f"{root / names[0]}: could not be written ({error}); the former checkpoint is kept, free some space") from error
    for name in names[1:]:
        _put(root / f".{name}.part", root / name)
    _put(aside, root / names[0])


def keep(root: str | Path, count: int | None) -> None:
    """Removes all but the newest `count` of `step_N` under `root`; None keeps all."""
    if count is not None:
        kept = sorted(Path(root).glob("step_*"), key=_step)
        for old in kept[: max(0, len(kept) - count)]:
            os.replace(old, old.with_name(f".{old.name}.old"))  # so that no half-removed folder keeps its name
        _sweep(Path(root))


def newest(root: str | Path) -> Path | None:
    """The whole checkpoint under `root` with the highest step, or None. A kill between two renames leaves the former one, which counts."""
    found = [path for path in (Path(root).iterdir() if Path(root).is_dir() else ()) if path.suffix != ".part" and (path / STATE).exists()]
    return max(found, key=lambda path: (_step(path), path.name == LAST), default=None)


def refuse_later(root: str | Path, step: int) -> None:
    """Raises ValueError where `root` holds a checkpoint of a later step than a run begins with: the two would be mixed up."""
    found = newest(root)
    if found is not None and _step(found) > step:
        raise ValueError(
            f"{found}: is of step {_step(found)}, and this run begins at step {step}; go on from it "
            "(training.resume_from_checkpoint=auto), remove it, or choose another training.checkpoint_path"
        )


def load(path: str | Path) -> dict[str, Any]:
    """The state of a checkpoint folder, on the CPU. Raises ValueError in one line for a folder that holds none."""
    file = Path(path) / STATE
    if not file.exists():
        raise ValueError(f"{path}: no checkpoint ({STATE}) there; training.resume_from_checkpoint names a folder such as checkpoints/last")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{file}: is no checkpoint, or one that was cut short; name another, such as a step_N beside it") from error
    absent = [name for name in PARTS if name not in state] if isinstance(state, dict) else PARTS
    if absent:
        raise ValueError(
            f"{file}: has no {', '.join(absent)}; another version of jam wrote it. training.resume_from_safetensors can start "
            f"from its weights ({Path(path) / 'model'})"
        )
    return state


def _step(path: Path) -> int:
    try:
        return int(json.loads((path / INFO).read_text())["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return -1  # no record of its step: any other is newer


def _put(aside: Path, target: Path) -> None:
    former = target.with_name(f".{target.name}.old")
    _remove(former)
    if target.exists():
        os.replace(target, former)
    os.replace(aside, target)
    _remove(former)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


def _sweep(root: Path) -> None:
    """Removes what a kill left behind; not a former checkpoint whose successor is missing."""
    for stray in [*root.glob(".*.part"), *root.glob(".*.old")]:
        name = stray.stem.removeprefix(".")
        if stray.suffix == ".part" or name != LAST or (root / LAST).exists():
            _remove(stray)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
