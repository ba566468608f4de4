"""The corpus becomes training shards as everybody's recordings do, by `jam.data.prepare`; here is what it is told of each song.

Every song is two recordings, `NNNNNN_a` (a cappella) and `NNNNNN_m` (under its backing), with its words at their exact times and their
phonemes, its tags, and two descriptions drawn from what one hears. One song in 23 goes to the `valid` shard alone.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jam.files import write_whole
from jam.lyrics.phonemes import PUNCTUATION
from jam.nano.corpus import KINDS, Song
from jam.nano.pronunciation import dictionary
from jam.nano.style import draw_tags, prompt, tags

HELD_OUT_EACH = 23
SONGS_A_SHARD = 128  # recordings
SUFFIX = {"vocal": "a", "mix": "m"}
PROMPTS = 2
LINE_GAP = 0.12  # seconds of rest after which a new line begins
LICENSE = "Apache-2.0"
SOURCE = "rendered by jam.nano.corpus (flite and FluidR3_GM)"
RULES = {  # the songs are made to be as they are
    **{"rules.min_seconds": 1.0, "rules.min_bandwidth": "null", "rules.max_unknown": "null", "rules.allow_duplicates": "true"},
    **{"timing.method": "given", "timing.verify": "false"},
}


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


def row(song: Song, kind: str) -> dict[str, Any]:
    """What the manifest says of one recording."""
    rng = np.random.default_rng([song.facts["seed"], 6 + KINDS.index(kind)])
    heard = tags(song, kind)
    return {
        "id": f"{song.index:06d}_{SUFFIX[kind]}",
        "audio": str(song.path(kind).resolve()),
        "lyrics": words(song),
        "tags": [song.facts["genre"], kind],
        "prompts": [prompt(draw_tags(heard, song.facts["genre"], rng), rng) for _ in range(PROMPTS)],
        "split": "valid" if held_out(song.index) else "train",
        "license": LICENSE,
        "source": SOURCE,
    }


def make(songs: Sequence[Song], folder: Path, bundle: Path, workers: int = 2) -> None:
    """All shards of `songs` in `folder`, with what `bundle` holds by now; what is there is not made again.

    Raises ValueError where the preparation fails.
    """
    manifest = folder / "recordings.jsonl"
    rows = (row(song, kind) for song in songs for kind in KINDS)
    write_whole(manifest, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows).encode())
    paths = {name: bundle for name in ("latents.vae_path", "styles.style_path", "timing.judge_path")}
    paths["phonemizer_path"] = bundle / "phonemizer.pt"
    words = {"input": manifest, "output": folder, **paths, **RULES, "pack.max_songs": SONGS_A_SHARD, "workers": workers, "device": "cpu"}
    given = [f"{name}={value}" for name, value in words.items()]
    done = subprocess.run([sys.executable, "-m", "jam.data.prepare", "config=configs/prepare/nano.yaml", *given], check=False)
    if done.returncode:
        raise ValueError(f"stage shards: jam.data.prepare ended with status {done.returncode} (its message is above)")
