"""Words to phoneme slots: the row of token ids that the network reads, four a latent frame.

Knows times and token ids; where a word's ids come from (`phonemes`) and what the network does with them is not its business.
The rules are JAM-0.5's (arXiv 2507.20880): words that touch the crop are shifted by its start, turned to slots by truncation and clamped to
the canvas; a word of no slots vanishes; a later word overwrites an earlier one. A word with the times of its phones is placed by
those: each phone has its own slots, by the same truncation, what lies between is blank, and the last slot is the word's end where free.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch

from jam.lyrics.words import Word
from jam.timing import SLOTS_PER_FRAME, Span, seconds_to_slot

END = 0  # the last token of every word
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
    canvas = [NO_PHONEME] * (span.max_frames * slots_per_frame)
    place = _Place(span.start_seconds, span.start_seconds + span.seconds, len(canvas), slots_per_frame)
    for word in words:
        if word.end <= place.begin or word.start >= place.end:
            continue
        first, last = place.slots(word.start, word.end)
        if last <= first:
            continue
        if word.phones:
            filled = _phones(word, first, last, place, ids_of, filler, generator)
        else:
            ids = ids_of(word)
            assert all(0 <= token < BLANK for token in ids), (word, ids)
            filled = fill(ids, last - first, filler, generator) if ids else []
        if filled:
            canvas[first:last] = filled
    return torch.tensor(canvas, dtype=torch.int64)  # (S,)


@dataclass(frozen=True)
class _Place:
    """Where the crop is in the song: from `begin` to `end` seconds, `length` slots on the canvas, `slots_per_frame` of them a frame."""

    begin: float
    end: float
    length: int
    slots_per_frame: int

    def slots(self, start: float, end: float) -> tuple[int, int]:
        """The first slot of a time, and the one after its last, on the canvas."""
        first = seconds_to_slot(start - self.begin, self.slots_per_frame)
        last = seconds_to_slot(end - self.begin, self.slots_per_frame)
        return max(first, 0), min(last, self.length)


def _phones(
    word: Word,
    first: int,
    last: int,
    place: _Place,
    ids_of: Callable[[Word], Sequence[int]],
    filler: Filler,
    generator: torch.Generator | None,
) -> list[int]:
    """The slots of a word by the times of its phones, from its `first` to its `last`; none where no phone has a token."""
    filled = [BLANK] * (last - first)
    for phone in word.phones or ():
        begin, end = place.slots(phone.start, phone.end)
        begin, end = max(begin, first), min(end, last)
        ids = [token for token in ids_of(replace(word, phoneme=phone.phoneme, phones=None)) if token != END]
        assert all(0 < token < BLANK for token in ids), (phone, ids)
        if end > begin and ids:
            filled[begin - first : end - first] = fill(ids, end - begin, filler, generator)
    if all(token == BLANK for token in filled):
        return []
    if filled[-1] == BLANK or filled[-2:-1] == filled[-1:]:  # free, or the last phone keeps its token elsewhere
        filled[-1] = END
    return filled


def _random_lengths(length: int, count: int, generator: torch.Generator | None) -> list[int]:
    """`count` positive lengths that add up to `length`: the gaps between cuts drawn without repetition."""
    if generator is None:
        raise ValueError("filler 'random_duration' draws lengths; give it a torch.Generator")
    cuts = (torch.randperm(length - 1, generator=generator)[: count - 1] + 1).sort().values.tolist()
    edges = [0, *cuts, length]
    return [later - earlier for earlier, later in zip(edges, edges[1:], strict=False)]
