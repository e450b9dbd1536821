"""The report's sections: plain sentences, each with the measure, n and interval that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from wellserved.chart import Chart
from wellserved.log import Receipt
from wellserved.measure import Measure, Question, Series, find_measure
from wellserved.measure.ask import answer
from wellserved.measure.scope import Scope
from wellserved.measure.series import Value
from wellserved.measure.words import amount, between, counted, number, percent, period_name, plural
from wellserved.moments import NotComputed
from wellserved.report import segments as compare
from wellserved.report.contents import Asked, Finding, Section, Table, Tone

FOCUS: Final = ("promise_kept", "promise_kept_by_source", "return_rate", "reopen_rate")
SPLITS: Final = ("team", "category", "service", "channel", "priority", "place")
OLDEST = 10


def charted(series: Series) -> bool:
    """Any number of the series is computable."""
    return any(not isinstance(value, NotComputed) for value in series.value)


def _one(series: Series) -> tuple[int, Value, Value, Value]:
    """n, value, low, high of a series of one number."""
    if not len(series):
        none = NotComputed("no cases")
        return 0, none, none, none
    return series.n[0], series.value[0], series.low[0], series.high[0]


def _finding(text: str, series: Series, tone: Tone = "fact") -> Finding:
    n, value, low, high = _one(series)
    return Finding(text, tone, series.measure, n, value, low, high)


def _said(series: Series) -> str:
    """The number with its interval and n, in words."""
    n, value, low, high = _one(series)
    if isinstance(value, NotComputed):
        return f"{value} (n = {number(n)})"
    inside = between(low, high, series.measure)
    return f"{amount(value, series.measure)} ({inside}; n = {number(n)})"


def _against_past(asked: Asked, name: str, subject: str) -> Finding:
    """This period beside everything before it, and whether the chart calls the difference a signal.

    `subject` is a phrase with {when} in it, to which the number is added.
    """
    now = asked.now[name]
    when = subject.format(when=period_name(asked.period, asked.every))
    if isinstance(_one(now)[1], NotComputed):
        return _finding(f"{when}: {_said(now)}.", now, "cannot")
    tone, verdict = _verdict(asked, name)
    return _finding(f"{when}: {_said(now)}{_before(asked, name)}. {verdict}", now, tone)


def _before(asked: Asked, name: str) -> str:
    """What the number was before the period: pooled, or for counts the mean of a period."""
    past = asked.past[name]
    if isinstance(_one(past)[1], NotComputed):
        return ""
    kind = past.measure.kind
    if kind == "count":
        series = asked.over_time[name]
        counts = [n for n, one in zip(series.n, series.periods, strict=True) if one and one.end <= asked.period.start]
        if not counts:
            return ""
        mean = number(round(sum(counts) / len(counts), 1))
        return f"; before that, {mean} a {asked.every} on average over {plural(len(counts), asked.every)}"
    if kind in ("stock", "stock_age"):
        return f"; at its beginning, {_said(past)}"
    return f"; before that, {_said(past)}"


def _place(asked: Asked, name: str) -> int | None:
    """The place of the report's period in a chart."""
    labels = [period.label if period else "" for period in asked.over_time[name].periods]
    return labels.index(asked.period.label) if asked.period.label in labels else None


def _verdict(asked: Asked, name: str) -> tuple[Tone, str]:
    """What the chart says about the report's period, in words."""
    chart = asked.charts.get(name)
    if chart is None or isinstance(chart.limits, NotComputed):
        reason = chart.limits.reason if chart and isinstance(chart.limits, NotComputed) else "no chart"
        return "cannot", f"Whether this is more than the usual wobble cannot be told ({reason})."
    place = _place(asked, name)
    whole = [one for one in chart.signals if one.rule == "few_crossings"]
    hits = [one for one in chart.signals if place is not None and one.first <= place <= one.last and one not in whole]
    drift = (
        " Over the whole chart the level does not stand still: the centre line is crossed less often than chance would."
        if whole
        else ""
    )
    if not hits:
        return (
            "wobble",
            f"The chart shows no signal here: a difference of this size is this process's usual wobble.{drift}",
        )
    found = " and ".join(dict.fromkeys(one.words for one in hits))
    verdicts = {one.verdict for one in hits} - {"neither"}
    side = f" on the {verdicts.pop()} side" if len(verdicts) == 1 else ""
    return "signal", f"The chart shows a signal{side}: {found}. Why, it does not say.{drift}"


