"""Which recordings are one recording: prints of 32 bits every 23 ms, a small sketch of them for an index, and how much two have in common.

The prints are those of Haitsma and Kalker ("A Highly Robust Audio Fingerprinting System", ISMIR 2002): the signs of energy differences of
33 bands from 300 to 2000 Hz, along frequency and time. They outlast coding, gain, resampling and a trimmed start; another take of a song,
its voice alone or its band alone have other prints. A print of 0 is silence. It knows no files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from torch import Tensor

DOWN = 8  # 44.1 kHz by this is the rate of the spectra, 5512.5 Hz
RATE = 5512.5  # Hz
SIZE, HOP = 2048, 128  # samples of a spectrum (372 ms), and from one to the next (23 ms)
APART = 8  # hops between the spectra that a print compares (186 ms): prints of a trimmed recording lie between those of the whole one
BANDS, LOWEST, HIGHEST = 33, 300.0, 2000.0  # Hz
SILENT = 1e-6  # of the loudest spectrum's energy, below which there is silence (-60 dB)
OUT_OF_PHASE = 1e-4  # share of the energy in the sum of the channels below which the left one is taken
WINDOW = 64  # prints (1.5 s) of which the sketch has the least
FEW = 32  # a sketch has so many at least, where there are prints enough
BLOCK = 128  # prints (3 s) that are compared as one
ERRORS = 0.14  # share of bits in which blocks of one recording differ at most
SHARE = 0.6  # of the shorter recording that the other holds, from which on it is the same
MANY = 10_000  # songs, of which two prints in common are needed for a closer look: one may be shared by chance
NEAR = 8  # songs with the same print that are looked at, the first of the order


def fingerprint(samples44: Tensor) -> np.ndarray:
    """The prints (F,), uint32, of `samples44` (2, N) at 44.1 kHz: bit 0 is the lowest band; none for what is shorter than 0.56 s."""
    energy = _energies(_mono(samples44))  # (spectra, 33)
    if len(energy) <= APART:
        return np.zeros(0, np.uint32)
    slope = energy[:, :-1] - energy[:, 1:]
    bits = slope[APART:] - slope[:-APART] > 0  # (F, 32)
    prints = np.packbits(bits, axis=1, bitorder="little").view("<u4")[:, 0].astype(np.uint32)
    total = energy.sum(1)
    is_silent = total <= SILENT * total.max()
    prints[is_silent[:-APART] & is_silent[APART:]] = 0
    return prints


def sketch(fingerprint: np.ndarray) -> np.ndarray:
    """A few of the prints (k,), uint64, sorted: those whose hash is the least within 1.5 s, 1.4 a second.

    What two recordings share stands in both sketches, wherever it lies in them (winnowing: Schleimer, Wilkerson and Aiken 2003).
    """
    prints = fingerprint[fingerprint != 0]
    hashes = _hashed(prints)
    if not len(hashes):
        return hashes
    window = int(np.clip(len(hashes) // FEW, 1, WINDOW))
    least = np.lib.stride_tricks.sliding_window_view(hashes, window).min(1)
    return np.unique(least)


def same(a: np.ndarray, b: np.ndarray) -> float:
    """The share, 0 to 1, of the shorter recording that the other holds, by their prints (F,) and (G,), at the lag where most bits agree.

    It is counted by blocks of 3 s, of which at most 14 % of bits may differ; silence is not counted.
    """
    if len(a) == 0 or len(b) == 0:
        return 0.0
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    lag = _lag(long, short)
    place = np.arange(len(short)) + lag
    inside = (place >= 0) & (place < len(long))
    other = np.where(inside, long[place.clip(0, len(long) - 1)], 0)
    is_heard = short != 0
    differing = np.where(inside & (other != 0), np.bitwise_count(short ^ other), 32)[is_heard]
    if not len(differing):
        return 0.0
    starts = np.arange(0, max(1, len(differing) - BLOCK // 2), BLOCK)  # the last block has up to half more
    sizes = np.diff(np.append(starts, len(differing)))
    errors = np.add.reduceat(differing.astype(np.int64), starts) / (32 * sizes)
    return float(sizes[errors <= ERRORS].sum() / len(differing))


def duplicates(
    sketches: Mapping[str, np.ndarray], read: Callable[[str], np.ndarray], order: Sequence[str], share: float = SHARE
) -> dict[str, str]:
    """Of songs in `order` those that repeat an earlier one, each with the first of its kind, which is kept.

    `sketches` are theirs, and `read` gives the prints of a song, which is done only for pairs whose sketches have something in common. A
    song repeats another when `share` of the shorter of the two stands in the other. Time and memory are near linear in their number.
    """
    prints = lru_cache(64)(read)
    first: dict[int, int] = {}
    tried: set[tuple[int, int]] = set()
    for early, late in _pairs([sketches[name] for name in order]):
        early = first.get(early, early)
        if late in first or (early, late) in tried or early == late:
            continue
        tried.add((early, late))
        if same(prints(order[early]), prints(order[late])) >= share:
            first[late] = early
    return {order[late]: order[early] for late, early in sorted(first.items())}


def _pairs(sketches: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """Pairs of songs (earlier, later) with prints in common, by the later, those with most in common first."""
    owners = np.repeat(np.arange(len(sketches)), [len(each) for each in sketches])
    values = np.concatenate([np.zeros(0, np.uint64), *sketches])
    ranks = np.argsort(values, kind="stable")  # owners of one value stay in order
    values, owners = values[ranks], owners[ranks]
    is_first = np.diff(values, prepend=~values[:1]) != 0
    is_shared = ~is_first | ~np.append(is_first[1:], True)[: len(values)]  # by two songs at least
    owners, begins = owners[is_shared], np.flatnonzero(is_first[is_shared])
    begin = np.repeat(begins, np.diff(np.append(begins, len(owners))))  # where the group of each begins
    found = []
    for step in range(NEAR):
        later = np.flatnonzero(np.arange(len(owners)) > begin + step)
        found.append(owners[begin[later] + step] + owners[later] * len(sketches))
    pairs, counts = np.unique(np.concatenate(found), return_counts=True)
    late, early = np.divmod(pairs, max(1, len(sketches)))
    kept = np.flatnonzero(counts >= (1 if len(sketches) < MANY else 2))
    kept = kept[np.lexsort((early[kept], -counts[kept], late[kept]))]
    return list(zip(early[kept].tolist(), late[kept].tolist(), strict=True))


def _mono(samples44: Tensor) -> np.ndarray:
    """Samples (n,) at 5512.5 Hz."""
    from scipy.signal import resample_poly

    mono = samples44.mean(0)
    if float(mono.square().sum()) < OUT_OF_PHASE * float(samples44.square().sum()):
        mono = samples44[0]
    return resample_poly(mono.numpy(), 1, DOWN)


def _energies(mono: np.ndarray) -> np.ndarray:
    """The energy of each band (spectra, 33)."""
    count = max(0, (len(mono) - SIZE) // HOP + 1)
    edges = np.round(np.geomspace(LOWEST, HIGHEST, BANDS + 1) * SIZE / RATE).astype(int)
    if count == 0:
        return np.zeros((0, BANDS))
    frames = np.lib.stride_tricks.sliding_window_view(mono, SIZE)[::HOP]
    window = np.hanning(SIZE).astype(np.float32)
    parts = []
    for begin in range(0, count, 1024):  # 12 MB at once
        spectra = np.fft.rfft(frames[begin : begin + 1024] * window, axis=1)[:, : edges[-1]]
        parts.append(np.add.reduceat(spectra.real**2 + spectra.imag**2, edges[:-1], axis=1))
    return np.concatenate(parts)


def _hashed(prints: np.ndarray) -> np.ndarray:
    """Numbers that tell prints apart and are in no order (the finaliser of splitmix64)."""
    mixed = prints.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _lag(long: np.ndarray, short: np.ndarray) -> int:
    """The place in `long` at which `short` begins, where most of their bits agree; it may begin before and end behind."""
    count = 1 << (len(long) + len(short) - 1).bit_length()
    total = np.zeros(count // 2 + 1, np.complex64)
    for bit in range(32):
        total += np.fft.rfft(_signs(long, bit), count) * np.conj(np.fft.rfft(_signs(short, bit), count))
    best = int(np.argmax(np.fft.irfft(total, count)))
    return best if best < len(long) else best - count


def _signs(prints: np.ndarray, bit: int) -> np.ndarray:
    """A bit of each print as -1 or 1; 0 for silence."""
    signs = (prints >> np.uint32(bit) & np.uint32(1)).astype(np.float32) * 2 - 1
    return np.where(prints == 0, np.float32(0), signs)
