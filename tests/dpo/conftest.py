"""What the tests of preference tuning share: pairs on disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jam.dpo.listing import PairFiles, read_listing
from tests.dpo.made import write_pairs


@pytest.fixture
def pairs_in(tmp_path: Path) -> Callable[..., tuple[PairFiles, ...]]:
    """The function `pairs_in(count, truth=False, **entry)`: pairs written into a folder and read back."""

    def write(count: int = 3, truth: bool = False, frames: int = 20, **changes: Any) -> tuple[PairFiles, ...]:
        return read_listing(write_pairs(tmp_path / "pairs", count, frames, **changes), truth)

    return write