def promises(asked: Asked) -> Section | None:
    """Promises with a due time, the source's own word on them, and this period against the past."""
    whole = asked.whole
    if not charted(whole["promise_kept"]) and not charted(whole["promise_kept_by_source"]):
        return None
    findings = []
    if charted(whole["closed_late"]):
        findings += _due_findings(asked)
    if charted(whole["promise_kept_by_source"]):
        word = "By the source's own word, kept"
        findings.append(
            _finding(
                f"{word}, over the whole record: {_said(whole['promise_kept_by_source'])}.",
                whole["promise_kept_by_source"],
            )
        )
    name = "promise_kept" if "promise_kept" in asked.charts else "promise_kept_by_source"
    findings.append(_against_past(asked, name, "Promises kept in {when}"))
    charts = [asked.charts[one] for one in ("promise_kept", "promise_kept_by_source") if one in asked.charts]
    lengths = _promised_and_reached(asked)
    title = "What was promised, and what was kept"
    return Section("promises", title, tuple(findings), tuple(charts[:1]), tables=(lengths,) if lengths else ())


MOST_LENGTHS = 8


def _promised_and_reached(asked: Asked) -> Table | None:
    """Does "two days" mean two days? The most usual lengths of promise, how many were kept, and what it would take."""
    kept, needed = (_by(asked, find_measure(name), "promised") for name in ("promise_kept", "promise_to_keep_90"))
    takes = dict(zip(needed.segments, range(len(needed)), strict=True))
    usual = sorted(range(len(kept)), key=lambda place: -kept.n[place])[:MOST_LENGTHS]
    rows = []
    for place in sorted(usual, key=lambda place: kept.segments[place] or ""):
        length, at = kept.segments[place], takes.get(kept.segments[place])
        if length is None or at is None or isinstance(kept.value[place], NotComputed):
            continue
        took = needed.value[at]
        within = "not reached yet" if isinstance(took, NotComputed) else amount(took, needed.measure)
        intervals = (between(one.low[row], one.high[row], one.measure) for one, row in ((kept, place), (needed, at)))
        shown = (one.removeprefix("95% interval ") for one in intervals)
        rows.append((length.lstrip("0"), kept.n[place], amount(kept.value[place], kept.measure), within, *shown))
    columns = ("promised within", "fell due", "kept", "nine in ten done within", "95% interval of kept", "of the time")
    note = "From the first ask; open cases count as still waiting. Promises of this length would be kept nine times in ten if that time were named."
    return Table("Promised, and what it took", columns, tuple(rows), note) if len(rows) > 1 else None


def _due_findings(asked: Asked) -> list[Finding]:
    """Promises with a due time: late among the closed, open past due, and the source's own flag beside ours."""
    whole = asked.whole
    late, broken, kept = whole["closed_late"], whole["promise_broken"], whole["promise_kept"]
    n, share, low, high = _one(late)
    assert isinstance(share, float)
    findings = [
        _finding(
            f"Of {number(n)} closed cases with a target, {number(late.count[0] or 0)} were closed late: "
            f"{percent(share, 2)} ({between(low, high, late.measure)}).",
            late,
        )
    ]
    agreement = _agreement(asked)
    if agreement:
        findings.append(agreement)
    open_late, missed = broken.count[0] or 0, kept.n[0] - (kept.count[0] or 0)
    findings.append(
        _finding(
            f"{plural(open_late, 'case')} past the target {'is' if open_late == 1 else 'are'} still open; a share of closed "
            f"cases leaves them out. With them, {number(missed)} of {number(kept.n[0])} promises that fell due were missed, "
            f"and kept were {_said(kept)}.",
            broken,
        )
    )
    running = whole["promise_running"]
    findings.append(
        _finding(
            f"{plural(running.n[0] if len(running) else 0, 'promise')} of open cases are still to fall due.", running
        )
    )
    lateness = whole["days_late"]
    value = _one(lateness)[1]
    words = (
        f"half are delivered within {_said(lateness)} after the target"
        if isinstance(value, float)
        else f"how late cannot be said yet ({value})"
    )
    findings.append(
        _finding(f"When a promise is missed, {words}; cases still open are counted as still waiting.", lateness)
    )
    return findings


