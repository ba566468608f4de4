import logging
import math

import pytest

from jam.lyrics.words import Word, validate


def refusal(words, duration=None) -> str:
    with pytest.raises(ValueError) as caught:
        validate(words, "song.json", duration)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("song.json: word ")
    return message


def test_good_words_come_back_as_a_tuple():
    words = [Word(0.5, 1, "sing"), Word(1, 1.5, "me"), Word(2, 2.5, "", "ə")]
    assert validate(words, "song.json", 2.5) == tuple(words)


def test_no_words_are_an_instrumental():
    assert validate([], "song.json", 10.0) == ()


def test_an_end_before_its_start_is_refused():
    assert refusal([Word(0, 1, "the"), Word(2.0, 1.2, "moon")]) == (
        "song.json: word 2 ('moon'): end 1.2 is before start 2; times are seconds, start first"
    )


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (math.nan, 1, "'start' is nan"),
        (0, math.inf, "'end' is inf"),
        (10**400, 1, "'start' is 1000"),
        (-0.5, 1, "'start' is -0.5, a negative time"),
        ("0.5", 1, "'start' is '0.5', not a number"),
        (0.5, None, "'end' is None, not a number"),
        (True, 2, "'start' is True, not a number"),
        ([1], 2, "'start' is [1], not a number"),
    ],
)
def test_a_time_that_is_no_time_is_refused_with_its_value(start, end, said):
    assert f"word 1 ('moon'): {said}" in refusal([Word(start, end, "moon")])


def test_words_past_the_end_are_refused_with_the_duration():
    said = refusal([Word(0, 1, "the"), Word(9.8, 10.5, "moon")], duration=10.0)
    assert "word 2 ('moon'): sung from 9.8 s to 10.5 s, but the song lasts 10 s; ask for a longer duration" in said


def test_a_rounded_duration_is_forgiven():
    validate([Word(9.0, 10.02, "moon")], "song.json", 10.0)


def test_words_out_of_order_are_refused_by_name():
    said = refusal([Word(2, 3, "moon"), Word(1, 1.5, "the")])
    assert said == "song.json: word 2 ('the'): starts at 1 s, before word 1 ('moon') at 2 s; put the words in the order they are sung"


@pytest.mark.parametrize("word", [Word(0, 1), Word(0, 1, "  "), Word(0, 1, "", "")])
def test_a_word_with_neither_text_nor_phoneme_is_refused(word):
    assert "has neither text nor phoneme" in refusal([word])


@pytest.mark.parametrize(("word", "said"), [(Word(0, 1, 7), "'word' is 7, not text"), (Word(0, 1, "a", 7), "'phoneme' is 7, not text")])
def test_text_that_is_no_text_is_refused(word, said):
    assert said in refusal([word])


def test_a_word_of_many_lines_still_gives_one_line():
    assert len(refusal([Word(1, 0, "moon\n" * 100)])) < 200


def test_overlapping_words_are_allowed_with_one_warning_that_names_both(caplog):
    with caplog.at_level(logging.WARNING):
        validate([Word(0, 1.5, "the"), Word(1, 2, "moon")], "song.json")
    assert caplog.messages == [
        "song.json: word 1 ('the'): sung until 1.5 s, overlaps word 2 ('moon'), which starts at 1 s; the later one is heard"
    ]


def test_sums_that_miss_each_other_by_rounding_are_no_overlap(caplog):
    validate([Word(index * 0.3, index * 0.3 + 0.3, "la") for index in range(50)], "song.json")
    assert not caplog.messages


def test_a_word_of_no_length_is_allowed_with_one_warning(caplog):
    with caplog.at_level(logging.WARNING):
        validate([Word(1, 1, "the"), Word(1, 2, "moon")], "song.json")
    assert len(caplog.messages) == 1
    assert "word 1 ('the'): starts and ends at 1 s" in caplog.messages[0]
