"""Shards that are made, not stored."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch


def song(key: str, frames: int = 12, **parts: object) -> dict[str, bytes]:
    """The files of a stored song; a part that is None is left out, bytes are taken as they are."""
    words = [{"start": 0.0, "end": 0.2, "word": "la", "phoneme": "la"}]
    stored = {"latent.pt": torch.ones(128, frames), "style.pt": torch.zeros(512), "json": {"word": words}} | parts
    members = {}
    for name, value in stored.items():
        if isinstance(value, torch.Tensor):
            buffer = io.BytesIO()
            torch.save(value, buffer)
            members[f"{key}.{name}"] = buffer.getvalue()
        elif value is not None:
            members[f"{key}.{name}"] = value if isinstance(value, bytes) else json.dumps(value).encode()
    return members


def write(path: Path, *songs: dict[str, bytes], mode: str = "w") -> Path:
    """A tar of songs."""
    with tarfile.open(path, mode) as tar:
        for members in songs:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(name="song")
def _song() -> Any:
    """The function `song(key, frames, **parts)`: the files of a stored song."""
    return song


@pytest.fixture(name="write")
def _write() -> Any:
    """The function `write(path, *songs)`: a tar of songs."""
    return write


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    """Seven shards of 3 or 4 songs, `00` to `62`: 24 songs of 8 to 11 frames."""
    for shard in range(7):
        write(tmp_path / f"s-{shard}.tar", *(song(f"{shard}{i}", frames=8 + i) for i in range(3 + shard % 2)))
    return str(tmp_path / "s-{0..6}.tar")
