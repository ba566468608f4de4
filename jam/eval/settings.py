"""What the user may set of an evaluation. Knows no metric."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from jam import assets

ROOMS = ("timing", "lyrics", "duration", "style", "sound", "aesthetics", "safety")
CONTROLS = ("true recording", "codec round trip", "shuffled lyrics")
ALIGNERS = ("judge", "ctc")
RECOGNISERS = ("judge", "pocketsphinx", "whisper", "faster-whisper")
STYLES = ("nano", "muq")
EMBEDDINGS = ("style", "clap", "vggish")
CODECS = ("nano", "stable_audio")


@dataclass(frozen=True)
class AlignmentSettings:
    """`alignment`: who finds the words."""

    aligners: tuple[str, ...] = ("judge",)  # judge | ctc; the first one's words are drawn
    judge_path: str | None = None  # null: the embedded one
    ctc_path: str | None = None  # a folder of a transformers CTC model; null: the hub or its cache

    def __post_init__(self) -> None:
        _known("alignment.aligners", self.aligners, ALIGNERS)
        if not self.aligners:
            raise ValueError(f"alignment.aligners is empty; choose of {', '.join(ALIGNERS)}")


@dataclass(frozen=True)
class LyricsSettings:
    """`lyrics`: who writes down what is heard, and among how many lines each is to be told."""

    recognisers: tuple[str, ...] = ("judge", "pocketsphinx")  # judge | pocketsphinx | whisper | faster-whisper
    whisper_path: str | None = None  # a folder; null: the hub or its cache
    faster_whisper_path: str | None = None  # a folder, or the name of a model
    closed_vocabulary: bool = True  # pocketsphinx knows the words of the benchmark and no others; false: its own English
    candidates: int = 50  # lines among which each is identified
    language: str | None = None  # of songs that name none; null: English

    def __post_init__(self) -> None:
        _known("lyrics.recognisers", self.recognisers, RECOGNISERS)
        if self.candidates < 2:
            raise ValueError(f"lyrics.candidates is {self.candidates}; a line is told from others, so give 2 or more")


@dataclass(frozen=True)
class StyleSettings:
    """`style`: the encoder that compares songs with what was asked for."""

    encoder: str = "nano"  # nano | muq
    path: str | None = None  # null: the embedded one, or the hub

    def __post_init__(self) -> None:
        _known("style.encoder", (self.encoder,), STYLES)


@dataclass(frozen=True)
class SoundSettings:
    """`sound`: the embeddings of the Fréchet distance, and the songs that it compares with."""

    embeddings: tuple[str, ...] = ("style",)  # style | clap | vggish
    references: str | None = None  # a folder of audio; null: the benchmark's own recordings
    clap_path: str | None = None
    vggish_path: str | None = None

    def __post_init__(self) -> None:
        _known("sound.embeddings", self.embeddings, EMBEDDINGS)


@dataclass(frozen=True)
class AestheticsSettings:
    """`aesthetics`: published judges of beauty."""

    audiobox: bool = True
    audiobox_path: str | None = None  # weights; null: the hub or its cache
    songeval: str | None = None  # the folder of a copy of the SongEval toolkit


@dataclass(frozen=True)
class SafetySettings:
    """`safety`: the songs that a model was trained on, and from which likeness on a song is flagged."""

    shards: str | None = None  # pattern, as data.train_dataset.pattern; null: not measured
    limit: int | None = None  # at most so many training songs
    quantile: float = 0.999  # of the likeness of training songs to each other, above which a song is flagged

    def __post_init__(self) -> None:
        if not 0.5 <= self.quantile < 1:
            raise ValueError(f"safety.quantile is {self.quantile}; give a share from 0.5 to below 1, such as 0.999")


@dataclass(frozen=True)
class CodecSettings:
    """`codec`: what the control `codec round trip` goes through."""

    kind: str = "nano"  # nano | stable_audio
    path: str | None = None

    def __post_init__(self) -> None:
        _known("codec.kind", (self.kind,), CODECS)


@dataclass(frozen=True)
class EvalConfig:
    """Every setting of an evaluation."""

    songs: str | None = None  # the folder of the songs: jam.infer's output_dir, or any folder of audio
    benchmark: str | None = None  # a file, a folder, or jame; null: the lyrics that lie beside the songs
    output: str = "outputs/evaluation"
    name: str | None = None  # of the system; null: the folder's name
    num_songs: int | None = None  # only the first so many
    seed: int = 0  # of the bootstrap and of the lines drawn
    workers: int | None = None  # processes that share the songs; null: one a core, or one where there is a GPU
    device: str | None = None  # null: CUDA where it is, else the CPU
    rooms: tuple[str, ...] = ROOMS
    controls: tuple[str, ...] = CONTROLS
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    lyrics: LyricsSettings = field(default_factory=LyricsSettings)
    style: StyleSettings = field(default_factory=StyleSettings)
    sound: SoundSettings = field(default_factory=SoundSettings)
    aesthetics: AestheticsSettings = field(default_factory=AestheticsSettings)
    safety: SafetySettings = field(default_factory=SafetySettings)
    codec: CodecSettings = field(default_factory=CodecSettings)
    phonemizer_path: str | None = None  # null: the embedded one
    audio: bool = True  # songs are copied into the report, to be played
    spectrograms: bool = True

    def __post_init__(self) -> None:
        _known("rooms", self.rooms, ROOMS)
        if not self.rooms:
            raise ValueError(f"rooms is empty, so that nothing would be measured; choose of {', '.join(ROOMS)}")
        _known("controls", self.controls, CONTROLS)
        for name in ("num_songs", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give a number from 1, or null")

    @property
    def processes(self) -> int:
        """How many share the songs."""
        import torch

        return self.workers or (1 if torch.accelerator.is_available() else os.cpu_count() or 1)

    @property
    def on(self) -> str:
        """The device."""
        import torch

        return self.device or ("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def phonemizer(self) -> str:
        """The phonemizer's file."""
        return self.phonemizer_path or str(assets.BUNDLE / "phonemizer.pt")


def _known(name: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Raises ValueError for a word that is none of `known`."""
    for word in given:
        if word not in known:
            raise ValueError(f"{name}: {word!r} is not known; choose of {', '.join(known)}")
