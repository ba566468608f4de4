"""Makes the embedded model, stage by stage: `python -m jam.nano.build stage=all work=DIR`.

Stages in order: corpus (songs into WORK/songs), codec, style, phonemizer and judge (into the bundle), shards (into WORK/shards), pretrain
and sft (checkpoints in WORK; the same `jam.train` that everybody runs), bundle (the network into the bundle), clips (into `inputs/clips`),
benchmark (songs to measure with, into WORK/benchmark). Each goes on where it was stopped and is remade from the seed alone. This file knows
the order and the folders; the work is done in the files beside it.
"""

import dataclasses
import difflib
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildSettings:
    """What the words `key=value` of the command line may say."""

    stage: str = "all"
    work: str = "work/nano"  # songs and shards; gigabytes
    bundle: str = "externals/nano"  # codec, style encoder
    hours: float = 11.0  # of song; every song is rendered twice
    seed: int = 0
    workers: int = 2
    codec_songs: int = 320  # the first so many teach the codec
    codec_steps: int = 12_000
    style_steps: int = 2000


def corpus(settings: BuildSettings) -> None:
    """Renders the songs."""
    from jam.nano import corpus

    corpus.make(Path(settings.work), settings.hours, settings.seed, settings.workers)


def codec(settings: BuildSettings) -> None:
    """Teaches the codec and writes it into the bundle."""
    from jam.nano import bundle, codec, corpus, shards

    work, folder = Path(settings.work), Path(settings.bundle)
    songs = [song for song in islice(corpus.songs(work), settings.codec_songs) if not shards.held_out(song.index)]
    recipe = codec.Recipe(settings.codec_steps, settings.codec_steps // 4, seed=settings.seed)
    codec.make(songs, work, folder, recipe, workers=settings.workers)
    bundle.write_silence(folder)


def style(settings: BuildSettings) -> None:
    """Trains the style encoder on all but the held-out songs, reports on those, and writes it into the bundle."""
    from jam.nano import corpus, shards, style

    songs = list(corpus.songs(Path(settings.work)))
    known = style.clips([song for song in songs if not shards.held_out(song.index)], settings.workers)
    held_out = style.clips([song for song in songs if shards.held_out(song.index)], settings.workers)
    encoder = style.train(known, settings.style_steps, settings.seed)
    log.info("style: %s", style.measure(encoder, held_out, known))
    style.save(encoder, Path(settings.bundle))


def shards(settings: BuildSettings) -> None:
    """Packs the training shards."""
    from jam.nano import corpus, shards

    work = Path(settings.work)
    shards.make(list(corpus.songs(work)), work / "shards", Path(settings.bundle), settings.workers)


def phonemizer(settings: BuildSettings) -> None:
    """Trains the phonemizer on the dictionary."""
    from jam.nano import phonemizer

    phonemizer.make(str(Path(settings.bundle) / "phonemizer.pt"), phonemizer.Settings())


def pretrain(settings: BuildSettings) -> None:
    """Trains the network on crops of the songs."""
    _train(settings, "nano_pretrain", "pretrain")


def sft(settings: BuildSettings) -> None:
    """Trains the pretrained network on whole songs."""
    _train(settings, "nano_sft", "sft", f"training.resume_from_safetensors={Path(settings.work) / 'pretrain' / 'last' / 'model'}")


def bundle(settings: BuildSettings) -> None:
    """Puts the trained network into the bundle and seals it."""
    from jam.nano import bundle

    bundle.write_model(Path(settings.work) / "sft" / "last" / "model", Path(settings.bundle))
    bundle.write_checksums(Path(settings.bundle))


def judge(settings: BuildSettings) -> None:
    """Teaches the judge of the evaluation and puts it into the bundle."""
    from jam.nano import bundle, judge

    judge.make(Path(settings.work), Path(settings.bundle), judge.Recipe(seed=settings.seed), settings.workers)
    bundle.write_checksums(Path(settings.bundle))


def benchmark(settings: BuildSettings) -> None:
    """Renders the songs that the singer is measured with, into WORK/benchmark."""
    from jam.nano import benchmark

    benchmark.make(Path(settings.work) / "benchmark", workers=settings.workers)


def clips(settings: BuildSettings) -> None:
    """Renders the style clips of the songs in `inputs/`."""
    from jam.nano import clips

    clips.make(Path("inputs/clips"), settings.seed)


def _train(settings: BuildSettings, name: str, stage: str, *words: str) -> None:
    """One run of `jam.train`; a stopped one goes on."""
    work = Path(settings.work)
    count = len(list((work / "shards").glob("train-*.tar")))
    if not count:
        raise ValueError(f"{work / 'shards'}: no shards; run the stage shards first")
    data = [
        f"data.train_dataset.pattern={work}/shards/train-{{000000..{count - 1:06d}}}.tar",
        f"data.valid_pattern={work}/shards/valid-000000.tar",
        f"data.train_dataset.phonemizer_checkpoint={settings.bundle}/phonemizer.pt",
        f"data.train_dataset.silence_latent_path={settings.bundle}/silence.npy",
        f"training.checkpoint_path={work / stage}",
    ]
    done = subprocess.run([sys.executable, "-m", "jam.train", f"config=configs/{name}.yaml", *data, *words], check=False)
    if done.returncode:
        raise ValueError(f"stage {stage}: jam.train ended with status {done.returncode} (its message is above)")


STAGES: dict[str, Callable[[BuildSettings], None]] = {
    stage.__name__: stage for stage in (corpus, codec, style, phonemizer, judge, shards, pretrain, sft, bundle, clips, benchmark)
}


def parse(words: Sequence[str]) -> BuildSettings:
    """Settings of the command line's `key=value` words. ValueError, one line, for an unknown key, a wrong type or an unknown stage."""
    fields = dataclasses.asdict(BuildSettings())
    values: dict[str, str | int | float] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r}: write settings as key=value")
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(fields)}"
            raise ValueError(f"{word!r}: unknown setting {key!r}; {hint}")
        kind = type(fields[key])
        try:
            values[key] = kind(text)
        except ValueError as error:
            raise ValueError(f"{word!r}: {key} must be {kind.__name__}, such as {key}={fields[key]}") from error
    settings = BuildSettings(**values)  # type: ignore[arg-type]
    if settings.stage not in (*STAGES, "all"):
        raise ValueError(f"stage={settings.stage}: unknown stage; known are {', '.join((*STAGES, 'all'))}")
    return settings


def build(settings: BuildSettings) -> None:
    """Runs one stage, or all in order."""
    for name, run in STAGES.items():
        if settings.stage in (name, "all"):
            log.info("stage %s", name)
            run(settings)


def main(words: Sequence[str]) -> int:
    """The command: 0, or 1 with one line that says what is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        build(parse(words))
    except (ValueError, OSError) as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
