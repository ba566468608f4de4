"""Errors of words, characters and phones, against counts worked out by hand and against jiwer itself."""

import jiwer
import pytest

from jam.eval.fidelity import MEASURES, Errors, bare, errors, of_words, phone_errors, phones_of
from jam.eval.measures import Value, base
from jam.eval.normal import normalise

CASES = [  # asked, heard, substitutions, deletions, insertions; in each the fewest errors can be had in one way alone
    ("the river runs", "the river runs", 0, 0, 0),
    ("the river runs", "the river ran", 1, 0, 0),
    ("the river runs", "river runs", 0, 1, 0),
    ("the river runs", "the river", 0, 1, 0),
    ("the river runs", "the cold river runs", 0, 0, 1),
    ("the river runs", "so the river runs on", 0, 0, 2),
    ("the river runs", "", 0, 3, 0),
    ("the river runs", "a b c", 3, 0, 0),
    ("the river runs", "a b c d e", 3, 0, 2),
    ("the river runs", "lantern", 1, 2, 0),
    ("oh", "oh oh oh", 0, 0, 2),
    ("oh oh oh", "oh", 0, 2, 0),
    ("oh oh oh oh", "oh no oh oh", 1, 0, 0),
    ("hold the light", "hold a light", 1, 0, 0),
    ("hold the light for me", "hold light for me", 0, 1, 0),
    ("hold the light for me", "hold the light for for me", 0, 0, 1),
    ("hold the light for me", "hold the night for", 1, 1, 0),
    ("hold the light for me", "please hold a light for me", 1, 0, 1),
    ("hold the light for me", "please hold the light me", 0, 1, 1),
    ("we walk and we walk and we walk", "we walk and we walk", 0, 3, 0),
    ("we walk and we walk", "we walk and we walk and we walk", 0, 0, 3),
    ("copper kettle on the stove", "copper kettles on a stove", 2, 0, 0),
    ("copper kettle on the stove", "cop her kettle on the stove", 1, 0, 1),
    ("I'm on the roof", "I am on the roof", 0, 0, 0),
    ("I'm on the roof", "im on the roof", 1, 1, 0),
    ("Seven trains (seven trains)!", "7 trains 7 trains", 0, 0, 0),
    ("Seven trains (seven trains)", "seven trains", 0, 2, 0),
    ("looove me", "love me do", 0, 0, 1),
    ("[Verse]\nwindow glass\nwinter grass", "window glass winter glass", 1, 0, 0),
    ("paper boats drift down the long canal", "paper goats drift down the long long canal home", 1, 0, 2),
]


@pytest.mark.parametrize(("asked", "heard", "substituted", "deleted", "inserted"), CASES)
def test_word_errors_are_those_counted_by_hand_and_by_jiwer(asked: str, heard: str, substituted: int, deleted: int, inserted: int) -> None:
    assert len(CASES) == 30
    reference, hypothesis = normalise(asked), normalise(heard)
    length = len(reference.split())
    assert of_words(reference, hypothesis) == Errors(substituted, deleted, inserted, length)
    found = errors(asked, heard, "ear")
    assert found["lyrics.wer@ear"] == Value(100 * (substituted + deleted + inserted) / length, weight=length)
    assert found["lyrics.substitutions@ear"] == Value(100 * substituted / length, weight=length)
    assert found["lyrics.deletions@ear"] == Value(100 * deleted / length, weight=length)
    assert found["lyrics.insertions@ear"] == Value(100 * inserted / length, weight=length)
    assert found["lyrics.wer@ear"].value == pytest.approx(100 * jiwer.wer(reference, hypothesis), abs=1e-9)
    assert found["lyrics.cer@ear"].value == pytest.approx(100 * jiwer.cer(reference, hypothesis), abs=1e-9)


PHONES = [  # asked, heard, errors
    ("ð ʌ ɹ ɪ v ɝ", "ð ʌ ɹ ɪ v ɝ", 0),
    ("ð ʌ ɹ ɪ v ɝ", "ð ʌ l ɪ v ɝ", 1),
    ("ð ʌ ɹ ɪ v ɝ", "ʌ ɹ ɪ v", 2),
    ("ð ʌ ɹ ɪ v ɝ", "", 6),
    ("k oʊ l d", "k ˈoʊ l d", 0),
    ("m uː n", "m u n", 0),
    ("tʃ ɪ n", "ʃ ɪ n", 1),
    ("tʃ ɪ n", "t ʃ ɪ n", 2),
    ("l ʌ v", "ʌ l ʌ v ɝ", 2),
    ("l ʌ v", "iː s oʊ ɹ t", 5),
]


@pytest.mark.parametrize(("asked", "heard", "count"), PHONES)
def test_phone_errors_are_those_counted_by_hand_and_by_jiwer(asked: str, heard: str, count: int) -> None:
    found = phone_errors(asked.split(), heard.split(), "judge")
    length = len(asked.split())
    assert found == {"lyrics.per@judge": Value(100 * count / length, weight=length)}
    direct = jiwer.wer(" ".join(bare(asked.split())), " ".join(bare(heard.split())))
    assert found["lyrics.per@judge"].value == pytest.approx(100 * direct)


def test_character_errors_count_spaces() -> None:
    assert errors("to day", "today", "ear")["lyrics.cer@ear"] == Value(100 / 6, weight=6)


def test_errors_of_songs_pool_to_those_of_their_words() -> None:
    songs = [errors(asked, heard, "ear")["lyrics.wer@ear"] for asked, heard, *_ in CASES]
    pooled = sum(song.value * song.weight for song in songs) / sum(song.weight for song in songs)
    direct = jiwer.wer([normalise(asked) for asked, *_ in CASES], [normalise(case[1]) for case in CASES])
    assert pooled == pytest.approx(100 * direct)


@pytest.mark.parametrize("asked", ["", "[Instrumental]", "..."])
def test_a_song_without_words_has_no_error_rate(asked: str) -> None:
    assert errors(asked, "something was heard", "ear", lambda words: [[word] for word in words]) == {}
    assert phone_errors([], ["ʌ"], "judge") == {}


def test_where_nothing_is_heard_all_is_missing() -> None:
    found = errors("two words", "", "ear", lambda words: [list(word) for word in words])
    for name in ("lyrics.wer@ear", "lyrics.cer@ear", "lyrics.per@ear", "lyrics.deletions@ear"):
        assert found[name].value == 100
    assert found["lyrics.insertions@ear"].value == 0


def test_phones_are_asked_for_words_as_they_are_said() -> None:
    asked: list[list[str]] = []

    def phonemes(words: list[str]) -> list[list[str]]:
        asked.append(words)
        return [list(word) for word in words]

    found = errors('[Verse] I\'m 7, "here"', "I'm here", "ear", phonemes)
    assert asked == [["i'm", "seven", "here"], ["i'm", "here"]]
    assert found["lyrics.per@ear"] == Value(100 * 5 / 11, weight=11)  # i'm has an apostrophe, which is no phone


def test_ipa_is_divided_into_phones() -> None:
    assert phones_of("tʃoʊˈsɑːn,") == ["tʃ", "oʊ", "s", "ɑ", "n"]
    assert phones_of("") == []


def test_errors_of_every_measure_are_given() -> None:
    found = errors("two words", "two birds", "ear", lambda words: [list(word) for word in words])
    assert {base(name) for name in found} == {measure.name for measure in MEASURES}
