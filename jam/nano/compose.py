"""Songs on paper: sections, lyrics, melody, tempo, key and arrangement of one synthetic song, drawn from a named seed.

A `Score` says everything that the voice and the backing need. The module knows nothing of sound.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jam.nano import texts
from jam.nano.pronunciation import phones_of, syllables
from jam.nano.voice import VOICES, Note, SungWord

LONGEST = 62.0  # seconds; the embedded model's canvas of 1344 latent frames lasts 62.4 s
SHORT, USUAL = (8.0, 14.0), (13.0, 61.5)  # seconds that songs last
SHORT_SHARE = 0.12
LAST_SILENCE = (0.3, 4.0)  # seconds between the last word and the end
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
VOCAL_RANGE = {"kal16": (40, 52), "rms": (45, 57), "awb": (48, 60), "slt": (57, 69)}  # MIDI numbers
GENRES = ("pop", "rock", "folk", "electronic", "hiphop", "jazz", "latin", "orchestral")
TEMPO = {
    **{"pop": (92, 128), "rock": (108, 160), "folk": (72, 116), "electronic": (116, 140)},
    **{"hiphop": (70, 100), "jazz": (84, 156), "latin": (84, 132), "orchestral": (60, 104)},
}
WALTZES = {"pop": 0.08, "folk": 0.3, "jazz": 0.2, "orchestral": 0.3}  # share of songs in 3/4
MINOR_SHARE = {"electronic": 0.6, "hiphop": 0.6, "rock": 0.4, "latin": 0.5, "orchestral": 0.45}
Progression = tuple[int, ...]  # scale degrees from 0, one a bar
PROGRESSIONS: dict[str, tuple[tuple[Progression, ...], tuple[Progression, ...]]] = {  # genre: in major, in minor
    "pop": (
        ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (3, 4, 0, 5), (0, 2, 3, 4), (0, 3, 5, 4)),
        ((0, 5, 2, 6), (0, 3, 5, 6), (5, 6, 0, 0), (0, 6, 5, 6), (0, 2, 5, 3)),
    ),
    "rock": (
        ((0, 3, 4, 3), (0, 4, 3, 3), (0, 0, 3, 4), (0, 3, 0, 4), (5, 3, 0, 4)),
        ((0, 6, 5, 6), (0, 0, 5, 6), (0, 2, 6, 3), (0, 5, 6, 0), (0, 3, 0, 6)),
    ),
    "folk": (
        ((0, 3, 0, 4), (0, 4, 3, 0), (0, 0, 3, 4), (0, 5, 3, 0), (0, 3, 4, 0), (0, 1, 4, 0)),
        ((0, 6, 0, 6), (0, 3, 0, 6), (0, 6, 5, 6), (0, 2, 6, 0), (0, 0, 6, 0)),
    ),
    "electronic": (
        ((5, 3, 0, 4), (0, 2, 5, 3), (0, 0, 5, 3), (3, 0, 4, 5), (0, 4, 1, 3)),
        ((0, 5, 2, 6), (0, 0, 5, 6), (0, 3, 5, 2), (5, 6, 0, 2), (0, 6, 3, 5)),
    ),
    "hiphop": (
        ((0, 3, 0, 3), (1, 4, 0, 0), (0, 5, 1, 4), (0, 2, 3, 2), (3, 2, 1, 0)),
        ((0, 0, 5, 4), (0, 5, 0, 6), (0, 3, 0, 3), (5, 4, 0, 0), (0, 0, 3, 5)),
    ),
    "jazz": (
        ((1, 4, 0, 0), (0, 5, 1, 4), (2, 5, 1, 4), (0, 3, 2, 5, 1, 4, 0, 0), (3, 3, 0, 5, 1, 4, 0, 4)),
        ((0, 3, 0, 4), (1, 4, 0, 0), (0, 5, 1, 4), (3, 6, 2, 5, 1, 4, 0, 0), (0, 0, 3, 3, 1, 4, 0, 4)),
    ),
    "latin": (
        ((0, 3, 4, 3), (0, 5, 1, 4), (0, 4, 0, 4), (1, 4, 0, 0), (0, 0, 1, 4)),
        ((0, 6, 5, 4), (0, 3, 4, 0), (0, 0, 3, 4), (3, 6, 2, 5), (0, 4, 0, 4)),
    ),
    "orchestral": (
        ((0, 4, 5, 2, 3, 0, 3, 4), (0, 3, 1, 4), (0, 5, 3, 4), (0, 2, 5, 3), (3, 4, 2, 5)),
        ((0, 5, 2, 6), (0, 3, 6, 2, 5, 1, 4, 0), (0, 5, 3, 4), (0, 6, 5, 4), (0, 2, 3, 4)),
    ),
}
SYLLABLE = {"hiphop": (0.16, 0.32), "orchestral": (0.22, 0.6), "rock": (0.17, 0.5), "jazz": (0.18, 0.55)}  # seconds; others 0.17 to 0.5
SHORTEST_NOTE = 0.135  # seconds; less the gap that follows a word it is still above 0.1
FORMS = (  # what follows what in songs of some length; taken round until the song is full
    ("intro", "verse", "chorus", "break", "verse", "chorus"),
    ("intro", "verse", "chorus", "verse", "chorus", "break"),
    ("verse", "chorus", "verse", "chorus", "break"),
    ("verse", "chorus", "break", "verse", "chorus"),
    ("chorus", "verse", "chorus", "break", "verse"),
    ("intro", "verse", "verse", "chorus", "break"),
    ("verse", "break", "verse", "chorus"),
)
LEVEL = {"intro": (0.7, 0.9), "verse": (0.72, 0.88), "chorus": (0.98, 1.12), "break": (0.6, 0.85), "outro": (0.65, 0.85)}
SMALL_WORDS = frozenset(["the", "a", "of", "to", "and", "in", "my", "is", "i", "on", "at", "it", "for", "be"])


@dataclass(frozen=True)
class Section:
    """`bars` bars of a song from bar number `bar` on; `level` scales how hard the band plays."""

    kind: str  # intro, verse, chorus, break or outro
    bar: int
    bars: int
    progression: Progression
    level: float

    def degree(self, bar: int) -> int:
        """The scale degree of the chord of the song's bar number `bar`."""
        return self.progression[(bar - self.bar) % len(self.progression)]


