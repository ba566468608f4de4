"""What there is to prepare: a folder of recordings, a manifest, or tars of WebDataset -> tracks. No audio is opened, no lyrics are read.

A folder has audio with lyrics of the same name beside it (`song.mp3`, `song.lrc`), perhaps `song.json` (what is said of the song, or its
words, or both) and `song.prompt.txt` (descriptions, one a line); a `metadata.jsonl`, `.csv` or `.tsv` in it says more of its files, by a
column `file_name`. A manifest has a song a row (`COLUMNS`). Tars are read where they lie, never unpacked.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import math
import os
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from jam.data.shards import Header, shard_paths
from jam.eval.benchmark import AUDIO, TABLES, rows_of
from jam.lyrics.formats import timed_json
from jam.lyrics.formats.detection import SUFFIXES
from jam.manifest import shown
from jam.prepare import places
from jam.prepare.records import Blob, Track, Unread

log = logging.getLogger(__name__)

KINDS = (*AUDIO, ".oga", ".opus", ".w64", ".rf64", ".caf", ".au", ".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".ape", ".wv")
"""Suffixes of audio; of several files of a song the first of these is taken."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "track_id", "song_id", "uuid"),
    "audio": ("audio", "audio_path", "audio_file", "file_name", "filename", "file", "path"),
    "lyrics": ("lyrics", "lyric", "text"),
    "lyrics_path": ("lrc_path", "lyrics_path", "lyric_path", "lrc_file", "lyrics_file"),
    "license": ("license", "licence"),
    "source": ("source", "url", "attribution"),
    "language": ("language", "lang"),
    "tags": ("tags", "tag", "genre", "genres"),
    "prompts": ("prompts", "prompt", "caption", "description"),
    "split": ("split",),
    "instrumental": ("instrumental",),
}
"""What is said of a song, each with the names that its column may have; case, spaces and dashes do not matter."""

WORDS = tuple(suffix for suffix in SUFFIXES if suffix not in (".json", ".xml", ".csv", ".tsv", ".md"))  # that hold lyrics and little else
LONGEST = 96  # signs of an id: with a suffix it fits into the header of a tar
METADATA = ("metadata.jsonl", "metadata.csv", "metadata.tsv")
SPLITS = {"train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid"}
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
PACKED = re.compile(r"\.(tar(\.(gz|bz2|xz|zst))?|tgz|tbz2|txz)$", re.IGNORECASE)
COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7zXZ": "unxz",
    b"(\xb5/\xfd": "unzstd",
}  # magic: tool

_Read = Callable[[Blob, str], bytes]


@dataclass(frozen=True)
class _Draft:
    """A song as it was found: where it stands, what its path says, and the values that were given, by `COLUMNS`' keys."""

    where: str
    path: str  # without a suffix: it names the song
    audio: Blob | None = None
    lyrics: Blob | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    passed: tuple[str, ...] = ()  # files of its name that are not read, as others are
    whole: str = ""  # all of the path, where that is more than `path`: it tells songs apart whose `path` is one


def tracks(
    source: str,
    license: str | None = None,
    source_name: str | None = None,
    language: str | None = None,
    tags: Sequence[str] = (),
    valid_share: float = 0.0,
    seed: int = 0,
    without: Sequence[str] = (),
) -> list[Track | Unread]:
    """The songs of `source` (a folder, a manifest, or tars), sorted by id; what is wrong with a song is told as Unread.

    `license`, `source_name`, `language` and `tags` hold for songs of which nothing else is said. A song without a `split` is of `valid`
    where the hash of `seed` and its id falls below `valid_share`, whatever other songs there are. What lies in the folders `without` is no
    song of a folder that holds them: preparation writes there. Raises ValueError, in one line, for a source that
    is missing, broken as a whole or empty, and what `jam.eval.benchmark.rows_of` raises.
    """
    source = "::".join(os.path.expanduser(each) for each in source.split("::"))
    drafts = list(_drafts(source, without))
    if not drafts:
        raise ValueError(f"{source}: holds no audio ({', '.join(kind[1:] for kind in KINDS)}); name a folder, a manifest or tars of songs")
    passed = [name for draft in drafts for name in draft.passed]
    _tell_passed("audio", "a better kind", [name for name in passed if _split(name)[1] in KINDS])
    _tell_passed("lyrics", "another format", [name for name in passed if _split(name)[1] not in KINDS])
    given = {"license": license, "source": source_name, "language": language, "tags": list(tags) or None}
    usual = {key: value for key, value in given.items() if value is not None}
    named = _named([replace(draft, values={**usual, **draft.values}) for draft in drafts])
    found = [_track(name, draft, valid_share, seed) for name, draft in named]
    return sorted(_distinct(found), key=lambda song: (song.id, song.where))


