"""Recognisers: pocketsphinx itself, a tiny Whisper with a real tokenizer, and what is said where one is missing."""

import json
import sys
from pathlib import Path

import pytest
import torch

from jam.assets import Asset
from jam.eval.measures import Absent
from jam.eval.recognisers import FasterWhisper, Heard, Recogniser, Sphinx, Whisper
from jam.timing import SAMPLE_RATE

LANGUAGES = ("en", "fr", "ja")


def write_tokenizer(folder: Path) -> dict[str, int]:
    """A byte-level tokenizer of single characters with Whisper's own tokens; {token: id}."""
    from transformers.models.whisper.tokenization_whisper import bytes_to_unicode

    words = list(bytes_to_unicode().values()) + ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    words += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    times = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
    ids = {word: code for code, word in enumerate(words + times)}
    plain = {word: code for word, code in ids.items() if code <= ids["<|endoftext|>"]}
    (folder / "vocab.json").write_text(json.dumps(plain), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return ids


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Whisper of random weights, saved as the hub's are."""
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )

    path = tmp_path_factory.mktemp("whisper")
    ids = write_tokenizer(path)
    tokenizer = WhisperTokenizer(str(path / "vocab.json"), str(path / "merges.txt"))
    tokenizer.add_special_tokens({"additional_special_tokens": [word for word, code in ids.items() if 256 < code < len(ids) - 1501]})
    tokenizer.add_tokens([word for word, code in ids.items() if code >= len(ids) - 1501])
    assert tokenizer.convert_tokens_to_ids("<|30.00|>") == ids["<|30.00|>"]
    end = ids["<|endoftext|>"]
    config = WhisperConfig(
        vocab_size=len(ids), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, max_target_positions=448, pad_token_id=end, bos_token_id=end, eos_token_id=end,
        decoder_start_token_id=ids["<|startoftranscript|>"], suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    torch.manual_seed(3)
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=ids["<|startoftranscript|>"], eos_token_id=end, pad_token_id=end, bos_token_id=end, max_length=24,
        is_multilingual=True, lang_to_id={f"<|{code}|>": ids[f"<|{code}|>"] for code in LANGUAGES}, return_timestamps=False,
        task_to_id={"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}, max_initial_timestamp_index=50,
        no_timestamps_token_id=ids["<|notimestamps|>"], prev_sot_token_id=ids["<|startofprev|>"],
    )  # fmt: skip
    model.save_pretrained(path)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def whisper(folder: Path) -> Whisper:
    """The tiny Whisper, loaded as a user's is; one temperature, since a random network is never sure."""
    loaded = Whisper.load(folder)
    loaded.model.config.max_target_positions = 24  # a random network does not stop by itself
    return Whisper(loaded.model, loaded.processor, temperatures=(0.0,))


def sound(seconds: float) -> torch.Tensor:
    return torch.randn(2, round(seconds * SAMPLE_RATE), generator=torch.Generator().manual_seed(0)) * 0.1


def windows(whisper: Whisper, seconds: float) -> tuple[Heard, int]:
    """What is written of a song, and how many windows of it the network heard."""
    seen: list[int] = []
    hook = whisper.model.get_encoder().register_forward_hook(lambda *_: seen.append(1))
    try:
        return whisper.write(sound(seconds), "en"), len(seen)
    finally:
        hook.remove()


def test_whisper_writes_the_same_text_of_the_same_song(whisper: Whisper) -> None:
    drawn = Whisper(whisper.model, whisper.processor, temperatures=(1.0,))
    state = torch.get_rng_state()
    heard = drawn.write(sound(2.0), "en")
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    assert heard.text and heard == drawn.write(sound(2.0), "en") != whisper.write(sound(2.0), "en")


def test_whisper_hears_songs_of_more_than_half_a_minute_to_their_end(whisper: Whisper) -> None:
    _, short = windows(whisper, 3.0)
    heard, long = windows(whisper, 65.0)
    assert heard.text
    assert long == 3 * short


def test_whisper_is_told_the_language(whisper: Whisper) -> None:
    assert whisper._settings("French")["language"] == "fr"
    assert whisper._settings(None)["language"] == "en"
    with pytest.raises(Absent, match="xx"):
        whisper.write(sound(1.0), "xx")


def test_a_folder_without_whisper_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="save_pretrained") as caught:
        Whisper.load(tmp_path)
    assert not isinstance(caught.value, Absent) and "\n" not in str(caught.value)


def test_pickled_weights_are_not_opened(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(folder, tmp_path / "pickled"))
    (copy / "model.safetensors").unlink()
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(ValueError, match="save_pretrained"):
        Whisper.load(copy)


@pytest.mark.usefixtures("hub_cache")
def test_weights_that_are_not_here_are_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for source in (tmp_path / "nowhere", Asset("openai/whisper-small", "model.safetensors")):
        with pytest.raises(Absent, match="whisper") as caught:
            Whisper.load(source)
        assert "\n" not in str(caught.value)


def test_faster_whisper_writes_words_at_their_times(folder: Path, tmp_path: Path) -> None:
    ctranslate2 = pytest.importorskip("ctranslate2")
    pytest.importorskip("faster_whisper")
    from transformers import WhisperTokenizerFast

    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        FasterWhisper.load(tmp_path)
    WhisperTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    copied = ["tokenizer.json", "preprocessor_config.json"]
    ctranslate2.converters.TransformersConverter(str(folder), copy_files=copied).convert(str(tmp_path / "converted"))
    recogniser = FasterWhisper.load(tmp_path / "converted")
    heard = recogniser.write(sound(35.0), "en")
    assert heard.text and heard == recogniser.write(sound(35.0), "en")
    assert all(0 <= word.start <= word.end <= 35.1 for word in heard.words)
    assert heard.words and all(word.word in heard.text for word in heard.words)


def test_faster_whisper_that_is_not_installed_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(Absent, match=r"jam\[whisper\]"):
        FasterWhisper.load("anywhere")


def test_pocketsphinx_that_is_not_installed_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(Absent, match=r"jam\[eval\]"):
        Sphinx(["a line"])


def test_pocketsphinx_reads_english_alone() -> None:
    pytest.importorskip("pocketsphinx")
    recogniser: Recogniser = Sphinx(["a line"])
    assert recogniser.write(torch.zeros(2, SAMPLE_RATE)) == Heard("")
    with pytest.raises(Absent, match="English"):
        recogniser.write(torch.zeros(2, SAMPLE_RATE), "fr")
