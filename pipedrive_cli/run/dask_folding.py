"""Folds the parts of an archive on the user's own Dask cluster.

Each worker reads its parts. Partial folds are added as a tree and lie in the workers' memory meanwhile. Every now and
then what is folded so far comes here and goes into the store, so that the same command goes on from there. What is
scheduled where, done again when a worker dies, or spilled is Dask's affair: this module only says what there is to do.
"""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import distributed
from distributed.scheduler import KilledWorker

from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.run.archive_part import ArchivePart, Counted, FoldBrief
from pipedrive_cli.run.fold_store import FoldStore
from pipedrive_cli.run.fold_sum import PartialFold, branches
from pipedrive_cli.run.worker_fold import (
    SAME,
    add_some,
    decode_partial,
    fold_one,
    learn_one,
    other_version,
    packed_brief,
    packed_part,
)
from pipedrive_cli.version import __version__

OPTION: Final = "--dask"
CONNECT: Final = 15.0  # seconds in which a scheduler must answer
PERIOD: Final = 5.0  # seconds after which what is folded so far comes here
SHARE: Final = 10  # for so many times as long as that took the workers then fold on
MOST: Final = 64 << 20  # bytes of partial folds that are added in one process
BATCH: Final = 1_000  # parts that are told to the scheduler at once
GOES_ON: Final = "the same command goes on from what is folded so far"
# What they log is told by the errors, too.
_LOGGERS: Final = ("distributed", "distributed.client", "distributed.core", "distributed.comm", "tornado.application")


