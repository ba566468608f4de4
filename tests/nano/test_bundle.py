"""The embedded bundle is whole, small, carries its settings, and sings words that a listener finds."""

import json
from dataclasses import replace

import numpy as np
import pytest

from jam import assets
from jam.model import weights
from jam.nano import bundle, score, voice
from jam.song import Singer
from jam.timing import SAMPLE_RATE, Span


def test_every_file_is_as_it_was_written():
    assert bundle.damaged(assets.BUNDLE) == []
    listed = set(json.loads((assets.BUNDLE / bundle.CHECKSUMS).read_text()))
    there = {str(path.relative_to(assets.BUNDLE)) for path in assets.BUNDLE.rglob("*") if path.is_file()}
    assert there == listed | {bundle.CHECKSUMS}


def test_a_changed_or_missing_file_is_named(tmp_path):
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("two")
    bundle.write_checksums(tmp_path)
    (tmp_path / "a").write_text("three")
    (tmp_path / "b").unlink()
    assert bundle.damaged(tmp_path) == ["a", "b"]


def test_it_is_small_and_its_canvas_is_that_of_its_songs():
    size = sum(path.stat().st_size for path in assets.BUNDLE.rglob("*") if path.is_file())
    settings = weights.read_settings(assets.BUNDLE / "model")
    assert size < 60e6
    assert settings is not None and Span(settings.max_frames, settings.max_frames).seconds == pytest.approx(23.78, abs=0.01)
    assert weights.read_extra(assets.BUNDLE / "model", "sample") == bundle.SAMPLE
    assert Singer.load("nano").settings.filler == bundle.LYRICS["filler"]


def test_a_written_model_sings_as_the_trained_one(tmp_path):
    trained = assets.BUNDLE / "model"
    bundle.write_model(trained, tmp_path)
    before, after = weights.read_tensors(trained), weights.read_tensors(tmp_path / "model")
    assert all(np.array_equal(before[name].numpy(), after[name].numpy()) for name in before)


@pytest.mark.skipif(not voice.available(), reason="flite, which speaks the true clips, is not installed")
def test_a_listener_finds_the_lines_it_sings():
    singer = Singer.load("nano")
    singer.settings = replace(singer.settings, max_frames=256, sample=replace(singer.settings.sample, steps=17))
    tests = score.test_lines(count=3)
    sing = score.sings(singer)
    clips = [sing(test.words, len(test.audio) / SAMPLE_RATE) for test in tests]
    report = score.evaluate(clips, [test.words for test in tests], [test.line for test in tests], rivals=False)
    assert report.line_by_grammar == 1 and report.edge_ms < 40


@pytest.mark.parametrize("word", ["seed=x", "sed=1", "seed"])
def test_the_score_refuses_words_it_does_not_know(word, caplog):
    assert score.main([word]) == 1
    assert len(caplog.messages) == 1 and repr(word) in caplog.messages[0]


def test_the_scores_table_has_a_row_for_each_condition():
    report = score.Report(20, 1.0, 0.95, 12.5, 0.9, 0.4, 0)
    rows = score.table({"true clip": report, "embedded model": report}).splitlines()
    assert len(rows) == 3 and "12.5" in rows[1] and rows[2].startswith("embedded model")
