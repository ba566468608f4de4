"""Whether a song is in the style asked for: like its clip, like its description, of its genre, at its tempo, in its key.

It knows no lyrics. What an encoder of styles hears and reads is told by the encoder's name after the @.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from jam import audio
from jam.eval import keys
from jam.eval.benchmark import Item
from jam.eval.keys import Key
from jam.eval.measures import Measure, Value, by
from jam.lyrics.tempo import UNHEARD, tempo_of
from jam.style.clip import clip
from jam.timing import SAMPLE_RATE

if TYPE_CHECKING:
    from jam.song import StyleEncoder

CLIP_SECONDS = 30.0  # of a style clip or a recording that are heard
SHORTEST = 0.5  # seconds in which encoders hear a style
ALIKE = 1e-4  # vectors nearer than this are one: the encoder does not know the difference of their words
NEAR = 0.04  # by which a tempo may differ and agree
MULTIPLES = (1 / 3, 1, 3)  # tempi at which one may tap as well; octaves never count
REMEMBERED = 4096  # files and texts

COSINE = "the style encoder named: MuQ-MuLan (Zhu et al. 2025), or the embedded one"
MEASURES: tuple[Measure, ...] = (
    Measure(
        "style.audio",
        "similarity to the style clip",
        "",
        "higher",
        "mean",
        "Cosine of the style vectors of the song and of the first 30 s of the style clip (of the reference where there is no clip).",
        COSINE,
        "A singer that is conditioned on the same encoder is judged by its own ear; the scale differs by encoder.",
    ),
    Measure(
        "style.text",
        "similarity to the description",
        "",
        "higher",
        "mean",
        "Cosine of the style vectors of the song and of the description asked for.",
        COSINE,
        "The embedded encoder knows some tens of phrases and passes over other words; vectors of text and of sound are never very near.",
    ),
    Measure(
        "style.genre",
        "genre recognised",
        "%",
        "higher",
        "mean",
        "Share of songs that are nearer to the name of the genre asked for than to the other genres of the benchmark.",
        f"zero-shot classification by {COSINE}",
        "By chance one part in as many as there are genres; genres whose names the encoder does not tell apart are left out.",
    ),
    Measure(
        "style.tempo",
        "tempo agreement",
        "%",
        "higher",
        "mean",
        "Share of songs whose tempo is within 4 % of the one asked for, else of the reference's, else of the style clip's; "
        "a tempo doubled or halved is the same one.",
        "tolerance of accuracy 1 of Gouyon et al. 2006; beats by librosa (Ellis 2007)",
        "The tempo is measured between 70 and 140 beats a minute alone, so octaves are not told apart, and one tempo in nine agrees by "
        "chance; a song without a beat is left out.",
    ),
    Measure(
        "style.tempo_multiple",
        "tempo agreement but for multiples",
        "%",
        "higher",
        "mean",
        "The same where a third of the tempo and three times it are right as well.",
        "accuracy 2 of Gouyon et al. 2006",
        "It forgives what a listener may hear; one tempo in three agrees by chance.",
    ),
    Measure(
        "style.key",
        "key agreement",
        "%",
        "higher",
        "mean",
        "Nearness of the song's key to the one asked for, else to the reference's: 100 the same, 50 a fifth above, 30 relative, "
        "20 parallel, else 0.",
        "MIREX audio key detection; keys by Krumhansl and Kessler 1982",
        "Keys heard in 108 renderings of known key were right in 69 % and had 75 on this scale: that is the ceiling.",
    ),
)


def measure(samples: Tensor, item: Item, encoder: StyleEncoder | None, name: str, genres: Sequence[str] = ()) -> dict[str, Value]:
    """The measures of a song, `samples` (2, N) at 44.1 kHz, that was to answer `item`.

    `encoder`, called `name`, gives similarities and the genre among `genres`, those of the benchmark; without one, tempo and key are
    measured alone. Raises ValueError, one line, for a clip or reference that cannot be read, and for a key that is not one.
    """
    found = _agreement(samples, item)
    if encoder is not None and samples.shape[-1] >= SHORTEST * SAMPLE_RATE and samples.abs().max() > 0:
        heard = unit(encoder.from_audio(samples, SAMPLE_RATE))
        told = _similarity(heard, item, encoder) | _genre(heard, item, encoder, genres)
        found |= {by(f"style.{measure}", name): Value(value) for measure, value in told.items()}
    return found


def tempi_agree(heard: float, asked: float, multiples: Sequence[float] = (1,)) -> bool:
    """Whether `heard` beats a minute are within 4 % of `asked`, or of a multiple of it, by any number of octaves."""
    octaves = [math.log2(heard / asked / multiple) for multiple in multiples]
    return any(abs(octave - round(octave)) <= math.log2(1 + NEAR) for octave in octaves)


def unit(vector: Tensor) -> Tensor:
    """`vector` (512,) at length 1."""
    return torch.nn.functional.normalize(vector.double(), dim=0)


def _similarity(heard: Tensor, item: Item, encoder: Any) -> dict[str, float]:
    """Cosines of the song's vector with those of what was asked."""
    found = {}
    like = item.style_audio or item.reference
    if like is not None:
        found["audio"] = float(heard @ _heard(encoder, Path(like)))
    if item.style and item.style.strip():
        found["text"] = float(heard @ _read(encoder, item.style))
    return found


