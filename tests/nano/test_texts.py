"""Texts: what every drawn line keeps to."""

import time

import numpy as np
import pytest

pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")

from jam.nano import texts
from jam.nano.pronunciation import phones_of, variants


@pytest.fixture(scope="module")
def lines():
    rng = np.random.default_rng(0)
    return {
        split: [texts.draw_line(rng, split=split) for _ in range(count)]
        for split, count in zip(texts.SPLITS, (2000, 200, 400), strict=True)
    }


def test_the_same_seed_gives_the_same_verses():
    def verse(seed: int) -> list[list[str]]:
        return texts.draw_verse(np.random.default_rng(seed), 4)

    assert verse(5) == verse(5) != verse(6)


def test_the_dictionary_knows_every_word_of_the_lists():
    spelled = {word for words in texts.spelled_slots().values() for word in words} | texts.function_words()
    assert not sorted(word for word in spelled if word not in variants())


def test_the_lists_are_long():
    sections = texts.sections()
    assert sum(len(sections[section]) for section in texts.NOUNS) >= 450
    assert sum(len(sections[section]) for section in texts.VERBS) >= 220
    assert len(sections["adjective"]) >= 200 and len(sections["adverb"]) >= 60
    assert len(set(texts.templates())) == len(texts.templates()) >= 60


def test_every_template_has_content():
    assert all(any(texts.is_content(part) for part in template) for template in texts.templates())


@pytest.mark.parametrize(
    ("entry", "forms"),
    [
        ("stop", ("stop", "stops", "stopped", "stopped", "stopping")),
        ("carry", ("carry", "carries", "carried", "carried", "carrying")),
        ("chase", ("chase", "chases", "chased", "chased", "chasing")),
        ("visit", ("visit", "visits", "visited", "visited", "visiting")),
        ("lie/lay/lain", ("lie", "lies", "lay", "lain", "lying")),
        ("forget/forgot/forgotten*", ("forget", "forgets", "forgot", "forgotten", "forgetting")),
        ("go/went/gone", ("go", "goes", "went", "gone", "going")),
    ],
)
def test_a_verbs_forms_are_spelled_as_english_does(entry: str, forms: tuple[str, ...]):
    assert texts.verb_forms(entry) == forms


def test_a_verb_with_two_forms_is_refused():
    with pytest.raises(ValueError, match="sing/sang"):
        texts.verb_forms("sing/sang")


def test_nouns_have_plurals_unless_a_slash_says_no():
    assert [texts.noun_forms(noun) for noun in ("church", "child/children", "dusk/")] == [
        ("church", "churches"),
        ("child", "children"),
        ("dusk",),
    ]


def test_lines_have_three_to_nine_words_of_the_dictionary(lines):
    for drawn in lines.values():
        assert all(3 <= len(line) <= 9 and all(word in variants() and word == word.lower() for word in line) for line in drawn)


def test_every_line_is_of_the_split_that_was_asked(lines):
    for split, drawn in lines.items():
        assert {texts.split_of(" ".join(line)) for line in drawn} == {split}


def test_nine_texts_of_ten_are_for_training():
    splits = [texts.split_of(f"text {number}") for number in range(4000)]
    assert [round(splits.count(split) / 40) for split in texts.SPLITS] == pytest.approx([90, 3, 7], abs=2)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="'dev'"):
        texts.draw_line(np.random.default_rng(0), split="dev")


def test_a_held_out_line_is_never_drawn(monkeypatch, lines):
    drawn = [" ".join(line) for line in lines["train"]]
    assert not {*drawn} & {*texts.held_out_lines()}
    monkeypatch.setattr(texts, "held_out_lines", lambda: tuple(drawn[:1]))
    rng = np.random.default_rng(0)
    assert " ".join(texts.draw_line(rng)) != drawn[0]


def test_reserved_words_are_in_no_drawn_line(lines):
    reserved = texts.reserved_words()
    assert len(reserved) > 200
    assert not {word for drawn in lines.values() for line in drawn for word in line} & reserved


def test_neither_function_words_nor_those_of_the_held_out_lines_are_reserved():
    held_out = {word for line in texts.held_out_lines() for word in line.split()}
    assert not texts.reserved_words() & (texts.function_words() | held_out)
    assert held_out <= set(texts.vocabulary())


def test_a_singer_of_the_corpus_can_hear_every_word_of_the_held_out_lines():
    listed = {word for words in texts.slots().values() for word in words} | texts.function_words()
    assert not sorted({word for line in texts.held_out_lines() for word in line.split()} - listed)


def test_unheard_lines_hold_reserved_words_and_function_words_alone():
    rng = np.random.default_rng(1)
    drawn = [texts.draw_unheard_line(rng) for _ in range(300)]
    assert {word for line in drawn for word in line} <= texts.reserved_words() | texts.function_words()
    assert all(set(line) & texts.reserved_words() for line in drawn)


def test_refused_content_words_are_never_drawn():
    rng = np.random.default_rng(2)
    drawn = {word for _ in range(100) for word in texts.draw_line(rng, lambda word: "e" in word)}
    assert all("e" in word for word in drawn - texts.function_words())


def test_a_singer_who_says_nothing_is_told_so():
    with pytest.raises(ValueError, match="refused in a row"):
        texts.draw_line(np.random.default_rng(0), lambda word: word == "")


def test_the_article_fits_the_sound_that_follows(lines):
    pairs = [pair for line in lines["train"] for pair in zip(line, line[1:], strict=False) if pair[0] in ("a", "an")]
    assert {pair[0] for pair in pairs} == {"a", "an"}
    assert all((article == "an") == (phones_of(word)[0] in texts.VOWELS) for article, word in pairs)


def test_most_verses_rhyme():
    rng = np.random.default_rng(3)
    verses = [texts.draw_verse(rng, 4) for _ in range(40)]
    rhyming = [len({texts.rime(line[-1]) for line in verse}) < 4 for verse in verses]
    assert all(len(verse) == 4 for verse in verses) and sum(rhyming) > 28


def test_lines_are_drawn_by_the_thousand():
    rng, start = np.random.default_rng(4), time.process_time()
    for _ in range(1000):
        texts.draw_line(rng)
    assert time.process_time() - start < 2.0  # 0.05 s on a quiet machine


def test_there_are_fifty_held_out_lines():
    assert len(texts.held_out_lines()) == 50 and all(texts.held_out_lines())
