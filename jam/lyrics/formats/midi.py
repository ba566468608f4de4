"""MIDI files with lyrics: lyric events, or the text events of karaoke (.kar). The door to mido, which parses and writes them.

Syllables are joined into words, a word lasts as long as its notes, markers are sections. What the notes are is not kept: only when they
begin and end.
"""

from __future__ import annotations

import io
import re
import struct
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from jam.lyrics.formats.syllabic import Token, label_of, marks_of, sections_of, sheet_of
from jam.lyrics.sheet import PLAN, Sheet, is_sung

MOST_BYTES = 16_000_000  # songs are a thousandth of it
MOST_TICKS = 2**40  # of a track
DEFAULT_TEMPO = 500_000  # microseconds a beat, where a file says none
LONGEST_UNSUNG = 1.0  # seconds of a word without notes, where the next one comes later
BPM = 120.0  # of written files, where the sheet has none
TICKS_PER_SECOND = 2000  # of written files: times come back within half a tick
SLOWEST, FASTEST = 4.0, 1000.0  # beats a minute that can be written with such ticks
NOTE, VELOCITY = 60, 80  # of written notes; the melody is not known
DRUMS = 9  # the channel that has no voice
SUNG_BY = 0.4  # the part of the syllables with which a voice's notes must begin
LANGUAGES = {"FREN": "fr", "FRAN": "fr", "GERM": "de", "DEUT": "de", "SPAN": "es", "ESPA": "es", "ITAL": "it", "PORT": "pt", "DUTC": "nl"}
ENGLISH = ("ENGL", "EN")
HOLDS = ("-", "_", "~", "+", "=", "--", "__")  # a syllable that only goes on

_BREAKS = re.compile(r"[\r\n]+|^\s*[/\\]+")
_ENDLESS = re.compile(rb"[\x80-\xff]{4096}")  # a number whose last byte never comes, over which mido would count for hours
_TAG = re.compile(r"\{[#@][^{}]*\}")  # of lyric events: {@LATIN}, {#Title=...}
_DULL = re.compile(r"(?i)\s*(?:(?:words|lyrics|melody|vocals?|voice|tempo|conductor|soft karaoke|untitled|track|midi)\b.*)?")


@dataclass(frozen=True)
class _Event:
    """A text of a track: when it is (ticks), of what type, and the number of its event in the track, from 1."""

    tick: int
    type: str
    text: str
    track: int
    number: int


@dataclass
class _Score:
    """What a file holds: texts, the notes (start, end) of each voice, tempo changes (tick, microseconds a beat), and its last tick."""

    ticks_per_beat: int
    texts: list[_Event] = field(default_factory=list)
    voices: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)  # by track and channel
    tempos: list[tuple[int, int]] = field(default_factory=lambda: [(0, DEFAULT_TEMPO)])
    end: int = 0
    tracks: int = 0

    def seconds(self, tick: int) -> float:
        """When a tick is."""
        index = bisect_right(self._ticks, tick) - 1
        return round(self._seconds[index] + (tick - self._ticks[index]) * self.tempos[index][1] / 1e6 / self.ticks_per_beat, 3)

    @cached_property
    def _ticks(self) -> list[int]:
        return [tick for tick, _ in self.tempos]

    @cached_property
    def _seconds(self) -> list[float]:
        times = [0.0]
        for index, (tick, tempo) in enumerate(self.tempos[:-1]):
            times.append(times[-1] + (self._ticks[index + 1] - tick) * tempo / 1e6 / self.ticks_per_beat)
        return times


@dataclass(frozen=True)
class _Syllable:
    """A text that is sung from a tick on. `opens` and `closes` a line; `text` keeps its spaces, which divide words."""

    tick: int
    text: str
    number: int
    opens: bool = False


@dataclass
class _Group:
    """The syllables of a word (or of words that one event holds)."""

    text: str
    ticks: list[int]
    number: int
    opens: bool


