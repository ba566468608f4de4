"""Manifests: what can be sung becomes requests, and what cannot is said in one line that names the manifest, the song and the fault."""

import json
from pathlib import Path
from typing import Any

import pytest

from jam.lyrics.words import Word
from jam.manifest import Entry, read_manifest

ROOT = Path(__file__).parent.parent
WORDS = [{"start": 0.1, "end": 0.5, "word": "river"}, {"start": 0.5, "end": 1.2, "word": "moon"}]
GOOD: dict[str, Any] = {"id": "a", "lrc_path": "a.json", "duration": 1.5}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with lyrics, descriptions and a manifest's other files."""
    (tmp_path / "a.json").write_text(json.dumps(WORDS))
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "style.txt").write_text("\ufeffslow folk,\n  acoustic guitar\n", encoding="utf-8")
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    (tmp_path / "clip.wav").write_bytes(b"read when it is sung")
    return tmp_path


def read(folder: Path, *songs: Any, **options: Any) -> list[Entry]:
    (folder / "input.json").write_text(json.dumps(songs))
    return read_manifest(folder / "input.json", **options)


def problem(folder: Path, song: Any) -> str:
    """What is wrong with the second of three songs, of which the others are good."""
    before, entry, after = read(folder, GOOD | {"id": "before"}, song, GOOD | {"id": "after"})
    assert before.problem is None and after.problem is None
    assert entry.request is None and entry.problem is not None
    assert entry.problem.startswith(f"{folder}/input.json: song 2")
    assert "\n" not in entry.problem
    return entry.problem


def test_a_song_becomes_a_request(folder):
    [entry] = read(folder, GOOD | {"audio_path": "clip.wav"})
    assert entry.where == f"{folder}/input.json: song 1 (a)" and entry.lyrics == f"{folder}/a.json"
    request = entry.request
    assert request is not None and entry.problem is None
    assert (request.id, request.duration, request.style, request.take) == ("a", 1.5, folder / "clip.wav", 0)
    assert request.words == (Word(0.1, 0.5, "river"), Word(0.5, 1.2, "moon"))


@pytest.mark.parametrize(
    ("style", "prefer", "expected"),
    [
        ({}, False, None),
        ({"audio_path": None, "prompt_path": None}, False, None),
        ({"prompt_path": "style.txt"}, False, "slow folk, acoustic guitar"),
        ({"prompt": "loud\npop"}, False, "loud pop"),
        ({"audio_path": "clip.wav", "prompt_path": "style.txt"}, False, Path("clip.wav")),
        ({"audio_path": "clip.wav", "prompt_path": "style.txt"}, True, "slow folk, acoustic guitar"),
        ({"audio_path": "clip.wav"}, True, Path("clip.wav")),
        ({"audio_path": "absent.wav", "prompt_path": "style.txt"}, True, "slow folk, acoustic guitar"),
    ],
)
def test_a_style_is_a_clip_or_a_description_or_neither(folder, style, prefer, expected):
    [entry] = read(folder, GOOD | style, use_prompt_style=prefer)
    assert entry.request is not None
    assert entry.request.style == (folder / expected if isinstance(expected, Path) else expected)


def test_paths_are_relative_to_the_working_folder_then_to_the_manifest(folder, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    [entry] = read(folder, GOOD | {"prompt_path": "style.txt"})
    assert entry.lyrics == f"{folder}/a.json"
    (elsewhere / "a.json").write_text("[]")
    [nearer] = read(folder, GOOD | {"prompt_path": "style.txt"})
    assert nearer.lyrics == "a.json" and nearer.request is not None and nearer.request.words == ()


def test_an_instrumental_and_a_number_as_id_are_allowed(folder):
    instrumental, numbered = read(folder, GOOD | {"lrc_path": "empty.json"}, GOOD | {"id": 7})
    assert instrumental.request is not None and instrumental.request.words == ()
    assert numbered.request is not None and numbered.request.id == "7"


def test_the_manifest_of_the_repository_is_in_order(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert [entry.problem for entry in read_manifest("inputs/input.json")] == [None] * 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such manifest; evaluation.test_set_path"),
        ("", "is empty"),
        ("[", "line 1, column 2: not JSON"),
        ('[{"id": "a",]', "line 1, column 13: not JSON"),
        ("[]", "holds no songs"),
        ('{"id": "a"}', "holds dict; write a list of songs"),
        ("3", "holds int"),
        (b"\xff\xfe[", "byte 0 is not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "1" * 5000 + "]", "not JSON"),
    ],
)
def test_a_manifest_that_lists_no_songs_is_refused(tmp_path, text, said):
    path = tmp_path / "input.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=said) as refusal:
        read_manifest(path)
    assert str(refusal.value).startswith(f"{path}: ") and "\n" not in str(refusal.value)


