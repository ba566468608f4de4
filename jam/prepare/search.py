"""The best path of lyrics through a song of any length, by a network that hears a sound in each frame. It knows no audio and no settings.

As `jam.eval.alignment`, which measures songs, but made for teaching: a sound lasts as long as a voice needs for it, so that a word
that is not sung cannot hide in a moment; sounds that voices and dictionaries exchange (`alike`) stand for one another; lines may be held
to the times that a file gives them; and memory is a quarter of a byte for each frame and sound. Letters: F frames, K sounds, S states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from jam.eval.alignment import EXTRA_PRICE, EXTRA_SECONDS, EXTRA_SOUNDS, FORBIDDEN, SKIP_PRICE, Alignment, Emissions, Found

VOWEL_FRAMES, FRAMES = 6, 3  # that a vowel, and every other sound, lasts at least
LEAST_CONFIDENCE = -1.8  # from which on a word counts as found
VOWELS_ALIKE, OTHERS_ALIKE = 0.4, 0.3  # chance that a sound is heard as any one of its family
FLOOR = -25.0  # of a log-probability

Window = tuple[float, float]  # seconds


@dataclass(frozen=True)
class Sounds:
    """What a path must know of a network's sounds: how many frames each lasts at least (K,), and how it may be heard (K, K)."""

    least: np.ndarray
    heard_as: np.ndarray


def sounds_of(names: Sequence[str], vowels: Sequence[str], families: Sequence[Sequence[str]]) -> Sounds:
    """The sounds `names`; of `vowels` each may be heard as each, of the others those of a family as one another."""
    codes = {name: code for code, name in enumerate(names)}
    heard_as = np.eye(len(names))
    for name in names:
        share = VOWELS_ALIKE if name in vowels else OTHERS_ALIKE
        near = sorted({codes[other] for family in (vowels, *families) if name in family for other in family})
        if near:
            heard_as[codes[name]] *= 1 - share
            heard_as[codes[name], near] += share / len(near)
    return Sounds(np.array([VOWEL_FRAMES if name in vowels else FRAMES for name in names]), heard_as)


def lenient(emissions: Emissions, sounds: Sounds) -> Emissions:
    """The emissions with each sound as probable as all that it may be heard as."""
    chances = np.exp(emissions.scores.astype(np.float64)) @ sounds.heard_as.T
    return replace(emissions, scores=np.log(chances.clip(np.exp(FLOOR))).astype(np.float32))


def place(
    sounds: Sounds, emissions: Emissions, words: Sequence[Sequence[int]], windows: Sequence[Window | None] | None = None
) -> Alignment:
    """Where each of `words` (codes of sounds) is sung; `windows` say where each may be at all. No frames find nothing.

    Words that come out unlike themselves are taken away and the rest is placed anew, since they had pushed their neighbours aside.
    """
    found: list[Found | None] = [None] * len(words)
    if not len(emissions.scores):
        return Alignment(tuple(found), ())
    heard = lenient(emissions, sounds)
    places = [place for place, tokens in enumerate(words) if len(tokens)]
    while True:
        graph = _graph([list(words[place]) for place in places], sounds, _frames(heard, windows, places))
        path = _trace(heard, graph)
        placed = {place: _found(heard, graph, path, number) for number, place in enumerate(places)}
        kept = [place for place, one in placed.items() if one is not None and one.confidence >= LEAST_CONFIDENCE]
        if len(kept) == len(places):
            break
        places = kept
    for place, one in placed.items():
        found[place] = one
    return Alignment(tuple(found), tuple(_extra(emissions, graph.word[path] < 0)))


@dataclass(frozen=True)
class _Graph:
    """States side by side: gap, sounds of a word, gap, ... A state is entered from the one before it, or by its jump; gaps are code -1."""

    codes: np.ndarray  # (S,)
    least: np.ndarray  # (S,) frames that it lasts at least
    before: np.ndarray  # (S,) price of coming from the state before
    jump: np.ndarray  # (S,) where the jump comes from
    leap: np.ndarray  # (S,) price of the jump
    begin: np.ndarray  # (S,) price of beginning here
    finish: np.ndarray  # (S,) price of ending here
    word: np.ndarray  # (S,) which word the state is of, -1 in gaps
    first: np.ndarray  # (S,) the frame from which on,
    last: np.ndarray  # (S,) and the one until which it may be


def _graph(words: Sequence[Sequence[int]], sounds: Sounds, frames: Sequence[tuple[int, int]]) -> _Graph:
    far, count = -FORBIDDEN, len(words)
    ever = (0, np.iinfo(np.int64).max)
    rows: list[tuple[float, ...]] = [(-1, 1, far, 0, far, 0.0, SKIP_PRICE * count, -1, *ever)]
    for number, (word, between) in enumerate(zip(words, frames, strict=True)):
        gap, done, left = len(rows) - 1, SKIP_PRICE * number, SKIP_PRICE * (count - number - 1)
        for index, code in enumerate(word):
            leap, begin = (0.0 if number and not index else far), (far if index else done)
            finish = left if index == len(word) - 1 else far
            rows.append((code, sounds.least[code], 0.0, max(gap - 1, 0), leap, begin, finish, number, *between))
        rows.append((-1, 1, 0.0, gap, SKIP_PRICE, done + SKIP_PRICE, left, -1, *ever))
    whole = np.array([[row[column] for column in (0, 1, 3, 7, 8, 9)] for row in rows], np.int64).T
    price = np.array([[row[column] for column in (2, 4, 5, 6)] for row in rows], np.float64).T
    return _Graph(whole[0], whole[1], price[0], whole[2], price[1], price[2], price[3], whole[3], whole[4], whole[5])


