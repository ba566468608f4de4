"""The lyric encoder: phoneme slots -> one feature vector a latent frame. It knows slots as numbers, not what they sound like.

B songs, S phoneme slots, T = S / 4 latent frames, E lyric width.
"""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from jam.model.layers import ConvNeXtBlock


def position_table(length: int, width: int, device: torch.device) -> Tensor:
    """(S, E) table [cos(p w_i), sin(p w_i)], w_i = 10000^(-2i/E), i = 0 .. E/2 - 1."""
    rates = 10_000.0 ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    angles = torch.outer(torch.arange(length, device=device, dtype=torch.float32), rates)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class LyricEncoder(nn.Module):
    """(B, S) phoneme slots -> (B, T, E): embedding plus positions, ConvNeXt-V2 blocks, two convolutions of stride 2."""

    def __init__(self, num_embeds: int, width: int, blocks: int, grad_ckpt: bool = False) -> None:
        super().__init__()
        self.width, self.grad_ckpt = width, grad_ckpt
        self.text_embed = nn.Embedding(num_embeds + 1, width)
        self.text_blocks = nn.ModuleList(ConvNeXtBlock(width, 2 * width) for _ in range(blocks))
        self.downsample_blocks = nn.ModuleList(nn.Conv1d(width, width, kernel_size=4, stride=2, padding=1) for _ in range(2))

    def forward(self, slots: Tensor) -> Tensor:
        h = self.text_embed(slots)  # (B, S, E)
        h = h + position_table(slots.shape[1], self.width, slots.device).to(h.dtype)
        for block in self.text_blocks:
            saving = self.grad_ckpt and torch.is_grad_enabled()
            h = checkpoint(block, h, use_reentrant=False) if saving else block(h)
        h = h.transpose(1, 2)  # (B, E, S)
        for downsample in self.downsample_blocks:
            h = downsample(h)  # (B, E, S / 2), then (B, E, T)
        return h.transpose(1, 2)  # (B, T, E)
