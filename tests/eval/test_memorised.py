"""Copies of training songs, planted and absent."""

import numpy as np
import pytest
import torch
from torch import Tensor

from jam.eval import memorised
from jam.eval.memorised import Corpus, Thresholds, correlations, measure, tail
from tests.data.conftest import song as stored
from tests.data.conftest import write

CHANNELS, WIDTH = 64, 512


def fresh(name: int, frames: int = 400) -> Tensor:
    """Latents (T, C) that move as songs' do: each frame resembles the one before."""
    draws = torch.Generator().manual_seed(name)
    noise = torch.randn(frames + 40, CHANNELS, generator=draws)
    smooth = torch.nn.functional.avg_pool1d(noise.T[None], 5, 1)[0].T
    return 2 * smooth[:frames] + torch.randn(CHANNELS, generator=draws)


def style(name: int) -> Tensor:
    return torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1000 + name))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    lengths = [100 + 37 * (name % 11) for name in range(40)]
    return Corpus([f"song {name}" for name in range(40)], [style(name) for name in range(40)], [fresh(*one) for one in enumerate(lengths)])


@pytest.fixture(scope="module")
def thresholds(corpus) -> Thresholds:
    return corpus.thresholds(0.999)


def test_correlations_are_those_written_out():
    """Against a loop over all shifts, on songs of uneven length."""
    pieces = torch.stack([fresh(1, 20), fresh(2, 20)])
    songs = [fresh(3, 50), fresh(4, 33)]
    likeness, shifts = correlations(pieces, songs)
    for s, song in enumerate(songs):
        for p, piece in enumerate(pieces):
            found = [_pearson(piece, song[start : start + 20]) for start in range(len(song) - 19)]
            assert float(likeness[s, p]) == pytest.approx(max(found), abs=1e-5)
            assert int(shifts[s, p]) == int(np.argmax(found))


def _pearson(piece: Tensor, part: Tensor) -> float:
    """By numpy, of all numbers of both, less their channels' means."""
    x, y = ((one - one.mean(0)).double().flatten().numpy() for one in (piece, part))
    return float(np.corrcoef(x, y)[0, 1])


def test_a_passage_is_found_where_it_was_taken_from(corpus):
    passage = fresh(10, 470)[91 : 91 + 128]  # song 10 has 470 frames
    near = corpus.nearest_by_latent(passage)
    assert near is not None
    assert (near.key, near.its, near.ours) == ("song 10", 91, 0)
    assert near.likeness == pytest.approx(1, abs=1e-3)  # stored in half precision


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_a_copied_passage_in_a_new_song_is_flagged_with_both_its_places(corpus, thresholds, noise):
    """Noise of as much power as the passage leaves a correlation of 1 / sqrt(2)."""
    song = fresh(500)
    song[130:330] = fresh(9, 433)[60:260]
    song += noise * fresh(9, 433).std(0) * torch.randn(song.shape, generator=torch.Generator().manual_seed(1))
    found = measure(corpus, thresholds, latents=song)
    assert found.values["safety.flagged"].value == 100
    near = corpus.nearest_by_latent(song)
    assert near is not None
    assert (near.key, near.its - near.ours) == ("song 9", 60 - 130)
    assert near.likeness == pytest.approx((1 + noise**2) ** -0.5, abs=0.06)
    (note,) = found.notes
    assert "training song song 9" in note


def test_fresh_songs_are_not_flagged(corpus, thresholds):
    for name in range(600, 630):
        found = measure(corpus, thresholds, latents=fresh(name))
        assert found.values["safety.flagged"].value == 0
        assert found.notes == ()


def test_loudness_and_offset_of_channels_hide_no_copy(corpus, thresholds):
    song = 0.5 * fresh(3, 211) + 3 * torch.randn(CHANNELS, generator=torch.Generator().manual_seed(2))
    assert measure(corpus, thresholds, latents=song).values["safety.latent"].value > 0.99


def test_silence_is_like_no_song(corpus, thresholds):
    silence = fresh(0)[:1].expand(300, -1) + 1e-3 * torch.randn(300, CHANNELS, generator=torch.Generator().manual_seed(3))
    assert corpus.nearest_by_latent(silence) is None
    assert measure(corpus, thresholds, latents=silence).values == {}


def test_silence_in_training_songs_is_like_no_song():
    still = torch.zeros(300, CHANNELS)
    mixed = [torch.cat([fresh(name, 150), still]) for name in range(9)]
    near = Corpus([str(name) for name in range(9)], [style(name) for name in range(9)], mixed).nearest_by_latent(fresh(99, 128))
    assert near is not None
    assert near.likeness < 0.4


def test_songs_shorter_than_a_piece_are_searched_and_found(corpus):
    near = corpus.nearest_by_latent(fresh(5, 285)[40:90])
    assert near is not None
    assert (near.key, near.its) == ("song 5", 40)
    short = corpus.nearest_by_latent(fresh(0, 100)[:80])  # song 0 has 100 frames
    assert short is not None
    assert short.key == "song 0"


def test_a_song_that_is_left_out_is_not_found(corpus):
    near = corpus.nearest_by_latent(fresh(4, 248), without=4)
    assert near is not None
    assert near.key != "song 4"
    assert corpus.nearest_by_embedding(style(4)[0], without=4).key != "song 4"


