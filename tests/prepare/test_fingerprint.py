"""Which recordings are one recording."""

import io
import math

import numpy as np
import soundfile
import torch
from torch import Tensor

from jam import audio
from jam.prepare import fingerprint

RATE = 44_100


def song(seed: int, seconds: float = 12.0) -> Tensor:
    """A melody of three voices over noise (2, N), of its own for each seed."""
    draw = torch.Generator().manual_seed(seed)
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    wave = 0.002 * torch.randn(len(time), generator=draw).double()
    for length in (0.31, 0.47, 0.83):  # seconds of a note of each voice
        notes = 220 * 2 ** (torch.randint(0, 36, (math.ceil(seconds / length),), generator=draw).double() / 12)
        hertz = notes[(time / length).long()]
        phase = 2 * math.pi * torch.cumsum(hertz, 0) / RATE
        wave += (0.1 * torch.sin(phase) + 0.05 * torch.sin(3 * phase)) * (1 - (time / length) % 1)
    return wave.float().expand(2, -1).contiguous()


def coded(samples: Tensor, kind: str, **options: float) -> Tensor:
    stream = io.BytesIO()
    soundfile.write(stream, samples.T.numpy(), RATE, format=kind, **options)
    return audio.of_bytes(stream.getvalue(), "coded")[0]


def versions(samples: Tensor) -> dict[str, Tensor]:
    """The same recording, as others may have it."""
    down = audio.resample(samples, RATE, 22_050)
    return {
        "MP3": coded(samples, "MP3", compression_level=0.7),
        "OGG": coded(samples, "OGG", compression_level=0.8),
        "softer": samples * 0.5,
        "later": samples[:, round(1.3117 * RATE) :],
        "resampled": audio.resample(down, 22_050, RATE),
        "one channel": torch.stack([samples[0], -samples[0]]),
    }


def test_a_recording_is_the_same_however_it_is_coded_and_cut():
    known = fingerprint.fingerprint(song(1))
    for name, version in versions(song(1)).items():
        prints = fingerprint.fingerprint(version)
        assert fingerprint.same(known, prints) > 0.9, name
        assert fingerprint.same(prints, known) > 0.9, name
        assert np.isin(fingerprint.sketch(prints), fingerprint.sketch(known)).any(), name


def test_other_songs_and_voices_of_a_song_are_not_the_same():
    known = fingerprint.fingerprint(song(1))
    assert fingerprint.same(known, fingerprint.fingerprint(song(2))) == 0
    assert fingerprint.same(fingerprint.fingerprint(song(1) + song(2)), known) < fingerprint.SHARE / 2


def test_what_two_recordings_share_is_measured_on_the_shorter():
    first, second = song(1), song(2)
    both = fingerprint.fingerprint(torch.cat([first, second], 1))
    assert fingerprint.same(fingerprint.fingerprint(second), both) > 0.9
    half = torch.cat([second[:, : 6 * RATE], song(3)[:, : 6 * RATE]], 1)
    assert 0.2 < fingerprint.same(fingerprint.fingerprint(half), both) < 0.8


def test_silence_is_like_nothing():
    silent = fingerprint.fingerprint(torch.zeros(2, 5 * RATE))
    assert not silent.any()
    assert len(fingerprint.sketch(silent)) == 0
    assert fingerprint.same(silent, silent) == 0
    padded = fingerprint.fingerprint(torch.cat([torch.zeros(2, 8 * RATE), song(1)], 1))
    other = fingerprint.fingerprint(torch.cat([torch.zeros(2, 8 * RATE), song(2)], 1))
    assert fingerprint.same(padded, other) == 0
    assert len(fingerprint.fingerprint(torch.zeros(2, 100))) == 0
    assert fingerprint.same(silent[:0], padded) == 0


def test_prints_are_the_signs_of_differences_along_frequency_and_time():
    """A tone that rises from the lowest band to the next: the difference of these bands falls, that of the next rises."""
    low, high = 308.0, 327.0
    time = torch.arange(2 * RATE, dtype=torch.float64) / RATE
    hertz = torch.where(time < 1, low, high)
    prints = fingerprint.fingerprint(torch.sin(2 * math.pi * torch.cumsum(hertz, 0) / RATE).float().expand(2, -1))
    middle = prints[len(prints) // 2]
    assert middle & 1 == 0
    assert middle & 2 == 2


def test_repeated_songs_point_to_the_first_that_is_kept_in_the_order_given():
    recordings = {"a": song(1), "b": song(2), "c": song(3)}
    for name in ("a", "b"):
        recordings |= {f"{name} {how}": version for how, version in versions(recordings[name]).items()}
    prints = {name: fingerprint.fingerprint(samples) for name, samples in recordings.items()}
    sketches = {name: fingerprint.sketch(each) for name, each in prints.items()}
    found = fingerprint.duplicates(sketches, prints.__getitem__, sorted(prints))
    assert found == {name: name[0] for name in prints if len(name) > 1}
    assert fingerprint.duplicates(sketches, prints.__getitem__, ["a later", "c", "a", "a MP3"]) == {"a": "a later", "a MP3": "a later"}


def test_songs_without_prints_and_no_songs_repeat_nothing():
    empty = np.zeros(0, np.uint64)
    assert fingerprint.duplicates({}, dict[str, np.ndarray]().__getitem__, []) == {}
    assert fingerprint.duplicates({"a": empty, "b": empty}, dict[str, np.ndarray]().__getitem__, ["a", "b"]) == {}


def test_only_songs_that_share_prints_are_read():
    draw = np.random.default_rng(0)
    sketches = {str(number): draw.integers(0, 2**63, 50, dtype=np.uint64) for number in range(2000)}
    sketches["7 again"] = sketches["7"][:5]
    prints = draw.integers(1, 2**32, 500, dtype=np.uint32)
    read: list[str] = []

    def noted(name: str) -> np.ndarray:
        read.append(name)
        return prints

    assert fingerprint.duplicates(sketches, noted, list(sketches)) == {"7 again": "7"}
    assert sorted(read) == ["7", "7 again"]


def test_a_song_that_all_repeat_costs_no_pairs_of_all():
    sketch = np.arange(40, dtype=np.uint64)
    prints = np.random.default_rng(0).integers(1, 2**32, 300, dtype=np.uint32)
    names = [f"{number:04d}" for number in range(300)]
    found = fingerprint.duplicates(dict.fromkeys(names, sketch), lambda _: prints, names)
    assert found == dict.fromkeys(names[1:], names[0])
