import pytest

from jam.lyrics.formats import parse, read, write_json, write_lrc
from jam.lyrics.words import Word

WORDS = (Word(0.5, 0.9, "Sing"), Word(0.9, 1.25, "me,"), Word(2.0, 2.5, "élan", "eɪlɑn"), Word(61.239, 62.0, "", "ə"))


def refusal(path) -> str:
    with pytest.raises(ValueError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def written(folder, data: bytes):
    path = folder / "song.json"
    path.write_bytes(data)
    return path


def test_json_comes_back_equal(tmp_path):
    write_json(tmp_path / "song.json", WORDS)
    assert read(tmp_path / "song.json") == WORDS


def test_an_instrumental_comes_back_without_words(tmp_path):
    write_json(tmp_path / "song.json", ())
    assert read(tmp_path / "song.json") == ()


def test_a_list_and_an_object_with_a_word_list_are_the_same_song(tmp_path):
    words = b'[{"start": 0.5, "end": 1, "word": "moon", "score": 1}]'
    listed = read(written(tmp_path, words))
    assert listed == (Word(0.5, 1, "moon"),)
    assert read(written(tmp_path, b'{"char": [], "segment": [1], "word": ' + words + b"}")) == listed


def test_a_byte_order_mark_is_ignored(tmp_path):
    assert read(written(tmp_path, b"\xef\xbb\xbf[]")) == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty; write lyrics, or [] for an instrumental"),
        (b" \n", "is empty"),
        (b'[\n  {"start": 1,, "end": 2}\n]', "line 2, column 15: not JSON"),
        (b"[\xff]", "byte 1 is not UTF-8"),
        (b"7", "holds int, not words"),
        (b'"moon"', "holds str, not words"),
        (b'{"words": []}', "has no 'word' list (it has 'words')"),
        (b'{"word": {}}', "holds dict, not words"),
        (b"[7]", "word 1 (7): is no object"),
        (b'[{"word": "moon"}]', "word 1 ('moon'): lacks 'start', 'end' (it has 'word')"),
        (b'[{"start": 1, "end": 2}]', "word 1 (''): lacks 'word'"),
        (b'[{"start": NaN, "end": 2, "word": "moon"}]', "word 1 ('moon'): 'start' is nan"),
        (b'[{"start": 2, "end": 1, "word": "moon"}]', "word 1 ('moon'): end 1 is before start 2"),
        (b'[{"start": 1, "end": 2, "word": null}]', "word 1 (None): 'word' is None, not text"),
        (b"[" + b"9" * 5000 + b"]", "not JSON (Exceeds the limit"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(tmp_path, data, said):
    assert refusal(written(tmp_path, data)).startswith(said)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert refusal(tmp_path / "none.json") == "no such lyrics file; check the path"
    assert refusal(tmp_path).startswith("is a folder")


def test_words_past_the_duration_are_refused():
    with pytest.raises(ValueError, match=r"lyrics: word 1 \('moon'\): sung from 1 s to 3 s, but the song lasts 2 s"):
        parse([{"start": 1, "end": 3, "word": "moon"}], "lyrics", 2.0)


def test_lrc_has_a_time_for_each_word_and_the_end_of_each_line(tmp_path):
    write_lrc(tmp_path / "song.lrc", WORDS, title="Low [Tide]", duration=62.5)
    assert (tmp_path / "song.lrc").read_text(encoding="utf-8").splitlines() == [
        "[ti:Low Tide]",
        "[length:01:02.50]",
        "[00:00.50] <00:00.50> Sing <00:00.90> me, <00:01.25>",
        "[00:02.00] <00:02.00> élan <00:02.50>",
        "[01:01.24] <01:01.24> ə <01:02.00>",
    ]


def test_lrc_lines_break_after_eight_words_and_after_sentences(tmp_path):
    words = [Word(index * 0.3, index * 0.3 + 0.3, "end." if index == 2 else "la") for index in range(12)]
    write_lrc(tmp_path / "song.lrc", words)
    lines = (tmp_path / "song.lrc").read_text(encoding="utf-8").splitlines()
    assert [line.count("la") + line.count("end") for line in lines] == [3, 8, 1]
