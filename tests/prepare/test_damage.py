"""Files that end too early although they can be decoded."""

import io
import re
import struct
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from jam.prepare.damage import damage
from jam.prepare.decoding import decode

RATE = 44_100
KINDS = [
    *(("WAV", "PCM_16", RATE), ("WAV", "PCM_24", RATE), ("WAV", "FLOAT", 48_000), ("WAVEX", "PCM_24", RATE), ("RF64", "PCM_16", RATE)),
    *(("AIFF", "PCM_16", RATE), ("FLAC", "PCM_16", RATE), ("MP3", "MPEG_LAYER_III", RATE), ("MP3", "MPEG_LAYER_III", 22_050)),
    *(("OGG", "VORBIS", RATE), ("OGG", "OPUS", 48_000)),
]
ID3V1 = b"TAG" + b"a title".ljust(125, b"\0")
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 1 << 31) + bytes(8)


def id3v2(size: int) -> bytes:
    return b"ID3\x04\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + b"\xff" * size


def coded(kind: str, subtype: str, rate: int = RATE, seconds: float = 1.5, channels: int = 2, **options: object) -> bytes:
    """A file of noise that wanders."""
    noise = np.random.default_rng(0).normal(size=(round(seconds * rate), channels)).cumsum(0) * 3e-4
    stream = io.BytesIO()
    soundfile.write(stream, noise.clip(-0.9, 0.9).astype(np.float32), rate, format=kind, subtype=subtype, **options)
    return stream.getvalue()


def told(content: bytes) -> str | None:
    """What is said of a file: by its decoder, else by its damage."""
    try:
        return damage(content, decode(content, "song"))
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(("kind", "subtype", "rate"), KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_whole_file_is_whole_and_a_cut_one_is_not(kind, subtype, rate, channels):
    content = coded(kind, subtype, rate, channels=channels)
    assert told(content) is None
    for share in (0.3, 0.6, 0.9, 0.99):
        message = told(content[: round(share * len(content))])
        assert message is not None, share
        assert "\n" not in message


@pytest.mark.parametrize("mode", ["CONSTANT", "AVERAGE", "VARIABLE"])
@pytest.mark.parametrize(
    "ends", [(b"", ID3V1), (id3v2(5000), b""), (id3v2(200) + id3v2(90), APE + ID3V1), (b"", bytes(3000)), (id3v2(300) + bytes(2000), b"")]
)
def test_tags_and_padding_at_either_end_of_an_mp3_are_no_damage(mode, ends):
    content = coded("MP3", "MPEG_LAYER_III", compression_level=0.5, bitrate_mode=mode)
    assert told(ends[0] + content + ends[1]) is None
    assert told(ends[0] + content[: len(content) // 2]) is not None


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_that_ends_between_two_frames_is_told_by_the_count_in_its_first(mode):
    content = coded("MP3", "MPEG_LAYER_III", seconds=3.0, compression_level=0.5, bitrate_mode=mode)
    frames = [place for place in range(len(content) - 1) if content[place : place + 2] == content[:2]]
    assert re.fullmatch(r"ends after 1\.\d\d of 3\.\d\d s; fetch the file again", str(told(content[: frames[len(frames) // 2]])))


def test_an_mp3_without_a_count_is_told_by_its_last_frame():
    content = coded("MP3", "MPEG_LAYER_III")
    place = content.find(b"Info") if b"Info" in content[:200] else content.find(b"Xing")
    content = content[:place] + b"    " + content[place + 4 :]
    assert told(content) is None
    assert "last frame is cut off" in str(told(content[:-20]))


def wave(edit: Callable[[bytearray, int], None]) -> bytes:
    """A WAV file with something changed, given where the size of its samples stands."""
    content = bytearray(coded("WAV", "PCM_16"))
    edit(content, content.find(b"data") + 4)
    return bytes(content)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_wav_that_was_a_stream_says_no_size_and_is_whole(size):
    def unsized(content: bytearray, place: int) -> None:
        content[place : place + 4] = struct.pack("<I", size)

    assert told(wave(unsized)) is None


def test_other_chunks_of_a_wav_are_passed_over_be_they_odd():
    def chunked(content: bytearray, place: int) -> None:
        content[place - 4 : place - 4] = b"junk\x05\0\0\0abcde\0"
        content += b"LIST\x04\0\0\0INFO"

    content = wave(chunked)
    assert told(content) is None
    assert "bytes of samples are missing" in str(told(content[: len(content) // 2]))


def test_the_missing_part_is_counted():
    content = coded("WAV", "PCM_16", seconds=1.0)
    assert (
        damage(content[:-1000], decode(content[:-1000], "song"))
        == "1000 of 176400 bytes of samples are missing at its end; fetch the file again"
    )


def test_an_ogg_whose_last_page_is_lost_has_no_end():
    content = coded("OGG", "VORBIS", seconds=4.0)
    assert "no page that ends it" in str(told(content[: content.rfind(b"OggS")]))
    assert told(content + ID3V1) is None


def test_a_flac_that_says_more_than_it_holds_is_damaged():
    content = bytearray(coded("FLAC", "PCM_16"))
    decoded = decode(bytes(content), "song")
    content[25] += 1
    assert str(damage(bytes(content), decoded)).startswith("ends after 1.50 of 1.50 s")
    assert damage(id3v2(64) + bytes(content), decoded) is not None
