"""What was asked for: the items of a benchmark, and the songs of a folder that answer them. It measures nothing.

A benchmark is JSONL, a JSON list, CSV, TSV or Parquet of items (`KEYS`), a manifest of `jam.infer`, or a folder of audio with lyrics of
the same names beside it. Paths are relative to the working folder, else to the benchmark's. An item that is wrong keeps its problem, so
that the others can be measured.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from jam import assets, manifest
from jam.eval.measures import Absent
from jam.files import parse_json, read_bytes, read_json, write_whole
from jam.lyrics import formats
from jam.lyrics.formats import timed_json
from jam.lyrics.formats.detection import SUFFIXES
from jam.lyrics.sheet import Sheet
from jam.lyrics.words import BEYOND_SECONDS
from jam.manifest import LONGEST_ID, located, name_of, placed, shown

log = logging.getLogger(__name__)

AUDIO = (".wav", ".flac", ".aiff", ".aif", ".ogg", ".mp3")  # of several files of a song the first of these is taken
FASTEST = 1000.0  # beats a minute
TABLES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")  # suffixes
JAME = "declare-lab/JAME"

KEYS: dict[str, tuple[str, ...]] = {
    **{key: (key,) for key in ("id", "lyrics", "lrc_path", "duration", "prompt_path", "audio_path", "reference", "genre", "bpm")},
    **{"key": ("key",), "language": ("language",), "style": ("style", "prompt")},
}
"""The keys of an item, each with the names that it may have. `style` is a description, `audio_path` a clip of the style, `reference` a true
recording of the song."""

ALIASES: dict[str, tuple[str, ...]] = KEYS | {
    "id": ("id", "track_id", "song_id", "uuid", "key_id", "name", "title"),
    "lyrics": ("lyrics", "lrc", "lyric", "timed_lyrics", "text", "words", "word"),
    "lrc_path": ("lrc_path", "lyrics_path", "lyric_path", "lrc_file", "lyrics_file"),
    "duration": ("duration", "length", "seconds", "duration_s", "audio_length"),
    "style": ("style", "prompt", "style_prompt", "text_prompt", "caption", "description", "tags", "genre"),
    "audio_path": ("style_audio", "style_path", "style_audio_path", "prompt_audio", "reference_style"),
    "reference": ("reference", "audio", "audio_path", "file_name", "filename", "path", "song", "wav", "mp3"),
    "genre": ("genre", "genres", "top_genre"),
    "bpm": ("bpm", "tempo"),
    "language": ("language", "lang"),
}
"""The same for datasets, whose authors have their own names for columns."""


@dataclass(frozen=True)
class Item:
    """What was asked of one song: lyrics (timed or not; none for an instrumental), and as much of the rest as is known."""

    id: str
    sheet: Sheet = field(default_factory=Sheet)
    duration: float | None = None  # seconds
    style: str | None = None  # a description
    style_audio: Path | None = None  # a clip
    reference: Path | None = None  # a true recording of this song
    genre: str | None = None
    bpm: float | None = None
    key: str | None = None  # such as C major
    language: str | None = None
    source: str = field(default="", compare=False)  # where it stands, for messages


@dataclass(frozen=True)
class Unread:
    """An item that cannot be read: its name, or its place in the benchmark, and in a line what is wrong."""

    where: str
    problem: str


@dataclass(frozen=True)
class Candidate:
    """A song that answers an item: its audio, the whole canvas and its latents where these were kept; or the problem that it has none."""

    item: Item
    audio: Path | None = None
    whole: Path | None = None
    latents: Path | None = None
    take: int = 0
    problem: str | None = None

    @property
    def name(self) -> str:
        """`ID` for the first take, then `ID_1`, `ID_2`."""
        return self.item.id if self.take == 0 else f"{self.item.id}_{self.take}"


def read_benchmark(path: str | Path) -> list[Item | Unread]:
    """The items of a benchmark, in order.

    Raises ValueError, in one line, for a file or folder that is missing, broken as a whole or empty, and Absent for a Parquet file where
    pyarrow is not installed.
    """
    path = Path(path)
    if path.is_dir():
        return list(_beside(path))
    rows = _rows(path)
    if not rows:
        raise ValueError(f"{path}: holds no items; write at least one")
    _tell_unknown(path, rows)
    return _distinct(_item(row, f"{path}: item {number}", path.parent, KEYS) for number, row in enumerate(rows, start=1))


def jame(source: str | Path = JAME, revision: str = "main") -> list[Item | Unread]:
    """The items of JAME, or of another dataset of songs: a folder on this machine, or a dataset of the hub.

    Columns are known by `ALIASES`; a song without a name is named for its file or its place. Raises ValueError for a folder without a
    table that has lyrics, and what `jam.assets.fetch_dataset` raises.
    """
    folder = Path(source) if Path(source).is_dir() else assets.fetch_dataset(str(source), revision)
    found: list[Item | Unread] = []
    for path, rows in _tables(folder):
        for number, row in enumerate(rows, start=1):
            named = row if not isinstance(row, Mapping) else dict(row) | {"id": _own_name(row, len(found))}
            found.append(_item(named, f"{path}: item {number}", path.parent, ALIASES))
    if not found:
        raise ValueError(f"{folder}: no table with lyrics (.jsonl, .json, .csv, .tsv or .parquet); name the folder of a copy of {JAME}")
    return _distinct(found)


def write_benchmark(path: str | Path, items: Iterable[Item]) -> Path:
    """Writes items as JSONL that `read_benchmark` gives back equal; files under the benchmark's folder are named relative to it."""
    folder = Path(path).parent
    lines = [json.dumps(_as_row(item, folder), ensure_ascii=False) for item in items]
    return write_whole(path, "".join(f"{line}\n" for line in lines).encode())


