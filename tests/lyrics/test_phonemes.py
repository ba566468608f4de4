import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jam import assets
from jam.lyrics.languages import has_espeak
from jam.lyrics.phonemes import Phonemizer, build, save, token_ids
from jam.lyrics.words import Phone, Word

LYRICS = json.loads((Path(__file__).parents[1] / "golden" / "lyrics.json").read_text(encoding="utf-8"))
CONFIG = {
    "preprocessing": {
        "languages": ["en_us"],
        "text_symbols": list("abcdefghijklmnopqrstuvwxyz"),
        "phoneme_symbols": [symbol for symbol in LYRICS["symbols"] if symbol not in ".,?!:;"],
        "char_repeats": 2,
        "lowercase": True,
    },
    "model": {"type": "transformer", "d_model": 16, "d_fft": 16, "layers": 1, "dropout": 0.1, "heads": 2},
}
DICTIONARY = {
    **{"sing": "sˈɪŋ", "oh": "ˈoʊ", "dont": "dˈoʊnt", "don't": "dˈoʊn", "well": "wˈɛl", "'em": "əm"},
    **{"n": "ˈɛn", "y": "wˈaɪ", "c": "sˈiː"},
}


def checkpoint(path: Path, **changes) -> Path:
    torch.manual_seed(0)
    model, preprocessor = build(CONFIG)
    save(path, model, preprocessor, CONFIG, {"en_us": DICTIONARY}, 7)
    if changes:
        torch.save(torch.load(path, weights_only=False) | changes, path)
    return path


@pytest.fixture(scope="module")
def phonemizer(tmp_path_factory) -> Phonemizer:
    return Phonemizer.load(checkpoint(tmp_path_factory.mktemp("phonemizer") / "small.pt"))


@pytest.fixture(scope="module")
def embedded() -> Phonemizer:
    return Phonemizer.load(assets.BUNDLE / "phonemizer.pt")


@pytest.mark.parametrize("symbols", [LYRICS["symbols"], LYRICS["symbols"][:-6], LYRICS["symbols"][:-3]])
def test_golden_token_ids_are_equal_whatever_punctuation_the_checkpoint_lacks(symbols):
    assert token_ids(symbols, LYRICS["languages"]) == LYRICS["token_ids"]


def test_golden_token_ids_are_those_of_a_loaded_checkpoint(phonemizer):
    assert phonemizer.symbols == LYRICS["token_ids"]


def test_golden_ids_of_words_with_phonemes(phonemizer):
    ids = [phonemizer.ids_of(Word(**word)) for word in LYRICS["words"]]
    assert ids[0] == [18, 39, 33, 26, 0]
    assert ids[1] == [13, 39, 9, 41, 0]  # it ends with _ already
    assert ids[4] == [39, 33, 21, 31, 43, 0]  # ɹ has no token here
    assert ids[6] == []


def test_token_ids_stay_below_the_blank():
    assert max(token_ids(map(chr, range(0x3041, 0x3041 + 53)), ["en_us"]).values()) == 61
    with pytest.raises(ValueError, match="token ids up to 62"):
        token_ids(map(chr, range(0x3041, 0x3041 + 54)), ["en_us"])


@pytest.mark.parametrize(
    ("word", "ipa"),
    [
        ("sing", "sˈɪŋ"),
        ("SING", "sˈɪŋ"),
        ("Sing,", "sˈɪŋ,"),
        ("“sing!”", "sˈɪŋ!"),
        ("(sing)…", "sˈɪŋ..."),
        ("'sing'", "sˈɪŋ"),
        ("oh-oh", "ˈoʊˈoʊ"),
        ("oh—sing;", "ˈoʊsˈɪŋ;"),
        ("sing/oh", "sˈɪŋˈoʊ"),
        ("don’t", "dˈoʊn"),
        ("we'll", "wˈɛl"),
        ("’em", "əm"),
        ("NYC", "ˈɛnwˈaɪsˈiː"),
        ("♪", ""),
        ("-", ""),
        ("?", "?"),
    ],
)
def test_words_are_looked_up_with_their_punctuation_kept(phonemizer, word, ipa):
    assert phonemizer.ipa([word]) == [ipa]


def test_an_unknown_word_reads_the_same_whatever_its_company(phonemizer, tmp_path):
    alone = Phonemizer.load(checkpoint(tmp_path / "small.pt")).ipa(["moonlight"])
    together = phonemizer.ipa(["a", "moonlight", "sing", "gossamers", "considerations", "moonlight"])
    assert alone[0]
    assert together[1] == together[5] == alone[0]


