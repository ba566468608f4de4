"""The plots: a style map that always lies the same way, words that were not found where they would have to be, and a song's picture."""

import numpy as np
import pytest
import torch

from jam.lyrics.words import Word
from jam.picture import ASKED, BESIDE, MISSED, draw_checked
from jam.prepare import plots
from jam.prepare.records import SungWord, Timing


def sung(word: str, start: float | None = None, end: float | None = None, line: int = 0) -> SungWord:
    return SungWord(word, start, end, is_found=start is not None, line=line)


def test_the_plane_is_where_vectors_differ_most():
    rng = np.random.default_rng(3)
    flat = rng.standard_normal((50, 2)) * (5.0, 1.0)
    turned = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    places, shares = plots.plane(np.pad(flat, ((0, 0), (0, 14))) @ turned + 7.0)
    assert shares.sum() == pytest.approx(1.0) and shares[0] > 0.9
    between = np.linalg.norm(flat[:, None] - flat, axis=-1)
    np.testing.assert_allclose(np.linalg.norm(places[:, None] - places, axis=-1), between, atol=1e-9)


def test_the_plane_lies_the_same_way_whatever_the_order_of_songs():
    vectors = np.random.default_rng(0).standard_normal((40, 512)).astype(np.float32)
    order = np.random.default_rng(1).permutation(40)
    np.testing.assert_allclose(plots.plane(vectors)[0][order], plots.plane(vectors[order])[0], atol=1e-9)


def test_equal_vectors_lie_on_one_point():
    places, shares = plots.plane(np.ones((5, 8), np.float32))
    assert not places.any() and not shares.any()
    assert plots.plane(np.ones((4, 1)))[0].shape == (4, 2)


def test_styles_of_the_commonest_groups_have_colours_and_the_rest_one_together():
    songs = [(f"song-{place}", f"tag-{place % 12}", np.eye(24)[place]) for place in range(24)]
    html = plots.style_map(songs)
    assert html.count("<title>") == 24 and html.count("(others)") == 8
    assert "tag-0" in html and plots.style_map(songs[:2]) == ""


def test_words_that_were_not_found_are_marked_in_their_lines():
    html = plots.lyrics([sung("paper", 0.0, 1.0), sung("<crow>"), sung("glow", 2.0, 3.0, line=1)])
    assert html == '<div class="lyrics">paper <mark>&lt;crow&gt;</mark>\nglow</div>\n'


def test_words_that_were_not_found_are_supposed_between_their_neighbours():
    words = [sung("a"), sung("b", 2.0, 3.0), sung("c"), sung("d"), sung("e", 5.0, 6.0), sung("f")]
    supposed = {word.word: (word.start, word.end) for word in plots.supposed(words, 9.0)}
    assert supposed == {"a": (0.0, 2.0), "c": (3.0, 4.0), "d": (4.0, 5.0), "f": (6.0, 9.0)}


def test_words_with_given_times_that_were_not_heard_keep_them():
    given = SungWord("a", 1.0, 1.5, is_found=False)
    assert plots.supposed([given], 9.0) == [Word(1.0, 1.5, "a")]


def test_a_picture_shows_a_minute_from_the_first_word_on():
    assert plots.excerpt([sung("a"), sung("b", 30.0, 31.0)], 200.0) == (29.0, 89.0)
    assert plots.excerpt([sung("b", 180.0, 181.0)], 200.0) == (140.0, 200.0)
    assert plots.excerpt([], 20.0) == (0.0, 20.0)


def colours(path) -> set[str]:
    """Which of the three colours of lanes a picture has, over white, each by its opacity."""
    from matplotlib.image import imread

    image = torch.from_numpy(imread(path)[..., :3].copy())
    found = set()
    for colour, opacity in ((ASKED, 0.35), (MISSED, 0.35), (BESIDE, 0.5)):
        solid = torch.tensor([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
        if int(((image - (1 - opacity * (1 - solid))).abs().amax(-1) < 0.02).sum()) > 50:
            found.add(colour)
    return found


def test_words_found_and_not_found_and_other_singing_have_colours_of_their_own(tmp_path, tone):
    words = (sung("river", 0.2, 1.0), sung("$moon$"), sung("crow", 1.8, 2.5))
    timing = Timing("aligned", "judge", words, extra=((2.6, 2.9),))
    assert colours(plots.draw_song(tmp_path / "a.png", tone(440, 3.0), timing, "a $ b")) == {ASKED, MISSED, BESIDE}
    assert colours(plots.draw_song(tmp_path / "b.png", tone(440, 3.0), Timing("none"), "b")) == set()
    assert colours(draw_checked(tmp_path / "c.png", tone(440, 1.0), [Word(0.1, 0.9, "a")], [], [], "c")) == {ASKED}


def test_a_long_song_is_drawn_from_its_first_word_on(tmp_path):
    timing = Timing("aligned", "judge", (sung("late", 70.0, 75.0), sung("gone")), extra=((1.0, 2.0), (74.0, 200.0)))
    assert colours(plots.draw_song(tmp_path / "a.png", torch.zeros(2, 130 * 44_100), timing, "long")) == {ASKED, MISSED, BESIDE}
