"""Accounts and contracts by other programs: what is sent, what is read, and who may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.web.conftest import House
from tests.web.test_api import key, sent
from wellserved.store.models import Account
from wellserved.store.plan_models import Contract, ContractDeed

pytestmark = pytest.mark.django_db(databases=["default", "journal"])


def _contract(**facts: str) -> dict[str, str]:
    today = timezone.localdate()
    days = {"starts": (today - timedelta(days=200)).isoformat(), "ends": (today + timedelta(days=164)).isoformat()}
    return {"account": "Acme Group", **days, "reference": "C-1", **facts}


def test_contracts_are_new_changed_as_before_or_refused_by_their_place(staff: House) -> None:
    client = key(staff.finance)
    first = sent(client, "contracts", {"contracts": [
        _contract(value_year="90000.5", currency="EUR", notice="3 months"), _contract(account="Globex", starts="31.01.2026", ends=""), _contract(starts="soon"),
    ]})  # fmt: skip
    assert first.status_code == 201
    answer: dict[str, Any] = first.json()
    assert (answer["new"], answer["new_accounts"]) == (2, ["Globex"])
    assert answer["refused"] == [{"row": 3, "reason": "starts is 'soon', no day such as 2026-12-31 or 31.12.2026"}]
    assert Contract.objects.get(account__name="Globex").starts.isoformat() == "2026-01-31"
    again = sent(
        client,
        "contracts",
        {"contracts": [_contract(), _contract(notice="90 days", outcome="notice given", outcome_on="2026-11-01")]},
    )
    assert {name: again.json()[name] for name in ("new", "changed", "same")} == {"new": 0, "changed": [2], "same": 1}
    contract = Contract.objects.get(reference="C-1", account__name="Acme Group")
    assert (float(contract.value_year or 0), contract.notice_value, contract.notice_unit) == (90_000.5, 90, "day")
    assert ContractDeed.objects.get(contract=contract).deed == "notice_given"


def test_blanks_make_no_second_contract_and_long_or_unclear_cells_refuse_their_row_alone(staff: House) -> None:
    client = key(staff.finance)
    rows: list[dict[str, object]] = [
        dict(_contract(value_year="1000", currency="EUR")), dict(_contract(reference=" C-1 ", account="Acme  Group ")),
        {**_contract(reference="C-2"), "value_year": 2500.5, "currency": "EUR", "renews_itself": True, "exit_clause": "x" * 300},
        dict(_contract(reference="C-3", value_year="120.000", currency="EUR")), dict(_contract(reference="C-" + "9" * 300)),
        dict(_contract(reference="C-4", starts="2026-02-0199")),
    ]  # fmt: skip
    answer = sent(client, "contracts", {"contracts": rows}).json()
    assert (answer["new"], answer["same"], [one["row"] for one in answer["refused"]]) == (2, 1, [4, 5, 6])
    assert "can be read in two ways" in answer["refused"][0]["reason"]
    second = Contract.objects.get(reference="C-2")
    assert (float(second.value_year or 0), second.renews_itself) == (2500.5, True)


def test_a_request_that_is_sent_twice_is_done_once(staff: House) -> None:
    client, request = key(staff.finance), {"contracts": [_contract()]}
    answers = [sent(client, "contracts", request, **{"Idempotency-Key": "a"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["new"] == 1
    assert sent(client, "contracts", {"contracts": []}).status_code == 422
    assert sent(client, "contracts", {"contracts": [{**_contract(), "owner": "me"}]}).status_code == 422


def test_finance_reads_figures_a_lead_spans_of_the_own_accounts_others_nothing(staff: House) -> None:
    Account.objects.create(name="Globex", revenue_year=5_000, currency="USD", expected_years=2)
    sent(key(staff.finance), "contracts", {"contracts": [_contract()]})
    rows = {row["account"]: row for row in key(staff.finance).get("/api/v1/accounts").json()}
    assert (rows["Acme Group"]["revenue_year"], rows["Acme Group"]["currency"]) == (120_000.0, "EUR")
    assert rows["Globex"]["worth"] == pytest.approx(5_000 + 5_000 / 1.1)
    (own,) = key(staff.lead).get("/api/v1/accounts").json()
    assert (own["account"], own["revenue_year"], own["currency"]) == ("Acme Group", "50,000 to 250,000 EUR", "")
    assert key(staff.foreign).get("/api/v1/accounts").json() == []
    for person in (staff.kim, staff.quality, staff.admin, staff.auditor):
        assert key(person).get("/api/v1/accounts").status_code == 403, person.username
    for person in (staff.lead, staff.kim):
        assert sent(key(person), "contracts", {"contracts": [_contract()]}).status_code == 403, person.username
    assert key(staff.finance, "measures:read").get("/api/v1/accounts").status_code == 403
