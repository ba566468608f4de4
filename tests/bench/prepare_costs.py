"""What a second of song costs in each network of `jam.data.prepare config=configs/prepare/jam-0.5.yaml`, and a million songs by that.

    python tests/bench/prepare_costs.py [songs=1000000] [seconds=200] [words=2.0] [tflops=100] [tflops.STAGE=...] [report=report.json]

The networks have their full sizes and random weights, since neither FLOPs nor seconds depend on what was learned; nothing is downloaded.
Each is run in a fresh Python by one thread, so that its peak memory is its own. MuQ-MuLan has the sizes that its package takes by default,
12 conformer blocks of 1024 and 8 blocks of 768 above them; that the former have 16 heads and inner layers of 4096 is our guess, as the
package leaves it to the released config.json. Separation is HDemucs, which torchaudio has; HTDemucs, the default of
`jam.prepare.separation`, is another network.

FLOPs are counted on the way through the network (a multiplication and its addition are two; convolutions, matrices, attention and LSTMs,
neither Fourier transforms nor what is done value by value) and hold for any device. CPU seconds hold for this machine. `tflops` is the
throughput in TFLOP/s that a GPU is taken to sustain: AN ASSUMPTION, nobody measured it here. Measure a stage on your GPU (the report that
`jam.data.prepare` writes has its seconds) and give what you find, for all stages or for one (`tflops.latents=60`); encoding in float32,
as all stages do by default, gives far less than the bfloat16 of a data sheet. `report` is the report.json of songs that you prepared: its
seconds by stage are projected too. `words` are those that are sung in a second.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from jam.eval.ctc import CONTEXT, WINDOW
from jam.eval.ctc import RATE as HEARER_RATE
from jam.prepare.costs import HOUR
from jam.prepare.encoding import LatentSettings, StyleSettings, to_bytes, windows
from jam.prepare.packing import sample_json
from jam.prepare.records import Prepared, SungWord, Timing
from jam.prepare.separation import SOURCES, SeparationSettings
from jam.style.muq import RATE as STYLE_RATE
from jam.timing import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE, STYLE_WIDTH
from jam.vae.chunks import encode_chunked

DEFAULTS = {"songs": 1e6, "seconds": 200.0, "words": 2.0, "tflops": 100.0}
SHORT = 1.0  # seconds of sound before the clock runs
BLOCK = 512  # bytes of tar


@dataclass(frozen=True)
class Stage:
    """A network, how long a piece it is measured with, and how many seconds it hears of a song that lasts so long."""

    network: str
    build: Callable[[], nn.Module]
    channels: int  # 0: the network takes (1, N)
    rate: int  # Hz
    piece: float  # seconds
    heard: Callable[[float], float]
    device: str = "meta"  # on which FLOPs are counted: the CPU for what does not run without values

    def sound(self, seconds: float, device: str = "cpu") -> Tensor:
        """Noise (1, channels, N) or (1, N)."""
        samples = round(seconds * self.rate)
        return 0.1 * torch.randn((1, self.channels, samples) if self.channels else (1, samples), device=device)


@dataclass(frozen=True)
class Measured:
    """Of one network: parameters, then FLOPs and CPU seconds by the second that it hears, and the peak memory of its process."""

    parameters: int
    flops: float
    single: float  # CPU seconds in float32
    half: float | None  # under bfloat16 autocast; None where the network does not run in it
    memory: float  # bytes, in float32


def oobleck() -> nn.Module:
    """The encoder of Stable Audio Open's VAE."""
    from diffusers import AutoencoderOobleck

    return AutoencoderOobleck(
        encoder_hidden_size=128, downsampling_ratios=[2, 4, 4, 8, 8], channel_multiples=[1, 2, 4, 8, 16],
        decoder_channels=128, decoder_input_channels=64, audio_channels=2, sampling_rate=SAMPLE_RATE,
    ).encoder  # fmt: skip


