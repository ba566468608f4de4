"""Tables: the usual names of columns, dividers and times; rows of words and rows of lines; what is broken has its line told."""

import pytest

from jam.lyrics.formats.table import read, write
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord


def timed(text: str) -> list[tuple[str, float | None, float | None]]:
    return [(word.word, word.start, word.end) for word in read(text, "a").words]


@pytest.mark.parametrize(
    "text",
    [
        "start,end,word\n0.5,1.25,moon\n",
        " Begin ;Stop; Word\n0,5;1,25;moon\n",
        "onset\tduration\ttoken\n00:00.50\t0.75\tmoon\n",
        '"word","from","to"\n\n"moon","0:00:00.5","00:01.25"\n,,\n',
    ],
)
def test_columns_dividers_and_times_of_many_kinds_are_read(text):
    assert timed(text) == [("moon", 0.5, 1.25)]


def test_rows_of_several_words_are_lines_with_times_of_their_own():
    sheet = read('start,end,text\n1,2,"Paper, boats"\n3,4,drift away\n', "a")
    assert [(line.start, line.end, len(line.words), line.number) for line in sheet.lines] == [(1.0, 2.0, 2, 2), (3.0, 4.0, 2, 3)]
    assert sheet.timing == "partly"


def test_several_words_in_a_cell_of_one_know_their_outer_times_alone():
    assert timed('word,start,end\n"paper\nboats",1,2\n') == [("paper", 1.0, None), ("boats", None, 2.0)]


def test_lines_sections_backing_phonemes_and_languages_come_back():
    lines = (
        Line((SheetWord("moon", 0.5, 1.0, "muːn"), SheetWord("low", 1.0, 1.5, backing=True)), section=0, number=2),
        Line((SheetWord("lune", 2.0, 2.5, language="fr"),), section=1, number=4),
    )
    sheet = Sheet(lines, (Section("Verse 1"), Section("Chorus")))
    assert read(write(sheet), "a") == sheet


def test_columns_that_are_not_read_and_rows_without_words_are_told():
    sheet = read("id,word,score\n1,moon,2\n2,♪,3\n", "a")
    assert sheet.remarks == (
        "line 1: the columns 'id', 'score' are not read",
        "line 3: '♪' is not sung",
        "line 3: the row holds no words and is left out",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a: line 1: no column is called word or text"),
        ("start,end\n1,2\n", r"a: line 1: no column is called word or text \(there are 'start', 'end'\)"),
        ("word,start\nmoon,1,2\n", "a: line 2: has 3 cells, the header 2"),
        ("word,start\nmoon,soon\n", "a: line 2: start is 'soon', no time"),
        ("word,start\nmoon,nan\n", "a: line 2: start is nan; write seconds from 0"),
        ("word,start\nmoon,-1\n", "a: line 2: start is -1; write seconds from 0"),
        ("word,start\nmoon,0:99\n", "a: line 2: start: '0:99' has 60 or more"),
        ("word,start,end\nmoon,2,1\n", "a: line 2: end 1 is before start 2"),
        ("word\nmo{on\n", "a: line 2: 'mo{on' has a brace without its partner"),
        ('word\n"mo"on\n', "a: line 2: not a table"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text, said):
    with pytest.raises(ValueError, match=f"^{said}") as refusal:
        read(text, "a")
    assert "\n" not in str(refusal.value)