def _tell_alone(names: Sequence[str]) -> None:
    """Warns of lyrics in a folder that have no recording: one of the two names may be misspelt."""
    if names:
        told = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        log.warning("%d files of lyrics have no recording of their name beside them: %s", len(names), told)


def _tell_passed(what: str, better: str, names: Sequence[str]) -> None:
    """Warns of files that are not read as others are taken."""
    if names:
        few = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
        log.warning("%s not read, as %s of the same name is there: %d (%s)", what, better, len(names), few)


def _drafts(source: str, without: Sequence[str]) -> Iterator[_Draft]:
    """The songs of a source."""
    if "::" in source or PACKED.search(source):
        for path in shard_paths(source):
            yield from _of_tar(path, path)
    elif source.lower().endswith(TABLES) and not places.is_folder(source):
        yield from _of_manifest(source)
    elif places.is_folder(source):
        yield from _of_folder(source, without)
    elif places.is_file(source):
        what = "is a recording" if _split(source)[1] in KINDS else f"is neither a manifest ({', '.join(TABLES)}) nor a tar"
        raise ValueError(f"{source}: {what}; name its folder, or a manifest")
    else:
        raise ValueError(f"{source}: no such folder; name a folder of songs, a manifest ({', '.join(TABLES)}), or tars of WebDataset")


def _of_folder(folder: str, without: Sequence[str]) -> Iterator[_Draft]:
    """The songs of a folder and the folders in it."""
    found = places.listing(folder, without)
    paths = {places.within(folder, path): path for path in found.files if _is_utf8(path)}
    tables = {name for name in paths if name.rpartition("/")[2].lower() in METADATA}
    songs, beside, others = _gathered(name for name in paths if name not in tables and not PACKED.search(name))
    said = _told_of(folder, sorted(tables), songs)
    for stem, audio in songs.items():
        draft = replace(said.pop(stem, _Draft("", stem)), where=paths[audio], path=stem, audio=_blob(paths[audio]))
        draft = replace(draft, passed=tuple(paths[name] for name in others.get(stem, ())))
        yield _with_sidecars(draft, {suffix: _blob(paths[name]) for suffix, name in beside.get(stem, {}).items()}, places.read_blob)
    yield from said.values()
    _tell_alone(sorted(name for stem, names in beside.items() if stem not in songs for suffix, name in names.items() if suffix in WORDS))
    for name, path in paths.items():
        if PACKED.search(name):
            yield from _of_tar(path, name)
    for path in found.files:
        if not _is_utf8(path) and _split(path)[1] in (*KINDS, *SUFFIXES, ".tar"):
            yield _Draft(_escaped(path), _escaped(path), problem=f"{_escaped(path)}: its name is not UTF-8; rename it")
    for path in map(_escaped, found.folders):
        if _split(path)[1] in KINDS:
            yield _Draft(path, path, problem=f"{path}: is a folder, not a recording; rename it")
    for path in map(_escaped, found.closed):
        yield _Draft(path, path, problem=f"{path}: may not be looked into; check the folder's permissions")


def _is_utf8(path: str) -> bool:
    """Whether a name is text, not only bytes."""
    return path.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in path)


