"""JSON lyrics: words with times, whole sheets, and what Whisper, WhisperX and NeMo write. Knows no phonemizer and no slots.

A list of words, or an object with a `word` list (`char` and `segment` lists beside it are ignored). A word is
`{"start": seconds, "end": seconds, "word": text, "phoneme": IPA}`, with text or phoneme or both, and, where they are known, `language` and
`phones` (`{"start", "end", "phoneme"}`); other keys are ignored. A sheet is such an object with a `line` list, which deals the words out to
lines, a `section` list, and the sheet's facts; its words may have null for times that are unknown.

Results of recognisers are objects with `segments` (each with `start`, `end`, `text` and, where there are any, `words`), or with `words`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jam.files import write_whole
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord, is_sung, of_words, split
from jam.lyrics.words import BEYOND_SECONDS, Phone, Word, label, validate

FACTS = ("title", "language", "style", "bpm", "duration")
RECOGNISED = ("segments", "words", "word_segments")
NESTED = ("timestamp", "timestamps", "result", "results", "transcription")


def parse(data: object, where: str, duration: float | None = None) -> tuple[Word, ...]:
    """Timed words from what a JSON file holds. `where` names it in messages.

    Raises ValueError for another shape, a word that is no mapping or lacks a key, and words that `validate` refuses.
    """
    if isinstance(data, Mapping) and "word" not in data and (found := _recognised(data)) is not None:
        return parse_sheet(found, where).timed(where, duration)
    return validate([_word(item, index, where) for index, item in enumerate(_listed(data, where))], where, duration)


def parse_sheet(data: object, where: str) -> Sheet:
    """A sheet from what a JSON file holds. Raises ValueError as `parse` does; words without times are let through where they may be."""
    if isinstance(data, Mapping) and isinstance(data.get("line"), Sequence):
        return _sheet(data, where)
    if isinstance(data, Mapping) and "word" not in data and (found := _recognised(data)) is not None:
        return _of_recogniser(found, where)
    words = [_word(item, index, where) for index, item in enumerate(_listed(data, where))]
    if not all(_is_plain(word) for word in words):
        validate(words, where)  # raises for the first; what is only out of place is for the check of lyrics to judge
    facts = _facts(data, where) if isinstance(data, Mapping) else {}
    return replace(of_words(words), **facts)


def holds_words(data: Mapping[str, Any]) -> bool:
    """Whether an object holds lyrics, in any of the forms that are read."""
    return isinstance(data.get("word"), list) or isinstance(data.get("line"), list) or _recognised(data) is not None


def write(sheet: Sheet) -> str:
    """The sheet as JSON that `parse_sheet` gives back equal, apart from remarks."""
    facts = {key: getattr(sheet, key) for key in FACTS if getattr(sheet, key) is not None}
    parts = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    lines = [{"words": len(line.words)} | _known(line, ("start", "end", "section", "number")) for line in sheet.lines]
    sections = [_known(section, ("name", "note", "start", "end")) for section in sheet.sections]
    for key, rows in (("section", sections), ("line", lines), ("word", [_as_json(word) for word in sheet.words])):
        if rows or key != "section":
            listed = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
            parts.append(f' "{key}": [\n  {listed}\n ]' if rows else f' "{key}": []')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write_json(path: str | Path, words: Sequence[Word]) -> Path:
    """Write timed `words` as a JSON list that `read` gives back equal; phonemes where they have them. Returns the path."""
    lines = [json.dumps(_as_json(word), ensure_ascii=False) for word in words]
    return write_whole(path, ("[\n  " + ",\n  ".join(lines) + "\n]\n" if lines else "[]\n").encode())


def _is_plain(word: Word) -> bool:
    """Whether the word is text at times that are numbers, wherever they lie."""
    texts = isinstance(word.word, str) and all(value is None or isinstance(value, str) for value in (word.phoneme, word.language))
    return texts and _is_time(word.start) and _is_time(word.end)


def _is_time(value: object) -> bool:
    """Whether `value` is a number of seconds, if perhaps a wrong one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < BEYOND_SECONDS


def _as_json(word: Word | SheetWord) -> dict[str, Any]:
    row: dict[str, Any] = {"start": word.start, "end": word.end, "word": word.word} | _known(word, ("phoneme", "language"))
    if word.phones is not None:
        row["phones"] = [vars(phone) for phone in word.phones]
    return row | ({"backing": True} if isinstance(word, SheetWord) and word.backing else {})


def _known(record: object, keys: Sequence[str]) -> dict[str, Any]:
    return {key: value for key in keys if (value := getattr(record, key)) is not None}


