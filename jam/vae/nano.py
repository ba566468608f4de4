"""The embedded codec: stereo sound in 64 numbers a frame, learned; made by `jam.nano.codec`.

A latent frame tells four columns (hop 512) of log-mel values of the middle (L + R) / 2 and of the side (L - R) / 2, and of the balance:
how much louder the left is than the right in each band. The decoder is a network over columns that names magnitudes, the singer's pitch
and phases; a phase of the middle is drawn for each bin from three sources: pulses of that pitch (as source-filter vocoders have), noise,
and a direct guess (as Vocos, arXiv 2306.00814); the side goes along with the middle as far as the balance says. One step of Griffin and Lim
(1984) makes neighbouring columns agree, and the inverse transform gives samples. The module knows nothing of songs or chunks, nor how it
was taught.
Letters: B songs, T frames, N samples, F = 4 T columns, K bins of the spectrum, M bands, W width.
"""

import functools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from jam.timing import FRAME_SAMPLES, LATENT_CHANNELS, SAMPLE_RATE
from jam.vae.griffin_lim import GriffinLimCodec
from jam.vae.spectra import BINS, COLUMNS, HOP, MARGIN, WINDOW, columns, modulus, overlap_add, planes, transform

FILE = "codec.safetensors"
SETTINGS = "settings"  # the file's metadata that holds CodecSettings
FLOOR = 1e-4  # added to mel values before the logarithm
QUIETEST = -13.0  # natural logarithm of the faintest magnitude
INAUDIBLE = 0.5 / 32768  # half a step of 16 bits: samples below it are silence, not a faint hum
PITCHES = 192  # classes of the pitch head
LOWEST_HERTZ, HIGHEST_HERTZ = 60.0, 500.0
NOISE_SEED, NOISE_LEVEL = 0, 0.05
PERIOD = 1024  # columns after which the noise of songs comes round again
PASSED = 64  # numbers of a column that the slow part hands on beside the log-mel values
PIECE = 128  # columns that are made into sound at a time: their spectra stay in the processor's cache
Planes = tuple[Tensor, Tensor]  # real and imaginary parts
EDGE = 10  # columns on either side of a piece that its sound depends on


@dataclass(frozen=True)
class CodecSettings:
    """Sizes of the codec's networks."""

    bands: int = 96  # of the middle
    side_bands: int = 24
    hidden: int = 320  # of the encoder
    wide: int = 256  # of the decoder at the latents' rate
    width: int = 320  # of the decoder at the columns' rate
    dilations: tuple[int, ...] = (1, 2, 4, 1, 2)
    phase_bins: int = 512  # bins whose phase is guessed, 11 kHz; above it is noise


class Guess(NamedTuple):
    """What the network says of columns."""

    middle: Tensor  # (B, F, K) natural logarithm of magnitudes
    side: Tensor  # (B, F, K)
    phases: Tensor  # (B, F, 7 P) direct (cos, sin), offset from the pulses (cos, sin), and what direct, pulses and noise weigh
    balance: Tensor  # (B, F, K) natural logarithm of the left's magnitudes over the right's


class Neighbours(nn.Module):
    """A convolution over places of (B, F, C), as one matrix product of each place's neighbours: zeros lie around."""

    def __init__(self, channels: int, out: int, size: int = 3, dilation: int = 1) -> None:
        super().__init__()
        self.reach, self.dilation = size // 2 * dilation, dilation
        self.mix = nn.Linear(channels * size, out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, C) -> (B, F, out)."""
        count = x.shape[1]
        padded = functional.pad(x, (0, 0, self.reach, self.reach))
        return self.mix(torch.cat([padded[:, start : start + count] for start in range(0, 2 * self.reach + 1, self.dilation)], -1))


class Block(nn.Module):
    """A residual block of one wide and one narrow step."""

    def __init__(self, channels: int, dilation: int, size: int = 3) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.wide = Neighbours(channels, channels, size, dilation)
        self.narrow = nn.Linear(channels, channels)
        self.share = nn.Parameter(torch.full((channels,), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, C) -> (B, F, C)."""
        return x + self.share * self.narrow(functional.gelu(self.wide(self.norm(x))))


