"""Lyrics on disk: reads word-timed JSON, writes JSON and word-level LRC. Knows nothing of phonemizers or slots.

JSON is UTF-8, with or without a byte order mark: a list of words, or an object with a `word` list (`char` and `segment` lists
beside it are ignored). A word is `{"start": seconds, "end": seconds, "word": text, "phoneme": IPA}`, with text or phoneme or both; other
keys are ignored.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from jam.files import read_json, write_whole
from jam.lyrics.words import Word, label, validate

LINE_WORDS = 8  # an LRC line holds at most so many words,
LINE_GAP = 0.35  # and ends where the singer rests for so many seconds


def read(path: str | Path, duration: float | None = None) -> tuple[Word, ...]:
    """The words of a lyrics file; none at all is an instrumental.

    `duration` is the song's, in seconds, where known: words beyond it are refused. Raises ValueError, in one line, for a file that is
    missing, empty, not UTF-8 or not JSON (with line and column), and for words that `validate` refuses.
    """
    return parse(read_json(path, "lyrics file", "a list of words, or [] for an instrumental"), str(path), duration)


def parse(data: object, where: str, duration: float | None = None) -> tuple[Word, ...]:
    """Words from what a JSON file holds: a list of words, or a mapping with a `word` list. `where` names it in messages.

    Raises ValueError for another shape, a word that is no mapping or lacks a key, and words that `validate` refuses.
    """
    if isinstance(data, Mapping):
        if "word" not in data:
            raise ValueError(f"{where}: has no 'word' list (it has {_keys(data)}); put the words into 'word'")
        data = data["word"]
    if isinstance(data, str) or not isinstance(data, Sequence):
        raise ValueError(f"{where}: holds {type(data).__name__}, not words; write a list of words, or an object with a 'word' list")
    return validate([_word(item, index, where) for index, item in enumerate(data)], where, duration)


def write_json(path: str | Path, words: Sequence[Word]) -> Path:
    """Write `words` as a JSON list that `read` gives back equal; phonemes where they have them. Returns the path."""
    lines = [json.dumps({key: value for key, value in vars(word).items() if value is not None}, ensure_ascii=False) for word in words]
    return write_whole(path, ("[\n  " + ",\n  ".join(lines) + "\n]\n" if lines else "[]\n").encode())


def write_lrc(path: str | Path, words: Sequence[Word], title: str | None = None, duration: float | None = None) -> Path:
    """Write `words` as enhanced LRC: `[mm:ss.xx] <mm:ss.xx> word <mm:ss.xx> word <mm:ss.xx>`, the last stamp the end of the line.

    A line ends at a rest of `LINE_GAP` seconds, at the end of a sentence, or at `LINE_WORDS` words. `title` and `duration` (seconds)
    become tags.
    """
    lines = [] if title is None else [f"[ti:{_flat(title)}]"]
    if duration is not None:
        lines.append(f"[length:{_stamp(duration)}]")
    for line in _lines(words):
        sung = " ".join(f"<{_stamp(word.start)}> {_flat(word.word or word.phoneme or '')}" for word in line)
        lines.append(f"[{_stamp(line[0].start)}] {sung} <{_stamp(line[-1].end)}>")
    return write_whole(path, "".join(line + "\n" for line in lines).encode())


def _word(item: object, index: int, where: str) -> Word:
    if not isinstance(item, Mapping):
        raise ValueError(f'{where}: {label(index, item)}: is no object; write {{"start": 0.5, "end": 0.9, "word": "moon"}}')
    name = label(index, item.get("word", item.get("phoneme", "")))
    missing = [key for key in ("start", "end") if key not in item]
    if "word" not in item and "phoneme" not in item:
        missing.append("word")
    if missing:
        lacks = ", ".join(map(repr, missing))
        raise ValueError(f"{where}: {name}: lacks {lacks} (it has {_keys(item)}); each word needs 'start', 'end' and 'word'")
    return Word(item["start"], item["end"], item.get("word", ""), item.get("phoneme"))


def _lines(words: Sequence[Word]) -> list[list[Word]]:
    lines: list[list[Word]] = []
    for word in words:
        last = lines[-1] if lines else []
        if not last or len(last) == LINE_WORDS or word.start - last[-1].end >= LINE_GAP or last[-1].word.endswith((".", "!", "?", ";")):
            lines.append([])
        lines[-1].append(word)
    return lines


def _stamp(seconds: float) -> str:
    """`mm:ss.xx`, rounded to hundredths."""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _flat(text: str) -> str:
    """`text` on one line, without the brackets that LRC uses for times."""
    return " ".join(text.translate({ord(mark): " " for mark in "<>[]"}).split())


def _keys(mapping: Mapping[object, object]) -> str:
    shown = ", ".join(repr(str(key))[:24] for key in list(mapping)[:6])
    return shown + (", ..." if len(mapping) > 6 else "") if shown else "no keys"
