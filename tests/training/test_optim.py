"""The learning rate rises and falls in lines."""

import pytest

from jam.training.optim import learning_rate_ratio


def test_the_learning_rate_rises_and_falls_in_lines():
    ratios = [learning_rate_ratio(step, warmup=4, max_steps=12) for step in range(13)]
    assert ratios[:4] == [0.25, 0.5, 0.75, 1.0]
    assert ratios[4:] == pytest.approx([1 - i / 8 for i in range(9)])
    assert learning_rate_ratio(11, 4, 12, constant=True) == 1.0
    assert [learning_rate_ratio(step, 2, 12, decay_share=0.5) for step in (2, 7, 12)] == [1.0, 1.0, 0.0]
