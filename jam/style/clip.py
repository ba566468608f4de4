"""The piece of a reference recording that a style is taken from. It knows nothing of encoders."""

import torch
from torch import Tensor


def clip(samples: Tensor, rate: int, seconds: float, generator: torch.Generator | None = None) -> Tensor:
    """The first `seconds` of `samples` (channels, N) at `rate` Hz, or, with a `generator`, that long a piece from a random place.

    A recording shorter than that is taken whole. Raises ValueError unless `seconds` is positive.
    """
    if not seconds > 0:
        raise ValueError(f"a style clip of {seconds} s was asked for (num_style_secs); take a positive number of seconds")
    length = round(seconds * rate)
    spare = samples.shape[-1] - length
    if spare <= 0:
        return samples
    start = 0 if generator is None else int(torch.randint(spare + 1, (), generator=generator))
    return samples[..., start : start + length]
