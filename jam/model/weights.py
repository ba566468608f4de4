"""The network on disk: strict loading and saving, settings beside the weights. The one place that knows the released names.

A model is a folder with `model.safetensors` and `settings.json`, or a bare safetensors file (JAM-0.5's `jam-0_5.safetensors`), whose
sizes are then the caller's. Tensors are called as in the released checkpoint (`transformer.` and the network's own names). Only
safetensors are read, so loading never runs code.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from jam.files import whole
from jam.model.dit import DiT, DiTSettings

PREFIX = "transformer."
WEIGHTS_FILE = "model.safetensors"
SETTINGS_FILE = "settings.json"
NAMED = 5  # how many tensors an error names


def find(path: str | Path) -> Path:
    """The safetensors file that `path` means: itself, or the one in that folder. Raises ValueError in one line where there is none."""
    path = Path(path)
    if path.is_dir():
        preferred = path / WEIGHTS_FILE
        found = [preferred] if preferred.exists() else sorted(path.glob("*.safetensors"))
        if len(found) != 1:
            raise ValueError(f"{path}: expected {WEIGHTS_FILE} or one .safetensors file, found {len(found)}")
        return found[0]
    if not path.exists():
        raise ValueError(f"{path}: no such file; evaluation.checkpoint_path names a .safetensors file or a folder that holds one")
    return path


def read_settings(path: str | Path) -> DiTSettings | None:
    """The settings saved beside the weights that `path` means, or None for a bare file."""
    stored = read_extra(path, "dit")
    unknown = set(stored) - {field.name for field in fields(DiTSettings)}
    if unknown:
        beside = find(path).with_name(SETTINGS_FILE)
        raise ValueError(f"{beside}: unknown settings {sorted(unknown)}; this model was made by another version of jam")
    return DiTSettings(**stored) if stored else None


def read_extra(path: str | Path, section: str) -> dict[str, Any]:
    """A section of the settings beside the weights that `path` means, such as `sample`, the trajectory it sings best with; {} if none."""
    return read_sections(path).get(section, {})


def read_sections(path: str | Path) -> dict[str, dict[str, Any]]:
    """All sections of the settings beside the weights that `path` means; {} for a bare file."""
    beside = find(path).with_name(SETTINGS_FILE)
    if not beside.exists():
        return {}
    try:
        return {name: dict(section) for name, section in json.loads(beside.read_text()).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{beside}: not a model's settings ({error}); save the model again") from error


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint by the network's own names, on the CPU."""
    file = find(path)
    try:
        with safe_open(file, framework="pt") as stored:
            return {name.removeprefix(PREFIX): stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise ValueError(f"{file}: not a readable safetensors file ({error})") from error


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names, types, shapes and bytes of tensors, whatever their order, their file, or the prefix of their names."""
    digest = hashlib.sha256()
    for name, value in sorted((name.removeprefix(PREFIX), value) for name, value in tensors.items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], where: str | Path) -> None:
    """Raises ValueError, naming all kinds of difference, unless `given` holds exactly the tensors and shapes of `expected`."""
    wrong = [
        f"{name} is {list(given[name].shape)} instead of {list(value.shape)}"
        for name, value in expected.items()
        if name in given and given[name].shape != value.shape
    ]
    differences = {
        "misses": [name for name in expected if name not in given],
        "has unknown": [name for name in given if name not in expected],
        "has misshapen": wrong,
    }
    told = [f"{kind} tensors: {_named(names)}" for kind, names in differences.items() if names]
    if told and any(".lora_A." in name for name in given):
        raise ValueError(f"{where}: holds an adapter, not a whole network; give the network here and the adapter as model.lora")
    if told:
        raise ValueError(f"{where}: {'; '.join(told)}; do model.dit's sizes fit this checkpoint?")


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def load(
    path: str | Path, settings: DiTSettings | None = None, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> DiT:
    """The network of a checkpoint, strictly: every tensor used, none missing, every shape right.

    Settings saved beside the weights win over `settings`, which a bare file takes (None: JAM-0.5). Raises ValueError naming the tensors
    that are missing, unknown or misshapen.
    """
    return build(read_tensors(path), read_settings(path) or settings or DiTSettings(), find(path), device, dtype)


def expected(settings: DiTSettings) -> dict[str, Tensor]:
    """The tensors that a network of these sizes has, by name, without values: what `check` compares with."""
    return _empty(settings).state_dict()


def _empty(settings: DiTSettings) -> DiT:
    with torch.device("meta"):
        return DiT(settings)


def build(tensors: dict[str, Tensor], settings: DiTSettings, where: str | Path, device: torch.device | str, dtype: torch.dtype) -> DiT:
    """The network that `tensors` (read from `where`) make; for inference. Raises ValueError as `check` does.

    It takes each tensor out of `tensors` as it converts it, so that memory never holds all of them twice.
    """
    model = _empty(settings)
    check(model.state_dict(), tensors, where)
    converted = {name: tensors.pop(name).to(device=device, dtype=dtype) for name in list(tensors)}
    model.load_state_dict(converted, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def save(tensors: Mapping[str, Tensor], settings: DiTSettings, folder: str | Path, **extra: Mapping[str, Any]) -> Path:
    """Writes a model folder (weights as given, `extra` sections of settings), both files aside, then renamed; returns the weights' path.

    Raises OSError in one line when the disk is full or the folder cannot be written; a former model there is then untouched.
    """
    target, beside = Path(folder) / WEIGHTS_FILE, Path(folder) / SETTINGS_FILE
    with whole(target) as weights_part, whole(beside) as settings_part:
        settings_part.write_text(json.dumps({"dit": asdict(settings), **extra}, indent=1) + "\n")
        write_tensors({PREFIX + name: value for name, value in tensors.items()}, weights_part)
    return target


def write_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Writes a safetensors file. Raises OSError where it cannot be written."""
    try:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, file)
    except SafetensorError as error:
        raise OSError(errno.EIO, f"the tensors could not be written ({error})", str(file)) from error
