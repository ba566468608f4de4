"""How well words lie where they were asked to: their edges, how many are there at all, and what is sung beside them.

It takes what an aligner found, and knows neither audio nor networks.
"""

from collections.abc import Sequence

import numpy as np

from jam.eval.alignment import Alignment, Found
from jam.eval.measures import Measure, Value
from jam.lyrics.words import Word

WITHIN = (50, 100, 200)  # ms

_FOUND = "Words that the aligner does not find have no error: read it beside coverage. An aligner has errors of its own: see the controls."
MEASURES = (
    Measure(
        "timing.onset_ms", "word onset error", "ms", "lower", "median",
        "Distance of each found word's start from the start asked for, by forced alignment of the lyrics alone; the median of all words.",
        "forced alignment (Viterbi); the errors of MIREX lyrics-to-audio alignment", _FOUND,
    ),
    Measure(
        "timing.offset_ms", "word offset error", "ms", "lower", "median",
        "The same of each found word's end.", "forced alignment (Viterbi)",
        "Where a voice fades into the band the end of a word is a matter of taste. " + _FOUND,
    ),
    Measure(
        "timing.lag_ms", "lag", "ms", "neither", "median",
        "Start sung less start asked, with its sign; the median of all words. Above 0: the words come late.",
        "forced alignment (Viterbi)", "A constant lag is heard only beside the band.", signed=True,
    ),
    Measure(
        "timing.rhythm_ms", "rhythm error", "ms", "lower", "median",
        "The onset error after the song's own median lag is taken off.", "forced alignment (Viterbi)",
        "A drift over the song counts in full.",
    ),
    *(
        Measure(
            f"timing.within_{limit}", f"words within {limit} ms", "%", "higher", "mean",
            f"Share of the words asked for that are found with their start within {limit} ms; words that are missing count as outside.",
            "forced alignment (Viterbi)", "Shares near 100 % tell systems apart no longer.",
        )
        for limit in WITHIN
    ),
    Measure(
        "timing.coverage", "words found", "%", "higher", "mean",
        "Share of the words asked for that are heard in their order: not passed over by the best path, and like themselves enough.",
        "forced alignment with words that may be passed over, confidence as goodness of pronunciation (Witt and Young 2000)",
        "Where words are repeated, it cannot be said which of them is missing; and where nothing is heard clearly, in noise, nothing is "
        "clearly missing: read it beside the phone error rate.",
    ),
    Measure(
        "timing.missing", "words missing", "%", "lower", "mean", "Share of the words asked for that are not found.",
        "as words found", "As words found.",
    ),
    Measure(
        "timing.extra", "extra singing", "%", "lower", "mean",
        "Stretches in which something else is sung, for each hundred words asked for.",
        "sounds heard in the gaps of the best path, from 0.15 s on", "Held vowels, breaths and instruments may be taken for singing.",
        is_rate=True,
    ),
)  # fmt: skip


def measure(asked: Sequence[Word | None], alignment: Alignment, spelled: Sequence[Sequence[int]] | None = None) -> dict[str, Value]:
    """The timing of one song: `asked` are its words at the times asked for, None where a word has none, as `alignment` has them.

    Words of no tokens in `spelled` have no sound and do not count. A song without words has no timing, one without found words no errors.
    """
    kept = [place for place in range(len(alignment.words)) if spelled is None or len(spelled[place])]
    if not kept:
        return {}
    pairs = [(asked[place], alignment.words[place]) for place in kept]
    share = sum(found is not None for _, found in pairs) / len(pairs)
    values = {
        "timing.coverage": Value(100 * share, len(pairs)),
        "timing.missing": Value(100 * (1 - share), len(pairs)),
        "timing.extra": Value(100 * len(alignment.extra) / len(pairs), len(pairs)),
    }
    timed = [(word, found) for word, found in pairs if word is not None]
    return values | _errors(timed) if timed else values


def _errors(pairs: Sequence[tuple[Word, Found | None]]) -> dict[str, Value]:
    """What needs times that were asked for."""
    both = [(word, found) for word, found in pairs if found is not None]
    onsets = 1000 * np.array([found.start - word.start for word, found in both])
    offsets = 1000 * np.array([found.end - word.end for word, found in both])
    values = {f"timing.within_{limit}": Value(100 * float((np.abs(onsets) <= limit).sum()) / len(pairs), len(pairs)) for limit in WITHIN}
    if both:
        values["timing.onset_ms"] = _pooled(np.abs(onsets))
        values["timing.offset_ms"] = _pooled(np.abs(offsets))
        values["timing.lag_ms"] = _pooled(onsets)
        values["timing.rhythm_ms"] = _pooled(np.abs(onsets - np.median(onsets)))
    return values


def _pooled(samples: np.ndarray) -> Value:
    """The median, and the samples for that of many songs."""
    return Value(float(np.median(samples)), len(samples), tuple(round(float(sample), 2) for sample in samples))
