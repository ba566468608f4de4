"""Pieces of time that stretch and shrink between nails."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jam.lyrics.elastic import Piece, lengths, place

pieces = st.builds(
    lambda least, usual, give: Piece(least, usual, max(usual, least) * 2, give), st.floats(0, 1), st.floats(0.01, 2), st.floats(0.1, 1)
)


@given(st.lists(pieces, min_size=1, max_size=8), st.floats(0.1, 40))
def test_pieces_fill_the_time_and_keep_to_their_least_where_there_is_room(row, total):
    found = lengths(row, total)
    assert found.sum() == pytest.approx(total)
    if total >= sum(piece.least for piece in row):
        assert all(length >= piece.least - 1e-6 for length, piece in zip(found, row, strict=True))


def test_pieces_left_alone_last_as_usual_and_stiffer_ones_give_way_less():
    row = [Piece(0.1, 1.0), Piece(0.1, 1.0, give=0.5)]
    assert lengths(row, 2.0) == pytest.approx([1.0, 1.0])
    stretched = lengths(row, 6.0)
    assert stretched == pytest.approx([4.0, 2.0])  # the pull is 4: 4 ** 1 and 4 ** 0.5


def test_a_piece_that_may_not_be_longer_leaves_the_time_to_others():
    assert lengths([Piece(0.1, 1.0, 1.5), Piece(0.0, 0.001)], 10.0) == pytest.approx([1.5, 8.5])


def test_nails_are_kept_exactly_and_the_rest_lies_between_them():
    points = place([Piece(0.1, 1.0)] * 4, {0: 0.0, 2: 3.0, 4: 3.5})
    assert points.tolist() == pytest.approx([0, 1.5, 3.0, 3.25, 3.5])
    assert points[2] == 3.0 and np.all(np.diff(points) > 0)
