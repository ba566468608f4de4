"""Packs the corpus for training: WebDataset tars of latents, style vectors and words with their phonemes.

Every song gives two samples, `NNNNNN_a` (a cappella) and `NNNNNN_m` (under its backing): `latent.pt` (128, T) with 64 means and 64
deviations, `style.pt` (n, 512) from clips and from prompts, `json` with the word list, duration and genre. One song in 23 goes to the
`valid` shard alone. The module knows the corpus, the codec and the style encoder.
"""

import io
import json
import logging
import os
import tarfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jam.lyrics.phonemes import PUNCTUATION
from jam.nano.corpus import KINDS, Song
from jam.nano.pronunciation import dictionary
from jam.nano.style import draw_tags, prompt, tags
from jam.style.nano import NanoStyle
from jam.timing import SAMPLE_RATE
from jam.vae.nano import NanoCodec

log = logging.getLogger(__name__)
HELD_OUT_EACH = 23
SONGS_A_SHARD = 64
SUFFIX = {"vocal": "a", "mix": "m"}
PROMPTS = 2
LINE_GAP = 0.12  # seconds of rest after which a new line begins


def held_out(index: int) -> bool:
    """Whether song `index` is kept from training."""
    return index % HELD_OUT_EACH == HELD_OUT_EACH - 1


def words(song: Song) -> list[dict]:
    """The song's words with IPA from the dictionary; some carry punctuation, so that the singer has met every mark."""
    rng = np.random.default_rng([song.facts["seed"], 9])
    sung = song.facts["word"]
    spelled = []
    for word, following in zip(sung, [*sung[1:], None], strict=True):
        ends_line = following is None or following["start"] - word["end"] > LINE_GAP
        mark = str(rng.choice(list(PUNCTUATION))) if rng.random() < (0.4 if ends_line else 0.04) else ""
        ipa = dictionary()[word["word"]] + mark
        spelled.append({"start": word["start"], "end": word["end"], "word": word["word"] + mark, "phoneme": ipa})
    return spelled


def styles(song: Song, kind: str, samples: Tensor, style: NanoStyle, rng: np.random.Generator) -> Tensor:
    """Style vectors (n, 512): two to four random clips of 4 to 10 s, and two prompts."""
    vectors = []
    for _ in range(int(rng.integers(2, 5))):
        length = min(int(rng.uniform(4, 10) * SAMPLE_RATE), samples.shape[-1])
        start = int(rng.integers(samples.shape[-1] - length + 1))
        vectors.append(style.from_audio(samples[:, start : start + length], SAMPLE_RATE))
    heard = tags(song, kind)
    for _ in range(PROMPTS):
        vectors.append(style.from_text(prompt(draw_tags(heard, song.facts["genre"], rng), rng)))
    return torch.stack(vectors)


def sample(song: Song, kind: str, codec: NanoCodec, style: NanoStyle) -> dict[str, bytes]:
    """The files of one sample, {suffix: content}."""
    samples = torch.from_numpy(song.read(kind))[None]  # (1, N)
    mean, deviation = codec.encode(samples[None])
    latent = torch.cat([mean[0], deviation[0]], -1).T.contiguous()  # (128, T)
    rng = np.random.default_rng([song.facts["seed"], 6 + KINDS.index(kind)])
    record = {"word": words(song), "duration": song.facts["duration"], "genre": song.facts["genre"], "kind": kind}
    return {
        "latent.pt": _saved(latent),
        "style.pt": _saved(styles(song, kind, samples, style, rng)),
        "json": json.dumps(record, ensure_ascii=False).encode(),
    }


def write(songs: Sequence[Song], path: Path, bundle: Path) -> int:
    """Writes both samples of each song to the tar `path`, aside and then renamed; how many samples."""
    codec, style = NanoCodec.load(bundle), NanoStyle.load(bundle)
    part = path.with_suffix(".part")
    with tarfile.open(part, "w") as tar:
        for song in songs:
            for kind in KINDS:
                for suffix, content in sample(song, kind, codec, style).items():
                    entry = tarfile.TarInfo(f"{song.index:06d}_{SUFFIX[kind]}.{suffix}")
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
    os.replace(part, path)
    return len(songs) * len(KINDS)


def make(songs: Sequence[Song], folder: Path, bundle: Path, workers: int = 2) -> None:
    """All shards of `songs` in `folder`: train-NNNNNN.tar by the songs' numbers and valid-000000.tar; existing shards are kept.

    The codec and the style encoder are those of `bundle`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    members: dict[Path, list[Song]] = {folder / "valid-000000.tar": [song for song in songs if held_out(song.index)]}
    for song in songs:
        if not held_out(song.index):
            members.setdefault(folder / f"train-{song.index // SONGS_A_SHARD:06d}.tar", []).append(song)
    todo = {path: chosen for path, chosen in members.items() if chosen and not path.exists()}
    with ProcessPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for path, count in zip(todo, pool.map(partial(write, bundle=bundle), todo.values(), todo), strict=True):
            log.info("shards: %s with %d samples", path, count)


def _saved(tensor: Tensor) -> bytes:
    """What torch.save writes for `tensor`."""
    stream = io.BytesIO()
    torch.save(tensor, stream)
    return stream.getvalue()
