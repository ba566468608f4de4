"""Times as lyrics files write them: `mm:ss.xx`, `hh:mm:ss,mmm`, and their kin, to seconds and back. Knows no format."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jam.lyrics.sheet import SheetWord

STAMP = r"(?:\d+:)?\d+:\d{1,2}(?:[.,:]\d+)?"
_PARTS = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2})(?:[.,:](\d+))?")


def seconds_of(stamp: str) -> float:
    """Seconds of `mm:ss`, `mm:ss.xx`, `h:mm:ss`, `h:mm:ss.xxx` or `hh:mm:ss,xxx`. Raises ValueError for anything else, and 60 seconds."""
    parts = _PARTS.fullmatch(stamp.strip())
    if parts is None:
        raise ValueError(f"{stamp.strip()!r} is no time; write minutes:seconds, such as 01:23.45")
    hours, minutes, seconds, fraction = parts.groups()
    if int(seconds) >= 60 or (hours is not None and int(minutes) >= 60):
        raise ValueError(f"{stamp.strip()!r} has 60 or more where less belongs; write minutes:seconds, such as 01:23.45")
    if len(minutes) > 5 or len(hours or "") > 3:
        raise ValueError(f"{stamp.strip()[:20]!r} is later than any song; write minutes:seconds, such as 01:23.45")
    part = float(f"0.{fraction}") if fraction else 0.0
    return round(int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + part, 6)


def check_order(words: Sequence[SheetWord]) -> None:
    """Raises ValueError where a line's words, of those that are timed, do not follow each other; that they overlap is no matter."""
    now = 0.0
    for word in words:
        if word.start is None or word.end is None:
            continue
        if word.start < now or word.end < word.start:
            told = f"{(word.word or word.phoneme)!r} from {word.start:g} to {word.end:g} s is out of order"
            raise ValueError(f"{told}; mend it: python -m jam.lyrics check FILE --fix mended.json")
        now = word.start


def minutes_of(seconds: float, digits: int = 2) -> str:
    """`mm:ss.xx`, rounded to so many digits."""
    units = round(seconds * 10**digits)
    whole, part = divmod(units, 10**digits)
    return f"{whole // 60:02d}:{whole % 60:02d}.{part:0{digits}d}"


def hours_of(seconds: float, point: str = ".") -> str:
    """`hh:mm:ss.mmm`."""
    millis = round(seconds * 1000)
    whole, part = divmod(millis, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{part:03d}"
