"""Every measure of the evaluation, in the order in which reports list them."""

from functools import cache

from jam.eval import aesthetics, edges, fidelity, frechet, identify, lengths, memorised, sound, styles
from jam.eval.measures import Measure, base

ROOMS = (edges, fidelity, identify, lengths, styles, sound, frechet, aesthetics, memorised)
MEASURES: tuple[Measure, ...] = tuple(measure for room in ROOMS for measure in room.MEASURES)


@cache
def _places() -> dict[str, int]:
    places = {measure.name: place for place, measure in enumerate(MEASURES)}
    assert len(places) == len(MEASURES), "two measures share a name"
    return places


def measure(name: str) -> Measure:
    """The measure that `name` is of, whatever its instrument."""
    return MEASURES[_places()[base(name)]]


def place(name: str) -> tuple[int, str]:
    """Where a name stands in the order; instruments by their names."""
    return _places()[base(name)], name
