"""Trains the embedded style encoder: clips of the corpus and the words that describe them are brought together, others apart.

A text names some of a song's tags; every clip that has all of them is right for it, so the loss counts all of those as hits. The module
also writes the prompts that the training shards carry. Letters: B clips, F mel columns.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from jam.nano.backing import INSTRUMENTS
from jam.nano.compose import GENRES
from jam.nano.corpus import KINDS, Song
from jam.style.nano import MELS, WEIGHTS, WINDOW, WORDS, NanoStyle, StyleNet, log_mel
from jam.timing import SAMPLE_RATE

log = logging.getLogger(__name__)
A_CAPPELLA, BAND, MALE = "a cappella", "band", "male voice"
TEMPI, MODES = ("slow", "medium", "fast"), ("major", "minor")
TAGS = (*GENRES, *TEMPI, *MODES, "waltz", A_CAPPELLA, BAND, MALE, "drums", *INSTRUMENTS)
SYNONYMS = {
    "pop": ("radio", "chart", "mainstream", "indie pop", "pop rock"),
    "folk": ("country", "acoustic", "singer songwriter", "campfire", "bluegrass", "celtic", "americana", "ballad", "traditional"),
    "electronic": ("techno", "house", "edm", "dance", "trance", "electro", "synthwave", "club", "synth pop", "synthpop", "electronica"),
    "hiphop": ("hip hop", "rap", "trap", "boom bap", "lofi", "lo fi", "r b", "rnb", "beats"),
    "slow": ("calm", "relaxed", "gentle", "laid back", "slowly", "tender", "quiet"),
    "medium": ("mid tempo", "midtempo", "moderate", "walking pace"),
    "fast": ("upbeat", "energetic", "quick", "driving", "lively", "uptempo", "up tempo"),
    "major": ("happy", "bright", "cheerful", "joyful", "sunny"),
    "minor": ("sad", "dark", "melancholic", "moody", "sombre", "melancholy"),
    "waltz": ("three four", "3 4", "triple metre", "triple meter"),
    A_CAPPELLA: (
        "acapella", "acappella", "a capella", "unaccompanied", "voice only", "vocals only", "vocal only", "solo voice", "solo vocal",
        "no instruments", "no backing", "without instruments", "without accompaniment", "voice alone", "only voice", "only vocals",
    ),
    BAND: ("accompaniment", "accompanied", "with backing", "backing", "full band", "ensemble", "instrumental backing", "instruments"),
    MALE: ("male", "man", "male vocal", "male vocals", "male singer", "baritone", "tenor"),
    "drums": ("drum", "beat", "drum kit", "percussion", "drum machine"),
    "acoustic guitar": ("guitar", "steel guitar", "acoustic guitars"),
    "nylon guitar": ("classical guitar", "spanish guitar"),
    "clean guitar": ("electric guitar",),
    "electric piano": ("rhodes", "keys", "keyboard"),
    "fiddle": ("violin",),
    "synth lead": ("synth", "synthesizer", "synths", "lead", "arpeggio", "arpeggios"),
    "pad": ("synth pad", "pads", "ambient"),
    "strings": ("orchestra", "orchestral", "string section"),
    "sub bass": ("808", "deep bass"),
    "bass guitar": ("bass", "electric bass"),
    "upright bass": ("double bass", "contrabass"),
    "vibraphone": ("vibes", "marimba", "bells"),
}  # fmt: skip
CLIP_COLUMNS = 256  # 5.9 s
TEMPERATURE = 0.07


@dataclass(frozen=True)
class StyleReport:
    """How well held-out songs are recognised, as shares of one."""

    genre_from_text: float  # the right one of four prompts, for a mix
    a_cappella_from_text: float  # a cappella against band, both kinds
    genre_from_audio: float  # genre of the nearest training clip, for a mix
    same_song: float  # the nearest of all second halves is one's own, for a mix


def phrases() -> dict[str, str]:
    """Every phrase that a prompt may use, and the tag it means."""
    return {tag: tag for tag in TAGS} | {phrase: tag for tag, others in SYNONYMS.items() for phrase in others}


def tags(song: Song, kind: str) -> frozenset[str]:
    """What one hears in a rendering."""
    facts = song.facts
    tempo = TEMPI[(facts["bpm"] >= 86) + (facts["bpm"] >= 112)]
    heard = {tempo, MALE} | ({"waltz"} if facts["beats_per_bar"] == 3 else set())
    if kind == "vocal":
        return frozenset(heard | {A_CAPPELLA})
    mode = "minor" if facts["minor"] else "major"
    return frozenset(heard | {BAND, facts["genre"], mode, *facts["instruments"]})


def fits(wanted: frozenset[str], heard: frozenset[str]) -> bool:
    """Whether a text that names `wanted` describes a clip; a voice alone may be of any genre."""
    return wanted - set(GENRES) <= heard if A_CAPPELLA in heard else wanted <= heard


def draw_tags(heard: frozenset[str], genre: str, rng: np.random.Generator) -> frozenset[str]:
    """Some of the tags that are heard: the telling ones nearly always."""
    if A_CAPPELLA in heard:
        chosen = {A_CAPPELLA} | ({genre} if rng.random() < 0.4 else set())
    else:
        chosen = ({genre} if rng.random() < 0.9 else set()) | ({BAND} if rng.random() < 0.3 else set())
    rest = sorted(heard - {A_CAPPELLA, BAND, *GENRES})
    chosen |= {tag for tag in rest if rng.random() < 0.35}
    return frozenset(chosen or {BAND})


def prompt(wanted: frozenset[str], rng: np.random.Generator) -> str:
    """A description of `wanted` in words, synonyms among them: 'folk, slow, violin'."""
    names = []
    for tag in sorted(wanted):
        others = SYNONYMS.get(tag, ())
        names.append(others[int(rng.integers(len(others)))] if others and rng.random() < 0.3 else tag)
    return ", ".join(names[int(place)] for place in rng.permutation(len(names)))


def mel_filters() -> Tensor:
    """Slaney's mel filters, (64, 1025)."""
    import librosa

    return torch.from_numpy(librosa.filters.mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=MELS, fmin=40, fmax=16_000)).float()


