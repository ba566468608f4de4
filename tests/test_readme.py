"""The README is true: its commands parse, its files exist, its Python compiles, its tables hold every setting and its default."""

import ast
import dataclasses
import fnmatch
import importlib
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from accelerate.commands.config.config_args import load_config_from_file

from jam import config
from jam.data.inspect import InspectSettings
from jam.dpo.listing import read_listing
from jam.dpo.train_dpo import DPOConfig
from jam.eval import catalogue, compare
from jam.eval.settings import EvalConfig
from jam.export import ExportConfig
from jam.infer import InferConfig
from jam.lyrics import formats
from jam.lyrics.__main__ import parser as lyrics_parser
from jam.lyrics.train_planner import TrainPlannerConfig
from jam.manifest import read_manifest
from jam.nano import build
from jam.prepare.settings import PrepareConfig
from jam.train import TrainConfig

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
UNREAD = {  # another entry's sections
    InferConfig: ("data", "training", "wandb", "dpo"),
    TrainConfig: ("evaluation", "dpo"),
    DPOConfig: ("evaluation",),
    EvalConfig: (),
    PrepareConfig: (),
}
ENTRIES = {
    "jam.infer": InferConfig,
    "jam.train": TrainConfig,
    "jam.dpo.train_dpo": DPOConfig,
    "jam.export": ExportConfig,
    "jam.eval.evaluate": EvalConfig,
    "jam.data.inspect": InspectSettings,
    "jam.data.prepare": PrepareConfig,
    "jam.lyrics.train_planner": TrainPlannerConfig,
}
SEVEN = ("song.py", "conditions.py", "model/dit.py", "flow.py", "sampler.py", "train.py", "training/loop.py")


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    return [shlex.split(line, comments=True) for block in fenced("bash") for line in block.splitlines() if line.strip()]


def parsed(words: list[str]) -> object:
    """What the entry that a command starts makes of its settings."""
    if words[0] == "bash":
        assert words[1] == "install.sh"
        return None if words[2:] == ["pytest"] else parsed(words[2:])
    if words[:2] == ["python", "inference.py"]:
        model = [word.removeprefix("model=") for word in words[2:] if word.startswith("model=")] or ["auto"]
        file = {"auto": "nano.yaml", "nano": "nano.yaml", "jam-0.5": "jam-0.5.yaml"}[model[-1]]
        return config.load(InferConfig, [word for word in words[2:] if not word.startswith("model=")], f"configs/{file}")
    module = words[words.index("-m") + 1]
    settings = words[words.index("-m") + 2 :]
    if "--config_file" in words:
        assert load_config_from_file(words[words.index("--config_file") + 1])
    if module in ENTRIES:
        return config.load(ENTRIES[module], settings)
    if module == "jam.eval.compare":
        return config.load(compare.CompareConfig, [word for word in settings if "=" in word])
    if module == "jam.lyrics":
        return lyrics_parser().parse_args(settings)
    assert module == "jam.nano.build", words
    return build.parse(settings)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_settings_that_its_entry_takes(words, monkeypatch):
    monkeypatch.chdir(ROOT)
    parsed(words)


def test_the_shown_python_is_five_lines_that_compile_and_import():
    (code,) = fenced("python")
    tree = ast.parse(code)
    assert len(code.strip().splitlines()) == 5
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names)
    (request,) = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "SongRequest"]
    duration = ast.literal_eval(request.args[2])
    (lyrics,) = [node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "read"]
    assert formats.read(ROOT / ast.literal_eval(lyrics), duration)