class Encoder(nn.Module):
    """Log-mel values of frames to latents: a projection and a network that corrects it, each frame alone."""

    def __init__(self, s: CodecSettings) -> None:
        super().__init__()
        self.middle_mel: Tensor
        self.side_mel: Tensor
        self.mean: Tensor
        self.deviation: Tensor
        self.centre: Tensor
        self.scale: Tensor
        values = s.bands + 2 * s.side_bands
        width = COLUMNS * values
        self.register_buffer("middle_mel", torch.zeros(s.bands, BINS))
        self.register_buffer("side_mel", torch.zeros(s.side_bands, BINS))
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("deviation", torch.ones(values))
        self.register_buffer("centre", torch.zeros(LATENT_CHANNELS))
        self.register_buffer("scale", torch.ones(()))  # brings the latents' variance to one, all channels together
        self.project = nn.Linear(width, LATENT_CHANNELS)
        sizes = (width, s.hidden, s.hidden, LATENT_CHANNELS)
        layers = [layer for ends in zip(sizes, sizes[1:], strict=False) for layer in (nn.Linear(*ends), nn.GELU())]
        self.correct = nn.Sequential(*layers[:-1])

    def values(self, middle: Tensor, side: Tensor) -> Tensor:
        """Values (B, F, M) of complex spectra (B, F, K): log-mel values of the middle, those of the side, and the balance."""
        (a, b), (c, d) = planes(middle), planes(side)
        left, right = (torch.log(torch.hypot(*pair) @ self.side_mel.T + FLOOR) for pair in ((a + c, b + d), (a - c, b - d)))
        told = torch.log(torch.hypot(a, b) @ self.middle_mel.T + FLOOR)
        parts = (told, torch.log(torch.hypot(c, d) @ self.side_mel.T + FLOOR), left - right)
        return torch.cat(parts, -1)

    def forward(self, values: Tensor) -> Tensor:
        """Latents (B, T, 64) of log-mel `values` (B, 4 T, M)."""
        frames = ((values - self.mean) / self.deviation).unflatten(1, (-1, COLUMNS)).flatten(2)  # (B, T, 4 M)
        return (self.project(frames) + self.correct(frames) - self.centre) * self.scale


