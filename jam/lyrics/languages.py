"""Words of other languages as IPA, and their IPA in the symbols that a model has heard: the only door to espeak (package `phonemizer`).

A singer taught one language has heard the sounds of that language alone. Sounds that it lacks are sung as the nearest that it has
(`NEAREST`), which is an accent: `onto` tells which. Knows no token ids and no times; DeepPhonemizer checkpoints of other languages are
read by `jam.lyrics.phonemes`.
"""

import logging
import unicodedata
from collections.abc import Callable, Collection, Sequence
from importlib.util import find_spec

Reads = Callable[[Sequence[str]], list[str]]  # words -> IPA

NAMES = {
    "english": "en", "eng": "en", "french": "fr", "fra": "fr", "fre": "fr", "german": "de", "deu": "de", "ger": "de", "spanish": "es",
    "spa": "es", "italian": "it", "ita": "it", "portuguese": "pt", "por": "pt", "dutch": "nl", "nld": "nl", "dut": "nl", "swedish": "sv",
    "swe": "sv", "danish": "da", "dan": "da", "norwegian": "no", "nor": "no", "finnish": "fi", "fin": "fi", "polish": "pl", "pol": "pl",
    "czech": "cs", "ces": "cs", "cze": "cs", "russian": "ru", "rus": "ru", "ukrainian": "uk", "ukr": "uk", "greek": "el", "ell": "el",
    "gre": "el", "turkish": "tr", "tur": "tr", "hungarian": "hu", "hun": "hu", "romanian": "ro", "ron": "ro", "japanese": "ja",
    "jpn": "ja", "korean": "ko", "kor": "ko", "chinese": "zh", "zho": "zh", "mandarin": "zh", "hindi": "hi", "hin": "hi", "arabic": "ar",
    "ara": "ar", "hebrew": "he", "heb": "he", "welsh": "cy", "irish": "ga", "latin": "la", "catalan": "ca", "vietnamese": "vi",
}  # fmt: skip
"""Names of languages as recognisers and tags give them, and their codes of three letters, with the code of two."""

ESPEAK = "espeak"
ESPEAK_PACKAGE = "phonemizer"
ESPEAK_CODES = {"zh": "cmn", "no": "nb", "fr": "fr-fr"}  # where espeak's own differ
KEPT = ".,?!:;_"  # punctuation, and the end of a word, have tokens of their own

SAME = {
    "r": ("ɹ",), "ɹ": ("r",), "g": ("ɡ",), "ɡ": ("g",), "ə": ("ʌ",), "ʌ": ("ə",), "ɚ": ("ɝ", "əɹ"), "ɝ": ("ɚ", "ɜː"),
    "ʧ": ("tʃ",), "ʤ": ("dʒ",), "ʦ": ("ts",), "ʣ": ("dz",), "ɫ": ("l",), "ᵻ": ("ɪ",), "ɐ": ("ʌ", "ə"),
    "'": ("ˈ", ""), "ˈ": ("",), "ˌ": ("",), "ː": ("",), "ˑ": ("",), "͡": ("",), "͜": ("",), "‿": ("",), "-": ("",),
}  # fmt: skip
"""Other signs of the same sound, and signs without a sound: an exchange that nobody hears."""

