"""Trains the embedded style encoder: clips of the corpus and the words that describe them are brought together, others apart.

A text names some of what is heard in a song; every clip that has all of it is right for the text, so the loss counts all of those as hits.
Both towers' vectors are also read linearly (genre, voice, tempo and so on), a text's as far as it speaks of these. The module also writes
the prompts that the training shards carry. A tag is a word or two such as 'folk' or 'female voice', and '96 bpm', and 'no drums'.
Letters: B clips, F columns.
"""

import json
import logging
import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from jam.nano.compose import GENRES
from jam.nano.corpus import KINDS, Song
from jam.style.nano import HOP, MELS, MODES, TEMPI, WEIGHTS, WORDS, JointNet, NanoStyle, Shape, columns, tokens
from jam.timing import SAMPLE_RATE

log = logging.getLogger(__name__)
A_CAPPELLA, BAND, MALE, WALTZ = "a cappella", "band", "male voice", "waltz"
VOICES = {"kal16": "bass voice", "rms": "baritone voice", "awb": "tenor voice", "slt": "female voice"}
PACES = {"slow": (0.0, 88.0), "medium": (88.0, 116.0), "fast": (116.0, 999.0)}  # beats a minute
FAMILIES = {  # of instruments, and the words of their names that tell one
    **{"guitar": ("guitar",), "piano": ("piano",), "synth": ("synth", "polysynth", "lead", "pad"), "strings": ("strings", "cello")},
    **{"brass": ("brass", "trumpet", "trombone", "horn"), "saxophone": ("saxophone",), "bass": ("bass",)},
    **{"woodwind": ("flute", "clarinet", "oboe"), "mallets": ("vibraphone", "marimba", "glockenspiel")},
}
ABSENT = ("drums", "piano", "guitar", "strings", "synth", "brass")  # whose absence a text may name
TAGS = (*GENRES, *PACES, *MODES, WALTZ, A_CAPPELLA, BAND, MALE, *VOICES.values(), "drums", *FAMILIES, *(f"no {name}" for name in ABSENT))
SYNONYMS: dict[str, tuple[str, ...]] = {
    "pop": ("radio", "chart", "mainstream", "indie pop", "pop music", "catchy"),
    "rock": ("indie rock", "hard rock", "punk", "grunge", "alternative", "metal", "garage rock", "rock n roll", "rock and roll"),
    "folk": ("country", "singer songwriter", "campfire", "bluegrass", "celtic", "americana", "traditional", "folk music"),
    "electronic": (
        *("techno", "house", "edm", "dance", "trance", "electro", "synthwave", "club", "synth pop", "synthpop"),
        *("electronica", "electronic music", "rave"),
    ),
    "hiphop": ("hip hop", "rap", "trap", "boom bap", "lofi", "lo fi", "r b", "rnb", "hip hop beat"),
    "jazz": ("swing", "bebop", "big band", "jazzy", "smooth jazz", "lounge", "blues", "jazz trio", "swinging"),
    "latin": ("salsa", "bossa nova", "samba", "reggaeton", "cumbia", "tango", "mambo", "bossa", "latin american", "cuban"),
    "orchestral": ("classical", "symphonic", "cinematic", "film score", "orchestra", "symphony", "epic", "soundtrack", "with an orchestra"),
    "slow": ("calm", "relaxed", "gentle", "laid back", "slowly", "tender", "quiet", "ballad", "slow tempo", "low tempo"),
    "medium": ("mid tempo", "midtempo", "moderate", "walking pace", "medium tempo", "moderate tempo"),
    "fast": ("upbeat", "energetic", "quick", "driving", "lively", "uptempo", "up tempo", "fast tempo", "high tempo"),
    "major": ("happy", "bright", "cheerful", "joyful", "sunny", "major key", "in a major key"),
    "minor": ("sad", "dark", "melancholic", "moody", "sombre", "melancholy", "minor key", "in a minor key"),
    WALTZ: ("three four", "3 4", "triple metre", "triple meter", "waltz time", "in three"),
    A_CAPPELLA: (
        *("acapella", "acappella", "a capella", "unaccompanied", "voice only", "vocals only", "vocal only", "solo voice", "solo vocal"),
        *("no instruments", "no backing", "without instruments", "without accompaniment", "voice alone", "only voice", "only vocals"),
        *("without a band", "no band", "without backing", "no accompaniment", "solo singing", "just a voice", "solo"),
    ),
    BAND: (
        *("accompaniment", "accompanied", "with backing", "backing", "full band", "ensemble", "instrumental backing", "instruments"),
        "with a band",
    ),
    MALE: ("male", "man", "male vocal", "male vocals", "male singer", "a man sings", "man singing", "men"),
    "bass voice": ("bass singer", "very deep voice", "low male voice", "deep male voice", "basso", "bass vocal"),
    "baritone voice": ("baritone", "baritone singer", "baritone vocal", "medium male voice"),
    "tenor voice": ("tenor", "tenor singer", "high male voice", "tenor vocal"),
    "female voice": (
        *("female", "woman", "female vocal", "female vocals", "female singer", "a woman sings", "woman singing", "women"),
        *("soprano", "alto", "girl", "her voice", "lady"),
    ),
    "drums": ("drum", "drum kit", "percussion", "drum machine", "drumming"),
    "guitar": ("guitars", "guitarist"),
    "piano": ("pianos", "pianist", "keys", "keyboard"),
    "synth": ("synthesizer", "synths", "synthesiser", "arpeggio", "arpeggios"),
    "strings": ("string section", "orchestral strings"),
    "brass": ("horns", "horn section", "brass section"),
    "saxophone": ("sax", "saxophones"),
    "bass": ("bassline", "bass line"),
    "woodwind": ("woodwinds", "wind instruments"),
    "mallets": ("bells", "mallet instruments"),
    "acoustic guitar": ("steel guitar", "acoustic guitars", "strummed guitar"),
    "nylon guitar": ("classical guitar", "spanish guitar"),
    "clean guitar": ("electric guitar",),
    "distorted guitar": ("heavy guitar", "distortion guitar", "fuzzy guitar"),
    "electric piano": ("rhodes", "wurlitzer"),
    "fiddle": ("violin",),
    "pad": ("synth pad", "pads", "ambient"),
    "sub bass": ("808", "deep bass"),
    "bass guitar": ("electric bass",),
    "upright bass": ("contrabass", "acoustic bass"),
    "vibraphone": ("vibes",),
}
DRUMLESS = ("drumless", "without drums", "without percussion", "no percussion", "no beat", "beatless")
# how a part of a prompt begins that stands for itself
CLAUSES = {"no", "without", "with", "in", "a", "just", "only", "voice", "vocal", "vocals", "drumless", "beatless", "tempo"}
FILLERS = ("song", "track", "tune", "piece", "recording")
OPENINGS = ("", "", "a ", "a ", "this is a ", "please make a ", "something like a ", "I want a ", "my favourite ", "80s ")
CLIP_SECONDS = (4, 12)
TEMPO_WITHIN = 0.04  # how far a clip's tempo may lie from that of a text it fits
STRETCH = 0.08  # a clip is played up to so much slower or faster
TEMPERATURE = 0.07
SECONDS_MEASURED = 12.0


