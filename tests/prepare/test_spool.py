"""Songs on disk are a sequence as any other; records come back equal."""

from jam.prepare.records import Facts, Prepared, Reason, SungWord, Timing, facts_of, prepared_of, timing_of, to_json
from jam.prepare.spool import Spool

FACTS = Facts(20.5, 44_100, 2, "MP3", 0.9, -14.0, 0.05, 1.0, 0.0, 0.1, True, 16_000.0, "its end is missing")
PHONES = ((1.0, 1.2, "m"), (1.2, 1.5, "uːn"))
WORDS = (SungWord("moon", 1.0, 1.5, "muːn", "fr", -0.25, True, False, 2, PHONES), SungWord("sun", is_found=False))
TIMING = Timing("given", "judge", WORDS, ((2.0, 3.5),), 4.0, 12.5, "en_us", ("a remark",))
SONG = Prepared(
    *("one", "songs/one.mp3", "ab" * 32, "valid", "CC-BY-4.0", "https://example.org/ünë", "fr", ("pop", "slow"), ("slow pop",)),
    *(FACTS, TIMING, 441, "latents", "styles", (12, 34), (Reason("min_found", "too few"),), {"checks": 0.5}),
)


def test_records_come_back_from_json_equal():
    assert facts_of(to_json(FACTS)) == FACTS and timing_of(to_json(TIMING)) == TIMING and prepared_of(to_json(SONG)) == SONG
    assert prepared_of(to_json(Prepared("two", "songs/two.wav"))) == Prepared("two", "songs/two.wav")


def test_timing_counts_what_was_found():
    assert TIMING.found == 0.5 and TIMING.confidence == -0.25 and TIMING.unknown == 0.5
    assert Timing("none").found is None and Timing("none").confidence is None and Timing("none").unknown is None


def test_a_spool_is_a_sequence_that_can_be_gone_through_again():
    spool = Spool()
    songs = [SONG, Prepared("two", "songs/two.wav"), Prepared("three", "ü" * 50)]
    for song in songs:
        spool.add(song)
    assert len(spool) == 3 and list(spool) == songs == list(spool)
    assert spool[1] == songs[1] and spool[-1] == songs[2] and spool[1:] == songs[1:]
    spool.add(SONG)
    assert list(spool) == [*songs, SONG]
