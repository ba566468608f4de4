"""Recordings to what training reads of them: latents by a codec, in bounded memory, and style vectors from windows all over the song.

It knows no files, no words and no shards. Letters: N samples, T frames, n style vectors.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from jam import assets, audio, song
from jam.model.precision import TYPES
from jam.prepare.weights import digest_of
from jam.timing import SAMPLE_RATE
from jam.vae.chunks import encode_chunked

STORED = ("float32", "float16")
FULL_SCALE = 1.0
QUIET = 0.01  # of the loudest window's level (-40 dB): there is no music to describe in a window below it


@dataclass(frozen=True)
class LatentSettings:
    """Which codec makes the latents, and how."""

    vae_type: str = "stable_audio"  # or nano, the embedded one
    vae_path: str | None = None  # null: from the hub or its cache, or the embedded bundle
    chunk: int = 256  # frames that are encoded at once (12 s): memory (6 MB a frame for Stable Audio), not the result
    overlap: int = 16  # frames that chunks share; the Stable Audio VAE needs 16, nano 2, to encode as if the song were whole
    precision: str = "float32"  # or bfloat16, float16: of the codec (nano has float32 alone)
    stored: str = "float32"  # or float16, at half the storage
    lufs: float | None = None  # the loudness that songs are brought to before, as far as full scale allows; null: as recorded

    def __post_init__(self) -> None:
        _choose("latents.vae_type", self.vae_type, ("stable_audio", "nano"))
        _choose("latents.precision", self.precision, tuple(TYPES))
        _choose("latents.stored", self.stored, STORED)
        if self.vae_type == "nano" and self.precision != "float32":
            raise ValueError(f"latents.precision is {self.precision}; the embedded codec has float32 alone")
        if not 0 <= self.overlap < self.chunk:
            raise ValueError(f"latents.overlap is {self.overlap} of chunks of {self.chunk} frames; take 0 <= overlap < latents.chunk")
        if self.lufs is not None and not -70 < self.lufs < 0:
            raise ValueError(f"latents.lufs is {self.lufs}; give a loudness between -70 and 0 LUFS, such as -14, or null")


@dataclass(frozen=True)
class StyleSettings:
    """Which encoder makes the style vectors, and of what."""

    style_type: str = "muq"  # or nano, the embedded one
    style_path: str | None = None  # null: from the hub or its cache, or the embedded bundle
    count: int = 8  # windows of a song, at most: those of short songs would be nearly equal
    seconds: float = 10.0  # of a window; MuQ-MuLan hears ten at once
    prompts: bool = True  # each description of a song adds a vector

    def __post_init__(self) -> None:
        _choose("styles.style_type", self.style_type, ("muq", "nano"))
        if self.count < 1:
            raise ValueError(f"styles.count is {self.count}; give at least one window")
        if not self.seconds >= 0.5:
            raise ValueError(f"styles.seconds is {self.seconds}; style encoders hear half a second at least")


class LatentEncoder:
    """A codec that encodes songs of any length in the memory of a chunk."""

    def __init__(self, codec: Any, settings: LatentSettings) -> None:
        """Raises ValueError where the chunks overlap by less than the codec's encoder reaches."""
        least = 2 * codec.encoder_reach
        if settings.overlap < least:
            raise ValueError(f"latents.overlap is {settings.overlap}; this codec needs {least} frames to encode as if songs were whole")
        self.codec, self.settings = codec, settings
        encoder = getattr(codec, "encoder", codec)  # another decoder asks for no new latents
        self.identity = _identity(_outcome(settings, "vae_path"), encoder)

    @classmethod
    def load(cls, settings: LatentSettings, device: str | torch.device = "cpu") -> LatentEncoder:
        """The codec of the settings. Raises ValueError or OSError, in one line, for one that is missing or does not fit."""
        if settings.vae_type == "nano":
            return cls(song.load_codec("nano", settings.vae_path, torch.device(device)), settings)
        from jam.vae.stable_audio import StableAudioVAE

        return cls(StableAudioVAE.load(settings.vae_path or assets.STABLE_AUDIO_VAE, device, TYPES[settings.precision]), settings)

    def encode(self, samples: Tensor) -> Tensor:
        """Means over standard deviations (128, T) of `samples` (2, N) at 44.1 kHz. Raises ValueError where they are not finite."""
        s = self.settings
        if s.lufs is not None:
            samples = samples * gain(samples, s.lufs)
        mean, deviation = encode_chunked(self.codec.encode, samples[None], s.chunk, s.overlap)  # (1, T, 64) each
        latent = torch.cat([mean[0], deviation[0]], -1).T.cpu().to(TYPES[s.stored]).contiguous()  # (128, T)
        if not latent.isfinite().all():
            raise ValueError(f"the codec gave latents that are not finite in {s.precision}, stored as {s.stored}; try float32")
        return latent

    def silence(self) -> Tensor:
        """The mean latent (64,) of silence."""
        return self.codec.silence().float().cpu()


