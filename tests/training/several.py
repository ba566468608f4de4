"""One of several processes that train a tiny network together, for test_processes.py: `several.py FOLDER key=value ...`.

`fsdp=1` shards the weights over the processes. Accelerate refuses that on CPUs, so its state is told; the rest is its own path.
"""

from __future__ import annotations

import sys

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

from jam.data.loader import Loader, LoaderSettings
from jam.model import lora, weights
from jam.model.dit import DiT
from jam.sampler import euler, time_grid
from jam.training import checkpoint
from jam.training.loop import Hooks, SampleSongs, TrainingSettings, fit
from jam.training.objective import flow_objective
from jam.training.start import keep_exact
from jam.training.window import held_out_means
from tests.training.test_loop import TINY, Tones


def sharded(mixed: str) -> Accelerator:
    """Accelerate with FSDP2, on CPUs."""
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", transformer_cls_names_to_wrap=["Block"], cpu_ram_efficient_loading=False
    )
    accelerator = Accelerator(cpu=True, mixed_precision=mixed)
    if mixed != "no":
        plugin.set_mixed_precision(mixed)
    for name, value in (("distributed_type", DistributedType.FSDP), ("fsdp_plugin", plugin)):
        accelerator.state._shared_state[name] = value
        setattr(accelerator.state, name, value)
    keep_exact(accelerator, torch.bfloat16 if mixed == "bf16" else torch.float32)
    return accelerator


def main(folder: str, words: list[str]) -> None:
    """Trains; going on from the newest checkpoint of `folder` where there is one."""
    given = {name: int(value) for name, value in (word.split("=") for word in words)}
    torch.manual_seed(0)
    model = DiT(TINY)
    if given.get("lora"):
        torch.nn.init.normal_(model.proj_out.weight, std=0.1)
        lora.attach(model, lora.LoraSettings(rank=given["lora"]))
    mixed = "bf16" if given.get("bf16") else "no"
    accelerator = sharded(mixed) if given.get("fsdp") else Accelerator(cpu=True, mixed_precision=mixed)
    assert accelerator.num_processes == given.get("processes", 1)
    settings = TrainingSettings(
        max_steps=given.get("steps", 8),
        num_warmup_updates=2,
        learning_rate=1e-2,
        grad_accumulation_steps=given.get("parts", 1),
        use_ema=True,
        checkpoint_path=folder,
        save_per_updates=given.get("save", 1000),
        log_every=2,
        valid_every=4,
        samples=SampleSongs(every=4),
    )
    newest = checkpoint.newest(folder)
    state = None if newest is None else checkpoint.load(newest)
    places = None if state is None else [own["data"] for own in state["processes"]]
    source = Tones(given.get("batch", 2))
    place = (accelerator.process_index, accelerator.num_processes)
    songs = Loader(source, LoaderSettings(), *place, places)

    def validate(network: torch.nn.Module) -> dict[str, float]:
        held_out = [batch for batch, _ in zip(Loader(Tones(1), LoaderSettings()), range(5), strict=False)]  # odd: one process has one more
        return held_out_means(flow_objective((0, 0)), held_out, network, accelerator)

    def sing(network: DiT, _step: int) -> int:
        batch = next(iter(Loader(source, LoaderSettings())))
        prepared = network.prepare(batch.conditions)
        x_1 = euler(lambda x, t: network.velocity(x, torch.full((len(x),), t), prepared), torch.zeros(len(batch), 8, 64), time_grid(3))
        assert x_1.isfinite().all()
        return len(x_1)

    fit(
        model,
        songs,
        flow_objective((0.1, 0.5)),
        settings,
        accelerator,
        write_model=lambda tensors, to: weights.save(tensors, TINY, to / "model"),
        state=state,
        hooks=Hooks(validate=validate, sing=sing),
    )
    if accelerator.num_processes > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
