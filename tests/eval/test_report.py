"""The report: a page that says everything and is well formed, JSON that reads back, a table with a row a song, pictures and sound."""

import csv
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from jam import audio
from jam.eval import catalogue, page, report, results
from jam.eval.measures import Value
from jam.eval.results import Condition, Estimate, Evaluation, SongResult
from jam.lyrics.words import Word

LAG, COVERAGE, LOUDNESS = "timing.lag_ms@judge", "timing.coverage@judge", "sound.loudness"
WORDS = (Word(0.1, 0.4, "paper"), Word(0.5, 0.9, "lantern"))
VOID = {"meta", "img", "br", "line", "circle", "path", "rect"}


def song(name: str, lag: float, path: str = "") -> SongResult:
    values = {LAG: Value(lag, 2, (lag - 10, lag + 10)), COVERAGE: Value(90.0 + lag / 100, 2), LOUDNESS: Value(-14.25)}
    heard = {"reader": "paper <lantern> crow"}
    return SongResult(name, path, 1.2, values, WORDS, WORDS[:1], "Paper, lantern\nglow", heard, ("beside the band",))


def found(path: str = "") -> Evaluation:
    """Two songs, one of them named to trouble HTML, a broken one, and a control."""
    broken = SongResult("torn & lost", "torn.wav", problem="torn.wav: <not> audio")
    estimates = {LAG: Estimate(22.5, 10.0, 35.0, 2), COVERAGE: Estimate(90.2, -math.inf, math.inf, 1)}
    estimates |= {LOUDNESS: Estimate(-14.25, -14.25, -14.25, 2)}
    songs = Condition("songs", (song("one", 20.0, path), song("a&b <i>", 25.0), broken), estimates)
    control = Condition("shuffled lyrics", (song("one", 400.0),), {LAG: Estimate(400.0, 300.0, 500.0, 1)})
    facts = {"seed": 7, "settings": {"rooms": ["timing"]}}
    return Evaluation("ours & theirs", (songs, control), facts, ("aesthetics: <pkg> is not installed",))