def _escaped(path: str) -> str:
    """A name that can be written, its bytes that are not UTF-8 as `\\xff`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _told_of(folder: str, tables: Sequence[str], songs: Mapping[str, str]) -> dict[str, _Draft]:
    """What metadata tables say of the songs of a folder, by their paths; and what is wrong with rows, by where they stand."""
    found: dict[str, _Draft] = {}
    for table in tables:
        for draft in _rows(places.join(folder, table)):
            stem = _split(str(PurePosixPath(table).parent / str(draft.values.get("audio"))))[0]
            if draft.problem is None and (stem not in songs or stem in found):
                problem = "is named before in the table" if stem in found else "no such audio in the folder"
                draft = replace(draft, problem=f"{draft.where}: {shown(draft.values.get('audio'))}: {problem}; mend the row")
            found[stem if draft.problem is None else draft.where] = draft
    return found


def _of_manifest(path: str) -> Iterator[_Draft]:
    """The songs of a manifest."""
    folder = path.rpartition("/")[0] or "."
    for draft in _rows(path):
        audio = draft.values.get("audio")
        if draft.problem is not None:
            yield draft
        elif not isinstance(audio, str):
            yield replace(draft, problem=f"{draft.where}: has no 'audio'; write the path of the song")
        elif (found := _located(audio, folder)) is None:
            beside = next(filter(os.path.isdir, _meant_by(audio, folder)), None)
            wrong = "no such audio, neither from here nor beside the manifest" if beside is None else "is a folder; name a recording in it"
            yield replace(draft, problem=f"{draft.where}: {shown(audio)}: {wrong}")
        else:
            yield replace(draft, path=_split(_plain_path(audio, folder))[0], audio=_blob(found), whole=_whole(found))


def _whole(path: str) -> str:
    """A path that is the same from wherever it is read."""
    return path if places.is_remote(path) else os.path.realpath(path)


def _plain_path(audio: str, folder: str) -> str:
    """A path that tells nothing of the machine."""
    if not audio.startswith("/") and not places.is_remote(audio):
        return audio
    return audio[len(folder) + 1 :] if audio.startswith(f"{folder}/") else PurePosixPath(audio).name


def _located(path: str, folder: str) -> str | None:
    """The file that `path` means, from the working folder or from `folder`; what lies in an object store is not looked for."""
    if places.is_remote(path):
        return path
    if places.is_remote(folder):
        return places.join(folder, path)
    return next((candidate for candidate in _meant_by(path, folder) if _is_there(candidate)), None)


def _meant_by(path: str, folder: str) -> tuple[str, str]:
    """Where a file of this machine may lie."""
    return os.path.expanduser(path), places.join(folder, path)


def _is_there(path: str) -> bool:
    """Whether it is a file of this machine. Raises OSError where storage fails."""
    try:
        return bool(places.signature(path))
    except places.Unreadable:
        return False


def _rows(path: str) -> Iterator[_Draft]:
    """The rows of a table, their values by `COLUMNS`' keys, with the lyrics' files that they name."""
    content = places.read(path, "manifest")
    rows = _fitting(content, path) if path.lower().endswith((".csv", ".tsv")) else rows_of(content, path, "manifest")
    if not rows:
        raise ValueError(f"{path}: holds no songs; write at least one")
    _tell_unknown(path, rows)
    for number, row in enumerate(rows, start=1):
        where = f"{path}: song {number}"
        if isinstance(row, ValueError):
            yield _Draft(where, f"song-{number}", problem=str(row).removeprefix(f"{path}: "))
        elif not isinstance(row, Mapping):
            yield _Draft(where, f"song-{number}", problem=f"{where}: is {type(row).__name__}; write an object with audio")
        else:
            yield _with_lyrics(_Draft(where, f"song-{number}", values=_values(row)), path.rpartition("/")[0] or ".")


def _fitting(content: bytes, path: str) -> list[Any]:
    """The rows of a table with dividers (a `.csv` may have `;`); a row with more fields than the header is its own ValueError."""
    divider = "\t" if path.lower().endswith(".tsv") else ","
    header = content.partition(b"\n")[0]
    if divider == "," and b";" in header and b"," not in header:
        divider = ";"
    try:
        table = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=divider, strict=True) if row]
    except (UnicodeDecodeError, csv.Error):
        return rows_of(content, path, "manifest")  # it tells what is wrong
    written = io.StringIO(newline="")
    csv.writer(written, delimiter="," if divider == ";" else divider).writerows(table)
    rows = rows_of(written.getvalue().encode(), path, "manifest")
    width = len(table[0]) if table else 0
    for number, fields in enumerate(table[1:]):
        if any(each.strip() for each in fields[width:]):
            rows[number] = ValueError(f"has {len(fields)} fields, the header has {width}; put a text with a '{divider}' in quotes")
    return rows


def _with_lyrics(draft: _Draft, folder: str) -> _Draft:
    """The row with the file of lyrics that it names."""
    written, path = draft.values.get("lyrics"), draft.values.get("lyrics_path")
    if isinstance(written, str) and "\n" not in written and PurePosixPath(written.strip()).suffix.lower() in SUFFIXES:
        path = path or written.strip()
        written = None
        draft = replace(draft, values={key: value for key, value in draft.values.items() if key != "lyrics"})
    if path is None:
        return draft
    if written is not None:
        return replace(draft, problem=f"{draft.where}: has both 'lyrics' and 'lyrics_path'; keep one")
    found = _located(path, folder) if isinstance(path, str) else None
    if found is None:
        return replace(draft, problem=f"{draft.where}: {shown(path)}: no such lyrics file, neither from here nor beside the manifest")
    return replace(draft, lyrics=_blob(found))


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says, by `COLUMNS`' keys."""
    plain = {_plain(key): value for key, value in row.items() if not _is_nothing(value)}
    found = {key: next((plain[name] for name in names if name in plain), None) for key, names in COLUMNS.items()}
    return {key: value for key, value in found.items() if value is not None}


