"""Low-rank adapters (LoRA, Hu et al. 2021): small matrices trained beside the frozen network, saved alone, and added to its weights.

A Linear W (out, in) with an adapter answers W x + alpha / rank * B (A x), with A (rank, in) and B (out, rank); B starts as zeros. An
adapter on disk is a folder that peft reads (`adapter_model.safetensors`, `adapter_config.json`) and `base.json`, which says by the hash of
its tensors which network the adapter was trained on: no other takes it. The one door to peft. It does not know how adapters are trained.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from jam.files import read_json, whole
from jam.model import weights
from jam.model.dit import DiT, DiTSettings
from jam.randomness import generator

WEIGHTS_FILE, CONFIG_FILE, BASE_FILE = "adapter_model.safetensors", "adapter_config.json", "base.json"
ADAPTER = "default"  # peft's name of an only adapter, a part of its parameters' names
SHORT = 12  # digits of a hash that an error shows
STRANGE = ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "fan_in_fan_out", "modules_to_save", "lora_bias")  # other arithmetic


@dataclass(frozen=True)
class LoraSettings:
    """Which adapter is trained: none where `rank` is 0.

    A target is the end of a Linear's name at a dot (`q_proj`, `gate_proj`, `input_embed.proj`), or a regular expression of the whole name.
    """

    rank: int = 0
    alpha: float | None = None  # None: rank, and the adapter counts once
    dropout: float = 0.0  # share of an adapter's inputs that are dropped in training
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))
        if self.rank < 0:
            raise ValueError(f"training.lora.rank is {self.rank}; give a number from 1, or 0 for no adapter")
        if self.alpha is not None and not (math.isfinite(self.alpha) and self.alpha > 0):
            raise ValueError(f"training.lora.alpha is {self.alpha}; give a number above 0, or null for the rank")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"training.lora.dropout is {self.dropout}; give a share from 0 to below 1")
        if self.rank and not self.targets:
            raise ValueError("training.lora.targets is empty; name layers such as q_proj")

    @property
    def scale(self) -> float:
        """What B A is multiplied by."""
        return 1.0 if self.alpha is None else self.alpha / self.rank


@dataclass(frozen=True)
class Adapter:
    """A trained adapter: its tensors as `trained` names them, and the network it belongs to. `where` it was read, for messages."""

    tensors: Mapping[str, Tensor]
    settings: LoraSettings
    dit: DiTSettings
    base: str  # fingerprint of the base's tensors
    where: str


def attach(model: DiT, settings: LoraSettings, seed: int = 0) -> None:
    """Puts a fresh adapter into the network, in place; from then on only it is trained. The network answers as before.

    The adapter is float32 whatever the network is, and a function of `seed`. Raises ValueError for targets that no Linear has.
    """
    from peft import inject_adapter_in_model
    from peft.tuners.lora import LoraLayer

    assert settings.rank > 0, "rank 0 is no adapter"
    assert not _is_adapted(model), "the network has an adapter"
    names = matched(model, settings.targets)
    inject_adapter_in_model(_peft_config(settings, names), model, ADAPTER)
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            a, b = layer.lora_A[ADAPTER].float().weight, layer.lora_B[ADAPTER].float().weight
            assert isinstance(a, nn.Parameter) and isinstance(b, nn.Parameter)
            bound = 1 / math.sqrt(a.shape[1])  # as nn.Linear starts
            with torch.no_grad():
                a.copy_(torch.empty(a.shape).uniform_(-bound, bound, generator=generator("lora", seed, name)))
                b.zero_()


def matched(model: nn.Module, targets: Iterable[str]) -> list[str]:
    """The names of the Linear layers that the targets mean. Raises ValueError naming targets that mean none, or another kind of layer."""
    named = dict(model.named_modules())
    linear = [name for name, module in named.items() if isinstance(module, nn.Linear)]
    found: dict[str, list[str]] = {target: [name for name in linear if _means(target, name)] for target in targets}
    missed = [target for target, names in found.items() if not names]
    if missed:
        known = sorted({name.rpartition(".")[2] for name in linear} - {"0", "2"})
        names = ", ".join(missed)
        raise ValueError(f"training.lora.targets: {names} is the name of no Linear layer; there are {', '.join(known)} and others")
    meant = {name for names in found.values() for name in names}
    return [name for name in linear if name in meant]


def _means(target: str, name: str) -> bool:
    if name == target or name.endswith(f".{target}"):
        return True
    try:
        return re.fullmatch(target, name) is not None
    except re.error as error:
        raise ValueError(f"training.lora.targets: {target} is neither a name nor a regular expression ({error})") from error


def _is_adapted(model: nn.Module) -> bool:
    return any(_is_adapters(name) for name, _ in model.named_parameters())


def _is_adapters(name: str) -> bool:
    return ".lora_A." in name or ".lora_B." in name


@contextmanager
def disabled(model: nn.Module) -> Iterator[None]:
    """Within it the base alone answers. The network may lie inside or be wrapped by DDP or FSDP.

    For forward passes without gradients: a block that is recomputed in a later backward pass would answer as at that time.
    """
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    before = [layer.disable_adapters for layer in layers]
    # Not peft's enable_adapters(): it also changes requires_grad, of which FSDP keeps a copy from the first forward pass.
    for layer in layers:
        layer._disable_adapters = True
    try:
        yield
    finally:
        for layer, was in zip(layers, before, strict=True):
            layer._disable_adapters = was


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training changes, by name: the adapter's where the network has one, else all."""
    parameters = dict(model.named_parameters())
    return {name: value for name, value in parameters.items() if _is_adapters(name)} or parameters


