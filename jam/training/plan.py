"""What a training run will hold in each device's memory, told before anything is allocated. It knows no data, checkpoints or devices.

The network is built and takes a training step on tensors that have shapes and no values, and every storage is counted while it lives:
what autograd keeps, what checkpointing computes anew, autocast's copies of weights, temporaries, gradients that grow while activations
go. The rest are weights and their multiples. Bytes; GB is 1e9 bytes.
"""

from __future__ import annotations

import functools
import itertools
import warnings
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from jam.conditions import Conditions
from jam.model.dit import DiT, DiTSettings
from jam.model.layers import Block
from jam.model.lora import LoraSettings, attach
from jam.timing import SLOTS_PER_FRAME, STYLE_WIDTH

CARDS = (12, 24, 40, 80)  # nominal GiB
CONTEXT = 10**9  # bytes of a card that CUDA's context, its libraries and NCCL take before any tensor
MARGIN = 0.1  # the share by which needs may be underestimated: the allocator's gaps, cuBLAS workspaces, heads padded for flash attention
MOMENTS = 2  # of AdamW, float32 like the weights
USUAL_RANK = 16  # of the LoRA that is weighed up where none is asked for
USUAL_SHARDS = 8  # processes of the FSDP that is weighed up where one process is asked for
GATHERED_BLOCKS = 2  # whole on each device under FSDP: the one at work and the next
OTHER, COPIES, GRADIENTS = range(3)  # kinds of memory


@dataclass(frozen=True)
class Job:
    """What is to be trained, and how.

    `batch_size` songs of `dit.max_frames` frames, each with `latents` latents (DPO: 2 or 3), pass through the network at once on each of
    `processes` devices; `sharded` is FSDP; `reference` is a second, frozen network.
    """

    dit: DiTSettings
    batch_size: int
    precision: torch.dtype = torch.bfloat16
    accumulation: int = 1
    ema: bool = False
    lora: LoraSettings = LoraSettings()
    processes: int = 1
    sharded: bool = False
    latents: int = 1
    reference: bool = False


@dataclass(frozen=True)
class Step:
    """What the forward and backward pass of one batch hold at their greatest, weights apart."""

    parameters: int
    trained: int  # of them, numbers that have gradients
    outside: int  # parameters that lie in no block
    block: int  # parameters of one block
    activations: int  # bytes, when the backward pass begins
    copies: int  # bytes of weights that autocast has in another type, at the same moment
    peak: int  # with gradients that grow while activations go
    peak_beside_gradients: int
    peak_alone: int  # of activations and temporaries: neither gradients nor copies


@dataclass(frozen=True)
class Memory:
    """Bytes on each device. Gradients, copies and activations are not all there at once, so `at_once` is less than their sum."""

    weights: int
    reference: int
    moments: int
    average: int
    gathered: int  # under FSDP: blocks that are whole for a while, and their gradients
    gradients: int
    copies: int
    activations: int
    at_once: int  # gradients, copies, activations and temporaries, at their greatest

    @property
    def total(self) -> int:
        """The greatest need."""
        return self.weights + self.reference + self.moments + self.average + self.gathered + self.at_once

    def fits(self, card: int) -> bool:
        """Whether it fits a card of `card` GiB, with MARGIN to spare."""
        return self.total * (1 + MARGIN) <= card * 2**30 - CONTEXT


@dataclass(frozen=True)
class Plan:
    """A job, its network and memory, and the same job in other ways, each with its memory."""

    job: Job
    step: Step
    memory: Memory
    others: tuple[tuple[Job, Memory], ...]


