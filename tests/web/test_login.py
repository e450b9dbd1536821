"""Signing in: with a password, with a second factor, not too often, and nobody signs up by themselves."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from tests.web.conftest import House
from wellserved.actions import membership
from wellserved.errors import RequestError
from wellserved.web import settings as shipped

pytestmark = pytest.mark.django_db(databases=["default", "journal"])
RIGHT = "correct horse battery"


def code_of(secret: str) -> str:
    """The six digits of now (RFC 6238, 4)."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    place = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[place : place + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def signed_in(name: str, password: str = RIGHT) -> Client:
    """A browser after the login form."""
    client = Client()
    client.post("/login/login/", {"login": name, "password": password})
    return client


def test_a_password_lets_in_and_another_does_not(staff: House) -> None:
    cache.clear()
    assert signed_in("kim").get("/").status_code == 200
    assert signed_in("kim", "another horse battery").get("/").status_code == 302
    shown = Client().get("/login/login/").content.decode()
    assert "password/reset" not in shown
    assert "signup" not in shown


def test_a_name_that_can_be_no_login_is_said_to_be_none(staff: House) -> None:
    with pytest.raises(RequestError, match=r"'Kim Müller' cannot be a login: .* without blanks"):
        membership.add_person("Kim Müller", "member", "", RIGHT)


def test_nobody_signs_up_or_has_a_password_mailed(staff: House) -> None:
    for path in ("signup/", "password/reset/", "email/", "login/code/confirm/"):
        assert Client().get(f"/login/{path}").status_code == 404
        assert Client().post(f"/login/{path}", {"email": "a@b.c", "username": "x"}).status_code == 404


def test_guessing_is_slowed_down(staff: House) -> None:
    cache.clear()
    for _ in range(12):
        guessing = signed_in("kim", "a wrong password")
    assert guessing.get("/").status_code == 302
    assert signed_in("kim").get("/").status_code == 302
    cache.clear()
    assert signed_in("kim").get("/").status_code == 200


def test_a_second_factor_is_set_up_and_asked_for(staff: House) -> None:
    cache.clear()
    client = signed_in("kim")
    assert "/login/reauthenticate/" in client.get("/login/2fa/totp/activate/")["Location"]
    client.post("/login/reauthenticate/", {"password": RIGHT})
    page = client.get("/login/2fa/totp/activate/").content.decode()
    assert "data:image/svg+xml" in page or "<svg" in page
    secret = re.search(r'value="([A-Z2-7]{32})"', page) or re.search(r"\b([A-Z2-7]{32})\b", page)
    assert secret
    assert client.post("/login/2fa/totp/activate/", {"code": "000000"}).status_code == 200
    assert client.post("/login/2fa/totp/activate/", {"code": code_of(secret[1])}).status_code == 302
    again = signed_in("kim")
    assert again.get("/").status_code == 302
    assert again.get("/login/2fa/authenticate/").status_code == 200
    cache.clear()  # a code counts once
    again.post("/login/2fa/authenticate/", {"code": code_of(secret[1])})
    assert again.get("/").status_code == 200


@pytest.mark.parametrize(("name", "idle", "lasts"), [("kim", 14 * 24, 30 * 24), ("admin", 12, 7 * 24)])
def test_a_session_ends_when_it_is_idle_and_when_it_is_old(staff: House, name: str, idle: int, lasts: int) -> None:
    """Hours until it ends; shorter for whoever gives access."""
    cache.clear()

    def later(client: Client, began: float, seen: float) -> int:
        held, now = client.session, time.time()
        held["began"], held["seen"] = now - began * 3600, now - seen * 3600
        held.save()
        return client.get("/").status_code

    client = signed_in(name)
    assert later(client, idle - 0.1, idle - 0.1) == 200
    assert client.session["seen"] > time.time() - 60  # it was used
    assert later(client, idle + 0.1, idle + 0.1) == 302
    assert not client.session.get("_auth_user_id")
    client = signed_in(name)
    assert later(client, lasts - 0.1, 0) == 200
    assert later(client, lasts + 0.1, 0) == 302
    assert client.get("/journal/").status_code == 302


def test_a_session_is_not_written_with_every_page(staff: House) -> None:
    cache.clear()
    client = signed_in("kim")
    before = client.session["seen"]
    client.get("/promises/")
    assert client.session["seen"] == before


def test_hours_of_sessions_are_settings_and_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (timedelta(days=14), timedelta(days=30)) == (shipped.IDLE, shipped.LASTS)
    assert (timedelta(hours=12), timedelta(days=7)) == (shipped.IDLE_ADMINISTRATORS, shipped.LASTS_ADMINISTRATORS)
    monkeypatch.setenv("WELLSERVED_IDLE_HOURS", "3")
    assert shipped._hours("WELLSERVED_IDLE_HOURS", 336) == timedelta(hours=3)
    for wrong in ("0", "-1", "x", "9999", "1.5"):
        monkeypatch.setenv("WELLSERVED_IDLE_HOURS", wrong)
        with pytest.raises(RequestError, match="WELLSERVED_IDLE_HOURS"):
            shipped._hours("WELLSERVED_IDLE_HOURS", 336)
