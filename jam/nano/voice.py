"""The synthetic singer: words, times and notes to a vocal whose words lie exactly where they were asked to.

flite (a system program) speaks each word alone and tells when each phone sounds; WORLD analyses the speech every 5 ms; consonants keep
their length and vowels stretch until the word fills [start, end]; pitch follows the notes with 60 ms glides and vibrato; WORLD
resynthesises. flite speaks at 16 kHz, so the voice has nothing above 8 kHz. The module knows nothing of melodies, backing or files.
"""

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jam import audio
from jam.timing import SAMPLE_RATE

VOICES = ("rms", "awb", "kal16", "slt")
FLITE_VOWELS = frozenset(["aa", "ae", "ah", "ao", "aw", "ax", "axr", "eh", "er", "ey", "ih", "ix", "iy", "ow", "oy", "uh", "uw"])
SILENCES = frozenset(["pau", "h#", "brth", "#"])
SPELLINGS = {"a": "uh"}  # alone, flite would name the letter
VOICE_RATE = 16_000  # flite's
HOP_SECONDS = 0.005  # between WORLD's frames
GLIDE_FRAMES = 13  # 60 ms
LOUDNESS = 0.1  # root mean square of the vocal where it sings


@dataclass(frozen=True)
class Note:
    """One sung pitch: seconds, and a MIDI number (69 is A4, 440 Hz)."""

    start: float
    end: float
    pitch: float


@dataclass(frozen=True)
class SungWord:
    """A word, when it sounds (seconds) and on which notes."""

    word: str
    start: float
    end: float
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Phone:
    """One phone of a spoken word, in flite's names, in seconds from the word's start."""

    name: str
    start: float
    end: float

    @property
    def is_vowel(self) -> bool:
        """Whether it may be stretched."""
        return self.name in FLITE_VOWELS


@dataclass(frozen=True)
class SpokenWord:
    """WORLD's analysis of a word spoken alone and trimmed: F frames, B frequency bins."""

    f0: np.ndarray  # (F,) hertz, 0 where unvoiced
    log_spectrum: np.ndarray  # (F, B) natural logarithm of power
    aperiodicity: np.ndarray  # (F, B)
    phones: tuple[Phone, ...]
    seconds: float


def available() -> bool:
    """Whether flite is installed."""
    return shutil.which("flite") is not None


@functools.lru_cache(maxsize=4000)
def speak(word: str, voice: str = "rms") -> tuple[np.ndarray, tuple[Phone, ...]]:
    """flite's 16 kHz speech of `word` (N,) and its phones, silences included. ValueError where flite cannot."""
    if not available():
        raise ValueError("the synthetic singer needs the program flite; install it (Debian: apt-get install flite)")
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = ["flite", "-voice", voice, "-psdur", "-t", SPELLINGS.get(word, word), "-o", file.name]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0 or not Path(file.name).stat().st_size:
            raise ValueError(f"flite could not speak {word!r} with voice {voice!r}: {result.stderr.strip()}")
        heard, rate = audio.read(file.name)
    assert rate == VOICE_RATE, f"flite voice {voice} speaks at {rate} Hz"
    phones, start = [], 0.0
    for token in result.stdout.split():
        name, end = token.rsplit(":", 1)
        phones.append(Phone(name, start, float(end)))
        start = float(end)
    return heard[0].double().numpy(), tuple(phones)


def spoken_phones(word: str, voice: str = "rms") -> tuple[str, ...]:
    """The phones flite says for `word`, ARPAbet, reduced vowels written AH as the dictionary writes them."""
    names = (phone.name for phone in speak(word, voice)[1] if phone.name not in SILENCES)
    return tuple({"ax": "AH", "axr": "ER", "ix": "IH"}.get(name, name.upper()) for name in names)


@functools.lru_cache(maxsize=4000)
def sounds(word: str, voice: str = "rms") -> tuple[np.ndarray, tuple[Phone, ...], float]:
    """flite's 16 kHz speech of `word` (N,) without silence around it, its phones and seconds. ValueError for a word of no sound."""
    samples, phones = speak(word, voice)
    heard = [phone for phone in phones if phone.name not in SILENCES]
    if not heard:
        raise ValueError(f"flite says nothing for the word {word!r}; write it as it sounds")
    first, last = heard[0].start, min(heard[-1].end, len(samples) / VOICE_RATE)
    part = np.ascontiguousarray(samples[int(first * VOICE_RATE) : int(last * VOICE_RATE) + 1])
    inside = tuple(Phone(p.name, max(0.0, p.start - first), min(p.end, last) - first) for p in heard if p.start < last)
    return part, inside, last - first


@functools.lru_cache(maxsize=4000)  # some 1.6 GB
def analyse(word: str, voice: str = "rms") -> SpokenWord:
    """WORLD's analysis of `word` without the silence around it. ValueError for a word of no sound."""
    import pyworld

    part, phones, seconds = sounds(word, voice)
    coarse, times = pyworld.dio(part, VOICE_RATE, f0_floor=60, f0_ceil=500)
    f0 = pyworld.stonemask(part, coarse, times, VOICE_RATE)
    power = pyworld.cheaptrick(part, f0, times, VOICE_RATE)
    aperiodicity = pyworld.d4c(part, f0, times, VOICE_RATE)
    log_spectrum = np.log(power + 1e-12).astype(np.float32)
    return SpokenWord(f0, log_spectrum, aperiodicity.astype(np.float32), phones, seconds)


