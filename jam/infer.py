"""Inference from the command line: `python -m jam.infer config=configs/nano.yaml`. A manifest of songs in, a folder of songs out.

Composes settings, manifest, singer and records. A broken song is reported by name and the rest are sung; a song that was finished is
verified by its record and not sung again; under `accelerate launch` the processes share the songs.
"""

from __future__ import annotations

import logging
import pickle
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import torch

from jam import assets, audio, config, records
from jam.data.settings import DatasetSettings
from jam.files import whole
from jam.lyrics import lexicon
from jam.lyrics.demands import Limits, quiet
from jam.lyrics.lint import check
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.planner import Knobs, PlanSettings
from jam.lyrics.sheet import Sheet
from jam.manifest import Planning, Reading, placed, read_manifest
from jam.model import weights
from jam.model.settings import ModelSettings, added
from jam.sampler import time_grid
from jam.song import Canvas, Plan, SampleSettings, Singer, SingSettings, SongRequest, load_codec, load_network, load_style, takes
from jam.timing import MAX_FRAMES, SLOTS_PER_FRAME, STYLE_WIDTH, frames_to_seconds

if TYPE_CHECKING:
    from accelerate import PartialState
    from tqdm import tqdm

log = logging.getLogger("jam")

SOME_FAILED = 1  # exit status when songs were sung but not all
PATIENCE = timedelta(days=7)  # how long a process waits for those that still sing
STYLES, CODECS = ("muq", "nano"), ("diffrhythm", "stable_audio", "nano")
EMBEDDED = ("codec.safetensors", "style.safetensors", "style.json")  # of the bundle, where its codec or style encoder sings


@dataclass(frozen=True)
class SampleKwargs(SampleSettings):
    """`evaluation.sample_kwargs`: the trajectory, and `batch_infer_num` takes of each song."""

    batch_infer_num: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        time_grid(self.steps, self.sway_sampling_coef)
        if self.batch_infer_num < 1:
            raise ValueError(f"evaluation.sample_kwargs.batch_infer_num is {self.batch_infer_num}; a song needs at least one take")


