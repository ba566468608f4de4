"""Scores: syllables, melismas, repeats and tempos are sung as they are written, and what is written reads back equal."""

import contextlib
import io
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jam.lyrics.formats import musicxml
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord

TEXT = st.from_regex(r"[a-zA-Z\u00e0-\u00ff'<&\"]{0,8}[a-zA-Z][.,?!-]?", fullmatch=True)

HEAD = "<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes><sound tempo='120'/>"


def note(text: str | None = None, syllabic: str = "single", length: int = 2, more: str = "", number: int = 1) -> str:
    """A note of so many eighths; at 120 beats a minute an eighth lasts 0.25 s."""
    lyric = f"<lyric number='{number}'><syllabic>{syllabic}</syllabic><text>{text}</text></lyric>" if text else ""
    return f"<note><pitch><step>C</step><octave>5</octave></pitch><duration>{length}</duration><voice>1</voice>{more}{lyric}</note>"


def verses(*texts: str, length: int = 8) -> str:
    """A note with the words of several verses."""
    lyrics = "".join(f"<lyric number='{number}'><text>{text}</text></lyric>" for number, text in enumerate(texts, start=1))
    return f"<note><pitch><step>C</step><octave>5</octave></pitch><duration>{length}</duration>{lyrics}</note>"


def rest(length: int = 2) -> str:
    return f"<note><rest/><duration>{length}</duration><voice>1</voice></note>"


def bar(right: str = "", left: str = "") -> tuple[str, str]:
    """What stands at the bar lines of a measure: before it and after it."""
    return f"<barline location='left'>{left}</barline>", f"<barline location='right'>{right}</barline>"


def score(*measures: str, head: str = HEAD, root: str = "") -> bytes:
    rows = "".join(f"<measure number='{n}'>{head if n == 1 else ''}{measure}</measure>" for n, measure in enumerate(measures, start=1))
    return f"<score-partwise>{root}<part id='P1'>{rows}</part></score-partwise>".encode()


def sung(content: bytes) -> list[tuple[str, float | None, float | None]]:
    return [(word.word, word.start, word.end) for word in musicxml.read(content, "a").words]


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    """Timed words in lines, with a section over all of them or none."""
    now, lines = draw(st.integers(0, 3000)), []
    for _ in range(draw(st.integers(2, 4))):
        words = []
        for _ in range(draw(st.integers(1, 4))):
            start, length = now + draw(st.integers(0, 3000)), draw(st.integers(2, 3000))
            now = start + length
            ipa = draw(st.sampled_from([None, "mu\u02d0n"]))
            words.append(SheetWord(draw(TEXT), start / 1000, now / 1000, phoneme=ipa, backing=draw(st.booleans())))
        lines.append(Line(tuple(words)))
    first, last = lines[0].words[0].start, lines[-1].words[-1].end
    sections = (Section("Verse 1", draw(st.sampled_from([None, "soft piano"])), first, last),) if draw(st.booleans()) else ()
    placed = tuple(replace(line, section=0 if sections else None) for line in lines)
    bpm = draw(st.floats(20, 300).map(lambda value: round(value, 2)))
    return Sheet(placed, sections, title=draw(st.sampled_from([None, "Night & Day"])), bpm=bpm, duration=(now + 1000) / 1000)


@given(sheets())
def test_what_is_written_reads_back_equal(sheet):
    assert musicxml.read(musicxml.write(sheet), "a") == sheet


def test_syllables_are_joined_and_a_word_lasts_to_the_end_of_its_last_note():
    assert sung(score(note("Sil", "begin") + note("ver", "end") + note("rain"))) == [("Silver", 0.0, 1.0), ("rain", 1.0, 1.5)]