def read(content: bytes, where: str) -> Sheet:
    """The sheet of a MIDI file: its lyric events, or karaoke's text events, of the track that has most of them.

    A word begins with its first syllable and ends with the last note that begins before the next one. Raises ValueError, in one line,
    for a file that is broken, has no lyrics, is of format 2, or counts time in frames.
    """
    score, remarks = _parsed(content, where)
    chosen = _chosen(score, where, remarks)
    syllables = list(_syllables(chosen))
    groups = _joined(syllables)
    ends = _ends(score, chosen[0].track, [tick for group in groups for tick in group.ticks], remarks)
    end = score.seconds(score.end)
    marks = [(score.seconds(event.tick), event.text.strip()) for event in score.texts if event.type == "marker"]
    sheet = sheet_of(_rows(groups, score, ends), sections_of(marks, end), where)
    if not any(group.opens for group in groups[1:]) and any(_BREAKS.search(event.text) for event in chosen):
        sheet = replace(sheet, lines=tuple(replace(line, words=sheet.words) for line in sheet.lines[:1]))  # one line, as the file says
    title, language = _facts(score, remarks)
    duration = end if end > max(ends, default=0.0) + 1e-3 else None  # a file that ends with its last note does not say how long the song is
    return replace(sheet, title=title, language=language, bpm=_bpm(score), duration=duration, remarks=(*remarks, *sheet.remarks))


def write(sheet: Sheet) -> bytes:
    """The sheet as MIDI of format 1: lyric events with a note of one pitch for each word, lines ended by `\\r`, sections as markers.

    Times come back within a millisecond. Raises ValueError for words without times or out of order, a sheet without words,
    and a tempo that MIDI cannot hold.
    """
    import mido

    _check(sheet)
    bpm = sheet.bpm or BPM
    if not SLOWEST <= bpm <= FASTEST:
        raise ValueError(f"the tempo is {bpm:g} beats a minute, which MIDI cannot hold; give one from {SLOWEST:g} to {FASTEST:g}")
    tempo = round(60e6 / bpm)
    ticks_per_beat = max(96, min(32767, round(tempo / 1e6 * TICKS_PER_SECOND)))
    scale = ticks_per_beat * 1e6 / tempo
    last = round(max(sheet.duration or 0.0, *(word.end or 0.0 for word in sheet.words)) * scale)
    tracks = [_track(events, last) for events in (_conductor(sheet, tempo, scale), _voice(sheet, scale))]
    written = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat, tracks=tracks).save(file=written)
    return written.getvalue()


def _parsed(content: bytes, where: str) -> tuple[_Score, list[str]]:
    """What the file holds, and remarks. Raises ValueError for what cannot be read."""
    import mido
    from mido.midifiles.meta import KeySignatureError

    begin = content.find(b"MThd") if content.startswith(b"RIFF") else 0
    if len(content) > MOST_BYTES:
        raise ValueError(f"{where}: has {len(content):,} bytes, too many for a song; give a MIDI file of less than {MOST_BYTES:,}")
    if _ENDLESS.search(content):
        raise ValueError(f"{where}: is no MIDI file that can be read (a number in it has no end); save it anew")
    try:
        song = mido.MidiFile(file=io.BytesIO(content[max(0, begin) :]), clip=True)
    except EOFError as error:
        raise ValueError(f"{where}: the MIDI file ends in the middle of an event; save it anew") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error, OverflowError, KeySignatureError) as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise ValueError(f"{where}: is no MIDI file that can be read ({reason}); save it anew") from error
    if song.type == 2:
        raise ValueError(f"{where}: is MIDI of format 2, whose tracks are songs of their own; save one of them as format 0 or 1")
    if song.ticks_per_beat <= 0:
        raise ValueError(f"{where}: counts time in frames (SMPTE), not in beats; save it with ticks per quarter note")
    return _gathered(song, where)


def _gathered(song: Any, where: str) -> tuple[_Score, list[str]]:
    """The events of all tracks, with their ticks, and remarks."""
    score = _Score(song.ticks_per_beat, tracks=len(song.tracks))
    tempos: dict[int, int] = {0: DEFAULT_TEMPO}
    encoding, remarks = _encoding(song)
    for index, track in enumerate(song.tracks, start=1):
        tick = 0
        for number, message in enumerate(track, start=1):
            tick += message.time
            if tick > MOST_TICKS:
                raise ValueError(f"{where}: track {index}, event {number}: is later than any song lasts; save it anew")
            if message.type == "set_tempo":
                if not message.tempo:
                    raise ValueError(f"{where}: track {index}, event {number}: the tempo is 0 microseconds a beat; mend it")
                tempos[tick] = message.tempo
            elif (text := _text_of(message)) is not None:
                decoded = text.encode("latin-1").decode(encoding, errors="replace")
                score.texts.append(_Event(tick, message.type, decoded, index, number))
        score.end = max(score.end, tick)
        _add_notes(score, index, track, tick)
    score.tempos = sorted(tempos.items())
    return score, remarks


