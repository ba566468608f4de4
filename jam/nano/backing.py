"""The band: a score to an accompaniment of General MIDI instruments, by fluidsynth and the FluidR3 sound font.

Each genre has its own instruments, chord figures, bass lines and drum grooves; a score's `arrangement` seed picks among them, and the
score's sections tell who plays how hard. The module knows the score's tempo, key, metre and chords; it knows nothing of lyrics or of
the vocal.

Figures are written as steps of one bar: `X` loud, `x` middling, `-` soft, `.` nothing. Where a figure has no waltz of its own, the
first three quarters of it are one.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from jam import audio
from jam.nano.compose import Score, Section
from jam.timing import SAMPLE_RATE

if TYPE_CHECKING:
    import pretty_midi

T = TypeVar("T")
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")  # Debian's fluid-soundfont-gm
PATIENCE, TRIES = 60, 3  # seconds for one song, which takes one; fluidsynth, rarely, never ends and fills the disk
LARGEST = 64 * 2**20  # bytes of a song's sound; the longest needs 11 MB

INSTRUMENTS = {  # General MIDI programs, from 0; names are those of the style's tags
    **{"piano": 0, "bright piano": 1, "electric piano": 4, "harpsichord": 6, "glockenspiel": 9, "vibraphone": 11, "marimba": 12},
    **{"organ": 16, "rock organ": 18, "accordion": 21, "harmonica": 22, "nylon guitar": 24, "acoustic guitar": 25, "jazz guitar": 26},
    **{"clean guitar": 27, "muted guitar": 28, "overdriven guitar": 29, "distorted guitar": 30, "upright bass": 32, "bass guitar": 33},
    **{"picked bass": 34, "fretless bass": 35, "slap bass": 36, "synth bass": 38, "sub bass": 39, "fiddle": 40, "cello": 42},
    **{"double bass": 43, "pizzicato strings": 45, "harp": 46, "timpani": 47, "strings": 48, "slow strings": 49, "synth strings": 50},
    **{"choir": 52, "trumpet": 56, "trombone": 57, "muted trumpet": 59, "french horn": 60, "brass": 61, "synth brass": 62},
    **{"alto saxophone": 65, "tenor saxophone": 66, "oboe": 68, "clarinet": 71, "flute": 73, "pan flute": 75, "square lead": 80},
    **{"synth lead": 81, "pluck synth": 84, "pad": 89, "polysynth": 90, "sweep pad": 95, "banjo": 105, "steel drums": 114},
}
DRUMS = {  # General MIDI percussion
    **{"kick": 36, "snare": 38, "rim": 37, "clap": 39, "brush": 40, "hat": 42, "pedal": 44, "open": 46, "ride": 51, "crash": 49},
    **{"low tom": 45, "mid tom": 47, "high tom": 50, "tambourine": 54, "cowbell": 56, "shaker": 70, "maracas": 70, "clave": 75},
    **{"low conga": 64, "open conga": 63, "mute conga": 62, "timbale": 65, "bass drum": 35, "cymbal": 57},
}
LOUD = {"X": 1.0, "x": 0.78, "-": 0.5}  # of a note's velocity
Groove = dict[str, str]  # drum: steps


@dataclass(frozen=True)
class Figure:
    """How chords are played: `strum` (a guitarist's hand), `stab` (short), `block` (held to the next), `broken` (steps are tones)."""

    kind: str
    steps: str
    waltz: str = ""


@dataclass(frozen=True)
class Style:
    """What the band of one genre may be and play; an arrangement takes one of each."""

    chords: tuple[str, ...]
    bass: tuple[str, ...]
    colour: tuple[str, ...]
    lead: tuple[str, ...]
    figures: tuple[Figure, ...]
    basses: tuple[tuple[str, str], ...]  # steps of chord tones (R root, 3, 5, 7, 8 octave) in 4/4 and in 3/4; "walk" goes by quarters
    grooves: tuple[Groove, ...]
    waltzes: tuple[Groove, ...] = ()
    kits: tuple[int, ...] = (0,)
    swing: tuple[float, float, float] = (1.0, 0.0, 0.0)  # a unit in beats, and by how much of it, at least and at most, its half is late
    drummer: float = 1.0  # the chance that there is one
    fill: tuple[str, ...] = ("snare", "high tom", "mid tom", "low tom")
    crash: str = "crash"
    sevenths: bool = False
    reverb: tuple[float, float] = (0.2, 0.6)  # room size


STRUMS = (
    Figure("strum", "X...x.x...x.x.x.", "X...x.x.x.x."),
    Figure("strum", "X...X.x.X...X.x.", "X...x...x..."),
    Figure("strum", "X.x.X.x.X.x.X.x.", "X.x.x.x.x.x."),
)
STYLES = {
    "pop": Style(
        chords=("piano", "electric piano", "clean guitar", "acoustic guitar", "bright piano"),
        bass=("bass guitar", "picked bass", "synth bass"),
        colour=("strings", "organ", "synth strings", "pad"),
        lead=("clean guitar", "glockenspiel", "flute", "square lead"),
        figures=(
            Figure("stab", "X...X...X...X...", "X...x...x..."),
            Figure("block", "X.....x.....x...", "X.......x..."),
            Figure("block", "X.......X.x.....", "X..........."),
            Figure("broken", "1.2.3.2.1.2.3.2.", "1.2.3.2.3.2."),
            STRUMS[1],
        ),
        basses=(
            ("R.R.R.R.R.R.R.R.", "R.R.R.R.R.R."),
            ("R.....R.R.....5.", "R.......5..."),
            ("R...R...R...5...", "R...5...5..."),
            ("R.......R.R.....", "R.....R....."),
        ),
        grooves=(
            {"kick": "X.......X.......", "snare": "....X.......X...", "hat": "x.-.x.-.x.-.x.-."},
            {"kick": "X.......X.X.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "X..X....X..X....", "snare": "....X.......X...", "hat": "x-x-x-x-x-x-x-x-"},
            {"kick": "X...X...X...X...", "clap": "....X.......X...", "hat": "x.-.x.-.x.-.x.-.", "tambourine": "..x...x...x...x."},
        ),
        waltzes=({"kick": "X...........", "snare": "....X...X...", "hat": "x.-.x.-.x.-."},),
        kits=(0, 8),
    ),
    "rock": Style(
        chords=("distorted guitar", "overdriven guitar", "muted guitar"),
        bass=("picked bass", "bass guitar"),
        colour=("rock organ", "overdriven guitar", "piano", "clean guitar"),
        lead=("distorted guitar", "overdriven guitar", "rock organ"),
        figures=(
            Figure("power", "X.x.X.x.X.x.X.x."),
            Figure("power", "X.....X.X.....x."),
            Figure("power", "X...............", ""),
            Figure("power", "X..X..X.X..X..X."),
            Figure("strum", "X...X.x.X.x.X.x."),
        ),
        basses=(("R.R.R.R.R.R.R.R.", ""), ("R..R..R.R..R..R.", ""), ("R...R...R...R.5.", ""), ("R.R.R.R.5.5.3.3.", "")),
        grooves=(
            {"kick": "X.......X.X.....", "snare": "....X.......X...", "hat": "X.x.X.x.X.x.X.x."},
            {"kick": "X.X...X.X.X.....", "snare": "....X.......X...", "open": "X...X...X...X..."},
            {"kick": "X.......X.......", "snare": "....X.......X...", "ride": "X.x.X.x.X.x.X.x."},
            {"kick": "X.x...X...X.....", "snare": "....X.......X..x", "hat": "X.x.X.x.X.x.X.x."},
        ),
        kits=(16, 8, 0),
    ),
    "folk": Style(
        chords=("acoustic guitar", "nylon guitar", "banjo", "harp"),
        bass=("upright bass", "cello"),
        colour=("fiddle", "accordion", "cello", "harmonica"),
        lead=("fiddle", "flute", "harmonica", "accordion", "pan flute"),
        figures=(
            Figure("broken", "1.3.2.3.1.3.4.3.", "1.3.4.3.2.3."),
            Figure("broken", "1.2.3.4.3.2.3.2.", "1.2.3.4.3.2."),
            *STRUMS,
        ),
        basses=(("R.......5.......", "R..........."), ("R...............", "R.......5..."), ("R.......5...R...", "R...5...5...")),
        grooves=(
            {"kick": "x.......x.......", "tambourine": "....x.......x...", "shaker": "-.-.-.-.-.-.-.-."},
            {"bass drum": "X...-...x...-...", "rim": "....-.......-..."},
            {"shaker": "x.-.x.-.x.-.x.-.", "kick": "x..............."},
        ),
        waltzes=({"kick": "x...........", "tambourine": "....-...-..."}, {"shaker": "x.-.-.-.-.-."}),
        drummer=0.55,
        fill=("tambourine", "tambourine"),
        crash="tambourine",
        reverb=(0.1, 0.4),
    ),
    "electronic": Style(
        chords=("synth lead", "polysynth", "pluck synth", "square lead", "synth brass"),
        bass=("synth bass", "sub bass"),
        colour=("pad", "synth strings", "sweep pad"),
        lead=("square lead", "synth lead", "pluck synth"),
        figures=(
            Figure("broken", "1234123412341234"),
            Figure("broken", "1.32.13.21.32.13"),
            Figure("broken", "1.2.3.4.1.2.3.4."),
            Figure("stab", "X..X..X...X..X.."),
            Figure("stab", "..X...X...X...X."),
        ),
        basses=(("..R...R...R...R.", ""), ("R.R.8.R.R.R.8.R.", ""), (".RRR.RRR.RRR.RRR", ""), ("R..R..R...R..R..", "")),
        grooves=(
            {"kick": "X...X...X...X...", "clap": "....X.......X...", "open": "..x...x...x...x."},
            {"kick": "X...X...X...X...", "clap": "....X.......X...", "hat": "x-X-x-X-x-X-x-X-"},
            {"kick": "X...X...X...X.x.", "snare": "....X.......X...", "hat": "..x...x...x...x.", "shaker": "----------------"},
            {"kick": "X..X..X...X.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        ),
        kits=(24, 25),
        fill=("snare", "clap"),
    ),
    "hiphop": Style(
        chords=("electric piano", "vibraphone", "organ", "piano", "nylon guitar"),
        bass=("sub bass", "fretless bass"),
        colour=("strings", "pad", "choir", "muted trumpet"),
        lead=("flute", "vibraphone", "muted trumpet", "square lead"),
        figures=(
            Figure("block", "X.....x...x....."),
            Figure("block", "X..............."),
            Figure("stab", "..X.......X..X.."),
            Figure("broken", "1...3...2..3...."),
            Figure("stab", "X.....X........."),
        ),
        basses=(("R..R......R.....", ""), ("R.........R.....", ""), ("R......RR.....5.", ""), ("R.....8.....R...", "")),
        grooves=(
            {"kick": "X..x......X.....", "snare": "....X.......X...", "hat": "x.-.x.-.x.-.x.-."},
            {"kick": "X......x..X.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
            {"kick": "X.x......X......", "snare": "....X..-.-..X...", "hat": "x-x-x-x-x-x-x-x-"},
            {"kick": "X.....X...X..x..", "clap": "....X.......X...", "hat": "x.x.x.xxx.x.x.--", "open": "..............x."},
        ),
        kits=(25, 0, 8),
        swing=(0.5, 0.0, 0.16),
        fill=("snare", "kick"),
        crash="open",
        reverb=(0.1, 0.4),
    ),
    "jazz": Style(
        chords=("piano", "jazz guitar", "vibraphone", "organ"),
        bass=("upright bass", "fretless bass"),
        colour=("tenor saxophone", "brass", "muted trumpet", "clarinet"),
        lead=("alto saxophone", "trumpet", "tenor saxophone", "clarinet", "trombone"),
        figures=(
            Figure("stab", "X.....x.........", "X.....x....."),
            Figure("stab", "..x...X.......x.", "....x.x....."),
            Figure("block", "x.....X.....-...", "X.......x..."),
            Figure("strum", "x...X...x...X...", "x...x...x..."),
        ),
        basses=(("walk", "walk"), ("walk", "R.......5..."), ("R.......5.......", "R...5...8...")),
        grooves=(
            {"ride": "X...X.x.X...X.x.", "pedal": "....X.......X...", "kick": "-...-...-...-..."},
            {"ride": "X...X.x.X...X.x.", "pedal": "....x.......x...", "snare": "......-.......--", "kick": "-.......-......."},
            {"brush": "x...X...x...X...", "ride": "x...x.-.x...x.-.", "pedal": "....x.......x..."},
        ),
        waltzes=({"ride": "X...x.x.x...", "pedal": "....x...x...", "kick": "-..........."},),
        kits=(32, 40),
        swing=(1.0, 0.1, 0.17),
        fill=("snare", "high tom", "snare", "low tom"),
        crash="ride",
        sevenths=True,
    ),
    "latin": Style(
        chords=("nylon guitar", "piano", "marimba", "bright piano"),
        bass=("upright bass", "bass guitar", "fretless bass"),
        colour=("brass", "accordion", "strings", "marimba"),
        lead=("trumpet", "flute", "accordion", "steel drums", "trombone"),
        figures=(
            Figure("stab", "X..X..X...X.X..."),
            Figure("strum", "X...x..x..x.x..."),
            Figure("broken", "1.3.14.3.2.41.3."),
            Figure("stab", "X.X..X.X.X..X.X."),
        ),
        basses=(("R.....5.....8...", ""), ("R.....55......R.", ""), ("R.....5.8.....5.", ""), ("R..R..5.R..R..5.", "")),
        grooves=(
            {"kick": "X.....xxX.....xx", "rim": "X..X..X...X..X..", "shaker": "x-x-x-x-x-x-x-x-"},
            {"clave": "X..X..X...X.X...", "mute conga": "x.--x...x.--x...", "open conga": "......XX......XX", "shaker": "x.-.x.-.x.-.x.-."},
            {"cowbell": "X...X.x.X...X.x.", "mute conga": "x...x...x...x...", "low conga": "......x.......xx", "kick": "X.......X......."},
            {"kick": "X...X...X...X...", "timbale": "...x..x....x..x.", "maracas": "x.-.x.-.x.-.x.-.", "snare": "...-..x....-..x."},
        ),
        kits=(0, 8),
        fill=("timbale", "open conga", "low conga"),
    ),
    "orchestral": Style(
        chords=("pizzicato strings", "harp", "strings", "harpsichord"),
        bass=("double bass", "cello"),
        colour=("slow strings", "french horn", "choir", "brass"),
        lead=("oboe", "flute", "french horn", "clarinet", "trumpet"),
        figures=(
            Figure("stab", "X.x.x.x.X.x.x.x.", "X.x.x.x.x.x."),
            Figure("broken", "1.2.3.4.3.2.3.2.", "1.2.3.4.3.2."),
            Figure("stab", "X...x...x...x...", "X...x...x..."),
            Figure("broken", "1.3.2.3.1.3.2.3.", "1.3.2.3.2.3."),
        ),
        basses=(("R...R...R...R...", "R...5...5..."), ("R.......5.......", "R..........."), ("R...............", "R.......R...")),
        grooves=({"bass drum": "X.......-......."}, {"bass drum": "x...........-...", "snare": "x.--x.--x.--x---"}, {}),
        waltzes=({"bass drum": "X..........."}, {}),
        kits=(48,),
        drummer=0.6,
        fill=("snare",),
        crash="cymbal",
        reverb=(0.6, 0.9),
    ),
}
BANDS = {genre: (style.chords, style.bass, style.colour, style.lead) for genre, style in STYLES.items()}
HIT = {  # velocities of drums, 96 where nothing is said
    **{"kick": 108, "bass drum": 92, "clap": 100, "snare": 102, "hat": 68, "open": 70, "shaker": 58, "maracas": 60, "ride": 80},
    **{"tambourine": 72, "pedal": 66, "rim": 84, "clave": 84, "cowbell": 74, "brush": 84, "crash": 92, "cymbal": 80},
}


@dataclass(frozen=True)
class Arrangement:
    """Who plays and how, for one score."""

    chords: str
    bass: str
    colour: str
    lead: str
    figure: Figure  # of verses
    refrain: Figure  # of choruses
    bass_line: tuple[str, str]
    groove: Groove
    refrain_groove: Groove
    drums: bool
    kit: int
    swing: tuple[float, float]  # a unit in beats, and by how much of it its half is late
    pans: tuple[int, ...] = field(default=(64, 64, 64, 64))  # of chords, bass, colour, lead: 0 left, 127 right
    room: float = 0.3


def available() -> bool:
    """Whether fluidsynth and its sound font are installed."""
    return shutil.which("fluidsynth") is not None and SOUND_FONT.exists()


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of `options`."""
    return options[int(rng.integers(len(options)))]


def arrange(score: Score) -> Arrangement:
    """The arrangement that the score's own seed draws."""
    rng = np.random.default_rng([score.arrangement, 2])
    style = STYLES[score.genre]
    chords, bass = pick(rng, style.chords), pick(rng, style.bass)
    colour = pick(rng, [name for name in style.colour if name not in (chords, bass)])
    lead = pick(rng, [name for name in style.lead if name not in (chords, colour)])
    grooves = style.waltzes if score.beats_per_bar == 3 and style.waltzes else style.grooves
    unit, least, most = style.swing
    side = int(rng.choice([-1, 1]))
    wide = [64 + side * int(rng.integers(18, 46)), 64, 64 - side * int(rng.integers(18, 50)), 64 + side * int(rng.integers(-30, 10))]
    return Arrangement(
        chords=chords,
        bass=bass,
        colour=colour,
        lead=lead,
        figure=pick(rng, style.figures),
        refrain=pick(rng, style.figures),
        bass_line=pick(rng, style.basses),
        groove=pick(rng, grooves),
        refrain_groove=pick(rng, grooves),
        drums=bool(rng.random() < style.drummer),
        kit=pick(rng, style.kits),
        swing=(unit, float(rng.uniform(least, most))),
        pans=tuple(wide),
        room=float(rng.uniform(*style.reverb)),
    )


def tags(score: Score) -> tuple[str, ...]:
    """The instruments one hears, by name."""
    heard = (part.name for part in play(score).instruments if any(note.start < score.seconds - 0.3 for note in part.notes))
    return tuple(dict.fromkeys(heard))


def tones(score: Score, degree: int, count: int = 3) -> list[int]:
    """The chord on `degree`, thirds upon each other, as MIDI numbers; its root in the octave from C3 (48)."""
    raw = [score.key + score.scale[(degree + step) % 7] + 12 * ((degree + step) // 7) for step in (0, 2, 4, 6)[:count]]
    return [48 + tone - 12 * (raw[0] // 12) for tone in raw]


def voiced(chord: Sequence[int], low: int) -> list[int]:
    """The chord in close position within the octave from `low` up, so that its neighbours lie near."""
    return sorted(low + (tone - low) % 12 for tone in chord)


def steps_of(figure: Figure, beats: int) -> str:
    """A figure's steps for one bar of three or four beats."""
    return figure.steps if beats == 4 else figure.waltz or figure.steps[: len(figure.steps) * 3 // 4]


class Player:
    """One instrument's part, notes given in beats of the score, played with a human hand's unevenness."""

    def __init__(self, score: Score, hand: np.random.Generator, name: str, program: int, pan: int, swing: tuple[float, float]) -> None:
        import pretty_midi

        self.part = pretty_midi.Instrument(program, is_drum=name == "drums", name=name)
        self.part.control_changes = [pretty_midi.ControlChange(10, int(np.clip(pan, 0, 127)), 0.0)]
        self.score, self.hand, self.swing, self.level = score, hand, swing, 1.0

    def swung(self, beat: float) -> float:
        """The beat with every unit's half as late as the swing asks."""
        unit, late = self.swing
        whole, part = divmod(beat / unit, 1.0)
        return unit * (whole + (part * (1 + 2 * late) if part <= 0.5 else 0.5 + late + (part - 0.5) * (1 - 2 * late)))

    def play(self, pitch: int, velocity: float, start: float, length: float, later: float = 0.0) -> None:
        """One note at beat `start` for `length` beats, `later` seconds behind it."""
        import pretty_midi

        begin = max(0.0, self.swung(start) * self.score.beat + later + float(self.hand.normal(0, 0.003)))
        end = max(begin + 0.03, self.swung(start + length) * self.score.beat - 0.005)
        loudness = int(np.clip(velocity * self.level + self.hand.integers(-5, 6), 1, 127))
        self.part.notes.append(pretty_midi.Note(loudness, int(pitch), begin, end))


class Band:
    """Everybody who plays one score; `attempt` changes nothing but the unevenness of the hands."""

    def __init__(self, score: Score, attempt: int = 0) -> None:
        self.score, self.plan, self.style = score, arrange(score), STYLES[score.genre]
        self.rng = np.random.default_rng([score.arrangement, 3])
        hand = np.random.default_rng([score.arrangement, 5, attempt])
        plan, swing = self.plan, self.plan.swing
        names = (plan.chords, plan.bass, plan.colour, plan.lead)
        self.chords, self.bass, self.colour, self.lead = (
            Player(score, hand, name, INSTRUMENTS[name], pan, swing) for name, pan in zip(names, plan.pans, strict=True)
        )
        self.drums = Player(score, hand, "drums", plan.kit, 64, swing)
        self.timpani = Player(score, hand, "timpani", INSTRUMENTS["timpani"], 64, swing)
        self.players = (self.chords, self.bass, self.colour, self.lead, self.drums, self.timpani)
        self.colours = {kind: bool(self.rng.random() < chance) for kind, chance in (("verse", 0.45), ("chorus", 0.95), ("break", 0.4))}
        self.bare = {kind: bool(self.rng.random() < chance) for kind, chance in (("intro", 0.45), ("break", 0.6), ("outro", 0.4))}

    def bar(self, section: Section, bar: int) -> None:
        """What everybody plays in the song's bar number `bar`."""
        score, beats = self.score, self.score.beats_per_bar
        start, kind = float(bar * beats), section.kind
        chord = tones(score, section.degree(bar), 4 if self.style.sevenths else 3)
        for player in self.players:
            player.level = section.level
        bare = self.bare.get(kind, False)
        self.play_chords(chord, self.plan.refrain if kind == "chorus" else self.plan.figure, start)
        if not (bare and kind == "intro"):
            self.play_bass(chord, section.degree(bar + 1), start)
        if self.colours.get(kind, not bare):
            self.play_colour(chord, start)
        if kind in ("intro", "break", "outro") and not (kind == "intro" and not bare):
            self.play_lead(chord, start)
        if self.plan.drums:
            self.play_drums(section, bar, start, bare)
        if score.genre == "orchestral" and kind in ("chorus", "break", "outro"):
            root = 36 + (chord[0] - 36) % 12
            for step in "X...x..." if beats == 4 else "X..":
                if step != ".":
                    self.timpani.play(root, 90 * LOUD[step], start, 0.5)
                start += 0.5 if beats == 4 else 1.0

    def play_chords(self, chord: list[int], figure: Figure, start: float) -> None:
        """The main instrument for one bar."""
        steps = steps_of(figure, self.score.beats_per_bar)
        size = self.score.beats_per_bar / len(steps)
        low = 52 if self.plan.chords in ("distorted guitar", "overdriven guitar", "muted guitar") else 58
        if figure.kind == "power":
            notes = [40 + (chord[0] - 40) % 12 + shift for shift in (0, 7 if (chord[2] - chord[0]) % 12 == 7 else 12, 12)]
        else:
            notes = voiced(chord, low)
        ladder = [*notes[:3], notes[0] + 12]
        places = [place for place, step in enumerate(steps) if step != "."]
        for place, following in zip(places, [*places[1:], len(steps)], strict=True):
            step, at, until = steps[place], start + place * size, (following - place) * size
            if figure.kind == "broken":
                self.chords.play(ladder[int(step) - 1], 84 if place % 4 == 0 else 70, at, max(until, 0.5) * 1.4)
                continue
            velocity = {"strum": 80, "power": 86}.get(figure.kind, 78) * LOUD[step]
            length = min(until, 0.45) if figure.kind == "stab" else until * 0.96
            up = figure.kind == "strum" and place / len(steps) * self.score.beats_per_bar % 1 > 0
            ordered = notes[::-1][:3] if up else notes
            for order, pitch in enumerate(ordered):
                self.chords.play(pitch, velocity, at, length, 0.011 * order if figure.kind == "strum" else 0.0)

    def play_bass(self, chord: list[int], following: int, start: float) -> None:
        """The bass for one bar; a walking one goes by quarters and ends beside the next root."""
        beats = self.score.beats_per_bar
        root = 31 + (chord[0] - 31) % 12
        line = self.plan.bass_line[beats == 3] or self.plan.bass_line[0][: len(self.plan.bass_line[0]) * 3 // 4]
        named = {"R": root, "3": root + chord[1] - chord[0], "5": root + chord[2] - chord[0], "8": root + 12}
        if line == "walk":
            scale = [p for p in range(28, 56) if (p - self.score.key) % 12 in self.score.scale]
            goal = 31 + (tones(self.score, following)[0] - 31) % 12
            beside = min((p for p in scale if p != goal), key=lambda p: (abs(p - goal), self.rng.random()))
            middle = [int(p) for p in self.rng.permutation([named["3"], named["5"], named["8"]])[: beats - 2]]
            for place, pitch in enumerate([root, *sorted(middle, reverse=goal < root), beside]):
                self.bass.play(pitch, 96 if place % 2 == 0 else 88, start + place, 0.92)
            return
        size = beats / len(line)
        places = [place for place, step in enumerate(line) if step != "."]
        for place, end in zip(places, [*places[1:], len(line)], strict=True):
            self.bass.play(named[line[place]], 98 if place % 4 == 0 else 88, start + place * size, min((end - place) * size * 0.92, 2.0))

    def play_colour(self, chord: list[int], start: float) -> None:
        """A bed of long notes."""
        beats = self.score.beats_per_bar
        for pitch in voiced(chord[:3], 60):
            self.colour.play(pitch, 58, start, beats * 0.98)

    def play_lead(self, chord: list[int], start: float) -> None:
        """A phrase without words: tones of the chord on the beats, their neighbours between."""
        beats = self.score.beats_per_bar
        scale = [p for p in range(60, 88) if (p - self.score.key) % 12 in self.score.scale]
        inside = [index for index, pitch in enumerate(scale) if any((pitch - tone) % 12 == 0 for tone in chord)]
        index, place = int(self.rng.choice(inside)), 0.0
        while place < beats:
            length = min(float(self.rng.choice([0.5, 0.5, 1.0, 1.0, 1.5])), beats - place)
            index = int(np.clip(index + self.rng.integers(-2, 3), 0, len(scale) - 1))
            if place % 1 == 0:
                index = min(inside, key=lambda tone: abs(tone - index))
            self.lead.play(scale[index], 86, start + place, length * 0.92)
            place += length

    def play_drums(self, section: Section, bar: int, start: float, bare: bool) -> None:
        """The drums for one bar: a crash where a chorus or a verse begins, and a fill where a section ends."""
        beats, kind = self.score.beats_per_bar, section.kind
        groove = self.plan.refrain_groove if kind == "chorus" else self.plan.groove
        last = bar == section.bar + section.bars - 1 and kind != "outro"
        filled = beats - (1.0 if section.bars < 4 or self.rng.random() < 0.6 else 2.0) if last and kind != "break" else float(beats)
        thin = ("hat", "shaker", "maracas", "ride", "rim", "clave", "tambourine", "kick" if kind == "outro" else "pedal")
        for drum, written in groove.items():
            steps = written if len(written) == 4 * beats else written[: 4 * beats]
            if bare and drum not in thin:
                continue
            for place, step in enumerate(steps):
                if step != "." and (place / 4 < filled or drum == "kick"):
                    self.drums.play(DRUMS[drum], HIT.get(drum, 96) * LOUD[step], start + place / 4, 0.12)
        if bar == section.bar and kind in ("verse", "chorus") and bar:
            self.drums.play(DRUMS[self.style.crash], HIT.get(self.style.crash, 96), start, 1.0)
        if filled < beats and groove:
            count = int((beats - filled) * 4)
            for place in range(count):
                if place % 2 == 0 or self.rng.random() < 0.6:
                    drum = self.style.fill[place * len(self.style.fill) // count]
                    self.drums.play(DRUMS[drum], 74 + 24 * place / count, start + filled + place / 4, 0.12)


def play(score: Score, attempt: int = 0) -> "pretty_midi.PrettyMIDI":
    """The whole accompaniment as MIDI, through the last bar that the score's seconds reach."""
    import pretty_midi

    band = Band(score, attempt)
    for section in score.sections:
        for bar in range(section.bar, section.bar + section.bars):
            if bar * score.bar < score.seconds:
                band.bar(section, bar)
    midi = pretty_midi.PrettyMIDI(initial_tempo=score.bpm)
    midi.instruments = [player.part for player in band.players if player.part.notes]
    return midi


def synthesise(score: Score, folder: Path) -> np.ndarray:
    """fluidsynth's sound of the score, (2, N). ValueError where it fails, or does not end, three times."""
    midi, wave = folder / "song.mid", folder / "song.wav"
    room = arrange(score).room
    options = [f"synth.reverb.room-size={room:.3f}", "synth.dynamic-sample-loading=1", "synth.chorus.active=0"]
    settings = [word for option in options for word in ("-o", option)]
    command = ["fluidsynth", "-ni", "-q", *settings, "-g", "0.5", "-r", str(SAMPLE_RATE), "-F", str(wave), "-T", "wav", "-O", "s16"]
    limited = ["sh", "-c", f'ulimit -f {LARGEST // 512}; exec "$@"', "sh", *command, str(SOUND_FONT), str(midi)]  # in blocks of 512 bytes
    reason = ""
    for attempt in range(TRIES):
        wave.unlink(missing_ok=True)
        play(score, attempt).write(str(midi))
        try:
            result = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            reason = f"it took more than {PATIENCE} s"
            continue
        if result.returncode == 0 and wave.exists():
            return audio.read(wave)[0].numpy()
        reason = result.stderr.strip() or f"it ended with status {result.returncode}"
    raise ValueError(f"fluidsynth could not render the backing: {reason}")


def render(score: Score) -> np.ndarray:
    """The accompaniment's sound, (2, seconds * 44100) float32, ending in a 0.2 s fade. ValueError where fluidsynth is missing."""
    if not available():
        packages = "apt-get install fluidsynth fluid-soundfont-gm"
        raise ValueError(f"the backing needs fluidsynth and {SOUND_FONT}; install both (Debian: {packages})")
    with tempfile.TemporaryDirectory() as folder:
        heard = synthesise(score, Path(folder))
    samples = np.zeros((2, round(score.seconds * SAMPLE_RATE)), np.float32)
    heard = heard[:, : samples.shape[1]]
    samples[:, : heard.shape[1]] = heard
    fade = min(int(0.2 * SAMPLE_RATE), samples.shape[1])
    samples[:, samples.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return samples
