"""From a request to a song: the inference story, told once.

words -> slots, clip or prompt -> style, both and the span -> Conditions; noise -> sampler with guidance -> latents -> codec -> audio.
It knows no manifest, no folder of results and no command line.

    from pathlib import Path
    from jam.lyrics.formats import read
    from jam.song import Singer, SongRequest
    song = Singer.load("nano").sing(SongRequest("first", read("inputs/lyrics/pop.json"), 20.5, "bright pop, male voice"))
    song.save(Path("first.mp3"))
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from jam import assets, audio
from jam.conditions import Conditions
from jam.guidance import GuidanceSettings, guided
from jam.lyrics.grid import Filler, slots
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.words import Word, validate
from jam.model import lora as adapters
from jam.model import weights
from jam.model.dit import DiT, DiTSettings
from jam.model.precision import choose
from jam.model.settings import Added, added
from jam.randomness import generator
from jam.sampler import euler, time_grid
from jam.style.clip import clip
from jam.timing import FRAME_SAMPLES, SAMPLE_RATE, STYLE_WIDTH, Span, frames_to_seconds, seconds_to_frames
from jam.vae.chunks import decode_chunked

log = logging.getLogger("jam")

Canvas = Literal["full", "song"]  # all of it, or no more than the song needs
TAIL_FRAMES, ROUND_FRAMES = 43, 64  # a song's own canvas: 2 s after its end, in steps: songs of about one length are sung together
ROUNDED_SECONDS = 0.01  # by which a duration may pass the canvas: files and messages give hundredths

Style = str | Path | Tensor  # a description in words, an audio file, or a style vector (512,)


class StyleEncoder(Protocol):
    """What turns clips and descriptions into style vectors (512,)."""

    def from_audio(self, samples: Tensor, rate: int) -> Tensor: ...
    def from_text(self, prompt: str) -> Tensor: ...


class Codec(Protocol):
    """What turns latents (B, T, C) into audio (B, 2, N); a sample depends on frames at most `reach` away."""

    @property
    def reach(self) -> int: ...
    def decode(self, latents: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class SampleSettings(GuidanceSettings):
    """The trajectory: `steps` points in time (one fewer evaluations), guidance, and sway."""

    steps: int = 50
    sway_sampling_coef: float | None = None


@dataclass(frozen=True)
class SingSettings:
    """How songs are sung; the same for a batch."""

    sample: SampleSettings = field(default_factory=SampleSettings)
    max_frames: int | None = None  # canvas; None: the network's own
    filler: Filler = "average_sparse"
    canvas: Canvas = "full"  # song: faster; for networks that were trained so
    num_style_secs: float = 30.0  # of a style clip that are heard
    random_crop_style: bool = False  # heard from a drawn place, not from its start
    ignore_style: bool = False  # the negative style in place of the song's
    use_chunked_decoding: bool = True
    chunked_size: int = 128  # frames
    chunked_overlap: int = 32
    seed: int = 0


@dataclass(frozen=True)
class SongRequest:
    """A song that is wished for: words timed in seconds, how long it lasts, and its style (None: the negative style)."""

    id: str
    words: tuple[Word, ...]
    duration: float  # seconds
    style: Style | None = None
    take: int = 0
    lines: tuple[int, ...] = ()  # words of each line of the lyrics; none: rests divide them

    @property
    def name(self) -> str:
        """`ID` for the first take, then `ID_1`, `ID_2`."""
        return self.id if self.take == 0 else f"{self.id}_{self.take}"


@dataclass(frozen=True)
class Song:
    """A song that was sung."""

    request: SongRequest
    words: tuple[Word, ...]  # with the phonemes that were sung
    latents: Tensor  # (T, C) of the canvas
    whole: Tensor  # (2, N) at 44.1 kHz, of the canvas

    @property
    def audio(self) -> Tensor:
        """(2, N) at 44.1 kHz, of the duration that was asked for, at -14 LUFS."""
        return audio.normalize(self.whole[:, : round(self.request.duration * SAMPLE_RATE)])

    def save(self, path: str | Path) -> Path:
        """Writes the song as WAV, FLAC or MP3 by the suffix. Raises what `jam.audio.write` raises."""
        return audio.write(path, self.audio)


@dataclass(frozen=True)
class Plan:
    """A request made ready: its words with phonemes, and its conditions."""

    request: SongRequest
    words: tuple[Word, ...]
    conditions: Conditions


class Singer:
    """A network with its phonemizer, style encoder and codec, ready to sing on one device."""

    def __init__(
        self,
        model: DiT,
        phonemizer: Phonemizer,
        style: Callable[[], StyleEncoder],
        codec: Codec,
        settings: SingSettings | None = None,
        negative_style: Tensor | None = None,
    ) -> None:
        """`style` makes the style encoder when a style is first to be read; `negative_style` (512,) is zeros where it is None."""
        self.model, self.phonemizer, self.codec = model, phonemizer, codec
        self.settings = settings or SingSettings()
        self.negative_style = torch.zeros(STYLE_WIDTH) if negative_style is None else negative_style
        self._make_style = style
        self._style: StyleEncoder | None = None

    @classmethod
    def load(
        cls,
        model: str | Path = "nano",
        *,
        vae: str = "diffrhythm",
        lora: Any = None,
        device: str | torch.device | None = None,
        precision: str = "auto",
        settings: SingSettings | None = None,
    ) -> Singer:
        """`nano` (the embedded singer), `jam-0.5` (from the hub or its cache), or a checkpoint of JAM-0.5's layout.

        `vae` (diffrhythm or stable_audio) is the codec of a model other than `nano`. `lora` is as the setting `model.lora`: an adapter's
        folder, `{"path": FOLDER, "weight": 0.5}`, or a list of these. Raises what the parts' own loaders raise.
        """
        device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if model == "nano":
            checkpoint: Path = assets.BUNDLE / "model"
            phonemizer, kinds = Phonemizer.load(assets.BUNDLE / "phonemizer.pt"), ("nano", "nano")
        else:
            checkpoint = assets.fetch(assets.JAM_05) if model == "jam-0.5" else Path(model)
            phonemizer, kinds = Phonemizer.load(assets.fetch(assets.PHONEMIZER)), ("muq", vae)
        if settings is None:
            sample = SampleSettings(**weights.read_extra(checkpoint, "sample"))
            own = weights.read_extra(checkpoint, "lyrics") | weights.read_extra(checkpoint, "evaluation")
            settings = SingSettings(sample=sample, **own)
        return cls(
            load_network(checkpoint, None, device, precision, added(lora)),
            phonemizer,
            lambda: load_style(kinds[0], None, device),
            load_codec(kinds[1], None, device),
            settings,
        )

    @property
    def canvas(self) -> int:
        """Latent frames of the canvas."""
        return self.settings.max_frames or self.model.settings.max_frames

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.model.proj_out.weight.device

    def plan(self, request: SongRequest) -> Plan:
        """Words to phonemes to slots, style to a vector. Raises ValueError in one line for what cannot be sung."""
        longest = frames_to_seconds(self.canvas)
        if not 0 < request.duration <= longest + ROUNDED_SECONDS:
            raise ValueError(f"duration is {request.duration:g} s; this model sings more than 0 and at most {longest:.2f} s")
        words = self.phonemizer.words(validate(request.words, "lyrics", request.duration))
        span = Span(min(seconds_to_frames(request.duration), self.canvas), self.canvas)
        draws = generator("filler", self.settings.seed, request.id, request.take)
        row = slots(words, span, self.phonemizer.ids_of, self.settings.filler, generator=draws)
        conditions = Conditions.single(row, self.style_vector(request), span)
        if self.settings.canvas == "song":
            conditions = conditions.cut(min(self.canvas, math.ceil((span.frames + TAIL_FRAMES) / ROUND_FRAMES) * ROUND_FRAMES))
        return Plan(request, words, conditions)

    def style_vector(self, request: SongRequest) -> Tensor:
        """The style (512,) of a request: its vector, or that of its clip or description."""
        if request.style is None or self.settings.ignore_style:
            return self.negative_style
        if isinstance(request.style, Tensor):
            if request.style.shape != (STYLE_WIDTH,):
                raise ValueError(f"the style vector is {list(request.style.shape)} instead of [{STYLE_WIDTH}]")
            return request.style
        if self._style is None:
            self._style = self._make_style()
        if isinstance(request.style, str):
            return self._style.from_text(request.style)
        samples, rate = audio.read(request.style)
        draws = generator("style", self.settings.seed, request.id, request.take) if self.settings.random_crop_style else None
        try:
            return self._style.from_audio(clip(samples, rate, self.settings.num_style_secs, draws), rate)
        except ValueError as error:
            raise ValueError(f"{request.style}: {error}") from error

    def noise(self, request: SongRequest) -> Tensor:
        """(T, C) noise that is a function of the seed, the song's id and the take alone."""
        draws = generator("noise", self.settings.seed, request.id, request.take)
        return torch.randn(self.canvas, self.model.settings.mel_dim, generator=draws)

    def sing(
        self,
        request: SongRequest,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Song:
        """Sings one song; `progress(done, all)` counts steps. Raises ValueError for what cannot be sung, Cancelled when asked to stop."""
        return self.sing_batch([self.plan(request)], progress, cancelled)[0]

    def sing_batch(
        self,
        plans: Sequence[Plan],
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Song]:
        """Sings songs side by side; each comes out as it would alone, whatever its company.

        Raises ValueError where the device's memory does not suffice, or the network gives no numbers; Cancelled when asked to stop.
        """
        try:
            return self._sing_groups(plans, progress, cancelled)
        except torch.OutOfMemoryError as error:
            raise ValueError(f"{len(plans)} songs at once need more memory than {self.device} has; sing fewer, or in bfloat16") from error

    def _sing_groups(
        self, plans: Sequence[Plan], progress: Callable[[int, int], None] | None, cancelled: Callable[[], bool] | None
    ) -> list[Song]:
        """Songs whose canvases are as long are sung together, since a longer one would change a song a little."""
        lengths = sorted({plan.conditions.frames for plan in plans})
        songs: dict[int, Song] = {}
        for turn, frames in enumerate(lengths):
            places = [place for place, plan in enumerate(plans) if plan.conditions.frames == frames]

            def told(done: int, count: int, turn: int = turn) -> None:
                if progress is not None:
                    progress(turn * count + done, len(lengths) * count)

            songs |= zip(places, self._sing_batch([plans[place] for place in places], told, cancelled), strict=True)
        return [songs[place] for place in range(len(plans))]

    def _sing_batch(
        self, plans: Sequence[Plan], progress: Callable[[int, int], None] | None, cancelled: Callable[[], bool] | None
    ) -> list[Song]:
        full = Conditions.cat([plan.conditions for plan in plans]).to(self.device)
        x_0 = torch.stack([self.noise(plan.request)[: full.frames] for plan in plans]).to(self.device)  # (B, T, C)
        sample = self.settings.sample
        with torch.no_grad():
            velocity = guided(self.model, full, sample, self.negative_style.to(self.device))
        x_1 = euler(velocity, x_0, time_grid(sample.steps, sample.sway_sampling_coef), progress, cancelled)
        return [self._heard(plan, latents) for plan, latents in zip(plans, x_1, strict=True)]

    def _heard(self, plan: Plan, latents: Tensor) -> Song:
        if not latents.isfinite().all():
            raise ValueError(f"{plan.request.name}: the network gave values that are no numbers; try precision float32")
        whole = self.decode(latents[None])[0].float().cpu()
        assert whole.shape[-1] == len(latents) * FRAME_SAMPLES, whole.shape
        return Song(plan.request, plan.words, latents.float().cpu(), whole)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, T, C) latents -> (B, 2, N) audio; in chunks where the overlap covers the codec's reach, else whole."""
        s = self.settings
        if not s.use_chunked_decoding or self.codec.reach > s.chunked_overlap // 2:
            return self.codec.decode(latents)
        return decode_chunked(self.codec.decode, latents, s.chunked_size, s.chunked_overlap)


