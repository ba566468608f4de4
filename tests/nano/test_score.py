"""The measure of the singer: pocketsphinx itself takes a few seconds to load and listen."""

import numpy as np
import pytest

pytest.importorskip("pocketsphinx")
pytest.importorskip("jiwer")

from jam.nano import score, voice
from jam.nano.compose import held_out_lines
from jam.nano.score import Report, table, to_pcm
from jam.timing import SAMPLE_RATE

needs_flite = pytest.mark.skipif(not voice.available(), reason="flite is not installed")


def test_sound_for_pocketsphinx_is_16_bit_at_16_khz_with_a_fixed_peak():
    tone = 0.01 * np.sin(np.arange(SAMPLE_RATE) * 0.05)
    heard = np.frombuffer(to_pcm(tone), "<i2")
    assert len(heard) == 16_000
    assert np.abs(heard).max() == pytest.approx(0.7 * 32767, rel=0.01)


def test_a_table_names_every_condition():
    text = table({"true clip": Report(20, 1.0, 0.95, 13.0, 0.97, 0.3, 0)})
    assert "true clip" in text and "95.0 %" in text and "13.0" in text


@needs_flite
def test_test_lines_have_half_a_second_around_their_words():
    pytest.importorskip("pyworld")
    (test,) = score.test_lines(count=1)
    assert test.words[0].start == 0.5
    assert len(test.audio) == round((test.words[-1].end + 0.5) * SAMPLE_RATE)
    assert [word.word for word in test.words] == test.line.split() == held_out_lines()[0].split()
    assert test.words[1].phoneme == "ɹɪvɝ"


@needs_flite
def test_pocketsphinx_hears_the_true_clips_and_not_the_shuffled():
    pytest.importorskip("pyworld")
    tests = score.test_lines(count=2)
    words, lines = [test.words for test in tests], [test.line for test in tests]
    clips = [test.audio for test in tests]
    true = score.evaluate(clips, words, lines, rivals=False)
    shuffled = score.evaluate(clips[::-1], words, lines, rivals=False)
    assert true.line_by_grammar == 1 and true.edge_ms < 30 and true.failed_alignments == 0
    assert shuffled.line_by_grammar == 0 and shuffled.word_error_rate > true.word_error_rate
