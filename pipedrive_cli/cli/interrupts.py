"""What becomes of Ctrl-C while a command tells that it was interrupted."""

from __future__ import annotations

import signal


def heed_no_more_interrupts() -> None:
    """From here on Ctrl-C does nothing: the command is ending, and another one would only show a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
