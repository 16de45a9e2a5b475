"""Which objects a URL means: one object, all event files below a prefix, or the matches of a glob. Sorted by name.

With `--since` a prefix is walked folder by folder, so that a run for the last day does not list years of exports;
otherwise it is listed flat, a thousand objects at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from pipedrive_cli.errors import UserMistake
from pipedrive_cli.events.cloud import SCHEMES, CloudObject, ObjectStore
from pipedrive_cli.events.dated_folders import DaysLeftOut
from pipedrive_cli.events.event_files import GLOB, is_event_file, is_rejects_file, scheme_of

_WALKED: Final = 1_000  # folders listed one by one at most; no layout that we know has more


@dataclass(slots=True)
class CloudListing:
    """The objects that URLs mean. `left_out` counts the folders and files that are too old."""

    left_out: DaysLeftOut
    is_wanted: Callable[[str], bool] = is_event_file  # by its name, an object that no URL names
    _stores: dict[str, ObjectStore] = field(default_factory=dict)
    _walked: int = 0

    def objects(self, url: str, passed_over: Callable[[str], None]) -> tuple[bool, list[CloudObject]]:
        """The objects by name, and whether the URL names that very object.

        `passed_over` is called with the URL of what lies below a prefix and does not go by the name of an event file.
        Raises FileNotFoundError for an object or prefix that is not there, `UserMistake` for what cannot be read
        (another kind of URL, no package, no credentials, no bucket), and `StopRun` when the store cannot be reached.
        """
        store = self._store(url)
        path = store.path_of(url)
        if not path or path.startswith("/"):
            raise UserMistake(f"{url}: no bucket is named", code="source_missing", hint=f"{store.scheme}://bucket/path")
        if GLOB.search(path.partition("/")[2]):
            return False, sorted(self._globbed(store, path), key=_by_name)
        if not url.endswith("/") and "/" in path and (named := store.find_object(path)) is not None:
            return True, [named]
        everything = False
        found = []
        for item in self._below(store, path, self.left_out.for_argument(path.split("/"))):
            everything = True
            if self._is_events(item, path):
                found.append(item)
            elif not _is_hidden(item, path) and not is_rejects_file(item.path):
                passed_over(item.url)
        if not everything and "/" in path and not self.left_out:
            raise FileNotFoundError(url)  # stores have no empty folders
        return False, sorted(found, key=_by_name)

    def _store(self, url: str) -> ObjectStore:
        scheme = scheme_of(url)
        if scheme not in SCHEMES:
            raise UserMistake(
                f"{url}: URLs of this kind cannot be read",
                code="url_not_supported",
                hint="s3://, gs:// and az:// can. Or download the files and name them, or pipe them in and name `-`.",
            )
        if scheme not in self._stores:
            self._stores[scheme] = ObjectStore(scheme, url)
        return self._stores[scheme]

    def _below(self, store: ObjectStore, folder: str, days: DaysLeftOut) -> Iterator[CloudObject]:
        """All objects below a folder, except those that are left out because of their days."""
        parts = folder.split("/")
        folders: list[str] = []
        if not days.active or days.is_dated(parts) or self._walked >= _WALKED:
            objects = store.list_below(folder)
        else:
            self._walked += 1
            folders, objects = store.list_folder(folder)
            if folder in folders:  # a key with // in it: fsspec lists a folder without a name as its own child
                folders, objects = [], store.list_below(folder)
        for inner in folders:
            if not days.leaves_out_folder(inner.split("/")):
                yield from self._below(store, inner, days)
        for item in objects:
            if not item.path.endswith("/") and not days.leaves_out_file(item.path.split("/")):  # a folder marker
                yield item

    def _globbed(self, store: ObjectStore, path: str) -> Iterator[CloudObject]:
        """The matches of a glob: objects, and the event files of folders; hidden ones only where it names them."""
        parts = path.split("/")
        fixed = next(n for n, part in enumerate(parts) if n and GLOB.search(part))
        root, pattern = "/".join(parts[:fixed]), parts[fixed:]
        days = self.left_out.for_argument(parts[:fixed])
        wants_rejects = "reject" in parts[-1].lower()
        for item in self._matched(store, root, fixed, pattern, days):
            if wants_rejects or not is_rejects_file(item.path):
                yield item

    def _matched(
        self, store: ObjectStore, folder: str, fixed: int, pattern: Sequence[str], days: DaysLeftOut
    ) -> Iterator[CloudObject]:
        below = pattern[0] == "**"
        folders, objects = ([], list(self._below(store, folder, days))) if below else store.list_folder(folder)
        for inner in folders:
            names = inner.split("/")
            if len(names) <= fixed or not _fits(names[-1], pattern[0]) or days.leaves_out_folder(names):
                continue
            if len(pattern) > 1:
                yield from self._matched(store, inner, fixed + 1, pattern[1:], days)
            else:
                yield from (item for item in self._below(store, inner, days) if self._is_events(item, inner))
        for item in objects:
            names = item.path.split("/")
            if names[-1] and _matches(names[fixed:], pattern) and (below or not days.leaves_out_file(names)):
                yield item

    def _is_events(self, item: CloudObject, folder: str) -> bool:
        """Whether an object below a folder is an event file and no part of its path is hidden."""
        return self.is_wanted(item.path.rpartition("/")[2]) and not _is_hidden(item, folder)


def _matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the names in an object's path match a glob; `**` stands for any number of names."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        visible = bool(names) and not names[0].startswith(".")
        return _matches(names, pattern[1:] or ["*"]) or (visible and _matches(names[1:], pattern))
    return bool(names) and _fits(names[0], pattern[0]) and _matches(names[1:], pattern[1:])


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))


def _is_hidden(item: CloudObject, folder: str) -> bool:
    return any(part.startswith(".") for part in item.path[len(folder) :].strip("/").split("/"))


def _by_name(item: CloudObject) -> list[str]:
    return item.path.split("/")