def load_network(
    checkpoint: str | Path, settings: DiTSettings | None, device: torch.device, precision: str, lora: Sequence[Added] = ()
) -> DiT:
    """The network of a checkpoint, with adapters added, in the number type that `precision` means on `device`.

    Raises ValueError for what `jam.model.weights` and `jam.model.lora` refuse, such as an adapter of another network.
    """
    dtype = choose(precision, device)
    if not lora:
        return weights.load(checkpoint, settings, device, dtype)
    pairs = [(adapters.read(one.path), one.weight) for one in lora]
    file = weights.find(checkpoint)
    tensors = adapters.merged(weights.read_tensors(file), pairs, file)
    return weights.build(tensors, weights.read_settings(file) or settings or DiTSettings(), file, device, dtype)


def load_style(kind: str, path: str | None, device: torch.device) -> StyleEncoder:
    """The style encoder `muq` or `nano`, from `path` or from where it is by default. Raises ValueError for another word."""
    if kind == "nano":
        from jam.style.nano import NanoStyle

        return NanoStyle.load(path or assets.BUNDLE, device)
    if kind == "muq":
        from jam.style.muq import MuQStyle

        return MuQStyle.load(path or assets.MUQ_MULAN, device)
    raise ValueError(f"evaluation.style_type is {kind}; choose muq or nano")


def load_codec(kind: str, path: str | None, device: torch.device) -> Codec:
    """The codec `diffrhythm`, `stable_audio` or `nano`, from `path` or from where it is by default. Raises ValueError for another word."""
    loaded: Any
    if kind == "nano":
        from jam.vae.nano import NanoCodec

        loaded = NanoCodec.load(path or assets.BUNDLE, device)
    elif kind == "stable_audio":
        from jam.vae.stable_audio import StableAudioVAE

        loaded = StableAudioVAE.load(path or assets.STABLE_AUDIO_VAE, device)
    elif kind == "diffrhythm":
        from jam.vae.diffrhythm import DiffRhythmVAE

        loaded = DiffRhythmVAE.load(path or assets.DIFFRHYTHM_VAE, device)
    else:
        raise ValueError(f"evaluation.vae_type is {kind}; choose diffrhythm, stable_audio or nano")
    return loaded


def takes(request: SongRequest, count: int) -> list[SongRequest]:
    """`count` takes of a song: the same words and style over different noise."""
    return [replace(request, take=take) for take in range(count)]