def test_the_nearest_style_is_the_greatest_cosine(corpus):
    vector = style(7)[1] * 3 + 0.1 * style(8)[0]
    near = corpus.nearest_by_embedding(vector)
    cosines = [float(torch.nn.functional.cosine_similarity(vector, row, dim=0)) for name in range(40) for row in style(name)]
    assert near.key == "song 7"
    assert near.likeness == pytest.approx(max(cosines), abs=1e-5)


def test_where_there_are_latents_the_style_flags_nothing(corpus, thresholds):
    both = measure(corpus, thresholds, style(7)[1], fresh(700))
    assert (both.values["safety.embedding"].value, both.values["safety.flagged"].value) == (pytest.approx(1), 0)
    alone = measure(corpus, thresholds, style(7)[1])
    assert alone.values["safety.flagged"].value == 100
    assert "song 7" in alone.notes[0]
    assert set(both.values) == {one.name for one in memorised.MEASURES}


def test_training_songs_that_are_like_each_other_raise_the_bar():
    """Each song is half a loop that all share, at its own place: a new song with the loop is no copy of one of them."""
    shared = fresh(77, 200)

    def looped(name: int) -> Tensor:
        song, place = fresh(name, 300), 10 + name % 50
        song[place : place + 200] = 0.8 * shared + 0.6 * song[place : place + 200]
        return song

    corpus = Corpus([str(name) for name in range(20)], [style(name) for name in range(20)], [looped(name) for name in range(20)])
    bar = corpus.thresholds(0.999)
    assert 0.6 < bar.latent < memorised.SAME
    assert measure(corpus, bar, latents=looped(99)).values["safety.flagged"].value == 0
    assert measure(corpus, bar, latents=looped(7)).values["safety.flagged"].value == 100


def test_a_song_that_is_there_twice_does_not_raise_the_bar(thresholds):
    names = [*range(30), *range(3)]
    doubled = Corpus([str(place) for place in range(33)], [style(name) for name in names], [fresh(name) for name in names])
    assert doubled.thresholds(0.999).latent == thresholds.latent == memorised.LEAST


def test_the_tail_of_an_exponential_is_found_from_few():
    """Of 2000 the 99.9 % quantile is told to a few of 100; of 48 the mean over many draws is right to a tenth."""
    draws = np.random.default_rng(0)
    assert tail(draws.exponential(1, 2000), 0.999) == pytest.approx(np.log(1000), rel=0.1)
    assert np.mean([tail(draws.exponential(1, 48), 0.999) for _ in range(200)]) == pytest.approx(np.log(1000), rel=0.1)
    assert tail([0.1, 0.2, 0.3], 0.5) == pytest.approx(0.2)
    assert tail([], 0.999) == 1


def test_few_songs_tell_no_threshold():
    with pytest.raises(ValueError, match=r"safety\.shards hold 3 songs"):
        Corpus(["a", "b", "c"], [style(0)] * 3, [fresh(0)] * 3).thresholds(0.999)


def stored_song(name: int, **parts: object) -> dict[str, bytes]:
    means = fresh(name, 200).T
    return stored(f"{name:02d}", **({"latent.pt": torch.cat([means, torch.ones_like(means)]), "style.pt": style(name)} | parts))


def test_shards_are_read_as_training_reads_them(tmp_path):
    for shard in range(2):
        write(tmp_path / f"songs-{shard}.tar", *(stored_song(10 * shard + name) for name in range(5)))
    pattern = str(tmp_path / "songs-{0..1}.tar")
    corpus = Corpus.read(pattern)
    assert corpus.keys == tuple(f"{shard}{name}" for shard in range(2) for name in range(5))
    near = corpus.nearest_by_latent(fresh(13, 200)[20:160])
    assert near is not None
    assert (near.key, near.its - near.ours) == ("13", 20)
    assert Corpus.read(pattern, 7).keys == corpus.keys[:7]


def test_broken_shards_are_told_in_a_line(tmp_path):
    path = tmp_path / "songs.tar"
    for parts, message in (
        ({"latent.pt": None}, r"songs\.tar: 00: has no latent\.pt"),
        ({"latent.pt": b"?"}, r"songs\.tar: 00: latent\.pt: is not a readable tensor"),
        ({"latent.pt": torch.ones(3, 4)}, r"latent\.pt is \[3, 4\] instead"),
        ({"style.pt": torch.ones(7)}, r"style\.pt is \[7\]"),
    ):
        write(path, stored_song(0, **parts))
        with pytest.raises(ValueError, match=message) as caught:
            Corpus.read(str(path))
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="shards are missing"):
        Corpus.read(str(tmp_path / "none.tar"))


def test_more_than_memory_holds_is_refused(tmp_path, monkeypatch):
    write(tmp_path / "songs.tar", *(stored_song(name) for name in range(3)))
    monkeypatch.setattr(memorised, "MEMORY", 60_000)
    with pytest.raises(ValueError, match=r"set safety\.limit"):
        Corpus.read(str(tmp_path / "songs.tar"))
    assert len(Corpus.read(str(tmp_path / "songs.tar"), 2).keys) == 2
