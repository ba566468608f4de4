"""When words are sung: the best path of lyrics through what a network heard. It knows no audio and no network.

A path goes from left to right through each word's tokens and the gaps between words. A gap is silence, or sounds that are no word of the
lyrics (at a price a frame). A word that is not sung may be passed over (at a price), so that its neighbours keep their places. Nothing is
known of the times that were asked for: they cannot pull the answer towards themselves. Viterbi (1967); over phones as forced aligners
do, and with optional blanks over CTC tokens (Graves et al. 2006). Prices and the least confidence were set by reasoning, before a
song was measured, and not tuned since. Letters: F frames, K tokens, S states of a path.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

EXTRA_PRICE = 1.0  # of a frame of sounds that are no word, under the best sound's score
SKIP_PRICE = 15.0  # of a word that is passed over
FORBIDDEN = -1e9
LEAST_CONFIDENCE = -2.5  # mean log-probability under the best sound from which on a word counts as found
PEAK_SECONDS = 0.3  # blanks between the letters of a CTC network last at most so long within singing
EXTRA_SECONDS, EXTRA_SOUNDS = 0.15, 2  # sounds in a gap are extra words from so long, and so many different ones, on


@dataclass(frozen=True)
class Emissions:
    """What a network heard, frame by frame.

    `scores` (F, K) are natural logarithms of the probabilities of K tokens; frame i is centred at `first` + i * `frame` seconds. `blank`
    is the token of a CTC network that stands between others (None where each frame has its own sound), `silence` that of no sound.
    """

    scores: np.ndarray
    frame: float
    first: float = 0.0
    blank: int | None = None
    silence: int | None = None

    @property
    def end(self) -> float:
        """When the last frame ends, in seconds."""
        return self.first + (len(self.scores) - 0.5) * self.frame

    def cut(self, start: float, end: float) -> "Emissions":
        """The frames between two moments, at least one, still at their own times."""
        edge = self.first - self.frame / 2
        low = min(max(round((start - edge) / self.frame), 0), len(self.scores) - 1)
        high = max(round((end - edge) / self.frame), low + 1)
        return Emissions(self.scores[low:high], self.frame, self.first + low * self.frame, self.blank, self.silence)


@dataclass(frozen=True)
class Found:
    """Where a word was found, in seconds; `confidence` is the mean over its tokens of how far each was under the best one (0 at best)."""

    start: float
    end: float
    confidence: float

    @property
    def is_sure(self) -> bool:
        """Whether the word is enough like itself to count as found."""
        return self.confidence >= LEAST_CONFIDENCE


@dataclass(frozen=True)
class Alignment:
    """Each word's place, None for one that is not sung; and the stretches (start, end) in which something else is."""

    words: tuple[Found | None, ...]
    extra: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Graph:
    """States of paths side by side. A state is entered from itself, from the one before it, or by its jump; gaps are code -1."""

    codes: np.ndarray  # (S,)
    before: np.ndarray  # (S,) price of coming from the state before
    jump: np.ndarray  # (S,) where the jump comes from
    leap: np.ndarray  # (S,) price of the jump
    begin: np.ndarray  # (S,) price of beginning here
    finish: np.ndarray  # (S,) price of ending here
    word: np.ndarray  # (S,) which word the state is of, -1 in gaps


_Row = tuple[int, float, int, float, float, float, int]  # one of each of a graph's columns


def align(emissions: Emissions, words: Sequence[Sequence[int]]) -> Alignment:
    """Where each of `words` (token codes) is sung; a word without tokens is not to be found. Nothing is refused: no frames find nothing.

    Words that come out unlike themselves are taken away and the rest is placed anew, since they had pushed their neighbours aside.
    """
    found: list[Found | None] = [None] * len(words)
    places = [place for place, tokens in enumerate(words) if len(tokens)]
    if not len(emissions.scores):
        return Alignment(tuple(found), ())
    while True:
        graph = _graph([[list(words[place]) for place in places]], emissions.blank, SKIP_PRICE)
        path = _trace(_emitted(emissions, graph), graph)
        kept = [place for number, place in enumerate(places) if (one := _found(emissions, graph, path, number)) and one.is_sure]
        if len(kept) == len(places):
            break
        places = kept
    for number, place in enumerate(places):
        found[place] = _found(emissions, graph, path, number)
    return Alignment(tuple(found), tuple(_extra(emissions, graph, path)))


def score(emissions: Emissions, candidates: Sequence[Sequence[Sequence[int]]]) -> np.ndarray:
    """How well each of several lyrics fits: its best path's mean log-probability a frame, (candidates,); no word is passed over."""
    if not len(emissions.scores):
        return np.full(len(candidates), FORBIDDEN)
    sung = [[list(word) for word in words if len(word)] for words in candidates]
    graph = _graph(sung, emissions.blank, -FORBIDDEN)
    emitted = _emitted(emissions, graph)
    best = emitted[0] - graph.begin
    for row in emitted[1:]:
        best = np.maximum(np.maximum(best, _shifted(best) - graph.before), best[graph.jump] - graph.leap) + row
    ends = np.cumsum([_size(words, emissions.blank) for words in sung])
    return np.array([part.max() for part in np.split(best - graph.finish, ends[:-1])]) / len(emissions.scores)


def _size(words: Sequence[Sequence[int]], blank: int | None) -> int:
    """How many states lyrics have."""
    return 1 + sum(len(word) + 1 + (len(word) - 1 if blank is not None else 0) for word in words)


