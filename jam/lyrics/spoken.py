"""What a singer says where lyrics have signs: numbers, years, money, dates, times, units, abbreviations, stretched spellings, markup.

`spoken` turns a word, or a line, into words of letters; marks (. , ? ! : ;), apostrophes and hyphens stay. The only door to num2words
(numbers in words, of many languages) and anyascii (Latin letters without their accents). Knows no IPA; whether a spelling is a word is
asked of the caller.

English is read as Americans do. Other languages get numbers, percent, money and the commonest signs; their spelling is left as it is.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from jam.lyrics.stretched import STRETCHED, shortened

MARKS = ".,?!:;"  # they have tokens of their own

LETTER_NAMES = {
    "a": "ay", "b": "bee", "c": "see", "d": "dee", "e": "ee", "f": "eff", "g": "gee", "h": "h", "i": "eye", "j": "jay", "k": "kay",
    "l": "el", "m": "em", "n": "en", "o": "oh", "p": "pea", "q": "cue", "r": "are", "s": "ess", "t": "tea", "u": "you", "v": "vee",
    "w": "double you", "x": "ex", "y": "why", "z": "zee",
}  # fmt: skip
"""Letters as words that dictionaries have."""

_APOSTROPHES = (
    "\u2018\u2019\u201b\u2032\u2035\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u02ca\u02cb\u0060\u00b4\u0374\u0384\u055a\u055b\u05f3\u07f4\u07f5"
    "\u1fbd\u1fbf\u1fef\u1ffd\u1ffe\u275b\u275c\ua78b\ua78c\uff07\uff40"
)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d\u30a0\u05be\u1806"
_QUOTES = "\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u2039\u203a\u275d\u275e\uff02"
_PLAIN = (
    dict.fromkeys(map(ord, _APOSTROPHES), "'")
    | dict.fromkeys(map(ord, _DASHES), "-")
    | dict.fromkeys(map(ord, _QUOTES), '"')
    | {0x2044: "/", 0x2215: "/", 0x2116: " number ", 0x00B2: " squared ", 0x00B3: " cubed ", 0x00D7: "x", 0x00F7: " divided by "}
)
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}  # characters without a shape

_FAST = re.compile(r"[A-Za-z]?[a-z]*(?:'[a-z]+)?[.,?!:;]*")  # an ordinary word
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|\{\\[^{}]*\}")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_REPEATED = re.compile(r"\b([a-z]{2,3})\1{2,}\b", re.IGNORECASE)  # lalala
_HYPHENATED = re.compile(r"(?<![\w'-])[^\W\d_]+(?:-[^\W\d_]+)+(?![\w'-])")

Sub = Callable[[re.Match[str]], str]


def spoken(
    text: str, language: str = "en_us", knows: Callable[[str], bool] | None = None, reads: Callable[[str], bool] | None = None
) -> str:
    """`text` as it is said: letters, apostrophes, hyphens and marks, words divided by single spaces; "" where nothing is said.

    `knows` says whether a spelling is a word, which helps with stretched ones (`gooood`); `reads` which letters the phonemizer reads: of
    Latin letters the others lose their accents (None: English has a to z, other languages have all). Letters of other scripts stay. No
    digits come out.
    """
    if _is_ordinary(text):
        return text
    english = language.lower().startswith("en")
    plainer = plain(_TAG.sub("", html.unescape(_mixed(text))))
    letters = _letters(plainer, reads or (str.isascii if english else str.isalpha), english)
    said = _english(letters, knows) if english else _other(letters, language.replace("_", "-").split("-")[0].lower())
    return _tidied(_digits_swept(said), english)


def plain(text: str) -> str:
    """`text` with apostrophes, dashes, quotes and letters of every code point in their plain forms, without hidden characters."""
    if text.isascii() and "`" not in text and text.isprintable():
        return text
    normal = unicodedata.normalize("NFKC", text.translate(_PLAIN))
    shown = "".join(" " if sign.isspace() else sign for sign in normal if sign.isspace() or unicodedata.category(sign) not in _HIDDEN)
    return shown.translate(_PLAIN)


def is_worded(text: str) -> bool:
    """Whether there is a letter in `text`."""
    return any(sign.isalpha() for sign in text)


def in_context(texts: Sequence[str]) -> list[str]:
    """The English words of a song, rewritten where a neighbour says how: `$5 million`, `May 5`, `St. Louis`, `7 am`, `No. 1`."""
    found = list(texts)
    for index, text in enumerate(texts):
        if not _CONTEXTUAL.search(text):
            continue
        following = texts[index + 1] if index + 1 < len(texts) else ""
        before = texts[index - 1] if index else ""
        if (money := _MONEY_BEFORE.fullmatch(text)) and (size := _SIZE.fullmatch(following)):
            found[index] = money[2]
            found[index + 1] = f"{size[1]} {_CURRENCIES[money[1]][1]}{size[2]}"
        else:
            found[index] = _beside(text, before, following)
    return found


_CONTEXTUAL = re.compile(r"[\d$\u00a3\u20ac]|^(?:St|Dr|No|Nos)\.$|^[ap]\.?m\b", re.IGNORECASE)
_MONEY_BEFORE = re.compile(r"([$\u00a3\u20ac\u00a5])(\d[\d,.]*)")
_SIZE = re.compile(r"(hundred|thousand|million|billion|trillion|grand|mil|bucks)([.,?!:;]*)", re.IGNORECASE)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip


def _beside(text: str, before: str, following: str) -> str:
    """A word as its neighbours mean it."""
    lower = text.lower()
    if lower in ("st.", "dr."):
        after_a_name = before[:1].isupper() and not following[:1].isupper()  # Main St., but St. Louis
        return {"st.": ("Saint", "street"), "dr.": ("Doctor", "drive")}[lower][after_a_name]
    if lower in ("no.", "nos.") and following[:1].isdigit():
        return "number" if lower == "no." else "numbers"
    if re.fullmatch(r"[ap]\.?m\b[.,?!:;]*", lower) and re.fullmatch(r"\d{1,2}(:\d\d)?", before):
        return f"{lower[0]}.m.{text[-1] if text[-1] in ',?!:;' else ''}"
    day = re.fullmatch(r"([1-9]|[12]\d|3[01])([.,?!:;]*)", text)
    if day and before[:1].isupper() and before.lower().rstrip(".,") in _MONTHS:
        return f"{_ordinal(int(day[1]))}{day[2]}"
    return text


# ---------------------------------------------------------------- from signs to plain text


def _is_ordinary(text: str) -> bool:
    """Whether `text` is a word of plain letters, with nothing in it to be read otherwise."""
    if not _FAST.fullmatch(text) or STRETCHED.search(text) or _REPEATED.search(text):
        return False
    core = text.rstrip(MARKS).lower()
    return core not in _CHAT and core not in _SPELLED and not (text != core and f"{core}." in _ABBREVIATIONS)


def _mixed(text: str) -> str:
    """`text` with the fractions of one sign apart from the number before them: 3½ is `3 and 1/2`."""
    apart = re.sub(r"(?<=\d)\s?(?=[\u00bc-\u00be\u2150-\u215e])", " and ", text)
    return re.sub(r"(?<=[\u00bc-\u00be\u2150-\u215e])(?=\w)", " ", apart)


def _letters(text: str, reads: Callable[[str], bool], english: bool) -> str:
    """`text` with digits of every script as 0 to 9, and Latin letters that cannot be read without their accents."""
    return text if text.isascii() else "".join(_letter(sign, reads, english) for sign in text)


def _letter(sign: str, reads: Callable[[str], bool], english: bool) -> str:
    if sign.isascii() or (sign.isalpha() and reads(sign)):
        return sign
    category = unicodedata.category(sign)
    if category[0] == "N":
        value = unicodedata.numeric(sign, -1.0)
        return str(int(value)) if category == "Nd" else f" {int(value)} " if value >= 0 and value == int(value) else " "
    if category[0] == "M":
        return "" if english else sign
    if sign.isalpha() and unicodedata.name(sign, "").startswith("LATIN"):
        from anyascii import anyascii

        return anyascii(sign)
    return sign


def _digits_swept(text: str) -> str:
    """`text` without a digit, whatever was left."""
    if not any(unicodedata.category(sign)[0] == "N" for sign in text):
        return text
    swept = re.sub(r"\d", lambda digit: f" {_cardinal(unicodedata.digit(digit[0]))} ", text)
    return "".join(sign for sign in swept if unicodedata.category(sign)[0] != "N")


def _tidied(text: str, english: bool) -> str:
    """Letters, apostrophes, hyphens and marks alone, with single spaces."""
    kept = "".join(_kept(sign, english) for sign in text)
    kept = re.sub(r"(?<!\S)['-]+(?!\S)|(?<!\S)-+|-+(?!\S)", " ", kept)  # hyphens and quotes that belong to no letter
    kept = re.sub(r"(?<!\S)'([^\s']+)'(?=[.,?!:;]*(?!\S))", r"\1", kept)  # a word in quotes
    return re.sub(r"\s+(?=[.,?!:;])", "", " ".join(kept.split()))


def _kept(sign: str, english: bool) -> str:
    if sign.isalpha() or sign in "'-" or sign in MARKS:
        return sign
    if unicodedata.category(sign)[0] == "M" and not english:
        return sign
    return "" if sign in '"()[]{}*`^' else " "


# ---------------------------------------------------------------- numbers in words


@lru_cache(maxsize=4096)
def _cardinal(number: int, language: str = "en") -> str:
    return _number_words(number, language, "cardinal")


@lru_cache(maxsize=512)
def _ordinal(number: int) -> str:
    return _number_words(number, "en", "ordinal")


def _number_words(number: int, language: str, kind: str) -> str:
    """A number in words without commas and hyphens; in English where the language is unknown."""
    from num2words import num2words

    try:
        said = num2words(number, to=kind, lang=language)
    except NotImplementedError:
        said = num2words(number, to=kind, lang="en")
    return said.replace(",", "").replace("-", " ")


MOST_DIGITS = 15  # longer numbers are read digit by digit


def _whole(digits: str, language: str = "en") -> str:
    """The cardinal of a row of digits: 12 is `twelve`, 007 `oh oh seven`."""
    if len(digits) > MOST_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return _one_by_one(digits, language)
    return _cardinal(int(digits), language)


def _one_by_one(digits: str, language: str = "en") -> str:
    names = ["oh" if digit == "0" and language == "en" else _cardinal(int(digit), language) for digit in digits if digit.isdigit()]
    return " ".join(names)


def _year(digits: str) -> str:
    """Four digits as a year: 1999 `nineteen ninety nine`, 1905 `nineteen oh five`, 2000 `two thousand`, 2024 `twenty twenty four`."""
    century, rest = int(digits[:2]), int(digits[2:])
    if digits[1:3] == "00":  # 2000 to 2009
        return f"{_cardinal(century // 10)} thousand{' ' + _cardinal(rest) if rest else ''}"
    return f"{_cardinal(century)} {'hundred' if not rest else _whole(digits[2:])}"


def _number(digits: str) -> str:
    """A number that stands alone: a year where it looks like one."""
    return _year(digits) if re.fullmatch(r"1[1-9]\d\d|20\d\d", digits) else _whole(digits)


def _decimal(whole: str, fraction: str, language: str = "en", point: str = "point") -> str:
    before = f"{_whole(whole, language)} " if whole else ""
    return f"{before}{point} {_one_by_one(fraction, language)}"


def _plural(word: str) -> str:
    return word[:-1] + "ies" if word.endswith("y") else word + ("es" if word.endswith("x") else "s")


# ---------------------------------------------------------------- English

_CHAT = {
    "2nite": "tonight", "2night": "tonight", "2day": "today", "2morrow": "tomorrow", "4ever": "forever", "4eva": "forever",
    "b4": "before", "gr8": "great", "l8r": "later", "l8": "late", "m8": "mate", "h8": "hate", "w8": "wait", "str8": "straight",
    "sk8": "skate", "w/": "with", "w/o": "without", "b/c": "because", "thx": "thanks", "pls": "please", "plz": "please",
    "ppl": "people", "ur": "your", "u": "you", "luv": "love", "bcuz": "because", "coz": "'cause", "cos": "'cause", "2pac": "two pock",
    "ok": "okay", "<3": "love", "&": "and", "'n'": "and", "n'": "and", "etc": "et cetera", "xmas": "christmas", "vs": "versus",
    "k.o.": "kay oh", "coulda": "could a", "woulda": "would a", "shoulda": "should a", "imma": "I'm a", "ima": "I'm a",
    "dontcha": "don't cha", "doncha": "don't cha", "wontcha": "won't cha", "wassup": "what's up", "awright": "alright", "o'er": "ore",
    "e'er": "air", "brotha": "brother", "heav'n": "heaven",
}  # fmt: skip
"""Spellings of messages and signs that are whole words."""

_SPELLED = frozenset(
    ["omg", "idk", "btw", "tbh", "brb", "wtf", "dj", "mc", "cd", "dvd", "tv", "pm", "usa", "uk", "nyc", "vip", "diy", "fyi", "bff"]
)
"""Small letters that are spelled."""

_ABBREVIATIONS = {
    "mr.": "mister", "mrs.": "missus", "ms.": "miss", "dr.": "doctor", "st.": "saint", "jr.": "junior", "sr.": "senior",
    "prof.": "professor", "rev.": "reverend", "gen.": "general", "sgt.": "sergeant", "capt.": "captain", "lt.": "lieutenant",
    "col.": "colonel", "gov.": "governor", "pres.": "president", "vs.": "versus", "etc.": "et cetera", "ave.": "avenue",
    "blvd.": "boulevard", "rd.": "road", "mt.": "mount", "ft.": "featuring", "feat.": "featuring", "vol.": "volume",
    "inc.": "incorporated", "ltd.": "limited", "corp.": "corporation", "dept.": "department", "approx.": "approximately",
    "e.g.": "for example", "i.e.": "that is", "jan.": "january", "feb.": "february", "apr.": "april", "aug.": "august",
    "sept.": "september", "oct.": "october", "nov.": "november", "dec.": "december", "tues.": "tuesday", "thurs.": "thursday",
}  # fmt: skip

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"), "\u00a3": ("pound", "pounds", "penny", "pence"),
    "\u20ac": ("euro", "euros", "cent", "cents"), "\u00a5": ("yen", "yen", "", ""), "\u20b9": ("rupee", "rupees", "", ""),
    "\u20a9": ("won", "won", "", ""), "\u20bd": ("ruble", "rubles", "", ""), "\u20ba": ("lira", "lira", "", ""),
    "\u20bf": ("bitcoin", "bitcoins", "", ""), "\u20aa": ("shekel", "shekels", "", ""), "\u00a2": ("cent", "cents", "", ""),
}  # fmt: skip
_MONEY = "[" + re.escape("".join(_CURRENCIES)) + "]"
_SIZES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "tn": "trillion"}

_UNITS = {
    "km/h": ("kilometer an hour", "kilometers an hour"), "kph": ("kilometer an hour", "kilometers an hour"),
    "mph": ("mile an hour", "miles an hour"), "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "kg": ("kilogram", "kilograms"), "mg": ("milligram", "milligrams"), "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"), "oz": ("ounce", "ounces"), "ft": ("foot", "feet"), "mi": ("mile", "miles"),
    "ml": ("milliliter", "milliliters"),
    "khz": ("kilohertz", "kilohertz"), "mhz": ("megahertz", "megahertz"), "ghz": ("gigahertz", "gigahertz"), "hz": ("hertz", "hertz"),
    "gb": ("gigabyte", "gigabytes"), "mb": ("megabyte", "megabytes"), "tb": ("terabyte", "terabytes"), "hrs": ("hour", "hours"),
    "hr": ("hour", "hours"), "mins": ("minute", "minutes"), "min": ("minute", "minutes"), "secs": ("second", "seconds"),
    "sec": ("second", "seconds"), "bpm": ("beat per minute", "beats per minute"), "\u00b0c": ("degree celsius", "degrees celsius"),
    "\u00b0f": ("degree fahrenheit", "degrees fahrenheit"), "\u00b0": ("degree", "degrees"), "%": ("percent", "percent"),
    "m": ("meter", "meters"), "g": ("gram", "grams"), "x": ("time", "times"), "k": ("kay", "kay"),
}  # fmt: skip

_NUMBER = r"(\d{1,3}(?:,\d{3})+|\d+)"
_ROMAN = re.compile(r"(?<![\w.'-])(?=[IVX]{2,})(X{0,2})(IX|IV|V?I{0,3})(?![\w'-])")
_SIGNS = {"&": "and", "@": "at", "%": "percent", "+": "plus", "=": "equals", "\u00b0": "degrees", "\u2030": "per mille", "\u20ac": "euros"}


def _english(text: str, knows: Callable[[str], bool] | None) -> str:
    """English text with signs and numbers in words, then the stretched words shortened."""
    apart = re.sub(r"\b(Mrs?|Ms|Dr|St)\.(?=[A-Z])", r"\1. ", text)
    said = " ".join(_token(token) for token in apart.split())
    for pattern, sub in _RULES:
        if pattern.search(said):
            said = pattern.sub(sub, said)
    said = re.sub(r"\b(?:([^\W\d_])-)+(?=\1[^\W\d_])", _stammer, said, flags=re.IGNORECASE)
    if knows is not None:
        said = _HYPHENATED.sub(lambda word: _joined(word[0], knows), said)
    return _WORD.sub(lambda word: shortened(word[0], knows), said)


def _joined(word: str, knows: Callable[[str], bool]) -> str:
    """A word that hyphens divide (`ba-by`) or stretch (`lo-ove`), in one; others, and what is said twice, as they are."""
    parts = word.lower().split("-")
    if knows(word) or len(set(parts)) < len(parts):
        return word
    whole = "".join(parts)
    return next((each for each in (whole, re.sub(r"([aeiou])-\1", r"\1", word.lower()).replace("-", "")) if knows(each)), word)


def _token(token: str) -> str:
    """A word that stands in one of the tables, with the quotes and marks around it; others as they are."""
    if (found := _ABBREVIATIONS.get(token.lower())) is not None:
        return found
    core = token.strip('"()[]*_~' + MARKS)
    lower = core.lower()
    if not core or not (lower in _CHAT or core in _SPELLED or f"{lower}." in _ABBREVIATIONS):
        return token
    before, _, after = token.partition(core)
    if f"{lower}." in _ABBREVIATIONS and lower not in _CHAT:
        if not after.startswith("."):
            return token
        return before + _ABBREVIATIONS[f"{lower}."] + after[1:]
    return before + (_CHAT[lower] if lower in _CHAT else _spelled(core)) + after


def _spelled(letters: str) -> str:
    return " ".join(LETTER_NAMES[letter] for letter in letters.lower() if letter in LETTER_NAMES)


def _stammer(match: re.Match[str]) -> str:
    """b-b-baby is sung `buh buh baby`; vowels stay."""
    return match[0] if match[1].lower() in "aeiou" else f"{match[1]}uh " * match[0].count("-")


def _dotted(match: re.Match[str]) -> str:
    return f" {_spelled(match[0])} "


def _date(year: str, month: str, day: str, otherwise: str) -> str:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return otherwise
    said = _number(year) if len(year) == 4 else _whole(year)
    return f" {_MONTHS[int(month) - 1]} {_ordinal(int(day))} {said} "


def _slashed(match: re.Match[str]) -> str:
    """12/25/1999, or 25/12/1999 where only that can be meant."""
    first, second = (match[1], match[2]) if int(match[1]) <= 12 else (match[2], match[1])
    return _date(match[3], first, second, match[0].replace("/", " "))


def _time(match: re.Match[str]) -> str:
    hour, minute, half = _cardinal(int(match[1])), match[2], match[3]
    after = f" {LETTER_NAMES[half.lower()]} em" if half else ""
    if minute == "00":
        return f" {hour}{after or (' hundred' if int(match[1]) > 12 else chr(32) + 'o' + chr(39) + 'clock')} "
    return f" {hour} {_whole(minute)}{after} "


def _half_day(match: re.Match[str]) -> str:
    return f" {_cardinal(int(match[1]))} {LETTER_NAMES[match[2].lower()]} em "


def _money(sign: str, whole: str, fraction: str | None, size: str | None) -> str:
    one, many, small_one, small_many = _CURRENCIES[sign]
    digits = whole.replace(",", "")
    if size:
        amount = _decimal(digits, fraction) if fraction else _whole(digits)
        return f" {amount} {_SIZES.get(size.lower(), size.lower())} {many} "
    name = one if digits == "1" and len(fraction or "00") == 2 else many
    if not fraction or not fraction.strip("0"):
        return f" {_whole(digits)} {name} "
    if len(fraction) != 2 or not small_one:
        return f" {_decimal(digits, fraction)} {many} "
    if not digits.strip("0"):
        return f" {_cardinal(int(fraction))} {small_one if fraction == '01' else small_many} "
    return f" {_whole(digits)} {name} {_whole(fraction)} "


def _unit(match: re.Match[str]) -> str:
    whole, fraction, unit = match[1].replace(",", ""), match[2], match[3]
    amount = _decimal(whole, fraction) if fraction else _whole(whole)
    if unit in ("M", "G", "X", "B"):  # 5M is five million, 5G a network, and X a letter
        return f" {amount} {_SIZES.get(unit.lower(), unit) if unit != 'G' else 'gee'} "
    one, many = _UNITS[unit.lower().replace(" ", "")]
    return f" {amount} {one if whole == '1' and not fraction else many} "


def _decade(match: re.Match[str]) -> str:
    century = _cardinal(int(match[1])) + " " if match[1] else ""
    if match[2] == "00":
        return f" {century}hundreds " if match[1] != "20" else " two thousands "
    return f" {century}{_plural(_cardinal(int(match[2])))} "


def _fraction(match: re.Match[str]) -> str:
    over, under = int(match[1]), int(match[2])
    if not (0 < over < under and 2 <= under <= 10):
        return f" {_number(match[1])} {_number(match[2])} "  # 24/7, 9/11, 50/50
    part = {2: "half", 4: "quarter"}.get(under) or _ordinal(under)
    return f" {_cardinal(over)} {part if over == 1 else _plural(part)} "


def _roman(match: re.Match[str]) -> str:
    if match[0] in ("XX", "XXX", "IV", "VI") and match.string.strip(MARKS + " ") == match[0] and match[0][0] == "X":
        return match[0]
    ones = {"": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}
    return f" {_cardinal(10 * len(match[1]) + ones[match[2]])} "


def _grouped(match: re.Match[str]) -> str:
    digits = match[1].replace(",", "")
    return f" {_decimal(digits, match[2]) if match[2] else _whole(digits)} "


def _feet(match: re.Match[str]) -> str:
    return f" {_cardinal(int(match[1]))} foot {_cardinal(int(match[2]))} "


def _rule(pattern: str, sub: Sub, flags: int = re.IGNORECASE) -> tuple[re.Pattern[str], Sub]:
    return re.compile(pattern, flags), sub


def _put(words: str) -> Sub:
    return lambda _: words


_RULES: tuple[tuple[re.Pattern[str], Sub], ...] = (
    _rule(rf"\d{{{MOST_DIGITS + 1},}}", lambda m: f" {_one_by_one(m[0])} "),
    _rule(r"(?<=[a-z])\$(?=[a-z])", _put("s")),  # a letter in a stage name
    _rule(r"(?<=\w)@(?=\w)", _put(" at ")),
    _rule(r"\bno\.\s?(?=\d)", _put(" number ")),
    _rule(r"(?<=[a-z\d])\.(?=(?:com|net|org|fm|io|tv)\b)", _put(" dot ")),
    _rule(r"(?<![\w.])(?:[a-z]\.){2,}(?:[a-z](?![\w']))?", _dotted),  # U.S.A., a.m.
    _rule(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b", lambda m: _date(m[1], m[2], m[3], m[0].replace("-", " "))),
    _rule(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)\b", _slashed),
    _rule(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b", lambda m: _date(m[3], m[2], m[1], m[0].replace(".", " "))),
    _rule(r"(?<![\d:.])(\d{1,2}):([0-5]\d)(?!\d)(?:\s?([ap])\.?m\b\.?)?", _time),
    _rule(r"(?<![\d:.])(\d{1,2})\s?([ap])\.?m\b\.?", _half_day),
    _rule(rf"(?<![\w)])-(?=\.?\d|{_MONEY}\d)", _put(" minus ")),
    _rule(rf"({_MONEY})\s?{_NUMBER}(?:\.(\d+))?(?:\s?(k|m|mn|b|bn|tn|thousand|million|billion|trillion)\b)?(?:'?s\b)?",
          lambda m: _money(m[1], m[2], m[3], m[4])),
    _rule(rf"({_MONEY})\.(\d\d)\b", lambda m: _money(m[1], "0", m[2], None)),
    _rule(rf"{_NUMBER}(?:\.(\d+))?\s?({_MONEY})", lambda m: _money(m[3], m[1], m[2], None)),
    _rule(r"\b(\d)'\s?(\d{1,2})(?:\"|''|(?=\W|$))", _feet),
    _rule(r"(?<!['\w])(\d)'(?!\S)", lambda m: f" {_cardinal(int(m[1]))} foot "),
    _rule(rf"(?<![a-z]){_NUMBER}(?:\.(\d+))?\s?({'|'.join(re.escape(unit) for unit in _UNITS)}|(?-i:B))(?![a-z\d])", _unit),
    _rule(r"(?<!\w)'?\b(\d\d)?(\d0)'?s\b", _decade),
    _rule(r"\b(\d{1,9})(?:st|nd|rd|th)(s?)\b", lambda m: f" {_ordinal(int(m[1]))}{m[2]} "),
    _rule(r"(\d)\s?x\s?(?=\d)", lambda m: f"{m[1]} by "),
    _rule(r"\b(\d{1,9})/(\d{1,9})\b", _fraction),
    _rule(r"\b1-800-", _put(" one eight hundred ")),
    _rule(r"\b(?:\d-)?(?:\d{3}-){1,2}\d{4}\b", lambda m: f" {_one_by_one(m[0])} "),  # telephone
    _rule(r"\b(1[1-9]\d\d|20\d\d)-(?=(?:1[1-9]|20)\d\d\b)", lambda m: f" {_year(m[1])} to "),
    _rule(r"#(?=\d)", _put(" number ")),
    _rule(r"\b([a-g])#(?!\w\w|[a-ln-z])", lambda m: f"{LETTER_NAMES[m[1].lower()]} sharp "),
    _rule(r"#(?=[a-z])", _put(" hashtag ")),
    _rule(r"\b(\d{1,3}(?:,\d{3})+)(?:\.(\d+))?", _grouped),
    _rule(r"(\d*)\.(\d+)", lambda m: f" {_decimal(m[1], m[2])} "),
    _rule(r"\b(\d+)'?s\b", lambda m: f" {_plural(_number(m[1]))} "),
    _rule(r"'(\d\d)\b", lambda m: f" {_whole(m[1])} "),
    _rule(r"\d+", lambda m: f" {_number(m[0])} "),
    _rule(rf"{_MONEY}{{2,}}", _put(" dollars ")),
    _rule(_MONEY, lambda m: f" {_CURRENCIES[m[0]][0]} "),
    _rule("[" + re.escape("".join(_SIGNS)) + "]", lambda m: f" {_SIGNS[m[0]]} "),
    (_ROMAN, _roman),
    (_REPEATED, lambda m: " ".join([m[1]] * (len(m[0]) // len(m[1])))),
    _rule(r"(?<=[a-z])([aeiou])(?:-\1)(?:(?:-\1)+|(?![a-z]))", lambda m: m[1]),  # lo-o-o-ove, no-o
)  # fmt: skip
"""What is read how, in the order in which it is tried."""


# ---------------------------------------------------------------- other languages

_WORDS = {
    "fr": {"&": "et", "%": "pour cent", "+": "plus", "=": "\u00e9gale", "point": "virgule", "$": "dollars", "\u20ac": "euros"},
    "de": {"&": "und", "%": "Prozent", "+": "plus", "=": "gleich", "point": "Komma", "$": "Dollar", "\u20ac": "Euro"},
    "es": {"&": "y", "%": "por ciento", "+": "m\u00e1s", "=": "igual a", "point": "coma", "$": "d\u00f3lares", "\u20ac": "euros"},
    "it": {"&": "e", "%": "per cento", "+": "pi\u00f9", "=": "uguale", "point": "virgola", "$": "dollari", "\u20ac": "euro"},
    "pt": {"&": "e", "%": "por cento", "+": "mais", "=": "igual a", "point": "v\u00edrgula", "$": "d\u00f3lares", "\u20ac": "euros"},
    "nl": {"&": "en", "%": "procent", "+": "plus", "=": "is", "point": "komma", "$": "dollar", "\u20ac": "euro"},
}
"""Signs in words; other languages leave them out."""


def _other(text: str, language: str) -> str:
    """Text of another language with its numbers, and the commonest signs, in its words; letters stretched more than doubled stand once."""
    words = _WORDS.get(language, {})
    said = re.sub(r"([$\u20ac])\s?(\d[\d.,]*)", r"\2 \1", text)
    said = re.sub(r"(?<=\d)[.\u202f\u00a0 ](?=\d{3}\b)", "", said)  # 1.000 is a thousand
    said = re.sub(r"(\d+),(\d+)", partial(_comma, language=language, point=words.get("point", "")), said)
    said = re.sub(r"\d+", lambda digits: f" {_whole(digits[0], language)} ", said)
    for sign, word in words.items():
        if len(sign) == 1:
            said = said.replace(sign, f" {word} ")
    return re.sub(r"([^\W\d_])\1{3,}", r"\1", said)


def _comma(match: re.Match[str], language: str, point: str) -> str:
    return f" {_decimal(match[1], match[2], language, point)} "
