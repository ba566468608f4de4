"""The embedded style encoder: as shipped, of whatever kind that is, and of the present kind with weights of chance."""

import json
import logging
import math

import pytest
import torch
from safetensors.torch import save_file

from jam.assets import BUNDLE
from jam.style import nano
from jam.style.nano import JointNet, NanoStyle, Shape, columns, levelled, repetition, tempo_of, tokens, words_of

RATE = 44_100
SHAPE = Shape(("pop", "folk"), ("rms", "slt"), ("piano", "drums", "fiddle"), width=16, letters=16, buckets=512, depth=1, heads=2)


@pytest.fixture(scope="module")
def shipped():
    return NanoStyle.load(BUNDLE)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return NanoStyle(JointNet(SHAPE), ["pop", "fiddle"], {"pop": "pop", "violin": "fiddle", "fiddle": "fiddle"})


@pytest.fixture(params=["shipped", "tiny"])
def style(request):
    return request.getfixturevalue(request.param)


def noise(seconds: float, rate: int = RATE) -> torch.Tensor:
    return 0.1 * torch.randn(2, int(seconds * rate), generator=torch.Generator().manual_seed(0))


def clicks(bpm: float, seconds: float = 10.0) -> torch.Tensor:
    """A burst of noise every beat, (1, N)."""
    seconds_to_beat = torch.arange(int(seconds * RATE)) / RATE % (60 / bpm)
    return (noise(seconds).mean(0) * torch.exp(-seconds_to_beat * 40))[None]


def test_both_doors_give_unit_vectors_of_512(style):
    for vector in (style.from_audio(noise(2), RATE), style.from_text("slow pop song")):
        assert vector.shape == (512,) and vector.dtype == torch.float32
        assert vector.norm().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("seconds", [0.5, 0.77, 3.0, 70.0])
def test_clips_of_any_length_are_heard(style, seconds):
    assert style.from_audio(noise(seconds), RATE).isfinite().all()


def test_loudness_does_not_matter(style):
    clip = noise(2)
    torch.testing.assert_close(style.from_audio(clip, RATE), style.from_audio(clip * 0.2, RATE), atol=1e-3, rtol=0)


def test_silence_is_heard(style):
    assert style.from_audio(torch.zeros(2, RATE), RATE).isfinite().all()


def test_any_sample_rate_is_heard(style):
    assert style.from_audio(noise(2, 16_000), 16_000).norm().item() == pytest.approx(1, abs=1e-5)


def test_genres_and_a_cappella_are_far_apart(shipped):
    prompts = ["pop song with a band", "folk song with a band", "electronic song with a band", "hip hop song with a band", "a cappella"]
    vectors = torch.stack([shipped.from_text(prompt) for prompt in prompts])
    likeness = vectors @ vectors.T - 2 * torch.eye(len(prompts))
    assert likeness.max() < 0.7


def test_a_prompt_of_unknown_words_is_warned_of(style, caplog):
    with caplog.at_level(logging.WARNING):
        vector = style.from_text("xyzzy")
    assert "xyzzy" in caplog.text and vector.isfinite().all()


@pytest.mark.parametrize("prompt", ["a violin", "97 bpm"])
def test_a_known_word_or_a_tempo_is_enough(tiny, caplog, prompt):
    with caplog.at_level(logging.WARNING):
        tiny.from_text(prompt)
    assert not caplog.text


def test_an_empty_prompt_and_a_short_clip_are_refused(style):
    with pytest.raises(ValueError, match="empty"):
        style.from_text("  ")
    with pytest.raises(ValueError, match="too short"):
        style.from_audio(noise(0.2), RATE)


def test_a_missing_encoder_is_one_line_that_says_how_to_make_it(tmp_path):
    with pytest.raises(ValueError, match="stage=style") as caught:
        NanoStyle.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_encoder_is_written_and_read_again(tiny, tmp_path):
    save_file({name: tensor.half() for name, tensor in tiny.net.state_dict().items()}, tmp_path / "style.safetensors")
    (tmp_path / "style.json").write_text(json.dumps(tiny.words()))
    again = NanoStyle.load(tmp_path)
    assert isinstance(again, NanoStyle) and again.net.shape == SHAPE and again.tags == tiny.tags and again.phrases == tiny.phrases
    assert next(again.net.parameters()).dtype == torch.float32
    for one, other in (
        (again.from_text("pop"), tiny.from_text("pop")),
        (again.from_audio(noise(1), RATE), tiny.from_audio(noise(1), RATE)),
    ):
        torch.testing.assert_close(one, other, atol=5e-3, rtol=0)


