"""Syllables, stress and small words."""

import pytest

from jam.lyrics.syllables import count, count_spelled, stressed, sung


@pytest.mark.parametrize(
    ("ipa", "syllables"),
    [
        *(("muːn", 1), ("bjuːtʌfʌl", 3), ("faɪɝ", 2), ("goʊɪŋ", 2), ("naɪiːv", 2), ("ʌbaʊt", 2), ("stɹɛŋθs", 1), ("aɪdiːʌ", 3)),
        *(("ɹɪˈzɪst", 2), ("bʌtn̩", 2), ("bɔ̃ʒuʁ", 2), ("moʊ,", 1), ("hm", 1), (".", 0), ("", 0)),
    ],
)
def test_syllables_are_counted_by_vowels_diphthongs_once(ipa, syllables):
    assert count(ipa) == syllables


@pytest.mark.parametrize(
    ("word", "syllables"),
    [("la", 1), ("été", 2), ("Straße", 2), ("amore", 3), ("corazón", 3), ("愛してる", 4), ("1999", 4), ("hm", 1), ("-", 0)],
)
def test_words_that_nobody_can_read_are_judged_by_their_spelling(word, syllables):
    assert count_spelled(word) == syllables


@pytest.mark.parametrize(
    ("ipa", "index"),
    [
        ("ʌbaʊt", 1),
        ("bɪfɔːɹ", 1),
        ("bɪziː", 0),
        ("ʌndɝ", 0),
        ("ɹɪvɝ", 0),
        ("wɪndoʊ", 0),
        ("ɹɪˈzɪst", 1),
        ("ˌɪnfɔːˈmeɪʃʌn", 2),
        ("muːn", 0),
        ("", 0),
    ],
)
def test_the_stressed_syllable_is_the_marked_one_or_follows_a_weak_prefix_else_the_first(ipa, index):
    assert stressed(ipa) == index


def test_a_word_asks_for_its_syllables_a_slot_for_each_symbol_and_knows_its_mark():
    word = sung("Forever,", "fɝɛvɝ,")
    assert (word.syllables, word.symbols, word.mark, word.is_small) == (3, 6, ",", False)
    assert sung("the", "ðʌ").is_small and sung("(I\u2019ll", "aɪl").is_small
    assert sung("", "muːn?").mark == "?"
