"""Output that nobody reads any more, or that nothing can hold: neither may change what a run has done."""

from __future__ import annotations

import contextlib
import os
from typing import IO, BinaryIO


def abandon(file: IO[str] | BinaryIO) -> None:
    """From here on what is written to `file` goes nowhere, what waits in its buffers too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # no file of the system's: nothing will flush it at the end
        os.dup2(nowhere, file.fileno())
    os.close(nowhere)


def flush(file: IO[str]) -> str | None:
    """Writes what waits in the buffers. Returns why that cannot be done; a reader that has gone is no reason."""
    try:
        file.flush()
    except BrokenPipeError:
        abandon(file)
    except OSError as error:
        abandon(file)
        return error.strerror or str(error)
    return None
