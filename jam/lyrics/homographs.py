"""Words that are written alike and said differently (`live`, `read`, `lead`): which reading a line means, by the words beside it.

A part of speech is guessed from one or two words on either side; where they do not tell, the commoner reading in songs is taken. Knows no
IPA and no dictionary: a reading is described by another word that every dictionary has (`Reading`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["verb", "noun", "adjective", "past"]


@dataclass(frozen=True)
class Reading:
    """A pronunciation: that of the word `like` without its last `cut` symbols; where it `rhymes`, after the word's own first consonants."""

    like: str
    rhymes: bool = True
    cut: int = 0


@dataclass(frozen=True)
class Homograph:
    """The readings of a word by its part of speech, and the part that is meant where its neighbours do not tell."""

    readings: dict[Part, Reading]
    usual: Part


def _same(word: str, cut: int = 0) -> Reading:
    return Reading(word, rhymes=False, cut=cut)


HOMOGRAPHS: dict[str, Homograph] = {
    "live": Homograph({"verb": Reading("give"), "adjective": Reading("five")}, "verb"),
    "lives": Homograph({"verb": Reading("gives"), "noun": Reading("wives")}, "noun"),
    "read": Homograph({"verb": _same("reed"), "noun": _same("reed"), "past": _same("red")}, "verb"),
    "lead": Homograph({"verb": Reading("need"), "noun": Reading("need"), "adjective": Reading("need")}, "verb"),
    "tear": Homograph({"verb": Reading("bear"), "noun": Reading("fear")}, "noun"),
    "tears": Homograph({"verb": Reading("bears"), "noun": Reading("fears")}, "noun"),
    "wind": Homograph({"verb": Reading("find"), "noun": Reading("pinned")}, "noun"),
    "winds": Homograph({"verb": Reading("finds"), "noun": Reading("wind")}, "noun"),
    "wound": Homograph({"past": Reading("found"), "noun": Reading("tuned"), "verb": Reading("found")}, "noun"),
    "close": Homograph({"verb": _same("closed", 1), "adjective": Reading("dose"), "noun": _same("closed", 1)}, "adjective"),
    "use": Homograph({"verb": _same("used", 1), "noun": Reading("goose")}, "verb"),
    "excuse": Homograph({"verb": _same("excused", 1), "noun": Reading("excuse")}, "verb"),
    "abuse": Homograph({"verb": _same("abused", 1), "noun": Reading("abuse")}, "noun"),
    "used": Homograph({"noun": Reading("boost"), "past": _same("used")}, "past"),  # the habit of `used to`
    "house": Homograph({"verb": Reading("cows"), "noun": Reading("mouse")}, "noun"),
    "bow": Homograph({"verb": Reading("now"), "noun": Reading("toe")}, "verb"),
    "bass": Homograph({"noun": Reading("face")}, "noun"),
    "dove": Homograph({"past": Reading("drove"), "noun": Reading("love")}, "noun"),
    "desert": Homograph({"verb": _same("dessert"), "noun": _same("desert")}, "noun"),
    "present": Homograph({"verb": _same("presented", 2), "noun": _same("present")}, "noun"),
    "object": Homograph({"verb": _same("objected", 2), "noun": _same("object")}, "noun"),
    "project": Homograph({"verb": _same("projected", 2), "noun": _same("project")}, "noun"),
    "content": Homograph({"adjective": _same("contented", 2), "verb": _same("contented", 2), "noun": _same("content")}, "adjective"),
    "record": Homograph({"verb": _same("recorded", 2), "noun": Reading("checkered")}, "noun"),
    "rebel": Homograph({"verb": _same("rebelled", 1), "noun": Reading("pebble")}, "noun"),
    "refuse": Homograph({"verb": _same("refused", 1), "noun": _same("refused", 1)}, "verb"),
    "separate": Homograph({"verb": _same("separated", 2), "adjective": _same("separate")}, "adjective"),
}
"""English homographs of songs; readings that dictionaries agree upon are left to them."""

