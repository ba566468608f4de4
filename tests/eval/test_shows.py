"""What the suite must be able to tell, on songs whose truth is known: lags, missing words, wrong lyrics, noise, a song that goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from jam.eval import edges, identify, lengths
from jam.eval.alignment import Alignment, align
from jam.eval.asked import Text
from jam.eval.fidelity import phone_errors
from jam.eval.identify import SpokenLine
from jam.eval.judge import Judge, sounds
from jam.eval.measures import Value
from jam.eval.statistics import estimate
from jam.timing import SAMPLE_RATE


def pooled(measure: str, found: list[dict[str, Value]], how: str = "mean") -> float:
    """A measure of all songs together."""
    return estimate([values[measure] for values in found], how).value  # type: ignore[arg-type]


def timing(judge: Judge, text: Text, samples: Tensor) -> tuple[dict[str, Value], Alignment]:
    alignment = align(judge.hear(samples, SAMPLE_RATE), text.spelled(judge.spell))
    return edges.measure(text.asked, alignment), alignment


def later(samples: Tensor, seconds: float) -> Tensor:
    """The same sound, later."""
    return torch.nn.functional.pad(samples, (round(seconds * SAMPLE_RATE), 0))


def muted(samples: Tensor, text: Text, words: list[int]) -> Tensor:
    """The voice without some words."""
    quiet = samples.clone()
    for place in words:
        word = text.words[place]
        quiet[..., round(word.start * SAMPLE_RATE) : round(word.end * SAMPLE_RATE)] = 0
    return quiet


def noisy(samples: Tensor, ratio: float, seed: int) -> Tensor:
    """White noise at a ratio in dB to the whole."""
    noise = torch.randn(samples.shape, generator=torch.Generator().manual_seed(seed))
    return samples + noise * samples.square().mean().sqrt() * 10 ** (-ratio / 20)


def lines_of(songs, judge: Judge) -> list[SpokenLine]:
    return [line for song in songs for line in song.text.spoken_lines(judge.spell)]


def test_words_are_found_where_they_are_in_mixes(judge, songs):
    found = [timing(judge, song.text, song.mix)[0] for song in songs]
    assert pooled("timing.onset_ms", found, "median") < 15
    assert pooled("timing.offset_ms", found, "median") < 20
    assert pooled("timing.within_50", found) > 95
    assert pooled("timing.coverage", found) > 97
    assert pooled("timing.extra", found) < 4
    assert abs(pooled("timing.lag_ms", found, "median")) < 6


@pytest.mark.parametrize("lag", [0.12, 0.037])
def test_words_that_come_late_are_measured_as_late(judge, songs, lag):
    found = [timing(judge, song.text, later(song.mix, lag))[0] for song in songs]
    assert pooled("timing.lag_ms", found, "median") == pytest.approx(1000 * lag, abs=15)
    assert pooled("timing.onset_ms", found, "median") == pytest.approx(1000 * lag, abs=15)
    assert pooled("timing.rhythm_ms", found, "median") < 15


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_words_that_are_not_sung_are_measured_as_missing(judge, songs, share):
    rng, found, gone, kept = np.random.default_rng(3), [], 0, 0
    for song in songs:
        count = len(song.text.words)
        words = sorted(rng.choice(count, round(share * count), replace=False).tolist())
        values, alignment = timing(judge, song.text, (muted(song.vocal, song.text, words) + song.band).expand(2, -1))
        found.append(values)
        gone += sum(alignment.words[place] is None for place in words)
        kept += sum(alignment.words[place] is not None for place in set(range(count)) - set(words))
    asked, silenced = sum(len(song.text.words) for song in songs), sum(round(share * len(song.text.words)) for song in songs)
    assert pooled("timing.missing", found) == pytest.approx(100 * silenced / asked, abs=3)
    assert gone / silenced > 0.85  # and they are the right ones
    assert kept / (asked - silenced) > 0.96
    assert pooled("timing.onset_ms", found, "median") < 15  # the others keep their places


def test_words_that_were_not_asked_for_are_extra(judge, songs):
    song = songs[0]
    low, high = song.text.spans[1]
    shorter = Text(
        song.text.words[:low] + song.text.words[high:],
        song.text.is_timed[:low] + song.text.is_timed[high:],
        song.text.lines[:1] + song.text.lines[2:],
        song.text.windows[:1] + song.text.windows[2:],
    )
    start, end = song.text.windows[1] or (0.0, 0.0)
    alignment = timing(judge, shorter, song.mix)[1]
    sung = sum(min(end, last) - max(start, first) for first, last in alignment.extra if first < end and last > start)
    assert sung > 0.6 * (end - start)
    assert edges.measure(shorter.asked, alignment)["timing.extra"].value > 0


def test_with_their_own_lyrics_lines_are_identified_and_with_others_only_by_chance(judge, songs):
    own, other, every = [], [], lines_of(songs, judge)
    for place, song in enumerate(songs):
        emissions = judge.hear(song.mix, SAMPLE_RATE)
        swapped = songs[(place + 1) % len(songs)].text
        own.append(identify.measure(emissions, song.text.spoken_lines(judge.spell), every))
        other.append(identify.measure(emissions, swapped.spoken_lines(judge.spell), [line for line in every if line.size]))
    assert pooled("lyrics.line", own) > 97
    assert pooled("lyrics.margin", own) > 0
    chance = 100 / len(every)
    lines = sum(values["lyrics.line"].weight for values in other)
    assert pooled("lyrics.line", other) <= chance + 3 * 100 * np.sqrt(chance / 100 / lines)
    assert pooled("lyrics.margin", other) < 0


def test_fidelity_falls_as_noise_rises(judge, songs):
    heard: dict[float, list[dict[str, Value]]] = {ratio: [] for ratio in (30.0, 10.0, 0.0, -10.0)}
    every = lines_of(songs, judge)
    for place, song in enumerate(songs):
        asked = [sound for word in song.text.words for sound in sounds(word.phoneme or "")]
        for ratio, found in heard.items():
            emissions = judge.hear(noisy(song.mix, ratio, place), SAMPLE_RATE)
            values = phone_errors(asked, judge.write(emissions), "judge")
            found.append(values | identify.measure(emissions, song.text.spoken_lines(judge.spell), every))
    for measure, rises in (("lyrics.per@judge", True), ("lyrics.margin", False)):
        figures = [pooled(measure, found) for found in heard.values()]
        assert figures == sorted(figures, reverse=not rises), (measure, figures)
        assert abs(figures[-1] - figures[0]) > 0.1 * abs(figures[0]), (measure, figures)


def test_a_song_that_goes_on_after_its_end_is_caught(songs):
    for song in songs:
        asked = song.text.windows[-1][0]  # as if it should have ended before the last line
        whole = lengths.measure(song.mix, song.item.duration)
        longer = lengths.measure(song.mix, asked)
        assert whole.get("duration.late_end", Value(0)).value < 0.1
        assert longer["duration.late_end"].value > 1
        assert longer["duration.tail"].value > -10


def test_words_given_in_wrong_order_are_not_all_found(judge, songs):
    song = songs[1]
    words = song.text.words[::-1]
    values, _ = timing(judge, replace(song.text, words=words), song.mix)
    assert values["timing.coverage"].value < 40
