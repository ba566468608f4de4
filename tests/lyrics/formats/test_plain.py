"""Plain text: headings make sections, repeats are written out, and nothing that is left out is left out silently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jam.lyrics.formats import plain
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord

TEXT = st.from_regex(r"[a-z\u00e0-\u00f6][a-z\u00e0-\u00f6']{1,8}[,?!]?", fullmatch=True)
NAMES = ("Verse 1", "Chorus", "Pre-Chorus", "Bridge", "Outro")


def lines(text: str) -> list[str]:
    return [" ".join(f"({word.word})" if word.backing else word.word for word in line.words) for line in plain.read(text, "a").lines]


def sections(text: str) -> list[tuple[str, str | None]]:
    return [(section.name, section.note) for section in plain.read(text, "a").sections]


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    """Lines in sections of different names, with facts; some words with their IPA, some behind the lead."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]
    parts = tuple(Section(name, draw(st.sampled_from([None, "soft piano"]))) for name in names)
    words = st.builds(SheetWord, TEXT, phoneme=st.sampled_from([None, "mu\u02d0n"]), backing=st.booleans())
    rows = [(index, draw(st.lists(words, min_size=1, max_size=5))) for index in range(len(parts)) for _ in range(draw(st.integers(1, 3)))]
    facts = {"title": "Come Home", "style": "folk, warm", "language": "fr", "bpm": draw(st.floats(40, 200).map(round)), "duration": 65.5}
    return Sheet(tuple(Line(tuple(row), section=index) for index, row in rows), parts, **facts)


@given(sheets())
def test_what_is_written_reads_back_equal_but_for_line_numbers(sheet):
    back = plain.read(plain.write(sheet), "a")
    assert [(line.words, line.section) for line in back.lines] == [(line.words, line.section) for line in sheet.lines]
    assert back.sections == sheet.sections
    assert (back.title, back.style, back.language, back.bpm, back.duration) == ("Come Home", "folk, warm", "fr", sheet.bpm, 65.5)
    assert back.remarks == ()


@pytest.mark.parametrize(
    "heading", ["[Verse 2]", "**Verse 2**", "## Verse 2", "Verse 2:", "VERSE 2", "Verse 2", "[verse 2]", "**[Verse 2]**", "__Verse 2:__"]
)
def test_a_heading_of_any_kind_begins_a_section(heading):
    assert [name.lower() for name, _ in sections(f"{heading}\nSilver rain")] == ["verse 2"]
    assert lines(f"{heading}\nSilver rain") == ["Silver rain"]


@pytest.mark.parametrize("line", ["BREAK FREE", "MUSIC SOUNDS BETTER", "Bridge over water", "LIFT ME UP", "Music", "THE END OF IT"])
def test_a_line_that_holds_a_sections_word_is_sung(line):
    assert lines(f"Silver rain\n{line}") == ["Silver rain", line]


def test_a_note_of_a_section_is_kept():
    assert sections("[Verse 1: soft piano]\nrain\n[Guitar Solo - 8 bars]\n[Outro | slow]\nrain") == [
        ("Verse 1", "soft piano"),
        ("Guitar Solo", "8 bars"),
        ("Outro", "slow"),
    ]


def test_repeats_are_written_out():
    assert lines("rain (x2)\nsnow x3") == ["rain"] * 2 + ["snow"] * 3
    assert lines("[Chorus x2]\nrain\nsnow") == ["rain", "snow"] * 2
    assert lines("[Chorus]\nrain\n[Verse]\nsnow\n[Chorus]\n[Final Chorus]\nhail\n[Chorus]") == ["rain", "snow", "rain", "hail", "rain"]


def test_facts_are_no_words():
    sheet = plain.read("Title: Come Home\n[Tempo: 120 bpm]\n[Duration: 1:05]\n[Language: fr]\n[Style: folk]\n\nrain", "a")
    assert (sheet.title, sheet.bpm, sheet.duration, sheet.language, sheet.style) == ("Come Home", 120.0, 65.0, "fr", "folk")
    assert len(sheet.words) == 1
    assert plain.read("# Come Home\n\n## Verse\nrain", "a").title == "Come Home"


def test_what_is_left_out_is_told_with_its_line():
    text = "C  G/B  Am\nSilver rain \u266a\n[whispered]\n(x2)\nA\nG"
    assert lines(text) == ["Silver rain", "A", "G"]
    assert plain.read(text, "a").remarks == (
        "line 1: the chords 'C  G/B  Am' are not sung",
        "line 2: '\u266a' is not sung",
        "line 3: the tag [whispered] is not sung",
        "line 4: '(x2)' stands alone, so nothing is repeated; write it at the end of a line",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a: holds no words to sing"),
        ("[whispered]", "a: holds no words to sing"),
        ("rain\nmo{on", r"a: line 2: 'mo\{on' has a brace"),
        ("rain (x99)", "a: line 1: x99 is no number of times from 1 to 32"),
        ("[Chorus x1000000]\nrain", "a: line 1: x100000 is no number of times"),
        ("[Tempo: fast]\nrain", "a: line 1: bpm is 'fast'"),
        ("[Duration: 1:75]\nrain", "a: line 1: '1:75' has 60 or more"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text, reason):
    with pytest.raises(ValueError, match=f"^{reason}"):
        plain.read(text, "a")


@given(st.lists(st.sampled_from([*"[](){}:*#x2 \n\nABCmnrse'-|\u266a", "Verse", "Chorus", "Title", "Tempo", "Duration"]), max_size=60))
def test_any_text_is_read_or_refused_in_one_line(pieces):
    try:
        plain.read("".join(pieces), "a")
    except ValueError as error:
        assert str(error).startswith("a: ") and "\n" not in str(error)
