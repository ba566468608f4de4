"""The DiffRhythm VAE, with a tiny TorchScript of the released file's interface."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from jam.vae.diffrhythm import DiffRhythmVAE


class Decoder(nn.Module):
    """Latents (B, channels, T) to audio (B, 2, T * hop) by one transposed convolution, exported as the released decoder is."""

    def __init__(self, channels: int = 64, hop: int = 2048) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(channels, 2, hop, hop)

    @torch.jit.export
    def decode_export(self, latents: Tensor) -> Tensor:
        return self.up(latents)


class Mute(nn.Module):
    def forward(self, latents: Tensor) -> Tensor:
        return latents


def save(module: nn.Module, path: Path) -> Path:
    torch.jit.script(module).save(str(path))
    return path


def test_it_decodes_a_frame_to_2048_stereo_samples(tmp_path):
    torch.manual_seed(0)
    decoder = Decoder()
    save(decoder, tmp_path / "vae_model.pt")
    vae = DiffRhythmVAE.load(tmp_path)
    latents = torch.randn(2, 5, 64)
    audio = vae.decode(latents)
    assert audio.shape == (2, 2, 5 * 2048)
    torch.testing.assert_close(audio, decoder.decode_export(latents.mT).detach())


def test_another_precision_comes_back_as_float32(tmp_path):
    path = save(Decoder(), tmp_path / "any_name.pt")
    assert DiffRhythmVAE.load(path, dtype=torch.float64).decode(torch.randn(1, 3, 64)).dtype == torch.float32


def test_encoding_and_silence_are_refused_because_it_only_decodes(tmp_path):
    vae = DiffRhythmVAE.load(save(Decoder(), tmp_path / "vae_model.pt"))
    with pytest.raises(ValueError, match="only decodes"):
        vae.encode(torch.zeros(1, 2, 2048))
    with pytest.raises(ValueError, match="only decodes"):
        vae.silence()


def test_what_is_no_such_vae_is_refused_in_one_line(tmp_path):
    text = tmp_path / "text.pt"
    text.write_text("la la la")
    pickled = tmp_path / "pickled.pt"
    torch.save({"weights": torch.zeros(1)}, pickled)
    cases = {
        text: "not a TorchScript file",
        pickled: "not a TorchScript file",
        save(Mute(), tmp_path / "mute.pt"): "no method decode_export",
        save(Decoder(channels=32), tmp_path / "narrow.pt"): "does not decode latents of 64 channels",
        save(Decoder(hop=1024), tmp_path / "short.pt"): r"not \(1, 2, 8192\)",
    }
    for path, reason in cases.items():
        with pytest.raises(ValueError, match=reason) as caught:
            DiffRhythmVAE.load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_without_a_file_and_a_hub_it_says_where_to_get_it(hub_cache, monkeypatch):  # noqa: ARG001  (an empty cache)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OSError, match=r"vae_model\.pt of ASLP-lab/DiffRhythm-vae"):
        DiffRhythmVAE.load()
