"""What is wrong with lyrics: each kind of problem, with its level, its place and its time; and what mending makes of them."""

import logging
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jam import assets
from jam.lyrics.demands import unsung, without_unsung
from jam.lyrics.grid import slots
from jam.lyrics.lint import Limits, Problem, changes, check, fix
from jam.lyrics.phonemes import Phonemizer, build, save
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord, of_words, split
from jam.lyrics.words import Phone, Word, validate
from jam.timing import MAX_FRAMES, Span, frames_to_seconds

LIMITS = Limits(20.0, frames_to_seconds(MAX_FRAMES))
EASY = (Word(1.0, 1.5, "river"), Word(1.5, 2.0, "moon"))


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer.load(assets.BUNDLE / "phonemizer.pt")


@pytest.fixture(scope="module")
def found(phonemizer):
    """The function `found(words or sheet, duration)`: the problems."""

    def find(lyrics, duration=20.0, canvas=LIMITS.canvas):
        sheet = lyrics if isinstance(lyrics, Sheet) else of_words(lyrics)
        return check(sheet, phonemizer, Limits(duration, canvas))

    return find


def sheet_of(*texts: str, **facts) -> Sheet:
    """Lines of untimed words, numbered from 1."""
    return Sheet(tuple(Line(split(text)[0], number=number) for number, text in enumerate(texts, start=1)), **facts)


def one(problems, code: str) -> Problem:
    [problem] = [problem for problem in problems if problem.code == code]
    return problem


def test_nothing_is_wrong_with_good_lyrics(found):
    assert found(EASY) == ()
    assert found(()) == ()
    assert found(Sheet(), duration=None) == ()


def test_a_problem_is_one_line_that_begins_with_its_place():
    problem = Problem("error", "order", "line 3, word 12 ('moon')", 1.5, "starts early", "move it")
    assert str(problem) == "line 3, word 12 ('moon'): starts early; move it"
    assert str(replace(problem, fix="")) == "line 3, word 12 ('moon'): starts early"


TIMED = [
    ([Word(1, 2, " ")], "error", "empty", "word 1 (' ')", "neither text nor phoneme"),
    ([Word(math.nan, 2, "moon")], "error", "no-time", "word 1 ('moon')", "'start' is 'nan'"),
    ([Word(1, math.inf, "moon")], "error", "no-time", "word 1 ('moon')", "'end' is 'inf'"),
    ([Word(True, 2, "moon")], "error", "no-time", "word 1 ('moon')", "'start' is 'True'"),
    ([Word("1", 2, "moon")], "error", "no-time", "word 1 ('moon')", "write seconds"),
    ([Word(-1, 2, "moon")], "error", "negative-time", "word 1 ('moon')", "its start is -1 s"),
    ([EASY[0], Word(3, 2.5, "moon")], "error", "backwards", "word 2 ('moon')", "end 2.5 is before start 3; exchange"),
    ([Word(1, 1, "moon")], "warning", "no-length", "word 1 ('moon')", "starts and ends at 1 s"),
    ([EASY[1], EASY[0]], "error", "order", "word 2 ('river')", "starts at 1 s, before word 1 ('moon') at 1.5 s"),
    ([Word(1, 1.8, "river"), EASY[1]], "warning", "overlap", "word 1 ('river')", "sung until 1.8 s, overlaps word 2 ('moon')"),
    ([EASY[0], Word(1.5, 21, "moon")], "error", "past-end", "word 2 ('moon')", "until 21 s, but the song lasts 20 s"),
    ([Word(21, 22, "river"), Word(22, 23, "moon")], "error", "past-end", "word 1 ('river')", "(and 1 more word)"),
    ([EASY[0], Word(12, 13, "moon")], "warning", "gap", "word 2 ('moon')", "nothing is sung for 10.5 s before it, from 1.5 s on"),
    ([Word(1, 1.005, "moon"), Word(1.1, 2, "river")], "error", "lost", "word 1 ('moon')", "0 slots of 0.012 s"),
    ([Word(1, 2, "moon"), Word(1, 2, "river")], "error", "lost", "word 1 ('moon')", "covered by the words after it"),
    ([Word(1, 1.03, "moon")], "warning", "phonemes-cut", "word 1 ('moon')", "2 slots for 4 phonemes and its end: 'ːn' is cut"),
    ([Word(1.0, 1.05, "moon")], "note", "end-cut", "word 1 ('moon')", "4 slots: its phonemes fit, but not its end"),
    ([EASY[0], Word(1.5, 2, "moon♪")], "warning", "unsung", "word 2 ('moon♪')", "'♪' is not sung"),
    ([EASY[0], Word(1.5, 2, "♪♪")], "warning", "unsung", "word 2 ('♪♪')", "nothing of '♪♪' is sung"),
    ([Word(1, 2, "moon", "muːɬ")], "warning", "no-token", "word 1 ('moon')", "ɬ of 'muːɬ' has no token"),
    ([EASY[0], Word(1.5, 2, "дом")], "error", "unreadable", "word 2 ('дом')", "(д о м)"),
    ([EASY[0], Word(1.5, 2, "blorfing")], "note", "guessed", "word 2 ('blorfing')", "sung as 'bl"),
    ([Word(1, 2, "[Chorus]"), EASY[1]], "error", "section-tag", "word 1 ('[Chorus]')", "'Chorus' names a section"),
    ([Word(1, 2, "[Verse"), Word(2, 3, "2]")], "error", "section-tag", "word 1 ('[Verse')", "make these 2 words"),
    ([Word(1, 2, "Chorus:"), Word(2, 3, "moon")], "error", "section-tag", "word 1 ('Chorus:')", "'Chorus'"),
    ([Word(1, 2, "Verse"), Word(2, 3, "2:")], "error", "section-tag", "word 1 ('Verse')", "'Verse 2'"),
]


