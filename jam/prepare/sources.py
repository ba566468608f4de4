"""What there is to prepare: a folder of recordings, a manifest, or tars of WebDataset -> tracks. No audio is opened, no lyrics are read.

A folder has audio with lyrics of the same name beside it (`song.mp3`, `song.lrc`), perhaps `song.json` (what is said of the song, or its
words, or both) and `song.prompt.txt` (descriptions, one a line); a `metadata.jsonl`, `.csv` or `.tsv` in it says more of its files, by a
column `file_name`. A manifest has a song a row (`COLUMNS`). Tars are read where they lie, never unpacked.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from jam.eval.benchmark import AUDIO
from jam.lyrics.formats import timed_json
from jam.lyrics.formats.detection import SUFFIXES
from jam.prepare import places
from jam.prepare.records import Blob, Track, Unread

log = logging.getLogger(__name__)

KINDS = (*AUDIO, ".oga", ".opus", ".w64", ".rf64", ".caf", ".au", ".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".ape", ".wv")
"""Suffixes of audio; of several files of a song the first of these is taken."""

LONGEST = 96  # signs of an id: with a suffix it fits into the header of a tar
SPLITS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid"}
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class _Draft:
    """A song as it was found: where it stands, what its path says, and the values that were given, by `COLUMNS`' keys."""

    where: str
    path: str  # names it among all songs of the input, wherever that lies
    audio: Blob | None = None
    lyrics: Blob | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


def tracks(
    source: str,
    license: str | None = None,
    source_name: str | None = None,
    language: str | None = None,
    tags: Sequence[str] = (),
    valid_share: float = 0.0,
    seed: int = 0,
) -> list[Track | Unread]:
    """The songs of `source` (a folder, a manifest, or tars), sorted by id; what is wrong with a song is told as Unread.

    `license`, `source_name`, `language` and `tags` hold for songs of which nothing else is said. A song without a `split` is of `valid`
    where the hash of `seed` and its id falls below `valid_share`, whatever other songs there are. Raises ValueError, in one line, for a
    source that is missing, broken as a whole or empty.
    """
    drafts = list(_drafts(source))
    if not drafts:
        raise ValueError(f"{source}: holds no audio ({', '.join(kind[1:] for kind in KINDS)}); name a folder, a manifest or tars of songs")
    usual = {"license": license, "source": source_name, "language": language, "tags": list(tags) or None}
    usual = {key: value for key, value in usual.items() if value is not None}
    named = _named([replace(draft, values=usual | draft.values) for draft in drafts])
    found = [_track(name, draft, valid_share, seed) for name, draft in named]
    return sorted(_distinct(found), key=lambda song: (song.id, song.where))


def _drafts(source: str) -> Iterator[_Draft]:
    """The songs of a source."""
    yield from _of_folder(source)


def _of_folder(folder: str) -> Iterator[_Draft]:
    """The songs of a folder and the folders in it."""
    names = [places.within(folder, path) for path in places.listed(folder)]
    songs, beside = _gathered(names)
    for stem, audio in songs.items():
        where = places.join(folder, audio)
        blobs = {suffix: Blob(places.join(folder, name), PurePosixPath(name).name) for suffix, name in beside.get(stem, {}).items()}
        yield _with_sidecars(_Draft(where, stem, Blob(where, PurePosixPath(audio).name)), blobs, places.read_blob)


