"""Bytes of a lyrics file to text: byte order marks, UTF-16 without one, UTF-8, and what is left. Knows no format.

Line ends become `\\n`, and the byte order mark is gone.
"""

from __future__ import annotations

import codecs

FALLBACK = "cp1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MOST_CONTROLS = 0.02  # of a text's characters; more are no text


def decode(content: bytes, where: str, encoding: str | None = None) -> tuple[str, tuple[str, ...]]:
    """The text of `content`, and remarks on what was guessed.

    `encoding` is taken where given, else a byte order mark, zero bytes that only UTF-16 has, UTF-8, and at last Windows-1252,
    with a remark. Raises ValueError for an unknown encoding, bytes that it cannot hold, and content that is no text.
    """
    remarks: tuple[str, ...] = ()
    if encoding is not None:
        text = _as_asked(content, where, encoding)
    elif (marked := next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), None)) is not None:
        text = _strictly(content[len(marked[0]) :], where, marked[1])
    elif (wide := _utf_16(content)) is not None:
        try:
            text = content.decode(wide)
        except UnicodeDecodeError as error:
            raise ValueError(f"{where}: is no text and no format that is known here; give a lyrics file") from error
    else:
        text, remarks = _narrow(content)
    if not _is_text(text):
        raise ValueError(f"{where}: is no text and no format that is known here; give a lyrics file")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\x1a", ""), remarks


def _as_asked(content: bytes, where: str, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except LookupError as error:
        raise ValueError(f"{where}: no encoding is called {encoding!r}; write utf-8, utf-16, cp1252, shift_jis ...") from error
    except (UnicodeDecodeError, AttributeError, TypeError) as error:
        raise ValueError(f"{where}: is not {encoding} ({_place(error)}); leave the encoding out, or name another") from error


def _strictly(content: bytes, where: str, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: byte {error.start} is not {encoding.upper()}, as its beginning says; save it as UTF-8") from error


def _narrow(content: bytes) -> tuple[str, tuple[str, ...]]:
    """UTF-8, or else Windows-1252."""
    try:
        return content.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        remark = f"byte {error.start} is not UTF-8, so the file is read as Windows-1252; name its encoding if it is another"
        return content.decode(FALLBACK, errors="replace"), (remark,)


def _is_text(text: str) -> bool:
    """Whether hardly any of `text` are control characters."""
    head = text[:65536]
    return sum(letter < " " and letter not in "\t\n\r\f\x1a\x1b" for letter in head) <= MOST_CONTROLS * len(head)


def _utf_16(content: bytes) -> str | None:
    """Which UTF-16 `content` is in, where half of its bytes are zero; None where they are not."""
    head = content[:4096]
    if len(head) < 4 or len(content) % 2:
        return None
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if zeros.count(0) > 0.6 * len(zeros):
            return name
    return None


def _place(error: Exception) -> str:
    return f"byte {error.start}" if isinstance(error, UnicodeDecodeError) else "no text encoding"