@pytest.mark.parametrize(
    ("words", "level", "code", "place", "said"), TIMED, ids=[f"{case[2]}-{number}" for number, case in enumerate(TIMED)]
)
def test_each_problem_has_its_level_and_its_place(found, words, level, code, place, said):
    problem = one(found(words), code)
    assert (problem.level, problem.place) == (level, place)
    assert said in str(problem) and "\n" not in str(problem)


def test_a_problem_says_when_it_is_heard(found):
    assert one(found([EASY[1], EASY[0]]), "order").start == 1.0
    assert one(found(sheet_of("[Chorus] moon")), "section-tag").start is None


def test_errors_come_first_and_each_level_in_the_order_of_the_words(found):
    problems = found([Word(1, 1.03, "moon"), Word(1.1, 2, "blorfing"), Word(2, 2.01, "river"), Word(12, 30, "moon")])
    assert [problem.code for problem in problems] == ["past-end", "phonemes-cut", "phonemes-cut", "gap", "guessed"]


def test_the_place_of_a_word_is_its_line_in_the_file_and_its_number_in_the_song(found):
    problem = one(found(sheet_of("hello moon", "sing дом")), "unreadable")
    assert problem.place == "line 2, word 4 ('дом')"


def test_words_beyond_the_canvas_and_songs_longer_than_it_are_errors(found):
    words = [EASY[0], Word(30, 31, "moon")]
    for duration in (None, 40.0):
        assert one([p for p in found(words, duration, 23.8) if p.place != "song"], "canvas").place == "word 2 ('moon')"
    assert [problem.place for problem in found(EASY, 40.0, 23.8)] == ["song"]
    assert found(EASY, 23.8, 23.8) == ()


def test_the_frame_that_is_forgiven_is_no_error(found):
    assert found([Word(1, 20.04, "moon")]) == ()
    assert one(found([Word(1, 20.05, "moon")]), "past-end")


def test_a_quick_line_is_warned_of_once_at_its_first_word(found):
    quick = [Word(1 + index * 0.1, 1.1 + index * 0.1, "oh") for index in range(6)]
    problem = one(found(quick), "too-dense")
    assert problem.place == "word 1 ('oh')" and "6 syllables in 0.60 s are 10.0 a second" in problem.message
    slow = [Word(1 + index * 0.19, 1.19 + index * 0.19, "oh") for index in range(6)]
    assert "6 words in 1.14 s are 5.3 a second" in one(found(slow), "too-dense").message
    assert found([Word(1 + index * 0.25, 1.25 + index * 0.25, "oh") for index in range(6)]) == ()