@pytest.mark.parametrize("song", [3, "a", None, ["a"]])
def test_a_song_that_is_no_object_is_named_by_its_place(folder, song):
    assert "write an object with id, lrc_path, duration" in problem(folder, song)


@pytest.mark.parametrize(
    "name",
    [
        *("a/b", "../a", "..", ".", "/etc/a", "a\\b", ".hidden", "C:a", "a*", "a?", 'a"b', "a|b", "<a>"),
        *("a\nb", "a\tb", "a\x00b", "a\x1b[31m", "a\u202eb", "\ud800", " a", "a ", "a" * 201, "月" * 67),
    ],
)
def test_an_id_that_cannot_name_a_file_is_refused(folder, name):
    told = problem(folder, GOOD | {"id": name})
    assert "cannot be a file's name" in told and told.isprintable()


@pytest.mark.parametrize("name", ["", "  ", None, True, 1.5, ["a"], {}])
def test_an_id_that_is_no_name_is_refused(folder, name):
    assert "give the song a name" in problem(folder, GOOD | {"id": name})


@pytest.mark.parametrize("name", ["a", "song-1_b.c", "Über uns", "月の歌", "a" * 200, "100%", "a..b"])
def test_an_id_may_be_any_file_name(folder, name):
    [entry] = read(folder, GOOD | {"id": name})
    assert entry.request is not None and entry.request.name == name


@pytest.mark.parametrize("key", ["id", "lrc_path", "duration"])
def test_a_missing_key_is_named(folder, key):
    told = problem(folder, {name: value for name, value in GOOD.items() if name != key})
    assert f"'{key}' is None" in told


@pytest.mark.parametrize(
    "duration", [0, 0.0, -3, "20", True, None, [], float("nan"), float("inf"), float("-inf"), 10**400, 1e7]
)
def test_a_duration_that_is_no_time_is_refused(folder, duration):
    told = problem(folder, GOOD | {"duration": duration})
    assert "song 2 (a): 'duration' is" in told and "write the song's seconds" in told and len(told) < 400


@pytest.mark.parametrize("key", ["lrc_path", "audio_path", "prompt_path"])
@pytest.mark.parametrize("value", ["absent.json", ".", "x" * 5000, "a\x00b", "~nobody-of-that-name/a.json", "a\nb"])
def test_a_missing_file_is_named(folder, key, value):
    told = problem(folder, GOOD | {key: value})
    assert f"song 2 (a): '{key}' is {value[:50]!r}"[:-1] in told and "no such file" in told


@pytest.mark.parametrize("key", ["lrc_path", "audio_path", "prompt_path"])
@pytest.mark.parametrize("value", ["", 3, ["a.json"], False])
def test_a_path_that_is_no_text_is_refused(folder, key, value):
    assert f"song 2 (a): '{key}' is {value!r}; give a path" in problem(folder, GOOD | {key: value})


@pytest.mark.parametrize(
    ("style", "said"),
    [
        ({"prompt": ""}, "'prompt' is empty; describe the style"),
        ({"prompt": " \n"}, "'prompt' is empty"),
        ({"prompt": 3}, "'prompt' is 3; write the style's description in quotes"),
        ({"prompt_path": "blank.txt"}, "blank.txt is empty"),
        ({"prompt_path": "latin.txt"}, "latin.txt: byte 3 is not UTF-8"),
    ],
)
def test_a_description_that_says_nothing_is_refused(folder, style, said):
    assert said in problem(folder, GOOD | style)


