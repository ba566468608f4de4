"""Spellings that are stretched as they are sung, in their ordinary form: `looove`, `gooood`, `ohhh`, `mmmm`.

Which letters are doubled in the ordinary form is told by whoever knows words (`knows`), and by a list of common words where two are
possible.
"""

import re
from collections.abc import Callable, Sequence
from itertools import product

STRETCHED = re.compile(r"([^\W\d_])\1\1", re.IGNORECASE)
"""A letter three times in a row, as no word has it."""

_CRIES = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"oh{2,}", "oh"), (r"o{2,}h*", "ooh"), (r"a+h+a*", "ah"), (r"a{3,}", "ah"), (r"u+h+", "uh"), (r"m{2,}", "mm"), (r"h+m+", "hmm"),
        (r"s+h+", "shh"), (r"a+w+", "aw"), (r"e+w+", "ew"), (r"e{3,}", "ee"), (r"b+r+", "brr"), (r"g+r+", "grr"), (r"ye+a+h*", "yeah"),
        (r"wh?o+a+h*", "whoa"), (r"wo{3,}", "woo"), (r"w+o{2,}h+", "woo"), (r"hey+", "hey"), (r"u{3,}", "ooh"),
    )
)  # fmt: skip

_DOUBLED = frozenset(
    [
        "add", "agree", "all", "apple", "ass", "baboon", "ball", "balloon", "battle", "bee", "been", "beer", "bell", "better",
        "between", "bill", "bitter", "bleed", "bless", "bliss", "blood", "bloom", "boo", "book", "boost", "boot", "booth", "boss",
        "bottle", "breed", "breeze", "brood", "broom", "bull", "bunny", "butter", "buzz", "call", "calling", "carry", "cartoon", "cell",
        "cheek", "cheer", "cheers", "cheery", "cheese", "chill", "choose", "class", "cliff", "coffee", "cook", "cookie", "cool",
        "creep", "cross", "cutting", "daddy", "deep", "deer", "dinner", "dizzy", "doll", "doom", "door", "dream", "dress", "dripping",
        "eek", "egg", "fall", "falling", "falls", "feel", "feeling", "feels", "feet", "fell", "fellow", "fill", "flee", "flood",
        "floor", "follow", "food", "fool", "free", "freeze", "full", "funny", "fuss", "fuzz", "fuzzy", "geez", "getting", "glass",
        "gloom", "good", "goodbye", "goodnight", "goods", "goof", "goose", "grass", "greed", "green", "greet", "groove", "guess",
        "hall", "hammer", "happy", "heed", "heel", "hell", "hello", "hill", "hiss", "hitting", "hobby", "hollow", "honey", "hood",
        "hoof", "hook", "hoop", "hoot", "hopping", "hurry", "ill", "inn", "jazz", "jeez", "keep", "kill", "killer", "kiss", "kissing",
        "kitty", "knee", "kneel", "ladder", "lagoon", "less", "lesson", "letter", "letting", "little", "look", "loop", "loose", "loss",
        "mall", "marry", "mass", "matter", "meet", "merry", "mess", "middle", "mill", "mirror", "miss", "mommy", "moo", "mood", "moon",
        "moor", "moose", "need", "needs", "noon", "odd", "off", "oops", "pass", "peek", "peel", "pill", "pillow", "planned", "pool",
        "poor", "poppy", "press", "pretty", "proof", "puff", "pull", "puppy", "queen", "riddle", "ripple", "roll", "rolling", "roof",
        "room", "root", "rubble", "running", "school", "screen", "see", "seed", "seek", "seem", "seen", "sell", "shampoo", "sheep",
        "sheer", "shell", "shimmer", "shoo", "shook", "shoot", "silly", "sitting", "sleep", "small", "smell", "smooth", "sneeze",
        "sniff", "soon", "sorry", "speed", "spell", "spinning", "spoon", "staff", "steel", "steep", "steer", "still", "stood", "stool",
        "stopping", "street", "stress", "stuff", "summer", "sunny", "supper", "sweet", "taboo", "tall", "tattoo", "teen",
        "teeth", "tell", "three", "thrill", "till", "too", "took", "tool", "tooth", "toss", "tree", "tripping", "troop", "wall", "weed",
        "weeds", "week", "weep", "well", "wheel", "will", "winner", "woo", "wood", "woof", "worry", "yell", "yellow", "zoo", "zoom",
    ]
)  # fmt: skip
"""Common words with a doubled letter: where both spellings are words, a stretched letter is doubled in these alone."""


def shortened(word: str, knows: Callable[[str], bool] | None) -> str:
    """A stretched word in its ordinary spelling: `looove` is `love`, `gooood` is `good`, `ohhh` is `oh`; others as they are."""
    lower = word.lower()
    if not STRETCHED.search(word):
        return _without_double(word, lower, knows) if knows is not None else word
    if len(set(lower)) == 1 and word.isupper() and len(word) <= 4:
        return word  # AAA
    if cry := next((said for pattern, said in _CRIES if pattern.fullmatch(lower)), None):
        return cry
    candidates = _spellings(lower, 3)
    doubled = next((each for each in candidates if each in _DOUBLED), None)
    return doubled or next((each for each in candidates if knows and knows(each)), None) or _guess(candidates)


def _without_double(word: str, lower: str, knows: Callable[[str], bool]) -> str:
    """An unknown word with a doubled letter, as `loove`, in a spelling that is known, where there is one."""
    if word.isupper() or not re.search(r"([^\W\d_])\1", lower) or knows(word):
        return word
    return next((each for each in _spellings(lower, 2) if knows(each)), word)


def _spellings(word: str, least: int) -> list[str]:
    """The word with each letter that stands `least` times or more in a row once or twice, once first; few, for lyrics are no code."""
    runs = [run[0] for run in re.finditer(r"(.)\1*", word)]
    stretched = [index for index, run in enumerate(runs) if len(run) >= least][:6]
    made = []
    for counts in sorted(product((1, 2), repeat=len(stretched)), key=sum):
        parts = [run[:1] if len(run) > 2 else run for run in runs]
        for index, count in zip(stretched, counts, strict=True):
            parts[index] = runs[index][0] * count
        made.append("".join(parts))
    return made


def _guess(candidates: Sequence[str]) -> str:
    """Of spellings that nobody knows: one that begins with a doubled word, else the shortest."""
    return next((each for each in candidates if any(len(word) > 3 and each.startswith(word) for word in _DOUBLED)), candidates[0])
