"""torchaudio's forced alignment over emissions that are written by hand, and over a tiny CTC network's."""

from __future__ import annotations

import numpy as np
import pytest

from jam.eval.alignment import Emissions, Found, align
from jam.prepare.forced import forced

BLANK, SILENCE = 0, 1  # of 8 tokens, 2 to 7 are letters
FRAME = 0.02


def heard(tokens: str, sure: float = 0.98) -> Emissions:
    """Emissions of a string of tokens, one a frame: `.` a blank, `|` silence, digits letters."""
    codes = [{".": BLANK, "|": SILENCE}.get(sign) for sign in tokens]
    path = [int(sign) if code is None else code for sign, code in zip(tokens, codes, strict=True)]
    chances = np.full((len(path), 8), (1 - sure) / 7)
    chances[np.arange(len(path)), path] = sure
    return Emissions(np.log(chances).astype(np.float32), FRAME, FRAME / 2, BLANK, SILENCE)


def edges(found: Found | None) -> tuple[int, int]:
    """The first frame of a word and the one after its last."""
    assert found is not None
    return round(found.start / FRAME), round(found.end / FRAME)


def test_words_are_found_where_their_letters_are_heard() -> None:
    found = forced(heard("..22.3..||45.5..."), [[2, 3], [4, 5, 5]])
    assert [edges(word) for word in found.words] == [(2, 6), (10, 14)]
    assert all(word is not None and word.confidence == 0 for word in found.words)
    assert found.extra == ()


def test_both_searches_place_words_alike() -> None:
    emissions = heard("...2..3.4...||5.6.....7.7..2.3..")
    words = [[2, 3, 4], [5, 6], [7, 7], [2, 3]]
    assert [edges(word) for word in forced(emissions, words).words] == [edges(word) for word in align(emissions, words).words]


def test_a_word_that_is_not_sung_is_not_found_and_moves_no_other() -> None:
    found = forced(heard("..2.3..||...4.5.6.."), [[2, 3], [7, 6, 7], [4, 5, 6]])
    assert found.words[1] is None
    assert [edges(word) for word in found.words if word] == [(2, 5), (12, 17)]


def test_singing_that_the_lyrics_lack_is_told() -> None:
    found = forced(heard("..2.3.....4.5.4.6.4.5.......3.2.."), [[2, 3], [3, 2]])
    assert [edges(word) for word in found.words] == [(2, 5), (28, 31)]
    assert [(round(start / FRAME), round(end / FRAME)) for start, end in found.extra] == [(10, 21)]


def test_words_without_letters_and_songs_without_frames_are_not_found() -> None:
    assert forced(heard("..2.."), [[], [2]]).words[0] is None
    assert [(round(start / FRAME), round(end / FRAME)) for start, end in forced(heard("..2.3.4.5.6.."), []).extra] == [(2, 11)]
    none = Emissions(np.zeros((0, 8), np.float32), FRAME, 0.0, BLANK, SILENCE)
    assert forced(none, [[2]]).words == (None,)


def test_lyrics_longer_than_the_song_and_networks_without_blanks_are_refused_in_a_line() -> None:
    with pytest.raises(ValueError, match=r"11 letters and gaps, but the song 10 frames") as told:
        forced(heard("." * 10), [[2, 2, 3], [4, 5, 6, 7]])
    assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="viterbi"):
        forced(Emissions(np.zeros((5, 8), np.float32), FRAME), [[2]])