def test_missing_phonemes_are_filled_in_and_given_ones_kept(phonemizer):
    words = [Word(0, 1, "sing"), Word(1, 2, "sing", "oʊ"), Word(2, 3, "hm", ""), Word(3, 4, "oh!")]
    assert [word.phoneme for word in phonemizer.words(words)] == ["sˈɪŋ", "oʊ", "", "ˈoʊ!"]
    assert [(word.start, word.word) for word in phonemizer.words(words)] == [(0, "sing"), (1, "sing"), (2, "hm"), (3, "oh!")]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("мир", "has letters that the phonemizer cannot read (м и р); name its language, or give it a 'phoneme'"),
        ("歌", "has letters that the phonemizer cannot read (歌)"),
    ],
)
def test_a_word_that_cannot_be_read_is_refused_by_name_unless_it_has_phonemes(phonemizer, word, said):
    with pytest.raises(ValueError) as caught:
        phonemizer.words([Word(0, 1, "oh"), Word(1, 2, word)], "song.json")
    assert str(caught.value).startswith(f"song.json: word 2 ({word!r}) {said}")
    assert phonemizer.words([Word(1, 2, word, "oʊ")])[0].phoneme == "oʊ"


def test_an_unknown_language_is_refused(phonemizer):
    with pytest.raises(ValueError, match="does not speak 'de'; it knows en_us|espeak does not speak|^$") as caught:
        phonemizer.ipa(["sing"], "de" if not has_espeak() else "xx")
    assert "\n" not in str(caught.value)


def test_a_code_of_the_same_language_is_read_by_the_dictionary(phonemizer):
    assert phonemizer.ipa(["sing"], "en-GB") == phonemizer.ipa(["sing"], "en") == ["sˈɪŋ"]


def test_a_number_is_one_word_of_all_that_is_said(embedded):
    assert embedded.ipa(["1999", "$5!", "café", "R&B", "USA"]) == [
        "naɪntiːnnaɪntiːnaɪn",
        "faɪvdɑːlɝz!",
        "kʌfeɪ",
        "ɑːɹʌndbiː",
        "juːɛseɪ",
    ]


def test_neighbours_decide_how_words_are_said(embedded):
    lines = {"$5 million baby": "faɪv mɪljʌndɑːlɝz beɪbiː", "we live live": "wiː lɪv lɪv", "so close, close it": "soʊ kloʊs, kloʊz ɪt"}
    for line, ipa in lines.items():
        found = embedded.words([Word(index, index + 1, word) for index, word in enumerate(line.split())])
        assert " ".join(word.phoneme or "" for word in found) == ipa
        assert [word.word for word in found] == line.split()


@pytest.mark.parametrize(
    ("word", "ipa"),
    [("lovin’", "lʌvɪn"), ("Zara's", "zæɹʌz"), ("moon'll", "muːnʌl"), ("breeze's", "bɹiːzɪz"), ("looove", "lʌv"), ("ba-by", "beɪbiː")],
)
def test_contractions_and_spellings_that_no_dictionary_has(embedded, word, ipa):
    assert embedded.ipa([word]) == [ipa]
    assert embedded.knows(word)


def test_what_the_network_guessed_is_told(embedded):
    assert embedded.guessed(["love", "glimmerdust", "1999", "мир", "glimmerdust", "love-glimmerdust"]) == {
        "glimmerdust": embedded.ipa(["glimmerdust"])[0],
        "love-glimmerdust": "lʌv" + embedded.ipa(["glimmerdust"])[0],
    }


def test_symbols_without_a_token_are_lost(phonemizer, embedded):
    assert phonemizer.lost("sɪŋ ʁʁ, y") == ("ʁ", "y")
    assert embedded.lost("ɹaɪt_") == ()


def test_a_lexicon_goes_before_the_dictionary_and_reads_what_nobody_can(tmp_path):
    own = {"sing": "ziŋ", "Glimmer": "oʊdoʊ", "мир": "mir", "u2": "oʊ"}
    taught = Phonemizer.load(checkpoint(tmp_path / "small.pt"), own)
    assert taught.ipa(["Sing!", "glimmer", "(Мир)", "U2,", "oh-sing"]) == ["ziŋ!", "oʊdoʊ", "mir", "oʊ,", "ˈoʊziŋ"]
    assert taught.knows("glimmer")
    assert taught.guessed(["glimmer"]) == {}


def test_a_lexicon_with_a_symbol_that_cannot_be_sung_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"lexicon: 'sing': ☃ cannot be sung; the phonemizer knows a b d e") as caught:
        Phonemizer.load(checkpoint(tmp_path / "small.pt"), {"sing": "sɪŋ☃"})
    assert "\n" not in str(caught.value)


