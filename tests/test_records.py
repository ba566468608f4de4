"""The folder of results: a record vouches for exactly the files of one song, and a song is written whole or not at all."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jam.files import write_whole
from jam.lyrics import formats
from jam.lyrics.words import Word
from jam.records import ResultFolder, fingerprint
from jam.song import Song, SongRequest
from jam.timing import FRAME_SAMPLES

WORDS = (Word(0.1, 0.3, "river", "ɹɪvɝ"), Word(0.3, 0.6, "moon", "muːn"))
FRAMES = 16


def song(name: str = "a", level: float = 0.3) -> Song:
    draws = torch.Generator().manual_seed(1)
    whole = level * torch.randn(2, FRAMES * FRAME_SAMPLES, generator=draws)
    return Song(SongRequest(name, WORDS, 0.7, "slow folk"), WORDS, torch.randn(FRAMES, 64, generator=draws), whole)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path) -> ResultFolder:
    return ResultFolder(tmp_path / "outputs", "wav", spectrograms=False)


def test_a_song_has_its_files_and_a_record_of_them(folder):
    folder.write(song(), "key", {"seed": 5})
    names = {"generated/a.wav", "generated/a.json", "generated/a.lrc", "generated_orig/a.wav", "cfm_latents/a.pt"}
    assert set(content(folder.path)) == names | {"local_files/a.json"}
    record = json.loads(folder.record("a").read_text())
    assert set(record["files"]) == names
    told = {key: record[key] for key in ("name", "id", "take", "duration", "style", "seed", "key")}
    assert told == {"name": "a", "id": "a", "take": 0, "duration": 0.7, "style": "slow folk", "seed": 5, "key": "key"}
    assert record["loudness"] == pytest.approx(-14, abs=0.1)
    assert formats.read(folder.path / "generated" / "a.json") == WORDS
    assert torch.equal(torch.load(folder.path / "cfm_latents" / "a.pt", weights_only=True), song().latents)


def test_a_song_is_finished_for_its_own_key_alone(folder):
    assert not folder.is_finished("a", "key")
    folder.write(song(), "key", {})
    assert folder.is_finished("a", "key")
    assert not folder.is_finished("a", "another key")
    assert not replace(folder, spectrograms=True).is_finished("a", "key")


@pytest.mark.parametrize("file", ["generated/a.wav", "generated/a.lrc", "generated_orig/a.wav", "cfm_latents/a.pt"])
def test_a_song_with_a_missing_or_damaged_file_is_not_finished(folder, file):
    folder.write(song(), "key", {})
    kept = (folder.path / file).read_bytes()
    (folder.path / file).write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    assert not folder.is_finished("a", "key")
    (folder.path / file).unlink()
    assert not folder.is_finished("a", "key")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": "key"}', '{"key": "key", "files": []}', "\udcff"])
def test_a_record_that_says_nothing_is_no_record(folder, text):
    write_whole(folder.record("a"), text.encode(errors="surrogateescape"))
    assert not folder.is_finished("a", "key")


def test_files_of_a_former_song_do_not_stay_beside_the_new_one(folder):
    folder.write(song(), "key", {})
    replace(folder, audio_format="flac").write(song(), "key", {})
    assert {Path(name).suffix for name in content(folder.path)} == {".flac", ".json", ".lrc", ".pt"}


def test_an_edited_record_cannot_make_other_files_go(folder):
    mine = [folder.path / "generated" / "mine.wav", folder.path.parent / "a.wav", folder.path / "generated" / "a" / "a.wav"]
    for path in mine:
        write_whole(path, b"mine")
    listed = {"generated/mine.wav": "", "../a.wav": "", str(mine[1]): "", "generated/a/a.wav": ""}
    write_whole(folder.record("a"), json.dumps({"files": listed}).encode())
    folder.write(song(), "key", {})
    assert all(path.read_bytes() == b"mine" for path in mine)


def test_a_full_disk_leaves_the_former_song_whole_and_nothing_beside_it(folder, file_size_limit):
    folder.write(song(), "key", {})
    before = content(folder.path)
    with file_size_limit(20_000), pytest.raises(OSError, match="free some space") as refusal:
        folder.write(song(level=0.5), "new key", {})
    assert "\n" not in str(refusal.value)
    assert content(folder.path) == before
    assert os.listdir(folder.path / "generated") and not list(folder.path.glob(".*"))


def test_an_interrupted_song_leaves_the_former_one_whole(folder, monkeypatch):
    import soundfile

    folder.write(song(), "key", {})
    before = content(folder.path)

    def interrupted(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(soundfile, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.write(song(), "new key", {})
    assert content(folder.path) == before and not list(folder.path.glob(".*"))


def test_what_a_kill_left_behind_does_not_disturb(folder):
    write_whole(folder.path / ".a.part" / "generated" / "a.wav", b"half")
    folder.write(song(), "key", {})
    assert folder.is_finished("a", "key") and not list(folder.path.glob(".*"))


def test_a_silent_song_has_no_loudness_and_its_record_is_strict_json(folder):
    folder.write(song(level=0.0), "key", {})
    folder.write_metadata(["a"])

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    stored = json.loads((folder.path / "generation_metadata.json").read_text(), parse_constant=refuse)
    assert stored["songs"][0]["loudness"] is None


def test_metadata_gathers_the_records_there_are_in_order(folder):
    for name in "ab":
        folder.write(song(name), "key", {"seed": 1})
    folder.write_metadata(["b", "absent", "a"])
    stored = json.loads((folder.path / "generation_metadata.json").read_text())
    assert stored == {"songs": [json.loads(folder.record(name).read_text()) for name in "ba"]}


def test_a_fingerprint_is_of_facts_and_of_what_files_hold(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w").write_text("1")
    first = fingerprint({"b": 1, "a": 2}, [tmp_path / "model", None, "no file"])
    assert first == fingerprint({"a": 2, "b": 1}, [tmp_path / "model", None, "no file"])
    assert first != fingerprint({"a": 2, "b": 2}, [tmp_path / "model", None, "no file"])
    assert first != fingerprint({"a": 2, "b": 1}, [tmp_path / "model", None, "other"])
    (tmp_path / "model" / "w").write_text("2")
    assert first != fingerprint({"b": 1, "a": 2}, [tmp_path / "model", None, "no file"])
