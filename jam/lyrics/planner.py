"""Times for words that have none: a sheet becomes one whose every word is timed, by tempo, metre, syllables and stress.

What a sheet knows (times of words, lines, sections) is kept exactly and the rest is laid out around it (`layout`). Usual lengths come from
`pace` (rules) or `durations` (learned); all of them are stretched alike until they fill the song (`elastic`), then lines begin on beats,
sections on bars, and stressed syllables move to the beat (`metre`). Knows no file format and no sound.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from pathlib import Path

import numpy as np

from jam.lyrics import durations, pace
from jam.lyrics.elastic import place
from jam.lyrics.layout import BPM_RANGE, Knobs, Row, lay_out, least, nail_ends, reconcile
from jam.lyrics.metre import snap, stress
from jam.lyrics.pace import Beat, Lengths
from jam.lyrics.sheet import Section, Sheet, SheetWord
from jam.lyrics.syllables import Sung, sung
from jam.randomness import generator

BPM = 100.0  # where nobody says
HASTE, LEISURE = 0.5, 1.2  # times its usual length within which the learned durations know songs
JITTER = 0.15  # relative, of rests, and less of words, by which plans of different seeds differ
ENGLISH = "en"


@dataclass(frozen=True)
class PlanSettings(Knobs):
    """The knobs, and what belongs to one song: its `duration`, when its `sections` are, by name, and the `seed` of small choices (0: none).

    A duration that is proposed is at most `longest` seconds; lyrics that need more are refused. A name that several sections have means
    the first; `Chorus 2` is the second that is called `Chorus`, unless one is called so.
    """

    duration: float | None = None
    longest: float | None = None
    sections: Mapping[str, tuple[float, float]] | None = None
    seed: int = 0


def plan(sheet: Sheet, ipa_of: Callable[[Sequence[str]], Sequence[str]], settings: PlanSettings | None = None) -> Sheet:
    """The sheet with times (seconds, to the millisecond) for all its words, spans for its sections, a tempo and a duration.

    `ipa_of` gives the IPA of words, as `Phonemizer.ipa` does; it is asked for words without one, in English. Words are in order, do not
    overlap beyond what the sheet itself says, and end within the duration. The same sheet and settings give the same times.

    Raises ValueError, in one line, for settings that mean nothing, for a duration too short for the words (telling the least that
    works), for given times that are out of order or leave no room, and for what `ipa_of` refuses.
    """
    settings = settings or PlanSettings()
    if settings.duration is not None and not 0 < settings.duration < math.inf:
        raise ValueError(f"duration is {settings.duration:g}; give seconds above 0")
    sheet = _to_sing(sheet, settings.backing == "drop")
    sheet = replace(sheet, sections=_asked(sheet.sections, settings.sections))
    bpm = settings.bpm or sheet.bpm or BPM
    if not BPM_RANGE[0] <= bpm <= BPM_RANGE[1]:
        raise ValueError(f"the tempo is {bpm:g} beats a minute; give one from {BPM_RANGE[0]:g} to {BPM_RANGE[1]:g}")
    beat = Beat(60.0 / bpm, settings.beats_per_bar)
    lines = measured(sheet, ipa_of)
    duration = settings.duration or sheet.duration

    def laid_out(usual: Lengths) -> Row:
        row = lay_out(sheet, lines, _varied(usual, settings.seed), beat, settings)
        reconcile(row, sheet)
        return row

    rules = pace.by_rules(lines, beat, settings.density)
    row = laid_out(rules)
    if duration is None:
        usual = _proposed(row, beat, settings)
        duration = min(usual, settings.longest or math.inf)
        if least(row) > duration:
            raise ValueError(
                f"the words usually take {usual:g} s, and there are no more than {duration:.2f} s for them; sing fewer words, divide them "
                "into several songs, or take a model that sings longer ones"
            )
    if sheet.words and _is_learned(settings):
        row = laid_out(_learned(lines, beat, rules, row, duration, settings))
    nail_ends(row, sheet, duration)
    snap(row, sheet, beat)
    points = place(row.pieces, row.nails)
    stress(points, row, lines, beat)
    return replace(_filled(sheet, row, _rounded(points, row)), bpm=bpm, duration=duration)


def _is_learned(settings: PlanSettings) -> bool:
    """Whether the method means the learned durations; `auto` does where there are some."""
    known = settings.weights is not None or durations.weights_path().is_file()
    return settings.method == "learned" or (settings.method == "auto" and known)


def _learned(lines: Sequence[Sequence[Sung]], beat: Beat, rules: Lengths, row: Row, duration: float, settings: PlanSettings) -> Lengths:
    """The learned lengths for the part of the song that is not instrumental, which is asked for no more and no less than it can fill."""
    whole = sum(rules.words) + sum(rules.rests) + rules.outro
    share = whole / sum(max(piece.usual, piece.least) for piece in row.pieces)
    seconds = min(max(duration * share, whole * HASTE), whole * LEISURE)
    path = durations.weights_path() if settings.weights is None else Path(settings.weights)
    found = durations.by_model(durations.Text(tuple(map(tuple, lines)), beat, seconds), path)
    return replace(found, words=tuple(length / settings.density for length in found.words))


def _to_sing(sheet: Sheet, drops_backing: bool) -> Sheet:
    """The sheet without lines that have no words, and perhaps without its backing words."""
    lines = [replace(line, words=tuple(word for word in line.words if not (drops_backing and word.backing))) for line in sheet.lines]
    return replace(sheet, lines=tuple(line for line in lines if line.words))


def _asked(sections: tuple[Section, ...], spans: Mapping[str, tuple[float, float]] | None) -> tuple[Section, ...]:
    """The sections with the spans that are asked for by name."""
    found = list(sections)
    for name, (start, end) in (spans or {}).items():
        if not 0 <= start < end:
            raise ValueError(f"section {name!r} from {start:g} s to {end:g} s: give its start and a later end, in seconds")
        index = _named(sections, name)
        found[index] = replace(found[index], start=float(start), end=float(end))
    timed = [section for section in found if section.start is not None]
    for former, later in pairwise(timed if spans else []):
        assert former.start is not None and later.start is not None
        if later.start < former.start:
            raise ValueError(f"section {later.name!r} is sung after {former.name!r}, so it cannot start before it; give it a later start")
    return tuple(found)


def _named(sections: Sequence[Section], name: str) -> int:
    """The section that a name means."""
    names = [section.name.casefold().strip() for section in sections]
    wanted = name.casefold().strip()
    if wanted in names:
        return names.index(wanted)
    numbered = re.fullmatch(r"(.*\S)\s+(\d+)", wanted)
    same = [index for index, known in enumerate(names) if numbered and known == numbered[1]]
    if numbered and 1 <= int(numbered[2]) <= len(same):
        return same[int(numbered[2]) - 1]
    raise ValueError(f"section {name!r} is not in the lyrics; they have {', '.join(s.name for s in sections) or 'no sections'}")


def measured(sheet: Sheet, ipa_of: Callable[[Sequence[str]], Sequence[str]]) -> list[list[Sung]]:
    """What each word of each line asks for. Words of other languages, which `ipa_of` need not read, are judged by their spelling."""
    asked = dict.fromkeys(word.word for word in sheet.words if _is_english(word, sheet) and _ipa(word) is None)
    known = dict(zip(asked, ipa_of(list(asked)), strict=True)) if asked else {}

    def asks(word: SheetWord) -> Sung:
        given = _ipa(word)
        return sung(word.word, known.get(word.word) if given is None else given)

    return [[asks(word) for word in line.words] for line in sheet.lines]


def _is_english(word: SheetWord, sheet: Sheet) -> bool:
    return (word.language or sheet.language or ENGLISH).lower().startswith(ENGLISH)


def _ipa(word: SheetWord) -> str | None:
    """The IPA that the sheet itself gives for a word."""
    return "".join(phone.phoneme for phone in word.phones) if word.phones and word.phoneme is None else word.phoneme


def _varied(usual: Lengths, seed: int) -> Lengths:
    """The lengths a little changed by the seed; 0 changes nothing."""
    if not seed:
        return usual
    import torch

    draws = torch.randn(2, len(usual.words), generator=generator("planner", seed)).mul(JITTER).exp().tolist()
    words = [length * factor**0.3 for length, factor in zip(usual.words, draws[0], strict=True)]
    return Lengths(tuple(words), tuple(rest * factor for rest, factor in zip(usual.rests, draws[1], strict=True)), usual.outro)


def _proposed(row: Row, beat: Beat, settings: PlanSettings) -> float:
    """A duration in which everything lasts as usual, a whole number of bars where nothing is given."""
    if not row.starts and not row.sections:
        raise ValueError("an instrumental without sections has no length of its own; give a duration")
    last = max((point for point in row.nails), default=0)
    tail = sum(min(max(piece.usual, piece.least), piece.most) for piece in row.pieces[last:])
    seconds = max([0.0, *row.nails.values()]) + tail
    if row.nails or settings.outro is not None:
        return math.ceil(seconds * 100 - 1e-6) / 100
    return round(math.ceil(seconds / beat.bar - 1e-6) * beat.bar, 3)


def _rounded(points: np.ndarray, row: Row) -> list[float]:
    """The points to the millisecond; given ones exactly, and none beyond a given one."""
    times = [round(float(point), 3) for point in points]
    for point, time in row.nails.items():
        times[point] = time
    known = sorted(row.nails)
    for before, after in zip(known, known[1:], strict=False):
        for point in range(before + 1, after):
            times[point] = max(min(times[point], row.nails[after]), row.nails[before])
    return times


def _filled(sheet: Sheet, row: Row, times: Sequence[float]) -> Sheet:
    """The sheet with the times of its words and sections."""
    edges = iter(zip(row.starts, row.ends, strict=True))
    lines = []
    for line in sheet.lines:
        words = []
        for word in line.words:
            start, end = next(edges)
            words.append(replace(word, start=times[start], end=times[end]))
        lines.append(replace(line, words=tuple(words)))
    return replace(sheet, lines=tuple(lines), sections=_spans(sheet, row, times))


def _spans(sheet: Sheet, row: Row, times: Sequence[float]) -> tuple[Section, ...]:
    """The sections with their spans; each lasts until the next begins, unless the sheet says otherwise."""
    order = sorted(row.sections, key=lambda section: row.sections[section])
    found = list(sheet.sections)
    for section, following in zip_longest(order, order[1:]):
        begin, end = row.sections[section]
        until = end if following is None else row.sections[following][0]
        known = sheet.sections[section]
        start = known.start if known.start is not None else times[begin]
        stop = known.end if known.end is not None else times[until]
        found[section] = replace(known, start=start, end=max(stop, start))
    return tuple(found)
