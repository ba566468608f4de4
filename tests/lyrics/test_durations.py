"""Learned durations: a small network that begins as the rules and corrects them."""

import pytest
import torch

from jam.lyrics import durations, pace
from jam.lyrics.durations import Text
from jam.lyrics.pace import Beat
from jam.lyrics.planner import PlanSettings, plan
from jam.lyrics.sheet import Line, Sheet, SheetWord
from jam.lyrics.syllables import sung

LINES = (("ðʌ", "ɹɪvɝ", "kæɹiːz", "muːn,"), ("ʌweɪ", "ʌɡɛn"))
TEXT = Text(tuple(tuple(sung("", ipa) for ipa in line) for line in LINES), Beat(0.6, 4), 9.0)


def sheet() -> Sheet:
    return Sheet(tuple(Line(tuple(SheetWord("x", phoneme=ipa) for ipa in line)) for line in LINES))


def test_an_untrained_network_says_what_the_rules_say_as_long_as_the_song(tmp_path):
    found = durations.by_model(TEXT, durations.save(durations.network(), tmp_path / "planner.safetensors"))
    rules = pace.by_rules(TEXT.lines, TEXT.beat)
    assert sum(found.words) + sum(found.rests) + found.outro == pytest.approx(9.0, abs=1e-4)
    ratios = [learned / ruled for learned, ruled in zip(found.words, rules.words, strict=True)]
    assert ratios == pytest.approx([ratios[0]] * 6, rel=0.06)  # a hundredth of a second of rest belongs to the word before


def test_onsets_are_where_the_words_begin():
    pieces = torch.tensor([1.0, 0.5, 0.1, 0.4, 2.0])  # intro, word, rest, word, outro
    assert durations.onsets(pieces).tolist() == pytest.approx([1.0, 1.6])


def test_the_network_takes_kilobytes(tmp_path):
    assert durations.save(durations.network(), tmp_path / "planner.safetensors").stat().st_size < 64_000


def test_a_plan_follows_the_weights_it_is_given_and_keeps_to_the_song(tmp_path):
    net = durations.network()
    with torch.no_grad():
        net[4].bias[2] = 1.0  # a longer intro
    path = str(durations.save(net, tmp_path / "planner.safetensors"))
    rules, learned, auto = (
        plan(sheet(), list, PlanSettings(duration=9.0, method=method, weights=path)) for method in ("rules", "learned", "auto")
    )
    assert learned.words[0].start > rules.words[0].start and learned == auto
    assert learned.words[-1].end <= 9.0


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_weights_that_are_none_are_refused_in_one_line(content, tmp_path):
    path = tmp_path / "planner.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="holds no durations of this planner"):
        durations.by_model(TEXT, path)
    with pytest.raises(ValueError, match="no learned durations"):
        durations.by_model(TEXT, tmp_path / "absent.safetensors")


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"0.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds no durations of this planner"):
        durations.load(tmp_path / "other.safetensors")
