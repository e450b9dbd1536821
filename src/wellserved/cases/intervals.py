"""The moments of whole cases, each with the interval that it begins: what a timeline is asked from."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from wellserved.calendar import Calendars
from wellserved.cases.ordered import END_KINDS, Ints, OrderedMoments, is_kind

_FACTS: Final = ("source", "kind", "at_is", "team", "from_team", "person_id")


def moment_intervals(moment_table: pa.Table, calendars: Calendars) -> pa.Table:
    """A row a moment, in order; all moments of a case have to be among them, with the columns that the fold reads.

    `o`: the place; `start_o`, `start_s`: place and second of the case's first ask. `s` to `next_s`: the interval, in
    epoch seconds; `b` to `next_b`: on the clock of the case's own calendars, whoever held it. `f` and `start_f`: this
    moment and the first ask on the clock of the `calendar` in force at this moment. Without opening hours these five
    are missing; at a case's last moment `next_s` and `next_b` are. `state`: of the case in the interval; `now_closed`.
    """
    moments = OrderedMoments(moment_table, calendars)
    places = np.arange(len(moments.row))
    start = moments.first_ask[moments.case]
    columns = {name: moments.columns[name].take(pa.array(moments.row)) for name in _FACTS}
    columns |= {"case_id": moments.case_id.take(pa.array(moments.case)), "o": places, "start_o": start}
    columns |= {
        "s": moments.seconds,
        "start_s": moments.seconds[start],
        "next_s": _next_values(moments, moments.seconds),
    }
    columns |= {"state": _states(moments), "now_closed": is_kind(moments.last_status_kind, END_KINDS)[moments.case]}
    if hours := moments.hours:
        columns |= {"b": hours.b, "next_b": _next_values(moments, hours.b), "f": hours.f}
        columns |= {"start_f": hours.open_seconds_at(moments.seconds[start]), "calendar": hours.calendar_names(places)}
    else:
        columns |= dict.fromkeys(("b", "next_b", "f", "start_f"), pa.nulls(len(places), pa.int64()))
        columns["calendar"] = pa.nulls(len(places), pa.string())
    return pa.table(columns)


def _next_values(moments: OrderedMoments, values: Ints) -> pa.Array:
    """What the next moment of the case has; at its last none."""
    is_last = np.zeros(len(values), dtype=np.bool_)
    is_last[moments.end] = True
    return pa.array(np.r_[values[1:], values[:1]], mask=is_last)


def _states(moments: OrderedMoments) -> Ints:
    """The state of the case from each moment on."""
    positions, states = moments.state_changes
    if not len(positions):
        return np.zeros(len(moments.row), dtype=np.int64)
    last = np.searchsorted(positions, np.arange(len(moments.row)), side="right") - 1
    is_own = (last >= 0) & (moments.case[positions[last]] == moments.case)
    own_states: Ints = np.where(is_own, states[last], 0)
    return own_states