def _agreement(asked: Asked) -> Finding | None:
    """How often the source's own flag says what its dates say."""
    closed = "late_secs IS NOT NULL AND source = $source"
    same = "source_kept = CASE WHEN late_secs <= 0 THEN 1 ELSE 0 END"
    found = asked.scope.engine.ask(
        f"SELECT COUNT(*) AS n, SUM(CASE WHEN {same} THEN 1 ELSE 0 END) AS same, "
        f"SUM(CASE WHEN source_kept IS NULL THEN 1 ELSE 0 END) AS blank FROM {asked.scope.table} WHERE {closed}",
        {"source": asked.source},
    ).to_pydict()
    n, blank = found["n"][0], found["blank"][0]
    if not n or blank == n:
        return None
    same_n = int(found["same"][0])
    other = n - same_n - blank
    return Finding(
        f"The source's own on-time flag agrees with its dates on {number(same_n)} of {number(n)} of these "
        f"({percent(same_n / n, 2)}); of the rest, {number(blank)} carry no flag and {number(other)} say otherwise.",
        n=n,
        value=same_n / n,
    )


def waits(asked: Asked) -> Section | None:
    """The waits that the record can answer, open cases counted as still waiting."""
    subjects = {
        "time_to_first_reply": "Half of the cases of {when} had a first reply by a person within",
        "time_to_first_handover": "Half of the cases of {when} had reached whoever must answer within",
        "time_to_resolution": "Half of the cases asked for in {when} were resolved within",
        "time_to_resolution_p90": "Nine in ten of the cases asked for in {when} were resolved within",
    }
    if charted(asked.whole["time_to_resolution"]):  # the hand-over speaks only where the end is unknown
        del subjects["time_to_first_handover"]
    findings, charts = [], []
    for name, subject in subjects.items():
        if all(
            isinstance(value, NotComputed) and value.reason.startswith("the record")
            for value in asked.whole[name].value
        ):
            continue
        if name in asked.charts:
            findings.append(_against_past(asked, name, subject))
        else:
            when = subject.format(when=period_name(asked.period, asked.every))
            tone: Tone = "cannot" if isinstance(_one(asked.now[name])[1], NotComputed) else "fact"
            findings.append(_finding(f"{when}: {_said(asked.now[name])}.", asked.now[name], tone))
        if name in asked.charts:
            charts.append(asked.charts[name])
    if not findings:
        return None
    waiting = asked.now["time_to_resolution"]
    if len(waiting) and waiting.n[0] and _some_open(waiting):
        share = (waiting.open[0] or 0) / waiting.n[0]
        findings.append(
            _finding(
                f"{number(waiting.open[0] or 0)} of the {number(waiting.n[0])} cases of {period_name(asked.period, asked.every)} "
                f"({percent(share)}) {'is' if waiting.open[0] == 1 else 'are'} still open; these times count them as still waiting. A mean over resolved cases would "
                "leave them out and always flatter the latest periods.",
                waiting,
            )
        )
    return Section("waits", "How long people wait, those still waiting included", tuple(findings), tuple(charts))


def _some_open(series: Series) -> bool:
    """Some cases of a wait are still open."""
    return bool(series.open and series.open[0])


def load(asked: Asked) -> Section:
    """What came in, what went out, and what waits."""
    findings = [
        _against_past(asked, "asked", "Asked for in {when}"),
        _against_past(asked, "resolved", "Resolved in {when}"),
        _against_past(asked, "still_open", "Waiting at the end of {when}"),
        _against_past(asked, "open_age", "Typical age of a waiting case at the end of {when}"),
    ]
    kept = [one for one in findings if not (isinstance(one.value, NotComputed) and one.n == 0)]
    kept.append(
        Finding(
            "Cases asked for before the record begins are not in it, so too few are shown waiting in its first periods, "
            "and their age starts near zero.",
            "cannot",
        )
    )
    charts = [asked.charts[name] for name in ("asked", "still_open", "open_age") if name in asked.charts]
    return Section("load", "How much came in, and how much is waiting", tuple(kept), tuple(charts))