def test_a_gap_that_an_instrumental_section_names_is_no_problem(found):
    lines = (Line((SheetWord("river", 1, 2),), section=0), Line((SheetWord("moon", 15, 16),), section=2))
    sections = (Section("Verse"), Section("Guitar Solo"), Section("Chorus"))
    assert found(Sheet(lines, sections)) == ()
    assert one(found(Sheet((lines[0], replace(lines[1], section=1)), sections[:2])), "gap")


@pytest.mark.parametrize(
    "phones",
    [
        (),
        (Phone(1, 1.5, "m"), Phone(1.4, 2, "uː")),
        (Phone(0.5, 2, "m"),),
        (Phone(1, 3, "m"),),
        (Phone(1, 2, ""),),
        (Phone(1.5, 1.2, "m"),),
    ],
)
def test_phones_that_do_not_lie_in_their_word_are_an_error(found, phones):
    problem = one(found(Sheet((Line((SheetWord("moon", 1, 2, phones=phones),)),))), "phones")
    assert problem.place == "word 1 ('moon')" and problem.fix


def test_phones_with_too_few_slots_are_told(found):
    phones = (Phone(1, 1.5, "m"), Phone(1.5, 1.505, "uː"), Phone(1.6, 2, "n"))
    problem = one(found(Sheet((Line((SheetWord("moon", 1, 2, phones=phones),)),))), "phonemes-cut")
    assert "its phones uː" in problem.message


def test_what_is_wrong_with_many_words_alike_is_told_once(found):
    problem = one(found([Word(1 + index, 1.5 + index, "moon♪") for index in range(4)]), "unsung")
    assert problem.place == "word 1 ('moon♪')" and "(and 3 more words)" in problem.message


def test_a_language_that_nobody_reads_is_told_once(found, phonemizer, monkeypatch):
    monkeypatch.setattr("jam.lyrics.languages.has_espeak", lambda: False)
    problem = one(found(sheet_of("bonjour la lune", language="fr")), "unreadable")
    assert problem.place == "line 1, word 1 ('bonjour')" and "'fr'" in problem.message and "(and 2 more words)" in problem.message
    sheet = sheet_of("bonjour la lune", language="fr")
    assert fix(sheet, phonemizer, LIMITS) == sheet  # a phonemizer is missing, not a word wrong


def test_sounds_that_the_model_lacks_are_told_once_for_a_language(tmp_path):
    config = {
        "preprocessing": {
            "languages": ["fr"],
            "text_symbols": list("abelnru"),
            "phoneme_symbols": list("lynʁ"),
            "char_repeats": 1,
            "lowercase": True,
        },
        "model": {"type": "transformer", "d_model": 8, "d_fft": 8, "layers": 1, "dropout": 0.0, "heads": 1},
    }
    save(tmp_path / "fr.pt", *build(config), config, {"fr": {"lune": "lyn", "rue": "ʁy"}}, 0)
    phonemizer = Phonemizer.load(assets.BUNDLE / "phonemizer.pt", languages={"fr": str(tmp_path / "fr.pt")})
    words = [Word(1, 2, "river"), Word(2, 3, "lune", language="fr"), Word(3, 4, "rue", language="fr")]
    [problem] = check(of_words(words), phonemizer, LIMITS)
    assert (problem.level, problem.code, problem.place, problem.start) == ("warning", "accent", "word 2 ('lune')", 2)
    assert problem.message.startswith("fr: y is sung as ") and "ʁ" in problem.message and "(and 1 more word)" in problem.message