def test_weights_that_do_not_fit_are_refused_in_a_line(tiny, tmp_path):
    save_file({"other": torch.zeros(1)}, tmp_path / "style.safetensors")
    for words in (tiny.words(), {"format": "joint"}, {**tiny.words(), "net": {"sizes": 3}}, {"tags": ["a"], "phrases": {}}):
        (tmp_path / "style.json").write_text(json.dumps(words))
        with pytest.raises(ValueError, match="does not load") as caught:
            NanoStyle.load(tmp_path)
        assert "\n" not in str(caught.value)


def test_the_usual_network_is_smaller_than_four_megabytes_in_half_precision():
    with torch.device("meta"):
        net = JointNet(Shape(("g",) * 8, ("v",) * 4, ("i",) * 50))
    assert 2 * sum(one.numel() for one in net.state_dict().values()) < 4e6


def test_the_order_of_words_and_commas_matters(tiny):
    vectors = [tiny.from_text(prompt) for prompt in ("drums, no piano", "piano, no drums", "drums no, piano")]
    assert not torch.allclose(vectors[0], vectors[1], atol=1e-5) and not torch.allclose(vectors[0], vectors[2], atol=1e-5)


def test_misspelt_words_share_letter_groups():
    def groups(word: str) -> set[int]:
        return set(nano.letter_groups(word))

    assert len(groups("electronic") & groups("electronik")) > 5 > len(groups("electronic") & groups("accordion"))


def test_numbers_are_apart_from_their_unit_and_near_their_neighbours():
    assert words_of("Folk, 96bpm, it's the 80s") == ["folk", ",", "96", "bpm", ",", "its", "the", "80s"]
    ids, bumps = tokens(["96", "99", "150", "7"], 512)
    assert torch.equal(ids[0], ids[1])
    assert (bumps[0] * bumps[1]).sum() > 2 * (bumps[0] * bumps[2]).sum()
    assert not bumps[3].any()


def test_prompts_of_a_batch_are_read_as_alone(tiny):
    prompts = ["pop", "a slow folk song with violin, 70 bpm", ""]
    together = tiny.net.read(*tokens(prompts, SHAPE.buckets))
    for vector, prompt in zip(together, prompts, strict=True):
        torch.testing.assert_close(vector, tiny.net.read(*tokens([prompt], SHAPE.buckets))[0], atol=1e-5, rtol=0)


def test_a_prompt_longer_than_the_network_reads_is_cut(tiny):
    assert torch.equal(tiny.from_text("pop " * 64), tiny.from_text("pop " * 100))


@pytest.mark.parametrize("bpm", [63, 97, 150])
def test_onsets_repeat_after_a_beat(bpm):
    likeness = repetition(levelled(columns(clicks(bpm))[:, : nano.MELS]))[0].mean(0)
    periods = torch.from_numpy(nano.LAGS * nano.HOP / RATE * bpm / 60)
    within = (periods > 0.7) & (periods < 1.5)
    found = float(periods[within][likeness[within].argmax()])
    assert found == pytest.approx(1, abs=0.03)


def test_tempo_lies_between_the_two_likeliest():
    logits = torch.full((1, len(nano.TEMPI)), -20.0)
    logits[0, 10] = logits[0, 11] = 3.0
    assert float(tempo_of(logits)[0]) == pytest.approx(math.sqrt(nano.TEMPI[10] * nano.TEMPI[11]), rel=1e-3)


def test_a_note_is_heard_in_its_pitch_class():
    tone = torch.sin(2 * torch.pi * 261.63 * torch.arange(2 * RATE) / RATE)[None]
    assert int(columns(tone)[0, nano.MELS :].mean(-1).argmax()) == 0


def test_a_vector_is_read_out(tiny):
    told = tiny.read_out(tiny.from_text("pop"))
    assert set(told) == {"genre", "voice", "mode", "metre", "bpm", "a cappella", "instruments"}
    assert set(told["genre"]) == {"pop", "folk"} and sum(told["genre"].values()) == pytest.approx(1)
    assert 56 <= told["bpm"] <= 172 and 0 < told["a cappella"] < 1
    assert set(told["instruments"]) == {"piano", "drums", "fiddle"}
