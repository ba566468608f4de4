"""How well the singer sings words: pocketsphinx listens to twenty held-out lines, sung a cappella.

A `Report` holds the line found among fifty (by forced alignment and by a grammar), word edges against the asked times, and the word
error rate over the lines' own vocabulary. `controls` gives what to read it beside: the true clips, the codec's round trip, and the
clips shuffled against their lines. The module takes sung audio, and does not know how it was made.

pocketsphinx's traps: a looping JSGF grammar hangs, so the vocabulary is a unigram language model; alignment needs wide beams; a truncated
alignment is a failure; its mean normalisation adapts, so each report uses decoders of its own, in one fixed order.
"""

import logging
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jam import assets
from jam.lyrics.words import Word
from jam.nano import voice
from jam.nano.compose import MAJOR, Melody, held_out_lines, place_line
from jam.nano.pronunciation import arpabet_to_ipa, dictionary_path, phones_of, variants
from jam.song import Singer, SongRequest
from jam.timing import SAMPLE_RATE
from jam.vae.nano import NanoCodec

log = logging.getLogger(__name__)
LINES = 20  # sung of the fifty
A_CAPPELLA = "a cappella, solo male voice"
MARGIN = 0.5  # seconds before the first word and after the last
TEST_SEED = 900_000
BEAT = 0.5  # seconds, of the test lines: a last word is held at most 0.75 s more, which pocketsphinx still follows
FAILED = float("-inf")


@dataclass(frozen=True)
class TestLine:
    """One held-out line, its words at their times, and the true singer's clip (N,) float32."""

    line: str
    words: tuple[Word, ...]
    audio: np.ndarray


@dataclass(frozen=True)
class Report:
    """What pocketsphinx heard in one set of clips."""

    clips: int
    line_by_alignment: float  # share of clips whose own line aligns best of the fifty
    line_by_grammar: float  # share whose own line a grammar of the fifty decodes
    edge_ms: float  # median distance of word starts and ends from the asked times
    edges_within_50_ms: float  # share
    word_error_rate: float  # with the lines' vocabulary
    failed_alignments: int  # own lines that could not be aligned to the end


def test_lines(seed: int = TEST_SEED, count: int = LINES) -> list[TestLine]:
    """The first `count` held-out lines, timed as the corpus times its lines and sung by the true voice."""
    found = []
    for index, line in enumerate(held_out_lines()[:count]):
        rng = np.random.default_rng([seed, index])
        melody = Melody(rng, int(rng.integers(12)), MAJOR, "rms")
        sung = place_line(line.split(), MARGIN, float(rng.uniform(0.24, 0.36)), BEAT, melody)
        seconds = sung[-1].end + MARGIN
        words = tuple(Word(word.start, word.end, word.word, arpabet_to_ipa(phones_of(word.word))) for word in sung)
        found.append(TestLine(line, words, voice.sing(sung, seconds)))
    return found


