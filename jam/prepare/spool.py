"""All songs of a run as a sequence that lies on disk: a million of them take the memory of one."""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from typing import overload

from jam.prepare.cache import dumped
from jam.prepare.records import Prepared, prepared_of, to_json


class Spool(Sequence[Prepared]):
    """Songs in the order in which they were added, in a file that goes with the process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as the spool)
        self._places = array("q")
        self._end = 0

    def add(self, song: Prepared) -> None:
        """Adds a song."""
        line = dumped(to_json(song)) + b"\n"
        self._file.seek(self._end)
        self._file.write(line)
        self._places.append(self._end)
        self._end += len(line)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Prepared: ...
    @overload
    def __getitem__(self, index: slice) -> list[Prepared]: ...
    def __getitem__(self, index: int | slice) -> Prepared | list[Prepared]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        self._file.seek(self._places[index])
        return prepared_of(json.loads(self._file.readline()))

    def __iter__(self) -> Iterator[Prepared]:
        return (self[place] for place in range(len(self)))
