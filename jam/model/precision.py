"""Which number type a network runs in on a device. It knows devices and types, no network."""

import torch

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def fast_bfloat16(device: torch.device | str) -> bool:
    """Whether the device multiplies bfloat16 matrices faster than float32 ones (CPUs: by AMX or AVX512-BF16 instructions)."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return kind == "mps"


def choose(precision: str, device: torch.device | str) -> torch.dtype:
    """The type that `auto`, `float32`, `bfloat16` or `float16` means on a device. Raises ValueError for another word."""
    if precision == "auto":
        return torch.bfloat16 if fast_bfloat16(device) else torch.float32
    if precision not in TYPES:
        raise ValueError(f"precision is {precision}; choose auto, {', '.join(TYPES)}")
    return TYPES[precision]