def _gathered(names: Iterable[str]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Of the names of files the best audio of each stem, and what lies beside, by stem and suffix."""
    songs: dict[str, str] = {}
    beside: dict[str, dict[str, str]] = defaultdict(dict)
    passed: list[str] = []
    for name in names:
        stem, suffix = _split(name)
        if suffix not in KINDS:
            beside[stem][suffix] = name
        elif stem not in songs:
            songs[stem] = name
        else:
            better, other = sorted((songs[stem], name), key=lambda each: KINDS.index(_split(each)[1]))
            songs[stem] = better
            passed.append(other)
    if passed:
        log.warning("%d files of audio are not read, as a better kind of the same name is there, such as %s", len(passed), passed[0])
    return songs, beside


def _split(name: str) -> tuple[str, str]:
    """A name without its suffix, and the suffix; `.prompt.txt` is one."""
    folder, slash, last = name.rpartition("/")
    stem, _, suffix = last.rpartition(".")
    if suffix.lower() == "txt" and stem.lower().endswith(".prompt"):
        stem, suffix = stem[: -len(".prompt")], "prompt.txt"
    return folder + slash + stem, f".{suffix.lower()}"


def _with_sidecars(draft: _Draft, beside: Mapping[str, Blob], read: Callable[[Blob, str], bytes]) -> _Draft:
    """The song with what lies beside it; what was given in a table goes before."""
    try:
        said, is_lyrics = _said(beside[".json"], read) if ".json" in beside else ({}, False)
        if ".prompt.txt" in beside:
            said.setdefault("prompts", _lines(beside[".prompt.txt"], read))
    except ValueError as error:
        return replace(draft, problem=str(error))
    lyrics = next((beside[suffix] for suffix in SUFFIXES if suffix in beside and (suffix != ".json" or is_lyrics)), None)
    return replace(draft, lyrics=draft.lyrics or lyrics, values=said | draft.values)


def _lines(blob: Blob, read: Callable[[Blob, str], bytes]) -> list[str]:
    """The lines of a text that say something."""
    try:
        text = read(blob, "description").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{blob.path}: byte {error.start} of {blob.name} is not UTF-8; save the description as UTF-8") from error
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _said(blob: Blob, read: Callable[[Blob, str], bytes]) -> tuple[dict[str, Any], bool]:
    """What a JSON file beside a song says of it, and whether it holds its words."""
    try:
        held = json.loads(read(blob, "JSON file").decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise ValueError(f"{blob.path}: {blob.name} is not JSON that can be read ({reason}); mend it") from error
    if not isinstance(held, dict):
        return {}, True
    return dict(held), timed_json.holds_words(held)


def _named(drafts: Sequence[_Draft]) -> list[tuple[str, _Draft]]:
    """The drafts with their ids; songs whose paths would give one id all have a hash of their own path added."""
    plain = [_fit(str(draft.values.get("id") or draft.path)) for draft in drafts]
    counts = Counter(plain)
    return [
        (name if counts[name] == 1 or draft.values.get("id") else f"{name}-{_hash(draft.path)}", draft)
        for name, draft in zip(plain, drafts, strict=True)
    ]


def _fit(name: str) -> str:
    """A name as keys of shards have it."""
    fit = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    if not fit.strip("-"):
        fit = "song"
    return fit if len(fit) <= LONGEST - 9 else f"{fit[: LONGEST - 18]}-{_hash(name)}"


def _hash(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _distinct(found: Iterable[Track | Unread]) -> Iterator[Track | Unread]:
    """The songs, of which those whose ids are taken become problems."""
    taken: dict[str, str] = {}
    for song in found:
        if isinstance(song, Track):
            first = taken.setdefault(song.id, song.where)
            if first is not song.where:
                song = Unread(song.id, song.where, f"{song.where}: the id '{song.id}' is that of {first} too; give each song its own")
        yield song


def _track(name: str, draft: _Draft, valid_share: float, seed: int) -> Track | Unread:
    """The track of a draft, or what is wrong with it."""
    if draft.problem is not None or draft.audio is None:
        return Unread(name, draft.where, draft.problem or f"{draft.where}: holds no audio; add it, or leave the song out")
    given = draft.values
    try:
        return Track(
            name,
            draft.audio,
            draft.lyrics,
            license=_text(given, "license"),
            source=_text(given, "source"),
            language=_text(given, "language"),
            tags=_texts(given, "tags"),
            prompts=_texts(given, "prompts"),
            split=_split_of(given, name, valid_share, seed),
            instrumental=_truth(given, "instrumental"),
            where=draft.where,
        )
    except ValueError as error:
        return Unread(name, draft.where, f"{draft.where}: {error}")


def _text(given: Mapping[str, Any], key: str) -> str | None:
    """A value that is a text, on one line; None where nothing is said."""
    value = given.get(key)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise ValueError(f"'{key}' is {str(value)[:60]!r}; write a text in quotes")
    return " ".join(value.split())


def _texts(given: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A value that is a list of texts; one text is split where tags are divided by commas or the like."""
    value = given.get(key)
    if isinstance(value, str):
        value = re.split(r"[,;|]", value) if key == "tags" else [value]
    if value is None:
        return ()
    if not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"'{key}' is {str(value)[:60]!r}; write a list of texts")
    return tuple(dict.fromkeys(" ".join(each.split()) for each in value if each.strip()))


def _truth(given: Mapping[str, Any], key: str) -> bool:
    value = given.get(key)
    found = value if isinstance(value, bool) else TRUTH.get(str(value).strip().lower()) if value is not None else False
    if found is None:
        raise ValueError(f"'{key}' is {str(value)[:60]!r}; write true or false")
    return found


def _split_of(given: Mapping[str, Any], name: str, valid_share: float, seed: int) -> str:
    """The split that was given, or that of the song's hash."""
    value = _text(given, "split")
    if value is not None:
        if value.lower() not in SPLITS:
            raise ValueError(f"'split' is {value[:60]!r}; write train or valid")
        return SPLITS[value.lower()]
    drawn = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") / 2**64
    return "valid" if drawn < valid_share else "train"
