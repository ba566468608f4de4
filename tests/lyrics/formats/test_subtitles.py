"""SRT, WebVTT and ASS: cues as lines, karaoke as words; markup, drawings and notes are not sung; what is broken has its line told."""

import warnings

import pytest

from jam.lyrics.formats.subtitles import read_ass, read_srt, read_vtt, write_ass, write_srt, write_vtt
from jam.lyrics.sheet import Line, Sheet, SheetWord

HEAD = "[Script Info]\nTitle: Boats\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"


def ass(*texts: str) -> Sheet:
    return read_ass(HEAD + "".join(f"Dialogue: 0,0:00:01.00,0:00:05.00,Default,,0,0,0,,{text}\n" for text in texts), "a")


def vtt(text: str) -> Sheet:
    return read_vtt(f"WEBVTT\n\n00:01.000 --> 00:05.000\n{text}\n", "a")


def timed(sheet: Sheet) -> list[tuple[str, float | None, float | None]]:
    return [(word.word, word.start, word.end) for word in sheet.words]


def texts(sheet: Sheet) -> list[str]:
    return [" ".join(word.word for word in line.words) for line in sheet.lines]


@pytest.mark.parametrize("arrow", ["00:00:01,000 --> 00:00:02,500", "00:01.000-->00:02.500", "0:00:01.0 --> 0:00:02.5 X1:40 Y1:60"])
def test_a_span_of_any_form_times_its_line(arrow):
    [line] = read_srt(f"1\n{arrow}\nPaper boats\n", "a").lines
    assert (line.start, line.end, line.number) == (1.0, 2.5, 2)


def test_cues_may_lack_numbers_and_empty_lines_and_may_hold_numbers():
    text = "00:01,0 --> 00:02,0\n99\n2\n00:02,0 --> 00:03,0\nboats\n\n\n3\n00:03,0 --> 00:04,0\n7\n"
    assert texts(read_srt(text, "a")) == ["99", "boats", "7"]


def test_markup_is_no_text_and_entities_are():
    assert texts(read_srt("1\n00:01,0 --> 00:02,0\n{\\an8}<i>Paper</i> <font color='red'>boats</font>\n<b>I &lt;3</b> you\n", "a")) == [
        "Paper boats I <3 you"
    ]


def test_inner_stamps_divide_a_cue_into_timed_words():
    assert timed(vtt("Paper <00:02.000><c>boats</c> <00:03.000><00:04.000><c.loud>drift</c>")) == [
        ("Paper", 1.0, 2.0),
        ("boats", 2.0, 3.0),
        ("drift", 4.0, 5.0),
    ]


def test_several_words_between_two_stamps_know_their_outer_times_alone():
    assert timed(vtt("Paper boats <00:02.000>drift")) == [("Paper", 1.0, None), ("boats", None, 2.0), ("drift", 2.0, 5.0)]


def test_notes_styles_headers_and_voices_of_webvtt_are_not_sung():
    text = "WEBVTT song\nKind: captions\n\nSTYLE\n::cue {}\n\nNOTE\nby me\n\nregion 1\n00:01.000 --> 00:02.000\n<v Mary>Paper\nNOTE this\n"
    assert texts(read_vtt(text, "a")) == ["Paper NOTE this"]


def test_karaoke_syllables_are_joined_and_waits_are_kept():
    assert timed(ass("{\\k20}{\\k30}Pa{\\kf20}per {\\ko50}boats{\\K10} {\\k40}go")) == [
        ("Paper", 1.2, 1.7),
        ("boats", 1.7, 2.2),
        ("go", 2.3, 2.7),
    ]


def test_breaks_overrides_comments_and_drawings_of_ass_are_not_sung():
    sheet = ass("{\\p1}m 0 0 l 9 9{\\p0}", "{\\pos(1,2)}Paper{not sung}\\Nboats\\hgo")
    assert texts(sheet) == ["Paper boats go"]
    assert sheet.remarks == ("line 6: 'a drawing' is not sung", "line 6: the cue holds no words and is left out")


def test_ass_needs_no_styles_and_says_nothing_of_bad_ones():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert texts(read_ass(HEAD + "  DIALOGUE:  x,0:00:01.00,0:00:02.00,Default,,y,0,0,,Paper, boats\n", "a")) == ["Paper, boats"]


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (read_srt, "", "a: holds no cues"),
        (read_srt, "1\n00:00:01,000 -> 00:00:02,000\nPaper", "a: line 1: '1' belongs to no cue"),
        (read_srt, "1\n00:00:01,000 -->\nPaper", "a: line 2: '00:00:01,000 -->' is no span"),
        (read_srt, "1\n00:00:05,0 --> 00:00:02,0\nPaper", "a: line 2: ends at 00:00:02,0, before it starts"),
        (read_srt, "1\n00:00:01,0 --> 00:00:02,0\nPaper\n\nboats", "a: line 5: 'boats' belongs to no cue"),
        (read_srt, "1\n00:00:01,0 --> 00:00:02,0\nPa{per", "a: line 2: 'Pa{per' has a brace without its partner"),
        (read_vtt, "WEB\n", "a: line 1: 'WEB' where WEBVTT belongs"),
        (read_vtt, "WEBVTT\n\n00:01.0 --> 00:05.0\nPaper <00:07.0>boats", "a: line 3: its inner stamps are out of order or leave the cue"),
        (read_vtt, "WEBVTT\n\n00:01.0 --> 00:05.0\nPaper <7>boats", "a: line 3: '7' is no time"),
        (read_ass, "[Events]\n", "a: holds no 'Dialogue:' line"),
        (read_ass, HEAD + "Dialogue: 0,0:00:01.00,0:00:02.00,Paper", "a: line 6: has 4 of a dialogue's 10 fields"),
        (read_ass, "[Script Info]\nDialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,Paper", "a: only 0 of its 1 dialogues lie in"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(read, text, said):
    with pytest.raises(ValueError, match=f"^{said}") as refusal:
        read(text, "a")
    assert "\n" not in str(refusal.value)


def test_what_a_format_would_take_for_its_own_signs_is_written_as_words():
    sheet = Sheet((Line((SheetWord("a-->b", 1.0, 2.0), SheetWord("I\n\n&", 2.0, 3.0), SheetWord("<3", 3.0, 4.0))),))
    assert texts(read_srt(write_srt(sheet), "a")) == ["a->b I & <3"]
    assert texts(read_vtt(write_vtt(sheet), "a")) == ["a->b I & <3"]


def test_words_that_overlap_are_written_and_words_out_of_order_are_not():
    overlapping = Sheet((Line((SheetWord("la", 1.0, 3.0), SheetWord("lo", 2.0, 4.0))),))
    assert timed(read_vtt(write_vtt(overlapping), "a")) == [("la", 1.0, 2.0), ("lo", 2.0, 4.0)]
    backwards = Sheet((Line((SheetWord("la", 2.0, 3.0), SheetWord("lo", 1.0, 1.5))),))
    for write in (write_srt, write_vtt, write_ass):
        with pytest.raises(ValueError, match="'lo' from 1 to 1.5 s is out of order"):
            write(backwards)


def test_ass_has_no_times_after_ten_hours():
    with pytest.raises(ValueError, match="ends at 40000 s; ASS has times up to"):
        write_ass(Sheet((Line((SheetWord("la", 39999.0, 40000.0),)),)))
