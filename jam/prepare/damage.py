"""Files that end too early although they can be decoded: a copy that broke off, a full disk. It knows formats, and nothing of sound.

Each format says in its own way how much there should be: WAV, AIFF and FLAC in their headers, MP3 by an Xing, Info or VBRI header and by
frames that are whole, OGG by a page that ends the stream. What a file of a stream leaves open is not held against it, nor are tags at
either end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from jam.prepare.decoding import Decoded, after_tags

ENDLESS = 0x7FFFF000  # bytes: sizes from here on, and 0, are written by who does not know yet
MISSING = 0.5  # seconds that a file of another kind may be shorter than it says: its encoder's padding
RESYNC = 1 << 20  # bytes between two frames of MP3 that are passed over: tags, pictures
RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # Hz, by version bits
KBITS = {  # kilobits a second, by whether it is MPEG 1, and layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


@dataclass(frozen=True)
class _Frame:
    """A frame of MPEG audio: how many bytes it has, how many samples it gives, and what all frames of its stream share."""

    size: int
    samples: int
    kind: tuple[int, int, int]  # version bits, layer, Hz
    is_mono: bool


def damage(content: bytes, decoded: Decoded) -> str | None:
    """What is missing of the recording that `content` is, in a line; None for a file that is whole, as far as its format can tell."""
    start = after_tags(content)
    head = content[start : start + 12]
    if head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return _of_chunks(content, "data", "big" if head[:4] == b"RIFX" else "little")
    if head[:4] == b"FORM":
        return _of_chunks(content, "SSND", "big")
    if head[:4] == b"fLaC":
        return _of_flac(content[start:], decoded)
    if head[:4] == b"OggS":
        return _of_ogg(content[start:])
    if decoded.format == "MP3":
        return _of_mpeg(content, start)
    return _short(decoded.samples.shape[1], decoded.frames_expected, decoded.rate, MISSING)


def _short(frames: int, expected: int | None, rate: int, allowed: float = 0.0) -> str | None:
    """The message where `frames` are fewer than `expected` by more than `allowed` seconds."""
    if expected is None or expected - frames <= allowed * rate:
        return None
    return f"ends after {frames / rate:.2f} of {expected / rate:.2f} s; fetch the file again"


def _of_chunks(content: bytes, name: str, order: str) -> str | None:
    """WAV and AIFF: whether the chunk of samples is as long as it says."""
    number = "<I" if order == "little" else ">I"
    place, long = 12, 0
    while place + 8 <= len(content):
        tag, size = content[place : place + 4], struct.unpack(number, content[place + 4 : place + 8])[0]
        place += 8
        if tag == b"ds64" and place + 16 <= len(content):
            long = struct.unpack("<Q", content[place + 8 : place + 16])[0]
        if tag == name.encode():
            return _of_samples(content, place, long if size == 0xFFFFFFFF else size)
        place += size + size % 2
    return None


def _of_samples(content: bytes, place: int, size: int) -> str | None:
    """Whether `size` bytes of samples follow from `place` on."""
    missing = place + size - len(content)
    if size == 0 or size >= ENDLESS or missing <= 1:  # a byte may fill up to an even number
        return None
    return f"{missing} of {size} bytes of samples are missing at its end; fetch the file again"


def _of_flac(content: bytes, decoded: Decoded) -> str | None:
    """FLAC: whether as many samples were decoded as STREAMINFO says."""
    if len(content) < 26 or content[4] & 0x7F != 0:
        return None
    expected = int.from_bytes(content[21:26], "big") & 0xF_FFFF_FFFF  # 36 bits; 0 where it was a stream
    return _short(decoded.samples.shape[1], expected or None, decoded.rate)


def _of_ogg(content: bytes) -> str | None:
    """OGG: whether every stream ends with the page that says so."""
    place, playing = 0, set()
    while (place := content.find(b"OggS", place)) >= 0:
        table = content[place + 26] if place + 26 < len(content) else 255
        size = 27 + table + sum(content[place + 27 : place + 27 + table])
        if place + size > len(content):
            return "its last page is cut off; fetch the file again"
        flags, serial = content[place + 5], content[place + 14 : place + 18]
        if flags & 4:
            playing.discard(serial)
        elif flags & 2:
            playing.add(serial)
        place += size
    return "has no page that ends it, its end is missing; fetch the file again" if playing else None


def _of_mpeg(content: bytes, start: int) -> str | None:
    """MP3: whether there are as many frames as the first one says, and the last is whole."""
    found = 0
    first: _Frame | None = None
    expected: int | None = None
    is_cut = False
    for place, frame in _frames(content, start):
        if first is None:
            first, expected = frame, _announced(content[place : place + frame.size], frame)
            found -= expected is not None  # the frame that says how many there are is none of them
        is_cut = place + frame.size > len(content)
        found += not is_cut
    if first is not None and expected is not None and found < expected - 1:  # some count the first
        return _short(found * first.samples, expected * first.samples, first.kind[2])
    return "its last frame is cut off; fetch the file again" if is_cut else None


def _frames(content: bytes, place: int) -> Iterator[tuple[int, _Frame]]:
    """The frames of MPEG audio and where they begin; what lies between them is passed over."""
    kind = None
    while place + 4 <= len(content):
        frame = _frame(content, place)
        if frame is not None and (kind is None or frame.kind == kind) and (kind is not None or _goes_on(content, place, frame)):
            kind = frame.kind
            yield place, frame
            place += frame.size
            continue
        found = _next(content, place + 1, kind)
        if found is None:
            return
        place = found


def _next(content: bytes, place: int, kind: tuple[int, int, int] | None) -> int | None:
    """Where the stream goes on: the next frame after which another one follows."""
    last = min(len(content), place + RESYNC)
    while (place := content.find(b"\xff", place, last)) >= 0:
        frame = _frame(content, place)
        if frame is not None and (kind is None or frame.kind == kind) and _goes_on(content, place, frame):
            return place
        place += 1
    return None


def _goes_on(content: bytes, place: int, frame: _Frame) -> bool:
    """Whether a frame of the same kind follows."""
    after = _frame(content, place + frame.size)
    return after is not None and after.kind == frame.kind


def _frame(content: bytes, place: int) -> _Frame | None:
    """The frame that begins at `place`; None where none does, or its size is not told (a free bit rate)."""
    if place + 4 > len(content) or content[place] != 0xFF or content[place + 1] & 0xE0 != 0xE0:
        return None
    version, layer = content[place + 1] >> 3 & 3, 4 - (content[place + 1] >> 1 & 3)
    bits, hertz, padding = content[place + 2] >> 4, content[place + 2] >> 2 & 3, content[place + 2] >> 1 & 1
    if version == 1 or layer == 4 or not 1 <= bits <= 14 or hertz == 3:
        return None
    rate, kbits = RATES[version][hertz], KBITS[version == 3, layer][bits - 1]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    unit = 4 if layer == 1 else 1  # bytes of a slot
    size = (samples // 8 * kbits * 1000 // rate // unit + padding) * unit
    return _Frame(size, samples, (version, layer, rate), content[place + 3] >> 6 == 3)


def _announced(frame: bytes, header: _Frame) -> int | None:
    """How many frames an Xing, Info or VBRI header says there are; None where there is none."""
    side = (17 if header.is_mono else 32) if header.kind[0] == 3 else (9 if header.is_mono else 17)
    for tag_place in (4 + side, 6 + side):  # with a checksum
        if frame[tag_place : tag_place + 4] in (b"Xing", b"Info") and len(frame) >= tag_place + 12 and frame[tag_place + 7] & 1:
            return int(struct.unpack(">I", frame[tag_place + 8 : tag_place + 12])[0])
    return int(struct.unpack(">I", frame[50:54])[0]) if frame[36:40] == b"VBRI" and len(frame) >= 54 else None
