"""The command itself, on a small folder of rendered songs: what it writes, what it refuses, what it goes on without."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from jam import audio, config
from jam.eval import catalogue, evaluate, results
from jam.eval.measures import base
from jam.eval.measuring import CODED, SHUFFLED, SONGS, TRUE
from jam.eval.results import Evaluation
from jam.lyrics import formats

QUICK = ("lyrics.recognisers=[judge]", "controls=[]", "audio=false", "spectrograms=false", "workers=1")


@pytest.fixture(scope="module")
def folder(songs, tmp_path_factory) -> Path:
    """Two songs with their references, one file that is no audio, and a benchmark that names a fourth song, which is not there."""
    place = tmp_path_factory.mktemp("sung")
    items = []
    for song in songs[:2]:
        audio.write(place / f"{song.item.id}.flac", song.mix)
        audio.write(place / "true" / f"{song.item.id}.flac", song.vocal)
        lyrics = json.loads(formats.timed_json.write(song.item.sheet))
        facts = {"genre": song.item.genre, "bpm": song.item.bpm, "key": song.item.key, "duration": song.item.duration}
        items.append({"id": song.item.id, "lyrics": lyrics, "prompt": f"{song.item.genre}, male voice", **facts})
        items[-1]["reference"] = f"true/{song.item.id}.flac"
    (place / "broken.wav").write_bytes(b"RIFF....no audio at all")
    items += [{"id": "broken", "lyrics": "hold my hand"}, {"id": "absent", "lyrics": "let it go"}]
    (place / "benchmark.json").write_text(json.dumps(items))
    return place


def run(*words: str) -> int:
    return config.run(evaluate.main, words)


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory) -> tuple[int, Path, Evaluation]:
    """A run with everything, by two processes."""
    output = tmp_path_factory.mktemp("report")
    status = run(f"songs={folder}", f"benchmark={folder}/benchmark.json", f"output={output}", "workers=2", "lyrics.candidates=8")
    return status, output, results.read(output)


def test_songs_stand_beside_their_controls(whole):
    _, _, found = whole
    names = [condition.name for condition in found.conditions]
    assert names == [SONGS, TRUE, CODED, SHUFFLED]
    figures = {condition.name: condition.estimates for condition in found.conditions}
    assert figures[SONGS]["timing.coverage@judge"].value > 95
    assert figures[TRUE]["lyrics.line@judge"].value > 95
    assert figures[SHUFFLED]["timing.coverage@judge"].value < 30
    assert figures[CODED]["timing.onset_ms@judge"].value < 20
    assert figures[SHUFFLED]["lyrics.wer@pocketsphinx"].value > max(80, figures[SONGS]["lyrics.wer@pocketsphinx"].value)
    assert "sound.fad@nano" not in figures[TRUE]  # a set is at no distance from itself
    assert {base(name) for name in figures[SONGS]} >= {
        *("timing.lag_ms", "lyrics.wer", "lyrics.per", "lyrics.margin", "duration.length_error", "style.text", "style.tempo"),
        *("sound.loudness", "sound.true_peak", "sound.fad"),
    }


def test_every_figure_has_its_interval_around_it(whole):
    for condition in whole[2].conditions:
        for name, figure in condition.estimates.items():
            assert figure.low <= figure.value <= figure.high, (condition.name, name)
            low, high = catalogue.measure(name).bounds
            assert low <= figure.low and figure.high <= high, (condition.name, name)


def test_a_broken_and_an_absent_song_are_rows_and_the_others_go_on(whole):
    status, output, found = whole
    assert status == evaluate.SOME_FAILED
    problems = {song.id: song.problem for song in found.conditions[0].songs if song.problem}
    assert set(problems) == {"broken", "absent"}
    assert "broken.wav" in problems["broken"] and "absent" in problems["absent"]
    assert sum(song.problem is None for song in found.conditions[0].songs) == 2
    page = (output / "report.html").read_text()
    assert problems["broken"].split(":")[0].rsplit("/", 1)[-1] in page


def test_what_is_not_installed_or_not_named_is_one_line_each(whole):
    lines = whole[2].absent
    assert all("\n" not in line for line in lines)
    assert any("SongEval" in line for line in lines) and any("safety.shards" in line for line in lines)


def test_a_run_tells_its_settings_and_the_hashes_of_what_judged(whole):
    facts = whole[2].facts
    assert facts["seed"] == 0
    assert facts["settings"]["lyrics"]["candidates"] == 8
    assert facts["benchmark"] == "benchmark.json" and len(facts["asked"]) == 64
    assert facts["judge"].startswith("judge.safetensors ")
    assert "Whisper" in facts["normaliser"]["en_us"]


def test_the_page_plays_and_draws_each_song_and_the_table_has_a_row_for_each(whole):
    _, output, found = whole
    page = (output / "report.html").read_text()
    assert "word error rate <small>by pocketsphinx</small><b>" in page and "<br>true recordings " in page
    for song in ("song-0", "song-1"):
        assert f"files/{song}.flac" in page and (output / "files" / f"{song}.flac").stat().st_size > 10_000
        assert f"files/{song}.png" in page and (output / "files" / f"{song}.png").stat().st_size > 10_000
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script" not in page
    rows = list(csv.DictReader((output / "per_song.csv").open()))
    assert {row["id"] for row in rows if row["condition"] == SONGS} == {"song-0", "song-1", "broken", "absent"}


def test_the_number_of_processes_changes_nothing(whole, folder, tmp_path):
    words = (f"songs={folder}", f"benchmark={folder}/benchmark.json", f"output={tmp_path}", "workers=1", "lyrics.candidates=8")
    run(*words, "audio=false", "spectrograms=false")
    alone = results.read(tmp_path)
    for one, other in zip(alone.conditions, whole[2].conditions, strict=True):
        assert set(one.estimates) == set(other.estimates)
        for name, figure in one.estimates.items():
            near = pytest.approx(other.estimates[name].value, rel=1e-3, abs=1e-3)  # threads add up in another order
            assert figure.value == near, (one.name, name)


def test_another_systems_songs_need_nothing_but_audio_and_lyrics(songs, tmp_path):
    for song in songs[2:4]:
        audio.write(tmp_path / f"{song.item.id}.mp3", song.mix)
        (tmp_path / f"{song.item.id}.txt").write_text(f"[Verse]\n{song.text.written}\n")
    assert run(f"songs={tmp_path}", f"output={tmp_path}/report", *QUICK, "rooms=[timing,lyrics,sound]") == 0
    figures = results.read(tmp_path / "report").conditions[0].estimates
    assert figures["timing.coverage@judge"].value > 90
    assert figures["lyrics.line@judge"].value > 90
    assert not any(name.startswith(("timing.onset", "duration.length")) for name in figures)


def test_a_recogniser_that_lacks_the_language_leaves_the_other_songs_their_texts(songs, tmp_path):
    pytest.importorskip("pocketsphinx")
    items = []
    for song, language in zip(songs[2:4], ("de", "en_us"), strict=True):
        audio.write(tmp_path / f"{song.item.id}.flac", song.vocal[:, : 44_100 * 6])
        words = [{"start": w.start, "end": w.end, "word": w.word, "phoneme": w.phoneme} for w in song.text.words]
        items.append({"id": song.item.id, "lyrics": words, "language": language})
    (tmp_path / "two.json").write_text(json.dumps(items))
    words = ("controls=[]", "audio=false", "spectrograms=false", "workers=1", "rooms=[lyrics]", "lyrics.recognisers=[pocketsphinx]")
    assert run(f"songs={tmp_path}", f"benchmark={tmp_path}/two.json", f"output={tmp_path}/report", *words) == 0
    found = results.read(tmp_path / "report")
    assert [set(song.heard) for song in found.conditions[0].songs] == [set(), {"pocketsphinx"}]
    assert len(found.absent) == 1 and "de" in found.absent[0]


def test_lyrics_that_nobody_pronounces_and_a_style_clip_that_is_too_short_leave_the_rest(songs, tmp_path):
    audio.write(tmp_path / "one.flac", songs[0].mix[:, : 44_100 * 6])
    audio.write(tmp_path / "short.wav", songs[0].mix[:, :4000])
    item = {"id": "one", "lyrics": "\u3055\u304f\u3089 \u3055\u304f\u3089", "language": "ja", "duration": 6, "audio_path": "short.wav"}
    (tmp_path / "one.json").write_text(json.dumps([item]))
    words = (*QUICK, "lyrics.recognisers=[judge,pocketsphinx]")
    assert run(f"songs={tmp_path}", f"benchmark={tmp_path}/one.json", f"output={tmp_path}/report", *words) == 0
    found = results.read(tmp_path / "report")
    (song,) = found.conditions[0].songs
    assert any("pocketsphinx" in line and "English" in line for line in found.absent)
    assert song.problem is None and "sound.loudness" in song.values and "duration.length_error" in song.values
    assert not any(name.startswith(("timing.", "style.", "lyrics.")) for name in song.values)
    assert len(song.notes) == 2 and "ja" in song.notes[0] and "too short" in song.notes[1]


def test_an_aligner_that_is_not_there_is_told_and_sound_is_measured_all_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = (f"songs={folder}", f"benchmark={folder}/benchmark.json", f"output={tmp_path}", "num_songs=1", *QUICK)
    absent = ("alignment.aligners=[ctc]", "style.encoder=muq", "codec.kind=stable_audio", "controls=[codec round trip]")
    run(*words, "rooms=[timing,lyrics,sound,style]", *absent)
    found = results.read(tmp_path)
    assert all(any(name in line for line in found.absent) for name in ("wav2vec2", "MuQ", "stable-audio"))
    assert [condition.name for condition in found.conditions] == [SONGS]
    assert {"sound.loudness", "style.tempo", "lyrics.per@judge", "lyrics.line@judge"} <= set(found.conditions[0].estimates)
    assert not any(name.startswith("timing.") for name in found.conditions[0].estimates)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "songs is not set"),
        (("songs=nowhere",), "nowhere"),
        (("songs={folder}", "benchmark=nowhere.json"), "nowhere.json"),
        (("songs={folder}", "rooms=[timing,beauty]"), "'beauty' is not known"),
        (("songs={folder}", "rooms=timing"), "rooms"),
        (("songs={folder}", "lyric.candidates=3"), "did you mean"),
        (("songs={folder}", "lyrics.candidates=1"), "lyrics.candidates is 1"),
        (("songs={folder}/true", "benchmark={folder}/true"), "no lyrics beside it"),
        (("songs={folder}", "benchmark={folder}/benchmark.json", "alignment.judge_path={folder}/benchmark.json", "workers=1"), "judge"),
    ],
)
def test_bad_settings_are_refused_in_one_line(words, said, folder, caplog, capfd):
    status = run(*(word.format(folder=folder) for word in words))
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert status == config.BAD_INPUT
    assert len(errors) == 1 and said in errors[0] and "\n" not in errors[0]
    assert "Traceback" not in capfd.readouterr().err


def test_measures_are_defined_once_and_say_what_they_cannot():
    names = [measure.name for measure in catalogue.MEASURES]
    assert len(set(names)) == len(names)
    for measure in catalogue.MEASURES:
        assert all(len(text) > 2 for text in (measure.label, measure.meaning, measure.source, measure.limits)), measure.name
        assert measure.name.split(".")[0] in {"timing", "lyrics", "duration", "style", "sound", "aesthetics", "safety"}
