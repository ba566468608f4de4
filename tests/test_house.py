"""The law of the house: clean code, rooms on their floors, one door for each library, one command to install."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(sys.executable).parent

BY_HAND = {"languages", "aesthetics", "whisper", "vggish", "parquet", "formats", "separation"}
"""Extras that neither the tests nor the songs of `inputs/` need."""

# An environment whose pip takes notes instead of installing, and fails where it is told to.
NOTING_PYTHON = """#!/usr/bin/env bash
case "$*" in
    *version_info*) exit "${TOO_OLD:-0}" ;;
    *--version) exit 0 ;;
    *) echo "$*" >>"$NOTES"; exit "${PIP_FAILS:-0}" ;;
esac
"""


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "CONDA_PREFIX", "JAM_PYTHON"}}
    return subprocess.run(words, cwd=ROOT, env=clean | environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_ruff_finds_nothing():
    result = run(str(SCRIPTS / "ruff"), "check", "--output-format", "concise", ".")
    assert result.returncode == 0, result.stdout


def test_types_are_right():
    result = run(str(SCRIPTS / "mypy"))
    assert result.returncode == 0, result.stdout


def test_rooms_keep_to_their_floors_and_libraries_to_their_doors():
    result = run(str(SCRIPTS / "lint-imports"), "--no-cache")
    assert result.returncode == 0, result.stdout.partition("Broken contracts")[2] or result.stdout + result.stderr


def test_importing_jam_loads_nothing_but_jam():
    code = "import sys; before = set(sys.modules); import jam; print(sorted(set(sys.modules) - before))"
    assert run(sys.executable, "-c", code).stdout.strip() == "['jam']"


def test_importing_the_network_needs_torch_alone():
    heavy = "transformers diffusers muq dp librosa scipy soundfile torchaudio omegaconf huggingface_hub matplotlib"
    code = f"import sys, jam.model.dit; print(sorted(set('{heavy}'.split()) & set(sys.modules)))"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[=<>!~ ]", line)[0].lower().replace("_", "-") for line in requirements}


def test_every_dependency_is_pinned_once_and_has_a_range():
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    pinned = [line for line in lines if line]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in pinned)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name not in BY_HAND}
    ranged = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    assert len(names(pinned)) == len(pinned)
    assert names(pinned) == names(ranged)


@pytest.mark.parametrize("script", ["install.sh", ".ci/run"])
def test_shell_scripts_parse(script):
    assert run("bash", "-n", script).returncode == 0


class Clone:
    """A folder with install.sh, requirements, and an active environment whose pip only takes notes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.environment = folder / "environment"
        self.notes = folder / "notes"
        self.folder.mkdir()
        for name in ("install.sh", "requirements.txt"):
            shutil.copy(ROOT / name, self.folder)
        (self.environment / "bin").mkdir(parents=True)
        python = self.environment / "bin" / "python"
        python.write_text(NOTING_PYTHON)
        python.chmod(0o755)

    def install(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.notes.write_text("")
        return run(
            "bash",
            str(self.folder / "install.sh"),
            *words,
            **{"VIRTUAL_ENV": str(self.environment), "NOTES": str(self.notes)} | environment,
        )

    @property
    def pip_calls(self) -> int:
        return len(self.notes.read_text().splitlines())


@pytest.fixture
def clone(tmp_path) -> Clone:
    return Clone(tmp_path)


def test_install_installs_once_and_again_when_the_requirements_change(clone):
    assert clone.install().returncode == 0
    assert clone.pip_calls == 2  # the requirements, then this folder
    second = clone.install()
    assert (second.returncode, second.stdout, clone.pip_calls) == (0, "", 0)
    with (clone.folder / "requirements.txt").open("a") as file:
        file.write("another==1.0\n")
    clone.install()
    assert clone.pip_calls == 2


def test_install_runs_the_words_inside_the_environment_and_its_folder_with_their_exit_code(clone):
    clone.install()
    result = clone.install("bash", "-c", 'echo "$VIRTUAL_ENV|$PATH|$PWD|$1"; exit 7', "_", "two words")
    environment, path, folder, word = result.stdout.strip().split("|")
    assert environment == str(clone.environment)
    assert path.startswith(f"{clone.environment}/bin:")
    assert Path(folder) == clone.folder
    assert word == "two words"
    assert result.returncode == 7


def test_an_install_that_failed_is_said_and_taken_up_again(clone):
    failed = clone.install("true", PIP_FAILS="1")
    assert failed.returncode == 1
    assert "pip could not install requirements.txt" in failed.stderr
    assert clone.install().returncode == 0
    assert clone.pip_calls == 2


@pytest.mark.parametrize(("folder", "anew"), [("/before/it/was/moved", True), (None, False)])
def test_an_environment_of_ours_that_was_moved_is_made_anew(clone, folder, anew):
    ours = clone.environment.rename(clone.folder / ".venv")
    (ours / ".jam-installed").write_text(f"1 2 {folder or clone.folder}\n")
    result = clone.install(VIRTUAL_ENV="", JAM_PYTHON="/no/python")
    assert ("no Python 3.11 or newer found" in result.stderr) == anew
    assert clone.pip_calls == (0 if anew else 2)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"VIRTUAL_ENV": "/nowhere"}, "the active environment /nowhere has no bin/python"),
        ({"TOO_OLD": "1"}, "is older than Python 3.11"),
        ({"VIRTUAL_ENV": "", "JAM_PYTHON": "/no/python"}, "no Python 3.11 or newer found (tried: /no/python)"),
    ],
)
def test_install_says_in_one_line_what_is_wrong_with_an_environment(clone, environment, message):
    result = clone.install("true", **environment)
    assert result.returncode == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_install_names_a_command_that_is_not_there(clone):
    clone.install()
    result = clone.install("no-such-command")
    assert result.returncode == 1
    assert "no command 'no-such-command'" in result.stderr