def _plain(key: object) -> str:
    return str(key).strip().lower().replace(" ", "_").replace("-", "_")


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or (isinstance(value, str) and not value.strip())


def _tell_unknown(path: str, rows: Sequence[Any]) -> None:
    """Warns of columns that nobody reads: they may be misspelled."""
    known = {name for names in COLUMNS.values() for name in names}
    unknown = dict.fromkeys(str(key) for row in rows if isinstance(row, Mapping) for key in row if _plain(key) not in known)
    if unknown:
        names = ", ".join(map(repr, list(unknown)[:8])) + (", ..." if len(unknown) > 8 else "")
        log.warning("%s: not read: %s; known are %s", path, names, ", ".join(sorted(known)))


def _of_tar(path: str, shard: str) -> Iterator[_Draft]:
    """The songs of a tar, by where they lie in it; `shard` is what tells it from others."""
    try:
        blobs, texts, problem = _indexed(path)
    except places.Unreadable as error:
        yield _Draft(path, shard, problem=str(error))
        return
    songs, beside, others = _gathered(blobs, is_tar=True)
    for key in dict.fromkeys([*songs, *beside]):
        where = f"{path}: {songs.get(key, key)}"
        draft = _Draft(where, key, blobs[songs[key]] if key in songs else None, whole=f"{shard}/{key}", passed=tuple(others.get(key, ())))
        found = {suffix: blobs[name] for suffix, name in beside.get(key, {}).items()}
        yield _with_sidecars(draft, found, lambda blob, _: texts[blob.offset])
    if problem is not None:
        yield _Draft(path, shard, problem=f"{path}: {problem}")


def _indexed(path: str) -> tuple[dict[str, Blob], dict[int | None, bytes], str | None]:
    """The files of a tar by their names, what small texts hold by where they lie, and what is wrong with the tar."""
    blobs: dict[str, Blob] = {}
    texts: dict[int | None, bytes] = {}
    if path.startswith("pipe:"):
        return blobs, texts, "a command's output cannot be read twice; name files"
    with places.stream(path) as stream:
        begin = stream.read(6)
        tool = next((tool for magic, tool in COMPRESSED.items() if begin.startswith(magic)), None)
        if tool is not None:
            return blobs, texts, f"is compressed, so that no song in it can be found alone; unpack it with {tool}"
        stream.seek(0)
        try:
            with tarfile.open(fileobj=stream, mode="r:", tarinfo=Header) as archive:
                for member in archive:
                    name = _escaped(member.name)
                    if member.isreg() and not _is_hidden(name):
                        blobs[name] = Blob(path, PurePosixPath(name).name, member.offset_data, member.size)
                        if name.lower().endswith((".json", ".prompt.txt")):
                            texts[member.offset_data] = archive.extractfile(member).read()  # type: ignore[union-attr]
                    archive.members = []  # type: ignore[attr-defined]
        except tarfile.TarError as error:
            reason = " ".join(str(error).split())[:80]
            return blobs, texts, f"the tar is damaged after {len(blobs)} files ({reason}), the rest of it is lost; fetch it again"
    return blobs, texts, None


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part != "." for part in name.split("/"))


