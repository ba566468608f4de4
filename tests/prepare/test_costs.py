"""What stages cost: medians and hours from measured seconds, and what more songs of the same kind would take."""

from collections.abc import Iterable

import pytest

from jam.prepare.costs import Cost, Meter, projection
from jam.prepare.records import Facts, Prepared


def song(name: str, seconds: float | None, **costs: float) -> Prepared:
    facts = None
    if seconds is not None:
        facts = Facts(seconds, 44_100, 2, "FLAC", 0.9, -14.0, 0.0, 0.0, 0.0, 0.0, False, 16_000.0)
    return Prepared(name, name, facts=facts, costs=costs)


def by_stage(songs: Iterable[Prepared]) -> tuple[Cost, ...]:
    meter = Meter()
    for one in songs:
        meter.add(one)
    return meter.costs()


SONGS = (song("a", 100.0, checks=1.0, timing=10.0), song("b", 300.0, checks=3.0, timing=20.0), song("c", 400.0, checks=5.0))


def test_a_stage_costs_what_its_songs_took():
    checks, timing = by_stage(SONGS)
    assert (checks.stage, checks.songs, checks.median, checks.mean, checks.total) == ("checks", 3, 3.0, 3.0, 9.0)
    assert checks.per_hour == pytest.approx(9 / 800 * 3600) and checks.speed == pytest.approx(800 / 9)
    assert (timing.songs, timing.median, timing.audio, timing.share) == (2, 15.0, 400.0, 0.5)


def test_more_songs_like_those_measured_take_as_much_more():
    measured = by_stage(SONGS)
    same = projection(measured, 3, 800 / 3, processes=2, rate=10.0)
    assert dict(same.stages) == pytest.approx({"checks": 9 / 3600, "timing": 30 / 3600})
    assert same.work == pytest.approx(39 / 3600) and same.wall == pytest.approx(same.work / 2) and same.size == pytest.approx(8000)
    many = projection(measured, 3000, 800 / 3)
    assert many.work == pytest.approx(1000 * same.work) and many.size is None


def test_songs_that_cannot_be_decoded_cost_without_lasting():
    (checks,) = by_stage([song("torn", None, checks=0.5)])
    assert (checks.total, checks.audio, checks.per_hour, checks.speed) == (0.5, 0.0, 0.0, 0.0)
    assert projection([checks], 10, 200.0).work == 0.0


def test_no_songs_cost_nothing():
    assert by_stage([]) == () and projection((), 1000, 200.0).work == 0.0
