"""The command `sandbox` with its options. As in `app`, nothing is decided here."""

# No `from __future__ import annotations`: Typer would evaluate each one at every start, for every command.

from pathlib import Path
from typing import Annotated

import typer

from pipedrive_cli.cli.options import completing


def sandbox(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Have the fields that this config names.")
    ] = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="An address of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", min=0, max=65_535, help="0 picks a free one.")] = 8080,
    plan: Annotated[
        str,
        typer.Option(
            "--plan",
            metavar="PLAN",
            autocompletion=completing("lite", "growth", "premium", "ultimate", "unlimited"),
            help="The limits to keep: lite, growth, premium, ultimate, or unlimited.",
        ),
    ] = "lite",
    seats: Annotated[int, typer.Option("--seats", metavar="N", min=1, help="With the plan, the day's tokens.")] = 1,
    daily_tokens: Annotated[
        int | None,
        typer.Option("--daily-tokens", min=0, metavar="N", help="The day's tokens, instead of plan and seats."),
    ] = None,
    token: Annotated[str, typer.Option("--token", metavar="KEY", help="The API token that opens it.")] = "sandbox",  # noqa: S107 - made up, opens nothing else
    latency: Annotated[str, typer.Option("--latency", metavar="DURATION", help="How long each answer takes.")] = "0s",
    search_lag: Annotated[
        str, typer.Option("--search-lag", metavar="DURATION", help="How long searches do not see what was written.")
    ] = "3s",
    faults: Annotated[
        str,
        typer.Option(
            "--faults",
            metavar="PLAN",
            help="What breaks, separated by commas: EFFECT[-before|-after|-later][=SECONDS][@METHOD PATH]"
            "[:CHANCE|#COUNT], such as 429:0.05, '500-after@POST /api/v2/persons#3' or 'late=9@POST *'.",
        ),
    ] = "",
    refusals: Annotated[
        str,
        typer.Option(
            "--refusals",
            metavar="PLAN",
            help="What is always refused: scope@KIND, permission@KIND, off@KIND, cap@KIND#N, payment, key-dies#N, "
            "forbidden@KIND:KEY=VALUE, content:TEXT.",
        ),
    ] = "",
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            help="The same seed, the same faults, ids and account. [default: a new account at each start]",
        ),
    ] = None,
) -> int:
    """Serve a Pipedrive of our own on this machine.

    It is empty, strict, and gone when Ctrl-C ends it.
    """
    from pipedrive_cli.cli import sandbox_command  # noqa: PLC0415 - the other commands need none of it

    choice = sandbox_command.SandboxChoice(
        host=host,
        port=port,
        plan=plan,
        seats=seats,
        token=token,
        latency=latency,
        search_lag=search_lag,
        faults=faults,
        refusals=refusals,
        seed=seed,
        daily_tokens=daily_tokens,
    )
    return sandbox_command.serve_sandbox(config, choice)
