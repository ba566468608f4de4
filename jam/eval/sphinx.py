"""What pocketsphinx hears: it reads English, chooses among lines, and aligns a line. One of the doors to it.

It reads a voice alone, of a person or a synthesiser, and hardly under a band. With a vocabulary of its own (that of the lyrics that may be
heard) it reads about 30 times faster than the song lasts on one core, and gets 34 of 100 words of the synthetic singer wrong; with its
general language model about 4.5 times faster.

Its traps: it tracks noise from one utterance to the next, so each has a stream of its own (`start_stream`) and no answer depends on what
was heard before; a grammar that loops hangs, so a vocabulary is a unigram language model; aligning wants wide beams, and is a failure
where it does not reach the line's end. It knows nothing of songs or files.
"""

import functools
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jam import audio
from jam.eval.fidelity import bare, phones_of
from jam.eval.measures import Absent
from jam.eval.normal import said
from jam.lyrics.languages import onto
from jam.lyrics.lexicon import ARPABET
from jam.lyrics.words import Word
from jam.timing import SAMPLE_RATE

RATE = 16_000  # Hz
FRAMES = 100  # a second
LONGEST = 30.0  # seconds that are read at once
PEAK, NOISE = 0.7, 2e-4  # every song's peak, and a whisper of noise against digital silence
LEAST_SCORE = -1e4  # a frame's, in logarithms
WIDE = {"beam": 1e-100, "pbeam": 1e-100, "wbeam": 1e-80}
QUICK = {"fwdflat": False, "topn": 2}  # one pass over a vocabulary of its own: twice as fast, 0 to 3 words of 100 more are wrong
BRISK = {"maxhmmpf": 3000, "maxwpf": 20}  # what the general model may consider: half again as fast, no more errors

Ipa = Callable[[list[str]], list[str]]
"""Words to the IPA of each."""

_LACKING = frozenset({"AX", "AXR", "IX", "UX", "DX", "EL", "EM", "EN", "Q", "WH"})  # phones of ARPAbet that its model does not know
_PHONES = {"".join(bare(list(ipa))): phone for phone, ipa in ARPABET.items() if phone not in _LACKING}
_PHONES |= {"ə": "AH", "ɚ": "ER", "e": "EH", "o": "OW", "a": "AA", "r": "R", "g": "G"}
_SIGNS = frozenset("".join(_PHONES))


@dataclass(frozen=True)
class Aligned:
    """A line that was found from its first word to its last: the acoustic score a frame (a logarithm), and its words' times."""

    score: float
    words: tuple[Word, ...]


