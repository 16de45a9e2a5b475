"""Text that must not be shown: the API token. Knows nothing of where the token came from or where it goes.

Two nets catch a key that got into the wrong place. `without_secrets` hides every text that a `Secret` of this process
holds, in whatever is written. `without_keys` also hides what looks like a key, in what quotes the user. It must not be
used on what tells of fields: Pipedrive's keys of custom fields look the same.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn, SupportsIndex, final

HIDDEN: Final = "***"
LOOKS_LIKE_A_KEY: Final = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{40}(?![0-9A-Fa-f])")
SHORTEST: Final = 16  # characters; what is shorter is no key of Pipedrive's, and may be a word of any text

_known: set[str] = set()  # of this process: whatever is written goes by them


def without_secrets(text: str) -> str:
    """The text with every known secret hidden."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def bytes_without_secrets(content: bytes) -> bytes:
    """The same for encoded text."""
    for secret in _known:
        if (encoded := secret.encode()) in content:
            content = content.replace(encoded, HIDDEN.encode())
    return content


def without_keys(text: str) -> str:
    """The text with every known secret hidden, and with whatever looks like Pipedrive's API token."""
    return LOOKS_LIKE_A_KEY.sub(HIDDEN, without_secrets(text))


def looks_like_key(text: str) -> bool:
    """Whether the text has a part that looks like Pipedrive's API token."""
    return LOOKS_LIKE_A_KEY.search(text) is not None


@final
class Secret:
    """Holds a text that no repr, format, traceback, pickle or JSON encoder shows; `reveal` alone gives it back."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value
        bare = value.removeprefix("Bearer ").strip()
        if len(bare) >= SHORTEST:
            _known.add(bare)

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac  # noqa: PLC0415 - it loads OpenSSL, and hardly any command compares two secrets

        # In constant time: the duration must not reveal how much of a guess was right.
        return hmac.compare_digest(self.__value.encode(), other.__value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")
