"""Songs that are sung while a network trains, so that one hears what it learns. It knows the loop only as a moment to sing at."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jam import audio, picture
from jam.lyrics.grid import Filler
from jam.lyrics.phonemes import Phonemizer
from jam.manifest import read_manifest
from jam.song import SampleSettings, Singer, SingSettings, load_codec, load_style
from jam.training.loop import TrainingSettings
from jam.training.watch import samples_of

if TYPE_CHECKING:
    from accelerate import Accelerator

log = logging.getLogger("jam")


class Samples:
    """Sings the first songs of a manifest with the network as it is; the same noise every time, so that songs can be compared."""

    def __init__(self, training: TrainingSettings, phonemizer: Phonemizer, filler: Filler, seed: int, accelerator: Accelerator) -> None:
        """Raises ValueError or OSError, in one line, where a song of the manifest, the codec or a style cannot be read."""
        samples = training.samples
        self.folder, self.accelerator, self.phonemizer = training.checkpoint_path, accelerator, phonemizer
        entries = read_manifest(samples.test_set_path)[: samples.num_samples]
        broken = [entry.problem for entry in entries if entry.problem is not None]
        if broken:
            raise ValueError(broken[0])
        self.requests = [entry.request for entry in entries if entry.request is not None]
        self.codec = load_codec(samples.vae_type, samples.vae_path, accelerator.device)
        style = load_style(samples.style_type, samples.style_path, accelerator.device)
        self.style = lambda: style
        self.settings = SingSettings(SampleSettings(steps=samples.steps, dual_cfg=samples.dual_cfg), filler=filler, seed=seed)

    def __call__(self, model: Any, step: int) -> int:
        """Sings into `samples/step_N` of the run's folder -> how many songs; every process sings along, for weights may be spread over
        them, and one writes.

        A song that the network cannot sing yet is told and left out; a full disk is told by OSError.
        """
        singer = Singer(model, self.phonemizer, self.style, self.codec, self.settings)
        folder = samples_of(self.folder, step)
        sung = 0
        for request in self.requests:
            try:
                song = singer.sing(request)
            except ValueError as error:
                log.warning("sample %s of step %d: %s", request.name, step, error)
                continue
            sung += 1
            if self.accelerator.is_main_process:
                path = Path(folder) / f"{request.name}.flac"
                path.parent.mkdir(parents=True, exist_ok=True)
                audio.write(path, song.audio)
                picture.draw(path.with_suffix(".png"), song.audio, song.words, f"{request.name}, step {step}")
        return sung
