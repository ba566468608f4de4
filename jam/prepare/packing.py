"""Prepared songs to shards: which song goes into which, tars that are written once and whole, and the lists that go with them.

Everything is a function of the songs and the settings alone: the same songs give the same bytes, in whatever order, by however many
processes and after however many interruptions. Beside the shards lies `made/NAME.json`, a record of each: what it was made of and its
SHA-256, so that one that is there and right is kept, and nothing is overwritten or removed that was not written here.
It knows no audio and no networks. Letters: C latent channels (64), T frames.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from jam.data.example import PARTS, check_latent, read_tensor
from jam.prepare import cards, places
from jam.prepare.cache import dumped
from jam.prepare.encoding import to_bytes
from jam.prepare.places import Folder
from jam.prepare.records import SPLITS, Prepared, SungWord, Unread
from jam.timing import LATENT_CHANNELS, frames_to_seconds

log = logging.getLogger(__name__)

SUMS = "SHA256SUMS"  # written last: a folder that has it is whole
MEGABYTE = 10**6
BLOCK = tarfile.BLOCKSIZE
SHORT_KEY = 100 - len(".latent.pt")  # signs of a key whose files fit a header
VERSION = 1  # of what `write` makes of the same songs
CHUNK = 1 << 26  # bytes that are hashed at once
MOST_ROWS = 1000  # of a table of the statistics
UNKNOWN = "unknown"
RECORDS = "made"
LISTS = f"{RECORDS}/lists"  # the hashes of what lies beside the shards, as it was written
CARDS = ("DATA_CARD.md", "MODEL_CARD.md")
OURS = re.compile(r"(?:(?:train|valid)-\d{6}\.tar(?:\.json)?|id_list\.jsonl|stats\.json|silence\.pt|(?:DATA|MODEL)_CARD\.md|SHA256SUMS)\.")
TABLES = ("split", "license", "source", "language", "tag", "timing")


@dataclass(frozen=True)
class PackSettings:
    """How songs are dealt to shards."""

    shard_mb: float = 512.0  # megabytes of a shard, at most; a larger song has one of its own
    max_songs: int | None = None  # of a shard
    shuffle: bool = True  # songs are mixed, whatever their names; false: in the order of their names
    seed: int = 0  # of that mixing

    def __post_init__(self) -> None:
        if not self.shard_mb > 0:
            raise ValueError(f"pack.shard_mb is {self.shard_mb}; give megabytes above 0, such as 512")
        if self.max_songs is not None and self.max_songs < 1:
            raise ValueError(f"pack.max_songs is {self.max_songs}; give at least one song a shard, or null")


@dataclass(frozen=True)
class Member:
    """A song to pack: its key in shards, the bytes of each of its files, and a digest that changes when they do."""

    key: str
    split: str
    sizes: tuple[int, ...]
    digest: str

    @property
    def bytes(self) -> int:
        """What it takes of a tar, headers included."""
        headers = 1 if len(self.key) <= SHORT_KEY else 3  # a long name has a header and a block of its own
        return sum(BLOCK * (headers + -(-size // BLOCK)) for size in self.sizes)


@dataclass(frozen=True)
class Shard:
    """A tar that is to be: its name and its songs in their order."""

    name: str
    members: tuple[Member, ...]

    @property
    def digest(self) -> str:
        """What changes when the tar does."""
        made_of = [VERSION, [[member.key, member.digest] for member in self.members]]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


@dataclass(frozen=True)
class Packed:
    """A tar that is there, its songs in their order, and sums over the frames in it: latent means, their squares, and deviations."""

    name: str
    sha256: str
    bytes: int
    keys: tuple[str, ...]
    frames: int
    sums: tuple[tuple[float, ...], ...]  # 3 x C


def member_of(song: Prepared) -> Member:
    """What the plan of the shards knows of a song that is not rejected, from its record alone."""
    assert song.sizes is not None and not song.is_rejected, song.id
    record = sample_json(song)
    digest = hashlib.sha256(dumped([song.latents, song.styles]) + record).hexdigest()
    return Member(song.id, song.split, (*song.sizes, len(record)), digest)


def plan(members: Sequence[Member], settings: PackSettings) -> tuple[Shard, ...]:
    """Which shard each song goes into, `train-000000.tar` and so on, then `valid-000000.tar`; the order of `members` does not matter."""
    return tuple(
        Shard(f"{split}-{number:06d}.tar", tuple(dealt))
        for split in SPLITS
        for number, dealt in enumerate(_dealt([member for member in members if member.split == split], settings))
    )


def write(folder: Folder, shard: Shard, sample_of: Callable[[str], Mapping[str, bytes]]) -> Packed:
    """Writes a shard of what `sample_of` gives for each key (`latent.pt`, `style.pt`, `json`), or keeps one that is there and right.

    Raises ValueError for a tar of this name that was not written here, and for a song without a file or with broken latents; OSError
    where it cannot be written.
    """
    record = _record(folder, shard.name)
    if record is None and folder.has(shard.name):
        raise ValueError(f"{folder.path(shard.name)}: was not written by this preparation; move it away, or choose another folder")
    if record is not None and record.made_of == shard.digest and _is_right(folder, record.packed):
        return record.packed
    folder.remove(SUMS)  # the folder is not whole from now on
    folder.remove(shard.name)  # or, where this is killed, the record would be of another tar
    with folder.whole(shard.name) as part:
        packed = _written(part, shard, sample_of)
        kept = {"made_of": shard.digest, "packed": asdict(packed)}
        folder.write(_record_name(shard.name), dumped(kept))  # before the tar has its name: a tar of this name is ours, whole or old
    return packed


def sample_json(prepared: Prepared) -> bytes:
    """The `json` of a song in its shard: its words that were found, with phonemes, and what is known of it; the same for the same song."""
    timing = prepared.timing
    known = {
        "id": prepared.id,
        "duration": _seconds(prepared),
        "license": prepared.license,
        "source": prepared.source,
        "language": prepared.language or (timing.language if timing else None),
        "tags": list(prepared.tags),
        "prompts": list(prepared.prompts),
        "audio_sha256": prepared.audio_sha256,
        "word": [_word(word) for word in _sung(prepared)],
    }
    return dumped({key: value for key, value in known.items() if value is not None})


def claim(folder: Folder) -> None:
    """Raises ValueError, in one line, where the folder has files of the names that `finish` writes, and nothing that says they are ours."""
    known = _lists(folder)
    for name in ("id_list.jsonl", "stats.json", "silence.pt", *CARDS):
        if name not in known and folder.has(name):
            raise ValueError(f"{folder.path(name)}: was not written by this preparation; move it away, or choose another folder")


def finish(
    folder: Folder,
    packed: Sequence[Packed],
    prepared: Iterable[Prepared],
    unread: Sequence[Unread],
    facts: Mapping[str, Any],
    silence: Tensor,
) -> dict[str, Any]:
    """Writes what goes with the shards once all of them are there, by one process; shards that an earlier plan had and this has not go.

    `id_list.jsonl` has a line for each song that was packed, in the order of `prepared`; `stats.json` is what is returned, with `facts`
    (settings, versions) in it; `silence.pt` is the latent of silence (64,); DATA_CARD.md and MODEL_CARD.md tell it to people, and stay as
    they are, which is told, where people have written in them.
    `SHA256SUMS`, as `sha256sum -c` reads it, is the last: a folder that has it is whole. Raises OSError where one cannot be written.
    """
    folder.remove(SUMS)
    _remove_others(folder, {tar.name for tar in packed})
    _remove_parts(folder)
    tally = _Tally({key: tar.name for tar in packed for key in tar.keys})
    for song in prepared:
        tally.add(song)
    stats = tally.told(packed, len(unread), facts)
    files = {
        "id_list.jsonl": "".join(tally.lines).encode(),
        "stats.json": (json.dumps(stats, ensure_ascii=False, indent=1) + "\n").encode(),
        "silence.pt": to_bytes(silence),
        "DATA_CARD.md": cards.data_card(stats).encode(),
        "MODEL_CARD.md": cards.model_card(stats).encode(),
    }
    sums = {tar.name: tar.sha256 for tar in packed} | _written_beside(folder, files)
    folder.write(SUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())
    return stats


@dataclass
class _Count:
    """Songs that have something in common, how long they last, and their words."""

    songs: int = 0
    milliseconds: int = 0  # whole, so that the order of songs does not matter
    words: int = 0

    def add(self, song: Prepared) -> None:
        self.songs += 1
        self.milliseconds += round(_seconds(song) * 1000)
        self.words += len(_sung(song))

    def told(self) -> dict[str, float]:
        seconds = self.milliseconds / 1000
        rate = round(self.words / seconds, 4) if seconds else 0.0
        return {"songs": self.songs, "hours": round(seconds / 3600, 4), "words": self.words, "words_per_second": rate}


class _Tally:
    """What is counted over all songs, in whatever order, and the lines of the id list."""

    def __init__(self, shards: Mapping[str, str]) -> None:
        self._shards = shards  # key to the name of its tar
        self._total, self._unheard, self._rejected, self._rules = _Count(), 0, 0, Counter[str]()
        self._tables: dict[str, dict[str, _Count]] = {name: {} for name in TABLES}
        self.lines: list[str] = []

    def add(self, song: Prepared) -> None:
        if song.is_rejected:
            self._rejected += 1
            self._rules.update({reason.rule for reason in song.reasons})
            return
        self.lines.append(_listed(song, self._shards[song.id]))
        self._total.add(song)
        self._unheard += (len(song.timing.words) if song.timing else 0) - len(_sung(song))
        for table, names in _kinds(song).items():
            for name in names:
                self._tables[table].setdefault(name, _Count()).add(song)

    def told(self, packed: Sequence[Packed], unread: int, facts: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **self._total.told(),
            "words_left_out": self._unheard,
            "by": {name: _largest(table) for name, table in self._tables.items()},
            "latents": _latent_statistics(packed),
            "rejected": {"songs": self._rejected, "unread": unread, "by_rule": dict(sorted(self._rules.items()))},
            "shards": [{"name": tar.name, "bytes": tar.bytes, "songs": len(tar.keys), "sha256": tar.sha256} for tar in packed],
            **facts,
        }


@dataclass(frozen=True)
class _Record:
    made_of: str
    packed: Packed


class _Hashed:
    """A file that is written to, and the SHA-256 and number of the bytes that were."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sha256, self.bytes = hashlib.sha256(), 0

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        self.bytes += len(content)
        return self._stream.write(content)