@dataclass(frozen=True)
class EvaluationSettings:
    """`evaluation`: what is sung, by which model, and what is written."""

    checkpoint_path: str | None = None  # a .safetensors file or a folder; null: JAM-0.5 from the hub or its cache
    output_dir: str = "outputs"
    test_set_path: str = "inputs/input.json"
    batch_size: int = 1
    num_samples: int | None = None  # only the first so many songs
    vae_type: str = "diffrhythm"  # diffrhythm | stable_audio | nano
    vae_path: str | None = None  # null: the hub, its cache, or the embedded bundle
    style_type: str = "muq"  # muq | nano
    style_path: str | None = None
    ignore_style: bool = False
    use_prompt_style: bool = False  # the description rather than the clip, where a song has both
    prompt: str | None = None  # the style of songs that have none
    strict_lyrics: bool = False  # songs whose lyrics have errors or warnings are not sung
    lexicon_path: str | None = None  # pronunciations of one's own
    languages: dict[str, str] | None = None  # {fr: espeak, de: a DeepPhonemizer checkpoint}
    planner: Knobs = field(default_factory=Knobs)
    canvas: str = "full"  # full | song
    num_style_secs: float = 30.0
    random_crop_style: bool = False
    negative_style_prompt: str | None = None  # a .npy or .pt of 512 numbers, or zeros
    use_chunked_decoding: bool = True
    chunked_overlap: int = 32
    chunked_size: int = 128
    audio_format: str = "mp3"  # mp3 | wav | flac
    precision: str = "auto"  # auto | float32 | bfloat16 | float16
    device: str | None = None  # null: CUDA where it is, else the CPU
    overwrite: bool = False  # sing finished songs anew
    spectrograms: bool = True
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    sample_kwargs: SampleKwargs = field(default_factory=SampleKwargs)

    def __post_init__(self) -> None:
        choices = (("audio_format", audio.FORMATS), ("vae_type", CODECS), ("style_type", STYLES), ("canvas", get_args(Canvas)))
        for name, known in choices:
            if getattr(self, name) not in known:
                raise ValueError(f"evaluation.{name} is {getattr(self, name)}; choose {', '.join(known)}")
        for name in ("batch_size", "chunked_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"evaluation.{name} is {getattr(self, name)}; give a number from 1")
        if not 0 <= self.chunked_overlap < self.chunked_size:
            raise ValueError(f"evaluation.chunked_overlap is {self.chunked_overlap}; give 0 to {self.chunked_size - 1}")
        if self.num_style_secs <= 0:
            raise ValueError(f"evaluation.num_style_secs is {self.num_style_secs}; give seconds above 0")
        if self.num_samples is not None and self.num_samples < 1:
            raise ValueError(f"evaluation.num_samples is {self.num_samples}; give a number from 1, or null for all songs")


@dataclass(frozen=True)
class InferConfig:
    """Every setting of inference."""

    project_root: str = "."
    max_frames: int = MAX_FRAMES
    lrc_upsample_factor: int = SLOTS_PER_FRAME
    seed: int = 0
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    data: Any = None  # training's sections, which a shared YAML may hold
    training: Any = None
    wandb: Any = None
    dpo: Any = None


def load_config(words: Sequence[str], default_file: str | None = None) -> InferConfig:
    """The settings of a command line; what a model says of how it sings best lies under the YAML and the words."""
    first = config.load(InferConfig, words, default_file)
    checkpoint = first.evaluation.checkpoint_path
    if checkpoint is None:
        return first
    own = weights.read_extra(checkpoint, "evaluation")
    own |= {"sample_kwargs": weights.read_extra(checkpoint, "sample"), "dataset": weights.read_extra(checkpoint, "lyrics")}
    return config.load(InferConfig, words, default_file, under={"evaluation": own})


def load_phonemizer(settings: InferConfig) -> Phonemizer:
    """The phonemizer that the settings describe, with the user's lexicon and languages. Raises ValueError as its parts' loaders do."""
    e = settings.evaluation
    own = lexicon.read(e.lexicon_path) if e.lexicon_path else None
    return Phonemizer.load(e.dataset.phonemizer_checkpoint or assets.fetch(assets.PHONEMIZER), own, e.languages)


def load_singer(settings: InferConfig, device: torch.device, heard: bool = True, phonemizer: Phonemizer | None = None) -> Singer:
    """The singer that the settings describe, its style encoder loaded if a style is to be `heard`. Raises what the parts' loaders raise.

    A `phonemizer` that is loaded already is taken as it is.
    """
    e = settings.evaluation
    checkpoint = e.checkpoint_path or assets.fetch(assets.JAM_05)
    sample = SampleSettings(**{f.name: getattr(e.sample_kwargs, f.name) for f in fields(SampleSettings)})
    model = load_network(checkpoint, settings.model.dit, device, e.precision, added(settings.model.lora))
    style = partial(load_style, e.style_type, e.style_path, device)
    encoder = style() if heard else None  # now, since a fault of the encoder is no fault of the first song that needs it
    return Singer(
        model,
        phonemizer or load_phonemizer(settings),
        lambda: encoder or style(),
        load_codec(e.vae_type, e.vae_path, device),
        SingSettings(
            sample=sample,
            max_frames=min(e.dataset.max_frames, model.settings.max_frames),
            filler=e.dataset.filler,  # type: ignore[arg-type]
            canvas=e.canvas,  # type: ignore[arg-type]
            num_style_secs=e.num_style_secs,
            random_crop_style=e.random_crop_style,
            ignore_style=e.ignore_style,
            use_chunked_decoding=e.use_chunked_decoding,
            chunked_size=e.chunked_size,
            chunked_overlap=e.chunked_overlap,
            seed=settings.seed,
        ),
        read_negative_style(e.negative_style_prompt),
    )


def read_negative_style(source: str | None) -> torch.Tensor | None:
    """The 512 numbers of a .npy or .pt file; None for `zeros` or nothing. Raises ValueError in one line for another file."""
    if source in (None, "zeros"):
        return None
    path = Path(str(source))
    needed = f"evaluation.negative_style_prompt names a .npy or .pt of {STYLE_WIDTH} numbers, or zeros"
    if not path.is_file():
        raise ValueError(f"{path}: no such file; {needed}")
    try:
        if path.suffix == ".npy":
            import numpy as np

            vector = torch.as_tensor(np.load(path, allow_pickle=False))
        else:
            vector = torch.as_tensor(torch.load(path, map_location="cpu", weights_only=True))
    except (ValueError, TypeError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: holds no numbers that can be read; {needed}") from error
    if vector.numel() != STYLE_WIDTH or not vector.isfinite().all():
        raise ValueError(f"{path}: holds {list(vector.shape)} numbers, or some that are not finite; {needed}")
    return vector.float().flatten()


def infer(settings: InferConfig) -> int:
    """Sings the manifest's songs; returns the exit status: 0, or 1 when some song could not be sung.

    Raises ValueError or OSError, in one line and in every process, for what keeps any of them from going on.
    """
    from accelerate import PartialState

    name = settings.evaluation.device
    _refuse_absent(name)
    state = PartialState(cpu=_sings_on_cpu(name), timeout=PATIENCE)
    if not state.is_main_process:
        log.setLevel(logging.CRITICAL)  # what a process has to say, the main one says for it
    try:
        return _infer(settings, state, torch.device(name) if name else state.device)
    finally:
        if state.num_processes > 1:
            state.destroy_process_group()


def _infer(settings: InferConfig, state: PartialState, device: torch.device) -> int:
    from accelerate.utils import gather_object

    e = settings.evaluation
    folder = records.ResultFolder(Path(e.output_dir), e.audio_format, e.spectrograms)
    count = e.sample_kwargs.batch_infer_num
    phonemizer = cache(partial(load_phonemizer, settings))
    longest = frames_to_seconds(e.dataset.max_frames)
    planning = Planning(lambda words: phonemizer().ipa(words), PlanSettings(**asdict(e.planner), longest=longest, seed=settings.seed))
    with quiet():  # lyrics are checked before they are sung
        entries = read_manifest(e.test_set_path, Reading(e.use_prompt_style, e.prompt, planning), count)[: e.num_samples]
    good = [(entry, entry.request) for entry in entries if entry.request is not None]
    wishes = [Wish(take, entry.where, entry.lyrics, entry.sheet) for entry, request in good for take in takes(request, count)]
    share = wishes[state.process_index :: state.num_processes]  # by place alone: all processes agree, whatever is finished by now
    try:
        if state.is_main_process:
            with whole(folder.path / "generation_config.yaml") as part:
                config.save(settings, part)
        outcome = Run(settings, folder, device, state.process_index, phonemizer).sing(share, show=state.is_main_process)
    except (OSError, ValueError) as error:
        outcome = Outcome(stopped=error)
    outcomes: list[Outcome] = gather_object([outcome])
    for outcome in outcomes:
        if outcome.stopped is not None:
            raise outcome.stopped
    for line in dict.fromkeys(line for outcome in outcomes[1:] for line in outcome.told):
        if line not in outcomes[0].told:  # the first process has told its own, and takes of one song may be another's
            log.warning("%s", line)
    failed = {name: problem for outcome in outcomes for name, problem in outcome.failed.items()}
    problems = dict.fromkeys([entry.problem for entry in entries if entry.problem is not None] + list(failed.values()))
    if state.is_main_process:
        folder.write_metadata(wish.request.name for wish in wishes if wish.request.name not in failed)
        for problem in problems:
            log.error("not sung: %s", problem)
        finished = sum(outcome.finished for outcome in outcomes)
        before = f" ({finished} were finished before; evaluation.overwrite=true sings them anew)" if finished else ""
        log.info("%d of %d songs are in %s%s", len(wishes) - len(failed), len(entries) * count, folder.path / "generated", before)
    return SOME_FAILED if problems else 0


def _sings_on_cpu(device: str | None) -> bool:
    """Whether the CPU is asked for or all there is; Accelerate must be told, or its processes do not find each other."""
    return not torch.accelerator.is_available() if device is None else torch.device(device).type == "cpu"


def _refuse_absent(device: str | None) -> None:
    """Raises ValueError for a device that this machine does not have."""
    if device is None:
        return
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"evaluation.device is {device}, which this machine lacks; choose cpu, cuda, or null") from error


@dataclass(frozen=True)
class Wish:
    """A song to sing, where it is wished for (manifest and place in it), where its lyrics come from, and their sheet."""

    request: SongRequest
    where: str
    lyrics: str
    sheet: Sheet


@dataclass
class Outcome:
    """What became of one process' share of the songs."""

    failed: dict[str, str] = field(default_factory=dict)  # a song's name: what is wrong with it
    finished: int = 0  # songs that were finished before
    told: tuple[str, ...] = ()  # what is wrong with lyrics that are sung all the same
    stopped: OSError | ValueError | None = None  # what kept the process from going on


class Run:
    """One process' singing; the singer is loaded when there is something to sing."""

    def __init__(
        self, settings: InferConfig, folder: records.ResultFolder, device: torch.device, process: int, phonemizer: Callable[[], Phonemizer]
    ) -> None:
        e = settings.evaluation
        self.settings, self.folder, self.device, self.process, self.phonemizer = settings, folder, device, process, phonemizer
        self.checked: dict[str, str | None] = {}  # a song's id: why its lyrics are refused
        self.told: list[str] = []
        embedded = [assets.BUNDLE / file for file in EMBEDDED] if "nano" in (e.vae_type, e.style_type) else []
        chosen = [e.checkpoint_path, e.vae_path, e.style_path, e.negative_style_prompt, e.dataset.phonemizer_checkpoint, e.lexicon_path]
        files = [*chosen, *embedded, *(one.path for one in added(settings.model.lora)), *(e.languages or {}).values()]
        self.fingerprint = records.fingerprint(_what_matters(settings), files)

    def sing(self, wishes: Sequence[Wish], show: bool) -> Outcome:
        """Sings what is not finished yet. Raises ValueError or OSError for what is wrong with the model, or a full disk."""
        from tqdm import tqdm
        from tqdm.contrib.logging import logging_redirect_tqdm

        e = self.settings.evaluation
        keys = {wish.request.name: self._key(wish.request) for wish in wishes}
        waiting = [wish for wish in wishes if e.overwrite or not self.folder.is_finished(wish.request.name, keys[wish.request.name])]
        outcome = Outcome(finished=len(wishes) - len(waiting))
        if not waiting:
            return outcome
        heard = not e.ignore_style and any(wish.request.style is not None for wish in waiting)
        singer = load_singer(self.settings, self.device, heard, self.phonemizer())
        evaluations = e.sample_kwargs.steps - 1
        with tqdm(total=len(waiting) * evaluations, unit="step", disable=not show) as bar, logging_redirect_tqdm():
            for start in range(0, len(waiting), e.batch_size):
                batch = waiting[start : start + e.batch_size]
                outcome.failed |= self._sing_batch(singer, batch, keys, bar)
                bar.update((start + len(batch)) * evaluations - bar.n)
        outcome.told = tuple(self.told)
        return outcome

    def _sing_batch(self, singer: Singer, wishes: Sequence[Wish], keys: Mapping[str, str], bar: tqdm[Any]) -> dict[str, str]:
        """Sings and writes a batch; returns what was wrong, by the song's name."""
        plans: list[Plan] = []
        failed: dict[str, str] = {}
        for wish in wishes:
            try:
                self._check(singer, wish)
                plans.append(_plan(singer, wish))
            except ValueError as error:
                failed[wish.request.name] = str(error)
        if plans:
            failed |= self._sing_plans(singer, plans, keys, lambda _done, _all: bar.update(len(plans)))
        return {wish.request.name: placed(wish.where, failed[wish.request.name]) for wish in wishes if wish.request.name in failed}

    def _check(self, singer: Singer, wish: Wish) -> None:
        """Tells what is wrong with a song's lyrics, once for all its takes. Raises ValueError where settings forbid to sing such lyrics."""
        name = wish.request.id
        if name not in self.checked:
            limits = Limits(wish.request.duration, frames_to_seconds(singer.canvas))
            problems = [problem for problem in check(wish.sheet, singer.phonemizer, limits) if problem.level != "note"]
            for problem in problems:
                log.warning("%s: %s", wish.lyrics, problem)
                self.told.append(f"{wish.lyrics}: {problem}")
            refused = problems and self.settings.evaluation.strict_lyrics
            first = f"{wish.lyrics}: {problems[0]}" if refused else None
            self.checked[name] = f"{first} ({len(problems)} in all; evaluation.strict_lyrics=false sings all the same)" if first else None
        if (reason := self.checked[name]) is not None:
            raise ValueError(reason)

    def _sing_plans(
        self, singer: Singer, plans: Sequence[Plan], keys: Mapping[str, str], progress: Callable[[int, int], Any] | None = None
    ) -> dict[str, str]:
        """Sings and writes songs side by side or, where one of them spoils the others, each alone."""
        began = time.perf_counter()
        try:
            songs = singer.sing_batch(plans, progress)
            seconds = round((time.perf_counter() - began) / len(songs), 3)
            facts = {"seed": self.settings.seed, "model": self.fingerprint, "seconds_to_sing": seconds, "process": self.process}
            for song in songs:
                self.folder.write(song, keys[song.request.name], facts)
        except ValueError as error:
            if len(plans) == 1:
                return {plans[0].request.name: str(error)}
            alone = [self._sing_plans(singer, [plan], keys) for plan in plans]
            return {name: problem for failed in alone for name, problem in failed.items()}
        return {}

    def _key(self, request: SongRequest) -> str:
        words = [asdict(word) for word in request.words]
        clip = request.style if isinstance(request.style, Path) else None
        facts = [self.fingerprint, request.name, words, request.lines, request.duration, str(request.style)]
        return records.fingerprint(facts, [clip])


def _plan(singer: Singer, wish: Wish) -> Plan:
    """The song made ready. Raises ValueError, naming the lyrics' file, for what cannot be sung."""
    words = singer.phonemizer.words(wish.request.words, wish.lyrics)
    with quiet():  # what is wrong with them was told when they were checked
        return singer.plan(replace(wish.request, words=words))


def _what_matters(settings: InferConfig) -> Any:
    """The settings that change a song."""
    kept = asdict(settings.evaluation)
    for name in ("output_dir", "test_set_path", "batch_size", "num_samples", "overwrite", "device", "spectrograms"):
        kept.pop(name)
    for name in ("prompt", "strict_lyrics", "planner"):
        kept.pop(name)  # a song's key holds its style, and its words with their times
    kept["sample_kwargs"].pop("batch_infer_num")
    return [settings.seed, kept, asdict(settings.model.dit), *([one.path, one.weight] for one in added(settings.model.lora))]


def main(words: list[str]) -> int:
    """Entry: sings with the command line's settings."""
    return infer(load_config(words))


if __name__ == "__main__":
    sys.exit(config.run(main))
