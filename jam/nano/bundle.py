"""The bundle: the trained network in half precision, how it sings best, and what proves the files whole.

Writes `model/` and `sha256.json`; the codec, the style encoder and the phonemizer are written by their own stages.
"""

import json
import logging
from pathlib import Path

import numpy as np
import torch

from jam import assets
from jam.files import write_whole
from jam.model import weights
from jam.vae.nano import NanoCodec

log = logging.getLogger(__name__)

SAMPLE = {"steps": 32, "dual_cfg": [1.0, 2.0], "fix_dual_cfg": True}  # the style as it is, the lyrics doubled
LYRICS = {"filler": "average_repeat"}  # as it was trained
EVALUATION = {"canvas": "song"}  # the rest of its canvas would only be silence
CHECKSUMS = "sha256.json"


def write_silence(bundle: Path) -> None:
    """The codec's latent of silence, for training to pad with."""
    np.save(bundle / "silence.npy", NanoCodec.load(bundle).silence().numpy())


def write_model(trained: Path, bundle: Path) -> None:
    """The averaged weights of a checkpoint's `model/` folder as the bundle's network."""
    settings = weights.read_settings(trained)
    assert settings is not None, trained
    tensors = {name: tensor.to(torch.float16) for name, tensor in weights.read_tensors(trained).items()}
    weights.save(tensors, settings, bundle / "model", sample=SAMPLE, lyrics=LYRICS, evaluation=EVALUATION)


def write_checksums(bundle: Path) -> None:
    """SHA-256 of every file of the bundle but itself."""
    files = sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    digests = {str(path.relative_to(bundle)): assets.sha256(path) for path in files}
    write_whole(bundle / CHECKSUMS, (json.dumps(digests, indent=1) + "\n").encode())


def damaged(bundle: Path) -> list[str]:
    """The files of the bundle that are missing or are not as they were written."""
    digests = json.loads((bundle / CHECKSUMS).read_text())
    return [name for name, digest in digests.items() if not (bundle / name).is_file() or assets.sha256(bundle / name) != digest]
