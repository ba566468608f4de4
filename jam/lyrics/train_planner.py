"""Trains the planner's learned durations on timed songs, and tells how far off the planner is on songs it kept aside.

    python -m jam.lyrics.train_planner data='work/train-{000000..000011}.tar' output=planner.safetensors steps=1500

`data` is shards (their JSON members), JSON files or folders of them, several joined by `::`; any timed words do, with `bpm` and
`beats_per_bar` where they are known. Lines are those of the file, or what rests divide. Knows no sound.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jam import assets, config
from jam.files import read_json
from jam.lyrics import durations, formats
from jam.lyrics.durations import Text
from jam.lyrics.pace import Beat
from jam.lyrics.planner import BPM, PlanSettings, measured, plan
from jam.lyrics.sheet import Line, Sheet, SheetWord, of_words
from jam.lyrics.words import BEYOND_SECONDS
from jam.randomness import generator

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger("jam")

FEWEST = 20  # songs that are worth training on
LONGEST_LINE = 24  # words; a longer line than this is a file without lines
LOG_EVERY = 100

IpaOf = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True)
class TrainPlannerConfig:
    """Every setting of the entry. One song in `held_out` is kept aside; `flat` is the share of songs that are shown without their lines."""

    data: str = ""
    output: str = "planner.safetensors"
    steps: int = 1500
    batch_size: int = 16
    learning_rate: float = 3e-3
    held_out: int = 23
    flat: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class TimedSong:
    """A song whose words are timed, with its metre and its duration in seconds."""

    sheet: Sheet
    beats_per_bar: int = 4

    @property
    def onsets(self) -> list[float]:
        """When each word begins, in seconds."""
        return [word.start for word in self.sheet.words if word.start is not None]

    @property
    def duration(self) -> float:
        """Seconds of the song; where the file does not say, its last word ends it."""
        return self.sheet.duration or max(word.end or 0.0 for word in self.sheet.words)

    def untimed(self, flat: bool) -> Sheet:
        """The same words without times, in one line if `flat`."""
        lines = [tuple(replace(word, start=None, end=None, phones=None) for word in line.words) for line in self.sheet.lines]
        rows = [sum(lines, ())] if flat else lines
        return replace(self.sheet, lines=tuple(Line(words) for words in rows), sections=())


def songs(data: str) -> list[TimedSong]:
    """The timed songs of `data`, each once. Raises ValueError, naming the place, for data that is missing or cannot be read."""
    found: dict[tuple[SheetWord, ...], TimedSong] = {}
    for name, content in _contents(data):
        if (song := _song(content, name)) is not None:
            found.setdefault(song.sheet.words, song)
    return list(found.values())


def _contents(data: str) -> Iterator[tuple[str, Any]]:
    """The name and content of each JSON file that `data` means."""
    for pattern in filter(None, data.split("::")):
        for path in map(Path, _expanded(pattern)):
            if path.is_dir():
                yield from ((str(file), read_json(file, "lyrics file", "timed words")) for file in sorted(path.glob("*.json")))
            elif path.suffix == ".tar":
                yield from _members(path)
            else:
                yield str(path), read_json(path, "lyrics file", "timed words")


def _expanded(pattern: str) -> list[str]:
    """`a-{000..002}.tar` as its three names."""
    braces = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if braces is None:
        return [pattern]
    numbers = range(int(braces[1]), int(braces[2]) + 1)
    return [name for n in numbers for name in _expanded(pattern.replace(braces[0], f"{n:0{len(braces[1])}d}", 1))]


def _members(path: Path) -> Iterator[tuple[str, Any]]:
    """The JSON members of a shard."""
    if not path.is_file():
        raise ValueError(f"{path}: no such shard; check data")
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name.endswith(".json") else None
                if file is not None:
                    yield f"{path}: {member.name}", json.loads(file.read())
    except (tarfile.TarError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a shard that can be read ({error}); make it again") from error


def _song(content: Any, name: str) -> TimedSong | None:
    """The song that a file holds, None for one without timed words."""
    sheet = formats.parse_sheet(content, name)
    if not sheet.words or sheet.timing != "words":
        return None
    if any(len(line.words) > LONGEST_LINE for line in sheet.lines):
        sheet = replace(of_words(sheet.timed(name)), bpm=sheet.bpm, duration=sheet.duration)
    told = content if isinstance(content, Mapping) else {}
    bpm, duration = _number(told.get("bpm")), _number(told.get("duration"))
    return TimedSong(
        replace(sheet, bpm=sheet.bpm or bpm, duration=sheet.duration or duration), int(_number(told.get("beats_per_bar")) or 4)
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < BEYOND_SECONDS else None


def text(song: TimedSong, ipa_of: IpaOf, flat: bool) -> Text:
    """What the network is told of a song."""
    lines = measured(song.untimed(flat), ipa_of)
    return Text(tuple(map(tuple, lines)), Beat(60.0 / (song.sheet.bpm or BPM), song.beats_per_bar), song.duration)


def train(known: Sequence[TimedSong], settings: TrainPlannerConfig, ipa_of: IpaOf) -> nn.Module:
    """The network that has learned to place the words of `known`: the mean distance of its onsets from theirs falls."""
    import torch

    texts = [[(text(song, ipa_of, flat), torch.tensor(song.onsets)) for flat in (False, True)] for song in known]
    draws = generator("train_planner", settings.seed)
    net = durations.network()
    with torch.no_grad():
        for name, tensor in net.named_parameters():
            if name.startswith(("0.", "2.")):  # the last layer begins at nothing, the others need a start of their own
                tensor.copy_((torch.rand(tensor.shape, generator=draws) * 2 - 1) / (tensor[0].numel() or 1) ** 0.5)
    optimizer = torch.optim.AdamW(net.parameters(), settings.learning_rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    for step in range(1, settings.steps + 1):
        chosen = torch.randint(len(texts), (settings.batch_size,), generator=draws).tolist()
        flat = (torch.rand(settings.batch_size, generator=draws) < settings.flat).tolist()
        loss = torch.stack([distance(net, *texts[song][as_flat]) for song, as_flat in zip(chosen, flat, strict=True)]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
        if step % LOG_EVERY == 0:
            log.info("step %d of %d: %.3f s off", step, settings.steps, loss.item())
    return net


def distance(net: nn.Module, told: Text, onsets: Tensor) -> Tensor:
    """Mean distance in seconds of the network's onsets from the true ones, a scalar."""
    return (durations.onsets(durations.corrected(net, told)) - onsets).abs().mean()


