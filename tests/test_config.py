"""Settings: defaults < YAML < words; what is wrong is named with its place."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jam import config


@dataclass(frozen=True)
class Inner:
    steps: int = 50
    dual_cfg: list[float] | None = field(default_factory=lambda: [4.7, 2.6])
    cfg_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Outer:
    seed: int = 0
    inner: Inner = field(default_factory=Inner)
    path: str | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give a number from 0")


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    return f"config={file}"


def test_words_win_over_the_file_and_the_file_over_defaults(tmp_path):
    word = written(tmp_path, "seed: 3\npath: a\ninner:\n  steps: ${seed}\n  dual_cfg: null\n")
    assert config.load(Outer, [word, "path=b", "inner.cfg_range=[0,0.5]"]) == Outer(3, Inner(3, None, (0.0, 0.5)), "b")


def test_saved_settings_load_as_they_were(tmp_path):
    settings = Outer(seed=7, inner=Inner(cfg_range=(0.1, 0.2)))
    config.save(settings, tmp_path / "s.yaml")
    assert config.load(Outer, [f"config={tmp_path / 's.yaml'}"]) == settings


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["inner.step=1"], "command line: unknown setting inner.step; did you mean inner.steps?"),
        (["steps"], "'steps' is not a setting"),
        (["inner.steps=many"], "command line: inner.steps: Value 'many'"),
        (["inner=3"], "inner is a group of settings"),
        (["inner.cfg_range=[1,x]"], "command line: .*could not be converted to Float"),
        (["inner.dual_cfg=[1"], "command line:"),
        (["config=absent.yaml"], "absent.yaml: no such settings file"),
        (["seed=-1"], "seed is -1"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(words, said):
    with pytest.raises(ValueError, match=said) as refusal:
        config.load(Outer, words)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("sed: 1\n", "unknown setting sed; did you mean seed"), ("- 1\n", "found a list"), ("a: [1\n", "not readable YAML")],
)
def test_wrong_files_are_named(tmp_path, text, said):
    with pytest.raises(ValueError, match=said) as refusal:
        config.load(Outer, [written(tmp_path, text)])
    assert "settings.yaml" in str(refusal.value)


def test_an_entry_turns_errors_into_one_line_and_a_status(caplog):
    def main(words: list[str]) -> None:
        config.load(Outer, words)

    assert config.run(main, ["seed=1"]) == 0
    assert config.run(main, ["sed=1"]) == config.BAD_INPUT
    assert caplog.messages == ["error: command line: unknown setting sed; did you mean seed?"]


def test_an_entry_reports_ctrl_c_as_a_status():
    def main(_words: list[str]) -> None:
        raise KeyboardInterrupt

    assert config.run(main, []) == config.INTERRUPTED
