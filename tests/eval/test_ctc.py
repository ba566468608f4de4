"""What a CTC network hears, in windows and whole, and how words are spelled for it: a tiny network of random weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jam.assets import Asset
from jam.eval.alignment import align
from jam.eval.ctc import RATE, Hearer
from jam.eval.measures import Absent

LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'")
VOCABULARY = {letter: code for code, letter in enumerate(LETTERS)}


def save(path: Path, layers: int = 0, **settings: Any) -> Path:
    """A wav2vec 2.0 in small; without layers of attention each frame hears no further than its convolutions."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    config = Wav2Vec2Config(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=16, conv_dim=[8] * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, feat_extract_norm="layer", pad_token_id=0, **settings,
    )  # fmt: skip
    torch.manual_seed(0)
    Wav2Vec2ForCTC(config).save_pretrained(path)
    (path / "vocab.json").write_text(json.dumps(VOCABULARY))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network, saved as the hub's are."""
    return save(tmp_path_factory.mktemp("ctc"))


@pytest.fixture(scope="module")
def hearer(folder: Path) -> Hearer:
    """The small network, loaded as a user's is."""
    return Hearer.load(folder)


def sound(seconds: float, rate: int = RATE) -> torch.Tensor:
    return torch.randn(2, round(seconds * rate), generator=torch.Generator().manual_seed(0)) * 0.1


def test_frames_are_probabilities_at_their_times(hearer: Hearer) -> None:
    heard = hearer.hear(sound(2.0), RATE)
    assert heard.frame == 0.02 and heard.first == 0.0125  # wav2vec 2.0: 400 samples each 320
    assert heard.scores.shape == (100, len(VOCABULARY)) and heard.scores.dtype == np.float32
    assert np.exp(heard.scores).sum(1) == pytest.approx(np.ones(100), abs=1e-5)
    assert heard.blank == 0 and heard.silence == VOCABULARY["|"]


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.0251, 0.5])
def test_frames_reach_to_the_end_of_any_song(hearer: Hearer, seconds: float) -> None:
    heard = hearer.hear(sound(seconds), RATE)
    last = heard.first + (len(heard.scores) - 1) * heard.frame + hearer.reach / 2 / RATE
    assert last >= seconds
    assert np.isfinite(heard.scores).all()


@pytest.mark.parametrize("seconds", [2.0, 9.0, 10.013])
def test_windows_that_overlap_enough_equal_the_whole(folder: Path, seconds: float) -> None:
    whole = Hearer.load(folder).hear(sound(seconds), RATE).scores
    network = Hearer.load(folder)
    windowed = Hearer(network.model, VOCABULARY, window=3.0, context=0.5)
    seen: list[int] = []
    network.model.register_forward_hook(lambda _, given, __: seen.append(given[0].shape[-1]))
    parts = windowed.hear(sound(seconds), RATE).scores
    assert len(seen) == (1 if seconds < 3 else int(np.ceil(len(whole) / 100)))
    assert max(seen) <= 3 * RATE + 80
    np.testing.assert_allclose(parts, whole, atol=2e-5)


@pytest.mark.parametrize("batch", [2, 3, 16])
def test_windows_heard_at_once_equal_windows_heard_one_by_one(folder: Path, batch: int) -> None:
    network = Hearer.load(folder)
    one_by_one = Hearer(network.model, VOCABULARY, window=3.0, context=0.5).hear(sound(13.3), RATE).scores
    seen: list[int] = []
    network.model.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    together = Hearer(network.model, VOCABULARY, window=3.0, context=0.5, batch=batch).hear(sound(13.3), RATE).scores
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)
    assert max(seen) == min(batch, 5) and sum(seen) == 7  # the first and the last have no neighbour on one side


def test_windows_without_context_do_not(folder: Path) -> None:
    network = Hearer.load(folder)
    bare = Hearer(network.model, VOCABULARY, window=3.0, context=0.0).hear(sound(9.0), RATE).scores
    assert np.abs(bare - network.hear(sound(9.0), RATE).scores).max() > 1e-3
    with pytest.raises(ValueError, match="no room"):
        Hearer(network.model, VOCABULARY, window=3.0, context=2.0)


def test_loudness_does_not_change_what_is_heard(hearer: Hearer) -> None:
    np.testing.assert_allclose(hearer.hear(sound(1.0) * 0.2, RATE).scores, hearer.hear(sound(1.0), RATE).scores, atol=1e-3)


def test_a_network_taught_raw_sound_hears_it_raw(folder: Path, tmp_path: Path) -> None:
    copy = save(tmp_path)
    (copy / "preprocessor_config.json").write_text('{"do_normalize": false}')
    raw = Hearer.load(copy)
    assert not raw.scaled and Hearer.load(folder).scaled
    assert np.abs(raw.hear(sound(1.0) * 0.2, RATE).scores - raw.hear(sound(1.0), RATE).scores).max() > 1e-3


def test_songs_of_any_rate_have_the_same_times(hearer: Hearer) -> None:
    assert len(hearer.hear(sound(2.0, 44_100), 44_100).scores) == len(hearer.hear(sound(2.0), RATE).scores)


def spelling(hearer: Hearer, word: str, language: str = "en") -> str:
    return "".join(LETTERS[code] for code in hearer.spell(word, language))


def test_words_are_spelled_in_the_network_s_letters(hearer: Hearer) -> None:
    assert spelling(hearer, "Don\u2019t,") == "DON'T"
    assert spelling(hearer, "25") == "TWENTY|FIVE"
    assert spelling(hearer, "d\u00e9j\u00e0", "fr") == "DEJA"
    assert spelling(hearer, "...") == spelling(hearer, "\u6708", "ja") == ""


def test_accents_that_the_network_has_are_kept(hearer: Hearer) -> None:
    french = Hearer(hearer.model, {"\u00e9": 5, "d": 6, "j": 7, "a": 8})
    assert french.spell("D\u00e9j\u00e0", "fr") == [6, 5, 7, 8]


def test_emissions_and_spelling_fit_the_aligner(hearer: Hearer) -> None:
    heard = hearer.hear(sound(3.0), RATE)
    words = [hearer.spell(word) for word in ("we", "walk", "...")]
    assert len(align(heard, words).words) == 3


@pytest.mark.usefixtures("hub_cache")
def test_what_is_not_here_is_absent_and_what_is_wrong_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for source in (tmp_path / "nowhere", Asset("facebook/wav2vec2-base-960h", "model.safetensors")):
        with pytest.raises(Absent, match="wav2vec2-base-960h"):
            Hearer.load(source)
    with pytest.raises(ValueError, match=r"vocab\.json: no vocabulary"):
        Hearer.load(tmp_path)
    (tmp_path / "vocab.json").write_text('{"eng": {"A": 1}}')
    with pytest.raises(ValueError, match="of one"):
        Hearer.load(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps(VOCABULARY))
    with pytest.raises(ValueError, match="not a CTC network"):
        Hearer.load(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="not a CTC network"):
        Hearer.load(tmp_path)


def test_a_vocabulary_of_more_tokens_than_the_network_is_refused(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps(VOCABULARY | {"\u00e9": 99}))
    with pytest.raises(ValueError, match="code 99"):
        Hearer.load(tmp_path)