def _text_of(message: Any) -> str | None:
    if message.type == "track_name":
        return str(message.name)
    return str(message.text) if message.type in ("lyrics", "text", "marker", "cue_marker") else None


def _encoding(song: Any) -> tuple[str, list[str]]:
    """In which encoding all texts of the file are, and a remark where that is a guess. mido reads each byte as a letter of Latin-1."""
    texts = (_text_of(message) for track in song.tracks for message in track)
    try:
        for text in texts:
            if text is not None:
                text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252", ["its texts are not UTF-8, so they are read as Windows-1252"]
    return "utf-8", []


def _add_notes(score: _Score, index: int, track: Any, last: int) -> None:
    """Adds the notes of a track to its voices, by channel; one that never ends lasts as long as the track."""
    sounding: dict[tuple[int, int], list[int]] = {}  # of each channel and pitch: which notes of its voice
    tick = 0
    for message in track:
        tick += message.time
        if message.type not in ("note_on", "note_off"):
            continue
        begun = sounding.setdefault((message.channel, message.note), [])
        voice = score.voices.setdefault((index, message.channel), [])
        if message.type == "note_on" and message.velocity:
            begun.append(len(voice))
            voice.append((tick, last))
        elif begun:
            number = begun.pop(0)
            voice[number] = (voice[number][0], tick)


def _chosen(score: _Score, where: str, remarks: list[str]) -> list[_Event]:
    """The events that are sung: of the track that has most. Raises ValueError where there are none."""
    for type_ in ("lyrics", "text"):
        sung = [event for event in score.texts if event.type == type_ and is_sung(_TAG.sub("", event.text)) and not _is_tag(event)]
        if type_ == "text" and not _is_karaoke(score, sung):
            break
        if sung:
            counts = Counter(event.track for event in sung)
            best = max(counts, key=lambda track: counts[track])
            others = [(track, count) for track, count in counts.items() if track != best]
            remarks += [f"track {track}: its {count} syllables are not sung; track {best} has more" for track, count in others]
            return [event for event in score.texts if event.type == type_ and event.track == best and not _is_tag(event)]
    raise ValueError(f"{where}: holds no lyrics; write them as lyric events in the singer's track")


def _is_tag(event: _Event) -> bool:
    """Whether an event says something of the song, as karaoke's `@T` does; a lyric event sings `@`."""
    return event.type == "text" and event.text[:1] == "@"


def _is_karaoke(score: _Score, sung: Sequence[_Event]) -> bool:
    """Whether text events are words to sing, not notes about the file."""
    marked = any(_is_tag(event) for event in score.texts) or any(event.text[:1] in ("/", "\\") for event in sung)
    return marked and any(event.tick for event in sung)


def _syllables(events: Sequence[_Event]) -> Iterator[_Syllable]:
    """What each event sings; an event that holds a line's end in the middle gives two. Tags and empty events give none."""
    opens = True
    for event in events:
        text = _TAG.sub("", event.text)
        at = 0
        for found in [*_BREAKS.finditer(text), None]:
            piece = text[at : found.start() if found else None]
            if piece:
                yield _Syllable(event.tick, piece, event.number, opens)
                opens = False
            if found is not None:
                opens, at = True, found.end()


