"""What a training step of the full-size network costs, ours beside the released system's way: seconds and memory.

    python tests/bench/train_step.py [frames=512] [precision=bfloat16|float32] [rounds=5] [dim=1408] [depth=16] [heads=32]

One network of JAM-0.5's size (532,934,592 parameters, random float32 weights) takes whole training steps on one song: forward pass under
autocast, backward pass with checkpointed blocks, clipping, fused AdamW. Seconds are medians of rounds in which all ways take turns in one
process. Memory is the peak of a fresh process for each way, which is to stay under 14 GB; weights, moments and gradients, alike in all
ways, are most of it, so what a process takes beyond them and its libraries is told beside it. Tensors are given back to the system when
they are freed (MALLOC_MMAP_THRESHOLD_), so that the peak is not the allocator's gaps.

- ours: `jam.model.dit` as it trains: fused attention without a mask, its blocks and those of the lyric encoder checkpointed.
- masked: blocks checkpointed, but in each of them a T x T mask of zeros is built and added to scores that are laid out in full, and the
  softmax is taken in float32, as LLaMA implementations do without a fused kernel. The lyric encoder keeps what it computes.
- masked, lyrics again: what the released system documents of itself is that it "re-encodes the same lyrics and builds a T x T mask of
  zeros". In a training step the plain reading is a checkpointed network in which the lyric encoder belongs to what is recomputed: lyrics
  are encoded in the forward pass and once more in the backward pass.
- masked, lyrics in every block: the strong reading, in which each of the blocks that read lyrics encodes them itself, under the
  same checkpointing: twice as many encodings as such blocks.

Ours must be quicker and smaller than all.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from jam.conditions import Conditions
from jam.model.dit import DiT, DiTSettings
from jam.model.layers import Attention, Block, rotary_tables, rotate
from jam.model.precision import TYPES
from jam.timing import SLOTS_PER_FRAME, STYLE_WIDTH, Span
from jam.training.loop import peak_memory
from jam.training.optim import adamw

CPU = torch.device("cpu")
LIMIT = 14e9  # bytes
KEPT = 16  # bytes a parameter: weight, gradient, two moments, in float32
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": str(2**18)}  # glibc: memory of 256 KiB and more goes back to the system when it is freed
WAYS = ("ours", "masked", "masked, lyrics again", "masked, lyrics in every block")
Velocity = Callable[[Tensor, Tensor, Conditions], Tensor]


def masked_attention(attention: Attention, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(B, T, D) -> (B, T, D) behind a mask that is built anew, with laid-out scores and softmax in float32."""
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    q, k, v = (proj(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2) for proj in projections)
    mask = torch.zeros(1, 1, x.shape[1], x.shape[1], dtype=q.dtype)
    scores = rotate(q, cos, sin) @ rotate(k, cos, sin).transpose(2, 3) * q.shape[-1] ** -0.5 + mask  # (B, H, T, T)
    shares = torch.softmax(scores, dim=-1, dtype=torch.float32).to(v.dtype)
    return attention.o_proj((shares @ v).transpose(1, 2).flatten(2))  # (B, T, D)


