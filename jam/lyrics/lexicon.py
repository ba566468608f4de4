"""A user's own pronunciations: a file of words with their IPA or ARPAbet, read into {word: IPA}.

Three forms are read, the first two line by line and mixed as one likes:

    glimmerdust   ɡlɪmɝdʌst            a word, spaces or a tab, IPA
    GLIMMERDUST   G L IH1 M ER0 D AH2 S T     ARPAbet, in capitals, as the CMU dictionary writes it
    {"glimmerdust": "ɡlɪmɝdʌst"}       JSON

Lines that begin with `;;;` or `#`, and what stands after ` #`, are comments. Case does not matter in words. Knows no phonemizer: which
symbols a model can sing is told by `jam.lyrics.phonemes` when it is given the words.
"""

import json
import re
import unicodedata
from pathlib import Path

ARPABET = {
    "AA": "ɑː", "AE": "æ", "AH": "ʌ", "AO": "ɔː", "AW": "aʊ", "AX": "ə", "AXR": "ɝ", "AY": "aɪ", "EH": "ɛ", "ER": "ɝ", "EY": "eɪ",
    "IH": "ɪ", "IX": "ɪ", "IY": "iː", "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "uː", "UX": "uː",
    "B": "b", "CH": "tʃ", "D": "d", "DH": "ð", "DX": "t", "EL": "ʌl", "EM": "ʌm", "EN": "ʌn", "F": "f", "G": "ɡ", "HH": "h", "JH": "dʒ",
    "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ", "P": "p", "Q": "", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "V": "v",
    "W": "w", "WH": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
"""ARPAbet in the IPA of the phonemizers that singers are taught with."""

_STRESS = {"0": "", "1": "ˈ", "2": "ˌ", "": ""}
_PHONE = re.compile(r"([A-Z]{1,3})([012]?)")


def read(path: str | Path) -> dict[str, str]:
    """The pronunciations of a file, {word in lower case: IPA}; of a word that stands twice the last is taken.

    Raises ValueError, in one line with the file and the line, for a file that cannot be read, a word without a pronunciation, and signs
    that are neither IPA nor ARPAbet.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or "cannot be read"
        raise ValueError(f"{path}: {reason}; give a text file of words and their IPA, a word a line") from error
    return _of_json(text, str(path)) if text.lstrip().startswith("{") else _of_lines(text, str(path))


def is_arpabet(phone: str) -> bool:
    """Whether `phone` is one phone of ARPAbet, such as `AH0`; IPA has no capitals."""
    match = _PHONE.fullmatch(phone)
    return match is not None and match[1] in ARPABET


def arpabet_to_ipa(phones: str) -> str:
    """The IPA of ARPAbet phones divided by spaces; stress 1 and 2 become marks before their vowels. ValueError for what is no phone."""
    sounds = []
    for phone in phones.split():
        match = _PHONE.fullmatch(phone)
        if match is None or match[1] not in ARPABET:
            raise ValueError(f"{phone!r} is no ARPAbet phone; it knows {' '.join(ARPABET)}")
        sounds.append(_STRESS[match[2]] + ARPABET[match[1]])
    return "".join(sounds)


def _of_lines(text: str, where: str) -> dict[str, str]:
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        content = re.sub(r"(^|\s)#.*", "", line).strip()
        if not content or content.startswith(";;"):
            continue
        word, *rest = content.split(None, 1)
        if not rest:
            raise ValueError(f"{where}: line {number}: {_cut(word)} has no pronunciation; write the word, a space, and its IPA or ARPAbet")
        found[_key(word, f"{where}: line {number}")] = _ipa(rest[0], f"{where}: line {number}: {_cut(word)}")
    return found


def _of_json(text: str, where: str) -> dict[str, str]:
    try:
        words = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "too deep"
        raise ValueError(f'{where}: {place}; write {{"word": "its IPA"}}') from error
    found = {}
    for word, ipa in words.items():
        if not isinstance(ipa, str):
            raise ValueError(f"{where}: {_cut(word)} has {_cut(ipa)} for a pronunciation; write its IPA in quotes")
        found[_key(word, where)] = _ipa(ipa, f"{where}: {_cut(word)}")
    return found


def _key(word: str, where: str) -> str:
    if not any(unicodedata.category(sign)[0] in "LNS" for sign in word):
        raise ValueError(f"{where}: {_cut(word)} is no word; write the word first, then its IPA or ARPAbet")
    return re.sub(r"\(\d+\)$", "", word).lower()


def _ipa(written: str, where: str) -> str:
    """`written` as IPA, whether it is ARPAbet or IPA; slashes and square brackets around IPA are taken off, spaces within it too."""
    plain = written.strip()
    if re.fullmatch(r"[A-Z]{1,3}[0-2]?(\s+[A-Z]{1,3}[0-2]?)*", plain):
        try:
            return arpabet_to_ipa(plain)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    plain = "".join(plain.strip("/[]").split())
    strange = [sign for sign in plain if not (unicodedata.category(sign)[0] in "LM" or sign in ".,?!:;'-_") or sign.isupper()]
    if strange or not plain:
        shown = " ".join(map(_cut, dict.fromkeys(strange))) or _cut(written)
        raise ValueError(f"{where}: {shown} is no IPA; write IPA such as sɪŋ, or ARPAbet")
    return plain


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
