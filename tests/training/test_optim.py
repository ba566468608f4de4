"""The learning rate rises and falls in lines; gains and biases are not decayed."""

import pytest

from jam.model.dit import DiT, DiTSettings
from jam.training.optim import adamw, is_decayed, learning_rate_ratio


def test_the_learning_rate_rises_and_falls_in_lines():
    ratios = [learning_rate_ratio(step, warmup=4, max_steps=12) for step in range(13)]
    assert ratios[:4] == [0.25, 0.5, 0.75, 1.0]
    assert ratios[4:] == pytest.approx([1 - i / 8 for i in range(9)])
    assert learning_rate_ratio(11, 4, 12, constant=True) == 1.0
    assert [learning_rate_ratio(step, 2, 12, decay_share=0.5) for step in (2, 7, 12)] == [1.0, 1.0, 0.0]


def test_gains_and_biases_are_not_decayed():
    model = DiT(DiTSettings(max_frames=8, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16, time_modulation=True))
    spared = {name.rpartition(".")[2] for name, parameter in model.named_parameters() if not is_decayed(name, parameter)}
    assert spared == {"bias", "gamma", "beta", "modulation", "duration_pad_bias", "weight"}
    weights = [name for name, parameter in model.named_parameters() if not is_decayed(name, parameter) and name.endswith("weight")]
    assert weights and all("norm" in name for name in weights)
    decayed, plain = adamw(model.named_parameters(), 1e-3, 0.01, (0.9, 0.999)).param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.01, 0.0)
    assert len(decayed["params"]) + len(plain["params"]) == len(list(model.parameters()))
