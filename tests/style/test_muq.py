"""MuQ-MuLan, with the package's own classes at a tiny size and random weights."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from jam.assets import MUQ_MULAN
from jam.style.muq import MuQStyle

HIDDEN = 16
WORDS = ["<s>", "<pad>", "</s>", "<unk>", "calm", "piano", "fast", "drums", "<mask>"]


def build(folder: Path) -> None:
    """A MuQ-MuLan of tiny towers: `config.json`, `model.safetensors`, and the towers the config names beside them."""
    from muq import MuQ, MuQConfig, MuQMuLan
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Wav2Vec2ConformerConfig, XLMRobertaConfig, XLMRobertaModel

    torch.manual_seed(0)
    conformer = Wav2Vec2ConformerConfig(
        hidden_size=HIDDEN, num_attention_heads=2, intermediate_size=HIDDEN, position_embeddings_type="rotary", num_hidden_layers=1
    )
    listener = MuQConfig(
        conv_dim=2, encoder_dim=HIDDEN, encoder_depth=1, codebook_size=8, w2v2_config=json.loads(conformer.to_json_string()),
        stat={"melspec_2048_mean": 0.0, "melspec_2048_std": 20.0},
    )  # fmt: skip
    MuQ(listener).save_pretrained(folder / "MuQ-tiny", config=dataclasses.asdict(listener))
    reader = XLMRobertaConfig(
        vocab_size=len(WORDS),
        hidden_size=HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=HIDDEN,
        max_position_embeddings=40,
    )
    XLMRobertaModel(reader).save_pretrained(folder / "xlm-roberta-tiny")
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>").save_pretrained(folder / "xlm-roberta-tiny")
    transformer = {"dim": HIDDEN, "tf_depth": 1, "heads": 2, "dim_head": 8}
    config: dict[str, Any] = {
        "mulan": {"sr": 24_000, "clip_secs": 10, "dim_latent": 512},
        "audio_model": {"name": "someone/MuQ-tiny", "model_dim": HIDDEN, "use_layer_idx": -1},
        "text_model": {"name": "someone/xlm-roberta-tiny", "model_dim": HIDDEN},
        "audio_transformer": transformer,
        "text_transformer": transformer,
    }
    (folder / "config.json").write_text(json.dumps(config))
    here = json.loads(json.dumps(config))
    for tower in ("audio_model", "text_model"):
        here[tower]["name"] = str(folder / here[tower]["name"].rsplit("/", 1)[-1])
    model = MuQMuLan(here)
    torch.manual_seed(1)  # weights of the whole that are not those of its towers
    tensors = {
        name: torch.randn_like(tensor) * 0.2 if tensor.is_floating_point() else tensor for name, tensor in model.state_dict().items()
    }
    save_file({name: tensor.abs() if "running_var" in name else tensor for name, tensor in tensors.items()}, folder / "model.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("mulan")
    build(path)
    return path


@pytest.fixture(scope="module")
def encoder(folder) -> MuQStyle:
    return MuQStyle.load(folder)


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_audio_of_any_rate_gives_one_unit_vector(encoder, tone):
    style = encoder.from_audio(tone(440, 4.0), 44_100)
    assert style.shape == (512,)
    assert style.dtype == torch.float32
    assert style.norm() == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(encoder.from_audio(tone(440, 4.0, 24_000), 24_000), style, atol=5e-3, rtol=0)


def test_long_audio_gives_the_mean_of_its_ten_second_pieces(encoder, tone):
    song = torch.cat([tone(440, 10.0, 24_000), tone(97, 10.0, 24_000)], dim=1)
    halves = [encoder.from_audio(song[:, part], 24_000) for part in (slice(0, 240_000), slice(240_000, None))]
    torch.testing.assert_close(encoder.from_audio(song, 24_000), (halves[0] + halves[1]) / 2, atol=1e-5, rtol=0)


def test_text_needs_no_audio_and_gives_one_unit_vector(encoder):
    calm, fast = encoder.from_text("calm piano"), encoder.from_text("fast drums")
    assert calm.shape == (512,)
    assert calm.norm() == pytest.approx(1, abs=1e-4)
    assert (calm - fast).norm() > 1e-3
    assert torch.equal(calm, encoder.from_text("calm piano"))


def test_the_weights_of_the_whole_are_used_and_nothing_stays_random(encoder, folder):
    saved = load_file(folder / "model.safetensors")
    loaded = encoder.model.state_dict()
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)
    assert not encoder.model.training


def test_pickled_weights_are_read_as_tensors_only(copy, encoder):
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    assert torch.equal(MuQStyle.load(copy).from_text("calm"), encoder.from_text("calm"))


def test_nothing_to_describe_is_refused(encoder, tone):
    with pytest.raises(ValueError, match="too short"):
        encoder.from_audio(tone(440, 0.1), 44_100)
    with pytest.raises(ValueError, match="prompt is empty"):
        encoder.from_text("  ")


def test_a_missing_tensor_is_named(copy):
    tensors = load_file(copy / "model.safetensors")
    del tensors["mulan.audio_to_latents.bias"]
    save_file(tensors, copy / "model.safetensors")
    with pytest.raises(ValueError, match=r"1 tensors are missing, first mulan\.audio_to_latents\.bias"):
        MuQStyle.load(copy)


def test_missing_weights_and_towers_are_named(copy, hub_cache, monkeypatch):  # noqa: ARG001  (an empty cache)
    (copy / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        MuQStyle.load(copy)
    config = (copy / "config.json").read_text()
    (copy / "config.json").write_text(config.replace("someone/MuQ-tiny", str(copy / "MuQ-gone")))
    with pytest.raises((OSError, ValueError), match="MuQ-gone") as caught:
        MuQStyle.load(copy)
    assert "\n" not in str(caught.value)
    (copy / "config.json").write_text(config.replace("512", "128"))
    with pytest.raises(ValueError, match=r"JAM's style needs \(24000, 512\)"):
        MuQStyle.load(copy)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OSError, match="OpenMuQ/MuQ-MuLan-large"):
        MuQStyle.load(MUQ_MULAN)
