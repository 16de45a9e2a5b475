"""The config: a YAML file and the environment become one frozen, checked `Config`. Knows nothing of what it is used for.

Importing this package loads neither YAML nor an HTTP library: `load` does, when it is called.
"""

from pipedrive_cli.config.model import Config, PlanName
from pipedrive_cli.config.times import duration, moment_or_age
from pipedrive_cli.config.values import Reserve

__all__ = ["Config", "PlanName", "Reserve", "duration", "moment_or_age"]
