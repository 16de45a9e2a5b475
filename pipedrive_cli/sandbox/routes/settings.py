"""Who is asking, and what the company counts in: users and currencies (v1)."""

from __future__ import annotations

from pipedrive_cli.sandbox.account import COLLEAGUE, ME, Account
from pipedrive_cli.sandbox.endpoint import Call, Endpoint, Reply
from pipedrive_cli.sandbox.wire import JsonObject, v1_refusal

_APPS = ("global", "sales", "account_settings")


def _user(account: Account, number: int) -> JsonObject:
    options = account.options
    me = number == ME
    admin = options.admin if me else False
    local = account.clock.now().astimezone(options.user_zone).strftime("%z")
    return {
        "id": number,
        "name": options.user_name if me else "Another User",
        "default_currency": options.default_currency,
        "locale": "en_US",
        "lang": 1,
        "email": options.user_email if me else _email(number),
        "phone": None,
        "activated": True,
        "last_login": "2026-01-01 08:00:00",
        "created": "2025-01-01 08:00:00",
        "modified": "2026-01-01 08:00:00",
        "has_created_company": me,
        "access": [{"app": app, "admin": admin, "permission_set_id": f"{app}-set"} for app in _APPS],
        "active_flag": True,
        "timezone_name": options.timezone,
        "timezone_offset": f"{local[:3]}:{local[3:]}",
        "role_id": 1,
        "icon_url": None,
        "is_you": me,
        "is_deleted": False,
        "is_admin": 1 if admin else 0,
    }


def _email(number: int) -> str:
    return "another@sandbox.test" if number == COLLEAGUE else f"user-{number}@sandbox.test"


def _me(call: Call) -> Reply:
    options = call.account.options
    company = {
        "company_id": options.company_id,
        "company_name": options.company_name,
        "company_domain": options.company_domain,
        "company_country": "EE",
        "company_industry": None,
        "language": {"language_code": "en", "country_code": "US"},
    }
    return Reply({**_user(call.account, ME), **company})


def _users(call: Call) -> Reply:
    return Reply([_user(call.account, number) for number in call.account.users])


def _one_user(call: Call) -> Reply:
    text = call.path["id"]
    if text not in {str(number) for number in call.account.users}:
        raise v1_refusal(404, "User not found", "Object was not found.")
    return Reply(_user(call.account, int(text)))


def _currencies(call: Call) -> Reply:
    term = call.query.get("term", "").casefold()
    rows = call.account.currencies
    return Reply([row for row in rows if term in row["code"].casefold() or term in row["name"].casefold()])


ENDPOINTS = (
    Endpoint("GET", 1, "/users/me", 2, _me),
    Endpoint("GET", 1, "/users", 20, _users),
    Endpoint("GET", 1, "/users/{id}", 2, _one_user),
    Endpoint("GET", 1, "/currencies", 20, _currencies, frozenset({"term"})),
)
