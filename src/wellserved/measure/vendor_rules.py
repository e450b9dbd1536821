"""One word, several vendors' rules: how each helpdesk starts, stops and halts the clock of a wait, declared as data.

A definition is about one case: which moment starts the clock, which stops it, in which states it stands
still, by which hours it runs, whether a case counts before the stop has come, and which date puts it into
a period. To add a helpdesk's rule, add a declaration; `wellserved explain` and `compare` then know it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from wellserved.errors import RequestError, UnknownNameError
from wellserved.measure.measure import Measure
from wellserved.moments import CLOSED, IN_PAUSE, ON_HOLD

HoursRule = Literal["calendar", "business", "business of the stop"]
_STATE_TEXTS = {
    IN_PAUSE: "waits for the customer",
    ON_HOLD: "waits for a third party",
    CLOSED: "closed before a reopening",
}
_STATE_KINDS = {IN_PAUSE: "paused", ON_HOLD: "held", CLOSED: "reopened"}
_HOURS_TEXTS = {
    "calendar": "around the clock",
    "business": "in the opening hours of whoever has the case",
    "business of the stop": "in the opening hours in force when it stops, for its whole length",
}


@dataclass(frozen=True)
class VendorRule:
    """One vendor's rule for one wait. A changed rule is a new version."""

    vendor: str  # ours, zendesk ...
    measure: str  # our name for the wait
    term: str  # their name for it
    version: int
    stops: tuple[str, ...]  # kinds of moment that stop it
    occurrence: Literal["first", "last"]  # the last stops it only while the case stays closed
    halt_states: tuple[int, ...] = ()  # states in which it stands still
    hours: HoursRule = "calendar"
    counts_open: bool = False  # a case whose stop has not come is counted as still waiting
    after_opening: bool = False  # a stop at the very second of the start does not count
    date_basis: Literal["asked", "stopped"] = "asked"
    source: str = "own definition"

    @property
    def relies_on(self) -> tuple[str, ...]:
        """Moments that a source has to tell for this rule to be worked out: its stops, and where the clock stands still."""
        first = ("first_resolved",) if self.occurrence == "first" and "resolved" in self.stops else ()
        return (*first, *self.stops[:1], *(_STATE_KINDS[state] for state in self.halt_states))

    def words(self) -> dict[str, str]:
        """The rule in words."""
        stop_text = " or ".join(kind.replace("_", " ") for kind in self.stops)
        return {
            "starts": "first ask",
            "stops": f"{self.occurrence} {stop_text}"
            + (", not in the second of the start" if self.after_opening else ""),
            "stands still": ", ".join(_STATE_TEXTS[state] for state in self.halt_states) or "never",
            "runs": _HOURS_TEXTS[self.hours],
            "before the stop": "counted as still waiting" if self.counts_open else "left out",
            "in a period by": "the day of the first ask" if self.date_basis == "asked" else "the day it stops",
        }


_REPLY, _END, _ANY_END = ("replied", "explained"), ("resolved",), ("resolved", "abandoned")
_ZENDESK = "support.zendesk.com 4408834848154 (native duration metrics); business hours: 5654110765338"
_ZENDESK_SLA = "support.zendesk.com 4408834848154: SLA metrics are live counters, native ones are not"
_FRESHDESK = "support.freshdesk.com 229718 (timers off in pending and third-party statuses), 37627 (business hours)"
_ZAMMAD = "Zammad admin documentation, slas: calendar of the SLA; pending and closed states excluded"
_INTERCOM = "developers.intercom.com, conversation_statistics 2.15: seconds, out of business hours subtracted"
_PLAIN = (
    "plain.com docs: first response time by reply date, human replies alone; FirstResolutionTimeServiceLevelAgreement"
)
_CHATWOOT = "chatwoot/chatwoot#7679, #12058, #15445: events by their own date, from the conversation's creation"
_JIRA = "Jira Service Management defaults: time to first response, time to resolution; paused while waiting for the customer"


def _own_rule(
    measure: str,
    stops: tuple[str, ...],
    occurrence: Literal["first", "last"],
    halt_states: tuple[int, ...] = (),
    business: bool = False,
) -> VendorRule:
    return VendorRule(
        "ours", measure, measure, 1, stops, occurrence, halt_states, "business" if business else "calendar", True
    )


