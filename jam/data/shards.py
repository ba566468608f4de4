"""WebDataset shards: which ones a pattern means, and the raw samples that they hold. The one door to `webdataset`.

Shards are tars, read as streams: local files, or what webdataset opens (`pipe:COMMAND`, `https://...`). A shard that is missing stops the
run at once, by name. Archives are read here and not by webdataset's own reader, which takes a damaged header for the end of the archive.
It does not know what a sample means.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlparse

from jam.data.example import PARTS, CropSettings

Sample = dict[str, Any]  # names to bytes, and `__key__`, `__url__`

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class ShardSettings:
    """Which songs are read: a brace pattern or several of them, who of them is left out, how many may be broken."""

    pattern: str | Sequence[str] | None = None  # several in one are joined by `::`
    id_list_jsonl: str | None = None  # a file of {"id": KEY} lines: only these songs
    shuffle: bool = True
    shuffle_songs: int = 100  # songs that are shuffled together, in the memory of each lane
    ignore_by_duration_threshold: float | None = None  # seconds: shorter songs are left out
    resample_by_duration_threshold: float | None = None  # seconds: shorter songs are kept with a probability, drawn at each use
    max_bad_share: float = 0.01  # of broken songs and shards that are left out before the run stops
    crop: CropSettings = field(default_factory=CropSettings)

    def __post_init__(self) -> None:
        if not 0 <= self.max_bad_share <= 1:
            raise ValueError(f"data.max_bad_share is {self.max_bad_share}; give a share from 0 (the first broken song stops the run) to 1")


def shard_paths(pattern: str | Sequence[str] | None) -> list[str]:
    """The shards that a brace pattern (`songs-{000000..000009}.tar`) or several (a list, or joined by `::`) mean.

    A path with a scheme (`pipe:COMMAND`, `https://...`) is opened by webdataset. Raises ValueError naming local shards that do not exist,
    and where there is no pattern.
    """
    from webdataset.shardlists import expand_urls

    if pattern is None:
        raise ValueError("data.train_dataset.pattern is not set; give the shards, for example data/songs-{000000..000009}.tar")
    patterns = [pattern] if isinstance(pattern, str) else pattern
    paths = [path for each in patterns for path in expand_urls(each)]
    absent = [path for path in paths if not urlparse(path).scheme and not Path(path).is_file()]
    if absent or not paths:
        raise ValueError(f"{pattern}: {len(absent)} of {len(paths)} shards are missing, the first is {absent[0] if absent else 'none'}")
    return paths


def read_ids(path: str | Path) -> frozenset[str]:
    """The ids of a file of `{"id": ...}` lines. Raises ValueError naming the file and line that are broken."""
    ids = set()
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({_reason(error)}); id_list_jsonl is a file of {{\"id\": ...}} lines") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                ids.add(str(json.loads(line)["id"]))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f'{path}: line {number}: expected {{"id": "..."}}, found {line.strip()[:60]}') from error
    return frozenset(ids)


def stored(path: str) -> Iterator[Sample | str]:
    """The raw samples of a shard, in its order; and, at the end, one line that names it where it is damaged or holds none.

    Of a song that the damage has reached nothing is given. Raises ValueError, naming the shard, where it cannot be opened or read, or its
    command fails.
    """
    count = 0
    try:
        for sample in _samples(path):
            count += 1
            yield sample
    except tarfile.TarError as error:
        yield f"{path}: the shard is damaged after {count} songs ({_reason(error)}); the rest of it is lost"
        return
    if not count:
        yield f"{path}: the shard holds no songs"


def name(sample: Sample) -> str:
    """How messages name a sample: its shard and key."""
    return f"{sample['__url__']}: {sample['__key__']}"


def _samples(path: str) -> Iterator[Sample]:
    from webdataset.tariterators import base_plus_ext

    with _opened(path) as stream:
        files = ((*base_plus_ext(file), content) for file, content in _members(stream))
        for key, members in groupby((file for file in files if file[0] is not None), key=lambda file: file[0]):
            sample: Sample = {"__key__": key, "__url__": path}
            try:
                for _, suffix, content in members:
                    if suffix.lower() in sample:
                        sample["__twice__"] = suffix.lower()
                    sample[suffix.lower()] = content
            except tarfile.TarError:
                if all(part in sample for part in PARTS):  # the damage is behind it
                    yield sample
                raise
            yield sample


class Header(tarfile.TarInfo):
    """A header that is not damaged: tarfile itself takes most damage, and a missing end mark, for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Header:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except (tarfile.HeaderError, ValueError, LookupError, OverflowError) as error:
            raise tarfile.ReadError(f"{error} instead of a file or the end mark") from error


def _members(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a tar's files, compressed or not. Raises tarfile.TarError where it is damaged or cut."""
    with tarfile.open(fileobj=stream, mode="r|*", tarinfo=Header) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, content.read()
            archive.members = []  # type: ignore[attr-defined]


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    """The bytes of a shard. Raises ValueError, naming it, where it cannot be opened or read, or its command fails."""
    from webdataset.gopen import gopen

    try:
        opened: Any = gopen(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: the shard cannot be opened ({_reason(error)})") from error
    stream, command = getattr(opened, "stream", opened), getattr(opened, "proc", None)  # a command's own pipe: its status is judged here
    try:
        try:
            yield stream
        except tarfile.TarError:
            _finish(path, stream, command)  # a command that failed explains what is missing
            raise
        _finish(path, stream, command)
    except OSError as error:
        raise ValueError(f"{path}: the shard cannot be read ({_reason(error)})") from error
    finally:
        stream.close()
        if command is not None:
            command.kill()
            command.wait()


def _finish(path: str, stream: IO[bytes], command: Any) -> None:
    """Reads what is left of a command's output, so that it is not ended by us, and refuses one that fails."""
    if command is None:
        return
    while stream.read(CHUNK):
        pass
    status = command.wait()
    if status != 0:
        raise ValueError(f"{path}: the shard cannot be read (its command ended with status {status})")


def _reason(error: Exception) -> str:
    """An error in a few words, on one line."""
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(told.split())[:120]
