import json
import os
import pickle
from pathlib import Path

import pytest
import torch

from jam.lyrics.phonemes import Phonemizer, build, save, token_ids
from jam.lyrics.words import Word

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
    with pytest.raises(ValueError, match="does not speak 'de'; it knows en_us"):
        phonemizer.ipa(["sing"], "de")


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
