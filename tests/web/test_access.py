"""Every address x method x person, against a table that people read: access.txt. An address missing from it fails.

Objects belong to kim, a member of team A: `kim` shows what is one's own, `peer` and `lead` what is the team's,
`foreign` (the lead of team B), `quality`, `finance`, `admin` and `auditor` what is a stranger's, `nobody` has not logged in.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connections, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from tests.web.conftest import House, book, make_cases_once, signed_claim
from wellserved.actions import live_sources, practices, sharing
from wellserved.actions.live_sources import LiveSource
from wellserved.actions.uploads import advance, keep_upload
from wellserved.storage.workspace import Workspace
from wellserved.store.access import PERMISSIONS
from wellserved.store.models import (
    Account,
    ApiKey,
    Claim,
    Customer,
    Hook,
    Invitation,
    Outgoing,
    Person,
    Role,
    Shared,
    Unsubscription,
    token_digest,
)
from wellserved.store.plan_models import Contract, Objective, SavedCase
from wellserved.web.access_middleware import OPEN

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
TABLE = Path(__file__).with_name("access.txt")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
API = "api/v1/"
ASKED_NOW = [""]  # the name of the address that is asked


def routes(patterns: list[URLPattern | URLResolver] | None = None, before: str = "") -> Iterator[tuple[str, str]]:
    """Every address of the product as (name, pattern)."""
    for one in patterns if patterns is not None else get_resolver().url_patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, path)
        else:
            yield one.name or path, path


def world(staff: House, place: Workspace) -> dict[str, str]:
    """Something of kim's behind every address: name -> address."""
    make_cases_once(place)
    entry = book(staff.kim).write({"word": "missed", "line": "missed: a private thing"})
    promise = book(staff.kim).write(
        {"word": "promise", "text": "a promise", "due": (timezone.now() + timedelta(days=2)).isoformat()}
    )
    shared = sharing.share(
        staff.kim, {"word": "missed", "text": "shared", "customer": "Acme", "people": ["kim"]}, timezone.now()
    )
    key = ApiKey.objects.create(owner=staff.kim, name="k", prefix="ws_", digest="x", scopes="", expires=timezone.now())
    other = Customer.objects.create(name="Acme Ltd", merged_into=Customer.objects.get(name="Acme"))
    hour = timezone.now() + timedelta(hours=1)
    Invitation.objects.create(
        digest=token_digest("token"), username="new", role=Role.member, by=staff.admin, expires=hour
    )
    Person.objects.filter(pk=staff.kim.pk).update(feed=token_digest("feed"))
    helper = shared.helpers.get()
    hook = Hook.objects.create(owner=staff.kim, sort="standard", secret="s")
    claim = signed_claim(staff.kim)
    Claim.objects.filter(pk=claim.pk).update(published="full", address="address-of-it")
    practice = practices.start_practice(staff.kim, "Ask first", "One asks", timezone.localdate() - timedelta(days=9))
    adoption = practices.take_up(staff.kim, practice, "peer", timezone.localdate())
    mail = Outgoing.objects.create(
        owner=staff.kim, period="2026-W01", address="boss@example.org", reader="boss@example.org", content=b""
    )
    Unsubscription.objects.create(digest=token_digest("stop"), owner=staff.kim, address="boss@example.org")
    book(staff.kim).keep_resume({"basics": {"name": "Kim"}})
    [sent] = keep_upload(place, "tickets.csv", [b"id,opened\n1,2026-01-09\n"], str(staff.lead.pk), timezone.now())
    advance(place, sent)
    live_sources.add_source(place, LiveSource("rt", "rt", "https://rt.example.org", "", title="Our desk"), "token")
    contract = Contract.objects.create(account=Account.objects.get(), starts=date(2026, 1, 1), ends=date(2026, 12, 31))
    objective = Objective.objects.create(name="Keep our word", since=date(2026, 1, 1))
    case = SavedCase.objects.create(
        owner=staff.kim, title="Wrong labels", inputs={}, currency="EUR",
        result={"base": 1, "median": 1, "low": 0, "high": 2, "loss_chance": 0.1, "payback_months": 3, "payback_reason": "", "parts": [], "tornado": []},
    )  # fmt: skip
    week = "{}-W{:02d}".format(*timezone.localdate().isocalendar()[:2])
    customer, account = Customer.objects.get(name="Acme").pk, Account.objects.get().pk
    id_, row = f"journal/{entry.id}", f"shared/{shared.id}"
    return {
        "entry": f"{id_}/", "erase": f"{id_}/erase", "go_on": f"{id_}/more", "join": f"{id_}/join", "share": f"{id_}/share", "settle": f"promises/journal/{promise.id}",
        "feed": "calendar/feed.ics", "shared": f"{row}/", "follow": f"{row}/follow", "withdraw": f"{row}/withdraw", "helped": f"helped/{helper.pk}",
        "customer": f"customers/{customer}/", "merge": f"customers/{customer}/merge", "part": f"customers/{other.pk}/part", "account": f"accounts/{account}/",
        "measure": "measures/asked/", "favourite_measure": "measures/asked/favourite", "cases": "measures/asked/cases", "case": "measures/asked/cases/synth/none", "improvement": "improvements/none/", "explore": "explore/queue/",
        "improvement_claim": "improvements/none/claim", "counted_claim": "claims/count/promises_kept", "claim_file": f"claims/{claim.pk}/file", "claim_address": f"claims/{claim.pk}/address", "public_claim": "c/address-of-it", "public_claim_file": "c/address-of-it/file", "withdraw_claim": f"claims/{claim.pk}/withdraw",
        "service_report": "reports/service/synth", "week": f"reports/{week}/", "week_as": f"reports/{week}/as/txt", "send_week": f"reports/{week}/send",
        "mail_deed": f"reports/mail/{mail.pk}", "job_journal": "reports/book?period=2026-11&form=txt", "journal_day": "journal/day/2026-11-20", "stop_mails": "u/stop", "resume_as": "resume/as/json",
        "practice": f"practices/{practice.pk}/", "practice_shares": f"practices/{practice.pk}/shares", "adoption_part": f"practices/adoptions/{adoption.pk}", "refusals": "data/none/refusals", "upload": f"data/files/{sent.id}/", "problem": "problems/p1/", "decide": "problems/p1/decide",
        "system": "data/systems/rt/", "contract": f"contracts/{contract.pk}/", "new_contract": f"accounts/{account}/contract", "objective": f"objectives/{objective.pk}/",
        "business_case": f"business-cases/{case.pk}/", "sponsor_sheet": f"business-cases/{case.pk}/sheet",
        "end_key": f"me/keys/{key.pk}/end", "end_hook": f"me/hooks/{hook.pk}/end", "person": f"people/{staff.peer.pk}/", "invitation": "invitation/token",
    }  # fmt: skip


