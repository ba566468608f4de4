"""The embedded style encoder: a recording or a prompt to a unit 512-vector of one joint space. Trained by `jam.nano.style`.

A recording of any length from half a second on is heard three ways: through a convolutional network over log-mel values, as how its onsets
repeat (tempo), and as its chroma (mode). A prompt is read as a row of words by a small transformer; a word is the sum of its letter groups,
so a misspelt or unknown one lies near those it looks like, and a number is also a place on a scale of tempi. What can be told of a style
(genre, voice, tempo, mode, metre, a cappella, instruments) is a linear function of the vector: `NanoStyle.read_out`. The module knows
nothing of songs. Letters: B clips or prompts, N samples, F columns, W words, G letter groups.
"""

import functools
import json
import logging
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from jam import audio
from jam.timing import SAMPLE_RATE, STYLE_WIDTH

if TYPE_CHECKING:
    from jam.style.tags import TagStyle

log = logging.getLogger(__name__)
WEIGHTS, WORDS = "style.safetensors", "style.json"
FORMAT = "joint"  # what style.json of this encoder says; that of the first one says nothing
SHORTEST_SECONDS = 0.5
HOP, WINDOW, MELS = 1024, 2048, 64
CHROMA_WINDOW, CHROMA_HOP, CHROMA = 8192, 4096, 12  # long enough to tell semitones from 200 Hz on
COLUMN = MELS + CHROMA
LOUDNESS = 0.1  # root mean square every recording is brought to
STORED_FLOOR, HEARD_FLOOR = 1e-5, 1e-3  # of a column's values as computed, and beside the mean of a clip
RANGES = 4  # of bands whose onsets are heard apart
LAGS = SAMPLE_RATE / HOP * np.geomspace(0.25, 4.0, 129)[:-1]  # columns; 32 an octave
TEMPI = np.geomspace(56.0, 172.0, 33)  # beats a minute that the read-out tells apart: 3.6 % each
MODES, METRES = ("major", "minor"), ("4/4", "3/4")
LONGEST_PROMPT, GROUPS = 64, 16  # words, and letter groups of a word
NUMBERS = np.geomspace(40.0, 240.0, 32)  # what may be a tempo, and how finely it is read


@dataclass(frozen=True)
class Shape:
    """What a network can tell of a style, and its sizes."""

    genres: tuple[str, ...]
    voices: tuple[str, ...]
    instruments: tuple[str, ...]
    width: int = 128  # of the ears
    letters: int = 96  # width of the words
    buckets: int = 4096  # letter groups that are told apart
    depth: int = 2
    heads: int = 4

    @property
    def read_outs(self) -> dict[str, int]:
        """The size of each linear read-out."""
        sizes = {"genre": len(self.genres), "voice": len(self.voices), "mode": len(MODES), "metre": len(METRES), "alone": 1}
        return {**sizes, "tempo": len(TEMPI), "instruments": len(self.instruments)}


@functools.cache
def mel_filters() -> Tensor:
    """Triangles on the mel scale from 40 Hz to 16 kHz, each of mean 1 over its bins: (64, 1025)."""
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (40.0, 16_000.0))
    hertz = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    bins = np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW
    width = np.maximum(np.diff(hertz), SAMPLE_RATE / WINDOW)  # low bands are narrower than a bin
    rising, falling = (bins - hertz[1:-1, None]) / width[:-1, None], (hertz[1:-1, None] - bins) / width[1:, None]
    triangles = np.clip(1 + np.minimum(rising, falling), 0, None)
    return torch.from_numpy(triangles / triangles.sum(1, keepdims=True)).float()


@functools.cache
def chroma_filters() -> Tensor:
    """Which pitch class the bins of a long window belong to, between 130 and 2,100 Hz: (12, 391); 0 is C."""
    bins = np.arange(math.ceil(2100 * CHROMA_WINDOW / SAMPLE_RATE)) * SAMPLE_RATE / CHROMA_WINDOW
    pitch = 69 + 12 * np.log2(np.maximum(bins, 1) / 440)
    apart = np.abs((pitch - np.arange(CHROMA)[:, None] + 6) % 12 - 6)
    near = np.exp(-0.5 * (apart / 0.3) ** 2) * (bins > 130)
    return torch.from_numpy(near / np.maximum(near.sum(1, keepdims=True), 1e-9)).float()


