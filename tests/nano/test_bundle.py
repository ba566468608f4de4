"""The embedded bundle is whole, small, carries its settings, and sings words that a listener finds."""

import json
from dataclasses import replace

import numpy as np
import pytest

from jam import assets
from jam.eval import edges, identify
from jam.eval.alignment import align
from jam.eval.asked import text_of
from jam.eval.judge import Judge
from jam.lyrics.formats import sheet_of
from jam.lyrics.sheet import of_words
from jam.lyrics.words import Word
from jam.model import weights
from jam.nano import bundle
from jam.nano.texts import held_out_lines
from jam.song import Singer, SongRequest
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


def test_the_judge_finds_the_lines_that_the_singer_sings():
    singer = Singer.load("nano")
    singer.settings = replace(singer.settings, max_frames=256, sample=replace(singer.settings.sample, steps=17))
    lines = held_out_lines()[:3]
    starts = [0.5 + 3.6 * place for place in range(3)]
    words = [
        Word(start + 0.4 * place, start + 0.4 * place + 0.37, word)
        for start, line in zip(starts, lines, strict=True)
        for place, word in enumerate(line.split())
    ]
    song = singer.sing(SongRequest("lines", tuple(words), 11.8, "a cappella, solo male voice"))
    text = text_of(of_words(words, [len(line.split()) for line in lines]), singer.phonemizer)
    judge = Judge.load(assets.BUNDLE)
    others = text_of(sheet_of("\n".join(held_out_lines()), "lines"), singer.phonemizer).spoken_lines(judge.spell)
    heard = judge.hear(song.audio, SAMPLE_RATE)
    assert identify.measure(heard, text.spoken_lines(judge.spell), others)["lyrics.line"].value == 100
    timing = edges.measure(text.asked, align(heard, text.spelled(judge.spell)))
    assert timing["timing.coverage"].value > 80
    assert timing["timing.onset_ms"].value < 40
