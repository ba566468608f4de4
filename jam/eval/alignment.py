"""When words are sung: the best path of lyrics through what a network heard. It knows no audio and no network."""

from dataclasses import dataclass

import numpy as np


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
