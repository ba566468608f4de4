"""How good the embedded codec is, beside principal components and Griffin-Lim fitted in the same run, on songs that no training knows.

    python tests/bench/codec.py codec=BUNDLE work=WORK [solo=100 mixes=50 fit=120]

Lines are single sung lines of the split "test" with the seeds of a benchmark, all voices in turn, and mixes are ten seconds of such songs
under their bands. WORK/songs is the corpus of `jam.nano.build`, of which the first `fit` training songs fit the other codec.

- log-spectral distance: the mean over columns of the root mean square over the bins up to 16 kHz of differences of dB, by magnitudes
  (1024 samples, hop 256) of at least 0.001, no more than 80 dB below the loudest; signals have a root mean square of 0.1;
- spectral convergence: the norm of the difference of magnitudes against their norm, mean of 512, 1024 and 2048 samples;
- pitch by WORLD each 10 ms: the share of frames, voiced in both, within 50 cents; the share of frames voiced in one alone;
- WER of the lines' words by pocketsphinx that knows the words of all lines and no others;
- times real time: encoding and decoding mixes on two threads, one after another, all together;
- stereo width: energy of the side against that of the middle in dB, and how far the codec is off it.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from jam.eval.fidelity import errors
from jam.eval.measures import Value
from jam.eval.sphinx import Listener, to_pcm
from jam.eval.statistics import estimate
from jam.nano import benchmark, corpus, texts
from jam.nano.corpus import KINDS, Song
from jam.nano.voice import VOICES
from jam.timing import FRAME_SAMPLES, LATENT_CHANNELS, SAMPLE_RATE
from jam.vae.griffin_lim import FILE, GriffinLimCodec, log_mel
from jam.vae.nano import NanoCodec
from jam.vae.spectra import COLUMNS, WINDOW

HERE = Path(__file__).resolve().parent
SEED = benchmark.SEED + 100_000
MIX_SECONDS = 10.0
LOUDNESS = 0.1
MELS, LOW_HERTZ, HIGH_HERTZ = 80, 40, 16_000
THREADS = 2
BARS = {  # kind: measure: the most, or the least where it is negative
    "solo": {"distance": 3.2, "convergence": 0.17, "pitch": -96.0, "voicing": 7.0},
    "mix": {"distance": 5.4, "convergence": 0.31},
}
WER_POINTS, TIMES, BUNDLE_MB = 2.0, 60.0, 12.0
WIDTH_DB = 1.0  # the median error of the width from which on it is not kept


@dataclass(frozen=True)
class Sample:
    """A recording (2, N) at 44.1 kHz, and what is sung in it."""

    samples: Tensor
    lyrics: str


def line(number: int) -> Sample:
    """One line alone, trimmed to 0.3 s around it."""
    seed, voice = SEED + number, VOICES[number % len(VOICES)]
    rng = np.random.default_rng([seed, 8])
    words = texts.draw_line(rng, partial(corpus.says_as_written, singer=voice), benchmark.SPLIT)
    score = benchmark.line_song(seed, voice, words)
    first, last = (round(SAMPLE_RATE * at) for at in (score.words[0].start - 0.3, score.words[-1].end + 0.3))
    return Sample(levelled(torch.from_numpy(corpus.render(score)[0][:, max(0, first) : last])), " ".join(words))


def mix(number: int) -> Sample:
    """The middle of a song under its band."""
    score = corpus.written(SEED + 10_000 + number, None, benchmark.SPLIT, 20.0)
    samples = corpus.render(score)[1]
    spare = max(0, samples.shape[1] - round(MIX_SECONDS * SAMPLE_RATE)) // 2
    return Sample(levelled(torch.from_numpy(samples[:, spare : samples.shape[1] - spare])), "")


def levelled(samples: Tensor) -> Tensor:
    """At one root mean square, whole latent frames."""
    samples = samples[:, : samples.shape[1] // FRAME_SAMPLES * FRAME_SAMPLES]
    return samples * LOUDNESS / samples.square().mean().sqrt().clamp_min(1e-6)


def fit(songs: Iterable[Song]) -> GriffinLimCodec:
    """The codec without learning: the 64 directions of four log-mel columns that matter most."""
    import librosa

    filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=MELS, fmin=LOW_HERTZ, fmax=HIGH_HERTZ)
    mel, window, width = torch.from_numpy(filters), torch.hann_window(WINDOW), COLUMNS * MELS
    count, total, squares = 0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
    for song in songs:
        for kind in KINDS:
            mono = torch.from_numpy(song.read(kind)).mean(0, keepdim=True)
            mono = functional.pad(mono, (0, -mono.shape[-1] % FRAME_SAMPLES))
            values = log_mel(mono, mel, window).reshape(-1, width).double()
            count, total, squares = count + len(values), total + values.sum(0), squares + values.T @ values
    if not count:
        raise ValueError("no training songs are there to fit principal components to; run the stage corpus first")
    mean = total / count
    spread, directions = torch.linalg.eigh(squares / count - torch.outer(mean, mean))
    spread, directions = spread.flip(0)[:LATENT_CHANNELS], directions.flip(1)[:, :LATENT_CHANNELS]
    scale = spread**0.25 * (spread**0.5).mean().sqrt()
    return GriffinLimCodec(mel.float(), mean.float(), directions.T.contiguous().float(), scale.float())


def spectrum(mono: Tensor, size: int, around: str = "reflect") -> Tensor:
    """Magnitudes (size / 2 + 1, columns) of `mono` (N,), hop a quarter; `around` is what lies beyond its ends."""
    return torch.stft(mono, size, size // 4, window=torch.hann_window(size), pad_mode=around, return_complex=True).abs()


def distance(a: Tensor, b: Tensor) -> float:
    """The log-spectral distance of `a` and `b` (N,) in dB."""
    levels = []
    for mono in (a, b):
        decibels = 20 * (spectrum(mono, 1024, "constant") + 1e-3).log10()
        levels.append(decibels.clamp_min(float(decibels.max()) - 80)[:370])
    return float((levels[0] - levels[1]).square().mean(0).sqrt().mean())


def convergence(a: Tensor, b: Tensor) -> float:
    """The spectral convergence of `b` towards `a`, both (N,)."""
    pairs = [(spectrum(a, size), spectrum(b, size)) for size in (512, 1024, 2048)]
    return float(np.mean([float((one - other).norm() / one.norm()) for one, other in pairs]))


def pitch(mono: Tensor) -> np.ndarray:
    """Hertz each 10 ms, 0 where there is no voice."""
    import pyworld
    from scipy.signal import resample_poly

    low = resample_poly(mono.double().numpy(), 160, 441)
    coarse, times = pyworld.dio(low, 16_000, f0_floor=60, f0_ceil=500, frame_period=10)
    return pyworld.stonemask(low, coarse, times, 16_000)


def pitch_errors(a: np.ndarray, b: np.ndarray) -> dict[str, Value]:
    """How the pitch `b` (F,) keeps `a`: the share of frames within 50 cents, and that of frames voiced in one alone, both in %."""
    count = min(len(a), len(b))
    a, b = a[:count], b[:count]
    both = (a > 0) & (b > 0)
    found = {"voicing": Value(100 * float(((a > 0) != (b > 0)).mean()), count)}
    if both.any():
        cents = np.abs(1200 * np.log2(b[both] / a[both]))
        found["pitch"] = Value(100 * float((cents < 50).mean()), int(both.sum()))
    return found


def width(samples: Tensor) -> float:
    """The energy of the side against that of the middle in dB, -60 at the least."""
    left, right = samples.double()
    side, middle = (left - right).square().sum(), (left + right).square().sum()
    return 10 * float(torch.log10(side / middle.clamp_min(1e-12) + 1e-6))


def measure(pair: tuple[Tensor, Tensor], kind: str) -> dict[str, Value]:
    """What one recording has after the codec, against what it had before."""
    torch.set_num_threads(1)
    before, after = pair
    a, b = before.mean(0), after.mean(0)
    found = {"distance": Value(distance(a, b)), "convergence": Value(convergence(a, b))}
    if kind == "solo":
        return found | pitch_errors(pitch(a), pitch(b))
    return found | {"width": Value(width(after)), "width error": Value(abs(width(after) - width(before)))}


@torch.no_grad()
def coded(codec: Any, samples: Sequence[Sample]) -> tuple[list[Tensor], float]:
    """Recordings through a codec, and how many times faster than they last."""
    torch.set_num_threads(THREADS)
    codec.decode(codec.encode(samples[0].samples[None])[0])  # what is only done once is not counted
    begin, found = time.perf_counter(), []
    for one in samples:
        found.append(codec.decode(codec.encode(one.samples[None])[0])[0, :, : one.samples.shape[1]].float())
    took = time.perf_counter() - begin
    return found, sum(one.samples.shape[1] for one in samples) / SAMPLE_RATE / took


@functools.lru_cache(maxsize=1)
def listener(every: tuple[str, ...]) -> Listener:
    """pocketsphinx that knows the words of all lines and no others."""
    return Listener(every)


def wer(jobs: tuple[tuple[str, ...], str, Tensor]) -> Value:
    """The word error rate of one line."""
    every, lyrics, samples = jobs
    read = listener(every).read(to_pcm(samples))
    return errors(lyrics, " ".join(word.word for word in read), "sphinx")["lyrics.wer@sphinx"]


def verdict(value: float, bar: float) -> str:
    """`3.21; at most 3.2: missed`, or at least where the bar is negative."""
    is_met, name = (value <= bar, "at most") if bar >= 0 else (value >= -bar, "at least")
    return f"{name} {abs(bar):g}: {'met' if is_met else 'missed'}"


def told(values: Sequence[Value]) -> tuple[float, str]:
    """A figure, and how it is written."""
    one = estimate(values, "mean")
    return one.value, f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


def main(words: list[str]) -> int:
    """Renders, codes, measures and prints."""
    given = {"codec": "externals/nano", "work": "work/nano", "solo": "100", "mixes": "50", "fit": "120"}
    given |= dict(word.split("=", 1) for word in words)
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != HERE]  # numba would take coverage.py for another library
    bundle = Path(given["codec"])
    songs = (song for song in corpus.songs(Path(given["work"])) if corpus.split_of(song.index) == "train")
    codecs: dict[str, Any] = {"learned": NanoCodec.load(bundle), "Griffin-Lim": fit(islice(songs, int(given["fit"])))}
    with ProcessPoolExecutor(THREADS, get_context("spawn")) as pool:
        samples = {"solo": list(pool.map(line, range(int(given["solo"])))), "mix": list(pool.map(mix, range(int(given["mixes"]))))}
    rates: dict[str, float] = {}
    with ProcessPoolExecutor(THREADS, get_context("spawn")) as pool:
        for kind, some in samples.items():
            lyrics = tuple(one.lyrics for one in some)
            out = {name: coded(codec, some) for name, codec in codecs.items()}
            if kind == "solo":
                sounds = {"true": [one.samples for one in some]} | {name: found for name, (found, _) in out.items()}
                for name, found in sounds.items():
                    jobs = [(lyrics, one, audio) for one, audio in zip(lyrics, found, strict=True)]
                    rates[name], written = told(list(pool.map(wer, jobs)))
                    sys.stdout.write(f"solo, {name}: WER {written} %\n")
            for name, (found, times) in out.items():
                pairs = [(one.samples, after) for one, after in zip(some, found, strict=True)]
                rows = list(pool.map(partial(measure, kind=kind), pairs))
                for measure_name in dict.fromkeys(key for one in rows for key in one):
                    value, written = told([one[measure_name] for one in rows if measure_name in one])
                    bar = BARS[kind].get(measure_name) if name == "learned" else None
                    sys.stdout.write(f"{kind}, {name}: {measure_name} {written}{'' if bar is None else '; ' + verdict(value, bar)}\n")
                bar_told = f"; {verdict(times, -TIMES)}" if name == "learned" and kind == "mix" else ""
                sys.stdout.write(f"{kind}, {name}: {times:.0f} times real time{bar_told}\n")
            if kind == "mix":
                true = [width(one.samples) for one in some]
                gaps = [abs(width(after) - before) for after, before in zip(out["learned"][0], true, strict=True)]
                sys.stdout.write(f"mix, true: width {np.mean(true):.2f} dB\n")
                sys.stdout.write(f"mix, learned: median error of the width {np.median(gaps):.2f} dB; ")
                sys.stdout.write(verdict(float(np.median(gaps)), WIDTH_DB) + "\n")
    more = rates["learned"] - rates["Griffin-Lim"]
    sys.stdout.write(f"WER above Griffin-Lim's: {more:.1f} points; {verdict(max(0.0, more), WER_POINTS)}\n")
    size = (bundle / FILE if bundle.is_dir() else bundle).stat().st_size / 1e6
    sys.stdout.write(f"size {size:.2f} MB; {verdict(size, BUNDLE_MB)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
