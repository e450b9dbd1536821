"""A made house whose customers' words are known by heart: which problem each message is about, and what else is in it."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

PROBLEMS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {  # what, what is wrong with it, more
    "damaged": (
        ("the pump", "our new pump", "a pump from the last delivery", "the pump we ordered", "one of three pumps"),
        ("arrived with a cracked housing", "came damaged in transit", "is broken, the housing is cracked", "was crushed in the parcel", "had a crack in its housing when we unpacked it"),
        ("the box was crushed too", "the carrier had dropped the parcel", "we sent photos of the crack", "it cannot be used like this", "the packing was far too thin"),
    ),
    "invoice": (
        ("the invoice", "your last invoice", "our invoice for March", "the bill for the repair", "this month's invoice"),
        ("shows the wrong amount", "was charged twice", "does not match the quote", "is too high by far", "bills the same order twice"),
        ("accounting refuses to pay it", "please correct the amount", "we paid it already", "send us a new invoice", "the discount is missing on it"),
    ),
    "login": (
        ("the portal", "the customer portal", "your online portal", "the login page", "our portal account"),
        ("rejects my password", "does not let me log in", "says that my login is locked", "shows an error at login", "asks for the password again and again"),
        ("the reset link never arrives", "it began after the update", "I tried two browsers", "my colleague cannot sign in either", "a new password did not help"),
    ),
    "late": (
        ("the delivery", "our order", "the delivery of the seals", "the truck with our order", "the second delivery"),
        ("is a week late", "did not come on the day agreed", "is still on its way, days after the date", "was due on Monday and is missing", "is delayed again"),
        ("nobody told us about the delay", "tracking has not moved for days", "when will it arrive", "our line is standing still", "the driver never called ahead"),
    ),
    "name": (
        ("our company name", "the name on the certificate", "my surname", "the customer's name on the certificate", "our name"),
        ("is misspelt", "was written wrong", "has a typo", "is spelt with one letter too few", "carries a spelling mistake"),
        ("please print a new certificate", "the auditor will not accept the certificate", "we spelt it out on the phone", "it was correct on the form", "this is the second wrong certificate"),
    ),
    "manual": (
        ("the manual for the valve", "the valve's instructions", "the assembly instructions", "the English manual", "the booklet for the valve"),
        ("was not in the box", "is missing", "exists in Italian only", "was left out of the package", "cannot be found anywhere"),
        ("we cannot mount the valve without it", "please mail us the instructions", "the valve has no markings either", "the valve came alone", "the link to the manual is dead"),
    ),
    "callback": (
        ("your technician", "the technician", "somebody from your service", "the engineer on duty", "your colleague Ms Brown"),
        ("promised to call back and did not", "never called me back", "has not rung as promised", "wanted to ring me and never did", "keeps promising a call back"),
        ("I waited by the phone all day", "this is the third time", "the call was agreed for the morning", "nobody knows when a call will come", "I had to ring again myself"),
    ),
    "noise": (
        ("the fan", "the new fan", "the fan in the hall", "the exhaust fan", "the ceiling fan"),
        ("makes a loud rattling noise", "rattles louder every day", "is unbearably noisy", "began to rattle after an hour", "hums and rattles"),
        ("people cannot work under it", "oil did not stop the rattling", "the bearing sounds dry", "we had to switch it off", "the noise keeps everybody awake"),
    ),
}  # fmt: skip
OPENINGS = ("", "Hello, ", "Dear team, ", "Hi there, ", "Good morning, ")
ENDINGS = (
    "",
    " Please help.",
    " Can you look into it?",
    " We need this solved.",
    " This is urgent for us.",
    " Thanks.",
)
REMARKS = (
    "It is order {n}.",
    "My colleague noticed it on {d}.",
    "We use it in our {p} site.",
    "This concerns machine {n}.",
    "",
)
VAGUE = (
    "I am really not happy with all of this", "just a general question about your company", "could you tell me your opening times in winter",
    "we would like to thank the lady at the desk", "do you also sell to schools abroad", "who is our contact for the fair in spring", "I moved to another department recently",
    "please remove me from the newsletter list", "is your shop open on the holiday", "what a strange website you have there",
)  # fmt: skip
SIGNATURE = "Kind regards\n{name}\n{company} Ltd\nTel. +49 30 {n}\nwww.{company}.example"
FOOTER = (
    "This message is confidential and meant for the addressee alone.\nPlease consider the environment before printing."
)
QUOTED = "On Mon, 3 Mar 2025 at 09:12 Support <help@ours.example> wrote:\n> Thank you for your message.\n> We will look into it."
PLACES = ("north", "south", "east", "west")


@dataclass(frozen=True)
class Message:
    """One message and its truth."""

    number: int
    at: datetime
    customer: str
    service: str
    channel: str
    place: str
    text: str
    truth: str  # a problem, or nothing
    rating: str


def messages(
    weeks: int,
    a_week: int,
    seed: int,
    share: Callable[[str, int], float] = lambda problem, week: 1.0,
    problems: Sequence[str] = tuple(PROBLEMS),
    dressed: bool = True,
) -> Iterator[Message]:
    """Messages of some weeks; `share`: how often a problem comes up in a week, beside the others; `dressed`: with signatures and quotes."""
    chance = random.Random(seed)
    start = datetime(2025, 1, 6, 8)
    number = 0
    for week in range(weeks):
        weights = [share(problem, week) for problem in problems] + [1.2]
        for _ in range(a_week):
            number += 1
            truth = chance.choices([*problems, ""], weights)[0]
            company = f"company{chance.randrange(400)}"
            text = phrase(chance, truth)
            if dressed and chance.random() < 0.4:
                text += "\n\n" + SIGNATURE.format(name="Alex Miller", company=company, n=chance.randrange(10**6, 10**7))
            if dressed and chance.random() < 0.3:
                text += "\n" + FOOTER
            if dressed and chance.random() < 0.2:
                text += "\n\n" + QUOTED
            at = start + timedelta(weeks=week, minutes=chance.randrange(5 * 24 * 60))
            rating = str(chance.choices((1, 2, 3, 4, 5), (3, 2, 2, 2, 1) if truth == "damaged" else (1, 1, 2, 3, 3))[0])
            yield Message(
                number,
                at,
                company,
                chance.choice(("parts", "repair")),
                chance.choice(("mail", "form")),
                chance.choice(PLACES),
                text,
                truth,
                rating if chance.random() < 0.5 else "",
            )


def phrase(chance: random.Random, truth: str) -> str:
    """One way to say it."""
    core = chance.choice(VAGUE)
    if truth:
        what, fault, more = (chance.choice(words) for words in PROBLEMS[truth])
        core = f"{what} {fault}, {more}" if chance.random() < 0.7 else f"{more}: {what} {fault}"
    remark = chance.choice(REMARKS).format(
        n=chance.randrange(1000, 9999), d=chance.choice(("Monday", "Tuesday", "Friday")), p=chance.choice(PLACES)
    )
    text = chance.choice(OPENINGS) + core
    text = text[0].upper() + text[1:] + "."
    return f"{text} {remark}{chance.choice(ENDINGS)}".strip()


MAPPING = """name = "desk"
title = "Service desk"
zone = "Europe/Berlin"
case = "id"

[columns]
customer_id = "customer"
service = "service"
channel = "channel"
place = "place"

[[moment]]
kind = "asked"
at = "created"
required = true
text = "message"

[[moment]]
kind = "resolved"
at = "closed"

[[moment]]
kind = "rated"
at = "closed"
score = "rating"
scale = "csat5"
"""


def write_messages(file: Path, rows: Sequence[Message]) -> None:
    """As an export of a service desk."""
    with file.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(["id", "created", "closed", "customer", "service", "channel", "place", "message", "rating"])
        for row in rows:
            closed = row.at + timedelta(hours=5 + row.number % 40)
            writer.writerow(
                [
                    row.number,
                    f"{row.at:%Y-%m-%d %H:%M}",
                    f"{closed:%Y-%m-%d %H:%M}",
                    row.customer,
                    row.service,
                    row.channel,
                    row.place,
                    row.text,
                    row.rating,
                ]
            )
