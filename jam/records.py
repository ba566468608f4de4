"""The folder of results: what is written for a song, and the record that proves it whole. It does not sing.

    generated/       NAME.mp3 (the asked duration), NAME.lrc and NAME.json (its timed words), NAME.png (its spectrogram with the words)
    generated_orig/  NAME.mp3, the whole canvas
    cfm_latents/     NAME.pt, (T, 64) latents of the canvas
    local_files/     NAME.json, the record: what the song was made from, and the SHA-256 of its files
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from jam import __version__, assets, audio, picture
from jam.files import write_whole
from jam.lyrics import formats
from jam.song import Song
from jam.timing import frames_to_seconds

FOLDERS = ("generated", "generated_orig", "cfm_latents")


def fingerprint(facts: Any, files: Iterable[str | Path | None] = ()) -> str:
    """A SHA-256 of plain facts and of the content of files; a folder stands for the files in it, and what is no file for its name."""
    digest = hashlib.sha256(json.dumps([__version__, facts], sort_keys=True, default=str).encode())
    for file in files:
        path = None if file is None else Path(file)
        parts = [] if path is None else sorted(path.rglob("*")) if path.is_dir() else [path]
        digest.update(str(file).encode())
        for part in parts:
            if part.is_file():
                digest.update(assets.sha256(part).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class ResultFolder:
    """Where songs are written, in which audio format, with spectrograms or without."""

    path: Path
    audio_format: str = "mp3"
    spectrograms: bool = True

    def record(self, name: str) -> Path:
        """The record of a song."""
        return self.path / "local_files" / f"{name}.json"

    def is_finished(self, name: str, key: str) -> bool:
        """Whether the song was made from exactly `key` and all its files are there, unchanged."""
        stored = self._read(name)
        if stored is None or stored.get("key") != key:
            return False
        files = _listed(stored)
        if self.spectrograms and f"generated/{name}.png" not in files:
            return False
        return bool(files) and all((self.path / f).is_file() and assets.sha256(self.path / f) == digest for f, digest in files.items())

    def write(self, song: Song, key: str, facts: dict[str, Any]) -> None:
        """Writes a song's files and its record aside, then moves them in; files of a former song of that name do not stay beside them.

        Where writing fails or is interrupted, the former song stays as it was. Raises OSError in one line when the disk is full.
        """
        name = song.request.name
        aside = self.path / f".{name}.part"
        shutil.rmtree(aside, ignore_errors=True)
        try:
            written = self._write_files(song, aside)
            digests = {path.relative_to(aside).as_posix(): assets.sha256(path) for path in written}
            record = self._record(song) | facts | {"files": digests, "key": key, "jam": __version__}
            content = (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
            write_whole(aside / "record.json", content)
            former = {file for file in _listed(self._read(name)) if _is_of(name, file)}
            self.record(name).unlink(missing_ok=True)  # from here to the end nothing vouches for the song
            for file in former - set(digests):
                (self.path / file).unlink(missing_ok=True)
            for file in digests:
                (self.path / file).parent.mkdir(exist_ok=True)
                (aside / file).replace(self.path / file)
            self.record(name).parent.mkdir(exist_ok=True)
            (aside / "record.json").replace(self.record(name))
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _write_files(self, song: Song, root: Path) -> list[Path]:
        name, words, heard = song.request.name, song.words, song.audio
        generated = root / "generated"
        latents = io.BytesIO()
        torch.save(song.latents, latents)
        written = [
            audio.write(generated / f"{name}.{self.audio_format}", heard),
            audio.write(root / "generated_orig" / f"{name}.{self.audio_format}", audio.normalize(song.whole)),
            write_whole(root / "cfm_latents" / f"{name}.pt", latents.getbuffer()),
            formats.write_json(generated / f"{name}.json", words),
            formats.write_lrc(generated / f"{name}.lrc", words, name, song.request.duration, song.request.lines),
        ]
        if self.spectrograms:
            written.append(picture.draw(generated / f"{name}.png", heard, words, name))
        return written

    def _record(self, song: Song) -> dict[str, Any]:
        loudness = audio.loudness(song.audio)
        return {
            "name": song.request.name,
            "id": song.request.id,
            "take": song.request.take,
            "duration": song.request.duration,
            "canvas_seconds": round(frames_to_seconds(len(song.latents)), 3),
            "style": str(song.request.style) if isinstance(song.request.style, str | Path) else None,
            "loudness": round(loudness, 2) if math.isfinite(loudness) else None,  # LUFS; silence has none
            "words": [asdict(word) for word in song.words],
        }

    def write_metadata(self, names: Iterable[str]) -> None:
        """Gathers the records of `names` that exist into `generation_metadata.json`."""
        found = [stored for name in names if (stored := self._read(name)) is not None]
        content = json.dumps({"songs": found}, indent=1, ensure_ascii=False) + "\n"
        write_whole(self.path / "generation_metadata.json", content.encode())

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            stored = json.loads(self.record(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # no record, or one that says nothing: the song is sung anew
        return stored if isinstance(stored, dict) else None


def _listed(record: dict[str, Any] | None) -> dict[str, str]:
    """The files, with their SHA-256, that a record lists."""
    files = (record or {}).get("files")
    return files if isinstance(files, dict) else {}


def _is_of(name: str, file: str) -> bool:
    """Whether a listed file is one that is written for the song `name`; a record that someone edited must not make us remove others."""
    folder, _, last = file.partition("/")
    return folder in FOLDERS and "/" not in last and Path(last).stem == name