class Decoder(nn.Module):
    """Latents to what is said of columns."""

    def __init__(self, s: CodecSettings) -> None:
        super().__init__()
        self.settings = s
        self.mean: Tensor
        self.deviation: Tensor
        bands = s.bands + 2 * s.side_bands
        self.middle_spread: Tensor
        self.side_spread: Tensor
        for part, count in (("middle", s.bands), ("side", s.side_bands)):
            self.register_buffer(f"{part}_spread", torch.zeros(count + 1, BINS), persistent=False)
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        self.enter = Neighbours(LATENT_CHANNELS, s.wide)
        self.slow = nn.Sequential(Block(s.wide, 1), Block(s.wide, 1))
        self.project = nn.Linear(LATENT_CHANNELS, COLUMNS * bands)  # the encoder's projection, back again
        self.correct = nn.Linear(s.wide, COLUMNS * bands)
        self.pass_on = nn.Linear(s.wide, COLUMNS * PASSED)
        self.first = Neighbours(bands + PASSED, s.width, 5)
        self.blocks = nn.Sequential(*(Block(s.width, dilation, 5 if place == 0 else 3) for place, dilation in enumerate(s.dilations)))
        self.norm = nn.LayerNorm(s.width)
        self.magnitudes = nn.Linear(s.width, 2 * BINS)
        self.pitch = nn.Linear(s.width, 1 + PITCHES)
        self.phases = nn.Linear(s.width, 7 * s.phase_bins)
        with torch.no_grad():
            for layer in (self.magnitudes, self.correct):
                layer.weight.zero_()
                layer.bias.zero_()
            self.phases.weight.mul_(0.1)
            self.phases.bias.view(7, -1).copy_(torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0])[:, None])

    def trunk(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """What the network holds of each column (B, F, W), and the log-mel values (B, F, M) it starts from, of `latents` (B, T, 64)."""
        slow = self.slow(self.enter(latents))  # (B, T, wide)
        told = (self.project(latents) + self.correct(slow)).float()
        told = told.unflatten(2, (COLUMNS, -1)).flatten(1, 2)  # (B, F, M) in deviations
        more = self.pass_on(slow).unflatten(2, (COLUMNS, -1)).flatten(1, 2)
        held = self.norm(self.blocks(self.first(torch.cat([told, more.float()], -1))))
        return held, told * self.deviation + self.mean

    def guess(self, held: Tensor, values: Tensor) -> Guess:
        """What is said of columns of which `held` (B, F, W) and `values` (B, F, M) are known."""
        bands, more = self.settings.bands, self.settings.bands + self.settings.side_bands
        middle = values[..., :bands] @ self.middle_spread[:-1] + self.middle_spread[-1]  # (B, F, K)
        side = values[..., bands:more] @ self.side_spread[:-1] + self.side_spread[-1]
        refined = self.magnitudes(held).float()
        return Guess(
            (middle + refined[..., :BINS]).clamp(QUIETEST, 6.0),
            (side + refined[..., BINS:]).clamp(QUIETEST, 6.0),
            self.phases(held).float(),
            values[..., more:] @ self.side_spread[:-1],
        )


def spread(mel: Tensor) -> Tensor:
    """What gives log magnitudes of bins from log-mel values: a matrix (M, K) that joins neighbouring bands' values by straight lines, and
    below it a row of what is added, (M + 1, K) in all; `mel` is (M, K) of non-negative filters."""
    sums = mel.sum(1).clamp_min(1e-9)
    places = torch.arange(mel.shape[1], dtype=mel.dtype, device=mel.device)
    centres = (mel @ places) / sums
    low = (torch.searchsorted(centres, places, right=True) - 1).clamp(0, len(mel) - 2)
    share = ((places - centres[low]) / (centres[low + 1] - centres[low]).clamp_min(1e-6)).clamp(0, 1)
    lines = torch.zeros_like(mel)
    bins = torch.arange(mel.shape[1], device=mel.device)
    lines[low, bins] = 1 - share
    lines[low + 1, bins] = share
    return torch.cat([lines, -(sums.log() @ lines)[None]])


def pitch_classes() -> Tensor:
    """Natural logarithms (PITCHES,) of the hertz that the pitch head's classes stand for."""
    low, high = torch.tensor([LOWEST_HERTZ, HIGHEST_HERTZ], dtype=torch.float64).log()
    return torch.linspace(float(low), float(high), PITCHES)


def hertz(logits: Tensor) -> Tensor:
    """The pitch (B, F), hertz, of the head's `logits` (B, F, 1 + PITCHES): the mean of classes about the likeliest; 0 without voice."""
    voiced, scores = logits[..., 0] > 0, logits[..., 1:]
    best = scores.argmax(-1, keepdim=True)
    near = (torch.arange(PITCHES, device=scores.device) - best).abs() <= 3
    shares = scores.masked_fill(~near, float("-inf")).softmax(-1)
    return (shares * pitch_classes().to(shares)).sum(-1).exp() * voiced  # no matrix product: autocast would round it to 30 cents


def pulses(pitch: Tensor) -> Tensor:
    """A pulse a period, (B, F * 512 + 2 MARGIN) samples, of `pitch` (B, F) hertz, which is bridged where it is 0. No gradient."""
    songs, count = pitch.shape
    bridged = _bridged(pitch)
    places = ((torch.arange(count * HOP + 2 * MARGIN, device=pitch.device) - MARGIN - (HOP - 1) / 2) / HOP).clamp(0, count - 1)
    low = places.long().clamp_max(max(count - 2, 0))
    share = places - low
    each = bridged[:, low] * (1 - share) + bridged[:, (low + 1).clamp_max(count - 1)] * share  # (B, N) hertz
    turns = torch.cumsum(each.double() / SAMPLE_RATE, 1)
    whole = turns.floor()
    starts = functional.pad(whole[:, 1:] > whole[:, :-1], (1, 0))
    late = ((turns - whole) / (each.double() / SAMPLE_RATE)).float() * starts  # samples since the period began, between 0 and 1
    return starts * (1 - late) + functional.pad(late[:, 1:], (0, 1))  # a pulse between two samples is shared by them


def _bridged(pitch: Tensor) -> Tensor:
    """`pitch` (B, F) with straight lines over zeros; 130 Hz where a song has no voice."""
    count = pitch.shape[1]
    places = torch.arange(count, device=pitch.device).expand_as(pitch)
    voiced = pitch > 0
    before = torch.where(voiced, places, -1).cummax(1).values
    after = torch.where(voiced, places, count).flip(1).cummin(1).values.flip(1)
    left, right = before.clamp_min(0), after.clamp_max(count - 1)
    left, right = torch.where(before < 0, right, left), torch.where(after >= count, left, right)
    share = (places - left) / (right - left).clamp_min(1)
    found = pitch.gather(1, left) * (1 - share) + pitch.gather(1, right) * share
    return torch.where(voiced.any(1, keepdim=True), found, torch.full_like(found, 130.0))


def _flat(spectrum: Tensor) -> Planes:
    """`spectrum` with modulus near 1 wherever it is not silent."""
    real, imaginary = planes(spectrum)
    size = modulus(real, imaginary) + 1e-4
    return real / size, imaginary / size


def _mixed(parts: Tensor, voice: Planes, noise: Planes) -> Planes:
    """Complex numbers (B, F, P) of modulus near 1 of `parts` (B, F, 7 P): a direction of its own, the voice turned, noise, by shares."""
    direct, offset, weights = (part.unbind(2) for part in parts.unflatten(2, (7, -1)).split((2, 2, 3), 2))
    shares = torch.stack(weights).softmax(0).unbind()
    own, turned = (
        share * torch.rsqrt(cosine * cosine + sine * sine + 1e-6) for share, (cosine, sine) in zip(shares, (direct, offset), strict=False)
    )
    real = direct[0] * own + (offset[0] * voice[0] - offset[1] * voice[1]) * turned + noise[0] * shares[2]
    imaginary = direct[1] * own + (offset[0] * voice[1] + offset[1] * voice[0]) * turned + noise[1] * shares[2]
    size = modulus(real, imaginary) + 1e-3
    return real / size, imaginary / size


class Borrowed(NamedTuple):
    """Numbers of modulus near 1, (B, F, K) or the same for each song, whose angles the decoder borrows."""

    voice: Planes  # pulses of the singer's pitch
    noise: Planes
    other: Planes  # noise for the side


@torch.no_grad()
def borrowed(pitch: Tensor, window: Tensor) -> Borrowed:
    """What is borrowed for `pitch` (B, F) hertz, with fresh noise from torch's own generator."""
    train = pulses(pitch)
    one, other = torch.randn_like(train) * NOISE_LEVEL, torch.randn_like(train) * NOISE_LEVEL
    return Borrowed(*(_flat(transform(sound, window)) for sound in (voiced(pitch, train, one), one, other)))


def voiced(pitch: Tensor, train: Tensor, noise: Tensor) -> Tensor:
    """The pulses `train` where `pitch` (B, F) has a voice and `noise` elsewhere, (B, F * 512 + 2 MARGIN)."""
    return torch.where(_sounding(pitch), train, noise)


@functools.lru_cache(maxsize=2)
@torch.no_grad()
def still_noise(device: torch.device) -> tuple[Tensor, Planes, Planes]:
    """The noise of every song that is decoded, which comes round again after 11.9 s (PERIOD columns).

    Samples (PERIOD * 512,), what is borrowed of them (1, PERIOD, K), and of another noise for the side.
    """
    window, generator = torch.hann_window(WINDOW), torch.Generator().manual_seed(NOISE_SEED)
    rounds = [torch.randn(PERIOD * HOP, generator=generator) * NOISE_LEVEL for _ in range(2)]
    phases = [_flat(transform(torch.cat([one, one[: 2 * MARGIN]])[None], window)) for one in rounds]
    first, second = ((real.contiguous().to(device), imaginary.contiguous().to(device)) for real, imaginary in phases)
    return rounds[0].to(device), first, second


def _turn(noise: Planes, low: int, high: int) -> Planes:
    """Columns from `low` to `high` of noise that comes round again."""
    first = low % PERIOD
    if first + high - low <= PERIOD:
        real, imaginary = (part[:, first : first + high - low] for part in noise)
    else:
        places = torch.arange(low, high, device=noise[0].device) % PERIOD
        real, imaginary = (part[:, places] for part in noise)
    return real, imaginary


def _sounding(pitch: Tensor) -> Tensor:
    """Whether there is a voice at each sample (B, F * 512 + 2 MARGIN) of columns of `pitch` (B, F): elsewhere pulses would hum faintly."""
    voiced = (pitch > 0).repeat_interleave(HOP, 1)
    return functional.pad(voiced.float()[:, None], (MARGIN, MARGIN), mode="replicate")[:, 0] > 0


def synthesise(guess: Guess, lent: Borrowed, window: Tensor) -> Tensor:
    """Middle and side, (2, B, F * 512 + 2 MARGIN) samples, of a guess and what is lent to its columns."""
    bins = guess.phases.shape[2] // 7
    voice, noise, other = lent
    low = _mixed(guess.phases, *((real[..., :bins], imaginary[..., :bins]) for real, imaginary in (voice, noise)))
    high = (part[..., bins:].expand(len(low[0]), -1, -1) for part in noise)
    real, imaginary = (torch.cat(parts, -1) for parts in zip(low, high, strict=True))
    middle = (real, imaginary)
    loud, soft = guess.middle.exp(), guess.side.exp()
    along = likeness(loud, soft, guess.balance)
    apart = (1 - along * along).sqrt()
    side = (middle[0] * along + other[0] * apart, middle[1] * along + other[1] * apart)
    return torch.stack([_agree(loud, middle, window), _agree(soft, side, window)])


def likeness(middle: Tensor, side: Tensor, balance: Tensor) -> Tensor:
    """How far the side goes along with the middle, from -0.999 to 0.999, of magnitudes and the logarithm of left over right.

    With L = M + S and R = M - S, |L|^2 - |R|^2 = 4 Re(M S*) and |L|^2 + |R|^2 = 2 (|M|^2 + |S|^2); the balance b makes the quotient
    of both tanh(b), so that Re(M S*) / |M S| = (|M|^2 + |S|^2) tanh(b) / (2 |M| |S|).
    """
    return ((middle / side + side / middle) * balance.tanh() / 2).clamp(-0.999, 0.999)


def _agree(loud: Tensor, phase: Planes, window: Tensor) -> Tensor:
    """Samples of magnitudes `loud` and unit numbers `phase`, all (B, F, K), after one step of Griffin and Lim."""
    real, imaginary = planes(transform(overlap_add(torch.complex(loud * phase[0], loud * phase[1]), window), window))
    share = loud / (modulus(real, imaginary) + 1e-5)
    return overlap_add(torch.complex(real * share, imaginary * share), window)


class NanoCodec(nn.Module):
    """Encodes and decodes 44.1 kHz stereo."""

    # Pulses and noise run through a song from its beginning, so a song is decoded whole: no overlap of chunks reaches this.
    reach = 1 << 20
    encoder_reach = 1  # frames on either side of a frame that its windows see into

    def __init__(self, settings: CodecSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or CodecSettings()
        self.window: Tensor
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.encoder = Encoder(self.settings)
        self.decoder = Decoder(self.settings)

    def set_bands(self, middle_mel: Tensor, side_mel: Tensor) -> None:
        """Takes the mel filters, (bands, K) and (side_bands, K)."""
        self.encoder.middle_mel.copy_(middle_mel)
        self.encoder.side_mel.copy_(side_mel)
        self.decoder.middle_spread.copy_(spread(self.encoder.middle_mel))
        self.decoder.side_spread.copy_(spread(self.encoder.side_mel))

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "NanoCodec | GriffinLimCodec":
        """The codec in `folder`/codec.safetensors (or that file itself); one without settings inside is a `GriffinLimCodec`.

        ValueError, one line, where it is missing or does not fit.
        """
        from safetensors import SafetensorError, safe_open

        path = Path(folder)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise ValueError(f"{path}: the embedded codec is missing; make it with python -m jam.nano.build stage=codec")
        try:
            with safe_open(path, "pt") as file:
                told = (file.metadata() or {}).get(SETTINGS)
                if told is None:
                    return GriffinLimCodec.load(path, device)
                sizes = json.loads(told)
                codec = cls(CodecSettings(**{**sizes, "dilations": tuple(sizes["dilations"])}))
                codec.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
                codec.set_bands(codec.encoder.middle_mel, codec.encoder.side_mel)
        except (SafetensorError, RuntimeError, TypeError, KeyError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: its codec does not load ({' '.join(str(error).split())[:300]}); fetch it again") from error
        return codec.eval().requires_grad_(False).to(device)

    def save(self, folder: Path) -> None:
        """Writes `folder`/codec.safetensors in half precision."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.detach().half().contiguous() for name, tensor in self.state_dict().items()}
        save_file(tensors, folder / FILE, metadata={SETTINGS: json.dumps(asdict(self.settings))})

    @torch.no_grad()
    def encode(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation, both (B, T, 64), T = ceil(N / 2048), of `audio` (B, channels, N), mono or stereo; the deviation is zero."""
        audio = functional.pad(audio.to(self.window), (0, -audio.shape[-1] % FRAME_SAMPLES))
        middle = audio.mean(1)
        side = audio[:, 0] - middle
        values = self.encoder.values(columns(middle, self.window), columns(side, self.window))
        latents = self.encoder(values)
        return latents, torch.zeros_like(latents)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Audio (B, 2, T * 2048), float32, of `latents` (B, T, 64)."""
        with torch.autocast(self.window.device.type, torch.bfloat16):
            held, values = self.decoder.trunk(latents.to(self.window))
            pitch = hertz(self.decoder.pitch(held).float())
        count, made = held.shape[1], []
        hiss, noise, other = still_noise(self.window.device)
        rounds = -(-(count * HOP + 2 * MARGIN) // len(hiss))
        voice = voiced(pitch, pulses(pitch), hiss.repeat(rounds)[: count * HOP + 2 * MARGIN])
        for start in range(0, count, PIECE):
            low, high = max(start - EDGE, 0), min(start + PIECE + EDGE, count)
            with torch.autocast(self.window.device.type, torch.bfloat16):
                guess = self.decoder.guess(held[:, low:high], values[:, low:high])
            sung = _flat(transform(voice[:, low * HOP : high * HOP + 2 * MARGIN], self.window))
            part = Borrowed(sung, _turn(noise, low, high), _turn(other, low, high))
            middle, side = synthesise(guess, part, self.window)[..., MARGIN:-MARGIN]
            inside = slice((start - low) * HOP, (min(start + PIECE, count) - low) * HOP)
            made.append(torch.stack([middle + side, middle - side], 1)[..., inside])
        whole = torch.cat(made, -1)
        return whole * (whole.abs() >= INAUDIBLE)

    def silence(self) -> Tensor:
        """The latent (64,) of digital silence."""
        return self.encode(torch.zeros(1, 1, FRAME_SAMPLES, device=self.window.device))[0][0, 0]
