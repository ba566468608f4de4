"""Sound on disk and in memory."""

import errno
import math
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch

from jam import audio

RATE = 44_100


def test_golden_loudness_of_the_released_normalisation(golden):
    expected = golden("loudness.json")
    time = torch.arange(2 * RATE, dtype=torch.float64) / RATE
    signal = torch.stack([0.2 * torch.sin(2 * math.pi * 220 * time) + 0.03, 0.1 * torch.sin(2 * math.pi * 331 * time)]).float()
    song = audio.normalize(signal, RATE)
    full_scale = signal - signal.mean(-1, keepdim=True)
    full_scale = full_scale / (full_scale.abs().amax(-1, keepdim=True) + 1e-8)
    assert audio.loudness(full_scale, RATE) == pytest.approx(expected["loudness_before_gain"], abs=0.05)
    assert audio.loudness(song, RATE) == pytest.approx(-14, abs=0.05)
    for channel in range(2):
        peak, rms = song[channel].abs().max().item(), song[channel].square().mean().sqrt().item()
        assert abs(20 * math.log10(peak / expected["peak_after"][channel])) < 0.05
        assert abs(20 * math.log10(rms / expected["rms_after"][channel])) < 0.05


@pytest.mark.parametrize("offset", [0.0, 0.25])
def test_silence_stays_silence(offset):
    assert torch.equal(audio.normalize(torch.full((2, RATE), offset)), torch.zeros(2, RATE))


def test_a_silent_channel_stays_silent(tone):
    song = tone(440, 1.0)
    song[1] = 0.1
    normal = audio.normalize(song)
    assert normal[0].abs().max() > 0.1
    assert torch.equal(normal[1], torch.zeros(RATE))


def test_a_moment_too_short_to_measure_is_normalised_as_if_it_went_on(tone):
    short, long = tone(441, 0.1), tone(441, 2.0)
    assert audio.normalize(short).abs().max() == pytest.approx(audio.normalize(long).abs().max().item(), rel=0.02)


@pytest.mark.parametrize(("suffix", "tolerance"), [("wav", 0.01), ("flac", 0.01), ("mp3", 0.2)])
def test_a_song_comes_back_with_its_length_and_loudness(tmp_path, tone, suffix, tolerance):
    song = audio.normalize(tone(330, 3.0))
    path = audio.write(tmp_path / f"deep/er/song.{suffix}", song, RATE)
    again, rate = audio.read(path)
    assert rate == RATE
    assert again.shape == song.shape
    assert again.dtype == torch.float32
    assert audio.loudness(again, rate) == pytest.approx(-14, abs=tolerance)
    if suffix != "mp3":
        assert (again - song).abs().max() < 2**-15
    assert [file.name for file in path.parent.iterdir()] == [f"song.{suffix}"]


def test_the_format_may_differ_from_the_suffix_and_is_that_of_the_content(tmp_path, tone):
    path = audio.write(tmp_path / "song.take", tone(330, 0.5), RATE, format="mp3")
    assert soundfile.info(str(path)).format == "MP3"


def test_peaks_beyond_full_scale_are_clipped_not_wrapped(tmp_path, tone):
    again, _ = audio.read(audio.write(tmp_path / "loud.wav", tone(100, 0.1, level=3.0)))
    assert again.abs().max() <= 1
    assert again.diff(dim=1).abs().max() < 0.1


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_bytes_are_read_as_their_file_is_and_announce_its_length(tmp_path, tone, suffix):
    path = audio.write(tmp_path / f"song.{suffix}", tone(330, 1.0))
    samples, rate = audio.of_bytes(path.read_bytes(), "song")
    expected, expected_rate = audio.read(path)
    assert rate == expected_rate
    assert torch.equal(samples, expected)
    told = audio.header(path.read_bytes(), "song")
    assert (told.frames, told.rate, told.channels, told.format.partition(" ")[0]) == (RATE, RATE, 2, suffix.upper())


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_number_of_channels_is_read_as_stereo(tmp_path, channels):
    path = tmp_path / "in.wav"
    levels = torch.linspace(0.1, 0.4, channels)
    soundfile.write(str(path), levels.expand(100, channels).numpy(), RATE, subtype="FLOAT")
    samples, _ = audio.read(path)
    expected = levels if channels == 2 else levels.mean().expand(2)
    torch.testing.assert_close(samples, expected[:, None].expand(2, 100))


def test_resampling_keeps_pitch_and_duration(tone):
    torch.testing.assert_close(
        audio.resample(tone(440, 1.0), RATE, 24_000)[:, 2000:-2000], tone(440, 1.0, 24_000)[:, 2000:-2000], atol=2e-3, rtol=0
    )
    song = tone(440, 0.1)
    assert audio.resample(song, RATE, RATE) is song


def one_line(error: BaseException) -> str:
    message = str(error)
    assert "\n" not in message
    return message


def test_a_missing_file_a_folder_and_what_is_no_audio_are_named(tmp_path):
    text = tmp_path / "notes.wav"
    text.write_text("la la la")
    empty = tmp_path / "empty.mp3"
    empty.touch()
    for path, reason in [(tmp_path / "gone.wav", "no such"), (tmp_path, "folder"), (text, "not audio"), (empty, "not audio")]:
        with pytest.raises(ValueError, match=reason) as caught:
            audio.read(path)
        assert str(path) in one_line(caught.value)


def test_audio_of_no_samples_is_refused(tmp_path):
    path = tmp_path / "zero.wav"
    soundfile.write(str(path), torch.zeros(0, 2).numpy(), RATE)
    with pytest.raises(ValueError, match="no samples"):
        audio.read(path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused_by_place(tmp_path, tone, bad):
    song = tone(440, 0.1)
    song[1, 77] = bad
    path = tmp_path / "bad.wav"
    soundfile.write(str(path), song.T.numpy(), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match="sample 77 is not a finite number"):
        audio.read(path)
    with pytest.raises(ValueError, match="not finite"):
        audio.write(tmp_path / "out.wav", song)
    assert not (tmp_path / "out.wav").exists()


def test_an_unknown_format_and_an_unfit_rate_are_refused(tmp_path, tone):
    with pytest.raises(ValueError, match="'ogg' is unknown; use wav, flac, mp3"):
        audio.write(tmp_path / "song.ogg", tone(440, 0.1))
    with pytest.raises(ValueError, match="mp3 cannot hold 2 channels at 12345 Hz"):
        audio.write(tmp_path / "song.mp3", tone(440, 0.1), 12_345)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_line_and_leaves_the_old_file_and_no_part(tmp_path, tone):
    path = audio.write(tmp_path / "song.wav", tone(440, 0.1))
    before = path.read_bytes()
    Path(f"{path}.part").symlink_to("/dev/full")  # whatever is written there meets a full disk
    with pytest.raises(OSError, match="No space left on device.*free some space") as caught:
        audio.write(path, tone(880, 0.1))
    assert caught.value.errno == errno.ENOSPC
    assert str(path) in one_line(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["song.wav"]
    assert path.read_bytes() == before


def test_a_folder_that_is_a_file_is_one_line(tmp_path, tone):
    (tmp_path / "out").touch()
    with pytest.raises(OSError, match="cannot be written") as caught:
        audio.write(tmp_path / "out" / "song.wav", tone(440, 0.1))
    one_line(caught.value)


def test_importing_the_room_loads_no_codec():
    code = "import sys, jam.audio; print({'soundfile', 'pyloudnorm', 'torchaudio', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
