"""Sings the songs of `inputs/`: `python inference.py [model=auto|jam-0.5|nano] [setting=value ...]`.

`auto` takes JAM-0.5 where a CUDA device and its weights are there (in the hub's cache, or the hub answers within ten seconds), else the
embedded model. Everything else is `jam.infer`.
"""

import logging
import sys

from jam import assets, config
from jam.infer import infer, load_config

log = logging.getLogger("jam")

CONFIGS = {"jam-0.5": "configs/jam-0.5.yaml", "nano": "configs/nano.yaml"}
PARTS = (assets.JAM_05, assets.PHONEMIZER, assets.MUQ_MULAN, assets.DIFFRHYTHM_VAE)


def choose(asked: str) -> tuple[str, str]:
    """The model that `auto`, `jam-0.5` or `nano` means here, and why. Raises ValueError for another word."""
    if asked in CONFIGS:
        return asked, "as asked"
    if asked != "auto":
        raise ValueError(f"model is {asked}; choose auto, {', '.join(CONFIGS)}")
    import torch

    if not torch.cuda.is_available():
        return "nano", "no CUDA device"
    if all(assets.cached(part) is not None for part in PARTS):
        return "jam-0.5", "a CUDA device, and its weights are in the hub's cache"
    if assets.reachable():
        return "jam-0.5", "a CUDA device, and the hub answers"
    return "nano", f"JAM-0.5's weights are not in the hub's cache and the hub did not answer in {assets.REACH_SECONDS:g} s"


def main(words: list[str]) -> int:
    """Entry: chooses the model, says so, and sings."""
    asked = [word.removeprefix("model=") for word in words if word.startswith("model=")]
    model, why = choose(asked[-1] if asked else "auto")
    log.info("model: %s (%s)", model, why)
    return infer(load_config([word for word in words if not word.startswith("model=")], CONFIGS[model]))


if __name__ == "__main__":
    sys.exit(config.run(main))
