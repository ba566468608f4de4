"""The embedded style encoder: a recording or a prompt to a unit 512-vector of one joint space. Trained by `jam.nano.style`.

A recording is heard through a small convolutional network over log-mel values. A prompt is searched for the phrases it knows (genres,
tempo, instruments, a cappella or band, with synonyms); words it does not know are ignored. It knows nothing of songs. Letters:
B clips, N samples, F mel columns.
"""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from jam import audio
from jam.timing import SAMPLE_RATE, STYLE_WIDTH

log = logging.getLogger(__name__)
WEIGHTS, WORDS = "style.safetensors", "style.json"
HOP, WINDOW, MELS = 1024, 2048, 64
LOUDNESS = 0.1  # root mean square every clip is brought to
FLOOR = 1e-4
SHORTEST_SECONDS = 0.5


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


class NanoStyle:
    """Encodes audio and text; every vector has unit length."""

    def __init__(self, net: StyleNet, tags: Sequence[str], phrases: dict[str, str]) -> None:
        self.net = net.eval().requires_grad_(False)
        self.tags = tuple(tags)
        self.phrases = {_plain(phrase): tag for phrase, tag in phrases.items()}

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "NanoStyle":
        """The encoder from `folder`/style.safetensors and style.json. ValueError, one line, where one is missing or does not fit."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = Path(folder)
        for name in (WEIGHTS, WORDS):
            if not (folder / name).is_file():
                command = "python -m jam.nano.build stage=style"
                raise ValueError(f"{folder / name}: the embedded style encoder is missing; make it with {command}")
        try:
            words = json.loads((folder / WORDS).read_text(encoding="utf-8"))
            net = StyleNet(len(words["tags"]))
            net.load_state_dict(load_file(folder / WEIGHTS))
        except (SafetensorError, RuntimeError, KeyError, json.JSONDecodeError) as error:
            raise ValueError(f"{folder}: its style encoder does not load ({' '.join(str(error).split())}); fetch it again") from error
        return cls(net.to(device), words["tags"], words["phrases"])

    @torch.no_grad()
    def from_audio(self, samples: Tensor, rate: int) -> Tensor:
        """The style (512,) of `samples` (channels, N) at `rate` Hz. Raises ValueError for less than half a second."""
        if samples.shape[-1] < SHORTEST_SECONDS * rate:
            raise ValueError(f"a style clip of {samples.shape[-1] / rate:.3f} s is too short; give at least {SHORTEST_SECONDS} s")
        mono = samples.float().mean(0, keepdim=True)
        if rate != SAMPLE_RATE:
            mono = audio.resample(mono, rate, SAMPLE_RATE)
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
        words, found, place = _plain(prompt).split(), set(), 0
        longest = max(len(phrase.split()) for phrase in self.phrases)
        while place < len(words):
            for length in range(min(longest, len(words) - place), 0, -1):
                tag = self.phrases.get(" ".join(words[place : place + length]))
                if tag is not None:
                    found.add(tag)
                    place += length - 1
                    break
            place += 1
        return frozenset(found)

    def bag(self, tags: frozenset[str] | set[str]) -> Tensor:
        """Ones (tags,) where a tag is named."""
        return torch.tensor([float(tag in tags) for tag in self.tags])


def _plain(text: str) -> str:
    """Lower case words, single spaces, nothing else."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
