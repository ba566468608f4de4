"""Recognisers behind one small interface: a song in, what was heard out. Whisper's two doors are here, pocketsphinx's is `jam.eval.sphinx`.

Each of them knows a song's sound and its language, and nothing of what was asked for, except the words that pocketsphinx may be limited to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from jam import assets, audio
from jam.assets import Asset
from jam.eval.measures import Absent
from jam.eval.sphinx import Ipa, Listener, to_pcm
from jam.lyrics.languages import base
from jam.lyrics.words import Word
from jam.timing import SAMPLE_RATE

RATE = 16_000  # Hz, of Whisper
WINDOW_FRAMES = 3000  # log-mel columns that Whisper hears at once: 30 s
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # tried in turn where Whisper repeats itself, as its authors do
SEED = 0  # of what is drawn above temperature 0

_BESIDE = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "normalizer.json",
    "added_tokens.json",
    "special_tokens_map.json",
)
WHISPER = Asset("openai/whisper-large-v3", "model.safetensors", beside=_BESIDE)
FASTER_WHISPER = Asset(
    "Systran/faster-whisper-large-v3", "model.bin", beside=("config.json", "tokenizer.json", "vocabulary.json", "preprocessor_config.json")
)


@dataclass(frozen=True)
class Heard:
    """What a recogniser wrote down: the text, and where it tells them the words at their times and the phones (IPA)."""

    text: str
    words: tuple[Word, ...] = ()
    phones: tuple[str, ...] = ()


class Recogniser(Protocol):
    """Whoever writes down what is sung."""

    name: str  # as in lyrics.wer@name
    needs: str  # what must be on this machine

    def write(self, samples: Tensor, language: str | None = None) -> Heard:
        """What is heard in `samples` (2, N) at 44.1 kHz, sung in `language` (None: English). Absent for a language that it lacks."""
        ...


class Sphinx:
    """pocketsphinx, for a voice alone, in English."""

    name = "pocketsphinx"
    needs = "pip install 'jam[eval]'"

    def __init__(self, texts: Iterable[str] = (), ipa: Ipa | None = None) -> None:
        """As `jam.eval.sphinx.Listener`: it hears the words of `texts` alone, or its general English without them."""
        self.listener = Listener(texts, ipa)

    def write(self, samples: Tensor, language: str | None = None) -> Heard:
        """What is heard, with the words' times. Absent for another language than English."""
        if base(language or "en") != "en":
            raise Absent(f"what pocketsphinx hears: it reads English, and this song is in {language}; use Whisper")
        words = self.listener.read(to_pcm(samples))
        return Heard(" ".join(word.word for word in words), words)