class Listener:
    """pocketsphinx with the vocabulary of `lines`; one per report."""

    def __init__(self, lines: Sequence[str]) -> None:
        import pocketsphinx

        self.lines = tuple(lines)
        self.models = Path(pocketsphinx.get_model_path()) / "en-us"
        self.folder = tempfile.TemporaryDirectory()
        self.vocabulary = sorted({word for line in lines for word in line.split()})
        dictionary, model = Path(self.folder.name) / "words.dict", Path(self.folder.name) / "words.lm"
        dictionary.write_text(_dictionary(self.vocabulary), encoding="utf-8")
        model.write_text(_unigrams(self.vocabulary), encoding="utf-8")
        self.reader = self._decoder(lm=str(model), dict=str(dictionary))
        self.chooser = self._decoder(lm=None, dict=str(dictionary_path()))
        self.chooser.add_jsgf_string("lines", _grammar(self.lines))
        self.chooser.activate_search("lines")
        self.aligner = self._decoder(lm=None, dict=str(dictionary_path()), beam=1e-100, pbeam=1e-100, wbeam=1e-80)

    def read(self, pcm: bytes) -> str:
        """The words heard, free order."""
        return _heard(self.reader, pcm)

    def choose(self, pcm: bytes) -> str:
        """The line of the fifty that was heard."""
        return _heard(self.chooser, pcm)

    def align(self, line: str, pcm: bytes) -> tuple[float, list[tuple[float, float]]]:
        """Acoustic score a frame of `line`, and its words' (start, end) in seconds; (-inf, []) where it does not reach the end."""
        self.aligner.set_align_text(line)
        if not _heard(self.aligner, pcm):
            return FAILED, []
        pieces = [(_bare(piece.word), piece.start_frame, piece.end_frame + 1, piece.ascore) for piece in self.aligner.seg()]
        spoken = [piece for piece in pieces if not piece[0].startswith(("<", "[", "("))]
        if [piece[0] for piece in spoken] != line.split():
            return FAILED, []
        score = sum(max(-1e4, float(np.log(max(piece[3], 1e-300)))) for piece in pieces) / pieces[-1][2]
        return score, [(start / 100, end / 100) for _, start, end, _ in spoken]

    def _decoder(self, **settings: Any) -> Any:
        import pocketsphinx

        return pocketsphinx.Decoder(hmm=str(self.models / "en-us"), loglevel="FATAL", cmn="batch", **settings)


def to_pcm(samples: np.ndarray) -> bytes:
    """16-bit sound at 16 kHz for pocketsphinx of `samples` (N,) at 44.1 kHz: peak 0.7, a whisper of noise against digital silence."""
    from scipy.signal import resample_poly

    heard = resample_poly(samples.astype(np.float64), 160, 441)
    heard = heard / (np.abs(heard).max() + 1e-9) * 0.7
    heard = heard + np.random.default_rng(0).normal(0, 2e-4, len(heard))
    return (heard * 32767).astype("<i2").tobytes()


def evaluate(clips: Sequence[np.ndarray], words: Sequence[Sequence[Word]], lines: Sequence[str], rivals: bool = True) -> Report:
    """What pocketsphinx hears in `clips` (N,) at 44.1 kHz, clip i meant to sing `lines`[i] at the times of `words`[i].

    Identification is among all fifty held-out lines; without `rivals` only the own line is aligned, which is five times faster and
    leaves `line_by_alignment` not a number.
    """
    import jiwer

    listener = Listener(held_out_lines())
    read, chosen, best, edges, failed = [], 0, 0, [], 0
    for clip, timed, line in zip(clips, words, lines, strict=True):
        pcm = to_pcm(clip)
        read.append(listener.read(pcm))
        chosen += listener.choose(pcm) == line
        own, heard = listener.align(line, pcm)
        if rivals:
            best += own > max(listener.align(other, pcm)[0] for other in listener.lines if other != line)
        failed += own == FAILED
        for word, (start, end) in zip(timed, heard, strict=bool(heard)):
            edges += [abs(start - word.start), abs(end - word.end)]
    count = len(clips)
    edge = np.array(edges or [float("nan")]) * 1000
    error_rate = float(jiwer.wer(list(lines), read))
    aligned = best / count if rivals else float("nan")
    return Report(count, aligned, chosen / count, float(np.median(edge)), float(np.mean(edge < 50)), error_rate, failed)


def round_trip(clip: np.ndarray, codec: NanoCodec) -> np.ndarray:
    """`clip` (N,) through the codec and back."""
    return codec.decode(codec.encode(torch.from_numpy(clip)[None, None])[0])[0, 0, : len(clip)].numpy()


def controls(tests: Sequence[TestLine], codec: NanoCodec) -> dict[str, Report]:
    """Reports of the true clips, of their round trip through the codec, and of clips shuffled against their lines (the floor)."""
    lines, words = [test.line for test in tests], [test.words for test in tests]
    true = [test.audio for test in tests]
    shuffled = [true[(index + 7) % len(true)] for index in range(len(true))]
    return {
        "true clip": evaluate(true, words, lines),
        "codec round trip": evaluate([round_trip(clip, codec) for clip in true], words, lines),
        "shuffled lyrics": evaluate(shuffled, words, lines),
    }


