"""Request Tracker 5 by its REST 2 interface: its transactions are the moments, and their numbers rise strictly.

The transactions of a ticket are told again as rows, each with what was true then: the queue, the owner, the due time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from wellserved.live.asking import RemoteSystem
from wellserved.live.feed import Page, Record

PAGE_SIZE = 100
ROW_COLUMNS = (
    "Ticket",
    "Transaction",
    "Event",
    "Time",
    "Due",
    "Team",
    "From team",
    "Person",
    "Customer",
    "Priority",
    "Subject",
)
_TRANSACTION_FIELDS = "Type,Created,Creator,Field,OldValue,NewValue,ObjectId"
_TICKET_FIELDS = "Subject,Queue,Requestor,Owner,Status,Created,Due,Priority,EffectiveId"
_UNSET = "1970-01-01"
_NOBODY = "Nobody"
_SYSTEM = "RT_System"
_CLOSED = ("resolved", "rejected")


@dataclass(frozen=True)
class RequestTracker:
    """An RT, asked for the transactions after a number."""

    server: RemoteSystem

    def pages(self, cursor: str) -> Iterator[Page]:
        """A hundred transactions at a time, with the tickets that they are about as they stand now."""
        while True:
            answer = self.server.ask(
                "POST",
                "/REST/2.0/transactions",
                {"per_page": str(PAGE_SIZE), "orderby": "id", "fields": _TRANSACTION_FIELDS},
                [
                    {"field": "id", "operator": ">", "value": cursor or "0"},
                    {"field": "ObjectType", "value": "RT::Ticket"},
                ],
            )
            transactions = answer["items"]
            if not transactions:
                return
            cursor = str(max(int(transaction["id"]) for transaction in transactions))
            records = {
                "transactions": transactions,
                "tickets": self._tickets(transactions),
                "users": self._users(transactions),
            }
            yield Page(records, cursor, int(answer.get("total") or 0))

    def _tickets(self, transactions: list[Record]) -> list[Record]:
        ids = sorted({int(transaction["ObjectId"]) for transaction in transactions})
        answer = self.server.ask(
            "GET",
            "/REST/2.0/tickets",
            {
                "query": " OR ".join(f"id = {id_}" for id_ in ids),
                "fields": _TICKET_FIELDS,
                "fields[Queue]": "Name",
                "per_page": str(PAGE_SIZE),
            },
        )
        tickets: list[Record] = answer["items"]
        return tickets

    def _users(self, transactions: list[Record]) -> list[Record]:
        """The names behind the numbers of owners."""
        numbers = {
            transaction[value]
            for transaction in transactions
            for value in ("OldValue", "NewValue")
            if (transaction["Type"], transaction["Field"]) == ("Set", "Owner") and str(transaction[value]).isdigit()
        }
        users = [(number, self.server.ask("GET", f"/REST/2.0/user/{number}")) for number in sorted(numbers)]
        return [{"number": number, "name": user.get("Name") or user.get("id")} for number, user in users]

    def queues(self) -> dict[str, str]:
        """The names of all queues by their numbers."""
        names: dict[str, str] = {}
        page = 1
        while True:
            answer = self.server.ask(
                "GET", "/REST/2.0/queues/all", {"fields": "Name", "per_page": str(PAGE_SIZE), "page": str(page)}
            )
            names |= {str(queue["id"]): str(queue["Name"]) for queue in answer["items"]}
            if page >= int(answer.get("pages") or 1):
                return names
            page += 1


@dataclass
class TicketHistory:
    """All that is known of one ticket."""

    id: str
    facts: Record = field(default_factory=dict)
    transactions: dict[int, Record] = field(default_factory=dict)

    @property
    def merged_into(self) -> str:
        """The number of the ticket in which it goes on; empty: it is one of its own."""
        targets = (
            str(transaction["NewValue"]).rsplit("/", 1)[-1]
            for _, transaction in sorted(self.transactions.items())
            if (transaction["Type"], transaction["Field"]) == ("AddLink", "MergedInto")
        )
        return next((target for target in targets if target != self.id), "")

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted in the end."""
        states = [
            transaction["NewValue"]
            for _, transaction in sorted(self.transactions.items())
            if transaction["Type"] == "Status"
        ]
        return bool(states) and states[-1] == "deleted"


def histories(pages: Iterable[Mapping[str, list[Record]]]) -> tuple[dict[str, TicketHistory], dict[str, str]]:
    """Every ticket of the pages that were kept, by its number, and the names of users by theirs."""
    tickets: dict[str, TicketHistory] = {}
    users: dict[str, str] = {}
    for page in pages:
        for transaction in page["transactions"]:
            id_ = str(transaction["ObjectId"])
            tickets.setdefault(id_, TicketHistory(id_)).transactions[int(transaction["id"])] = transaction
        for ticket in page["tickets"]:
            id_ = str(ticket["id"])
            tickets.setdefault(id_, TicketHistory(id_)).facts = ticket
        users |= {str(user["number"]): str(user["name"]) for user in page["users"]}
    for history in tickets.values():
        if history.merged_into:
            history.facts = _facts_of_merged(history, tickets)
    return tickets, users