FORMS = {
    "journal": {"line": "note: x", "do": "save"}, "entry": {"word": "note", "at": "2026-11-20T10:00", "text": "x"}, "settle": {"word": "kept"}, "protocol": {"text": "x"},
    "new_entry": {"word": "note", "at": "2026-11-20T10:00", "text": "x"}, "go_on": {"word": "note", "line": "x"}, "share": {"audience": "team"},
    "shared": {"audience": "team"}, "follow": {"word": "note"}, "customers": {"name": "New"}, "customer": {"name": "Acme"}, "accounts": {"name": "New"},
    "account": {"name": "Acme Group"}, "causes": {"name": "New"}, "unlock": {"passphrase": "wrong"}, "begin_anew": {"password": "wrong"}, "people": {"username": "new2", "role": "member"},
    "person": {"role": "member", "is_active": "on"}, "invitation": {"password": "correct horse battery"}, "new_hook": {"sort": "standard"},
    "say_why": {"reason": "the customer asked for it"}, "new_key": {"name": "k", "scopes": "measures:read", "days": "3"}, "helped": {"do": "confirm"}, "me": {"first_name": "K"},
    "practices": {"name": "New", "what": "x", "since": "2026-11-20"}, "practice": {"since": "2026-11-21"}, "practice_shares": {"do": "open"}, "adoption_part": {"do": "confirm"},
    "favourite_measure": {"do": "add"}, "prompt": {"do": "done"}, "pulse": {"value": "4"}, "contracts": {}, "contract": {"do": "forget"}, "new_contract": {"starts": "2026-01-01"}, "risk": {},
    "objectives": {"name": "New", "since": "2026-01-01"}, "objective": {"do": "forget"}, "new_business_case": {"title": "x"}, "business_case": {"came": "1", "came_from": "x"},
    "system": {"do": "ask"}, "mail_deed": {"do": "cancel"}, "upload": {"do": "preview"}, "decide": {"do": "close"}, "problem_cost": {"minutes": "9", "rate": "45 EUR"}, "mail_schedule": {"do": "stop"}, "claim_limits": {"claims_show": "ratios"},
}  # fmt: skip


