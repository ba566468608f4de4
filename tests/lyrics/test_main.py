"""`python -m jam.lyrics`: each command from the words to the exit status, with the embedded phonemizer."""

import json
from pathlib import Path

import pytest

from jam import config
from jam.lyrics import formats
from jam.lyrics.__main__ import main, table
from jam.lyrics.lint import Problem

PLAIN = "[Verse]\nI wrote your name\non the window glass\n\n[Chorus]\ncome home (come home)\n"


@pytest.fixture
def plain(tmp_path) -> Path:
    path = tmp_path / "plain.txt"
    path.write_text(PLAIN)
    return path


def run(*words: object) -> int:
    return config.run(main, [str(word) for word in words])


def test_lyrics_are_converted_by_suffix_and_by_name(plain, tmp_path):
    assert run("plan", plain, "--output", tmp_path / "a.json") == 0
    planned = formats.read(tmp_path / "a.json")
    assert len(planned) == 12
    for name in ("a.lrc", "a.srt", "a.vtt", "a.ass", "a.TextGrid", "a.musicxml", "a.mid", "a.csv", "a.tsv", "a.txt"):
        assert run("convert", tmp_path / "a.json", tmp_path / name) == 0
        assert len(formats.read_sheet(tmp_path / name).words) == 12, name
    assert run("convert", tmp_path / "a.json", tmp_path / "odd.name", "--to", "srt") == 0
    assert formats.detect((tmp_path / "odd.name").read_bytes(), "odd.name") == "srt"


def test_a_plan_is_shown_line_by_line_where_no_file_is_named(plain, capsys):
    assert run("plan", plain, "--duration", 12) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("name" in line for line in lines) == 1
    assert any(line.startswith("[00:") and "window" in line for line in lines)


def test_a_plan_keeps_to_its_knobs(plain, tmp_path):
    knobs = ["--duration", 14, "--bpm", 90, "--intro", 2.5, "--backing", "drop", "--phonemes"]
    assert run("plan", plain, *knobs, "-o", tmp_path / "a.json") == 0
    words = formats.read(tmp_path / "a.json", 14.0)
    assert [word.word for word in words][-2:] == ["come", "home"] and len(words) == 10
    assert words[0].start == pytest.approx(2.5, abs=0.1)
    assert all(word.phoneme for word in words)


def test_good_lyrics_pass_the_check_and_bad_ones_do_not(plain, tmp_path, capsys):
    assert run("check", plain, "--duration", 15) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 errors")
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps([{"start": 1, "end": 2, "word": "moon"}, {"start": 0.5, "end": 30, "word": "river"}]))
    assert run("check", bad, "--duration", 15) == 1
    out = capsys.readouterr().out
    assert "error" in out and "word 2 ('river')" in out


def test_a_mended_copy_passes_and_what_was_changed_is_told(tmp_path, caplog):
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps([{"start": 1, "end": 2, "word": "moon"}, {"start": 2, "end": 30, "word": "river"}]))
    assert run("check", bad, "--duration", 15, "--fix", tmp_path / "good.json") == 1
    assert any(message.startswith(f"{tmp_path}/good.json: ") and "river" in message for message in caplog.messages)
    assert run("check", tmp_path / "good.json", "--duration", 15) == 0
    assert json.loads(bad.read_text())[1]["end"] == 30


def test_lyrics_are_drawn_planned_or_not(plain, tmp_path):
    from matplotlib.image import imread

    assert run("draw", plain, tmp_path / "a.png", "--duration", 12) == 0
    assert imread(tmp_path / "a.png").std() > 0.01


def test_a_line_is_said_word_by_word(capsys):
    assert run("say", "hello {ɹaɪt}", "blorfing $5") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.split()[0] != "ɹaɪt"] == ["hello", "blorfing", "$5"]
    assert "as written" in lines[1] and "guessed" in lines[2] and "faɪv" in lines[3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "absent.txt"], "absent.txt: no such"),
        (["say", "hello", "--lexicon", "absent.txt"], "absent.txt"),
        (["say", "hello", "--phonemizer", "absent.pt"], "absent.pt: no such file"),
        (["say", "bonjour", "--language", "fr", "--languages", "fr"], "write CODE=SOURCE"),
    ],
)
def test_bad_input_is_one_line_and_status_2(words, said, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 2
    [message] = caplog.messages
    assert message.startswith("error: ") and said in message and "\n" not in message


@pytest.mark.parametrize("words", ["sing a", "plan", "plan a --bpm 0", "plan a --gap -1", "check a --duration x", "convert a b --to wav"])
def test_words_that_no_command_takes_are_refused_in_one_line(words, caplog):
    assert run(*words.split()) == 2
    [message] = caplog.messages
    assert message.startswith("error: ") and "--help tells the words" in message and "\n" not in message


def test_what_a_format_does_not_hold_is_told(plain, tmp_path, caplog):
    assert run("plan", plain, "-o", tmp_path / "a.json", "--phonemes") == 0
    assert not [message for message in caplog.messages if "does not hold" in message]
    assert run("convert", tmp_path / "a.json", tmp_path / "a.srt") == 0
    assert f"{tmp_path}/a.srt: this format does not hold bpm, duration, sections, times of words, phonemes" in caplog.messages


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("plan plain.txt -o a.foo", "a.foo: its suffix means no format of lyrics"),
        ("check plain.txt --fix a.foo", "a.foo: its suffix means no format of lyrics"),
        ("draw plain.txt a.jpg", "a.jpg: pictures are PNG"),
        ("plan plain.txt --bpm 9999", "bpm is 9999; give a number from 20 to 400"),
        ("plan plain.txt --duration 3000 --intro 2999", "too short for its 12 words"),
        ("plan plain.txt --intro 1000", "there are no more than 23.78 s for them"),
        ("say {", "say: '{' has a brace without its partner"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(plain, words, said, caplog, monkeypatch):
    monkeypatch.chdir(plain.parent)
    assert run(*words.split()) == 2
    assert said in caplog.messages[-1] and "\n" not in caplog.messages[-1]
    assert not list(plain.parent.glob("a.*"))


def test_a_plan_that_cannot_be_names_the_file_and_leaves_nothing(plain, tmp_path, caplog):
    assert run("plan", plain, "--duration", 0.5, "--output", tmp_path / "a.json") == 2
    assert caplog.messages[-1].startswith(f"error: {plain}: ")
    assert not (tmp_path / "a.json").exists()


def test_a_table_has_its_columns_one_below_the_other():
    problems = [
        Problem("error", "order", "line 1, word 2 ('a')", 1.5, "starts early", "swap"),
        Problem("note", "guess", "word 12 ('b')", None, "guessed", ""),
    ]
    first, second, total = table(problems)
    assert first == "error  line 1, word 2 ('a')  1.50 s  starts early; swap"
    assert second == "note   word 12 ('b')                 guessed"
    assert total == "1 errors, 0 warnings, 1 notes"
