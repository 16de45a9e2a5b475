"""LIBRARY: what `from pipedrive_cli import ...` gives to a program, such as a task of Airflow, Dagster or Prefect.

Nothing here prints, logs, or installs a signal handler.
"""

from pipedrive_cli.errors import (
    ConfigProblem,
    ConfigProblems,
    PipedriveCliError,
    SourceMissing,
    StateHeld,
    ToolFault,
    UserMistake,
)
from pipedrive_cli.library.given import KeyRefused, PreviewedRequest, RunProgress, RunStopped
from pipedrive_cli.library.jobs import LoadedConfig, check, load_config, preview, replay
from pipedrive_cli.report.summary import (
    EventCounts,
    Example,
    ProblemGroup,
    RecordCounts,
    Records,
    Requests,
    Summary,
    Tokens,
)
from pipedrive_cli.run.check import Checked

__all__ = [
    "Checked",
    "ConfigProblem",
    "ConfigProblems",
    "EventCounts",
    "Example",
    "KeyRefused",
    "LoadedConfig",
    "PipedriveCliError",
    "PreviewedRequest",
    "ProblemGroup",
    "RecordCounts",
    "Records",
    "Requests",
    "RunProgress",
    "RunStopped",
    "SourceMissing",
    "StateHeld",
    "Summary",
    "Tokens",
    "ToolFault",
    "UserMistake",
    "check",
    "load_config",
    "preview",
    "replay",
]