def save(folder: str | Path, tensors: Mapping[str, Tensor], settings: LoraSettings, dit: DiTSettings, base: str) -> Path:
    """Writes an adapter's folder, all files aside, then renamed; returns it. `base` is the fingerprint of the base's tensors as stored.

    Raises OSError in one line when the disk is full or the folder cannot be written; a former adapter there is then untouched.
    """
    folder = Path(folder)
    layers = sorted({_layer(name) for name in tensors})
    config = _peft_config(settings, layers).to_dict() | {"inference_mode": True}
    with whole(folder / BASE_FILE) as told, whole(folder / CONFIG_FILE) as configured, whole(folder / WEIGHTS_FILE) as stored:
        weights.write_tensors({_on_disk(name): value for name, value in tensors.items()}, stored)
        configured.write_text(json.dumps(config, indent=1, sort_keys=True, default=sorted) + "\n")  # peft holds names in sets
        told.write_text(json.dumps({"sha256": base, "dit": asdict(dit)}, indent=1) + "\n")
        (folder / BASE_FILE).unlink(missing_ok=True)  # comes last, so that a kill between two renames leaves what `read` refuses
    return folder


def read(folder: str | Path) -> Adapter:
    """The adapter in a folder. Raises ValueError in one line for a folder that holds none, or one that cannot be read."""
    folder = Path(folder)
    for name in (BASE_FILE, CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: not an adapter (no {name}); give a folder that training or jam.export wrote")
    base, config = (read_json(folder / name, "file of an adapter", "the adapter again") for name in (BASE_FILE, CONFIG_FILE))
    try:
        stored = load_file(folder / WEIGHTS_FILE)
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS_FILE}: not a readable safetensors file ({error})") from error
    return Adapter(*_described(folder, base, config, {_in_memory(name): value for name, value in stored.items()}), str(folder))


def _described(
    folder: Path, base: Any, config: Any, tensors: dict[str, Tensor]
) -> tuple[dict[str, Tensor], LoraSettings, DiTSettings, str]:
    try:
        strange = [name for name in STRANGE if config.get(name)]
        settings = LoraSettings(config["r"], float(config["lora_alpha"]), config["lora_dropout"], tuple(config["target_modules"]))
        known = {field.name for field in fields(DiTSettings)}
        dit, sha256 = DiTSettings(**{name: value for name, value in base["dit"].items() if name in known}), str(base["sha256"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder}: its {CONFIG_FILE} or {BASE_FILE} is not an adapter's ({error!r}); save the adapter again") from error
    if strange:
        raise ValueError(f"{folder / CONFIG_FILE}: {', '.join(strange)} is set, which jam does not know; train the adapter with jam")
    return tensors, settings, dit, sha256


def merged(base: Mapping[str, Tensor], adapters: Sequence[tuple[Adapter, float]], where: str | Path) -> dict[str, Tensor]:
    """The tensors of a network (as read from `where`) with adapters added, each times its weight; those it changes are float32.

    Raises ValueError, naming both hashes, for an adapter of another network, and for one whose tensors do not fit.
    """
    if not adapters:
        return dict(base)
    sha256 = weights.fingerprint(base)
    result = dict(base)
    for adapter, weight in adapters:
        if adapter.base != sha256:
            hashes = f"{adapter.base[:SHORT]}, but {where} is {sha256[:SHORT]}"
            raise ValueError(f"{adapter.where}: trained on the network {hashes}; give the adapter its own network")
        for layer in dict.fromkeys(_layer(name) for name in adapter.tensors):
            name = f"{layer}.weight"
            change = _change(adapter, layer, result.get(name))
            result[name] = result[name].float() + weight * change
    return result


def _change(adapter: Adapter, layer: str, weight: Tensor | None) -> Tensor:
    """alpha / rank * B A, in float32, for the weight (out, in) of a layer."""
    a, b = (adapter.tensors.get(f"{layer}.{part}.{ADAPTER}.weight") for part in ("lora_A", "lora_B"))
    rank = adapter.settings.rank
    if a is None or b is None or weight is None or a.shape != (rank, weight.shape[-1]) or b.shape != (len(weight), rank):
        raise ValueError(f"{adapter.where}: its tensors of {layer or 'no layer'} do not fit the network at rank {rank}; save it again")
    return adapter.settings.scale * (b.float() @ a.float())


def _layer(name: str) -> str:
    return name.partition(".lora_")[0]


def _on_disk(name: str) -> str:
    """peft's name in a file of the parameter `name`: behind its prefix, without the adapter's name."""
    return "base_model.model." + name.replace(f".{ADAPTER}.", ".")


def _in_memory(name: str) -> str:
    return name.removeprefix("base_model.model.").removesuffix("weight") + f"{ADAPTER}.weight"


def _peft_config(settings: LoraSettings, names: Sequence[str]) -> Any:
    from peft import LoraConfig

    scale = {"r": settings.rank, "lora_alpha": settings.rank * settings.scale, "lora_dropout": settings.dropout}
    return LoraConfig(**scale, target_modules=list(names), bias="none")  # type: ignore[arg-type]