@dataclass(frozen=True)
class StyleReport:
    """How well held-out songs are recognised, as shares of one; tempo where it is within 6 %."""

    genre_from_audio: float  # read from the vector of a mix
    genre_from_text: float  # the nearest of a prompt for each genre, for a mix
    genre_from_neighbour: float  # genre of the nearest training clip, for a mix
    voice: float  # of four, both kinds
    voice_of_texts: float  # of four, read from prompts
    tempo: float  # of a mix
    tempo_alone: float  # of a voice alone
    tempo_of_texts: float  # read from '97 bpm', every whole number from 60 to 160
    mode: float  # of a mix
    a_cappella: float  # both kinds
    a_cappella_from_text: float  # 'a cappella' against 'with a full band', both kinds
    instruments: float  # of a mix: mean of the shares of those there and those not there that are told right


def phrases(instruments: Sequence[str] = ()) -> dict[str, str]:
    """Every phrase that a prompt may use, and the tag it means."""
    tags = dict.fromkeys([*TAGS, *instruments])
    known = {tag: tag for tag in tags} | {phrase: tag for tag in tags for phrase in SYNONYMS.get(tag, ())}
    known |= {f"without {name}": f"no {name}" for name in ABSENT} | dict.fromkeys(DRUMLESS, "no drums")
    return known | dict.fromkeys(("without a drum", "without any drums", "no drum"), "no drums")


