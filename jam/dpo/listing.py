"""The JSON list of pairs -> where each pair's files are, all of them checked before anything is trained. It opens no latents.

An entry is an object; the names that we write, and what else is understood as the same (upper case, and `_path`, `_file`, `_pt`, `_latent`,
`_latents`, `_embedding` at the end, change nothing):

- `win_latent`: the preferred recording; also `win`, `winner`, `winning`, `chosen`, `preferred`, `better`, `best`, `positive`, `w`;
- `lose_latent`: the other; also `lose`, `loser`, `losing`, `rejected`, `dispreferred`, `worse`, `worst`, `negative`, `l`;
- `gt_latent`: the true recording, read only for `sft: gt`; also `gt`, `ground_truth`, `truth`, `real`, `original`;
- `lrc_path`: timed words; also `lrc`, `lyrics`, `lyric`, `words`, `json`;
- `style_path`: 512 or n x 512 numbers, one row drawn at each use; also `style`, `muq`, `mulan`; without it the style is zeros;
- `duration`: seconds of song in the latents; also `seconds`, `length`, `dur`; without it the shortest latent's whole length;
- `id`: also `key`, `name`, `song`, `song_id`, `uid`; without it the pair's number. Of several pairs with one id the later ones are `ID#2`,
  `ID#3`.

Paths are relative to the working folder, else to the JSON's. Other keys are not read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jam.files import read_json

NAMED = 10  # how many problems a message spells out

SYNONYMS = {
    "win_latent": {"win", "winner", "winning", "chosen", "preferred", "better", "best", "positive", "w"},
    "lose_latent": {"lose", "loser", "losing", "rejected", "dispreferred", "worse", "worst", "negative", "l"},
    "gt_latent": {"gt", "ground_truth", "groundtruth", "truth", "real", "original"},
    "lrc_path": {"lrc", "lyrics", "lyric", "words", "json"},
    "style_path": {"style", "muq", "mulan"},
    "duration": {"duration", "seconds", "length", "dur"},
    "id": {"id", "key", "name", "song", "song_id", "uid"},
}
ENDINGS = ("_path", "_file", "_pt", "_latents", "_latent", "_embedding", "_emb")
MEANING = {name: ours for ours, names in SYNONYMS.items() for name in names}


@dataclass(frozen=True)
class PairFiles:
    """Where a pair's parts are."""

    key: str
    winner: Path
    loser: Path
    lyrics: Path
    truth: Path | None = None
    style: Path | None = None
    seconds: float | None = None  # of song in the latents; None: all of the shortest


def read_listing(path: str | Path | None, truth: bool = False) -> tuple[PairFiles, ...]:
    """The pairs that the JSON at `path` lists, in order; `truth` asks for the ground truth of each.

    Raises ValueError, in one line that names the first problems and counts the others, when an entry lacks a key, says something twice or
    names a file that is not there; and for a file that is missing, not JSON, no list, or empty.
    """
    if path is None:
        raise ValueError("data.train_dataset.dpo_json_path is not set; give the JSON list of pairs")
    path = Path(path)
    listed = read_json(path, "list of pairs", "a list of pairs, each an object with win_latent, lose_latent and lrc_path")
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"{path}: holds {type(listed).__name__ if listed else 'no pairs'}; write a list of pairs, one or more")
    pairs: list[PairFiles] = []
    problems: list[str] = []
    uses: dict[str, int] = {}
    broken = 0
    for number, item in enumerate(listed, start=1):
        reader = _Entry(item, number, path.parent)
        pair = reader.pair(truth, uses)
        problems += reader.problems
        broken += bool(reader.problems)
        if pair is not None:
            pairs.append(pair)
    if problems:
        more = f"; and {len(problems) - NAMED} more problems" if len(problems) > NAMED else ""
        raise ValueError(f"{path}: {broken} of {len(listed)} pairs cannot be used: {'; '.join(problems[:NAMED])}{more}; mend the list")
    return tuple(pairs)


class _Entry:
    """An entry while it is read; its problems are gathered, not raised, so that all of a list's are told at once."""

    def __init__(self, item: Any, number: int, folder: Path) -> None:
        self.folder, self.number = folder, number
        self.problems: list[str] = []
        self.values: dict[str, Any] = {}
        self.name = str(number)
        if not isinstance(item, Mapping):
            self._complain(f"is {type(item).__name__} instead of an object")
            return
        for key, value in item.items():
            ours = _meaning(str(key))
            if ours in self.values:
                self._complain(f"says {ours} twice, the second time as {key!r}")
            elif ours is not None and value is not None:
                self.values[ours] = value
        self.name = str(self.values.get("id", number))

    def pair(self, truth: bool, uses: dict[str, int]) -> PairFiles | None:
        """The pair, or None where there are problems."""
        if self.problems:
            return None
        files = {
            "winner": self._file("win_latent"),
            "loser": self._file("lose_latent"),
            "truth": self._file("gt_latent") if truth else None,
            "lyrics": self._file("lrc_path"),
            "style": self._file("style_path") if "style_path" in self.values else None,
        }
        seconds = self._seconds()
        if self.problems:
            return None
        uses[self.name] = uses.get(self.name, 0) + 1
        key = self.name if uses[self.name] == 1 else f"{self.name}#{uses[self.name]}"
        return PairFiles(key=key, seconds=seconds, **files)  # type: ignore[arg-type]

    def _file(self, key: str) -> Path | None:
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            self._complain(f"lacks {key!r}" if value is None else f"{key!r} is {value!r:.60} instead of a path")
            return None
        for candidate in (Path(value), self.folder / value):
            with contextlib.suppress(OSError, RuntimeError, ValueError):  # no such name, home, or folder: no such file
                file = candidate.expanduser()
                if file.is_file() and os.access(file, os.R_OK):
                    return file
        self._complain(f"{key!r} {value:.200}: no such file, neither from here nor beside the list")
        return None

    def _seconds(self) -> float | None:
        value = self.values.get("duration")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):  # refuses NaN too
            self._complain(f"'duration' is {value!r:.60}; write the song's seconds, such as 95.5")
            return None
        return float(value)

    def _complain(self, problem: str) -> None:
        named = f" ({self.name!r:.60})" if self.name != str(self.number) else ""
        self.problems.append(f"pair {self.number}{named} {problem}")


def _meaning(key: str) -> str | None:
    """Which of our keys a key means, or None. An ending is taken off only where the key means nothing with it."""
    plain = key.lower()
    while plain not in MEANING:
        ending = next((ending for ending in ENDINGS if plain.endswith(ending)), None)
        if ending is None:
            return None
        plain = plain.removesuffix(ending)
    return MEANING[plain]