def _facts_of_merged(ticket: TicketHistory, tickets: Mapping[str, TicketHistory]) -> Record:
    """RT shows the other ticket in a merged one's place: of its own facts, who asked is left, among those of the other."""
    seen = {ticket.id}
    while ticket.merged_into in tickets and ticket.merged_into not in seen:
        ticket = tickets[ticket.merged_into]
        seen.add(ticket.id)
    return {"Requestor": ticket.facts.get("Requestor") or []}


def ticket_rows(ticket: TicketHistory, queues: Mapping[str, str], users: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A ticket's transactions as rows, in order; nothing of one that was deleted, or whose facts its reader may not see."""
    transactions = [transaction for _, transaction in sorted(ticket.transactions.items())]
    if ticket.is_deleted or not ticket.facts:
        return
    requestors = {str(person["id"]) for person in ticket.facts.get("Requestor") or ()}
    state = _first_state(ticket, transactions, queues, users)
    for transaction in transactions:
        for event, changes in _events(transaction, state, requestors, queues, users):
            state |= {name: value for name, value in changes.items() if name in state}
            if not event:
                continue
            yield {
                "Ticket": ticket.id,
                "Transaction": str(transaction["id"]),
                "Event": event,
                "Time": transaction["Created"],
                "Customer": min(requestors, default=""),
                "Team": state["Team"],
                "Person": state["Person"],
                "Priority": state["Priority"],
                "Due": state["Due"] if event == "promised" else "",
                "From team": changes.get("From team", ""),
                "Subject": str(ticket.facts.get("Subject") or "") if event == "asked" else "",
            }


def _first_state(
    ticket: TicketHistory, transactions: list[Record], queues: Mapping[str, str], users: Mapping[str, str]
) -> dict[str, str]:
    """What was true when the ticket was made: what the first change of each field says was there, else what is there now."""
    facts = ticket.facts

    def first(field_name: str, now: str) -> str:
        old_values = (
            str(transaction["OldValue"]) for transaction in transactions if _is_change(transaction, field_name)
        )
        return next(old_values, now)

    queue, owner = first("Queue", ""), first("Owner", "")
    return {
        "Team": queues.get(queue, queue) if queue else str((facts.get("Queue") or {}).get("Name", "")),
        "Person": _person(users.get(owner, owner) if owner else str((facts.get("Owner") or {}).get("id", ""))),
        "Priority": first("Priority", str(facts.get("Priority") or "")),
        "Due": _instant(first("Due", str(facts.get("Due") or ""))),
    }


def _is_change(transaction: Record, field_name: str) -> bool:
    return (transaction["Type"], transaction["Field"]) == ("Set", field_name)


def _person(name: str) -> str:
    return "" if name == _NOBODY else name


def _instant(text: str) -> str:
    """A point in time in UTC; RT leaves out the zone in changes, and writes 1970 where there is none."""
    if not text or text.startswith(_UNSET):
        return ""
    return text.replace(" ", "T") + ("" if text.endswith("Z") else "Z")


def _events(
    transaction: Record,
    state: Mapping[str, str],
    requestors: set[str],
    queues: Mapping[str, str],
    users: Mapping[str, str],
) -> Iterator[tuple[str, dict[str, str]]]:
    """(kind of moment, what is true from then on) of a transaction; most make one, many none."""
    kind, new, old = transaction["Type"], str(transaction["NewValue"] or ""), str(transaction["OldValue"] or "")
    creator = str(transaction["Creator"]["id"])
    if kind == "Create":
        yield "asked", {}
        if state["Due"]:
            yield "promised", {}
        if state["Person"]:
            yield "assigned", {}
    elif kind == "Correspond" and creator != _SYSTEM:
        yield "chased" if creator in requestors else "replied", {}
    elif kind == "Status":
        yield from _status_events(old, new)
    elif _is_change(transaction, "Owner"):
        person = _person(users.get(new, new))
        if person:
            yield "assigned", {"Person": person}
        else:
            yield "", {"Person": ""}
    elif _is_change(transaction, "Queue"):
        yield "handed_over", {"Team": queues.get(new, new), "From team": queues.get(old, old)}
    elif _is_change(transaction, "Due"):
        due = _instant(new)
        yield "promised" if due else "", {"Due": due}
    elif _is_change(transaction, "Priority"):
        yield "prioritised", {"Priority": new}
    elif kind == "AddLink" and transaction["Field"] == "MergedInto" and not new.endswith(f"/{transaction['ObjectId']}"):
        yield "merged", {}  # the ticket that stays has such an entry too


def _status_events(old: str, new: str) -> Iterator[tuple[str, dict[str, str]]]:
    """What a change of state means, in RT's own states."""
    if new == "resolved":
        yield "resolved", {}
    elif new == "rejected":
        yield "abandoned", {}
    elif old in _CLOSED:
        yield "reopened", {}
    if new == "stalled":
        yield "paused", {}
    elif old == "stalled" and new not in _CLOSED:
        yield "resumed", {}