def pace(bpm: float) -> str:
    """The word for a tempo."""
    return next(name for name, (low, high) in PACES.items() if low <= bpm < high)


def with_tempo(heard: frozenset[str], bpm: float) -> frozenset[str]:
    """Tags with those of a tempo, as a word and as a number."""
    return heard | {pace(bpm), f"{bpm:.0f} bpm"}


def sounds(song: Song, kind: str) -> frozenset[str]:
    """What one hears in a rendering, its tempo apart."""
    facts = song.facts
    heard = {VOICES[facts["voice"]]} | ({MALE} if facts["voice"] != "slt" else set())
    heard |= {WALTZ} if facts["beats_per_bar"] == 3 else set()
    if kind == "vocal":
        return frozenset(heard | {A_CAPPELLA})
    families = {name for name, words in FAMILIES.items() if any(set(words) & set(one.split()) for one in facts["instruments"])}
    return frozenset(heard | {BAND, facts["genre"], MODES[facts["minor"]], *facts["instruments"], *families})


def tags(song: Song, kind: str) -> frozenset[str]:
    """What one hears in a rendering, such as '96 bpm'."""
    return with_tempo(sounds(song, kind), song.facts["bpm"])


def tempo_in(wanted: frozenset[str]) -> float | None:
    """The beats a minute that tags name."""
    return next((float(tag.split()[0]) for tag in wanted if tag.endswith(" bpm")), None)


def fits(wanted: frozenset[str], heard: frozenset[str]) -> bool:
    """Whether a text that names `wanted` describes a clip; a voice alone may be of any genre, and a tempo of about the same number."""
    asked, there = tempo_in(wanted), tempo_in(heard)
    if asked is not None and (there is None or abs(asked / there - 1) > TEMPO_WITHIN):
        return False
    plain = {tag for tag in wanted if not tag.endswith(" bpm")}
    if A_CAPPELLA in heard:
        plain -= set(GENRES)
    lacking = {tag[3:] for tag in plain if tag.startswith("no ")}
    return {tag for tag in plain if not tag.startswith("no ")} <= heard and not lacking & heard


def draw_tags(heard: frozenset[str], genre: str, rng: np.random.Generator) -> frozenset[str]:
    """Some of the tags that are heard, the telling ones nearly always; sometimes one that is missing, as 'no drums'."""
    chosen: set[str] = set()
    if A_CAPPELLA in heard:
        chosen |= {A_CAPPELLA} | ({genre} if rng.random() < 0.4 else set())
    else:
        chosen |= ({genre} if rng.random() < 0.85 else set()) | ({BAND} if rng.random() < 0.2 else set())
        lacking = [name for name in ABSENT if name not in heard]
        if lacking and rng.random() < 0.2:
            chosen.add(f"no {lacking[0] if lacking[0] == 'drums' else lacking[int(rng.integers(len(lacking)))]}")
    if rng.random() < 0.6:  # a tempo is told in one way
        told = rng.random() < 0.6
        chosen |= {tag for tag in heard if (tag.endswith(" bpm") if told else tag in PACES)}
    if rng.random() < 0.6:  # and a voice
        voices = sorted(heard & {MALE, *VOICES.values()})
        chosen |= set(voices) if rng.random() < 0.25 else {voices[int(rng.integers(len(voices)))]}
    if WALTZ in heard and rng.random() < 0.5:
        chosen.add(WALTZ)
    rest = sorted(tag for tag in heard - {A_CAPPELLA, BAND, WALTZ, MALE, *GENRES, *PACES, *VOICES.values()} if not tag.endswith(" bpm"))
    share = min(0.3, 2.0 / max(1, len(rest)))
    chosen |= {tag for tag in rest if rng.random() < share}
    return frozenset(chosen or {BAND})