def _place(blob: Blob) -> str:
    """How messages name a file."""
    return blob.path if blob.offset is None else f"{blob.path}: {blob.name}"


def _blob(path: str) -> Blob:
    """A whole file."""
    return Blob(path, path.rpartition("/")[2])


def _gathered(names: Iterable[str], is_tar: bool = False) -> tuple[dict[str, str], dict[str, dict[str, str]], dict[str, list[str]]]:
    """Of the names of files the best audio of each stem; what lies beside, by stem and suffix; and what is passed over, by stem."""
    songs: dict[str, str] = {}
    beside: dict[str, dict[str, str]] = defaultdict(dict)
    others: dict[str, list[str]] = defaultdict(list)
    for name in names:
        stem, suffix = _split(name, is_tar)
        taken, at = (songs, stem) if suffix in KINDS else (beside[stem], suffix)
        if at in taken:
            name, other = sorted((taken[at], name), key=lambda each: (_rank(_split(each)[1]), each))
            if suffix in (*KINDS, *SUFFIXES):
                others[stem].append(other)
        taken[at] = name
    return songs, beside, others


def _rank(suffix: str) -> int:
    """The place of a kind of audio among `KINDS`; what is no audio has none."""
    return KINDS.index(suffix) if suffix in KINDS else 0


def _split(name: str, is_tar: bool = False) -> tuple[str, str]:
    """A name without its suffix, and the suffix; `.prompt.txt` is one. In a tar the name ends at its first dot, as WebDataset has it."""
    folder, slash, last = name.rpartition("/")
    stem, dot, suffix = last.rpartition(".")
    if not dot:
        stem, suffix = last, ""
    if suffix.lower() == "txt" and stem.lower().endswith(".prompt"):
        stem, suffix = stem[: -len(".prompt")], "prompt.txt"
    return folder + slash + (stem.partition(".")[0] if is_tar else stem), f".{suffix.lower()}"


def _with_sidecars(draft: _Draft, beside: Mapping[str, Blob], read: _Read) -> _Draft:
    """The song with what lies beside it; what was given in a table goes before."""
    if draft.audio is None:
        kinds = ", ".join(beside)
        return replace(draft, problem=f"{draft.where}: holds no audio (it has {kinds}); add it, or leave the song out")
    try:
        said, is_lyrics = _said(beside[".json"], read) if ".json" in beside else ({}, False)
        if ".prompt.txt" in beside:
            said.setdefault("prompts", _lines(beside[".prompt.txt"], read))
    except ValueError as error:
        return replace(draft, problem=str(error))
    lyrics = [beside[suffix] for suffix in SUFFIXES if suffix in beside and (suffix != ".json" or is_lyrics)]
    is_said = "lyrics" in draft.values or (not lyrics and "lyrics" in said)
    taken = draft.lyrics or (None if is_said or not lyrics else lyrics[0])
    return replace(draft, lyrics=taken, values=said | dict(draft.values), passed=(*draft.passed, *map(_place, lyrics[1:])))