def test_the_shown_lyrics_and_manifest_are_right(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    lyrics, manifest, pairs = fenced("json")
    assert len(formats.parse(json.loads(lyrics), "README")) == 3
    (tmp_path / "input.json").write_text(manifest)
    assert [entry.problem for entry in read_manifest(tmp_path / "input.json")] == [None, None, None]
    (tmp_path / "pairs.json").write_text(pairs)
    for name in ("sung/first.pt", "sung/first_1.pt", "styles/pop.npy", "sung/second.pt", "sung/second_2.pt", "real/second.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [pair.seconds for pair in read_listing(tmp_path / "pairs.json")] == [20.5, None]


def test_every_word_of_the_export_is_told():
    section = README[README.index("### Export") : README.index("### Preference tuning")]
    told = dict(re.findall(r"^\| `(\w+)` \| (`[^`]+`)? ?\|", section, flags=re.MULTILINE))
    defaults = {field.name: "" if field.name == "output" else f"`{shown(field.default)}`" for field in dataclasses.fields(ExportConfig)}
    assert told == defaults


def test_every_measure_is_told_as_it_is_defined():
    told = re.findall(r"^\| `([a-z]+\.\w+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", README, flags=re.MULTILINE)
    names = {measure.name: ", ".join(filter(None, (measure.label, measure.unit))) for measure in catalogue.MEASURES}
    assert told == [
        tuple(text.replace("|", "\\|") for text in (one.name, names[one.name], one.meaning, one.source, one.limits))
        for one in catalogue.MEASURES
    ]


def test_the_picture_is_there_and_is_drawn():
    (path,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert ElementTree.parse(ROOT / path).getroot().get("width") == "900"


def test_every_link_within_the_page_has_its_heading():
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in README.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def tree() -> dict[str, bool]:
    """The paths of the README's tree; True where a folder is named as a whole, with nothing below it."""
    block = next(block for block in fenced("text") if "pyproject.toml" in block)
    lines = [(len(line) - len(line.lstrip()), line.split()[0]) for line in block.splitlines()]
    folders: list[str] = []
    found = {}
    for (indent, name), (following, _) in zip(lines, [*lines[1:], (0, "")], strict=True):
        del folders[indent // 2 :]
        path = "".join([*folders, name])
        if name.endswith("/"):
            folders.append(name)
        if not name.endswith("/") or following <= indent:
            found[path] = name.endswith("/")
    return found


def test_every_file_of_the_tree_exists():
    absent = [path for path in tree() if not any(ROOT.glob(path))]
    assert absent == []


def test_every_file_of_the_repository_is_in_the_tree():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode or not listed.stdout:
        pytest.skip("not a git checkout")
    named = tree()
    wholes = tuple(path for path, whole in named.items() if whole)
    absent = [
        file
        for file in listed.stdout.splitlines()
        if not file.startswith(wholes) and not any(fnmatch.fnmatch(file, path) for path in named)
    ]
    assert absent == []


def test_the_seven_files_to_read_are_named_in_order():
    places = [README.index(f"`jam/{name}`", README.index("Seven files")) for name in SEVEN]
    assert places == sorted(places)


def shown(value: Any) -> str:
    """A default as the tables write it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)


def settings(kind: type, prefix: str = "", without: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every dotted key of a settings dataclass and its default."""
    for name, value in ((field.name, getattr(kind(), field.name)) for field in dataclasses.fields(kind)):
        if name in without:
            continue
        if dataclasses.is_dataclass(value):
            yield from settings(type(value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", shown(value)


PREPARATION = README[README.index("## Settings of the preparation") : README.index("## Measuring songs")]
"""It has names at its top level, such as `output`, that others have too."""


def tables(kind: type) -> dict[str, str]:
    """The dotted keys of the README's tables of an entry's settings, and perhaps of others', with their defaults."""
    found = {}
    text = PREPARATION + "#" if kind is PrepareConfig else README.replace(PREPARATION, "")
    for heading, body in re.findall(r"^#### (.+?)\n(.*?)(?=^#)", text, flags=re.DOTALL | re.MULTILINE):
        prefixes = [f"{name}." for name in re.findall(r"`([\w.]+)`", heading)] or [""]
        for key, default in re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", body, flags=re.MULTILINE):
            found |= {f"{prefix}{key}": default for prefix in prefixes}
    return found


@pytest.mark.parametrize("kind", UNREAD)
def test_every_setting_is_in_a_table_with_its_default(kind):
    expected = dict(settings(kind, without=UNREAD[kind]))
    table = tables(kind)
    assert {key: table.get(key) for key in expected} == expected


def test_no_table_has_a_setting_that_is_not_there():
    known = {key for kind, sections in UNREAD.items() if kind is not PrepareConfig for key, _ in settings(kind, without=sections)}
    assert set(tables(EvalConfig)) <= known
    assert set(tables(PrepareConfig)) == {key for key, _ in settings(PrepareConfig)}


def test_every_stage_and_setting_of_the_recipe_is_told():
    recipe = README[README.index("## The embedded model") :]
    rows = re.findall(r"^\| `(\w+)` \|", recipe, flags=re.MULTILINE)
    assert rows[: len(build.STAGES)] == list(build.STAGES)
    defaults = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", recipe, flags=re.MULTILINE))
    assert defaults == {name: shown(value) for name, value in dataclasses.asdict(build.BuildSettings()).items()}


def test_what_is_not_there_yet_is_said():
    section = README[README.index("## Not yet") : README.index("## The embedded model")]
    said = re.findall(r"`([\w.]+)`", section)
    known = {key.rsplit(".", 1)[-1] for kind in UNREAD for key, _ in settings(kind)}
    assert not known & {key.rsplit(".", 1)[-1] for key in said}


def test_no_machine_is_named():
    assert not re.search(r"(?<![\w.])/(?:work|tmp|root|home)\b", README)
