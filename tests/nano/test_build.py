"""The recipe's command line."""

import pytest

from jam.nano.build import BuildSettings, main, parse


def test_words_become_settings():
    assert parse(["stage=corpus", "hours=0.5", "seed=3"]) == BuildSettings(stage="corpus", hours=0.5, seed=3)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("sed=3", "did you mean 'seed'"),
        ("seed=three", "seed must be int"),
        ("corpus", "key=value"),
        ("stage=corpse", "unknown stage"),
        ("zzzz=1", "known are stage"),
    ],
)
def test_a_wrong_word_is_one_line(word, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse([word])
    assert "\n" not in str(caught.value)


def test_a_stage_without_its_corpus_says_which_to_run_first(tmp_path, caplog):
    assert main(["stage=codec", f"work={tmp_path}", f"bundle={tmp_path}"]) == 1
    assert "run the stage corpus first" in caplog.text
