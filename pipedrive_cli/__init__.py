"""pipedrive-cli: replay files of customer events into Pipedrive.

What stands in `__all__` is the library: programs may count on it, and on nothing else. It is loaded when a name of it
is first asked for, so that `--version` and `--help` are quick.
"""

from __future__ import annotations

from pipedrive_cli.version import __version__

TYPE_CHECKING = False  # type checkers take it for true by its name; `typing` would be half of what `--version` loads
if TYPE_CHECKING:
    from pipedrive_cli.library import (
        Checked,
        ConfigProblem,
        ConfigProblems,
        EventCounts,
        Example,
        KeyRefused,
        LoadedConfig,
        PipedriveCliError,
        PreviewedRequest,
        ProblemGroup,
        RecordCounts,
        Records,
        Requests,
        RunProgress,
        RunStopped,
        SourceMissing,
        StateHeld,
        Summary,
        Tokens,
        ToolFault,
        UserMistake,
        check,
        load_config,
        preview,
        replay,
    )

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
    "__version__",
    "check",
    "load_config",
    "preview",
    "replay",
]


if not TYPE_CHECKING:  # a type checker is to know of no other names

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from pipedrive_cli import library  # noqa: PLC0415 - see above

        return getattr(library, name)


def __dir__() -> list[str]:
    return __all__