def candidates(items: Sequence[Item], folder: str | Path, known: Collection[str] = ()) -> list[Candidate]:
    """The songs of a folder that answer `items`, in their order; an item that has none is told as its candidate's problem.

    The folder is one that `jam.infer` wrote, or any other with audio of the items' names: ID.wav, and ID_1.wav, ... for more takes of one
    song. Audio that no item names, nor `known` (items that could not be read), is told once. Raises ValueError for a missing folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; songs names the folder of the songs")
    songs = _audio_in(_audio_folder(folder))
    ids = {item.id for item in items}
    found = [candidate for item in items for candidate in _takes(item, folder, songs, ids)]
    named = {candidate.name for candidate in found}
    strays = [path.name for name, path in songs.items() if name not in named and name not in known]
    if strays:
        log.warning("%s: %d not measured, as no item of the benchmark is so named: %s", folder, len(strays), _few(strays))
    return found


def audio_files(folder: str | Path) -> list[Path]:
    """The songs of a folder, by name, one file each. Raises ValueError for a folder that is missing or holds no audio."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; name a folder of songs")
    songs = _audio_in(_audio_folder(folder))
    if not songs:
        kinds = ", ".join(suffix[1:] for suffix in AUDIO)
        raise ValueError(f"{_audio_folder(folder)}: holds no audio ({kinds}); name a folder of songs")
    return list(songs.values())


def _takes(item: Item, folder: Path, songs: Mapping[str, Path], ids: set[str]) -> Iterator[Candidate]:
    """The candidates of one item: the song of its name, and its further takes."""
    numbered = {0: item.id} | {
        int(match[1]): name
        for name in songs
        if name not in ids and (match := re.fullmatch(rf"{re.escape(item.id)}_([1-9]\d{{0,3}})", name)) is not None
    }
    present = [take for take in sorted(numbered) if numbered[take] in songs]
    if not present:
        others = ", ".join(suffix[1:] for suffix in AUDIO[1:])
        yield Candidate(item, problem=f"{_audio_folder(folder) / item.id}{AUDIO[0]}: no such song, nor as {others}; sing it, or rename it")
    whole = _audio_in(folder / "generated_orig")
    for take in present:
        name = numbered[take]
        latents = folder / "cfm_latents" / f"{name}.pt"
        yield Candidate(item, songs[name], whole.get(name), latents if latents.is_file() else None, take)


def _audio_folder(folder: Path) -> Path:
    """Where a folder has its songs."""
    return folder / "generated" if (folder / "generated").is_dir() else folder


