"""Files that are whole or not there: written aside, flushed, renamed. It does not know what they hold."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A place beside `path` to write to, which becomes `path` at the end; nothing is left of it when an error or Ctrl-C comes between.

    Raises OSError, in one line with what to do, when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except OSError as error:
        advice = f"cannot be written ({error.strerror or error}); free some space or choose another folder"
        raise OSError(error.errno, advice, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # renamed, or never made; another error is the one to tell
            part.unlink()


def write_whole(path: str | Path, content: bytes | memoryview) -> Path:
    """Writes `content` to `path` as `whole` does; returns the path. Raises what `whole` raises."""
    with whole(path) as part:
        part.write_bytes(content)
    return Path(path)
