"""Duration control: how long a song lasts, what is heard before its first sound and after the end that was asked for.

Levels are of 10 ms blocks, both channels together, against the level of the song. It knows no words, no files and no network.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from jam.eval.measures import Measure, Value
from jam.timing import SAMPLE_RATE

BLOCK = SAMPLE_RATE // 100  # samples: 10 ms
SOUNDING = -40.0  # dB against the level of the song: a block above is heard
PRESENT = -60.0  # dB against the loudest block: blocks above make the level of the song
SILENT = 1e-4  # full scale (-80 dB): a loudest block below this is silence
FLOOR = -80.0  # dB: nothing is told as quieter than that
LAST = 5  # blocks: the last 50 ms
OURS = "own definition"

MEASURES: tuple[Measure, ...] = (
    Measure(
        "duration.length_error",
        "length error",
        "s",
        "lower",
        "mean",
        "Distance between the length of the file and the length asked for.",
        OURS,
        "A program may cut or pad the file to the second; what the model itself did is told by the tail of the whole canvas.",
    ),
    Measure(
        "duration.tail",
        "level after the end",
        "dB",
        "lower",
        "mean",
        "Level of all that follows the end asked for, against the level of the song before it; -80 dB at the least. "
        "Of the whole canvas where it was kept, else of the file; left out where less than 50 ms follow.",
        "the RMS after the target duration of JAM (arXiv 2507.20880), made relative",
        "A file that was cut to its length has no tail.",
    ),
    Measure(
        "duration.late_end",
        "late end",
        "s",
        "lower",
        "mean",
        "How long sound goes on after the end asked for: until its last 10 ms above -40 dB against the song. "
        "Of the whole canvas where it was kept, else of the file.",
        OURS,
        "A long reverberation counts as sound; a file that was cut to its length has 0.",
    ),
    Measure(
        "duration.lead_in",
        "silence at the start",
        "s",
        "neither",
        "mean",
        "Time until the first 10 ms above -40 dB against the song.",
        OURS,
        "A quiet fade-in counts as silence until it passes that level.",
    ),
    Measure(
        "duration.late_start",
        "silence past the first word",
        "s",
        "lower",
        "mean",
        "How long after the time of the first word asked for the song is still silent.",
        OURS,
        "It hears sound, not words; whether the word was sung then is told by timing.",
    ),
    Measure(
        "duration.silence_end",
        "silence at the end",
        "s",
        "lower",
        "mean",
        "Time from the last 10 ms above -40 dB against the song to the end of the file.",
        OURS,
        "A quiet fade-out counts as silence once it is below that level.",
    ),
    Measure(
        "duration.cut_off",
        "level of the last moment",
        "dB",
        "lower",
        "mean",
        "Level of the last 50 ms of the file against the level of the song, -80 dB at the least: near 0 dB the song was cut off, "
        "below -30 dB it had ended.",
        OURS,
        "A song that is cut off and then padded with silence passes; a last note may be loud on purpose.",
    ),
)


def measure(samples: Tensor, asked: float | None = None, first_word: float | None = None, whole: Tensor | None = None) -> dict[str, Value]:
    """The measures of a song, `samples` (2, N) at 44.1 kHz, that was to last `asked` seconds and to sing from `first_word` seconds on.

    `whole` (2, M) is the uncut canvas it was cut from, where that was kept: what follows the end is heard there. Measures that need what
    is not given are left out; of a silent song only lengths are told.
    """
    found = _around(samples, first_word)
    if asked is not None:
        found["duration.length_error"] = Value(abs(samples.shape[-1] / SAMPLE_RATE - asked))
        found |= _after(samples if whole is None else whole, round(asked * SAMPLE_RATE))
    return found


def levels(samples: Tensor) -> Tensor:
    """Mean squares (blocks,) of 10 ms blocks of `samples` (channels, N); the last block may be shorter."""
    power = samples.double().square().mean(0)
    short = -power.shape[0] % BLOCK
    sums = torch.nn.functional.pad(power, (0, short)).view(-1, BLOCK).sum(1)
    counts = torch.full_like(sums, BLOCK)
    counts[-1:] -= short
    return sums / counts


def level(blocks: Tensor) -> float:
    """The level of a song, as a mean square, from its `blocks` (n,): that of the blocks that are not silent; 0 for silence."""
    loudest = float(blocks.max()) if len(blocks) else 0.0
    if loudest < SILENT**2:
        return 0.0
    return float(blocks[blocks > loudest * _power(PRESENT)].mean())


def _around(samples: Tensor, first_word: float | None) -> dict[str, Value]:
    """Silence at both ends of the file, and how it stops."""
    blocks, seconds = levels(samples), samples.shape[-1] / SAMPLE_RATE
    usual = level(blocks)
    first, last = _heard(blocks, usual)
    start = min(first * BLOCK / SAMPLE_RATE, seconds)
    found = {
        "duration.lead_in": Value(start),
        "duration.silence_end": Value(max(0.0, seconds - last * BLOCK / SAMPLE_RATE)),
    }
    if first_word is not None:
        found["duration.late_start"] = Value(max(0.0, start - first_word))
    if usual:
        moment = float(samples[:, -LAST * BLOCK :].double().square().mean())
        found["duration.cut_off"] = Value(_decibels(moment / usual))
    return found


def _after(samples: Tensor, end: int) -> dict[str, Value]:
    """What follows sample `end`, against what comes before it."""
    usual = level(levels(samples[:, :end]))
    if not usual:
        return {}
    rest = samples[:, end:]
    blocks = levels(rest)
    last = _heard(blocks, usual)[1]
    found = {"duration.late_end": Value(min(last * BLOCK, rest.shape[-1]) / SAMPLE_RATE)}
    if rest.shape[-1] >= LAST * BLOCK:
        found["duration.tail"] = Value(_decibels(float(rest.double().square().mean()) / usual))
    return found


def _heard(blocks: Tensor, usual: float) -> tuple[int, int]:
    """The first block that is heard, and the one after the last; of silence, the number of blocks and 0."""
    places = (blocks > usual * _power(SOUNDING)).nonzero()[:, 0] if usual else blocks.new_zeros(0)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (len(blocks), 0)


def _power(decibels: float) -> float:
    return 10 ** (decibels / 10)


def _decibels(power: float) -> float:
    """A ratio of mean squares in dB, not below the floor."""
    return max(FLOOR, 10 * math.log10(power)) if power > 0 else FLOOR