def prompt(wanted: frozenset[str], rng: np.random.Generator) -> str:
    """A description of `wanted` in words, synonyms among them: 'folk, slow, violin', or 'a slow folk song with violin, male voice'."""
    said = {tag: _said(tag, rng) for tag in sorted(wanted)}
    if rng.random() < 0.5:
        names = list(said.values())
        return ", ".join(names[int(place)] for place in rng.permutation(len(names)))
    before = [said.pop(tag) for tag in sorted(wanted) if tag in (*PACES, *MODES) and not _is_clause(said[tag])]
    genre = [said.pop(tag) for tag in sorted(wanted) if tag in GENRES and not _is_clause(said[tag])]
    if A_CAPPELLA in said and rng.random() < 0.4 and not _is_clause(said[A_CAPPELLA]):
        before.append(said.pop(A_CAPPELLA))
    rng.shuffle(before)
    head = _one(OPENINGS, rng) + " ".join([*before, *genre, _one(FILLERS, rng)])
    tempo = [said.pop(tag) for tag in list(said) if tag.endswith(" bpm")]
    if tempo:
        head += f"{_one((' at ', ', ', ' of ', ' with a tempo of '), rng)}{tempo[0]}"
    names = [said[tag] for tag in sorted(said)]
    names = [names[int(place)] for place in rng.permutation(len(names))]
    listed = [name for name in names if not _is_clause(name)]
    if listed:
        head += (
            _one((" with ", ", ", ": ", " featuring "), rng) + (", ".join(listed[:-1]) + " and " if len(listed) > 1 else "") + listed[-1]
        )
    return ", ".join([head, *(name for name in names if _is_clause(name))])


def _said(tag: str, rng: np.random.Generator) -> str:
    """One way to say a tag."""
    if tag.endswith(" bpm"):
        number = tag.split()[0]
        return _one((tag, tag, f"{number}bpm", f"{number} BPM", f"tempo {number}", f"{number} beats per minute"), rng)
    others = SYNONYMS.get(tag, ())
    if tag.startswith("no "):
        others = (f"without {tag[3:]}", *(DRUMLESS if tag == "no drums" else ()))
    return _one(others, rng) if others and rng.random() < 0.35 else tag


