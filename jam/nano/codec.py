"""Teaches the embedded codec on songs of the corpus, alone and with the band, and writes `codec.safetensors`, which `jam.vae.nano` reads.

Encoder and decoder learn together at first, with a little noise on the latents; then the encoder rests, so that latents can be made
while the decoder learns on. The losses are those that codecs are measured by: spectral convergence, log-spectral distance, log magnitudes
at three resolutions, and the singer's pitch. Letters: B crops, N samples, F columns, K bins, M bands.
"""

import io
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from jam.files import write_whole
from jam.nano.corpus import KINDS, Song
from jam.timing import FRAME_SAMPLES, LATENT_CHANNELS, SAMPLE_RATE
from jam.vae.nano import LOWEST_HERTZ, Guess, NanoCodec, borrowed, hertz, pitch_classes, synthesise
from jam.vae.spectra import COLUMNS, HOP, MARGIN, WINDOW, modulus, planes, spectrum, transform

log = logging.getLogger(__name__)
LOW_HERTZ, HIGH_HERTZ = 40, 20_000
RESOLUTIONS = (512, 1024, 2048)
QUIET = 3e-3  # added to magnitudes before the logarithm in the losses
LATENT_NOISE = 0.04  # deviation; the latents' is one
SAVED_EACH = 500  # steps


@dataclass(frozen=True)
class Recipe:
    """How the codec is taught."""

    steps: int = 12_000
    encoder_steps: int = 3000  # then the encoder rests
    vocals: int = 4  # crops a step
    mixes: int = 8
    frames: int = 18  # latent frames a crop
    rate: float = 1.5e-3
    seed: int = 0


def mel_filters(bands: int, low: float = LOW_HERTZ) -> Tensor:
    """Slaney's mel filters, (bands, 1025), rounded to half precision as the bundle keeps them."""
    import librosa

    filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=bands, fmin=low, fmax=HIGH_HERTZ)
    return torch.from_numpy(filters).half().float()


def pitch_of(song: Song, folder: Path) -> np.ndarray:
    """Hertz (F,) of the song's vocal at each column, 0 where it has none; by WORLD, once: kept in `folder`."""
    path = folder / f"{song.index:06d}.npy"
    if not path.exists():
        import pyworld
        from scipy.signal import resample_poly

        mono = resample_poly(song.read("vocal").mean(0).astype(np.float64), 160, 441)
        coarse, times = pyworld.dio(mono, 16_000, f0_floor=LOWEST_HERTZ, f0_ceil=500, frame_period=1000 * HOP / SAMPLE_RATE)
        found = pyworld.stonemask(mono, coarse, times, 16_000)
        # WORLD's frame i lies at 512 i, column i at 512 i + 255.5
        middle = np.where((found[:-1] > 0) & (found[1:] > 0), (found[:-1] + found[1:]) / 2, np.maximum(found[:-1], found[1:]))
        file = io.BytesIO()
        np.save(file, middle.astype(np.float32))
        write_whole(path, file.getvalue())
    return np.load(path)


@dataclass(frozen=True)
class Recording:
    """A song in memory."""

    sounds: dict[str, np.ndarray]  # kind: (2, N) int16
    pitch: np.ndarray  # (F,)


def recording(song: Song, folder: Path) -> Recording:
    """Reads a song, and its pitch."""
    sounds = {kind: np.round(song.read(kind) * 32767).astype(np.int16) for kind in KINDS}
    return Recording(sounds, pitch_of(song, folder))