class StyleEncoder:
    """A style encoder that hears windows all over a song, and reads its descriptions."""

    def __init__(self, encoder: Any, settings: StyleSettings) -> None:
        self.encoder, self.settings = encoder, settings
        words = {"tags": encoder.tags, "phrases": encoder.phrases} if settings.style_type == "nano" else {}
        self.identity = _identity({**_outcome(settings, "style_path"), **words}, encoder)

    @classmethod
    def load(cls, settings: StyleSettings, device: str | torch.device = "cpu") -> StyleEncoder:
        """The encoder of the settings. Raises ValueError or OSError, in one line, for one that is missing or does not fit."""
        return cls(song.load_style(settings.style_type, settings.style_path, torch.device(device)), settings)

    def encode(self, samples: Tensor, prompts: Sequence[str] = ()) -> Tensor:
        """Style vectors (n, 512) of `samples` (2, N) at 44.1 kHz: of windows in their order, then of `prompts`.

        Raises ValueError for less than half a second.
        """
        s = self.settings
        length = min(round(s.seconds * SAMPLE_RATE), samples.shape[-1])
        pieces = [samples[:, start : start + length] for start in heard(samples, s.count, length)]
        vectors = [self.encoder.from_audio(piece, SAMPLE_RATE) for piece in pieces]
        vectors += [self.encoder.from_text(prompt) for prompt in prompts if s.prompts and prompt.strip()]
        return torch.stack(vectors).float().cpu()


def windows(samples: int, count: int, length: int) -> list[int]:
    """Where windows of `length` samples start, evenly from the beginning of so many samples to their end.

    There are `count`, fewer where neighbours would share more than half; one of samples that are no longer than a window.
    """
    spare = samples - length
    if spare <= 0:
        return [0]
    number = min(count, 1 + math.ceil(spare / (length / 2)))
    return [spare // 2] if number == 1 else [round(spare * index / (number - 1)) for index in range(number)]


def heard(samples: Tensor, count: int, length: int) -> list[int]:
    """Where the windows of `samples` (2, N) start that are not nearly silent beside the loudest."""
    starts = windows(samples.shape[-1], count, length)
    levels = [float(samples[:, start : start + length].double().square().mean().sqrt()) for start in starts]
    return [start for start, level in zip(starts, levels, strict=True) if level >= QUIET * max(levels)]


def gain(samples: Tensor, lufs: float) -> float:
    """What `samples` (2, N) at 44.1 kHz are multiplied by to be as loud as `lufs`, or as full scale allows; 1 for silence.

    Both channels alike and no offset taken away: unlike `audio.normalize`, the stereo image stays.
    """
    peak, level = float(samples.abs().max()), audio.loudness(samples)
    if peak < audio.SILENCE or level == float("-inf"):
        return 1.0
    return min(10 ** ((lufs - level) / 20), FULL_SCALE / peak)


def to_bytes(tensor: Tensor) -> bytes:
    """What torch.save writes of a tensor, and of nothing that shares its memory: the same values, the same bytes."""
    stream = io.BytesIO()
    torch.save(tensor.detach().cpu().contiguous().clone(), stream)
    return stream.getvalue()


def _outcome(settings: LatentSettings | StyleSettings, path: str) -> dict[str, Any]:
    """The settings that change what comes out: not where the weights lie, nor, but for rounding, how songs are cut into chunks."""
    return {name: value for name, value in asdict(settings).items() if name not in (path, "chunk", "overlap")}


def _identity(facts: Mapping[str, Any], door: Any) -> str:
    """SHA-256 of settings and of a codec's or an encoder's weights, wherever these lie: the same identity, the same outcome."""
    network = getattr(door, "net", None) or getattr(door, "model", door)
    return hashlib.sha256(json.dumps([facts, digest_of(network)], sort_keys=True).encode()).hexdigest()


def _choose(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value}; choose {' or '.join(allowed)}")
