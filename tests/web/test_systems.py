"""Systems that are asked, set up in the browser: the token never comes back, and goes to the address that it was given for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from tests.live.fake_rt import TOKEN, FakeTracker, serving
from tests.web.conftest import House
from wellserved.actions import live_sources
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Event, Person

pytestmark = pytest.mark.django_db(databases=["default", "journal"])
As = Callable[[Person], Client]


@pytest.fixture(autouse=True)
def _no_systems(place: Workspace) -> Iterator[None]:
    """The house of the tests has none before, and keeps none."""
    shutil.rmtree(place.folder / live_sources.LIVE_FOLDER, ignore_errors=True)
    yield
    shutil.rmtree(place.folder / live_sources.LIVE_FOLDER, ignore_errors=True)


FORM = {
    "url": "https://rt.example.org/",
    "token": "1-23-secret",
    "name": "desk",
    "title": "Our desk",
    "minutes": "5",
    "user": "",
}


def test_a_system_is_set_up_asked_and_ended(staff: House, as_: As, place: Workspace) -> None:
    client = as_(staff.quality)
    page = client.get("/data/systems/").content.decode()
    assert 'type="password"' in page
    answer = client.post("/data/systems/", FORM, follow=True)
    assert "Our desk" in answer.content.decode()
    [source] = live_sources.live_sources(place)
    assert (source.name, source.url, source.minutes, source.is_due) == ("desk", "https://rt.example.org", 5, True)
    page = client.get("/data/systems/desk/").content.decode()
    assert "1-23" not in page
    assert source.token not in page
    client.post("/data/systems/desk/", FORM | {"token": "", "title": "The desk", "minutes": "30", "name": "other"})
    [changed] = live_sources.live_sources(place)
    assert (changed.name, changed.title, changed.minutes) == ("desk", "The desk", 30)
    assert live_sources._open_token(place, changed) == "1-23-secret"
    answer = client.post("/data/systems/desk/", {"do": "remove"}, follow=True)
    assert "asked no more" in answer.content.decode()
    assert live_sources.live_sources(place) == []
    assert [event.deed for event in Event.objects.order_by("at")] == [
        "added a system",
        "changed a system",
        "ended a system",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "https://elsewhere.example.org", "token": ""}, "There is no token for this address and user"),
        ({"user": "root", "token": ""}, "There is no token for this address and user"),
        ({"url": "http://rt.example.org"}, "does not begin with https://"),
        ({"url": "http://127.0.0.1:8391"}, "does not begin with https://"),
        ({"minutes": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_token_goes_nowhere_else(change: dict[str, str], words: str, staff: House, as_: As, place: Workspace) -> None:
    client = as_(staff.quality)
    client.post("/data/systems/", FORM)
    [before] = live_sources.live_sources(place)
    answer = client.post("/data/systems/desk/", FORM | change)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert live_sources.live_sources(place) == [before]


def test_a_name_that_is_none_is_said(staff: House, as_: As, place: Workspace) -> None:
    answer = as_(staff.quality).post("/data/systems/", FORM | {"name": "../x"})
    assert "is no name for a source" in answer.content.decode()
    assert live_sources.live_sources(place) == []


def test_who_may_import_sees_systems_and_who_set_them_up_may_change_them(
    staff: House, as_: As, place: Workspace
) -> None:
    as_(staff.quality).post("/data/systems/", FORM)
    lead, quality = as_(staff.lead).get("/data/").content.decode(), as_(staff.quality).get("/data/").content.decode()
    assert "Our desk" in lead
    assert "/data/systems/" not in lead
    assert "/data/systems/desk/" in quality
    assert as_(staff.lead).post("/data/systems/desk/", {"do": "remove"}).status_code == 404


def test_what_was_told_or_went_wrong_is_said_on_the_page(staff: House, as_: As, place: Workspace) -> None:
    tracker = FakeTracker()
    with serving(tracker) as url:
        live_sources.add_source(place, live_sources.LiveSource("desk", "rt", url, "", minutes=9999), TOKEN)
        live_sources.ask_soon(place, "desk")
        assert "is asked now" in as_(staff.quality).get("/data/").content.decode()
        assert live_sources.sync_due(place) == 1
        assert live_sources.sync_due(place) == 0
        assert "transactions of" in as_(staff.quality).get("/data/").content.decode()
