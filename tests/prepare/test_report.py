"""The report: what is kept, rejected and worth a look, by song and word; well formed, bounded, and the same for the same songs."""

import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from jam.eval import page
from jam.prepare import report, tally
from jam.prepare.places import Folder
from jam.prepare.records import Facts, Prepared, Reason, SungWord, Timing, Unread
from jam.prepare.report import ReportSettings, Run
from jam.prepare.tally import Flags, Least

VOID = {"meta", "img", "br", "line", "circle", "path", "rect"}
FACTS = Facts(120.0, 44_100, 2, "FLAC", 0.9, -14.0, 0.05, 2.0, 0.0, 0.0, False, 16_000.0)
GUESSED = SungWord("zorblat", 5.0, 5.5, "z\u0254\u0279bl\u00e6t", confidence=-0.4, is_known=False)


def sung(count: int, missed: tuple[int, ...] = (), text: str = "word") -> tuple[SungWord, ...]:
    """So many words, a second each, but for those that were not found."""
    words = [SungWord(f"{text}{place}", place, place + 0.5, "w", confidence=-0.2, line=place // 4) for place in range(count)]
    return tuple(replace(word, start=None, end=None, confidence=None, is_found=False) if word.start in missed else word for word in words)


def song(name: str, missed: tuple[int, ...] = (), **changes) -> Prepared:
    timing = Timing("aligned", "judge", sung(40, missed, f"{name}-"), language="en")
    made = Prepared(name, f"{name}.flac", "00", license="CC-BY-4.0", source="choir", tags=("folk",), facts=FACTS, timing=timing)
    return replace(made, sizes=(1000, 200), costs={"checks": 0.5, "timing": 2.0}, **changes)


SONGS = (
    song("right"),
    song("wrong", (3, 11, 27, 30)),
    song("guess", timing=Timing("aligned", "judge", (*sung(40), GUESSED), extra=((60.0, 80.5),))),
    song("off", timing=Timing("given", "judge", sung(30), lag=-212.0, error=213.0), license=None),
    song("tune", timing=Timing("none"), tags=()),
    song("quiet", reasons=(Reason("min_loudness", "has -61.0 LUFS <rules.min_loudness>"),)),
    song("torn", facts=None, timing=None, reasons=(Reason("decode", "torn.flac: cannot be read"),)),
)
UNREAD = (Unread("two & two", "songs/two.mp3", "songs/two.mp3: <b>not</b> unique"),)


class Reader(HTMLParser):
    """Checks that tags are closed in order, and gathers text, addresses, tags and marked words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.marked: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "mark":
            self.marked.add(data)


def samples(name: str) -> torch.Tensor | None:
    if name == "off":
        raise ValueError("off.flac: no such recording; check the path")
    return None if name == "tune" else torch.zeros(2, 44_100)


def styles(found: Prepared) -> torch.Tensor | None:
    if found.id == "off":
        raise ValueError("off: styles are damaged")
    return None if found.id == "tune" else torch.full((3, 512), float(ord(found.id[0])))


def write(folder, songs=SONGS, unread=UNREAD, settings=None) -> dict:
    """Writes a report; its JSON."""
    facts = {"jam": "1.0", "settings": {"seed": 7}}
    path = report.write(Folder(str(folder)), songs, unread, facts, samples, styles, Run(12.0, 2), settings)
    assert path == str(folder / "report.html")
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple:
    """The page, read, and the JSON."""
    folder = tmp_path_factory.mktemp("report")
    data = write(folder, settings=ReportSettings(audio=True))
    return Reader((folder / "report.html").read_text(encoding="utf-8")), data, folder


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(written):
    html, _, folder = written
    assert "3 songs; the plane keeps 100 %" in html.text  # those whose styles are there
    assert "script" not in html.tags and not any(address.startswith("http") for address in html.addresses)
    drawn = {f"report_files/{name}{kind}" for name in ("right", "wrong", "guess") for kind in (".png", ".mp3")}
    assert set(html.addresses) == drawn and all((folder / address).is_file() for address in drawn)


def test_songs_are_counted(written):
    html, data, _ = written
    assert data["totals"]["in"] == 8 and data["totals"]["kept"] == {"songs": 5, "hours": round(600 / 3600, 6), "words": 151}
    assert data["totals"]["rejected"]["songs"] == 3 and data["totals"]["words_found"] == 147
    assert data["groups"]["license"]["none"] == {"songs": 1, "hours": round(120 / 3600, 6), "words": 30}
    assert data["groups"]["tag"]["folk"]["songs"] == 4 and data["groups"]["method"]["none"]["songs"] == 1
    assert "5 of 8 songs kept" in html.text


def test_every_rejected_song_has_its_rule_and_its_reason(written):
    html, data, _ = written
    assert data["rejected_by_rule"] == {"decode": 1, "input": 1, "min_loudness": 1}
    told = {entry["id"]: entry["reasons"][0]["text"] for entry in data["rejected"]}
    assert told == {"quiet": SONGS[5].reasons[0].text, "torn": SONGS[6].reasons[0].text, "two & two": UNREAD[0].problem}
    assert all(text in html.text for text in told.values())


def test_wrong_words_are_flagged_by_song_and_word(written):
    html, data, _ = written
    missed = ["wrong-3", "wrong-11", "wrong-27", "wrong-30"]
    assert [entry["id"] for entry in data["flagged"]] == ["wrong", "guess", "off"]
    assert data["flagged"][0]["missed"] == missed and set(missed) == html.marked
    assert "4 of 40 words were not found" in html.text


def test_singing_beside_the_lyrics_and_times_that_are_off_are_flagged(written):
    flags = {entry["id"]: [flag["rule"] for flag in entry["flags"]] for entry in written[1]["flagged"]}
    assert flags == {"wrong": ["found"], "guess": ["extra"], "off": ["lag"]}
    assert "20.5 s are sung that the lyrics lack" in written[0].text and "1:00.0 to 1:20.5" in written[0].text
    assert "212 ms before their given times" in written[0].text


def test_singing_in_a_song_without_words_is_flagged(tmp_path):
    data = write(tmp_path, [song("tune", timing=Timing("none", "judge", extra=((10.0, 40.0),)))], ())
    assert [flag["rule"] for flag in data["flagged"][0]["flags"]] == ["extra"]
    assert "in the lyrics" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_flags_that_are_off_flag_nothing(tmp_path):
    flags = Flags(found=None, confidence=None, extra=None, lag=None)
    assert write(tmp_path, settings=ReportSettings(pictures=0, flags=flags))["flagged"] == []
    assert tally.flagged(SONGS[0], Flags(confidence=-0.1))[0].rule == "confidence"


def test_words_of_no_dictionary_are_told_with_their_guess(written):
    assert written[1]["unknown_words"] == [{"word": "zorblat", "phoneme": GUESSED.phoneme, "times": 1}]
    assert GUESSED.phoneme in written[0].text


def test_every_song_is_in_the_json_with_the_words_that_were_not_found(written):
    rows = {row["id"]: row for row in written[1]["songs"]}
    assert set(rows) == {one.id for one in (*SONGS, *UNREAD)}
    assert rows["wrong"]["timing"]["missed"][1] == {"index": 11, "word": "wrong-11", "line": 2}
    assert rows["wrong"]["facts"]["bandwidth"] == 16_000 and rows["wrong"]["words_per_second"] == pytest.approx(40 / 120)


def test_figures_and_costs_are_those_of_the_songs(written):
    _, data, _ = written
    assert data["figures"]["lag"]["kept"]["median"] == -212.0 and data["figures"]["loudness"]["rejected"]["songs"] == 1
    assert [(cost["stage"], cost["songs"], cost["median"]) for cost in data["costs"]] == [("checks", 7, 0.5), ("timing", 7, 2.0)]
    million = data["projections"][-1]
    assert million["songs"] == 1_000_000 and million["size"] == pytest.approx(5 * 1200 / 8 * 1e6)
    assert million["work"] == pytest.approx(7 * 2.5 / 8 * 1e6 / 3600) and million["wall"] == million["work"] / 2


def test_two_reports_of_the_same_songs_are_equal_and_chance_is_a_seed(tmp_path):
    one, other = write(tmp_path / "one"), write(tmp_path / "other")
    assert one == other
    pages = [(tmp_path / name / "report.html").read_bytes() for name in ("one", "other")]
    assert pages[0] == pages[1]
    songs = [song(f"s{place}") for place in range(30)]
    few = [tally.Tally(Flags(), seed, 3) for seed in (0, 0, 1)]
    for found, order in zip(few, (songs, songs[::-1], songs), strict=True):
        for each in order:
            found.add(each)
    names = [[each.id for each in found.sample.items] for found in few]
    assert names[0] == names[1] != names[2]


def test_pictures_of_an_earlier_report_go_and_files_of_others_stay(tmp_path):
    write(tmp_path, settings=ReportSettings(pictures=12))
    (tmp_path / "report_files" / "mine.png").write_bytes(b"mine")
    write(tmp_path, settings=ReportSettings(pictures=0))
    assert [path.name for path in (tmp_path / "report_files").iterdir()] == ["mine.png"]
    (tmp_path / "report.json").write_text("no report")
    assert write(tmp_path, settings=ReportSettings(pictures=1))["files"] == ["report_files/guess.png"]


@pytest.mark.parametrize(("songs", "unread"), [((), ()), ((), UNREAD), (SONGS[6:], ()), (SONGS[4:5], ())])
def test_a_report_is_written_however_little_there_is(tmp_path, songs, unread):
    data = write(tmp_path, songs, unread)
    Reader((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert data["totals"]["in"] == len(songs) + len(unread)


def test_numbers_without_end_are_null_in_the_json(tmp_path):
    data = write(tmp_path, [song("odd", facts=replace(FACTS, peak=math.nan, loudness=-math.inf))], ())
    assert data["songs"][0]["facts"]["peak"] is None and data["figures"]["loudness"]["kept"] is None


def test_many_songs_are_listed_beside_a_page_that_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "LONGEST_LIST", 50)
    monkeypatch.setattr(tally, "SHOWN_SONGS", 20)
    monkeypatch.setattr(tally, "SHOWN_REJECTED", 10)
    songs = [song(f"s{place:03d}", reasons=(Reason("rule", "no"),) if place % 2 else ()) for place in range(60)]
    data = write(tmp_path, songs, (), ReportSettings(pictures=0))
    lines = (tmp_path / "report_files" / "songs.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [one.id for one in songs] and "songs" not in data
    text = Reader((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "20 more are in report_files/songs.jsonl" in text and "40 more are in report_files/songs.jsonl" in text
    write(tmp_path, songs[:3], (), ReportSettings(pictures=0))
    assert not (tmp_path / "songs.jsonl").exists()


def test_the_least_are_kept_in_order_whatever_the_order_of_offers():
    numbers = np.random.default_rng(0).permutation(100).tolist()
    least, none = Least(7), Least(0)
    for number in numbers:
        least.offer(number, str(number))
        none.offer(number, number)
    assert least.items == [str(number) for number in range(7)] and none.items == []


@pytest.mark.parametrize(
    ("make", "told"),
    [(lambda: ReportSettings(pictures=-1), "pictures"), (lambda: Flags(found=1.5), "found"), (lambda: Flags(lag=-1), "lag")],
)
def test_settings_that_make_no_sense_are_refused(make, told):
    with pytest.raises(ValueError, match=rf"report\.(flags\.)?{told} is .*; give"):
        make()


def test_counts_lie_in_round_bins_and_what_is_far_out_in_the_outermost():
    edges = page._edges([float(value) for value in range(200)])
    steps = np.diff(edges)
    assert np.allclose(steps, 5.0) and edges[0] <= 0 and edges[-1] > 198
    assert sum(page._counted([-50.0, 0.0, 3.0, 500.0], edges)) == 4
    svg = page.counts({"kept": [1.0, 2.0, 2.0, math.nan], "rejected": [2.0]}, "s")
    assert ": 2</title>" in svg and "kept" in svg and "rejected" in svg
    assert page.counts({"kept": [math.inf]}, "s") == ""
    assert Reader(page.counts({"kept": [3.0]}, "s")).open == []


def test_points_of_a_map_stay_within_it():
    svg = page.scatter({"a": [("one", -5.0, 1.0), ("two", 7.0, 1.0)], "<b>": [("three", 0.0, 1.0)]})
    assert svg.count("<title>") == 3 and "&lt;b&gt;" in svg and "nan" not in svg
    assert page.scatter({}) == ""
