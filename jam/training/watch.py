"""Weights & Biases, beside `metrics.jsonl`: the one door to wandb. It knows records and folders, no network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger("jam")

MODES = ("online", "offline", "disabled")


@dataclass(frozen=True)
class WandbSettings:
    """`wandb`: where metrics go beside `metrics.jsonl`; `mode` is online, offline or disabled."""

    project: str = "jam"
    name: str | None = None
    mode: str = "disabled"
    resume_id: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"wandb.mode is {self.mode}; choose {', '.join(MODES)}")


def samples_of(folder: str | Path, step: int) -> Path:
    """Where the songs of a step are, under a run's folder."""
    return Path(folder) / "samples" / f"step_{step}"


def open_run(settings: WandbSettings, folder: str | Path, state: Mapping[str, Any] | None) -> Any:
    """A run of Weights & Biases, the checkpoint's own where there is one; offline where there is no account."""
    if settings.mode == "disabled":
        return None
    import wandb

    name = settings.resume_id or (state or {}).get("wandb_id")
    Path(folder).mkdir(parents=True, exist_ok=True)
    quiet = wandb.Settings(silent=True, console="off")  # the run's own log says it all
    given = {"project": settings.project, "name": settings.name, "id": name, "resume": "allow", "dir": str(folder), "settings": quiet}
    mode = settings.mode
    if mode == "online" and wandb.api.api_key is None:
        log.warning("wandb: there is no account here (wandb login); its records are kept offline (wandb sync uploads them)")
        mode = "offline"
    try:
        return wandb.init(**given, mode=mode)  # type: ignore[arg-type]
    except wandb.errors.Error as error:
        if mode == "offline":
            raise OSError(f"wandb: {error}; wandb.mode=disabled trains without it") from error
        log.warning("wandb: %s; its records are kept offline (wandb sync uploads them)", str(error).splitlines()[0])
        return wandb.init(**given, mode="offline")  # type: ignore[arg-type]


def watcher(run: Any, folder: str | Path) -> Callable[[Mapping[str, float], int], None]:
    """Sends records, and the songs that were sung at their step, to Weights & Biases."""
    import wandb

    def watch(record: Mapping[str, float], step: int) -> None:
        sung = samples_of(folder, step)
        songs = {f"songs/{file.stem}": wandb.Audio(str(file)) for file in sorted(sung.glob("*.flac"))}
        pictures = {f"spectrograms/{file.stem}": wandb.Image(str(file)) for file in sorted(sung.glob("*.png"))}
        run.log({**record, **songs, **pictures}, step=step)

    return watch