def masked_block(block: Block, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """A block of JAM-0.5, (B, T, D) -> (B, T, D), by `masked_attention`."""
    x = x + masked_attention(block.self_attn, block.input_layernorm(x), cos, sin)
    return x + block.mlp(block.post_attention_layernorm(x))


def released_way(model: DiT, conditions: Conditions, way: str) -> Velocity:
    """The same velocity with the same weights, by masked blocks, encoding lyrics as `way` says."""
    again, each = way == "masked, lyrics again", way == "masked, lyrics in every block"

    def encoded() -> Tensor:
        return checkpoint(model.lyric_features, conditions, use_reentrant=False) if again or each else model.lyric_features(conditions)

    def velocity(x_t: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
        frames = x_t.shape[1]
        lyrics, c = encoded(), model.time_embed(t) + model.start_time_embed(conditions.start_time)
        c = c + model.duration_abs_embed(conditions.duration_abs) + model.duration_rel_embed(conditions.duration_rel)
        constant = torch.cat([conditions.style.to(c.dtype), c], dim=-1)[:, None].expand(-1, frames, -1)
        x = model.input_embed(torch.cat([x_t, torch.zeros_like(x_t), lyrics, constant], dim=-1))
        cos, sin = rotary_tables(frames, model.settings.dim // model.settings.heads, x.device)
        for i, block in enumerate(model.transformer_blocks):
            x = checkpoint(masked_block, block, x, cos, sin, use_reentrant=False)
            if i < len(model.text_fusion_linears):
                x = x + model.text_fusion_linears[i](encoded() if each else lyrics)
        return model.proj_out(model.norm_out(x, c)).float()

    return velocity


def network(settings: DiTSettings) -> DiT:
    """The network with no path left silent, so that every gradient is one."""
    torch.manual_seed(0)
    model = DiT(settings)
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    return model


class Trainer:
    """A network of the full size, its optimizer, and one song; steps by any way."""

    def __init__(self, settings: DiTSettings, precision: torch.dtype) -> None:
        frames = settings.max_frames
        self.precision, self.model = precision, network(settings)
        self.optimizer = adamw(self.model.named_parameters(), 1e-4, 0.01, (0.9, 0.999))
        slots = torch.randint(1, 62, (frames * SLOTS_PER_FRAME,))
        self.conditions = Conditions.single(slots, torch.randn(STYLE_WIDTH), Span(frames, frames))
        self.x_t, self.target = torch.randn(1, frames, settings.mel_dim), torch.randn(1, frames, settings.mel_dim)

    def step(self, way: str) -> tuple[float, str]:
        """One whole step -> its seconds, its loss and gradient norm."""
        velocity = self.model if way == "ours" else released_way(self.model, self.conditions, way)
        began = time.perf_counter()
        with torch.autocast("cpu", self.precision, enabled=self.precision != torch.float32):
            loss = F.mse_loss(velocity(self.x_t, torch.tensor([0.5]), self.conditions), self.target)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.perf_counter() - began, f"{float(loss):.5f} {float(norm):.4f}"


def measure_memory(way: str, settings: DiTSettings, precision: torch.dtype) -> None:
    """Takes two steps in this process, and writes what `main` reads: bytes, bytes beyond weights and the like, first loss and norm."""
    before = peak_memory(CPU)
    trainer = Trainer(settings, precision)
    first = trainer.step(way)[1]
    trainer.step(way)
    peak, parameters = peak_memory(CPU), sum(parameter.numel() for parameter in trainer.model.parameters())
    sys.stdout.write(f"{peak} {peak - before - KEPT * parameters} {first} {parameters}\n")


def measure_seconds(settings: DiTSettings, precision: torch.dtype, rounds: int) -> None:
    """Takes steps by all ways in turns, and writes each way's median seconds after a first round that does not count."""
    trainer = Trainer(settings, precision)
    taken = [[trainer.step(way)[0] for way in WAYS] for _ in range(rounds + 1)][1:]
    sys.stdout.write(" ".join(str(statistics.median(column)) for column in zip(*taken, strict=True)) + "\n")


def main(words: list[str]) -> int:
    """Reads key=value words; measures in fresh Pythons (which are given `way`), and writes what each way costs."""
    given = dict(word.split("=", 1) for word in words)
    way, frames, rounds = given.pop("way", None), int(given.pop("frames", 512)), int(given.pop("rounds", 5))
    precision = TYPES[given.pop("precision", "bfloat16")]
    if unknown := set(given) - {field.name for field in fields(DiTSettings)}:
        sys.stderr.write(f"unknown: {', '.join(sorted(unknown))}\n")
        return 2
    settings = replace(DiTSettings(max_frames=frames, grad_ckpt=True), **{name: int(value) for name, value in given.items()})
    if way is not None:
        measure_seconds(settings, precision, rounds) if way == "seconds" else measure_memory(way, settings, precision)
        return 0
    sys.stdout.write(f"a training step of {frames} frames in {precision}, checkpointed, {torch.get_num_threads()} threads\n")
    seconds = map(float, _alone([*words, "way=seconds"]).split())
    costs = {}
    for name, median in zip(WAYS, seconds, strict=True):
        peak, beyond, loss, norm, parameters = _alone([*words, f"way={name}"]).split()
        costs[name] = (median, float(peak), float(beyond))
        sys.stdout.write(f"{name:30} {median:8.2f} s {float(peak) / 1e9:7.3f} GB ({float(beyond) / 1e9:.3f} GB beyond)")
        sys.stdout.write(f"   first loss {loss}, gradient norm {norm}\n")
        sys.stdout.flush()
    ours, greatest = costs.pop("ours"), 0.0
    for name, cost in costs.items():
        time_ratio, memory_ratio, beyond_ratio = (mine / theirs for mine, theirs in zip(ours, cost, strict=True))
        greatest = max(greatest, time_ratio, memory_ratio)
        sys.stdout.write(f"ours / {name:30} time {time_ratio:.3f}, memory {memory_ratio:.4f}, beyond {beyond_ratio:.3f}\n")
    sys.stdout.write(f"{int(parameters):,} parameters, peak memory {ours[1] / 1e9:.2f} GB (under {LIMIT / 1e9:.0f})\n")
    sys.stdout.write(f"greatest ratio {greatest:.4f} (less than 1)\n")
    return 0 if ours[1] < LIMIT and greatest < 1 else 1


def _alone(words: list[str]) -> str:
    """What a fresh Python with these words writes."""
    command = [sys.executable, "-W", "ignore", __file__, *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | GIVE_BACK).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