def test_remarks_of_the_reader_are_notes_with_their_place(found):
    problems = found(Sheet(of_words(EASY).lines, remarks=("line 7: '♪' is not sung", "read as Windows-1252: byte 3")))
    assert [(problem.level, problem.place, problem.message) for problem in problems] == [
        ("note", "line 7", "'♪' is not sung"),
        ("note", "lyrics", "read as Windows-1252: byte 3"),
    ]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("<i>moon</i>", "<i></i>"),
        ("{\\an8}moon", "{\\an8}"),
        ("**moon**", "*"),
        ("\u2764\ufe0fmoon", "\u2764\ufe0f"),
        ("moon\U0001f468\u200d\U0001f3a4", None),
    ],
)
def test_markup_and_emoji_are_left_out_as_wholes(text, symbols):
    assert without_unsung(text) == "moon"
    assert symbols is None or unsung(text) == symbols


@pytest.mark.parametrize(
    "text",
    [
        "don't",
        "don\u2019t",
        "don\uff40t",
        "5\u00b0",
        "$5",
        "#1",
        "rock&roll",
        "\u21165",
        "a\u2212b",
        "caf\u00e9",
        "\u06a9\u200c\u06a9",
        "why?!",
        "\u201cmoon\u201d",
    ],
)
def test_punctuation_and_signs_that_are_said_are_no_symbols(text):
    assert unsung(text) == "" and without_unsung(text) == text


# Words without times


def test_words_without_times_are_a_note_with_an_estimate(found):
    [problem] = found(sheet_of("hello river", "sing to the moon"))
    assert (problem.level, problem.code, problem.place) == ("note", "untimed", "lyrics")
    assert problem.message == "no word has times: they are planned; at ease they take about 2 s"


def test_lyrics_too_long_for_the_duration_are_an_error_that_says_how_long(found):
    problem = one(found(sheet_of("hello river sing to the moon"), duration=0.9), "too-long")
    assert problem.level == "error" and problem.place == "lyrics"
    assert "6 words take at least 1.0 s, but there are 0.9 s" in problem.message
    assert problem.fix.startswith("ask for at least 2 s")
    assert one(found(sheet_of("hello river sing to the moon"), duration=1.1), "too-dense").level == "warning"


def test_a_line_without_room_between_its_times_is_an_error(found):
    lines = (Line(split("hello river sing to the moon")[0], start=1.0, number=3), Line(split("oh")[0], start=1.4, number=5))
    problem = one(found(Sheet(lines)), "no-room")
    assert problem.place == "line 3, word 1 ('hello')" and "6 words without times need at least" in problem.message
    assert "there are 0.40 s, from 1 s" in problem.message


def test_words_without_room_between_timed_ones_are_an_error(found):
    words = (SheetWord("river", 1, 2), SheetWord("sing"), SheetWord("moon", 2.05, 3))
    assert one(found(Sheet((Line(words),))), "no-room").place == "word 2 ('sing')"
    assert "2 of 3" not in str(found(Sheet((Line(words),))))


def test_line_and_section_times_that_make_no_sense_are_told(found):
    lines = (Line(split("moon")[0], start=5, end=3, number=4), Line(split("moon")[0], start=19, end=25))
    problems = found(Sheet(lines, (Section("Verse", start=math.nan),)))
    assert [problem.place for problem in problems if problem.code == "line-times"] == ["section 1 ('Verse')", "line 4", "line 2"]


# Section tags


@pytest.mark.parametrize(
    "text", ["[Chorus]", "[Chorus: soft piano]", "[whispered]", "Verse 2", "VERSE II", "Chorus:", "pre-chorus 1:", "Bridge"]
)
def test_what_names_a_section_is_no_lyric(found, text):
    sheet = Sheet((Line(tuple(map(SheetWord, text.split())), number=1), Line((SheetWord("moon"),), number=2)))
    assert one(found(sheet), "section-tag").place.startswith("line 1, word 1 (")


@pytest.mark.parametrize(
    "text", ["bridge", "over the bridge", "verse by verse", "in the end:", "chorus of angels:", "[ moon", "2 bridges", "I"]
)
def test_what_only_looks_like_a_tag_is_sung(found, text):
    sheet = Sheet((Line(tuple(map(SheetWord, text.split())), number=1),))
    assert not [problem for problem in found(sheet) if problem.code == "section-tag"]