def _joined(syllables: Sequence[_Syllable]) -> list[_Group]:
    """Syllables as words. Where any has a space at its side, spaces divide words; else words end but after a hyphen."""
    spaced = any(syllable.text != syllable.text.strip() and syllable.text.strip() for syllable in syllables)
    hyphened = not spaced or _drops_hyphens(syllables)
    groups: list[_Group] = []
    goes_on = False
    for syllable in syllables:
        text = syllable.text.strip()
        held = not text or text in HOLDS
        if held and groups and not syllable.opens:
            goes_on = goes_on and not (spaced and syllable.text[-1:].isspace())
            continue  # its notes are the former syllable's
        if goes_on and groups and not syllable.opens and not syllable.text[:1].isspace():
            group = groups[-1]
            group.text = (group.text[:-1] if hyphened and group.text.endswith("-") else group.text) + text
            group.ticks.append(syllable.tick)
        elif not held:
            groups.append(_Group(text, [syllable.tick], syllable.number, syllable.opens))
        goes_on = not syllable.text[-1:].isspace() if spaced else text.endswith("-")
    return groups


def _drops_hyphens(syllables: Sequence[_Syllable]) -> bool:
    """Whether a hyphen only says that a word goes on: most syllables that go on have one."""
    going = [
        one.text.endswith("-")
        for one, after in zip(syllables, syllables[1:], strict=False)
        if not (one.text[-1:].isspace() or after.text[:1].isspace() or after.opens or one.text in HOLDS)
    ]
    return sum(going) * 2 > len(going)


def _ends(score: _Score, track: int, ticks: Sequence[int], remarks: list[str]) -> list[float]:
    """When each syllable ends, in seconds: with the last of its notes to end; one without notes at the next, or after `LONGEST_UNSUNG`."""
    notes = _voice_of(score, track, ticks)
    if not notes:
        remarks.append(f"no notes begin with the syllables, so each lasts until the next one, {LONGEST_UNSUNG:g} s at most")
    starts = [start for start, _ in notes]
    ends = []
    for index, tick in enumerate(ticks):
        following = ticks[index + 1] if index + 1 < len(ticks) else score.end + 1
        twins = ticks[:index].count(tick) if index and ticks[index - 1] == tick else 0
        first = bisect_left(starts, tick) + twins
        own = notes[first : first + 1] if following == tick else notes[first : bisect_left(starts, following)]
        if own:
            ends.append(score.seconds(max(end for _, end in own)))
        else:
            latest = score.seconds(tick) + LONGEST_UNSUNG
            ends.append(min(latest, score.seconds(following)) if index + 1 < len(ticks) else latest)
    return ends


def _voice_of(score: _Score, track: int, ticks: Sequence[int]) -> list[tuple[int, int]]:
    """The notes that are sung: of the voice of which most begin with a syllable, the lyrics' own track first; none if too few do."""
    syllables = set(ticks)
    best: list[tuple[int, int]] = []
    rank = (SUNG_BY * len(syllables), False, -len(syllables) * 100)
    for (index, channel), notes in score.voices.items():
        shared = len(syllables.intersection(start for start, _ in notes))
        this = (shared + 0.5 * (index == track), channel != DRUMS, -len(notes))
        if this > rank:
            best, rank = notes, this
    return best


def _rows(groups: Sequence[_Group], score: _Score, ends: Sequence[float]) -> list[list[Token]]:
    """The words in their lines, with their times."""
    rows: list[list[Token]] = []
    upto = 0
    for group in groups:
        upto += len(group.ticks)
        if group.opens or not rows:
            rows.append([])
        rows[-1].append(Token(group.text, score.seconds(group.ticks[0]), ends[upto - 1], f"event {group.number}"))
    return rows


def _facts(score: _Score, remarks: list[str]) -> tuple[str | None, str | None]:
    """The title and the language that the file names."""
    tags = [event.text for event in score.texts if _is_tag(event)]
    titles = [text[2:].strip() for text in tags if text.startswith("@T")]
    if score.tracks > 1:  # the first track's name is the song's
        titles += [event.text.strip() for event in score.texts if event.type == "track_name" and event.track == 1]
    title = next((text for text in titles if text and not _DULL.fullmatch(text)), None)
    named = next((text[2:].strip() for text in tags if text.startswith("@L") and text[2:].strip()), None)
    if named is None or named.upper() in ENGLISH:
        return title, None
    language = LANGUAGES.get(named.upper()) or (named if re.fullmatch(r"[a-z]{2,3}([-_][A-Za-z]+)?", named) else None)
    if language is None:
        remarks.append(f"the language {named!r} is not known, so its words are read as English; name the song's language")
    return title, language