NEAREST = {
    "ʁ": ("ɹ", "r", "h"), "ʀ": ("ɹ", "r"), "ɻ": ("ɹ", "r"), "ɽ": ("ɹ", "r", "d"), "ɾ": ("ɹ", "r", "d"), "x": ("h", "k"), "χ": ("h", "k"),
    "ɣ": ("ɡ", "g", "h"),
    "ħ": ("h",), "ɦ": ("h",), "ç": ("ʃ", "h"), "ʝ": ("j",), "ɕ": ("ʃ", "s"), "ʑ": ("ʒ", "z"), "ʂ": ("ʃ",), "ʐ": ("ʒ",), "c": ("k",),
    "ɟ": ("ɡ", "g", "dʒ"), "q": ("k",), "ɢ": ("ɡ", "g"), "β": ("v", "b"), "ɸ": ("f",), "ʋ": ("v", "w"), "ⱱ": ("v",), "ɱ": ("m",),
    "ɲ": ("nj", "n"), "ɳ": ("n",), "ɴ": ("ŋ", "n"), "ʎ": ("lj", "l"), "ɭ": ("l",), "ʟ": ("l",), "ɬ": ("ʃ", "l"), "ɮ": ("ʒ", "l"),
    "ʈ": ("t",), "ɖ": ("d",), "ɓ": ("b",), "ɗ": ("d",), "ɠ": ("ɡ", "g"), "ʔ": ("",), "ʕ": ("",), "ʢ": ("",), "ʡ": ("",), "ɥ": ("j", "w"),
    "ɰ": ("w", "ɡ"), "ʍ": ("w",), "θ": ("s",), "ð": ("z", "d"), "ɧ": ("ʃ",), "ɺ": ("l",),
    "y": ("uː", "iː", "u", "i"), "ʏ": ("ʊ", "ɪ"), "ø": ("ɝ", "ʊ", "e"), "œ": ("ɝ", "ʌ", "ɛ"), "ɶ": ("æ", "a"), "ɯ": ("uː", "u"),
    "ɨ": ("ɪ", "i"), "ʉ": ("uː", "u"), "ɤ": ("ʊ", "o"), "ɘ": ("ə", "ʌ"), "ɵ": ("ʊ", "ʌ"), "ɜ": ("ɝ", "ʌ"), "ɞ": ("ʌ", "ɝ"),
    "ɒ": ("ɑː", "ɔ"), "ɑ": ("a",), "a": ("ɑː", "ɑ"), "e": ("ɛ",), "ɛ": ("e",), "o": ("ɔ",), "ɔ": ("o",), "æ": ("a", "ɛ"), "ɪ": ("i",),
    "ʊ": ("u",), "i": ("ɪ",), "u": ("ʊ",), "ŋ": ("n",), "ʃ": ("s",), "ʒ": ("ʃ", "z"), "v": ("w", "f"), "w": ("v", "u"), "h": ("",),
    "j": ("i",), "ʲ": ("j", ""), "ʷ": ("w", ""), "ʰ": ("",), "ʼ": ("",), "ⁿ": ("n", ""), "ˠ": ("",), "ˤ": ("",), "˞": ("ɹ", "r", ""),
    "\u0303": ("n", "ŋ", ""),
}  # fmt: skip
"""The nearest of other sounds, nearest first; a mark of nasal vowels (combining tilde) is an n after them."""


_SILENT = frozenset(symbol for symbol, signs in SAME.items() if "" in signs)
_MARKS = ("Mn", "Lm", "Sk", "Po", "Ps", "Pe", "Pd", "Cf", "Nd")


def onto(ipa: str, heard: Collection[str], tokens: Collection[str]) -> tuple[str, dict[str, str]]:
    """`ipa` in symbols that the model has heard, and what had to be exchanged for another sound: {symbol: what is sung, "" for nothing}.

    `heard` are the symbols of the phonemizer's dictionary, `tokens` all that have a token. A symbol that the model has not heard becomes
    another sign of the same sound (not listed among what was exchanged), else the nearest sound, else it stays where it has a token.
    """
    sung: list[str] = []
    exchanged: dict[str, str] = {}
    for symbol in unicodedata.normalize("NFD", ipa.replace("\u00e7", "\0")).replace("\0", "\u00e7"):
        if symbol in heard or symbol in KEPT or symbol.isspace():
            sung.append(symbol)
        elif (same := _same(symbol, heard)) is not None:
            sung.append(same)
        elif (near := _nearest(symbol, heard, tokens)) is not None:
            sung.append(near)
            exchanged[symbol] = near
        else:
            sung.append(symbol)
    return "".join(sung), exchanged