def naive_onsets(song: TimedSong) -> list[float]:
    """When words begin if each character takes the same time and they fill the song: what a planner has to beat."""
    lengths = [len(word.word) for word in song.sheet.words]
    whole = sum(lengths)
    return [song.duration * sum(lengths[:index]) / whole for index in range(len(lengths))]


def planned_onsets(song: TimedSong, ipa_of: IpaOf, flat: bool, settings: PlanSettings) -> list[float]:
    """When the planner lets words begin that is told the text, the tempo, the metre and the duration."""
    told = replace(settings, duration=song.duration, bpm=song.sheet.bpm, beats_per_bar=song.beats_per_bar)
    return [word.start or 0.0 for word in plan(song.untimed(flat), ipa_of, told).words]


def errors(songs: Iterable[TimedSong], onsets_of: Callable[[TimedSong], Sequence[float]]) -> tuple[float, float]:
    """Median and 90th percentile of the distance in seconds between the onsets and the true ones, over all words of all songs."""
    import numpy as np

    off = [abs(found - true) for song in songs for found, true in zip(onsets_of(song), song.onsets, strict=True)]
    return float(np.median(off)), float(np.quantile(off, 0.9))


def report(held_out: Sequence[TimedSong], ipa_of: IpaOf, weights: str | None) -> list[str]:
    """A table, line by line: how far off the naive planner, the rules and the learned durations are, with lines and without."""
    rows = [("naive", errors(held_out, naive_onsets))]
    for method in ("rules", "learned"):
        for flat in (False, True):
            chosen = PlanSettings(method=method, weights=weights)
            found = errors(held_out, lambda song, flat=flat, chosen=chosen: planned_onsets(song, ipa_of, flat, chosen))  # type: ignore[misc]
            rows.append((f"{method}, {'one line' if flat else 'lines'}", found))
    head = f"{'onset error on ' + str(len(held_out)) + ' songs':32} median  90th percentile"
    return [head, *(f"{name:32} {median:.3f} s  {worst:.3f} s" for name, (median, worst) in rows)]


def load_ipa() -> IpaOf:
    """IPA by the embedded phonemizer, loaded when a word lacks it."""
    from jam.lyrics.phonemes import Phonemizer

    loaded: list[Phonemizer] = []

    def ipa_of(words: Sequence[str]) -> Sequence[str]:
        if not loaded:
            loaded.append(Phonemizer.load(assets.BUNDLE / "phonemizer.pt"))
        return loaded[0].ipa(words)

    return ipa_of


def main(words: list[str]) -> int:
    """Entry: trains, writes the weights, and reports on the songs kept aside."""
    settings = config.load(TrainPlannerConfig, words)
    if settings.steps < 1 or settings.batch_size < 1 or settings.held_out < 2:
        raise ValueError("steps and batch_size are at least 1, held_out at least 2")
    if not settings.data:
        raise ValueError("give the timed songs, for example data='work/train-{000000..000011}.tar'")
    timed = songs(settings.data)
    if len(timed) < FEWEST:
        raise ValueError(f"{settings.data}: {len(timed)} songs with timed words; at least {FEWEST} are needed")
    kept = timed[settings.held_out - 1 :: settings.held_out] or timed[-1:]
    known = [song for song in timed if song not in kept]
    ipa_of = load_ipa()
    log.info("%d songs to learn from, %d kept aside", len(known), len(kept))
    durations.save(train(known, settings, ipa_of), Path(settings.output))
    for line in report(kept, ipa_of, settings.output):
        log.info("%s", line)
    return 0


if __name__ == "__main__":
    sys.exit(config.run(main))