def _audio_in(folder: Path) -> dict[str, Path]:
    """The audio files of a folder by their names without suffixes, sorted."""
    if not folder.is_dir():
        return {}
    files = [path for path in folder.iterdir() if path.suffix.lower() in AUDIO and not path.name.startswith(".") and path.is_file()]
    ranked = sorted(files, key=lambda path: -AUDIO.index(path.suffix.lower()))  # the best kind last: it stays
    return dict(sorted({path.stem: path for path in ranked}.items()))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _beside(folder: Path) -> Iterator[Item | Unread]:
    """An item for each song of a folder, from the lyrics beside it. Raises ValueError for a folder without audio."""
    for song in audio_files(folder):
        name = song.stem
        lyrics = next((song.with_suffix(suffix) for suffix in SUFFIXES if song.with_suffix(suffix).is_file()), None)
        if lyrics is None:
            yield Unread(name, f"{song}: no lyrics beside it; put {name}.lrc, .json, .srt or .txt there, or name a benchmark")
            continue
        row = {"id": name, "lrc_path": str(lyrics)} | _recorded(folder / "local_files" / f"{name}.json")
        yield _item(row, str(song), folder, KEYS)


def _recorded(path: Path) -> dict[str, Any]:
    """What the record of a song that `jam.infer` sang says of its request."""
    if not path.is_file():
        return {}
    stored = read_json(path, "record", "an object")
    style = stored.get("style")
    if not isinstance(style, str) or Path(style).suffix.lower() not in AUDIO:
        return {"duration": stored.get("duration"), "style": style}
    return {"duration": stored.get("duration"), "audio_path": style if Path(style).is_file() else None}  # made elsewhere


def _rows(path: Path) -> list[Any]:
    """What a benchmark file lists; a line of JSONL that is broken is its own ValueError."""
    suffix = path.suffix.lower()
    if suffix not in TABLES and not path.exists():
        raise ValueError(f"{path}: no such benchmark; name a file, or a folder of audio with lyrics beside it")
    if suffix not in TABLES:
        raise ValueError(f"{path}: its suffix means no benchmark; give {', '.join(TABLES)}, or a folder of audio with lyrics beside it")
    return rows_of(read_bytes(path, "benchmark"), str(path))


def rows_of(content: bytes, where: str, kind: str = "benchmark") -> list[Any]:
    """What a table that is `content` lists, by the suffix of `where`, one of `TABLES`; `kind` says in messages what it is.

    A line of JSONL that is broken is its own ValueError. Raises ValueError for a table that is broken as a whole, and Absent for Parquet
    where pyarrow is not installed.
    """
    suffix = where[where.rfind(".") :].lower()
    if suffix == ".parquet":
        return _of_parquet(content, where, kind)
    readers: dict[str, Callable[[str, str], list[Any]]] = {
        ".jsonl": _of_jsonl,
        ".json": _of_json,
        ".csv": partial(_of_table, delimiter=","),
        ".tsv": partial(_of_table, delimiter="\t"),
    }
    return readers[suffix](_decoded(content, where, kind), where)


def _decoded(content: bytes, where: str | Path, kind: str = "benchmark") -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: byte {error.start} is not UTF-8; save the {kind} as UTF-8") from error


def _of_json(text: str, where: str) -> list[Any]:
    listed = parse_json(text, where, "a list of items")
    if not isinstance(listed, list):
        raise ValueError(f"{where}: holds {type(listed).__name__}; write a list of items")
    return listed


def _of_jsonl(text: str, where: str) -> list[Any]:
    """An item a line, or the error that reading the line gave."""
    found: list[Any] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(parse_json(line, f"{where}: item {len(found) + 1}, in line {number} of the file", "an object"))
        except ValueError as error:
            found.append(error)
    return found


def _of_table(text: str, where: str, delimiter: str) -> list[Any]:
    """The rows of a table with a header; cells that are empty say nothing."""
    if not text.strip():
        raise ValueError(f"{where}: is empty; write a header and an item a row")
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey="", strict=True))
    except csv.Error as error:
        raise ValueError(f"{where}: not a table that can be read ({error}); close its quotes, and write an item a row") from error
    return [{key.strip(): value for key, value in row.items() if key and isinstance(value, str) and value.strip()} for row in rows]