def _same(symbol: str, heard: Collection[str]) -> str | None:
    """Another sign of the same sound; "" for marks and signs that say nothing by themselves."""
    if symbol not in SAME and symbol not in NEAREST and unicodedata.category(symbol) in _MARKS:
        return ""
    return _first(SAME.get(symbol, ()), heard)


def _nearest(symbol: str, heard: Collection[str], tokens: Collection[str]) -> str | None:
    """The nearest sound that was heard, else one with a token; None where the symbol has a token itself, or nothing is near."""
    near = _first(NEAREST.get(symbol, ()), heard)
    if near is None and symbol not in tokens:
        near = _first((*SAME.get(symbol, ()), *NEAREST.get(symbol, ())), tokens)
    return near


def respelled(ipa: str, heard: Collection[str]) -> str:
    """`ipa` as a person writes it, in the signs that the model has heard for the same sounds: r is ɹ for one that has heard ɹ alone."""
    return "".join(symbol if symbol in heard else _first(SAME.get(symbol, ()), heard) or symbol * (symbol not in _SILENT) for symbol in ipa)


def told(language: str, exchanged: dict[str, str]) -> str:
    """What was exchanged, in one line: `fr: y is sung as uː, ʁ as ɹ; ʔ is not sung`."""
    sounds = [f"{_shown(symbol)} as {sung}" for symbol, sung in sorted(exchanged.items()) if sung]
    silent = [_shown(symbol) for symbol, sung in sorted(exchanged.items()) if not sung]
    parts = [", ".join(sounds).replace(" as ", " is sung as ", 1)] * bool(sounds) + [f"{', '.join(silent)} is not sung"] * bool(silent)
    return f"{language}: {'; '.join(parts)}"


def base(language: str) -> str:
    """The language of a code or of an English name: `fr` for `fr-CA`, `en` for `en_us`, `eng` and `English`."""
    first = language.strip().replace("_", "-").split("-")[0].lower()
    return NAMES.get(first, first)


def has_espeak() -> bool:
    """Whether the package that speaks to espeak is installed."""
    return find_spec(ESPEAK_PACKAGE) is not None


def espeak(language: str) -> Reads:
    """What reads words of a language (`fr`, `es-mx`, `pt-br`) with espeak. Raises ValueError, in one line, where that cannot be."""
    try:
        from phonemizer.backend import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
    except ImportError as error:
        raise ValueError(f"{language!r} needs espeak, which is not installed; pip install 'jam[languages]'") from error
    if find_spec("espeakng_loader") is not None:
        import espeakng_loader

        EspeakWrapper.set_library(espeakng_loader.get_library_path())
        EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    code = _supported(language, EspeakBackend.supported_languages)
    quiet = logging.getLogger(f"{__name__}.{ESPEAK}")
    quiet.setLevel(logging.ERROR)
    backend = EspeakBackend(code, with_stress=True, language_switch="remove-flags", logger=quiet)
    return lambda words: [text.strip().replace(" ", "") for text in backend.phonemize(list(words), njobs=1)]


def _supported(language: str, supported: Callable[[], Collection[str]]) -> str:
    """espeak's own code of a language. Raises ValueError for one that it does not speak, or where it is not there."""
    try:
        codes = supported()
    except RuntimeError as error:
        raise ValueError(f"{language!r} needs espeak, which does not start ({error}); pip install 'jam[languages]'") from error
    asked = language.replace("_", "-").lower()
    for code in (asked, ESPEAK_CODES.get(base(asked), base(asked))):
        if code in codes:
            return code
    near = sorted(code for code in codes if code[:1] == asked[:1])
    raise ValueError(f"espeak does not speak {language!r}; it speaks {len(codes)} languages{': ' * bool(near)}{', '.join(near[:8])}, ...")


def _first(candidates: Sequence[str], known: Collection[str]) -> str | None:
    return next((candidate for candidate in candidates if all(symbol in known for symbol in candidate)), None)


def _shown(symbol: str) -> str:
    return "\u25cc" + symbol if unicodedata.combining(symbol) else symbol
