"""How long it takes: from the first ask to a reply, a hand-over, a resolution; and where the time goes."""

from __future__ import annotations

from typing import Final

from wellserved.measure.measure import Measure, net_work_time, next_reply_time, on_hold_time, time_until

_REPLIES, _ENDS = "replies by a person", "times of resolution"

WAITS: Final[tuple[Measure, ...]] = (
    time_until("time_to_first_reply", "How long until a person answers?", "reply", "answered", _REPLIES, unit="hours"),
    time_until(
        "time_to_first_reply_p90",
        "How long until a person answers nine in ten?",
        "reply",
        "answered",
        _REPLIES,
        0.9,
        "hours",
    ),
    time_until(
        "business_time_to_first_reply",
        "How many opening hours until a person answers?",
        "reply",
        "answered",
        _REPLIES,
        0.5,
        "hours",
        True,
    ),
    time_until(
        "time_to_first_handover",
        "How long until the case reaches whoever must answer it?",
        "handover",
        "handed over",
        "hand-overs",
    ),
    time_until("time_to_resolution", "How long until a case is resolved?", "resolution", "resolved", _ENDS),
    time_until(
        "time_to_resolution_p90", "How long until nine in ten are resolved?", "resolution", "resolved", _ENDS, 0.9
    ),
    time_until(
        "business_time_to_resolution",
        "How many opening hours until a case is resolved?",
        "resolution",
        "resolved",
        _ENDS,
        0.5,
        "hours",
        True,
    ),
    time_until(
        "time_to_full_resolution", "How long until a case is resolved for good?", "full", "resolved for good", _ENDS
    ),
    net_work_time(
        "requester_wait",
        "How long does the customer wait for us?",
        True,
        "first ask to last resolution, less waits for the customer and times closed before a reopening",
    ),
    net_work_time(
        "agent_work",
        "How long does a case lie with us?",
        False,
        "first ask to last resolution, less waits for the customer or a third party and times closed before a reopening",
    ),
    net_work_time(
        "business_agent_work",
        "How many opening hours does a case lie with us?",
        False,
        "first ask to last resolution in opening hours, less waits for the customer or a third party and times closed before a reopening",
        True,
    ),
    on_hold_time(
        "agent_wait", "Where we wait for the customer, how long?", "paused", 1, "neither", "waits for the customer"
    ),
    on_hold_time(
        "on_hold", "Where a case waits for a third party, how long?", "held", 2, "lower", "waits for a third party"
    ),
    next_reply_time("time_to_next_reply", "When the customer writes again, how long until a person answers?"),
    next_reply_time(
        "business_time_to_next_reply",
        "When the customer writes again, how many opening hours until a person answers?",
        True,
    ),
)
