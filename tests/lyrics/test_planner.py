"""Plans: what is given is kept, the rest is laid on tempo and metre, and what cannot be is told in one line."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jam.lyrics.planner import PlanSettings, plan
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord, split
from jam.lyrics.words import FORGIVEN_SECONDS, Phone
from jam.timing import seconds_to_slot

VERSE = ("the river carries every light away", "and nobody remembers what we said", "so hold the lantern, walk with me tonight")
CHORUS = ("carry me over (over)", "carry me over the water")


def ipa_of(words):
    """A stand-in for a phonemizer that knows letters only: good enough to count vowels."""
    return ["".join(sign for sign in word.lower() if sign.isalpha() or sign in ".,?!") for word in words]


def sheet(*texts, **facts) -> Sheet:
    return Sheet(tuple(Line(split(text)[0], number=number) for number, text in enumerate(texts, start=1)), **facts)


def song() -> Sheet:
    sections = (Section("Intro"), Section("Verse 1"), Section("Break", "2 bars"), Section("Chorus"), Section("Outro"))
    lines = [*((text, 1) for text in VERSE), *((text, 3) for text in CHORUS)]
    return Sheet(tuple(Line(split(text)[0], section=section) for text, section in lines), sections)


def times(planned: Sheet) -> list[tuple[float, float]]:
    return [(word.start, word.end) for word in planned.words]


def assert_singable(planned: Sheet) -> None:
    """Words in order, apart, within the song, each with the slots that its symbols need."""
    assert planned.duration is not None and planned.bpm is not None
    words = planned.timed(duration=planned.duration)
    assert all(before.end <= after.start for before, after in itertools.pairwise(words))
    for word, ipa in zip(words, ipa_of([word.word for word in words]), strict=True):
        assert seconds_to_slot(word.end) - seconds_to_slot(word.start) > len(ipa), word
        assert round(word.start, 3) == word.start and round(word.end, 3) == word.end


@pytest.mark.parametrize("duration", [None, 12.0, 25.0, 30.5, 90.0])
@pytest.mark.parametrize("bpm", [None, 70.0, 133.0])
def test_a_plan_is_singable_whatever_duration_and_tempo(duration, bpm):
    planned = plan(song(), ipa_of, PlanSettings(duration=duration, bpm=bpm))
    assert_singable(planned)
    assert planned.bpm == (bpm or 100.0) and duration in (None, planned.duration)


def test_the_same_settings_give_the_same_plan_and_another_seed_another():
    first, again, other = (plan(song(), ipa_of, PlanSettings(duration=40.0, seed=seed)) for seed in (0, 0, 5))
    assert first == again
    assert times(first) != times(other)
    assert_singable(other)


def test_lines_begin_on_beats_and_sections_on_bars_where_there_is_room():
    planned = plan(song(), ipa_of, PlanSettings(bpm=100.0))
    starts = [line.words[0].start for line in planned.lines]
    assert all(start / 0.6 == pytest.approx(round(start / 0.6), abs=0.01) for start in starts)
    assert planned.duration / 2.4 == pytest.approx(round(planned.duration / 2.4))


def test_last_words_are_held_small_words_are_short_and_lines_are_breaths_apart():
    planned = plan(sheet(*VERSE), ipa_of, PlanSettings(duration=16.0, method="rules"))
    first, second, _ = planned.lines
    small = [word.end - word.start for word in planned.words if word.word in ("the", "and", "what", "we", "with", "me", "so")]
    held = [line.words[-1].end - line.words[-1].start for line in planned.lines]
    others = [word.end - word.start for word in planned.words if word.word in ("said", "hold", "light", "walk")]
    assert sum(small) / len(small) < 0.9 * sum(others) / len(others) < min(held)
    assert second.words[0].start - first.words[-1].end > 0.1
    assert first.words[0].end == first.words[1].start


def test_sections_follow_each_other_and_instrumental_ones_last_their_bars():
    planned = plan(song(), ipa_of, PlanSettings(bpm=100.0))
    spans = [(section.start, section.end) for section in planned.sections]
    assert spans[0][0] == 0 and all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    assert spans[1][0] <= planned.words[0].start <= spans[1][0] + 0.01
    assert spans[2][1] - spans[2][0] == pytest.approx(4.8, abs=1.3)  # two bars, give or take what puts the chorus on a bar
    assert spans[-1][1] == planned.duration


def test_knobs_do_what_they_say():
    knobs = PlanSettings(duration=20.0, intro=2.5, outro=3.25, gap=0.7)
    planned = plan(sheet(*VERSE), ipa_of, knobs)
    assert planned.words[0].start == 2.5 and planned.words[-1].end == 16.75
    gaps = [after.words[0].start - before.words[-1].end for before, after in itertools.pairwise(planned.lines)]
    assert gaps == pytest.approx([0.7, 0.7], abs=0.002)
    loose, dense = (plan(sheet(*VERSE), ipa_of, PlanSettings(density=density)) for density in (1.0, 1.5))
    assert dense.duration < loose.duration
    dropped = plan(song(), ipa_of, PlanSettings(backing="drop"))
    assert len(dropped.words) == len(song().words) - 1 and not any(word.backing for word in dropped.words)


def test_waltzes_have_three_beats_a_bar():
    planned = plan(song(), ipa_of, PlanSettings(bpm=120.0, beats_per_bar=3))
    assert planned.duration / 1.5 == pytest.approx(round(planned.duration / 1.5))


def test_sections_are_where_they_are_asked_for_by_name():
    twice = replace(song(), sections=tuple(replace(s, name="Chorus") if s.name == "Verse 1" else s for s in song().sections))
    planned = plan(twice, ipa_of, PlanSettings(duration=60.0, sections={"chorus": (8.0, 20.0), "Chorus 2": (40, 50)}))
    assert [(s.start, s.end) for s in planned.sections if s.name == "Chorus"] == [(8.0, 20.0), (40.0, 50.0)]
    assert planned.lines[0].words[0].start == 8.0 and planned.lines[2].words[-1].end <= 20.0
    assert planned.lines[3].words[0].start == 40.0
    assert_singable(planned)


def test_given_times_are_kept_exactly():
    given = sheet(*VERSE)
    first = (
        replace(given.lines[0].words[0], start=1.23456),
        *given.lines[0].words[1:3],
        replace(given.lines[0].words[3], start=3.2, end=3.4),
    )
    lines = (
        replace(given.lines[0], words=(*first, *given.lines[0].words[4:])),
        replace(given.lines[1], start=6.5, end=9.75),
        given.lines[2],
    )
    planned = plan(replace(given, lines=lines), ipa_of, PlanSettings(duration=20.0))
    words = planned.lines[0].words
    assert words[0].start == 1.23456 and (words[3].start, words[3].end) == (3.2, 3.4)
    assert planned.lines[1].words[0].start == 6.5 and planned.lines[1].words[-1].end == 9.75
    assert all(before.end <= after.start for before, after in itertools.pairwise(planned.words))


@pytest.mark.parametrize("method", ["rules", "auto"])
def test_in_a_song_far_longer_than_its_words_the_rest_is_music_before_and_after(method):
    planned = plan(sheet(*VERSE), ipa_of, PlanSettings(duration=180.0, method=method))
    gaps = [after.start - before.end for before, after in itertools.pairwise(planned.words)]
    assert max(gaps) < 8 and planned.words[0].start > 40 and planned.words[-1].end < 140
    assert max(word.end - word.start for word in planned.words) < 4


def test_phones_say_when_their_word_is():
    word = SheetWord("moon", phones=(Phone(2.0, 2.1, "m"), Phone(2.1, 2.5, "uː"), Phone(2.5, 2.75, "n")))
    planned = plan(Sheet((Line((SheetWord("the"), word)),)), ipa_of, PlanSettings(duration=5.0))
    assert (planned.words[1].start, planned.words[1].end) == (2.0, 2.75)


def test_a_timed_sheet_keeps_its_times_and_learns_how_long_it_lasts():
    timed = Sheet((Line((SheetWord("moon", 1.0, 2.0), SheetWord("over", 1.9, 3.5))),))  # an overlap, which is allowed
    planned = plan(timed, ipa_of)
    assert times(planned) == [(1.0, 2.0), (1.9, 3.5)] and planned.duration > 3.5


def test_of_lines_that_overlap_the_later_one_is_heard():
    given = sheet("hold the light", "walk with me")
    lines = (replace(given.lines[0], start=1.0, end=4.0), replace(given.lines[1], start=3.0, end=5.0))
    planned = plan(replace(given, lines=lines), ipa_of, PlanSettings(duration=8.0))
    assert planned.lines[0].words[-1].end == 3.0 == planned.lines[1].words[0].start


def test_a_line_that_lasts_far_longer_than_its_words_leaves_a_rest():
    given = sheet("moon", "walk with me")
    lines = (replace(given.lines[0], start=1.0, end=30.0), replace(given.lines[1], start=31.0))
    planned = plan(replace(given, lines=lines), ipa_of, PlanSettings(duration=40.0))
    assert planned.words[0].start == 1.0 and planned.words[0].end < 10 and planned.words[1].start == 31.0


def test_words_of_other_languages_are_not_asked_of_the_english_phonemizer():
    def english_only(words):
        assert "été" not in words
        return ipa_of(words)

    given = Sheet((Line((SheetWord("un"), SheetWord("été"))),), language="fr")
    assert_singable_times(plan(given, english_only))
    mixed = Sheet((Line((SheetWord("one"), SheetWord("été", language="fr"))),))
    assert_singable_times(plan(mixed, english_only))


def assert_singable_times(planned: Sheet) -> None:
    assert all(word.end - word.start > 0.1 for word in planned.words)


def test_lines_without_words_are_nothing_to_sing():
    given = Sheet((Line((), section=0), Line((SheetWord("moon"),), section=1)), (Section("Intro"), Section("Verse")))
    planned = plan(given, ipa_of, PlanSettings(seed=2))
    assert len(planned.lines) == 1 and planned.sections[0].end <= planned.words[0].start


def test_an_instrumental_is_its_sections():
    planned = plan(Sheet(sections=(Section("Intro", "8 bars"), Section("Solo", "4 bars"))), ipa_of, PlanSettings(bpm=120.0))
    assert planned.duration == pytest.approx(24.0)
    assert [(s.start, s.end) for s in planned.sections] == [(0, pytest.approx(16.0)), (pytest.approx(16.0), pytest.approx(24.0))]
    assert plan(Sheet(), ipa_of, PlanSettings(duration=5.0)).duration == 5.0


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"duration": 2.0}, r"the song lasts 2 s, too short for its 20 words; ask for a duration of at least (\d+(\.\d+)?) s"),
        ({"bpm": 0.0}, "bpm is 0; give a number from 20 to 400"),
        ({"density": float("nan")}, "density is nan"),
        ({"gap": -1.0}, "gap is -1; give seconds"),
        ({"method": "magic"}, "method is 'magic'; choose one of rules, learned, auto"),
        ({"backing": "hum"}, "backing is 'hum'; choose one of sing, drop"),
        ({"sections": {"Bridge": (1, 2)}}, "section 'Bridge' is not in the lyrics; they have no sections"),
        ({"sections": {"Bridge": (2, 1)}}, "section 'Bridge' from 2 s to 1 s"),
        ({"method": "learned", "weights": "absent.safetensors"}, "absent.safetensors: no learned durations"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(knobs, said):
    with pytest.raises(ValueError, match=said) as caught:
        plan(sheet(*VERSE), ipa_of, PlanSettings(**knobs))
    assert "\n" not in str(caught.value)


def test_the_least_duration_that_is_told_works():
    with pytest.raises(ValueError, match="at least") as caught:
        plan(song(), ipa_of, PlanSettings(duration=3.0))
    least = float(str(caught.value).split("at least ")[1].split(" s")[0])
    assert_singable(plan(song(), ipa_of, PlanSettings(duration=least)))


@pytest.mark.parametrize(
    ("words", "duration", "said"),
    [
        ([(1.0, 2.0), (0.5, 0.8)], None, r"line 1: word 2 \('b'\) starts at 0.5 s, but word 1 \('a'\) starts at 1 s"),
        ([(1.0, 2.0), (None, None), (2.0, 3.0)], None, r"line 1: word 2 \('b'\) has no room: 1 word\(s\) between 2 s and 2 s"),
        ([(1.0, 2.0), (2.0, 30.0)], 10.0, "the song lasts 10 s, but times are given up to 30 s; ask for a duration of at least 30 s"),
        ([(1.0, 9.9), (None, None)], 10.0, "too short for its 2 words; ask for a duration of at least 10.4 s"),
    ],
)
def test_given_times_that_cannot_be_are_told_with_their_place(words, duration, said):
    given = Sheet((Line(tuple(SheetWord("abc"[n], *span) for n, span in enumerate(words)), number=1),))
    with pytest.raises(ValueError, match=said):
        plan(given, ipa_of, PlanSettings(duration=duration))


texts = st.lists(st.text("aeiou nst,.", min_size=1, max_size=40).filter(lambda text: split(text)[0]), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(texts, st.one_of(st.none(), st.floats(3, 200)), st.floats(40, 220), st.integers(0, 3), st.lists(st.floats(0, 60), max_size=3))
def test_any_words_are_planned_in_order_within_the_song_or_refused(texts, duration, bpm, seed, starts):
    given = sheet(*texts)
    lines = [replace(line, start=start) for line, start in zip(given.lines, sorted(starts), strict=False)]
    given = replace(given, lines=(*lines, *given.lines[len(lines) :]))
    try:
        planned = plan(given, ipa_of, PlanSettings(duration=duration, bpm=bpm, seed=seed))
    except ValueError as error:
        assert "\n" not in str(error)
        return
    words = planned.timed(duration=planned.duration)
    assert all(before.end <= after.start for before, after in itertools.pairwise(words))
    assert words[-1].end <= planned.duration + FORGIVEN_SECONDS
    for line, asked in zip(planned.lines, given.lines, strict=True):
        assert asked.start in (None, line.words[0].start)
