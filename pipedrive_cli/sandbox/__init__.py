"""A Pipedrive of our own: in memory, strict, and able to break on request.

A second, independent opinion of what Pipedrive does, for tests, rehearsals and other people's clients. It imports
nothing from the rest of the package: were it to share the client's tables, both would be wrong together.
"""

from pipedrive_cli.sandbox.app import Sandbox
from pipedrive_cli.sandbox.options import SandboxOptions
from pipedrive_cli.sandbox.transport import SandboxTransport

__all__ = ["Sandbox", "SandboxOptions", "SandboxTransport"]
