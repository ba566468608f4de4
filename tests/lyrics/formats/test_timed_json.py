"""JSON: lists of words, whole sheets, and what recognisers write; of another shape, it is refused in one line."""

import json
from typing import Any

import pytest

from jam.lyrics.formats.timed_json import parse, parse_sheet, write
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord
from jam.lyrics.words import Phone, Word

MOON = {"start": 0.5, "end": 0.9, "word": "moon"}
RIVER = {"start": 1.0, "end": 1.5, "word": "river"}


def held(sheet: Sheet) -> list[list[tuple[str, float | None, float | None]]]:
    return [[(word.word, word.start, word.end) for word in line.words] for line in sheet.lines]


def test_a_list_and_an_object_of_words_hold_the_same():
    assert parse([MOON], "a") == parse({"word": [MOON], "char": ["m"], "segment": [7]}, "a") == (Word(0.5, 0.9, "moon"),)


def test_a_word_may_have_phonemes_phones_and_a_language_and_other_keys_are_ignored():
    row = MOON | {"phoneme": "muːn", "language": "fr", "phones": [{"start": 0.5, "end": 0.6, "phoneme": "m"}], "score": 0.9}
    assert parse([row], "a") == (Word(0.5, 0.9, "moon", "muːn", "fr", (Phone(0.5, 0.6, "m"),)),)


def test_a_word_of_ipa_alone_needs_no_text():
    assert parse([{"start": 1, "end": 2, "phoneme": "ə"}], "a") == (Word(1, 2, "", "ə"),)


def test_words_out_of_order_are_a_sheet_for_the_check_but_no_timed_words():
    assert held(parse_sheet([RIVER, MOON], "a")) == [[("river", 1.0, 1.5), ("moon", 0.5, 0.9)]]
    with pytest.raises(ValueError, match="a: word 2 .'moon'.: starts at 0.5 s, before word 1"):
        parse([RIVER, MOON], "a")


def test_whispers_words_lose_their_spaces_and_lie_in_its_segments():
    segments = [{"start": 0.5, "end": 1.5, "text": " moon river", "words": [MOON | {"word": " moon"}, RIVER | {"word": " river"}]}]
    sheet = parse_sheet({"text": " moon river", "segments": segments, "language": "en"}, "a")
    assert (held(sheet), sheet.language) == ([[("moon", 0.5, 0.9), ("river", 1.0, 1.5)]], "en")
    assert parse({"segments": segments}, "a") == (Word(0.5, 0.9, "moon"), Word(1.0, 1.5, "river"))


def test_segments_without_words_are_lines_with_times():
    sheet = parse_sheet({"segments": [{"start": 0, "end": 2.5, "text": " Moon river ♪"}, {"start": 3, "end": 4, "text": " ..."}]}, "a")
    assert [(line.start, line.end, len(line.words)) for line in sheet.lines] == [(0, 2.5, 2)]
    assert sheet.timing == "partly"
    assert sheet.remarks == ("segment 1: '♪' is not sung", "segment 2: '...' is not sung", "segment 2: holds no words")


def test_a_word_that_whisperx_could_not_align_has_no_times():
    listed = {"segments": [{"start": 0.5, "end": 1.5, "text": "moon 7", "words": [MOON, {"word": "7"}]}], "word_segments": [MOON]}
    assert held(parse_sheet(listed, "a")) == [[("moon", 0.5, 0.9), ("7", None, None)]]
    with pytest.raises(ValueError, match="a: word 2 .'7'. has no times; plan them"):
        parse(listed, "a")


def test_word_segments_alone_are_words():
    assert parse({"word_segments": [MOON, RIVER]}, "a") == (Word(0.5, 0.9, "moon"), Word(1.0, 1.5, "river"))


@pytest.mark.parametrize("kind", ["timestamp", "timestamps", "result"])
def test_nemos_words_may_lie_deeper_and_have_frames_beside_seconds(kind):
    row = {"start_offset": 6, "end_offset": 11, "start": 0.5, "end": 0.9, "word": "moon"}
    assert parse({"text": "moon", kind: {"word": [row], "segment": [], "char": []}}, "a") == (Word(0.5, 0.9, "moon"),)


