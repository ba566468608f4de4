import pytest
from hypothesis import given
from hypothesis import strategies as st

from jam.lyrics.languages import NEAREST, SAME, base, espeak, has_espeak, onto, respelled, told

HEARD = frozenset("abdefhijklmnoprstuvwzæðŋɑɔɛɝɡɪʃʊʌʒθːɹ") - {"r"}
TOKENS = HEARD | {"r", "ə", "ˈ", "ˌ"}


@pytest.mark.parametrize(
    ("ipa", "sung", "exchanged"),
    [
        ("sɪŋ", "sɪŋ", {}),
        ("ˈraɪt", "ɹaɪt", {}),  # another sign of the same sound, and stress that was never heard
        ("ʒə", "ʒʌ", {}),
        ("ʧɚ", "tʃɝ", {}),
        ("ʁuʒ,", "ɹuʒ,", {"ʁ": "ɹ"}),
        ("lyn", "luːn", {"y": "uː"}),
        ("ɲa", "nja", {"ɲ": "nj"}),
        ("bɔ̃", "bɔn", {"\u0303": "n"}),
        ("ɪç", "ɪʃ", {"ç": "ʃ"}),
        ("t̪a", "ta", {}),
        ("☃", "☃", {}),
    ],
)
def test_foreign_sounds_become_the_nearest_that_were_heard(ipa, sung, exchanged):
    assert onto(ipa, HEARD, TOKENS) == (sung, exchanged)


def test_a_sound_that_has_a_token_stays_where_nothing_near_was_heard():
    assert onto("ħ", frozenset("a"), {"a", "ħ"}) == ("ħ", {})
    assert onto("ħ", frozenset("a"), {"a", "h"}) == ("h", {"ħ": "h"})


def test_what_was_exchanged_is_told_in_one_line():
    assert told("fr", {"ʁ": "ɹ", "ʔ": "", "\u0303": "n"}) == "fr: ʁ is sung as ɹ, ◌̃ as n; ʔ is not sung"


def test_a_person_may_write_other_signs_of_the_same_sound():
    assert respelled("ˈraɪt!", HEARD) == "ɹaɪt!"
    assert respelled("ʁaɪt_:", HEARD) == "ʁaɪt_:"


def test_no_sign_is_exchanged_for_itself():
    for table in (SAME, NEAREST):
        assert all(symbol not in signs for symbol, signs in table.items())


@given(st.text(alphabet=[*SAME, *NEAREST, *HEARD, ".", "☃"], max_size=12))
def test_what_is_sung_was_heard_or_is_told(ipa):
    sung, exchanged = onto(ipa, HEARD, TOKENS)
    assert set(sung) <= HEARD | set(".☃")
    assert all(set(what) <= HEARD for what in exchanged.values())
    assert onto(sung, HEARD, TOKENS)[0] == sung


def test_the_language_of_a_code():
    assert [base(code) for code in ("fr", "fr-CA", "en_us", "pt-br")] == ["fr", "fr", "en", "pt"]


@pytest.mark.skipif(has_espeak(), reason="espeak is installed")
def test_without_espeak_it_is_said_how_to_install_it():
    with pytest.raises(ValueError, match=r"'fr' needs espeak, which is not installed; pip install 'jam\[languages\]'"):
        espeak("fr")


@pytest.mark.skipif(not has_espeak(), reason="espeak is not installed")
def test_espeak_reads_other_languages():
    assert espeak("fr")(["bonjour", "rouge"]) == ["bɔ̃ʒˈuʁ", "ʁˈuʒ"]
    assert espeak("zh")(["我"])
    with pytest.raises(ValueError, match=r"espeak does not speak 'xx'; it speaks \d+ languages"):
        espeak("xx")


NAMED = [("English", "en"), ("eng", "en"), ("en_us", "en"), ("fr-CA", "fr"), (" German ", "de"), ("tlh", "tlh")]


@pytest.mark.parametrize(("written", "code"), NAMED)
def test_a_language_is_known_by_code_and_by_name(written, code):
    assert base(written) == code