class Reader(HTMLParser):
    """Checks that tags are closed in order, and gathers text, addresses and tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def written(tmp_path, tone) -> tuple:
    """A folder with a report of a song that is there, and what was found."""
    path = audio.write(tmp_path / "sung" / "one.wav", tone(440, 1.2))
    evaluation = found(str(path))
    report.write(tmp_path / "report", evaluation)
    return tmp_path / "report", evaluation


def test_what_is_written_reads_back_equal(written):
    folder, evaluation = written
    assert results.read(folder) == evaluation


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(written):
    html = (written[0] / "report.html").read_text(encoding="utf-8")
    reader = Reader(html)
    assert "script" not in reader.tags and "http" not in html
    assert set(reader.addresses) == {"files/one.png", "files/one.mp3", "#song-0", "#song-1"}
    assert all((written[0] / address).is_file() for address in reader.addresses if address.startswith("files"))
    assert {"song-0", "song-1"} <= set(reader.ids)


def test_the_page_says_what_was_found(written):
    text = Reader((written[0] / "report.html").read_text(encoding="utf-8")).text
    for told in ("ours & theirs", "2 songs measured, 1 not", "22.5", "10.0 to 35.0", "shuffled lyrics", "400", "300 to 500", "no interval"):
        assert told in text
    for told in ("aesthetics: <pkg> is not installed", "torn & lost", "torn.wav: <not> audio", "a&b <i>", "beside the band"):
        assert told in text
    for measure in (catalogue.measure(name) for name in (LAG, COVERAGE, LOUDNESS)):
        assert all(part in text for part in (measure.meaning, measure.source, measure.limits))
    assert "seed" in text and '"rooms"' in text


def test_the_overview_of_the_songs_tells_units(written):
    html = (written[0] / report.HTML).read_text(encoding="utf-8")
    overview = html[html.index("<h2>Songs</h2>") :]
    measure = catalogue.measure(LAG)
    assert f">{measure.label}, {measure.unit}</th>" in overview[: overview.index("</thead>")]


def test_songs_are_a_row_each_of_each_condition(written):
    with (written[0] / "per_song.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["condition"], row["id"]) for row in rows] == [
        *(("songs", "one"), ("songs", "a&b <i>"), ("songs", "torn & lost"), ("shuffled lyrics", "one"))
    ]
    assert [row[LAG] for row in rows] == ["20.0", "25.0", "", "400.0"]
    assert rows[2]["problem"] == "torn.wav: <not> audio"


def test_pictures_and_sound_lie_beside_the_page_where_they_are_wanted(written, tmp_path):
    folder, evaluation = written
    assert sorted(path.name for path in (folder / "files").iterdir()) == ["one.mp3", "one.png"]
    assert audio.read(folder / "files" / "one.mp3")[0].shape[-1] >= 44_100
    report.write(tmp_path / "bare", evaluation, sound=False, spectrograms=False)
    assert sorted(path.name for path in (tmp_path / "bare").iterdir()) == ["per_song.csv", "report.html", "report.json"]
    assert "audio" not in Reader((tmp_path / "bare" / "report.html").read_text(encoding="utf-8")).tags


def test_small_files_are_copied_as_they_are(tmp_path, tone):
    path = audio.write(tmp_path / "one.flac", tone(440, 1.2))
    report.write(tmp_path / "report", found(str(path)), spectrograms=False)
    assert (tmp_path / "report" / "files" / "one.flac").read_bytes() == path.read_bytes()


def test_a_song_that_is_gone_by_now_has_no_picture_but_its_figures(tmp_path, caplog):
    report.write(tmp_path / "report", found(str(tmp_path / "gone.wav")))
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "<img" not in html and "<audio" not in html and "22.5" in html
    assert "gone.wav" in caplog.text


def test_a_control_that_could_not_be_measured_is_a_named_row_too(tmp_path):
    whole = found()
    torn = Condition("true recording", (SongResult("one", "one.ogg", problem="one.ogg: not audio"),))
    text = Reader(report.write(tmp_path, replace(whole, conditions=(*whole.conditions, torn))).read_text(encoding="utf-8")).text
    assert "one, true recordingone.ogg: not audio" in text


def test_an_evaluation_of_nothing_is_a_page_all_the_same(tmp_path):
    Reader(report.write(tmp_path, Evaluation("none", ())).read_text(encoding="utf-8"))


def test_differences_are_marked_in_both_texts():
    asked, heard = page.differences("Paper, lantern\nglow again", "paper lantern crow & again")
    assert asked == "Paper, lantern \n<del>glow</del> again"
    assert heard == "paper lantern <ins>crow</ins> <ins>&amp;</ins> again"
    assert page.differences("one two", "") == ("<del>one</del> <del>two</del>", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (-0.0001, "0.00"), (0.1234, "0.123"), (-4.567, "-4.57"), (45.67, "45.7"), (1234.5, "1234"), (math.inf, "\u2013")],
)
def test_figures_have_about_three_digits(value, text):
    assert page.number(value) == text


def test_every_dot_of_a_strip_lies_within_the_plot_and_in_order():
    html = page.strips([page.Strip("songs", (("a", -3.0), ("b", 0.5), ("c", 1e4)), 5.0, -math.inf, math.inf)], "ms")
    places = [float(place) for place in re.findall(r'cx="([\d.-]+)"', html)]
    assert places == sorted(places) and len(places) == 3 and places[0] >= page.LEFT and places[-1] <= page.WIDTH
    Reader(html)
    assert page.strips([page.Strip("songs", ())], "ms") == ""
    assert page.strips([page.Strip("songs", (("a", 2.0),), 2.0, 2.0, 2.0)], "").count("<circle") == 1


def test_a_histogram_keeps_what_lies_beyond_its_reach_in_the_outermost_bins():
    html = page.histogram({"songs": [-900.0, -900.0, 10.0, 700.0], "other": [0.0], "none": []}, 100.0, 200.0, "ms")
    heights = [float(height) for height in re.findall(r'class="bar"[^>]* height="([\d.]+)"', html)]
    assert len(heights) == 3 and heights[0] == pytest.approx(2 * heights[1], abs=0.2) and heights[1] == heights[2]
    assert html.count('class="edge"') == 1 and "none" not in html
    Reader(html)
    assert page.histogram({"songs": []}, 100.0, 200.0, "ms") == ""
