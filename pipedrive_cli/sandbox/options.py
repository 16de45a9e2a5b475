"""What can be chosen about a sandbox. Data alone: nothing here knows how a choice is carried out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

PLANS: dict[str, tuple[int, int, int, int]] = {
    # plan: (day's tokens per seat in units of 30,000; API-token and OAuth requests per 2 s; custom fields)
    "lite": (1, 20, 80, 30),
    "growth": (2, 40, 160, 100),
    "premium": (5, 100, 400, 300),
    "ultimate": (7, 120, 480, 500),
    # The names these plans had before; accounts still carry them.
    "essential": (1, 20, 80, 30),
    "advanced": (2, 40, 160, 100),
    "professional": (3, 100, 400, 300),
    "power": (5, 120, 480, 500),
    "enterprise": (7, 120, 480, 1_000_000),
    "unlimited": (1_000_000, 1_000_000_000, 1_000_000_000, 1_000_000),
}


# The currencies that companies use: ISO 4217's, without funds and metals.
_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR
NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
STN SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF
YER ZAR ZMW ZWL
"""
ISO_4217 = tuple(_CODES.split())


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The account, its limits, its bad habits.

    Several switches stand for what nobody outside Pipedrive has established; a client must live with either value.
    Times are in seconds. Raises `ValueError` for a plan, time zone or count that does not exist.
    """

    plan: str = "lite"
    seats: int = 1
    daily_tokens: int | None = None  # instead of plan times seats
    daily_requests: int | None = None  # POST and PUT per day, the older limit; None where it is not enforced
    reset_timezone: str = "UTC"  # the day's tokens come back at midnight there
    api_token: str = "sandbox"  # noqa: S105  a made-up key that opens nothing but this
    oauth_token: str = "sandbox-oauth"  # noqa: S105  likewise
    admin: bool = True

    faults: str = ""  # see faults.py
    refusals: str = ""  # see refusals.py
    seed: int = 0
    latency: float = 0.0
    slow: float = 10.0  # how long the fault `slow` takes unless it says otherwise
    search_lag: float = 3.0
    headers: bool = True  # False: none of the rate limit headers is sent
    burst_retry_after: bool = True  # a burst 429 names its wait in `retry-after` too
    firewall_after: int = 100  # 429 answers within a minute that bring the firewall down; 0 never
    firewall_seconds: float = 300.0

    company_id: int = 4711
    company_name: str = "Sandbox"
    company_domain: str = "sandbox"
    user_name: str = "Sandbox User"
    user_email: str = "user@sandbox.test"
    default_currency: str = "EUR"
    currencies: tuple[str, ...] = ("EUR", "USD", "GBP", "SEK", "CHF", "JPY", "BRL", "INR")
    timezone: str = "Etc/UTC"
    organization_details: bool = True  # website, linkedin, industry, annual_revenue, employee_count exist

    # How a deleted record is answered for by its id. `flag`: as if it lived, with is_deleted true. Pipedrive keeps it
    # for 30 days; that it shows it is likely, and what becomes of a change nobody has told.
    deleted_get: Literal["404", "410", "flag"] = "flag"
    deleted_patch: Literal["404", "410", "flag"] = "flag"
    dead_links: Literal["refuse", "take"] = "refuse"  # a link to a deleted person or organization
    merge_contacts: Literal["survivor", "union"] = "survivor"
    format_phones: bool = False
    strict_emails: bool = False  # an email without @, or without a dot behind it, is refused
    empty_custom_fields: Literal["clear", "ignore"] = "clear"  # what `custom_fields: {}` does to a record
    person_post_status: Literal[200, 201] = 200
    field_search: Literal["plain", "items"] = "plain"  # the two shapes the documentation gives itemSearch/field
    longest_term: int = 255
    tells_writable: bool = True  # lists of fields say which can be written; False: only a refusal does
    search_keeps_dead: bool = True  # searches find deleted organizations for ever, and others for a while
    dead_found_for: float = 600.0  # that while; then their place in a page stays empty

    _zones: tuple[tzinfo, tzinfo] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.plan not in PLANS:
            raise ValueError(f"there is no plan {self.plan!r}; there are {', '.join(PLANS)}")
        if self.seats < 1:
            raise ValueError(f"seats must be at least 1, not {self.seats}")
        if self.default_currency not in self.currencies:
            raise ValueError(f"default_currency {self.default_currency!r} is not among the currencies")
        object.__setattr__(self, "_zones", (_zone(self.reset_timezone), _zone(self.timezone)))

    @property
    def reset_zone(self) -> tzinfo:
        return self._zones[0]

    @property
    def user_zone(self) -> tzinfo:
        return self._zones[1]

    @property
    def day_budget(self) -> int:
        """Tokens per day: 30,000 times the plan's factor times seats, unless given."""
        if self.daily_tokens is not None:
            return self.daily_tokens
        return 30_000 * PLANS[self.plan][0] * self.seats

    def burst_limit(self, *, oauth: bool) -> int:
        """Requests that a rolling window of two seconds holds."""
        return PLANS[self.plan][2 if oauth else 1]

    @property
    def custom_field_limit(self) -> int:
        return PLANS[self.plan][3]


def _zone(name: str) -> tzinfo:
    if name in {"UTC", "Etc/UTC"}:
        return UTC  # known without a time zone database, which not every system has
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error