def asked(client: Client, method: str, name: str, address: str) -> str:
    """What an address answers: its status, or `login`; what it did is undone."""
    answer, _content = answered(client, method, name, address)
    if answer.status_code == 302 and answer["Location"].startswith("/login/"):
        return "login"
    return str(answer.status_code)


def answered(client: Client, method: str, name: str, address: str) -> tuple[Any, bytes]:
    """What an address answers, and its whole content; what it did is undone."""
    ASKED_NOW[:] = [name]
    cache.clear()  # counts of attempts to log in
    cookies = deepcopy(client.cookies)
    marks = [(alias, transaction.savepoint(using=alias)) for alias in ("default", "journal")]
    try:
        given = FORMS.get(name, {}) if method == "POST" else None
        answer: Any = client.generic(method, address) if method != "POST" else client.post(address, given)
        return answer, b"".join(answer.streaming_content) if answer.streaming else answer.content
    finally:
        client.cookies = cookies
        for alias, mark in marks:
            transaction.savepoint_rollback(mark, using=alias)


def measured(staff: House, as_: As, place: Workspace) -> str:
    """The table as the product answers now."""
    known = world(staff, place)
    people = {**dict(staff), "nobody": None}
    clients = {name: Client() if person is None else as_(person) for name, person in people.items()}
    lines = [f"{'address':<28}{'method':<8}" + "".join(f"{name:<9}" for name in people)]
    for name, pattern in routes():
        if pattern.startswith(API) and "openapi" not in pattern:
            continue  # asks for a key: tests/web/test_api.py
        address = "/" + known.get(name, pattern.replace("^", "").replace("$", "").replace("\\Z", ""))
        for method in METHODS[:2] if name.startswith(("account_", "mfa_")) else METHODS:
            if method not in METHODS[:2] and all(
                asked(clients[one], method, name, address) in ("404", "405") for one in ("lead", "finance", "admin")
            ):
                continue  # whoever may enter learns that there is no such method
            answers = [asked(client, method, name, address) for client in clients.values()]
            if set(answers) <= {"404"} or (method not in ("GET", "POST") and set(answers) <= {"404", "405", "login"}):
                continue
            lines.append(f"{name:<28}{method:<8}" + "".join(f"{one:<9}" for one in answers))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def test_who_may_see_and_do_what_is_as_the_table_says(staff: House, as_: As, place: Workspace) -> None:
    readers: set[str] = set()

    def note_pulse(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if re.search("journal_pulse(answer|count|block)", sql):
            readers.add(ASKED_NOW[0])
        return execute(sql, parameters, many, context)

    with connections["journal"].execute_wrapper(note_pulse):
        found = measured(staff, as_, place)
    assert readers == {"pulse"}  # no other page knows of anybody's answer
    if os.environ.get("WELLSERVED_WRITE_ACCESS"):
        TABLE.write_text(found, encoding="utf-8")
    assert found == TABLE.read_text(encoding="utf-8")
    assert Session.objects.exists()


def test_every_address_says_what_it_is_for() -> None:
    named = set()
    for one in get_resolver().url_patterns:
        if isinstance(one, URLPattern):
            deed = getattr(one.callback, "required_permission", None)
            assert deed == OPEN or deed in PERMISSIONS, one.name
            named.add(one.name)
    table = {line.split()[0] for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]}
    assert named <= table


