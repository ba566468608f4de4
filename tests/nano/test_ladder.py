"""The whole ladder at its smallest: corpus, codec, style, shards, pretraining, whole songs, singing, measuring. Takes minutes.

A network of a million numbers sees ten short songs of one voice again and again, and sings those same songs: it knows them by heart, and
that is asked of it, no more. That the parts fit together is what is proven here; how well words never heard are sung is measured with the
embedded model (README). Judge and phonemizer are those of the embedded model.
"""

import io
import json
import shutil
import tarfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import torch

pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")
pytest.importorskip("librosa")
pytest.importorskip("pyworld")
pytest.importorskip("pretty_midi")

from jam import assets, config, infer
from jam.eval import evaluate
from jam.eval.measuring import CODED, SHUFFLED, SONGS, TRUE
from jam.eval.settings import EvalConfig
from jam.lyrics.formats import timed_json
from jam.lyrics.sheet import of_words
from jam.lyrics.words import Word
from jam.nano import backing, benchmark, bundle, codec, corpus, shards, style, voice
from jam.nano.compose import GENRES
from jam.style.nano import Shape
from jam.timing import FRAME_SAMPLES, SAMPLE_RATE
from jam.train import TrainConfig, train
from jam.vae.nano import CodecSettings, NanoCodec

ROOT = Path(__file__).parent.parent.parent
SINGER = "rms"
SECONDS, FRAMES, CROP = 11.0, 240, 128  # of a song at most, its canvas, and a crop of the pretraining
TRAINED, HELD_OUT = tuple(range(10)), 22
SMALL = CodecSettings(bands=64, side_bands=8, hidden=32, wide=64, width=96, dilations=(1, 2), phase_bins=128)
SIZES = {"dim": 128, "depth": 4, "heads": 4, "text_dim": 64, "conv_layers": 1, "cond_dim": 64}

pytestmark = [
    pytest.mark.skipif(not (voice.available() and backing.available()), reason="flite, fluidsynth or FluidR3_GM is not installed"),
    pytest.mark.timeout(1800),
]


def sung_songs(work: Path, monkeypatch: pytest.MonkeyPatch) -> list[corpus.Song]:
    """Short songs of one voice, the last of them held out."""
    monkeypatch.setattr(corpus, "written", partial(corpus.written, singer=SINGER, seconds=SECONDS))
    (work / "songs").mkdir()
    for index in (*TRAINED, HELD_OUT):
        corpus.make_song(index, work / "songs", seed=0)
    return list(corpus.songs(work))


def fill(folder: Path, songs: Sequence[corpus.Song], work: Path) -> None:
    """A bundle with a codec and a style encoder that have just begun to learn, and everything else but the network."""
    folder.mkdir()
    for name in ("judge.safetensors", "phonemizer.pt"):
        shutil.copy(assets.BUNDLE / name, folder)
    (work / "codec" / "pitch").mkdir(parents=True)
    # in this process, not by codec.make's: they are forked, and a fork of one whose torch has used threads may hang
    found = [codec.recording(song, work / "codec" / "pitch") for song in songs]
    torch.manual_seed(0)
    small = NanoCodec(SMALL)
    small.set_bands(codec.mel_filters(SMALL.bands), codec.mel_filters(SMALL.side_bands, 100))
    codec.train(found, small, codec.Recipe(steps=40, encoder_steps=15, vocals=4, mixes=4, frames=8), work / "codec").save(folder)
    bundle.write_silence(folder)
    heard = style.clips(songs)
    instruments = tuple(sorted({name for clip in heard for name in clip.instruments}))
    shape = Shape(tuple(GENRES), tuple(voice.VOICES), instruments, width=32, letters=32, buckets=512)
    style.save(style.train(heard, steps=20, batch=8, shape=shape), folder)


def learn(stage: str, frames: int, work: Path, folder: Path, *words: str) -> Path:
    """One run of `jam.train` by the YAML that the embedded model is made with, but small; the trained network."""
    sizes = [f"model.dit.{name}={value}" for name, value in SIZES.items()]
    paths = [
        f"data.train_dataset.pattern={work}/shards/train-000000.tar",
        f"data.valid_pattern={work}/shards/valid-000000.tar",
        f"data.train_dataset.phonemizer_checkpoint={folder}/phonemizer.pt",
        f"data.train_dataset.silence_latent_path={folder}/silence.npy",
        f"training.checkpoint_path={work / stage}",
    ]
    quick = ["training.compile=false", "training.learning_rate=2e-3", "training.ema_decay=0.95", "data.train_dataloader.num_workers=0"]
    rare = ["training.valid_every=100000", "training.last_per_steps=100000", f"max_frames={frames}"]
    train(config.load(TrainConfig, [f"config={ROOT / 'configs' / f'nano_{stage}.yaml'}", *sizes, *paths, *quick, *rare, *words]))
    return work / stage / "last" / "model"


