"""Files that are whole or not there: written aside, flushed, renamed. It does not know what they hold."""

import contextlib
import os
from pathlib import Path


def write_whole(path: str | Path, content: bytes | memoryview) -> Path:
    """Writes `content` beside `path`, flushes it to the disk and renames it to `path`; leaves nothing behind on failure.

    Raises OSError, in one line with what to do, when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            part.unlink()
        advice = f"cannot be written ({error.strerror}); free some space or choose another folder"
        raise OSError(error.errno, advice, str(path)) from error
    return path
