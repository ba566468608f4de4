"""Files that are whole or not there (written aside, flushed, renamed), and JSON that is read or refused in one line. It knows no format."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def whole(path: str | Path, mark: str = "") -> Iterator[Path]:
    """A place beside `path` to write to, which becomes `path` at the end; nothing is left of it when an error or Ctrl-C comes between.

    Where several processes may write one file at once each needs its own `mark`. Raises OSError, in one line with what to do, when the
    disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}{mark}.part")
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


def write_whole(path: str | Path, content: bytes | memoryview, mark: str = "") -> Path:
    """Writes `content` to `path` as `whole` does; returns the path. Raises what `whole` raises."""
    with whole(path, mark) as part:
        part.write_bytes(content)
    return Path(path)


def read_bytes(path: str | Path, kind: str) -> bytes:
    """What a file holds; `kind` says in messages what it is. Raises ValueError, in one line, for one missing, closed, or a folder."""
    path = Path(path)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such {kind}; check the path") from error
    except IsADirectoryError as error:
        raise ValueError(f"{path}: is a folder; give a {kind}") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise ValueError(f"{path}: cannot be read ({getattr(error, 'strerror', error)}); check its permissions") from error


def read_json(path: str | Path, kind: str, content: str) -> Any:
    """What a UTF-8 JSON file holds, with or without a byte order mark; `kind` and `content` say in messages what it is and should hold.

    Raises ValueError, in one line, for a file that is missing, a folder, unreadable, empty, not UTF-8 or not JSON (with line and column).
    """
    try:
        text = read_bytes(path, kind).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8; save the {kind} as UTF-8") from error
    return parse_json(text, path, content)


def parse_json(text: str, where: str | Path, content: str) -> Any:
    """What a JSON text holds; `where` names it and `content` says what it should hold. Raises ValueError as `read_json` does."""
    if not text.strip():
        raise ValueError(f"{where}: is empty; write {content}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: line {error.lineno}, column {error.colno}: not JSON ({error.msg}); mend it there") from error
    except ValueError as error:  # a number of thousands of digits
        raise ValueError(f"{where}: not JSON ({str(error).split(';')[0]}); write times in seconds, such as 1.5") from error
    except RecursionError as error:
        raise ValueError(f"{where}: is nested too deeply; write {content}") from error
