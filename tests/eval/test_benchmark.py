"""Benchmarks are read from lists, tables, manifests and folders, item by item, and songs are found that answer them."""

import csv
import json
import logging
import sys

import pytest
import torch

from jam import assets, audio
from jam.eval import benchmark
from jam.eval.benchmark import Item, Unread, audio_files, candidates, jame, read_benchmark, write_benchmark
from jam.eval.measures import Absent
from jam.lyrics.formats import sheet_of

TEXT = "paper lantern glow\nover the river"
TIMED = [{"start": 0.5, "end": 0.9, "word": "paper"}, {"start": 1.0, "end": 1.4, "word": "lantern"}]
LRC = "[00:00.50] paper lantern\n[00:02.00] over the river\n"


def listed(path, rows) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def lined(path, rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def tabled(path, rows, delimiter=",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def sounded(*paths) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write(path.with_suffix(".wav"), torch.zeros(2, 4410)).rename(path)


def texts(items) -> list[list[str]]:
    return [[word.word for word in item.sheet.words] for item in items]


@pytest.mark.parametrize(
    ("name", "write"),
    [("b.json", listed), ("b.jsonl", lined), ("b.csv", tabled), ("b.tsv", lambda path, rows: tabled(path, rows, "\t"))],
)
def test_every_form_of_a_list_holds_the_same_items(tmp_path, name, write):
    sounded(tmp_path / "clips" / "a.wav", tmp_path / "true.wav")
    rows = [
        {"id": "one", "lyrics": TEXT, "duration": 20.5, "prompt": "slow  folk", "genre": "folk", "bpm": 90, "key": "D minor"},
        {"id": "two", "lyrics": LRC, "audio_path": "clips/a.wav", "reference": str(tmp_path / "true.wav"), "language": "fr"},
    ]
    write(tmp_path / name, rows)
    first, second = read_benchmark(tmp_path / name)
    assert first == Item("one", sheet_of(TEXT, ""), 20.5, "slow folk", genre="folk", bpm=90.0, key="D minor")
    assert (second.style_audio, second.reference, second.language) == (tmp_path / "clips" / "a.wav", tmp_path / "true.wav", "fr")
    assert second.sheet.lines[1].start == 2.0 and second.sheet.language == "fr"
    assert first.source == f"{tmp_path / name}: item 1 (one)"


def test_a_manifest_of_inference_is_a_benchmark():
    items = read_benchmark("inputs/input.json")
    assert [item.id for item in items] == ["pop", "folk", "electronic", "hip-hop"]
    assert all(item.sheet.timing == "words" and item.sheet.words and item.style and item.style_audio for item in items)
    assert items[0].duration == 20.5


def test_items_that_are_written_are_read_back_equal(tmp_path):
    sounded(tmp_path / "songs" / "one.wav")
    lined(tmp_path / "b.jsonl", [{"id": "rests", "lyrics": []}, {"id": "one", "lyrics": TIMED, "reference": "songs/one.wav", "bpm": 77.5}])
    items = [*read_benchmark(tmp_path / "b.jsonl"), *read_benchmark("inputs/input.json")]
    path = write_benchmark(tmp_path / "again.jsonl", items)
    assert read_benchmark(path) == items
    assert '"reference": "songs/one.wav"' in path.read_text()


def test_a_folder_of_songs_with_lyrics_beside_them_needs_nothing_else(tmp_path):
    sounded(*(tmp_path / name for name in ("a.wav", "b.flac", "c.wav")))
    (tmp_path / "a.lrc").write_text(LRC)
    (tmp_path / "b.txt").write_text(TEXT)
    a, b, c = read_benchmark(tmp_path)
    assert (a.id, a.sheet.lines[0].start, b.id, b.sheet.timing, b.duration) == ("a", 0.5, "b", "none", None)
    assert texts([a, b]) == [["paper", "lantern", "over", "the", "river"], ["paper", "lantern", "glow", "over", "the", "river"]]
    assert c == Unread("c", f"{tmp_path / 'c.wav'}: no lyrics beside it; put c.lrc, .json, .srt or .txt there, or name a benchmark")


def test_a_folder_that_inference_wrote_says_what_was_asked(tmp_path):
    sounded(tmp_path / "generated" / "moon.wav", tmp_path / "generated_orig" / "moon.wav")
    listed(tmp_path / "generated" / "moon.json", TIMED)
    (tmp_path / "generated" / "moon.lrc").write_text(LRC)
    (tmp_path / "local_files").mkdir()
    listed(tmp_path / "local_files" / "moon.json", {"duration": 12.5, "style": "soft piano"})
    (item,) = read_benchmark(tmp_path)
    assert (item.id, item.duration, item.style, len(item.sheet.words)) == ("moon", 12.5, "soft piano", 2)
    (song,) = candidates([item], tmp_path)
    assert (song.audio, song.whole) == (tmp_path / "generated" / "moon.wav", tmp_path / "generated_orig" / "moon.wav")


BROKEN = [
    (7, "item 1", "is int"),
    ({"lyrics": TEXT}, "item 1", "'id' is None"),
    ({"id": "a/b", "lyrics": TEXT}, "item 1", "cannot be a file's name"),
    ({"id": "..", "lyrics": TEXT}, "item 1", "cannot be a file's name"),
    ({"id": "a"}, "a", "neither 'lyrics' nor 'lrc_path'"),
    ({"id": "a", "lyrics": 5}, "a", "holds int"),
    ({"id": "a", "lyrics": [{"word": "glow"}]}, "a", "lacks 'start', 'end'"),
    ({"id": "a", "lrc_path": "no.lrc"}, "a", "no such file"),
    ({"id": "a", "lrc_path": 3}, "a", "give a path"),
    ({"id": "a", "lyrics": TEXT, "duration": -1}, "a", "'duration' is -1"),
    ({"id": "a", "lyrics": TEXT, "duration": True}, "a", "'duration' is True"),
    ({"id": "a", "lyrics": TEXT, "duration": "long"}, "a", "'duration' is 'long'"),
    ({"id": "a", "lyrics": TEXT, "bpm": 1e9}, "a", "'bpm'"),
    ({"id": "a", "lyrics": TEXT, "reference": "no.wav"}, "a", "'reference' is 'no.wav': no such file"),
    ({"id": "a", "lyrics": TEXT, "audio_path": ["x"]}, "a", "'audio_path'"),
    ({"id": "a", "lyrics": TEXT, "style": 4}, "a", "'style' is 4"),
    ({"id": "a", "lyrics": TEXT, "language": 4}, "a", "'language' is 4"),
]


@pytest.mark.parametrize(("row", "where", "told"), BROKEN)
def test_a_broken_item_is_a_line_with_its_place_and_the_others_are_read(tmp_path, row, where, told):
    listed(tmp_path / "b.json", [row, {"id": "good", "lyrics": TEXT}])
    broken, good = read_benchmark(tmp_path / "b.json")
    assert isinstance(broken, Unread) and isinstance(good, Item)
    assert broken.where == where and told in broken.problem and "\n" not in broken.problem
    assert broken.problem.startswith(f"{tmp_path / 'b.json'}: item 1")


def test_a_broken_line_of_jsonl_is_an_item_of_its_own(tmp_path):
    (tmp_path / "b.jsonl").write_text('{"id": "a", "lyrics": []}\n\n{"id": \n{"id": "c", "lyrics": []}\n')
    a, broken, c = read_benchmark(tmp_path / "b.jsonl")
    assert (a.id, broken.where, c.id) == ("a", "item 2", "c")
    assert "item 2, in line 3 of the file" in broken.problem and "not JSON" in broken.problem


def test_two_items_of_one_name_are_told_whatever_the_case(tmp_path):
    lined(tmp_path / "b.jsonl", [{"id": name, "lyrics": []} for name in ("Moon", "moon", "sun")])
    first, second, third = read_benchmark(tmp_path / "b.jsonl")
    assert (first.id, second.where, third.id) == ("Moon", "moon", "sun") and "item 1 (Moon)" in second.problem


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("b.json", b"{}", "holds dict"),
        ("b.json", b"[]", "holds no items"),
        ("b.json", b"[", "not JSON"),
        ("b.jsonl", b"", "holds no items"),
        ("b.jsonl", b"\xff\xfe", "not UTF-8"),
        ("b.csv", b"", "is empty"),
        ("b.csv", b"id,lyrics\n", "holds no items"),
        ("b.csv", b'id,lyrics\na,"x', "not a table"),
        ("b.doc", b"x", "its suffix means no benchmark"),
    ],
)
def test_a_file_that_is_broken_as_a_whole_is_refused_in_a_line(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=told) as caught:
        read_benchmark(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)


