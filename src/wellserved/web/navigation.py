"""What every page has around it: the ways to the others in groups, the search, the zone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_noop

from wellserved.capture import MAX_ENTRY_LETTERS
from wellserved.store.access import AccessScope, has_permission


@dataclass(frozen=True)
class NavigationPage:
    """A page that is always one step away."""

    name: str  # of its address and its icon
    title: str
    permission: str
    group: str


PAGES: Final = (
    NavigationPage("today", gettext_noop("Today"), "own", gettext_noop("Me")),
    NavigationPage("journal", gettext_noop("Journal"), "own", "Me"),
    NavigationPage("promises", gettext_noop("Promises"), "own", "Me"),
    NavigationPage("reports", gettext_noop("Reports"), "own", "Me"),
    NavigationPage("claims", gettext_noop("Claims"), "own", "Me"),
    NavigationPage("resume", gettext_noop("Résumé"), "own", "Me"),
    NavigationPage("pulse", gettext_noop("Pulse"), "own", "Me"),
    NavigationPage("failures", gettext_noop("Failures"), "own", gettext_noop("My team")),
    NavigationPage("measures", gettext_noop("Measures"), "read_measures", "My team"),
    NavigationPage("problems", gettext_noop("Problems"), "read_measures", "My team"),
    NavigationPage("improvements", gettext_noop("Improvements"), "read_measures", "My team"),
    NavigationPage("business_cases", gettext_noop("Business cases"), "own", "My team"),
    NavigationPage("practices", gettext_noop("Practices"), "read_measures", "My team"),
    NavigationPage("objectives", gettext_noop("Objectives"), "read_measures", "My team"),
    NavigationPage("house", gettext_noop("At a glance"), "read_measures", gettext_noop("The house")),
    NavigationPage("customers", gettext_noop("Customers"), "read_customers", "The house"),
    NavigationPage("accounts", gettext_noop("Accounts"), "read_accounts", "The house"),
    NavigationPage("data", gettext_noop("Data"), "change_data", "The house"),
    NavigationPage("people", gettext_noop("People"), "change_people", "The house"),
    NavigationPage("audit", gettext_noop("Audit"), "read_audit", "The house"),
    NavigationPage("me", gettext_noop("Settings"), "own", "The house"),
)


def pages_of(scope: AccessScope) -> list[NavigationPage]:
    """The pages that somebody may open."""
    return [page for page in PAGES if has_permission(scope.person, page.permission)]


def _page_around(path: str, pages: list[NavigationPage]) -> str:
    """The page that an address is, or belongs to: /journal/month to the journal; empty: to none."""
    addresses = {_address_of(page.name): page.name for page in pages}
    parents = [address for address in addresses if path.startswith(address) and (address != "/" or path == "/")]
    return addresses[max(parents, key=len)] if parents else ""


@lru_cache(maxsize=64)
def _address_of(name: str) -> str:
    return reverse(name)


def page_context(request: HttpRequest) -> dict[str, Any]:
    """What the frame of every page shows."""
    scope: AccessScope | None = getattr(request, "scope", None)
    pages = pages_of(scope) if scope else []
    here = _page_around(request.path, pages)
    return {
        "ways": [(group, list(members)) for group, members in groupby(pages, key=lambda page: page.group)],
        "here": here,
        "is_itself": bool(request.resolver_match and request.resolver_match.url_name == here),
        "zone": settings.TIME_ZONE,
        "scope": scope,
        "longest": MAX_ENTRY_LETTERS,
        "may_share": bool(scope and has_permission(scope.person, "share")),
    }
