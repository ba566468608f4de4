"""The network: a LLaMA-style diffusion transformer that predicts a song's velocity (JAM, arXiv 2507.20880, section 3).

velocity(x_t, t, conditions). It does not know the flow it is trained with, guidance, or the sampler.

B songs, T latent frames, S = 4T phoneme slots, C latent channels, D width, E lyric width, G scalar width. Tensors are named as in the
released checkpoint, so that its weights load by their own names.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from jam.conditions import Conditions
from jam.model.layers import Block, ModulatedNorm, PositionConvolution, ScalarEmbedding, rotary_tables
from jam.model.lyric_encoder import LyricEncoder
from jam.timing import LATENT_CHANNELS, MAX_FRAMES, STYLE_WIDTH

RESIDUAL_OUTPUTS = ("o_proj.weight", "down_proj.weight")
SILENT_AT_FIRST = ("text_fusion_linears.", "block_modulation.", "norm_out.", "proj_out.")


@dataclass(frozen=True)
class DiTSettings:
    """Sizes of the network; the defaults are JAM-0.5 (532,934,592 parameters).

    `max_frames` is the canvas, `grad_ckpt` recomputes blocks in the backward pass to save memory, `use_implicit_duration` adds a learned
    bias to the lyrics of frames past the song's end. Not in JAM-0.5: `cond_dim` (width of the time scalars) other than 512, and
    `time_modulation` (the moment t and the time scalars also modulate every block).
    """

    max_frames: int = MAX_FRAMES
    mel_dim: int = LATENT_CHANNELS
    dim: int = 1408
    depth: int = 16
    heads: int = 32
    ff_mult: int = 4
    text_dim: int = 512
    conv_layers: int = 4
    text_num_embeds: int = 256
    cond_dim: int = 512
    grad_ckpt: bool = False
    use_implicit_duration: bool = True
    time_modulation: bool = False

    def __post_init__(self) -> None:
        if self.dim % self.heads or (self.dim // self.heads) % 2:
            raise ValueError(f"model.dit: dim {self.dim} does not split into {self.heads} heads of an even width; change dim or heads")
        if self.dim % 16:
            raise ValueError(f"model.dit: dim {self.dim} is not a multiple of 16, the groups of the position convolution")


@dataclass(frozen=True)
class Prepared:
    """What does not change along a trajectory, computed once a song."""

    lyrics: Tensor  # (B, T, E)
    style: Tensor  # (B, 512)
    scalars: Tensor  # (B, G) embedding of the three time scalars
    context: Tensor | None  # (B, T, C)
    cos: Tensor  # (T, D / heads) rotary tables
    sin: Tensor

    def repeated(self, copies: int) -> Prepared:
        """The same songs `copies` times, block after block."""
        context = None if self.context is None else self.context.repeat(copies, 1, 1)
        lyrics, style, scalars = self.lyrics.repeat(copies, 1, 1), self.style.repeat(copies, 1), self.scalars.repeat(copies, 1)
        return Prepared(lyrics, style, scalars, context, self.cos, self.sin)

    def last(self, songs: int) -> Prepared:
        """Only the last `songs` songs."""
        context = None if self.context is None else self.context[-songs:]
        return Prepared(self.lyrics[-songs:], self.style[-songs:], self.scalars[-songs:], context, self.cos, self.sin)


class InputEmbedding(nn.Module):
    """(B, T, features) -> (B, T, D): a Linear plus a residual position convolution."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(features, width)
        self.conv_pos_embed = PositionConvolution(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.proj(x)
        return x + self.conv_pos_embed(x)


class DiT(nn.Module):
    """The velocity network. `forward(x_t, t, conditions)` is (B, T, C); samplers call `prepare` once and `velocity` at each step."""

    def __init__(self, settings: DiTSettings) -> None:
        super().__init__()
        self.settings = s = settings
        self.time_embed = ScalarEmbedding(s.cond_dim)
        self.start_time_embed = ScalarEmbedding(s.cond_dim)
        self.duration_abs_embed = ScalarEmbedding(s.cond_dim)
        self.duration_rel_embed = ScalarEmbedding(s.cond_dim)
        self.text_embed = LyricEncoder(s.text_num_embeds, s.text_dim, s.conv_layers, s.grad_ckpt)
        self.duration_pad_bias = nn.Parameter(torch.zeros(s.text_dim)) if s.use_implicit_duration else None
        self.input_embed = InputEmbedding(2 * s.mel_dim + s.text_dim + STYLE_WIDTH + s.cond_dim, s.dim)
        self.transformer_blocks = nn.ModuleList(Block(s.dim, s.heads, s.ff_mult, s.time_modulation) for _ in range(s.depth))
        self.text_fusion_linears = nn.ModuleList(
            nn.Sequential(nn.Linear(s.text_dim, s.dim), nn.SiLU()) for _ in range(s.depth // 2)
        )
        self.block_modulation = nn.Linear(s.cond_dim, 6 * s.dim) if s.time_modulation else None
        self.norm_out = ModulatedNorm(s.dim, s.cond_dim)
        self.proj_out = nn.Linear(s.dim, s.mel_dim)
        self.initialise()

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights."""
        return self.proj_out.weight.dtype

    @torch.no_grad()
    def initialise(self) -> None:
        """All initialisation: normal(0.02), residual outputs narrower with depth, and zero where a path must start silent.

        Phonemes start as unit normals, so that the position table, whose values lie between -1 and 1, does not drown them.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.endswith(RESIDUAL_OUTPUTS):
                nn.init.normal_(parameter, std=0.02 / (2 * self.settings.depth) ** 0.5)
            if name.startswith(SILENT_AT_FIRST):
                nn.init.zeros_(parameter)

    def lyric_features(self, conditions: Conditions) -> Tensor:
        """(B, T, E): the encoded slots, with the duration bias on frames at and after the song's end."""
        lyrics = self.text_embed(conditions.slots)  # (B, T, E)
        if self.duration_pad_bias is None:
            return lyrics
        frames = lyrics.shape[1]
        end = torch.floor(conditions.duration_rel.double() * frames + 1e-4)  # n frames end at n, whatever float32 makes of n / T
        past = torch.arange(frames, device=lyrics.device) >= end[:, None]  # (B, T)
        return lyrics + past[..., None].to(lyrics.dtype) * self.duration_pad_bias

    def prepare(self, conditions: Conditions) -> Prepared:
        """Encodes what stays the same along a trajectory."""
        cos, sin = rotary_tables(conditions.frames, self.settings.dim // self.settings.heads, conditions.slots.device)
        return Prepared(
            lyrics=self.lyric_features(conditions),
            style=conditions.style.to(self.dtype),
            scalars=self.start_time_embed(conditions.start_time)
            + self.duration_abs_embed(conditions.duration_abs)
            + self.duration_rel_embed(conditions.duration_rel),
            context=None if conditions.context is None else conditions.context.to(self.dtype),
            cos=cos,
            sin=sin,
        )

    def velocity(self, x_t: Tensor, t: Tensor, prepared: Prepared) -> Tensor:
        """(B, T, C) latents at moments t (B,) -> (B, T, C) velocity in float32."""
        frames = x_t.shape[1]
        x = x_t.to(self.dtype)
        c = self.time_embed(t) + prepared.scalars  # (B, G)
        context = torch.zeros_like(x) if prepared.context is None else prepared.context
        constant = torch.cat([prepared.style.to(c.dtype), c], dim=-1)[:, None].expand(-1, frames, -1)  # (B, T, 512 + G)
        x = self.input_embed(torch.cat([x, context, prepared.lyrics.to(x.dtype), constant.to(x.dtype)], dim=-1))  # (B, T, D)
        modulation = None
        if self.block_modulation is not None:
            modulation = self.block_modulation(nn.functional.silu(c)).unflatten(-1, (6, -1))  # (B, 6, D)
        for i, block in enumerate(self.transformer_blocks):
            if self.settings.grad_ckpt and torch.is_grad_enabled():
                x = checkpoint(block, x, prepared.cos, prepared.sin, modulation, use_reentrant=False)
            else:
                x = block(x, prepared.cos, prepared.sin, modulation)
            if i < len(self.text_fusion_linears):
                x = x + self.text_fusion_linears[i](prepared.lyrics)
        return self.proj_out(self.norm_out(x, c)).float()  # (B, T, C)

    def forward(self, x_t: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
        """Velocities of B songs, or of k latents of each of them (k B rows, block after block), whose conditions are encoded once."""
        prepared = self.prepare(conditions)
        copies = len(x_t) // len(conditions)
        return self.velocity(x_t, t, prepared if copies == 1 else prepared.repeated(copies))