def test_ties_slurs_extensions_and_notes_within_a_word_lengthen_it():
    tied = note("moon", more="<tie type='start'/>") + note(more="<tie type='stop'/>") + note()
    assert sung(score(tied)) == [("moon", 0.0, 1.0)]
    slur = "<notations><slur type='{}'/></notations>"
    slurred = note("moon", more=slur.format("start")) + note() + note(more=slur.format("stop"))
    assert sung(score(slurred + note())) == [("moon", 0.0, 1.5)]
    extended = note("moon").replace("</lyric>", "<extend/></lyric>") + note() + rest() + note()
    assert sung(score(extended)) == [("moon", 0.0, 1.0)]
    assert sung(score(note("Sil", "begin") + note() + note("ver", "end"))) == [("Silver", 0.0, 1.5)]


def test_an_elision_puts_two_words_on_one_note():
    elided = note("the").replace("</lyric>", "<elision/><text>only</text></lyric>")
    assert sung(score(elided)) == [("the", 0.0, 0.25), ("only", 0.25, 0.5)]


def test_tempos_change_where_they_stand_in_any_part():
    mark = "<direction><direction-type><metronome><beat-unit>eighth</beat-unit><beat-unit-dot/><per-minute>80</per-minute></metronome>"
    slower = mark + "</direction-type></direction>"
    assert sung(score(note("one") + slower + note("two"))) == [("one", 0.0, 0.5), ("two", 0.5, 1.5)]
    two = score(note("one") + note("two")).replace(
        b"<part id='P1'>",
        b"<part id='P0'><measure number='1'><attributes><divisions>1</divisions></attributes>"
        b"<forward><duration>1</duration></forward><sound tempo='60'/></measure></part><part id='P1'>",
    )
    assert sung(two) == [("one", 0.0, 0.5), ("two", 0.5, 1.5)]


def test_pickups_chords_grace_notes_and_other_voices_keep_time():
    chord = "<note><chord/><pitch><step>E</step><octave>5</octave></pitch><duration>2</duration><voice>1</voice></note>"
    assert sung(score(note("Oh"), note("moon") + chord + note("rise"))) == [("Oh", 0.0, 0.5), ("moon", 0.5, 1.0), ("rise", 1.0, 1.5)]
    grace = "<note><grace/><pitch><step>D</step><octave>5</octave></pitch><voice>1</voice></note>"
    assert sung(score(note("Oh") + grace + note("moon"))) == [("Oh", 0.0, 0.5), ("moon", 0.5, 1.0)]
    below = "<backup><duration>4</duration></backup>" + note(length=4).replace("<voice>1", "<voice>2")
    assert sung(score(note("Oh") + note("moon") + below, note("rise"))) == [("Oh", 0.0, 0.5), ("moon", 0.5, 1.0), ("rise", 1.0, 1.5)]


def test_verses_are_sung_in_the_order_of_repeats_and_a_chorus_every_time():
    _, back = bar("<repeat direction='backward'/>")
    sheet = musicxml.read(score(verses("sun", "moon"), verses("rise") + back, verses("end")), "a")
    assert [word.word for word in sheet.words] == ["sun", "rise", "moon", "rise", "end"]
    assert sheet.words[-1].start == 8.0
    assert sheet.remarks == ()


def test_endings_are_taken_each_in_its_turn():
    first = bar("<ending number='1' type='stop'/><repeat direction='backward'/>", "<ending number='1' type='start'/>")
    second = bar("<ending number='2' type='discontinue'/>", "<ending number='2' type='start'/>")
    begin, _ = bar(left="<repeat direction='forward'/>")
    content = score(
        *(verses("oh"), begin + verses("sun", "moon"), first[0] + verses("one") + first[1]),
        *(second[0] + verses("two") + second[1], verses("end")),
    )
    assert [word.word for word in musicxml.read(content, "a").words] == ["oh", "sun", "one", "moon", "two", "end"]