# Mending


def mended(sheet: Sheet, phonemizer: Phonemizer, limits: Limits = LIMITS) -> Sheet:
    """The sheet mended, which nothing keeps from being sung, nor from being mended again."""
    fixed = fix(sheet, phonemizer, limits)
    assert [str(problem) for problem in check(fixed, phonemizer, limits) if problem.level == "error"] == []
    assert fix(fixed, phonemizer, limits) == fixed
    return fixed


def times(sheet: Sheet) -> list[tuple]:
    return [(word.word, word.start, word.end) for word in sheet.words]


def test_good_lyrics_stay_as_they_are(phonemizer):
    sheet = of_words(EASY)
    assert fix(sheet, phonemizer, LIMITS) == sheet and changes(sheet, sheet) == []


MENDED = [
    (
        [Word(1, 1.8, "river"), EASY[1]],
        [("river", 1, 1.5), ("moon", 1.5, 2.0)],
        ["word 1 ('river'): sung from 1 to 1.5 s, not from 1 to 1.8 s"],
    ),
    ([EASY[1], EASY[0]], [("river", 1, 1.5), ("moon", 1.5, 2.0)], ["word 2 ('river'): moved to its time, 1 s"]),
    ([Word(2, 1, "moon")], [("moon", 1, 2)], ["word 1 ('moon'): sung from 1 to 2 s, not from 2 to 1 s"]),
    ([Word(-1, 2, "moon")], [("moon", 0.0, 2)], ["word 1 ('moon'): sung from 0 to 2 s, not from -1 to 2 s"]),
    (
        [Word(1, 30, "moon"), Word(31, 32, "river")],
        [("moon", 1, 20)],
        ["word 1 ('moon'): sung from 1 to 20 s, not from 1 to 30 s", "word 2 ('river'): left out"],
    ),
    (
        [Word(1, 1, "moon"), Word(2, 3, "river")],
        [("moon", 1, 1.059), ("river", 2, 3)],
        ["word 1 ('moon'): sung from 1 to 1.059 s, not from 1 to 1 s"],
    ),
    ([Word(1, 2, "moon♪")], [("moon", 1, 2)], ["word 1 ('moon♪'): written 'moon' now"]),
    ([EASY[0], Word(1.5, 2, "♪")], [("river", 1, 1.5)], ["word 2 ('♪'): left out"]),
    ([EASY[0], Word(1.5, 2, "moonд")], [("river", 1, 1.5), ("moon", 1.5, 2)], ["word 2 ('moonд'): written 'moon' now"]),
    (
        [Word(1, 2, "[Chorus]"), Word(2, 3, "moon")],
        [("moon", 2, 3)],
        ["word 1 ('[Chorus]'): 'Chorus' names a section now, and is not sung"],
    ),
    (
        [Word(math.nan, 2, "moon"), Word(3, 4, "river")],
        [("moon", None, 2), ("river", 3, 4)],
        ["word 1 ('moon'): sung from ? to 2 s, not from nan to 2 s"],
    ),
]


@pytest.mark.parametrize(("words", "expected", "told"), MENDED, ids=[case[2][0] for case in MENDED])
def test_what_is_wrong_is_mended_and_told(phonemizer, words, expected, told):
    sheet = of_words(words)
    fixed = mended(sheet, phonemizer)
    assert times(fixed) == expected
    assert changes(sheet, fixed) == told


def test_a_word_too_short_takes_what_its_neighbour_can_spare(phonemizer):
    sheet = of_words([Word(1.0, 1.012, "moon"), Word(1.012, 2.0, "river")])
    first, second = mended(sheet, phonemizer).words
    assert first.end == second.start == pytest.approx(1.06, abs=0.002) and second.end == 2.0
    assert not [problem for problem in check(mended(sheet, phonemizer), phonemizer, LIMITS) if problem.code == "phonemes-cut"]


