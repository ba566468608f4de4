"""The planner against the truth: how far off it is on songs that nothing was tuned or trained on, and the entry that trains it."""

import io
import json
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")

from jam import config
from jam.lyrics import durations
from jam.lyrics.formats import timed_json
from jam.lyrics.planner import PlanSettings
from jam.lyrics.sheet import Line, Sheet, SheetWord
from jam.lyrics.train_planner import TimedSong, errors, main, naive_onsets, planned_onsets, report, songs
from jam.nano.pronunciation import dictionary

SONGS = Path(__file__).with_name("timed_songs.jsonl")  # of the composer that the shipped planner learned from; it has seen none of these


def composed(told: dict) -> TimedSong:
    lines = tuple(Line(tuple(SheetWord(word, start, end, dictionary()[word]) for word, start, end in line)) for line in told["lines"])
    return TimedSong(Sheet(lines, bpm=told["bpm"], duration=told["duration"]), told["beats_per_bar"])


@pytest.fixture(scope="module")
def unseen() -> list[TimedSong]:
    return [composed(json.loads(line)) for line in SONGS.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def folder(unseen, tmp_path_factory):
    """Forty songs as files."""
    folder = tmp_path_factory.mktemp("songs")
    for number, song in enumerate(unseen[:40]):
        told = json.loads(timed_json.write(song.sheet)) | {"beats_per_bar": song.beats_per_bar}
        (folder / f"{number:03d}.json").write_text(json.dumps(told))
    return folder


# The bar is a third. Without lines a third is reached too on 1000 songs (tests/bench/plan.py), but so few as here may be unlucky.
@pytest.mark.parametrize(("flat", "bar"), [(False, 2 / 3), (True, 0.7)])
def test_the_shipped_planner_is_a_third_nearer_to_the_truth_than_equal_time_per_character(flat, bar, unseen):
    naive, _ = errors(unseen, naive_onsets)
    planned, _ = errors(unseen, lambda song: planned_onsets(song, list, flat, PlanSettings()))
    assert planned < bar * naive


@pytest.mark.skipif(not durations.weights_path().is_file(), reason="no learned durations are shipped")
@pytest.mark.parametrize("flat", [False, True])
def test_the_learned_durations_are_shipped_because_they_beat_the_rules(flat, unseen):
    rules, learned = (
        errors(unseen, lambda song, method=method: planned_onsets(song, list, flat, PlanSettings(method=method)))[0]
        for method in ("rules", "learned")
    )
    assert learned < rules


def test_the_naive_planner_gives_each_character_the_same_time():
    song = TimedSong(Sheet((Line((SheetWord("ab", 1.0, 2.0), SheetWord("abcd", 2.0, 3.0), SheetWord("ab", 3.0, 4.0))),), duration=8.0))
    assert naive_onsets(song) == [0.0, 2.0, 6.0]
    assert errors([song], naive_onsets) == (pytest.approx(1.0), pytest.approx(2.6))


def test_songs_come_from_folders_files_and_shards_each_once(folder, tmp_path, unseen):
    with tarfile.open(tmp_path / "train-000007.tar", "w") as tar:
        for name in ("000.json", "001.json"):
            content = (folder / name).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    (tmp_path / "train-000008.tar").write_bytes((tmp_path / "train-000007.tar").read_bytes())
    assert songs(f"{tmp_path}/train-{{000007..000008}}.tar") == unseen[:2]
    assert songs(f"{folder}::{folder}/003.json") == unseen[:40]


def test_songs_without_lines_are_divided_by_their_rests(tmp_path):
    words = [{"word": f"w{n}", "start": n + (n > 4), "end": n + (n > 4) + 1} for n in range(8)]
    (tmp_path / "a.json").write_text(json.dumps({"word": words, "bpm": 90, "duration": 12}))
    (song,) = songs(str(tmp_path))
    assert [len(line.words) for line in song.sheet.lines] == [5, 3] and song.sheet.bpm == 90 and song.duration == 12


def test_the_entry_trains_writes_weights_and_reports(folder, tmp_path, caplog):
    caplog.set_level("INFO")
    output = tmp_path / "planner.safetensors"
    words = [f"data={folder}", f"output={output}", "steps=12", "batch_size=4", "held_out=10"]
    assert config.run(main, words) == 0
    assert "36 songs to learn from, 4 kept aside" in caplog.text
    assert all(name in caplog.text for name in ("naive", "rules, lines", "learned, one line"))
    first = output.read_bytes()
    assert config.run(main, words) == 0 and output.read_bytes() == first


def test_training_brings_the_words_nearer(unseen, tmp_path):
    from jam.lyrics.train_planner import TrainPlannerConfig, train

    known = [song for song in unseen[:40]]
    before, after = (
        str(durations.save(train(known, TrainPlannerConfig(steps=steps, learning_rate=rate), list), tmp_path / f"{steps}.safetensors"))
        for steps, rate in ((1, 0.0), (60, 3e-3))
    )
    off = [
        errors(known, lambda song, w=weights: planned_onsets(song, list, True, PlanSettings(method="learned", weights=w)))[0]
        for weights in (before, after)
    ]
    assert off[1] < off[0]
    assert len(report(known[:3], list, after)) == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give the timed songs"),
        (["data=absent.tar"], "absent.tar: no such shard"),
        (["data=absent.json"], "absent.json: no such"),
        (["data=.", "steps=0"], "steps and batch_size are at least 1"),
        (["dats=."], "did you mean data"),
    ],
)
def test_bad_settings_are_one_line_and_status_2(words, said, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.run(main, words) == 2
    assert said in caplog.messages[-1] and "\n" not in caplog.messages[-1]


def test_too_few_songs_are_refused(tmp_path, caplog):
    (tmp_path / "a.json").write_text(json.dumps([{"word": "a", "start": 0, "end": 1}]))
    assert config.run(main, [f"data={tmp_path}"]) == 2
    assert "1 songs with timed words; at least 20" in caplog.messages[-1]


def test_a_broken_shard_is_named(tmp_path, caplog):
    (tmp_path / "a.tar").write_bytes(b"no tar")
    assert config.run(main, [f"data={tmp_path}/a.tar"]) == 2
    assert "a.tar: not a shard that can be read" in caplog.messages[-1]
