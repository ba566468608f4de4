import pytest

from jam.eval.measures import Value, joined
from jam.eval.results import SongResult
from jam.eval.together import summed_up


def song(name: str, item: str, rate: float, weight: float = 10) -> SongResult:
    return SongResult(name, f"{name}.wav", 20.0, {"lyrics.wer@whisper": Value(rate, weight)}, item=item)


def test_takes_of_one_song_are_one_draw():
    takes = [song(f"{name}_{take}", name, rate) for name, rate in (("a", 10), ("b", 20), ("c", 60)) for take in range(3)]
    figure = summed_up(takes, 0)["lyrics.wer@whisper"]
    alone = summed_up([song(name, name, rate) for name, rate in (("a", 10), ("b", 20), ("c", 60))], 0)["lyrics.wer@whisper"]
    assert figure.count == 3
    assert figure.value == pytest.approx(30)
    assert (figure.low, figure.high) == pytest.approx((alone.low, alone.high))


def test_takes_count_by_their_weights_and_keep_their_samples():
    assert joined([Value(10, 1, (1.0,)), Value(40, 3, (2.0, 3.0))]) == Value(32.5, 4, (1.0, 2.0, 3.0))
    assert joined([Value(10, 0), Value(20, 0)]).value == 10


def test_an_interval_keeps_within_what_the_measure_can_be():
    songs = [
        SongResult(name, "", 20.0, {"timing.coverage@judge": Value(share, 30), "lyrics.margin@judge": Value(-share, 30)})
        for name, share in (("a", 100.0), ("b", 99.0), ("c", 60.0))
    ]
    figures = summed_up(songs, 0)
    assert figures["timing.coverage@judge"].high == 100
    assert figures["lyrics.margin@judge"].low < figures["lyrics.margin@judge"].value < 0


def test_measures_stand_in_the_catalogues_order():
    values = {"sound.loudness": Value(-14), "timing.lag_ms@judge": Value(1, 1, (1.0,)), "lyrics.wer@b": Value(1), "lyrics.wer@a": Value(2)}
    assert list(summed_up([SongResult("a", "", 1.0, values)], 0)) == [
        "timing.lag_ms@judge",
        "lyrics.wer@a",
        "lyrics.wer@b",
        "sound.loudness",
    ]