def quality_of_service(asked: Asked) -> Section | None:
    """What else the record tells: reopenings, hand-overs, ratings, complaints, disputes."""
    subjects = {
        "reopen_rate": "Resolved cases that came back",
        "handovers": "Hand-overs a case",
        "contacts": "Contacts a case",
        "first_contact_resolution": "Settled at the first contact",
        "rating_good": "Good ratings",
        "rating_mean": "Mean rating",
        "complaint_rate": "Cases with a complaint",
        "return_rate": "Answers that the customer disputed",
    }
    trivial = (0.0, 1.0)  # a share of all or nothing over the whole record tells nothing
    names = [
        name
        for name in subjects
        if charted(asked.whole[name])
        and not (asked.whole[name].measure.kind == "share" and asked.whole[name].value[0] in trivial)
    ]
    if not names:
        return None
    findings = []
    for name in names:
        whole = asked.whole[name]
        findings.append(_finding(f"{subjects[name]}, over the whole record: {_said(whole)}.", whole))
        if name in asked.charts and isinstance(_one(asked.now[name])[1], float):
            findings.append(_against_past(asked, name, subjects[name] + " in {when}"))
    charts = [asked.charts[name] for name in names if name in asked.charts]
    return Section("quality", "What customers and cases went through", tuple(findings), tuple(charts[:2]))


def signals(asked: Asked) -> Section:
    """Every chart on one line: what signalled, what merely wobbled."""
    rows, findings = [], []
    for name, chart in asked.charts.items():
        place = _place(asked, name)
        if place is None:
            continue
        tone, verdict = _verdict(asked, name)
        value = asked.over_time[name].value[place]
        usual = "" if isinstance(chart.limits, NotComputed) else _usual_range(chart, place)
        said = {"wobble": "no signal", "signal": verdict.removeprefix("The chart shows a ").split(". ")[0]}.get(
            tone, "cannot tell"
        )
        rows.append((chart.series.measure.question, amount(value, chart.series.measure), usual, said))
        if chart.warning:
            findings.append(Finding(f"{chart.series.measure.question} {chart.warning}", "cannot", chart.series.measure))
    table = Table(
        f"Signals and wobbles in {period_name(asked.period, asked.every)}",
        ("question", "this period", "usual range", "what the chart says"),
        tuple(rows),
        "The usual range is what this process does by itself, from all its periods; it is no target.",
    )
    return Section("signals", "What signalled, and what merely wobbled", tuple(findings), tables=(table,))


def _usual_range(chart: Chart, place: int) -> str:
    assert not isinstance(chart.limits, NotComputed)
    low, high = float(chart.limits.lower[place]), float(chart.limits.upper[place])
    if low != low:
        return ""
    if chart.series.measure.unit == "share":
        return f"{percent(low)} to {percent(high)}"
    return f"{number(round(low, 2))} to {number(round(high, 2))}"


def _focus(asked: Asked) -> Measure | None:
    """The share by which segments are compared: the first that this source can answer."""
    return next((find_measure(name) for name in FOCUS if charted(asked.whole[name])), None)


def _by(asked: Asked, measure: Measure, column: str) -> Series:
    question = Question((measure,), by=column, where=(("source", asked.source),))
    return answer(asked.scope, question)[measure.name]


def segments(asked: Asked) -> Section | None:
    """The parts that differ by more than chance, by every column that splits the cases."""
    measure = _focus(asked)
    if measure is None:
        return None
    funnels, findings = [], []
    for column in SPLITS:
        found = compare.funnel(_by(asked, measure, column), column)
        if isinstance(found, NotComputed):
            continue
        funnels.append(found)
        out = [row for row in found.rows if row.stands_out]
        beyond = sum(row.beyond_chance for row in found.rows)
        text = (
            f"By {column}: {beyond} of {len(found.rows)} differ from the overall {percent(found.overall)} by more than chance; "
            f"{plural(len(out), 'stands', 'stand')} out even allowing for how much they differ among themselves"
        )
        names = ", ".join(f"{row.segment} ({percent(row.share)}, n = {number(row.n)})" for row in out[:3])
        findings.append(Finding(f"{text}{': ' + names if names else ''}.", "signal" if out else "wobble", measure))
    if not funnels:
        return None
    title = f"Which parts differ, after allowing for chance ({measure.question.lower().rstrip('?')})"
    return Section("segments", title, tuple(findings), funnels=tuple(funnels[:3]))


def causes(asked: Asked) -> Section | None:
    """The categories in which most misses lie; where, not why."""
    measure = _focus(asked)
    if measure is None:
        return None
    paretos, findings = [], []
    for column in ("category", "service", "priority"):
        found = compare.pareto(_by(asked, measure, column), column)
        if isinstance(found, NotComputed) or len(found.rows) < 2:
            continue
        paretos.append(found)
        top = found.rows[: min(3, len(found.rows))]
        names = ", ".join(f"{row.segment} ({percent(row.share)})" for row in top)
        findings.append(
            Finding(
                f"By {column}, {percent(top[-1].cumulative)} of {number(found.total)} misses lie in: {names}.",
                "fact",
                measure,
                found.total,
            )
        )
    if not paretos:
        return None
    title = "Where most misses lie (" + measure.question.lower().rstrip("?") + ")"
    return Section("causes", title, tuple(findings), paretos=tuple(paretos[:2]))


