"""The band: a score to an accompaniment of General MIDI instruments, by fluidsynth and the FluidR3 sound font.

Each genre has its own instruments, strumming, bass and drum patterns; a score's `arrangement` seed picks among them. The module
knows the score's tempo, key, metre and chords; it knows nothing of lyrics or of the vocal.
"""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jam import audio
from jam.nano.compose import Score
from jam.timing import SAMPLE_RATE

if TYPE_CHECKING:
    import pretty_midi

SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")  # Debian's fluid-soundfont-gm
KICK, SNARE, CLAP, CLOSED_HAT, OPEN_HAT, SHAKER, TAMBOURINE, RIM = 36, 38, 39, 42, 46, 70, 54, 37

INSTRUMENTS = {  # General MIDI programs, from 0; names are those of the style's tags
    "piano": 0, "electric piano": 4, "organ": 16, "accordion": 21, "harmonica": 22, "nylon guitar": 24, "acoustic guitar": 25,
    "clean guitar": 27, "upright bass": 32, "bass guitar": 33, "synth bass": 38, "fiddle": 40, "strings": 48, "flute": 73,
    "synth lead": 81, "pad": 89, "banjo": 105, "synth strings": 50, "vibraphone": 11, "sub bass": 39,
}  # fmt: skip
BANDS = {  # genre: chords, bass, colour
    "pop": (("piano", "electric piano", "clean guitar"), ("bass guitar",), ("strings", "organ", "synth strings")),
    "folk": (("acoustic guitar", "nylon guitar", "banjo"), ("upright bass",), ("fiddle", "flute", "accordion", "harmonica")),
    "electronic": (("synth lead",), ("synth bass", "sub bass"), ("pad", "synth strings")),
    "hiphop": (("electric piano", "vibraphone", "organ"), ("sub bass",), ("strings", "pad")),
}
Pattern = tuple[float, ...]
KICKS: dict[str, tuple[Pattern, ...]] = {
    "pop": ((0, 2), (0, 2, 2.5), (0, 1.5, 2)),
    "electronic": ((0, 1, 2, 3),),
    "hiphop": ((0, 0.75, 2.5), (0, 1.75, 2.5), (0, 0.5, 2.25)),
    "folk": ((), (0,), (0, 2)),
}
BASSES: dict[str, tuple[Pattern, ...]] = {
    "pop": (tuple(x / 2 for x in range(8)), (0, 1.5, 2, 3.5), (0, 1, 2, 3)),
    "electronic": ((0.5, 1.5, 2.5, 3.5), tuple(x / 2 for x in range(8))),
    "hiphop": ((0, 0.75, 2.5), (0, 2.5)),
    "folk": ((0, 2), (0,)),
}
STABS: dict[str, tuple[Pattern, ...]] = {
    "pop": ((0, 1, 2, 3), tuple(x / 2 for x in range(8)), (0, 1.5, 3)),
    "hiphop": ((0, 1.5, 2.5), (0,), (0.5, 2.5)),
}


@dataclass(frozen=True)
class Arrangement:
    """Who plays and how, for one score."""

    chords: str
    bass: str
    colour: str
    drums: bool
    kick: Pattern
    bass_line: Pattern
    stabs: Pattern
    hats: int  # a beat
    stride: float  # beats between the notes of a broken chord


def available() -> bool:
    """Whether fluidsynth and its sound font are installed."""
    return shutil.which("fluidsynth") is not None and SOUND_FONT.exists()


def arrange(score: Score) -> Arrangement:
    """The arrangement that the score's own seed draws."""
    rng = np.random.default_rng([score.arrangement, 2])

    def pick(options: tuple) -> object:
        return options[int(rng.integers(len(options)))]

    chords, bass, colour = (str(pick(players)) for players in BANDS[score.genre])
    drums = bool(score.genre != "folk" or rng.random() < 0.6)
    hats = {"pop": 2, "folk": 2, "electronic": 2, "hiphop": int(rng.choice([2, 4]))}[score.genre]
    kick, line = pick(KICKS[score.genre]), pick(BASSES[score.genre])
    stabs = pick(STABS.get(score.genre, ((0.0,),)))
    return Arrangement(chords, bass, colour, drums, kick, line, stabs, hats, float(rng.choice([0.25, 0.5])))  # type: ignore[arg-type]


def tags(score: Score) -> tuple[str, ...]:
    """The instruments one hears, by name."""
    arrangement = arrange(score)
    return (arrangement.chords, arrangement.bass, arrangement.colour, *(("drums",) if arrangement.drums else ()))


