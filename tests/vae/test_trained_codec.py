"""The codec that was trained keeps what it is for: pitch, silence, and which side a sound comes from."""

from pathlib import Path

import pytest
import torch

from jam.timing import FRAME_SAMPLES, SAMPLE_RATE
from jam.vae.nano import FILE, NanoCodec, hertz

FOLDER = Path(__file__).parent.parent.parent / "externals" / "codec"


@pytest.fixture(scope="module")
def codec() -> NanoCodec:
    return NanoCodec.load(FOLDER)


def hummed(pitch: float, frames: int = 40) -> torch.Tensor:
    """A steady vowel-like sound (N,): twenty partials that fall by 6 dB an octave."""
    time = torch.arange(frames * FRAME_SAMPLES, dtype=torch.float64) / SAMPLE_RATE
    total = torch.stack([torch.cos(2 * torch.pi * pitch * part * time) / part for part in range(1, 21)]).sum(0)
    return (0.1 * total / total.square().mean().sqrt()).float()


@torch.no_grad()
def round_trip(codec: NanoCodec, audio: torch.Tensor) -> torch.Tensor:
    return codec.decode(codec.encode(audio)[0])


def test_it_fits_the_bundle():
    assert (FOLDER / FILE).stat().st_size <= 12e6


@pytest.mark.parametrize("pitch", [140.0, 165.0, 220.0, 330.0])
def test_a_hum_keeps_its_pitch(codec, pitch):
    latents = codec.encode(hummed(pitch).expand(1, 2, -1))[0]
    with torch.no_grad():
        heard = hertz(codec.decoder.pitch(codec.decoder.trunk(latents)[0]).float())[0, 20:-20]
    cents = 1200 * (heard[heard > 0] / pitch).log2().abs()
    assert (heard > 0).float().mean() > 0.9
    assert (cents < 50).float().mean() > 0.9


@pytest.mark.parametrize("decibels", [-6.0, 0.0, 6.0])
def test_a_sound_comes_back_from_the_side_it_came_from(codec, decibels):
    sound, share = hummed(165.0), 10 ** (decibels / 20)
    audio = torch.stack([sound * min(1.0, share), sound * min(1.0, 1 / share)])[None]
    left, right = round_trip(codec, audio)[0, :, 4 * FRAME_SAMPLES : -4 * FRAME_SAMPLES].square().mean(1).log10() * 10
    balance = float(left - right)  # the corpus holds nothing as far to one side, and this sound comes back a quarter of the way
    assert abs(balance) < 0.5 if decibels == 0 else 1 < balance / decibels * 6 < 7


def test_silence_stays_silent_and_a_sound_keeps_its_level(codec):
    assert not round_trip(codec, torch.zeros(1, 2, 20 * FRAME_SAMPLES)).any()
    before = hummed(220.0).expand(1, 2, -1)
    after = round_trip(codec, before)
    inside = slice(4 * FRAME_SAMPLES, -4 * FRAME_SAMPLES)
    gain = 10 * (after[..., inside].square().mean() / before[..., inside].square().mean()).log10()
    assert abs(float(gain)) < 1.5
