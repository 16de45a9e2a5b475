"""What becomes of Ctrl-C, SIGTERM and a closed terminal, from a command's first moment to its last.

While the command is being loaded a signal is only noted: half-loaded code could not tell it. From then on it raises
KeyboardInterrupt wherever the command is, unless a run listens itself. While the end is told the first signal is passed
over, as what it asks for is happening; the second ends the process.

A terminal that is closed (SIGHUP) is a SIGTERM that comes once: shells say it twice. Under `nohup` it is ignored.
"""

from __future__ import annotations

import contextlib
import os
import signal

TYPE_CHECKING = False  # as in `pipedrive_cli`: loaded before anything else, it loads nothing that can wait
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import TypeAlias

    Handler: TypeAlias = Callable[[int, FrameType | None], object]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
HANGUPS = tuple(each for each in signal.Signals if each.name == "SIGHUP")  # Windows has none


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends what is under way as Ctrl-C does."""


def signal_of(interrupt: BaseException) -> int:
    """The number of the signal that raised KeyboardInterrupt, or what became of it."""
    return signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT


class _Noted:
    """The signals that came while nobody could act on them."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.numbers.append(number)


_early = _Noted()


def note_signals() -> None:
    """From here on signals are noted."""
    _hear(_early)


def raise_signals() -> None:
    """From here on signals raise KeyboardInterrupt or Terminated; one that was noted does so at once."""
    _hear(_terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio replaces this one by its own
    while _early.numbers:
        raise Terminated if _early.numbers.pop() == signal.SIGTERM else KeyboardInterrupt


@contextlib.contextmanager
def listening(receive: Handler) -> Iterator[None]:
    """While a run is under way the signals go to `receive`; afterwards its end is told.

    Not `loop.add_signal_handler`: a loop that is busy would hear of the second signal only when it turns.
    """
    _hear(receive)
    try:
        yield
    finally:
        pass_over_signals()


def pass_over_signals() -> None:
    """From here on the command is ending: one more signal does nothing, and the one after it ends the process."""
    passed_over = False

    def receive(number: int, frame: FrameType | None) -> None:
        nonlocal passed_over
        if passed_over:
            os._exit(128 + number)  # whoever reads our output does not take it
        passed_over = True

    _hear(receive)


def _hear(handler: Handler) -> None:
    """From here on `handler` is called for each signal."""
    for number in SIGNALS:
        signal.signal(number, handler)

    def hung_up(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        handler(signal.SIGTERM, frame)

    for number in HANGUPS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hung_up)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