def score(sing: Callable[[Sequence[Word], float], np.ndarray], tests: Sequence[TestLine], rivals: bool = True) -> Report:
    """The report of a singer: `sing(words, seconds)` gives (N,) samples at 44.1 kHz. `rivals` as in `evaluate`."""
    clips = [np.asarray(sing(test.words, len(test.audio) / SAMPLE_RATE), np.float32) for test in tests]
    return evaluate(clips, [test.words for test in tests], [test.line for test in tests], rivals)


def table(reports: dict[str, Report]) -> str:
    """The reports as lines of text, one a condition."""
    names = ["clips", "line by alignment", "line by grammar", "edge ms", "within 50 ms", "WER", "failed"]
    rows = [f"{'condition':18}" + "".join(f"{name:>19}" for name in names)]
    for condition, report in reports.items():
        values = list(asdict(report).values())
        shown = [str(values[0]), *(f"{100 * value:.1f} %" for value in values[1:3]), f"{values[3]:.1f}"]
        shown += [*(f"{100 * value:.1f} %" for value in values[4:6]), str(values[6])]
        rows.append(f"{condition:18}" + "".join(f"{value:>19}" for value in shown))
    return "\n".join(rows)


def sings(singer: Singer) -> Callable[[Sequence[Word], float], np.ndarray]:
    """What `score` takes, of a real singer: each line a song of its own, a cappella by description."""

    def sing(words: Sequence[Word], seconds: float) -> np.ndarray:
        name = " ".join(word.word for word in words)
        return singer.sing(SongRequest(name, tuple(words), seconds, A_CAPPELLA)).audio[0].numpy()

    return sing


def measure(seed: int = 0) -> dict[str, Report]:
    """The embedded model beside its controls, over the held-out lines; `seed` is that of the model's noise."""
    tests, singer = test_lines(), Singer.load("nano")
    singer.settings = replace(singer.settings, seed=seed)
    clips = [np.asarray(sings(singer)(test.words, len(test.audio) / SAMPLE_RATE), np.float32) for test in tests]
    words, lines = [test.words for test in tests], [test.line for test in tests]
    moved = [(index + 7) % len(tests) for index in range(len(tests))]
    reports = controls(tests, NanoCodec.load(assets.BUNDLE))
    reports["embedded model"] = evaluate(clips, words, lines)
    reports["model, shuffled"] = evaluate([clips[index] for index in moved], words, lines)
    return reports


def main(words: Sequence[str]) -> int:
    """The command `python -m jam.nano.score [seed=N]`: prints the table; 1 and one line where something is missing."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        unknown = [word for word in words if not re.fullmatch(r"seed=\d+", word)]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not a setting of this command; it takes seed=N")
        sys.stdout.write(table(measure(*(int(word.removeprefix("seed=")) for word in words[-1:]))) + "\n")
    except (ValueError, OSError) as error:
        log.error("error: %s", error)
        return 1
    return 0


def _heard(decoder: Any, pcm: bytes) -> str:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return hypothesis.hypstr.strip() if hypothesis else ""


def _bare(word: str) -> str:
    """A decoder's word without the number of its pronunciation."""
    return word.split("(")[0] if word[:1] not in "<[(" else word


def _dictionary(vocabulary: Sequence[str]) -> str:
    rows = []
    for word in vocabulary:
        for number, phones in enumerate(variants()[word], 1):
            rows.append(f"{word if number == 1 else f'{word}({number})'} {' '.join(phones)}\n")
    return "".join(rows)


def _unigrams(vocabulary: Sequence[str]) -> str:
    """An ARPA language model in which every word is equally likely."""
    chance = -np.log10(len(vocabulary) + 1)
    words = "".join(f"{chance:.4f} {word}\n" for word in vocabulary)
    return f"\\data\\\nngram 1={len(vocabulary) + 2}\n\n\\1-grams:\n-99 <s>\n{chance:.4f} </s>\n{words}\n\\end\\\n"


def _grammar(lines: Sequence[str]) -> str:
    return "#JSGF V1.0;\ngrammar lines;\npublic <line> = " + " | ".join(f"( {line} )" for line in lines) + " ;"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