@dataclass(frozen=True)
class Score:
    """One song on paper. `arrangement` seeds the backing's own choices of instruments and patterns; `lines` are the words of each line."""

    genre: str
    bpm: float
    beats_per_bar: int
    key: int  # pitch class of the tonic, 0 is C
    minor: bool
    seconds: float
    words: tuple[SungWord, ...]
    arrangement: int
    voice: str
    sections: tuple[Section, ...]  # they follow each other from bar 0 on, the last one beyond the end
    lines: tuple[int, ...] = ()

    @property
    def beat(self) -> float:
        """Seconds a beat."""
        return 60.0 / self.bpm

    @property
    def bar(self) -> float:
        """Seconds a bar."""
        return self.beat * self.beats_per_bar

    @property
    def scale(self) -> tuple[int, ...]:
        """Semitones above the tonic."""
        return MINOR if self.minor else MAJOR


def anything(word: str) -> bool:
    """Accepts any word."""
    return bool(word)


def voice_of(seed: int) -> str:
    """The singer of the song of `seed`; independent of its genre."""
    return VOICES[int(np.random.default_rng([seed, 5]).integers(len(VOICES)))]


def nothing_preferred(_seconds: float) -> frozenset[int]:
    """No pitch class is better than another."""
    return frozenset()


class Melody:
    """A walk over the scale within the voice's range, in phrases of a drawn shape; `preferred` tells the pitch classes for a time."""

    def __init__(
        self,
        rng: np.random.Generator,
        key: int,
        scale: Sequence[int],
        voice: str,
        preferred: Callable[[float], frozenset[int]] = nothing_preferred,
    ) -> None:
        low, high = VOCAL_RANGE[voice]
        self.rng = rng
        self.pitches = [pitch for pitch in range(low, high + 1) if (pitch - key) % 12 in scale]
        self.index = int(rng.integers(2, len(self.pitches) - 2))
        self.preferred = preferred
        self.shape: tuple[float, ...] = ()
        self.sung, self.notes = 0, 1

    def phrase(self, notes: int) -> None:
        """Begins a phrase of about `notes` notes: it rises, falls, arches, dips, or wanders."""
        shapes = ((-1.0, 1.0), (1.0, -1.0), (-0.7, 1.0, -0.6), (0.8, -1.0, 0.6), (0.5, 0.5, -1.0), (-0.8, 0.6, -0.2, 0.8), ())
        self.shape = shapes[int(self.rng.integers(len(shapes)))]
        self.sung, self.notes = 0, max(1, notes)

    def step(self, at: float = -1.0) -> int:
        """The next MIDI number, for a note at `at` seconds."""
        highest = len(self.pitches) - 1
        move = int(self.rng.integers(-2, 3))
        if self.shape:
            place = np.interp(self.sung / self.notes, np.linspace(0, 1, len(self.shape)), self.shape)
            pull = highest * (0.5 + 0.4 * float(place)) - self.index
            if abs(pull) >= 1 and self.rng.random() < 0.7:
                move = int(math.copysign(self.rng.integers(1, 3), pull))
        self.sung += 1
        self.index = int(np.clip(self.index + move, 0, highest))
        wanted = self.preferred(at)
        if wanted and self.rng.random() < 0.75:
            near = [index for index, pitch in enumerate(self.pitches) if pitch % 12 in wanted]
            self.index = min(near, key=lambda index: (abs(index - self.index), index)) if near else self.index
        return self.pitches[self.index]


