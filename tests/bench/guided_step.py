"""What guidance costs: seconds of one guided step, against one plain batch of three, and against three separate passes.

    python tests/bench/guided_step.py [frames=1024] [repeats=3] [precision=auto|float32|bfloat16|float16] [device=cpu|cuda]
                                      [dim=1408] [depth=16] [heads=32]

One network of JAM-0.5's size (532,934,592 parameters) with random weights does all three, in turns, so that a busy machine slows all alike;
medians are compared.

- guided: `jam.guidance.guided` with dual_cfg, its chain of three prepared once a song and run as one batch.
- plain: `model.velocity` on a prepared batch of three, without guidance's arithmetic.
- separate: what the released system documents of itself: "every step runs three separate passes, re-encodes the same lyrics and builds a
  T x T mask of zeros". Each pass prepares its conditions anew and attends as LLaMA implementations do without a fused kernel: scores
  are laid out in full, the mask is added to them, and the softmax is taken in float32.
- separate, float32: the same with float32 weights, for a network that is run as it was saved.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace

import torch
from torch import Tensor, nn

from jam.conditions import Conditions
from jam.guidance import GuidanceSettings, chain, guided
from jam.model.dit import DiT, DiTSettings
from jam.model.layers import Attention, Block, rotate
from jam.model.precision import choose
from jam.timing import SLOTS_PER_FRAME, STYLE_WIDTH, Span

MOMENT = 0.5  # within the range in which guidance acts
Step = Callable[[], Tensor]


def random_conditions(frames: int, device: torch.device) -> Conditions:
    """One song that fills the canvas, with a random phoneme in each slot and a random style."""
    slots = torch.randint(1, 62, (frames * SLOTS_PER_FRAME,))
    return Conditions.single(slots, nn.functional.normalize(torch.randn(STYLE_WIDTH), dim=0), Span(frames, frames)).to(device)


def random_network(settings: DiTSettings, device: torch.device, dtype: torch.dtype) -> DiT:
    """The network with no path left silent, so that nothing is multiplied by zero."""
    torch.manual_seed(0)
    model = DiT(settings)
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    return model.to(device, dtype).eval().requires_grad_(False)


def masked_attention(attention: Attention, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
    """(B, T, D) -> (B, T, D) with laid-out scores, a mask (1, 1, T, T) added to them, and softmax in float32."""
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    q, k, v = (proj(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2) for proj in projections)
    scores = rotate(q, cos, sin) @ rotate(k, cos, sin).transpose(2, 3) * q.shape[-1] ** -0.5 + mask  # (B, H, T, T)
    shares = torch.softmax(scores, dim=-1, dtype=torch.float32).to(v.dtype)
    return attention.o_proj((shares @ v).transpose(1, 2).flatten(2))  # (B, T, D)


def masked_block(block: Block, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
    """A block of JAM-0.5, (B, T, D) -> (B, T, D), by `masked_attention`."""
    x = x + masked_attention(block.self_attn, block.input_layernorm(x), cos, sin, mask)
    return x + block.mlp(block.post_attention_layernorm(x))


def masked_velocity(model: DiT, x_t: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
    """(B, T, C) velocity by the same weights: everything prepared anew, every block behind a mask of zeros."""
    prepared = model.prepare(conditions)
    frames = x_t.shape[1]
    x = x_t.to(model.dtype)
    mask = torch.zeros(1, 1, frames, frames, device=x.device, dtype=x.dtype)
    c = model.time_embed(t) + prepared.scalars
    constant = torch.cat([prepared.style, c], dim=-1)[:, None].expand(-1, frames, -1)
    x = model.input_embed(torch.cat([x, torch.zeros_like(x), prepared.lyrics, constant], dim=-1))
    for i, block in enumerate(model.transformer_blocks):
        x = masked_block(block, x, prepared.cos, prepared.sin, mask)
        if i < len(model.text_fusion_linears):
            x = x + model.text_fusion_linears[i](prepared.lyrics)
    return model.proj_out(model.norm_out(x, c)).float()


def steps(model: DiT, frames: int, device: torch.device) -> dict[str, Step]:
    """The ways to take one step, by name."""
    plainly = copy.deepcopy(model).float()
    full = random_conditions(frames, device)
    settings, negative_style = GuidanceSettings(), torch.zeros(STYLE_WIDTH, device=device)
    links = chain(full, settings, negative_style)
    x_t = torch.randn(1, frames, model.settings.mel_dim, device=device)
    walk = guided(model, full, settings, negative_style)
    prepared = model.prepare(Conditions.cat([link.conditions for link in links]))
    three, moments = x_t.repeat(3, 1, 1), torch.full((3,), MOMENT, device=device)

    def separate(network: DiT) -> Tensor:
        passes = [link.coefficient * masked_velocity(network, x_t, moments[:1], link.conditions) for link in links]
        return torch.stack(passes).sum(0)

    return {
        "guided": lambda: walk(x_t, MOMENT),
        "plain": lambda: model.velocity(three, moments, prepared),
        "separate": lambda: separate(model),
        "separate, float32": lambda: separate(plainly),
    }


def measure(ways: dict[str, Step], repeats: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each way, taken in turns after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, step in ways.items():
            began = time.perf_counter()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def main(words: list[str]) -> int:
    """Reads key=value words, measures, and writes seconds and ratios."""
    given = dict(word.split("=", 1) for word in words)
    device = torch.device(given.pop("device", "cpu"))
    frames, repeats = int(given.pop("frames", 1024)), int(given.pop("repeats", 3))
    dtype = choose(given.pop("precision", "auto"), device)
    if unknown := set(given) - {field.name for field in fields(DiTSettings)}:
        sys.stderr.write(f"unknown: {', '.join(sorted(unknown))}\n")
        return 2
    settings = replace(DiTSettings(max_frames=frames), **{name: int(value) for name, value in given.items()})
    model = random_network(settings, device, dtype)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    sys.stdout.write(f"{parameters:,} parameters, {frames} frames, {dtype}, {device}, {torch.get_num_threads()} threads\n")
    with torch.no_grad():
        ways = steps(model, frames, device)
        together, apart = ways["guided"](), ways["separate"]()
        seconds = measure(ways, repeats, device)
    sys.stdout.write(f"greatest difference of guided and separate: {float((together - apart).abs().max()):.2g}\n")
    for name, value in seconds.items():
        sys.stdout.write(f"{name:17} {value:8.3f} s\n")
    sys.stdout.write(f"guided / plain    {seconds['guided'] / seconds['plain']:.3f} (at most 1.1)\n")
    sys.stdout.write(f"guided / separate {seconds['guided'] / seconds['separate']:.3f} (less than 0.5)\n")
    sys.stdout.write(f"guided / separate, float32 {seconds['guided'] / seconds['separate, float32']:.3f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