def test_given_phonemes_are_spelled_as_the_model_heard_them(embedded):
    phones = (Phone(1, 1.4, "R"), Phone(1.4, 2, "AY1"))
    given = [Word(0, 1, "right", "ˈraɪt"), Word(1, 2, "rye", phones=phones), Word(2, 3, "nie", "ɲi"), Word(3, 4, phoneme="mˈiː_")]
    found = embedded.words(given)
    assert [word.phoneme for word in found] == ["ɹaɪt", "ɹaɪ", "ɲi", "miː_"]
    assert [(phone.start, phone.phoneme) for phone in found[1].phones] == [(1, "ɹ"), (1.4, "aɪ")]
    assert embedded.ids_of(found[1]) == embedded.ids("ɹaɪ")


def test_words_of_another_language_are_read_by_its_checkpoint_in_symbols_that_were_heard(tmp_path, caplog):
    config = CONFIG | {"preprocessing": CONFIG["preprocessing"] | {"languages": ["fr"], "phoneme_symbols": list("ʁuʒəlynãœ")}}
    torch.manual_seed(0)
    model, preprocessor = build(config)
    save(tmp_path / "fr.pt", model, preprocessor, config, {"fr": {"rouge": "ʁuʒ", "lune": "lyn", "une": "yn", "cent": "sã"}}, 1)
    singer = Phonemizer.load(assets.BUNDLE / "phonemizer.pt", languages={"fr": str(tmp_path / "fr.pt")})
    words = [
        Word(0, 1, "Rouge,", language="fr-CA"),
        Word(1, 2, "lune", language="fr"),
        Word(2, 3, "moon"),
        Word(3, 4, "100", language="fr"),
    ]
    assert [word.phoneme for word in singer.words(words, "song.json")] == ["ɹuʒ,", "luːn", "muːn", "san"]
    assert caplog.messages == ["song.json: fr-CA: ʁ is sung as ɹ", "song.json: fr: y is sung as uː, ◌̃ as n"]
    assert singer.exchanged(["lune", "rouge"], "fr") == {"y": "uː", "ʁ": "ɹ"}
    assert singer.knows("lune", "fr")
    assert singer.guessed(["lune"], "fr") == {}


def test_a_language_whose_checkpoint_is_missing_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"none\.pt: no such file, but 'languages' says that it reads 'fr'"):
        Phonemizer.load(checkpoint(tmp_path / "small.pt"), languages={"fr": str(tmp_path / "none.pt")})


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(
        st.text(min_size=1, max_size=8) | st.sampled_from(["$5", "million", "live", "looove", "1999", "O'Neil's", "St."]), max_size=6
    )
)
def test_any_words_give_token_ids_below_the_blank_or_are_refused_in_one_line(embedded, words):
    timed = [Word(index, index + 1, word) for index, word in enumerate(words)]
    try:
        found = embedded.words(timed, "song.json")
    except ValueError as error:
        assert str(error).startswith("song.json: word ")
        assert len(str(error).splitlines()) == 1
        return
    for word in found:
        assert all(0 <= token < 62 for token in embedded.ids_of(word))
        assert embedded.lost(word.phoneme or "") == ()


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        Phonemizer.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


def test_a_checkpoint_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path):
    bad = checkpoint(tmp_path / "bad.pt", extra=Payload(tmp_path / "ran"))
    said = refusal(bad)
    assert f"pickles {os.system.__module__}.system, which no phonemizer needs" in said
    with bad.open("wb") as file:  # and as a bare pickle
        pickle.dump(Payload(tmp_path / "ran"), file, protocol=2)
    refusal(bad)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_holds_another_class_is_refused_by_its_name(tmp_path):
    assert "pickles torch.nn.modules.linear.Identity" in refusal(checkpoint(tmp_path / "bad.pt", extra=torch.nn.Identity()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preprocessor": {}}, "lacks a Preprocessor"),
        ({"model": {}}, "its parts do not fit each other"),
        ({"config": {}}, "its parts do not fit each other ('model')"),
    ],
)
def test_a_checkpoint_whose_parts_are_wrong_is_refused(tmp_path, changes, said):
    assert said in refusal(checkpoint(tmp_path / "bad.pt", **changes))


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.pt")
    for data in (b"", b"words", bytes(range(256)) * 8):
        (tmp_path / "bad.pt").write_bytes(data)
        assert "is no DeepPhonemizer checkpoint" in refusal(tmp_path / "bad.pt")
    torch.save([1], tmp_path / "bad.pt")
    assert "holds a list" in refusal(tmp_path / "bad.pt")


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_a_saved_checkpoint_is_read_by_the_library_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda path, map_location: torch.serialization.load(path, map_location, weights_only=False))
    from dp.phonemizer import Phonemizer as Library

    assert Library.from_checkpoint(str(checkpoint(tmp_path / "small.pt")))("sing, oh", "en_us", ".,?!:;") == "sˈɪŋ, ˈoʊ"
