"""Settings: dataclass defaults < YAML file < command-line words. The one door to OmegaConf.

An entry declares its settings as nested dataclasses; `load` fills them from `config=PATH` and dotted words such as
`evaluation.batch_size=2`, refuses unknown keys with the nearest known name, and wrong types with the key and value. `run` gives an
entry its manners: one line for an error, a non-zero exit, and the traceback only on request. It knows no setting by name.
"""

from __future__ import annotations

import difflib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

if TYPE_CHECKING:
    from omegaconf import DictConfig

T = TypeVar("T")
log = logging.getLogger("jam")

BAD_INPUT = 2  # exit status where the user's input is at fault
INTERRUPTED = 130


def load(schema: type[T], words: Sequence[str], default_file: str | None = None, under: Mapping[str, Any] | None = None) -> T:
    """The settings `schema` (a dataclass), a YAML (`config=PATH` among the words, else `default_file`) and the other words laid over it.

    `under` are settings between the defaults and the file, such as those that a saved model carries.

    Raises ValueError in one line for an unreadable file, an unknown key, a word without `=`, or a value of the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    file, dotted = default_file, []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"'{word}' is not a setting; write key=value, for example seed=1 or config=PATH")
        if key == "config":
            file = value
        else:
            dotted.append(word)
    settings = OmegaConf.structured(schema)
    layers: list[tuple[str, DictConfig]] = [] if under is None else [("the model's own settings", OmegaConf.create(dict(under)))]
    layers += [] if file is None else [(file, _read(file))]
    try:
        layers.append(("command line", OmegaConf.from_dotlist(dotted)))
    except Exception as error:
        raise ValueError(f"command line: {_first_line(error)}") from error
    for where, layer in layers:
        _refuse_unknown(layer, schema, where)
        try:
            settings = OmegaConf.merge(settings, layer)
        except OmegaConfBaseException as error:
            raise ValueError(_explained(where, error)) from error
    try:
        return OmegaConf.to_object(settings)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise ValueError(_explained(file or "settings", error)) from error


def save(settings: object, path: Path) -> None:
    """Writes a settings dataclass as YAML that `load` reads back."""
    from omegaconf import OmegaConf

    path.write_text(OmegaConf.to_yaml(OmegaConf.structured(settings)))


def run(main: Callable[[list[str]], int | None], words: Sequence[str] | None = None) -> int:
    """Runs an entry with the command line's words; returns its exit status.

    A ValueError or OSError (bad input, a full disk) becomes one line on standard error and status 2; `--traceback` or JAM_TRACEBACK=1
    shows the rest. Ctrl-C is status 130.
    """
    given = list(sys.argv[1:] if words is None else words)
    show = "--traceback" in given or os.environ.get("JAM_TRACEBACK") == "1"
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return main([word for word in given if word != "--traceback"]) or 0
    except (ValueError, OSError) as error:
        if show:
            traceback.print_exc()
        log.error("error: %s", _first_line(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        log.error("stopped")
        return INTERRUPTED


def _read(file: str) -> DictConfig:
    import yaml
    from omegaconf import DictConfig, OmegaConf

    if not Path(file).is_file():
        raise ValueError(f"{file}: no such settings file")
    try:
        layer = OmegaConf.load(file)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(layer, DictConfig):
        raise ValueError(f"{file}: expected settings (key: value), found a list or a single value")
    return layer


def _refuse_unknown(layer: DictConfig, schema: Any, where: str, path: str = "") -> None:
    """Raises ValueError for the first key of `layer` that the dataclass `schema` lacks, with the nearest one it has."""
    from omegaconf import OmegaConf

    hints = get_type_hints(schema)
    names = [field.name for field in fields(schema)]
    for key in map(str, layer):
        full = f"{path}{key}"
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.4)
            known = f"did you mean {path}{near[0]}?" if near else f"known here: {', '.join(names)}"
            raise ValueError(f"{where}: unknown setting {full}; {known}")
        inner = next(filter(is_dataclass, _types(hints[key])), None)
        node: Any = layer._get_node(key)
        if inner is None or node._is_interpolation() or node._is_none():
            continue
        if not OmegaConf.is_dict(node):
            raise ValueError(f"{where}: {full} is a group of settings, not a value; write {full}.KEY=VALUE")
        _refuse_unknown(node, inner, where, f"{full}.")


def _types(hint: Any) -> Iterable[Any]:
    return get_args(hint) or (hint,)


def _explained(where: str, error: Any) -> str:
    told = _first_line(error).replace("Value '$VALUE' of type '$VALUE_TYPE'", "a value in it")
    key = getattr(error, "full_key", None) or getattr(error, "key", None) or "a setting"
    return f"{where}: {key}: {told}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
