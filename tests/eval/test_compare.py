"""Two reports side by side: paired over the songs of the same ids, told where they are not alike, refused where they share none."""

import json
import logging
from dataclasses import replace

import pytest

from jam import config
from jam.eval import compare as comparing
from jam.eval import results
from jam.eval.compare import as_lines, compare, main
from jam.eval.measures import Value
from jam.eval.results import Condition, Evaluation, SongResult
from jam.eval.statistics import estimate

WER, LOUDNESS = "lyrics.wer@reader", "sound.loudness"


def system(name: str, errors: dict[str, float], **facts) -> Evaluation:
    """Songs with a word error rate each, and one loudness."""
    songs = tuple(SongResult(id, "", 20.0, {WER: Value(rate, 30), LOUDNESS: Value(-14.0)}) for id, rate in errors.items())
    estimates = {measure: estimate([song.values[measure] for song in songs], "mean") for measure in (WER, LOUDNESS)}
    broken = SongResult("torn", "torn.wav", problem="torn.wav: not audio")
    return Evaluation(name, (Condition("songs", (*songs, broken), estimates),), {"seed": 0, "settings": {"songs": name}} | facts)


def rates(shift: float, count: int = 12, first: int = 0) -> dict[str, float]:
    return {f"song-{place}": 30 + 7 * (place % 5) + place % 3 + shift for place in range(first, first + count)}


FIRST = system("first", rates(0))


def by_name(found) -> dict:
    return {row.name: row for row in found.rows}


def test_a_lower_error_rate_on_every_song_is_told_as_better():
    row = by_name(compare(FIRST, system("second", rates(-5))))[WER]
    assert row.difference.value == pytest.approx(-5) and row.difference.p < 0.01
    assert (row.difference.wins, row.difference.losses, row.difference.count, row.verdict) == (12, 0, 12, "B")
    assert by_name(compare(system("second", rates(-5)), FIRST))[WER].verdict == "A"


def test_a_system_beside_itself_differs_in_nothing():
    found = compare(FIRST, FIRST)
    assert all(row.difference.value == 0 and row.verdict == "" for row in found.rows) and found.warnings == ()
    assert found.songs == tuple(sorted(rates(0)))


def test_only_songs_that_both_have_make_the_difference_and_the_others_are_told():
    found = compare(FIRST, system("second", rates(0, count=10, first=4) | {"song-13": 99.0}))
    row = by_name(found)[WER]
    assert row.difference.count == 8 and row.difference.value == 0 and row.b.count == 10
    assert any("4 songs of A" in warning for warning in found.warnings) and any("2 songs of B" in warning for warning in found.warnings)


def test_what_only_one_measured_has_its_figure_and_no_difference():
    second = system("second", rates(0))
    condition = second.conditions[0]
    fewer = tuple(replace(song, values={WER: song.values[WER]} if song.values else {}) for song in condition.songs)
    without = replace(second, conditions=(replace(condition, songs=fewer, estimates={WER: condition.estimates[WER]}),))
    row = by_name(compare(FIRST, without))[LOUDNESS]
    assert row.difference is None and row.b is None and row.a.value == -14.0
    assert any(LOUDNESS in line and line.split()[-3:] == ["-14.0", "-", "-"] for line in as_lines(compare(FIRST, without)))


def test_reports_that_share_no_song_are_refused():
    with pytest.raises(ValueError, match="first and second: no song has the same id"):
        compare(FIRST, system("second", rates(0, first=50)))


def test_facts_that_differ_are_warned_of_but_not_who_sang():
    found = compare(FIRST, system("second", rates(0), aligner="ctc", system={"weights": "abc"}))
    assert found.warnings == ("aligner differs: None (A), ctc (B)",)


def test_the_command_prints_a_table_and_writes_files(tmp_path, capsys, caplog):
    for one in (FIRST, system("second", rates(-5), seed=1)):
        (tmp_path / one.name).mkdir()
        (tmp_path / one.name / "report.json").write_text(json.dumps(results.to_json(one)), encoding="utf-8")
    with caplog.at_level(logging.INFO):
        assert main([str(tmp_path / "first"), str(tmp_path / "second" / "report.json"), f"output={tmp_path / 'both'}"]) == 0
    told = capsys.readouterr().out
    line = next(line for line in told.splitlines() if line.startswith(WER))
    assert line.split()[-1] == "B" and "-5.00" in line
    assert "seed differs: 0 (A), 1 (B)" in caplog.text
    stored = json.loads((tmp_path / "both" / comparing.FILE).read_text())
    assert [row["better"] for row in stored["measures"] if row["measure"] == WER] == ["B"] and len(stored["songs"]) == 12
    html = (tmp_path / "both" / comparing.HTML).read_text(encoding="utf-8")
    assert "-5.00" in html and "seed differs" in html


@pytest.mark.parametrize("words", [[], ["a"], ["a", "b", "c"], ["no/a", "no/b"], ["no/a", "no/b", "outptu=x"]])
def test_a_command_that_names_no_two_reports_ends_in_one_line(words, caplog):
    assert config.run(main, words) == 2
    assert len(caplog.records) == 1 and "error: " in caplog.text
