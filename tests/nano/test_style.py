"""Tags, prompts, the losses and a short training of the embedded style encoder."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from jam.nano import style as recipe
from jam.nano.corpus import Song
from jam.nano.style import TAGS, Clip, contrast, crop, draw_tags, fits, phrases, prompt, roughened, shares, tags, told_wrong
from jam.style.nano import COLUMN, JointNet, NanoStyle, Shape, named

FOLK = frozenset({"folk", "slow", "75 bpm", "band", "major", "fiddle", "harmonica", "tenor voice", "male voice"})
ALONE = frozenset({"a cappella", "slow", "80 bpm", "female voice"})
SHAPE = Shape(("pop", "folk"), ("kal16", "rms", "awb", "slt"), ("drums", "fiddle"), width=16, letters=16, buckets=512, depth=1, heads=2)
FACTS = {
    **{"genre": "folk", "bpm": 96.0, "minor": True, "beats_per_bar": 3, "voice": "awb", "instruments": ["nylon guitar", "fiddle"]},
    **{"word": [{"word": "la", "start": 0.5, "end": 4.0}], "seed": 1},
}


def song(**facts) -> Song:
    return Song(0, {**FACTS, **facts}, Path())


def clip(value: float, heard: set[str], genre: str, instruments: tuple[str, ...], index: int) -> Clip:
    """Noise with one loud band, of 300 columns."""
    values = torch.randn(COLUMN, 300, generator=torch.Generator().manual_seed(index))
    values[int(value)] += 4
    return Clip(values.half(), torch.arange(301), frozenset(heard), genre, 90.0, instruments, index)


def test_every_phrase_means_a_known_tag():
    assert set(phrases(["fiddle"]).values()) == {*TAGS, "fiddle"}


def test_what_is_heard_is_named():
    heard = tags(song(), "mix")
    assert heard >= {"folk", "band", "minor", "waltz", "tenor voice", "male voice", "nylon guitar", "guitar", "fiddle", "96 bpm", "medium"}
    assert tags(song(voice="slt"), "vocal") == {"a cappella", "female voice", "waltz", "96 bpm", "medium"}
    assert "synth" in tags(song(instruments=["sweep pad"]), "mix")


def test_a_prompt_says_the_tags_it_was_made_of():
    known, rng = phrases(["fiddle", "harmonica"]), np.random.default_rng(0)
    encoder = NanoStyle(JointNet(SHAPE), TAGS, known)
    for heard, genre in ((FOLK, "folk"), (ALONE, "pop")):
        for _ in range(200):
            wanted = draw_tags(heard, genre, rng)
            text = prompt(wanted, rng)
            assert encoder.named(text) == {tag for tag in wanted if not tag.endswith(" bpm")}, text
            assert all(tag.split()[0] in text for tag in wanted if tag.endswith(" bpm")), text
            assert fits(wanted, heard), text


def test_prompts_name_tempo_voice_and_what_is_missing_now_and_then():
    rng = np.random.default_rng(1)
    drawn = [draw_tags(FOLK, "folk", rng) for _ in range(300)]
    for tag in ("folk", "75 bpm", "slow", "tenor voice", "male voice", "fiddle", "no drums"):
        assert 15 < sum(tag in wanted for wanted in drawn) < 290, tag


def test_a_text_fits_what_has_all_of_it():
    assert fits(frozenset({"a cappella", "folk"}), ALONE)  # a voice alone may be of any genre
    assert not fits(frozenset({"pop"}), FOLK)
    assert fits(frozenset({"no drums"}), FOLK) and not fits(frozenset({"no fiddle"}), FOLK)
    assert fits(frozenset({"76 bpm"}), FOLK) and not fits(frozenset({"80 bpm"}), FOLK)


def test_misspellings_leave_short_words_alone():
    rng = np.random.default_rng(0)
    drawn = {recipe.misspelt("a slow folk electronic 96 bpm", rng) for _ in range(100)}
    assert 2 < len(drawn) < 60 and all(one.startswith("a slow folk ") and one.endswith(" 96 bpm") for one in drawn)


def test_contrast_is_zero_when_all_fit_and_all_agree():
    same = torch.ones(3, 4) / 2
    assert contrast(same, same, torch.ones(3, 3, dtype=torch.bool)).item() == pytest.approx(0, abs=1e-6)


def test_contrast_prefers_the_clip_that_fits():
    vectors = torch.eye(2)
    right = torch.eye(2, dtype=torch.bool)
    assert contrast(vectors, vectors, right) < contrast(vectors, vectors.flip(0), right)


def test_read_outs_of_a_recording_are_told_all_and_those_of_a_text_what_it_says():
    whole, part = shares(FOLK, SHAPE, True), shares(frozenset({"male voice", "slow"}), SHAPE, False)
    assert whole["genre"].tolist() == [0, 1] and whole["instruments"].tolist() == [0, 1] and whole["alone"] == 0
    assert part["genre"].tolist() == [0, 0] and part["instruments"].tolist() == [-1, -1] and part["alone"] == -1
    assert part["voice"] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0]) and part["metre"].sum() == 0
    assert part["tempo"].sum() == pytest.approx(1) and whole["tempo"].max() > 0.4
    assert shares(frozenset({"no drums"}), SHAPE, False)["instruments"].tolist() == [0, -1]


def test_read_outs_that_are_right_cost_little():
    right = [shares(FOLK, SHAPE, True)]
    sure = {name: torch.from_numpy(20 * (values > 0.1) - 10.0)[None].float() for name, values in right[0].items()}
    wrong = {name: -values for name, values in sure.items()}
    assert told_wrong(sure, right).item() < 3 < 20 < told_wrong(wrong, right).item()  # a tempo's shares have an entropy


def test_pieces_are_cut_where_somebody_sings():
    values = torch.arange(400.0).expand(COLUMN, 400)
    sung = torch.cat([torch.zeros(301), torch.arange(1, 101)])
    one = Clip(values, sung, frozenset(), "pop", 90.0, (), 0)
    rng = np.random.default_rng(0)
    starts = [float(crop(one, 50, 1.0, rng)[0, 0]) for _ in range(30)]
    assert sum(start > 260 for start in starts) > 20
    assert crop(one, 500, 1.05, rng).shape == (COLUMN, 500)
    faster = crop(one, 100, 1.08, rng)
    assert float((faster[0, -1] - faster[0, 0]) / 99) == pytest.approx(1.08, abs=0.02)


def test_another_tone_leaves_numbers():
    seen = torch.randn(4, COLUMN, 60)
    other = roughened(seen, np.random.default_rng(0))
    assert other.shape == seen.shape and other.isfinite().all() and not torch.equal(other, seen)


def test_both_renderings_are_heard(tmp_path):
    from jam import audio

    one = Song(3, FACTS, tmp_path)
    for kind in ("vocal", "mix"):
        audio.write(one.path(kind), 0.1 * torch.randn(2, 44_100 * 5))
    alone, mix = recipe.clips([one])
    assert alone.columns.shape == mix.columns.shape == (COLUMN, 216) and mix.columns.dtype == torch.float16
    assert "a cappella" in alone.heard and alone.instruments == () and mix.instruments == ("nylon guitar", "fiddle")
    assert int(alone.sung[-1]) == pytest.approx(3.5 * 44_100 / 1024, abs=2)


def test_a_short_training_tells_a_voice_alone_from_a_band_and_is_saved(tmp_path):
    """Two kinds of clip that differ in a band, forty steps of a tiny network."""
    alone = [clip(5, {"a cappella", "tenor voice", "male voice"}, "pop", (), index) for index in range(6)]
    band = [clip(40, {"band", "folk", "tenor voice", "male voice", "minor", "drums"}, "folk", ("drums",), index) for index in range(6, 12)]
    style = recipe.train([*alone, *band], 40, batch=8, shape=SHAPE)
    report = recipe.measure(style, [*alone[:3], *band[:3]], [*alone, *band])
    assert report.a_cappella == 1 and 0 <= report.genre_from_text <= 1 and not math.isnan(report.tempo)
    recipe.save(style, tmp_path)
    again = NanoStyle.load(tmp_path)
    torch.testing.assert_close(again.from_text("folk"), style.from_text("folk"), atol=1e-2, rtol=0)
    assert named("slow folk", again.phrases) == {"slow", "folk"}
