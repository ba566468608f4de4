"""Conditions: everything the velocity is told about songs, apart from the moment t and the noisy latents.

Makes the record that inference and training share: phoneme slots, style vectors, where each song lies in time. It does not know where
lyrics or styles come from, nor what the network does with them.

Shapes: B songs, T latent frames, S = 4T phoneme slots, C latent channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from jam.timing import SLOTS_PER_FRAME, Span

NO_LYRICS = 0  # the slot that fills a song whose lyrics are dropped


@dataclass(frozen=True)
class Conditions:
    """Conditions of a batch of songs; every tensor's first dimension is B."""

    slots: Tensor  # (B, S) int64 phoneme slots
    style: Tensor  # (B, 512)
    start_time: Tensor  # (B,)
    duration_abs: Tensor  # (B,)
    duration_rel: Tensor  # (B,)
    context: Tensor | None = None  # (B, T, C) known audio; None is zeros, as in JAM-0.5

    @classmethod
    def single(cls, slots: Tensor, style: Tensor, span: Span) -> Conditions:
        """The conditions of one song: `slots` (S,), `style` (512,), and where it lies; B = 1."""
        return cls(
            slots=slots[None],
            style=style[None].float(),
            start_time=torch.tensor([span.start_time]),
            duration_abs=torch.tensor([span.duration_abs]),
            duration_rel=torch.tensor([span.duration_rel]),
        )

    @classmethod
    def cat(cls, parts: Sequence[Conditions]) -> Conditions:
        """One batch of all the songs in `parts`, in order. Either every part has context audio or none has."""
        context = None if parts[0].context is None else torch.cat([_known(part.context) for part in parts])
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in _REQUIRED}, context=context)

    def cut(self, frames: int) -> Conditions:
        """The same songs, of which only the first so many latent frames are there; where they lie on their canvas is told as before."""
        context = None if self.context is None else self.context[:, :frames]
        return replace(self, slots=self.slots[:, : frames * SLOTS_PER_FRAME], context=context)

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def frames(self) -> int:
        """T: latent frames of the canvas."""
        return self.slots.shape[1] // SLOTS_PER_FRAME

    def without(self, lyrics: bool | Tensor = False, style: bool | Tensor = False, context: bool = False) -> Conditions:
        """The same songs with lyrics, style or context audio dropped: for all songs (True) or for those marked in a (B,) bool tensor."""
        return replace(
            self,
            slots=torch.where(self._marked(lyrics), torch.full_like(self.slots, NO_LYRICS), self.slots),
            style=torch.where(self._marked(style), torch.zeros_like(self.style), self.style),
            context=None if context else self.context,
        )

    def with_style(self, style: Tensor) -> Conditions:
        """The same songs in another style, (512,) for all or (B, 512)."""
        return replace(self, style=style.to(self.style).expand_as(self.style))

    def to(self, device: torch.device | str) -> Conditions:
        """The same conditions on another device."""
        moved = {name: getattr(self, name).to(device) for name in _REQUIRED}
        return Conditions(**moved, context=None if self.context is None else self.context.to(device))

    def _marked(self, mark: bool | Tensor) -> Tensor:
        return torch.as_tensor(mark, device=self.slots.device).expand(len(self))[:, None]  # (B, 1)


_REQUIRED = tuple(field.name for field in fields(Conditions) if field.name != "context")


def _known(context: Tensor | None) -> Tensor:
    assert context is not None, "some songs have context audio and others have none"
    return context


def drop_out(conditions: Conditions, dual_drop_prob: Sequence[float], draws: Tensor, lyrics_drop_prob: float = 0.0) -> Conditions:
    """Training drop-out, song by song: style with probability `dual_drop_prob[0]`, where it is dropped lyrics too with
    `dual_drop_prob[1]`; and, apart from that, lyrics alone with `lyrics_drop_prob` (0 in JAM-0.5).

    `draws` are (B, 3) uniform numbers.
    """
    first, second, third = draws.to(conditions.slots.device).unbind(dim=1)  # (B,) each
    style = first < dual_drop_prob[0]
    return conditions.without(lyrics=(style & (second < dual_drop_prob[1])) | (third < lyrics_drop_prob), style=style)
