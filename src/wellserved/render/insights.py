"""Shifts, adoption, drivers, gaps and agreement as tables and pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from wellserved.measure.words import amount, number, percent, plural
from wellserved.moments import NotComputed
from wellserved.prove.adoption import Adoption
from wellserved.prove.agreement import Agreement
from wellserved.prove.drivers import Drivers
from wellserved.prove.gap import Gaps
from wellserved.prove.observe import Seen
from wellserved.prove.retention import NEXT, POOR, Fit, Retention
from wellserved.prove.shift import Shift
from wellserved.prove.verdict import Estimate, pooled
from wellserved.prove.words import size, span, way
from wellserved.render.pictures import Picture, both
from wellserved.render.svg import ALARM, INK, LINE, MUTED, Frame, Scale, drawing, label, ticks
from wellserved.report import Table

EXPLORES = (
    "A date found in the data is a place to look, and no proof: what happened there has to be known from elsewhere."
)


def shift_table(seen: Seen, found: Shift) -> Table:
    """When a measure shifted, or that no shift is seen."""
    if found.at is None or found.first is None or found.last is None or found.size is None:
        why = (
            found.reason
            or f"the largest step is {number(found.statistic)} standard errors; what varies like this reaches {number(found.limit or 0)} by itself"
        )
        return Table(f"No shift is seen in {seen.measure.name}", ("why",), ((why,),), EXPLORES)
    labels = [period.label for period in seen.periods]
    sides = [pooled(seen.observed, part) for part in (slice(0, found.at), slice(found.at, None))]
    before, after = (amount(one, seen.measure) if one is not None else "" for one in sides)
    row = (
        labels[found.at],
        labels[found.first],
        labels[found.last],
        before,
        after,
        round(found.statistic, 2),
        found.limit,
    )
    columns = ("from", "not before", "not after", "before", "after", "statistic", "limit")
    return Table(f"{seen.measure.name} shifted", columns, (row,), EXPLORES)


def adoption_table(found: Adoption) -> Table:
    """What a change did where it was taken up."""
    measure = found.measure
    rows = tuple(
        (how, _effect(one, found), _span(one, found))
        for how, one in (("adoption dates dealt anew", found.effect), ("leaving teams out", found.jackknife))
    )
    note = (
        "Exploration: nobody declared this beforehand, and no guardrail was looked at. "
        f"{found.found.teams} teams, {found.found.never} of which never took it up, over {found.periods} periods; p = {found.found.p:.3g}. "
        "Team and period effects come from what was not changed; the effect is what was measured less what they give."
    )
    if found.age_days is not None:
        note += f" Every case is taken as it stood {found.age_days} days after its start."
    if found.left_out:
        note += (
            f" Left out for too few cases: {', '.join(found.left_out[:8])}{' ...' if len(found.left_out) > 8 else ''}."
        )
    claims = found.effect.side and found.effect.side == found.jackknife.side
    moved = f"{measure.name} is {'higher' if found.effect.value > 0 else 'lower'} where the change was taken up"
    title = moved if claims else f"No change is seen in {measure.name} where the change was taken up"
    return Table(f"Exploration: {title[0].lower()}{title[1:]}", ("interval by", "effect", "95% interval"), rows, note)


def _effect(one: Estimate, found: Adoption) -> str:
    if found.relative:
        return f"{abs(one.value):.1%} {way(one.value)}"
    return f"{size(one.value, found.measure)} {way(one.value)}"


def _span(one: Estimate, found: Adoption) -> str:
    if found.relative:
        return " to ".join(f"{end:+.1%}" if math.isfinite(end) else "any amount" for end in (one.low, one.high))
    return span(one, found.measure)


def driver_table(found: Drivers) -> Table:
    """What goes with bad ratings, most first."""
    rows = tuple(
        (
            one.words, one.cases, percent(one.share), f"{percent(one.low)} to {percent(one.high)}",
            "" if one.odds is None else number(one.odds),
            "" if one.odds_low is None or one.odds_high is None else f"{number(one.odds_low)} to {number(one.odds_high)}",
        )
        for one in found.drivers
    )  # fmt: skip
    note = (
        f"{plural(found.cases, 'case')} rated on {found.scale}; all of these together go with {percent(found.explained)} of how ratings differ. "
        "Share: LMG, over all orders. Odds: of a worse rating, the others held equal (proportional odds). What goes with bad "
        f"ratings need not make them: prove a change to know. {found.note}"
    ).strip()
    columns = ("what happened", "cases", "share", "95% interval", "odds of a worse rating", "95% interval of odds")
    return Table("What goes with bad ratings", columns, rows, note)


def driver_picture(found: Drivers) -> Picture:
    """Shares with their intervals."""
    return both("Share of how ratings differ that goes with each", lambda frame: _bars(found, frame))


def _bars(found: Drivers, fits: Frame) -> str:
    room = 46 if fits.narrow else 28
    frame = Frame(fits.width, room * len(found.drivers) + 16, 6 if fits.narrow else 240, 64)
    x = Scale(0.0, max(one.high for one in found.drivers) or 1.0, frame.left, frame.width - frame.right)
    body = []
    for place, one in enumerate(found.drivers):
        top = room * place + (24 if fits.narrow else 8)
        body.append(
            label(6, top - 6, one.words, kind="ink")
            if fits.narrow
            else label(frame.left - 8, top + 12, one.words, "end", "ink")
        )
        body.append(
            f'<rect class="bar" x="{x(0.0):g}" y="{top}" width="{max(x(one.share) - x(0.0), 0):g}" height="14" fill="{LINE}" fill-opacity=".75"/>'
        )
        body.append(
            f'<path class="interval" d="M{x(max(one.low, 0.0)):g} {top + 7}H{x(one.high):g}" stroke="{INK}" stroke-width="1.4"/>'
        )
        body.append(label(x(one.high) + 6, top + 12, percent(one.share)))
    first = found.drivers[0]
    return drawing(
        frame, "What goes with bad ratings", f"Most: {first.words}, {percent(first.share)} of how ratings differ.", body
    )


def gap_table(found: Gaps) -> Table:
    """Expected, got and the difference, by segment."""
    rows = tuple(
        (
            one.segment, one.cases, round(one.expected, 2), round(one.got, 2), round(one.gap, 2), f"{one.low:+.2f} to {one.high:+.2f}",
            percent(one.met, 0), "" if one.reliability is None else round(one.reliability, 2), percent(one.importance, 0),
        )
        for one in found.gaps
    )  # fmt: skip
    note = (
        "Expected: said before delivery; got: rated after it, by the same customer. Reliability: how much of a segment's gap is not chance, "
        "beside how far the segments differ; importance: its part of all unmet expectations."
    )
    note += f" {found.late} expectations said after delivery are left out." if found.late else ""
    note += f" {plural(found.small, 'case lies', 'cases lie')} in segments with too few to show." if found.small else ""
    columns = (
        found.by,
        "cases",
        "expected",
        "got",
        "gap",
        "95% interval",
        "met or exceeded",
        "reliability",
        "importance",
    )
    return Table(f"Expectation and experience, on {found.scale}", columns, rows, note)


def gap_picture(found: Gaps) -> Picture:
    """From what was expected to what was got."""
    return both(
        "From what was expected (ring) to what was got (dot), most unmet first", lambda frame: _dumbbells(found, frame)
    )


def _dumbbells(found: Gaps, fits: Frame) -> str:
    room = 40 if fits.narrow else 26
    frame = Frame(fits.width, room * len(found.gaps) + 34, 10 if fits.narrow else 190, 40)
    ends = [value for one in found.gaps for value in (one.expected, one.got)]
    margin = (max(ends) - min(ends)) * 0.1 or 0.5
    x = Scale(min(ends) - margin, max(ends) + margin, frame.left, frame.width - frame.right)
    body = []
    for mark in ticks(x.low, x.high):
        body.append(f'<path class="grid" d="M{x(mark):g} 6V{frame.height - 24}" stroke="#d9dee4"/>')
        body.append(label(x(mark), frame.height - 8, f"{mark:g}", "middle"))
    for place, one in enumerate(found.gaps):
        middle = room * place + (28 if fits.narrow else 18)
        name = one.segment[:30]
        body.append(
            label(frame.left, middle - 10, name, kind="ink")
            if fits.narrow
            else label(frame.left - 8, middle + 4, name, "end", "ink")
        )
        short = one.high < 0
        body.append(
            f'<path class="{"lost" if short else "data"}" d="M{x(one.expected):g} {middle}H{x(one.got):g}" stroke="{ALARM if short else LINE}" stroke-width="2"/>'
        )
        body.append(
            f'<circle class="unfinished" cx="{x(one.expected):g}" cy="{middle}" r="4.5" fill="none" stroke="{MUTED}" stroke-width="1.6"/>'
        )
        body.append(
            f'<circle class="{"signal" if short else "point"}" cx="{x(one.got):g}" cy="{middle}" r="4.5" fill="{ALARM if short else LINE}"/>'
        )
    first = found.gaps[0]
    told = f"{first.segment}: expected {first.expected:.2f}, got {first.got:.2f}; {percent(first.importance, 0)} of all unmet expectations."
    return drawing(frame, "Expectation and experience", told, body)


def agreement_table(found: Agreement) -> Table:
    """One's own ratings beside the customers'."""

    def shown(value: float | NotComputed) -> object:
        return value.reason if isinstance(value, NotComputed) else round(value, 3)

    interval: object = (
        found.interval.reason
        if isinstance(found.interval, NotComputed)
        else f"{found.interval[0]:.2f} to {found.interval[1]:.2f}"
    )
    rows: Sequence[tuple[str, object]] = (
        ("cases judged by both", found.cases),
        ("same rating", percent(found.same)),
        ("own rating higher", percent(found.higher)),
        ("kappa, weighted by squares", shown(found.kappa)),
        ("Krippendorff's alpha, ordinal", shown(found.alpha)),
        ("95% interval of alpha", interval),
    )
    note = "1: full agreement; 0: what chance gives; below: less than that. The same rating alone says little where nearly all ratings are alike."
    return Table(f"Own ratings beside customers', on {found.scale}", ("what", "value"), tuple(rows), note)


def retention_table(found: Fit) -> Table:
    """What came up and was renewed, beside the fit, and the renewals still to be expected; 95% intervals in brackets."""
    decisions = found.decisions
    longest = len(decisions.left)
    rows = tuple(_renewals(found, renewals) for renewals in range(longest + 3))
    if found.alike:
        fitted = f"no difference between customers can be told: each leaves with a chance of {percent(1 - found.renewing(0))} at every renewal"
    else:
        fitted = f"a = {found.a:.3f}, b = {found.b:.3f}: customers differ in how likely they leave at each renewal, and those who stay longest are the most loyal"
    note = f"Shifted beta-geometric, {fitted}. Intervals by profile likelihood. Later than {plural(longest, 'renewal')} it is the model's word alone."
    first = int(np.argmax(decisions.came_up > 0))
    if first:
        note += (
            f" Nobody was under observation before renewal {first + 1}: what is said of earlier ones is read backwards."
        )
    if found.misfit is not None and found.misfit < POOR:
        note += f" The model does not fit these customers (chi-squared, p = {found.misfit:.2g}): do not rely on it."
    columns = (
        "renewals made", "came up for the next", "renewed", "by the model", "still there", "still there, by the model",
        f"of the next {NEXT}", "still to come",
    )  # fmt: skip
    return Table("How long customers stay", columns, rows, note)


def _renewals(found: Fit, renewals: int) -> tuple[object, ...]:
    """What was seen and is expected of those who have renewed so often."""
    came_up, left = (
        float(numbers[renewals]) if renewals < len(numbers) else 0.0
        for numbers in (found.decisions.came_up, found.decisions.left)
    )
    before = found.decisions.came_up[:renewals]
    known = renewals <= len(found.decisions.left) and bool((before > 0).all())
    with np.errstate(invalid="ignore", divide="ignore"):
        there = float(np.prod(1 - found.decisions.left[:renewals] / before))
    return (
        renewals,
        round(came_up),
        percent(1 - left / came_up) if came_up else "",
        _with_interval(found, lambda one: one.renewing(renewals), percent),
        percent(there) if known else "",
        _with_interval(found, lambda one: float(one.surviving(renewals)[-1]), percent) if renewals else percent(1),
        _with_interval(found, lambda one: one.ahead(renewals), number),
        _with_interval(found, lambda one: one.left(renewals), number),
    )


def _with_interval(found: Fit, of: Callable[[Retention], float], shown: Callable[[float], str]) -> str:
    """A number with its 95% interval; what has no end is said so."""
    low, high = found.interval(of)
    value = of(found)
    if not math.isfinite(value):
        return "no end in sight"
    return f"{shown(value)} ({shown(low)} {f'to {shown(high)}' if math.isfinite(high) else 'and up'})"