class Listener:
    """pocketsphinx, ready. What it answers does not depend on what it heard before."""

    def __init__(self, texts: Iterable[str] = (), ipa: Ipa | None = None) -> None:
        """`texts` hold the only words that `read` will hear; without them it hears those of its general language model.

        `ipa` gives the IPA of words that its dictionary lacks; without it they stand in `unknown` and cannot be heard. Raises Absent
        where pocketsphinx is not installed, and for texts of which no word can be said.
        """
        _pocketsphinx()
        self._ipa = ipa
        given = sorted({word for text in texts for word in spelled(text)})
        self._known = pronunciations(given, ipa)
        self.vocabulary = tuple(self._known)
        self.unknown = tuple(word for word in given if word not in self._known)
        if given and not self._known:
            raise Absent(
                f"what pocketsphinx hears: none of {len(given)} words ({given[0]!r}, ...) can be said in English; use another reader"
            )

    def read(self, pcm: bytes) -> tuple[Word, ...]:
        """The words heard in `pcm` (`to_pcm`), of any length, each at its time. Long songs are cut at quiet places."""
        heard: list[Word] = []
        for start, end in pieces(pcm):
            pieced = _hear(self._reader, pcm[2 * start : 2 * end])
            heard += [Word(start / RATE + word.start, start / RATE + word.end, word.word) for word in pieced]
        return tuple(heard)

    def choose(self, lines: Sequence[str], pcm: bytes) -> int | None:
        """Which of `lines` was heard, by a grammar of them; None where none of them fits."""
        told = [spelled(line) for line in lines]
        self._teach(self._chooser, (word for line in told for word in line))
        grammar = " | ".join(f"( {' '.join(line)} )" for line in told if line)
        self._chooser.add_jsgf_string("lines", f"#JSGF V1.0;\ngrammar lines;\npublic <line> = {grammar} ;")
        self._chooser.activate_search("lines")
        heard = [word.word for word in _hear(self._chooser, pcm)]
        return told.index(heard) if heard in told else None

    def align(self, line: str, pcm: bytes) -> Aligned | None:
        """Where the words of `line` are sung in `pcm` (up to half a minute); None where it does not fit to its end.

        Raises ValueError for a word that cannot be said.
        """
        words = spelled(line)
        if not words:
            return None
        self._teach(self._aligner, words)
        self._aligner.set_align_text(" ".join(words))
        found = _hear(self._aligner, pcm)
        if [word.word for word in found] != words:
            return None
        frames = [(piece.ascore, piece.end_frame + 1) for piece in self._aligner.seg()]
        score = sum(max(LEAST_SCORE, float(np.log(max(score, 1e-300)))) for score, _ in frames) / frames[-1][1]
        return Aligned(score, tuple(found))

    @functools.cached_property
    def _reader(self) -> Any:
        if not self.vocabulary:
            return _decoder({}, lm=str(_models() / "en-us.lm.bin"), dict=str(dictionary_path()), **BRISK)
        return _decoder({"words.dict": _dictionary(self._known), "words.lm": _unigrams(self.vocabulary)}, **QUICK)

    @functools.cached_property
    def _chooser(self) -> Any:
        return _decoder({"words.dict": _dictionary(self._known or pronunciations(["a"]))}, lm=None)

    @functools.cached_property
    def _aligner(self) -> Any:
        return _decoder({"words.dict": _dictionary(self._known or pronunciations(["a"]))}, lm=None, **WIDE)

    def _teach(self, decoder: Any, words: Iterable[str]) -> None:
        """Puts into a decoder's dictionary what it lacks of `words`."""
        new = [word for word in dict.fromkeys(words) if decoder.lookup_word(word) is None]
        found = pronunciations(new, self._ipa)
        for word in new:
            if word not in found:
                raise ValueError(f"the word {word!r} is not in pocketsphinx's dictionary; give its IPA, or leave it out")
            for name, phones in _named(word, found[word]):
                decoder.add_word(name, " ".join(phones), True)


def to_pcm(samples: Tensor | np.ndarray, rate: int = SAMPLE_RATE) -> bytes:
    """`samples` (N,) or (channels, N) at `rate` Hz as pocketsphinx hears them: 16 bits, mono, 16 kHz, one peak for all songs."""
    tensor = torch.as_tensor(samples).float()
    mono = audio.resample(tensor.mean(0) if tensor.ndim == 2 else tensor, rate, RATE).double().cpu().numpy()
    level = mono / (np.abs(mono).max(initial=0.0) + 1e-9) * PEAK
    noisy = level + np.random.default_rng(0).normal(0, NOISE, len(level))
    return (noisy * 32767).astype("<i2").tobytes()