def pace(rng: np.random.Generator, beat: float, fastest: float = 0.17, slowest: float = 0.5) -> float:
    """Seconds a syllable: a simple part of the beat between `fastest` and `slowest`."""
    parts = (0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0)
    choices = [part * beat for part in parts if fastest <= part * beat <= slowest]
    return float(rng.choice(choices)) if choices else 0.35


def place_line(words: Sequence[str], start: float, step: float, beat: float, melody: Melody) -> list[SungWord]:
    """Times and notes for `words` from `start` seconds on, about `step` seconds a syllable; the last word is held.

    A syllable has one note, and now and then the last one of a word has more.
    """
    rng, sung, now = melody.rng, [], start
    gap = float(rng.choice([0.0, 0.015, 0.03]))
    counts = [syllables(phones_of(word)) for word in words]
    melody.phrase(sum(counts))
    for index, (word, count) in enumerate(zip(words, counts, strict=True)):
        begin, notes = now, []
        last = index == len(words) - 1
        for syllable in range(count):
            length = step * float(rng.choice([0.75, 1.0, 1.0, 1.0, 1.0, 1.25]))
            if count == 1 and word in SMALL_WORDS:
                length *= 0.8
            parts = 1
            if syllable == count - 1:
                if last:
                    length += beat * float(rng.choice([0.25, 0.5, 1.0, 1.5, 2.0], p=[0.22, 0.26, 0.26, 0.16, 0.1]))
                elif rng.random() < 0.08:
                    length += beat * float(rng.choice([0.5, 1.0]))
                if word not in SMALL_WORDS and rng.random() < (0.2 if last else 0.05):
                    parts = int(rng.integers(2, 5))
                    length = max(length, 0.17 * parts)
            length = max(length + float(rng.normal(0, 0.006)), SHORTEST_NOTE)
            for part in range(parts):
                notes.append(Note(now + length * part / parts, now + length * (part + 1) / parts, melody.step(now)))
            now += length
        sung.append(SungWord(word, begin, now - gap, tuple(notes)))
        if rng.random() < 0.08 and not last:
            now += float(rng.uniform(0.1, 0.6))
    return sung


def next_start(rng: np.random.Generator, after: float, beat: float, bar: float) -> float:
    """When the line after one that ended at `after` begins: at the next beat, the next bar, or a bar later, sometimes loosely."""
    chance = rng.random()
    if chance < 0.45:
        start = math.ceil(after / beat) * beat
    else:
        start = math.ceil(after / bar) * bar + (bar if chance > 0.95 else 0.0) + beat * float(rng.choice([0.0, 0.0, 0.5]))
    return start + float(rng.uniform(0.0, 0.03)) + 0.02


def moved(words: Sequence[SungWord], seconds: float) -> list[SungWord]:
    """The same words and notes, `seconds` later."""
    return [
        SungWord(w.word, w.start + seconds, w.end + seconds, tuple(Note(n.start + seconds, n.end + seconds, n.pitch) for n in w.notes))
        for w in words
    ]


@dataclass(frozen=True)
class Passage:
    """What is sung in one section: its lines, and where the section began (seconds)."""

    start: float
    lines: tuple[tuple[SungWord, ...], ...]