@dataclass(frozen=True, slots=True)
class ClusterFold:
    """Folds parts into a store, on the cluster whose scheduler has this address. `note` is told what matters."""

    address: str
    note: Callable[[str], None] = lambda _: None

    def __call__(
        self,
        store: FoldStore,
        brief: FoldBrief,
        tasks: Sequence[ArchivePart],
        tell: Callable[[ArchivePart, Counted], None],
    ) -> None:
        """Folds all parts; `tell` is called for each when the store has it. Raises UserMistake and StopRun."""
        if not tasks:
            return  # all came here before
        parts = {task.number: task for task in tasks}
        with self._asked(fold_one, brief, tasks) as (client, folding):
            for folds in self._finished(client, folding):
                for root in _tree(client, folds):
                    _keep(store, decode_partial(root.result()), parts, tell)

    def learn(self, brief: FoldBrief, tasks: Sequence[ArchivePart]) -> None:
        """Has the brief's suppression learn what the events of all parts tell. Raises as a fold does."""
        if brief.suppression is not None:
            with self._asked(learn_one, brief, tasks) as (client, learning):
                for told in self._finished(client, learning):
                    for each in client.gather(told):
                        brief.suppression.learn(each)

    @contextlib.contextmanager
    def _asked(
        self, what: Callable[..., object], brief: FoldBrief, tasks: Sequence[ArchivePart]
    ) -> Iterator[tuple[distributed.Client, list[Any]]]:
        """The futures of what the workers make of each part. Leaves no other reference to them than the list's."""
        for task in tasks:
            if task.source.size is None:
                why = f"{OPTION}: {task.source.name} is a pipe of this machine, which no worker can read"
                raise UserMistake(why, code="usage", hint="name files, folders or URLs")
        with self._connected() as client, self._trouble_told():
            known = client.submit(bytes, packed_brief(brief), pure=False)
            if not client.nthreads():
                self.note(f"{self.address} has no workers yet: folding begins when one joins it")
            distributed.wait(known)  # any worker can do that: what it lacks is told before it is asked for more
            self._check_versions(client)
            packed = [packed_part(task) for task in tasks]
            yield client, client.map(what, packed, batch_size=BATCH, pure=False, brief=known, version=__version__)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[distributed.Client]:
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        warnings.filterwarnings("ignore", module=r"distributed\b")  # versions are compared below
        try:
            client = distributed.Client(self.address, timeout=CONNECT)
        except (OSError, distributed.TimeoutError) as error:
            why = f"{OPTION}: no Dask scheduler answers at {self.address}"
            hint = "check the address and the network: it is what `dask scheduler` prints, such as tcp://host:8786"
            raise StopRun(why, code="cluster", hint=hint) from error
        except (ValueError, TypeError) as error:
            why = f"{OPTION} {self.address}: {error}"
            raise UserMistake(why, code="usage", hint="name the scheduler's address: tcp://host:8786") from error
        with client:  # at its end it gives up what is not finished
            yield client

    @contextlib.contextmanager
    def _trouble_told(self) -> Iterator[None]:
        """Raises StopRun, or UserMistake, for what ends the work on the cluster."""
        try:
            yield
        except KilledWorker as error:
            last = getattr(error.last_worker, "address", error.last_worker)
            why = f"{OPTION}: a part of the archive has ended {error.allowed_failures + 1} workers, the last at {last}"
            hint = f"that worker's log says why; most often it had too little memory. Then {GOES_ON}"
            raise StopRun(why, code="cluster", hint=hint) from error
        except ModuleNotFoundError as error:
            raise UserMistake(
                f"{OPTION}: a worker lacks the package {error.name}", code="cluster", hint=SAME
            ) from error
        except (OSError, distributed.TimeoutError, distributed.CancelledError) as error:
            why = f"{OPTION} {self.address}: the scheduler was lost, or has given up the work"
            raise StopRun(why, code="cluster", hint=f"see to the cluster; {GOES_ON}") from error

    def _check_versions(self, client: distributed.Client) -> None:
        """Raises UserMistake if the scheduler or a worker cannot do what it will be asked."""
        found = client.get_versions(packages=["pipedrive_cli"])
        there = {f"the scheduler {self.address}": found["scheduler"]}
        there |= {f"the worker {address}": each for address, each in found["workers"].items()}
        for name, each in there.items():
            version = each["packages"].get("pipedrive_cli")
            if version != __version__:
                raise other_version(f"{OPTION}: {name}", version, __version__)

    def _finished(self, client: distributed.Client, left: list[Any]) -> Iterator[list[Any]]:
        """The futures that have finished, some at a time, taken out of the list. Raises what one has raised."""
        pause = PERIOD
        lonely = False
        while left:
            with contextlib.suppress(distributed.TimeoutError):
                distributed.wait(left, timeout=pause)
            finished = {future.key for future in left if future.done()}
            found = [future for future in left if future.key in finished]
            left[:] = [future for future in left if future.key not in finished]
            for future in found:
                if future.status == "error":
                    future.result()
            was_lonely, lonely = lonely, not client.nthreads()
            if lonely and not was_lonely:
                self.note(f"{self.address} has lost all its workers: folding goes on when one joins it")
            began = time.monotonic()
            if found:
                yield found
            pause = max(PERIOD, SHARE * (time.monotonic() - began))


def _tree(client: distributed.Client, folds: list[Any]) -> Iterator[Any]:
    """Adds folds until all are one, or too large for that. Empties the list: what is done, the workers may forget."""
    while True:
        distributed.wait(folds)
        sizes = client.nbytes([fold.key for fold in folds], summary=False)
        found = branches(folds, [sizes.get(fold.key, 0) for fold in folds], MOST)
        if len(found) == len(folds):
            break
        folds[:] = [
            client.submit(add_some, *some, pure=False, priority=1) if len(some) > 1 else some[0] for some in found
        ]
        del found
    while folds:
        yield folds.pop(0)


def _keep(
    store: FoldStore,
    partial: PartialFold,
    parts: Mapping[int, ArchivePart],
    tell: Callable[[ArchivePart, Counted], None],
) -> None:
    # What was added cannot be taken apart again: where one of the parts must be read again, all are.
    whole = all(counted.left is None for counted in partial.counted.values())
    store.add(min(partial.counted), partial.folded, partial.counted if whole else {})
    for number, counted in sorted(partial.counted.items()):
        tell(parts[number], counted)
