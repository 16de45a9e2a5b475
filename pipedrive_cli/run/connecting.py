"""The ways to a Pipedrive: the config's account over the network, or a sandbox in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipedrive_cli.config import Config, address, credentials
from pipedrive_cli.pipedrive.catalog import PLANS
from pipedrive_cli.pipedrive.client import Client
from pipedrive_cli.run.embedded import ADDRESS, embedded_sandbox
from pipedrive_cli.secret import Secret

if TYPE_CHECKING:
    from pipedrive_cli.sandbox import Sandbox

CONNECTIONS = 128  # as many as the fastest plan with slow answers can use


def to_account(config: Config) -> tuple[Client, int]:
    """A client, and the requests per 2 s to start from. Raises UserMistake without an address or a key."""
    plan = PLANS[config.pipedrive.plan]
    key = credentials(config)
    client = Client(address(config), key, timeout=config.delivery.timeout, connections=CONNECTIONS)
    return client, plan.allowed(oauth=config.pipedrive.oauth_token is not None)


def site_of(config: Config, company_domain: str | None = None) -> str | None:
    """The address of the company's web app: under the domain that Pipedrive tells, else under the config's.

    None where the config's address is not Pipedrive's, but a sandbox's.
    """
    base, domain = config.pipedrive.base_url, company_domain or config.pipedrive.company_domain
    if base is not None and not base.endswith(".pipedrive.com"):
        return None
    return f"https://{domain}.pipedrive.com" if domain is not None else base


def to_sandbox(config: Config) -> tuple[Client, int]:
    """The same for an embedded, empty sandbox without limits."""
    return client_of(embedded_sandbox(config), config), PLANS["unlimited"].requests


def client_of(sandbox: Sandbox, config: Config) -> Client:
    """A client of a sandbox in this process."""
    from pipedrive_cli.sandbox import SandboxTransport  # noqa: PLC0415 - only the sandbox needs it

    key = ("x-api-token", Secret(sandbox.options.api_token))
    if config.pipedrive.oauth_token is not None:  # with its own limits, which are higher
        key = ("Authorization", Secret(f"Bearer {sandbox.options.oauth_token}"))
    return Client(ADDRESS, key, timeout=config.delivery.timeout, transport=SandboxTransport(sandbox))
