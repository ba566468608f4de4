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
        files = stored.get("files", {})
        return bool(files) and all((self.path / f).is_file() and assets.sha256(self.path / f) == digest for f, digest in files.items())

    def write(self, song: Song, key: str, facts: dict[str, Any]) -> None:
        """Writes a song's files, each whole, then its record. Raises OSError in one line when the disk is full."""
        name, words = song.request.name, song.words
        self.record(name).unlink(missing_ok=True)
        heard, whole = song.audio, audio.normalize(song.whole)
        generated = self.path / "generated"
        latents = io.BytesIO()
        torch.save(song.latents, latents)
        written = [
            audio.write(generated / f"{name}.{self.audio_format}", heard),
            audio.write(self.path / "generated_orig" / f"{name}.{self.audio_format}", whole),
            write_whole(self.path / "cfm_latents" / f"{name}.pt", latents.getbuffer()),
            formats.write_json(generated / f"{name}.json", words),
            formats.write_lrc(generated / f"{name}.lrc", words, title=name, duration=song.request.duration),
        ]
        if self.spectrograms:
            written.append(picture.draw(generated / f"{name}.png", heard, words, name))
        record = {
            "name": name,
            "id": song.request.id,
            "take": song.request.take,
            "duration": song.request.duration,
            "canvas_seconds": round(frames_to_seconds(len(song.latents)), 3),
            "style": str(song.request.style) if isinstance(song.request.style, str | Path) else None,
            "loudness": round(audio.loudness(heard), 2),
            **facts,
            "words": [asdict(word) for word in words],
            "files": {str(path.relative_to(self.path)): assets.sha256(path) for path in written},
            "key": key,
            "jam": __version__,
        }
        write_whole(self.record(name), (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=True) + "\n").encode())

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
