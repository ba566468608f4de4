"""Decoding long latents, and encoding long audio, in overlapped chunks, so that memory does not grow with the song.

It makes audio by any decoder, and latents by any encoder, of finite reach and does not know which. Letters: B songs, T frames,
C channels, N samples.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from jam.timing import FRAME_SAMPLES


def decode_chunked(decode: Callable[[Tensor], Tensor], latents: Tensor, size: int = 128, overlap: int = 32) -> Tensor:
    """Decode `latents` (B, T, C) to audio (B, 2, N) by chunks of `size` frames of which neighbours share at least `overlap`.

    Half of each overlap is thrown away on either side, so the result equals `decode(latents)` wherever a sample of the decoder
    depends on no frame further than overlap // 2. The last chunk ends with the song and is as long as the others; a song
    of at most `size` frames is decoded whole. Raises ValueError unless 0 <= overlap < size.
    """
    pieces = []
    for start, stop, begin, end in _chunks(latents.shape[1], size, overlap):
        audio = decode(latents[:, start:stop])  # (B, 2, size * hop)
        frames = stop - start
        assert audio.shape[-1] % frames == 0, f"{frames} frames were decoded to {audio.shape[-1]} samples, no whole number a frame"
        hop = audio.shape[-1] // frames
        pieces.append(audio[..., begin * hop : end * hop])
    return torch.cat(pieces, dim=-1)  # (B, 2, N)


def encode_chunked(
    encode: Callable[[Tensor], tuple[Tensor, Tensor]], audio: Tensor, size: int = 256, overlap: int = 16
) -> tuple[Tensor, Tensor]:
    """Encode `audio` (B, 2, N) to means and deviations, each (B, T, C), by chunks of `size` frames; neighbours share `overlap` at least.

    A frame is 2048 samples and chunks begin where frames do, so that the result equals `encode(audio)` to the very ends wherever a
    frame depends on no sample further than overlap // 2 frames outside it. The rest is as in `decode_chunked`.
    """
    frames = -(-audio.shape[-1] // FRAME_SAMPLES)
    means, deviations = [], []
    for start, stop, begin, end in _chunks(frames, size, overlap):
        mean, deviation = encode(audio[..., start * FRAME_SAMPLES : stop * FRAME_SAMPLES])  # (B, size, C)
        assert mean.shape[1] == stop - start, f"{stop - start} frames of audio were encoded to {mean.shape[1]}"
        means.append(mean[:, begin:end])
        deviations.append(deviation[:, begin:end])
    return torch.cat(means, dim=1), torch.cat(deviations, dim=1)


def _chunks(frames: int, size: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """Chunks (start, stop) of a song of so many frames, and which part (begin, end) of each, counted from its start, is kept."""
    if not 0 <= overlap < size:
        raise ValueError(f"chunks of {size} frames cannot overlap by {overlap}; take 0 <= overlap < size")
    last = max(frames - size, 0)
    starts = [*range(0, last, size - overlap), last]
    margin = overlap // 2
    for index, start in enumerate(starts):
        stop = min(start + size, frames)
        begin = 0 if index == 0 else margin
        end = stop - start if start == last else starts[index + 1] - start + margin
        yield start, stop, begin, end