def test_ids_that_do_not_exist_answer_as_those_of_others(staff: House, as_: As) -> None:
    client, none = as_(staff.peer), uuid.uuid4()
    entry = book(staff.kim).write({"word": "note", "line": "kim's"})
    for path in (
        f"journal/{none}/",
        f"journal/{entry.id}/",
        f"shared/{none}/",
        "customers/999/",
        "accounts/999/",
        f"promises/shared/{none}",
    ):
        assert client.get(f"/{path}").status_code in (404, 405)
        assert client.post(f"/{path}", {"word": "kept"}).status_code == 404
    assert Shared.objects.count() == 0


def test_roles_and_teams_cannot_be_taken(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    forged = {
        "first_name": "K",
        "role": "admin",
        "team": "2",
        "is_staff": "on",
        "is_superuser": "on",
        "served_as": "person-lead",
        "pk": staff.admin.pk,
    }
    client.post("/me/", forged)
    staff.kim.refresh_from_db()
    assert (staff.kim.role, staff.kim.is_superuser, staff.kim.is_staff, staff.kim.served_as) == (
        "member",
        False,
        False,
        "person-kim",
    )
    assert client.post(f"/people/{staff.kim.pk}/", {"role": "admin", "is_active": "on"}).status_code == 404


def test_an_end_of_access_is_at_once(staff: House, as_: As) -> None:
    client = as_(staff.kim)
    assert client.get("/").status_code == 200
    as_(staff.admin).post(f"/people/{staff.kim.pk}/", {"role": "member"})
    assert client.get("/").status_code == 302
    assert as_(staff.admin).post(f"/people/{staff.admin.pk}/", {"role": "member", "is_active": "on"}).status_code == 422


def test_numbers_about_a_person_are_theirs_and_on_record_their_leads(staff: House, as_: As, place: Workspace) -> None:
    world(staff, place)
    mine = "/measures/asked/?where=person_id=person-kim"
    assert as_(staff.kim).get(mine).status_code == 200
    for person in (staff.peer, staff.foreign, staff.quality, staff.finance):
        assert as_(person).get(mine).status_code == 404
    assert as_(staff.kim).get("/measures/asked/?by=person_id").status_code == 422
    assert b"Nobody." in as_(staff.kim).get("/me/").content
    assert as_(staff.lead).get(mine).status_code == 200
    assert b"lead: measures" in as_(staff.kim).get("/me/").content


def test_an_invitation_works_once_for_three_days(staff: House, as_: As) -> None:
    shown = as_(staff.admin).post("/people/", {"username": "new", "role": "member", "team": "A"}).content.decode()
    address = "/invitation/" + shown.split("/invitation/")[1].split('"')[0].split("&")[0]
    client = Client()
    assert client.get(address).status_code == 200
    assert client.post(address, {"password": "short"}).status_code == 200
    assert client.post(address, {"password": "correct horse battery"}).status_code == 302
    assert client.get("/").status_code == 200
    assert Client().get(address).status_code == 422
    assert Client().post(address, {"password": "correct horse battery"}).status_code == 422
    later = as_(staff.admin).post("/people/", {"username": "late", "role": "member"}).content.decode()
    Invitation.objects.filter(username="late").update(expires=timezone.now())
    assert Client().get("/invitation/" + later.split("/invitation/")[1].split('"')[0]).status_code == 422
    for empty in ("None", "0", "%20"):
        assert Client().get(f"/invitation/{empty}").status_code == 422


def test_alone_is_for_this_computer_and_for_nobody_else_once_people_log_in(db: None) -> None:
    assert Client().get("/").status_code == 200
    assert Client(REMOTE_ADDR="192.0.2.7").get("/").status_code == 302
    assert Client(headers={"X-Forwarded-For": "192.0.2.7"}).get("/").status_code == 302
    Person.objects.filter(role=Role.alone).update(role=Role.admin)
    assert Client().get("/").status_code == 302
