"""Tags, prompts and the contrastive loss of the embedded style encoder."""

import numpy as np
import pytest
import torch

from jam.nano.style import TAGS, contrast, draw_tags, fits, phrases, prompt
from jam.style.nano import NanoStyle, StyleNet

FOLK = frozenset({"folk", "slow", "band", "major", "fiddle", "male voice"})
ALONE = frozenset({"a cappella", "slow", "male voice"})


def test_every_phrase_means_a_known_tag():
    assert set(phrases().values()) == set(TAGS)


def test_a_prompt_says_the_tags_it_was_made_of():
    encoder = NanoStyle(StyleNet(len(TAGS)), TAGS, phrases())
    rng = np.random.default_rng(0)
    for heard, genre in ((FOLK, "folk"), (ALONE, "pop")):
        for _ in range(50):
            wanted = draw_tags(heard, genre, rng)
            assert encoder.named(prompt(wanted, rng)) == wanted
            assert fits(wanted, heard)


def test_a_voice_alone_may_be_of_any_genre_but_a_band_may_not():
    assert fits(frozenset({"a cappella", "folk"}), ALONE)
    assert not fits(frozenset({"pop"}), FOLK)


def test_contrast_is_zero_when_all_fit_and_all_agree():
    same = torch.ones(3, 4) / 2
    assert contrast(same, same, torch.ones(3, 3, dtype=torch.bool)).item() == pytest.approx(0, abs=1e-6)


def test_contrast_prefers_the_clip_that_fits():
    vectors = torch.eye(2)
    right = torch.eye(2, dtype=torch.bool)
    assert contrast(vectors, vectors, right) < contrast(vectors, vectors.flip(0), right)
