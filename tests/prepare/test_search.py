"""The search over emissions that are written by hand: who is found, who hides, who is held to a line."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from jam.eval.alignment import Emissions, Found
from jam.prepare.search import FRAMES, VOWEL_FRAMES, Sounds, lenient, place, sounds_of

NAMES = ("sil", "a", "e", "o", "p", "b", "s", "m")
FRAME = 0.01


@pytest.fixture(scope="module")
def sounds() -> Sounds:
    return sounds_of(NAMES, NAMES[1:4], [("p", "b")])


def heard(text: str, sure: float = 0.98) -> Emissions:
    """Emissions of a text such as `.20 p4 a10`: each sound and for how many frames; `.` is silence."""
    path = [code for piece in text.split() for code in [NAMES.index(piece[0].replace(".", "sil"[:0]) or "sil")] * int(piece[1:])]
    chances = np.full((len(path), len(NAMES)), (1 - sure) / (len(NAMES) - 1))
    chances[np.arange(len(path)), path] = sure
    return Emissions(np.log(chances).astype(np.float32), FRAME, FRAME / 2, silence=0)


def codes(*words: str) -> list[list[int]]:
    return [[NAMES.index(sign) for sign in word] for word in words]


def edges(found: Found | None) -> tuple[int, int] | None:
    """The first frame of a word and the one after its last."""
    return None if found is None else (round(found.start / FRAME), round(found.end / FRAME))


def test_words_are_found_where_their_sounds_are(sounds: Sounds) -> None:
    found = place(sounds, heard(".20 p4 a10 s5 m6 o12 .9"), codes("pas", "mo"))
    assert [edges(word) for word in found.words] == [(20, 39), (39, 57)]
    assert found.extra == () and all(word is not None and word.confidence > -0.5 for word in found.words)


def test_a_song_may_begin_and_end_with_a_word(sounds: Sounds) -> None:
    found = place(sounds, heard("p4 a10 s5"), codes("pas"))
    assert edges(found.words[0]) == (0, 19)


def test_a_word_that_is_not_sung_cannot_hide_in_a_moment(sounds: Sounds) -> None:
    song = heard(".20 p4 a10 s5 m2 e1 m2 .20 m6 o12 .9")
    found = place(sounds, song, codes("pas", "mem", "mo"))
    assert [edges(word) for word in found.words] == [(20, 39), None, (64, 82)]


def test_a_sound_lasts_as_long_as_a_voice_needs(sounds: Sounds) -> None:
    vowel = place(sounds, heard(".20 s4 a5 s4 .20"), codes("sas")).words[0]
    assert vowel is not None and round((vowel.end - vowel.start) / FRAME) >= 2 * FRAMES + VOWEL_FRAMES
    assert place(sounds, heard(".20 s4 a1 s4 .20"), codes("sas")).words == (None,)


def test_wrong_words_are_not_found_and_what_is_sung_for_them_is_extra(sounds: Sounds) -> None:
    found = place(sounds, heard(".20 p4 a10 s5 .5 m12 e14 m6 .5 m6 o12 .9"), codes("pas", "sops", "mo"))
    assert [edges(word) for word in found.words] == [(20, 39), None, (81, 99)]
    assert [(round(start / FRAME), round(end / FRAME)) for start, end in found.extra] == [(44, 76)]


def test_sounds_of_one_family_stand_for_one_another(sounds: Sounds) -> None:
    song = heard(".20 b4 e10 s5 .20")
    assert edges(place(sounds, song, codes("pas")).words[0]) == (21, 39)  # the first moment of a doubtful sound is left to the rest
    strict = Sounds(sounds.least, np.eye(len(NAMES)))
    assert place(strict, song, codes("pas")).words == (None,)


def test_a_sound_heard_as_itself_alone_keeps_its_score(sounds: Sounds) -> None:
    song = heard(".3 m3 a3")
    softened = lenient(song, sounds).scores
    column = NAMES.index("m")
    np.testing.assert_allclose(softened[:, column], song.scores[:, column], atol=1e-6)
    assert softened[6, NAMES.index("e")] > song.scores[6, NAMES.index("e")] + 2  # "e" may be heard as "a"


def test_words_are_held_to_their_windows(sounds: Sounds) -> None:
    song = heard(".20 p4 a10 s5 .40 p4 a10 s5 .20")
    free = place(sounds, song, codes("pas"))
    later = place(sounds, song, codes("pas"), [(0.5, 1.2)])
    nowhere = place(sounds, song, codes("pas"), [(0.4, 0.7)])
    assert edges(free.words[0]) in ((20, 39), (79, 98))
    assert edges(later.words[0]) == (79, 98)
    assert nowhere.words == (None,)


def test_songs_without_frames_and_words_without_sounds_find_nothing(sounds: Sounds) -> None:
    none = Emissions(np.zeros((0, len(NAMES)), np.float32), FRAME, silence=0)
    assert place(sounds, none, codes("pas")).words == (None,)
    assert edges(place(sounds, heard(".9 m6 o12 .9"), [[], *codes("mo")]).words[1]) == (9, 27)
    assert place(sounds, heard(".9"), []).words == ()


def test_memory_is_a_quarter_byte_for_each_state_and_frame(sounds: Sounds) -> None:
    song = heard(" ".join([".30 p5 a12 s6 m6 o15"] * 60))  # 44 s
    words = codes(*["pas", "mo"] * 60)
    tracemalloc.start()
    found = place(sounds, song, words)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    states, sums = 3.5 * len(words) + 1, 5 * 8 * len(NAMES)
    assert all(found.words)
    assert peak < len(song.scores) * (states / 4 + sums)  # of which a float each would be 16 times as much
