"""Teaches the embedded judge: which sound is sung in each hundredth of a second of rendered songs, whose sounds are known exactly.

Songs of the corpus: each alone, under its band at levels from faint to loud, with noise, and through the codec. Held-out
songs and lines, and everything that a network sang, are kept from it. Letters: F frames.
"""

import functools
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jam import audio
from jam.eval.judge import FILE, FRAME, MELS, RATE, SILENCE, SOUNDS, WINDOW, Judge, JudgeNet, log_mel, sounds
from jam.lyrics.lexicon import ARPABET
from jam.nano import corpus, voice
from jam.nano.shards import held_out
from jam.timing import SAMPLE_RATE
from jam.vae.griffin_lim import GriffinLimCodec
from jam.vae.nano import NanoCodec

log = logging.getLogger(__name__)

CROP = 320  # frames of a training clip
SONGS_EACH = 2  # every so many songs of the corpus are heard
CODED_EACH = 4  # every so many songs are heard through the codec, which takes long


@dataclass(frozen=True)
class Recipe:
    """How the judge is taught."""

    steps: int = 1600
    batch: int = 24
    rate: float = 2e-3  # learning rate at its height
    seed: int = 0


@dataclass(frozen=True)
class Heard:
    """Log-mel columns (64, F) of half precision, and the sound of each (F,)."""

    columns: np.ndarray
    labels: np.ndarray


def mel_filters() -> Tensor:
    """Slaney's mel filters, (64, 257), from 60 to 7600 Hz."""
    import librosa

    return torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=MELS, fmin=60, fmax=7600)).float()


def labels(song: corpus.Song, frames: int) -> np.ndarray:
    """The sound (F,) of each hundredth of a second, as its place in `SOUNDS`."""
    codes = {sound: code for code, sound in enumerate(SOUNDS)}
    row = np.full(frames, codes[SILENCE], np.int64)
    for word in song.facts["word"]:
        _, phones, _ = voice.sounds(word["word"], song.facts["voice"])
        edges = word["start"] + voice.phone_edges(phones, word["end"] - word["start"])
        for phone, start, end in zip(phones, edges[:-1], edges[1:], strict=True):
            row[round(start / FRAME) : round(end / FRAME)] = codes[sounds(ARPABET[phone.name.upper()])[0]]
    return row


def versions(song: corpus.Song, codec: NanoCodec | GriffinLimCodec | None, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The song (N,) as it is heard in training."""
    vocal, mix = song.read("vocal").mean(0), song.read("mix").mean(0)
    band = mix - vocal
    yield vocal + rng.normal(0, 1e-4, len(vocal))
    yield mix
    yield vocal * 10 ** (rng.uniform(-8, 8) / 20) + band
    level = np.sqrt(np.mean(mix**2)) * 10 ** (-rng.uniform(0, 25) / 20)
    yield mix + coloured(rng, len(mix)) * level
    if codec is not None:
        source = torch.from_numpy(song.read("mix" if rng.random() < 0.5 else "vocal"))
        yield codec.decode(codec.encode(source[None])[0])[0, :, : len(vocal)].mean(0).numpy()


def coloured(rng: np.random.Generator, count: int) -> np.ndarray:
    """Noise (count,) of deviation 1 whose spectrum falls by 0 to 6 dB an octave."""
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum, count)
    return noise / (noise.std() + 1e-12)


def hear(song: corpus.Song, bundle: Path, seed: int) -> list[Heard]:
    """All that is heard of a song."""
    rng = np.random.default_rng([seed, song.facts["seed"], 21])
    codec = _codec(bundle) if song.index % CODED_EACH == 0 else None
    found, mel = [], _filters()
    for samples in versions(song, codec, rng):
        mono = audio.resample(torch.from_numpy(np.asarray(samples, np.float32))[None], SAMPLE_RATE, RATE)
        columns = log_mel(mono, mel)[0].numpy().astype(np.float16)
        found.append(Heard(columns, labels(song, columns.shape[1])))
    return found


def material(songs: Sequence[corpus.Song], bundle: Path, seed: int, workers: int) -> list[Heard]:
    """What is heard of all songs, by several processes."""
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        parts = pool.map(functools.partial(hear, bundle=bundle, seed=seed), songs, chunksize=8)
        found = []
        for number, part in enumerate(parts, 1):
            found += part
            if number % 100 == 0:
                log.info("judge: %d of %d songs heard", number, len(songs))
    return found


def train(found: Sequence[Heard], mel: Tensor, recipe: Recipe) -> Judge:
    """The judge after `recipe.steps` of AdamW on random clips: cross-entropy of each frame's sound."""
    torch.manual_seed(recipe.seed)  # the layers' own initialisation reads the global generator
    rng = np.random.default_rng([recipe.seed, 22])
    net = JudgeNet()
    net.mel.copy_(mel)
    _set_statistics(net, found)
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=recipe.steps, pct_start=0.05)
    weights = np.array([heard.labels.size for heard in found], np.float64)
    for step in range(recipe.steps):
        chosen = rng.choice(len(found), recipe.batch, p=weights / weights.sum())
        columns, wanted = zip(*(_crop(found[int(place)], rng) for place in chosen), strict=True)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(_disturbed(torch.stack(columns), rng))
        loss = nn.functional.cross_entropy(logits.float(), torch.stack(wanted))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == recipe.steps - 1:
            log.info("judge: step %d of %d, loss %.3f", step, recipe.steps, loss.item())
    return Judge(net)


