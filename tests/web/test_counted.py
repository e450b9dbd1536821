"""Counts of what a person shared: by rule, over whole months, and turned by whatever changes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.claim.independent_verifier import verify
from tests.web.conftest import House
from wellserved.actions import claim_exports, claims, sharing
from wellserved.actions.counted_claims import draft_count
from wellserved.claim.check import check_claim
from wellserved.claim.file import VARIANTS, open_claim
from wellserved.errors import ClaimRefusedError, UnknownNameError
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Claim, Person, Shared

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


def months_ago(count: int, day: int = 10) -> datetime:
    """Noon of a day, so many months ago."""
    local = timezone.localtime()
    month = local.year * 12 + local.month - 1 - count
    return local.replace(year=month // 12, month=month % 12 + 1, day=day, hour=12, minute=0, second=0, microsecond=0)


def promise(author: Person, back: int, ending: str = "kept", late: bool = False) -> Shared:
    """A shared promise that fell due so many months ago, and how it ended."""
    due = months_ago(back)
    facts = {"word": "promise", "text": "the draft", "due": due.isoformat()}
    head = sharing.share(author, facts, due - timedelta(days=3))
    if ending:
        after = due + timedelta(days=1) if late else due - timedelta(hours=2)
        sharing.share(author, {"word": ending, "text": "x"}, after, thread=head.thread)
    return head


def twelve_promises(author: Person) -> list[Shared]:
    """Nine kept in time, one late, one broken, one forgotten."""
    heads = [promise(author, 1 + index % 3) for index in range(9)]
    return [*heads, promise(author, 2, late=True), promise(author, 2, "broken"), promise(author, 1, "")]


def test_promises_are_counted_by_the_month_in_which_they_fell_due(staff: House, place: Workspace) -> None:
    twelve_promises(staff.kim)
    promise(staff.kim, 0)  # of this month, which is not over
    promise(staff.kim, 14)  # of longer than a year ago
    promise(staff.peer, 1)  # somebody else's
    sharing.share(staff.kim, {"word": "promise", "text": "some day"}, months_ago(1))  # no due time
    put_off = promise(staff.kim, 2, "")
    later = {"word": "renegotiated", "text": "later", "due": months_ago(1, 20).isoformat()}
    sharing.share(staff.kim, later, months_ago(2, 15), thread=put_off.thread)  # five days after it was due
    sharing.share(staff.kim, {"word": "kept", "text": "x"}, months_ago(1, 18), thread=put_off.thread)
    draft = draft_count(place, staff.kim, "promises_kept")
    first, last = months_ago(3), months_ago(1)
    assert draft.sentences["full"] == f"Kept 9 of 13 promises in time that fell due from {first:%B %Y} to {last:%B %Y}."
    assert draft.sentences["ratio"].startswith("Kept 69% of the promises in time")
    assert draft.grade == "counted"


def test_fewer_than_ten_are_no_claim_and_nobody_chooses_the_months(staff: House, place: Workspace) -> None:
    for _index in range(9):
        promise(staff.kim, 1)
    with pytest.raises(ClaimRefusedError, match="There are 9 of them"):
        draft_count(place, staff.kim, "promises_kept")
    with pytest.raises(UnknownNameError):
        draft_count(place, staff.kim, "smiles")


def test_a_count_is_signed_checked_and_turned_by_what_changes_it(staff: House, as_: As, place: Workspace) -> None:
    heads = twelve_promises(staff.kim)
    client = as_(staff.kim)
    page = client.get("/claims/count/promises_kept").content.decode()
    assert "Kept 9 of 12 promises" in page
    sentence = page.split('name="sentence" value="')[1].split('"')[0]
    assert client.post("/claims/count/promises_kept", {"sentence": sentence}).status_code == 302
    claim = Claim.objects.get()
    raw = claim_exports.export_claim(place, staff.kim, claim.id, "full")
    assert open_claim(raw).shown["count"] == {"done": 9, "of": 12}
    assert open_claim(raw).shown["person"]["name"] == "kim"
    evidence = claim_exports.export_evidence(place, staff.kim, claim.id)
    check = check_claim(raw, evidence=evidence)
    assert check.exit_code == 1
    assert "give the count" in check.evidence_words
    assert check_claim(raw, evidence=evidence.replace(b'"v":1', b'"v":0', 1)).exit_code == 2
    assert verify(raw, evidence)["id"] == claim.id
    for variant in VARIANTS:
        if variant != "ratio_without_service":
            assert (
                "count" in open_claim(claim_exports.export_claim(place, staff.kim, claim.id, variant)).shown
                or variant == "ratio"
            )
    promise(staff.kim, 1)  # shared later, of that time: it belongs to the count
    assert claims.list_claims(place, staff.kim)[0].state == "stale"
    again = draft_count(place, staff.kim, "promises_kept")
    new = claims.issue_claim(place, staff.kim, again)
    claim.refresh_from_db()
    assert (claim.state, new.state) == ("superseded", "current")
    sharing.withdraw_copy(heads[0])
    assert claims.list_claims(place, staff.kim)[0].reason == "what it counts was changed or withdrawn"


def test_failures_made_right_are_counted_and_time_alone_changes_nothing(staff: House, place: Workspace) -> None:
    for index in range(10):
        head = sharing.share(staff.kim, {"word": "missed", "text": "late"}, months_ago(1 + index % 2))
        if index:
            sharing.share(
                staff.kim, {"word": "recovered", "text": "done"}, head.at + timedelta(hours=5), thread=head.thread
            )
    draft = draft_count(place, staff.kim, "failures_made_right")
    assert draft.sentences["full"].startswith("Made right 9 of 10 failures that came up from")
    claims.issue_claim(place, staff.kim, draft)
    sharing.share(staff.kim, {"word": "missed", "text": "of today"}, timezone.now())
    assert claims.list_claims(place, staff.kim)[0].state == "current"
