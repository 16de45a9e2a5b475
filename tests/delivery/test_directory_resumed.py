"""The directory over several runs and with emails: a listing is gone on with, and no look is paid for in advance."""

from __future__ import annotations

from pipedrive_cli import virtual_time
from pipedrive_cli.delivery.effects import Find, Refusal
from pipedrive_cli.delivery.journal import Journal
from pipedrive_cli.model import PipedriveCode
from pipedrive_cli.pipedrive.answer import Answer
from pipedrive_cli.pipedrive.catalog import Call

from .test_directory import Account, directory_of

MANY = [f"u{number}" for number in range(5_000)]  # ten pages


def test_the_next_run_lists_on_where_the_last_one_stopped() -> None:
    """No page is listed twice; the run that lists the last one asks for what has changed since the first."""
    account = Account(MANY)

    async def main() -> None:
        journal = Journal.open()
        for run in range(5):
            directory = directory_of(account, journal)
            wanted = [f"new-{run}"]
            await directory.prepare("persons", wanted)
            assert await directory.locate(Find("persons", key=wanted[0])) == ()
        pages = [call.query.get("cursor") for call in account.calls if _is_page(call)]
        assert pages == [None, *(str(500 * page) for page in range(1, 10))]
        changed = [call for call in account.calls if "updated_since" in call.query]
        assert len(changed) == 1
        again = directory_of(account, journal)
        assert await again.locate(Find("persons", key="u4999")) == (5_000,)
        assert await again.locate(Find("persons", key="nobody")) == ()
        assert len([call for call in account.calls if "updated_since" in call.query]) == 2
        journal.close()

    virtual_time.run(main())


def test_a_place_that_pipedrive_has_forgotten_is_where_the_listing_begins_anew() -> None:
    """A cursor of an earlier run may be refused: then the first page is asked for again, and nobody is missed."""
    account = Account(MANY[:1_200])

    async def main() -> None:
        journal = Journal.open()
        await directory_of(account, journal).prepare("persons", ["new"])
        real = account.send

        async def forgetful(call: Call) -> Answer:
            if call.query.get("cursor") == "1000" and not any(_is_page(past) for past in account.calls):
                account.calls.append(call)
                raise Refusal(PipedriveCode("http_400"), "Invalid cursor")
            return await real(call)

        account.calls.clear()
        account.send = forgetful  # type: ignore[method-assign]  # it answers as before, but for one cursor
        directory = directory_of(account, journal)
        await directory.prepare("persons", [f"x{number}" for number in range(100)])
        assert [call.query.get("cursor") for call in account.calls if _is_page(call)] == ["1000", None, "500", "1000"]
        assert await directory.locate(Find("persons", key="u1199")) == (1_200,)
        journal.close()

    virtual_time.run(main())


def test_emails_are_paid_for_only_when_they_are_asked_for() -> None:
    """Persons found by key need no look by email; those that do may be listed for instead, at the same price."""
    account = Account(MANY)

    async def main() -> None:
        journal = Journal.open()
        directory = directory_of(account, journal)
        await directory.prepare("persons", ["u4000"])
        assert await directory.locate(Find("persons", key="u4000")) == (4_001,)
        assert account.tokens == 2 * 10 + 20 + 1
        for number in range(9):
            assert await directory.locate(Find("persons", email=f"nobody{number}@x.test")) == ()
        assert account.tokens <= 2 * (10 * 10 + 20 + 1) + 20
        assert [call for call in account.calls if call.endpoint.search][-1] is not account.calls[-1]
        journal.close()

    virtual_time.run(main())


def _is_page(call: Call) -> bool:
    return call.id is None and not call.endpoint.search and "updated_since" not in call.query
