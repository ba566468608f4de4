"""The picture of a song: a mel spectrogram in dB, and a PNG that shows its words."""

import warnings

import pytest
import torch

from jam.lyrics.sheet import Line, Section, Sheet, SheetWord, of_words
from jam.lyrics.words import Phone, Word
from jam.picture import ASKED, COLOURS, MELS, RANGE_DB, ROW_SECONDS, SUNG, draw, draw_heard, draw_latent, draw_roll, mel_spectrogram

WORDS = (Word(0.1, 0.5, "river"), Word(0.5, 0.9, "$moon$"), Word(1.0, 1.0, "月"), Word(1.1, 1.2, "", "luː"))


def test_the_loudest_is_0_db_and_a_higher_tone_lies_in_a_higher_band(tone):
    low, high = (mel_spectrogram(tone(hertz, 1.0)) for hertz in (300, 3000))
    assert low.shape == (MELS, 44_100 // 512 + 1)
    assert float(low.max()) == 0 and float(low.min()) >= -RANGE_DB
    assert int(low.mean(1).argmax()) < int(high.mean(1).argmax())


def test_silence_is_dark_and_a_song_shorter_than_a_window_is_no_fault():
    assert torch.all(mel_spectrogram(torch.zeros(2, 4410)) == -RANGE_DB)
    assert mel_spectrogram(torch.ones(2, 100)).isfinite().all()


@pytest.mark.parametrize("words", [WORDS, ()])
def test_a_picture_opens_and_any_letters_are_drawn_without_complaint(tmp_path, tone, words):
    from matplotlib.image import imread

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = draw(tmp_path / "deep" / "song.png", tone(440, 1.5), words, r"5$ for \$ $x_ 月")
    assert imread(path).shape == (420, 800, 4)
    assert [file.name for file in path.parent.iterdir()] == ["song.png"]


@pytest.mark.parametrize("words", [WORDS, ()])
@pytest.mark.parametrize("latents", [torch.randn(40, 64), torch.zeros(1, 64)])
def test_latents_are_drawn_with_their_words(tmp_path, latents, words):
    from matplotlib.image import imread

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = draw_latent(tmp_path / "latent.png", latents, words, "$ 月")
    assert imread(path).shape == (420, 800, 4)


def heard(path, samples, asked, found):
    """The picture of a song with words asked for and found (height, width, 3), drawn without a complaint."""
    from matplotlib.image import imread

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return imread(draw_heard(path / "heard.png", samples, asked, found, r"5$ \$ 月"))[..., :3]


@pytest.mark.parametrize(("asked", "found"), [(WORDS, WORDS[:2]), ((), WORDS), ((), ())])
def test_what_was_heard_is_drawn_whatever_is_missing(tmp_path, asked, found):
    assert heard(tmp_path, torch.zeros(2, 100 if found else 44_100), asked, found).shape == (288, 640, 3)


def test_words_asked_for_and_words_sung_have_lanes_of_their_own(tmp_path, tone):
    words = (Word(0.2, 1.0, "river"), Word(1.0, 1.8, "moon"))
    both = heard(tmp_path, tone(440, 2.0), words, words)
    only = heard(tmp_path, tone(440, 2.0), words, ())
    lanes = {name: shown(both, colour) for name, colour in (("asked", ASKED), ("sung", SUNG))}
    assert 0 < lanes["asked"].min() < lanes["asked"].max() < lanes["sung"].min()
    assert len(shown(only, SUNG)) == 0 and len(shown(only, ASKED)) > 0


def shown(image, colour: str):
    """The rows of the lower half of a picture in which a bar of a colour lies, by its colour over white."""
    solid = torch.tensor([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    wanted, lower = 1 - 0.35 * (1 - solid), torch.from_numpy(image.copy())[image.shape[0] * 57 // 100 :]
    return (((lower - wanted).abs().amax(-1) < 0.02).sum(1) > 50).nonzero().flatten()


def sung(*texts: str, at: float = 1.0, section: int | None = None, **facts) -> Line:
    """A line with half a second for each word."""
    return Line(tuple(SheetWord(text, at + index / 2, at + index / 2 + 0.5, **facts) for index, text in enumerate(texts)), section=section)


def rolled(path, sheet, *rest, **facts):
    """The picture of a roll (height, width, 3), drawn without a complaint."""
    from matplotlib.image import imread

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return imread(draw_roll(path / "roll.png", sheet, *rest, **facts))[..., :3]


def covered(image, colour: str) -> float:
    """How much of a picture has nearly a colour."""
    wanted = torch.tensor([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return float(((torch.from_numpy(image.copy()) - wanted).abs().amax(-1) < 0.02).float().mean())


@pytest.mark.parametrize("sheet", [of_words(WORDS), Sheet()])
def test_a_roll_opens_whatever_the_letters(tmp_path, sheet):
    assert rolled(tmp_path, sheet, r"5$ for \$ $x_ 月").shape[1] == 1690
    assert [file.name for file in tmp_path.iterdir()] == ["roll.png"]


def test_a_roll_grows_by_a_row_for_each_twenty_seconds_or_so(tmp_path):
    line = sung("river", "moon")
    heights = [rolled(tmp_path, Sheet((line,)), "a", duration).shape[0] for duration in (ROW_SECONDS, 2 * ROW_SECONDS, 180.0)]
    assert heights[0] < 220 < heights[1] < 400 and heights[2] < 1300


def test_sections_have_the_colours_of_their_kinds(tmp_path):
    sections = (Section("Verse 1"), Section("Chorus", "loud"), Section("Guitar Solo"))
    image = rolled(tmp_path, Sheet((sung("river", section=0), sung("moon", at=3.0, section=1)), sections), "a", 9.0)
    strong = {kind: covered(image, _mixed(COLOURS[kind], 0.85)) for kind in ("verse", "chorus", "instrumental", "bridge")}
    assert strong["verse"] > 0.001 and strong["chorus"] > 0.001 and strong["instrumental"] > 0.01 and strong["bridge"] == 0


def _mixed(colour: str, alpha: float) -> str:
    """A colour laid thinly over white."""
    parts = [round(255 * (1 - alpha) + int(colour[place : place + 2], 16) * alpha) for place in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in parts)


def test_backing_words_and_phones_change_the_picture(tmp_path):
    phones = tuple(Phone(1 + index / 8, 1.125 + index / 8, symbol) for index, symbol in enumerate("muːn"))
    plain, backing, timed = (
        rolled(tmp_path, Sheet((sung("moon", **facts),)), "a", 4.0)
        for facts in ({"phoneme": "muːn"}, {"phoneme": "muːn", "backing": True}, {"phones": phones})
    )
    assert (plain != backing).any() and (plain != timed).any() and plain.shape == backing.shape == timed.shape


def test_words_that_have_no_room_beside_each_other_lie_below_each_other(tmp_path):
    wide = [Word(1 + index / 5, 1.2 + index / 5, "extraordinary") for index in range(4)]
    narrow = [Word(1 + index / 5, 1.2 + index / 5, "a") for index in range(4)]
    assert rolled(tmp_path, of_words(wide), "a", 20.0).shape[0] > rolled(tmp_path, of_words(narrow), "a", 20.0).shape[0]


def test_a_word_without_times_is_not_drawn_but_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^word 2 \('moon'\) has no times; plan them"):
        draw_roll(tmp_path / "roll.png", Sheet((Line((SheetWord("river", 1, 2), SheetWord("moon", 2))),)), "a")
    with pytest.raises(ValueError, match="^the lyrics last 1e\\+06 s; a roll shows at most 1800 s"):
        draw_roll(tmp_path / "roll.png", Sheet((sung("moon"),)), "a", 1e6)
    assert not (tmp_path / "roll.png").exists()
