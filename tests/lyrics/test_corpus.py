"""Files as they are found in the wild, over all formats: each is read right, with what was left out told, or refused with file and reason.

Beside the files of a folder stands `expected.json`: what each holds, or how it is refused (a regular expression).
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jam.lyrics import formats

CORPUS = Path(__file__).parent / "corpus"
EXPECTED: dict[str, dict[str, Any]] = {
    f"{listing.parent.name}/{name}": expected
    for listing in sorted(CORPUS.glob("*/expected.json"))
    for name, expected in json.loads(listing.read_text(encoding="utf-8")).items()
}
KINDS = {".ssa": "ass", ".md": "text", ".tsv": "tsv"}  # of suffixes that are not their folder's name


def good() -> list[str]:
    return [name for name, expected in EXPECTED.items() if "error" not in expected]


def test_every_file_has_its_expectation_and_there_are_many():
    files = {path.relative_to(CORPUS).as_posix() for path in CORPUS.glob("*/*") if path.name != "expected.json"}
    assert files == set(EXPECTED)
    assert len(files) >= 60
    assert {name.split("/")[0] for name in files} == {"json", "lrc", "srt", "vtt", "ass", "csv", "text", "textgrid", "musicxml", "midi"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_is_read_right_or_refused_in_one_line(name):
    path, expected = CORPUS / name, EXPECTED[name]
    if "error" in expected:
        with pytest.raises(ValueError) as refusal:
            formats.read_sheet(path)
        message = str(refusal.value)
        assert message.startswith(f"{path}: ") and "\n" not in message
        assert re.search(expected["error"], message), message
        return
    sheet = formats.read_sheet(path)
    assert (sheet.timing, len(sheet.words), len(sheet.lines)) == (expected["timing"], expected["words"], expected["lines"])
    for word, (text, start, end) in zip(sheet.words, expected["first"], strict=False):
        assert word.word == text
        assert word.start == (None if start is None else pytest.approx(start, abs=2e-3))
        assert word.end == (None if end is None else pytest.approx(end, abs=2e-3))
    if "starts" in expected:
        assert [line.start for line in sheet.lines] == pytest.approx(expected["starts"], abs=2e-3)
    if "sections" in expected:
        assert [section.name for section in sheet.sections] == expected["sections"]
    assert len(sheet.remarks) == len(expected["remarks"]), sheet.remarks
    for remark, pattern in zip(sheet.remarks, expected["remarks"], strict=True):
        assert re.search(pattern, remark) and "\n" not in remark, remark


@pytest.mark.parametrize("name", good())
def test_the_format_is_told_by_what_a_file_holds(name):
    path = CORPUS / name
    kind = KINDS.get(path.suffix, path.parent.name)
    assert formats.detect(path.read_bytes(), path.name) == kind
    if kind not in ("csv", "tsv", "text"):
        assert formats.detect(path.read_bytes(), "nameless") == kind


@pytest.mark.parametrize("name", [name for name in good() if EXPECTED[name]["timing"] == "words" and EXPECTED[name]["words"]])
@pytest.mark.parametrize("suffix", [".json", ".lrc", ".srt", ".vtt", ".ass", ".TextGrid", ".musicxml", ".mid", ".csv", ".tsv", ".txt"])
def test_timed_words_survive_every_other_format(name, suffix, tmp_path):
    sheet = formats.read_sheet(CORPUS / name)
    try:
        formats.write(tmp_path / f"song{suffix}", sheet)
    except ValueError as error:  # such as words that lie over each other, where the format cannot hold them
        assert str(error).startswith(f"{tmp_path}/song{suffix}: ") and "\n" not in str(error)
        return
    back = formats.read_sheet(tmp_path / f"song{suffix}")
    assert len(back.words) == len(sheet.words)
    if suffix not in (".srt", ".txt"):
        for word, other in zip(sheet.words, back.words, strict=True):
            assert other.start == pytest.approx(word.start, abs=0.011) and other.end == pytest.approx(word.end, abs=0.011)


@pytest.mark.parametrize("kind", ["lrc", "text"])
def test_ten_thousand_words_are_read(tmp_path, kind):
    stamp, words = "[{:02d}:{:02d}.00]" if kind == "lrc" else "", "paper boats drift away la la la la la"
    lines = [stamp.format(index // 60, index % 60) + f"{words} {chr(97 + index % 26)}" for index in range(1000)]
    (tmp_path / "long").write_text("\n".join(lines))
    assert len(formats.read_sheet(tmp_path / "long").words) == 10_000