def memory_plan(job: Job) -> Plan:
    """Counts the job's memory, and that of the same job full or with LoRA, without or with checkpointing, whole or sharded.

    It takes seconds and next to no memory, whatever the sizes. Raises ValueError for LoRA targets that match nothing.
    """
    loras = (LoraSettings(), job.lora if job.lora.rank else LoraSettings(rank=USUAL_RANK))
    bare = Job(replace(job.dit, grad_ckpt=False), job.batch_size, job.precision, latents=job.latents)
    steps = {(lora.rank > 0, saving): step for lora in loras for saving, step in zip((False, True), _steps(bare, lora), strict=True)}
    others = []
    for sharded, lora, saving in itertools.product((False, True), loras, (False, True)):
        processes = USUAL_SHARDS if sharded and job.processes == 1 else job.processes
        reference = job.reference and not lora.rank  # beside an adapter, its base is the reference
        dit = replace(job.dit, grad_ckpt=saving)
        way = replace(job, dit=dit, lora=lora, sharded=sharded, processes=processes, reference=reference)
        others.append((way, _memory(way, steps[lora.rank > 0, saving])))
    step = steps[job.lora.rank > 0, job.dit.grad_ckpt]
    return Plan(job, step, _memory(job, step), tuple(others))


def describe(plan: Plan) -> str:
    """The plan in lines for people."""
    job, step = plan.job, plan.step
    latents = "" if job.latents == 1 else f" with {job.latents} latents each"
    trained = "all trained" if step.trained == step.parameters else f"{step.trained:,} trained ({step.trained / step.parameters:.2%})"
    songs = f"{job.batch_size} song{'s' * (job.batch_size > 1)} of {job.dit.max_frames} frames{latents}"
    lines = [
        f"{step.parameters:,} parameters, {trained}; {songs} at once on each device, in {str(job.precision).removeprefix('torch.')}",
        f"{_way(job)}:",
        *_parts(plan.memory),
        "",
        f"{'':46}{'needs':>9}" + "".join(f"{f'{card} GB':>8}" for card in CARDS),
        *(_row(way, memory) for way, memory in plan.others),
        f"A card gives its GiB less {CONTEXT / 1e9:.0f} GB for CUDA; yes means that {MARGIN:.0%} more than told would fit as well.",
    ]
    return "\n".join(lines)


def _parts(memory: Memory) -> Iterator[str]:
    told = {
        "weights, float32": memory.weights,
        "the reference's weights": memory.reference,
        "AdamW's two moments": memory.moments,
        "moving average": memory.average,
        "blocks that FSDP gathers": memory.gathered,
        "gradients, copies, activations at once": memory.at_once,
        "  gradients, at the end": memory.gradients,
        "  autocast's copies of weights": memory.copies,
        "  activations kept for the backward pass": memory.activations,
        "at most": memory.total,
    }
    return (f"  {name:42}{size / 1e9:>8.2f} GB" for name, size in told.items() if size)


def _row(way: Job, memory: Memory) -> str:
    answers = "".join(f"{'yes' if memory.fits(card) else 'no':>8}" for card in CARDS)
    return f"  {_way(way):44}{memory.total / 1e9:>6.1f} GB{answers}"


def _way(job: Job) -> str:
    trained = f"LoRA of rank {job.lora.rank}" if job.lora.rank else "all weights"
    saving = ", checkpointing" if job.dit.grad_ckpt else ""
    spread = f", {'FSDP' if job.sharded else 'DDP'} over {job.processes}" if job.processes > 1 else ""
    return trained + saving + spread


def _memory(job: Job, step: Step) -> Memory:
    """One device's share of the weights and their multiples, and a step's own memory."""
    shards = job.processes if job.sharded else 1
    weights, gradients = 4 * step.parameters // shards, 4 * step.trained // shards
    whole = (step.outside + GATHERED_BLOCKS * step.block) * job.precision.itemsize
    at_once = step.peak
    if job.accumulation > 1 or job.processes > 1:  # gradients stay from one batch to the next; DDP keeps them as its buckets
        at_once = gradients + step.peak_beside_gradients
    if job.sharded:  # gathered in the type of the forward pass, so that autocast copies nothing
        at_once = gradients + step.peak_alone
    return Memory(
        weights=weights,
        reference=step.parameters * job.precision.itemsize if job.reference else 0,  # whole on each device, and rounded as autocast would
        moments=MOMENTS * gradients,
        average=gradients if job.ema else 0,
        gathered=(1 if job.lora.rank else 2) * whole if job.sharded else 0,  # a LoRA's gradients are nothing beside a block's
        gradients=gradients,
        copies=0 if job.sharded else step.copies,
        activations=step.activations,
        at_once=at_once,
    )


