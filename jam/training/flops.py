"""Model FLOPs: what a song costs in arithmetic, counted and not derived, and what a device could do at most. It knows no clock and no loop.

Their quotient is the model FLOP/s share of PaLM (Chowdhery et al. 2022, appendix B): only what the network's definition asks for counts,
so recomputing blocks to save memory (`grad_ckpt`) costs time and adds nothing here.
"""

from __future__ import annotations

import functools
import re
import time
from dataclasses import dataclass

import torch

from jam.conditions import Conditions
from jam.model.dit import DiT, DiTSettings
from jam.timing import SLOTS_PER_FRAME, STYLE_WIDTH

BACKWARD = 2  # forward passes that a backward pass costs: one for the gradients of the inputs, one for those of the weights
SMALLEST, LARGEST = 128, 8192  # edges of the square matrices that are multiplied to measure a device
PATIENCE = 0.25  # seconds of measuring


@dataclass(frozen=True)
class Peak:
    """A GPU's dense peak in TFLOP/s by NVIDIA's data sheets, without sparsity, with sums in float32."""

    half: float  # tensor cores, float16 and bfloat16
    tf32: float  # tensor cores, float32 matrices where TF32 is allowed
    single: float  # float32 otherwise


PEAKS = (  # the first pattern that the device's name holds counts
    (r"\bB200\b", Peak(2250, 1125, 75)),
    (r"\bH200 NVL\b", Peak(835.5, 417.5, 60)),
    (r"\bH200\b", Peak(989.5, 494.5, 67)),
    (r"\bH100 PCIe\b", Peak(756.5, 378, 51)),
    (r"\bH100 NVL\b", Peak(835.5, 417.5, 60)),
    (r"\bH100\b", Peak(989.5, 494.5, 67)),  # SXM5
    (r"\bA100\b", Peak(312, 156, 19.5)),
    (r"\bL40S\b", Peak(362, 183, 91.6)),
    (r"\bL40\b", Peak(181, 90.5, 90.5)),
    (r"\bL4\b", Peak(121, 60, 30.3)),
    (r"\bA40\b", Peak(149.7, 74.8, 37.4)),
    (r"\bA30\b", Peak(165, 82, 10.3)),
    (r"\bA10\b", Peak(125, 62.5, 31.2)),
    (r"\bRTX 6000 Ada\b", Peak(364.2, 182.1, 91.1)),
    (r"\bRTX 5090$", Peak(209.5, 104.8, 104.8)),
    (r"\bRTX 4090$", Peak(165.2, 82.6, 82.6)),
    (r"\bRTX 3090$", Peak(71, 35.6, 35.6)),
    (r"\bV100-SXM", Peak(125, 15.7, 15.7)),
    (r"\bV100-PCIE", Peak(112, 14, 14)),
    (r"\bT4\b", Peak(65, 8.1, 8.1)),
)


@functools.cache
def forward_flops(settings: DiTSettings, frames: int, latents: int = 1) -> int:
    """FLOPs of the velocity of one song of T = `frames` frames (a multiplication and its addition are two), or of `latents` latents of it
    that share its conditions.

    Every matrix product and convolution is counted as it would run, on tensors without values; what works elementwise is left out, as
    is the custom.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        numbers = torch.zeros(1)
        conditions = Conditions(
            torch.zeros(1, frames * SLOTS_PER_FRAME, dtype=torch.long), torch.zeros(1, STYLE_WIDTH), numbers, numbers, numbers
        )
        DiT(settings)(torch.zeros(latents, frames, settings.mel_dim), torch.zeros(latents), conditions)
    return counter.get_total_flops()


def training_flops(settings: DiTSettings, frames: int, latents: int = 1, frozen: bool = False, references: float = 0) -> float:
    """FLOPs that training spends on one song: a forward pass and a backward pass of twice its cost.

    `frozen`: the weights themselves have no gradients (LoRA), which halves the backward pass; an adapter's own products, about 1 % at rank
    16, are left out. `references` forward passes of another policy are added (DPO: 1).
    """
    passes = 1 + (BACKWARD - 1 if frozen else BACKWARD) + references
    return passes * forward_flops(settings, frames, latents)


def listed_peak(name: str, dtype: torch.dtype, tf32: bool = False) -> float | None:
    """FLOP/s of a GPU by its name, or None for one that PEAKS does not hold, or a slice of one (MIG)."""
    peak = next((peak for pattern, peak in PEAKS if re.search(pattern, name)), None)
    if peak is None or "MIG" in name or dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return None
    if dtype == torch.float32:
        return 1e12 * (peak.tf32 if tf32 else peak.single)
    return 1e12 * peak.half


@functools.cache
def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """The most FLOP/s that one device gives to matrices of `dtype`: by its data sheet, or, where it is not known, measured for less than
    half a second. The answer is kept for as long as the process lives."""
    if device.type == "cuda":
        tf32 = torch.get_float32_matmul_precision() != "highest"
        listed = listed_peak(torch.cuda.get_device_name(device), dtype, tf32)
        if listed is not None:
            return listed
    return _measured_peak(device, dtype)


@torch.no_grad()
def _measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """The best rate of square matrices, each size eight times as dear as the former, for as long as the next still fits PATIENCE."""
    best, size, began = 0.0, SMALLEST, time.perf_counter()
    while True:
        matrix = torch.ones(size, size, device=device, dtype=dtype)
        seconds = min(_product_seconds(matrix) for _ in range(2))
        best = max(best, 2 * size**3 / seconds)
        grows = size < LARGEST and time.perf_counter() - began + 2 * 8 * seconds < PATIENCE
        if not grows:
            return best
        size *= 2


def _product_seconds(matrix: torch.Tensor) -> float:
    began = time.perf_counter()
    product = matrix @ matrix
    float(product[0, 0])  # waits for the device
    return time.perf_counter() - began
