"""Layers of the network: plain tensor operations with weights. They do not know lyrics, styles or songs.

B songs, T latent frames, S phoneme slots, D width, H heads, K kernel.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORM_EPS = 1e-6
ROTARY_BASE = 10_000.0
SINUSOIDS = 256  # features of a scalar before its MLP


def sinusoids(values: Tensor) -> Tensor:
    """(B,) scalars -> (B, 256) features: sin then cos of 1000 v 10000^(-i/127), i = 0 .. 127, in float32."""
    half = SINUSOIDS // 2
    rates = torch.exp(torch.arange(half, device=values.device, dtype=torch.float32) * (-math.log(10_000) / (half - 1)))
    angles = 1000 * values.float()[:, None] * rates  # (B, 128)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)  # (B, 256)


class ScalarEmbedding(nn.Module):
    """(B,) -> (B, D): sinusoids, Linear, SiLU, Linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(SINUSOIDS, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, values: Tensor) -> Tensor:
        return self.time_mlp(sinusoids(values).to(next(self.parameters()).dtype))


def rotary_tables(frames: int, head_width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (T, head_width) of the rotary position embedding (Su et al. 2021), the two halves alike."""
    rates = ROTARY_BASE ** (-torch.arange(0, head_width, 2, device=device, dtype=torch.float32) / head_width)
    angles = torch.outer(torch.arange(frames, device=device, dtype=torch.float32), rates).repeat(1, 2)  # (T, head_width)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns (B, H, T, head_width) by the rotary tables, the first half of a head against the second."""
    first, second = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat([-second, first], dim=-1) * sin.to(x.dtype)


class Attention(nn.Module):
    """Every frame sees every frame: (B, T, D) -> (B, T, D), without mask or biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        q, k, v = (proj(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for proj in (self.q_proj, self.k_proj, self.v_proj))
        mixed = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)  # (B, H, T, D / H)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))  # (B, T, D)


class SwiGLU(nn.Module):
    """(B, T, D) -> (B, T, D) through D * mult hidden units (Shazeer 2020), without biases."""

    def __init__(self, width: int, mult: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, width * mult, bias=False)
        self.up_proj = nn.Linear(width, width * mult, bias=False)
        self.down_proj = nn.Linear(width * mult, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """A LLaMA block, (B, T, D) -> (B, T, D).

    With `modulated`, a learned table of six rows plus the song's (B, 6, D) modulation shifts, scales and gates both halves (the
    shared adaLN of PixArt-alpha, Chen et al. 2023); JAM-0.5 has none.
    """

    def __init__(self, width: int, heads: int, ff_mult: int, modulated: bool) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.mlp = SwiGLU(width, ff_mult)
        self.input_layernorm = nn.RMSNorm(width, eps=NORM_EPS)
        self.post_attention_layernorm = nn.RMSNorm(width, eps=NORM_EPS)
        self.modulation = nn.Parameter(torch.zeros(6, width)) if modulated else None

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, modulation: Tensor | None) -> Tensor:
        if self.modulation is None or modulation is None:
            x = x + self.self_attn(self.input_layernorm(x), cos, sin)
            return x + self.mlp(self.post_attention_layernorm(x))
        rows = (modulation + self.modulation)[:, :, None].unbind(1)  # six of (B, 1, D)
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = rows
        x = x + (1 + gate) * self.self_attn(self.input_layernorm(x) * (1 + scale) + shift, cos, sin)
        return x + (1 + mlp_gate) * self.mlp(self.post_attention_layernorm(x) * (1 + mlp_scale) + mlp_shift)


class GlobalResponseNorm(nn.Module):
    """Global response normalisation over time (ConvNeXt V2, Woo et al. 2023): (B, S, D) -> (B, S, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        energy = x.norm(p=2, dim=1, keepdim=True)  # (B, 1, D)
        share = energy / (energy.mean(dim=-1, keepdim=True) + NORM_EPS)
        return x * (1 + self.gamma * share) + self.beta  # gamma (x share) + beta + x, without tensors of x's size kept between


class ConvNeXtBlock(nn.Module):
    """ConvNeXt-V2 block over phoneme slots, (B, S, D) -> (B, S, D): depthwise 7, LayerNorm, Linear, GELU, GRN, Linear, residual."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, kernel_size=7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.pwconv1 = nn.Linear(width, hidden)
        self.grn = GlobalResponseNorm(hidden)
        self.pwconv2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.dwconv(x.transpose(1, 2)).transpose(1, 2)
        return x + self.pwconv2(self.grn(F.gelu(self.pwconv1(self.norm(h)))))


class PositionConvolution(nn.Module):
    """Two grouped convolutions (kernel 31, 16 groups), Mish after each: (B, T, D) -> (B, T, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        conv = (nn.Conv1d(width, width, kernel_size=31, groups=16, padding=15) for _ in range(2))
        self.conv1d = nn.Sequential(next(conv), nn.Mish(), next(conv), nn.Mish())

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1d(x.transpose(1, 2)).transpose(1, 2)


class ModulatedNorm(nn.Module):
    """LayerNorm without affine, times (1 + scale) plus shift; (scale, shift) = Linear(SiLU(c)), in that order."""

    def __init__(self, width: int, conditioning: int) -> None:
        super().__init__()
        self.width = width
        self.linear = nn.Linear(conditioning, 2 * width)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        scale, shift = self.linear(F.silu(c))[:, None].chunk(2, dim=-1)  # (B, 1, D) each
        return F.layer_norm(x, (self.width,), eps=NORM_EPS) * (1 + scale) + shift
