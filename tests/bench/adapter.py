"""Does an adapter of rank 8 fit the embedded singer to one song? Trains one on it by `jam.train`, and compares it with the base.

    python tests/bench/adapter.py song=SHARDS [others=SHARDS] [known=SHARDS] [steps=200] [folder=DIR]

`song` holds the song or songs to fit, of a voice that the embedded singer was not trained on; `others` more of that voice, which the
adapter never meets; `known` songs of the voice it knows. Each figure is the mean flow error at the same noise and moments for base and
adapter. It also prints the adapter's share of the parameters, and how far merging it moves the velocity.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from jam import assets, config
from jam.conditions import Conditions
from jam.data.settings import read_silence
from jam.data.songs import held_out
from jam.lyrics.phonemes import Phonemizer
from jam.model import lora, weights
from jam.model.dit import DiT
from jam.model.settings import Added
from jam.song import load_network
from jam.train import TrainConfig, train
from jam.training.objective import flow_objective
from jam.training.window import held_out_means

ROOT = Path(__file__).parent.parent.parent
DRAWS = 8  # noises and moments a song


def error(model: DiT, pattern: str, settings: TrainConfig) -> float:
    """Mean flow error over the songs of shards, each at several noises that are the same each time."""
    ids_of = Phonemizer.load(assets.BUNDLE / "phonemizer.pt").ids_of
    silence = read_silence(settings.data.train_dataset.silence_latent_path)
    source = config.load(TrainConfig, [f"config={ROOT}/configs/nano_lora.yaml", f"data.train_dataset.pattern={pattern}"])
    batches = [renamed(b, i) for b in held_out(source.data.train_dataset.shards(), ids_of, silence, 4) for i in range(DRAWS)]
    with torch.no_grad():
        return held_out_means(flow_objective((0, 0)), batches, model, Accelerator(cpu=True))["loss"]


def renamed(batch: Any, index: int) -> Any:
    """The same songs under other noise."""
    return replace(batch, draws=tuple(f"{name}:{index}" for name in batch.draws))


def main(words: list[str]) -> int:
    """Reads key=value words, trains, and compares."""
    given = dict(word.split("=", 1) for word in words)
    folder = Path(given.get("folder", tempfile.mkdtemp()))
    settings = config.load(
        TrainConfig,
        [
            f"config={ROOT}/configs/nano_lora.yaml",
            f"data.train_dataset.pattern={given['song']}",
            f"training.max_steps={given.get('steps', 200)}",
            f"training.checkpoint_path={folder}",
        ],
    )
    train(settings)
    adapter = lora.read(folder / "last" / "adapter")
    plain = weights.load(assets.BUNDLE / "model")
    merged = load_network(assets.BUNDLE / "model", None, torch.device("cpu"), "float32", [Added(str(folder / "last" / "adapter"))])
    beside = weights.load(assets.BUNDLE / "model")
    lora.attach(beside, adapter.settings)
    beside.load_state_dict(dict(adapter.tensors), strict=False)
    beside.eval()
    trained, whole = sum(t.numel() for t in adapter.tensors.values()), sum(p.numel() for p in plain.parameters())
    sys.stdout.write(f"adapter: {trained:,} of {whole:,} parameters, {trained / whole:.2%}\n")
    for name in ("song", "others", "known"):
        if name in given:
            before, after = (error(model, given[name], settings) for model in (plain, merged))
            sys.stdout.write(f"{name:7} base {before:.4f}  adapter {after:.4f}  ratio {after / before:.3f}\n")
    sys.stdout.write(f"greatest difference of the velocity, merged against beside: {difference(merged, beside):.2g}\n")
    return 0


@torch.no_grad()
def difference(one: DiT, other: DiT) -> float:
    """The greatest difference of two networks' velocities, at three moments."""
    frames = one.settings.max_frames
    slots = torch.randint(1, 60, (1, 4 * frames), generator=torch.Generator().manual_seed(0))
    conditions = Conditions(slots, torch.randn(1, 512), torch.zeros(1), torch.ones(1), torch.ones(1))
    x_t = torch.randn(1, frames, 64)
    moments = [torch.tensor([t]) for t in (0.1, 0.5, 0.9)]
    return max(float((one(x_t, t, conditions) - other(x_t, t, conditions)).abs().max()) for t in moments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
