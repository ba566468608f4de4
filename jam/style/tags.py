"""The first embedded style encoder, which hears a prompt as a bag of tags; `jam.style.nano` opens the bundles that still hold one.

A recording is heard through a small convolutional network over log-mel values. A prompt is searched for the phrases it knows (genres,
tempo, instruments, a cappella or band, with synonyms); words it does not know are ignored. It knows no files and nothing of songs.
Letters: B clips, N samples, F mel columns.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from jam.style.nano import mono_clip, named, plain
from jam.timing import STYLE_WIDTH

log = logging.getLogger(__name__)
HOP, WINDOW, MELS = 1024, 2048, 64
LOUDNESS = 0.1  # root mean square every clip is brought to
FLOOR = 1e-4


def log_mel(samples: Tensor, mel: Tensor) -> Tensor:
    """Log-mel columns (B, 64, F) of `samples` (B, N) at 44.1 kHz, whatever their loudness; `mel` is (64, 1025)."""
    level = samples.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-5)
    window = torch.hann_window(WINDOW, device=samples.device)
    spectrum = torch.stft(samples * LOUDNESS / level, WINDOW, HOP, window=window, return_complex=True).abs()  # (B, 1025, F)
    return torch.log(mel @ spectrum + FLOOR)


class StyleNet(nn.Module):
    """Both towers: mel columns (B, 64, F) and bags of tags (B, tags) to unit vectors (B, 512)."""

    def __init__(self, tags: int, width: int = 128) -> None:
        super().__init__()
        self.mel: Tensor
        self.register_buffer("mel", torch.zeros(MELS, WINDOW // 2 + 1))
        self.ears = nn.Sequential(
            nn.Conv1d(MELS, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.GELU(),
        )
        self.hearing = nn.Sequential(nn.Linear(2 * width, STYLE_WIDTH), nn.GELU(), nn.Linear(STYLE_WIDTH, STYLE_WIDTH))
        self.reading = nn.Sequential(nn.Linear(tags, 256), nn.GELU(), nn.Linear(256, STYLE_WIDTH))

    def hear(self, columns: Tensor) -> Tensor:
        """Unit vectors (B, 512) of log-mel `columns` (B, 64, F)."""
        seen = self.ears((columns + 4.0) / 3.0)  # (B, width, F / 4)
        spread = (seen.var(-1, correction=0) + 1e-5).sqrt()
        return functional.normalize(self.hearing(torch.cat([seen.mean(-1), spread], -1)), dim=-1)

    def read(self, bags: Tensor) -> Tensor:
        """Unit vectors (B, 512) of `bags` (B, tags), ones where a tag is named."""
        return functional.normalize(self.reading(bags), dim=-1)


class TagStyle:
    """Encodes audio and text; every vector has unit length."""

    def __init__(self, net: StyleNet, tags: Sequence[str], phrases: dict[str, str]) -> None:
        self.net = net.eval().requires_grad_(False)
        self.tags = tuple(tags)
        self.phrases = {plain(phrase): tag for phrase, tag in phrases.items()}

    @classmethod
    def build(cls, words: Mapping[str, Any], tensors: dict[str, Tensor]) -> "TagStyle":
        """The encoder of its tags, its phrases and its weights. KeyError or RuntimeError where these do not fit."""
        net = StyleNet(len(words["tags"]))
        net.load_state_dict(tensors)
        return cls(net, words["tags"], words["phrases"])

    @torch.no_grad()
    def from_audio(self, samples: Tensor, rate: int) -> Tensor:
        """The style (512,) of `samples` (channels, N) at `rate` Hz. Raises ValueError for less than half a second."""
        mono = mono_clip(samples, rate)[None]
        return self.net.hear(log_mel(mono.to(self.net.mel), self.net.mel))[0].cpu()

    @torch.no_grad()
    def from_text(self, prompt: str) -> Tensor:
        """The style (512,) of a description. Raises ValueError for an empty one; one of which no word is known is warned of."""
        if not prompt.strip():
            raise ValueError("the style prompt is empty; describe the song, such as 'slow folk song, acoustic guitar, male voice'")
        found = self.named(prompt)
        if not found:
            known = ", ".join(sorted(set(self.tags)))
            log.warning("style prompt %r: no known word, so the style is neutral; known are %s", prompt, known)
        return self.net.read(self.bag(found).to(self.net.mel)[None])[0].cpu()

    def named(self, prompt: str) -> frozenset[str]:
        """The tags that `prompt` names; the longest phrase wins where several begin together."""
        return named(prompt, self.phrases)

    def bag(self, tags: frozenset[str] | set[str]) -> Tensor:
        """Ones (tags,) where a tag is named."""
        return torch.tensor([float(tag in tags) for tag in self.tags])
