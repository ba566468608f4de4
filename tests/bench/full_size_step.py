"""What the full-size network costs in memory: a random checkpoint in JAM-0.5's layout is loaded in bfloat16 and steps once.

    python tests/bench/full_size_step.py [frames=256] [stored=bfloat16|float32] [precision=bfloat16] [dim=1408] [depth=16] [heads=32]

The checkpoint (532,934,592 parameters, a bare safetensors file with the released names) is written into a temporary folder by one Python
and read by a fresh one, whose peak memory is told; it should stay under 6 GB.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path

import torch

from jam.conditions import Conditions
from jam.model import weights
from jam.model.dit import DiT, DiTSettings
from jam.model.precision import TYPES
from jam.timing import SLOTS_PER_FRAME, STYLE_WIDTH, Span

LIMIT = 6e9  # bytes


def write(path: Path, settings: DiTSettings, stored: torch.dtype) -> None:
    """A checkpoint of random weights, as a bare file with the released names."""
    from safetensors.torch import save_file

    with torch.device("meta"):
        shapes = {name: value.shape for name, value in DiT(settings).state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    tensors = {name: (0.02 * torch.randn(shape, generator=generator)).to(stored) for name, shape in shapes.items()}
    save_file({weights.PREFIX + name: tensor for name, tensor in tensors.items()}, path)


def step(path: Path, settings: DiTSettings, frames: int, precision: torch.dtype) -> None:
    """Loads the checkpoint, takes one step, and writes seconds and the peak memory of this process."""
    began = time.perf_counter()
    model = weights.load(path, settings, dtype=precision)
    loaded = time.perf_counter()
    conditions = Conditions.single(torch.randint(1, 62, (frames * SLOTS_PER_FRAME,)), torch.randn(STYLE_WIDTH), Span(frames, frames))
    with torch.no_grad():
        velocity = model(torch.randn(1, frames, settings.mel_dim), torch.tensor([0.5]), conditions)
    assert velocity.shape == (1, frames, settings.mel_dim) and velocity.isfinite().all()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    sys.stdout.write(f"{parameters:,} parameters in {precision}, a step of {frames} frames\n")
    sys.stdout.write(f"loading {loaded - began:.2f} s, step {time.perf_counter() - loaded:.2f} s\n")
    sys.stdout.write(f"peak memory {peak / 1e9:.2f} GB (under {LIMIT / 1e9:.0f})\n")
    sys.exit(0 if peak < LIMIT else 1)


def main(words: list[str]) -> int:
    """Reads key=value words; writes the checkpoint, then steps in a fresh Python (which is given the file as `path`)."""
    given = dict(word.split("=", 1) for word in words)
    path = given.pop("path", None)
    frames, stored = int(given.pop("frames", 256)), TYPES[given.pop("stored", "bfloat16")]
    precision = TYPES[given.pop("precision", "bfloat16")]
    if unknown := set(given) - {field.name for field in fields(DiTSettings)}:
        sys.stderr.write(f"unknown: {', '.join(sorted(unknown))}\n")
        return 2
    settings = replace(DiTSettings(max_frames=frames), **{name: int(value) for name, value in given.items()})
    if path is not None:
        step(Path(path), settings, frames, precision)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jam-0_5.safetensors"
        write(file, settings, stored)
        return subprocess.run([sys.executable, __file__, *words, f"path={file}"]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