def _one(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _is_clause(name: str) -> bool:
    """Whether words stand for themselves, and not after 'with' or before 'song'."""
    return name.split()[0] in CLAUSES


def misspelt(text: str, rng: np.random.Generator) -> str:
    """A text with a letter gone or two changed about in some of its long words."""
    words = text.split(" ")
    for place, word in enumerate(words):
        if len(word) >= 5 and word.isalpha() and rng.random() < 0.06:
            at = int(rng.integers(1, len(word) - 1))
            words[place] = word[:at] + (word[at + 1 :] if rng.random() < 0.5 else word[at + 1] + word[at] + word[at + 2 :])
    return " ".join(words)


@dataclass(frozen=True)
class Clip:
    """What the encoder hears of a rendering, and what is known of it."""

    columns: Tensor  # (76, F) float16
    sung: Tensor  # (F + 1,) columns with singing before each
    heard: frozenset[str]  # its tempo apart
    genre: str
    bpm: float
    instruments: tuple[str, ...]
    index: int


def clips(songs: Sequence[Song], workers: int = 1) -> list[Clip]:
    """Both renderings of every song."""
    if workers <= 1:
        return [clip for song in songs for clip in _clips_of(song)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        seen = list(pool.map(_seen, songs, chunksize=8))
    return [clip for song, both in zip(songs, seen, strict=True) for clip in _clips_of(song, both)]


def _seen(song: Song) -> list[np.ndarray]:
    """The columns (76, F) float16 of both renderings."""
    sounds_of = (torch.from_numpy(np.atleast_2d(song.read(kind)).mean(0))[None] for kind in KINDS)
    return [columns(samples)[0].half().numpy() for samples in sounds_of]


def _clips_of(song: Song, seen: Sequence[np.ndarray] | None = None) -> list[Clip]:
    facts, found = song.facts, []
    for kind, values in zip(KINDS, seen or _seen(song), strict=True):
        sings = np.zeros(values.shape[1] + 1, np.int64)
        for word in facts["word"]:
            sings[1 + round(word["start"] * SAMPLE_RATE / HOP) : 1 + round(word["end"] * SAMPLE_RATE / HOP)] = 1
        sung = torch.from_numpy(sings.cumsum())
        instruments = tuple(facts["instruments"]) if kind == "mix" else ()
        about = (sounds(song, kind), facts["genre"], float(facts["bpm"]), instruments, song.index)
        found.append(Clip(torch.from_numpy(values), sung, *about))
    return found


def crop(clip: Clip, length: int, factor: float, rng: np.random.Generator) -> Tensor:
    """A piece (76, length) float32 of a clip, `factor` times as fast, in which somebody sings; played again from its start if too short."""
    taken = round(length * factor)
    whole = clip.columns
    if whole.shape[1] < taken:
        whole = whole.repeat(1, -(-taken // whole.shape[1]))
    start = 0
    for _ in range(8):
        start = int(rng.integers(whole.shape[1] - taken + 1))
        if start + taken < len(clip.sung) and clip.sung[start + taken] - clip.sung[start] > 0.3 * taken:
            break
    piece = whole[:, start : start + taken].float()
    return piece if taken == length else functional.interpolate(piece[None], length, mode="linear")[0]


def roughened(seen: Tensor, rng: np.random.Generator) -> Tensor:
    """Columns (B, 76, F) with other tone: a random equaliser, at times less treble, at times noise."""
    count, made = len(seen), torch.Generator().manual_seed(int(rng.integers(2**31)))
    curve = functional.interpolate(0.4 * torch.randn(count, 1, 7, generator=made), MELS, mode="linear", align_corners=True)[:, 0]
    highest = torch.where(torch.rand(count, 1, generator=made) < 0.2, torch.randint(36, MELS, (count, 1), generator=made), MELS)
    curve = curve - 4.0 * (torch.arange(MELS) >= highest)
    mel = seen[:, :MELS] + curve[:, :, None]
    level = mel.exp().mean((1, 2)) * 10 ** -(1.0 + 2.5 * torch.rand(count, generator=made)) * (torch.rand(count, generator=made) < 0.4)
    noise = level[:, None, None] * (0.5 + torch.rand(mel.shape, generator=made))
    return torch.cat([torch.log(mel.exp() + noise), seen[:, MELS:]], 1)


def contrast(heard: Tensor, said: Tensor, right: Tensor) -> Tensor:
    """The loss of unit vectors `heard` and `said` (B, 512) where `right` (text, clip) says who fits: hits gather all the weight."""
    scores = said @ heard.T / TEMPERATURE
    hits = scores.masked_fill(~right, float("-inf"))
    by_text = scores.logsumexp(1) - hits.logsumexp(1)
    by_clip = scores.logsumexp(0) - hits.logsumexp(0)
    return (by_text + by_clip).mean() / 2 + 0.5 * (1 - (heard * said).sum(1)).mean()


def shares(wanted: frozenset[str], shape: Shape, whole: bool) -> dict[str, np.ndarray]:
    """What the read-outs should say of tags: shares that add up to one, none where nothing is said; -1 in what is heard or not.

    `whole`: the tags are all that is heard, so what is not among them is not heard.
    """
    found = {name: np.zeros(size, np.float32) for name, size in shape.read_outs.items()}
    male = {VOICES[name] for name in VOICES if name != "slt"}
    for name, names in (("genre", shape.genres), ("mode", MODES)):
        found[name][:] = [one in wanted for one in names]
    voices = wanted & set(VOICES.values()) or (male if MALE in wanted else set())
    found["voice"][:] = [(VOICES[one] in voices) / max(1, len(voices)) for one in shape.voices]
    if whole or WALTZ in wanted:
        found["metre"][int(WALTZ in wanted)] = 1
    bpm = tempo_in(wanted)
    if bpm is not None:
        near = np.exp(-0.5 * ((np.log(TEMPI) - np.log(bpm)) / np.log(TEMPI[1] / TEMPI[0]) / 0.8) ** 2)
        found["tempo"][:] = near / near.sum()
    for name in wanted & set(PACES) if bpm is None else ():
        low, high = PACES[name]
        within = (low <= TEMPI) & (high > TEMPI)
        found["tempo"][:] = within / within.sum()
    played = wanted & {BAND, *shape.instruments, *FAMILIES}
    found["alone"][:] = 1 if A_CAPPELLA in wanted else 0 if whole or played else -1
    absent = {one for one in shape.instruments if whole or A_CAPPELLA in wanted or f"no {one}" in wanted}
    found["instruments"][:] = [1 if one in wanted else 0 if one in absent else -1 for one in shape.instruments]
    return found


def told_wrong(logits: dict[str, Tensor], right: Sequence[dict[str, np.ndarray]]) -> Tensor:
    """The loss of read-outs of which `right` says what they should be."""
    loss = torch.zeros(())
    for name, values in logits.items():
        wanted = torch.from_numpy(np.stack([one[name] for one in right]))
        if name in ("alone", "instruments"):
            known = wanted >= 0
            costs = functional.binary_cross_entropy_with_logits(values, wanted.clamp_min(0), reduction="none") * known
            loss = loss + costs.sum() / known.sum().clamp_min(1) * (2.0 if name == "instruments" else 1.0)
        else:
            loss = loss - (wanted * values.log_softmax(-1)).sum() / wanted.sum().clamp_min(1)
    return loss


def train(found: Sequence[Clip], steps: int = 2000, seed: int = 0, batch: int = 48, shape: Shape | None = None) -> NanoStyle:
    """The encoder after `steps` of AdamW on random pieces of `found`; `shape` has other sizes than the usual ones."""
    torch.manual_seed(seed)  # the layers' own initialisation reads the global generator
    rng = np.random.default_rng([seed, 5])
    instruments = tuple(sorted({name for clip in found for name in clip.instruments}))
    net = JointNet(shape or Shape(tuple(GENRES), tuple(VOICES), instruments))
    style = NanoStyle(net, [*dict.fromkeys([*TAGS, *instruments])], phrases(instruments))
    net.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    batch = min(batch, len(found))
    for step in range(steps):
        chosen = [found[int(place)] for place in rng.choice(len(found), batch, replace=False)]
        factors = np.exp(rng.uniform(-STRETCH, STRETCH, batch))
        length = round(float(rng.integers(*CLIP_SECONDS, endpoint=True)) * SAMPLE_RATE / HOP)  # whole seconds: few shapes to prepare for
        pieces = [crop(clip, length, factor, rng) for clip, factor in zip(chosen, factors, strict=True)]
        heard = [with_tempo(clip.heard, clip.bpm * factor) for clip, factor in zip(chosen, factors, strict=True)]
        wanted = [draw_tags(one, clip.genre, rng) for one, clip in zip(heard, chosen, strict=True)]
        ids, bumps = tokens([misspelt(prompt(one, rng), rng) for one in wanted], net.shape.buckets)
        more = -ids.shape[1] % 16  # few shapes here too
        ids, bumps = functional.pad(ids, (0, 0, 0, more)), functional.pad(bumps, (0, 0, 0, more))
        hidden = torch.from_numpy(rng.random(ids.shape[:2]) < 0.25)
        ids[..., 0] = torch.where(hidden & (ids[..., 1] > 0), 0, ids[..., 0])  # a word without its own bucket, as unknown ones are
        right = torch.tensor([[fits(text, one) for one in heard] for text in wanted])
        with torch.autocast("cpu", torch.bfloat16):
            ears, eyes = net.hear(roughened(torch.stack(pieces), rng)), net.read(ids, bumps)
        loss = contrast(ears, eyes, right)
        loss = loss + 0.5 * told_wrong(net.tell(ears), [shares(one, net.shape, True) for one in heard])
        loss = loss + 0.3 * told_wrong(net.tell(eyes), [shares(one, net.shape, False) for one in wanted])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            log.info("style: step %d of %d, loss %.3f", step, steps, loss.item())
    net.eval().requires_grad_(False)
    return style


@torch.no_grad()
def measure(style: NanoStyle, held_out: Sequence[Clip], known: Sequence[Clip]) -> StyleReport:
    """How well the middle twelve seconds of the songs of `held_out` are recognised, with those of `known` as neighbours."""
    vectors, neighbours = torch.stack([_middle(style, clip) for clip in held_out]), torch.stack([_middle(style, clip) for clip in known])
    told = [style.read_out(vector) for vector in vectors]
    alone = [A_CAPPELLA in clip.heard for clip in held_out]
    mixes = [place for place, solo in enumerate(alone) if not solo]
    genres = [held_out[place].genre for place in mixes]
    texts = torch.stack([style.from_text(f"{genre} song") for genre in GENRES])
    by_text = [GENRES[int(best)] for best in (vectors[mixes] @ texts.T).argmax(1)]
    nearest = [known[int(best)].genre for best in (vectors[mixes] @ neighbours.T).argmax(1)]
    doors = torch.stack([style.from_text("a cappella"), style.from_text("with a full band")])
    voices = [VOICES[_best(one["voice"])] in clip.heard for one, clip in zip(told, held_out, strict=True)]
    near = [abs(one["bpm"] / clip.bpm - 1) <= 0.06 for one, clip in zip(told, held_out, strict=True)]
    sung = [VOICES[_best(style.read_out(style.from_text(f"a song, {word}"))["voice"])] == word for word in VOICES.values()]
    counted = [abs(style.read_out(style.from_text(f"{bpm} bpm"))["bpm"] / bpm - 1) <= 0.06 for bpm in range(60, 161)]
    here: list[bool] = []
    missing: list[bool] = []
    for place in mixes:
        for name, share in told[place]["instruments"].items():
            (here if name in held_out[place].instruments else missing).append((share > 0.5) == (name in held_out[place].instruments))
    return StyleReport(
        genre_from_audio=_share(_best(told[place]["genre"]) == genre for place, genre in zip(mixes, genres, strict=True)),
        genre_from_text=_share(a == b for a, b in zip(genres, by_text, strict=True)),
        genre_from_neighbour=_share(a == b for a, b in zip(genres, nearest, strict=True)),
        voice=_share(voices),
        voice_of_texts=_share(sung),
        tempo=_share(near[place] for place in mixes),
        tempo_alone=_share(one for one, solo in zip(near, alone, strict=True) if solo),
        tempo_of_texts=_share(counted),
        mode=_share(_best(told[place]["mode"]) in held_out[place].heard for place in mixes),
        a_cappella=_share((one["a cappella"] > 0.5) == solo for one, solo in zip(told, alone, strict=True)),
        a_cappella_from_text=_share((int(best) == 0) == solo for best, solo in zip((vectors @ doors.T).argmax(1), alone, strict=True)),
        instruments=(_share(here) + _share(missing)) / 2,
    )


def _middle(style: NanoStyle, clip: Clip) -> Tensor:
    """The vector (512,) of the middle of a clip."""
    length = min(clip.columns.shape[1], round(SECONDS_MEASURED * SAMPLE_RATE / HOP))
    start = (clip.columns.shape[1] - length) // 2
    return style.net.hear(clip.columns[None, :, start : start + length].float())[0]


def _best(told: dict[str, float]) -> str:
    return max(told, key=told.__getitem__)


def _share(right: Iterable[bool]) -> float:
    found = list(right)
    return float(np.mean(found)) if found else float("nan")


def save(style: NanoStyle, folder: Path) -> None:
    """Writes `folder`/style.safetensors, in half precision, and style.json."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.half().contiguous() for name, tensor in style.net.state_dict().items()}, folder / WEIGHTS)
    (folder / WORDS).write_text(json.dumps(style.words(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
