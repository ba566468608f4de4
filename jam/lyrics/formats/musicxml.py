"""MusicXML scores, plain or zipped (.mxl): the lyrics of the first part that has them, in the order of its repeats. The door to lxml.

Jumps (da capo, dal segno, coda) are not followed, which is told. Rehearsal marks are sections.
"""

from __future__ import annotations

import contextlib
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import pairwise
from typing import Any

from jam.lyrics.formats.syllabic import TICK, Token, marks_of, notes_of, sections_of, sheet_of
from jam.lyrics.sheet import Sheet
from jam.lyrics.words import BEYOND_SECONDS

MOST_BYTES = 32 * 2**20  # of a score, unzipped
MOST_MEASURES = 20_000  # as they are played, repeats written out
USUAL_TEMPO = 120.0  # quarter notes a minute, where the score says nothing
BEATS = {"breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25, "32nd": 0.125}
BEATS_PER_MEASURE = 4  # of scores that are written

_JUMPS = ("dacapo", "dalsegno", "tocoda", "fine")
_ZIP = b"PK\x03\x04"
_VERSE_NUMBER = re.compile(r"\s*(\d{1,2}\.)[\s\u00a0]*(?=\S)")


@dataclass(frozen=True)
class _Syllable:
    """A text under a note: which verse, whether it begins and ends its word, whether its line ends, and whether it is held on."""

    verse: int
    texts: tuple[tuple[str, str], ...]  # (syllabic, text), several where they are elided
    extends: bool
    ends_line: bool


@dataclass(frozen=True)
class _Note:
    """A note in quarters from the beginning of its measure."""

    start: float
    length: float
    voice: str
    is_rest: bool
    is_grace: bool
    is_held: bool  # tied to the note before
    slurs: int  # slurs that begin, less those that end
    syllables: tuple[_Syllable, ...]


@dataclass
class _Measure:
    """A measure of the part that is read, with what all parts say of it."""

    name: str
    notes: list[_Note] = field(default_factory=list)
    length: float = 0.0  # quarters
    tempos: dict[float, float] = field(default_factory=dict)
    marks: list[tuple[float, str]] = field(default_factory=list)
    begins_repeat: bool = False
    times: int = 0  # how often it is played in all, where a repeat ends; else 0
    endings: tuple[int, ...] = ()
    jumps: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Played:
    """A note as it is played: seconds, the time of its repeat, its measure."""

    note: _Note
    start: float
    end: float
    syllables: tuple[_Syllable, ...]
    measure: str


def read(content: bytes, where: str) -> Sheet:
    """The sheet of a score. Verse n is sung the n-th time of a repeat; what no repeat reaches is told.

    A word lasts to the end of its last note, ties, slurs and extensions included. Raises ValueError for a file that is broken, too
    large, declares entities, or has no lyrics.
    """
    root = _parsed(_unzipped(content, where), where)
    remarks: list[str] = []
    parts = _parts(root, where)
    chosen = _with_lyrics(parts, root, where, remarks)
    measures = _measures(parts, chosen, where)
    order = list(_order(measures, where, remarks))
    if not any(measure.tempos for measure in measures):
        remarks.append(f"score: has no tempo; {USUAL_TEMPO:g} beats a minute are taken")
    played, marks, end = _performed(measures, order, remarks)
    if end >= BEYOND_SECONDS:
        raise ValueError(f"{where}: lasts {end:g} s, longer than any song; check its durations and tempos")
    sheet = sheet_of(_rows(played, remarks), sections_of(marks, round(end, 3)), where)
    tempos = {tempo for measure in measures for tempo in measure.tempos.values()}
    facts = {"title": _title(root), "language": _language(root), "duration": round(end, 3)}
    bpm = round(tempos.pop(), 3) if len(tempos) == 1 else None
    return replace(sheet, bpm=bpm, remarks=(*remarks, *sheet.remarks), **facts)  # type: ignore[arg-type]


def write(sheet: Sheet) -> bytes:
    """The sheet as a score of one part in 4/4 at its tempo (or 120), a note a word. Raises ValueError for words without times, words that
    overlap, text that XML cannot hold, and a tempo that is none."""
    from lxml import etree

    bpm = round(sheet.bpm or USUAL_TEMPO, 3)
    if not 1 <= bpm <= 10_000:
        raise ValueError(f"{bpm:g} beats a minute is no tempo; write one from 1 to 10000")
    divisions = -int(-60 / bpm // TICK)
    root = etree.Element("score-partwise", version="4.0")
    try:
        _write_head(root, sheet)
        _write_part(etree.SubElement(root, "part", id="P1"), sheet, bpm, divisions)
    except ValueError as error:
        if "XML compatible" in str(error):
            raise ValueError("a control character stands in the words, title or sections, which no MusicXML holds; remove it") from error
        raise
    kind = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">'
    written: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, doctype=kind, pretty_print=True)
    return written


def _unzipped(content: bytes, where: str) -> bytes:
    """The score in a .mxl, which META-INF/container.xml names; anything else as it is. Raises ValueError for a broken or huge one."""
    if content.startswith(_ZIP):
        with _whole_zip(where):
            folder = zipfile.ZipFile(BytesIO(content))
        return _member(folder, _rootfile(folder, where), where)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{where}: is larger than {MOST_BYTES // 2**20} MiB; export the part with lyrics alone")
    return content


@contextlib.contextmanager
def _whole_zip(where: str) -> Iterator[None]:
    """Turns what zipfile raises for a broken, encrypted or strange file into one line."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, KeyError, ValueError, struct.error, lzma.LZMAError) as error:
        reason = " ".join(str(error).strip("'\"").split())[:100]
        raise ValueError(f"{where}: is no whole zipped MusicXML ({reason}); export it again") from error


def _rootfile(folder: zipfile.ZipFile, where: str) -> str:
    names = folder.namelist()
    if "META-INF/container.xml" in names:
        container = _parsed(_member(folder, "META-INF/container.xml", where), f"{where}: META-INF/container.xml")
        named = [str(root.get("full-path")) for root in container.iter("{*}rootfile") if root.get("full-path")]
        if named:
            return named[0]
    scores = [name for name in names if name.lower().endswith((".musicxml", ".xml")) and not name.startswith("META-INF/")]
    if not scores:
        raise ValueError(f"{where}: is a zip without a score; give a .mxl, .musicxml or .xml")
    return scores[0]


def _member(folder: zipfile.ZipFile, name: str, where: str) -> bytes:
    with _whole_zip(where), folder.open(name) as member:
        content = member.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{where}: {name} is larger than {MOST_BYTES // 2**20} MiB; export the part with lyrics alone")
    return content


def _parsed(content: bytes, where: str) -> Any:
    """The root of an XML file. Nothing outside is fetched; a file that declares entities is refused before any is looked at."""
    from lxml import etree

    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4]
    if not utf16:  # text that was decoded before is UTF-8, whatever it declares
        content = re.sub(rb"(<\?xml[^>]*?)\s+encoding=[\"'](?i:utf-?16|utf-?32)[^\"']*[\"']", rb"\1", content, count=1)
    if b"<!ENTITY" in content.replace(b"\0", b""):
        raise ValueError(f"{where}: declares entities, which no score needs; export it again")
    safe = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, **safe)
    try:
        return etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        reason = re.sub(r", line \d+, column \d+.*", "", " ".join(str(error).split()))[:100]
        raise ValueError(f"{where}: line {line}: is no whole XML ({reason}); export it again") from error


def _parts(root: Any, where: str) -> dict[str, list[Any]]:
    """The measures of each part, of either kind of score. Raises ValueError for a file that is no score."""
    parts: dict[str, list[Any]] = {}
    if root.tag == "score-partwise":
        for part in root.iterfind("part"):
            parts.setdefault(str(part.get("id")), []).extend(part.iterfind("measure"))
    elif root.tag == "score-timewise":
        for measure in root.iterfind("measure"):
            for part in measure.iterfind("part"):
                part.set("number", measure.get("number", "?"))
                parts.setdefault(str(part.get("id")), []).append(part)
    else:
        raise ValueError(f"{where}: line {root.sourceline}: is <{str(root.tag)[:40]}>, no score; export MusicXML")
    if not any(parts.values()):
        raise ValueError(f"{where}: line {root.sourceline}: the score has no measures; export it again")
    return parts


def _with_lyrics(parts: dict[str, list[Any]], root: Any, where: str, remarks: list[str]) -> str:
    """The first part that has lyrics. Raises ValueError where none has."""
    path = "note/lyric/text"
    found = [name for name, measures in parts.items() if any(text.text for measure in measures for text in measure.iterfind(path))]
    if not found:
        raise ValueError(f"{where}: line {root.sourceline}: the score has no lyrics; write them under its notes, or give a text file")
    names = {part.get("id"): (part.findtext("part-name") or "").strip() for part in root.iterfind("part-list/score-part")}
    remarks += [f"part {name} ({names.get(name, '')!r}): its lyrics are not read, those of part {found[0]} are" for name in found[1:]]
    return found[0]


def _measures(parts: dict[str, list[Any]], chosen: str, where: str) -> list[_Measure]:
    """The measures with the notes of the chosen part, and with tempos, marks and repeats wherever they stand."""
    longest = max(parts, key=lambda part: len(parts[part]))
    measures = [_Measure(str(element.get("number", index + 1))) for index, element in enumerate(parts[longest])]
    for part, elements in parts.items():
        reader = _Reader(where)
        for measure, element in zip(measures, elements, strict=False):
            reader.take(element, measure, part == chosen)
    inside: tuple[int, ...] = ()
    for measure, elements in zip(measures, parts[chosen], strict=False):
        inside = _ending(elements, measure, inside)
    return measures


class _Reader:
    """Walks through the measures of a part: what lasts beyond a measure is its state."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.divisions = 1.0
        self.meter = 4.0  # quarters a measure

    def take(self, element: Any, measure: _Measure, is_chosen: bool) -> None:
        """Takes in a measure. Raises ValueError, naming it and the line, for durations that are none."""
        now = last = longest = 0.0
        for child in element:
            if child.tag == "attributes":
                self._attributes(child, measure)
            elif child.tag in ("backup", "forward"):
                length = self._quarters(child, "duration", measure)
                now = max(0.0, now - length) if child.tag == "backup" else now + length
            elif child.tag == "note":
                is_grace = child.find("grace") is not None
                length = 0.0 if is_grace else self._quarters(child, "duration", measure)
                start = last if child.find("chord") is not None else now
                last, now = start, max(now, start + length)
                if is_chosen:
                    measure.notes.append(_note(child, start, length, is_grace))
            elif child.tag in ("direction", "sound", "barline"):
                self._say(child, now, measure)
            longest = max(longest, now)
        if not len(element.findall("note")) and not longest:
            longest = self.meter
        measure.length = max(measure.length, longest)

    def _attributes(self, element: Any, measure: _Measure) -> None:
        if element.find("divisions") is not None:
            self.divisions = self._number(element, "divisions", measure)
        beats, unit = element.findtext("time/beats"), element.findtext("time/beat-type")
        if beats and unit and re.fullmatch(r"\d{1,3}(\+\d{1,3})*", beats) and re.fullmatch(r"[1-9]\d{0,2}", unit):
            self.meter = 4.0 * sum(map(int, beats.split("+"))) / int(unit)

    def _say(self, element: Any, now: float, measure: _Measure) -> None:
        """Takes in tempos, rehearsal marks, repeats and jumps."""
        sounds = [element] if element.tag == "sound" else element.findall("sound")
        for sound in sounds:
            measure.jumps += [name for name in _JUMPS if sound.get(name)]
        tempo = next((tempo for sound in sounds if (tempo := _bpm(sound.get("tempo"))) is not None), None)
        tempo = tempo or _metronome(element)
        if tempo is not None:
            measure.tempos.setdefault(now, tempo)
        for mark in element.iterfind("direction-type/rehearsal"):
            said = (now, " ".join((mark.text or "").split()))
            if said not in measure.marks:
                measure.marks.append(said)
        for repeat in element.iterfind("repeat"):
            if repeat.get("direction") == "forward":
                measure.begins_repeat = True
            else:
                times = repeat.get("times", "2")
                measure.times = int(times) if re.fullmatch(r"[1-9]\d?", times) else 2

    def _quarters(self, element: Any, name: str, measure: _Measure) -> float:
        return self._number(element, name, measure) / self.divisions

    def _number(self, element: Any, name: str, measure: _Measure) -> float:
        text = (element.findtext(name) or "").strip()
        value = float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) else -1.0
        if value < 0 or (name == "divisions" and not value):
            place = f"{self.where}: measure {measure.name[:10]}, line {element.sourceline}"
            raise ValueError(f"{place}: <{element.tag}> has the {name} {text[:20]!r}; write a number above 0")
        return value


def _note(element: Any, start: float, length: float, is_grace: bool) -> _Note:
    slurs = [slur.get("type") for slur in element.iterfind("notations/slur")]
    return _Note(
        start=start,
        length=length,
        voice=(element.findtext("voice") or "1").strip(),
        is_rest=element.find("rest") is not None,
        is_grace=is_grace,
        is_held=any(tie.get("type") == "stop" for tie in (*element.iterfind("tie"), *element.iterfind("notations/tied"))),
        slurs=slurs.count("start") - slurs.count("stop"),
        syllables=tuple(syllable for lyric in element.iterfind("lyric") if (syllable := _syllable(lyric)).texts or syllable.extends),
    )


def _syllable(lyric: Any) -> _Syllable:
    number = re.search(r"(\d{1,3})\D*$", lyric.get("number", "1"))
    texts: list[tuple[str, str]] = []
    syllabic = "single"
    for child in lyric:
        if child.tag == "syllabic":
            syllabic = (child.text or "single").strip()
        elif child.tag == "text" and (child.text or "").strip():
            texts.append((syllabic, (child.text or "").strip()))
            syllabic = "single"
        elif child.tag in ("humming", "laughing"):
            texts.append(("single", f"[{child.tag}]"))
    extend = lyric.find("extend")
    ends_line = lyric.find("end-line") is not None or lyric.find("end-paragraph") is not None
    return _Syllable(int(number[1]) if number else 1, tuple(texts), extend is not None and extend.get("type") != "stop", ends_line)


def _bpm(text: str | None) -> float | None:
    value = float(text) if text is not None and re.fullmatch(r"\s*\d{1,6}(\.\d*)?\s*", text) else 0.0
    return value if value >= 1 else None


def _metronome(direction: Any) -> float | None:
    """Quarter notes a minute of a metronome mark."""
    mark = direction.find("direction-type/metronome")
    number = None if mark is None else re.search(r"\d{1,5}(\.\d+)?", mark.findtext("per-minute") or "")
    beat = None if mark is None else BEATS.get((mark.findtext("beat-unit") or "").strip())
    if mark is None or number is None or beat is None:
        return None
    return _bpm(str(float(number[0]) * beat * (2 - 0.5 ** len(mark.findall("beat-unit-dot")))))


def _ending(element: Any, measure: _Measure, inside: tuple[int, ...]) -> tuple[int, ...]:
    """Sets the numbers of the ending (volta) in which a measure lies; those in which the next one does."""
    stops = False
    for ending in element.iterfind("barline/ending"):
        if ending.get("type") == "start":
            inside = tuple(int(number) for number in re.findall(r"\d{1,2}", ending.get("number", "")))
            stops = False
        else:
            stops = True
    measure.endings = inside
    return () if stops else inside


def _order(measures: Sequence[_Measure], where: str, remarks: list[str]) -> Iterator[tuple[int, int]]:
    """The measures as they are played: (index, the how manieth time of its repeat)."""
    remarks += [f"measure {m.name[:10]}: the jump ({jump}) is not followed" for m in measures for jump in dict.fromkeys(m.jumps)]
    at = begin = count = 0
    time = 1
    while at < len(measures):
        measure = measures[at]
        left_endings = not measure.endings and at > 0 and bool(measures[at - 1].endings)
        if (measure.begins_repeat and at != begin) or (left_endings and time > 1):
            begin, time = at, 1
        if measure.endings and time not in measure.endings:
            at += 1
            continue
        yield at, time
        count += 1
        if count > MOST_MEASURES:
            raise ValueError(f"{where}: measure {measure.name[:10]}: repeats make more than {MOST_MEASURES} measures; check them")
        if measure.times and _goes_back(measures, at, time):
            at, time = begin, time + 1
        else:
            if measure.times and not measure.endings:
                begin, time = at + 1, 1
            at += 1


def _goes_back(measures: Sequence[_Measure], at: int, time: int) -> bool:
    """Whether the repeat that ends with a measure is played once more: as its endings say, else as often as it says."""
    measure = measures[at]
    if not measure.endings:
        return time < measure.times
    following = set(measure.endings)
    for later in measures[at + 1 :]:
        if not later.endings:
            break
        following |= set(later.endings)
    return time + 1 in following


def _performed(
    measures: Sequence[_Measure], order: Sequence[tuple[int, int]], remarks: list[str]
) -> tuple[list[_Played], list[tuple[float, str]], float]:
    """The notes of one voice with their times and what is sung to them, the rehearsal marks, and the end of the song."""
    main = _main_voice(measures)
    tempo = next((measure.tempos[min(measure.tempos)] for measure in measures if measure.tempos), USUAL_TEMPO)
    played: list[_Played] = []
    marks: list[tuple[float, str]] = []
    told: set[str] = set()
    now = 0.0
    sung: set[int] = set()
    for index, time in order:
        measure = measures[index]
        clock = _Clock(now, tempo, measure.tempos)
        verse = _verse(measure, time)
        sung.add(verse)
        for note in _voice(measure, main, told):
            syllables = tuple(syllable for syllable in note.syllables if syllable.verse == verse)
            played.append(_Played(note, clock.at(note.start), clock.at(note.start + note.length), syllables, measure.name[:10]))
        marks += [(round(clock.at(at), 3), label) for at, label in measure.marks]
        now, tempo = clock.at(measure.length), clock.last(measure.length)
    verses = {syllable.verse for measure in measures for note in measure.notes for syllable in note.syllables}
    remarks += sorted(told)
    remarks += [f"verse {verse}: no repeat reaches it, so it is not sung; write the repeat" for verse in sorted(verses - sung)]
    return played, marks, now


class _Clock:
    """Seconds within a measure that begins at `begin`, by the tempos that change in it."""

    def __init__(self, begin: float, tempo: float, changes: dict[float, float]) -> None:
        self.spans = [(0.0, begin, tempo)]
        for at in sorted(changes):
            self.spans.append((at, self.at(at), changes[at]))

    def at(self, quarters: float) -> float:
        since, begin, tempo = next(span for span in reversed(self.spans) if span[0] <= quarters or span is self.spans[0])
        return begin + (quarters - since) * 60 / tempo

    def last(self, quarters: float) -> float:
        """The tempo at the end of the measure."""
        return next(span[2] for span in reversed(self.spans) if span[0] <= quarters or span is self.spans[0])


def _main_voice(measures: Sequence[_Measure]) -> str:
    counts: dict[str, int] = {}
    for measure in measures:
        for note in measure.notes:
            counts[note.voice] = counts.get(note.voice, 0) + len(note.syllables)
    return max(counts, key=lambda voice: counts[voice], default="1")


def _voice(measure: _Measure, main: str, told: set[str]) -> list[_Note]:
    """The notes of the voice that sings in a measure, in order: the main one, or the only one with words there."""
    voices = list(dict.fromkeys(note.voice for note in measure.notes if note.syllables))
    sings = main if main in voices or not voices else voices[0]
    for other in voices:
        if other != sings:
            told.add(f"measure {measure.name[:10]}: voice {other[:10]} has words of its own, which are not read")
    return sorted((note for note in measure.notes if note.voice == sings), key=lambda note: note.start)


def _verse(measure: _Measure, time: int) -> int:
    """Which verse is sung the `time`-th time: that one, where the measure has it, else the only one there is (as of a chorus)."""
    verses = sorted({syllable.verse for note in measure.notes for syllable in note.syllables})
    return verses[0] if len(verses) == 1 and time not in verses else time


def _rows(played: Sequence[_Played], remarks: list[str]) -> list[list[Token]]:
    """Words, their syllables joined, in the lines that the score says."""
    rows: list[list[Token]] = [[]]
    joins = holds = False
    slurs = 0
    for each in played:
        if each.syllables and each.syllables[0].texts:
            syllable = each.syllables[0]
            joins = _sing(each, syllable, rows, joins, remarks)
            holds = syllable.extends or each.note.is_grace
            slurs = max(0, each.note.slurs)
            if syllable.ends_line and not joins:
                rows.append([])
            continue
        token = next((row[-1] for row in reversed(rows) if row), None)
        if each.note.is_rest:
            holds, slurs = False, 0
        elif token is not None and (each.note.is_held or holds or joins or slurs > 0 or each.syllables):
            token.end = max(token.end or 0.0, round(each.end, 3))
            holds = holds or bool(each.syllables) and each.syllables[0].extends
            slurs = max(0, slurs + each.note.slurs)
    return rows


def _sing(each: _Played, syllable: _Syllable, rows: list[list[Token]], joins: bool, remarks: list[str]) -> bool:
    """Adds the texts of a note, which share it equally; whether the last one's word goes on."""
    share = (each.end - each.start) / len(syllable.texts)
    for number, (syllabic, text) in enumerate(syllable.texts):
        if not number and (verse := _VERSE_NUMBER.match(text)) is not None:
            remarks.append(f"measure {each.measure}: the verse number {verse[1]!r} is not sung")
            text = text[verse.end() :]
        start, end = round(each.start + number * share, 3), round(each.start + (number + 1) * share, 3)
        token = next((row[-1] for row in reversed(rows) if row), None)
        if joins and token is not None and syllabic in ("middle", "end"):
            token.text, token.end = token.text.removesuffix("-") + text, end
        else:
            rows[-1].append(Token(text, start, end, f"measure {each.measure}"))
        joins = syllabic in ("begin", "middle")
    return joins


def _title(root: Any) -> str | None:
    titles = (root.findtext("work/work-title"), root.findtext("movement-title"))
    return next((" ".join(title.split()) for title in titles if title and title.strip()), None)


def _language(root: Any) -> str | None:
    said = root.find("defaults/lyric-language")
    return None if said is None else said.get("{http://www.w3.org/XML/1998/namespace}lang") or None


def _write_head(root: Any, sheet: Sheet) -> None:
    """Title, language and the one part."""
    from lxml import etree

    if sheet.title is not None:
        etree.SubElement(etree.SubElement(root, "work"), "work-title").text = sheet.title
    if sheet.language is not None:
        defaults = etree.SubElement(root, "defaults")
        etree.SubElement(defaults, "lyric-language").set("{http://www.w3.org/XML/1998/namespace}lang", sheet.language)
    part = etree.SubElement(etree.SubElement(root, "part-list"), "score-part", id="P1")
    etree.SubElement(part, "part-name").text = "Voice"


def _write_part(part: Any, sheet: Sheet, bpm: float, divisions: int) -> None:
    """Measures with a note or a rest for every span, cut at the bar lines."""
    from lxml import etree

    ticks = divisions * bpm / 60
    spans = list(_spans(sheet, ticks))
    marks = [(round(start * ticks), label) for start, label in marks_of(sheet)]
    length = BEATS_PER_MEASURE * divisions
    end = max([1, *(stop for _, stop, _, _ in spans), *(start + 1 for start, _ in marks), round((sheet.duration or 0.0) * ticks)])
    if end > MOST_MEASURES * length:
        raise ValueError(f"the words last {end / ticks:g} s, more measures than a score holds; check the times")
    at = 0
    pieces = sorted(_pieces(spans, [start for start, _ in marks], length, end))
    for number in range(-(-end // length)):
        measure = etree.SubElement(part, "measure", number=str(number + 1))
        if not number:
            _write_attributes(measure, bpm, divisions)
        while at < len(pieces) and pieces[at][0] < (number + 1) * length:
            start, stop, index, is_first, is_last = pieces[at]
            for label in [label for begin, label in marks if begin == start]:
                kind = etree.SubElement(etree.SubElement(measure, "direction"), "direction-type")
                etree.SubElement(kind, "rehearsal").text = label
            span = spans[index] if index >= 0 else None
            _write_note(measure, stop - start, None if span is None else (span[2], span[3]), is_first, is_last)
            at += 1


def _spans(sheet: Sheet, ticks: float) -> Iterator[tuple[int, int, str, bool]]:
    """Words in ticks: (start, end, text, whether the line ends)."""
    free = 0
    for start, end, text, ends_line in notes_of(sheet, "MusicXML"):
        begin = max(free, round(start * ticks))
        free = max(begin + 1, round(end * ticks))
        yield begin, free, text, ends_line


def _pieces(
    spans: Sequence[tuple[int, int, str, bool]], marks: Sequence[int], length: int, end: int
) -> Iterator[tuple[int, int, int, bool, bool]]:
    """Every span, and the rests between, cut at bar lines and marks: (start, end, index of the word or -1, whether first, whether last)."""
    now = 0
    whole: list[tuple[int, int, int]] = []
    for index, (start, stop, _, _) in enumerate(spans):
        whole += [(now, start, -1)] if start > now else []
        whole.append((start, stop, index))
        now = stop
    whole += [(now, end, -1)] if end > now else []
    edges = sorted(set(marks))
    for start, stop, index in whole:
        inner = {bar for bar in range(start - start % length + length, stop, length)} | {edge for edge in edges if start < edge < stop}
        cuts = [start, *sorted(inner), stop]
        for begin, finish in pairwise(cuts):
            yield begin, finish, index, begin == start, finish == stop


def _write_attributes(measure: Any, bpm: float, divisions: int) -> None:
    from lxml import etree

    attributes = etree.SubElement(measure, "attributes")
    etree.SubElement(attributes, "divisions").text = str(divisions)
    time = etree.SubElement(attributes, "time")
    etree.SubElement(time, "beats").text = str(BEATS_PER_MEASURE)
    etree.SubElement(time, "beat-type").text = "4"
    direction = etree.SubElement(measure, "direction")
    mark = etree.SubElement(etree.SubElement(direction, "direction-type"), "metronome")
    etree.SubElement(mark, "beat-unit").text = "quarter"
    etree.SubElement(mark, "per-minute").text = f"{bpm:g}"
    etree.SubElement(direction, "sound", tempo=f"{bpm:.10g}")


def _write_note(measure: Any, ticks: int, word: tuple[str, bool] | None, is_first: bool, is_last: bool) -> None:
    """A rest, or a piece of a word's note, tied to its other pieces."""
    from lxml import etree

    note = etree.SubElement(measure, "note")
    if word is None:
        etree.SubElement(note, "rest")
    else:
        pitch = etree.SubElement(note, "pitch")
        etree.SubElement(pitch, "step").text = "C"
        etree.SubElement(pitch, "octave").text = "5"
    etree.SubElement(note, "duration").text = str(ticks)
    if word is None:
        return
    for kind, is_there in (("stop", not is_first), ("start", not is_last)):
        if is_there:
            etree.SubElement(note, "tie", type=kind)
    if is_first:
        lyric = etree.SubElement(note, "lyric", number="1")
        etree.SubElement(lyric, "syllabic").text = "single"
        etree.SubElement(lyric, "text").text = word[0]
        if word[1]:
            etree.SubElement(lyric, "end-line")
