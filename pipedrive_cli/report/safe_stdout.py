"""Output whose reader has gone: that must not change how a run ends, nor cost it a word on its way."""

from __future__ import annotations

import contextlib
import os
from typing import IO


def put(file: IO[str], text: str) -> None:
    """Writes text at once; nowhere if whoever read it has gone. Raises OSError where a file cannot hold it."""
    try:
        file.write(text)
        file.flush()
    except BrokenPipeError:
        abandon(file)


def abandon(file: IO[str]) -> None:
    """From here on what is written to `file` goes nowhere, what waits in its buffers too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # no file of the system's: nothing will flush it at the end
        os.dup2(nowhere, file.fileno())
    os.close(nowhere)
