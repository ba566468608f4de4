"""Six rendered songs of which everything is known exactly: vocal and band apart, words with their times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from jam import assets, audio
from jam.eval.asked import Text, text_of
from jam.eval.benchmark import Item, read_benchmark
from jam.eval.judge import Judge
from jam.lyrics.phonemes import Phonemizer

SONGS = Path(__file__).parent / "songs"


@dataclass(frozen=True)
class Rendered:
    """A song: what was asked, its text, and its two stems (1, N) at 44.1 kHz."""

    item: Item
    text: Text
    vocal: Tensor
    band: Tensor

    @property
    def mix(self) -> Tensor:
        """Voice and band, (2, N)."""
        return (self.vocal + self.band).expand(2, -1)


@pytest.fixture(scope="session")
def phonemizer() -> Phonemizer:
    return Phonemizer.load(assets.BUNDLE / "phonemizer.pt")


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge.load(assets.BUNDLE)


@pytest.fixture(scope="session")
def songs(phonemizer: Phonemizer) -> list[Rendered]:
    found = []
    for item in read_benchmark(SONGS / "benchmark.json"):
        assert isinstance(item, Item), item
        stems = [audio.read(SONGS / f"{item.id}.{kind}.mp3")[0][:1] for kind in ("vocal", "band")]
        length = max(stem.shape[-1] for stem in stems)
        padded = [torch.nn.functional.pad(stem, (0, length - stem.shape[-1])) for stem in stems]
        found.append(Rendered(item, text_of(item.sheet, phonemizer), *padded))
    return found
