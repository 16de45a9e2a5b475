"""Writes to a stream whose reader may have gone, as in `| head`, or with a closed terminal. That must not change how a
run ends.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import IO

from pipedrive_cli.secret import without_secrets

_READER_GONE = frozenset({errno.EPIPE, errno.EIO})  # a pipe nobody reads, a terminal that was closed


def put(file: IO[str], text: str) -> None:
    """Writes and flushes text; drops it if the reader has gone. Raises OSError if a file cannot hold the text.

    All that is shown to people goes through here, and a key that got into it is hidden.
    """
    try:
        file.write(without_secrets(text))
        file.flush()
    except OSError as gone:
        if gone.errno not in _READER_GONE:
            raise
        abandon(file)


def abandon(file: IO[str]) -> None:
    """Redirects `file` to the null device, so that all further and all buffered text is dropped."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # no file of the system: nothing will flush it at exit
        os.dup2(nowhere, file.fileno())
    os.close(nowhere)
