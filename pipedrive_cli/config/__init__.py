"""CONFIG: reads a YAML file and the environment into one frozen, checked `Config`. Knows nothing of its use.

Importing this package does not load YAML: `load` does so when it is called.
"""

from pipedrive_cli.config.credentials import base_address, credentials, notes
from pipedrive_cli.config.load import load
from pipedrive_cli.config.model import Config, PlanName, Values
from pipedrive_cli.config.reference import KeyRow, reference, schema
from pipedrive_cli.config.times import duration, moment_or_age
from pipedrive_cli.config.values import Reserve

__all__ = [
    "Config",
    "KeyRow",
    "PlanName",
    "Reserve",
    "Values",
    "base_address",
    "credentials",
    "duration",
    "load",
    "moment_or_age",
    "notes",
    "reference",
    "schema",
]
