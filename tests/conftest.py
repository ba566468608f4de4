"""What every room's tests share: the golden numbers, and signals that are made, not stored."""

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # tests run beside each other: more threads than cores wait for one another

import pytest
import torch
from torch import Tensor

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

GOLDEN = Path(__file__).parent / "golden"


def tone(hertz: float, seconds: float, rate: int = 44_100, level: float = 0.5) -> Tensor:
    """A stereo sine (2, N), the right channel half as loud."""
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    left = level * torch.sin(2 * math.pi * hertz * time)
    return torch.stack([left, 0.5 * left]).float()


@pytest.fixture(name="tone")
def _tone() -> Any:
    """The function `tone(hertz, seconds, rate, level)`: a stereo sine (2, N)."""
    return tone


@pytest.fixture
def golden() -> Any:
    """The function `golden(name)`: the content of a JSON file of golden numbers."""
    return lambda name: json.loads((GOLDEN / name).read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _fresh_accelerate() -> Iterator[None]:
    """Accelerate keeps its precision and processes for as long as Python lives; each test has its own."""
    yield
    if "accelerate.state" in sys.modules:
        sys.modules["accelerate.state"].AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The function `put(repo, filename, content, revision)`: lays a file in an empty hub cache as huggingface_hub does."""
    cache = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))

    def put(repo: str, filename: str, content: bytes, revision: str = "main") -> Path:
        folder = cache / f"models--{repo.replace('/', '--')}"
        commit = revision if len(revision) == 40 else "0" * 40
        if commit != revision:
            (folder / "refs").mkdir(parents=True, exist_ok=True)
            (folder / "refs" / revision).write_text(commit)
        path = folder / "snapshots" / commit / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return put


@pytest.fixture
def file_size_limit() -> Any:
    """The context manager `limit(bytes)`: writing beyond so many bytes of a file fails, as on a full disk."""
    import resource

    @contextlib.contextmanager
    def limit(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit
