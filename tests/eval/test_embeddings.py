"""Songs as rows: windows, the embedded style encoder, a tiny CLAP, and VGGish where torchvggish is installed."""

import importlib.util
import shutil

import numpy as np
import pytest
import torch

from jam import assets
from jam.eval import embeddings
from jam.eval.embeddings import ClapRows, StyleRows, VggishRows, windows
from jam.eval.measures import Absent
from jam.style.nano import NanoStyle

RATE = 44_100
WITH_VGGISH = importlib.util.find_spec("torchvggish") is not None


def count(seconds: float) -> torch.Tensor:
    """Samples that are their own numbers."""
    return torch.arange(round(seconds * RATE)).float().expand(2, -1)


@pytest.mark.parametrize(("seconds", "starts"), [(5, [0]), (3, [0]), (7.5, [0, 2.5]), (9, [0, 2.5, 4]), (12.5, [0, 2.5, 5, 7.5])])
def test_windows_overlap_by_half_and_reach_the_end(seconds, starts):
    found = windows(count(seconds), 5.0)
    assert [float(part[0, 0]) for part in found] == [start * RATE for start in starts]
    assert all(part.shape == (2, round(min(seconds, 5) * RATE)) for part in found)
    assert found[-1][0, -1] == count(seconds)[0, -1]


def test_a_moment_is_filled_up_with_silence():
    (only,) = windows(torch.ones(2, 100), 5.0)
    assert only.shape == (2, RATE)
    assert only.sum() == 200


def test_style_rows_are_those_of_the_windows(tone):
    encoder = NanoStyle.load(assets.BUNDLE)
    song = torch.cat([tone(220, 5.0), tone(880, 5.0)], 1)
    rows = StyleRows(encoder, "nano").rows(song)
    assert rows.shape == (3, 512)
    assert rows[0] == pytest.approx(encoder.from_audio(tone(220, 5.0), RATE).numpy(), abs=1e-5)
    assert rows[2] == pytest.approx(encoder.from_audio(tone(880, 5.0), RATE).numpy(), abs=1e-5)


@pytest.fixture(scope="module")
def clap_folder(tmp_path_factory):
    """A tiny CLAP with weights of chance, as transformers saves one."""
    from transformers import ClapAudioConfig, ClapConfig, ClapFeatureExtractor, ClapModel, ClapTextConfig

    folder = tmp_path_factory.mktemp("clap")
    torch.manual_seed(0)
    heard = ClapAudioConfig(
        spec_size=64, patch_stride=[4, 4], num_mel_bins=16, patch_embeds_hidden_size=8, depths=[1, 1], num_attention_heads=[1, 2],
        hidden_size=16, window_size=4, num_classes=4, projection_dim=12, enable_fusion=False,
    )  # fmt: skip
    read = ClapTextConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    both = ClapConfig(text_config=read.to_dict(), audio_config=heard.to_dict(), projection_dim=12)
    ClapModel(both).save_pretrained(folder)
    extractor = ClapFeatureExtractor(feature_size=16, hop_length=2000, fft_window_size=2048, truncation="rand_trunc", padding="repeatpad")
    extractor.save_pretrained(folder)
    return folder


def test_clap_gives_unit_rows_that_are_the_same_each_time(clap_folder, tone):
    clap = ClapRows.load(clap_folder)
    song = torch.cat([tone(220, 10.0), tone(3000, 6.0)], 1)
    rows = clap.rows(song)
    assert rows.shape == (3, 12)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert (clap.rows(song) == rows).all()
    assert np.abs(rows[0] - rows[2]).max() > 1e-4
    assert clap.rows(tone(220, 0.4)).shape == (1, 12)


def test_clap_that_is_not_on_this_machine_is_told_in_a_line(hub_cache, monkeypatch):
    assert callable(hub_cache)  # the cache is empty
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Absent, match=r"^sound\.fad@clap: .*laion/clap-htsat-unfused.* as sound\.clap_path$") as caught:
        ClapRows.load()
    assert "\n" not in str(caught.value)


def test_a_folder_without_safetensors_is_refused(clap_folder, tmp_path):
    (tmp_path / "config.json").write_text((clap_folder / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(ValueError, match=r"holds no model\.safetensors"):
        ClapRows.load(tmp_path)


def test_a_file_that_holds_no_weights_is_refused(clap_folder, tmp_path):
    shutil.copytree(clap_folder, tmp_path / "clap")
    (tmp_path / "clap" / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="no CLAP model can be read"):
        ClapRows.load(tmp_path / "clap")


def test_weights_that_are_not_all_there_are_refused(clap_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(clap_folder, tmp_path / "clap")
    kept = {name: tensor for name, tensor in load_file(clap_folder / "model.safetensors").items() if "audio_projection" not in name}
    save_file(kept, tmp_path / "clap" / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="4 tensors of CLAP are missing, first audio_projection"):
        ClapRows.load(tmp_path / "clap")


@pytest.mark.skipif(WITH_VGGISH, reason="torchvggish is installed")
def test_without_torchvggish_a_line_says_what_to_install():
    with pytest.raises(Absent, match=r"^sound\.fad@vggish: torchvggish is not installed; pip install 'jam\[vggish\]'$"):
        VggishRows.load()


@pytest.mark.skipif(not WITH_VGGISH, reason="torchvggish is not installed")
def test_vggish_gives_a_row_for_each_096_seconds(tmp_path, tone):
    """Of weights of chance; the song is 5 s, so 5 rows. Takes seconds: the network has 72 million weights."""
    from torchvggish.torchvggish import VGG, make_layers

    torch.manual_seed(0)
    torch.save(VGG(make_layers(), postprocess=False).state_dict(), tmp_path / "weights.pth")
    vggish = VggishRows.load(tmp_path / "weights.pth")
    rows = vggish.rows(torch.cat([tone(220, 2.5), tone(3000, 2.5)], 1))
    assert rows.shape == (5, embeddings.VGGISH_WIDTH)
    assert (rows < 0).any()  # no ReLU behind them
    assert vggish.rows(tone(220, 0.3)).shape == (1, 128)


def test_weights_under_the_published_name_must_be_the_published_ones(tmp_path):
    (tmp_path / embeddings.VGGISH_FILE).write_bytes(b"others")
    with pytest.raises(ValueError, match="SHA-256 begins with .* instead of 10086976"):
        embeddings._fill(torch.nn.Linear(1, 1), embeddings._vggish_file(tmp_path))


def test_pickles_that_could_run_code_are_refused(tmp_path):
    torch.save({"net": torch.nn.Linear(1, 1)}, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match="holds no VGGish weights"):
        embeddings._fill(torch.nn.Linear(1, 1), tmp_path / "weights.pth")


def test_vggish_weights_that_are_nowhere_are_told_with_their_address(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(Absent, match=r"fetch https://github\.com/.*vggish-10086976\.pth and name it as sound\.vggish_path"):
        embeddings._vggish_file(None)
    with pytest.raises(ValueError, match="no such file"):
        embeddings._vggish_file(tmp_path)
