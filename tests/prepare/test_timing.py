"""When words are sung: rendered songs whose words are known to the millisecond, with right lyrics, wrong ones, and none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from jam import assets, audio
from jam.eval.benchmark import Item, read_benchmark
from jam.eval.measures import Absent
from jam.lyrics.formats import sheet_of
from jam.lyrics.phonemes import Phonemizer
from jam.lyrics.sheet import Line, Sheet, SheetWord
from jam.lyrics.words import Phone
from jam.prepare.records import Timing
from jam.prepare.timing import Timer, TimingSettings
from jam.timing import SAMPLE_RATE

SONGS = Path(__file__).parent.parent / "eval" / "songs"
JUDGE = TimingSettings(aligner="judge")
WRONG = ("umbrella", "kitchen", "motorway", "telephone")


@dataclass(frozen=True)
class Rendered:
    """A mix (2, N) at 44.1 kHz and its lyrics with exact times."""

    mix: Tensor
    sheet: Sheet

    @property
    def untimed(self) -> Sheet:
        """The lyrics as people write them."""
        return Sheet(tuple(Line(tuple(SheetWord(word.word) for word in line.words)) for line in self.sheet.lines))


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer.load(assets.BUNDLE / "phonemizer.pt")


@pytest.fixture(scope="module")
def timer(phonemizer: Phonemizer) -> Timer:
    return Timer.load(JUDGE, phonemizer)


@pytest.fixture(scope="module")
def songs() -> list[Rendered]:
    found = []
    for item in read_benchmark(SONGS / "benchmark.json")[:3]:
        assert isinstance(item, Item)
        stems = [audio.read(SONGS / f"{item.id}.{kind}.mp3")[0] for kind in ("vocal", "band")]
        length = min(stem.shape[-1] for stem in stems)
        found.append(Rendered(stems[0][:, :length] + stems[1][:, :length], item.sheet))
    return found


def misses(timing: Timing, sheet: Sheet) -> Iterator[float]:
    """By how many ms each edge of a found word is off."""
    for word, true in zip(timing.words, sheet.words, strict=True):
        if word.is_found:
            for heard, sung in ((word.start, true.start), (word.end, true.end)):
                assert heard is not None and sung is not None
                yield 1000 * abs(heard - sung)


def with_wrong(sheet: Sheet) -> tuple[Sheet, list[int]]:
    """The lyrics with every seventh word another, and which."""
    count, lines, wrong = 0, [], []
    for line in sheet.lines:
        words = []
        for word in line.words:
            count += 1
            if count % 7 == 0:
                wrong.append(count - 1)
                word = replace(word, word=WRONG[count % len(WRONG)])
            words.append(word)
        lines.append(replace(line, words=tuple(words)))
    return replace(sheet, lines=tuple(lines)), wrong


def test_lyrics_of_a_mix_are_placed_where_they_are_sung(timer: Timer, songs: list[Rendered]) -> None:
    found = [timer.time(song.mix, song.untimed) for song in songs]
    errors = [error for timing, song in zip(found, songs, strict=True) for error in misses(timing, song.sheet)]
    assert np.median(errors) < 40
    assert np.quantile(errors, 0.95) < 150
    for timing, song in zip(found, songs, strict=True):
        assert (timing.method, timing.heard_by) == ("aligned", "judge")
        assert timing.found is not None and timing.found > 0.8
        assert timing.confidence is not None and timing.confidence > -1
        assert [word.word for word in timing.words] == [word.word for word in song.sheet.words]
        assert all(word.phoneme for word in timing.words)
        assert timing.words[-1].line == len(song.sheet.lines) - 1


def test_wrong_words_are_flagged_and_pull_no_right_one_away(timer: Timer, songs: list[Rendered]) -> None:
    flagged, missed, errors = 0, 0, []
    for song in songs:
        sheet, wrong = with_wrong(song.untimed)
        timing = timer.time(song.mix, sheet)
        flagged += sum(not timing.words[place].is_found for place in wrong)
        missed += sum(timing.words[place].is_found for place in wrong)
        errors += misses(timing, song.sheet)
        assert all(timing.words[place].start is None for place in wrong if not timing.words[place].is_found)
    assert flagged >= 4 * missed and flagged > 3
    assert np.quantile(errors, 0.9) < 150


def test_lyrics_of_another_song_are_not_found(timer: Timer, songs: list[Rendered]) -> None:
    timing = timer.time(songs[0].mix, songs[1].untimed)
    assert timing.found is not None and timing.found < 0.5
    assert len(timing.extra) > 3


def test_given_times_stay_and_are_listened_to(timer: Timer, songs: list[Rendered]) -> None:
    song = songs[0]
    timing = timer.time(song.mix, song.sheet)
    assert timing.method == "given"
    assert [(word.start, word.end) for word in timing.words] == [(word.start, word.end) for word in song.sheet.words]
    assert timing.error is not None and timing.error < 40
    assert timing.lag is not None and abs(timing.lag) < 40
    assert timing.found is not None and timing.found > 0.8


def test_given_times_that_come_early_have_a_lag_and_far_ones_are_not_found(timer: Timer, songs: list[Rendered]) -> None:
    def moved(seconds: float) -> Sheet:
        lines = tuple(
            replace(line, words=tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in line.words))  # type: ignore[operator]
            for line in songs[0].sheet.lines
        )
        return replace(songs[0].sheet, lines=lines)

    mix = torch.nn.functional.pad(songs[0].mix, (0, 5 * SAMPLE_RATE))
    late = timer.time(mix, moved(0.3))
    assert late.lag == pytest.approx(-300, abs=40) and late.error == pytest.approx(300, abs=40)
    assert late.found is not None and late.found > 0.8
    far = timer.time(mix, moved(3.0))
    assert far.found is not None and far.found < 0.2


def test_times_that_nobody_listens_to_are_believed(phonemizer: Phonemizer, timer: Timer, songs: list[Rendered]) -> None:
    quiet = Timer(replace(JUDGE, verify=False), phonemizer, timer.aligner)
    timing = quiet.time(torch.zeros(2, songs[0].mix.shape[-1]), songs[0].sheet)
    assert timing.heard_by is None and timing.found == 1 and timing.confidence is None and timing.lag is None


def test_lines_keep_to_their_own_times(timer: Timer, songs: list[Rendered]) -> None:
    song = songs[0]
    twice = torch.cat([song.mix, song.mix], 1)
    later = song.mix.shape[-1] / SAMPLE_RATE

    def lrc(seconds: float) -> Sheet:
        rows = [(line.words[0].start or 0.0, " ".join(word.word for word in line.words)) for line in song.sheet.lines]
        stamps = [f"[{int((start + seconds) // 60):02d}:{(start + seconds) % 60:05.2f}]{text}" for start, text in rows]
        return sheet_of("\n".join(stamps) + "\n", "song.lrc")

    for seconds in (0.0, later):
        timing = timer.time(twice, lrc(seconds))
        inside = [word for word in timing.words if word.start is not None and seconds - 2 <= word.start < seconds + later]
        assert timing.method == "aligned" and len(inside) > 0.8 * len(timing.words)


def test_times_of_lines_that_are_wrong_are_told_and_not_followed(timer: Timer, songs: list[Rendered]) -> None:
    song = songs[0]
    rows = [f"[03:{number:02d}.00]{' '.join(word.word for word in line.words)}" for number, line in enumerate(song.sheet.lines)]
    timing = timer.time(song.mix, sheet_of("\n".join(rows) + "\n", "song.lrc"))
    assert timing.found is not None and timing.found > 0.8
    assert any("the times of its lines let find 0%" in remark for remark in timing.remarks)


def test_songs_without_words_have_no_timing(timer: Timer, songs: list[Rendered]) -> None:
    for sheet in (None, Sheet()):
        timing = timer.time(songs[0].mix, sheet, "en")
        assert (timing.method, timing.words, timing.found, timing.language) == ("none", (), None, "en")


def test_singing_in_a_song_without_lyrics_is_told(timer: Timer, phonemizer: Phonemizer, songs: list[Rendered]) -> None:
    band = audio.read(SONGS / "song-0.band.mp3")[0]
    assert timer.time(band, Sheet()).extra == () == timer.time(band, Sheet()).remarks
    sung = timer.time(songs[0].mix, Sheet())
    assert sum(end - start for start, end in sung.extra) > 5 and "singing is heard for" in sung.remarks[0]
    deaf = Timer(replace(JUDGE, verify=False), phonemizer, timer.aligner)
    assert deaf.time(songs[0].mix, Sheet()).extra == ()


def test_phonemes_that_are_given_stay_and_rare_words_are_told(timer: Timer, songs: list[Rendered]) -> None:
    timing = timer.time(songs[0].mix, sheet_of("night{naɪt} zzyxqua", "song.txt"))
    assert timing.words[0].phoneme == "naɪt"
    assert [word.is_known for word in timing.words] == [True, False]


def test_phones_that_are_given_with_their_times_stay(timer: Timer, songs: list[Rendered]) -> None:
    first, *others = songs[0].sheet.words
    middle = (first.start + first.end) / 2
    timed = replace(first, phones=(Phone(first.start, middle, "h"), Phone(middle, first.end, "ɑː")))
    sheet = Sheet((Line((timed, *others)),))
    assert timer.time(songs[0].mix, sheet).words[0].phones == ((first.start, middle, "h"), (middle, first.end, "ɑː"))


def test_words_that_the_aligner_cannot_know_are_told(timer: Timer, songs: list[Rendered]) -> None:
    timing = timer.time(songs[0].mix, sheet_of("night{ʘǃ} light", "song.txt"))
    assert "1 of 2 words have no sound that judge knows" in timing.remarks[0]
    assert not timing.words[0].is_found


def test_what_cannot_be_read_or_be_sung_is_refused_in_a_line(timer: Timer, phonemizer: Phonemizer, songs: list[Rendered]) -> None:
    for sheet in (sheet_of("\u6708\u306e\u5149", "song.txt"), Sheet((Line((SheetWord("late", 900.0, 901.0),)),))):
        with pytest.raises(ValueError, match=r"song\.txt") as told:
            timer.time(songs[0].mix, sheet, where="song.txt")
        assert "\n" not in str(told.value)
    strict = Timer(replace(JUDGE, method="given"), phonemizer, timer.aligner)
    with pytest.raises(ValueError, match="timing.method is given"):
        strict.time(songs[0].mix, songs[0].untimed)


def test_nothing_but_what_decides_changes_the_identity(phonemizer: Phonemizer, timer: Timer, tmp_path: Path) -> None:
    copy = tmp_path / "judge.safetensors"
    copy.write_bytes((assets.BUNDLE / "judge.safetensors").read_bytes())
    assert Timer.load(replace(JUDGE, judge_path=str(copy), batch=9), phonemizer).identity == timer.identity
    assert Timer(replace(JUDGE, verify=False), phonemizer, timer.aligner).identity != timer.identity
    assert Timer(JUDGE, phonemizer, replace(timer.aligner, digest="another")).identity != timer.identity


def test_a_ctc_network_places_words_by_forced_alignment(phonemizer: Phonemizer, songs: list[Rendered], tmp_path: Path) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    letters = ("<pad>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'")
    config = Wav2Vec2Config(
        vocab_size=len(letters), hidden_size=16, num_hidden_layers=0, num_attention_heads=2, intermediate_size=16, conv_dim=[8] * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, feat_extract_norm="layer", pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    Wav2Vec2ForCTC(config).save_pretrained(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps({letter: code for code, letter in enumerate(letters)}))
    start, line = songs[0].mix[:, : 4 * SAMPLE_RATE], Sheet(songs[0].untimed.lines[:1])
    for search in (None, "viterbi"):
        timer = Timer.load(TimingSettings(aligner="ctc", ctc_path=str(tmp_path), search=search), phonemizer)
        timing = timer.time(start, line)
        assert (timing.method, timing.heard_by, len(timing.words)) == ("aligned", "ctc", len(line.words))
    with pytest.raises(ValueError, match="but the song"):
        Timer.load(TimingSettings(aligner="ctc", ctc_path=str(tmp_path)), phonemizer).time(start[:, : SAMPLE_RATE // 2], line)


def test_a_song_without_lyrics_is_written_down_and_aligned(phonemizer: Phonemizer, songs: list[Rendered], tmp_path: Path) -> None:
    song, words = songs[0], tmp_path / "words.txt"
    words.write_text(" ".join(word.word for known in songs for word in known.sheet.words))
    scribe = Timer.load(replace(JUDGE, recogniser="judge", vocabulary=str(words)), phonemizer)
    timing = scribe.time(song.mix, None, "en")
    assert (timing.method, timing.heard_by) == ("transcribed", "judge")
    true, heard = ({word.word for word in found} for found in (song.sheet.words, timing.words))
    assert len(true & heard) > 0.6 * len(true)
    assert scribe.time(song.mix, Sheet()).method == "none"
    assert scribe.time(torch.zeros(2, 3 * SAMPLE_RATE), None).remarks == ("no words are heard",)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"aligner": "ctc", "ctc_path": "nowhere"}, "timing.ctc_path"),
        ({"aligner": "judge", "recogniser": "whisper", "whisper_path": "nowhere"}, "timing.whisper_path"),
        ({"aligner": "judge", "recogniser": "faster-whisper", "faster_whisper_path": "nowhere"}, "timing.faster_whisper_path"),
    ],
)
def test_who_is_not_here_is_absent_with_the_setting(phonemizer: Phonemizer, given: dict[str, str], key: str) -> None:
    with pytest.raises(Absent, match=key) as told:
        Timer.load(TimingSettings(**given), phonemizer)  # type: ignore[arg-type]
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"method": "guess"}, "timing.method is 'guess'"),
        ({"aligner": "ear"}, "timing.aligner is 'ear'"),
        ({"search": "beam"}, "timing.search is 'beam'"),
        ({"aligner": "judge", "search": "forced_align"}, "needs a CTC network"),
        ({"recogniser": "ear"}, "timing.recogniser is 'ear'"),
        ({"method": "transcribe"}, "timing.recogniser is null"),
        ({"recogniser": "judge"}, "timing.vocabulary"),
        ({"batch": 0}, "timing.batch is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        TimingSettings(**given)  # type: ignore[arg-type]