def wav2vec2() -> nn.Module:
    """wav2vec2-base with its letters, which is the default of its settings."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    return Wav2Vec2ForCTC(Wav2Vec2Config())


def mulan() -> nn.Module:
    """The audio tower of MuQ-MuLan large."""
    from muq import MuQ, MuQConfig
    from muq.muq_mulan.models.audio import AudioSpectrogramTransformerPretrained
    from muq.muq_mulan.muq_mulan import AudioTransformerConfig
    from transformers import Wav2Vec2ConformerConfig

    conformer = Wav2Vec2ConformerConfig(
        hidden_size=1024, num_attention_heads=16, intermediate_size=4096, position_embeddings_type="rotary", num_hidden_layers=12
    )
    stat = {"melspec_2048_mean": 0.0, "melspec_2048_std": 20.0}

    class Tower(AudioSpectrogramTransformerPretrained):
        """The tower with a MuQ of random weights."""

        def _init_pretrained_model(self, *_: str) -> None:
            self.model = MuQ(MuQConfig(stat=stat, w2v2_config=json.loads(conformer.to_json_string())))

    sizes = asdict(AudioTransformerConfig())
    return nn.Sequential(Tower("muq", **sizes, frozen_pretrained=False), nn.Linear(sizes["dim"], STYLE_WIDTH))


def hdemucs() -> nn.Module:
    """HDemucs as torchaudio has it."""
    from torchaudio.models import hdemucs_high

    return hdemucs_high(list(SOURCES))


def heard_by_codec(seconds: float) -> float:
    """Seconds that are encoded of a song, what chunks share counting twice."""
    settings, frames = LatentSettings(), [0]

    def encode(audio: Tensor) -> tuple[Tensor, Tensor]:
        size = -(-audio.shape[-1] // FRAME_SAMPLES)
        frames[0] += size
        return torch.zeros(1, size, 1), torch.zeros(1, size, 1)

    encode_chunked(encode, torch.zeros(1).expand(1, 2, round(seconds * SAMPLE_RATE)), settings.chunk, settings.overlap)
    return frames[0] / FRAME_RATE


def heard_by_hearer(seconds: float) -> float:
    """Seconds that the aligner hears of a song: windows with context on both sides of what is kept of them."""
    if seconds <= WINDOW:
        return seconds
    step = WINDOW - 2 * CONTEXT
    starts = [index * step for index in range(math.ceil(seconds / step))]
    return sum(min(start + step + CONTEXT, seconds) - max(start - CONTEXT, 0) for start in starts)


def heard_by_style(seconds: float) -> float:
    """Seconds of a song's style windows."""
    settings = StyleSettings()
    length = min(settings.seconds, seconds)
    return length * len(windows(round(seconds * SAMPLE_RATE), settings.count, round(length * SAMPLE_RATE)))


def heard_by_separator(seconds: float) -> float:
    """Seconds of a song's segments, which overlap and are all equally long."""
    settings = SeparationSettings()
    step = settings.segment * (1 - settings.overlap)
    return settings.segment * max(1, math.ceil((seconds - settings.segment) / step) + 1)


STAGES = {
    "latents": Stage("Oobleck VAE encoder", oobleck, 2, SAMPLE_RATE, 64 / FRAME_RATE, heard_by_codec),
    "timing": Stage("wav2vec2-base CTC", wav2vec2, 0, HEARER_RATE, WINDOW, heard_by_hearer),
    "styles": Stage("MuQ-MuLan large, audio", mulan, 0, STYLE_RATE, 10.0, heard_by_style, device="cpu"),
    "separation": Stage("HDemucs (optional)", hdemucs, 2, SAMPLE_RATE, 7.8, heard_by_separator, device="cpu"),
}


@torch.no_grad()
def flops(network: nn.Module, *given: Tensor) -> int:
    """FLOPs of a network; without oneDNN, whose LSTM is not counted."""
    warnings.filterwarnings("ignore", "TF32 acceleration on top of oneDNN")
    with torch.backends.mkldnn.flags(enabled=False), FlopCounterMode(display=False) as counter:
        network(*given)
    return counter.get_total_flops()