def _listed(data: object, where: str) -> Sequence[Any]:
    if isinstance(data, Mapping):
        if "word" not in data:
            raise ValueError(f"{where}: has no 'word' list (it has {_keys(data)}); put the words into 'word'")
        data = data["word"]
    if isinstance(data, str) or not isinstance(data, Sequence):
        raise ValueError(f"{where}: holds {type(data).__name__}, not words; write a list of words, or an object with a 'word' list")
    return data


def _word(item: object, index: int, where: str) -> Word:
    row = _object(item, index, where)
    name = label(index, row.get("word", row.get("phoneme", "")))
    missing = [key for key in ("start", "end") if key not in row]
    if "word" not in row and "phoneme" not in row and "phones" not in row:
        missing.append("word")
    if missing:
        lacks = ", ".join(map(repr, missing))
        raise ValueError(f"{where}: {name}: lacks {lacks} (it has {_keys(row)}); each word needs 'start', 'end' and 'word'")
    phones = None if row.get("phones") is None else _phones(row["phones"], f"{where}: {name}")
    return Word(row["start"], row["end"], row.get("word", ""), row.get("phoneme"), row.get("language"), phones)


def _object(item: object, index: int, where: str) -> Mapping[str, Any]:
    if not isinstance(item, Mapping):
        raise ValueError(f'{where}: {label(index, item)}: is no object; write {{"start": 0.5, "end": 0.9, "word": "moon"}}')
    return item


def _phones(listed: object, where: str) -> tuple[Phone, ...]:
    wanted = 'write [{"start": 0.5, "end": 0.6, "phoneme": "m"}, ...]'
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        raise ValueError(f"{where}: 'phones' is {type(listed).__name__}; {wanted}")
    for number, phone in enumerate(listed, start=1):
        if not isinstance(phone, Mapping) or not {"start", "end", "phoneme"} <= phone.keys():
            raise ValueError(f"{where}: phone {number} lacks 'start', 'end' or 'phoneme'; {wanted}")
        if not isinstance(phone["phoneme"], str) or not _is_time(phone["start"]) or not _is_time(phone["end"]):
            raise ValueError(f"{where}: phone {number} is {repr(dict(phone))[:60]}; {wanted}")
    return tuple(Phone(phone["start"], phone["end"], phone["phoneme"]) for phone in listed)


def _sheet(data: Mapping[str, Any], where: str) -> Sheet:
    """A sheet as `write` writes it."""
    words = [_sheet_word(item, index, where) for index, item in enumerate(_listed(data, where))]
    listed = data.get("section") or []
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        raise ValueError(f"{where}: 'section' is {type(listed).__name__}, not a list; write [{{\"name\": \"Verse 1\"}}]")
    sections = [_section(item, number, where) for number, item in enumerate(listed, start=1)]
    lines: list[Line] = []
    first = 0
    for number, item in enumerate(data["line"], start=1):
        line = _line(item, words, first, len(sections), f"{where}: line {number} of 'line'")
        lines.append(line)
        first += len(line.words)
    if first != len(words):
        raise ValueError(f"{where}: 'line' deals out {first} of {len(words)} words; mend the 'words' of its lines")
    return Sheet(tuple(lines), tuple(sections), **_facts(data, where))


def _line(item: object, words: Sequence[SheetWord], first: int, sections: int, place: str) -> Line:
    """The line that `item` describes, of words from the index `first`; its section is one of so many."""
    row = item if isinstance(item, Mapping) else {}
    count, section, number = row.get("words"), row.get("section"), row.get("number")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= len(words) - first:
        raise ValueError(f"{place} takes {repr(count)[:20]} words of {len(words) - first} left; mend it")
    if section is not None and (not isinstance(section, int) or isinstance(section, bool) or not 0 <= section < sections):
        raise ValueError(f"{place} is in section {repr(section)[:20]} of {sections}; count from 0")
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise ValueError(f"{place} has the 'number' {repr(number)[:20]}; write its line in the file, counted from 1, or leave it out")
    return Line(tuple(words[first : first + count]), _time(row, "start", place), _time(row, "end", place), section, number)


def _sheet_word(item: object, index: int, where: str) -> SheetWord:
    row = _object(item, index, where)
    name = f"{where}: {label(index, row.get('word', row.get('phoneme', '')))}"
    for key in ("word", "phoneme", "language"):
        if not isinstance(row.get(key, ""), str):
            raise ValueError(f"{name}: {key!r} is {str(row[key])[:40]!r}, not text; write it in quotes")
    phones = None if row.get("phones") is None else _phones(row["phones"], name)
    times = (_time(row, "start", name), _time(row, "end", name))
    return SheetWord(row.get("word", ""), *times, row.get("phoneme"), row.get("language"), phones, bool(row.get("backing")))


def _section(item: object, number: int, where: str) -> Section:
    name = f"{where}: section {number} of 'section'"
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        raise ValueError(f"{name}: has no 'name'; write {{\"name\": \"Verse 1\"}}")
    note = item.get("note")
    return Section(item["name"], None if note is None else str(note), _time(item, "start", name), _time(item, "end", name))


