"""Words to phoneme slots: the row of token ids that the network reads, four a latent frame.

Knows times and token ids; where a word's ids come from (`phonemes`) and what the network does with them is not its business.
The rules are JAM-0.5's (arXiv 2507.20880): words that touch the crop are shifted by its start, turned to slots by truncation and clamped to
the canvas; a word of no slots vanishes; a later word overwrites an earlier one.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch

from jam.lyrics.words import Word
from jam.timing import SLOTS_PER_FRAME, Span, seconds_to_slot

BLANK = 62  # a slot inside a word where no token is written
NO_PHONEME = 63  # a slot outside words

Filler = Literal["average_sparse", "average_repeat", "pad_right", "random_duration"]


def fill(ids: Sequence[int], length: int, filler: Filler = "average_sparse", generator: torch.Generator | None = None) -> list[int]:
    """Spread a word's token `ids` over its `length` slots; tokens that do not fit are cut.

    - `average_sparse` (JAM-0.5's): token i at slot i * (length // tokens), blanks between and after;
    - `average_repeat`: every token repeated, as evenly as it goes, the first ones longer by one;
    - `pad_right`: the tokens, then blanks;
    - `random_duration`: every token repeated, their lengths drawn from `generator` (each division of the slots is as likely).

    Returns `length` ids. Raises ValueError for an unknown filler, or `random_duration` without a generator.
    """
    ids = list(ids[:length])
    count = len(ids)
    if filler not in get_args(Filler):
        raise ValueError(f"unknown filler {filler!r}; choose one of {', '.join(get_args(Filler))}")
    if not count:
        return [BLANK] * length
    if filler == "pad_right":
        return ids + [BLANK] * (length - count)
    if filler == "average_sparse":
        filled = [BLANK] * length
        filled[: count * (length // count) : length // count] = ids
        return filled
    if filler == "average_repeat":
        lengths = [length // count + (index < length % count) for index in range(count)]
    else:
        lengths = _random_lengths(length, count, generator)
    return [token for token, repeats in zip(ids, lengths, strict=True) for _ in range(repeats)]


def slots(
    words: Sequence[Word],
    span: Span,
    ids_of: Callable[[Word], Sequence[int]],
    filler: Filler = "average_sparse",
    slots_per_frame: int = SLOTS_PER_FRAME,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """The slots of a crop: int64 (span.max_frames * slots_per_frame,), `NO_PHONEME` outside words.

    `words` are timed in the whole song; `ids_of` gives a word's token ids, all below `BLANK`; a word without ids writes nothing.
    `generator` serves `random_duration` alone. Raises ValueError as `fill` does.
    """
    canvas = torch.full((span.max_frames * slots_per_frame,), NO_PHONEME, dtype=torch.int64)  # (S,)
    begin, end = span.start_seconds, span.start_seconds + span.seconds
    for word in words:
        if word.end <= begin or word.start >= end:
            continue
        first = max(seconds_to_slot(word.start - begin, slots_per_frame), 0)
        last = min(seconds_to_slot(word.end - begin, slots_per_frame), len(canvas))
        ids = ids_of(word)
        if last <= first or not ids:
            continue
        assert all(0 <= token < BLANK for token in ids), (word, ids)
        canvas[first:last] = torch.tensor(fill(ids, last - first, filler, generator))
    return canvas


def _random_lengths(length: int, count: int, generator: torch.Generator | None) -> list[int]:
    """`count` positive lengths that add up to `length`: the gaps between cuts drawn without repetition."""
    if generator is None:
        raise ValueError("filler 'random_duration' draws lengths; give it a torch.Generator")
    cuts = (torch.randperm(length - 1, generator=generator)[: count - 1] + 1).sort().values.tolist()
    edges = [0, *cuts, length]
    return [later - earlier for earlier, later in zip(edges, edges[1:], strict=False)]
