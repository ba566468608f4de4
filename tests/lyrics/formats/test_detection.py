"""A format is told by what a file holds; the name decides only what that leaves open."""

import pytest

from jam.lyrics.formats.detection import SUFFIXES, of_bytes, of_text


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"MThd\0\0", "midi"), (b"RIFF\0\0\0\0RMID", "midi"), (b"RIFF\0\0\0\0WAVE", None), (b"PK\x03\x04", "musicxml"), (b"moon", None)],
)
def test_bytes_tell_midi_and_zipped_scores(content, name):
    assert of_bytes(content) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[{"start": 1}]', "json"),
        ("{}", "json"),
        ("[]", "json"),
        ("[00:12.30]Paper boats", "lrc"),
        ("[ti:Boats]\n[by:me]\n[0:12]Paper boats", "lrc"),
        ("a note on top\n[00:12:30] Paper boats", "lrc"),
        ("1\n00:00:01,000 --> 00:00:02,000\nPaper", "srt"),
        ("00:01.000-->00:02.000\nPaper", "srt"),
        ("WEBVTT\n", "vtt"),
        ("[script info]\n", "ass"),
        ("[Events]\nDialogue: 0", "ass"),
        ('File type = "ooTextFile"\n', "textgrid"),
        ("<?xml version='1.0'?>\n<score-partwise>", "musicxml"),
        ("start,end,word\n1,2,moon", "csv"),
        ("id;Word;Start\n1;moon;2", "csv"),
        ('"Text"\t"Start"\nmoon\t2', "tsv"),
    ],
)
def test_a_text_tells_its_format_without_a_name_and_under_a_wrong_one(text, name):
    assert of_text(text) == name
    assert of_text(text, "song.txt") == name


@pytest.mark.parametrize(
    "text", ["[Verse 1]\nPaper boats", "[[Verse 1]]\nPaper boats", "Word, oh word\nhow you go", "Start; and end", "text\nme", "3, 2, 1"]
)
def test_lyrics_that_look_like_another_format_are_text(text):
    assert of_text(text) == "text"


def test_a_name_decides_where_the_content_does_not():
    assert of_text("moon\nriver", "song.csv") == "csv"
    assert of_text("start,word\n1,moon", "song.tsv") == "tsv"
    assert {of_text("?", f"song{suffix.upper()}") for suffix in SUFFIXES} == set(SUFFIXES.values())
