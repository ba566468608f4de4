"""A preparation as files: `report.html` for people, `report.json` for programs, and pictures and sound in `report_files/`.

The page needs no network and no script, and is bounded however many songs there are; the JSON tells of every song, from
`LONGEST_LIST` songs on in `report_files/songs.jsonl`, a song a line. It measures nothing, and tells how long the work took: two runs over
the same songs write the same shards, not the same report.
"""

from __future__ import annotations

import json
import logging
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any
from urllib.parse import quote

import numpy as np
from torch import Tensor

from jam import audio
from jam.eval import page
from jam.prepare import costs, plots, tally
from jam.prepare.places import Folder
from jam.prepare.records import Prepared, Reason, Unread
from jam.prepare.tally import FIGURES, Entry, Flags, Group, Line, Tally
from jam.timing import SAMPLE_RATE

log = logging.getLogger(__name__)

HTML, JSON, FILES = "report.html", "report.json", "report_files"
SONGS = f"{FILES}/songs.jsonl"
LONGEST_LIST = 10_000  # songs that `report.json` holds
SHOWN_GROUPS, SHOWN_WORDS, SHOWN_MISSED = 100, 300, 40  # rows, and words or stretches in a cell
GROUPS = {"license": "license", "source": "source", "language": "language", "tag": "tag", "split": "split", "method": "timing of words"}
PROJECTED = (10_000, 1_000_000)  # songs

SampleOf = Callable[[str], Tensor | None]
StyleOf = Callable[[Prepared], Tensor | None]


@dataclass(frozen=True)
class ReportSettings:
    """What the report shows."""

    pictures: int = 12  # songs that are drawn, by chance
    seed: int = 0  # of that chance
    audio: bool = False  # whether the songs that are drawn can be played
    flags: Flags = field(default_factory=Flags)  # when a song that is kept is worth a look

    def __post_init__(self) -> None:
        if self.pictures < 0:
            raise ValueError(f"report.pictures is {self.pictures}; give a number from 0")


@dataclass(frozen=True)
class Run:
    """How long a run took in seconds, and how many processes worked at once."""

    seconds: float
    processes: int = 1


