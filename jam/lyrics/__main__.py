"""Lyrics at the command line: `python -m jam.lyrics convert|plan|check|draw|say`. `--help` tells the words of each.

- `convert IN OUT`: from any format to any other;
- `plan IN`: times for words that have none, as a file or, line by line, on the screen;
- `check IN`: what is wrong with lyrics and how to mend it; exit status 1 for errors, `--fix OUT` writes a mended copy;
- `draw IN OUT.png`: words and phonemes over time;
- `say TEXT`: how a line is pronounced.

It sings nothing: that is `jam.infer`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from jam import assets, config
from jam.lyrics import formats, lexicon
from jam.lyrics.lint import Limits, Problem, changes, check, fix
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.planner import PlanSettings, plan
from jam.lyrics.sheet import Sheet, split
from jam.lyrics.words import Word
from jam.model import weights
from jam.timing import MAX_FRAMES, frames_to_seconds

log = logging.getLogger("jam")

HAS_ERRORS = 1  # exit status of `check`
MODELS = ("nano", "jam-0.5")


def parser() -> argparse.ArgumentParser:
    """The words of the command line."""
    whole = _Parser("python -m jam.lyrics", description="Lyrics: convert, plan, check, draw, say.")
    commands = whole.add_subparsers(dest="command", required=True, metavar="convert|plan|check|draw|say")

    convert = commands.add_parser("convert", help="from any format to any other")
    _input(convert)
    convert.add_argument("output", help="the file to write; its suffix says the format")
    _format(convert)

    planning = commands.add_parser("plan", help="times for words that have none")
    _input(planning)
    planning.add_argument("--output", "-o", help="the file to write, in the format of its suffix; else LRC lines on the screen")
    _format(planning)
    _knobs(planning)
    _voice(planning)
    planning.add_argument("--phonemes", action="store_true", help="write each word's IPA too, to be edited")

    checking = commands.add_parser("check", help="what is wrong, and how to mend it; exit status 1 for errors")
    _input(checking)
    checking.add_argument("--duration", type=_seconds, metavar="S", help="seconds of the song")
    checking.add_argument("--fix", metavar="OUT", help="write a mended copy")
    _voice(checking)

    drawing = commands.add_parser("draw", help="a picture of words and phonemes over time")
    _input(drawing)
    drawing.add_argument("output", help="the PNG to write")
    _knobs(drawing)
    _voice(drawing)

    saying = commands.add_parser("say", help="the IPA of a line")
    saying.add_argument("text", nargs="+", help="the line")
    _voice(saying)
    return whole


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as all entries do."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; {self.prog} --help tells the words")


def _input(command: argparse.ArgumentParser) -> None:
    command.add_argument("input", help=f"a file of lyrics: {_names()}")
    command.add_argument("--from", dest="format", metavar="FORMAT", choices=formats.NAMES, help="its format, where it is not recognised")
    command.add_argument("--encoding", help="its encoding, such as shift_jis, where it is not recognised")


def _format(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", metavar="FORMAT", choices=formats.NAMES, help=f"the format, where the suffix does not say: {_names()}")


def _knobs(command: argparse.ArgumentParser) -> None:
    """The planner's knobs."""
    command.add_argument("--duration", type=_seconds, metavar="S", help="seconds of the song; else proposed")
    command.add_argument("--bpm", type=_seconds, metavar="N", help="beats a minute")
    command.add_argument("--clip", metavar="AUDIO", help="a style clip whose tempo is taken")
    command.add_argument("--density", type=_seconds, metavar="X", default=1.0, help="above 1: more syllables a second")
    command.add_argument("--intro", type=_span, metavar="S", help="seconds before the first word")
    command.add_argument("--outro", type=_span, metavar="S", help="seconds after the last word")
    command.add_argument("--gap", type=_span, metavar="S", help="seconds of breath between lines")
    command.add_argument("--backing", choices=("sing", "drop"), default="sing", help="words in round brackets")
    command.add_argument("--method", choices=("auto", "rules", "learned"), default="auto")
    command.add_argument("--weights", metavar="FILE", help="learned durations of your own, from jam.lyrics.train_planner")
    command.add_argument("--seed", type=int, default=0, help="of small choices; 0: none")


