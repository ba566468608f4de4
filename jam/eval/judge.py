"""The embedded judge: which sound of the voice is heard in each hundredth of a second, alone or under a band. Trained by `jam.nano.judge`.

A small network of dilated convolutions over log-mel values; its sounds are the phonemes of `SOUNDS` and silence. It is taught with the
synthetic singer's voices: what it says of other voices is untried. It knows no lyrics: `alignment` and `identify` read its emissions.
Letters: B clips, N samples, F frames, K sounds.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from jam import audio
from jam.eval.alignment import Emissions
from jam.lyrics.words import Word

FILE = "judge.safetensors"
SILENCE = "sil"
SOUNDS = (
    SILENCE,
    *("ɑː", "æ", "ʌ", "ɔː", "aʊ", "aɪ", "ɛ", "ɝ", "eɪ", "ɪ", "iː", "oʊ", "ɔɪ", "ʊ", "uː"),
    *("b", "tʃ", "d", "ð", "f", "ɡ", "h", "dʒ", "k", "l", "m", "n", "ŋ", "p", "ɹ", "s", "ʃ", "t", "θ", "v", "w", "j", "z", "ʒ"),
)
LIKE = {
    **{"ə": "ʌ", "ɐ": "ʌ", "ɚ": "ɝ", "ɜː": "ɝ", "ɜ": "ɝ", "i": "iː", "u": "uː", "ɑ": "ɑː", "ɒ": "ɑː", "a": "ɑː"},
    **{"ɔ": "ɔː", "e": "ɛ", "o": "oʊ", "y": "iː", "ø": "ɝ", "œ": "ɝ", "r": "ɹ", "ʁ": "ɹ", "ɾ": "t", "g": "ɡ", "x": "h"},
    **{"ç": "h", "ɲ": "n", "ʎ": "l", "ɫ": "l", "c": "k", "β": "v"},
}
"""Symbols of other phonemizers and languages, and the nearest sound that the judge knows."""

RATE, WINDOW, HOP, MELS = 16_000, 512, 160, 64
FRAME = HOP / RATE  # seconds
LOUDNESS = 0.1  # root mean square that every song is brought to
FLOOR = 1e-4
WIDTH, DILATIONS = 256, (1, 2, 4, 8, 1, 2, 4, 8)
PRIOR_WEIGHT = 0.5  # how much of a sound's frequency in training is taken off its score: silence and vowels fill most frames


class Listens(nn.Module):
    """One residual block: norm, dilated convolution, convolution of one."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, F) -> (B, width, F)."""
        h = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return x + self.out(functional.gelu(self.wide(h)))


class JudgeNet(nn.Module):
    """Log-mel columns (B, 64, F) to logits of the sounds (B, K, F)."""

    def __init__(self) -> None:
        super().__init__()
        self.mel: Tensor
        self.mean: Tensor
        self.deviation: Tensor
        self.prior: Tensor
        self.register_buffer("mel", torch.zeros(MELS, WINDOW // 2 + 1))
        self.register_buffer("mean", torch.zeros(MELS, 1))
        self.register_buffer("deviation", torch.ones(MELS, 1))
        self.register_buffer("prior", torch.zeros(len(SOUNDS)))  # log of each sound's share of the frames
        self.ears = nn.Conv1d(MELS, WIDTH, 5, padding=2)
        self.blocks = nn.ModuleList(Listens(WIDTH, dilation) for dilation in DILATIONS)
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Conv1d(WIDTH, len(SOUNDS), 1)

    def forward(self, columns: Tensor) -> Tensor:
        """Logits of log-mel columns."""
        x = self.ears((columns - self.mean) / self.deviation)
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x.transpose(1, 2)).transpose(1, 2))


def log_mel(samples: Tensor, mel: Tensor) -> Tensor:
    """Log-mel columns (B, 64, F) of mono `samples` (B, N) at 16 kHz, whatever their loudness, one each 10 ms from 0 s on."""
    level = samples.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-5)
    window = torch.hann_window(WINDOW, device=samples.device)
    padded = functional.pad(samples * LOUDNESS / level, (WINDOW // 2, WINDOW // 2))
    spectrum = torch.stft(padded, WINDOW, HOP, window=window, center=False, return_complex=True).abs()  # (B, 257, F)
    return torch.log(mel @ spectrum + FLOOR)


class Judge:
    """Hears songs; ready on one device."""

    name = "judge"

    def __init__(self, net: JudgeNet) -> None:
        self.net = net.eval().requires_grad_(False)
        self._codes = {sound: code for code, sound in enumerate(SOUNDS)}

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "Judge":
        """The judge in `folder`/judge.safetensors (or that file). ValueError, one line, where it is missing or does not fit."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = Path(folder)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise ValueError(f"{path}: the embedded judge is missing; make it with python -m jam.nano.build stage=judge")
        try:
            tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
            net = JudgeNet()
            net.load_state_dict(tensors)
        except (SafetensorError, RuntimeError) as error:
            raise ValueError(f"{path}: not the embedded judge's weights ({str(error).splitlines()[0].strip()}); fetch it again") from error
        return cls(net.to(device))

    @torch.no_grad()
    def hear(self, samples: Tensor, rate: int) -> Emissions:
        """What sounds in each hundredth of a second of `samples` (channels, N) at `rate` Hz, the sounds' frequencies partly taken off."""
        mono = audio.resample(samples.float().mean(0, keepdim=True), rate, RATE)
        logits = self.net(log_mel(mono.to(self.net.mel), self.net.mel))[0].T  # (F, K)
        scores = (logits.log_softmax(-1) - PRIOR_WEIGHT * self.net.prior).log_softmax(-1)
        return Emissions(scores.float().cpu().numpy(), FRAME, FRAME / 2, silence=self._codes[SILENCE])

    def spell(self, word: Word) -> list[int]:
        """The judge's sounds for a word's phoneme (IPA); marks of stress, length and punctuation are left out, unknown symbols too."""
        return [self._codes[sound] for sound in sounds(word.phoneme or "")]

    def write(self, emissions: Emissions) -> list[str]:
        """The sounds that were heard, each once as long as it lasts, silence left out; those of a single frame are taken for slips."""
        best = emissions.scores.argmax(-1)
        starts = np.flatnonzero(np.diff(best, prepend=-1))
        lengths = np.diff(starts, append=len(best))
        kept = best[starts[lengths > 1]]
        once = kept[np.flatnonzero(np.diff(kept, prepend=-1))] if len(kept) else kept
        return [SOUNDS[code] for code in once if SOUNDS[code] != SILENCE]


def sounds(ipa: str) -> list[str]:
    """The judge's sounds in `ipa`, longest symbols first; what it does not know is heard as the nearest of `LIKE`, or left out."""
    found, place = [], 0
    while place < len(ipa):
        piece = next((ipa[place : place + size] for size in (2, 1) if _nearest(ipa[place : place + size])), None)
        if piece is not None:
            found.append(_nearest(piece) or "")
        place += len(piece or " ")
    return found


def _nearest(symbol: str) -> str | None:
    return symbol if symbol in SOUNDS[1:] else LIKE.get(symbol)


def share_known(words: Sequence[str]) -> float:
    """Which share of words' IPA symbols (marks aside) the judge has a sound for; 1 for no symbols."""
    letters = [symbol for ipa in words for symbol in ipa if symbol.isalpha() and symbol not in "ːˑ"]
    known = {letter for sound in (*SOUNDS[1:], *LIKE) for letter in sound}
    return sum(letter in known for letter in letters) / len(letters) if letters else 1.0
