"""The journal: the SQLite file that remembers every event's outcome, every write before it is sent, and every id."""

from pipedrive_cli.delivery.journal.commits import GroupCommits
from pipedrive_cli.delivery.journal.journal import Journal
from pipedrive_cli.delivery.journal.rows import OpenWrite, SeenRecord

__all__ = ["GroupCommits", "Journal", "OpenWrite", "SeenRecord"]
