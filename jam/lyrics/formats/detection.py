"""Which format a lyrics file has, by what it holds; its name decides only where that leaves a choice. Reads no words."""

from __future__ import annotations

import re
from pathlib import PurePath

from jam.lyrics.formats import table

SUFFIXES = {
    ".json": "json", ".lrc": "lrc", ".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ass", ".textgrid": "textgrid",
    ".musicxml": "musicxml", ".mxl": "musicxml", ".xml": "musicxml", ".mid": "midi", ".midi": "midi", ".kar": "midi",
    ".csv": "csv", ".tsv": "tsv", ".txt": "text", ".md": "text",
}  # fmt: skip
ZIP = b"PK\x03\x04"

_LRC = re.compile(r"^\s*(?:\[[a-z#]+:[^\]\n]*\]\s*\n\s*)*\[\d+:\d\d(?:[.:]\d+)?\]", re.IGNORECASE)
_CUE = re.compile(r"^\s*(?:\d+\s*\n)?\s*-?\d+:\d\d(?::\d\d)?[.,]\d+\s*-->", re.MULTILINE)


def of_bytes(content: bytes) -> str | None:
    """`midi` or `musicxml` where the bytes say so, whatever the encoding; None where they are some text."""
    if content.startswith((b"MThd", b"RIFF")) and (content[:4] == b"MThd" or content[8:12] == b"RMID"):
        return "midi"
    return "musicxml" if content.startswith(ZIP) else None


def of_text(text: str, name: str = "") -> str:
    """The format of a text, one of `jam.lyrics.formats.NAMES`."""
    head = text.lstrip()[:4000]
    if head.startswith(("{", "[")) and _looks_like_json(head):
        return "json"
    if head.startswith("WEBVTT"):
        return "vtt"
    if re.match(r"\[script info\]|\[v4\+? styles\]|\[events\]", head, re.IGNORECASE):
        return "ass"
    if head.startswith('File type = "ooTextFile') or '"TextGrid"' in head[:200]:
        return "textgrid"
    if head.startswith("<") and re.search(r"<(?:score-partwise|score-timewise)\b", head):
        return "musicxml"
    if _CUE.search(head):
        return "srt"
    if _LRC.match(head) or len(re.findall(r"^\[\d+:\d\d[.:\]]", head, re.MULTILINE)) > 0:
        return "lrc"
    return _table(head, name) or _by_suffix(name)


def _looks_like_json(head: str) -> bool:
    """A bracket opens JSON unless a tag or a stamp stands in it."""
    return bool(re.match(r"\{\s*(?:\"|\})|\[\s*(?:\{|\"|\]|\d+\s*[,\]]|$)", head))


def _table(head: str, name: str) -> str | None:
    """A header names words and something else: a line of lyrics may well begin with `Word,`."""
    divider = table.delimiter_of(head)
    known = table.known_columns(head.split("\n", 1)[0].split(divider))
    if len(known) < 2 or not {"word", "text"} & known.keys():
        return None
    return "tsv" if divider == "\t" or name.lower().endswith(".tsv") else "csv"


def _by_suffix(name: str) -> str:
    """What the name says, of formats that cannot be told apart by what they hold or are broken; else text."""
    return SUFFIXES.get(PurePath(name).suffix.lower(), "text")
