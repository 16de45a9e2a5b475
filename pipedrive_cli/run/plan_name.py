"""A plan's name: a digest of all the writes that a preview shows, so that a replay can send those or nothing.

Times that come from a clock are left out: who is created with the moment of the run as its time is so a minute later.
Of every write the digests of its fields are kept beside the name, not the values, so that a later plan can be compared
field by field. They lie in the user's cache folder: whoever previews elsewhere still has the name.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from pipedrive_cli.errors import StopRun, UserMistake
from pipedrive_cli.model import Value
from pipedrive_cli.report.wording import first_of
from pipedrive_cli.report.written_file import write_file
from pipedrive_cli.run.preview_rows import PlannedRequest

KEPT = 10  # plans in the cache folder
SHOWN = 5  # differences that a message names
DIGITS = 16  # of a name
_REQUEST = ""  # what a write is beside its fields: method, path and the ids of its body


class PlanRow(msgspec.Struct, array_like=True):
    """One write as it is kept: the record as people know it, and a digest of each field."""

    record: str
    action: str
    fields: dict[str, bytes]


@dataclass(slots=True)
class PlanNaming:
    """Names a plan from its writes, in the order in which they are shown. `began`: when, for times from a clock."""

    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    rows: list[PlanRow] = field(default_factory=list)
    _digest: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=DIGITS // 2))

    @property
    def name(self) -> str:
        return self._digest.hexdigest()

    def add(self, request: PlannedRequest) -> None:
        """Adds a request. Look-ups do not count: what they cost depends on what is known already."""
        if request.action == "look up":
            return
        row = PlanRow(request.record, request.action, self._fields(request))
        self.rows.append(row)
        self._digest.update(msgspec.msgpack.encode(row, order="deterministic"))

    def _fields(self, request: PlannedRequest) -> dict[str, bytes]:
        body = dict(request.body or {})
        moment = body.get("add_time")
        if isinstance(moment, str) and moment >= f"{self.began:%Y-%m-%dT%H:%M:%SZ}":
            del body["add_time"]  # no later than the run's own clock: it is that clock
        else:
            moment = None
        fields = {_REQUEST: _digest_of([request.method, request.path, body])}
        for change in request.fields:
            if moment is None or change.new != moment:
                fields[change.name] = _digest_of([change.new, change.known, change.old])
        return fields


def _digest_of(value: list[Value]) -> bytes:
    try:
        encoded = msgspec.json.encode(value, order="deterministic")
    except UnicodeEncodeError:  # half a surrogate pair
        encoded = repr(value).encode("utf-8", "backslashreplace")
    return hashlib.blake2b(encoded, digest_size=8).digest()


def differences(before: list[PlanRow], now: list[PlanRow]) -> list[str]:
    """How a plan differs from an earlier one, by record and field, in the order of the present one."""
    return list(_differing_rows(before, now)) or ["the same writes in another order"]


def _differing_rows(before: list[PlanRow], now: list[PlanRow]) -> Iterator[str]:
    waiting: dict[tuple[str, str], list[PlanRow]] = {}
    for row in reversed(before):
        waiting.setdefault((row.record, row.action), []).append(row)
    for row in now:
        same = waiting.get((row.record, row.action))
        if not same:
            yield f"{row.record}: {row.action} is new"
            continue
        earlier = same.pop()
        names = [name for name in {**earlier.fields, **row.fields} if earlier.fields.get(name) != row.fields.get(name)]
        if named := [name for name in names if name != _REQUEST]:
            yield f"{row.record}: {row.action} differs in {', '.join(named)}"
        elif names:
            yield f"{row.record}: {row.action} goes to another record, or has another body"
    for (record, action), rows in waiting.items():
        for _ in rows:
            yield f"{record}: {action} is not there any more"


def changed(expected: str, plan: PlanNaming, before: list[PlanRow] | None) -> StopRun:
    """Why a run ends whose plan is not the expected one. `before` None: nothing is known of that but its name."""
    message = f"the plan is {plan.name} now, and {expected} was expected: nothing was sent"
    if before is None:
        message += "; what differs is not known, for that plan was not previewed here, or long ago"
    else:
        found = differences(before, plan.rows)
        message += f". {first_of(found, SHOWN, between='; ')}"
    return StopRun(
        message,
        code="plan_changed",
        hint="run `preview --online` again: look at it, and expect the name that it ends with",
    )


# -- the cache


def plans_folder() -> Path:
    """Where plans are kept."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - only previews of an account need it

    return user_cache_path("pipedrive-cli", appauthor=False) / "plans"


def keep(plan: PlanNaming, folder: Path) -> None:
    """Keeps a plan's rows for its owner alone, the newest ten plans. A plan that cannot be kept has its name all the
    same.
    """
    with contextlib.suppress(OSError, UserMistake):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = gzip.compress(msgspec.msgpack.encode(plan.rows), compresslevel=1)
        write_file("plan", folder / f"{plan.name}.plan", content)
        kept = sorted(folder.glob("*.plan"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in kept[KEPT:]:
            old.unlink(missing_ok=True)


def drop_plans(folder: Path) -> None:
    """Deletes all plans that are kept: they name people."""
    with contextlib.suppress(OSError):
        for plan in folder.glob("*.plan"):
            plan.unlink(missing_ok=True)


def kept_rows(name: str, folder: Path) -> list[PlanRow] | None:
    """The rows of a plan that was kept; None: it is not there, or cannot be read."""
    try:
        with (folder / f"{name}.plan").open("rb") as file, gzip.open(cast(BinaryIO, file)) as packed:
            return msgspec.msgpack.decode(packed.read(), type=list[PlanRow])
    except (OSError, EOFError, msgspec.DecodeError):
        return None
