"""A song as a picture: its mel spectrogram with the words where they are sung, or its lyrics alone as a roll. The door to matplotlib."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jam.files import write_whole
from jam.lyrics.demands import is_time
from jam.lyrics.sheet import Section, Sheet, SheetWord
from jam.lyrics.words import Word, label
from jam.timing import SAMPLE_RATE, frames_to_seconds

ROW_SECONDS = 22.0  # a roll is wrapped into rows of at most so many,
ROW_INCHES, MARGIN_INCHES = 16.0, 0.45  # each so wide, beside so much on either side
LANE_INCHES = 0.4  # words that have no room beside each other lie in lanes
STRIP = 0.5  # lanes: the strip of section names above them, and that of singing and rests below
LONGEST_ROLL = 1800.0  # seconds: pictures cannot be taller
NAMED_REST = 1.5  # seconds: rests from here on have their length written
WORD_POINTS, PHONE_POINTS = 9.0, 7.0
COLOURS = {
    **{"verse": "#3b7dd8", "pre-chorus": "#1fa187", "chorus": "#e07b1a", "post-chorus": "#c9a21a", "bridge": "#4e9a3b"},
    **{"instrumental": "#8a5fbf", "intro": "#7a8794", "outro": "#7a8794", "other": "#c2528b"},
}
"""By kind of section, as `jam.lyrics.sheet.KINDS` names them."""
NO_SECTION = "#5b7fa8"
ASKED, SUNG = "#3b7dd8", "#e07b1a"
MISSED, BESIDE = "#c0271c", "#8a5fbf"
HEARD_INCHES = 3.6

HOP, WINDOW, MELS = 512, 2048, 96
RANGE_DB = 80.0
FAINTEST = 1e-7  # magnitudes below are silence


def mel_spectrogram(samples: Tensor) -> Tensor:
    """(channels, N) at 44.1 kHz -> (MELS, columns) in dB below the loudest value, at least -80; silence is -80 throughout."""
    import torchaudio

    bank = torchaudio.functional.melscale_fbanks(WINDOW // 2 + 1, 40.0, SAMPLE_RATE / 2, MELS, SAMPLE_RATE)  # (K, MELS)
    mono = torch.nn.functional.pad(samples.float().mean(0), (0, max(0, WINDOW - samples.shape[-1])))
    spectrum = torch.stft(mono, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True).abs()
    level = 20 * torch.log10((bank.T @ spectrum).clamp_min(FAINTEST))
    loudest = level.max().clamp_min(20 * math.log10(FAINTEST) + RANGE_DB)
    return (level - loudest).clamp_min(-RANGE_DB)


def draw(path: str | Path, samples: Tensor, words: Sequence[Word], title: str) -> Path:
    """Writes the PNG of a song: (channels, N) at 44.1 kHz, words in seconds. Raises OSError when it cannot be written."""
    from matplotlib.figure import Figure

    seconds = samples.shape[-1] / SAMPLE_RATE
    figure = Figure(figsize=(_width(seconds), 4.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    levels = mel_spectrogram(samples).numpy()
    axes.imshow(levels, origin="lower", aspect="auto", extent=(0, seconds, 0, MELS), cmap="magma", vmin=-RANGE_DB, vmax=0)
    _mark(axes, words, MELS)
    axes.set(xlabel="seconds", ylabel="mel band", xlim=(0, seconds))
    axes.set_title(title, parse_math=False)
    return _write(path, figure)


def draw_heard(path: str | Path, samples: Tensor, asked: Sequence[Word], sung: Sequence[Word], title: str) -> Path:
    """Writes the PNG of a song with two lanes of words below it: those asked for, and those that were found, at their times.

    A line joins each word found to the one asked for; the more it slants the further it is off. `samples` are (channels, N) at 44.1 kHz,
    words in seconds, either may have none. Raises OSError as `draw`.
    """
    seconds = max(samples.shape[-1] / SAMPLE_RATE, *(word.end for word in (*asked, *sung)), 1.0)
    figure, lower, letter = _over_lanes(samples, seconds, title, {2.6: "asked", 0.6: "sung"})
    _lane(lower, asked, ASKED, 2.2, letter)
    _lane(lower, sung, SUNG, 0.2, letter)
    joined = [((asked[a].start, 2.2), (sung[b].start, 1.0)) for a, b in _joined(asked, sung)]
    _add_lines(lower, joined)
    return _write(path, figure)


def draw_checked(
    path: str | Path, samples: Tensor, found: Sequence[Word], missed: Sequence[Word], extra: Sequence[tuple[float, float]], title: str
) -> Path:
    """Writes the PNG of a song with its words below it: those found, and those that were not where they would have to be.

    `extra` are stretches in which something else is sung. `samples` are (channels, N) at 44.1 kHz, times in seconds. Raises OSError as
    `draw`.
    """
    seconds = max(samples.shape[-1] / SAMPLE_RATE, 1.0)
    figure, lower, letter = _over_lanes(samples, seconds, title, {2.6: "found", 1.6: "not found", 0.6: "extra"})
    _lane(lower, found, ASKED, 2.2, letter)
    _lane(lower, missed, MISSED, 1.2, letter)
    lower.broken_barh([(start, end - start) for start, end in extra], (0.2, 0.8), color=BESIDE, alpha=0.5, linewidth=0)
    return _write(path, figure)


def draw_latent(path: str | Path, latents: Tensor, words: Sequence[Word], title: str) -> Path:
    """Writes the PNG of a song's latents (T, C), a channel a row, words in seconds. Raises OSError when it cannot be written."""
    from matplotlib.figure import Figure

    frames, channels = latents.shape
    seconds, far = frames_to_seconds(frames), float(latents.abs().float().quantile(0.99, dim=0).mean())
    figure = Figure(figsize=(_width(seconds), 4.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    extent = (0, seconds, 0, channels)
    image = axes.imshow(latents.T.numpy(), origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-far, vmax=far)
    figure.colorbar(image, ax=axes, pad=0.01)
    above = channels / 0.86
    axes.set(xlabel="seconds", ylabel="latent channel", xlim=(0, seconds), ylim=(0, above), facecolor="black")
    _mark(axes, words, above)
    axes.set_title(title, parse_math=False)
    return _write(path, figure)


def draw_curves(path: str | Path, curves: Mapping[str, Sequence[tuple[float, float]]], along: str, up: str) -> Path:
    """Writes the PNG of curves, each a list of points, by name; `along` and `up` name the axes. Raises OSError as `draw`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 5.0), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for name, points in curves.items():
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, label=name, linewidth=1.2, marker="." if len(points) < 30 else None)
    axes.set(xlabel=along, ylabel=up)
    axes.grid(alpha=0.3)
    if curves:
        axes.legend()
    return _write(path, figure)


def draw_roll(path: str | Path, sheet: Sheet, title: str, duration: float | None = None) -> Path:
    """Writes the PNG of timed lyrics: words with their phonemes over time, in rows of about 20 s, sections in colours with their names.

    Each word is a bar as long as it is sung, hatched where it is a backing vocal, and divided where the times of its phones are known;
    rests have their seconds. The roll ends at `duration`, else where the sheet says, else with the last word. Raises ValueError for a word
    without times and for more than `LONGEST_ROLL` seconds, and OSError as `draw`.
    """
    from matplotlib.figure import Figure

    for index, word in enumerate(sheet.words):
        if not (is_time(word.start) and is_time(word.end)):
            raise ValueError(f"{label(index, word.word)} has no times; plan them before drawing")
    ends = [word.end for word in sheet.words if word.end is not None]
    seconds = max(duration or sheet.duration or 0.0, *ends, 1.0)
    if seconds > LONGEST_ROLL:
        raise ValueError(f"the lyrics last {seconds:g} s; a roll shows at most {LONGEST_ROLL:g} s, so divide them")
    rows = math.ceil(seconds / ROW_SECONDS)
    length = max(math.ceil(seconds / rows), 4)
    figure = Figure(figsize=(ROW_INCHES + 2 * MARGIN_INCHES, 1.0), dpi=100)
    with _boxes_for_letters():
        roll = _Roll(sheet, seconds, length, _ruler(figure, length))
        _stack(figure, [roll.row(*span) for span in roll.breaks()], length, title)
        return _write(path, figure)


Measure = Callable[[str, float], float]  # text and its points -> the seconds that it takes in a row


@dataclass(frozen=True)
class _Bar:
    """A word in its row: from `start` to `end`, in `lane`, its label at `place`; `is_whole` unless it began in the row before."""

    word: SheetWord
    start: float
    end: float
    lane: int
    place: float
    colour: str
    opens_line: bool
    is_whole: bool


@dataclass(frozen=True)
class _Row:
    """What is drawn of the seconds from `begin` on."""

    begin: float
    bars: tuple[_Bar, ...]
    sections: tuple[tuple[float, float, str, str], ...]  # start, end, name, colour
    sung: tuple[tuple[float, float], ...]
    rests: tuple[tuple[float, float], ...]
    measure: Measure

    @property
    def lanes(self) -> int:
        """How many lanes its words need."""
        return max((bar.lane for bar in self.bars), default=0) + 1


class _Roll:
    """Lyrics, laid out in rows."""

    def __init__(self, sheet: Sheet, seconds: float, length: float, measure: Measure) -> None:
        self.seconds, self.length, self.measure = seconds, length, measure
        self.spans = tuple(_spans(sheet, seconds))
        timed = [[word for word in line.words if word.start is not None and word.end is not None] for line in sheet.lines]
        self.lines = [(words[0].start or 0.0, words[-1].end or 0.0) for words in timed if words]
        self.words = sorted(
            ((word, number == 0, _colour(sheet, line.section)) for line in sheet.lines for number, word in enumerate(line.words)),
            key=lambda entry: entry[0].start or 0.0,
        )

    def breaks(self) -> Iterator[tuple[float, float]]:
        """Where each row begins and ends: after its seconds, or before a line that it would divide, if half of the row is full by then."""
        begin = 0.0
        while begin < self.seconds:
            end = begin + self.length
            divided = next((start for start, last in self.lines if start < end < last), 0.0)
            if divided > begin + self.length / 2:
                end = max((last for _, last in self.lines if last <= divided), default=divided)
                end = max(end, divided - 0.25)
            yield begin, end
            begin = end

    def row(self, begin: float, end: float) -> _Row:
        """The row of the seconds from `begin` to `end`."""
        sections = tuple((max(a, begin), min(b, end), name, colour) for a, b, name, colour in self.spans if b > begin and a < end)
        sung, rests = self._sung(begin, end)
        return _Row(begin, tuple(self._bars(begin, end)), sections, sung, rests, self.measure)

    def _bars(self, begin: float, end: float) -> Iterator[_Bar]:
        free: list[float] = []  # from when on each lane is free
        for word, opens_line, colour in self.words:
            start, last = word.start or 0.0, word.end or 0.0
            if last < begin or start >= end or (last == begin and start < begin):
                continue
            is_whole = start >= begin
            width = max(self.measure(_name(word), WORD_POINTS), _phones_width(word, self.measure)) if is_whole else 0.0
            place = max(start, begin)
            place = min(place, end + self.measure("m", WORD_POINTS) - width) if width else place
            lane = next((number for number, since in enumerate(free) if since <= min(place, start)), len(free))
            free[lane : lane + 1] = [max(min(last, end), place + width + self.measure("  ", WORD_POINTS))]
            yield _Bar(word, max(start, begin), min(last, end), lane, place, colour, opens_line and is_whole, is_whole)

    def _sung(self, begin: float, end: float) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
        """When anything is sung in a row, and the rests that are worth a number, cut at the row's ends."""
        sung: list[list[float]] = []
        for word, _, _ in self.words:
            start, last = word.start or 0.0, word.end or 0.0
            if sung and start <= sung[-1][1]:
                sung[-1][1] = max(sung[-1][1], last)
            else:
                sung.append([start, last])
        edges = [0.0, *(edge for span in sung for edge in span), self.seconds]
        rests = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= NAMED_REST]
        within = tuple((max(a, begin), min(b, end)) for a, b in sung if b > begin and a < end)
        return within, tuple((a, b) for a, b in rests if begin <= (a + b) / 2 < end)


def _spans(sheet: Sheet, seconds: float) -> Iterator[tuple[float, float, str, str]]:
    """Start, end, name and colour of each section: its own times, else its words', else what its neighbours leave."""
    known = [_known(sheet, number, section) for number, section in enumerate(sheet.sections)]
    for number, (section, span) in enumerate(zip(sheet.sections, known, strict=True)):
        before = max((other[1] for other in known[:number] if other), default=0.0)
        after = min((other[0] for other in known[number + 1 :] if other), default=seconds)
        start, end = span or (before, after)
        if end > start:
            yield start, end, f"{section.name} ({section.note})" if section.note else section.name, COLOURS[section.kind]


def _known(sheet: Sheet, number: int, section: Section) -> tuple[float, float] | None:
    words = [word for line in sheet.lines if line.section == number for word in line.words]
    starts = [word.start for word in words if word.start is not None]
    start = section.start if section.start is not None else min(starts, default=None)
    end = section.end if section.end is not None else max((word.end for word in words if word.end is not None), default=None)
    return None if start is None or end is None else (start, end)


def _colour(sheet: Sheet, section: int | None) -> str:
    return NO_SECTION if section is None or section >= len(sheet.sections) else COLOURS[sheet.sections[section].kind]


def _name(word: SheetWord) -> str:
    """What is written on a word's bar."""
    text = word.word or word.phoneme or "".join(phone.phoneme for phone in word.phones or ())
    return f"({text})" if word.backing else text


def _phones_width(word: SheetWord, measure: Measure) -> float:
    """Seconds that the word's phonemes take below its name."""
    if word.phones is None:
        return measure(word.phoneme or "", PHONE_POINTS)
    places = list(_phone_places(word, measure))
    return places[-1][0] + measure(places[-1][1], PHONE_POINTS) - (word.start or 0.0) if places else 0.0


def _phone_places(word: SheetWord, measure: Measure) -> Iterator[tuple[float, str]]:
    """Where each phone's symbols are written: at its start, or after those before."""
    free = 0.0
    for phone in word.phones or ():
        place = max(phone.start, free)
        yield place, phone.phoneme
        free = place + measure(phone.phoneme, PHONE_POINTS) * 1.25


def _ruler(figure: Any, length: float) -> Measure:
    """What measures text in seconds of a row that lasts `length`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.font_manager import FontProperties

    renderer = FigureCanvasAgg(figure).get_renderer()
    fonts = {points: FontProperties(size=points) for points in (WORD_POINTS, PHONE_POINTS)}
    known: dict[tuple[str, float], float] = {}

    def measure(text: str, points: float) -> float:
        if (text, points) not in known:
            width = renderer.get_text_width_height_descent(text, fonts[points], False)[0] if text else 0.0
            known[text, points] = width / figure.dpi * length / ROW_INCHES
        return known[text, points]

    return measure


def _stack(figure: Any, rows: Sequence[_Row], length: float, title: str) -> None:
    """Draws rows one below the other, the title above."""
    heights = [(row.lanes + 2 * STRIP) * LANE_INCHES for row in rows]
    above, between, below = 0.5, 0.34, 0.4
    whole = above + sum(heights) + between * (len(rows) - 1) + below
    width = figure.get_figwidth()
    figure.set_figheight(whole)
    top = whole - above
    for row, height in zip(rows, heights, strict=True):
        box = (MARGIN_INCHES / width, (top - height) / whole, ROW_INCHES / width, height / whole)
        _draw_row(figure.add_axes(box), row, length)
        top -= height + between
    shown = title if len(title) <= 120 else title[:119] + "\u2026"
    figure.text(MARGIN_INCHES / width, 1 - 0.3 / whole, shown, fontsize=14, weight="bold", va="center", parse_math=False)


def _draw_row(axes: Any, row: _Row, length: float) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    axes.set(xlim=(row.begin, row.begin + length), ylim=(row.lanes + STRIP, -STRIP), yticks=[])
    axes.xaxis.set_major_locator(MultipleLocator(5 if length > 12 else 1))
    axes.xaxis.set_minor_locator(MultipleLocator(1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{int(round(x)) // 60}:{int(round(x)) % 60:02d}"))
    axes.tick_params(axis="x", labelsize=8, colors="#555555")
    axes.grid(axis="x", which="both", color="#000000", alpha=0.07, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    _draw_sections(axes, row)
    for bar in row.bars:
        _draw_bar(axes, bar, row)
    _draw_rests(axes, row)


def _draw_sections(axes: Any, row: _Row) -> None:
    for start, end, name, colour in row.sections:
        axes.fill_between((start, end), -STRIP, -0.08, color=colour, alpha=0.85, linewidth=0)
        axes.fill_between((start, end), -0.08, row.lanes, color=colour, alpha=0.07, linewidth=0)
        axes.plot((start, start), (-STRIP, row.lanes), color="white", linewidth=1.5, zorder=1)
        shown = _shortened(f" {name}", end - start, row.measure)
        axes.text(start, -STRIP / 2 - 0.04, shown, fontsize=WORD_POINTS, color="white", weight="bold", va="center", parse_math=False)


def _shortened(text: str, room: float, measure: Measure) -> str:
    """As much of a text as there is room for; bold letters are wider than those measured."""
    if measure(text, WORD_POINTS) * 1.15 <= room:
        return text
    while text and measure(text + "\u2026", WORD_POINTS) * 1.15 > room:
        text = text[:-1]
    return text + "\u2026" if len(text) > 2 else ""


def _draw_bar(axes: Any, bar: _Bar, row: _Row) -> None:
    """A word: its bar, its text, and its phonemes below, at their times where these are known."""
    from matplotlib.patches import Rectangle

    fill: dict[str, Any] = {"facecolor": "white", "hatch": "/////"} if bar.word.backing else {"facecolor": bar.colour}
    box = ((bar.start, bar.lane + 0.06), max(bar.end - bar.start, 0.01), 0.88)
    axes.add_patch(Rectangle(*box, edgecolor=bar.colour, alpha=0.38, linewidth=0, **fill))
    axes.add_patch(Rectangle(*box, fill=False, edgecolor=bar.colour, linewidth=0.8))
    if bar.opens_line:
        axes.plot((bar.start, bar.start), (bar.lane + 0.06, bar.lane + 0.94), color=bar.colour, linewidth=3.0, solid_capstyle="butt")
    if not bar.is_whole:
        return
    inset = row.measure("i", PHONE_POINTS) * (1.4 if bar.opens_line else 0.8)
    behind = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.4} if bar.word.backing else None
    text = {"va": "center", "parse_math": False, "clip_on": False}
    axes.text(bar.place + inset, bar.lane + 0.33, _name(bar.word), fontsize=WORD_POINTS, color="#111111", bbox=behind, **text)
    low = bar.lane + 0.73
    if bar.word.phones is None:
        phoneme = bar.word.phoneme if bar.word.word else ""
        axes.text(bar.place + inset, low, phoneme or "", fontsize=PHONE_POINTS, color="#444444", **text)
    for phone in bar.word.phones or ():
        axes.plot((phone.start, phone.start), (bar.lane + 0.5, bar.lane + 0.6), color=bar.colour, linewidth=1.2)
    for place, symbols in _phone_places(bar.word, row.measure):
        axes.text(place + inset * 0.7, low, symbols, fontsize=PHONE_POINTS, color="#222222", **text)


def _draw_rests(axes: Any, row: _Row) -> None:
    """The strip that says when anything is sung, and how long the rests are."""
    middle = row.lanes + STRIP / 2
    for start, end in row.sung:
        axes.fill_between((start, end), middle - 0.07, middle + 0.07, color="#333333", linewidth=0)
    for start, end in row.rests:
        text = f"rest {end - start:.1f} s"
        axes.text((start + end) / 2, middle, text, fontsize=PHONE_POINTS, color="#777777", ha="center", va="center")


@contextmanager
def _boxes_for_letters() -> Iterator[None]:
    """Letters that the font lacks are drawn as boxes, without a warning each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def _over_lanes(samples: Tensor, seconds: float, title: str, lanes: Mapping[float, str]) -> tuple[Any, Any, float]:
    """A figure with the sound of a song above, the axes below for lanes at their heights, and how many seconds wide a letter is there."""
    from matplotlib.figure import Figure

    width = _width(seconds)
    figure = Figure(figsize=(width, HEARD_INCHES), dpi=80)
    left, across = 0.7 / width, 1 - 0.85 / width
    upper = figure.add_axes((left, 0.43, across, 0.48))
    extent = (0, samples.shape[-1] / SAMPLE_RATE, 0, MELS)
    levels = mel_spectrogram(samples).numpy()
    upper.imshow(levels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-RANGE_DB, vmax=0, interpolation="nearest")
    upper.set(xlim=(0, seconds), xticks=[], yticks=[], facecolor="black")
    upper.set_title(title, parse_math=False, loc="left", fontsize=10)
    lower = figure.add_axes((left, 0.1, across, 0.32))
    lower.set(xlim=(0, seconds), ylim=(0, 3.2), yticks=list(lanes), yticklabels=list(lanes.values()))
    lower.tick_params(labelsize=8, length=0)
    for side in ("top", "left", "right"):
        lower.spines[side].set_visible(False)
    return figure, lower, seconds * 0.085 / (width * across)


def _lane(axes: Any, words: Sequence[Word], colour: str, bottom: float, letter: float) -> None:
    """Words as bars 0.8 high, each with its text where this ends before the next word's begins, alternately high and low."""
    bars = [(word.start, max(word.end - word.start, 0.01)) for word in words]
    axes.broken_barh(bars, (bottom, 0.8), color=colour, alpha=0.35, linewidth=0)
    axes.vlines([word.start for word in words], bottom, bottom + 0.8, color=colour, linewidth=1.2)
    free = [0.0, 0.0]  # from when on there is room in the upper and the lower row
    for word in words:
        row = 0 if free[0] <= word.start else 1
        if free[row] > word.start:
            continue  # its bar is drawn all the same
        text = word.word or word.phoneme or ""
        free[row] = word.start + (len(text) + 1) * letter
        height = bottom + (0.57 if row == 0 else 0.18)
        axes.text(word.start + letter / 3, height, text, fontsize=8, va="center", parse_math=False, clip_on=True)


def _joined(asked: Sequence[Word], sung: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Which word asked for each word sung is, by index: their texts in order."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, [word.word for word in asked], [word.word for word in sung], autojunk=False)
    for block in matcher.get_matching_blocks():
        yield from ((block.a + step, block.b + step) for step in range(block.size))


def _add_lines(axes: Any, lines: Sequence[tuple[tuple[float, float], tuple[float, float]]]) -> None:
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(list(lines), colors="#777777", linewidths=0.8))


def _width(seconds: float) -> float:
    """Inches for so long a song."""
    return max(8.0, min(60.0, 0.9 * seconds))


def _mark(axes: Any, words: Sequence[Word], top: float) -> None:
    """Draws words at their seconds, in the upper seventh of axes that go up to `top`."""
    for index, word in enumerate(words):
        axes.axvspan(word.start, word.end, ymin=0.93, ymax=1.0, color="white", alpha=0.25 if index % 2 else 0.4, linewidth=0)
        axes.axvline(word.start, color="white", linewidth=0.5, alpha=0.5)
        height = top * (0.95 if index % 2 else 0.885)
        axes.text(word.start, height, f" {word.word or word.phoneme}", color="white", fontsize=8, parse_math=False, clip_on=True)


def _write(path: str | Path, figure: Any) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn = io.BytesIO()
    with _boxes_for_letters():
        FigureCanvasAgg(figure).print_png(drawn)
    return write_whole(path, drawn.getbuffer())
