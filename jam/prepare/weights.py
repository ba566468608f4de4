"""What networks are known by: the SHA-256 of their weights, whatever file they came from."""

from __future__ import annotations

import hashlib
from typing import Any

import torch


def digest_of(network: Any) -> str:
    """SHA-256 of the names, shapes, number types and values of a network's weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
