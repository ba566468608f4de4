"""Teaching the codec, at a tiny size, on tones."""

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("librosa")

from jam.nano import codec as teaching
from jam.nano.codec import Recipe, Recording, beginning, crops, distance, magnitudes, mel_filters, step_loss, train
from jam.timing import SAMPLE_RATE
from jam.vae.nano import CodecSettings, NanoCodec
from jam.vae.spectra import HOP, MARGIN

TINY = CodecSettings(bands=32, side_bands=8, hidden=16, wide=16, width=32, dilations=(1, 2), phase_bins=64)
RECIPE = Recipe(steps=8, encoder_steps=4, vocals=1, mixes=1, frames=6)


def recording(pitch: float, seconds: float = 1.5) -> Recording:
    count = int(seconds * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    voice = 0.1 * sum(np.sin(2 * np.pi * pitch * number * time) / number for number in range(1, 6))
    noise = np.random.default_rng(0).normal(0, 0.02, (2, count))
    sounds = {"vocal": np.stack([voice, voice]), "mix": voice + noise}
    written = {kind: np.round(sound * 32767).astype(np.int16) for kind, sound in sounds.items()}
    return Recording(written, np.full(count // HOP, pitch, np.float32))


FOUND = [recording(150.0), recording(220.0)]


def fresh() -> NanoCodec:
    torch.manual_seed(0)
    codec = NanoCodec(TINY)
    codec.set_bands(mel_filters(32), mel_filters(8, 100))
    return codec


def test_crops_lie_on_latent_frames_and_a_vocal_has_no_side():
    batch = crops(FOUND, RECIPE, np.random.default_rng(0))
    assert batch.middle.shape == batch.side.shape == (2, 24 * HOP + 2 * MARGIN)
    assert batch.side[0].abs().max() < 1e-4 < batch.side[1].abs().max()
    assert batch.pitch.shape == (2, 24) and (batch.pitch > 0).all()


def test_a_song_shorter_than_a_crop_is_never_drawn():
    short = Recording({kind: np.zeros((2, 4000), np.int16) for kind in ("vocal", "mix")}, np.zeros(8, np.float32))
    assert (crops([short, FOUND[0]], RECIPE, np.random.default_rng(0)).pitch == 150).all()


def test_a_sound_is_no_distance_from_itself_and_20_dB_from_a_tenth():
    sound = magnitudes(0.3 * torch.randn(1, 20_000, generator=torch.Generator().manual_seed(0)), 1024)
    assert distance(sound, sound) < 0.02
    assert distance(0.1 * sound, sound).item() == pytest.approx(20, abs=0.1)


def test_it_begins_with_principal_components_that_tell_the_values_again():
    codec = fresh()
    beginning(codec, FOUND, np.random.default_rng(0), RECIPE)
    _, parts = step_loss(codec, crops(FOUND, RECIPE, np.random.default_rng(1)), True, False)
    assert parts["mel"] < 0.3


def test_a_stopped_training_goes_on_and_its_encoder_rests_halfway(tmp_path, monkeypatch):
    monkeypatch.setattr(teaching, "SAVED_EACH", 6)
    rested = []

    def resting(codec: NanoCodec) -> None:
        rested.append({name: tensor.clone() for name, tensor in codec.encoder.state_dict().items()})

    train(FOUND, fresh(), replace(RECIPE, steps=6, encoder_steps=4), tmp_path, resting)
    made = train(FOUND, fresh(), replace(RECIPE, steps=8, encoder_steps=4), tmp_path, resting)
    assert len(rested) == 1
    for name, tensor in made.encoder.state_dict().items():
        torch.testing.assert_close(tensor, rested[0][name], rtol=0, atol=0)
        torch.testing.assert_close(tensor, tensor.half().float(), rtol=0, atol=0)  # as the bundle keeps it
    made.save(tmp_path)
    sound = torch.from_numpy(FOUND[1].sounds["mix"] / np.float32(32767))[None]
    latents = made.encode(sound)[0]
    torch.testing.assert_close(NanoCodec.load(tmp_path).encode(sound)[0], latents, rtol=0, atol=0)
    inside = made.encode(sound[..., 4096:-4096])[0][:, 2:-2]  # a tone's edges are like nothing that was learned
    assert inside.mean().abs() < 3


def test_training_lowers_the_loss(tmp_path):
    codec, batch = fresh(), crops(FOUND, RECIPE, np.random.default_rng(5))
    beginning(codec, FOUND, np.random.default_rng(0), RECIPE)
    before = step_loss(codec, batch, True, False)[0].item()
    made = train(FOUND, codec, replace(RECIPE, steps=40, encoder_steps=20), tmp_path)
    assert step_loss(made, batch, True, False)[0].item() < before - 0.3
