"""An evaluation as files: `report.html` for people, `report.json` for programs, `per_song.csv` for tables, and `files/` for pictures and
sound. It measures nothing.

The page needs no network and no script; its pictures and sound lie beside it in `files/`.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import multiprocessing
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jam import audio, picture
from jam.eval import catalogue, page, results
from jam.eval.measures import Measure
from jam.eval.results import Condition, Estimate, Evaluation, SongResult
from jam.files import whole, write_whole
from jam.timing import SAMPLE_RATE

log = logging.getLogger(__name__)

HTML, TABLE, FILES = "report.html", "per_song.csv", "files"
PLAYED = (".mp3", ".ogg", ".flac")  # browsers play these, and they are small enough to be copied as they are
WORTH = 10  # songs that a process of its own is worth: it takes as long to begin
LAG, LAG_STEP, LAG_REACH = "timing.lag_ms", 25.0, 500.0  # ms
ROOMS = {
    **{"timing": "Timing", "lyrics": "Lyric fidelity", "duration": "Duration", "style": "Style"},
    **{"sound": "Sound", "aesthetics": "Aesthetics", "safety": "Safety"},
}


@dataclass(frozen=True)
class Beside:
    """What lies beside the page of one song: the names of its picture and of its sound within `files/`, where they are there."""

    picture: str | None = None
    sound: str | None = None


def write(folder: str | Path, evaluation: Evaluation, sound: bool = True, spectrograms: bool = True, workers: int = 1) -> Path:
    """Writes the report; returns the page. Each file is whole or not there, and the page comes last.

    `sound` copies the songs, to be played, and `spectrograms` draws them, by so many `workers`; a song whose file is gone by now has
    neither. Raises OSError in one line where the folder cannot be written.
    """
    folder = Path(folder)
    songs = evaluation.conditions[0].songs if evaluation.conditions else ()
    lie = _lay_beside(folder / FILES, [song for song in songs if song.problem is None and song.audio], sound, spectrograms, workers)
    named = _named(evaluation)
    data = results.to_json(evaluation) | {"measures": [_as_json(measure) for measure in _defined(named)]}
    write_whole(folder / results.FILE, (json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n").encode())
    write_whole(folder / TABLE, _as_table(evaluation, named).encode())
    return write_whole(folder / HTML, _as_page(evaluation, named, lie).encode())


def heading(name: str, measure: Measure) -> str:
    """How a measure is written in a table: its label, who gave it, its unit, and which way is better."""
    arrows = {"lower": page.BELOW, "higher": page.ABOVE}
    arrow = f' <span title="{measure.better} is better">{arrows[measure.better]}</span>' if measure.better in arrows else ""
    instrument = name.partition("@")[2]
    by = f" <small>by {escape(instrument)}</small>" if instrument else ""
    unit = f' <span class="soft">{escape(measure.unit)}</span>' if measure.unit else ""
    return f'<span title="{escape(measure.meaning)}">{escape(measure.label)}</span>{unit}{arrow}{by}'


def room_of(name: str) -> str:
    """The heading under which a measure stands."""
    return ROOMS.get(name.partition(".")[0], name.partition(".")[0])


def figure(estimate: Estimate | None) -> str:
    """An estimate as a cell."""
    if estimate is None:
        return page.DASH
    songs = f"{estimate.count} song{'s' if estimate.count != 1 else ''}"
    return f'<span title="{songs}">{page.number(estimate.value)}</span><small>{page.interval(estimate.low, estimate.high)}</small>'


def _named(evaluation: Evaluation) -> dict[str, Measure]:
    """Every measure that any condition or song has, in the catalogue's order."""
    names = {name for condition in evaluation.conditions for name in condition.estimates}
    names |= {name for condition in evaluation.conditions for song in condition.songs for name in song.values}
    return {name: catalogue.measure(name) for name in sorted(names, key=catalogue.place)}


def _defined(named: Mapping[str, Measure]) -> list[Measure]:
    """Each measure once, whatever its instruments."""
    return list({measure.name: measure for measure in named.values()}.values())


