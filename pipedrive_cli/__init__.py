"""pipedrive-cli: replay files of customer events into Pipedrive. This module holds the version alone, so that `--version` is quick."""

__version__ = "0.1.0"
