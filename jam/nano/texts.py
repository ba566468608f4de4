"""Lyrics of our own: lines drawn from a grammar over hand-written word lists, split into train, valid and test by their text.

`grammar.txt` holds one template a line: words in lower case are sung as they stand, words in capitals are slots (TAKES: a transitive
verb, third person). `vocabulary.txt` holds the words of the slots. One content word in eight or so is any word of the dictionary instead.
Some content words are reserved: no drawn line holds one, so that lines made of them measure a singer on words it never heard.
The module knows nothing of melody or sound.
"""

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jam.nano.pronunciation import VOWELS, phones_of, variants

SPLITS = ("train", "valid", "test")
SHARES = (0.90, 0.93, 1.0)  # upper ends of the splits' shares of all texts
RARE = 0.25  # share of content words that come from the whole dictionary
RESERVED, RESERVED_RARE = 0.06, 0.03  # shares of the listed words and of the other words of the dictionary
SHORTEST, LONGEST = 3, 9  # words a line
REFUSALS = 1000  # words that a singer may refuse in a row before the draw gives up
RHYMING = 12  # lines tried until one rhymes
SCHEMES = ("aabb", "abab", "abcb")
FUNCTION_SLOTS = frozenset(["PREP", "DET", "DETS", "WE", "HE", "OH", "NUMBER"])
VERBS = {"take": ("TAKE", "TAKES", "TOOK", "TAKEN", "TAKING"), "fall": ("FALL", "FALLS", "FELL", "FALLEN", "FALLING")}
NOUNS = {"noun": ("NOUN", "NOUNS"), "person": ("PERSON", "PEOPLE"), "place": ("PLACE",), "time": ("TIME", "TIMES"), "stuff": ("STUFF",)}
ENDINGS = {"NOUNS": "s", "PEOPLE": "s", "TIMES": "s", "TAKES": "s", "FALLS": "s", "TOOK": "ed", "TAKEN": "ed", "FELL": "ed", "FALLEN": "ed"}
ENDINGS |= {"TAKING": "ing", "FALLING": "ing", "ADVERB": "ly"}  # of rare words, so that they fit their slots

Words = Mapping[str, tuple[str, ...]]  # words by slot, by ending or by section


@dataclass(frozen=True)
class Lexicon:
    """The words that a draw may use. `rare_share` is the share of content words taken from `rare` (by ending, "" for all)."""

    listed: Words
    rare: Words
    rhymes: Mapping[tuple[str, tuple[str, ...]], tuple[str, ...]]  # by slot and rime
    rare_share: float


def anything(word: str) -> bool:
    """Accepts any word."""
    return bool(word)


@functools.cache
def held_out_lines() -> tuple[str, ...]:
    """The fifty lyric lines that measure the singer; never sung in its corpus."""
    return tuple(Path(__file__).with_name("lines.txt").read_text(encoding="utf-8").split("\n")[:50])


@functools.cache
def common_words() -> tuple[str, ...]:
    """Frequent words of English lyrics, those of the held-out lines among them."""
    frequent = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split()
    return tuple(sorted({*frequent, *(word for line in held_out_lines() for word in line.split())}))


@functools.cache
def rare_words() -> tuple[str, ...]:
    """Every word of the dictionary with 2 to 10 plain letters."""
    return tuple(sorted(word for word in variants() if word.isascii() and word.isalpha() and 2 <= len(word) <= 10))


def with_s(word: str) -> str:
    """The plural of a regular noun, the third person of a verb."""
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(s|x|z|ch|sh)$", word) else "s")


def doubled(word: str) -> str:
    """The stem before -ed and -ing: stop, stopp; a mark "*" doubles where the stress, not the spelling, says so."""
    if word.endswith("*"):
        return word[:-1] + word[-2]
    return word + word[-1] if re.fullmatch(r"(qu|[^aeiou])*[aeiou][bdgklmnprtvz]", word) else word


def with_ing(word: str) -> str:
    """The present participle: lie, lying; chase, chasing; see, seeing."""
    if word.endswith("ie"):
        return word[:-2] + "ying"
    if re.search(r"[^eoy]e$", word):
        return word[:-1] + "ing"
    return doubled(word) + "ing"


def with_ed(word: str) -> str:
    """The past of a regular verb."""
    if word.endswith("e"):
        return word + "d"
    return word[:-1] + "ied" if re.search(r"[^aeiou]y$", word) else doubled(word) + "ed"