def chord(score: Score, bar: int) -> list[int]:
    """The triad of bar number `bar` as MIDI numbers, root in the octave from C3 (48)."""
    degree = score.progression[bar % len(score.progression)]
    return [48 + score.key % 12 + score.scale[(degree + step) % 7] + 12 * ((degree + step) // 7) for step in (0, 2, 4)]


class Player:
    """One instrument's part, notes given in beats of the score, played with a human hand's unevenness."""

    def __init__(self, score: Score, rng: np.random.Generator, program: int, drums: bool = False) -> None:
        import pretty_midi

        self.part = pretty_midi.Instrument(program, is_drum=drums)
        self.score, self.rng = score, rng

    def play(self, pitch: int, velocity: int, start: float, length: float) -> None:
        """One note at beat `start` for `length` beats."""
        import pretty_midi

        begin = max(0.0, start * self.score.beat + float(self.rng.normal(0, 0.003)))
        loudness = int(np.clip(velocity + self.rng.integers(-6, 7), 1, 127))
        self.part.notes.append(pretty_midi.Note(loudness, int(pitch), begin, begin + max(0.03, length * self.score.beat)))


def play_chords(player: Player, plan: Arrangement, triad: list[int], start: float, beats: int) -> None:
    """The main instrument for one bar: broken chords (folk, electronic) or stabs (pop, hiphop)."""
    genre = player.score.genre
    if genre == "folk":
        order = [triad[0], triad[2], triad[1] + 12, triad[2]]
        for step in range(beats * 2):
            player.play(order[step % 4] + 12, 70, start + step / 2, 0.9)
    elif genre == "electronic":
        for step in range(round(beats / plan.stride)):
            if player.rng.random() < 0.85:
                player.play(triad[step % 3] + 12 * (1 + step % 2), 62, start + step * plan.stride, plan.stride * 0.8)
    else:
        for place in plan.stabs:
            if place < beats:
                for pitch in triad:
                    player.play(pitch + 12, 68, start + place, 0.9)


def play_drums(player: Player, plan: Arrangement, start: float, beats: int) -> None:
    """The drums for one bar."""
    genre = player.score.genre
    for place in plan.kick:
        if place < beats:
            player.play(KICK, 105 if genre != "folk" else 75, start + place, 0.1)
    back = (1, 3) if beats == 4 else (1, 2)
    snare = {"pop": SNARE, "electronic": CLAP, "hiphop": SNARE, "folk": TAMBOURINE}[genre]
    for place in back:
        player.play(snare, 95 if genre != "folk" else 60, start + place, 0.1)
    for step in range(beats * plan.hats):
        place = step / plan.hats
        hat = SHAKER if genre == "folk" else OPEN_HAT if genre == "electronic" and place % 1 else CLOSED_HAT
        player.play(hat, 60 if step % plan.hats == 0 else 48, start + place, 0.05)


def play(score: Score) -> "pretty_midi.PrettyMIDI":
    """The whole accompaniment as MIDI, through the last bar that the score's seconds reach."""
    import pretty_midi

    plan = arrange(score)
    rng = np.random.default_rng([score.arrangement, 3])
    chords, bass, colour = (Player(score, rng, INSTRUMENTS[name]) for name in (plan.chords, plan.bass, plan.colour))
    drums = Player(score, rng, 0, drums=True)
    beats = score.beats_per_bar
    for bar in range(int(score.seconds / (beats * score.beat)) + 1):
        start, triad = float(bar * beats), chord(score, bar)
        play_chords(chords, plan, triad, start, beats)
        for place in plan.bass_line:
            if place < beats:
                bass.play(triad[0] - 12, 85, start + place, 1.5 if score.genre in ("folk", "hiphop") else 0.45)
        if score.genre == "folk":
            for place in (0, beats - 2):
                colour.play(triad[int(rng.integers(3))] + 24, 55, start + place, 1.8)
        else:
            for pitch in triad:
                colour.play(pitch + 12, 45, start, beats)
        if plan.drums:
            play_drums(drums, plan, start, beats)
    midi = pretty_midi.PrettyMIDI(initial_tempo=score.bpm)
    midi.instruments = [player.part for player in (chords, bass, colour, drums) if player.part.notes]
    return midi


def render(score: Score) -> np.ndarray:
    """The accompaniment's sound, (2, seconds * 44100) float32, ending in a 0.2 s fade. ValueError where fluidsynth is missing."""
    if not available():
        packages = "apt-get install fluidsynth fluid-soundfont-gm"
        raise ValueError(f"the backing needs fluidsynth and {SOUND_FONT}; install both (Debian: {packages})")
    with tempfile.TemporaryDirectory() as folder:
        midi, wave = Path(folder) / "song.mid", Path(folder) / "song.wav"
        play(score).write(str(midi))
        options = ["-o", "synth.dynamic-sample-loading=1", "-o", "synth.chorus.active=0", "-g", "0.5", "-r", str(SAMPLE_RATE)]
        command = ["fluidsynth", "-ni", "-q", *options, "-F", str(wave), "-T", "wav", "-O", "s16", str(SOUND_FONT), str(midi)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0 or not wave.exists():
            raise ValueError(f"fluidsynth could not render the backing: {result.stderr.strip()}")
        heard = audio.read(wave)[0].numpy()
    samples = np.zeros((2, round(score.seconds * SAMPLE_RATE)), np.float32)
    heard = heard[:, : samples.shape[1]]
    samples[:, : heard.shape[1]] = heard
    fade = min(int(0.2 * SAMPLE_RATE), samples.shape[1])
    samples[:, samples.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return samples
