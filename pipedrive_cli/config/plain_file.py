"""Reads the small files that a config stands in or names, without waiting for anybody."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def read_small(path: Path, at_most: int) -> bytes:
    """The file's bytes, cut behind the first one that is too many. Raises OSError, and ValueError for no file name.

    A named pipe is an OSError: nobody may ever write to it. What a shell puts under /dev/fd has its writer already.
    """
    if stat.S_ISFIFO(path.stat().st_mode) and not path.is_relative_to("/dev") and not path.is_relative_to("/proc"):
        raise OSError(errno.EINVAL, "it is a named pipe; name a file")
    with path.open("rb") as file:
        return file.read(at_most + 1)
