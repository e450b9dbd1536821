"""No secret is logged: a server is asked with every kind of secret, well and badly, and all that it wrote is searched."""

from __future__ import annotations

import http.client
import logging
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.forked import Commands
from tests.web.conftest import House
from tests.web.test_house import Place, free_port
from wellserved.actions import membership
from wellserved.storage.workspace import create_workspace
from wellserved.web.log_redaction import RedactingFormatter

CANARY = "xylocarp0123456789xylocarp"


def test_a_server_writes_no_secret_into_its_logs(commands: Commands, tmp_path: Path) -> None:
    place = Place(create_workspace(tmp_path / "home", "UTC").folder, commands)
    port, logged = free_port(), tmp_path / "logged"
    command = [sys.executable, "-m", "wellserved", "serve", "--no-worker", "--port", str(port)]
    with logged.open("wb") as out:
        server = subprocess.Popen(command, env=place.env, stdout=out, stderr=out)
        try:
            for _ in range(1_200):
                try:
                    asked(port, "GET", "/livez")
                    break
                except OSError:
                    assert server.poll() is None, logged.read_text(encoding="utf-8")
                    time.sleep(0.1)
            answers = [asked(port, *one) for one in REQUESTS]
        finally:
            server.terminate()
            server.wait(60)
    text = logged.read_text(encoding="utf-8", errors="replace")
    assert CANARY not in text
    assert 404 in answers
    assert {403, 401} & set(answers)
    assert "/invitation/…" in text  # what was refused is logged, without its secret
    for file in place.home.rglob("*.log"):
        assert CANARY.encode() not in file.read_bytes()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
REQUESTS: list[tuple[str, str, str, dict[str, str]]] = [
    ("GET", f"/invitation/{CANARY}", "", {}),
    ("POST", f"/invitation/{CANARY}", f"password={CANARY}", FORM),  # without the form's own token: 403
    ("GET", f"/invitation/{CANARY}/more?x={'y' * 10}", "", {}),
    ("GET", f"/calendar/{CANARY}.ics", "", {}),
    ("DELETE", f"/calendar/{CANARY}.ics", "", {}),
    ("POST", "/login/login/", f"login=kim&password={CANARY}", FORM),
    ("POST", "/journal/unlock", f"passphrase={CANARY}", FORM),
    ("GET", "/api/v1/measures", "", {"Authorization": f"Bearer ws_{CANARY}"}),
    ("POST", "/api/v1/moments", f'{{"word": "{CANARY}"', {**JSON, "Authorization": f"Bearer ws_{CANARY}"}),
    ("POST", f"/api/v1/hooks/{CANARY}", "{}", {**JSON, "webhook-signature": f"v1,{CANARY}"}),
    ("GET", "/nowhere", "", {"Referer": f"http://127.0.0.1/invitation/{CANARY}", "Cookie": f"session={CANARY}"}),
    ("GET", "/journal/", "", {"Host": "elsewhere.example", "Cookie": f"journal_key={CANARY}"}),
]


def asked(port: int, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> int:
    """The status of one request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as one:
        one.request(method, path, body or None, headers or {})
        answer = one.getresponse()
        answer.read()
        return answer.status


@pytest.mark.django_db(databases=["default", "journal"])
def test_an_error_inside_a_secret_address_is_logged_without_it(
    staff: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _here = membership.invite(staff.admin, "new", "member", None)

    def fail(*_: object) -> None:
        raise ZeroDivisionError(f"while reading /invitation/{token}")

    monkeypatch.setattr(membership, "invited_person", fail)
    client = Client(raise_request_exception=False)
    assert client.get(f"/invitation/{token}").status_code == 500
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert token in logging.Formatter().format(record)
    line = RedactingFormatter().format(record)
    assert token not in line
    assert "ZeroDivisionError" in line
    declared: dict[str, Any] = settings.LOGGING
    assert declared["formatters"]["discreet"]["()"] == "wellserved.web.log_redaction.RedactingFormatter"
    assert all(one["formatter"] == "discreet" for one in declared["handlers"].values())
