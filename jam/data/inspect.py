"""What shards hold, before anything is trained on them: `python -m jam.data.inspect pattern='songs/{000000..000009}.tar'`.

Prints songs, totals and statistics, names what is broken, and draws the latents of one song with its words. Exit status 1 where something
is broken. It reads every song once, in order, as training would.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jam import config, picture
from jam.data.example import Recording, check_latent, decode
from jam.data.shards import name, read_ids, shard_paths, stored
from jam.lyrics.words import Word
from jam.timing import LATENT_CHANNELS, frames_to_seconds, seconds_to_slot

BROKEN = 1  # exit status
FIRST_WORDS = 6


@dataclass(frozen=True)
class InspectSettings:
    """The words of the command line."""

    pattern: str | None = None  # the shards, as in data.train_dataset
    id_list_jsonl: str | None = None  # only these songs
    songs: int | None = 20  # so many are printed; null: all
    picture: str | None = None  # a PNG to write
    key: str | None = None  # of the song that is drawn; null: the first


@dataclass
class Totals:
    """What is summed over songs."""

    seconds: list[float] = field(default_factory=list)
    words: int = 0
    mute: int = 0  # words without phonemes
    cut: int = 0  # words with more phonemes than slots
    wordless: int = 0  # songs
    styles: list[Tensor] = field(default_factory=list)  # norms
    sums: Tensor = field(default_factory=lambda: torch.zeros(4, LATENT_CHANNELS, dtype=torch.float64))  # frames, means, squares, deviations

    def add(self, song: Recording) -> None:
        """Counts a song."""
        mean, deviation = song.latent.double().chunk(2)  # (C, T)
        self.seconds.append(_seconds(song))
        self.words += len(song.words)
        self.mute += sum(word.phoneme is None for word in song.words)
        self.cut += sum(_is_cut(word) for word in song.words)
        self.wordless += not song.words
        self.styles.append(song.styles.norm(dim=1))
        self.sums += torch.stack([torch.full_like(mean[:, 0], mean.shape[1]), mean.sum(1), mean.square().sum(1), deviation.sum(1)])

    def lines(self) -> Iterator[str]:
        """The totals in words."""
        seconds = self.seconds
        if not seconds:
            return
        frames, total, squares, deviations = self.sums  # (C,)
        mean, deviation = total / frames, deviations / frames
        spread = (squares / frames - mean.square()).clamp_min(0).sqrt()
        norms = torch.cat(self.styles)
        yield f"songs             {len(seconds)} ({self.wordless} without words)"
        yield f"seconds           {sum(seconds):.1f} in all, {_range(torch.tensor(seconds), 1)} a song"
        yield f"words             {self.words}, {self.mute} without phonemes, {self.cut} with more phonemes than slots (the rest is cut)"
        yield f"latent means      {_range(mean, 3)} over channels; {_range(spread, 3)} is their standard deviation over time"
        yield f"latent deviations {_range(deviation, 4)} over channels"
        yield f"styles            {len(norms)}; {_range(norms, 3)} long"


def inspect(settings: InspectSettings) -> int:
    """Prints what the shards hold; returns the exit status. Raises ValueError for shards that are missing, and a key that is not there."""
    if settings.pattern is None:
        raise ValueError("give the shards, for example pattern='songs/{000000..000009}.tar'")
    ids = None if settings.id_list_jsonl is None else read_ids(settings.id_list_jsonl)
    totals, broken, wanted = Totals(), 0, settings.picture
    for found in (found for path in shard_paths(settings.pattern) for found in _songs(path, ids)):
        if isinstance(found, str):
            broken += 1
            _say(f"BROKEN {found}")
            continue
        if settings.songs is None or len(totals.seconds) < settings.songs:
            _say(_line(found))
        totals.add(found)
        if wanted is not None and settings.key in (None, found.key):
            _say(f"drawn as {picture.draw_latent(wanted, found.latent.float().chunk(2)[0].T, found.words, found.key)}")
            wanted = None
    for line in totals.lines():
        _say(line)
    _say(f"broken            {broken}")
    if wanted is not None:
        raise ValueError(f"{settings.pattern}: no whole song {settings.key or ''} to draw; check key")
    return BROKEN if broken or not totals.seconds else 0


def _songs(path: str, ids: frozenset[str] | None) -> Iterator[Recording | str]:
    """The songs of a shard, or one line for each that is broken."""
    for found in stored(path):
        if isinstance(found, str):
            yield found
        elif ids is None or found["__key__"] in ids:
            try:
                song = decode(found)
                check_latent(song.latent, "latent.pt")
                yield song
            except ValueError as error:
                yield f"{name(found)}: {error}"


def _line(song: Recording) -> str:
    words = " ".join(word.word or word.phoneme or "" for word in song.words[:FIRST_WORDS])
    more = " ..." if len(song.words) > FIRST_WORDS else ""
    return f"{song.key:24} {_seconds(song):7.1f} s {len(song.words):5} words {len(song.styles):3} styles  {words}{more}"


def _seconds(song: Recording) -> float:
    return frames_to_seconds(song.latent.shape[1])


def _is_cut(word: Word) -> bool:
    """Whether a word has more phonemes, and its closing mark, than slots: some are not sung."""
    return bool(word.phoneme) and len(str(word.phoneme)) + 1 > seconds_to_slot(word.end) - seconds_to_slot(word.start)


def _range(values: Tensor, digits: int) -> str:
    return f"{values.min():.{digits}f} to {values.max():.{digits}f}, mean {values.double().mean():.{digits}f}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main(words: list[str]) -> int:
    """Entry: looks at the shards of the command line's settings."""
    return inspect(config.load(InspectSettings, words))


if __name__ == "__main__":
    sys.exit(config.run(main))
