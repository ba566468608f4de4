from pathlib import Path

import pytest

from jam.lyrics.lexicon import ARPABET, arpabet_to_ipa, is_arpabet, read


def written(folder: Path, text: str) -> Path:
    path = folder / "own.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_ipa_and_arpabet_stand_side_by_side(tmp_path):
    text = ";;; ours\n# mine\nGlimmerdust\tɡlɪmɝdʌst\nzorba   /zɔːɹbə/  # a name\nLYRA  L AY1 R AH0\nU2 juːtuː\n\nlyra(2) L IH1 R AH0\n"
    assert read(written(tmp_path, text)) == {"glimmerdust": "ɡlɪmɝdʌst", "zorba": "zɔːɹbə", "lyra": "lˈɪɹʌ", "u2": "juːtuː"}


def test_json_and_a_byte_order_mark_are_read(tmp_path):
    assert read(written(tmp_path, '\ufeff{"Zorba": "zɔːɹbʌ", "LYRA": "L AY R AH"}')) == {"zorba": "zɔːɹbʌ", "lyra": "laɪɹʌ"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zorba zɔːbə\nlyra\n", "line 2: 'lyra' has no pronunciation; write the word, a space, and its IPA or ARPAbet"),
        ("zorba Z QQ AH\n", "line 1: 'zorba': 'QQ' is no ARPAbet phone; it knows AA AE"),
        ("zorba zor8a\n", "line 1: 'zorba': '8' is no IPA"),
        ("zorba Zorba!\n", "line 1: 'zorba': 'Z' is no IPA"),
        ("--- zɔː\n", "line 1: '---' is no word"),
        ("zorba //\n", "line 1: 'zorba': '//' is no IPA"),
        ('{"zorba": 3}', "'zorba' has 3 for a pronunciation; write its IPA in quotes"),
        ('{"zorba"\n: }', "line 2: Expecting value"),
        ('{"a": ' * 100_000, "too deep"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(ValueError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        read(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 k\xe6fe\xcd")
    with pytest.raises(ValueError, match="is not UTF-8; give a text file"):
        read(tmp_path / "latin.txt")


def test_stress_of_arpabet_stands_before_the_vowel():
    assert arpabet_to_ipa("F AH0 N EH1 T IH2 K") == "fʌnˈɛtˌɪk"
    assert arpabet_to_ipa("CH ER JH") == "tʃɝdʒ"


def test_arpabet_is_told_from_ipa():
    assert all(is_arpabet(phone) and is_arpabet(phone + "0") for phone in ARPABET)
    assert not any(map(is_arpabet, ["ɑː", "k", "QQ", "AH3", "", "AH0 K"]))
