"""Preference tuning from the command line: `accelerate launch -m jam.dpo.train_dpo config=configs/dpo.yaml`. Composes pairs and the loop.

It begins and ends as `jam.train` does, over the same loop; between them lie the list of pairs, all of whose files are checked first, the
frozen reference, and the preference loss. The settings are those of training and the section `dpo`.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn

from jam import config
from jam.conditions import Conditions
from jam.data.loader import Loader, LoaderSettings
from jam.data.songs import held_out
from jam.dpo.listing import PairFiles, read_listing
from jam.dpo.monitor import Watch, measure_pairs, measure_songs, probes
from jam.dpo.objective import ReferenceErrors, dpo_objective, live_reference
from jam.dpo.reference import Table, compute_errors, files_digest, frozen, kept_errors, refuse_another, stored_reference
from jam.dpo.settings import DPOSettings
from jam.dpo.source import PairSource
from jam.flow import Velocity
from jam.model import lora, weights
from jam.model.precision import choose
from jam.train import Start, TrainConfig, begin, end, plan, tell
from jam.training.loop import Hooks
from jam.training.start import locate
from jam.training.window import held_out_means

log = logging.getLogger("jam")


@dataclass(frozen=True)
class DPOConfig(TrainConfig):
    """Every setting of preference tuning."""

    dpo: DPOSettings = field(default_factory=DPOSettings)


@dataclass(frozen=True)
class Reference:
    """The frozen reference: its fingerprint, how it answers before training, and how it goes on answering while the policy changes."""

    sha256: str
    velocity: Velocity  # without gradients
    live: ReferenceErrors


def train(settings: DPOConfig) -> None:
    """One run of preference tuning, from weights or on from a checkpoint. Raises ValueError, in one line, for what does not fit."""
    cfm, dataset, dpo = settings.model.cfm, settings.data.train_dataset, settings.dpo
    files = read_listing(dataset.dpo_json_path, truth=cfm.sft == "gt")
    kept = () if dpo.valid_json_path is None else read_listing(dpo.valid_json_path)[: dpo.valid_count]
    if settings.training.canvases is not None:
        raise ValueError("training.canvases is not for preference tuning: pairs are told apart by their whole canvas; leave it at null")
    start = begin(settings)
    for path, pairs in ((dataset.dpo_json_path, files), (dpo.valid_json_path, kept)):
        if unstyled := sum(pair.style is None for pair in pairs):
            log.warning("%s: %d of %d pairs have no style_path; their style is zeros", path, unstyled, len(pairs))
    reference = _reference(settings, start)
    silence = start.silence()
    source = _source(settings, files, silence, start)
    errors = reference.live
    if dpo.precompute_reference:
        errors = stored_reference(_errors(settings, start, source, reference))
    validate = _validation(settings, start, reference, kept, silence)
    facts = {"reference": reference.sha256}
    del reference  # where it is asked no more, its memory is free for the optimizer
    end(
        start,
        start.loader(source),
        dpo_objective(errors, settings.training.beta_dpo, cfm.sft, cfm.dual_drop_prob, cfm.lyrics_drop_prob),
        Hooks(validate=validate, judge=Watch(dpo.on_worse, dpo.worse_share, dpo.worse_window)),
        latents=_latents(settings),
        references=0 if dpo.precompute_reference else 2 / _latents(settings),
        facts=facts,
    )


def _reference(settings: DPOConfig, start: Start) -> Reference:
    """The reference as the settings ask for it: the base of the adapter that is trained, or another network beside the policy."""
    named = settings.dpo.reference_path or settings.training.resume_from_safetensors
    if named is None:
        raise ValueError("preferences are tuned from trained weights: name them in training.resume_from_safetensors")
    path, device = locate(named), start.accelerator.device
    tensors = weights.read_tensors(path)
    sha256 = weights.fingerprint(tensors)
    if start.state is not None:
        refuse_another(start.state.get("reference"), sha256, path)
    if settings.training.lora.rank and start.base is not None and start.base["sha256"] == sha256:
        base = start.model.to(device)
        without = partial(lora.disabled, base)

        def answer(x_t: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
            with without():
                return base(x_t, t, conditions)

        return Reference(sha256, answer, live_reference(None, without))
    sizes = replace(weights.read_settings(path) or settings.model.dit, grad_ckpt=False)
    model = frozen(tensors, sizes, path, device, choose(settings.training.precision, device))
    return Reference(sha256, model, live_reference(model))


def _latents(settings: DPOConfig) -> int:
    """How many latents of a pair the policy is asked about."""
    return 3 if settings.model.cfm.sft == "gt" else 2


def _holds_two(settings: DPOConfig) -> bool:
    """Whether the reference is a network of its own while the policy trains."""
    other = settings.dpo.reference_path not in (None, settings.training.resume_from_safetensors)
    return not settings.dpo.precompute_reference and (other or not settings.training.lora.rank)


def _source(settings: DPOConfig, files: Sequence[PairFiles], silence: Tensor, start: Start) -> PairSource:
    dataset = settings.data.train_dataset
    return PairSource(
        files=files,
        crop=dataset.shards().crop,
        silence=silence,
        ids_of=start.phonemizer.ids_of,
        sampled=dataset.vae_sampled,
        seed=settings.seed,
        batch_size=settings.data.train_dataloader.batch_size,
        processes=start.accelerator.num_processes,
        cycle=settings.dpo.precompute_reference or None,
        max_bad_share=settings.data.max_bad_share,
        shuffle=dataset.shuffle,
    )


def _errors(settings: DPOConfig, start: Start, source: PairSource, reference: Reference) -> Table:
    """The reference's errors on every draw of every pair, from the run's folder or computed now."""
    cfm, dataset, accelerator = settings.model.cfm, settings.data.train_dataset, start.accelerator
    assert dataset.dpo_json_path is not None
    facts = {
        "the reference": reference.sha256,
        "the pairs": files_digest(dataset.dpo_json_path, source.files),
        "seed": str(settings.seed),
        "dpo.precompute_reference": str(source.cycle),
        "the crop or filler": str(asdict(source.crop)),
        "data.train_dataset.vae_sampled": str(source.sampled),
        "silence": hashlib.sha256(source.silence.float().numpy().tobytes()).hexdigest(),
        "data.train_dataset.phonemizer_checkpoint": str(dataset.phonemizer_checkpoint),
        "model.cfm's drop-out": f"{list(cfm.dual_drop_prob)} {cfm.lyrics_drop_prob}",
        "training.precision": str(accelerator.mixed_precision),
    }

    def compute() -> Table:
        once = replace(source, epochs=source.cycle, shuffle=False, files=[replace(pair, truth=None) for pair in source.files])
        place = (accelerator.process_index, accelerator.num_processes)
        batches = Loader(once, settings.data.train_dataloader, *place)
        return compute_errors(reference.velocity, batches, cfm.dual_drop_prob, cfm.lyrics_drop_prob, accelerator)

    return kept_errors(settings.training.checkpoint_path, facts, compute, accelerator)


def _validation(
    settings: DPOConfig, start: Start, reference: Reference, kept: Sequence[PairFiles], silence: Tensor
) -> Callable[[nn.Module], dict[str, float]] | None:
    """The comparison with the reference on held-out pairs and songs, or None where there are none."""
    accelerator, count, size = start.accelerator, settings.dpo.valid_count, settings.data.train_dataloader.batch_size
    asked = []
    with torch.no_grad(), accelerator.autocast():
        if kept:
            once = replace(_source(settings, kept, silence, start), seed="valid", processes=1, cycle=None, epochs=1, shuffle=False)
            pairs = probes(reference.velocity, Loader(once, LoaderSettings(batch_size=size)), accelerator.device)
            asked.append((measure_pairs(settings.training.beta_dpo), pairs))
        if settings.data.valid_pattern is not None:
            shards = replace(
                settings.data.train_dataset.shards(),
                pattern=settings.data.valid_pattern,
                id_list_jsonl=None,
                resample_by_duration_threshold=None,
                max_bad_share=settings.data.max_bad_share,
            )
            songs = islice(held_out(shards, start.phonemizer.ids_of, silence, size), -(-count // size))
            asked.append((measure_songs, probes(reference.velocity, songs, accelerator.device)))
    if not asked:
        return None

    def validate(model: nn.Module) -> dict[str, float]:
        means = [held_out_means(measure, found, model, accelerator) for measure, found in asked]
        return {name: value for each in means for name, value in each.items()}

    return validate


def main(words: list[str]) -> None:
    """Entry: tunes preferences with the command line's settings, or tells what that would take."""
    settings = config.load(DPOConfig, words)
    if settings.plan:
        tell(plan(settings, _latents(settings), _holds_two(settings)))
    else:
        train(settings)


if __name__ == "__main__":
    sys.exit(config.run(main))