def _of_parquet(content: bytes, where: str, kind: str) -> list[Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise Absent(f"{where}: not read, as pyarrow is not installed; pip install pyarrow, or save the {kind} as .jsonl") from error
    try:
        return parquet.read_table(io.BytesIO(content)).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise ValueError(f"{where}: not Parquet that can be read ({str(error).splitlines()[0]}); save it again, or as .jsonl") from error


def _tell_unknown(path: Path, rows: Sequence[Any]) -> None:
    """Warns of keys that nobody reads: they may be misspelled."""
    known = {name for names in KEYS.values() for name in names} | set(manifest.KEYS)
    unknown = dict.fromkeys(key for row in rows if isinstance(row, Mapping) for key in row if key not in known)
    if unknown:
        log.warning("%s: not read: %s; known are %s", path, _few([repr(key) for key in unknown]), ", ".join(sorted(known)))


def _tables(folder: Path) -> Iterator[tuple[Path, list[Any]]]:
    """The tables of a dataset that have lyrics: all of the first kind of file that has any."""
    for suffix in TABLES:
        found = False
        for path in sorted(folder.rglob(f"*{suffix}")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            rows = [] if hidden or (suffix == ".json" and not _is_list(path)) else _rows(path)
            if any(isinstance(row, Mapping) and _has_lyrics(row) for row in rows):
                found = True
                yield path, rows
        if found:
            return


def _is_list(path: Path) -> bool:
    """Whether a JSON file holds a list: datasets have descriptions of themselves too."""
    return read_bytes(path, "benchmark").removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _has_lyrics(row: Mapping[str, Any]) -> bool:
    return any(_found(row, ALIASES[key]) is not None for key in ("lyrics", "lrc_path"))


def _own_name(row: Mapping[str, Any], place: int) -> str:
    """A name for a song of a dataset, fit for a file."""
    named = _found(row, ALIASES["id"])
    file = _path_in(_found(row, ALIASES["reference"]))
    text = str(named) if isinstance(named, str | int) else Path(file).stem if file else ""
    return re.sub(r"[^\w-]+", "-", text).strip("-")[: LONGEST_ID // 4] or f"song-{place + 1:04d}"


def _found(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of the columns `names` that says anything, whatever its case; None where none does."""
    plain = {str(key).strip().lower().replace(" ", "_").replace("-", "_"): value for key, value in row.items()}
    return next((plain[name] for name in names if not _is_nothing(plain.get(name))), None)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or (isinstance(value, str) and not value.strip())


def _distinct(entries: Iterable[Item | Unread]) -> list[Item | Unread]:
    """The entries, of which those whose names are taken become problems; case does not matter, as some file systems do not keep it."""
    found: list[Item | Unread] = []
    taken: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, Item):
            first = taken.setdefault(entry.id.casefold(), entry.source)
            if first != entry.source:
                entry = Unread(entry.id, f"{entry.source}: the id is that of {first.rpartition(': ')[2]} too; give each item its own")
        found.append(entry)
    return found


def _item(row: Any, where: str, folder: Path, names: Mapping[str, Sequence[str]]) -> Item | Unread:
    """The item of a row, or what is wrong with it."""
    place = where.rpartition(": ")[2]
    if isinstance(row, ValueError):
        return Unread(place, str(row))
    if not isinstance(row, Mapping):
        return Unread(place, f"{where}: is {type(row).__name__}; write an object with id and lyrics")
    values = {key: _found(row, named) for key, named in names.items()}
    try:
        name = name_of(values["id"], "item")
    except ValueError as error:
        return Unread(place, f"{where}: {error}")
    where = f"{where} ({name})"
    try:
        return _asked(name, values, where, folder, is_loose=names is ALIASES)
    except ValueError as error:
        return Unread(name, placed(where, str(error)))


def _asked(name: str, values: Mapping[str, Any], where: str, folder: Path, is_loose: bool) -> Item:
    """The item of a name. Raises ValueError for a value that cannot be used; a dataset's files may lie elsewhere."""
    language = _words(values, "language")
    sheet = _sheet(values, where, folder)
    for remark in sheet.remarks:
        log.warning("%s: %s", where, remark)
    sheet = replace(sheet, remarks=(), language=language or sheet.language)
    duration = _number(values, "duration", BEYOND_SECONDS, "the song's seconds, such as 20.5")
    bpm = _number(values, "bpm", FASTEST, "beats a minute, such as 100")
    find = _file_or_none if is_loose else _file
    return Item(
        name,
        sheet,
        duration if duration is not None else sheet.duration,
        _description(values, folder) or sheet.style,
        find(values, "audio_path", folder),
        find(values, "reference", folder),
        _words(values, "genre"),
        bpm if bpm is not None else sheet.bpm,
        _words(values, "key"),
        language,
        where,
    )


def _sheet(values: Mapping[str, Any], where: str, folder: Path) -> Sheet:
    """The lyrics of an item: a file's, or those that stand in it."""
    written, file = values["lyrics"], _file(values, "lrc_path", folder)
    if written is None and file is None:
        raise ValueError("has neither 'lyrics' nor 'lrc_path'; write the words, or [] for an instrumental")
    if written is not None and file is not None:
        raise ValueError("has both 'lyrics' and 'lrc_path'; keep one")
    if isinstance(written, str) and "\n" not in written and Path(written.strip()).suffix.lower() in SUFFIXES:
        file = _file({"lyrics": written.strip()}, "lyrics", folder)
    if file is not None:
        return formats.read_sheet(file)
    source = f"{where}: 'lyrics'"
    if isinstance(written, list) and written and all(isinstance(line, str) for line in written):
        written = "\n".join(written)
    return formats.sheet_of(written, source) if isinstance(written, str) else formats.parse_sheet(written, source)


def _description(values: Mapping[str, Any], folder: Path) -> str | None:
    """The style in words, on one line; None where the item has none."""
    text = values["style"]
    if isinstance(text, list) and all(isinstance(tag, str) for tag in text):
        text = ", ".join(text)
    if text is None and (file := _file(values, "prompt_path", folder)) is not None:
        text = _decoded(read_bytes(file, "benchmark"), file)
    if text is not None and not isinstance(text, str):
        raise ValueError(f"'style' is {shown(text)}; write the style's description in quotes")
    return " ".join(text.split()) or None if text else None


def _words(values: Mapping[str, Any], key: str) -> str | None:
    """A text of an item, such as its genre; the first of several."""
    value = values[key]
    value = value[0] if isinstance(value, list) and value else value
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key!r} is {shown(value)}, not text; write it in quotes")
    return value.strip() if value else None


def _number(values: Mapping[str, Any], key: str, high: float, advice: str) -> float | None:
    """A number above 0 and up to `high`, which may be written as text, as tables have it."""
    value = values[key]
    if value is None:
        return None
    number = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            number = float(value)
    if not 0 < number <= high:
        raise ValueError(f"{key!r} is {shown(value)}; write {advice}")
    return number


def _path_in(value: Any) -> str | None:
    """The path that a cell holds: datasets of audio have an object with it."""
    if isinstance(value, Mapping):
        value = value.get("path")
    return value if isinstance(value, str) and value else None


def _file(values: Mapping[str, Any], key: str, folder: Path) -> Path | None:
    """The file that an item names, None where it names none. Raises ValueError for one that is not there."""
    value = values[key]
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{key!r} is {shown(value)}; give a path")
    found = located(value, folder)
    if found is None:
        raise ValueError(f"{key!r} is {shown(value)}: no such file, neither from here nor beside the benchmark")
    return found


def _file_or_none(values: Mapping[str, Any], key: str, folder: Path) -> Path | None:
    """The audio that an item of a dataset names, where it is on this machine."""
    value = _path_in(values[key])
    return located(value, folder) if value is not None and Path(value).suffix.lower() in AUDIO else None


def _as_row(item: Item, folder: Path) -> dict[str, Any]:
    """An item as it stands in JSONL."""
    files = {"audio_path": item.style_audio, "reference": item.reference}
    plain = {key: getattr(item, key) for key in ("duration", "style", "genre", "bpm", "key", "language")}
    named = {key: str(path.relative_to(folder) if path.is_relative_to(folder) else path) for key, path in files.items() if path is not None}
    known = {key: value for key, value in plain.items() if value is not None}
    return {"id": item.id, "lyrics": json.loads(timed_json.write(item.sheet)), **known, **named}
