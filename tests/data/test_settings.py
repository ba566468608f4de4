"""The dataset section of a YAML, and the latent of silence."""

import numpy as np
import pytest
import torch

from jam.data.settings import DatasetSettings, read_silence
from jam.vae.diffrhythm import DiffRhythmVAE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"shuffle_songs": 0}, "data.train_dataset.shuffle_songs is 0"),
        ({"ignore_by_duration_threshold": 0.0}, "data.train_dataset.ignore_by_duration_threshold is 0.0"),
        ({"resample_by_duration_threshold": -1.0}, "data.train_dataset.resample_by_duration_threshold is -1.0"),
        ({"always_use_style_index": -1}, "data.train_dataset.always_use_style_index is -1"),
        ({"max_frames": 0}, "dataset.max_frames is 0"),
        ({"sampling_rate": 48000}, "dataset.sampling_rate is 48000"),
    ],
)
def test_values_that_mean_nothing_are_refused_by_name(words, said):
    with pytest.raises(ValueError, match=said):
        DatasetSettings(**words)


def test_settings_reach_the_shards():
    shards = DatasetSettings(pattern="a.tar", shuffle_songs=7, multiple_styles=False, max_frames=99, filler="pad_right").shards()
    assert (shards.pattern, shards.shuffle_songs, shards.crop.max_frames) == ("a.tar", 7, 99)
    assert (shards.crop.always_use_style_index, shards.crop.filler) == (0, "pad_right")


def test_silence_is_read_from_files_asked_of_the_vae_or_zeros_with_a_reason(tmp_path, caplog):
    row = torch.arange(64.0)
    np.save(tmp_path / "s.npy", row[None].numpy())
    torch.save(row, tmp_path / "s.pt")
    assert torch.equal(read_silence(str(tmp_path / "s.npy")), row)
    assert torch.equal(read_silence(str(tmp_path / "s.pt")), row)
    assert torch.equal(read_silence("vae", lambda: row.double()), row)
    with caplog.at_level("INFO"):
        assert not read_silence(None).any()
    assert "zeros, as no silence is given; set data.train_dataset.silence_latent_path" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"text", "is not a readable tensor"),
        (torch.zeros(63), r"holds \[63\] numbers"),
        (torch.full((64,), torch.nan), "not finite"),
    ],
)
def test_silence_that_cannot_be_is_refused(tmp_path, content, said):
    path = tmp_path / "s.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match=f"s.pt: {said}" if said != "not finite" else said):
        read_silence(str(path))


def test_a_vae_that_cannot_tell_silence_says_so():
    with pytest.raises(ValueError, match="only decodes and cannot tell the latent of silence; name one in silence_latent_path"):
        read_silence("vae", lambda: DiffRhythmVAE.silence(None))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no VAE is at hand"):
        read_silence("vae")