def _graph(lyrics: Sequence[Sequence[Sequence[int]]], blank: int | None, skip: float) -> _Graph:
    """The states of several lyrics one after another, with no way from one to the next: gap, word, gap, word, ..., gap."""
    rows: list[_Row] = []
    for words in lyrics:
        first = len(rows)
        rows.append((-1, -FORBIDDEN, first, -FORBIDDEN, 0.0, skip * len(words), -1))
        for number, word in enumerate(words):
            gap = len(rows) - 1
            left = len(words) - number - 1
            follows = number > 0 and (blank is None or words[number - 1][-1] != word[0])
            rows += _word(word, blank, _Place(gap, number, follows, skip * number, skip * left))
            rows.append((-1, 0.0, gap, skip, skip * (number + 1), skip * left, -1))
    codes, before, jump, leap, begin, finish, word_of = (np.array(column) for column in zip(*rows, strict=True))
    far = np.array([value for value in (before, leap, begin, finish)], np.float64).clip(max=-FORBIDDEN)
    return _Graph(codes, far[0], jump, far[1], far[2], far[3], word_of)


@dataclass(frozen=True)
class _Place:
    """Where a word stands: after which gap, as which word, whether right after the last one; prices of passing over words beside it."""

    gap: int
    number: int
    follows: bool
    skipped: float
    left: float


def _word(tokens: Sequence[int], blank: int | None, place: _Place) -> list[_Row]:
    """The states of one word; between CTC tokens a blank, which equal neighbours need."""
    far, rows, here = -FORBIDDEN, [], place.gap + 1
    for index, token in enumerate(tokens):
        if index and blank is not None:
            rows.append((blank, 0.0, here, far, far, far, place.number))
            here += 1
        if index == 0:
            jump, leap = max(place.gap - 1, 0), 0.0 if place.follows else far
        else:
            jump, leap = (here - 2, 0.0) if blank is not None and token != tokens[index - 1] else (here, far)
        finish = place.left if index == len(tokens) - 1 else far
        rows.append((token, 0.0, jump, leap, far if index else place.skipped, finish, place.number))
        here += 1
    return rows


def _emitted(emissions: Emissions, graph: _Graph) -> np.ndarray:
    """The score of each state in each frame, (F, S)."""
    scores = emissions.scores
    silent = [code for code in (emissions.silence, emissions.blank) if code is not None]
    gap = np.maximum(scores[:, silent].max(1) if silent else FORBIDDEN, scores.max(1) - EXTRA_PRICE)
    return np.concatenate([scores, gap[:, None]], 1)[:, graph.codes]  # a gap's code, -1, is the last column


def _shifted(best: np.ndarray) -> np.ndarray:
    """What each state's neighbour before it has."""
    return np.concatenate([[FORBIDDEN], best[:-1]])


def _trace(emitted: np.ndarray, graph: _Graph) -> np.ndarray:
    """The best path's state in each frame, (F,)."""
    frames, states = emitted.shape
    came = np.zeros((frames, states), np.int8)
    best = emitted[0] - graph.begin
    for index in range(1, frames):
        near, far = _shifted(best) - graph.before, best[graph.jump] - graph.leap
        stays = np.maximum(near, far)
        came[index] = np.where(best >= stays, 0, np.where(near >= far, 1, 2))
        best = np.maximum(best, stays) + emitted[index]
    path = np.empty(frames, np.int64)
    path[-1] = int((best - graph.finish).argmax())
    for index in range(frames - 1, 0, -1):
        here, way = path[index], came[index, path[index]]
        path[index - 1] = here if way == 0 else here - 1 if way == 1 else graph.jump[here]
    return path


def _found(emissions: Emissions, graph: _Graph, path: np.ndarray, number: int) -> Found | None:
    """The place of word `number` on a path; None where it is passed over."""
    frames = np.flatnonzero(graph.word[path] == number)
    if not len(frames):
        return None
    spoken = frames[graph.codes[path[frames]] != emissions.blank] if emissions.blank is not None else frames
    states = path[spoken]
    below = emissions.scores[spoken, graph.codes[states]] - emissions.scores[spoken].max(1)
    confidence = float(np.mean([below[states == state].mean() for state in np.unique(states)]))
    edge = emissions.first - emissions.frame / 2
    return Found(float(edge + frames[0] * emissions.frame), float(edge + (frames[-1] + 1) * emissions.frame), confidence)


def _extra(emissions: Emissions, graph: _Graph, path: np.ndarray) -> list[tuple[float, float]]:
    """The stretches of gaps in which sounds are heard, long enough and of enough sounds to be words."""
    best = emissions.scores.argmax(1)
    silent = np.isin(best, [code for code in (emissions.silence, emissions.blank) if code is not None])
    gap = graph.word[path] < 0
    heard = gap & ~silent
    if emissions.blank is not None:
        heard |= _between_peaks(heard, gap & (best == emissions.blank), round(PEAK_SECONDS / emissions.frame))
    found, edge = [], emissions.first - emissions.frame / 2
    for low, high in _runs(heard):
        sounds = len([code for code, _ in groupby(best[low:high]) if code != emissions.blank])
        if (high - low) * emissions.frame >= EXTRA_SECONDS and sounds >= EXTRA_SOUNDS:
            found.append((float(edge + low * emissions.frame), float(edge + high * emissions.frame)))
    return found


def _between_peaks(heard: np.ndarray, blank: np.ndarray, most: int) -> np.ndarray:
    """Runs of at most `most` blanks with letters on both sides: a CTC network writes a letter in few of the frames in which it sounds."""
    filled = np.zeros_like(heard)
    for low, high in _runs(blank):
        if low > 0 and high < len(heard) and high - low <= most and heard[low - 1] and heard[high]:
            filled[low:high] = True
    return filled


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Where stretches of true begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
