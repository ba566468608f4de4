"""Manifests: what can be sung becomes requests, and what cannot is said in one line that names the manifest, the song and the fault."""

import json
from pathlib import Path
from typing import Any

import pytest

from jam.lyrics.planner import PlanSettings
from jam.lyrics.words import Word
from jam.manifest import Entry, Planning, Reading, read_manifest

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
    [entry] = read(folder, GOOD | style, reading=Reading(prefer))
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


def spelled(words: Any) -> list[str]:
    """An IPA of sorts: the letters themselves."""
    return [word.lower() for word in words]


PLANNED = Reading(planning=Planning(spelled, PlanSettings(bpm=120.0)))
PLAIN = "[Verse]\nhello river\nsing a song\n[Chorus]\ncome home\n"


def planned(folder: Path, **song: Any) -> Entry:
    [entry] = read(folder, {"id": "a"} | song, reading=PLANNED)
    return entry


def test_lyrics_of_any_format_are_read(folder):
    (folder / "a.lrc").write_text("[00:00.10] <00:00.10> river <00:00.50> moon <00:01.20>\n")
    [entry] = read(folder, GOOD | {"lrc_path": "a.lrc"})
    assert entry.request is not None and entry.request.words == (Word(0.1, 0.5, "river"), Word(0.5, 1.2, "moon"))


def test_words_without_times_are_planned_within_the_duration(folder):
    (folder / "plain.txt").write_text(PLAIN)
    entry = planned(folder, lrc_path="plain.txt", duration=12)
    assert entry.problem is None and entry.request is not None
    assert [word.word for word in entry.request.words] == ["hello", "river", "sing", "a", "song", "come", "home"]
    assert entry.request.words[-1].end <= entry.request.duration == 12
    assert entry.sheet.timing == "words" and [section.name for section in entry.sheet.sections] == ["Verse", "Chorus"]


def test_without_a_duration_one_is_proposed_for_timed_and_untimed_words(folder):
    for song in ({"lyrics": PLAIN}, {"lrc_path": "a.json"}):
        request = planned(folder, **song).request
        assert request is not None and request.words[-1].end <= request.duration < 60


def test_words_without_times_are_refused_where_nobody_plans(folder):
    assert "has no times; plan them" in problem(folder, {"id": "a", "lyrics": PLAIN, "duration": 12})


@pytest.mark.parametrize(
    ("written", "words"),
    [(PLAIN, 7), (WORDS, 2), ({"word": WORDS}, 2), ([], 0), ("1\n00:00:00,000 --> 00:00:02,000\nhello river\n", 2)],
)
def test_lyrics_may_stand_in_the_manifest(folder, written, words):
    entry = planned(folder, lyrics=written, duration=12)
    assert entry.request is not None and len(entry.request.words) == words
    assert entry.lyrics == f"{folder}/input.json: song 1 (a): 'lyrics'"


def test_the_knobs_of_a_song_reach_the_planner(folder):
    (folder / "plain.txt").write_text(PLAIN)
    entry = planned(folder, lrc_path="plain.txt", duration=20, intro=3.0, bpm=90, language="en", sections={"Chorus": [14.0, 19.0]})
    assert entry.request is not None
    words = entry.request.words
    assert words[0].start == pytest.approx(3.0, abs=0.1) and words[0].language == "en"
    assert entry.sheet.bpm == 90
    assert words[5].start >= 14.0 and words[6].end <= 19.0


def test_a_tempo_in_the_description_is_heard(folder):
    assert planned(folder, lyrics=PLAIN, prompt="slow folk, 72 BPM").sheet.bpm == 120  # the setting wins
    free = Reading(planning=Planning(spelled))
    for prompt, bpm in (("slow folk, 72 BPM", 72), ("slow folk", 100), ("900 bpm", 100)):
        [entry] = read(folder, {"id": "a", "lyrics": PLAIN, "prompt": prompt}, reading=free)
        assert entry.sheet.bpm == bpm


def test_a_style_that_the_lyrics_name_serves_a_song_without_one_and_the_setting_the_others(folder):
    named = "[Style: bright pop]\n" + PLAIN
    reading = Reading(prompt="folk", planning=PLANNED.planning)
    songs = [{"lyrics": named}, {"lyrics": PLAIN}, {"lyrics": named, "prompt": "rock"}]
    first, second, third = read(folder, *({"id": str(index)} | song for index, song in enumerate(songs)), reading=reading)
    assert [entry.request and entry.request.style for entry in (first, second, third)] == ["bright pop", "folk", "rock"]


def test_knobs_of_a_song_whose_words_have_times_are_told_to_do_nothing(folder, caplog):
    assert planned(folder, lrc_path="a.json", duration=1.5, bpm=90, gap=0.2).problem is None
    assert "'bpm', 'gap': nothing to plan, as all words have times" in caplog.messages[-1]
    assert "'bpm' is 'abc'" in (planned(folder, lrc_path="a.json", duration=1.5, bpm="abc").problem or "")


def test_a_manifest_may_have_any_name(folder):
    (folder / "songs.list").write_text(json.dumps([GOOD]))
    [entry] = read_manifest(folder / "songs.list")
    assert entry.request is not None and entry.request.id == "a"


@pytest.mark.parametrize("name", ["Come Home!.txt", "timed.json", "sounds.json", "whisper.json", "nemo.json"])
def test_a_file_of_lyrics_is_a_song(folder, name):
    content = {
        "timed.json": json.dumps(WORDS),
        "sounds.json": json.dumps([{"start": 0, "end": 1, "phoneme": "muːn"}, {"start": 1, "end": 2, "phoneme": "nuːn"}]),
        "whisper.json": json.dumps({"segments": [{"start": 0, "end": 2, "text": "hello river"}]}),
        "nemo.json": json.dumps({"timestamp": {"word": WORDS}}),
    }
    (folder / name).write_text(content.get(name, PLAIN))
    [entry] = read_manifest(folder / name, PLANNED)
    assert entry.problem is None and entry.request is not None
    assert entry.request.id == Path(name).stem.rstrip("!") and len(entry.request.words) >= 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"bpm": 5}, "'bpm' is 5; write beats a minute"),
        ({"bpm": "fast"}, "'bpm' is 'fast'"),
        ({"density": 0}, "'density' is 0"),
        ({"intro": -1}, "'intro' is -1"),
        ({"gap": True}, "'gap' is True"),
        ({"language": 3}, "'language' is 3"),
        ({"sections": [1]}, "'sections' is [1]; write {"),
        ({"sections": {"Verse": [3]}}, "'sections': 'Verse' is [3]"),
        ({"sections": {"Verse": [3, 2]}}, "'sections': 'Verse' is [3, 2]"),
        ({"lrc_path": "a.json"}, "has both 'lrc_path' and 'lyrics'; keep one"),
        ({"lyrics": 3}, "'lyrics'"),
        ({"lyrics": [], "duration": None}, "an instrumental has no words"),
        ({"lyrics": "hello {world"}, "brace"),
        ({"duration": 0.4}, "'lyrics': "),
    ],
)
def test_what_is_wrong_with_a_song_without_times_is_said_in_one_line(folder, fault, said):
    entry = planned(folder, **({"lyrics": PLAIN, "duration": 12} | fault))
    assert entry.problem is not None and said in entry.problem and "\n" not in entry.problem
    assert entry.problem.count(f"{folder}/input.json") == 1
