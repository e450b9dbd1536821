"""A Request Tracker of forty lines, whose answers have RT 5's shape; it misbehaves on request."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

TOKEN = "1-14-canary"
QUEUES = {"1": "General", "3": "Billing"}
USERS = {"6": "Nobody", "14": "root", "20": "kim"}


class FakeTracker:
    """Tickets and their transactions, as a known script makes them."""

    def __init__(self, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.transactions: list[dict[str, Any]] = []
        self.tickets: dict[str, dict[str, Any]] = {}
        self.seconds = 0
        self.requests: list[str] = []
        self.faults: Iterator[str] = iter(())

    def add(self, ticket: str, kind: str, field: str = "", old: str = "", new: str = "", creator: str = "root") -> None:
        self.seconds += self.chance.randrange(1, 4000)
        day, rest = divmod(self.seconds, 86_400)
        created = f"2026-0{day // 28 + 1}-{day % 28 + 1:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"
        self.transactions.append(
            {
                "id": str(3 * len(self.transactions) + 40),
                "ObjectId": ticket,
                "Type": kind,
                "Field": field,
                "OldValue": old,
                "NewValue": new,
                "Creator": {"id": creator},
                "Created": created,
            }
        )

    def open_ticket(self) -> str:
        ticket = str(len(self.tickets) + 1)
        requestor = f"c{self.chance.randrange(9)}@example.org"
        self.tickets[ticket] = {
            "id": ticket, "Subject": f"Matter {ticket}", "Queue": {"id": "1", "Name": "General"}, "Requestor": [{"id": requestor}],
            "Owner": {"id": "Nobody"}, "Status": "new", "Due": "1970-01-01T00:00:00Z", "Priority": "0", "EffectiveId": ticket,
        }  # fmt: skip
        self.add(ticket, "Create", creator=requestor)
        self.add(ticket, "EmailRecord", creator="RT_System")
        return ticket

    def change(self, ticket: str, field: str, new: str, shown: Any, creator: str = "root") -> None:
        """A change of a field: `new` as the transaction has it, `shown` as the ticket shows it."""
        facts = self.tickets[ticket]
        old = self._old_value(facts, field)
        facts[field] = shown
        self.add(ticket, "Status" if field == "Status" else "Set", field, old, new, creator)

    def _old_value(self, facts: dict[str, Any], field: str) -> str:
        if field == "Queue":
            return str(facts["Queue"]["id"])
        if field == "Owner":
            return next(number for number, name in USERS.items() if name == facts["Owner"]["id"])
        return str(facts[field]).replace("T", " ").removesuffix("Z") if field == "Due" else str(facts[field])

    def work(self, steps: int) -> None:
        """So many things happen."""
        for _ in range(steps):
            live = [
                ticket
                for ticket, facts in self.tickets.items()
                if facts["Status"] != "deleted" and facts["EffectiveId"] == ticket
            ]
            deed = self.chance.choice(["open", "reply", "chase", "own", "queue", "due", "priority", "status", "status"])
            if deed == "open" or not live:
                self.open_ticket()
                continue
            ticket = self.chance.choice(live)
            requestor = self.tickets[ticket]["Requestor"][0]["id"]
            if deed in ("reply", "chase"):
                self.add(ticket, "Correspond", creator="root" if deed == "reply" else requestor)
            elif deed == "own":
                number = self.chance.choice(["6", "14", "20"])
                self.change(ticket, "Owner", number, {"id": USERS[number]})
            elif deed == "queue":
                number = "3" if self.tickets[ticket]["Queue"]["id"] == "1" else "1"
                self.change(ticket, "Queue", number, {"id": number, "Name": QUEUES[number]})
            elif deed == "due":
                due = f"2026-09-{self.chance.randrange(1, 28):02d} 12:00:00"
                self.change(ticket, "Due", due, due.replace(" ", "T") + "Z")
            elif deed == "priority":
                self.change(ticket, "Priority", *[str(self.chance.randrange(100))] * 2)
            else:
                state = self.chance.choice(["open", "stalled", "resolved", "rejected"])
                if state != self.tickets[ticket]["Status"]:
                    self.change(ticket, "Status", state, state)

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        if path.endswith("/transactions"):
            after = next(int(term["value"]) for term in body if term["field"] == "id")
            items = [item for item in self.transactions if int(item["id"]) > after]
            size = int(query["per_page"][0])
            return {"items": items[:size], "count": len(items[:size]), "total": len(items), "page": 1}
        if path.endswith("/tickets"):
            wanted = set(re.findall(r"id = (\d+)", query["query"][0]))
            items = [
                facts
                for id_, facts in self.tickets.items()
                if id_ in wanted and facts["Status"] != "deleted" and facts["EffectiveId"] == id_
            ]
            return {"items": items, "total": len(items)}
        if "/user/" in path:
            return {"id": int(path.rsplit("/", 1)[1]), "Name": USERS[path.rsplit("/", 1)[1]]}
        return {"items": [{"id": number, "Name": name} for number, name in QUEUES.items()], "pages": 1}


@contextmanager
def serving(tracker: FakeTracker) -> Iterator[str]:
    """Its address, while it answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            url = urlparse(self.path)
            tracker.requests.append(f"{self.command} {self.path}")
            fault = next(tracker.faults, "")
            if self.headers.get("Authorization") != f"token {TOKEN}":
                return self.send(401, b"{}")
            if fault == "busy":
                return self.send(429, b"", {"Retry-After": "0"})
            if fault == "down":
                return self.send(503, b"", {"Retry-After": "0"})
            if fault == "moved":
                return self.send(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"})
            content = json.dumps(tracker.answer(self.command, url.path, parse_qs(url.query), body)).encode()
            if fault == "cut":
                self.close_connection = True
                return self.send(200, content[: len(content) // 2], {"Content-Length": str(len(content))})
            return self.send(200, b"<html>" if fault == "page" else content)

        do_GET = do_POST = reply  # noqa: N815 - as the library calls them

        def send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