def test_a_tag_opens_a_section_that_lasts_until_the_next(phonemizer):
    sheet = sheet_of("[Verse 1] hello river", "sing moon", "Chorus:", "come home [Guitar Solo] la la")
    raw = replace(
        sheet,
        lines=tuple(
            Line(tuple(map(SheetWord, line.split())), number=number)
            for number, line in enumerate(["[Verse 1] hello river", "sing moon", "Chorus:", "come home [Guitar Solo] la la"], start=1)
        ),
    )
    fixed = mended(raw, phonemizer)
    assert [section.name for section in fixed.sections] == ["Verse 1", "Chorus", "Guitar Solo"]
    assert [(" ".join(word.word for word in line.words), line.section) for line in fixed.lines] == [
        ("hello river", 0),
        ("sing moon", 0),
        ("come home", 1),
        ("la la", 2),
    ]


def test_a_tag_within_a_section_comes_after_it_and_moves_the_later_ones(phonemizer):
    lines = [Line((SheetWord("river"),), section=0), Line((SheetWord("[Bridge:"), SheetWord("soft]"), SheetWord("moon")), section=0)]
    sheet = Sheet((*lines, Line((SheetWord("home"),), section=1)), (Section("Verse"), Section("Chorus")))
    fixed = mended(sheet, phonemizer)
    assert fixed.sections == (Section("Verse"), Section("Bridge", "soft"), Section("Chorus"))
    assert [line.section for line in fixed.lines] == [0, 1, 2]


def test_a_tag_at_the_beginning_of_a_section_is_its_name(phonemizer):
    sheet = Sheet((Line((SheetWord("[Bridge]"), SheetWord("moon")), section=0),), (Section("part", start=1, end=9),))
    assert mended(sheet, phonemizer).sections == (Section("Bridge", start=1, end=9),)


def test_phones_follow_their_word(phonemizer):
    phones = (Phone(1, 1.4, "m"), Phone(1.4, 1.7, "uː"), Phone(1.7, 2, "n"))
    sheet = Sheet((Line((SheetWord("moon", 1, 2, phones=phones), SheetWord("river", 1.5, 2.5))),))
    moon = mended(sheet, phonemizer).words[0]
    assert moon.end == 1.5 and moon.phones == (phones[0], Phone(1.4, 1.5, "uː"))
    crossed = Sheet((Line((SheetWord("moon", 1, 2, phones=(Phone(3, 4, "m"),)),)),))
    assert mended(crossed, phonemizer).words[0] == SheetWord("moon", 1, 2, "m")


def test_phones_of_aligners_are_kept_as_they_sound(phonemizer):
    phones = (Phone(1, 1.4, "M"), Phone(1.4, 1.7, "UW1"), Phone(1.7, 2, "N"))
    sheet = Sheet((Line((SheetWord("moon", 1, 2, phones=phones),)),))
    assert check(sheet, phonemizer, LIMITS) == () and mended(sheet, phonemizer) == sheet
    shifted = Sheet((Line((SheetWord("moon", 3, 4, phones=phones),)),))
    assert mended(shifted, phonemizer).words[0] == SheetWord("moon", 3, 4, "muːn")


def test_lines_without_times_that_are_too_long_lose_their_last_words(phonemizer):
    sheet = sheet_of("hello river", "sing to the moon", "come home")
    fixed = mended(sheet, phonemizer, Limits(1.0, 23.8))
    assert 0 < len(fixed.words) < 8 and [word.word for word in fixed.words] == [word.word for word in sheet.words][: len(fixed.words)]
    assert changes(sheet, fixed)[-1] == "line 3, word 8 ('home'): left out"


def test_a_line_without_room_gives_up_the_time_that_hinders_it(phonemizer):
    lines = (
        Line(split("hello river sing to the moon")[0], start=1.0, end=1.3),
        Line(split("oh")[0], start=1.4),
        Line(split("oh")[0], start=4),
    )
    sheet = Sheet(lines)
    fixed = mended(sheet, phonemizer)
    assert [(line.start, line.end) for line in fixed.lines] == [(1.0, None), (None, None), (4, None)]
    assert changes(sheet, fixed) == ["line 1: its times are 1 to ? s, not 1 to 1.3 s", "line 2: its times are ? to ? s, not 1.4 to ? s"]