@torch.no_grad()
def accuracy(judge: Judge, found: Sequence[Heard]) -> float:
    """The share of frames whose sound is heard right."""
    right = count = 0
    for heard in found:
        best = judge.net(torch.from_numpy(heard.columns.astype(np.float32))[None])[0].argmax(0).numpy()
        right += int((best == heard.labels).sum())
        count += len(best)
    return right / count


def save(judge: Judge, folder: Path) -> None:
    """Writes `folder`/judge.safetensors in half precision."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.half().contiguous() for name, tensor in judge.net.state_dict().items()}, folder / FILE)


def make(work: Path, bundle: Path, recipe: Recipe, workers: int) -> None:
    """Teaches the judge and writes it into the bundle; the material is kept in WORK/judge/heard.npz, so that a stopped run goes on."""
    every = list(corpus.songs(work))
    known, kept = [song for song in every if not held_out(song.index)][::SONGS_EACH], [song for song in every if held_out(song.index)]
    (work / "judge").mkdir(parents=True, exist_ok=True)
    found = _kept(work / "judge" / "heard.npz", known, bundle, recipe.seed, workers)
    judge = train(found, mel_filters(), recipe)
    save(judge, bundle)
    log.info("judge: %.1f %% of the held-out frames are heard right", 100 * accuracy(judge, material(kept, bundle, recipe.seed, workers)))


def _kept(path: Path, known: Sequence[corpus.Song], bundle: Path, seed: int, workers: int) -> list[Heard]:
    """The material from `path`, or made and written there."""
    if not path.exists():
        found = material(known, bundle, seed, workers)
        part = path.with_suffix(".part.npz")
        lengths = np.array([heard.labels.size for heard in found])
        columns = np.concatenate([heard.columns for heard in found], 1)
        np.savez(part, lengths=lengths, columns=columns, labels=np.concatenate([heard.labels for heard in found]))
        part.replace(path)
    stored = np.load(path)
    edges = np.cumsum(stored["lengths"])[:-1]
    pairs = zip(np.split(stored["columns"], edges, 1), np.split(stored["labels"], edges), strict=True)
    return [Heard(np.ascontiguousarray(columns), labels_) for columns, labels_ in pairs]


def _crop(heard: Heard, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A random clip: columns (64, CROP) and labels (CROP,)."""
    start = int(rng.integers(max(1, heard.labels.size - CROP)))
    columns, wanted = heard.columns[:, start : start + CROP], heard.labels[start : start + CROP]
    short = CROP - wanted.size
    if short > 0:
        columns, wanted = np.pad(columns, ((0, 0), (0, short)), mode="edge"), np.pad(wanted, (0, short))
    return torch.from_numpy(columns.astype(np.float32)), torch.from_numpy(wanted)


def _disturbed(columns: Tensor, rng: np.random.Generator) -> Tensor:
    """`columns` (B, 64, F) each louder or softer, and with another tone: songs of others are mixed otherwise."""
    gain = rng.normal(0, 0.5, (len(columns), 1, 1))
    knots = rng.normal(0, 0.5, (len(columns), 5))
    tone = np.stack([np.interp(np.linspace(0, 4, MELS), np.arange(5), row) for row in knots])[:, :, None]
    return columns + torch.from_numpy(gain + tone).float()


def _set_statistics(net: JudgeNet, found: Sequence[Heard]) -> None:
    """The mean and deviation of each mel band, and each sound's share of the frames."""
    sample = np.concatenate([heard.columns[:, ::7].astype(np.float32) for heard in found], 1)
    net.mean.copy_(torch.from_numpy(sample.mean(1, keepdims=True)))
    net.deviation.copy_(torch.from_numpy(sample.std(1, keepdims=True)))
    counts = np.bincount(np.concatenate([heard.labels for heard in found]), minlength=len(SOUNDS)) + 1.0
    net.prior.copy_(torch.from_numpy(np.log(counts / counts.sum())))


@functools.cache
def _codec(bundle: Path) -> NanoCodec | GriffinLimCodec:
    return NanoCodec.load(bundle)


@functools.cache
def _filters() -> Tensor:
    return mel_filters()
