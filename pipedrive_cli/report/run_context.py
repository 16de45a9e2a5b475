"""The facts on a run's page besides its summary: command, company, start and timeline. Pure data."""

from __future__ import annotations

from datetime import datetime
from typing import cast, get_args

import msgspec

from pipedrive_cli.report.timeline import Moment
from pipedrive_cli.report.wording import Scene


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """All but `scene` may be missing. `started` is in UTC, `moments` are in the order of time.

    `command` is as it was typed, with its options before its sources. `remarks` are sentences below the headline.
    `passed_over` is the number of files that earlier runs had read. The company's name and the sources in the command
    are hostile text.
    """

    scene: Scene = "account"
    command: str = ""
    company: str | None = None
    started: datetime | None = None
    moments: tuple[Moment, ...] = ()
    remarks: tuple[str, ...] = ()
    passed_over: int = 0


def scene_named(name: str) -> Scene:
    """The scene of this name in a journal; an unknown name counts as the account."""
    return cast(Scene, name) if name in get_args(Scene) else "account"
