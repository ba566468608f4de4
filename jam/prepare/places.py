"""Files on this machine or in an object store, by one small interface. The one door to `fsspec`.

A path with `://` (`s3://bucket/songs`, `memory://work`) is fsspec's; every other is this machine's. What is written is whole or not there.
Messages are one line and name the path.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from jam import files
from jam.prepare.records import Blob


def is_remote(path: str) -> bool:
    """Whether fsspec opens it."""
    return "://" in path


def join(folder: str, name: str) -> str:
    """`name` within `folder`."""
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else str(Path(folder) / name)


def within(folder: str, path: str) -> str:
    """The name that `path` has in `folder`, with `/` between folders."""
    return path[len(folder.rstrip("/")) + 1 :] if is_remote(folder) else Path(path).relative_to(folder).as_posix()


OF_FILES = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)  # errors of one file, as storage itself is well
OF_NAMES = (errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ)


class Unreadable(ValueError):
    """A file that cannot be read now: it is not there, closed, a folder, or ends too early, or has a name that nothing here opens."""


@dataclass(frozen=True)
class Listing:
    """The paths of what lies below a folder, sorted; what is hidden is left out. `closed` are folders that may not be looked into."""

    files: list[str]
    folders: list[str]
    closed: list[str]


def listed(folder: str) -> list[str]:
    """The paths of all files below a folder, as `listing` finds them."""
    return listing(folder).files


def listing(folder: str, without: Sequence[str] = ()) -> Listing:
    """What lies below a folder, but not in the folders `without` below it. A folder that links lead to a second time is listed once.

    Raises ValueError where there is no such folder, and OSError, in one line, where storage fails.
    """
    if is_remote(folder):
        return _listing_there(folder, without)
    if not Path(folder).is_dir():
        raise ValueError(f"{folder}: no such folder; check the path")
    apart = _below(os.path.realpath(folder), [os.path.realpath(path) for path in without if not is_remote(path)])
    found, seen = Listing([], [], []), set[str]()
    folders, links = [folder], list[str]()
    while folders or links:
        path = folders.pop() if folders else links.pop()  # links last: a folder is known by its own name where it has one here
        real = os.path.realpath(path)
        if real in seen or _is_in(real, apart):
            continue
        seen.add(real)
        found.folders.append(path)
        for entry in _entries(path, found.closed):
            name = join(path, entry.name)
            if not (os.path.isdir(name) if entry.is_symlink() else entry.is_dir()):
                found.files.append(name)
            else:
                (links if entry.is_symlink() else folders).append(name)
    return Listing(sorted(found.files), sorted(found.folders[1:]), sorted(found.closed))


def _entries(folder: str, closed: list[str]) -> list[os.DirEntry[str]]:
    """What is in a folder and is not hidden; one that may not be looked into is added to `closed`."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except PermissionError:
        closed.append(folder)
        return []
    except OSError as error:
        reason = error.strerror or error
        raise OSError(error.errno or 0, f"cannot be listed ({reason}); check the disk or the network", folder) from error


def _listing_there(folder: str, without: Sequence[str]) -> Listing:
    """`listing` in an object store, whose folders are what its files' names say."""
    with _told(folder, "listed"):
        system, inner = _opened(folder)
        if not system.isdir(inner):
            raise ValueError(f"{folder}: no such folder; check the URL")
        found = [join(folder, name[len(inner.rstrip("/")) + 1 :]) for name in system.find(inner)]
    apart = _below(folder.rstrip("/"), [path.rstrip("/") for path in without])
    plain = sorted(path for path in found if not _is_hidden(PurePosixPath(path[len(folder) :])) and not _is_in(path, apart))
    folders = {join(folder, str(parent)) for path in plain for parent in PurePosixPath(within(folder, path)).parents if parent.name}
    return Listing(plain, sorted(folders), [])


def _below(folder: str, paths: Sequence[str]) -> list[str]:
    """Of `paths` those that do not hold `folder`."""
    return [path for path in paths if not _is_in(folder, [path])]


def _is_in(path: str, folders: Sequence[str]) -> bool:
    """Whether it is one of `folders` or lies below one."""
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


def is_folder(path: str) -> bool:
    """Whether it is a folder."""
    if not is_remote(path):
        return Path(path).is_dir()
    with _told(path, "opened"):
        system, inner = _opened(path)
        return bool(system.isdir(inner))


def is_file(path: str) -> bool:
    """Whether it is a file."""
    if not is_remote(path):
        return Path(path).is_file()
    with _told(path, "opened"):
        system, inner = _opened(path)
        return bool(system.isfile(inner))


def read(path: str, kind: str = "file", offset: int | None = None, size: int | None = None) -> bytes:
    """What a file holds, or `size` bytes of it from `offset` on; `kind` says in messages what it is.

    Raises Unreadable for a file that cannot be read, and OSError where storage fails, in one line.
    """
    with stream(path, kind) as opened:
        if offset is not None:
            opened.seek(offset)
        return bytes(opened.read() if size is None else opened.read(size))


@contextlib.contextmanager
def stream(path: str, kind: str = "file") -> Iterator[Any]:
    """A file to read from, which can seek. Raises as `read`."""
    with _told(path, "read"), _missed(path, kind), _open(path) as opened:
        yield opened