def _dealt(members: Sequence[Member], settings: PackSettings) -> Iterator[list[Member]]:
    """The songs of each shard."""
    room = settings.shard_mb * MEGABYTE - tarfile.RECORDSIZE  # what ends a tar
    dealt: list[Member] = []
    size = 0
    for member in sorted(members, key=lambda member: _place(member.key, settings)):
        if dealt and (size + member.bytes > room or len(dealt) == settings.max_songs):
            yield dealt
            dealt, size = [], 0
        dealt.append(member)
        size += member.bytes
    if dealt:
        yield dealt


def _place(key: str, settings: PackSettings) -> tuple[str, str]:
    """What songs are sorted by."""
    return (hashlib.sha256(f"{settings.seed}:{key}".encode()).hexdigest() if settings.shuffle else "", key)


def _written(part: Path, shard: Shard, sample_of: Callable[[str], Mapping[str, bytes]]) -> Packed:
    frames, sums = 0, torch.zeros(3, LATENT_CHANNELS, dtype=torch.float64)
    with part.open("wb") as stream:
        hashed = _Hashed(stream)
        with tarfile.open(fileobj=hashed, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
            for member in shard.members:
                sample = sample_of(member.key)
                more, added = _sums(sample, member.key)
                frames, sums = frames + more, sums + added
                for name in PARTS:
                    tar.addfile(_entry(f"{member.key}.{name}", len(sample[name])), io.BytesIO(sample[name]))
    keys = tuple(member.key for member in shard.members)
    return Packed(shard.name, hashed.sha256.hexdigest(), hashed.bytes, keys, frames, tuple(map(tuple, sums.tolist())))


def _entry(name: str, size: int) -> tarfile.TarInfo:
    """A file of a tar, of nobody and of no time."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o644, 0
    return entry


def _sums(sample: Mapping[str, bytes], key: str) -> tuple[int, Tensor]:
    """Frames of a song, and sums over them (3, C): means, their squares, deviations."""
    absent = [name for name in PARTS if name not in sample]
    if absent:
        raise ValueError(f"{key}: has no {', '.join(absent)} to pack; make it anew")
    latent = read_tensor(sample["latent.pt"], f"{key}: latent.pt")
    check_latent(latent, f"{key}: latent.pt")
    mean, deviation = latent.double().chunk(2)  # (C, T)
    return mean.shape[1], torch.stack([mean.sum(1), mean.square().sum(1), deviation.sum(1)])


def _is_right(folder: Folder, packed: Packed) -> bool:
    """Whether a tar is there and as it was written: its bytes are read and hashed."""
    if not folder.has(packed.name):
        return False
    digest, size = hashlib.sha256(), 0
    while chunk := places.read(folder.path(packed.name), "shard", size, CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest() == packed.sha256


def _record_name(shard: str) -> str:
    return f"{RECORDS}/{shard}.json"


def _record(folder: Folder, shard: str) -> _Record | None:
    """What was written down of a shard; None where nothing was, or nothing that can be read."""
    stored = folder.read(_record_name(shard))
    try:
        record = json.loads(stored) if stored else {}
        packed = record["packed"]
        made = {"keys": tuple(packed["keys"]), "sums": tuple(map(tuple, packed["sums"]))}
        return _Record(record["made_of"], Packed(**{**packed, **made}))
    except (ValueError, KeyError, TypeError):
        return None


def _sung(prepared: Prepared) -> list[SungWord]:
    """The words of a song that go into its shard, in the order in which they are sung."""
    words = prepared.timing.words if prepared.timing else ()
    return sorted((word for word in words if word.is_found and word.start is not None), key=lambda word: word.start or 0.0)


def _word(word: SungWord) -> dict[str, Any]:
    """A word as lyrics in JSON have it, its times in tenths of a millisecond."""
    assert word.start is not None and word.end is not None, word
    phones = [{"start": start, "end": end, "phoneme": name} for start, end, name in word.phones or ()]
    known = {"phoneme": word.phoneme, "language": word.language, "phones": phones or None}
    times = {"start": round(word.start, 4), "end": round(word.end, 4), "word": word.word}
    return times | {key: value for key, value in known.items() if value is not None}


def _seconds(prepared: Prepared) -> float:
    """How long a song lasts, in whole milliseconds."""
    if prepared.facts is not None:
        return round(prepared.facts.seconds, 3)
    return round(frames_to_seconds(prepared.frames or 0), 3)


def _kinds(song: Prepared) -> dict[str, Sequence[str]]:
    """What a song is counted under, in each table."""
    timing = song.timing
    how = "none" if timing is None else f"{timing.method}, heard by {timing.heard_by}" if timing.heard_by else timing.method
    language = song.language or (timing.language if timing else None)
    return {
        "split": [song.split],
        "license": [song.license or UNKNOWN],
        "source": [song.source or UNKNOWN],
        "language": [language or UNKNOWN],
        "tag": sorted(set(song.tags)),
        "timing": [how],
    }


def _largest(table: Mapping[str, _Count]) -> dict[str, Any]:
    """The rows with the most seconds, at most so many that people can use; the others are one."""
    rows = sorted(table.items(), key=lambda row: (-row[1].milliseconds, row[0]))
    told: dict[str, Any] = {name: count.told() for name, count in rows[:MOST_ROWS]}
    if rest := rows[MOST_ROWS:]:
        others = _Count()
        for _, count in rest:
            others = _Count(others.songs + count.songs, others.milliseconds + count.milliseconds, others.words + count.words)
        told[f"({len(rest)} others)"] = others.told()
    return told


def _latent_statistics(packed: Sequence[Packed]) -> dict[str, Any]:
    """Over all frames and of each channel: the mean, the standard deviation over time, and the mean deviation of the codec."""
    frames = sum(tar.frames for tar in packed)
    if not frames:
        return {"frames": 0}
    mean, square, deviation = (sum((torch.tensor(tar.sums, dtype=torch.float64) for tar in packed), torch.zeros(()))) / frames
    spread = (square - mean.square()).clamp_min(0).sqrt()
    named = {"mean": mean, "spread": spread, "deviation": deviation}
    return {"frames": frames, **{name: [round(value, 6) for value in values.tolist()] for name, values in named.items()}}


def _listed(song: Prepared, shard: str) -> str:
    """A line of the id list, with whom to thank for the song."""
    line = {"id": song.id, "split": song.split, "seconds": _seconds(song), "shard": shard, "license": song.license, "source": song.source}
    return json.dumps({key: value for key, value in line.items() if value is not None}, ensure_ascii=False) + "\n"


def _written_beside(folder: Folder, files: Mapping[str, bytes]) -> dict[str, str]:
    """Writes what lies beside the shards, but for cards that were changed; the SHA-256 of each."""
    known, found = _lists(folder), {}
    for name, content in files.items():
        there = folder.read(name) if name in CARDS else None
        if there is not None and there != content and hashlib.sha256(there).hexdigest() != known.get(name):
            log.warning("%s: was changed since it was written, so it stays; delete it to have it written anew", folder.path(name))
            found[name] = hashlib.sha256(there).hexdigest()
            continue
        known[name] = found[name] = hashlib.sha256(content).hexdigest()
        folder.write(LISTS, dumped(known))
        folder.write(name, content)
    return found


def _lists(folder: Folder) -> dict[str, str]:
    """The files beside the shards that were written here, with their SHA-256 then."""
    stored = folder.read(LISTS)
    try:
        return dict(json.loads(stored)) if stored else {}
    except (ValueError, TypeError):
        return {}


def _remove_others(folder: Folder, kept: Set[str]) -> None:
    """Removes shards that were written here and are none of `kept`. One that was changed since stays, and is told."""
    for name in (name.removesuffix(".json") for name in Folder(folder.path(RECORDS)).names()):
        record = None if name in kept else _record(folder, name)
        if record is None:
            continue
        if not folder.has(name) or _is_right(folder, record.packed):
            folder.remove(name)
        else:
            log.warning("%s: was changed since it was written, so it stays; it is no part of these shards", folder.path(name))
        folder.remove(_record_name(name))


def _remove_parts(folder: Folder) -> None:
    """Removes what processes that were killed had begun to write; on this machine alone, as an object store has no such parts."""
    if places.is_remote(folder.root):
        return
    for place in (Path(folder.root), Path(folder.path(RECORDS))):
        for part in place.glob("*.part"):
            if OURS.match(part.name):
                part.unlink(missing_ok=True)