def pieces(pcm: bytes, longest: float = LONGEST) -> list[tuple[int, int]]:
    """(start, end) of pieces of at most `longest` seconds that together are all of `pcm`, in samples: cut where it is quietest."""
    sound = np.frombuffer(pcm, "<i2").astype(np.float32)
    if len(sound) <= longest * RATE:
        return [(0, len(sound))] if len(sound) else []
    hop, most = RATE // FRAMES, int(longest * FRAMES)
    energy = np.square(sound[: len(sound) // hop * hop].reshape(-1, hop)).mean(1)
    level = np.convolve(energy, np.ones(FRAMES // 4), "same")  # a quarter of a second
    cuts = [0]
    while len(level) - cuts[-1] > most:
        half = cuts[-1] + most // 2
        cuts.append(half + int(np.argmin(level[half : cuts[-1] + most])))
    edges = [*(cut * hop for cut in cuts), len(sound)]
    return [(start, end) for start, end in zip(edges, edges[1:], strict=False) if end > start]


def spelled(text: str) -> list[str]:
    """The words of a text as the dictionary spells them: letters and apostrophes, numbers in words, hyphens divided."""
    return [word for word in re.findall(r"[a-z']+", said(text)) if word.strip("'")]


def pronunciations(words: Iterable[str], ipa: Ipa | None = None) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Every pronunciation, ARPAbet, of those of `words` that pocketsphinx's dictionary has, or whose IPA `ipa` gives."""
    wanted = list(dict.fromkeys(words))
    book = dictionary()
    found = {word: book[word] for word in wanted if word in book}
    lacking = [word for word in wanted if word not in book]
    if lacking and ipa is not None:
        said_so = {word: arpabet(sounds) for word, sounds in zip(lacking, ipa(lacking), strict=True)}
        found |= {word: (phones,) for word, phones in said_so.items() if phones}
    return {word: found[word] for word in wanted if word in found}


def arpabet(ipa: str) -> tuple[str, ...]:
    """The ARPAbet, without stress, of a word's IPA; sounds that English lacks are the nearest it has."""
    near = onto("".join(bare(list(ipa))), _SIGNS, _SIGNS)[0]
    return tuple(_PHONES[phone] for phone in (each for part in phones_of(near) for each in _singly(part)) if phone in _PHONES)


def dictionary_path() -> Path:
    """Where pocketsphinx keeps its copy of the CMU dictionary. Raises Absent where it is not installed."""
    return _models() / "cmudict-en-us.dict"


@functools.cache
def dictionary() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Every pronunciation of every word, ARPAbet. Raises Absent where pocketsphinx is not installed."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in dictionary_path().read_text(encoding="utf-8").splitlines():
        word, *phones = line.split()
        found.setdefault(re.sub(r"\(\d+\)$", "", word), []).append(tuple(phones))
    return {word: tuple(phones) for word, phones in found.items()}


def _pocketsphinx() -> Any:
    try:
        import pocketsphinx
    except ImportError as error:
        raise Absent("what pocketsphinx hears: pocketsphinx is not installed; pip install 'jam[eval]'") from error
    return pocketsphinx


def _models() -> Path:
    return Path(_pocketsphinx().get_model_path()) / "en-us"


def _decoder(files: Mapping[str, str], **settings: Any) -> Any:
    """A decoder over files of these names and contents (words.dict, words.lm), which it reads at once."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_text(content, encoding="utf-8")
            settings[name.removeprefix("words.")] = str(Path(folder) / name)
        return _pocketsphinx().Decoder(hmm=str(_models() / "en-us"), loglevel="FATAL", **settings)


def _hear(decoder: Any, pcm: bytes) -> list[Word]:
    """The words of one utterance, at their times; none where nothing was heard."""
    decoder.start_stream()
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    spoken = [piece for piece in decoder.seg() if piece.word[:1] not in "<[(+"]
    return [Word(piece.start_frame / FRAMES, (piece.end_frame + 1) / FRAMES, piece.word.split("(")[0]) for piece in spoken]


def _named(word: str, phones: Sequence[Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    """Pronunciations under the names that decoders give them: word, word(2), ..."""
    return [(word if number == 1 else f"{word}({number})", each) for number, each in enumerate(phones, 1)]


def _dictionary(known: Mapping[str, Sequence[Sequence[str]]]) -> str:
    return "".join(f"{name} {' '.join(each)}\n" for word, phones in known.items() for name, each in _named(word, phones))


def _unigrams(vocabulary: Sequence[str]) -> str:
    """An ARPA language model in which every word is equally likely."""
    chance = -np.log10(len(vocabulary) + 1)
    words = "".join(f"{chance:.4f} {word}\n" for word in vocabulary)
    return f"\\data\\\nngram 1={len(vocabulary) + 2}\n\n\\1-grams:\n-99 <s>\n{chance:.4f} </s>\n{words}\n\\end\\\n"


def _singly(phone: str) -> Sequence[str]:
    """A phone, or its signs where it is none of the dictionary's."""
    return [phone] if phone in _PHONES else list(phone)