def asked(song: corpus.Song) -> dict:
    """The song's own words at their own times, a cappella."""
    words = [Word(word["start"], word["end"], word["word"], word["phoneme"]) for word in shards.words(song)]
    return {
        "id": f"{song.index:06d}",
        "duration": round(song.facts["duration"], 3),
        "lyrics": json.loads(timed_json.write(of_words(words, song.facts["lines"]))),
        "prompt": benchmark.described(corpus.written(song.facts["seed"]), a_cappella=True),
        "reference": str(song.path("vocal")),
    }


def expect_whole(shard_folder: Path) -> None:
    """Shards hold latents, unit styles and timed words with phonemes, and keep the held-out song apart."""
    contents = {}
    for name in ("train-000000", "valid-000000"):
        with tarfile.open(shard_folder / f"{name}.tar") as tar:
            contents[name] = {entry.name: tar.extractfile(entry).read() for entry in tar}
    keys = {name: {key.split(".")[0] for key in files} for name, files in contents.items()}
    assert keys["valid-000000"] == {f"{HELD_OUT:06d}_a", f"{HELD_OUT:06d}_m"}
    assert keys["train-000000"] == {f"{index:06d}_{kind}" for index in TRAINED for kind in "am"}
    files = contents["train-000000"]
    record = json.loads(files["000002_m.json"])
    latent, styles = (torch.load(io.BytesIO(files[f"000002_m.{part}.pt"]), weights_only=True) for part in ("latent", "style"))
    assert latent.shape == (128, -(-round(record["duration"] * SAMPLE_RATE) // FRAME_SAMPLES)) and not latent[64:].any()
    assert styles.shape[1] == 512 and 4 <= len(styles) <= 6
    torch.testing.assert_close(styles.norm(dim=1), torch.ones(len(styles)))
    assert all(word["phoneme"] and word["start"] < word["end"] for word in record["word"])


def test_from_the_first_note_to_a_singer_whose_lines_are_told_from_others(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    work, folder = tmp_path, tmp_path / "bundle"
    songs = sung_songs(work, monkeypatch)
    known = [song for song in songs if not shards.held_out(song.index)]
    assert len(known) == len(TRAINED) == len(songs) - 1

    fill(folder, known, work)
    shards.make(songs, work / "shards", folder, workers=1)
    expect_whole(work / "shards")
    words = ("training.max_steps=220", "training.num_warmup_updates=20", "data.train_dataloader.batch_size=8")
    before = learn("pretrain", CROP, work, folder, *words)
    parts = "training.canvases=[192,240]"
    words = (parts, "training.max_steps=40", "training.num_warmup_updates=5", f"training.resume_from_safetensors={before}")
    bundle.write_model(learn("sft", FRAMES, work, folder, *words), folder)
    bundle.write_checksums(folder)
    assert bundle.damaged(folder) == []

    monkeypatch.setattr(assets, "BUNDLE", folder)
    monkeypatch.setenv("JAM_NANO", str(folder))
    manifest, sung = work / "asked.json", work / "sung"
    manifest.write_text(json.dumps([asked(song) for song in known]))
    here = [
        f"evaluation.test_set_path={manifest}",
        f"evaluation.output_dir={sung}",
        "evaluation.device=cpu",
        "evaluation.spectrograms=false",
    ]
    quick = ["evaluation.audio_format=flac", "evaluation.sample_kwargs.steps=16"]
    assert config.run(infer.main, ["config=configs/nano.yaml", f"max_frames={FRAMES}", *here, *quick]) == 0

    listen = [f"songs={sung}", f"benchmark={manifest}", "rooms=[lyrics]", "lyrics.recognisers=[]", "workers=1", "device=cpu"]
    found = evaluate.evaluate(config.load(EvalConfig, listen))
    identified = {condition.name: condition.estimates["lyrics.line@judge"].value for condition in found.conditions}
    assert identified[TRUE] > 90, identified
    assert identified[CODED] > 70, identified
    assert identified[SONGS] > 50, identified
    assert identified[SHUFFLED] < 20, identified
