"""Which recordings stay out of the shards, and why: rules over what was found of them. Each rule is a setting; null turns it off.

It measures nothing. What a rule compares is what `records` holds; a reason says the value, the limit and the setting.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from jam.prepare.records import Facts, Reason, Timing, Track

EXTRA = "is sung for a share of {:.2f} where its lyrics have nothing"


@dataclass(frozen=True)
class Rules:
    """What a recording must be like."""

    min_seconds: float | None = 5.0  # seconds that a recording lasts, at least
    max_seconds: float | None = 600.0  # seconds that it lasts, at most
    min_rate: int | None = 22_050  # Hz that it is sampled at, at least
    min_bandwidth: float | None = 6000.0  # Hz up to which its spectrum must reach, whatever its rate says
    allow_mono: bool = True  # songs whose channels are equal
    allow_damaged: bool = False  # files whose end is missing
    allow_duplicates: bool = False  # songs that an earlier one holds already
    max_silence: float | None = 0.6  # share of the song that is silent, at most
    min_loudness: float | None = -50.0  # LUFS, at least
    max_clipping: float | None = 2.0  # % of samples that are clipped, at most
    max_offset: float | None = 5.0  # % of full scale, at most
    allow_wordless: bool = False  # songs without words, as instrumentals
    min_found: float | None = 0.7  # share of the words that must be heard
    min_confidence: float | None = None  # mean log-probability of the words heard, 0 at best, at least
    max_extra: float | None = 0.5  # share of the recording in which is sung what the lyrics lack, at most
    max_error: float | None = 300.0  # ms between given times and what is heard, in the median, at most
    max_unknown: float | None = 0.5  # share of words that no dictionary has, at most
    max_words_per_second: float | None = 8.0  # of the whole recording
    min_words_per_second: float | None = None  # of the whole recording
    allow_unlicensed: bool = False  # songs without license or source

    def __post_init__(self) -> None:
        for name in ("max_silence", "min_found", "max_extra", "max_unknown"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"rules.{name} is {value}; give a share from 0 to 1, or null")
        for low, high in (("min_seconds", "max_seconds"), ("min_words_per_second", "max_words_per_second")):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least > most:
                raise ValueError(f"rules.{low} is {least} and rules.{high} {most}; nothing is between them")
        for name in ("min_seconds", "max_seconds", "min_rate", "min_bandwidth", "max_error", "max_words_per_second"):
            value = getattr(self, name)
            if value is not None and (not math.isfinite(value) or value < 0):
                raise ValueError(f"rules.{name} is {value}; give a number from 0, or null")


def of_rights(rules: Rules, track: Track) -> Iterator[Reason]:
    """What speaks against a song for its rights."""
    absent = [name for name in ("license", "source") if not (getattr(track, name) or "").strip()]
    if absent and not rules.allow_unlicensed:
        advice = f"name it in the manifest or with {absent[0]}=..., or set rules.allow_unlicensed=true"
        yield Reason("allow_unlicensed", f"has no {' and no '.join(absent)}; {advice}")


def of_sound(rules: Rules, facts: Facts) -> Iterator[Reason]:
    """What speaks against a song for its sound."""
    if facts.damage is not None and not rules.allow_damaged:
        yield Reason("allow_damaged", facts.damage)
    yield from _under("min_seconds", facts.seconds, rules.min_seconds, "lasts {:.2f} s")
    yield from _over("max_seconds", facts.seconds, rules.max_seconds, "lasts {:.1f} s")
    yield from _under("min_rate", facts.rate, rules.min_rate, "is sampled at {:.0f} Hz")
    if facts.is_mono and not rules.allow_mono:
        yield Reason("allow_mono", "is mono, and rules.allow_mono is false")
    if facts.loudness is None:
        yield Reason("max_silence", "is silent")
        return
    yield from _under("min_bandwidth", facts.bandwidth, rules.min_bandwidth, "holds nothing above {:.0f} Hz")
    yield from _over("max_silence", facts.silence, rules.max_silence, "is silent for {:.2f} of its length")
    yield from _under("min_loudness", facts.loudness, rules.min_loudness, "has a loudness of {:.1f} LUFS")
    yield from _over("max_clipping", facts.clipping, rules.max_clipping, "has {:.2f} % of its samples clipped")
    yield from _over("max_offset", facts.offset, rules.max_offset, "has a constant offset of {:.2f} %")


def of_words(rules: Rules, timing: Timing, seconds: float, is_instrumental: bool = False) -> Iterator[Reason]:
    """What speaks against a song of `seconds` for its words; `is_instrumental`: it is said to have none."""
    yield from _over("max_extra", sum(end - start for start, end in timing.extra) / seconds, rules.max_extra, EXTRA)
    if timing.found is None:
        if not rules.allow_wordless and not is_instrumental:
            told = f" ({'; '.join(timing.remarks)})" if timing.remarks else ""
            yield Reason("allow_wordless", f"has no words{told}; say instrumental of it, or take all such with rules.allow_wordless=true")
        return
    if rules.min_found is not None and timing.found < rules.min_found:
        share = f"of {len(timing.words)} words {timing.found:.0%} are heard, less than rules.min_found {rules.min_found:g}"
        yield Reason("min_found", f"{share}: lyrics of another song or version, or singing that {timing.heard_by} does not understand")
    if timing.confidence is not None:
        yield from _under("min_confidence", timing.confidence, rules.min_confidence, "is heard with a confidence of {:.2f}")
    if timing.error is not None:
        yield from _over("max_error", timing.error, rules.max_error, "has times that miss what is heard by {:.0f} ms")
    if timing.unknown is not None:
        yield from _over("max_unknown", timing.unknown, rules.max_unknown, "has a share of {:.2f} of words that no dictionary has")
    rate = len(timing.words) / seconds
    yield from _over("max_words_per_second", rate, rules.max_words_per_second, "has {:.2f} words a second")
    yield from _under("min_words_per_second", rate, rules.min_words_per_second, "has {:.3f} words a second")


def _under(rule: str, value: float, limit: float | None, told: str) -> Iterator[Reason]:
    if limit is not None and value < limit:
        yield Reason(rule, f"{told.format(value)}, less than rules.{rule} {limit:g}")


def _over(rule: str, value: float, limit: float | None, told: str) -> Iterator[Reason]:
    if limit is not None and value > limit:
        yield Reason(rule, f"{told.format(value)}, more than rules.{rule} {limit:g}")
