"""What stages have made, by the hash of all that it depends on: nothing is made twice, and a changed input remakes only what hangs on it.

An entry is a file `STAGE/ab/abcdef...`: a mark, the SHA-256 of its content, the seconds that it took to make, the content. One that is
damaged is told and made anew. It does not know what the stages are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jam.prepare.places import Folder

log = logging.getLogger(__name__)

_MARK = b"jam1"
_HEAD = struct.Struct("<4s32sd")  # mark, SHA-256 of the content, seconds


@dataclass(frozen=True)
class Entry:
    """What a stage made, and how many seconds that took."""

    content: bytes
    seconds: float

    def json(self) -> Any:
        """What a JSON content holds."""
        return json.loads(self.content)


def key(*parts: Any) -> str:
    """The hash of what something depends on: anything that JSON holds."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


class Cache:
    """Entries in a folder that many processes, also of other machines, may share."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def get(self, stage: str, key: str) -> Entry | None:
        """The entry, None where there is none. One that is damaged is told, and is none."""
        name = _name(stage, key)
        stored = self.folder.read(name)
        if stored is None:
            return None
        if len(stored) >= _HEAD.size:
            mark, digest, seconds = _HEAD.unpack_from(stored)
            content = stored[_HEAD.size :]
            if mark == _MARK and digest == hashlib.sha256(content).digest():
                return Entry(content, seconds)
        log.warning("%s: is damaged; it is made anew", self.folder.path(name))
        return None

    def put(self, stage: str, key: str, content: bytes, seconds: float = 0.0) -> Entry:
        """Keeps what a stage made. Raises OSError, in one line, where it cannot be written."""
        head = _HEAD.pack(_MARK, hashlib.sha256(content).digest(), seconds)
        self.folder.write(_name(stage, key), head + content)
        return Entry(content, seconds)

    def made(self, stage: str, key: str, make: Callable[[], bytes]) -> Entry:
        """The entry, made and kept where there is none."""
        found = self.get(stage, key)
        if found is not None:
            return found
        began = time.perf_counter()
        content = make()
        return self.put(stage, key, content, time.perf_counter() - began)


def dumped(value: Any) -> bytes:
    """JSON as entries hold it: the same bytes for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _name(stage: str, key: str) -> str:
    return f"{stage}/{key[:2]}/{key}"
