"""The command `init` with its options. As in `app`, nothing is decided here."""

# No `from __future__ import annotations`: Typer would evaluate each one at every start, for every command.

from pathlib import Path
from typing import Annotated

import typer

from pipedrive_cli.cli.options import ConfigFile, IdColumn, MessageIdColumn, RowsAs, TimeColumn


def init(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE...]", help="Events to make the mapping from: files, folders, globs, or -."),
    ] = None,
    config: ConfigFile = Path("config.yaml"),
    company_domain: Annotated[
        str | None,
        typer.Option("--company-domain", metavar="NAME", help="acme, or the address that your browser shows."),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="The whole address instead, for a sandbox.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="The file that holds the API token, or is to hold it. [default: the variable PIPEDRIVE_API_TOKEN]",
        ),
    ] = None,
    keyring: Annotated[
        str | None, typer.Option("--keyring", metavar="NAME", help="The keyring's entry that holds the API token.")
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="PLAN", help="lite, growth, premium or ultimate. [default: as its limits show]"),
    ] = None,
    seats: Annotated[
        int | None, typer.Option("--seats", min=1, max=100_000, metavar="N", help="With the plan, the day's tokens.")
    ] = None,
    user_id_field: Annotated[
        str | None, typer.Option("--user-id-field", metavar="FIELD", help="The text field on persons for the user id.")
    ] = None,
    group_id_field: Annotated[
        str | None,
        typer.Option("--group-id-field", metavar="FIELD", help="The text field on organizations for the group id."),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="KIND.TRAIT=FIELD",
            help="One line of the mapping: persons.role=Role; persons.role= keeps it out. May be given again.",
        ),
    ] = None,
    new_fields: Annotated[
        bool, typer.Option("--new-fields", help="Map each trait that has no field to a new one, named after it.")
    ] = False,
    create_fields: Annotated[
        bool, typer.Option("--create-fields", help="Make the fields that the account lacks, without asking.")
    ] = False,
    currency: Annotated[
        str | None, typer.Option("--currency", metavar="CODE", help="The currency of amounts that come without one.")
    ] = None,
    from_rudderstack: Annotated[
        Path | None,
        typer.Option(
            "--from-rudderstack", metavar="FILE", help="The settings of RudderStack's Pipedrive destination, as JSON."
        ),
    ] = None,
    rows_as: RowsAs = None,
    id_: IdColumn = None,
    time_: TimeColumn = None,
    message_id: MessageIdColumn = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no account: its fields stay unverified.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a config that is there already.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what is sure.")] = False,
) -> int:
    """Write config.yaml, with a mapping made from your events.

    It asks for what it needs; every answer can be given as an option.
    """
    from pipedrive_cli.cli import init_command  # noqa: PLC0415 - the other commands need none of it

    return init_command.run_init(
        init_command.Options(
            config_file=config,
            sources=tuple(sources or ()),
            company_domain=company_domain,
            base_url=base_url,
            token_file=token_file,
            keyring=keyring,
            plan=plan,
            seats=seats,
            user_id_field=user_id_field,
            group_id_field=group_id_field,
            maps=tuple(maps or ()),
            currency=currency,
            new_fields=new_fields,
            create_fields=create_fields,
            from_rudderstack=from_rudderstack,
            columns=(rows_as, id_, time_, message_id),
            offline=offline,
            force=force,
            yes=yes,
        )
    )
