"""How long words and rests last, learned from timed songs: a network of a few kilobytes that corrects the rules of `jam.lyrics.pace`.

It sees syllables, marks, places in the line and the song, tempo, and how much time there is; it says by which factor each word, each rest,
the intro and the outro differ from the rules, before all are scaled to the song's duration. Knows no file but its own weights.

Legend: N words, F features of each, H hidden channels.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jam import assets
from jam.lyrics import pace
from jam.lyrics.pace import Beat, Lengths
from jam.lyrics.syllables import Sung

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

HIDDEN = 24
KERNEL = 5  # words that a layer sees together
FEATURES = 16
ROOM = (0.15, 1.0)  # seconds a syllable beyond which songs look alike to the network,
SECONDS = (4.0, 40.0)  # and seconds of song
LARGEST = 1.5  # natural logarithm of the strongest correction
SHORTEST_REST = 0.05  # seconds; less is none, and belongs to the word before
NO_REST = 0.01  # seconds of rest within a line that the rules would not make, to be corrected


@dataclass(frozen=True)
class Text:
    """What the network is told of a song: its words by lines, the time it keeps, and how many seconds it lasts."""

    lines: tuple[tuple[Sung, ...], ...]
    beat: Beat
    duration: float


def network() -> nn.Module:
    """The untrained network, which corrects nothing: (1, F, N) to (1, 4, N), of word, rest, intro and outro (their means count)."""
    from torch import nn

    last = nn.Conv1d(HIDDEN, 4, KERNEL, padding=KERNEL // 2)
    nn.init.zeros_(last.weight)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    first = nn.Conv1d(FEATURES, HIDDEN, KERNEL, padding=KERNEL // 2)
    middle = nn.Conv1d(HIDDEN, HIDDEN, KERNEL, padding=KERNEL // 2)
    return nn.Sequential(first, nn.GELU(), middle, nn.GELU(), last)


def features(text: Text) -> Tensor:
    """What the network sees, (1, F, N)."""
    import torch

    words = [word for line in text.lines for word in line]
    weights = [pace.weight(word) for word in words]
    total = sum(weights)
    room = math.log(min(max(text.duration / total, ROOM[0]), ROOM[1]))
    seconds = math.log(min(max(text.duration, SECONDS[0]), SECONDS[1]) / 15)
    beat = min(max(text.beat.seconds, 0.25), 1.2)
    song = [room, seconds, 2 * beat - 1, (text.beat.a_bar == 3) * 1.0, math.log(pace.step(text.beat)) + 1]
    rows: list[list[float]] = []
    sung = 0.0
    for line in text.lines:
        for index, word in enumerate(line):
            rows.append([*_of_word(word), *_of_place(index, len(line)), sung / total, *song, 1.0])
            sung += weights[len(rows) - 1]
    return torch.tensor(rows).T[None]  # (1, F, N)


def _of_word(word: Sung) -> list[float]:
    return [word.syllables / 3, word.symbols / 8, word.is_small * 1.0, (word.mark == ",") * 1.0, (word.mark not in ("", ",")) * 1.0]


def _of_place(index: int, count: int) -> list[float]:
    return [(index == 0) * 1.0, (index == count - 1) * 1.0, min(index, 12) / 6, min(count - 1 - index, 12) / 6]


def corrected(net: nn.Module, text: Text) -> Tensor:
    """Seconds of intro, first word, rest, second word and so on until the outro, (2 N + 1,); together they last the song."""
    import torch

    rules = pace.by_rules(text.lines, text.beat)
    factors = LARGEST * torch.tanh(net(features(text))[0] / LARGEST)  # (4, N)
    words = torch.tensor(rules.words) * factors[0].exp()  # (N,)
    rests = (torch.tensor(rules.rests) + NO_REST) * factors[1].exp()  # (N,)
    around = torch.stack([rules.rests[0] * factors[2].mean().exp(), rules.outro * factors[3].mean().exp()])  # (2,)
    pieces = torch.stack([torch.cat([around[:1], rests[1:]]), words]).T.flatten()  # (2 N,)
    whole = torch.cat([pieces, around[1:]])
    return whole * (text.duration / whole.sum())


def by_model(text: Text, path: Path) -> Lengths:
    """The lengths of a song's words and rests by the weights at `path`. Raises ValueError as `load` does."""
    import torch

    assert any(text.lines), text
    with torch.no_grad():
        pieces = corrected(load(path), text).tolist()
    words, rests = pieces[1:-1:2], pieces[:-1:2]
    for index in range(1, len(words)):
        if rests[index] < SHORTEST_REST:
            words[index - 1] += rests[index]
            rests[index] = 0.0
    return Lengths(tuple(words), tuple(rests), pieces[-1])


def weights_path() -> Path:
    """Where the shipped weights are, if they are."""
    return assets.BUNDLE / "planner.safetensors"


def load(path: Path) -> nn.Module:
    """The trained network of a safetensors file. Raises ValueError, in one line, for a file that is missing or holds another network."""
    if not path.is_file():
        raise ValueError(f"{path}: no learned durations; train them with python -m jam.lyrics.train_planner, or plan with method rules")
    return _loaded(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _loaded(path: Path, _written: int) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    net = network()
    try:
        net.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path}: holds no durations of this planner; train them again") from error
    return net.eval()


def save(net: nn.Module, path: Path) -> Path:
    """Writes a network's weights."""
    from safetensors.torch import save as packed

    from jam.files import write_whole

    return write_whole(path, packed({name: tensor.contiguous() for name, tensor in net.state_dict().items()}))


def onsets(pieces: torch.Tensor) -> torch.Tensor:
    """When each word begins, (N,), by the pieces that `corrected` gives."""
    return pieces.cumsum(0)[:-1:2]
