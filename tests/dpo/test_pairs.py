"""A pair's recordings: both layouts, one crop for all of them, and files that cannot be used."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from jam.data.example import CropSettings
from jam.dpo.pairs import collate_pairs, load_pair
from jam.timing import frames_to_seconds
from tests.dpo.made import FRAMES, ids_of

CROP = CropSettings(max_frames=FRAMES)


def load(files, draws="0:0:a", sampled=True, crop=CROP):
    return load_pair(files, draws, crop, sampled, ids_of)


def places(latents):
    """Writes latents whose every number is the frame's own, so that a crop says where it lies."""

    def write(path, frames, sampled):
        ramp = torch.arange(float(frames))[:, None].expand(frames, 64)
        torch.save(ramp.clone() if sampled else torch.cat([ramp.T, torch.zeros(64, frames)]), path)

    for path, frames, sampled in latents:
        write(path, frames, sampled)


@pytest.mark.parametrize("sampled", [True, False])
def test_all_latents_of_a_pair_share_one_crop_within_the_shortest(pairs_in, sampled):
    (files,) = pairs_in(1, truth=True)
    places([(files.winner, 40, sampled), (files.loser, 31, sampled), (files.truth, 50, sampled)])
    starts = set()
    for use in range(60):
        pair = load(files, f"0:{use}:a", sampled)
        assert torch.equal(pair.winner, pair.loser) and torch.equal(pair.winner, pair.truth)
        assert pair.winner.shape == (FRAMES, 64)
        starts.add(int(pair.winner[0, 0]))
        assert pair.conditions.start_time.item() == pytest.approx(int(pair.winner[0, 0]) / 31)
    assert min(starts) <= 2 and 17 <= max(starts) <= 31 - FRAMES


def test_the_duration_bounds_the_crop_and_what_follows_is_silence(pairs_in):
    (files,) = pairs_in(1, duration=frames_to_seconds(7))
    pair = load(files)
    batch = collate_pairs([pair], torch.full((64,), 0.25), FRAMES)
    assert len(pair.winner) == 7
    for latents in (batch.winner, batch.loser):
        assert latents.shape == (1, FRAMES, 64)
        assert torch.equal(latents[0, 7:], torch.full((FRAMES - 7, 64), 0.25))
    assert batch.seconds == pytest.approx(frames_to_seconds(7))
    assert batch.conditions.duration_rel.item() == pytest.approx(7 / FRAMES)


def test_means_and_deviations_are_sampled_with_the_same_noise(pairs_in):
    (files,) = pairs_in(1)
    deviation = torch.cat([torch.zeros(64, 20), torch.ones(64, 20)])
    torch.save(deviation, files.winner)
    torch.save(deviation + torch.cat([torch.full((64, 20), 3.0), torch.zeros(64, 20)]), files.loser)
    pair = load(files, sampled=False)
    assert torch.allclose(pair.loser - pair.winner, torch.tensor(3.0), atol=1e-5)
    assert pair.winner.std() > 0.8
    assert not torch.equal(pair.winner, load(files, "0:1:a", sampled=False).winner)


def test_the_same_use_gives_the_same_pair_and_another_use_another(pairs_in):
    (files,) = pairs_in(1, frames=200)
    first, again, other = load(files), load(files), load(files, "0:1:a")
    assert torch.equal(first.winner, again.winner) and torch.equal(first.conditions.slots, again.conditions.slots)
    assert not torch.equal(first.winner, other.winner)


def test_a_pair_without_style_has_zeros_and_one_of_several_is_drawn(pairs_in, tmp_path):
    (files,) = pairs_in(1)
    assert load(replace(files, style=None)).conditions.style.eq(0).all()
    np.save(tmp_path / "styles.npy", np.stack([np.full(512, 1.0), np.full(512, 2.0)]))
    files = replace(files, style=tmp_path / "styles.npy")
    assert {load(files, f"0:{use}:a").conditions.style[0, 0].item() for use in range(20)} == {1.0, 2.0}


@pytest.mark.parametrize(
    ("content", "sampled", "message"),
    [
        (torch.zeros(128, 30), True, r"\[128, 30\].*vae_sampled is true, which expects \[frames, 64\]"),
        (torch.zeros(30, 64), False, r"\[30, 64\].*vae_sampled is false, which expects \[128, frames\]"),
        (torch.zeros(0, 64), True, r"\[0, 64\]"),
        (torch.full((30, 64), torch.nan), True, "not finite"),
        ({"latent": torch.zeros(30, 64)}, True, "holds a dict instead of a tensor"),
    ],
)
def test_a_latent_that_cannot_be_used_is_named(pairs_in, content, sampled, message):
    (files,) = pairs_in(1)
    torch.save(content, files.loser)
    if not sampled:
        torch.save(torch.zeros(128, 30), files.winner)
    with pytest.raises(ValueError, match=f"lose_latent0.pt: .*{message}"):
        load(files, sampled=sampled)


def test_a_file_cut_short_is_named(pairs_in):
    (files,) = pairs_in(1)
    files.winner.write_bytes(files.winner.read_bytes()[:200])
    with pytest.raises(ValueError, match="win_latent0.pt: is not a readable tensor"):
        load(files)


def test_a_batch_holds_its_pairs_in_order_and_moves_whole(pairs_in):
    pairs = [load(files, f"0:0:{files.key}") for files in pairs_in(3, truth=True)]
    batch = collate_pairs(pairs, torch.zeros(64), FRAMES).to("cpu")
    assert len(batch) == 3 and batch.keys == ("song0", "song1", "song2") and batch.draws == ("0:0:song0", "0:0:song1", "0:0:song2")
    assert torch.equal(batch.loser[1], pairs[1].loser)
    assert batch.truth is not None and torch.equal(batch.truth[2], pairs[2].truth)
    assert batch.conditions.slots.shape == (3, 4 * FRAMES) and (batch.conditions.slots != 63).any()
