"""How far a kind has been listed, and since when what is known of its records is true."""

from __future__ import annotations

from pipedrive_cli.delivery.listing import Listing, Progress
from pipedrive_cli.pipedrive.answer import Answer

DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


def test_a_page_that_was_asked_for_before_a_write_does_not_age_what_its_answer_showed() -> None:
    """Else a second such page could bring back the values of before the write."""
    progress = Progress("persons", Listing())
    progress.note_read([7], 20.0)
    progress.note_read([7, 8], 10.0)
    assert (progress.shown_at(7), progress.shown_at(8)) == (20.0, 10.0)


def test_a_list_of_what_has_changed_shows_nobody_whom_it_does_not_name() -> None:
    """What is known of the others is true of now, should they be there still."""
    progress = Progress("persons", Listing(complete=True), fresh_at=5.0)
    assert progress.true_at(7) == 5.0
    assert progress.shown_at(7) is None
    assert progress.unread(found=[7], named=[8]) == [8]
    assert progress.unread(found=[7], named=[7]) == [7]


def test_what_is_asked_for_while_a_page_is_under_way_pays_for_the_next_one() -> None:
    """Else a listing would end too early, and its keys be looked up one by one at a higher price."""
    progress = Progress("persons", Listing())
    progress.credit(10, 0.0)
    first = progress.listing_after(
        Answer(200, {"date": DATE}, {"data": [], "additional_data": {"next_cursor": "second"}}), "second"
    )
    progress.credit(10, 1.0)
    progress.note_page(first, [], 0.0)
    assert progress.worth_a_page()
