"""A planted preference: of every pair the loser is the winner with noise. It is learned, it holds for pairs that were not seen, and what
it costs the winners shows. About 20 s on one core: a network is trained, and tuned twice."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from jam.conditions import Conditions
from jam.dpo.train_dpo import main
from jam.flow import draw, errors
from jam.model import weights
from jam.model.dit import DiT, DiTSettings
from tests.dpo.made import records_in, words_of, write_recordings

FRAMES = 16
SIZES = DiTSettings(max_frames=FRAMES, dim=64, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=32, text_num_embeds=64)
STEPS = 100


def songs(count: int, stream: torch.Generator) -> list[dict[str, Tensor]]:
    """Pairs: four slow waves on four fixed patterns of channels are the truth; the winner has a little noise, the loser much."""
    patterns = torch.randn(4, 64, generator=torch.Generator().manual_seed(0)) / 2
    time = torch.arange(FRAMES)[:, None] / FRAMES
    made = []
    for _ in range(count):
        cycles, phases = torch.randint(1, 4, (4,), generator=stream), torch.rand(4, generator=stream)
        truth = torch.sin(2 * torch.pi * (cycles * time + phases)) @ patterns  # (T, 64)
        winner, loser = (truth + level * torch.randn(truth.shape, generator=stream) for level in (0.1, 0.5))
        made.append({"win_latent": winner, "lose_latent": loser, "gt_latent": truth})
    return made


def pretrained(stream: torch.Generator) -> DiT:
    """A network that sings winners and losers alike."""
    torch.manual_seed(0)
    model = DiT(SIZES)
    conditions = Conditions(torch.full((16, 4 * FRAMES), 63), torch.zeros(16, 512), torch.zeros(16), torch.zeros(16), torch.ones(16))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(120):
        pairs = songs(8, stream)
        x_1 = torch.stack([pair[key] for pair in pairs for key in ("win_latent", "lose_latent")])
        draws = draw([f"{step}:{song}" for song in range(16)], FRAMES, 64)
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min((step + 1) / 30, 1 - step / 120)
        errors(model, draws.x_0, x_1, draws.t, conditions).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sequence[Mapping[str, float]]]:
    """What runs of preference tuning log, all from the same network: plain, and with `sft` gt."""
    folder = tmp_path_factory.mktemp("planted")
    stream = torch.Generator().manual_seed(1)
    base = weights.save(pretrained(stream).state_dict(), SIZES, folder / "base").parent
    seen, unseen = (write_recordings(folder / name, songs(count, stream), []) for name, count in (("seen", 64), ("unseen", 32)))
    return {sft: tune(folder, base, seen, unseen, sft) for sft in ("none", "gt")}


def tune(folder: Path, base: Path, seen: Path, unseen: Path, sft: str) -> list[dict[str, float]]:
    """The records of a run that hold validation."""
    settings = {
        "model__cfm__sft": sft,
        "model__cfm__dual_drop_prob": [0, 0],
        "data__train_dataset__dpo_json_path": seen,
        "data__train_dataset__always_crop_from_beginning": True,
        "data__train_dataloader__batch_size": 8,
        "training__resume_from_safetensors": base,
        "training__checkpoint_path": folder / sft,
        "training__beta_dpo": 1000,
        "training__learning_rate": 2e-4,
        "training__use_constant_lr": True,
        "training__num_warmup_updates": 10,
        "training__max_steps": STEPS,
        "training__valid_every": STEPS,
        "dpo__valid_json_path": unseen,
        "dpo__on_worse": "ignore",
    }
    main(words_of(SIZES, **settings))
    return [record for record in records_in(folder / sft) if "valid_accuracy" in record]


@pytest.mark.parametrize("sft", ["none", "gt"])
def test_the_preference_holds_for_pairs_that_were_not_seen(tuned, sft):
    last = tuned[sft][-1]
    assert last["step"] == STEPS
    assert last["valid_accuracy"] > 0.9
    assert last["valid_margin"] > 5 and last["valid_loser_gain"] > 0.03


def test_alone_it_lets_the_winners_errors_rise_and_the_ground_truth_keeps_them(tuned):
    """The loss asks only for the difference: the losers' errors rise, and drag the winners' along."""
    plain, kept = tuned["none"][-1], tuned["gt"][-1]
    reference = plain["valid_winner_error"] - plain["valid_winner_gain"]
    assert plain["valid_winner_gain"] > 0.1 * reference
    assert kept["valid_winner_gain"] < 0.03 * reference
    assert plain["valid_drift"] > 1.5 * kept["valid_drift"]