def phone_edges(phones: Sequence[Phone], seconds: float) -> np.ndarray:
    """Edges (P + 1,) of the phones when the word lasts `seconds`: vowels absorb the change, consonants fill at most 55 %."""
    lengths = np.array([phone.end - phone.start for phone in phones])
    vowels = np.array([phone.is_vowel for phone in phones])
    if not vowels.any():
        return np.concatenate([[0.0], np.cumsum(lengths)]) * seconds / lengths.sum()
    consonants = lengths[~vowels].sum()
    if consonants > 0.55 * seconds:
        lengths[~vowels] *= 0.55 * seconds / consonants
    lengths[vowels] *= (seconds - lengths[~vowels].sum()) / lengths[vowels].sum()
    return np.concatenate([[0.0], np.cumsum(lengths)])


def pitch_curve(notes: Sequence[Note], frames: int) -> np.ndarray:
    """Hertz at each of `frames` 5 ms steps: the notes with 60 ms glides between, and 5.5 Hz vibrato on those over 0.35 s."""
    times = np.arange(frames) * HOP_SECONDS
    pitch = np.full(frames, notes[0].pitch, dtype=np.float64)
    for note in notes:
        pitch[times >= note.start - 1e-6] = note.pitch
    window = np.hanning(GLIDE_FRAMES + 2)[1:-1]
    pitch = np.convolve(np.pad(pitch, GLIDE_FRAMES // 2, mode="edge"), window / window.sum(), "valid")
    for note in notes:
        if note.end - note.start > 0.35:
            depth = np.clip((times - note.start - 0.2) / 0.2, 0, 1) * (times < note.end)
            pitch += 0.25 * depth * np.sin(2 * np.pi * 5.5 * (times - note.start))
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)


def sing_word(spoken: SpokenWord, seconds: float, hertz: np.ndarray) -> np.ndarray:
    """`spoken` warped to `seconds` on the pitch `hertz` (one value each 5 ms): 16 kHz samples with 4 ms fades."""
    import pyworld

    frames = len(hertz)
    last = len(spoken.f0) - 1
    source_edges = np.array([0.0, *(phone.end for phone in spoken.phones)])
    source = np.interp(np.arange(frames) * HOP_SECONDS, phone_edges(spoken.phones, seconds), source_edges)
    place = np.clip(source / HOP_SECONDS, 0, last)
    low = place.astype(int)
    high = np.minimum(low + 1, last)
    share = (place - low)[:, None]
    power = np.exp((1 - share) * spoken.log_spectrum[low] + share * spoken.log_spectrum[high])
    aperiodicity = (1 - share) * spoken.aperiodicity[low] + share * spoken.aperiodicity[high]
    voiced = spoken.f0[np.round(place).astype(int)] > 0
    for phone in spoken.phones:  # the pitch tracker sometimes loses a frame inside a vowel
        if phone.is_vowel:
            voiced |= (source >= phone.start + 0.01) & (source <= phone.end - 0.01)
    power, aperiodicity = np.ascontiguousarray(power, np.float64), np.ascontiguousarray(aperiodicity, np.float64)
    samples = pyworld.synthesize(hertz * voiced, power, aperiodicity, VOICE_RATE, HOP_SECONDS * 1000)
    samples = samples[: int(seconds * VOICE_RATE)]
    fade = np.linspace(0, 1, min(int(0.004 * VOICE_RATE), len(samples)))
    samples[: len(fade)] *= fade
    samples[len(samples) - len(fade) :] *= fade[::-1]
    return samples


def sing(words: Sequence[SungWord], seconds: float, voice: str = "rms") -> np.ndarray:
    """The vocal: (seconds * 44100,) float32 mono at a fixed loudness; every word fills exactly its [start, end].

    ValueError where flite is missing or a word has no sound; words without any at all give silence.
    """
    from scipy.signal import resample_poly

    count = round(seconds * SAMPLE_RATE)
    line = np.zeros(int(seconds * VOICE_RATE) + 1)
    if not words:
        return np.zeros(count, np.float32)
    curve = pitch_curve([note for word in words for note in word.notes], int(words[-1].end / HOP_SECONDS) + 2)
    for word in words:
        length = word.end - word.start
        first = round(word.start / HOP_SECONDS)
        sung = sing_word(analyse(word.word, voice), length, curve[first : first + round(length / HOP_SECONDS)])
        begin = round(word.start * VOICE_RATE)
        line[begin : begin + len(sung)] += sung[: len(line) - begin]
    samples = np.zeros(count)
    wide = resample_poly(line, 441, 160)[:count]
    samples[: len(wide)] = wide
    return (samples * LOUDNESS / root_mean_square(samples, words)).astype(np.float32)


def root_mean_square(samples: np.ndarray, words: Sequence[SungWord]) -> float:
    """Root mean square of `samples` (N,) while `words` sound."""
    active = np.zeros(len(samples), bool)
    for word in words:
        active[int(word.start * SAMPLE_RATE) : int(word.end * SAMPLE_RATE)] = True
    return float(np.sqrt(np.mean(samples[active].astype(np.float64) ** 2)) + 1e-9)