def _frames(emissions: Emissions, windows: Sequence[Window | None] | None, places: Sequence[int]) -> list[tuple[int, int]]:
    """The first and last frame in which each word may be."""
    ever, found = (0, len(emissions.scores)), []
    for place in places:
        window = None if windows is None else windows[place]
        edges = ever if window is None else tuple(round((edge - emissions.first) / emissions.frame) for edge in window)
        found.append((edges[0], edges[1]))
    return found


def _trace(emissions: Emissions, graph: _Graph) -> np.ndarray:
    """The best path's state in each frame, (F,).

    A state that is entered is paid for its least frames at once, from running sums: the path before it ended so many frames ago.
    """
    depth, count = int(graph.least.max()) + 1, len(graph.codes)
    sums, shortest, columns = _sums(emissions, depth), _shortest(graph, emissions.scores.shape[1]), np.arange(emissions.scores.shape[1] + 1)
    past = np.full((depth, count), FORBIDDEN)  # the last frames' best
    rows = [(phase - graph.least) % depth * count for phase in range(depth)]  # where a state's frame before its least ones is
    one_before = np.maximum(np.arange(count) - 1, 0)
    near_at, far_at = [row + one_before for row in rows], [row + graph.jump for row in rows]
    is_held = bool((graph.first > 0).any() or (graph.last < len(emissions.scores)).any())
    ways = np.zeros((len(emissions.scores), 2, -(-count // 8)), np.uint8)  # entered?, by the jump?
    for index in range(len(emissions.scores)):
        now = sums[depth + index + 1]
        held = past[(index - 1) % depth] + (now - sums[depth + index])[graph.codes]
        near, far = past.take(near_at[index % depth]) - graph.before, past.take(far_at[index % depth]) - graph.leap
        came = np.maximum(near, far)
        if index < depth:
            came = np.where(graph.least == index + 1, -graph.begin, came)
        entered = came + (now - sums[depth + index + 1 - shortest, columns])[graph.codes]
        ways[index, 0], ways[index, 1] = np.packbits(entered > held), np.packbits(far > near)
        best = np.maximum(held, entered)
        if is_held:
            best[(index - graph.least + 1 < graph.first) & (entered > held) | (index > graph.last)] = FORBIDDEN
        past[index % depth] = best
    return _back(ways, graph, int((best - graph.finish).argmax()))


def _shortest(graph: _Graph, gap: int) -> np.ndarray:
    """How many frames each sound of the graph lasts at least, and a gap, (K + 1,); 1 for sounds that it lacks."""
    found = np.ones(gap + 1, np.int64)
    found[np.where(graph.codes < 0, gap, graph.codes)] = graph.least
    return found


def _back(ways: np.ndarray, graph: _Graph, state: int) -> np.ndarray:
    """The path that ends in `state`, (F,)."""
    path, index = np.empty(len(ways), np.int64), len(ways) - 1
    while index >= 0:
        if not _bit(ways[index, 0], state):
            path[index] = state
            index -= 1
            continue
        low = max(index - int(graph.least[state]) + 1, 0)
        path[low : index + 1] = state
        state = int(graph.jump[state]) if _bit(ways[index, 1], state) else max(state - 1, 0)
        index = low - 1
    return path


def _bit(row: np.ndarray, place: int) -> bool:
    return bool(row[place >> 3] >> (7 - (place & 7)) & 1)


def _sums(emissions: Emissions, depth: int) -> np.ndarray:
    """Running sums (depth + F + 1, K + 1) of the scores of each sound, and of a gap: silence, or any sound at a price.

    The first `depth` rows stand for what is before the song: nothing can have begun there.
    """
    scores = emissions.scores.astype(np.float64)
    other = scores.max(1) - EXTRA_PRICE
    gap = other if emissions.silence is None else np.maximum(other, scores[:, emissions.silence])
    columns = np.concatenate([scores, gap[:, None]], 1)
    before = np.full((depth + 1, columns.shape[1]), -FORBIDDEN)
    before[depth] = 0.0
    return np.concatenate([before, np.cumsum(columns, 0)])


def _found(emissions: Emissions, graph: _Graph, path: np.ndarray, number: int) -> Found | None:
    """The place of word `number` on a path; None where it is passed over."""
    frames = np.flatnonzero(graph.word[path] == number)
    if not len(frames):
        return None
    states = path[frames]
    below = emissions.scores[frames, graph.codes[states]] - emissions.scores[frames].max(1)
    parts = np.unique(states)
    confidence = float(np.average([below[states == state].mean() for state in parts], weights=graph.least[parts]))
    edge = emissions.first - emissions.frame / 2
    return Found(float(edge + frames[0] * emissions.frame), float(edge + (frames[-1] + 1) * emissions.frame), confidence)


def _extra(emissions: Emissions, gap: np.ndarray) -> list[tuple[float, float]]:
    """The stretches of gaps (F,) in which sounds are heard, long enough and of enough sounds to be words."""
    best = emissions.scores.argmax(1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (gap & (best != emissions.silence)).astype(np.int8), [0]])))
    found, edge = [], emissions.first - emissions.frame / 2
    for low, high in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if (high - low) * emissions.frame >= EXTRA_SECONDS and len(list(groupby(best[low:high]))) >= EXTRA_SOUNDS:
            found.append((float(edge + low * emissions.frame), float(edge + high * emissions.frame)))
    return found
