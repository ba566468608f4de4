"""The Oobleck VAE of Stable Audio Open: stereo audio to latents and back. This is the door to diffusers.

It knows nothing of songs or chunks. Letters: B songs, T frames, C = 64 channels, N samples. Only in here latents are (B, C, T).
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from jam.assets import STABLE_AUDIO_VAE, Asset, locate
from jam.timing import FRAME_SAMPLES, LATENT_CHANNELS, SAMPLE_RATE

SILENT_FRAMES = 32  # frames of silence that are encoded to know a frame far from either edge


class StableAudioVAE:
    """Encodes and decodes 44.1 kHz stereo; a latent frame covers 2048 samples."""

    reach = 10  # frames: no sample depends on a frame further away

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def load(
        cls, source: str | Path | Asset = STABLE_AUDIO_VAE, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> "StableAudioVAE":
        """The VAE from the hub, its cache, or a folder: `config.json` and `diffusion_pytorch_model.safetensors`, there or in `vae/`.

        Raises ValueError, one line, for a VAE of another rate, frame or number of channels and for missing or unknown tensors; else
        what `jam.assets.fetch` raises.
        """
        from diffusers import AutoencoderOobleck
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        weights = locate(source, STABLE_AUDIO_VAE)
        config = _read_config(weights.with_name("config.json"))
        model: Any = AutoencoderOobleck.from_config(config)
        try:
            tensors = load_file(weights)
        except SafetensorError as error:
            raise ValueError(f"{weights}: not a safetensors file ({error}); fetch it again") from error
        wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
        wrong = sorted(name for name in wanted.keys() | tensors.keys() if name not in tensors or tensors[name].shape != wanted.get(name))
        if wrong:
            raise ValueError(f"{weights}: {len(wrong)} tensors do not fit config.json (missing, unknown or misshapen), first {wrong[0]}")
        model.load_state_dict(tensors)
        return cls(model.eval().requires_grad_(False).to(device=device, dtype=dtype))

    @property
    def encoder_reach(self) -> int:
        """Frames on either side of a frame that its latent depends on: 8 for the released one."""
        return _encoder_reach(self.model.config.downsampling_ratios)

    @torch.no_grad()
    def encode(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations, each (B, T, 64), of `audio` (B, 2, N); the last frame is filled up with silence."""
        audio = functional.pad(audio, (0, -audio.shape[-1] % FRAME_SAMPLES))
        latents = self.model.encode(audio.to(self.model.device, self.model.dtype)).latent_dist
        return latents.mean.float().transpose(1, 2), latents.std.float().transpose(1, 2)  # (B, C, T) -> (B, T, C)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Audio (B, 2, T * 2048), float32, of `latents` (B, T, 64)."""
        return self.model.decode(latents.transpose(1, 2).to(self.model.device, self.model.dtype)).sample.float()

    def silence(self) -> Tensor:
        """The mean latent (64,) of a frame of silence among silence."""
        mean, _ = self.encode(torch.zeros(1, 2, SILENT_FRAMES * FRAME_SAMPLES))
        return mean[0, SILENT_FRAMES // 2]


def _encoder_reach(ratios: Sequence[int]) -> int:
    """Frames that an Oobleck encoder sees beside a frame, added up from its convolutions.

    It is a convolution of 7 samples, then for each ratio three residual ones of 7 at dilations 1, 3 and 9 and one of 2 * ratio with this
    stride, padded by ratio / 2, and at last one of 3 frames.
    """
    before, after, hop = 3, 3, 1  # samples before and after the first sample of a frame; samples between values
    for ratio in ratios:
        padding = math.ceil(ratio / 2)
        residual = 3 * (1 + 3 + 9)
        before += (residual + padding) * hop
        after += (residual + 2 * ratio - 1 - padding) * hop
        hop *= ratio
    return math.ceil(max(before + hop, after + hop - (hop - 1)) / hop)


def _read_config(path: Path) -> dict[str, Any]:
    """The settings of a VAE that has the time and channels of JAM's latents."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; the VAE's config.json must lie beside its weights")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        hop = 1
        for ratio in config["downsampling_ratios"]:
            hop *= ratio
        found = (hop, config["decoder_input_channels"], config["audio_channels"], config["sampling_rate"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the settings of an Oobleck VAE ({error})") from error
    wanted = (FRAME_SAMPLES, LATENT_CHANNELS, 2, SAMPLE_RATE)
    if found != wanted:
        raise ValueError(f"{path}: (samples a frame, latent channels, audio channels, rate) are {found}, JAM's latents need {wanted}")
    return config