def oldest(asked: Asked) -> Section | None:
    """The oldest open promises by name; where no due time is known, the oldest open cases."""
    as_of = asked.scope.as_of[asked.source]
    promised = charted(asked.whole["promise_kept"])
    late = f"due_s IS NOT NULL AND due_s <= {as_of} AND due_first = 0" if promised else "asked_s IS NOT NULL"
    order = "due_s" if promised else "asked_s"
    found = asked.scope.engine.ask(
        f"SELECT case_id, service, team, asked_s, due_s, {order} AS o FROM {asked.scope.table} "
        f"WHERE source = $source AND closed = 0 AND {late} ORDER BY {order}, case_id LIMIT {OLDEST}",
        {"source": asked.source},
    ).to_pylist()
    if not found:
        return None
    rows = tuple(
        (
            row["case_id"],
            row["service"] or "",
            row["team"] or "",
            _local_day(asked.scope, row["asked_s"]),
            _local_day(asked.scope, row["due_s"]) if row["due_s"] else "",
            round((as_of - row["o"]) / 86_400, 1),
        )
        for row in found
    )
    what = "open promises" if promised else "open cases"
    columns = ("case", "service", "team", "asked", "due", "days overdue" if promised else "days waiting")
    return Section("oldest", f"The oldest {what}", tables=(Table(f"The {len(rows)} oldest {what}", columns, rows),))


def _local_day(scope: Scope, second: int) -> str:
    return datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(scope.zone)).date().isoformat()


def data_quality(asked: Asked, receipts: Sequence[Receipt]) -> Section:
    """What was read, refused, left out, missing, and impossible."""
    findings, missing, refused, lost = [], [], [], []
    for one in receipts:
        findings.append(
            Finding(
                f"{one.file}: {number(one.rows_read)} rows read = {number(one.rows_loaded)} loaded + {number(one.rows_refused)} refused; "
                f"{number(one.moments)} moments, {number(one.moments_new)} of them new.",
                n=one.rows_read,
            )
        )
        findings += [
            Finding(f"{one.file}: {counted(count, what)}.", "cannot", n=count) for what, count in one.notes.items()
        ]
        missing += [
            (one.file, column, count, percent(count / max(one.rows_loaded, 1))) for column, count in one.missing.items()
        ]
        refused += [(one.file, reason, count) for reason, count in one.reasons.items()]
        lost += [(one.file, reason, count) for reason, count in one.losses.items()]
    found = asked.scope.engine.ask(
        f"SELECT SUM(closed_first) AS c, SUM(due_first) AS d, SUM(resolved_unknown) AS u FROM {asked.scope.table} WHERE source = $source",
        {"source": asked.source},
    ).to_pydict()
    impossible = {
        "closed before they were opened, which cannot be; kept, flagged, and left out of waits": found["c"][0],
        "due before they were opened, which cannot be; kept, flagged, and left out of promises": found["d"][0],
        "resolved at a time that the file does not give; left out of waits": found["u"][0],
    }
    findings += [
        Finding(f"{plural(int(count), 'case')} {what}.", "cannot", n=int(count))
        for what, count in impossible.items()
        if count
    ]
    tables = [Table("Missing values", ("file", "column", "rows without", "share"), tuple(missing))] if missing else []
    tables += [Table("Refused rows", ("file", "reason", "rows"), tuple(refused))] if refused else []
    tables += [Table("Moments left out", ("file", "reason", "moments"), tuple(lost))] if lost else []
    return Section("data", "How good the data are", tuple(findings), tables=tuple(tables))


def short(sections: Sequence[Section]) -> Section:
    """The page in a few lines: the first facts on promises and waits, then what signalled.

    What waits is left out: it grows from nothing with every record, and would signal in each.
    """
    by_key = {section.key: section.findings for section in sections}
    facts = [finding for key in ("promises", "waits") for finding in by_key.get(key, ())[:3]]
    stocks = ("stock", "stock_age")
    signals = [
        finding
        for key in ("load", "quality")
        for finding in by_key.get(key, ())
        if finding.tone == "signal" and finding.measure and finding.measure.kind not in stocks
    ]
    return Section("short", "In short", (*facts[:5], *signals[:2]))
