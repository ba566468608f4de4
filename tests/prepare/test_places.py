"""Files here and in an object store by one interface."""

import errno
import os

import pytest

from jam.prepare import places
from jam.prepare.places import Folder
from jam.prepare.records import Blob


@pytest.fixture(params=["here", "memory"])
def root(request, tmp_path):
    yield str(tmp_path / "work") if request.param == "here" else f"memory://{tmp_path.name}"
    if request.param == "memory":
        import fsspec

        fsspec.filesystem("memory").store.clear()


def test_what_is_written_is_read_back_and_listed(root):
    folder = Folder(root)
    assert folder.names() == [] and folder.read("a/b.txt") is None and not folder.has("a/b.txt")
    folder.write("a/b.txt", b"first")
    folder.write("c.txt", b"second")
    with folder.whole("d.bin") as part:
        part.write_bytes(b"third")
    assert folder.names() == ["a/b.txt", "c.txt", "d.bin"]
    assert [folder.read(name) for name in folder.names()] == [b"first", b"second", b"third"]
    assert places.is_folder(root) and places.is_file(folder.path("c.txt")) and not places.is_file(root)
    folder.remove("c.txt")
    folder.remove("c.txt")
    assert folder.names() == ["a/b.txt", "d.bin"]


def test_a_part_of_a_file_is_read(root):
    Folder(root).write("songs.tar", b"0123456789")
    path = places.join(root, "songs.tar")
    assert places.read_blob(Blob(path, "a.wav", 3, 4)) == b"3456"
    assert places.read_blob(Blob(path, "a.wav")) == b"0123456789"
    with pytest.raises(ValueError, match=r"songs\.tar: ends within a\.wav; fetch the file again"):
        places.read_blob(Blob(path, "a.wav", 8, 4))


def test_the_signature_changes_with_the_file(root):
    folder = Folder(root)
    folder.write("a.wav", b"one")
    before = places.signature(folder.path("a.wav"))
    assert places.signature(folder.path("a.wav")) == before
    folder.write("a.wav", b"other")
    assert places.signature(folder.path("a.wav")) != before


def test_what_is_not_there_is_told_in_one_line(root):
    for act in (places.read, places.signature):
        with pytest.raises(ValueError, match=r"^[^\n]*none\.wav: [^\n]*check the path[^\n]*$"):
            act(places.join(root, "none.wav"))
    with pytest.raises(ValueError, match=r"none: no such folder"):
        places.listed(places.join(root, "none"))


def test_a_file_that_cannot_be_read_is_told_apart_from_storage_that_fails(tmp_path):
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "gone.wav").symlink_to(tmp_path / "none")
    (tmp_path / "round.wav").symlink_to(tmp_path / "round.wav")
    names = {"folder": "is a folder", "gone": "is a link to nothing", "none": "no such song"}
    names |= dict.fromkeys(["round", "a" * 300, "z\0", "\ud800"], "cannot be read")
    for name, problem in names.items():
        for act in (places.read, places.signature):
            with pytest.raises(places.Unreadable, match=rf"^[^\n]+\.wav: {problem}[^\n]+$"):
                act(str(tmp_path / f"{name}.wav"), "song")
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(places.Unreadable, match=r"pipe\.wav: is a pipe or a device; give a song"):
        places.signature(str(tmp_path / "pipe.wav"), "song")
    with pytest.raises(places.Unreadable, match=r"cannot be read \(Protocol not known"):
        places.read("nonsense://a.wav")
    with pytest.raises(OSError, match=r"cannot be read \([^\n]*memory\.wav'$") as caught:
        (tmp_path / "memory.wav").symlink_to("/proc/self/mem")  # its first byte cannot be read
        places.read(str(tmp_path / "memory.wav"))
    assert caught.value.errno == errno.EIO


def test_only_a_file_that_is_not_there_is_read_as_none(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    folder = Folder(str(tmp_path))
    assert folder.read("none") is None and folder.read("file/none") is None
    with pytest.raises(OSError, match=r"cannot be read \(Is a directory\)[^\n]*folder'$"):
        folder.read("folder")


def test_a_write_that_fails_leaves_nothing_and_the_former_file(tmp_path):
    folder = Folder(str(tmp_path))
    folder.write("a.txt", b"former")
    with pytest.raises(RuntimeError), folder.whole("a.txt") as part:
        part.write_bytes(b"half")
        raise RuntimeError
    assert folder.read("a.txt") == b"former" and folder.names() == ["a.txt"]
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_a_scheme_that_nobody_reads_is_told_in_one_line():
    with pytest.raises(ValueError, match=r"^nonsense://a: cannot be [^\n]+$"):
        places.listed("nonsense://a")


def test_hidden_files_and_folders_are_left_out(tmp_path):
    for name in ("a.wav", ".hidden.wav", ".git/b.wav", "sub/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [places.within(str(tmp_path), path) for path in places.listed(str(tmp_path))] == ["a.wav", "sub/c.wav"]


def test_links_that_lead_in_a_circle_end_and_a_file_is_listed_once(tmp_path):
    for name in ("a/one.wav", "b/two.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "across").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "back").symlink_to(tmp_path / "a")
    (tmp_path / "0").symlink_to(tmp_path / "b")
    (tmp_path / "self.wav").symlink_to(tmp_path / "self.wav")
    found = places.listing(str(tmp_path))
    assert [places.within(str(tmp_path), path) for path in found.files] == ["a/one.wav", "b/two.wav", "self.wav"]
    assert [places.within(str(tmp_path), path) for path in found.folders] == ["a", "b"]
