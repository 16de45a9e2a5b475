"""The journal: the SQLite file that remembers outcomes, ids, and every creation and merge before it is sent."""

from pipedrive_cli.delivery.journal.commits import GroupCommits
from pipedrive_cli.delivery.journal.journal import Journal
from pipedrive_cli.delivery.journal.rows import Departure, OpenWrite, SeenRecord

__all__ = ["Departure", "GroupCommits", "Journal", "OpenWrite", "SeenRecord"]