class _Ledger(TorchDispatchMode):
    """Counts the bytes of every storage that comes into being, by its kind, until it goes. Those in `known` belong to others."""

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()
        self.known = {tensor.untyped_storage()._cdata for tensor in known}
        self.kinds: dict[int, int] = {}  # storage -> kind
        self.live = [0, 0, 0]
        self.peaks = [0, 0, 0]  # of OTHER alone, with COPIES, with GRADIENTS too

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        cast = func is torch.ops.aten._to_copy.default and args[0].untyped_storage()._cdata in self.known
        for tensor in tree_leaves(answer):
            if isinstance(tensor, Tensor):
                self._enter(tensor, COPIES if cast else OTHER)
        return answer

    def _enter(self, tensor: Tensor, kind: int) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self.known or key in self.kinds:
            return
        self.kinds[key] = kind
        weakref.finalize(storage, self._leave, key, size)
        self.live[kind] += size
        self._mark()

    def _leave(self, key: int, size: int) -> None:
        self.live[self.kinds.pop(key)] -= size

    def _mark(self) -> None:
        self.peaks = [max(peak, now) for peak, now in zip(self.peaks, itertools.accumulate(self.live), strict=True)]

    def gradient(self, parameter: Tensor) -> None:
        """Says that what is now a parameter's gradient is one."""
        assert parameter.grad is not None
        storage = parameter.grad.untyped_storage()
        kind, size = self.kinds[storage._cdata], storage.nbytes()
        self.live[kind] -= size
        self.live[GRADIENTS] += size
        self.kinds[storage._cdata] = GRADIENTS
        self._mark()


@functools.lru_cache(maxsize=8)
def _steps(job: Job, lora: LoraSettings) -> tuple[Step, Step]:
    """A step without checkpointing, and one with it, of a job stripped of what does not touch a step."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with torch.device("meta"):
        model = DiT(job.dit)
        if lora.rank:
            attach(model, lora)
    with FakeTensorMode(), warnings.catch_warnings():  # on the CPU, which has both autocast and attention that lays out no scores
        warnings.filterwarnings("ignore", "Mismatch dtype between input and weight")  # RMSNorm under autocast
        for module in model.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(torch.empty(parameter.shape, dtype=parameter.dtype), parameter.requires_grad))
        plain, saving = (_step(job, model, grad_ckpt) for grad_ckpt in (False, True))
    return plain, saving


def _step(job: Job, model: DiT, grad_ckpt: bool) -> Step:
    """Takes the step, on tensors without values."""
    model.settings = replace(job.dit, grad_ckpt=grad_ckpt)
    rows, frames = job.batch_size * job.latents, job.dit.max_frames
    x_t, t, scalar = torch.zeros(rows, frames, job.dit.mel_dim), torch.zeros(rows), torch.zeros(job.batch_size)
    slots, style = torch.zeros(job.batch_size, frames * SLOTS_PER_FRAME, dtype=torch.long), torch.zeros(job.batch_size, STYLE_WIDTH)
    trained = [p for p in model.parameters() if p.requires_grad]
    with _Ledger([*model.parameters(), *model.buffers(), x_t, t, scalar, slots, style]) as ledger:
        handles = [p.register_post_accumulate_grad_hook(ledger.gradient) for p in trained]
        with torch.autocast("cpu", job.precision, enabled=job.precision != torch.float32):
            error = (model(x_t, t, Conditions(slots, style, scalar, scalar, scalar)) - x_t).square().mean()
        activations, copies = ledger.live[OTHER], ledger.live[COPIES]
        error.backward()
    for handle in handles:
        handle.remove()
    model.zero_grad()
    blocks = [_size(module) for module in model.modules() if isinstance(module, Block)]
    alone, beside, peak = ledger.peaks
    size = _size(model)
    return Step(
        parameters=size,
        trained=sum(parameter.numel() for parameter in trained),
        outside=size - sum(blocks),
        block=max(blocks),
        activations=activations,
        copies=copies,
        peak=peak,
        peak_beside_gradients=beside,
        peak_alone=alone,
    )


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
