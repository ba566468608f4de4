from jam.eval.alignment import Alignment, Found
from jam.eval.asked import text_of
from jam.lyrics import formats
from jam.lyrics.words import Word


def length(word: Word) -> list[int]:
    """A spelling for tests: a word is as many tokens as it has letters."""
    return [1] * len(word.word)


def test_words_get_their_sounds_and_lines_are_kept(phonemizer):
    text = text_of(formats.sheet_of("[Verse]\nhold my hand\nlet it go", "song"), phonemizer)
    assert text.lines == (3, 3)
    assert text.written == "hold my hand\nlet it go"
    assert [word.phoneme for word in text.words[:2]] == ["hoʊld", "maɪ"]
    assert text.asked == (None,) * 6
    assert text.timed == ()


def test_lines_are_heard_while_their_words_are(phonemizer):
    listed = [{"start": 1, "end": 1.5, "word": "one"}, {"start": 1.5, "end": 2, "word": "two"}, {"start": 4, "end": 5, "word": "three"}]
    text = text_of(formats.parse_sheet(listed, "song"), phonemizer)
    assert text.windows == ((1, 2), (4, 5))
    assert [word.start for word in text.timed] == [1, 1.5, 4]


def test_lines_of_a_file_that_times_lines_are_heard_until_the_next(phonemizer):
    text = text_of(formats.sheet_of("[00:01.00]one two\n[00:03.00]three four five", "song"), phonemizer)
    assert text.windows == ((1, 3), (3, 4.5))


def test_lines_without_times_are_heard_where_their_words_were_found(phonemizer):
    text = text_of(formats.sheet_of("one two\nthree four", "song"), phonemizer)
    heard = Alignment((None, Found(2, 2.5, 0), None, None), ())
    first, second = text.spoken_lines(length, heard)
    assert (first.start, first.end, first.size) == (2, 2.5, 6)
    assert (second.start, second.end) == (None, None)


def test_words_keep_the_sounds_that_they_were_given(phonemizer):
    text = text_of(formats.parse_sheet([{"start": 0, "end": 1, "word": "tear", "phoneme": "tɛɹ"}], "song"), phonemizer)
    assert text.words[0].phoneme == "tɛɹ"


def test_an_instrumental_has_a_text_of_nothing(phonemizer):
    text = text_of(formats.parse_sheet([], "song"), phonemizer)
    assert (text.words, text.lines, text.written, text.spoken_lines(length)) == ((), (), "", [])


def test_lyrics_that_nobody_can_pronounce_keep_their_words_and_say_so(phonemizer):
    text = text_of(formats.sheet_of("hello \u043c\u0438\u0440", "song.txt"), phonemizer, where="song.txt")
    assert text.written == "hello \u043c\u0438\u0440"
    assert [word.phoneme for word in text.words] == [None, None]
    assert "song.txt: word 2" in text.remarks[-1]
