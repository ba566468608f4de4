"""A recording's bytes and its samples."""

import io
import struct
import sys

import numpy as np
import pytest
import soundfile
import torch

from jam import audio
from jam.prepare.decoding import at_44k, decode


def coded(samples: torch.Tensor, rate: int, kind: str = "WAV", subtype: str | None = None) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, samples.T.numpy(), rate, format=kind, subtype=subtype)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "subtype", "told"),
    [
        *(
            ("WAV", "PCM_16", "WAV PCM_16"),
            ("FLAC", "PCM_24", "FLAC PCM_24"),
            ("MP3", "MPEG_LAYER_III", "MP3"),
            ("AIFF", None, "AIFF PCM_16"),
        ),
        *(("OGG", "VORBIS", "OGG VORBIS"), ("OGG", "OPUS", "OGG OPUS")),
    ],
)
def test_every_kind_of_file_is_decoded_from_its_bytes(tone, kind, subtype, told):
    song = tone(440, 1.0, 48_000)
    decoded = decode(coded(song, 48_000, kind, subtype), "song")
    assert (decoded.rate, decoded.channels, decoded.format, decoded.frames_expected) == (48_000, 2, told, 48_000)
    assert decoded.samples.shape == (2, 48_000)
    assert decoded.seconds == 1.0
    torch.testing.assert_close(decoded.samples[:, 4000:-4000], song[:, 4000:-4000], atol=0.02, rtol=0)
    samples = at_44k(decoded)
    assert samples.shape == (2, 44_100)
    torch.testing.assert_close(samples[:, 4000:-4000], tone(440, 1.0)[:, 4000:-4000], atol=0.02, rtol=0)


@pytest.mark.parametrize("rate", [8_000, 22_254, 44_101])
def test_any_rate_becomes_44_100_in_little_memory(tone, rate):
    samples = at_44k(decode(coded(tone(440, 1.0, rate)[:1], rate), "song"))
    assert abs(samples.shape[1] - 44_100) <= 1
    expected = tone(440, 1.0)[:1, 5000:-5000].expand(2, -1)
    torch.testing.assert_close(samples[:, 5000 : 5000 + expected.shape[1]], expected, atol=5e-3, rtol=0)


@pytest.mark.parametrize("content", [b"la la la\n" * 100, b"", b"RIFF", b"\0" * 5000, b"ID3\x04\0\0\0\0\0\0", b"fLaC"])
def test_what_is_no_audio_is_refused_by_name_in_one_line(content):
    with pytest.raises(ValueError, match="^song.wav: .*; (give|pip|fetch|save)|no samples") as caught:
        decode(content, "song.wav")
    assert "\n" not in str(caught.value)


def test_what_lasts_more_than_six_hours_is_refused_before_it_is_decoded():
    content = bytearray(coded(torch.zeros(1, 100), 8_000, "FLAC"))
    frames = 7 * 3600 * 8_000
    content[21] = content[21] & 0xF0 | frames >> 32
    content[22:26] = struct.pack(">I", frames & 0xFFFFFFFF)
    with pytest.raises(ValueError, match="song: lasts 7.0 h, more than 6 h are not decoded"):
        decode(bytes(content), "song")


def test_what_no_recording_can_be_is_refused(tone):
    with pytest.raises(ValueError, match="song: its sample rate is 7 Hz"):
        decode(coded(torch.zeros(1, 100), 7), "song")
    with pytest.raises(ValueError, match="song: its peak is 1.5e[+]04 times full scale"):
        decode(coded(tone(440, 0.1) * 30_000, 44_100, "WAV", "FLOAT"), "song")
    content = bytearray(coded(torch.zeros(8, 100), 96_000, "FLAC"))
    content[21:26] = (int.from_bytes(content[21:26], "big") + 5 * 3600 * 96_000).to_bytes(5, "big")
    with pytest.raises(ValueError, match="of 8 channels, too many to decode"):
        decode(bytes(content), "song")


@pytest.mark.skipif("av" in sys.modules, reason="PyAV is there")
def test_a_kind_that_needs_pyav_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"song.m4a: .*pip install 'jam\[formats\]'"):
        decode(b"\0\0\0\x20ftypM4A " + bytes(500), "song.m4a")


def test_pyav_reads_what_libsndfile_does_not():
    av = pytest.importorskip("av")
    time = np.arange(2 * 44_100) / 44_100
    wave = np.stack([0.5 * np.sin(2 * np.pi * 440 * time), 0.25 * np.sin(2 * np.pi * 440 * time)]).astype(np.float32)
    for kind, codec in (("ipod", "aac"), ("ipod", "alac"), ("adts", "aac"), ("webm", "libopus")):
        rate = 48_000 if codec == "libopus" else 44_100
        stream = io.BytesIO()
        with av.open(stream, "w", format=kind) as container:
            track = container.add_stream(codec, rate=rate, layout="stereo")
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
            frame.rate = 44_100
            fit = av.AudioResampler(format=track.format, layout="stereo", rate=rate, frame_size=track.codec_context.frame_size or None)
            for part in [*fit.resample(frame), *fit.resample(None), None]:
                container.mux(track.encode(part))
        decoded = decode(stream.getvalue(), "song")
        assert (decoded.rate, decoded.channels, codec.removeprefix("lib") in decoded.format) == (rate, 2, True)
        assert decoded.seconds == pytest.approx(2.0, abs=0.1)
        assert audio.loudness(at_44k(decoded)) == pytest.approx(audio.loudness(torch.from_numpy(wave)), abs=0.2)
