"""Decoding long latents in overlapped chunks, so that memory does not grow with the song.

It makes audio by any decoder of finite reach and does not know which. Letters: B songs, T frames, C channels, N samples.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def decode_chunked(decode: Callable[[Tensor], Tensor], latents: Tensor, size: int = 128, overlap: int = 32) -> Tensor:
    """Decode `latents` (B, T, C) to audio (B, 2, N) by chunks of `size` frames of which neighbours share at least `overlap`.

    Half of each overlap is thrown away on either side, so the result equals `decode(latents)` wherever a sample of the decoder
    depends on no frame further than overlap // 2. The last chunk ends with the song and is as long as the others; a song
    of at most `size` frames is decoded whole. Raises ValueError unless 0 <= overlap < size.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"chunks of {size} frames cannot overlap by {overlap}; take 0 <= overlap < size")
    frames = latents.shape[1]
    if frames <= size:
        return decode(latents)
    last = frames - size
    starts = [*range(0, last, size - overlap), last]
    margin = overlap // 2
    pieces = []
    for index, start in enumerate(starts):
        audio = decode(latents[:, start : start + size])  # (B, 2, size * hop)
        assert audio.shape[-1] % size == 0, f"{size} frames were decoded to {audio.shape[-1]} samples, which is not a whole number a frame"
        hop = audio.shape[-1] // size
        begin = 0 if index == 0 else margin
        end = size if start == last else starts[index + 1] - start + margin
        pieces.append(audio[..., begin * hop : end * hop])
    return torch.cat(pieces, dim=-1)  # (B, 2, N)