def _voice(command: argparse.ArgumentParser) -> None:
    """Whose words they shall become."""
    command.add_argument("--model", choices=MODELS, default="nano", help="whose canvas, slots and phonemizer count")
    command.add_argument("--phonemizer", metavar="FILE", help="a DeepPhonemizer checkpoint instead of the model's own")
    command.add_argument("--lexicon", metavar="FILE", help="pronunciations of your own")
    command.add_argument("--language", metavar="CODE", help="of words that name none, such as fr")
    command.add_argument("--languages", metavar="CODE=SOURCE", nargs="+", default=[], help="fr=espeak, de=CHECKPOINT")


def _names() -> str:
    return ", ".join(formats.NAMES)


def _seconds(text: str) -> float:
    value = _span(text)
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _span(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0")
    return value


def _read(given: argparse.Namespace) -> Sheet:
    """The lyrics, in the language that the words name."""
    sheet = formats.read_sheet(given.input, given.encoding, given.format)
    language = getattr(given, "language", None)
    return replace(sheet, language=language) if language else sheet


def _phonemizer(given: argparse.Namespace) -> Phonemizer:
    path = given.phonemizer or (assets.BUNDLE / "phonemizer.pt" if given.model == "nano" else assets.fetch(assets.PHONEMIZER))
    languages = dict(_pair(word) for word in given.languages)
    return Phonemizer.load(path, lexicon.read(given.lexicon) if given.lexicon else None, languages)


def _pair(word: str) -> tuple[str, str]:
    code, equals, source = word.partition("=")
    if not (code and equals and source):
        raise ValueError(f"--languages {word}: write CODE=SOURCE, such as fr=espeak")
    return code, source


def _limits(given: argparse.Namespace, duration: float | None) -> Limits:
    """What the model can sing, as its settings say."""
    own = weights.read_sections(assets.BUNDLE / "model") if given.model == "nano" else {}
    frames = own.get("dit", {}).get("max_frames", MAX_FRAMES)
    return Limits(duration, frames_to_seconds(frames))


def _planned(sheet: Sheet, given: argparse.Namespace, phonemizer: Phonemizer) -> Sheet:
    """The sheet with times and a duration. Raises ValueError, naming the file, where it cannot be planned."""
    bpm = given.bpm
    if bpm is None and given.clip is not None:
        from jam import audio
        from jam.lyrics.tempo import tempo_of

        bpm = tempo_of(*audio.read(given.clip))[0]
    knobs = {name: getattr(given, name) for name in ("density", "intro", "outro", "gap", "backing", "method", "duration", "seed")}
    settings = PlanSettings(bpm=bpm, weights=given.weights, longest=_limits(given, None).canvas, **knobs)
    try:
        return plan(sheet, phonemizer.ipa, settings)
    except ValueError as error:
        raise ValueError(f"{given.input}: {error}") from error


def convert_(given: argparse.Namespace) -> int:
    """Writes the lyrics in another format."""
    formats.format_of(given.output, given.to)
    sheet = _read(given)
    _tell(given.input, sheet.remarks)
    _write(given.output, sheet, given.to)
    log.info("%s: %d words in %d lines", given.output, len(sheet.words), len(sheet.lines))
    return 0


def plan_(given: argparse.Namespace) -> int:
    """Writes, or shows, the lyrics with times."""
    if given.output is not None:
        formats.format_of(given.output, given.to)
    sheet, phonemizer = _read(given), _phonemizer(given)
    _tell(given.input, sheet.remarks)
    if sheet.words and sheet.timing == "words":
        _tell(given.input, ["all its words have times, which are kept"])
    planned = _planned(sheet, given, phonemizer)
    if given.phonemes:
        planned = with_phonemes(planned, phonemizer, given.input)
    problems = check(planned, phonemizer, _limits(given, planned.duration))
    _tell(given.input, (str(problem) for problem in problems if problem.level != "note"))
    if given.output is None:
        from jam.lyrics.formats import lrc

        sys.stdout.write(lrc.write(planned))
    else:
        _write(given.output, planned, given.to)
    log.info("%s: %d words in %.2f s at %.0f bpm", given.output or given.input, len(planned.words), planned.duration, planned.bpm)
    return 0


def check_(given: argparse.Namespace) -> int:
    """Prints a table of problems; the exit status says whether there are errors."""
    if given.fix is not None:
        formats.format_of(given.fix)
    sheet, phonemizer = _read(given), _phonemizer(given)
    limits = _limits(given, given.duration or sheet.duration)
    problems = check(sheet, phonemizer, limits)
    sys.stdout.write("".join(f"{line}\n" for line in table(problems)))
    if given.fix is not None:
        mended = fix(sheet, phonemizer, limits)
        _write(given.fix, mended, None)
        _tell(given.fix, changes(sheet, mended) or ["nothing had to be changed"])
    return HAS_ERRORS if any(problem.level == "error" for problem in problems) else 0


def draw_(given: argparse.Namespace) -> int:
    """Draws the lyrics, planned where they have no times."""
    from jam import picture

    if Path(given.output).suffix.lower() != ".png":
        raise ValueError(f"{given.output}: pictures are PNG; give it the suffix .png")
    sheet, phonemizer = _read(given), _phonemizer(given)
    _tell(given.input, sheet.remarks)
    if sheet.timing != "words":
        sheet = _planned(sheet, given, phonemizer)
    sheet = with_phonemes(sheet, phonemizer, given.input)
    picture.draw_roll(given.output, sheet, sheet.title or Path(given.input).name, given.duration or sheet.duration)
    log.info("%s: %d words", given.output, len(sheet.words))
    return 0


def say_(given: argparse.Namespace) -> int:
    """Prints each word of a line with its IPA, and how it is known."""
    try:
        words, left_out = split(" ".join(given.text))
    except ValueError as error:
        raise ValueError(f"say: {error}") from error
    phonemizer = _phonemizer(given)
    asked = [Word(index, index + 1, word.word, word.phoneme, given.language) for index, word in enumerate(words)]
    found = phonemizer.words(asked, "say")
    guessed = phonemizer.guessed([word.word for word in asked if word.phoneme is None and word.language is None])
    for before, word in zip(asked, found, strict=True):
        how = "as written" if before.phoneme is not None else "guessed" if before.word in guessed else ""
        sys.stdout.write(f"{word.word:16} {word.phoneme:24} {how}".rstrip() + "\n")
    _tell("say", (f"{symbol!r} is not sung" for symbol in left_out))
    return 0


def with_phonemes(sheet: Sheet, phonemizer: Phonemizer, where: str) -> Sheet:
    """A timed sheet whose words all have their IPA. Raises ValueError as `Phonemizer.words` does."""
    found = iter(phonemizer.words(sheet.timed(where), where))
    lines = [replace(line, words=tuple(replace(word, phoneme=next(found).phoneme) for word in line.words)) for line in sheet.lines]
    return replace(sheet, lines=tuple(lines))


def table(problems: Sequence[Problem]) -> list[str]:
    """A line for each problem: level, place, seconds, what is wrong, and what to do; then how many there are."""
    told = [(problem, f"{problem.message}; {problem.fix}" if problem.fix else problem.message) for problem in problems]
    rows = [(p.level, p.place, "" if p.start is None else f"{p.start:.2f} s", what) for p, what in told]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [f"{a:{widths[0]}}  {b:{widths[1]}}  {c:>{widths[2]}}  {d}" for a, b, c, d in rows]
    counts = [f"{sum(p.level == level for p in problems)} {level}s" for level in ("error", "warning", "note")]
    return [*lines, ", ".join(counts)]


def _write(path: str, sheet: Sheet, format: str | None) -> None:
    """Writes lyrics, and tells what of them the format does not hold."""
    formats.write(path, sheet, format)
    lost = losses(sheet, formats.read_sheet(path, format=format))
    if lost:
        _tell(path, [f"this format does not hold {', '.join(lost)}"])


def losses(sheet: Sheet, back: Sheet) -> list[str]:
    """What `sheet` knew that `back`, the same after writing and reading, no longer does."""
    facts = ("title", "language", "style", "bpm", "duration")
    lost = [name for name in facts if getattr(sheet, name) is not None and getattr(back, name) is None]
    if sheet.sections and not back.sections:
        lost.append("sections")
    pairs = list(zip(sheet.words, back.words, strict=False))
    if any(word.is_timed and not other.is_timed for word, other in pairs):
        lost.append("times of words")
    for name, plural in (("phoneme", "phonemes"), ("phones", "times of phonemes"), ("backing", "which words are backing")):
        if any(getattr(word, name) and not getattr(other, name) for word, other in pairs):
            lost.append(plural)
    return lost


def _tell(where: str, lines: Iterable[str]) -> None:
    for line in lines:
        log.warning("%s: %s", where, line)


def main(words: list[str]) -> int:
    """Entry: runs a command."""
    given = parser().parse_args(words)
    run = {"convert": convert_, "plan": plan_, "check": check_, "draw": draw_, "say": say_}[given.command]
    return run(given)


if __name__ == "__main__":
    sys.exit(config.run(main))