# Whatever comes

TEXTS = st.sampled_from(
    [
        "moon",
        "river",
        "streets",
        "a",
        "oh",
        "[Chorus]",
        "[Verse",
        "1]",
        "Verse",
        "2:",
        "Chorus:",
        "♪",
        "moon♪",
        "дом",
        "1999",
        "",
        " ",
        "*",
        "...",
        "blorfing",
        "strengths",
    ]
)
TIMES = st.one_of(st.none(), st.floats(-2, 26), st.sampled_from([0.0, 1.0, 1.005, 1.01, 5.0, 19.99, 20.0, 20.04, math.nan, math.inf]))
WORDS = st.builds(
    SheetWord,
    TEXTS,
    TIMES,
    TIMES,
    st.sampled_from([None, None, None, "", "muːn", "ɬ"]),
    phones=st.sampled_from([None] * 4 + [(Phone(1, 2, "m"),)]),
)
LINES = st.builds(Line, st.lists(WORDS, max_size=6).map(tuple), TIMES, TIMES, st.sampled_from([None, 0, 1]), st.sampled_from([None, 1, 2]))
SHEETS = st.builds(Sheet, st.lists(LINES, max_size=5).map(tuple), st.just((Section("Verse"), Section("Chorus", start=3.0, end=9.0))))
BOUNDS = st.sampled_from([LIMITS, Limits(None, 23.8), Limits(2.0, 23.8), Limits(30.0, 23.8), Limits(0.1, 23.8)])
MENDABLE = ("overlap", "line-times", "unsung")  # warnings that mending leaves none of
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(SHEETS, BOUNDS)
def test_any_lyrics_are_checked_and_mended_so_that_they_can_be_sung(phonemizer, caplog, sheet, limits):
    with caplog.at_level(logging.WARNING):
        check(sheet, phonemizer, limits)
        fixed = fix(sheet, phonemizer, limits)
    assert caplog.messages == []  # problems and changes tell all
    left = [problem for problem in check(fixed, phonemizer, limits) if problem.place != "song"]
    assert [str(problem) for problem in left if problem.level == "error" or problem.code in MENDABLE] == []
    assert fix(fixed, phonemizer, limits) == fixed
    assert bool(changes(sheet, fixed)) == (fixed != sheet)
    assert all("\n" not in change for change in changes(sheet, fixed))
    if fixed.timing == "words":
        fixed.timed("lyrics", limits.end)
        caplog.clear()


@MANY
@given(st.lists(st.builds(Word, st.floats(-1, 25), st.floats(-1, 25), TEXTS), max_size=8), st.booleans())
def test_what_cannot_be_sung_is_an_error_and_what_is_no_error_can_be_sung(phonemizer, words, ordered):
    if ordered:
        words = sorted(words, key=lambda word: word.start)
    errors = {problem.code for problem in check(of_words(words), phonemizer, LIMITS) if problem.level == "error"}
    try:
        phonemizer.words(validate(words, "lyrics", LIMITS.duration))
    except ValueError:
        assert errors
    else:
        assert errors <= {"lost", "section-tag"}


@MANY
@given(st.lists(st.tuples(st.floats(0, 0.1), st.floats(0, 0.2), st.sampled_from(["moon", "river", "a", "strengths"])), max_size=8))
def test_a_song_without_lost_words_has_them_all_in_its_slots(phonemizer, lengths):
    words, now = [], 0.5
    for rest, length, text in lengths:
        words.append(Word(now + rest, now + rest + length, text))
        now += rest + length
    problems = [problem for problem in check(of_words(words), phonemizer, LIMITS) if problem.code in ("lost", "no-length", "phonemes-cut")]
    row = slots(words, Span(400, 400), phonemizer.ids_of).tolist()
    ids = [phonemizer.ids_of(word)[:-1] for word in words]
    sung = [token for token in row if token < 62 and token != 0]
    assert (sung == [token for word in ids for token in word]) == (not problems)
