"""A Pipedrive of our own: in memory, strict, and able to break on request.

A second, independent opinion of what Pipedrive does, for tests, rehearsals and other people's clients. It imports
nothing from the rest of the package: were it to share the client's tables, both would be wrong together.

The way of a request: `transport` or `serve` and `asgi` -> `app` (key, `limits`, `faults`, `refusals`) -> `routes`
-> `account`, which holds `fields`, `records` and the `search` index. What may be written is judged in `bodies`,
`values` and `flat_values`; what is read is shaped in `views`. `wire` has the requests, answers and refusals
themselves. `webapp` and `contents` are for those who hold a `Sandbox` in their hands: tests and rehearsals.
"""

from pipedrive_cli.sandbox.app import Sandbox
from pipedrive_cli.sandbox.options import SandboxOptions
from pipedrive_cli.sandbox.transport import SandboxTransport

__all__ = ["Sandbox", "SandboxOptions", "SandboxTransport"]
