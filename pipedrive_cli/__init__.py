"""pipedrive-cli: replay files of customer events into Pipedrive. Holds the version alone: `--version` is quick."""

__version__ = "0.1.0"
