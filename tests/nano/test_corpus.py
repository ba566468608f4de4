"""Songs on disk, one to learn from and one held out: rendering takes some twenty seconds."""

import numpy as np
import pytest

pytest.importorskip("pocketsphinx", reason="the CMU dictionary comes with pocketsphinx")
pytest.importorskip("pyworld")
pytest.importorskip("pretty_midi")

from jam.nano import backing, corpus, voice
from jam.nano.compose import voice_of

pytestmark = pytest.mark.skipif(not (voice.available() and backing.available()), reason="flite, fluidsynth or FluidR3_GM is not installed")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    (folder / "songs").mkdir()
    for index in (0, 22):  # 22 is held out
        corpus.make_song(index, folder / "songs", seed=0)
    return folder


def test_a_song_has_words_inside_it_and_two_renderings(work):
    for song in corpus.songs(work):
        vocal, mix = (song.read(kind) for kind in corpus.KINDS)
        assert vocal.shape == mix.shape == (2, round(song.facts["duration"] * 44_100)) and vocal.dtype == np.float32
        assert song.facts["word"][0]["start"] > 0 and song.facts["word"][-1]["end"] < song.facts["duration"]
        assert (vocal[0] == vocal[1]).all() and (mix[0] != mix[1]).any()
        assert np.abs(mix - vocal).max() > 0.01


def test_facts_tell_the_voice_the_sections_and_the_split(work):
    for song in corpus.songs(work):
        facts = song.facts
        assert facts["voice"] == voice_of(facts["seed"])
        assert facts["split"] == ("valid" if song.index == 22 else "train")
        assert facts["sections"][0]["start"] == 0 and facts["sections"][-1]["end"] == pytest.approx(facts["duration"], abs=1e-3)
        assert sum(facts["lines"]) == len(facts["word"])
        assert all(corpus.says_as_written(word["word"], facts["voice"]) for word in facts["word"][:3] if len(word["word"]) > 4)


def test_the_band_lies_under_the_vocal(work):
    song = next(corpus.songs(work))
    score = corpus.written(song.facts["seed"])
    vocal, mix = corpus.render(score)
    band = np.sqrt(np.mean([voice.root_mean_square(channel, score.words) ** 2 for channel in mix - vocal]))
    assert 4.4 < 20 * np.log10(voice.LOUDNESS / band) < 8.1


def test_a_finished_song_is_not_made_again(work):
    before = (work / "songs" / "000000.vocal.flac").stat().st_mtime_ns
    corpus.make_song(0, work / "songs", seed=0)
    assert (work / "songs" / "000000.vocal.flac").stat().st_mtime_ns == before


def test_an_empty_corpus_is_told(tmp_path):
    with pytest.raises(ValueError, match="no songs"):
        next(corpus.songs(tmp_path))
