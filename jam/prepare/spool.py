"""All songs of a run as a sequence that lies packed on disk: a million of them take the memory of one, and of where each lies."""

from __future__ import annotations

import json
import tempfile
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import overload

from jam.prepare.cache import dumped
from jam.prepare.records import Prepared, prepared_of, to_json


class Spool(Sequence[Prepared]):
    """Songs in the order in which they were added, in a file that goes with the process."""

    def __init__(self, folder: str | None = None) -> None:
        """The file is in `folder`, or where temporary files are."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (it lives as long as the spool)
        self._places = array("q", [0])

    def add(self, song: Prepared) -> None:
        """Adds a song."""
        packed = zlib.compress(dumped(to_json(song)), 1)
        self._file.seek(self._places[-1])
        self._file.write(packed)
        self._places.append(self._places[-1] + len(packed))

    def __len__(self) -> int:
        return len(self._places) - 1

    @overload
    def __getitem__(self, index: int) -> Prepared: ...
    @overload
    def __getitem__(self, index: slice) -> list[Prepared]: ...
    def __getitem__(self, index: int | slice) -> Prepared | list[Prepared]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        self._file.seek(self._places[place])
        packed = self._file.read(self._places[place + 1] - self._places[place])
        return prepared_of(json.loads(zlib.decompress(packed)))

    def __iter__(self) -> Iterator[Prepared]:
        return (self[place] for place in range(len(self)))