def test_what_is_not_there_is_refused_in_a_line(tmp_path):
    for path, told in ((tmp_path / "no.json", "no such benchmark"), (tmp_path / "no", "no such benchmark"), (tmp_path, "holds no audio")):
        with pytest.raises(ValueError, match=told):
            read_benchmark(path)
    with pytest.raises(ValueError, match="no such folder"):
        candidates([], tmp_path / "no")


def test_parquet_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(Absent, match="pip install pyarrow"):
        read_benchmark(tmp_path / "b.parquet")


def test_parquet_is_read_where_its_package_is_there(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    sounded(tmp_path / "data" / "a.wav")
    rows = [
        {"id": "a", "lyrics": TIMED, "duration": 20.0, "bpm": None, "audio": {"bytes": b"\x00\xff", "path": "a.wav"}},
        {"id": "b", "lyrics": [], "duration": None, "bpm": 90.5, "audio": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "data" / "test.parquet")
    first, second = read_benchmark(tmp_path / "data" / "test.parquet")
    assert (first.duration, first.bpm, len(first.sheet.words)) == (20.0, None, 2)
    assert (second.duration, second.bpm, len(second.sheet.words)) == (None, 90.5, 0)
    assert jame(tmp_path)[0].reference == tmp_path / "data" / "a.wav"
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match="not Parquet"):
        read_benchmark(tmp_path / "bad.parquet")


def test_a_misspelled_key_is_warned_of_once(tmp_path, caplog):
    lined(tmp_path / "b.jsonl", [{"id": "a", "lyrics": [], "durration": 3}, {"id": "b", "lyrics": [], "durration": 4}])
    with caplog.at_level(logging.WARNING):
        read_benchmark(tmp_path / "b.jsonl")
    assert caplog.text.count("'durration'") == 1


def test_songs_are_found_with_their_takes_and_latents(tmp_path, caplog):
    sounded(*(tmp_path / "generated" / name for name in ("a.mp3", "a_1.wav", "a_2.wav", "a_2_1.wav", "stray.wav")))
    (tmp_path / "cfm_latents").mkdir()
    torch.save(torch.zeros(3, 64), tmp_path / "cfm_latents" / "a_1.pt")
    with caplog.at_level(logging.WARNING):
        found = candidates([Item("a"), Item("a_2"), Item("gone")], tmp_path)
    named = [("a", "a", 0), ("a_1", "a", 1), ("a_2", "a_2", 0), ("a_2_1", "a_2", 1), ("gone", "gone", 0)]
    assert [(one.name, one.item.id, one.take) for one in found] == named
    assert [one.latents is not None for one in found] == [False, True, False, False, False]
    assert found[-1].audio is None and "gone.wav: no such song" in found[-1].problem and found[0].problem is None
    assert caplog.text.count("stray.wav") == 1


def test_of_several_files_of_a_song_the_uncompressed_one_is_taken(tmp_path):
    sounded(*(tmp_path / name for name in ("a.mp3", "a.WAV", "a.ogg")))
    assert candidates([Item("a")], tmp_path)[0].audio == tmp_path / "a.WAV"
    assert audio_files(tmp_path) == [tmp_path / "a.WAV"]
    with pytest.raises(ValueError, match="no such folder"):
        audio_files(tmp_path / "no")


DATASET = [
    {"track_id": 17, "Lyrics": TEXT, "length": "31.5", "caption": "bright synth pop", "Genre": "pop", "audio_path": "audio/17.mp3"},
    {"track_id": 18, "Lyrics": TIMED, "length": 20, "caption": None, "Genre": "folk", "audio_path": "audio/18.mp3"},
]


@pytest.mark.parametrize("write", [lined, listed])
def test_a_copy_of_the_dataset_is_read_whatever_its_columns_are_called(tmp_path, write):
    sounded(tmp_path / "data" / "audio" / "17.mp3")
    (tmp_path / "README.md").write_text("a dataset")
    listed(tmp_path / "dataset_info.json", {"features": {}})
    write(tmp_path / "data" / ("test.jsonl" if write is lined else "test.json"), DATASET)
    first, second = jame(tmp_path)
    assert (first.id, first.duration, first.style, first.genre) == ("17", 31.5, "bright synth pop", "pop")
    assert first.reference == tmp_path / "data" / "audio" / "17.mp3"
    assert (second.id, second.style, second.reference, second.sheet.timing) == ("18", "folk", None, "words")


def test_a_table_beside_audio_names_songs_by_their_files(tmp_path):
    sounded(tmp_path / "first song.mp3")
    tabled(tmp_path / "metadata.csv", [{"file_name": "first song.mp3", "text": TEXT, "tags": "rock"}, {"file_name": "", "text": "glow"}])
    first, second = jame(tmp_path)
    assert (first.id, first.reference, first.style, second.id) == ("first-song", tmp_path / "first song.mp3", "rock", "song-0002")
    assert texts([second]) == [["glow"]]


def test_a_dataset_of_the_hub_is_fetched_by_its_name(tmp_path, monkeypatch):
    lined(tmp_path / "test.jsonl", DATASET)
    asked = []
    monkeypatch.setattr(assets, "fetch_dataset", lambda *words: asked.append(words) or tmp_path, raising=False)
    assert len(jame(revision="abc")) == 2 and asked == [(benchmark.JAME, "abc")]


def test_a_dataset_without_lyrics_is_refused(tmp_path):
    lined(tmp_path / "test.jsonl", [{"track_id": 1, "title": "no words"}])
    with pytest.raises(ValueError, match="no table with lyrics"):
        jame(tmp_path)
