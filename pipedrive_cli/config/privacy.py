"""The sections of the config about people: whose events are sent, and what reports show of anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pipedrive_cli.config.declaring import TEXT_OR_NULL, Section, config_key
from pipedrive_cli.config.values import file_path


class ConsentAsked(Section, frozen=True):
    """Whose events are sent, where events say what their users consent to."""

    purposes: Annotated[
        tuple[str, ...],
        config_key(
            "The purposes that Pipedrive stands for, as the events name them: ids of RudderStack's consent management "
            "or Segment's categories, compared exactly. Empty: nobody is asked, and a report counts what is ignored. "
            "An event that was delivered before is a duplicate, whatever it says.",
            examples=[["Sales", "C0003"]],
        ),
    ] = ()
    require: Annotated[
        Literal["all", "any"],
        config_key(
            "all: one refused purpose is enough to skip an event. any: only if all of them are refused. An event of "
            "RudderStack's that names a strategy of its own counts by that."
        ),
    ] = "all"
    unknown: Annotated[
        Literal["send", "skip"],
        config_key("What becomes of events that say nothing, and of purposes that Segment's object does not name."),
    ] = "send"


class Privacy(Section, frozen=True):
    """Other people's rights."""

    suppress: Annotated[
        Path | None,
        config_key(
            "A file of user ids and emails whose events are not sent, one a line, or RudderStack's regulations as "
            "NDJSON. Relative to the config file.",
            read=file_path,
            words="a path",
            examples=["suppressed.txt"],
            schema=TEXT_OR_NULL,
        ),
    ] = None
    consent: ConsentAsked = ConsentAsked()


class ReportAsked(Section, frozen=True):
    """What reports show."""

    redact: Annotated[
        bool,
        config_key(
            "Whether reports, logs and the terminal show users and values as short hashes, always, as `--redact` does."
        ),
    ] = False
