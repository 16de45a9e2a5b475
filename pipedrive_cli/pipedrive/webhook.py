"""One POST to an address that the user names. It is not Pipedrive's, and gets no key. The address may be a secret."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import httpx

from pipedrive_cli.errors import UserMistake
from pipedrive_cli.pipedrive.way_out import proxy_for, tls_context
from pipedrive_cli.secret import Secret
from pipedrive_cli.version import __version__

PATIENCE: Final = 5.0  # seconds altogether: a run must not wait for whom it tells


async def post_json(address: Secret, content: bytes) -> str | None:
    """Sends JSON once, without following redirects. Returns why it did not arrive, without the address; None: it did.

    An answer of 200 to 299 says that it arrived; its body is not read.
    """
    try:
        url = httpx.URL(address.reveal())
        headers = {"content-type": "application/json", "user-agent": f"pipedrive-cli/{__version__}"}
        request = httpx.Request("POST", url, headers=headers, content=content)
        request.extensions = {"timeout": httpx.Timeout(PATIENCE).as_dict()}
        tls = url.scheme == "https"
        context = tls_context(httpx.create_ssl_context) if tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        proxy = proxy_for(url.scheme, url.host)
        way = None if proxy is None else proxy.url
        async with asyncio.timeout(PATIENCE):
            async with httpx.AsyncHTTPTransport(verify=context, proxy=way, trust_env=False) as transport:
                response = await transport.handle_async_request(request)
                await response.aclose()
    except UserMistake as mistake:  # a proxy or certificates that cannot be used
        return mistake.message
    except TimeoutError:
        return f"no answer within {PATIENCE:.0f} seconds"
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold the address
        return f"no answer ({type(error).__name__})"
    return None if 200 <= response.status_code < 300 else f"the answer was {response.status_code}"
