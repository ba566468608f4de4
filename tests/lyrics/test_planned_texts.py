"""Twenty plain texts as people write them: each is planned, passes the check without an error, and fits JAM-0.5's canvas."""

import time
from itertools import groupby
from pathlib import Path

import pytest

from jam import assets
from jam.lyrics import formats
from jam.lyrics.grid import BLANK, slots
from jam.lyrics.lint import Limits, check
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.planner import PlanSettings, plan
from jam.timing import MAX_FRAMES, Span, frames_to_seconds

TEXTS = sorted((Path(__file__).parent / "texts").glob("*.txt"))
CANVAS = frames_to_seconds(MAX_FRAMES)


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer.load(assets.BUNDLE / "phonemizer.pt")


@pytest.mark.parametrize("filler", ["average_sparse", "average_repeat"])
@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_planned_text_passes_the_check_without_an_error(path, filler, phonemizer):
    sheet = formats.read_sheet(path)
    planned = plan(sheet, phonemizer.ipa, PlanSettings())
    assert planned.timing == "words" and len(planned.words) == len(sheet.words) > 0
    problems = check(planned, phonemizer, Limits(planned.duration, CANVAS))
    assert [str(problem) for problem in problems if problem.level == "error"] == []
    assert [str(problem) for problem in problems if problem.code == "phonemes-cut"] == []
    for word in phonemizer.words(planned.timed()):
        row, ids = slots([word], Span(MAX_FRAMES, MAX_FRAMES), phonemizer.ids_of, filler), phonemizer.ids_of(word)
        sung = row[row < BLANK].tolist()
        assert [token for token, _ in groupby(sung)] == [token for token, _ in groupby(ids)], word


def test_there_are_twenty_texts():
    assert len(TEXTS) == 20


def test_a_song_of_three_minutes_is_planned_in_a_fifth_of_a_second(phonemizer):
    sheet = formats.read_sheet(TEXTS[-1])
    phonemizer.ipa([word.word for word in sheet.words])  # what is measured is planning, once all is loaded
    plan(sheet, phonemizer.ipa, PlanSettings(duration=180.0))
    began = time.perf_counter()
    planned = plan(sheet, phonemizer.ipa, PlanSettings(duration=180.0, seed=1))
    assert time.perf_counter() - began < 0.2
    assert planned.words[-1].end is not None and 150 < planned.words[-1].end <= 180
