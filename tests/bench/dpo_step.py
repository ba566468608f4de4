"""What a step of preference tuning costs the full-size network: one pair, seconds and peak memory, by three kinds of reference.

    python tests/bench/dpo_step.py [frames=256] [rank=16] [precision=bfloat16|float32] [ways=lora,stored,copy] [dim=1408] [depth=16]

The network has JAM-0.5's size (532,934,592 parameters, random float32 weights) and takes whole steps on one pair: the reference's errors,
one forward pass of winner and loser under autocast, backward pass with checkpointed blocks, clipping, AdamW. Each way has a fresh process,
whose quickest step after the first counts.

- lora: an adapter is tuned, and the base, with the adapter switched off, is the reference. To stay under 12 GB.
- stored: all weights are tuned; the reference's errors were computed beforehand.
- copy: all weights are tuned beside a frozen second network, its matrices in the precision of autocast.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import fields, replace
from functools import partial

import torch
from torch import nn
from train_step import CPU, GIVE_BACK, network

from jam.conditions import Conditions
from jam.dpo.objective import ReferenceErrors, dpo_objective, live_reference
from jam.dpo.pairs import PairBatch
from jam.dpo.reference import frozen, stored_reference
from jam.model import lora
from jam.model.dit import DiT, DiTSettings
from jam.model.precision import TYPES
from jam.timing import SLOTS_PER_FRAME, STYLE_WIDTH, Span
from jam.training.loop import peak_memory
from jam.training.optim import adamw

LIMIT = 12e9  # bytes, of the way `lora`
STEPS = 3
BETA = 2000


def pair(settings: DiTSettings) -> PairBatch:
    """One pair of random recordings."""
    frames = settings.max_frames
    conditions = Conditions.single(torch.randint(1, 62, (frames * SLOTS_PER_FRAME,)), torch.randn(STYLE_WIDTH), Span(frames, frames))
    winner, loser = torch.randn(2, 1, frames, settings.mel_dim).unbind()
    return PairBatch(("a",), winner, loser, None, conditions, Span(frames, frames).seconds, ("0:0:a",))


def reference(way: str, model: DiT, rank: int, precision: torch.dtype) -> ReferenceErrors:
    """The reference of a way; `lora` puts the adapter into the model."""
    if way == "stored":
        return stored_reference({"0:0:a": (1.0, 1.0)})
    if way == "copy":
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        return live_reference(frozen(weights, model.settings, "copy", CPU, precision))
    lora.attach(model, lora.LoraSettings(rank=rank))
    return live_reference(None, partial(lora.disabled, model))


def run(way: str, settings: DiTSettings, rank: int, precision: torch.dtype) -> None:
    """Takes the steps in this process, and writes what `main` reads: seconds of the quickest, bytes, trained parameters, losses."""
    model, batch = network(settings), pair(settings)
    objective = dpo_objective(reference(way, model, rank, precision), BETA, "none", (0.0, 0.0))
    optimizer, seconds, losses = adamw(model.named_parameters(), 1e-5, 0.01, (0.9, 0.999)), [], []
    model.train()
    for _ in range(STEPS + 1):
        began = time.perf_counter()
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            loss = objective(model, batch).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - began)
        losses.append(f"{float(loss):.4f}")
    peak = peak_memory(CPU)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    everything = sum(parameter.numel() for parameter in model.parameters())
    sys.stdout.write(f"{min(seconds[1:])} {peak} {trained} {everything} {','.join(losses)}\n")


def main(words: list[str]) -> int:
    """Reads key=value words; takes each way's steps in a fresh Python (which is given `way`), and writes what they cost."""
    given = dict(word.split("=", 1) for word in words)
    way, ways = given.pop("way", None), given.pop("ways", "lora,stored,copy").split(",")
    frames, rank, precision = int(given.pop("frames", 256)), int(given.pop("rank", 16)), TYPES[given.pop("precision", "bfloat16")]
    if unknown := set(given) - {field.name for field in fields(DiTSettings)}:
        sys.stderr.write(f"unknown: {', '.join(sorted(unknown))}\n")
        return 2
    settings = replace(DiTSettings(max_frames=frames, grad_ckpt=True), **{name: int(value) for name, value in given.items()})
    if way is not None:
        run(way, settings, rank, precision)
        return 0
    sys.stdout.write(f"a step on one pair of {frames} frames in {precision}, blocks checkpointed, {torch.get_num_threads()} threads\n")
    status = 0
    for name in ways:
        alone = [sys.executable, "-W", "ignore", __file__, *words, f"way={name}"]
        told = subprocess.run(alone, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | GIVE_BACK)
        seconds, peak, trained, everything, losses = told.stdout.split()
        limit = f" (under {LIMIT / 1e9:.0f})" if name == "lora" else ""
        sys.stdout.write(f"{name:6} {float(seconds):6.2f} s, peak memory {float(peak) / 1e9:5.2f} GB{limit}, ")
        sys.stdout.write(f"{int(trained):,} of {int(everything):,} parameters trained, losses {losses}\n")
        sys.stdout.flush()
        status |= name == "lora" and float(peak) >= LIMIT
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
