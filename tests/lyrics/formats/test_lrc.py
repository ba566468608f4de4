"""LRC: stamps of lines and words as players read them; what has no place is refused with its line."""

import pytest

from jam.lyrics.formats.lrc import read, write
from jam.lyrics.sheet import Line, Sheet, SheetWord


def words(text: str) -> list[tuple[str, float | None, float | None]]:
    return [(word.word, word.start, word.end) for word in read(text, "a").words]


def spans(text: str) -> list[tuple[float | None, float | None]]:
    return [(line.start, line.end) for line in read(text, "a").lines]


@pytest.mark.parametrize("stamp", ["00:12.30", "0:12.3", "00:12:30", "00:12.300", "00:00:12.300"])
def test_a_stamp_of_any_form_starts_its_line(stamp):
    assert spans(f"[{stamp}]Paper boats") == [(12.3, None)]


def test_an_empty_stamp_ends_the_line_before():
    assert spans("[00:01.00]one\n[00:02.50]\n[00:04.00]two") == [(1.0, 2.5), (4.0, None)]


def test_several_stamps_sing_a_line_several_times_with_its_word_times():
    sheet = read("[00:01.00][00:11.00]<00:01.00>la <00:01.50>lo<00:02.00>", "a")
    assert [(word.word, word.start, word.end) for word in sheet.lines[1].words] == [("la", 11.0, 11.5), ("lo", 11.5, 12.0)]
    assert not sheet.remarks


def test_words_before_the_first_inner_stamp_begin_with_the_line():
    assert words("[00:01.00]la <00:01.50>lo<00:02.00>") == [("la", 1.0, 1.5), ("lo", 1.5, 2.0)]


def test_stamps_of_words_may_stand_in_square_brackets():
    assert words("[00:01.00]la [00:01.50]lo[00:02.00]") == [("la", 1.0, 1.5), ("lo", 1.5, 2.0)]


def test_who_sings_is_told_and_not_sung():
    sheet = read("[00:01.00]F: la\n[00:02.00]M:\n[00:03.00]Fly: on F: AND:", "a")
    assert [word.word for word in sheet.words] == ["la", "Fly:", "on", "F:", "AND:"]
    assert sheet.remarks == ("line 1: 'F:' says who sings and is not sung", "line 2: 'M:' says who sings and is not sung")


def test_tags_become_the_sheets_facts_and_a_positive_offset_comes_earlier():
    sheet = read("[ti:Boats][la:fr]\n[length:02:10]\n[offset:+250]\n[00:01.00]la", "a")
    assert (sheet.title, sheet.language, sheet.duration, sheet.lines[0].start) == ("Boats", "fr", 130.0, 0.75)


def test_tags_alone_are_an_instrumental():
    sheet = read("[ti:Boats]\n[00:05.00]\n", "a")
    assert (sheet.title, sheet.lines) == ("Boats", ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[00:01.00]one\ntwo", "a: line 2: 'two' has no stamp; write"),
        ("[00:61.00]one", "a: line 1: '00:61.00' has 60 or more"),
        ("[00:1x.00]one", r"a: line 1: '\[00:1x.00\]' is no stamp"),
        ("[-00:01.00]one", "a: line 1: '-00:01.00' is a negative time"),
        ("[00:01.00]<00:03.00>one <00:02.00>two", "a: line 1: its inner stamps are out of order"),
        ("[00:01.00]o{ne", "a: line 1: 'o{ne' has a brace without its partner"),
        ("[00:01.00]<00:01.00>o{ne", "a: line 1: 'o{ne' has a brace without its partner"),
        ("[offset:1e99]\n[00:01.00]one", r"a: the tag \[offset:1e99\] is no number"),
        ("[]", "a: line 1: holds no stamped line"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text, said):
    with pytest.raises(ValueError, match=f"^{said}") as refusal:
        read(text, "a")
    assert "\n" not in str(refusal.value)


def test_words_that_overlap_are_written_so_that_the_later_one_is_heard():
    text = write(Sheet((Line((SheetWord("la", 1.0, 3.0), SheetWord("lo", 2.0, 4.0))),)))
    assert text == "[00:01.00] <00:01.00> la <00:02.00> lo <00:04.00>\n"
    assert words(text) == [("la", 1.0, 2.0), ("lo", 2.0, 4.0)]


def test_words_out_of_order_are_not_written():
    with pytest.raises(ValueError, match="'lo' from 1 to 1.5 s is out of order"):
        write(Sheet((Line((SheetWord("la", 2.0, 3.0), SheetWord("lo", 1.0, 1.5))),)))


def test_a_word_with_brackets_inside_is_written_as_one_word():
    text = write(Sheet((Line((SheetWord("mo[o]n", 1.0, 2.0), SheetWord("ri{ver", 2.0, 3.0))),)))
    assert words(text) == [("moon", 1.0, 2.0), ("river", 2.0, 3.0)]
