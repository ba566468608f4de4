"""The inference story with a tiny network and the embedded bundle's real phonemizer, style encoder and codec."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jam import assets
from jam.guidance import GuidanceSettings, chain, coefficients, guided
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.words import Word
from jam.model.dit import DiT, DiTSettings
from jam.sampler import Cancelled, euler, time_grid
from jam.song import SampleSettings, Singer, SingSettings, SongRequest, load_codec, load_style
from jam.timing import FRAME_SAMPLES, SAMPLE_RATE, SLOTS_PER_FRAME, frames_to_seconds

TINY = DiTSettings(max_frames=48, dim=32, depth=2, heads=2, text_dim=16, conv_layers=1, cond_dim=16)
WORDS = (Word(0.1, 0.5, "river"), Word(0.5, 1.2, "moon,"))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def singer() -> Singer:
    torch.manual_seed(0)
    model = DiT(TINY)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    settings = SingSettings(sample=SampleSettings(steps=4), seed=3)
    phonemizer = Phonemizer.load(assets.BUNDLE / "phonemizer.pt")
    return Singer(model.eval(), phonemizer, lambda: load_style("nano", None, CPU), load_codec("nano", None, CPU), settings)


def request(name: str = "a", **changes) -> SongRequest:
    return replace(SongRequest(name, WORDS, 1.5, torch.ones(512) / 512**0.5), **changes)


def test_a_song_has_the_length_that_was_asked_and_the_level_of_all_songs(singer):
    from jam.audio import loudness

    song = singer.sing(request())
    assert song.audio.shape == (2, round(1.5 * SAMPLE_RATE))
    assert song.whole.shape == (2, 48 * FRAME_SAMPLES)
    assert song.latents.shape == (48, 64)
    assert loudness(song.audio) == pytest.approx(-14, abs=0.1)
    assert [word.phoneme for word in song.words] == ["ɹɪvɝ", "muːn,"]


def test_a_song_does_not_depend_on_its_company(singer):
    alone = singer.sing(request("b")).latents
    among = singer.sing_batch([singer.plan(request(name)) for name in "abc"])[1].latents
    assert torch.allclose(alone, among, atol=1e-5)


@pytest.fixture(scope="module")
def wide(singer) -> Singer:
    """A singer whose canvas is much longer than its songs, of which it sings no more than they need."""
    torch.manual_seed(1)
    model = DiT(replace(TINY, max_frames=256))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    settings = replace(singer.settings, canvas="song")
    return Singer(model.eval(), singer.phonemizer, lambda: load_style("nano", None, CPU), singer.codec, settings)


def test_a_song_may_have_no_more_of_the_canvas_than_it_needs(wide):
    plan = wide.plan(request())
    assert plan.conditions.frames == 128  # 32 of the song, 43 after it, in steps of 64
    wide.settings = replace(wide.settings, canvas="full")
    full, noise = wide.plan(request()), wide.noise(request())
    wide.settings = replace(wide.settings, canvas="song")
    assert full.conditions.frames == 256
    assert plan.conditions.duration_rel == full.conditions.duration_rel and torch.equal(noise, wide.noise(request()))
    assert torch.equal(plan.conditions.slots[0], full.conditions.slots[0, : 128 * SLOTS_PER_FRAME])
    song = wide.sing(request())
    assert song.latents.shape == (128, 64) and song.audio.shape == (2, round(1.5 * SAMPLE_RATE))
    assert wide.plan(request(duration=11.0)).conditions.frames == 256  # no longer than the canvas


def test_songs_of_any_length_side_by_side_are_as_they_are_alone(wide):
    lengths = (1.5, 4.0, 1.2)
    counted = []
    plans = [wide.plan(request(name, duration=seconds)) for name, seconds in zip("abc", lengths, strict=True)]
    together = wide.sing_batch(plans, lambda done, count: counted.append((done, count)))
    for song, name, seconds in zip(together, "abc", lengths, strict=True):
        assert song.request.id == name
        torch.testing.assert_close(song.latents, wide.sing(request(name, duration=seconds)).latents, rtol=0, atol=1e-5)
    assert counted[-1] == (6, 6) and counted == sorted(counted)


def test_seed_id_and_take_each_change_the_noise_and_nothing_else_does(singer):
    first = singer.noise(request())
    assert torch.equal(first, singer.noise(request(duration=1.0, words=())))
    others = [singer.noise(request("b")), singer.noise(request(take=1))]
    singer.settings = replace(singer.settings, seed=4)
    others.append(singer.noise(request()))
    singer.settings = replace(singer.settings, seed=3)
    assert not any(torch.equal(first, other) for other in others)


def test_an_instrumental_and_a_text_style_need_no_words_and_no_audio(singer):
    song = singer.sing(request(words=(), style="slow folk song, acoustic guitar"))
    assert song.words == () and song.audio.abs().max() > 0


def test_a_style_clip_may_be_shorter_than_what_is_heard_of_it(singer, tmp_path, tone):
    from jam.audio import write

    write(tmp_path / "clip.wav", tone(440, 2.0))
    singer.settings = replace(singer.settings, random_crop_style=True)
    vector = singer.style_vector(request(style=tmp_path / "clip.wav"))
    singer.settings = replace(singer.settings, random_crop_style=False)
    assert vector.shape == (512,) and float(vector.norm()) == pytest.approx(1, abs=1e-4)


def test_ignoring_the_style_sings_with_the_negative_one(singer):
    singer.settings = replace(singer.settings, ignore_style=True)
    assert torch.equal(singer.style_vector(request()), singer.negative_style)
    singer.settings = replace(singer.settings, ignore_style=False)


def test_a_canvas_told_in_hundredths_is_sung_whole(singer):
    seconds = frames_to_seconds(48)  # 2.2291 s
    assert singer.plan(request(duration=math.ceil(seconds * 100) / 100)).conditions.slots.shape[-1] == 48 * SLOTS_PER_FRAME
    with pytest.raises(ValueError, match="at most 2.23 s"):
        singer.plan(request(duration=seconds + 0.011))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"duration": 0.0}, "duration is 0 s"),
        ({"duration": 9.0}, r"duration is 9 s; this model sings more than 0 and at most 2.23 s"),
        ({"words": (Word(0.1, 0.2, "дом"),)}, "дом"),
        ({"words": (Word(0.5, 0.2, "la"),)}, "end 0.2 is before start 0.5"),
        ({"words": (Word(1.0, 1.9, "la"),)}, "lasts 1.5 s"),
        ({"style": torch.zeros(7)}, r"style vector is \[7\]"),
        ({"style": Path("absent.wav")}, "absent.wav"),
        ({"style": " "}, "prompt is empty"),
    ],
)
def test_what_cannot_be_sung_is_said_in_one_line(singer, changes, said):
    with pytest.raises(ValueError, match=said) as refusal:
        singer.sing(request(**changes))
    assert "\n" not in str(refusal.value)


def test_progress_is_told_and_a_song_can_be_stopped(singer):
    told: list[tuple[int, int]] = []
    singer.sing(request(), progress=lambda done, whole: told.append((done, whole)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(Cancelled, match="stopped after 2 of 3"):
        singer.sing(request(), cancelled=lambda: len(told) >= 5, progress=lambda done, whole: told.append((done, whole)))


def test_a_song_saves_in_every_format(singer, tmp_path):
    import soundfile

    song = singer.sing(request())
    for suffix in ("wav", "flac", "mp3"):
        assert soundfile.info(song.save(tmp_path / f"s.{suffix}")).duration == pytest.approx(1.5, abs=0.06)


def test_the_chain_gives_documented_weights_and_leaves_out_links_of_no_weight(singer):
    full = singer.plan(request()).conditions
    lyrics_and_style = chain(full, GuidanceSettings(dual_cfg=(4.7, 2.6)), torch.zeros(512))
    assert [link.coefficient for link in lyrics_and_style] == pytest.approx([1 - 2.6, 2.6 - 4.7, 4.7])
    assert len(chain(full, GuidanceSettings(dual_cfg=(1.0, 2.0), fix_dual_cfg=True), torch.zeros(512))) == 2
    assert len(chain(full, GuidanceSettings(dual_cfg=None, cfg_strength=0.0), torch.zeros(512))) == 1
    assert sum(coefficients([0.3, 9.0, 2.0])) == pytest.approx(1.0)


def test_one_step_is_exact_when_velocity_is_constant():
    x_0, v = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    assert torch.allclose(euler(lambda _x, _t: v, x_0, time_grid(2)), x_0 + v)
    assert torch.allclose(euler(lambda _x, _t: v, x_0, time_grid(30, -1.0)), x_0 + v, atol=1e-5)


def test_more_steps_come_nearer_to_a_known_integral():
    x_0 = torch.ones(1, 1, 1)
    missed = [abs(float(euler(lambda x, _t: x, x_0, time_grid(steps))) - 2.718281828) for steps in (5, 50, 500)]
    assert missed[0] > missed[1] > missed[2] and missed[2] < 0.003


@pytest.mark.parametrize(("steps", "sway"), [(1, None), (0, None), (10, -1.5), (10, 3.0)])
def test_a_time_grid_that_does_not_run_forward_is_refused(steps, sway):
    with pytest.raises(ValueError, match="sample_kwargs"):
        time_grid(steps, sway)


def test_outside_the_range_of_guidance_the_full_prediction_stands_alone_even_where_it_has_no_weight(singer):
    full = singer.plan(request()).conditions
    x_t = singer.noise(request())[None]
    settings = GuidanceSettings(dual_cfg=(0.0, 2.0), cfg_range=(0.5, 1.0))
    with torch.no_grad():
        early = guided(singer.model, full, settings, torch.zeros(512))(x_t, 0.2)
        assert torch.allclose(early, singer.model(x_t, torch.tensor([0.2]), full), atol=1e-6)