VENDOR_RULES: Final[tuple[VendorRule, ...]] = (
    _own_rule("time_to_first_reply", _REPLY, "first"),
    _own_rule("business_time_to_first_reply", _REPLY, "first", business=True),
    _own_rule("time_to_resolution", _END, "first"),
    _own_rule("business_time_to_resolution", _END, "first", business=True),
    _own_rule("time_to_full_resolution", _ANY_END, "last"),
    _own_rule("requester_wait", _END, "last", (IN_PAUSE, CLOSED)),
    _own_rule("agent_work", _END, "last", (IN_PAUSE, ON_HOLD, CLOSED)),
    _own_rule("business_agent_work", _END, "last", (IN_PAUSE, ON_HOLD, CLOSED), True),
    VendorRule("zendesk", "time_to_first_reply", "First reply time", 1, _REPLY, "first", after_opening=True, source=_ZENDESK),
    VendorRule("zendesk", "business_time_to_first_reply", "First reply time, business hours", 1, _REPLY, "first", (), "business of the stop", after_opening=True, source=_ZENDESK),
    VendorRule("zendesk", "time_to_resolution", "First resolution time", 1, _END, "first", source=_ZENDESK),
    VendorRule("zendesk", "business_time_to_resolution", "First resolution time, business hours", 1, _END, "first", (), "business of the stop", source=_ZENDESK),
    VendorRule("zendesk", "time_to_full_resolution", "Full resolution time", 1, _END, "last", source=_ZENDESK),
    VendorRule("zendesk", "requester_wait", "Requester wait time", 1, _END, "last", (IN_PAUSE, CLOSED), source=_ZENDESK),
    VendorRule("zendesk", "agent_work", "Agent work time", 1, _END, "last", (IN_PAUSE, ON_HOLD, CLOSED), source=_ZENDESK),
    VendorRule("zendesk", "business_agent_work", "Agent work time, business hours", 1, _END, "last", (IN_PAUSE, ON_HOLD, CLOSED), "business", source=_ZENDESK),
    VendorRule("zendesk_sla", "time_to_first_reply", "First reply time (SLA)", 1, _REPLY, "first", (), "business", True, True, source=_ZENDESK_SLA),
    VendorRule("zendesk_sla", "requester_wait", "Requester wait time (SLA)", 1, _END, "last", (IN_PAUSE, CLOSED), "business", True, source=_ZENDESK_SLA),
    VendorRule("zendesk_sla", "agent_work", "Agent work time (SLA)", 1, _END, "last", (IN_PAUSE, ON_HOLD, CLOSED), "business", True, source=_ZENDESK_SLA),
    VendorRule("freshdesk", "time_to_first_reply", "First response time", 1, _REPLY, "first", (IN_PAUSE, ON_HOLD), "business", source=_FRESHDESK),
    VendorRule("freshdesk", "time_to_resolution", "Resolution time", 1, _END, "first", (IN_PAUSE, ON_HOLD), "business", source=_FRESHDESK),
    VendorRule("zammad", "time_to_first_reply", "first_response_in_min", 1, _REPLY, "first", (IN_PAUSE, ON_HOLD, CLOSED), "business", source=_ZAMMAD),
    VendorRule("zammad", "time_to_resolution", "close_in_min", 1, _END, "first", (IN_PAUSE, ON_HOLD, CLOSED), "business", source=_ZAMMAD),
    VendorRule("intercom", "time_to_first_reply", "time_to_admin_reply", 1, _REPLY, "first", (), "business", source=_INTERCOM),
    VendorRule("intercom", "time_to_resolution", "time_to_first_close", 1, _ANY_END, "first", (), "business", source=_INTERCOM),
    VendorRule("intercom", "time_to_full_resolution", "time_to_last_close", 1, _ANY_END, "last", (), "business", source=_INTERCOM),
    VendorRule("plain", "time_to_first_reply", "First response time", 1, _REPLY, "first", date_basis="stopped", source=_PLAIN),
    VendorRule("plain", "time_to_resolution", "First resolution time", 1, _ANY_END, "first", (IN_PAUSE,), date_basis="stopped", source=_PLAIN),
    VendorRule("chatwoot", "time_to_first_reply", "First response time", 1, _REPLY, "first", date_basis="stopped", source=_CHATWOOT),
    VendorRule("chatwoot", "time_to_resolution", "Resolution time", 1, _END, "last", date_basis="stopped", source=_CHATWOOT),
    VendorRule("jira", "time_to_first_reply", "Time to first response", 1, _REPLY, "first", (IN_PAUSE,), "business", True, source=_JIRA),
    VendorRule("jira", "time_to_resolution", "Time to resolution", 1, _END, "last", (IN_PAUSE, CLOSED), "business", True, source=_JIRA),
)  # fmt: skip
VENDORS: Final = tuple(dict.fromkeys(rule.vendor for rule in VENDOR_RULES))


def vendor_rules_of(measure: Measure) -> list[VendorRule]:
    """All vendors' rules for a wait; our own first."""
    rules = [rule for rule in VENDOR_RULES if rule.measure == measure.wait_family]
    if not rules:
        measure_names = ", ".join(dict.fromkeys(rule.measure for rule in VENDOR_RULES))
        raise RequestError(
            f"{measure.name} has one definition alone: ours.", f"Waits that vendors count differently: {measure_names}."
        )
    return rules


def find_vendor_rule(measure: Measure, vendor: str) -> VendorRule:
    """One vendor's rule for a wait."""
    if vendor not in VENDORS:
        raise UnknownNameError("house", vendor, VENDORS)
    rules = vendor_rules_of(measure)
    for rule in rules:
        if rule.vendor == vendor:
            return rule
    raise RequestError(
        f"No rule of {vendor} for {measure.name} is known.",
        f"Known for it: {', '.join(rule.vendor for rule in rules)}.",
    )


def as_vendor_measure(vendor_rule: VendorRule, measure: Measure) -> Measure:
    """The measure by another vendor's rule, over cases with the columns that timeline.py adds."""
    rule_text = "; ".join(f"{key} {value}" for key, value in vendor_rule.words().items())
    return replace(
        measure,
        name=f"{measure.name}@{vendor_rule.vendor}",
        version=vendor_rule.version,
        anchor=vendor_rule.date_basis,
        population="clock_ended IS NOT NULL",
        event="clock_ended = 1",
        value="clock_secs",
        waiting="clock_ended = 0",
        since="({as_of} - clock_secs)",
        adds_up=True,
        needs="clock_ended IS NOT NULL",
        lacking=f"moments that {vendor_rule.vendor}'s rule counts",
        relies_on=vendor_rule.relies_on,
        counted="cases that the rule counts",
        formula=f"{measure.quantile:.0%} of waits by {vendor_rule.vendor}'s rule ({vendor_rule.term}): {rule_text}",
        exclusions="cases that the rule leaves out",
        clock="calendar",  # clock_secs are counted already, whatever the hours
        source=vendor_rule.source,
    )