@pytest.mark.parametrize(
    ("lyrics", "said"),
    [
        ("", "is empty"),
        ("[{]", "line 1, column 3: not JSON"),
        ('"la la"', "holds str, not words"),
        ('{"text": "la"}', "has no 'word' list (it has 'text')"),
        ([3], "word 1 (3): is no object"),
        ([{"start": 0.1, "word": "la"}], "word 1 ('la'): lacks 'end'"),
        ([{"start": 0.1, "end": 0.2}], "lacks 'word'"),
        ([WORDS[0], {"start": 0.8, "end": 0.6, "word": "la"}], "word 2 ('la'): end 0.6 is before start 0.8"),
        ([{"start": float("nan"), "end": 0.6, "word": "la"}], "word 1 ('la'): 'start' is nan"),
        ([{"start": 0.1, "end": float("inf"), "word": "la"}], "'end' is inf"),
        ([{"start": -1, "end": 0.6, "word": "la"}], "'start' is -1, a negative time"),
        ([{"start": "0", "end": 0.6, "word": "la"}], "'start' is '0', not a number"),
        ([{"start": 0.1, "end": 0.6, "word": 5}], "'word' is 5, not text"),
        ([{"start": 0.1, "end": 0.6, "word": " "}], "has neither text nor phoneme"),
        ([WORDS[1], WORDS[0]], "word 2 ('river'): starts at 0.1 s, before word 1 ('moon')"),
        ([{"start": 0.1, "end": 9, "word": "la"}], "but the song lasts 1.5 s"),
    ],
)
def test_lyrics_that_cannot_be_sung_are_named_with_their_file_and_word(folder, lyrics, said):
    (folder / "bad.json").write_text(lyrics if isinstance(lyrics, str) else json.dumps(lyrics))
    told = problem(folder, GOOD | {"lrc_path": "bad.json"})
    assert f"song 2 (a): {folder}/bad.json" in told and said in told


def test_overlapping_words_are_sung_and_warned_of_with_their_file(folder, caplog):
    (folder / "a.json").write_text(json.dumps([WORDS[0] | {"end": 0.7}, WORDS[1]]))
    [entry] = read(folder, GOOD)
    assert entry.request is not None
    [warning] = caplog.messages
    assert f"{folder}/a.json: word 1 ('river')" in warning and "overlaps word 2 ('moon')" in warning


@pytest.mark.parametrize("names", [("a", "a"), ("a", "A"), (7, "7")])
def test_the_second_of_two_songs_of_one_name_is_refused(folder, names):
    first, second = read(folder, *(GOOD | {"id": name} for name in names))
    assert first.problem is None
    assert second.problem == f"{folder}/input.json: song 2 ({names[1]}): the name '{names[1]}' is song 1's; give each song its own 'id'"


@pytest.mark.parametrize(("names", "clash"), [(("a", "a_1"), "a_1"), (("a_2", "a"), "a_2"), (("a_1", "a"), "a_1")])
def test_takes_of_different_songs_do_not_share_a_name(folder, names, clash):
    songs = [GOOD | {"id": name} for name in names]
    assert [entry.problem for entry in read(folder, *songs)] == [None, None]
    first, second = read(folder, *songs, take_count=3)
    assert first.problem is None
    assert second.problem is not None and f"the name '{clash}' is song 1's" in second.problem


def test_a_song_that_is_refused_takes_no_name(folder):
    refused, sung = read(folder, GOOD | {"duration": 0}, GOOD)
    assert refused.problem is not None and sung.problem is None


def test_unknown_keys_are_warned_of_and_the_song_is_sung(folder, caplog):
    [entry] = read(folder, GOOD | {"audiopath": "clip.wav", "x\ny": 1})
    assert entry.request is not None
    [warning] = caplog.messages
    assert warning.startswith(f"{folder}/input.json: song 1 (a): 'audiopath', 'x\\ny': not read; known are id, lrc_path")
