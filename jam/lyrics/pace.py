"""How long words and rests last when nothing presses: the planner's rules of music, in seconds. Knows no file, no sheet and no deadline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jam.lyrics.syllables import Sung

SYLLABLE = 0.36  # seconds that a syllable likes to last; a simple part of the beat near it is taken
PARTS = (1, 2, 4, 8)  # of a beat that a syllable may last
SMALL = 0.75  # a small word of one syllable, against another
HELD = 0.75  # beats by which the last word of a phrase is longer
HELD_AT_MARK = 0.25  # the same before a comma within it
BREATH = 1.5  # beats between lines
COMMA, STOP = 0.25, 0.5  # beats of rest after marks within a line
PHRASE = 18  # syllables that one breath carries; longer lines are divided
PART_OF_PHRASE = 9  # syllables that the parts then have, about
AROUND = ((40.0, 1), (90.0, 2), (math.inf, 4))  # below so many seconds of singing, so many bars of intro,
OUTRO = 1.0  # and such beats, and bars but one, after the last word;
PART = 0.15  # each no larger a part of the singing,
MOMENT = 0.5  # nor less than so many seconds
UNVOICED = 0.3  # syllables that a word lasts of which nothing is heard


@dataclass(frozen=True)
class Beat:
    """The time that the song keeps: seconds a beat, and beats a bar."""

    seconds: float
    a_bar: int

    @property
    def bar(self) -> float:
        """Seconds a bar."""
        return self.seconds * self.a_bar


@dataclass(frozen=True)
class Lengths:
    """Usual lengths in seconds: of each word, (N), and of the rest before each, (N); the first rest is the intro."""

    words: tuple[float, ...]
    rests: tuple[float, ...]
    outro: float


def step(beat: Beat, density: float = 1.0) -> float:
    """Seconds a syllable: the simple part of the beat nearest to what syllables like."""
    return min((beat.seconds / part for part in PARTS), key=lambda length: abs(math.log(length / SYLLABLE))) / density


def by_rules(lines: Sequence[Sequence[Sung]], beat: Beat, density: float = 1.0) -> Lengths:
    """The usual lengths of the words of `lines`: time by syllables, small words short, last words held, a breath between lines."""
    syllable = step(beat, density)
    words: list[float] = []
    rests: list[float] = []
    for line in lines:
        breaths = divisions(line)
        for index, word in enumerate(line):
            ends = index == len(line) - 1 or index + 1 in breaths
            words.append(syllable * weight(word) + beat.seconds * (HELD if ends else HELD_AT_MARK if word.mark else 0.0))
            rests.append(beat.seconds * _rest(line, index, breaths))
    lead, tail = around(sum(words) + sum(rests[1:]), beat)
    return Lengths(tuple(words), (lead, *rests[1:])[: len(words)], tail)


def weight(word: Sung) -> float:
    """How many syllables' time a word takes."""
    if not word.syllables:
        return UNVOICED
    return SMALL if word.is_small and word.syllables == 1 else float(word.syllables)


def around(seconds: float, beat: Beat) -> tuple[float, float]:
    """Seconds of music before and after `seconds` of singing: a bar and a beat or so; of longer songs more, of snippets less."""
    bars = next(bars for limit, bars in AROUND if seconds < limit)
    intro, outro = bars * beat.bar, (bars - 1) * beat.bar + OUTRO * beat.seconds
    return max(min(intro, PART * seconds), MOMENT), max(min(outro, PART * seconds), MOMENT)


def divisions(line: Sequence[Sung]) -> tuple[int, ...]:
    """Before which words of a line the singer breathes: at its stops, and where a phrase is longer than a breath carries."""
    stops = [index + 1 for index, word in enumerate(line[:-1]) if word.mark in (".", "?", "!", ";", ":")]
    edges = [0, *stops, len(line)]
    found = list(stops)
    for first, last in zip(edges, edges[1:], strict=False):
        found += [first + cut for cut in _cuts(line[first:last])]
    return tuple(sorted(found))


def _cuts(phrase: Sequence[Sung]) -> list[int]:
    """Where a phrase without stops is divided: into parts about as long, preferably at a comma or before a small word."""
    ends = [0.0]
    for word in phrase:
        ends.append(ends[-1] + max(word.syllables, UNVOICED))
    parts = 1 if ends[-1] <= PHRASE else max(round(ends[-1] / PART_OF_PHRASE), 2)
    cuts: list[int] = []
    for part in range(1, parts):
        wanted = ends[-1] * part / parts
        last = cuts[-1] if cuts else 0
        choices = [index for index in range(last + 1, len(phrase)) if abs(ends[index] - wanted) <= PART_OF_PHRASE / 2]
        if choices:
            cuts.append(min(choices, key=lambda index: abs(ends[index] - wanted) - _opening(phrase, index)))
    return cuts


def _opening(phrase: Sequence[Sung], index: int) -> float:
    """By how many syllables a breath before word `index` may be off because it is a good place for one."""
    before, after = phrase[index - 1], phrase[index]
    return 3.0 if before.mark else 1.5 if after.is_small and not before.is_small else -1.5 if before.is_small else 0.0


def _rest(line: Sequence[Sung], index: int, breaths: Sequence[int]) -> float:
    """Beats of rest before word `index` of a line."""
    if not index:
        return BREATH
    if index in breaths:
        return STOP
    return COMMA if line[index - 1].mark else 0.0