def _facts(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for key in FACTS:
        value = _time(data, key, where) if key in ("bpm", "duration") else data.get(key)
        if value is None:
            continue
        if key not in ("bpm", "duration") and not isinstance(value, str):
            raise ValueError(f"{where}: {key!r} is {str(value)[:40]!r}, not text; write it in quotes")
        facts[key] = value
    return facts


def _time(row: Mapping[str, Any], key: str, where: str) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < BEYOND_SECONDS:
        raise ValueError(f"{where}: {key!r} is {str(value)[:40]!r}; write seconds from 0, such as 1.5, or null where unknown")
    return value


def _recognised(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The recogniser's result that `data` is, or holds; None where there is none."""
    for key in RECOGNISED:
        if isinstance(data.get(key), Sequence) and not isinstance(data[key], str) and (data[key] or isinstance(data.get("text"), str)):
            return data  # an empty list is a recogniser's only where it has heard no text either
    for key in NESTED:
        inner = data.get(key)
        if isinstance(inner, Mapping) and ("word" in inner or _recognised(inner) is not None):
            return inner
    return None


def _of_recogniser(data: Mapping[str, Any], where: str) -> Sheet:
    if "word" in data:
        return of_words(parse(data, where))
    language = data.get("language") if isinstance(data.get("language"), str) else None
    if not isinstance(data.get("segments"), Sequence):
        listed = data["words"] if isinstance(data.get("words"), Sequence) else data["word_segments"]
        words, unsung = _heard(listed, where, "")
        if all(word.is_timed for word in words):
            return replace(of_words(Sheet((Line(words),)).timed(where)), language=language, remarks=tuple(unsung))
        return Sheet((Line(words),), language=language, remarks=tuple(unsung))
    lines: list[Line] = []
    remarks: list[str] = []
    for number, segment in enumerate(data["segments"], start=1):
        line, told = _segment(segment, number, where)
        remarks += told
        lines += [line] if line.words else []
    return Sheet(tuple(lines), language=language, remarks=tuple(remarks))


def _segment(segment: object, number: int, where: str) -> tuple[Line, list[str]]:
    """A line of a recogniser's result, and remarks."""
    place = f"{where}: segment {number}"
    if not isinstance(segment, Mapping):
        raise ValueError(f"{place}: is {type(segment).__name__}, no object; give the recogniser's own output")
    start, end = _seconds(segment, place)
    if isinstance(segment.get("words"), Sequence) and segment["words"]:
        words, unsung = _heard(segment["words"], where, f"segment {number}, ")
        return Line(words, start, end), unsung
    text = segment.get("text", segment.get("segment", ""))
    if not isinstance(text, str):
        raise ValueError(f"{place}: 'text' is {type(text).__name__}, not text; give the recogniser's own output")
    try:
        words, left_out = split(text)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    told = [f"segment {number}: {symbol!r} is not sung" for symbol in left_out]
    return Line(words, start, end), told if words else [*told, f"segment {number}: holds no words"]


def _heard(listed: Sequence[Any], where: str, place: str) -> tuple[tuple[SheetWord, ...], list[str]]:
    """Words of a recogniser, whose keys have several names, and remarks on what it wrote for sounds."""
    words, unsung = [], []
    for index, item in enumerate(listed):
        row = _object(item, index, where)
        text = next((row[key] for key in ("word", "text", "label", "punctuated_word") if isinstance(row.get(key), str)), None)
        name = f"{where}: {place}{label(index, text)}"
        if text is None:
            raise ValueError(f"{name}: lacks 'word' (it has {_keys(row)}); give the recogniser's own output")
        start, end = _seconds(row, name)
        if is_sung(text):
            words.append(SheetWord(text.strip(), start, end))
        else:
            unsung.append(f"{place}word {index + 1}: {text.strip()!r} is not sung")
    return tuple(words), unsung


def _seconds(row: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    """When a word or segment is, None where it is not said."""
    if "start_offset" in row and not {"start", "start_time"} & row.keys():
        raise ValueError(f"{name}: has 'start_offset' in frames alone; ask the recogniser for times in seconds ('start', 'end')")
    pairs = [("start", "end"), ("start_time", "end_time"), ("from", "to")]
    begin, finish = next(((a, b) for a, b in pairs if a in row or b in row), pairs[0])
    start, end = _time(row, begin, name), _time(row, finish, name)
    if start is not None and end is not None and end < start:
        raise ValueError(f"{name}: end {end:g} is before start {start:g}; mend the times")
    return start, end


def _keys(mapping: Mapping[str, Any]) -> str:
    shown = ", ".join(repr(str(key))[:24] for key in list(mapping)[:6])
    return shown + (", ..." if len(mapping) > 6 else "") if shown else "no keys"


