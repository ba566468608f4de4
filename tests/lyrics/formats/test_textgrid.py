"""TextGrids: words with their phones come back as an aligner gave them, and what is written reads back equal."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jam.lyrics.formats import textgrid
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord
from jam.lyrics.words import Phone

TEXT = st.from_regex(r"[a-zA-Z\u00e0-\u00ff'\"-]{0,8}[a-zA-Z][.,?!]?", fullmatch=True)


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    """Timed words in lines, some with phones; a section over some of the lines."""
    now, lines = draw(st.integers(0, 2000)), []
    for _ in range(draw(st.integers(1, 4))):
        words = []
        for _ in range(draw(st.integers(1, 4))):
            start, length = now + draw(st.integers(0, 300)), draw(st.integers(4, 900))
            now = start + length
            middle = (start + length // 2) / 1000
            phones = (Phone(start / 1000, middle, "m"), Phone(middle, now / 1000, "uː")) if draw(st.booleans()) else None
            words.append(SheetWord(draw(TEXT), start / 1000, now / 1000, phones=phones, backing=draw(st.booleans())))
        lines.append(Line(tuple(words)))
    first, last = lines[0].words[0].start, lines[-1].words[-1].end
    sections = (Section("Verse 1", draw(st.sampled_from([None, "soft piano"])), first, last),) if draw(st.booleans()) else ()
    placed = tuple(replace(line, section=0 if sections else None) for line in lines)
    return Sheet(placed, sections, duration=now / 1000 + 1)


@given(sheets())
def test_what_is_written_reads_back_equal(sheet):
    assert textgrid.read(textgrid.write(sheet), "a") == sheet


def test_arpabet_becomes_the_phonemizers_ipa_and_other_phones_stay():
    def phones(first: str, second: str) -> list[str]:
        sheet = Sheet((Line((SheetWord("moon", 0.0, 1.0, phones=(Phone(0.0, 0.5, first), Phone(0.5, 1.0, second))),)),), duration=1.0)
        [word] = textgrid.read(textgrid.write(sheet), "a").words
        assert word.phones is not None
        return [phone.phoneme for phone in word.phones]

    assert phones("M", "UW1") == ["m", "uː"]
    assert phones("m", "UW1") == ["m", "UW1"]


def test_words_without_times_and_words_that_overlap_are_not_written():
    def refused(*words: SheetWord) -> str:
        with pytest.raises(ValueError) as refusal:
            textgrid.write(Sheet((Line(words),)))
        return str(refusal.value)

    assert "'moon' has no times; plan them" in refused(SheetWord("moon"))
    assert refused(SheetWord("moon", 0.0, 1.0), SheetWord("river", 0.5, 2.0)).startswith("'moon' ends at 1 s, after 'river' begins")


def test_a_phone_that_leaves_its_word_by_rounding_is_cut_to_it():
    text = textgrid.write(Sheet((Line((SheetWord("moon", 0.5, 1.0, phones=(Phone(0.5, 1.0, "m"),)),)),), duration=2.0))
    moved = text.replace("xmax = 1 \n            text = \"m\"", "xmax = 1.00005 \n            text = \"m\"")
    assert moved != text
    [word] = textgrid.read(moved, "a").words
    assert word.phones == (Phone(0.5, 1.0, "m"),)
