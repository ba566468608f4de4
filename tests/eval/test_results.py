"""What an evaluation found goes to JSON and comes back equal."""

import json
import math

import pytest

from jam.eval import results
from jam.eval.measures import Value
from jam.eval.results import Condition, Estimate, Evaluation, SongResult
from jam.lyrics.words import Phone, Word

WHOLE = SongResult(
    "first",
    "songs/first.wav",
    12.5,
    {"timing.lag_ms@judge": Value(12.0, 3, (-5.0, 12.0, 40.5)), "sound.loudness": Value(-14.2)},
    (Word(0.5, 0.9, "lantern", "ˈlæntɚn", "en_us", (Phone(0.5, 0.6, "l"),)), Word(1.0, 1.5, "glow")),
    (Word(0.52, 0.95, "lantern"),),
    "lantern glow",
    {"reader": "lantern crow"},
    ("read beside the band",),
)
BROKEN = SongResult("second", "songs/second.wav", problem="second.wav: not audio")
FOUND = Evaluation(
    "tiny",
    (
        Condition("songs", (WHOLE, BROKEN), {"sound.loudness": Estimate(-14.2, -math.inf, math.inf, 1)}),
        Condition("shuffled lyrics", (WHOLE,), {"timing.lag_ms@judge": Estimate(3.0, 1.0, 5.0, 2)}),
    ),
    {"seed": 3, "settings": {"rooms": ["timing"], "songs": None}},
    ("aesthetics: not installed",),
)


def test_an_evaluation_comes_back_equal():
    text = json.dumps(results.to_json(FOUND), allow_nan=False)
    assert results.from_json(json.loads(text), "here") == FOUND


@pytest.mark.parametrize("named", ["report.json", ""])
def test_a_report_is_read_from_its_file_or_its_folder(tmp_path, named):
    (tmp_path / "report.json").write_text(json.dumps(results.to_json(FOUND)), encoding="utf-8")
    assert results.read(tmp_path / named) == FOUND


def test_what_is_no_report_is_refused_in_a_line(tmp_path):
    whole = results.to_json(FOUND)
    without = {key: value for key, value in whole.items() if key != "absent"}
    empty = whole | {"conditions": [{"name": "songs", "songs": [{}], "estimates": {}}]}
    for data, told in (([], "no report"), (whole | {"format": 99}, "format 99"), (without, "absent"), (empty, "values")):
        with pytest.raises(ValueError, match=told) as caught:
            results.from_json(data, "x/report.json")
        assert str(caught.value).startswith("x/report.json: ") and "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="no such report"):
        results.read(tmp_path / "none.json")