def verb_forms(entry: str) -> tuple[str, str, str, str, str]:
    """Base, third person, past, participle and -ing form of `entry` ("walk", "sing/sang/sung"). ValueError for any other shape."""
    spelled = entry.rstrip("*").split("/")
    if len(spelled) not in (1, 3):
        raise ValueError(f"vocabulary.txt: the verb {entry!r} is neither regular ('walk') nor base/past/participle ('sing/sang/sung')")
    base, stem = spelled[0], spelled[0] + "*" * entry.endswith("*")
    past, participle = spelled[1:] if len(spelled) == 3 else (with_ed(stem), with_ed(stem))
    return base, base + "es" if base.endswith("o") else with_s(base), past, participle, with_ing(stem)


def noun_forms(entry: str) -> tuple[str, ...]:
    """Singular and plural of `entry` ("song", "child/children"); a noun that ends in a slash ("dusk/") has no plural."""
    singular, slash, plural = entry.partition("/")
    return (singular, plural or with_s(singular)) if plural or not slash else (singular,)


def sections() -> dict[str, list[str]]:
    """The entries of vocabulary.txt by section. ValueError where an entry stands before the first section."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(Path(__file__).with_name("vocabulary.txt").read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("["):
            entries = found.setdefault(line.strip("[]"), [])
        elif found:
            entries.extend(line.split())
        elif line:
            raise ValueError(f"vocabulary.txt, line {number}: {line!r} stands before the first [section]")
    return found


@functools.cache
def spelled_slots() -> Words:
    """The words of every slot as vocabulary.txt spells them, whether or not the dictionary knows them."""
    slots: dict[str, set[str]] = {}
    for section, entries in sections().items():
        for entry in entries:
            names: tuple[str, ...] = (section.upper(),)
            forms: tuple[str, ...] = (entry,)
            if section in VERBS:
                names, forms = VERBS[section], verb_forms(entry)
            elif section in NOUNS:
                names, forms = NOUNS[section], noun_forms(entry)
            for name, form in zip(names, forms, strict=False):
                slots.setdefault(name, set()).add(form)
    return {slot: tuple(sorted(words)) for slot, words in slots.items()}


@functools.cache
def slots() -> Words:
    """The words of every slot that the dictionary knows."""
    return {slot: tuple(word for word in words if word in variants()) for slot, words in spelled_slots().items()}


@functools.cache
def templates() -> tuple[tuple[str, ...], ...]:
    """The lines of grammar.txt, words and slots. ValueError for an unknown slot or a line that is too short or too long."""
    found = []
    for number, line in enumerate(Path(__file__).with_name("grammar.txt").read_text(encoding="utf-8").splitlines(), 1):
        parts = tuple(line.split())
        unknown = [part for part in parts if part.isupper() and part not in spelled_slots()]
        if unknown or not SHORTEST <= len(parts) <= LONGEST:
            reason = f"unknown slots {unknown}" if unknown else f"{len(parts)} words, a line has {SHORTEST} to {LONGEST}"
            raise ValueError(f"grammar.txt, line {number} ({line!r}): {reason}")
        found.append(parts)
    return tuple(found)


def is_content(part: str) -> bool:
    """Whether a part of a template is a slot for nouns, verbs, adjectives or adverbs."""
    return part.isupper() and part not in FUNCTION_SLOTS


@functools.cache
def function_words() -> frozenset[str]:
    """The words that hold lines together: those of the templates and of the slots of prepositions, pronouns and the like."""
    literal = {part for template in templates() for part in template if not part.isupper()}
    return frozenset(literal | {"an"} | {word for slot in FUNCTION_SLOTS for word in slots()[slot]})


@functools.cache
def vocabulary() -> tuple[str, ...]:
    """Every word of the grammar, of its lists and of the held-out lines."""
    listed = (word for words in slots().values() for word in words)
    return tuple(sorted({*listed, *function_words(), *(word for line in held_out_lines() for word in line.split())}))


def chance(text: str) -> float:
    """A number from 0 to 1 that hangs on `text` alone."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=6).digest()) / 2**48


@functools.cache
def reserved_words() -> frozenset[str]:
    """Content words and rare words that no drawn line holds; never a function word, never a word of the held-out lines."""
    listed = {word for slot, words in slots().items() if is_content(slot) for word in words}
    spared = function_words() | {word for line in held_out_lines() for word in line.split()} | (set(common_words()) - listed)
    words = (listed | set(rare_words())) - spared
    return frozenset(word for word in words if chance("reserved " + word) < (RESERVED if word in listed else RESERVED_RARE))


def rime(word: str) -> tuple[str, ...]:
    """The phones of `word` from its last vowel on: what rhymes with it."""
    phones = phones_of(word)
    last = max((index for index, phone in enumerate(phones) if phone in VOWELS), default=0)
    return phones[last:]