def write(
    folder: Folder,
    songs: Sequence[Prepared],
    unread: Sequence[Unread],
    facts: Mapping[str, Any],
    samples_of: SampleOf,
    styles_of: StyleOf,
    run: Run,
    settings: ReportSettings | None = None,
) -> str:
    """Writes the report of all songs that were prepared and of those that could not be read; returns the path of the page.

    `facts` are what makes the run repeatable. `samples_of` gives a song's sound (2, N) at 44.1 kHz by its id, `styles_of` its style
    vectors (n, 512); None or ValueError where it is gone, and the song is shown without. Goes over `songs` once. Every file is whole or
    not there, and the page comes last. Raises OSError, in one line, where the folder cannot be written.
    """
    settings = settings or ReportSettings()
    found = Tally(settings.flags, settings.seed, settings.pictures)
    for broken in unread:
        found.add_unread(broken)
    listed = _list_songs(folder, songs, unread, found)
    drawn, earlier = _draw(folder, found, samples_of, settings.audio), _earlier(folder)
    files = sorted(f"{FILES}/{song.id}{suffix}" for song, sound in drawn for suffix in ((".png", ".mp3") if sound else (".png",)))
    data = _as_json(found, facts, run) | {"files": files} | ({} if listed is None else {"songs": listed})
    folder.write(JSON, (json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n").encode())
    for name in earlier.difference(files):
        folder.remove(name)
    folder.write(HTML, _as_page(found, facts, run, drawn, _styles(found, styles_of), listed is None).encode())
    return folder.path(HTML)


def _list_songs(folder: Folder, songs: Sequence[Prepared], unread: Sequence[Unread], found: Tally) -> list[dict[str, Any]] | None:
    """Counts every song, and lists it: in a file a line each where they are many, else for the JSON."""
    rows = _rows(songs, unread, found)
    if len(songs) + len(unread) <= LONGEST_LIST:
        folder.remove(SONGS)
        return list(rows)
    with folder.whole(SONGS) as part, part.open("w", encoding="utf-8") as file:
        for each in rows:
            file.write(json.dumps(each, ensure_ascii=False, allow_nan=False) + "\n")
    return None


def _rows(songs: Sequence[Prepared], unread: Sequence[Unread], found: Tally) -> Iterator[dict[str, Any]]:
    for song in songs:
        found.add(song)
        yield _finite(tally.as_json(song, found.flags))
    yield from map(tally.unread_json, unread)


def _finite(value: Any) -> Any:
    """A value as JSON can hold it: numbers without end are null."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# the JSON


def _as_json(found: Tally, facts: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """All that is told of the songs together."""
    totals = {"in": found.kept.songs + found.rejected.songs, "kept": found.kept.as_json(), "rejected": found.rejected.as_json()}
    totals |= {"words_found": found.heard, "flagged": found.flagged_songs}
    measured = found.meter.costs()
    return {
        "facts": json.loads(json.dumps(facts, default=str)),
        "run": asdict(run),
        "totals": totals,
        "rejected_by_rule": dict(sorted(found.rules.items())),
        "rejected": [_entry_json(entry) for entry in found.away.items],
        "flagged": [_flagged_json(song, found.flags) for song in found.flagged.items],
        "groups": {kind: {name: group.as_json() for name, group in sorted(named.items())} for kind, named in found.groups.items()},
        "figures": {figure.name: _spread(*found.values[figure.name]) for figure in FIGURES},
        "unknown_words": [
            {"word": word, "phoneme": phoneme, "times": times} for (word, phoneme), times in _most(found.unknown, tally.SHOWN_SONGS)
        ],
        "costs": [asdict(cost) | {"per_hour": cost.per_hour, "speed": cost.speed} for cost in measured],
        "projections": [asdict(one) for one in _projections(found, run)],
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {"id": entry.id, "where": entry.where, "reasons": tally.reasons_json(entry.reasons)}


def _flagged_json(song: Prepared, flags: Flags) -> dict[str, Any]:
    told = {"id": song.id, "where": song.where, "flags": tally.reasons_json(tally.flagged(song, flags))}
    return told | {"missed": [] if song.timing is None else tally.missed_words(song.timing.words)}


def _spread(kept: Sequence[float], rejected: Sequence[float]) -> dict[str, Any]:
    """How a figure is spread over songs that are kept, and over those that are not."""
    return {"kept": _quantiles(kept), "rejected": _quantiles(rejected)}


def _quantiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    ordered, last = sorted(values), len(values) - 1
    at = {name: ordered[round(share * last)] for name, share in (("p5", 0.05), ("median", 0.5), ("p95", 0.95))}
    return {"songs": len(values), "mean": statistics.fmean(values), "least": ordered[0], **at, "most": ordered[-1]}


def _most(counted: Mapping[tuple[str, str], int], count: int) -> list[tuple[tuple[str, str], int]]:
    return sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))[:count]


def _projections(found: Tally, run: Run) -> list[costs.Projection]:
    """What more songs like these would take."""
    songs = found.kept.songs + found.rejected.songs
    if not found.meter.seconds or not songs:
        return []
    measured, mean, rate = found.meter.costs(), found.meter.seconds / songs, found.size / found.meter.seconds
    return [costs.projection(measured, many, mean, run.processes, rate if found.size else None) for many in PROJECTED]


# pictures, sound and styles


def _draw(folder: Folder, found: Tally, samples_of: SampleOf, sound: bool) -> list[tuple[Prepared, bool]]:
    """Draws the songs that chance chose; those that were drawn, and whether they can be played."""
    drawn = []
    for song in found.sample.items:
        samples = _there(song, lambda one: samples_of(one.id))
        if samples is None:
            continue
        with folder.whole(f"{FILES}/{song.id}.png") as part:
            plots.draw_song(part, samples, song.timing, song.id)
        if sound:
            _play(folder, song, samples)
        drawn.append((song, sound))
    return drawn


def _there(song: Prepared, read: StyleOf) -> Tensor | None:
    """A song's sound or styles; None where they are gone by now."""
    try:
        return read(song)
    except ValueError as error:
        log.warning("%s: shown in the report without: %s", song.id, error)
        return None


def _earlier(folder: Folder) -> set[str]:
    """The pictures and the sound of the report that was there before."""
    try:
        names = json.loads(folder.read(JSON) or b"{}").get("files", [])
    except (ValueError, AttributeError):
        return set()  # no report of ours
    return {name for name in names if isinstance(name, str) and name.startswith(f"{FILES}/") and ".." not in name}


def _play(folder: Folder, song: Prepared, samples: Tensor) -> None:
    words = song.timing.words if song.timing is not None else ()
    begin, end = plots.excerpt(words, samples.shape[-1] / SAMPLE_RATE)
    with folder.whole(f"{FILES}/{song.id}.mp3") as part:
        audio.write(part, samples[:, round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)], format="mp3")


def _styles(found: Tally, styles_of: StyleOf) -> list[tuple[str, str, np.ndarray]]:
    """Name, group and mean style vector of songs that chance chose."""
    styles = []
    for song in found.mapped.items:
        vectors = _there(song, styles_of)
        if vectors is not None and len(vectors):
            styles.append((song.id, tally.group_of(song), vectors.float().mean(0).numpy()))
    return sorted(styles, key=lambda entry: entry[0])


# the page


def _as_page(
    found: Tally,
    facts: Mapping[str, Any],
    run: Run,
    drawn: list[tuple[Prepared, bool]],
    styles: list[tuple[str, str, np.ndarray]],
    many: bool,
) -> str:
    parts = [
        _head(found, run),
        _cards(found),
        _section("Rejected songs", _rejected(found, many)),
        _section("Songs worth a look", _flagged(found)),
        _section("Distributions", plots.distributions(found.values)),
        _section("Some songs, by chance", "".join(_drawn(song, sound) for song, sound in drawn)),
        _section("Styles", plots.style_map(styles)),
        _section("Words that no dictionary has", _unknown(found)),
        _section("Where the songs come from", _groups(found)),
        _section("Time and storage", _costs(found, run)),
        _section("Songs", _songs(found, many)),
        _section("How it was prepared", page.facts(facts)),
    ]
    return page.page("Preparation report", "\n".join(part for part in parts if part))


def _section(title: str, html: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{html}" if html else ""


def _head(found: Tally, run: Run) -> str:
    total = found.kept.songs + found.rejected.songs
    took = f"{run.seconds:.0f} s with {_counted(run.processes, 'process', 'processes')}"
    told = f"{found.kept.songs} of {_counted(total, 'song')} kept; the last run took {took}."
    return f'<h1>Preparation report</h1>\n<p class="soft">{told}</p>\n'


def _cards(found: Tally) -> str:
    kept, total = found.kept, found.kept.songs + found.rejected.songs
    unlicensed = found.groups.get("license", {}).get("none", Group()).songs
    cards = [
        ("Songs kept", f"{kept.songs}", f"of {total}: {_percent(kept.songs, total)}"),
        ("Rejected", f"{found.rejected.songs}", f"by {_counted(len(found.rules), 'rule')}"),
        ("Worth a look", f"{found.flagged_songs}", f"{_percent(found.flagged_songs, kept.songs)} of those kept"),
        ("Audio kept", f"{page.number(kept.seconds / costs.HOUR)} h", f"of {page.number(found.meter.seconds / costs.HOUR)} h"),
        ("Words", f"{kept.words}", f"{page.number(kept.words / kept.seconds)} a second" if kept.seconds else page.DASH),
        ("Words found", _percent(found.heard, kept.words), "of the songs kept"),
        ("Without a license", f"{unlicensed}", f"{_percent(unlicensed, kept.songs)} of those kept"),
        ("Work", _times(found), "one process, all stages"),
    ]
    shown = (f'<div class="card">{escape(title)}<b>{escape(value)}</b><small>{escape(note)}</small></div>' for title, value, note in cards)
    return f'<div class="cards">{"".join(shown)}</div>\n'


def _times(found: Tally) -> str:
    """How much faster than real time one process works."""
    work = sum(cost.total for cost in found.meter.costs())
    return f"{page.number(found.meter.seconds / work)} x real time" if work else page.DASH


def _rejected(found: Tally, many: bool) -> str:
    """How many each rule turned away, and who they are."""
    if not found.rejected.songs:
        return ""
    by_rule = [page.row([escape(rule), str(count)], 1) for rule, count in sorted(found.rules.items(), key=lambda each: (-each[1], each[0]))]
    rows = [page.row([_named(entry.id, entry.where), *_told(entry.reasons)]) for entry in found.away.items]
    more = _more(found.rejected.songs, len(rows), SONGS if many else JSON)
    return page.table(["rule", "songs"], by_rule, 1) + page.table(["song", "rule", "reason"], rows) + more


def _flagged(found: Tally) -> str:
    """Songs that are kept although something seems wrong with their words, the worst first, with the words that were not heard."""
    if not found.flagged_songs:
        return ""
    rows = [page.row([_named(song.id, song.where), _flagged_why(song, found.flags), _flagged_words(song)]) for song in found.flagged.items]
    told = "<p><small>They are in the shards, without the words that were not heard: these are marked.</small></p>\n"
    return told + page.table(["song", "why", "words not heard"], rows) + _more(found.flagged_songs, len(rows), JSON)


def _flagged_why(song: Prepared, flags: Flags) -> str:
    assert song.timing is not None
    spans = ", ".join(f"{_moment(start)} to {_moment(end)}" for start, end in song.timing.extra[:SHOWN_MISSED])
    lines = [*(flag.text for flag in tally.flagged(song, flags)), *song.timing.remarks]
    beside = f"<small>sung beside the lyrics: {spans}</small>" if spans else ""
    return "<br>".join(escape(line) for line in lines) + beside


def _flagged_words(song: Prepared) -> str:
    assert song.timing is not None
    missed = tally.missed_words(song.timing.words)
    shown = " ".join(f"<mark>{escape(word)}</mark>" for word in missed[:SHOWN_MISSED])
    rest = f" and {len(missed) - SHOWN_MISSED} more" if len(missed) > SHOWN_MISSED else ""
    lyrics = page.folded("in the lyrics", plots.lyrics(song.timing.words)) if song.timing.words else ""
    return (shown or page.DASH) + rest + lyrics


def _drawn(song: Prepared, sound: bool) -> str:
    name, address = escape(song.id), f"{FILES}/{quote(song.id)}"
    parts = [f"<article><h3>{name} <small>{_clock(song.facts.seconds) if song.facts is not None else ''}</small></h3>\n"]
    alt = f"{name}: spectrogram with the words found and those that were not"
    parts.append(f'<div class="scroll"><img loading="lazy" src="{address}.png" alt="{alt}"></div>\n')
    parts.append(f'<audio controls preload="none" src="{address}.mp3"></audio>\n' if sound else "")
    return "".join(parts) + "</article>\n"


def _unknown(found: Tally) -> str:
    """Words whose phonemes are guessed."""
    rows = [page.row([escape(word), escape(phoneme), str(times)], 1) for (word, phoneme), times in _most(found.unknown, SHOWN_WORDS)]
    if not rows:
        return ""
    told = f"{_counted(len(found.unknown), 'word')}, whose phonemes are guessed; a lexicon of one's own can tell them"
    return (
        f"<p><small>{told}.</small></p>\n"
        + page.table(["word", "phonemes guessed", "times"], rows, 1)
        + _more(len(found.unknown), len(rows), JSON)
    )


def _groups(found: Tally) -> str:
    """Songs kept, hours and words by license, source, language, tag, split, and how words were timed."""
    rows: list[str] = []
    for kind, title in GROUPS.items():
        named = sorted(found.groups.get(kind, {}).items(), key=lambda entry: (-entry[1].seconds, entry[0]))
        if named:
            more = f", {SHOWN_GROUPS} of {len(named)}; all are in {JSON}" if len(named) > SHOWN_GROUPS else ""
            rows += [page.band(title + more, 4), *(_group(name, group) for name, group in named[:SHOWN_GROUPS])]
    return page.table(["songs kept by", "songs", "hours", "words"], rows, 3) if rows else ""


def _group(name: str, group: Group) -> str:
    return page.row([escape(name), str(group.songs), page.number(group.seconds / costs.HOUR), str(group.words)], 3)


def _costs(found: Tally, run: Run) -> str:
    """What each stage took, and what more songs would take."""
    measured = found.meter.costs()
    if not measured:
        return ""
    rows = [
        page.row([escape(cost.stage), str(cost.songs), *map(page.number, (cost.median, cost.mean, cost.per_hour)), _speed(cost)], 5)
        for cost in measured
    ]
    head = ["stage", "songs", "median s a song", "mean s a song", "s an hour of audio", "x real time"]
    told = "<p><small>Seconds of one process, measured when the work was done: what was there already counts as it did then.</small></p>\n"
    return told + page.table(head, rows, 5) + _projected(_projections(found, run))


def _speed(cost: costs.Cost) -> str:
    return page.DASH if cost.speed is None else page.number(cost.speed)


def _projected(projections: Sequence[costs.Projection]) -> str:
    if not projections:
        return ""
    first = projections[0]
    rows = [
        page.row([escape(stage), *(page.number(one.stages[place][1]) for one in projections)], len(projections))
        for place, (stage, _) in enumerate(first.stages)
    ]
    rows.append(page.row(["all stages", *(page.number(one.work) for one in projections)], len(projections)))
    together = f"hours, {_counted(first.processes, 'process', 'processes')} at once"
    rows.append(page.row([together, *(page.number(one.wall) for one in projections)], len(projections)))
    sizes = [page.DASH if one.size is None else _size(one.size) for one in projections]
    rows.append(page.row(["shards", *sizes], len(projections)))
    head = ["hours of one process", *(f"{one.songs:,} songs" for one in projections)]
    told = f"What so many songs would take that are like these ({first.audio / first.songs * costs.HOUR:.0f} s each)"
    return f"<p><small>{told}.</small></p>\n" + page.table(head, rows, len(projections))


def _songs(found: Tally, many: bool) -> str:
    """A row for each song."""
    head = ["song", "", *(f"{figure.label}, {figure.unit}" if figure.unit else figure.label for figure in FIGURES)]
    rows = [_song(line) for line in found.overview.items]
    if not rows:
        return ""
    return page.table(head, rows, len(FIGURES)) + _more(found.meter.songs, len(rows), SONGS if many else JSON)


def _song(line: Line) -> str:
    state = "rejected" if line.is_rejected else "worth a look" if line.is_flagged else "kept"
    cells = [page.DASH if value is None else page.number(value) for value in line.values]
    return page.row([escape(line.id), state, *cells], len(FIGURES), "bad" if line.is_rejected else "")


# parts of cells


def _named(name: str, where: str) -> str:
    return escape(name) + (f"<small>{escape(where)}</small>" if where and where != name else "")


def _told(reasons: Sequence[Reason]) -> tuple[str, str]:
    return "<br>".join(escape(reason.rule) for reason in reasons), "<br>".join(escape(reason.text) for reason in reasons)


def _more(count: int, shown: int, name: str) -> str:
    return f"<p><small>{count - shown} more are in {name}.</small></p>\n" if count > shown else ""


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else page.DASH


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _moment(seconds: float) -> str:
    tenths = round(10 * seconds)
    return f"{tenths // 600}:{tenths % 600 // 10:02d}.{tenths % 10}"


def _size(size: float) -> str:
    """Bytes as people say them."""
    power = next((power for power in (4, 3, 2) if size >= 1000**power), 1)
    return f"{page.number(size / 1000**power)} {('kB', 'MB', 'GB', 'TB')[power - 1]}"
