"""A file is whole or not there, whatever happens while it is written."""

import pytest

from jam.files import whole, write_whole


def test_a_file_is_written_with_its_folders_and_nothing_beside_it(tmp_path):
    path = write_whole(tmp_path / "a" / "b" / "song.bin", b"whole")
    assert path.read_bytes() == b"whole"
    assert [file.name for file in path.parent.iterdir()] == ["song.bin"]


def test_a_full_disk_leaves_the_former_file_and_says_what_to_do(tmp_path):
    (tmp_path / "song.bin").write_bytes(b"former")
    (tmp_path / "song.bin.part").symlink_to("/dev/full")  # every write to it finds the disk full
    with pytest.raises(OSError, match=r"song\.bin") as refusal:
        write_whole(tmp_path / "song.bin", b"new")
    assert "No space left on device); free some space or choose another folder" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("song.bin", b"former")]


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "outputs").write_text("")
    with pytest.raises(OSError, match=r"outputs/song\.bin.*choose another folder|choose another folder.*outputs/song\.bin"):
        write_whole(tmp_path / "outputs" / "song.bin", b"")


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt), whole(tmp_path / "song.bin") as part:
        part.write_bytes(b"ha")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