def _genre(heard: Tensor, item: Item, encoder: Any, genres: Sequence[str]) -> dict[str, float]:
    """100 where the song is nearer to its own genre than to all others, 0 where not; nothing where that cannot be told."""
    others = sorted({genre for genre in genres if genre.strip().lower() != (item.genre or "").strip().lower()})
    if not item.genre or not others:
        return {}
    own, rest = _read(encoder, item.genre), torch.stack([_read(encoder, genre) for genre in others])
    told_apart = rest[(1 - rest @ own) > ALIKE]
    if not len(told_apart):
        return {}
    return {"genre": 100.0 * bool(heard @ own > (told_apart @ heard).max())}


def _agreement(samples: Tensor, item: Item) -> dict[str, Value]:
    """Tempo and key against those asked for."""
    found = {}
    tempo, key = _asked_tempo(item), _asked_key(item)
    heard = tempo and _tempo(samples)
    if tempo and heard:
        found["style.tempo"] = Value(100.0 * tempi_agree(heard, tempo))
        found["style.tempo_multiple"] = Value(100.0 * tempi_agree(heard, tempo, MULTIPLES))
    sung = key and keys.key_of(samples)
    if key and sung:
        found["style.key"] = Value(100 * keys.agreement(sung, key))
    return found


def _asked_tempo(item: Item) -> float | None:
    """The tempo of `item`: written down, or heard in its reference or its style clip."""
    if item.bpm is not None:
        return item.bpm
    like = item.reference or item.style_audio
    return None if like is None else _tempo_of_file(Path(like))


def _asked_key(item: Item) -> Key | None:
    """The key of `item`: written down, or heard in its reference."""
    if item.key:
        try:
            return keys.named(item.key)
        except ValueError as error:
            raise ValueError(f"{item.source or item.id}: {error}") from error
    return None if item.reference is None else _key_of_file(Path(item.reference))


def _tempo(samples: Tensor) -> float | None:
    """Beats a minute of `samples` (2, N) at 44.1 kHz; None where no beat is heard."""
    found = tempo_of(samples, SAMPLE_RATE)
    return None if found == UNHEARD else found[0]


def _opening(path: Path) -> Tensor:
    """The first 30 s of a file, (2, N) at 44.1 kHz."""
    samples, rate = audio.read(path)
    return audio.resample(clip(samples, rate, CLIP_SECONDS), rate, SAMPLE_RATE)


@functools.lru_cache(maxsize=REMEMBERED)  # each item is held against its songs and its controls
def _tempo_of_file(path: Path) -> float | None:
    return _tempo(_opening(path))


@functools.lru_cache(maxsize=REMEMBERED)
def _key_of_file(path: Path) -> Key | None:
    return keys.key_of(_opening(path))


@functools.lru_cache(maxsize=REMEMBERED)
def _heard(encoder: Any, path: Path) -> Tensor:
    """The unit style vector of a file's first 30 s. Raises ValueError, one line that names the file, for one that is too short."""
    samples = _opening(path)
    try:
        return unit(encoder.from_audio(samples, SAMPLE_RATE))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


@functools.lru_cache(maxsize=REMEMBERED)
def _read(encoder: Any, text: str) -> Tensor:
    """The unit style vector of a text."""
    return unit(encoder.from_text(text))