def _as_json(measure: Measure) -> dict[str, Any]:
    """A measure's definition, without bounds that are none."""
    return {key: value for key, value in asdict(measure).items() if not isinstance(value, float) or math.isfinite(value)}


def _lay_beside(folder: Path, songs: Sequence[SongResult], sound: bool, spectrograms: bool, workers: int) -> dict[str, Beside]:
    """Draws and copies songs into `folder`; what lies there, by their names."""
    from tqdm import tqdm

    if not (sound or spectrograms) or not songs:
        return {}
    lay = partial(_lay, folder, sound, spectrograms)
    with tqdm(total=len(songs), unit="song", desc="drawing") as bar:
        found = {}
        for song, beside in zip(songs, _mapped(lay, songs, min(workers, len(songs) // WORTH)), strict=True):
            found[song.id] = beside
            bar.update()
    return found


def _mapped(lay: partial[Beside], songs: Sequence[SongResult], workers: int) -> Iterator[Beside]:
    if workers <= 1:
        yield from map(lay, songs)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(lay, songs)


def _lay(folder: Path, sound: bool, spectrograms: bool, song: SongResult) -> Beside:
    """The picture and the sound of one song."""
    path = Path(song.audio)
    is_copied = path.suffix.lower() in PLAYED
    drawn = f"{song.id}.png" if spectrograms else None
    played = f"{song.id}{path.suffix.lower() if is_copied else '.mp3'}" if sound else None
    try:
        if spectrograms or not is_copied:
            samples, rate = audio.read(path)
            samples = audio.resample(samples, rate, SAMPLE_RATE)
            if drawn is not None:
                picture.draw_heard(folder / drawn, samples, song.asked, song.sung, song.id)
            if played is not None and not is_copied:
                audio.write(folder / played, samples)
        if played is not None and is_copied:
            with whole(folder / played) as part:
                shutil.copyfile(path, part)
    except ValueError as error:
        log.warning("%s: not in the report: %s", song.id, error)
        return Beside()
    return Beside(drawn, played)


def _as_table(evaluation: Evaluation, named: Mapping[str, Measure]) -> str:
    """A row for each song of each condition."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["condition", "id", "audio", "duration", "problem", *named])
    for condition in evaluation.conditions:
        for song in condition.songs:
            values = [song.values[name].value if name in song.values else "" for name in named]
            writer.writerow([condition.name, song.id, song.audio, song.duration, song.problem or "", *values])
    return text.getvalue()


def _as_page(evaluation: Evaluation, named: Mapping[str, Measure], lie: Mapping[str, Beside]) -> str:
    parts = [
        _head(evaluation),
        _cards(evaluation, named),
        "<h2>Figures</h2>\n" + _figures(evaluation, named),
        f"<h2>Not measured</h2>\n{page.listed(evaluation.absent)}" if evaluation.absent else "",
        _plots(evaluation, named),
        _songs(evaluation, named, lie),
        "<h2>What the figures mean</h2>\n" + _definitions(named),
        "<h2>How it was measured</h2>\n" + page.facts(evaluation.facts),
    ]
    return page.page(f"{evaluation.name}: evaluation", "\n".join(part for part in parts if part))


def _head(evaluation: Evaluation) -> str:
    songs = evaluation.conditions[0].songs if evaluation.conditions else ()
    broken = sum(song.problem is not None for song in songs)
    controls = ", ".join(condition.name for condition in evaluation.conditions[1:])
    told = f"{len(songs) - broken} songs measured" + (f", {broken} not (see Songs)" if broken else "")
    beside = f"; beside them, measured by the same code: {controls}" if controls else ""
    return f'<h1>{escape(evaluation.name)}</h1>\n<p class="soft">{told}{escape(beside)}.</p>'


def _chosen(evaluation: Evaluation, named: Mapping[str, Measure]) -> list[str]:
    """The first measure of each room that the songs have: what is looked at first."""
    first: dict[str, str] = {}
    for name in named:
        if evaluation.conditions and name in evaluation.conditions[0].estimates:
            first.setdefault(room_of(name), name)
    return list(first.values())


def _cards(evaluation: Evaluation, named: Mapping[str, Measure]) -> str:
    """The figures that people ask for first, each with who gave it and what true recordings have."""
    cards = []
    true = next((condition.estimates for condition in evaluation.conditions[1:] if condition.name == "true recording"), {})
    for name in _chosen(evaluation, named):
        estimate = evaluation.conditions[0].estimates[name]
        unit = f' <span class="soft">{escape(named[name].unit)}</span>' if named[name].unit else ""
        instrument = name.partition("@")[2]
        title = escape(named[name].label) + (f" <small>by {escape(instrument)}</small>" if instrument else "")
        beside = f"<br>true recordings {page.number(true[name].value)}" if name in true else ""
        span = page.interval(estimate.low, estimate.high) + beside
        cards.append(f'<div class="card">{title}<b>{page.number(estimate.value)}{unit}</b><small>{span}</small></div>')
    return f'<div class="cards">{"".join(cards)}</div>' if cards else ""


def _figures(evaluation: Evaluation, named: Mapping[str, Measure]) -> str:
    """Measures down, conditions across."""
    columns = [condition.name for condition in evaluation.conditions]
    rows, room = [], ""
    for name, measure in named.items():
        estimates = [condition.estimates.get(name) for condition in evaluation.conditions]
        if not any(estimates):
            continue
        if room_of(name) != room:
            room = room_of(name)
            rows.append(page.band(room, 1 + len(columns)))
        rows.append(page.row([heading(name, measure), *map(figure, estimates)], len(columns)))
    note = (
        "<p><small>Below each figure its 95 % interval, over songs: of Student's and the bootstrap's the wider end, of distances of sets a "
        "jackknife's. Arrows say which way is better.</small></p>\n"
    )
    return page.table(["measure", *columns], rows, len(columns)) + note


def _plots(evaluation: Evaluation, named: Mapping[str, Measure]) -> str:
    """For each measure of songs, each song a dot; of the lag of words, how often each is."""
    parts: list[str] = []
    room = ""
    for name, measure in named.items():
        drawn = page.strips([_strip(condition, name) for condition in evaluation.conditions if _has(condition, name)], measure.unit)
        if not drawn:
            continue
        if room_of(name) != room:
            parts.append(("</div>" if room else "") + f'<h3>{escape(room_of(name))}</h3>\n<div class="plots">')
            room = room_of(name)
        parts.append(f"<figure><figcaption>{heading(name, measure)}</figcaption>{drawn}</figure>\n")
        if measure.name == LAG:
            parts.append(_lags(evaluation, name))
    if not parts:
        return ""
    told = "<p><small>Each dot is a song, the diamond the figure of all, the line its 95 % interval.</small></p>\n"
    return "<h2>Distributions</h2>\n" + told + "".join(parts) + "</div>"


def _has(condition: Condition, name: str) -> bool:
    return any(name in song.values for song in condition.songs)


def _strip(condition: Condition, name: str) -> page.Strip:
    dots = tuple((song.id, song.values[name].value) for song in condition.songs if name in song.values)
    estimate = condition.estimates.get(name)
    whole = () if estimate is None else (estimate.value, estimate.low, estimate.high)
    return page.Strip(condition.name, dots, *whole)


def _lags(evaluation: Evaluation, name: str) -> str:
    """How often words are how late."""
    series = {
        condition.name: [sample for song in condition.songs if name in song.values for sample in song.values[name].samples]
        for condition in evaluation.conditions
    }
    drawn = page.histogram(series, LAG_STEP, LAG_REACH, "ms")
    caption = f"Words by their lag; above 0 late, beyond {LAG_REACH:g} ms in the outermost"
    return f"<figure><figcaption>{caption}</figcaption>{drawn}</figure>\n" if drawn else ""


def _songs(evaluation: Evaluation, named: Mapping[str, Measure], lie: Mapping[str, Beside]) -> str:
    """An overview, and a part for each song."""
    if not evaluation.conditions:
        return ""
    songs, chosen = evaluation.conditions[0].songs, _chosen(evaluation, named)
    rows = [_overview(place, song, chosen) for place, song in enumerate(songs)]
    for control in evaluation.conditions[1:]:
        rows += [_broken(f"{song.id}, {control.name}", song.problem, chosen) for song in control.songs if song.problem is not None]
    head = page.table(["song", "seconds", *(_titled(named[name]) for name in chosen)], rows, 1 + len(chosen))
    parts = [_song(place, song, evaluation, named, lie.get(song.id, Beside())) for place, song in enumerate(songs) if song.problem is None]
    return "<h2>Songs</h2>\n" + head + "".join(parts)


def _titled(measure: Measure) -> str:
    """A measure's label with its unit, as plain text."""
    return f"{measure.label}, {measure.unit}" if measure.unit else measure.label


def _overview(place: int, song: SongResult, chosen: Sequence[str]) -> str:
    if song.problem is not None:
        return _broken(song.id, song.problem, chosen)
    values = [page.number(song.values[name].value) if name in song.values else page.DASH for name in chosen]
    return page.row([f'<a href="#song-{place}">{escape(song.id)}</a>', f"{song.duration:.1f}", *values], 1 + len(chosen))


def _broken(name: str, problem: str, chosen: Sequence[str]) -> str:
    """The row of a recording that could not be measured."""
    return f'<tr class="bad"><td>{escape(name)}</td><td colspan="{1 + len(chosen)}">{escape(problem)}</td></tr>\n'


def _song(place: int, song: SongResult, evaluation: Evaluation, named: Mapping[str, Measure], beside: Beside) -> str:
    name = escape(song.id)
    parts = [f'<article id="song-{place}"><h3>{name} <small>{song.duration:.1f} s</small></h3>\n']
    if beside.picture is not None:
        alt = f"{name}: spectrogram with the words asked for and those sung"
        parts.append(f'<div class="scroll"><img loading="lazy" src="{_address(beside.picture)}" alt="{alt}"></div>\n')
    if beside.sound is not None:
        parts.append(f'<audio controls preload="none" src="{_address(beside.sound)}"></audio>\n')
    parts.append(page.listed(song.notes) if song.notes else "")
    parts.append(page.folded("Lyrics asked for and heard", _lyrics(song)) if song.lyrics or song.heard else "")
    parts.append(page.folded("Values", _values(song, evaluation, named)))
    return "".join(parts) + "</article>\n"


def _address(name: str) -> str:
    return f"{FILES}/{quote(name)}"


def _lyrics(song: SongResult) -> str:
    """The lyrics, and what each recogniser heard, with differences marked in both."""
    if not song.heard:
        return f'<div class="lyrics">{escape(song.lyrics)}</div>\n'
    parts = []
    for recogniser, text in song.heard.items():
        asked, heard = page.differences(song.lyrics, text)
        parts.append(f'<small>asked; struck through what {escape(recogniser)} did not hear</small><div class="lyrics">{asked}</div>\n')
        parts.append(f'<small>heard by {escape(recogniser)}</small><div class="lyrics">{heard or page.DASH}</div>\n')
    return "".join(parts)


def _values(song: SongResult, evaluation: Evaluation, named: Mapping[str, Measure]) -> str:
    """The song's values beside those of its controls."""
    found = {condition.name: other.values for condition in evaluation.conditions for other in condition.songs if other.id == song.id}
    rows = []
    for name, measure in named.items():
        cells = [page.number(values[name].value) if name in values else page.DASH for values in found.values()]
        if any(name in values for values in found.values()):
            rows.append(page.row([heading(name, measure), *cells], len(cells)))
    return page.table(["measure", *found], rows, len(found))


def _definitions(named: Mapping[str, Measure]) -> str:
    rows = []
    for measure in _defined(named):
        name = f"{escape(measure.label)}<small>{escape(measure.name)}</small>"
        rows.append(page.row([name, escape(measure.meaning), escape(measure.source), escape(measure.limits)]))
    return page.table(["measure", "what it is", "where it comes from", "what it cannot tell"], rows)
