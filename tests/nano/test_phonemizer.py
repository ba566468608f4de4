from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jam.lyrics.lexicon import ARPABET as IPA
from jam.lyrics.phonemes import LANGUAGE, Phonemizer, save, token_ids
from jam.nano.phonemizer import PHONEMES, Settings, config, edits, readable_words, score, split, train

TINY = replace(Settings(), d_model=16, d_fft=32, layers=1, heads=2, steps=12, warmup=4, batch_size=8, held_out=2)
WORDS = {"moon": "muːn", "noon": "nuːn", "spoon": "spuːn", "soon": "suːn", "tune": "tuːn", "don't": "doʊnt", "oh-oh": "oʊoʊ"}


def test_the_symbols_that_singers_are_trained_with_never_change():
    ids = token_ids(PHONEMES, [LANGUAGE])
    assert len(ids) == 49
    assert (ids["a"], ids["ː"], ids["ɹ"], ids["."], ids[";"]) == (3, 41, 42, 43, 48)


def test_every_phone_of_the_dictionary_has_its_symbols():
    assert set("".join(IPA.values())) <= set(PHONEMES)


def test_held_out_words_are_not_trained_on():
    trained, held_out = split(WORDS, TINY)
    assert len(held_out) == 2
    assert trained | held_out == WORDS
    assert split(WORDS, TINY) == (trained, held_out)


def test_words_that_lyrics_cannot_reach_stay_out_of_the_dictionary():
    assert set(readable_words(dict.fromkeys(["moon", "a.m.", "'em", "oh-oh", "-", "e8"], ""))) == {"moon", "'em", "oh-oh"}


def test_training_repeats_itself_and_its_checkpoint_loads(tmp_path):
    twice = [train(WORDS, TINY) for _ in range(2)]
    for one, other in zip(*(model.state_dict().values() for model, _ in twice), strict=True):
        assert torch.equal(one, other)
    model, preprocessor = twice[0]
    save(tmp_path / "small.pt", model, preprocessor, config(TINY), {LANGUAGE: WORDS}, TINY.steps)
    phonemizer = Phonemizer.load(tmp_path / "small.pt")
    assert phonemizer.symbols == token_ids(PHONEMES, [LANGUAGE])
    assert phonemizer.ipa(["Moon!", "oh-oh"]) == ["muːn!", "oʊoʊ"]
    errors, right = score(phonemizer, WORDS)
    assert errors > 0
    assert 0 <= right <= 1


@pytest.mark.parametrize(("read", "true", "count"), [("muːn", "muːn", 0), ("mun", "muːn", 1), ("", "muː", 3), ("nuːm", "muːn", 2)])
def test_phoneme_errors_are_edit_distances(read, true, count):
    assert edits(read, true) == count


def test_the_embedded_phonemizer_reads_known_and_unknown_words():
    phonemizer = Phonemizer.load(Path(__file__).parents[2] / "externals" / "nano" / "phonemizer.pt")
    assert phonemizer.ipa(["Sing", "I’m", "singing!"]) == ["sɪŋ", "aɪm", "sɪŋɪŋ!"]
    unknown = phonemizer.ipa(["glimmerdust"])[0]
    assert unknown.startswith("ɡlɪm")
    assert unknown.endswith("t")