def check() -> str:
    """Counts layers whose FLOPs are known by hand, and tells them; AssertionError where the counter knows them not."""
    with torch.device("meta"):
        first = flops(nn.Conv1d(2, 128, 7, padding=3), torch.zeros(1, 2, SAMPLE_RATE))
        grouped = flops(nn.Conv1d(8, 16, 4, stride=2, padding=1, groups=2), torch.zeros(1, 8, 100))
        lstm = flops(nn.LSTM(8, 16, bidirectional=True), torch.zeros(10, 3, 8))
    assert first == 2 * SAMPLE_RATE * 128 * 2 * 7, first
    assert grouped == 2 * 50 * 16 * (8 // 2) * 4, grouped
    assert lstm == 2 * 10 * 3 * 2 * 4 * 16 * (8 + 16), lstm
    return f"counter and hand agree: the VAE's first convolution is 2 * 44100 * 128 * 2 * 7 = {first:,} FLOPs a second"


@torch.no_grad()
def clocked(stage: Stage, network: nn.Module, precision: torch.dtype | None = None) -> float:
    """CPU seconds by the second of sound, after a short piece that does not count; under autocast where a precision is given."""
    with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
        network(stage.sound(SHORT))
        sound = stage.sound(stage.piece)
        began = time.process_time()
        network(sound)
    return (time.process_time() - began) / stage.piece


def measured(stage: Stage) -> Measured:
    """Runs a stage in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = stage.build().eval().requires_grad_(False)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    single = clocked(stage, network)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    half = None
    try:
        half = clocked(stage, network, torch.bfloat16)
    except (RuntimeError, TypeError) as error:
        sys.stderr.write(f"{stage.network} does not run under bfloat16 autocast: {str(error).splitlines()[0]}\n")
    counted = flops(network.to(stage.device), stage.sound(stage.piece, stage.device))
    return Measured(parameters, counted / stage.piece, single, half, memory)


def apart(name: str) -> Measured:
    """Runs a stage in a fresh Python."""
    done = subprocess.run([sys.executable, __file__, f"stage={name}"], stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def table(found: dict[str, Measured], seconds: float) -> None:
    """Prints what a second of song costs; a network hears it more than once where pieces overlap, and styles are of parts of a song."""
    tell(f"\nby the second of a song of {seconds:g} s, one thread of this CPU (GB: peak of its process in float32, with weights)")
    tell(f"{'stage':11}{'network':24}{'M param':>8}{'heard':>7}{'GFLOP':>8}{'CPU s f32':>11}{'CPU s bf16':>11}{'f32 GFLOP/s':>12}{'GB':>6}")
    for name, one in found.items():
        share = STAGES[name].heard(seconds) / seconds
        half = "-" if one.half is None else f"{one.half * share:.3f}"
        numbers = f"{one.parameters / 1e6:8.1f}{share:7.3f}{one.flops * share / 1e9:8.2f}{one.single * share:11.3f}{half:>11}"
        tell(f"{name:11}{STAGES[name].network:24}{numbers}{one.flops / one.single / 1e9:12.1f}{one.memory / 1e9:6.2f}")


def projected(found: dict[str, Measured], given: dict[str, float]) -> None:
    """Prints the FLOPs of all songs and hours of a GPU that sustains the TFLOP/s that were said."""
    songs, seconds = given["songs"], given["seconds"]
    tell(f"\n{songs:,.0f} songs of {seconds:g} s ({songs * seconds / HOUR:,.0f} h of sound)")
    tell("GPU hours rest on an ASSUMED sustained throughput (tflops=...): replace it by a measurement on your GPU")
    needed = 0.0
    for name, one in found.items():
        rate, total = given.get(f"tflops.{name}", given["tflops"]), one.flops * STAGES[name].heard(seconds) * songs
        hours = total / (rate * 1e12) / HOUR
        needed += 0 if name == "separation" else hours
        cpu = one.single * STAGES[name].heard(seconds) * songs / HOUR
        tell(f"{name:11}{total:11.3e} FLOP {hours:10,.0f} GPU h at {rate:g} TFLOP/s; {cpu:12,.0f} core h on this CPU in float32")
    tell(f"{'all but separation':29}{needed:9,.0f} GPU h")


def stored(given: dict[str, float]) -> None:
    """Prints the bytes of shards, by writing one song's parts as shards have them."""
    songs, seconds = given["songs"], given["seconds"]
    settings, count = StyleSettings(), round(given["words"] * given["seconds"])
    word = seconds / max(count, 1)
    sung = [SungWord("morning", index * word, (index + 0.8) * word, "mˈɔːɹnɪŋ") for index in range(count)]
    frames, rights = math.ceil(seconds * FRAME_RATE), {"license": "CC-BY-4.0", "source": "https://example.org/song"}
    song = Prepared("song-0000001", "song", audio_sha256="0" * 64, frames=frames, timing=Timing("aligned", words=tuple(sung)), **rights)
    parts = {
        f"latents 128 x {frames} float32": to_bytes(torch.zeros(128, frames)),
        f"styles {settings.count} x {STYLE_WIDTH} float32": to_bytes(torch.zeros(settings.count, STYLE_WIDTH)),
        f"words, {count} of them": sample_json(song),
    }
    sizes = {name: BLOCK + -(-len(part) // BLOCK) * BLOCK for name, part in parts.items()}
    tell("\nstorage, as tar has it (float16 latents: half)")
    for name, size in (sizes | {"in all": sum(sizes.values())}).items():
        tell(f"{name:32}{size:12,d} bytes a song {size * songs / 1e12:9.3f} TB")


def reported(path: Path, given: dict[str, float]) -> None:
    """Prints what the stages of a report took, and would take."""
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    latents, styles = (report["facts"]["settings"][part] for part in ("latents", "styles"))
    kinds = {"latents": latents["vae_type"], "styles": styles["style_type"], "timing": report["facts"]["settings"]["timing"]["aligner"]}
    tell(f"\nmeasured by {path.name}: {report['run']['processes']} processes, {report['run']['seconds']:.0f} s")
    for cost in report["costs"]:
        by_second = cost["total"] / cost["audio"]
        hours = by_second * given["songs"] * given["seconds"] * cost["share"] / HOUR
        title = f"{cost['stage']} {kinds.get(cost['stage'], '')}"
        tell(f"{title:20}{by_second:9.5f} s by the second of {cost['songs']} songs; {hours:10,.0f} h of one process for all")


def tell(line: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(words: list[str]) -> int:
    """Reads key=value words; measures each network in a fresh Python (which is given its name as `stage`)."""
    texts = dict(word.split("=", 1) for word in words)
    if name := texts.pop("stage", None):
        tell(json.dumps(asdict(measured(STAGES[name]))))
        return 0
    report = texts.pop("report", None)
    if unknown := set(texts) - set(DEFAULTS) - {f"tflops.{name}" for name in STAGES}:
        sys.stderr.write(f"unknown: {', '.join(sorted(unknown))}\n")
        return 2
    given = DEFAULTS | {key: float(text) for key, text in texts.items()}
    tell(check())
    found = {name: apart(name) for name in STAGES}
    table(found, given["seconds"])
    projected(found, given)
    stored(given)
    if report is not None:
        reported(Path(report), given)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