@dataclass(frozen=True)
class Clip:
    """A rendering's mel columns and what is heard in it."""

    columns: Tensor  # (64, F)
    heard: frozenset[str]
    genre: str
    index: int


def clips(songs: Sequence[Song], mel: Tensor) -> list[Clip]:
    """Both renderings of every song."""
    found = []
    for song in songs:
        for kind in KINDS:
            columns = log_mel(torch.from_numpy(song.read(kind))[None], mel)[0]
            found.append(Clip(columns, tags(song, kind), song.facts["genre"], song.index))
    return found


def contrast(heard: Tensor, said: Tensor, right: Tensor) -> Tensor:
    """The loss of unit vectors `heard` and `said` (B, 512) where `right` (text, clip) says who fits: hits gather all the weight."""
    scores = said @ heard.T / TEMPERATURE
    hits = scores.masked_fill(~right, float("-inf"))
    by_text = scores.logsumexp(1) - hits.logsumexp(1)
    by_clip = scores.logsumexp(0) - hits.logsumexp(0)
    return (by_text + by_clip).mean() / 2 + 0.5 * (1 - (heard * said).sum(1)).mean()


def train(found: Sequence[Clip], mel: Tensor, steps: int = 500, seed: int = 0, batch: int = 48) -> NanoStyle:
    """The encoder after `steps` of AdamW on random clips of `found`."""
    torch.manual_seed(seed)  # the layers' own initialisation reads the global generator
    rng = np.random.default_rng([seed, 5])
    net = StyleNet(len(TAGS))
    net.mel.copy_(mel)
    style = NanoStyle(net, TAGS, phrases())
    net.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        chosen = [found[int(place)] for place in rng.choice(len(found), batch, replace=False)]
        pieces, wanted = [], []
        for clip in chosen:
            start = int(rng.integers(max(1, clip.columns.shape[1] - CLIP_COLUMNS)))
            piece = clip.columns[:, start : start + CLIP_COLUMNS]
            pieces.append(functional.pad(piece, (0, CLIP_COLUMNS - piece.shape[1]), mode="replicate"))
            wanted.append(style.named(prompt(draw_tags(clip.heard, clip.genre, rng), rng)))
        right = torch.tensor([[fits(text, clip.heard) for clip in chosen] for text in wanted])
        loss = contrast(net.hear(torch.stack(pieces)), net.read(torch.stack([style.bag(text) for text in wanted])), right)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            log.info("style: step %d of %d, loss %.3f", step, steps, loss.item())
    net.eval().requires_grad_(False)
    return style


@torch.no_grad()
def measure(style: NanoStyle, held_out: Sequence[Clip], known: Sequence[Clip]) -> StyleReport:
    """How well the songs of `held_out` are recognised, with those of `known` as neighbours."""
    vectors = torch.stack([style.net.hear(clip.columns[None])[0] for clip in held_out])
    neighbours = torch.stack([style.net.hear(clip.columns[None])[0] for clip in known])
    mixes = [place for place, clip in enumerate(held_out) if A_CAPPELLA not in clip.heard]
    genres = [held_out[place].genre for place in mixes]
    texts = torch.stack([style.from_text(f"{genre} song") for genre in GENRES])
    guessed = [GENRES[int(best)] for best in (vectors[mixes] @ texts.T).argmax(1)]
    alone = torch.stack([style.from_text("a cappella"), style.from_text("with a full band")])
    solo = [(A_CAPPELLA in clip.heard) == (int(best) == 0) for clip, best in zip(held_out, (vectors @ alone.T).argmax(1), strict=True)]
    nearest = [known[int(best)].genre for best in (vectors[mixes] @ neighbours.T).argmax(1)]
    halves = [held_out[place].columns.tensor_split(2, dim=1) for place in mixes]
    first, second = (torch.stack([style.net.hear(half[part][None])[0] for half in halves]) for part in (0, 1))
    same = (first @ second.T).argmax(1) == torch.arange(len(mixes))
    by_text = float(np.mean([a == b for a, b in zip(genres, guessed, strict=True)]))
    by_audio = float(np.mean([a == b for a, b in zip(genres, nearest, strict=True)]))
    return StyleReport(by_text, float(np.mean(solo)), by_audio, float(same.float().mean()))


def save(style: NanoStyle, folder: Path) -> None:
    """Writes `folder`/style.safetensors and style.json."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in style.net.state_dict().items()}, folder / WEIGHTS)
    words = {"tags": list(style.tags), "phrases": phrases()}
    (folder / WORDS).write_text(json.dumps(words, indent=1, sort_keys=True) + "\n", encoding="utf-8")


