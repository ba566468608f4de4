"""What the writers of text formats write, their readers give back: words, lines, times within the format's resolution, and more.

TextGrid, MusicXML and MIDI have round trips of their own, beside their other tests.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jam.lyrics.formats import lrc, plain, subtitles, table
from jam.lyrics.formats.timed_json import parse_sheet, write
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord
from jam.lyrics.words import Phone

WORD = st.from_regex(r"[a-zA-Z\u00e0-\u00f6\u0430-\u044f]{3,8}(?:['\u2019-][a-z]{1,3})?[.,?!:;]?", fullmatch=True)
NAMES = st.sampled_from(["Verse 1", "Verse 2", "Pre-Chorus", "Chorus", "Bridge", "Guitar Solo", "Outro"])


@st.composite
def timed(draw: st.DrawFn, step: int = 1) -> Sheet:
    """Lines of timed words, in milliseconds that are multiples of `step`; some are backing."""
    now, lines = draw(st.integers(0, 400_000 // step)), []
    for _ in range(draw(st.integers(1, 4))):
        words = []
        for _ in range(draw(st.integers(1, 5))):
            start = now + draw(st.integers(0, 300)) * draw(st.booleans())
            now = start + draw(st.integers(1, 900))
            words.append(SheetWord(draw(WORD), start * step / 1000, now * step / 1000, backing=draw(st.booleans())))
        lines.append(Line(tuple(words)))
    return Sheet(tuple(lines))


def held(sheet: Sheet) -> list[list[tuple[str, float | None, float | None, bool]]]:
    return [[(word.word, word.start, word.end, word.backing) for word in line.words] for line in sheet.lines]


ENHANCED: dict[str, tuple[Callable[[Sheet], str], Callable[[str, str], Sheet]]] = {
    "lrc": (lrc.write, lrc.read),
    "ass": (subtitles.write_ass, subtitles.read_ass),
}
EXACT: dict[str, tuple[Callable[[Sheet], str], Callable[[str, str], Sheet]]] = {
    "vtt": (subtitles.write_vtt, subtitles.read_vtt),
    "csv": (table.write, table.read),
    "tsv": (table.write_tsv, table.read),
}


@pytest.mark.parametrize("kind", ENHANCED)
@given(sheet=timed(step=10))
def test_formats_of_hundredths_give_timed_words_back(kind, sheet):
    there, back = ENHANCED[kind]
    assert held(back(there(sheet), "a")) == held(sheet)


@pytest.mark.parametrize("kind", EXACT)
@given(sheet=timed())
def test_formats_of_milliseconds_give_timed_words_back(kind, sheet):
    there, back = EXACT[kind]
    assert held(back(there(sheet), "a")) == held(sheet)


@given(sheet=timed(), title=st.sampled_from([None, "Paper Boats"]), seconds=st.sampled_from([None, 83.25]))
def test_lrc_keeps_title_and_length(sheet, title, seconds):
    back = lrc.read(lrc.write(replace(sheet, title=title, duration=seconds)), "a")
    assert (back.title, back.duration) == (title, seconds)


@given(sheet=timed())
def test_srt_gives_lines_back_with_their_times(sheet):
    back = subtitles.read_srt(subtitles.write_srt(sheet), "a")
    for line, other in zip(sheet.lines, back.lines, strict=True):
        assert [(word.word, word.backing) for word in other.words] == [(word.word, word.backing) for word in line.words]
        assert (other.start, other.end) == pytest.approx((line.words[0].start, line.words[-1].end), abs=1e-9)


@given(sheet=timed(step=10))
def test_lines_without_word_times_come_back_from_lrc(sheet):
    lines = tuple(
        Line(tuple(replace(word, start=None, end=None) for word in line.words), line.words[0].start, line.words[-1].end)
        for line in sheet.lines
    )
    back = lrc.read(lrc.write(Sheet(lines)), "a")
    assert [[word.word for word in line.words] for line in back.lines] == [[word.word for word in line.words] for line in lines]
    assert [line.start for line in back.lines] == [line.start for line in lines]


@st.composite
def anything(draw: st.DrawFn) -> Sheet:
    """Sheets with all that JSON holds: sections, unknown times, phonemes, phones, languages."""
    sheet = draw(timed())
    notes, starts = st.sampled_from([None, "soft"]), st.sampled_from([None, 1.5])
    sections = tuple(Section(name, draw(notes), draw(starts)) for name in draw(st.lists(NAMES)))
    lines = []
    for line in sheet.lines:
        words = [_changed(word, draw) for word in line.words]
        section = draw(st.sampled_from([None, *range(len(sections))]))
        lines.append(Line(tuple(words), draw(st.sampled_from([None, 0.25])), None, section, draw(st.sampled_from([None, 7]))))
    title, bpm = draw(st.sampled_from([None, "Boats"])), draw(st.sampled_from([None, 92.5]))
    return Sheet(tuple(lines), sections, title=title, bpm=bpm, duration=700.0)


def _changed(word: SheetWord, draw: st.DrawFn) -> SheetWord:
    kind = draw(st.integers(0, 4))
    if kind == 1:
        return replace(word, start=None, end=None)
    if kind == 2:
        return replace(word, phoneme="muːn", language="fr")
    if kind == 3 and word.start is not None and word.end is not None:
        return replace(word, phones=(Phone(word.start, word.end, "m"),))
    return replace(word, word="", phoneme="ə") if kind == 4 else word


@given(sheet=anything())
def test_json_gives_a_whole_sheet_back_equal(sheet):
    import json

    assert parse_sheet(json.loads(write(sheet)), "a") == sheet


@given(sheet=timed(), names=st.lists(NAMES, min_size=1, max_size=4, unique=True), note=st.sampled_from([None, "soft piano"]))
def test_plain_text_gives_words_and_sections_back(sheet, names, note):
    sections = tuple(Section(name, note) for name in names)
    lines = tuple(
        Line(tuple(replace(word, start=None, end=None) for word in line.words), section=min(index, len(sections) - 1))
        for index, line in enumerate(sheet.lines)
    )
    song = Sheet(lines, sections[: len(lines)], title="Paper Boats", style="slow folk", bpm=84.0, duration=90.0, language="en")
    back = plain.read(plain.write(song), "a")
    assert replace(back, lines=tuple(replace(line, number=None) for line in back.lines)) == song


@pytest.mark.parametrize(
    ("there", "said"),
    [(subtitles.write_srt, "timed.srt"), (subtitles.write_vtt, "timed.srt"), (subtitles.write_ass, "timed"), (lrc.write, "timed.lrc")],
)
def test_words_without_times_are_not_written_where_times_are_needed(there, said):
    sheet = Sheet((Line((SheetWord("boats"),), number=3),))
    with pytest.raises(ValueError, match=f"line 3 .*'boats'.*has no times; plan them: python -m jam.lyrics plan FILE --output {said}"):
        there(sheet)