class Writer:
    """Fills one song from its start to about `target` seconds, section by section."""

    def __init__(
        self, rng: np.random.Generator, genre: str, voice: str, accept: Callable[[str], bool], split: str, target: float, short: bool
    ) -> None:
        self.rng, self.genre, self.accept, self.split, self.target, self.short = rng, genre, accept, split, target, short
        self.bpm = float(rng.integers(*TEMPO[genre], endpoint=True))
        self.beat = 60.0 / self.bpm
        self.beats_per_bar = 3 if rng.random() < WALTZES.get(genre, 0.0) else 4
        self.bar = self.beat * self.beats_per_bar
        self.key, self.minor = int(rng.integers(12)), bool(rng.random() < MINOR_SHARE.get(genre, 0.25))
        self.scale = MINOR if self.minor else MAJOR
        choices = PROGRESSIONS[genre][self.minor]
        first, second = (choices[int(place)] for place in rng.permutation(len(choices))[:2])
        self.progressions = {"verse": first, "chorus": second}
        self.levels = {kind: float(rng.uniform(*LEVEL[kind])) for kind in LEVEL}
        self.melody = Melody(rng, self.key, self.scale, voice, self.chord_tones)
        self.pace = SYLLABLE.get(genre, (0.17, 0.5))
        wanted = float(rng.uniform(6.0, 10.0) if target < 26 else rng.uniform(8.0, 15.0))
        self.bars = {kind: self.whole_bars(wanted * scale) for kind, scale in (("verse", 1.0), ("chorus", float(rng.choice([0.7, 1.0]))))}
        self.sections: list[Section] = []
        self.words: list[SungWord] = []
        self.lines: list[int] = []
        self.chorus: Passage | None = None

    def whole_bars(self, seconds: float) -> int:
        """The number of bars, as songs have them, that lasts nearest to `seconds`."""
        return min((2, 3, 4, 6, 8, 12), key=lambda bars: (abs(bars * self.bar - seconds) * (1.0 if bars in (2, 4, 8) else 1.6), bars))

    def chord_tones(self, seconds: float) -> frozenset[int]:
        """On strong beats the pitch classes of the chord; none elsewhere."""
        beats = seconds / self.beat
        place = round(beats)
        if not self.sections or abs(beats - place) > 0.15 or place % self.beats_per_bar % 2:
            return frozenset()
        degree = self.sections[-1].degree(place // self.beats_per_bar)
        return frozenset((self.key + self.scale[(degree + third) % 7]) % 12 for third in (0, 2, 4))

    def add(self, kind: str, bars: int) -> Section:
        """One more section."""
        bar = self.sections[-1].bar + self.sections[-1].bars if self.sections else 0
        progression = self.progressions["chorus" if kind == "chorus" else "verse"]
        self.sections.append(Section(kind, bar, bars, progression, self.levels[kind]))
        return self.sections[-1]

    def sing(self, kind: str) -> bool:
        """One verse or chorus; False where no line had room. Its bars end with its last word where the song is full."""
        section = self.add(kind, self.bars[kind])
        begin = section.bar * self.bar
        end = min((section.bar + section.bars) * self.bar - 0.05, self.target - LAST_SILENCE[0])
        if kind == "chorus" and self.chorus:
            later = [moved(line, begin - self.chorus.start) for line in self.chorus.lines]
            passage = [line for line in later if line[-1].end <= end]
        else:
            passage = self.new_lines(begin, end)
        if not passage:
            self.sections.pop()
            return False
        if kind == "chorus" and not self.chorus:
            self.chorus = Passage(begin, tuple(tuple(line) for line in passage))
        for line in passage:
            self.words += line
            self.lines.append(len(line))
        bars = math.ceil(passage[-1][-1].end / self.bar) - section.bar
        if bars <= section.bars - 2:  # no long waiting for the next section
            self.sections[-1] = replace(section, bars=bars)
        return True

    def new_lines(self, begin: float, end: float) -> list[list[SungWord]]:
        """Fresh lines, each a whole one, between two times."""
        rng, beat = self.rng, self.beat
        slowest, tries = self.pace[1], 0
        passage: list[list[SungWord]] = []
        step = pace(rng, beat, *self.pace)
        drawn: list[list[str]] = []
        start = begin + beat * float(rng.choice([0.0, 0.0, 0.5, 1.0])) + float(rng.uniform(0.02, 0.05))
        start = max(start, 0.3 + float(rng.uniform(0.0, 0.1)))
        while start < end - 0.8 and tries < 8:
            if rng.random() < 0.2:
                step = pace(rng, beat, self.pace[0], slowest)
            drawn = drawn or texts.draw_verse(rng, 1 if tries or end - start < 5 else 2, self.accept, self.split)
            words = drawn.pop(0)
            placed = place_line(words, start, step, beat, self.melody)
            if placed[-1].end > end:
                tries += 1
                slowest = max(self.pace[0] + 0.08, 0.8 * slowest)
                step = min(step, pace(rng, beat, self.pace[0], slowest), 0.35)
                continue
            tries = 0
            passage.append(placed)
            start = next_start(rng, placed[-1].end, beat, self.bar)
        return passage

    def write(self) -> None:
        """The whole song."""
        form = ("intro", "verse") if self.short else FORMS[int(self.rng.integers(len(FORMS)))]
        if self.short:
            self.bars["verse"] = max(1, math.ceil(self.target / self.bar))
        place = 0
        while True:
            kind = form[place % len(form)]
            if kind == "intro":
                self.prelude()
            elif kind == "break":
                self.interlude()
            elif not self.sing(kind):
                if self.words:
                    break
                self.bars = {name: bars + 1 for name, bars in self.bars.items()}  # no line had room: give it more
                self.sections = []
            place += 1
            if self.words and (self.short or self.target - self.now < 3.0):
                break
        while self.sections[-1].kind == "break":
            self.sections.pop()

    @property
    def now(self) -> float:
        """Seconds at which the sections so far end."""
        return (self.sections[-1].bar + self.sections[-1].bars) * self.bar if self.sections else 0.0

    def prelude(self) -> None:
        """An introduction of one or two bars where there is time for one."""
        longest = 2.2 if self.short else 5.2
        bars = [bars for bars in (1, 2) if bars * self.bar <= longest]
        if bars and not self.sections and self.rng.random() < (0.4 if self.short else 0.9):
            self.add("intro", int(self.rng.choice(bars)))

    def interlude(self) -> None:
        """One or two bars without words, where enough of the song is left."""
        if self.words and self.target - self.now > self.bar + 6.0:
            self.add("break", 2 if self.bar < 2.6 and self.rng.random() < 0.6 else 1)

    def end(self) -> float:
        """When the song ends; what is left after the last sung bar is an outro."""
        last = self.words[-1].end
        seconds = min(self.target, max(last + float(self.rng.uniform(*LAST_SILENCE)), min(last + LAST_SILENCE[1], SHORT[0])))
        section = self.sections[-1]
        self.sections[-1] = replace(section, bars=max(1, math.ceil(last / self.bar) - section.bar))
        if seconds > self.now:
            self.add("outro", math.ceil((seconds - self.now) / self.bar))
        return seconds


def compose(
    seed: int,
    voice: str | None = None,
    accept: Callable[[str], bool] = anything,
    split: str = "train",
    seconds: float | None = None,
) -> Score:
    """The song of `seed`: 8 to 62 s (one in eight short), genre by seed in turn, everything else drawn.

    `voice` None draws the singer; words are of the texts' `split` and such as `accept` takes. With `seconds` the song lasts at most
    those, and seldom 4 s less. ValueError for less than 8 s.
    """
    if seconds is not None and seconds < SHORT[0]:
        raise ValueError(f"a song of {seconds:g} s is too short; ask for {SHORT[0]:g} s or more")
    rng = np.random.default_rng([seed, 1])
    genre, voice = GENRES[seed % len(GENRES)], voice or voice_of(seed)
    short = bool(rng.random() < SHORT_SHARE)
    target = float(rng.uniform(*SHORT) if short else rng.uniform(*USUAL))
    if seconds is not None:
        short, target = seconds < SHORT[1], min(seconds, LONGEST)
    writer = Writer(rng, genre, voice, accept, split, target, short)
    writer.write()
    length = writer.end()
    return Score(
        genre=genre,
        bpm=writer.bpm,
        beats_per_bar=writer.beats_per_bar,
        key=writer.key,
        minor=writer.minor,
        seconds=length,
        words=tuple(writer.words),
        arrangement=int(rng.integers(2**31)),
        voice=voice,
        sections=tuple(writer.sections),
        lines=tuple(writer.lines),
    )
