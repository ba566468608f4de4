"""From a seed to shards, on two small songs: rendering takes about five seconds."""

import io
import json
import shutil
import tarfile

import numpy as np
import pytest
import torch

pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")
pytest.importorskip("pyworld")
pytest.importorskip("librosa")

from jam import assets
from jam.nano import backing, codec, corpus, shards, style, voice
from jam.timing import FRAME_SAMPLES
from jam.vae.nano import NanoCodec

pytestmark = pytest.mark.skipif(not (voice.available() and backing.available()), reason="flite, fluidsynth or FluidR3_GM is not installed")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    (folder / "songs").mkdir()
    for index in (0, 2, 22):  # 22 is held out
        corpus.make_song(index, folder / "songs", seed=0, singer="rms")
    return folder


@pytest.fixture(scope="module")
def bundle(work):
    songs = list(corpus.songs(work))
    kept = codec.fit(songs, work / "bundle")
    assert min(kept.values()) > 0.95
    mel = style.mel_filters()
    style.save(style.train(style.clips(songs, mel), mel, steps=3, batch=4), work / "bundle")
    for name in ("phonemizer.pt", "judge.safetensors"):
        shutil.copy(assets.BUNDLE / name, work / "bundle" / name)
    return work / "bundle"


def test_a_song_has_words_inside_it_and_two_renderings(work):
    for song in corpus.songs(work):
        vocal, mix = (song.read(kind) for kind in corpus.KINDS)
        assert len(vocal) == len(mix) == round(song.facts["duration"] * 44_100)
        assert song.facts["word"][0]["start"] > 0 and song.facts["word"][-1]["end"] < song.facts["duration"]
        assert np.abs(mix - vocal).max() > 0.01


def test_a_finished_song_is_not_made_again(work):
    before = (work / "songs" / "000000.vocal.wav").stat().st_mtime_ns
    corpus.make_song(0, work / "songs", seed=0, singer="rms")
    assert (work / "songs" / "000000.vocal.wav").stat().st_mtime_ns == before


def test_latents_have_unit_variance_over_the_corpus(work, bundle):
    fitted = NanoCodec.load(bundle)
    sounds = [torch.from_numpy(song.read(kind))[None, None] for song in corpus.songs(work) for kind in corpus.KINDS]
    latents = torch.cat([fitted.encode(sound)[0][0] for sound in sounds])
    assert latents.var(0).mean().item() == pytest.approx(1, abs=0.05)
    assert latents.mean().abs().item() < 0.05


def test_shards_hold_latents_styles_and_words_and_keep_held_out_songs_apart(work, bundle):
    shards.make(list(corpus.songs(work)), work / "shards", bundle, workers=1)
    contents = {}
    for name in ("train-000000", "valid-000000"):
        with tarfile.open(work / "shards" / f"{name}.tar") as tar:
            contents[name] = {entry.name: tar.extractfile(entry).read() for entry in tar}
    assert {key.split(".")[0] for key in contents["valid-000000"]} == {"000022_a", "000022_m"}
    assert {key.split(".")[0] for key in contents["train-000000"]} == {"000000_a", "000000_m", "000002_a", "000002_m"}
    files = contents["train-000000"]
    record = json.loads(files["000002_m.json"])
    latent = torch.load(io.BytesIO(files["000002_m.latent.pt"]), weights_only=True)
    styles = torch.load(io.BytesIO(files["000002_m.style.pt"]), weights_only=True)
    assert latent.shape == (128, -(-round(record["duration"] * 44_100) // FRAME_SAMPLES)) and not latent[64:].any()
    assert styles.shape[1] == 512 and 4 <= len(styles) <= 6
    torch.testing.assert_close(styles.norm(dim=1), torch.ones(len(styles)))
    assert all(word["phoneme"] and word["start"] < word["end"] for word in record["word"])
