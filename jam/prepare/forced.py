"""Where words are sung, by torchaudio's forced alignment through what a CTC network heard. The door to `forced_align`.

Between two words, and around them, stands a sound that is no word of the lyrics, as long as it has to be, so that singing which the
lyrics lack pulls no word away. It knows no audio and no network. Letters: F frames, K tokens, L of them in the lyrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from jam.eval.alignment import EXTRA_PRICE, EXTRA_SECONDS, EXTRA_SOUNDS, PEAK_SECONDS, Alignment, Emissions, Found

OTHER = -1  # the place of what is no word
TILT = 1e-3  # nats, by at most which scores are changed: where two ways are exactly as good, torchaudio takes neither


def forced(emissions: Emissions, words: Sequence[Sequence[int]]) -> Alignment:
    """Where each of `words` (token codes) is sung; a word without tokens is not to be found.

    Words that come out unlike themselves are taken away and the rest is placed anew, since they had pushed their neighbours aside.
    Raises ValueError, in one line, where the song has too few frames for the lyrics, and for a network without blanks.
    """
    if emissions.blank is None:
        raise ValueError("forced_align needs a CTC network, and this network hears a sound in every frame; take search viterbi")
    found: list[Found | None] = [None] * len(words)
    places = [place for place, tokens in enumerate(words) if len(tokens)]
    if not len(emissions.scores):
        return Alignment(tuple(found), ())
    while True:
        path = _path(emissions, [words[place] for place in places])
        placed = {place: _found(emissions, path, number) for number, place in enumerate(places)}
        kept = [place for place, one in placed.items() if one.is_sure]
        if len(kept) == len(places):
            break
        places = kept
    for place, one in placed.items():
        found[place] = one
    return Alignment(tuple(found), tuple(_extra(emissions, path.owners == OTHER)))


@dataclass(frozen=True)
class _Path:
    """Of each frame (F,): its token, which of the lyrics' letters it is (the last one that began), and the word that it belongs to."""

    tokens: np.ndarray
    letters: np.ndarray
    owners: np.ndarray


def _path(emissions: Emissions, words: Sequence[Sequence[int]]) -> _Path:
    """The best path of the words with OTHER between them."""
    from torchaudio.functional import forced_align

    assert emissions.blank is not None
    star = emissions.scores.shape[1]
    targets, owners = [star], [OTHER]
    for number, word in enumerate(words):
        targets += [*word, star]
        owners += [*[number] * len(word), OTHER]
    _check(targets, len(emissions.scores))
    scores = np.concatenate([emissions.scores, _other(emissions)[:, None]], 1)
    scores = (scores - np.random.default_rng(0).uniform(0, TILT, scores.shape)).astype(np.float32)
    tokens, _ = forced_align(torch.from_numpy(scores)[None], torch.tensor([targets], dtype=torch.int32), blank=emissions.blank)
    return _owned(tokens[0].numpy(), emissions.blank, np.array(owners))


def _check(targets: Sequence[int], frames: int) -> None:
    """Raises ValueError for more tokens than frames; equal neighbours need a blank between them."""
    needed = len(targets) + sum(one == other for one, other in pairwise(targets))
    if needed > frames:
        raise ValueError(f"the lyrics have {needed} letters and gaps, but the song {frames} frames; give the lyrics of this song")


def _other(emissions: Emissions) -> np.ndarray:
    """The score of what is no word in each frame, (F,): silence, a blank, or any letter at a price."""
    silent = [code for code in (emissions.silence, emissions.blank) if code is not None]
    return np.maximum(emissions.scores[:, silent].max(1), emissions.scores.max(1) - EXTRA_PRICE)


def _owned(tokens: np.ndarray, blank: int, owners: np.ndarray) -> _Path:
    """The words of a path of tokens (F,) through letters of `owners`; blanks between two letters of one word are that word's."""
    is_letter = tokens != blank
    letters = np.cumsum(is_letter & (np.diff(tokens, prepend=blank) != 0)) - 1
    last, following = owners[letters.clip(0)], owners[(letters + 1).clip(0, len(owners) - 1)]
    inside = (letters >= 0) & (is_letter | (last == following))
    return _Path(tokens, letters, np.where(inside, last, OTHER))


def _found(emissions: Emissions, path: _Path, number: int) -> Found:
    """The place of word `number`, which no path passes over."""
    frames = np.flatnonzero(path.owners == number)
    spoken = frames[path.tokens[frames] != emissions.blank]
    below = emissions.scores[spoken, path.tokens[spoken]] - emissions.scores[spoken].max(1)
    letters = path.letters[spoken]
    confidence = float(np.mean([below[letters == letter].mean() for letter in np.unique(letters)]))
    edge = emissions.first - emissions.frame / 2
    return Found(float(edge + frames[0] * emissions.frame), float(edge + (frames[-1] + 1) * emissions.frame), confidence)


def _extra(emissions: Emissions, other: np.ndarray) -> list[tuple[float, float]]:
    """The stretches of no word (F,) in which letters are heard, long and many enough to be words."""
    best = emissions.scores.argmax(1)
    heard = np.flatnonzero(other & (best != emissions.blank) & (best != emissions.silence))
    parts = np.split(heard, np.flatnonzero(np.diff(heard) * emissions.frame > PEAK_SECONDS) + 1) if len(heard) else []
    edge, found = emissions.first - emissions.frame / 2, []
    for part in parts:
        sounds = 1 + int((np.diff(best[part]) != 0).sum())
        if (part[-1] + 1 - part[0]) * emissions.frame >= EXTRA_SECONDS and sounds >= EXTRA_SOUNDS and other[part[0] : part[-1]].all():
            found.append((float(edge + part[0] * emissions.frame), float(edge + (part[-1] + 1) * emissions.frame)))
    return found
