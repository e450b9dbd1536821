"""JSON that two readers could read differently is refused by every way in, with what is wrong."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

import pytest
from django.test import Client

from tests.web.conftest import House
from tests.web.test_api import key
from wellserved.journal.models import Entry
from wellserved.store.models import Hook, Shared

pytestmark = pytest.mark.django_db(databases=["default", "journal"])


def posted(client: Client, path: str, body: str, **headers: str) -> Any:
    """A body as it is."""
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("moments", '{"word": "asked", "customer": "Acme", "customer": "Northwind"}', "'customer'"),
        ("moments", '{"word": "asked", "word": "asked"}', "'word'"),
        ("moments/bulk", '{"moments": [{"word": "asked"}, {"word": "met", "text": "a", "text": "b"}]}', "'text'"),
        ("journal", '{"line": "note: a", "line": "note: b"}', "'line'"),
        ("journal", '{"line": "note: a", "l\\u0069ne": "note: b"}', "'line'"),
        ("moments", '{"word": "gap", "score": NaN, "scale": "csat5"}', "NaN"),
        ("moments", '{"word": "gap", "score": -Infinity, "scale": "csat5"}', "Infinity"),
        ("moments", '{"word": ', "JSON"),
    ],
)
def test_a_program_is_told_which_key_came_twice(staff: House, path: str, body: str, named: str) -> None:
    answer = posted(key(staff.kim), path, body)
    assert answer.status_code == 400
    assert named in answer.json()["detail"]
    assert not Shared.objects.exists()
    assert not Entry.objects.exists()


def test_a_webhook_is_told_so_too(staff: House) -> None:
    hook = Hook.objects.create(owner=staff.kim, sort="chatwoot", secret="s")
    for body, named in (
        ('{"event": "x", "conversation": {"id": 1, "id": 2}}', "'id'"),
        ('{"event": "conversation_created", "event": "x", "id": 3}', "'event'"),
        ('{"event": "conversation_created", "id": NaN}', "NaN"),
    ):
        stamp = str(int(time.time()))
        sign = hmac.new(b"s", f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"x-chatwoot-timestamp": stamp, "x-chatwoot-signature": f"sha256={sign}"}
        answer = posted(Client(), f"hooks/{hook.pk}", body, **headers)
        assert answer.status_code == 422
        assert named in answer.json()["detail"]
    assert not Shared.objects.exists()
