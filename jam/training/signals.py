"""SIGTERM and Ctrl-C ask a run to save and leave; it answers between two steps. A second Ctrl-C leaves at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

TERMINATED = 128 + signal.SIGTERM  # exit status of a run that SIGTERM stopped


class Wish:
    """Which signal, if any, has asked this process to stop."""

    def __init__(self) -> None:
        self.number = 0

    def heard(self, number: int, _frame: FrameType | None) -> None:
        """Notes the wish; Ctrl-C once more has its usual effect. SIGTERM may come twice, from a launcher and from who stopped that."""
        self.number = number
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)


@contextlib.contextmanager
def listening() -> Iterator[Wish]:
    """A wish that SIGTERM and Ctrl-C fill in; the handlers of before come back at the end. Threads other than the main one hear none."""
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    former = {number: signal.signal(number, wish.heard) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield wish
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def leave(number: int) -> None:
    """Ends the program as the signal would have, once all is saved: raises KeyboardInterrupt, or SystemExit with its status."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(TERMINATED)