_DETERMINERS = frozenset(
    [
        "a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "this", "that", "these", "those", "no", "any", "some",
        "every", "each", "what", "many", "all", "two", "three", "other",
    ]
)  # fmt: skip
_PREPOSITIONS = frozenset(["of", "in", "with", "from", "by", "for", "on", "at", "into", "through", "like", "without", "and"])
_BEFORE_VERBS = frozenset(
    [
        "i", "you", "we", "they", "who", "to", "will", "would", "can", "could", "should", "must", "may", "might", "shall", "gonna",
        "wanna", "gotta", "never", "always", "please", "just", "still", "not", "let's", "do", "did", "don't", "cannot", "can't",
        "won't", "let", "make", "help", "hafta", "oughta", "ya", "y'all",
    ]
)  # fmt: skip
_SINGULAR = frozenset(["he", "she", "it", "who", "that", "which", "love", "nobody", "everybody", "nothing"])
_BEINGS = frozenset(
    [
        "am", "is", "are", "was", "were", "be", "been", "being", "so", "too", "very", "stay", "feel", "feels", "felt", "get", "got",
        "come", "coming",
    ]
)  # fmt: skip
_HAVINGS = frozenset(["have", "has", "had", "having", "i've", "you've", "we've", "they've", "i'd"])
_OBJECTS = frozenset(
    [
        "me", "you", "him", "her", "it", "us", "them", "my", "your", "his", "our", "their", "the", "a", "this", "that", "myself",
        "yourself", "each",
    ]
)  # fmt: skip
_PLURALS = frozenset(["lives", "tears", "winds"])

_FOLLOWED: dict[str, tuple[Part, frozenset[str]]] = {
    "live": ("adjective", frozenset(["music", "show", "shows", "band", "concert", "wire", "stream", "album", "crowd", "audience", "from"])),
    "lives": ("verb", frozenset(["in", "on", "here", "there", "inside", "within", "forever", "alone", "next", "down"])),
    "tear": ("verb", frozenset(["down", "up", "apart", "away", "off", "open", "through"])),
    "wind": ("verb", frozenset(["up", "down", "around", "back"])),
    "wound": ("past", frozenset(["up", "down", "around", "back", "so", "tight"])),
    "close": ("adjective", frozenset(["to", "enough", "by", "together", "beside"])),
    "used": ("noun", frozenset(["to"])),
    "bow": ("verb", frozenset(["down", "before", "out", "and"])),
    "tears": ("verb", frozenset(["apart"])),
}
"""What a word is before others, if no article stands before it."""


def reading(words: Sequence[str], index: int) -> Reading | None:
    """How `words[index]` is said in its company; None where it is no homograph. Case and marks do not matter."""
    word = _core(words[index])
    homograph = HOMOGRAPHS.get(word)
    if homograph is None:
        return None
    before, after = _beside(words, index, -1), _beside(words, index, 1)
    part = "verb" if word == "bow" and before == "a" and _beside(words, index - 1, -1) in ("take", "took") else _part(word, before, after)
    return homograph.readings.get(part or homograph.usual, homograph.readings[homograph.usual])


def _part(word: str, before: str, after: str) -> Part | None:
    """The part of speech of a homograph between two words ("" where a sentence begins or ends), None where they do not tell."""
    if before in _DETERMINERS and not (before == "that" and word in _PLURALS):
        return "adjective" if word in ("live", "close") else "noun"
    part, words = _FOLLOWED.get(word, (None, frozenset()))
    if after in words:
        return part
    return _part_after(word, before) or ("verb" if after in _OBJECTS else None)


def _part_after(word: str, before: str) -> Part | None:
    """The part of speech after the word before it."""
    if before in _HAVINGS or before.endswith("'ve"):
        return "past"
    if before in _BEINGS or before.endswith(("'m", "'re", "'s")) and before != "let's":
        return "past" if word == "read" else "adjective"
    if before in _SINGULAR:
        return "past" if word in ("read", "dove", "wound") else "verb"
    if word not in _PLURALS and (before in _BEFORE_VERBS or before.endswith(("'ll", "'d", "n't"))):
        return "past" if word in ("dove", "wound") and before in ("i", "you", "we", "they") else "verb"
    return "noun" if before in _PREPOSITIONS else None


def _beside(words: Sequence[str], index: int, step: int) -> str:
    """The word before (`step` -1) or after (1), "" where there is none, or where a sentence ends between them."""
    if not 0 <= index + step < len(words):
        return ""
    other, first = words[index + step], words[min(index, index + step)]
    return "" if first.endswith((".", ",", "?", "!", ";", ":")) else _core(other)


def _core(word: str) -> str:
    return word.lower().replace("\u2019", "'").strip('.,?!:;"()[]*_ ')
