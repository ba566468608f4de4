"""What keeps a recording out, and that each rule can be turned off."""

from dataclasses import fields, replace

import pytest

from jam.prepare import rules
from jam.prepare.records import Blob, Facts, SungWord, Timing, Track
from jam.prepare.rules import Rules

GOOD = Facts(100.0, 44_100, 2, "WAV PCM_16", 0.9, -14.0, 0.05, 1.0, 0.0, 0.0, False, 16_000.0)
WORDS = Timing("aligned", "judge", tuple(SungWord("moon", n, n + 0.4, "muːn", confidence=-0.5) for n in range(100)))


def broken(found):
    return [reason.rule for reason in found]


def with_found(count):
    lost = tuple(SungWord("moon", is_found=False) for _ in range(100 - count))
    return replace(WORDS, words=WORDS.words[:count] + lost)


def test_a_good_song_breaks_no_rule():
    assert broken(rules.of_sound(Rules(), GOOD)) == [] and broken(rules.of_words(Rules(), WORDS, 100.0)) == []


SOUNDS = [
    ("min_seconds", {"seconds": 3.0}, "lasts 3.00 s, less than rules.min_seconds 5"),
    ("max_seconds", {"seconds": 1200.0}, "lasts 1200.0 s, more than rules.max_seconds 600"),
    ("min_rate", {"rate": 8000}, "is sampled at 8000 Hz, less than rules.min_rate 22050"),
    ("min_bandwidth", {"bandwidth": 3900.0}, "holds nothing above 3900 Hz"),
    ("max_silence", {"silence": 0.7}, "is silent for 0.70 of its length"),
    ("min_loudness", {"loudness": -60.0}, "has a loudness of -60.0 LUFS"),
    ("max_clipping", {"clipping": 3.0}, "has 3.00 % of its samples clipped"),
    ("max_offset", {"offset": 6.0}, "has a constant offset of 6.00 %"),
    ("allow_damaged", {"damage": "ends too early"}, "ends too early"),
]


@pytest.mark.parametrize(("rule", "fact", "told"), SOUNDS)
def test_each_rule_of_sound_names_value_and_limit_and_can_be_turned_off(rule, fact, told):
    (reason,) = rules.of_sound(Rules(), replace(GOOD, **fact))
    assert reason.rule == rule and told in reason.text
    off = Rules(**{rule: True if rule == "allow_damaged" else None})
    assert broken(rules.of_sound(off, replace(GOOD, **fact))) == []


LIMITS = [
    *(("min_seconds", "seconds"), ("max_seconds", "seconds"), ("min_rate", "rate"), ("min_bandwidth", "bandwidth")),
    *(("max_silence", "silence"), ("min_loudness", "loudness"), ("max_clipping", "clipping"), ("max_offset", "offset")),
]


@pytest.mark.parametrize(("rule", "fact"), LIMITS)
def test_a_recording_that_is_exactly_at_a_limit_is_kept(rule, fact):
    assert broken(rules.of_sound(Rules(), replace(GOOD, **{fact: getattr(Rules(), rule)}))) == []


def test_singing_that_the_lyrics_lack_is_refused_beyond_a_share():
    def sung(seconds):
        return replace(WORDS, extra=((0.0, 10.0), (20.0, 10.0 + seconds)))

    assert broken(rules.of_words(Rules(), sung(50.0), 100.0)) == []
    (reason,) = rules.of_words(Rules(), sung(51.0), 100.0)
    assert reason.rule == "max_extra" and "share of 0.51" in reason.text
    assert broken(rules.of_words(Rules(max_extra=None), sung(90.0), 100.0)) == []


def test_a_song_that_is_said_to_be_instrumental_needs_no_words():
    assert broken(rules.of_words(Rules(), Timing("none"), 100.0, is_instrumental=True)) == []
    assert broken(rules.of_words(Rules(), Timing("none", "judge", extra=((0.0, 60.0),)), 100.0, is_instrumental=True)) == ["max_extra"]


def test_silence_is_told_as_silence_alone():
    assert [reason.text for reason in rules.of_sound(Rules(), replace(GOOD, loudness=None, bandwidth=0.0, silence=1.0))] == ["is silent"]


def test_mono_is_refused_only_where_that_is_asked_for():
    mono = replace(GOOD, is_mono=True)
    assert broken(rules.of_sound(Rules(), mono)) == [] and broken(rules.of_sound(Rules(allow_mono=False), mono)) == ["allow_mono"]


def test_lyrics_of_which_little_is_heard_are_refused():
    assert broken(rules.of_words(Rules(), with_found(70), 100.0)) == []
    (reason,) = rules.of_words(Rules(), with_found(69), 100.0)
    assert reason.rule == "min_found" and "of 100 words 69% are heard" in reason.text and "lyrics of another song" in reason.text
    assert broken(rules.of_words(Rules(min_found=None), with_found(3), 100.0)) == []


def test_given_times_that_miss_are_refused():
    assert broken(rules.of_words(Rules(), replace(WORDS, method="given", error=301.0), 100.0)) == ["max_error"]
    assert broken(rules.of_words(Rules(), replace(WORDS, method="given", error=299.0), 100.0)) == []


def test_pace_and_unknown_words_are_judged():
    assert broken(rules.of_words(Rules(), WORDS, 12.0)) == ["max_words_per_second"]
    assert broken(rules.of_words(Rules(min_words_per_second=0.5), WORDS, 300.0)) == ["min_words_per_second"]
    strange = replace(WORDS, words=tuple(replace(word, is_known=place >= 51) for place, word in enumerate(WORDS.words)))
    assert broken(rules.of_words(Rules(), strange, 100.0)) == ["max_unknown"]
    assert broken(rules.of_words(Rules(min_confidence=-0.4), WORDS, 100.0)) == ["min_confidence"]


def test_a_song_without_words_says_why():
    (reason,) = rules.of_words(Rules(), Timing("none", remarks=("there are no lyrics",)), 100.0)
    assert reason.rule == "allow_wordless" and "there are no lyrics" in reason.text
    assert broken(rules.of_words(Rules(allow_wordless=True), Timing("none"), 100.0)) == []


RIGHTS = [((None, None), "no license and no source"), (("CC0", " "), "no source"), ((None, "me"), "no license")]


@pytest.mark.parametrize(("told", "absent"), RIGHTS)
def test_songs_without_rights_are_refused(told, absent):
    track = Track("a", Blob("a.wav", "a.wav"), license=told[0], source=told[1])
    (reason,) = rules.of_rights(Rules(), track)
    assert absent in reason.text
    assert broken(rules.of_rights(Rules(allow_unlicensed=True), track)) == []
    assert broken(rules.of_rights(Rules(), replace(track, license="CC0", source="me"))) == []


@pytest.mark.parametrize("wrong", [{"max_silence": 2.0}, {"min_seconds": 10.0, "max_seconds": 5.0}, {"min_rate": -1}, {"min_found": -0.1}])
def test_nonsense_is_refused_by_its_key(wrong):
    with pytest.raises(ValueError, match=rf"rules\.{next(iter(wrong))} is "):
        Rules(**wrong)


def test_every_rule_that_compares_numbers_may_be_null():
    assert Rules(**{field.name: None for field in fields(Rules) if field.name.startswith(("min_", "max_"))})
