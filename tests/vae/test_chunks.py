"""Chunked decoding and encoding equal whole ones for any decoder and encoder of finite reach."""

import pytest
import torch
from torch import Tensor, nn

from jam.timing import FRAME_SAMPLES
from jam.vae.chunks import decode_chunked, encode_chunked

HOP = 8
REACH = 4


class Decoder:
    """A convolution over 2 * REACH + 1 frames, then HOP samples a frame; notes how long its inputs were."""

    def __init__(self, reach: int = REACH) -> None:
        torch.manual_seed(0)
        self.spread = nn.Conv1d(5, 6, 2 * reach + 1, padding=reach).double()
        self.up = nn.ConvTranspose1d(6, 2, HOP, HOP).double()
        self.lengths: list[int] = []

    def __call__(self, latents: Tensor) -> Tensor:
        self.lengths.append(latents.shape[1])
        with torch.no_grad():
            return self.up(self.spread(latents.transpose(1, 2)).tanh())


def latents(frames: int) -> Tensor:
    return torch.randn(2, frames, 5, generator=torch.Generator().manual_seed(frames), dtype=torch.float64)


@pytest.mark.parametrize("overlap", [8, 9, 12, 31])
@pytest.mark.parametrize("frames", [1, 7, 31, 32, 33, 40, 56, 57, 64, 100, 160, 161])
def test_chunks_equal_the_whole_for_a_decoder_that_reaches_half_the_overlap(frames, overlap):
    whole, chunked = Decoder(), Decoder()
    expected = whole(latents(frames))
    actual = decode_chunked(chunked, latents(frames), size=32, overlap=overlap)
    assert actual.shape == (2, 2, frames * HOP)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)
    assert max(chunked.lengths) <= 32


def test_a_decoder_that_sees_one_frame_needs_no_overlap():
    decoder = Decoder(reach=0)
    torch.testing.assert_close(decode_chunked(decoder, latents(50), size=16, overlap=0), decoder(latents(50)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("frames", [1, 127, 128])
def test_a_song_that_fits_one_chunk_is_decoded_whole_and_once(frames):
    decoder = Decoder()
    decode_chunked(decoder, latents(frames))
    assert decoder.lengths == [frames]


def test_the_released_sizes_cover_a_long_song_with_as_few_chunks_as_they_can():
    decoder = Decoder()
    decode_chunked(decoder, latents(1000))
    assert decoder.lengths == [128] * 11  # 1 + ceil((1000 - 128) / 96)


def test_more_reach_than_half_the_overlap_is_heard():
    decoder = Decoder(reach=6)
    assert (decode_chunked(decoder, latents(100), size=32, overlap=8) - decoder(latents(100))).abs().max() > 1e-6


@pytest.mark.parametrize(("size", "overlap"), [(16, 16), (16, 17), (0, 0), (16, -1)])
def test_an_overlap_that_leaves_no_progress_is_refused(size, overlap):
    with pytest.raises(ValueError, match="cannot overlap"):
        decode_chunked(Decoder(), latents(50), size=size, overlap=overlap)


class Encoder:
    """Sums of samples over 2048 each, then a convolution over 2 * REACH + 1 of these; notes how long its inputs were."""

    def __init__(self, reach: int = REACH) -> None:
        torch.manual_seed(0)
        self.down = nn.AvgPool1d(FRAME_SAMPLES, ceil_mode=True)
        self.spread = nn.Conv1d(2, 6, 2 * reach + 1, padding=reach).double()
        self.lengths: list[int] = []

    def __call__(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        self.lengths.append(audio.shape[-1])
        with torch.no_grad():
            mean, deviation = self.spread(self.down(audio)).mT.chunk(2, -1)
            return mean, deviation.exp()


def audio(samples: int) -> Tensor:
    return torch.randn(2, 2, samples, generator=torch.Generator().manual_seed(samples), dtype=torch.float64)


@pytest.mark.parametrize("overlap", [8, 9, 15])
@pytest.mark.parametrize("frames", [0.01, 1, 15.5, 16, 16.001, 24, 24.3, 31.9, 40])
def test_chunks_encode_as_the_whole_to_the_very_ends(frames, overlap):
    whole, chunked = Encoder(), Encoder()
    samples = audio(round(frames * FRAME_SAMPLES))
    expected = whole(samples)
    actual = encode_chunked(chunked, samples, size=16, overlap=overlap)
    assert actual[0].shape == (2, -(-samples.shape[-1] // FRAME_SAMPLES), 3)
    for found, wanted in zip(actual, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    assert max(chunked.lengths) <= 16 * FRAME_SAMPLES


def test_an_encoder_that_reaches_further_than_half_the_overlap_is_seen():
    samples = audio(40 * FRAME_SAMPLES)
    chunked, _ = encode_chunked(Encoder(reach=6), samples, size=16, overlap=8)
    assert (chunked - Encoder(reach=6)(samples)[0]).abs().max() > 1e-6


def test_chunks_that_are_encoded_make_progress():
    with pytest.raises(ValueError, match="cannot overlap"):
        encode_chunked(Encoder(), audio(40 * FRAME_SAMPLES), size=8, overlap=8)
