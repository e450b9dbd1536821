"""Every string of the pages can be translated: with each one marked, nothing unmarked is left but what people wrote."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from tests.web.conftest import House
from tests.web.test_access import As, world
from wellserved.measure import MEASURES
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Person
from wellserved.web import forms, translations

pytestmark = pytest.mark.django_db(databases=["default", "journal"])
PAGES = ("", "journal/", "journal/month", "journal_day", "journal/new", "protocol", "promises/", "failures/", "causes/", "customers/", "customers/file", "accounts/", "measures/",
         "improvements/", "reports/", "data/", "data/systems/", "system", "me/", "people/", "audit/", "nowhere", "entry", "share", "shared", "customer", "account", "week", "person",
         "contracts/", "contract", "prompt", "pulse/", "me/days", "objectives/", "objective", "business-cases/", "business-cases/new", "business_case", "house/", "accounts/risk")  # fmt: skip
WRITTEN = (
    "missed: a private thing", "a promise", "shared", "Acme Group", "Acme Ltd", "Acme", "Northwind", "Europe/Berlin", "wellserved", "EUR",
    "Standard Webhooks", "Chatwoot", "tickets.csv", "txt", "html", "pdf", "eml", "account ", "Keep our word", "Wrong labels",
    "Our desk", "https://rt.example.org", "Back Office", "Billing", "Intake East", "Intake North", "Intake South", "Network", "Repairs", "Shipping",
)  # fmt: skip


class Seen(HTMLParser):
    """What a person reads of a page, or hears read."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Labels that are no text; what stands in pictures is drawn by `render`, in English."""
        self._hidden += tag in ("script", "style", "textarea", "code", "svg")
        self.texts += [value for name, value in attrs if name in ("placeholder", "aria-label", "title") and value]

    def handle_endtag(self, tag: str) -> None:
        """What ends."""
        self._hidden -= tag in ("script", "style", "textarea", "code", "svg")

    def handle_data(self, data: str) -> None:
        """Text."""
        if not self._hidden:
            self.texts.append(data)


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A language in which every sentence is the English one between brackets."""
    forms._empty_form.cache_clear()
    language = translation._trans  # type: ignore[attr-defined]
    monkeypatch.setattr(language, "gettext", lambda text: f"⟦{text}⟧" if text.strip() else text)
    monkeypatch.setattr(language, "ngettext", lambda one, many, n: f"⟦{one if n == 1 else many}⟧")
    monkeypatch.setattr(language, "pgettext", lambda _context, text: f"⟦{text}⟧")
    yield
    forms._empty_form.cache_clear()


def unmarked(page: str, people: list[str]) -> set[str]:
    """What of a page's text is neither marked nor somebody's own word."""
    reader, found = Seen(), set()
    reader.feed(page)
    known = sorted((*WRITTEN, *people, *(one.name for one in MEASURES)), key=len, reverse=True)
    for text in reader.texts:
        rest = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-W\d\d|\w+:(?:read|write)|ws_", "", text)
        for _depth in range(3):  # a translated sentence may hold translated names
            rest = re.sub(r"⟦[^⟦⟧]*⟧", "", rest)
        for word in known:
            rest = rest.replace(word, "")
        if re.search(r"[A-Za-z]{2}", rest):
            found.add(" ".join(text.split()))
    return found


def test_every_string_can_be_translated(staff: House, as_: As, place: Workspace, marked: None) -> None:
    shutil.rmtree(place.folder / "uploads", ignore_errors=True)  # what other tests sent has names of its own
    known = world(staff, place)
    people = [*Person.objects.values_list("username", flat=True), "new"]
    found: dict[str, set[str]] = {}
    for person in (staff.kim, staff.lead, staff.admin, staff.finance):
        browser = as_(person)
        for name in PAGES:
            answer = browser.get(f"/{known.get(name, name)}")
            if answer.status_code in (200, 404) and (left := unmarked(answer.content.decode(), people)):
                found[f"{person.username}: {name}"] = left
    assert found == {}


def test_what_the_pages_name_stands_where_translators_look() -> None:
    named = {"an expectation was missed", "overdue", "hand-overs a case", "days to resolution", "Volume and backlog"}
    assert named <= set(translations.NAMES)


def test_no_language_by_halves(client: Client, staff: House) -> None:
    """A browser that asks for another language than there is a catalogue of gets no mixture."""
    assert [code for code, _name in settings.LANGUAGES] == ["en"]
    page = client.get("/login/login/", headers={"Accept-Language": "de"}).content.decode()
    assert '<html lang="en">' in page
    assert "Passwort" not in page