def columns(samples: Tensor) -> Tensor:
    """What the network hears of mono `samples` (B, N) at 44.1 kHz, whatever their loudness: logs of mel bands and of chroma (B, 76, F)."""
    level = samples.square().mean(-1, keepdim=True).sqrt().clamp_min(1e-5)
    samples = samples * LOUDNESS / level
    mel, chroma = (
        torch.log(filters.to(samples.device) @ _magnitudes(samples, window, hop, filters.shape[1]) + STORED_FLOOR)
        for window, hop, filters in ((WINDOW, HOP, mel_filters()), (CHROMA_WINDOW, CHROMA_HOP, chroma_filters()))
    )
    return torch.cat([mel, chroma.repeat_interleave(CHROMA_HOP // HOP, -1)[..., : mel.shape[-1]]], 1)


def _magnitudes(samples: Tensor, window: int, hop: int, bins: int) -> Tensor:
    """The first `bins` of the spectra of `samples` (B, N), one every `hop`: (B, bins, N / hop + 1)."""
    shape = torch.hann_window(window, device=samples.device)
    return torch.stft(samples, window, hop, window=shape, return_complex=True)[:, :bins].abs()


def levelled(mel: Tensor) -> Tensor:
    """Log-mel values (B, 64, F) beside the mean of their clip, with a floor, about -1.5 to 3."""
    power = mel.exp()
    return (torch.log(power / power.mean((1, 2), keepdim=True).clamp_min(STORED_FLOOR) + HEARD_FLOOR) + 3) / 2.5


def repetition(mel: Tensor) -> Tensor:
    """How much onsets repeat after each of 128 lags, in four ranges of bands, of levelled `mel` (B, 64, F): (B, 4, 128), at most 1."""
    rises = mel.diff(dim=-1).clamp_min(0).unflatten(1, (RANGES, -1)).mean(2)  # (B, 4, F - 1)
    rises = rises - rises.mean(-1, keepdim=True)
    count = rises.shape[-1]
    spectrum = torch.fft.rfft(rises, 1 << math.ceil(math.log2(2 * count)))
    products = torch.fft.irfft(spectrum.abs().square())[..., :count]
    likeness = products / (products[..., :1] + 1e-6)
    lags = torch.from_numpy(LAGS[count - 1 > LAGS]).to(mel)
    below, part = lags.long(), lags.frac()
    after = (1 - part) * likeness[..., below] + part * likeness[..., below + 1]
    after = after * count / (count - lags).clamp_min(count / 4)  # long lags have fewer products
    return functional.pad(after, (0, len(LAGS) - len(lags)))


class JointNet(nn.Module):
    """Both towers, columns (B, 76, F) and words to unit vectors (B, 512), and what can be read of these."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.ears = nn.Sequential(
            nn.Conv1d(MELS, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width + 32, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv1d(width + 32, width + 64, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv1d(width + 64, width + 64, 3, padding=1),
            nn.GELU(),
        )
        self.pulse = nn.Sequential(
            nn.Conv1d(RANGES, 24, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(24, 12, 5, padding=2),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(12 * len(LAGS), 96),
            nn.GELU(),
        )
        self.tonality = nn.Conv1d(2, 32, CHROMA, padding=0)  # over the circle of pitch classes
        together = 2 * (width + 64) + 96 + 64
        self.hearing = nn.Sequential(nn.Linear(together, STYLE_WIDTH), nn.GELU(), nn.Linear(STYLE_WIDTH, STYLE_WIDTH))
        letters = shape.letters
        self.groups = nn.Embedding(shape.buckets, letters, padding_idx=0)
        self.number = nn.Linear(len(NUMBERS), letters)
        self.places = nn.Parameter(0.02 * torch.randn(LONGEST_PROMPT + 1, letters))  # the first is where the prompt is gathered
        layer = nn.TransformerEncoderLayer(letters, shape.heads, 2 * letters, 0.1, "gelu", batch_first=True, norm_first=True)
        self.sentence = nn.TransformerEncoder(layer, shape.depth, enable_nested_tensor=False)
        self.reading = nn.Sequential(nn.LayerNorm(letters), nn.Linear(letters, 256), nn.GELU(), nn.Linear(256, STYLE_WIDTH))
        self.telling = nn.Linear(STYLE_WIDTH, sum(shape.read_outs.values()))

    def hear(self, seen: Tensor) -> Tensor:
        """Unit vectors (B, 512) of columns `seen` (B, 76, F)."""
        mel = levelled(seen[:, :MELS])
        deep = self.ears(mel).float()  # (B, width + 64, F / 4)
        spread = (deep.var(-1, correction=0) + 1e-5).sqrt()
        chroma = seen[:, MELS:].exp()
        chroma = chroma / chroma.sum(1, keepdim=True)  # shares of the sound at each time
        circle = torch.stack([chroma.mean(-1), chroma.std(-1, correction=0)], 1) * CHROMA  # (B, 2, 12)
        turned = functional.gelu(self.tonality(torch.cat([circle, circle[..., :-1]], -1)))  # (B, 32, 12), whatever the key
        features = [deep.mean(-1), spread, self.pulse(repetition(mel)).float(), turned.amax(-1).float(), turned.mean(-1).float()]
        return functional.normalize(self.hearing(torch.cat(features, -1)).float(), dim=-1)

    def read(self, ids: Tensor, bumps: Tensor) -> Tensor:
        """Unit vectors (B, 512) of the letter groups `ids` (B, W, G) of words and their places on the scale of tempi `bumps` (B, W, 32)."""
        there = ids > 0
        count = there.sum(-1, keepdim=True)
        words = self.groups(ids).sum(2) / count.clamp_min(1).sqrt() + self.number(bumps)  # (B, W, letters)
        row = torch.cat([words.new_zeros(len(words), 1, words.shape[-1]), words], 1) + self.places[: words.shape[1] + 1]
        nothing = functional.pad(count[..., 0] == 0, (1, 0))
        gathered = self.sentence(row, src_key_padding_mask=nothing)[:, 0]
        return functional.normalize(self.reading(gathered).float(), dim=-1)

    def tell(self, vectors: Tensor) -> dict[str, Tensor]:
        """The logits of every read-out of unit `vectors` (B, 512), each (B, its size)."""
        sizes = self.shape.read_outs
        parts = self.telling(vectors * STYLE_WIDTH**0.5).split(list(sizes.values()), -1)
        return dict(zip(sizes, parts, strict=True))


class NanoStyle:
    """Encodes audio and text; every vector has unit length."""

    def __init__(self, net: JointNet, tags: Sequence[str], phrases: Mapping[str, str]) -> None:
        self.net = net.eval().requires_grad_(False)
        self.tags = tuple(tags)
        self.phrases = {plain(phrase): tag for phrase, tag in phrases.items()}

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "NanoStyle | TagStyle":
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
            tensors = load_file(folder / WEIGHTS)
            style = cls.build(words, tensors) if words.get("format") == FORMAT else _first(words, tensors)
        except (SafetensorError, RuntimeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{folder}: its style encoder does not load ({' '.join(str(error).split())}); fetch it again") from error
        style.net.to(device)
        return style

    @classmethod
    def build(cls, words: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "NanoStyle":
        """The encoder of what `words` say and of its weights. KeyError, TypeError or RuntimeError where these do not fit."""
        sizes: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in words["net"].items()}
        net = JointNet(Shape(**sizes))
        net.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return cls(net, words["tags"], words["phrases"])

    def words(self) -> dict[str, Any]:
        """What style.json says of the encoder."""
        return {"format": FORMAT, "net": asdict(self.net.shape), "tags": list(self.tags), "phrases": self.phrases}

    @torch.no_grad()
    def from_audio(self, samples: Tensor, rate: int) -> Tensor:
        """The style (512,) of `samples` (channels, N) at `rate` Hz. Raises ValueError for less than half a second."""
        return self.net.hear(columns(mono_clip(samples, rate)[None].to(self.net.places.device)))[0].cpu()

    @torch.no_grad()
    def from_text(self, prompt: str) -> Tensor:
        """The style (512,) of a description. Raises ValueError for an empty one; one of which no word is known is warned of."""
        if not prompt.strip():
            raise ValueError("the style prompt is empty; describe the song, such as 'slow folk song, acoustic guitar, male voice'")
        if not self.named(prompt) and not any(_is_tempo(word) for word in words_of(prompt)):
            known = ", ".join(sorted(set(self.tags)))
            log.warning("style prompt %r: no known word, so the style is a guess; known are %s", prompt, known)
        ids, bumps = tokens([prompt], self.net.shape.buckets)
        return self.net.read(ids.to(self.net.places.device), bumps.to(self.net.places.device))[0].cpu()

    @torch.no_grad()
    def read_out(self, vector: Tensor) -> dict[str, Any]:
        """What a style `vector` (512,) of either tower says.

        `genre`, `voice`, `mode` and `metre`: the share of each name; `bpm`: beats a minute; `a cappella`: how likely; `instruments`: how
        likely each is heard.
        """
        shape, device = self.net.shape, self.net.places.device
        found = {name: logits[0].float().cpu() for name, logits in self.net.tell(vector.float().to(device)[None]).items()}
        told: dict[str, Any] = {}
        for name, names in (("genre", shape.genres), ("voice", shape.voices), ("mode", MODES), ("metre", METRES)):
            told[name] = dict(zip(names, found[name].softmax(0).tolist(), strict=True))
        told["bpm"] = float(tempo_of(found["tempo"][None])[0])
        told["a cappella"] = float(found["alone"].sigmoid()[0])
        told["instruments"] = dict(zip(shape.instruments, found["instruments"].sigmoid().tolist(), strict=True))
        return told

    def named(self, prompt: str) -> frozenset[str]:
        """The tags that `prompt` names; the longest phrase wins where several begin together."""
        return frozenset().union(*(named(part, self.phrases) for part in re.split("[,.;:]", prompt)))


def _first(words: Mapping[str, Any], tensors: dict[str, Tensor]) -> "TagStyle":
    """An encoder of the first kind."""
    from jam.style.tags import TagStyle

    return TagStyle.build(words, tensors)


def tempo_of(logits: Tensor) -> Tensor:
    """Beats a minute (B,) of the tempo's `logits` (B, 33): the mean of the likeliest and its neighbours, so finer than these lie apart."""
    best = logits.argmax(-1, keepdim=True)
    near = (torch.arange(logits.shape[-1], device=logits.device) - best).abs() <= 1
    weights = logits.masked_fill(~near, float("-inf")).softmax(-1)
    return (weights @ torch.from_numpy(TEMPI).log().to(logits)).exp()


def mono_clip(samples: Tensor, rate: int) -> Tensor:
    """The mean (N,) of the channels of `samples` (channels, N), at 44.1 kHz. Raises ValueError for less than half a second."""
    if samples.shape[-1] < SHORTEST_SECONDS * rate:
        raise ValueError(f"a style clip of {samples.shape[-1] / rate:.3f} s is too short; give at least {SHORTEST_SECONDS} s")
    mono = samples.float().mean(0, keepdim=True)
    return (mono if rate == SAMPLE_RATE else audio.resample(mono, rate, SAMPLE_RATE))[0]


def words_of(prompt: str) -> list[str]:
    """The words and commas of a prompt in lower case, numbers apart from the unit behind them: '96bpm' is two words."""
    return re.findall(r"[0-9]+(?=bpm)|[a-z0-9]+|[,.;:]", prompt.lower().replace("'", ""))


@functools.lru_cache(maxsize=20_000)
def letter_groups(word: str) -> tuple[int, ...]:
    """Buckets from 1 of a word and of its groups of three and four letters, the word's own first; a number that may be a tempo has one."""
    if _is_tempo(word):
        return (1,)
    edged = f"<{word}>"
    groups = [edged[start : start + size] for size in (3, 4) for start in range(len(edged) - size + 1)]
    return tuple(2 + zlib.crc32(group.encode()) for group in [edged + "=", *groups][:GROUPS])


def tokens(prompts: Sequence[str], buckets: int) -> tuple[Tensor, Tensor]:
    """The letter groups (B, W, G) of the words of `prompts`, 0 where there is none, and their places on the scale of tempi (B, W, 32)."""
    rows = [words_of(prompt)[:LONGEST_PROMPT] for prompt in prompts]
    longest = max(1, *map(len, rows)) if rows else 1
    ids = np.zeros((len(rows), longest, GROUPS), np.int64)
    bumps = np.zeros((len(rows), longest, len(NUMBERS)), np.float32)
    spacing = math.log(NUMBERS[1] / NUMBERS[0])
    for row, words in enumerate(rows):
        for place, word in enumerate(words):
            groups = letter_groups(word)
            ids[row, place, : len(groups)] = [1 + (group - 1) % (buckets - 1) for group in groups]
            if _is_tempo(word):
                bumps[row, place] = np.exp(-0.5 * (np.log(NUMBERS / int(word)) / spacing) ** 2)
    return torch.from_numpy(ids), torch.from_numpy(bumps)


def named(prompt: str, phrases: Mapping[str, str]) -> frozenset[str]:
    """The tags that `prompt` names by one of `phrases`; the longest phrase wins where several begin together."""
    words, found, place = plain(prompt).split(), set(), 0
    longest = max((len(phrase.split()) for phrase in phrases), default=0)
    while place < len(words):
        for length in range(min(longest, len(words) - place), 0, -1):
            tag = phrases.get(" ".join(words[place : place + length]))
            if tag is not None:
                found.add(tag)
                place += length - 1
                break
        place += 1
    return frozenset(found)


def plain(text: str) -> str:
    """Lower case words, single spaces, nothing else."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _is_tempo(word: str) -> bool:
    return word.isdigit() and len(word) <= 3 and NUMBERS[0] <= int(word) <= NUMBERS[-1]
