"""What there is to prepare: folders, manifests, tars."""

import io
import json
import logging
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from jam.lyrics.formats.timed_json import parse_sheet
from jam.prepare import places
from jam.prepare.records import Blob, Track, Unread
from jam.prepare.sources import tracks

WORDS = [{"start": 0.5, "end": 0.9, "word": "moon"}]


def lay(folder: Path, **files: Any) -> Path:
    """Files by their names (`__` is a dot, `___` a slash): texts, bytes, or what JSON holds."""
    for name, content in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        content = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def packed(path: Path, files: dict[str, Any]) -> Path:
    """A tar of files by their names."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def by_id(found: list[Track | Unread]) -> dict[str, Track]:
    assert all(isinstance(song, Track) for song in found), found
    return {song.id: song for song in found if isinstance(song, Track)}


def problem(found: list[Track | Unread]) -> str:
    """The one thing that is wrong, in one line."""
    (song,) = [song for song in found if isinstance(song, Unread)]
    assert "\n" not in song.problem
    assert not song.problem.startswith(song.where)
    return song.problem


def test_a_folder_has_songs_with_lyrics_of_the_same_name_and_folders_in_it(tmp_path):
    lay(tmp_path, a__mp3="x", a__lrc="[00:01.00]moon", album___b__WAV="x", album___b__txt="moon", album___c__flac="x", notes__txt="no song")
    lay(tmp_path, _hidden___d__wav="x").joinpath("_hidden").rename(tmp_path / ".hidden")
    found = by_id(tracks(str(tmp_path), license="CC0", source_name="made", language="en", tags=["pop"]))
    assert list(found) == ["a", "album-b", "album-c"]
    assert found["a"].audio == Blob(str(tmp_path / "a.mp3"), "a.mp3")
    assert found["a"].lyrics == Blob(str(tmp_path / "a.lrc"), "a.lrc")
    assert found["album-b"].lyrics == Blob(str(tmp_path / "album/b.txt"), "b.txt")
    assert found["album-c"].lyrics is None
    assert {(song.license, song.source, song.language, song.tags) for song in found.values()} == {("CC0", "made", "en", ("pop",))}


@pytest.mark.parametrize("where", ["here", "memory"])
def test_what_preparation_writes_into_a_folder_is_no_song_of_it(tmp_path, where):
    if where == "memory":
        pytest.importorskip("fsspec")
    root = str(tmp_path) if where == "here" else f"memory://{tmp_path.name}"
    for name in ("a.mp3", "out/b.mp3", "out/in/c.mp3", "outer/d.mp3", "cache/e.mp3"):
        places.Folder(root).write(name, b"x")
    without = [places.join(root, "out"), places.join(root, "cache") + "/"]
    if where == "here":
        (tmp_path / "link").symlink_to(tmp_path / "out" / "in")
        without[0] = str(tmp_path / "link" / "..")
    assert list(by_id(tracks(root, without=without))) == ["a", "outer-d"]
    assert list(by_id(tracks(places.join(root, "outer"), without=[root]))) == ["d"]


def test_json_beside_a_song_is_its_words_or_what_is_said_of_it_or_both(tmp_path):
    lay(tmp_path, list__mp3="x", list__json=WORDS, both__mp3="x", both__json={"word": WORDS, "license": "CC-BY-4.0", "tags": ["a", "b"]})
    lay(tmp_path, said__mp3="x", said__txt="moon", said__json={"Source": "https://a.b", "genre": "pop; rock", "language": "de", "id": "no"})
    lay(
        tmp_path,
        inline__mp3="x",
        inline__json={"lyrics": ["moon", "sun"], "instrumental": "no"},
        none__mp3="x",
        none__json={"license": "CC0"},
    )
    found = by_id(tracks(str(tmp_path), license="usual", tags=["usual"]))
    lyrics = {name: song.lyrics.name if song.lyrics else song.inline for name, song in found.items()}
    assert lyrics == {"list": "list.json", "both": "both.json", "said": "said.txt", "inline": "moon\nsun", "none": None}
    assert (found["both"].license, found["both"].tags) == ("CC-BY-4.0", ("a", "b"))
    assert (found["said"].source, found["said"].tags, found["said"].language) == ("https://a.b", ("pop", "rock"), "de")
    assert (found["said"].license, found["none"].license, found["none"].tags) == ("usual", "CC0", ("usual",))
    assert parse_sheet(json.loads(places.read_blob(found["both"].lyrics)), "both").words[0].word == "moon"


def test_descriptions_lie_beside_a_song_one_a_line(tmp_path):
    lay(tmp_path, a__mp3="x", a__prompt__txt="warm  pop\n\nslow\n", a__txt="moon")
    song = by_id(tracks(str(tmp_path)))["a"]
    assert song.prompts == ("warm pop", "slow")
    assert song.lyrics == Blob(str(tmp_path / "a.txt"), "a.txt")


def test_of_several_files_of_a_song_the_best_is_taken_and_the_others_are_told(tmp_path, caplog):
    lay(tmp_path, a__mp3="x", a__flac="x", a__ogg="x")
    assert by_id(tracks(str(tmp_path)))["a"].audio.name == "a.flac"
    few = f"{tmp_path / 'a.mp3'}, {tmp_path / 'a.ogg'}"
    assert f"audio not read, as a better kind of the same name is there: 2 ({few})" in caplog.text


def test_lyrics_that_are_passed_over_are_told_once(tmp_path, caplog):
    for name in "abcd":
        lay(tmp_path, **{f"{name}__mp3": "x", f"{name}__lrc": "moon", f"{name}__txt": "moon", f"{name}__json": {"license": "CC0"}})
    lay(tmp_path, d__LRC="moon")
    assert [song.lyrics.name for song in by_id(tracks(str(tmp_path))).values() if song.lyrics] == ["a.lrc", "b.lrc", "c.lrc", "d.LRC"]
    (told,) = [record.getMessage() for record in caplog.records]
    few = ", ".join(str(tmp_path / f"{name}.txt") for name in "abc")
    assert told == f"lyrics not read, as another format of the same name is there: 5 ({few}, ...)"


def test_a_folder_that_is_named_as_a_recording_is_told(tmp_path):
    lay(tmp_path, a__mp3___b__ogg="x")
    found = tracks(str(tmp_path))
    assert problem(found) == "is a folder, not a recording; rename it"
    assert [song.id for song in found if isinstance(song, Track)] == ["a-mp3-b"]


def test_a_folder_that_may_not_be_looked_into_is_told(tmp_path):
    lay(tmp_path, a__mp3="x", closed___b__mp3="x")
    (tmp_path / "closed").chmod(0)
    if os.access(tmp_path / "closed", os.R_OK):
        pytest.skip("nothing is closed to this user")
    try:
        assert "may not be looked into" in problem(tracks(str(tmp_path)))
    finally:
        (tmp_path / "closed").chmod(0o700)


@pytest.mark.parametrize(("kind", "divider"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_a_row_with_more_fields_than_the_header_is_told(tmp_path, kind, divider):
    rows = [["file_name", "text"], ["a.mp3", "moon, sun; star" if kind == "tsv" else '"moon, sun; star"', ""], [], ["b.mp3", "moon", "sun"]]
    lay(tmp_path, a__mp3="x", b__mp3="x", **{f"songs__{kind}": "\n".join(divider.join(row) for row in rows)})
    found = tracks(str(tmp_path / f"songs.{kind}"))
    (bad,) = [song for song in found if isinstance(song, Unread)]
    assert bad.where == f"{tmp_path}/songs.{kind}: song 2" and "has 3 fields, the header has 2" in bad.problem
    assert [(song.id, song.inline) for song in found if isinstance(song, Track)] == [("a", "moon, sun; star")]


@pytest.mark.parametrize("source", ["folder", "manifest", "tar"])
def test_a_recording_without_a_byte_is_empty(tmp_path, source):
    lay(tmp_path, a__mp3="", b__mp3="x", songs__jsonl='{"audio": "a.mp3"}')
    path = {"folder": tmp_path, "manifest": tmp_path / "songs.jsonl", "tar": tmp_path / "a.tar"}[source]
    if source == "tar":
        packed(path, {"a.mp3": b""})
    named = f"{tmp_path}/a.mp3: " if source == "manifest" else ""
    assert problem(tracks(str(path))) == f"{named}is empty; fetch it again"


def test_a_link_to_nothing_is_told(tmp_path):
    lay(tmp_path, b__mp3="x")
    (tmp_path / "a.mp3").symlink_to(tmp_path / "none")
    assert problem(tracks(str(tmp_path))) == "is a link to nothing; mend it, or remove it"


def test_what_is_wrong_in_the_json_beside_a_song_names_it(tmp_path):
    lay(tmp_path, a__mp3="x", a__json={"license": 3})
    assert problem(tracks(str(tmp_path))) == f"{tmp_path}/a.json: 'license' is 3; write a text in quotes"


def test_a_source_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    lay(tmp_path, songs___a__mp3="x")
    assert by_id(tracks("~/songs"))["a"].audio.path == str(tmp_path / "songs" / "a.mp3")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv"])
def test_a_metadata_table_tells_of_the_files_of_its_folder(tmp_path, kind):
    divider = {"csv": ",", "tsv": "\t"}.get(kind)
    rows = [{"file_name": "a.mp3", "text": "moon", "license": "CC0"}, {"file_name": "in/b.mp3", "text": "sun", "license": "CC-BY"}]
    lines = (
        [json.dumps(row) for row in rows]
        if divider is None
        else [divider.join(each) for each in (rows[0], *(row.values() for row in rows))]
    )
    lay(tmp_path, a__mp3="x", in___b__mp3="x", c__mp3="x", c__txt="star", a__txt="beside")
    (tmp_path / f"metadata.{kind}").write_text("\n".join(lines))
    found = by_id(tracks(str(tmp_path)))
    assert {name: (song.inline, song.license) for name, song in found.items()} == {
        "a": ("moon", "CC0"),
        "in-b": ("sun", "CC-BY"),
        "c": (None, None),
    }
    assert found["c"].lyrics is not None
    assert found["a"].lyrics is None


def test_rows_that_name_no_file_are_told_and_the_song_stays(tmp_path):
    lay(tmp_path, a__mp3="x", metadata__jsonl='{"file_name": "a.mp3"}\n{"file_name": "gone.mp3"}\n')
    found = tracks(str(tmp_path))
    assert problem(found) == "'gone.mp3': no such audio in the folder; mend the row"
    assert [song.id for song in found if isinstance(song, Track)] == ["a"]


def test_a_manifest_names_songs_by_columns_of_several_names(tmp_path, caplog):
    lay(tmp_path, a__mp3="x", in___b__mp3="x", b__lrc="[00:01.00]moon", c__mp3="x", d__mp3="x")
    rows = [
        {"id": "first", "audio_path": "a.mp3", "lyrics": "moon\nsun", "url": "https://a.b", "mood": "sad", "split": "validation"},
        {"path": "in/b.mp3", "LRC Path": "b.lrc", "genre": "pop, rock", "prompt": "warm"},
        {"file_name": str(tmp_path / "c.mp3"), "lyrics": WORDS, "prompts": ["one", "two"], "mood": "glad"},
        {"audio": "d.mp3", "instrumental": True, "lyrics": "b.lrc"},
    ]
    path = tmp_path / "songs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with caplog.at_level(logging.WARNING):
        found = by_id(tracks(str(path)))
    assert [record.getMessage().count("'mood'") for record in caplog.records] == [1]
    assert list(found) == ["c", "d", "first", "in-b"]
    assert (found["first"].inline, found["first"].source, found["first"].split) == ("moon\nsun", "https://a.b", "valid")
    assert (found["in-b"].lyrics, found["in-b"].tags, found["in-b"].prompts) == (
        Blob(str(tmp_path / "b.lrc"), "b.lrc"),
        ("pop", "rock"),
        ("warm",),
    )
    assert (found["c"].inline, found["c"].prompts) == (WORDS, ("one", "two"))
    assert (found["d"].instrumental, found["d"].lyrics is not None) == (True, True)
    assert {song.split for name, song in found.items() if name != "first"} == {"train"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('{"audio": "a.mp3"', "line 1"),
        ("[1]", "is list; write an object with audio"),
        ('{"id": "x"}', "has no 'audio'"),
        ('{"audio": 5}', "has no 'audio'"),
        ('{"audio": "gone.mp3"}', "'gone.mp3': no such audio"),
        ('{"audio": "a\\u0000.mp3"}', "no such audio"),
        (json.dumps({"audio": "a" * 300}), "no such audio"),
        ('{"audio": "a.mp3/b.mp3"}', "no such audio"),
        ('{"audio": "."}', "'.': is a folder"),
        ('{"audio": "a.mp3", "lrc_path": "gone.lrc"}', "'gone.lrc': no such lyrics file"),
        ('{"audio": "a.mp3", "lyrics": "la", "lrc_path": "a.mp3"}', "has both 'lyrics' and 'lyrics_path'"),
        ('{"audio": "a.mp3", "lyrics": 3}', "'lyrics' is 3"),
        ('{"audio": "a.mp3", "license": 3}', "'license' is 3; write a text"),
        ('{"audio": "a.mp3", "tags": {"a": 1}}', "'tags' is {'a': 1}; write a list of texts"),
        ('{"audio": "a.mp3", "split": "test"}', "'split' is 'test'; write train or valid"),
        ('{"audio": "a.mp3", "instrumental": "perhaps"}', "'instrumental' is 'perhaps'; write true or false"),
        ('{"id": "b", "audio": "a.mp3"}', "the id 'b' is that of"),
    ],
)
def test_what_is_wrong_with_a_song_is_told_and_the_others_are_read(tmp_path, row, expected):
    lay(tmp_path, a__mp3="x", b__mp3="x", songs__jsonl=f'{{"id": "b", "audio": "b.mp3"}}\n{row}\n')
    found = tracks(str(tmp_path / "songs.jsonl"))
    assert expected in problem(found)
    assert [song.id for song in found if isinstance(song, Track)] == ["b"]


def test_json_that_is_broken_costs_one_song(tmp_path):
    lay(tmp_path, a__mp3="x", a__json='{"license": ', b__mp3="x")
    found = tracks(str(tmp_path))
    assert "a.json: is not JSON that can be read" in problem(found)
    assert len(found) == 2


def shard(folder: Path, name: str = "songs-000000.tar") -> Path:
    said = {"license": "CC0", "word": WORDS}
    files = {"a.mp3": b"audio of a", "a.json": said, "in/b.flac": b"of b", "in/b.txt": b"moon", "in/b.prompt.txt": b"warm"}
    return packed(folder / name, files | {"in/b.json": {"tags": ["x"]}})


def test_songs_of_a_tar_are_read_where_they_lie(tmp_path):
    path = shard(tmp_path)
    for source in (str(path), str(tmp_path), str(tmp_path / "songs-{000000..000000}.tar")):
        found = by_id(tracks(source))
        assert list(found) == ["a", "in-b"]
        assert places.read_blob(found["a"].audio) == b"audio of a"
        assert (found["a"].license, found["a"].audio.name, found["a"].where) == ("CC0", "a.mp3", f"{path}: a.mp3")
        assert json.loads(places.read_blob(found["a"].lyrics))["word"] == WORDS
        assert places.read_blob(found["in-b"].lyrics) == b"moon"
        assert (found["in-b"].tags, found["in-b"].prompts) == (("x",), ("warm",))


def test_several_tars_are_one_source_and_one_key_in_two_is_two_songs(tmp_path):
    first, second = shard(tmp_path, "one.tar"), shard(tmp_path, "two.tar")
    found = by_id(tracks(f"{first}::{second}"))
    assert len(found) == 4
    assert all(name.startswith(("a-", "in-b-")) for name in found)
    assert list(by_id(tracks(f"{second}::{first}"))) == list(found)


def test_a_tar_that_is_cut_keeps_the_songs_before_and_a_song_without_audio_is_told(tmp_path):
    path = packed(tmp_path / "a.tar", {"a.mp3": bytes(2000), "b.mp3": bytes(2000)})
    path.write_bytes(path.read_bytes()[:3000])
    found = tracks(str(path))
    assert "the tar is damaged after 1 files" in problem(found)
    assert [song.id for song in found if isinstance(song, Track)] == ["a"]
    mute = packed(tmp_path / "mute.tar", {"a.txt": b"moon", "b.mp3": b"x"})
    assert "holds no audio (it has .txt)" in problem(tracks(str(mute)))


def test_a_tar_that_is_compressed_is_refused_with_what_unpacks_it(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz"):
        pass
    assert "is compressed" in problem(tracks(str(tmp_path / "a.tar.gz")))
    assert "unpack it with gunzip" in problem(tracks(str(tmp_path)))


def test_what_lies_beside_a_tar_is_no_tar(tmp_path):
    lay(tmp_path, a__mp3="x", b__tar__json="{}", b__tar__index="x", b__tar__part="x")
    assert list(by_id(tracks(str(tmp_path)))) == ["a"]
    for name in ("c.tar.gz", "c.tar.bz2", "c.tar.xz", "c.tar.zst", "c.TGZ", "c.tbz2", "c.txz"):
        (tmp_path / name).write_bytes(b"\x1f\x8b")
    assert sum("is compressed" in song.problem for song in tracks(str(tmp_path)) if isinstance(song, Unread)) == 7


def test_paths_that_give_one_id_all_have_a_hash_whatever_the_order(tmp_path):
    lay(tmp_path, a___b__mp3="x", c__mp3="x")
    (tmp_path / "a b.mp3").write_text("x")
    (tmp_path / "été.mp3").write_text("x")
    (tmp_path / "歌.mp3").write_text("x")
    (tmp_path / f"{'long' * 40}.mp3").write_text("x")
    found = by_id(tracks(str(tmp_path)))
    assert {name[:4] for name in found} == {"a-b-", "c", "-t-", "song", "long"}
    assert len(found) == 6
    assert all(len(name) <= 96 and name.isascii() and not set("./ ") & set(name) for name in found)
    (tmp_path / "a b.mp3").unlink()
    assert "a-b" in by_id(tracks(str(tmp_path)))


def test_rows_outside_the_folder_of_the_manifest_have_ids_of_their_own_whatever_the_order(tmp_path):
    lay(tmp_path, alb___c1___01__ogg="x", alb___c2___01__ogg="x", alb___c2___01__mp3="x")
    paths = [str(tmp_path / "alb" / name) for name in ("c1/01.ogg", "c2/01.ogg", "c2/01.mp3")]
    rows = [json.dumps({"audio": path}) for path in (*paths, "memory://alb/c3/01.ogg")]
    lay(tmp_path, in___there__jsonl="\n".join(rows), in___back__jsonl="\n".join(rows[::-1]))
    found = by_id(tracks(str(tmp_path / "in" / "there.jsonl")))
    assert len(found) == 4 and all(name.startswith("01-") for name in found)
    back = by_id(tracks(str(tmp_path / "in" / "back.jsonl")))
    assert {name: song.audio for name, song in back.items()} == {name: song.audio for name, song in found.items()}


def test_tars_of_one_name_in_two_folders_are_songs_of_two_ids(tmp_path):
    for name in ("c1", "c2"):
        (tmp_path / name).mkdir()
        shard(tmp_path / name)
    assert len(by_id(tracks(str(tmp_path)))) == 4
    assert len(by_id(tracks(str(tmp_path / "c{1..2}" / "songs-000000.tar")))) == 4


def test_a_name_that_is_not_utf_8_is_told_by_its_bytes(tmp_path):
    lay(tmp_path, good__ogg="x", in___a__tar="")
    (tmp_path / "in" / "a.tar").unlink()
    for name in (b"bad\xff.ogg", b"bad\xff.jpg", b"in/\xe9.tar"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    packed(tmp_path / "good.tar", {"tar\udcff.ogg": b"x"})
    found = tracks(str(tmp_path))
    assert [song.id for song in found if isinstance(song, Track)] == ["good", "tar-xff"]
    bad = {song.where: song.problem for song in found if isinstance(song, Unread)}
    assert list(bad) == [str(tmp_path / "bad\\xff.ogg"), str(tmp_path / "in" / "\\xe9.tar")]
    assert all(problem.endswith("its name is not UTF-8; rename it") for problem in bad.values())
    assert all(song.where.isascii() and song.id.isascii() for song in found)


@pytest.mark.parametrize("url", ["memory://folder", "file://{}", "file://{}/none.ogg", "nonsense://a.ogg", "http://[a/b.ogg"])
def test_a_url_of_a_row_that_cannot_be_read_is_a_fault_of_that_song(tmp_path, url):
    pytest.importorskip("fsspec")
    places.Folder("memory://folder").write("a.ogg", b"x")
    lay(tmp_path, songs__jsonl=json.dumps({"audio": url.format(tmp_path), "id": "a"}))
    (song,) = by_id(tracks(str(tmp_path / "songs.jsonl"))).values()
    with pytest.raises(places.Unreadable, match=r"^[^\n]+: [^\n]+; [^\n]+$"):
        places.signature(song.audio.path), places.read_blob(song.audio)


def test_a_tar_that_cannot_be_read_is_told_and_the_others_are_read(tmp_path):
    shard(tmp_path)
    (tmp_path / "gone.tar").symlink_to(tmp_path / "none")
    assert "is a link to nothing" in problem(tracks(str(tmp_path)))


def test_a_song_keeps_its_split_whatever_other_songs_there_are(tmp_path):
    for number in range(300):
        (tmp_path / f"song{number}.mp3").write_text("x")
    splits = {song.id: song.split for song in by_id(tracks(str(tmp_path), valid_share=0.2)).values()}
    assert 35 < sum(split == "valid" for split in splits.values()) < 90
    assert splits != {song.id: song.split for song in by_id(tracks(str(tmp_path), valid_share=0.2, seed=1)).values()}
    for number in range(0, 300, 2):
        (tmp_path / f"song{number}.mp3").unlink()
    fewer = {song.id: song.split for song in by_id(tracks(str(tmp_path), valid_share=0.2)).values()}
    assert fewer.items() <= splits.items()


def test_a_source_that_is_missing_or_empty_is_refused_in_one_line(tmp_path):
    lay(tmp_path, empty__jsonl="", none__csv="audio,license\n", list__json="{}", text___a__txt="no song", a__mp3="x")
    for source, expected in {
        tmp_path / "gone": "no such folder",
        tmp_path / "gone.jsonl": "no such manifest",
        tmp_path / "gone.tar": "shards are missing",
        tmp_path / "empty.jsonl": "holds no songs",
        tmp_path / "none.csv": "holds no songs",
        tmp_path / "list.json": "write a list of items",
        tmp_path / "text": "holds no audio",
        tmp_path / "a.mp3": "is a recording; name its folder, or a manifest",
        tmp_path / "text" / "a.txt": "is neither a manifest",
    }.items():
        with pytest.raises(ValueError, match=expected) as caught:
            tracks(str(source))
        assert "\n" not in str(caught.value)


def test_an_object_store_is_a_folder_too(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    for name, content in {"a.mp3": b"x", "a.txt": b"moon", "in/b.ogg": b"x", "list.jsonl": b'{"audio": "a.mp3", "id": "c"}\n'}.items():
        system.pipe_file(f"/sources/{name}", content)
    system.pipe_file("/sources/tars/one.tar", shard(tmp_path).read_bytes())
    found = by_id(tracks("memory://sources"))
    assert len(found) == 4
    assert by_id(tracks("memory://sources/list.jsonl"))["c"].audio.path == "memory://sources/a.mp3"
    packed_song = by_id(tracks("memory://sources/tars/one.tar"))["a"]
    assert places.read_blob(packed_song.audio) == b"audio of a"


def test_thousands_of_files_are_listed_in_a_moment(tmp_path):
    for number in range(40):
        (tmp_path / f"{number}").mkdir()
        for song in range(50):
            (tmp_path / f"{number}/{song}.mp3").write_text("x")
            (tmp_path / f"{number}/{song}.txt").touch()
    begin = time.process_time()
    assert len(tracks(str(tmp_path))) == 2000
    assert time.process_time() - begin < 1


def test_lyrics_without_a_recording_are_named_once(tmp_path, caplog):
    for name in ("a.wav", "a.txt", "b.txt", "sub/c.lrc", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"la")
    tracks(str(tmp_path))
    assert "2 files of lyrics have no recording of their name beside them: b.txt, sub/c.lrc" in caplog.text
