from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jam.lyrics.homographs import HOMOGRAPHS, reading
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.words import Word

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer.load(ROOT / "externals" / "nano" / "phonemizer.pt")


LINES = {
    "I _live_ for you": "lɪv",
    "we're _live_ tonight": "laɪv",
    "a _live_ band": "laɪv",
    "all our _lives_": "laɪvz",
    "she _lives_ in town": "lɪvz",
    "love _lives_ on": "lɪvz",
    "I _read_ your letter": "ɹiːd",
    "she _read_ it": "ɹɛd",
    "I've _read_ it": "ɹɛd",
    "_read_ me a story": "ɹiːd",
    "_lead_ me home": "liːd",
    "_tears_ in my eyes": "tɪɹz",
    "moved to _tears_": "tɪɹz",
    "it _tears_ me apart": "tɛɹz",
    "_tear_ down the wall": "tɛɹ",
    "a _tear_ fell": "tɪɹ",
    "the _wind_ blows": "wɪnd",
    "we _wind_ up here": "waɪnd",
    "I _wound_ the clock": "waʊnd",
    "an open _wound_": "wuːnd",
    "_close_ your eyes": "kloʊz",
    "don't _close_ the door": "kloʊz",
    "hold me _close_": "kloʊs",
    "so _close_ to me": "kloʊs",
    "don't _use_ me": "juːz",
    "it's no _use_": "juːs",
    "I _used_ to love": "juːst",
    "you _used_ me": "juːzd",
    "a _bow_ and arrow": "boʊ",
    "take a _bow_": "baʊ",
    "_bow_ down": "baʊ",
    "the _bass_ drops": "beɪs",
    "white _dove_": "dʌv",
    "he _dove_ in": "doʊv",
    "in the _desert_": "dɛzɝt",
    "never _desert_ me": "dɪzɝt",
    "I'm _content_": "kʌntɛnt",
    "a broken _record_": "ɹɛkɝd",
    "to _record_ it": "ɹʌkɔːɹd",
    "_rebel_ heart": "ɹɛbʌl",
    "_refuse_ to go": "ɹʌfjuːz",
    "_excuse_ me": "ɪkskjuːz",
    "no _excuse_": "ɪkskjuːs",
    "the _house_ of love": "haʊs",
    "_Live,_ laugh and love": "lɪv,",
}


@pytest.mark.parametrize(("line", "ipa"), LINES.items())
def test_a_homograph_is_said_as_its_neighbours_mean_it(phonemizer, line, ipa):
    place = next(index for index, word in enumerate(line.split()) if word.startswith("_"))
    words = [Word(index, index + 1, word.strip("_")) for index, word in enumerate(line.split())]
    assert phonemizer.words(words)[place].phoneme == ipa


def test_the_embedded_dictionary_has_every_word_that_describes_a_reading(phonemizer):
    for word, homograph in HOMOGRAPHS.items():
        assert homograph.usual in homograph.readings
        for described in homograph.readings.values():
            assert phonemizer.knows(described.like), (word, described)


def test_a_sentence_ends_a_neighbourhood():
    assert reading(["the.", "close"], 1) == reading(["close"], 0) != reading(["to", "close"], 1)


@given(
    st.lists(st.sampled_from([*HOMOGRAPHS, "the", "to", "I", "me", "", "a.", "it's"]) | st.text(max_size=4), min_size=1, max_size=6),
    st.data(),
)
def test_any_neighbours_give_a_reading_or_none(words, data):
    index = data.draw(st.integers(0, len(words) - 1))
    found = reading(words, index)
    assert (found is not None) == (words[index].lower().strip('.,?!:;"()[]*_ ') in HOMOGRAPHS)