def read_blob(blob: Blob, kind: str = "file") -> bytes:
    """What a blob holds. Raises as `read`, and Unreadable for a file that ends before the blob does."""
    content = read(blob.path, kind, blob.offset, blob.size)
    if blob.size is not None and len(content) != blob.size:
        raise Unreadable(f"{blob.path}: ends within {blob.name}; fetch the file again")
    return content


def signature(path: str, kind: str = "file") -> str:
    """What changes when the file does (size and time, or what an object store says), so that it need not be read again.

    Raises as `read`.
    """
    with _told(path, "opened"), _missed(path, kind):
        if is_remote(path):
            system, inner = _opened(path)
            return str(system.ukey(inner))
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(f"{path}: is a pipe or a device; give a {kind}")
        return f"{found.st_size}-{found.st_mtime_ns}"


class Folder:
    """A folder that is written to and read from; it and folders in it are made when they are needed."""

    def __init__(self, root: str) -> None:
        self.root = root

    def path(self, name: str) -> str:
        """The path of a file in it."""
        return join(self.root, name)

    def has(self, name: str) -> bool:
        """Whether it holds that file."""
        return is_file(self.path(name))

    def read(self, name: str) -> bytes | None:
        """What a file in it holds, None where there is none. Raises OSError, in one line, where it cannot be read."""
        path = self.path(name)
        with _told(path, "read"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not is_remote(path):
                return Path(path).read_bytes()
            system, inner = _opened(path)
            return bytes(system.cat_file(inner))
        return None

    def write(self, name: str, content: bytes) -> None:
        """Writes a file. Raises OSError, in one line, where that cannot be done; nothing is left of it then."""
        path = self.path(name)
        if not is_remote(path):
            files.write_whole(path, content, _mark())
            return
        with _told(path, "written"):
            system, inner = _opened(path)
            system.makedirs(inner.rpartition("/")[0], exist_ok=True)
            system.pipe_file(inner, content)  # one request: whole or not there

    @contextlib.contextmanager
    def whole(self, name: str) -> Iterator[Path]:
        """A file on this machine to write to, which becomes `name` at the end. Raises OSError as `write`."""
        path = self.path(name)
        if not is_remote(path):
            with files.whole(path, _mark()) as part:
                yield part
            return
        with tempfile.TemporaryDirectory() as scratch:
            part = Path(scratch) / PurePosixPath(name).name
            yield part
            with _told(path, "written"):
                system, inner = _opened(path)
                system.makedirs(inner.rpartition("/")[0], exist_ok=True)
                system.put_file(str(part), inner)

    def names(self) -> list[str]:
        """The names of all whole files in it, sorted; none where it is not there."""
        found = listed(self.root) if is_folder(self.root) else []
        return [within(self.root, path) for path in found if not path.endswith(".part")]

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        path = self.path(name)
        if not is_remote(path):
            Path(path).unlink(missing_ok=True)
        elif self.has(name):
            with _told(path, "removed"):
                system, inner = _opened(path)
                system.rm_file(inner)


def _mark() -> str:
    """What no other process has that may write the same file, on this machine or another."""
    return f".{socket.gethostname()}-{os.getpid()}"


@contextlib.contextmanager
def _open(path: str) -> Iterator[Any]:
    if not is_remote(path):
        with open(path, "rb") as opened:
            yield opened
        return
    system, inner = _opened(path)
    with system.open(inner, "rb") as opened:
        yield opened


def _opened(path: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it."""
    from fsspec.core import url_to_fs

    return url_to_fs(path)


@contextlib.contextmanager
def _told(path: str, done: str) -> Iterator[None]:
    """Errors of storage, and the absence of an object store, in one line that names the path."""
    try:
        yield
    except Unreadable:
        raise
    except ImportError as error:
        raise ValueError(f"{path}: cannot be {done} ({error}); install what fsspec asks for, or give a local path") from error
    except ValueError as error:
        told = str(error) if str(error).startswith(path) else f"{path}: cannot be {done} ({error})"
        raise ValueError(" ".join(told.split())) from error
    except OSError as error:
        reason = " ".join(str(error.strerror or error).split())[:160]
        advice = "check the path, the network and your rights" if is_remote(path) else "check the disk and its permissions"
        raise OSError(error.errno or 0, f"cannot be {done} ({reason}); {advice}", path) from error


@contextlib.contextmanager
def _missed(path: str, kind: str) -> Iterator[None]:
    """Errors that are of this file alone, and not of the storage, as Unreadable."""
    try:
        yield
    except Unreadable:
        raise
    except (OSError, ValueError, ImportError) as error:  # ValueError: a name that cannot be
        if isinstance(error, OSError) and not isinstance(error, OF_FILES) and error.errno not in OF_NAMES:
            raise
        plain = path if path.isprintable() else repr(path)[1:-1]
        raise Unreadable(f"{plain}: {_missing(path, kind, error)}") from error


def _missing(path: str, kind: str, error: OSError | ValueError | ImportError) -> str:
    """Why a file cannot be read, and what to do."""
    if isinstance(error, IsADirectoryError):
        return f"is a folder; give a {kind}"
    if isinstance(error, ImportError):
        return f"cannot be read ({error}); install what fsspec asks for, or give a local path"
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:160]
        return f"cannot be read ({reason}); check the path and its permissions"
    if not is_remote(path) and os.path.islink(path):
        return "is a link to nothing; mend it, or remove it"
    return f"no such {kind}; check the path"


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") for part in path.parts)
