import pytest
import torch

from jam import assets
from jam.eval.judge import FRAME, SOUNDS, Judge, share_known, sounds
from jam.lyrics.words import Word
from jam.timing import SAMPLE_RATE


def test_every_frame_has_its_own_time_and_its_probabilities(judge, tone):
    emissions = judge.hear(tone(220.0, 2.0), SAMPLE_RATE)
    assert emissions.scores.shape == (201, len(SOUNDS))
    assert emissions.frame == FRAME
    assert torch.from_numpy(emissions.scores).exp().sum(1).numpy() == pytest.approx(1, abs=1e-4)


def test_loudness_changes_nothing(judge, songs):
    mix = songs[0].mix[:, : SAMPLE_RATE * 3]
    loud, soft = judge.hear(mix, SAMPLE_RATE), judge.hear(mix * 0.05, SAMPLE_RATE)
    assert (loud.scores.argmax(1) == soft.scores.argmax(1)).mean() > 0.995


def test_digital_silence_and_a_click_are_heard_as_silence(judge):
    silence = judge.hear(torch.zeros(2, SAMPLE_RATE), SAMPLE_RATE)
    assert judge.write(silence) == []


def test_the_sounds_of_a_line_are_written_down(judge, songs):
    song = songs[0]
    start, end = song.text.windows[0]
    asked = [sound for word in song.text.words[: song.text.lines[0]] for sound in sounds(word.phoneme)]
    heard = judge.write(judge.hear(song.vocal.expand(2, -1), SAMPLE_RATE).cut(start, end))
    assert len(set(asked) & set(heard)) / len(set(asked)) > 0.8


def test_ipa_of_every_kind_becomes_the_judges_sounds():
    assert sounds("tʃaɪld") == ["tʃ", "aɪ", "l", "d"]
    assert sounds("ɹɪˈvɝ,") == ["ɹ", "ɪ", "v", "ɝ"]
    assert sounds("fʁøː") == ["f", "ɹ", "ɝ"]
    assert sounds("") == sounds("!?") == []


def test_a_word_is_spelled_by_its_phonemes(judge):
    assert [SOUNDS[code] for code in judge.spell(Word(0, 1, "moon", "muːn"))] == ["m", "uː", "n"]
    assert judge.spell(Word(0, 1, "moon")) == []


def test_it_is_told_how_much_of_other_languages_is_known():
    assert share_known(["muːn", "tʃaɪld"]) == 1
    assert share_known([]) == 1
    assert share_known(["qʼχ"]) < 0.5


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_weights_that_are_missing_or_broken_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "judge.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"judge\.safetensors: .*(missing|not the embedded judge)") as caught:
        Judge.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_embedded_judge_is_small():
    assert (assets.BUNDLE / "judge.safetensors").stat().st_size < 5_000_000
