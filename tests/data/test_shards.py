"""Shards: what a pattern means, and samples that are whole or named."""

import gzip
import subprocess
from pathlib import Path

import pytest

from jam.data.shards import ShardSettings, read_ids, shard_paths, stored


def keys(path: str | Path) -> list[str]:
    return [found if isinstance(found, str) else found["__key__"] for found in stored(str(path))]


def test_patterns_have_braces_and_several_are_joined(pattern, tmp_path):
    names = [Path(path).name for path in shard_paths(f"{tmp_path}/s-{{2..3}}.tar::{tmp_path}/s-0.tar::pipe:cat /none.tar")]
    assert names[:3] == ["s-2.tar", "s-3.tar", "s-0.tar"]
    assert shard_paths([pattern, pattern]) == 2 * shard_paths(pattern)


def test_missing_shards_and_broken_id_lists_are_named(pattern, tmp_path):
    with pytest.raises(ValueError, match=r"1 of 8 shards are missing.*s-7.tar"):
        shard_paths(pattern.replace("..6", "..7"))
    (tmp_path / "ids.jsonl").write_text('{"id": "01"}\nnot json\n')
    with pytest.raises(ValueError, match=r"ids.jsonl: line 2"):
        read_ids(tmp_path / "ids.jsonl")
    with pytest.raises(ValueError, match=r"none.jsonl: cannot be read \(No such file"):
        read_ids(tmp_path / "none.jsonl")


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_of_broken_songs_is_a_share(share):
    with pytest.raises(ValueError, match="data.max_bad_share"):
        ShardSettings(max_bad_share=share)


def test_shards_are_read_from_files_commands_and_compressed(tmp_path, song, write):
    path = write(tmp_path / "s.tar", song("a"), song("deep/b"))
    packed = tmp_path / "s.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for place in (path, packed, f"pipe:cat {path}", f"pipe:gzip -dc {packed}", f"file:{path}"):
        assert keys(place) == ["a", "deep/b"]


def test_a_shard_that_is_left_early_ends_its_command(tmp_path, song, write):
    path = write(tmp_path / "s.tar", *(song(f"{i:03}", frames=200) for i in range(20)))
    reading = stored(f"pipe:cat {path}; exec sleep 61.25")
    assert next(reading)["__key__"] == "000"
    reading.close()
    assert subprocess.run(["pgrep", "-f", "sleep 61[.]25"], capture_output=True).returncode == 1


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("pipe:cat {folder}/none.tar 2>/dev/null", r"none.tar.*its command ended with status 1"),
        ("pipe:cat {folder}/s.tar; exit 3", "its command ended with status 3"),
        ("pipe:head -c 7000 {folder}/s.tar; exit 4", "its command ended with status 4"),
        ("{folder}/none.tar", r"none.tar: the shard cannot be opened \(No such file"),
        ("s3://bucket/s.tar", r"s3://bucket/s.tar: the shard cannot be opened"),
        ("{folder}", "cannot be opened"),
    ],
)
def test_a_shard_that_cannot_be_read_stops_by_name(tmp_path, song, write, place, said):
    write(tmp_path / "s.tar", *(song(str(i)) for i in range(4)))
    with pytest.raises(ValueError, match=said):
        keys(place.format(folder=tmp_path))


@pytest.fixture
def whole(tmp_path, song, write) -> bytes:
    return write(tmp_path / "whole.tar", *(song(str(i)) for i in range(4))).read_bytes()


def test_a_shard_cut_anywhere_gives_whole_songs_and_is_named(tmp_path, whole):
    path = tmp_path / "cut.tar"
    for size in [*range(512, len(whole) - 12000, 512), *range(700, len(whole) - 12000, 3000)]:
        path.write_bytes(whole[:size])
        *good, last = stored(str(path))
        assert all(isinstance(found, dict) for found in good)
        assert [found["__key__"] for found in good] == ["0", "1", "2", "3"][: len(good)]
        assert all(len(found) == 5 for found in good), size
        assert f"cut.tar: the shard is damaged after {len(good)} songs" in last


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path, song, write):
    path = write(tmp_path / "s.tar", *(song(str(i)) for i in range(4)))
    content = bytearray(path.read_bytes())
    at = content.index(b"2.latent.pt")
    content[at + 100 : at + 120] = b"#" * 20
    path.write_bytes(content)
    *good, last = keys(path)
    assert good == ["0", "1"] and "damaged after 2 songs (bad checksum" in last


def test_a_shard_without_songs_is_named(tmp_path, write):
    (tmp_path / "nothing.tar").write_bytes(b"")
    assert "damaged after 0 songs (empty header" in keys(tmp_path / "nothing.tar")[0]
    assert keys(write(tmp_path / "empty.tar")) == [f"{tmp_path}/empty.tar: the shard holds no songs"]
    assert keys(write(tmp_path / "other.tar", {"README": b"x", "._a.json": b"y"})) == [f"{tmp_path}/other.tar: the shard holds no songs"]


def test_a_file_that_is_there_twice_is_marked(tmp_path, song, write):
    found = list(stored(str(write(tmp_path / "s.tar", song("a"), {"a.JSON": b"{}"}, song("b")))))
    assert [sample.get("__twice__") for sample in found] == ["json", None]
