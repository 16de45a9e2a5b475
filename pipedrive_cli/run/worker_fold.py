"""What a worker of a cluster does: folds one part of an archive, or adds what others have folded. Knows no engine.

What is handed to it is the config without its secrets, the account's fields, and the part's name. A worker reads the
part itself, with the credentials of its own environment.
"""

from __future__ import annotations

import contextlib
import gc
import pickle
import platform
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final

import msgspec

from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.events.cloud import ObjectStore, cloud_cause
from pipedrive_cli.run.archive_part import ArchivePart, FoldBrief, folded, learn_people
from pipedrive_cli.run.fold_sum import PartialFold, added, sum_of
from pipedrive_cli.transform.suppression import Learned, Suppression, SuppressionList
from pipedrive_cli.version import __version__

SAME: Final = f"install pipedrive-cli {__version__} there, with the extras that are used here"
SHARED: Final = (
    "the workers read the archive themselves: name a URL (s3://, gs://, az://), or a path on a file system that all of "
    "them share"
)
FEW: Final = 100_000  # new objects between two collections
_USUAL: Final = gc.get_threshold()
_tried: Final[set[ObjectStore]] = set()  # stores that this process has asked for something
_encode: Final = msgspec.msgpack.Encoder().encode
decode_partial: Final = msgspec.msgpack.Decoder(PartialFold).decode


def packed_brief(brief: FoldBrief) -> bytes:
    """What all workers must know, without secrets."""
    return pickle.dumps(brief._replace(config=brief.config.without_secrets))


def packed_part(task: ArchivePart) -> bytes:
    """A part as another machine finds it: paths are not relative to a folder of ours, devices have other numbers."""
    source = task.source
    if source.path is not None:
        source = replace(source, path=source.path.absolute())
    return pickle.dumps(task._replace(source=source, identity=None))


def fold_one(part: bytes, *, brief: bytes, version: str) -> bytes:
    """Folds a part. `version` is that of who asks. Returns a `PartialFold`. Raises UserMistake, naming this machine."""
    with _named(), _few_collections():
        known, task = _unpacked(brief, part, version)
        fold = folded(known, task)
        total = sum_of(fold.pieces())  # then `counted` is complete
    return _encode(PartialFold(total, {task.number: fold.counted}))


def learn_one(part: bytes, *, brief: bytes, version: str) -> Learned:
    """What the events of a part tell of suppressed people. Raises as `fold_one` does."""
    with _named():
        known, task = _unpacked(brief, part, version)
        listed = SuppressionList() if known.suppression is None else known.suppression.listed
        suppression = Suppression(listed)
        learn_people(known._replace(suppression=suppression), (task,))
    return suppression.learned()


def add_some(*partials: bytes) -> bytes:
    """Adds some partial folds."""
    with _few_collections():
        return _encode(added([decode_partial(partial) for partial in partials]))


def other_version(where: str, there: str | None, here: str) -> UserMistake:
    """The mistake that a machine of the cluster has another version than who asks, or none."""
    if there is None:
        return UserMistake(f"{where} has no pipedrive-cli", code="cluster", hint=SAME)
    what = f"{where} has pipedrive-cli {there}, and here is {here}"
    return UserMistake(what, code="cluster", hint=f"they must be the same: install {here} on the scheduler and workers")


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """What goes wrong here names this machine."""
    where = f"the worker {platform.node()}"
    try:
        yield
    except UserMistake as mistake:
        raise UserMistake(f"{where}: {mistake.message}", code=mistake.code, hint=mistake.hint) from mistake
    except OSError as error:
        raise UserMistake(f"{where}: {error}", code="source_unreadable", hint=SHARED) from error


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    """Has Python look for cycles less often: a fold makes many objects and no cycles. Afterwards it is as it was."""
    gc.set_threshold(FEW, *_USUAL[1:])
    try:
        yield
    finally:
        gc.set_threshold(*_USUAL)


def _unpacked(brief: bytes, part: bytes, version: str) -> tuple[FoldBrief, ArchivePart]:
    if version != __version__:
        raise other_version("it", __version__, version)
    task: ArchivePart = pickle.loads(part)  # noqa: S301 - from `packed_part`
    _check_seen(task)
    return _brief_in(brief), task


@lru_cache(maxsize=1)
def _brief_in(packed: bytes) -> FoldBrief:
    brief: FoldBrief = pickle.loads(packed)  # noqa: S301 - from `packed_brief`
    return brief


def _check_seen(task: ArchivePart) -> None:
    """Raises UserMistake where this machine does not see what the other one has listed, or may not."""
    source = task.source
    if source.cloud is not None and source.cloud.store not in _tried:
        _tried.add(source.cloud.store)
        try:
            source.cloud.store.find_object(source.cloud.path)
        except UserMistake as mistake:
            if mistake.__cause__ is not None and cloud_cause(mistake.__cause__) == "credentials":
                _tried.clear()
                raise
        except (FileNotFoundError, StopRun):
            pass  # reading it says so, as it would on the other machine
    if source.path is None or source.unfit is not None:
        return
    try:
        with source.open():
            size, listed = source.path.stat().st_size, source.size or 0
    except OSError as error:
        why = error.strerror or str(error)
    else:
        if size >= listed:
            return
        why = f"another file lies there, of {size:,} bytes instead of {listed:,}"
    raise UserMistake(f"{source.path} cannot be read: {why}", code="source_unreadable", hint=SHARED)