def test_verses_that_no_repeat_reaches_and_jumps_are_told():
    sheet = musicxml.read(score(verses("sun", "moon"), verses("rise") + "<sound dacapo='yes'/>"), "a")
    assert [word.word for word in sheet.words] == ["sun", "rise"]
    assert [remark.partition(",")[0] for remark in sheet.remarks] == [
        "measure 2: the jump (dacapo) is not followed",
        "verse 2: no repeat reaches it",
    ]


def test_a_zipped_score_is_found_by_its_container():
    def zipped(**members: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as folder:
            for name, content in members.items():
                folder.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
        return out.getvalue()

    container = b"<container><rootfiles><rootfile full-path='b.xml'/></rootfiles></container>"
    found = zipped(**{"META-INF__container_xml": container, "a_xml": b"<nothing/>", "b_xml": score(note("moon"))})
    assert sung(found) == [("moon", 0.0, 0.5)]
    assert sung(zipped(a_xml=score(note("moon")))) == [("moon", 0.0, 0.5)]
    huge = zipped(a_xml=b" " * 40_000_000)
    for at in range(0, len(found), 7):
        with contextlib.suppress(ValueError):
            musicxml.read(found[:at] + b"\xff\0" + found[at + 2 :], "a.mxl")
    for broken, reason in ((found[:60], "no whole zipped"), (zipped(text=b"hello"), "without a score"), (huge, "MiB")):
        with pytest.raises(ValueError, match=reason):
            musicxml.read(broken, "a.mxl")


def test_entities_are_refused_and_nothing_outside_is_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("moon")
    for declared in ('<!ENTITY a "lol"><!ENTITY b "&a;&a;">', f'<!ENTITY b SYSTEM "file://{secret}">'):
        bomb = f"<!DOCTYPE score-partwise [{declared}]>".encode() + score(note("&b;"))
        for content in (bomb, ("<?xml version='1.0' encoding='UTF-16'?>" + bomb.decode()).encode("utf-16")):
            with pytest.raises(ValueError, match="^a.xml: declares entities"):
                musicxml.read(content, "a.xml")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<score-partwise><part>", r"^a: line 1: is no whole XML"),
        (b"<html/>", r"^a: line 1: is <html>, no score"),
        (b"<score-partwise/>", r"^a: line 1: the score has no measures"),
        (score(note()), r"^a: line 1: the score has no lyrics"),
        (score(note("moon").replace("<duration>2", "<duration>x")), r"^a: measure 1, line 1: <note> has the duration 'x'"),
        (score(note("moon"), head="<attributes><divisions>0</divisions></attributes>"), "^a: measure 1, line 1: <attributes> has"),
        (score(note("mo{on")), r"^a: measure 1: 'mo\{on' has a brace"),
    ],
)
def test_a_broken_score_is_refused_with_its_place(content, reason):
    with pytest.raises(ValueError, match=reason):
        musicxml.read(content, "a")


def test_words_without_times_and_words_that_overlap_are_not_written():
    def refused(*words: SheetWord) -> str:
        with pytest.raises(ValueError) as refusal:
            musicxml.write(Sheet((Line(words),)))
        return str(refusal.value)

    assert "'moon' has no times; plan them" in refused(SheetWord("moon"))
    assert refused(SheetWord("moon", 0.0, 1.0), SheetWord("river", 0.5, 2.0)).startswith("'moon' ends at 1 s, after 'river' begins")
    assert "control character" in refused(SheetWord("mo\x01on", 0.0, 1.0))


@given(st.binary(max_size=200), st.integers(0, 3000), st.integers(0, 20))
def test_damaged_scores_are_read_or_refused_in_one_line(junk, at, cut):
    whole = score(note("Sil", "begin") + note("ver", "end") + note("rain"), verses("sun", "moon"))
    damaged = whole[: at % len(whole)] + junk + whole[at % len(whole) + cut :]
    try:
        musicxml.read(damaged, "a")
    except ValueError as error:
        assert str(error).startswith("a: ") and "\n" not in str(error)
