"""The DiffRhythm VAE, a TorchScript file that decodes latents to stereo audio. It cannot encode.

It knows nothing of songs or chunks. Letters: B songs, T frames, C = 64 channels. Only in here latents are (B, C, T).
"""

from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from jam.assets import DIFFRHYTHM_VAE, Asset, locate
from jam.timing import FRAME_SAMPLES, LATENT_CHANNELS


class DiffRhythmVAE:
    """Decodes to 44.1 kHz stereo; a latent frame covers 2048 samples."""

    reach = 16  # frames, at most: half the overlap it was released to be decoded with (Stable Audio's like decoder reaches 10)

    def __init__(self, model: Any, device: torch.device, dtype: torch.dtype) -> None:
        self.model = model
        self.device = device
        self.dtype = dtype

    @classmethod
    def load(
        cls, source: str | Path | Asset = DIFFRHYTHM_VAE, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> "DiffRhythmVAE":
        """The decoder from the hub, its cache, or a path (`vae_model.pt` or a folder that holds it).

        Raises ValueError, one line, for a file that is no TorchScript, lacks `decode_export`, or makes other than 2 x 2048 samples of a
        frame of 64; else what `jam.assets.fetch` raises.
        """
        path = locate(source, DIFFRHYTHM_VAE)
        try:
            model = torch.jit.load(str(path), map_location=device)
        except RuntimeError as error:
            raise ValueError(f"{path}: not a TorchScript file ({str(error).splitlines()[0]}); fetch it again") from error
        if not hasattr(model, "decode_export"):
            raise ValueError(f"{path}: this TorchScript has no method decode_export, so it is not DiffRhythm's VAE")
        vae = cls(model.eval().to(dtype=dtype), torch.device(device), dtype)
        vae._check(path)
        return vae

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Audio (B, 2, T * 2048), float32, of `latents` (B, T, 64)."""
        return self.model.decode_export(latents.transpose(1, 2).to(self.device, self.dtype)).float()

    def encode(self, audio: Tensor) -> NoReturn:  # noqa: ARG002  (the signature is every codec's)
        """Raises ValueError: this VAE only decodes."""
        raise ValueError(
            "the DiffRhythm VAE only decodes; encode with the Stable Audio VAE (vae_type=stable_audio), whose latents it shares"
        )

    def silence(self) -> NoReturn:
        """Raises ValueError: silence must be encoded, and this VAE only decodes."""
        raise ValueError("the DiffRhythm VAE only decodes and cannot tell the latent of silence; name one in silence_latent_path")

    def _check(self, path: Path) -> None:
        frames = 4
        try:
            shape = tuple(self.decode(torch.zeros(1, frames, LATENT_CHANNELS)).shape)
        except RuntimeError as error:
            raise ValueError(f"{path}: it does not decode latents of {LATENT_CHANNELS} channels ({str(error).splitlines()[-1]})") from error
        if shape != (1, 2, frames * FRAME_SAMPLES):
            raise ValueError(f"{path}: {frames} frames were decoded to audio of shape {shape}, not {(1, 2, frames * FRAME_SAMPLES)}")
