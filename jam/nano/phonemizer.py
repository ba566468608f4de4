"""The embedded phonemizer: a small DeepPhonemizer taught the CMU dictionary, which it carries whole for look-up.

    python -m jam.nano.phonemizer externals/nano/phonemizer.pt

Knows words and IPA; nothing of songs. `PHONEMES` fixes the token ids that singers are trained with: a network may be trained anew, but
the symbols and their order stay.

The network spells each letter twice and labels the row with IPA by connectionist temporal classification, as DeepPhonemizer's forward
transformer does. 2,000 words are kept from training, to measure it by; the dictionary that is saved holds all words.
"""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import ctc_loss
from torch.nn.utils.rnn import pad_sequence

from jam.lyrics.phonemes import LANGUAGE, Phonemizer, build, save
from jam.nano.pronunciation import dictionary

if TYPE_CHECKING:
    from dp.preprocessing.text import Preprocessor

logger = logging.getLogger(__name__)

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
PHONEMES = tuple("abdefhijklmnoprstuvwzæðŋɑɔəɛɝɡɪʃʊʌʒθˈˌːɹ")  # token ids 3 to 42, in this order for ever


@dataclass(frozen=True)
class Settings:
    """The network's size and its training."""

    d_model: int = 128
    d_fft: int = 512
    layers: int = 3
    heads: int = 4
    dropout: float = 0.0
    letter_repeats: int = 2  # places in the row for each letter: IPA may be longer than its word
    steps: int = 2500
    batch_size: int = 80
    learning_rate: float = 1e-3
    warmup: int = 200
    held_out: int = 2000
    seed: int = 0


def config(settings: Settings) -> dict[str, Any]:
    """The settings as a DeepPhonemizer config."""
    sizes = {name: value for name, value in asdict(settings).items() if name in ("d_model", "d_fft", "layers", "heads", "dropout")}
    return {
        "preprocessing": {
            "languages": [LANGUAGE],
            "text_symbols": list(LETTERS),
            "phoneme_symbols": list(PHONEMES),
            "char_repeats": settings.letter_repeats,
            "lowercase": True,
        },
        "model": {"type": "transformer", **sizes},
    }


def readable_words(words: Mapping[str, str]) -> dict[str, str]:
    """The entries that lyrics can reach: words of letters, apostrophes and hyphens."""
    return {word: ipa for word, ipa in words.items() if re.fullmatch(r"[a-z'-]*[a-z][a-z'-]*", word)}


def split(words: Mapping[str, str], settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """(trained, held out): `settings.held_out` words drawn by the seed from those of three letters or more without marks."""
    generator = torch.Generator().manual_seed(settings.seed)
    plain = sorted(word for word in words if len(word) > 2 and word.isalpha())
    kept = {plain[index] for index in torch.randperm(len(plain), generator=generator)[: settings.held_out]}
    return {word: ipa for word, ipa in words.items() if word not in kept}, {word: words[word] for word in sorted(kept)}


def train(words: Mapping[str, str], settings: Settings, threads: int = 1) -> "tuple[torch.nn.Module, Preprocessor]":
    """A network trained on {word: IPA}, on the CPU in bfloat16, and its preprocessor."""
    torch.set_num_threads(threads)
    torch.manual_seed(settings.seed)  # the library draws its initial weights and its dropout from torch's own generator
    model, preprocessor = build(config(settings))
    rows = [preprocessor((LANGUAGE, word, ipa))[1:] for word, ipa in words.items() if "-" not in word]
    rows = [(torch.tensor(text), torch.tensor(ipa)) for text, ipa in rows if len(text) >= len(ipa)]
    logger.info("%d words, %d parameters", len(rows), sum(p.numel() for p in model.parameters() if p.requires_grad))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], settings.learning_rate, (0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, settings))
    generator = torch.Generator().manual_seed(settings.seed)
    model.train()
    for step in range(1, settings.steps + 1):
        text, ipa, lengths, targets = _batch(rows, settings.batch_size, generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model({"text": text})  # (B, L, V)
        loss = ctc_loss(logits.float().log_softmax(-1).transpose(0, 1), ipa, lengths, targets, zero_infinity=True)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            logger.info("step %d of %d, loss %.4f", step, settings.steps, loss.item())
    return model.eval(), preprocessor


def score(phonemizer: Phonemizer, words: Mapping[str, str]) -> tuple[float, float]:
    """(phoneme error rate, share of words without an error) of the network's own reading of {word: IPA}; no dictionary."""
    read = phonemizer.predict(list(words))
    counts = [edits(read[word], ipa) for word, ipa in words.items()]
    return sum(counts) / sum(map(len, words.values())), counts.count(0) / len(counts)


def make(path: str, settings: Settings) -> tuple[float, float]:
    """Train, save to `path` with the whole dictionary, and return `score` on the held-out words."""
    words = readable_words(dictionary())
    trained, held_out = split(words, settings)
    model, preprocessor = train(trained, settings)
    save(path, model, preprocessor, config(settings), {LANGUAGE: words}, settings.steps)
    errors, right = score(Phonemizer.load(path), held_out)
    logger.info("%s: %d words in its dictionary", path, len(words))
    logger.info("of %d held-out words %.1f %% right, phoneme error rate %.1f %%", len(held_out), 100 * right, 100 * errors)
    return errors, right


def edits(read: str, true: str) -> int:
    """Edits (insertions, deletions, exchanges of one symbol) between two strings."""
    row = list(range(len(true) + 1))
    for i, symbol in enumerate(read, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(true, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (symbol != other))
    return row[-1]


def _rate(step: int, settings: Settings) -> float:
    """Share of the learning rate at a step: linear up, linear down."""
    return min((step + 1) / settings.warmup, (settings.steps - step) / (settings.steps - settings.warmup))


def _batch(rows: Sequence[tuple[torch.Tensor, torch.Tensor]], size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    """(letters (B, L), IPA (B, P), lengths of both (B,)), of rows of like length so that little is padding."""
    drawn = [rows[index] for index in torch.randint(len(rows), (4 * size,), generator=generator)]
    drawn.sort(key=lambda row: len(row[0]))
    first = int(torch.randint(4, (1,), generator=generator)) * size
    texts, ipas = zip(*drawn[first : first + size], strict=True)
    lengths = [torch.tensor([len(row) for row in side]) for side in (texts, ipas)]
    return pad_sequence(list(texts), batch_first=True), pad_sequence(list(ipas), batch_first=True), *lengths


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    make(sys.argv[1], Settings())