def test_times_may_have_other_names():
    row = {"start_time": 0.5, "end_time": 0.9, "text": "moon"}
    assert parse({"words": [row]}, "a") == (Word(0.5, 0.9, "moon"),)


def test_a_sheet_keeps_what_is_not_known_as_null():
    sheet = Sheet((Line((SheetWord("moon"), SheetWord("river", 1.0, backing=True)), 0.5, None, 0, 4),), (Section("Verse 1", "soft"),))
    data = json.loads(write(sheet))
    assert data["word"][0] == {"start": None, "end": None, "word": "moon"}
    assert parse_sheet(data, "a") == sheet


def test_a_written_sheet_is_timed_words_too():
    sheet = Sheet((Line((SheetWord("moon", 0.5, 0.9),)), Line((SheetWord("river", 1.0, 1.5),))), title="Boats", bpm=92.5)
    assert parse(json.loads(write(sheet)), "a") == (Word(0.5, 0.9, "moon"), Word(1.0, 1.5, "river"))


def test_an_empty_list_is_an_instrumental():
    assert parse([], "a") == ()
    assert parse_sheet({"word": []}, "a").words == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"words": [{"word": "moon", "start_offset": 6, "end_offset": 11}]}, "a: word 1 .'moon'.: has 'start_offset' in frames alone"),
        ({"words": [MOON, {"start": 1}]}, "a: word 2 .None.: lacks 'word' .it has 'start'."),
        ({"segments": ["moon"]}, "a: segment 1: is str, no object"),
        ({"segments": [{"start": 2, "end": 1, "text": "moon"}]}, "a: segment 1: end 1 is before start 2"),
        ({"segments": [{"start": 0, "end": 1, "text": "mo{on"}]}, "a: segment 1: 'mo{on' has a brace without its partner"),
        ({"segments": [{"start": "0:01", "end": 2, "text": "moon"}]}, "a: segment 1: 'start' is '0:01'; write seconds from 0"),
        ([MOON | {"phones": "m"}], "a: word 1 .'moon'.: 'phones' is str"),
        ([MOON | {"phones": [{"start": 1}]}], "a: word 1 .'moon'.: phone 1 lacks 'start', 'end' or 'phoneme'"),
        ([MOON | {"phones": [{"start": [], "end": 1, "phoneme": "m"}]}], "a: word 1 .'moon'.: phone 1 is .'start': ..,.* write"),
    ],
)
def test_another_shape_is_refused_in_one_line(data, said):
    with pytest.raises(ValueError, match=f"^{said}") as refusal:
        parse_sheet(data, "a")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"section": 7}, "'section' is int, not a list; write"),
        ({"section": "Verse"}, "'section' is str, not a list; write"),
        ({"section": [{"note": "soft"}]}, "section 1 of 'section': has no 'name'"),
        ({"line": [{"words": 1}]}, "'line' deals out 1 of 2 words"),
        ({"line": [{"words": 3}]}, "line 1 of 'line' takes 3 words of 2 left"),
        ({"line": [{"words": "two\nlines"}]}, "line 1 of 'line' takes 'two.nlines' words"),
        ({"line": [{"words": 2, "section": 0}]}, "line 1 of 'line' is in section 0 of 0"),
        ({"line": [{"words": 2, "section": "a\nb"}]}, "line 1 of 'line' is in section 'a.nb' of 0"),
        ({"line": [{"words": 2, "number": [7]}]}, "line 1 of 'line' has the 'number' .7.; write its line"),
        ({"line": [{"words": 2, "start": -1}]}, "line 1 of 'line': 'start' is '-1'; write seconds from 0"),
        ({"bpm": "fast"}, "'bpm' is 'fast'; write"),
        ({"title": 7}, "'title' is '7', not text"),
    ],
)
def test_a_sheet_that_does_not_add_up_is_refused_in_one_line(change: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=f"a: {said}".replace("\\", ".")) as refusal:
        parse_sheet({"line": [{"words": 2}], "word": [MOON, RIVER]} | change, "a")
    assert "\n" not in str(refusal.value)
