import io
from dataclasses import replace

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mido import Message, MetaMessage

from jam.lyrics.formats import midi, read_sheet, write
from jam.lyrics.sheet import Line, Section, Sheet, SheetWord


def song(*tracks, ticks=480, type=1) -> bytes:
    """A file of tracks; a track is (tick, message) in any order."""
    made = mido.MidiFile(type=type, ticks_per_beat=ticks)
    for events in tracks:
        track, now = mido.MidiTrack(), 0
        for tick, message in sorted(events, key=lambda event: event[0]):
            track.append(message.copy(time=tick - now))
            now = tick
        made.tracks.append(track)
    written = io.BytesIO()
    made.save(file=written)
    return written.getvalue()


def lyric(tick: int, text: str, type: str = "lyrics"):
    return tick, MetaMessage(type, text=text.encode().decode("latin-1"))


def note(start: int, end: int, pitch: int = 60, channel: int = 0):
    return [(start, Message("note_on", note=pitch, channel=channel)), (end, Message("note_off", note=pitch, channel=channel))]


def sung(sheet: Sheet) -> list[tuple]:
    return [(word.word, word.start, word.end) for word in sheet.words]


def refusal(content: bytes) -> str:
    with pytest.raises(ValueError) as caught:
        midi.read(content, "song.mid")
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix("song.mid: ")


def test_syllables_are_joined_and_last_as_long_as_their_notes():
    track = [lyric(0, "Twin-"), lyric(480, "kle"), lyric(960, "star"), *note(0, 480), *note(480, 720), *note(960, 1200)]
    sheet = midi.read(song(track), "song.mid")
    assert sung(sheet) == [("Twinkle", 0, 0.75), ("star", 1.0, 1.25)]
    assert sheet.bpm == 120


def test_spaces_divide_words_where_there_are_any():
    track = [lyric(0, "hel"), lyric(480, "lo "), lyric(960, "well-known "), *note(0, 480), *note(480, 900), *note(960, 1440)]
    assert [word.word for word in midi.read(song(track), "song.mid").words] == ["hello", "well-known"]


def test_a_held_syllable_before_any_word_is_none():
    assert [word.word for word in midi.read(song([lyric(0, "-"), lyric(480, "oh")]), "song.mid").words] == ["oh"]


def test_a_melisma_lasts_to_its_last_note():
    track = [lyric(0, "oh"), lyric(1920, "yes"), *note(0, 480), *note(480, 960, 62), *note(960, 1440, 64), *note(1920, 2400)]
    assert sung(midi.read(song(track), "song.mid")) == [("oh", 0, 1.5), ("yes", 2.0, 2.5)]


def test_notes_are_found_in_another_track_and_not_among_the_drums():
    words = [lyric(0, "one "), lyric(960, "two ")]
    drums = [event for tick in range(0, 1920, 120) for event in note(tick, tick + 10, 36, 9)]
    melody = [*note(0, 600, 60, 3), *note(960, 1500, 62, 3)]
    assert sung(midi.read(song(words, drums, melody), "song.mid")) == [("one", 0, 0.625), ("two", 1.0, 1.562)]


def test_words_without_notes_last_until_the_next_and_it_is_told():
    sheet = midi.read(song([lyric(0, "one "), lyric(480, "two "), lyric(4800, "three ")]), "song.mid")
    assert sung(sheet) == [("one", 0, 0.5), ("two", 0.5, 1.5), ("three", 5.0, 6.0)]
    assert "no notes begin with the syllables" in sheet.remarks[0]


def test_tempo_changes_are_followed():
    conductor = [(0, MetaMessage("set_tempo", tempo=500_000)), (480, MetaMessage("set_tempo", tempo=1_000_000))]
    sheet = midi.read(song(conductor, [lyric(480, "one "), lyric(960, "two "), *note(480, 960), *note(960, 1440)]), "song.mid")
    assert sung(sheet) == [("one", 0.5, 1.5), ("two", 1.5, 2.5)]
    assert sheet.bpm == 60


def test_karaoke_texts_have_title_language_and_lines():
    tags = [lyric(0, text, "text") for text in ("@KMIDI KARAOKE FILE", "@LFREN", "@TUne chanson", "@TNobody")]
    texts = [lyric(480 * n, text, "text") for n, text in enumerate(["\\Bon", "jour", " toi", "/la", " lune"], start=1)]
    sheet = midi.read(song([*tags, *texts]), "song.kar")
    assert (sheet.title, sheet.language) == ("Une chanson", "fr")
    assert [[word.word for word in line.words] for line in sheet.lines] == [["Bonjour", "toi"], ["la", "lune"]]


def test_line_ends_divide_lines_wherever_they_stand():
    texts = ["one ", "two\r", "three", "\n", "four ", "\rfive"]
    sheet = midi.read(song([lyric(480 * n, text) for n, text in enumerate(texts)]), "song.mid")
    assert [[word.word for word in line.words] for line in sheet.lines] == [["one", "two"], ["three"], ["four"], ["five"]]


def test_markers_are_sections_and_the_other_singers_are_told():
    events = [lyric(0, "Verse 1: soft", "marker"), lyric(960, "Chorus", "marker"), lyric(0, "one "), lyric(960, "two ")]
    sheet = midi.read(song(events, [lyric(0, "ah ")]), "song.mid")
    assert sheet.sections == (Section("Verse 1", "soft", 0, 1.0), Section("Chorus", None, 1.0, 1.0))
    assert [line.section for line in sheet.lines][0] == 0
    assert "track 2: its 1 syllables are not sung; track 1 has more" in sheet.remarks