class Whisper:
    """Whisper by transformers (Radford et al. 2022), songs of any length."""

    name = "whisper"
    needs = "its weights: a folder, or the hub"

    def __init__(self, model: Any, processor: Any, temperatures: tuple[float, ...] = TEMPERATURES) -> None:
        """`temperatures` are tried in turn for each half minute, until the text neither repeats itself nor is a mere guess."""
        self.model, self.processor, self.temperatures = model, processor, temperatures

    @classmethod
    def load(cls, source: str | Path | Asset = WHISPER, device: str | torch.device = "cpu") -> "Whisper":
        """Whisper from a folder as `save_pretrained` writes it (safetensors), or of the hub.

        Raises Absent, one line, where it is not to be had; ValueError for a folder that holds something else.
        """
        folder = _folder(source, WHISPER, "what Whisper hears")
        from transformers import WhisperForConditionalGeneration, WhisperProcessor

        try:
            model = WhisperForConditionalGeneration.from_pretrained(folder, use_safetensors=True, local_files_only=True)
            processor = WhisperProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ValueError(
                f"{folder}: not a Whisper that can be read ({reason}); give its folder as save_pretrained writes it"
            ) from error
        return cls(model.to(device).eval(), processor)

    @torch.no_grad()
    def write(self, samples: Tensor, language: str | None = None) -> Heard:
        """What is heard. Songs of more than 30 s go through Whisper's own sequential reading."""
        mono = audio.resample(samples.float().mean(0), SAMPLE_RATE, RATE).cpu().numpy()
        heard = self.processor.feature_extractor(
            mono, sampling_rate=RATE, return_tensors="pt", truncation=False, padding="longest", return_attention_mask=True
        )
        columns, mask = heard.input_features, heard.attention_mask  # (1, mels, F), (1, F)
        short = max(0, WINDOW_FRAMES - columns.shape[-1])
        if short:
            heard = self.processor.feature_extractor(mono, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
            columns, mask = heard.input_features, heard.attention_mask
        with torch.random.fork_rng(devices=_cuda(self.model.device)):
            torch.manual_seed(SEED)
            ids = self.model.generate(columns.to(self.model.device), attention_mask=mask.to(self.model.device), **self._settings(language))
        return Heard(self.processor.batch_decode(ids, skip_special_tokens=True)[0].strip())

    def _settings(self, language: str | None) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "return_timestamps": True,
            "condition_on_prev_tokens": False,
            "temperature": self.temperatures,
            "compression_ratio_threshold": 1.35,
            "logprob_threshold": -1.0,
            "no_speech_threshold": 0.6,
        }
        known = getattr(self.model.generation_config, "lang_to_id", None) or {"<|en|>": 0}
        if f"<|{base(language or 'en')}|>" not in known:
            raise Absent(f"what Whisper hears: this Whisper does not know the language {language!r}; use one of many languages")
        if getattr(self.model.generation_config, "is_multilingual", True):
            settings |= {"language": base(language or "en"), "task": "transcribe"}
        return settings


class FasterWhisper:
    """Whisper by faster-whisper (CTranslate2), which is quicker on a CPU and tells words' times."""

    name = "faster-whisper"
    needs = "pip install 'jam[whisper]', and its weights: a folder, or the hub"

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def load(cls, source: str | Path | Asset = FASTER_WHISPER, device: str = "cpu") -> "FasterWhisper":
        """A converted Whisper from a folder (model.bin of CTranslate2, which is no pickle), or of the hub. Raises as `Whisper.load`."""
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise Absent("what faster-whisper hears: faster_whisper is not installed; pip install 'jam[whisper]'") from error
        folder = _folder(source, FASTER_WHISPER, "what faster-whisper hears")
        if not (folder / "tokenizer.json").is_file():  # without it the library would ask the hub
            raise ValueError(
                f"{folder}: this folder holds no tokenizer.json; convert with --copy_files tokenizer.json preprocessor_config.json"
            )
        try:
            return cls(WhisperModel(str(folder), device=device.partition(":")[0], local_files_only=True))
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise ValueError(f"{folder}: not a converted Whisper ({reason}); give a folder of ct2-transformers-converter") from error

    def write(self, samples: Tensor, language: str | None = None) -> Heard:
        """What is heard, with the words' times; the likeliest text alone, since what this library draws cannot be repeated."""
        mono = audio.resample(samples.float().mean(0), SAMPLE_RATE, RATE).cpu().numpy()
        segments, _ = self.model.transcribe(
            mono, language=base(language or "en"), word_timestamps=True, condition_on_previous_text=False, temperature=0.0
        )
        found = list(segments)
        words = tuple(Word(float(word.start), float(word.end), word.word.strip()) for part in found for word in part.words or ())
        return Heard("".join(part.text for part in found).strip(), words)


def _folder(source: str | Path | Asset, known: Asset, what: str) -> Path:
    """The folder that `source` names, or into which an asset was fetched. Raises Absent where it is not to be had."""
    if not isinstance(source, Asset):
        if not Path(source).is_dir():
            raise Absent(f"{what}: {source}: no such folder; name one that holds {known.repo}")
        return Path(source)
    try:
        return assets.fetch(source).parent
    except OSError as error:
        raise Absent(f"{what}: {error}") from error


def _cuda(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
