"""Pronunciations: ARPAbet to IPA, and the CMU dictionary that pocketsphinx ships."""

import pytest

from jam.lyrics.lexicon import ARPABET as IPA
from jam.nano.pronunciation import arpabet_to_ipa, syllables

RELEASED_SYMBOLS = set("abdefhijklmnoprstuvwzæðŋɑɔəɛɝɡɪʃʊʌʒθˈˌːɹ")


def test_a_word_is_spelled_phone_by_phone():
    assert arpabet_to_ipa(["R", "IH", "V", "ER"]) == "ɹɪvɝ"
    assert arpabet_to_ipa(["CH", "OY", "S"]) == "tʃɔɪs"


def test_stress_digits_are_ignored():
    assert arpabet_to_ipa(["M", "IY1"]) == arpabet_to_ipa(["m", "iy"]) == "miː"


def test_every_symbol_is_one_the_released_phonemizer_knows():
    assert set("".join(IPA.values())) <= RELEASED_SYMBOLS


def test_a_phone_that_is_not_arpabet_is_named():
    with pytest.raises(ValueError, match=r"phone 1 \('QX'\)"):
        arpabet_to_ipa(["M", "QX"])


def test_syllables_are_vowels_and_at_least_one():
    assert syllables(["M", "AW", "N", "T", "AH", "N"]) == 2
    assert syllables(["M"]) == 1


def test_the_dictionary_holds_the_common_reading_first():
    pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")
    from jam.nano.pronunciation import dictionary

    words = dictionary()
    assert len(words) > 100_000
    assert (words["river"], words["wind"], words["live"]) == ("ɹɪvɝ", "wɪnd", "lɪv")
    assert set("".join(words.values())) <= RELEASED_SYMBOLS


def test_a_word_outside_the_dictionary_is_named():
    pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")
    from jam.nano.pronunciation import phones_of

    with pytest.raises(ValueError, match="'qzxv' is not in the CMU dictionary"):
        phones_of("qzxv")


def test_readings_put_first_are_those_of_the_singer_alone():
    pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")
    from jam.eval import sphinx
    from jam.nano.pronunciation import PREFERRED, variants

    book, heard = variants(), sphinx.dictionary()
    assert {word for word in heard if book[word] != heard[word]} == set(PREFERRED)
    assert all(set(book[word]) == set(heard[word]) for word in PREFERRED)