def test_texts_that_are_no_utf_8_are_read_as_windows_1252():
    sheet = midi.read(song([(0, MetaMessage("lyrics", text="\xe9lan "))]), "song.mid")
    assert sheet.words[0].word == "élan"
    assert "Windows-1252" in sheet.remarks[0]


def test_what_is_not_sung_is_told_with_its_event():
    sheet = midi.read(song([lyric(0, "moon "), lyric(480, "\u266a ")]), "song.mid")
    assert "event 2: '\u266a' is not sung" in sheet.remarks


def test_a_riff_around_midi_is_opened():
    plain = song([lyric(0, "moon "), *note(0, 480)])
    wrapped = b"RIFF" + (len(plain) + 12).to_bytes(4, "little") + b"RMIDdata" + len(plain).to_bytes(4, "little") + plain
    assert midi.read(wrapped, "song.rmi") == midi.read(plain, "song.mid")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ends in the middle"),
        (b"MThd", "ends in the middle"),
        (song([lyric(0, "moon")])[:-6], "ends in the middle"),
        (b"MThx" + bytes(20), "is no MIDI file that can be read"),
        (song([lyric(0, "moon")], type=2), "is MIDI of format 2"),
        (b"MThd\0\0\0\6\0\1\0\0\xe7\x28", "counts time in frames (SMPTE)"),
        (song(note(0, 480)), "holds no lyrics"),
        (song([lyric(480, "Sequenced by me", "text")]), "holds no lyrics"),
        (song([(0, MetaMessage("set_tempo", tempo=0)), lyric(0, "moon")]), "track 1, event 1: the tempo is 0"),
        (song([lyric(0, "{moon")]), "event 1: '{moon' has a brace without its partner"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(content, said):
    assert said in refusal(content)


@given(st.binary(max_size=60), st.integers(0, 150))
def test_no_bytes_raise_anything_but_value_error(noise, at):
    whole = song([lyric(0, "Twin-"), lyric(480, "kle"), *note(0, 480), lyric(0, "Verse", "marker")])
    try:
        midi.read(whole[:at] + noise + whole[at + len(noise) :], "song.mid")
    except ValueError as error:
        assert "\n" not in str(error)


SUNG = Sheet(
    (
        Line((SheetWord("Hello,", 1.0, 1.5), SheetWord("well-known", 1.5, 2.25), SheetWord("", 2.25, 2.5, "ə")), section=0),
        Line((SheetWord("élan", 3.0, 4.001, backing=True), SheetWord("moon-", 3.5, 5.0), SheetWord("@", 6.0, 6.001)), section=1),
    ),
    (Section("Verse 1", "soft", 0.5, 2.9), Section("Chorus", None, 3.0, 8.0)),
    title="Höme",
    language="fr",
    bpm=97.3,
    duration=9.0,
)


def test_a_sheet_comes_back_equal(tmp_path):
    assert read_sheet(write(tmp_path / "song.mid", SUNG)) == SUNG


def test_a_sheet_without_a_tempo_is_written_at_120():
    assert midi.read(midi.write(replace(SUNG, bpm=None)), "song.mid") == replace(SUNG, bpm=120)


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        (Sheet((Line((SheetWord("moon"),)),)), "the word 'moon' has no times; plan them: .* timed.mid"),
        (Sheet(), "has no words"),
        (replace(SUNG, bpm=2.0), "the tempo is 2 beats a minute"),
        (Sheet((Line((SheetWord("a", 2, 3), SheetWord("b", 1, 2))),)), "put the words in the order"),
    ],
)
def test_what_midi_cannot_hold_is_not_written(sheet, said):
    with pytest.raises(ValueError, match=said):
        midi.write(sheet)


TEXTS = st.sampled_from(["moon", "élan", "well-known", "don't", "Oh,", "a", "月", "שלום", "24", "moon-"])
STEPS = st.lists(st.tuples(TEXTS, st.integers(0, 3000), st.integers(0, 3000), st.booleans()), min_size=1, max_size=30)


@settings(deadline=None)
@given(STEPS, st.integers(400, 90_000), st.integers(1, 7))
def test_words_times_and_lines_come_back(steps, bpm, length):
    now, words = 0, []
    for text, rest, lasts, backing in steps:
        now += rest
        words.append(SheetWord(text, now / 1000, (now + lasts) / 1000, backing=backing))
    lines = [Line(tuple(words[at : at + length])) for at in range(0, len(words), length)]
    back = midi.read(midi.write(Sheet(tuple(lines), bpm=bpm / 100)), "song.mid")
    assert [[(word.word, word.backing) for word in line.words] for line in back.lines] == [
        [(word.word, word.backing) for word in line.words] for line in lines
    ]
    assert [word.word for word in back.words] == [word.word for word in words]
    for there, here in zip(back.words, words, strict=True):
        assert there.start == pytest.approx(here.start, abs=1e-3)
        assert there.end == pytest.approx(here.end, abs=1e-3)
    assert back.bpm == pytest.approx(bpm / 100, abs=0.01)


def test_numbers_without_end_are_refused_at_once():
    def read(events: bytes) -> str:
        with pytest.raises(ValueError, match="^song.mid: ") as refusal:
            midi.read(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk" + len(events).to_bytes(4) + events, "song.mid")
        return str(refusal.value)

    assert "a number in it has no end" in read(b"\xff" * 1_000_000)
    assert "track 1, event 1: is later than any song lasts" in read(b"\xff" * 300 + b"\x7f\xff\x05\x02hi\0\xff\x2f\0")