def lexicon_of(keep: Callable[[str], bool], rare_share: float) -> Lexicon:
    """The content words that `keep` takes, with every function word."""
    listed = {slot: tuple(word for word in words if keep(word) or not is_content(slot)) for slot, words in slots().items()}
    every = [word for word in rare_words() if keep(word)]
    rare = {ending: tuple(word for word in every if word.endswith(ending)) for ending in {"", *ENDINGS.values()}}
    rhymes: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for slot, words in listed.items():
        for word in words if is_content(slot) else ():
            rhymes.setdefault((slot, rime(word)), []).append(word)
    return Lexicon(listed, rare, {key: tuple(words) for key, words in rhymes.items()}, rare_share)


@functools.cache
def heard() -> Lexicon:
    """The words of every split's lines."""
    return lexicon_of(lambda word: word not in reserved_words(), RARE)


@functools.cache
def unheard() -> Lexicon:
    """The reserved words; half of what is drawn is rare, because few frequent words are reserved."""
    return lexicon_of(lambda word: word in reserved_words(), 0.5)


def pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    """One of `words`; quicker than `rng.choice`."""
    return words[int(rng.random() * len(words))]


def draw_word(rng: np.random.Generator, slot: str, lexicon: Lexicon, accept: Callable[[str], bool], taken: Iterable[str]) -> str:
    """A content word for `slot` that `accept` takes and the line has not `taken`. ValueError where a thousand words are refused."""
    for _ in range(REFUSALS):
        listed = lexicon.listed[slot]
        word = pick(rng, listed if listed and rng.random() >= lexicon.rare_share else lexicon.rare[ENDINGS.get(slot, "")])
        if word not in taken and accept(word):
            return word
    raise ValueError(f"{REFUSALS} words for the slot {slot} were refused in a row, the last one {word!r}; accept more words")


def fill(
    rng: np.random.Generator, template: Sequence[str], lexicon: Lexicon, accept: Callable[[str], bool], wanted: tuple[str, ...] = ()
) -> list[str]:
    """The words of one line. The last one has the rime `wanted` where the lists know such a word for its slot."""
    line: list[str] = []
    for index, part in enumerate(template):
        if not part.isupper():
            line.append(part)
        elif part in FUNCTION_SLOTS:
            line.append(pick(rng, lexicon.listed[part]))
        else:
            rhyming = lexicon.rhymes.get((part, wanted), ()) if wanted and index == len(template) - 1 else ()
            word = pick(rng, rhyming) if rhyming else ""
            line.append(word if word and word not in line and accept(word) else draw_word(rng, part, lexicon, accept, line))
        if index and line[index - 1] == "a" and phones_of(line[index])[0] in VOWELS:
            line[index - 1] = "an"
    return line


def split_of(line: str) -> str:
    """The split that the text `line` belongs to: 90 % train, 3 % valid, 7 % test."""
    number = chance("split " + line)
    return SPLITS[next(index for index, end in enumerate(SHARES) if number < end)]


def draw_line(
    rng: np.random.Generator, accept: Callable[[str], bool] = anything, split: str = "train", wanted: tuple[str, ...] = ()
) -> list[str]:
    """The 3 to 9 lower-case words of a line of `split`, its content words all ones that `accept` takes; never a held-out line.

    Its last word has the rime `wanted` where that is easy. ValueError for an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"the split {split!r} is unknown; known are {', '.join(SPLITS)}")
    while True:
        line = fill(rng, templates()[int(rng.random() * len(templates()))], heard(), accept, wanted)
        text = " ".join(line)
        if split_of(text) == split and text not in held_out_lines():
            return line


def draw_unheard_line(rng: np.random.Generator, accept: Callable[[str], bool] = anything) -> list[str]:
    """A line whose content words are all reserved ones."""
    return fill(rng, templates()[int(rng.random() * len(templates()))], unheard(), accept)


def draw_verse(rng: np.random.Generator, lines: int, accept: Callable[[str], bool] = anything, split: str = "train") -> list[list[str]]:
    """`lines` lines of `split` that rhyme in pairs, in turn or every other line, where a rhyme is found in a few tries."""
    scheme = pick(rng, SCHEMES)
    verse: list[list[str]] = []
    for index in range(lines):
        first = index - index % len(scheme)
        partners = [earlier for earlier in range(first, index) if scheme[earlier - first] == scheme[index - first]]
        line = draw_line(rng, accept, split)
        if partners:
            last = verse[partners[-1]][-1]
            for _ in range(RHYMING):
                if line[-1] != last and rime(line[-1]) == rime(last):
                    break
                line = draw_line(rng, accept, split, rime(last))
        verse.append(line)
    return verse
