"""What is written in two ways and is one word compares as one."""

import pytest

from jam.eval.normal import normalise, normaliser, said


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I\u2019m gonna stay", "i am going to stay"),
        ("Don't!", "do not"),
        ("twenty-five roads", "25 roads"),
        ("me & you", "me and you"),
        ("soooo far", "so far"),
        ("ohhhh, ohhh", "Oh oh"),
        ("we (ooh) drift", "we ooh drift"),
        ("[Chorus]\nwe drift", "we drift"),
        ("hmm we drift, um", "we drift"),
        ("caf\u00e9", "cafe"),
        ("we\n  drift ...", "we drift"),
    ],
)
def test_two_spellings_of_one_thing_are_alike(one: str, other: str) -> None:
    assert normalise(one) == normalise(other) != ""


@pytest.mark.parametrize(("one", "other"), [("here", "hear"), ("oh oh oh", "oh oh"), ("one two", "twelve"), ("oh", "zero")])
def test_other_words_stay_apart(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_each_oh_is_a_word() -> None:
    assert normalise("oh oh oh").split() == ["oh", "oh", "oh"]  # Whisper's own normaliser writes 000


@pytest.mark.parametrize("text", ["", "  \n", "...", "[Verse 1]", "\u266a"])
def test_nothing_sung_leaves_nothing(text: str) -> None:
    assert normalise(text) == ""


def test_characters_are_words_where_no_spaces_are_written() -> None:
    assert normalise("\u6708\u304c \u7dba\u9e97\u3002", "ja") == "\u6708 \u304c \u7dba \u9e97"
    assert normalise("\uc548\ub155 \ud558\uc138\uc694", "ko") == "\uc548\ub155 \ud558\uc138\uc694"


def test_other_languages_keep_accents_and_vowel_signs() -> None:
    assert normalise("D\u00e9j\u00e0 vu, 25 !", "fr") == "d\u00e9j\u00e0 vu vingt cinq"
    assert normalise("\u0928\u092e\u0938\u094d\u0924\u0947", "hi") == "\u0928\u092e\u0938\u094d\u0924\u0947"


def test_no_language_is_english() -> None:
    assert normalise("won't", None) == normalise("won't", "en_us") == normalise("won't", "English") == "will not"


def test_what_is_normal_stays() -> None:
    once = normalise("I'd've said twenty 2 (times) -- don't!")
    assert normalise(once) == once


def test_normalisers_are_named_apart() -> None:
    assert len({normaliser("en"), normaliser("fr"), normaliser("ja")}) == 3
    assert normaliser("en") == normaliser(None)


def test_what_is_said_keeps_contractions() -> None:
    assert said("[Bridge] I\u2019m 7 (yeah)") == "i'm seven yeah"