def recordings(songs: Sequence[Song], folder: Path, workers: int = 2) -> list[Recording]:
    """All songs in memory, by several processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:  # a fork of a process whose torch has threads may hang
        return list(pool.map(recording, songs, [folder] * len(songs), chunksize=4))


@dataclass(frozen=True)
class Crops:
    """A batch: what the middle and the side are, padded by MARGIN on either side, and the pitch of each column."""

    middle: Tensor  # (B, F * 512 + 2 MARGIN)
    side: Tensor
    pitch: Tensor  # (B, F)


def crops(found: Sequence[Recording], recipe: Recipe, rng: np.random.Generator) -> Crops:
    """Random crops, vocals first; a vocal's crop sings for a quarter of its time, but for one in ten."""
    count = recipe.frames * COLUMNS
    parts, pitches = [], []
    for place in range(recipe.vocals + recipe.mixes):
        kind = "vocal" if place < recipe.vocals else "mix"
        while True:
            one = found[int(rng.integers(len(found)))]
            last = min(len(one.pitch), (one.sounds[kind].shape[1] - MARGIN) // HOP) - count - COLUMNS
            if last <= COLUMNS:
                continue
            first = COLUMNS * int(rng.integers(1, last // COLUMNS + 1))
            pitch = one.pitch[first : first + count]
            if kind == "mix" or (pitch > 0).mean() > 0.25 or rng.random() < 0.1:
                break
        samples = one.sounds[kind][:, first * HOP - MARGIN : (first + count) * HOP + MARGIN].astype(np.float32) / 32767
        if rng.random() < 0.5:
            samples = samples[::-1]  # left and right change places
        parts.append(samples * 10 ** (rng.uniform(-6, 3) / 20))
        pitches.append(pitch)
    sounds = torch.from_numpy(np.stack(parts))
    middle = sounds.mean(1)
    return Crops(middle, sounds[:, 0] - middle, torch.from_numpy(np.stack(pitches)))


def magnitudes(samples: Tensor, size: int) -> Tensor:
    """(B, columns, bins) of `samples` (B, N)."""
    return modulus(*planes(spectrum(samples, torch.hann_window(size))))


def distance(made: Tensor, true: Tensor) -> Tensor:
    """Log-spectral distance in dB of magnitudes (B, columns, bins) at 1024 samples below 16 kHz, as `tests/bench/codec.py` measures it."""
    levels = [20 * torch.log10(part[..., :370] + 1e-3) for part in (made, true)]
    floor = levels[1].amax((1, 2), keepdim=True) - 80
    return (torch.maximum(levels[0], floor) - torch.maximum(levels[1], floor)).square().mean(2).add(1e-4).sqrt().mean()


def sound_losses(made: Tensor, true: Tensor, telling: bool) -> Tensor:
    """Spectral convergence and log magnitudes at three resolutions of samples (B, N), and where `telling` the log-spectral distance."""
    total = made.new_zeros(())
    for size in RESOLUTIONS if telling else RESOLUTIONS[1:]:
        found, wanted = magnitudes(made, size), magnitudes(true, size)
        away = (found - wanted).square().sum((1, 2)).add(1e-8).sqrt() / (wanted.square().sum((1, 2)).sqrt() + 1.0)
        total = total + (2.5 if telling else 1.0) * away.mean() + 0.5 * ((found + QUIET).log() - (wanted + QUIET).log()).abs().mean()
        if telling and size == 1024:
            total = total + 0.25 * distance(found, wanted)
    return total


def pitch_loss(logits: Tensor, pitch: Tensor) -> Tensor:
    """Whether there is a voice, and which class its pitch is, of the head's `logits` (B, F, 1 + classes); `pitch` (B, F) hertz."""
    voiced = (pitch > 0).float()
    places = pitch_classes()
    nearest = ((pitch.clamp_min(LOWEST_HERTZ).log() - places[0]) / (places[1] - places[0])).round().long().clamp(0, len(places) - 1)
    which = functional.cross_entropy(logits[..., 1:].transpose(1, 2), nearest, reduction="none")
    return functional.binary_cross_entropy_with_logits(logits[..., 0], voiced) + (which * voiced).sum() / (voiced.sum() + 1)


def guess_losses(guess: Guess, spectra: tuple[Tensor, Tensor]) -> Tensor:
    """How far the named magnitudes are from the true ones, (B, F, K) of middle and side."""
    total = spectra[0].new_zeros(())
    for told, true, weight in ((guess.middle, spectra[0], 1.0), (guess.side, spectra[1], 0.3)):
        said = told.exp()
        logs = ((said + QUIET).log() - (true + QUIET).log()).abs().mean()
        away = (said - true).square().sum((1, 2)).add(1e-8).sqrt() / (true.square().sum((1, 2)).sqrt() + 1.0)
        total = total + weight * (logs + 0.5 * away.mean())
    return total


def step_loss(codec: NanoCodec, batch: Crops, resting: bool, trusted: bool) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch and its parts; `resting` where the encoder learns no more, `trusted` where the guessed pitch is sung."""
    with torch.no_grad():
        middle, side = transform(batch.middle, codec.window), transform(batch.side, codec.window)
        values = codec.encoder.values(middle, side)  # (B, F, M)
        spectra = (middle.abs(), side.abs())
    latents = codec.encoder(values)
    if not resting:  # batch's scale: the noise below must not be outgrown
        with torch.no_grad():
            codec.encoder.centre.lerp_(codec.encoder.centre + latents.mean((0, 1)) / codec.encoder.scale, 0.05)
        latents = latents / (latents - latents.detach().mean((0, 1))).square().mean().sqrt()
    latents = latents + LATENT_NOISE * torch.randn_like(latents)
    with torch.autocast("cpu", torch.bfloat16):
        held, told = codec.decoder.trunk(latents)
        logits = codec.decoder.pitch(held).float()
        guess = codec.decoder.guess(held, told)
    pitch = hertz(logits.detach()) if trusted else batch.pitch
    middle, side = synthesise(guess, borrowed(pitch, codec.window), codec.window)
    inside = slice(MARGIN + FRAME_SAMPLES, -MARGIN - FRAME_SAMPLES)
    parts = {
        "mel": ((told - values) / codec.decoder.deviation).abs().mean(),
        "named": guess_losses(guess, spectra),
        "pitch": pitch_loss(logits, batch.pitch),
        "middle": sound_losses(middle[:, inside], batch.middle[:, inside], True),
        "side": sound_losses(side[:, inside], batch.side[:, inside], False),
    }
    weights = {"mel": 0.5, "named": 0.5, "pitch": 0.3, "middle": 1.5, "side": 0.3}
    total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
    return total, {name: part.item() for name, part in parts.items()}


def principal(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Basis (64, W) and scale (64,): latents divided by the root of their deviation (half whitening), overall variance one."""
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0)[:LATENT_CHANNELS].clamp_min(1e-9), vectors.flip(1)[:, :LATENT_CHANNELS]
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()  # eigenvectors come with either sign
    scale = values**0.25 * (values**0.5).mean().sqrt()
    return (vectors * signs).T.contiguous(), scale


def beginning(codec: NanoCodec, found: Sequence[Recording], rng: np.random.Generator, recipe: Recipe) -> None:
    """Sets the bands' means and deviations, and the projections to the principal components of some batches."""
    kept = []
    with torch.no_grad():
        for _ in range(60):
            batch = crops(found, recipe, rng)
            kept.append(codec.encoder.values(transform(batch.middle, codec.window), transform(batch.side, codec.window)))
    values = torch.cat(kept)
    mean, deviation = values.mean((0, 1)).half().float(), values.std((0, 1)).clamp_min(0.1).half().float()
    for part in (codec.encoder, codec.decoder):
        part.mean.copy_(mean)
        part.deviation.copy_(deviation)
    frames = ((values - mean) / deviation).unflatten(1, (-1, COLUMNS)).flatten(2).flatten(0, 1)  # (_, 4 M)
    basis, scale = principal(torch.cov(frames.T.double()))
    with torch.no_grad():
        codec.encoder.project.weight.copy_(basis / scale[:, None])
        codec.encoder.project.bias.zero_()
        codec.decoder.project.weight.copy_((basis * scale[:, None]).T)
        codec.decoder.project.bias.zero_()
        codec.encoder.correct[-1].weight.mul_(0.1)  # type: ignore[operator]


def rest(codec: NanoCodec, found: Sequence[Recording], recipe: Recipe) -> None:
    """Rounds the encoder as the bundle keeps it, and sets its centre and scale so that latents vary by one; it learns no more."""
    with torch.no_grad():
        for parameter in codec.encoder.parameters():
            parameter.copy_(parameter.half().float()).requires_grad_(False)
        codec.encoder.centre.zero_()
        codec.encoder.scale.fill_(1.0)
        rng = np.random.default_rng([recipe.seed, 32])
        batches = (crops(found, recipe, rng) for _ in range(150))
        spectra = ((transform(one.middle, codec.window), transform(one.side, codec.window)) for one in batches)
        latents = torch.cat([codec.encoder(codec.encoder.values(*pair)).flatten(0, 1) for pair in spectra])
        codec.encoder.centre.copy_(latents.mean(0).half().float())
        codec.encoder.scale.copy_((1 / (latents - latents.mean(0)).square().mean().sqrt()).half().float())


class _Run:
    """The training of one codec: its weights, their moving average and the optimizer, in a file between sessions."""

    def __init__(self, codec: NanoCodec, recipe: Recipe, path: Path) -> None:
        self.codec, self.recipe, self.path, self.step = codec, recipe, path, 0
        self.optimizer = torch.optim.AdamW(codec.parameters(), recipe.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        self.average = {name: tensor.clone() for name, tensor in codec.state_dict().items()}

    def take_up(self) -> bool:
        """Goes on from the file, where there is one."""
        if not self.path.exists():
            return False
        stored = torch.load(self.path, weights_only=True)
        self.codec.load_state_dict(stored["codec"])
        self.codec.set_bands(self.codec.encoder.middle_mel, self.codec.encoder.side_mel)
        self.optimizer.load_state_dict(stored["optimizer"])
        self.average, self.step = stored["average"], stored["step"]
        return True

    def keep(self) -> None:
        """Writes the file, whole."""
        stored = {"codec": self.codec.state_dict(), "optimizer": self.optimizer.state_dict(), "average": self.average, "step": self.step}
        aside = self.path.with_suffix(".part")
        torch.save(stored, aside)
        aside.replace(self.path)

    def learn(self, loss: Tensor) -> None:
        """One step, at a rate that rises over 100 steps, stays, and falls over the last 60 % to a fiftieth."""
        done = self.step / self.recipe.steps
        rate = self.recipe.rate * min(1.0, (self.step + 1) / 100) * min(1.0, max(0.02, (1 - done) / 0.6))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.codec.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        share = 1 - min(0.999, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            own = self.codec.state_dict()
            torch._foreach_lerp_([self.average[name] for name in own], list(own.values()), share)

    def lay_to_rest(self, found: Sequence[Recording]) -> None:
        """The encoder becomes its moving average, and learns no more."""
        own = self.codec.encoder.state_dict()
        for name, tensor in own.items():
            tensor.copy_(self.average[f"encoder.{name}"])
        rest(self.codec, found, self.recipe)
        for name, tensor in own.items():
            self.average[f"encoder.{name}"].copy_(tensor)


def train(
    found: Sequence[Recording], codec: NanoCodec, recipe: Recipe, folder: Path, resting: Callable[[NanoCodec], None] | None = None
) -> NanoCodec:
    """Teaches `codec` and returns it with averaged weights; a stopped training goes on from `folder`.

    `resting` is called once with the codec when its encoder is final.
    """
    torch.manual_seed(recipe.seed)  # the noise of latents and sources
    rng = np.random.default_rng([recipe.seed, 31])
    run = _Run(codec, recipe, folder / "last.pt")
    if not run.take_up():
        beginning(codec, found, rng, recipe)
        run.average = {name: tensor.clone() for name, tensor in codec.state_dict().items()}
    rng = np.random.default_rng([recipe.seed, 33, run.step])
    if run.step > recipe.encoder_steps:
        codec.encoder.requires_grad_(False)
    summed: dict[str, float] = {}
    while run.step < recipe.steps:
        if run.step == recipe.encoder_steps:
            run.lay_to_rest(found)
            if resting is not None:
                resting(codec)
        trusted = rng.random() < max(0.0, run.step / recipe.steps - 0.3)
        loss, parts = step_loss(codec, crops(found, recipe, rng), run.step >= recipe.encoder_steps, trusted)
        run.learn(loss)
        summed = {name: summed.get(name, 0.0) + part for name, part in parts.items()}
        if run.step % 100 == 0 or run.step == recipe.steps:
            shown = ", ".join(f"{name} {part / ((run.step - 1) % 100 + 1):.3f}" for name, part in summed.items())
            log.info("codec: step %d of %d, %s", run.step, recipe.steps, shown)
            summed = {}
        if run.step % SAVED_EACH == 0 or run.step == recipe.steps:
            run.keep()
    codec.load_state_dict(run.average)
    codec.set_bands(codec.encoder.middle_mel, codec.encoder.side_mel)
    return codec.eval().requires_grad_(False)


def make(songs: Sequence[Song], work: Path, bundle: Path, recipe: Recipe, codec: NanoCodec | None = None, workers: int = 2) -> NanoCodec:
    """Teaches a codec on `songs`, checkpoints in `work`/codec, and writes `bundle`/codec.safetensors."""
    folder = work / "codec"
    found = recordings(songs, folder / "pitch", workers)
    hours = sum(one.sounds["mix"].shape[1] for one in found) / SAMPLE_RATE / 3600
    log.info("codec: %d songs, %.2f hours", len(found), hours)
    codec = codec or NanoCodec()
    codec.set_bands(mel_filters(codec.settings.bands), mel_filters(codec.settings.side_bands, 100))
    codec = train(found, codec, recipe, folder, lambda resting: resting.save(folder / "encoder"))
    codec.save(bundle)
    return codec