def _bpm(score: _Score) -> float:
    """The tempo that lasts longest."""
    spans: Counter[int] = Counter()
    for (tick, tempo), after in zip(score.tempos, [*(tick for tick, _ in score.tempos[1:]), score.end], strict=True):
        spans[tempo] += max(0, after - tick) * tempo
    return round(60e6 / max(spans, key=lambda tempo: spans[tempo]), 2)


def _check(sheet: Sheet) -> None:
    """Raises ValueError for a sheet that has no timed words, or has them out of order."""
    if not sheet.words:
        raise ValueError("the sheet has no words, and MIDI holds lyrics only with some; write it as JSON")
    for word in sheet.words:
        if not word.is_timed:
            raise ValueError(f"the word {word.word!r} has no times; plan them: {PLAN} timed.mid")
    sheet.timed("lyrics")


def _conductor(sheet: Sheet, tempo: int, scale: float) -> list[tuple[int, Any]]:
    """(tick, message) of the first track: the title, the language, the tempo and the sections."""
    from mido import MetaMessage

    events = [(0, MetaMessage("track_name", name=_bytes_of(sheet.title or "")))] if sheet.title else []
    events += [(0, MetaMessage("text", text=_bytes_of(f"@T{sheet.title}")))] if sheet.title else []
    events += [(0, MetaMessage("text", text=_bytes_of(f"@L{sheet.language}")))] if sheet.language else []
    events.append((0, MetaMessage("set_tempo", tempo=tempo)))
    begun = zip(sheet.sections, _section_starts(sheet), strict=True)
    for start, label in marks_of(replace(sheet, sections=tuple(replace(section, start=start) for section, start in begun))):
        events.append((round(start * scale), MetaMessage("marker", text=_bytes_of(" ".join(label.split())))))
    return events


def _section_starts(sheet: Sheet) -> list[float]:
    """When each section begins: as it says, but not after its first line nor before the former section's last line begins."""
    starts: list[float] = []
    now = 0.0
    for index, section in enumerate(sheet.sections):
        own = [line.words[0].start or 0.0 for line in sheet.lines if line.section == index and line.words]
        start = section.start if section.start is not None else (own[0] if own else now)
        now = max([start, *starts[-1:]])
        if own:
            now = min(now, own[0])
        starts.append(now)
        now = max([now, *(word.end or 0.0 for line in sheet.lines if line.section == index for word in line.words)])
    return starts


def _voice(sheet: Sheet, scale: float) -> list[tuple[int, Any]]:
    """(tick, message) of the second track: a lyric event and a note for each word; words that overlap have notes of different pitch."""
    from mido import Message, MetaMessage

    events: list[tuple[int, int, int, Any]] = [(0, 0, 0, MetaMessage("track_name", name="Words"))]
    sounding: dict[int, int] = {}  # when each pitch ends
    count = 0
    for line in sheet.lines:
        for index, word in enumerate(line.words, start=1):
            count += 1
            start, end = round((word.start or 0.0) * scale), round((word.end or 0.0) * scale)
            pitch = next((key for key in range(NOTE, 128) if sounding.get(key, -1) <= start), NOTE)
            sounding[pitch] = end
            text = _bytes_of(" ".join(label_of(word).split()) + ("\r" if index == len(line.words) else " "))
            events.append((start, 1, count, MetaMessage("lyrics", text=text)))
            events.append((start, 1, count, Message("note_on", note=pitch, velocity=VELOCITY)))
            events.append((end, 1 if end == start else 0, count, Message("note_off", note=pitch)))
    return [(tick, message) for tick, _, _, message in sorted(events, key=lambda event: event[:3])]


def _bytes_of(text: str) -> str:
    """UTF-8 as mido takes it: each byte a letter of Latin-1."""
    return text.encode("utf-8", errors="replace").decode("latin-1")


def _track(events: Sequence[tuple[int, Any]], last: int) -> Any:
    """A track of messages at ticks, which lasts until `last`."""
    import mido

    track = mido.MidiTrack()
    now = 0
    for tick, message in [*events, (max([last, *(tick for tick, _ in events)]), mido.MetaMessage("end_of_track"))]:
        track.append(message.copy(time=tick - now))
        now = tick
    return track