def _lines(blob: Blob, read: _Read) -> list[str]:
    """The lines of a text that say something."""
    try:
        text = read(blob, "description").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{_place(blob)}: byte {error.start} is not UTF-8; save the description as UTF-8") from error
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _said(blob: Blob, read: _Read) -> tuple[dict[str, Any], bool]:
    """What a JSON file beside a song says of it, and whether it holds its words."""
    try:
        held = json.loads(read(blob, "JSON file").decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise ValueError(f"{_place(blob)}: is not JSON that can be read ({reason}); mend it") from error
    if not isinstance(held, dict):
        return {}, True
    try:
        _meant(_values(held))
    except ValueError as error:
        raise ValueError(f"{_place(blob)}: {error}") from error
    is_lyrics = timed_json.holds_words(held)
    unsaid = {"id", "audio", "lyrics_path"} | ({"lyrics"} if is_lyrics else set())  # the file's name says what it is beside
    return {key: value for key, value in _values(held).items() if key not in unsaid}, is_lyrics


def _named(drafts: Sequence[_Draft]) -> list[tuple[str, _Draft]]:
    """The drafts with their ids; songs whose paths would give one id all have a hash of their own path added."""
    plain = [_fit(str(draft.values.get("id", draft.path))) for draft in drafts]
    counts = Counter(name for name, draft in zip(plain, drafts, strict=True) if draft.problem is None)
    return [
        (f"{name}-{_hash(draft.whole or draft.path)}" if counts[name] > 1 and "id" not in draft.values else name, draft)
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
                song = Unread(song.id, song.where, f"the id '{song.id}' is that of {first} too; give each song its own")
        yield song


def _track(name: str, draft: _Draft, valid_share: float, seed: int) -> Track | Unread:
    """The track of a draft, or what is wrong with it."""
    given = draft.values
    if draft.problem is not None:
        return Unread(name, draft.where, draft.problem.removeprefix(f"{draft.where}: "))
    assert draft.audio is not None, draft.where
    try:
        _look(draft.audio)
        meant = _meant(given)
    except ValueError as error:
        return Unread(name, draft.where, str(error).removeprefix(f"{draft.where}: "))
    inline, split = meant.pop("inline"), meant.pop("split") or _drawn(name, valid_share, seed)
    return Track(name, draft.audio, draft.lyrics, None if draft.lyrics is not None else inline, **meant, split=split, where=draft.where)


def _look(audio: Blob) -> None:
    """Raises ValueError for a recording of this machine that is not there, or holds nothing."""
    if audio.size == 0:
        raise ValueError("is empty; fetch it again")
    if audio.size is None and not places.is_remote(audio.path) and places.signature(audio.path, "recording").startswith("0-"):
        raise ValueError(f"{audio.path}: is empty; fetch it again")


def _meant(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a track that are said of it. Raises ValueError for one that cannot be."""
    texts = {key: _text(given, key) for key in ("license", "source", "language")}
    lists = {key: _texts(given, key) for key in ("tags", "prompts")}
    return texts | lists | {"inline": _inline(given), "split": _split_of(given), "instrumental": _truth(given, "instrumental")}


def _inline(given: Mapping[str, Any]) -> Any:
    """Lyrics that stand in a table; lines of a list become a text."""
    written = given.get("lyrics")
    if isinstance(written, list) and written and all(isinstance(line, str) for line in written):
        return "\n".join(written)
    if written is not None and not isinstance(written, str | list | dict):
        raise ValueError(f"'lyrics' is {shown(written)}; write the words, or [] for an instrumental")
    return written


def _text(given: Mapping[str, Any], key: str) -> str | None:
    """A value that is a text, on one line; None where nothing is said."""
    value = given.get(key)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise ValueError(f"'{key}' is {shown(value)}; write a text in quotes")
    return " ".join(value.split())


def _texts(given: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A value that is a list of texts; one text is split where tags are divided by commas or the like."""
    value = given.get(key)
    if isinstance(value, str):
        value = re.split(r"[,;|]", value) if key == "tags" else [value]
    if value is None:
        return ()
    if not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"'{key}' is {shown(value)}; write a list of texts")
    return tuple(dict.fromkeys(" ".join(each.split()) for each in value if each.strip()))


def _truth(given: Mapping[str, Any], key: str) -> bool:
    """A value that is true or false; false where nothing is said."""
    found = TRUTH.get(str(given.get(key, False)).strip().lower())
    if found is None:
        raise ValueError(f"'{key}' is {shown(given[key])}; write true or false")
    return found


def _split_of(given: Mapping[str, Any]) -> str | None:
    """The split that was given."""
    value = _text(given, "split")
    if value is not None and value.lower() not in SPLITS:
        raise ValueError(f"'split' is {shown(value)}; write train or valid")
    return None if value is None else SPLITS[value.lower()]


def _drawn(name: str, valid_share: float, seed: int) -> str:
    """The split that the hash of an id draws."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") / 2**64
    return "valid" if drawn < valid_share else "train"
