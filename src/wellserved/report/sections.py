"""The report's sections: plain sentences, each with the measure, n and interval that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from wellserved.chart import Chart
from wellserved.measure import Measure, MeasureQuestion, Series, find_measure
from wellserved.measure.assembly import answer_question
from wellserved.measure.case_table import CaseTable
from wellserved.measure.series import Value
from wellserved.measure.words import (
    format_interval,
    format_note,
    format_number,
    format_percent,
    format_value,
    period_name,
    plural,
)
from wellserved.moments import NotComputable
from wellserved.report import segments as compare
from wellserved.report.contents import Finding, ReportAnswers, Section, Table, Tone
from wellserved.storage.log import Receipt

FOCUS_MEASURES: Final = ("promise_kept", "promise_kept_by_source", "return_rate", "reopen_rate")
SPLIT_COLUMNS: Final = ("team", "category", "service", "channel", "priority", "place")
MAX_OLDEST_SHOWN = 10


def is_computable(series: Series) -> bool:
    """Any number of the series is computable."""
    return any(not isinstance(value, NotComputable) for value in series.value)


def _single_value(series: Series) -> tuple[int, Value, Value, Value]:
    """n, value, low, high of a series of one number."""
    if not len(series):
        none = NotComputable("no cases")
        return 0, none, none, none
    return series.n[0], series.value[0], series.low[0], series.high[0]


def _finding(text: str, series: Series, tone: Tone = "fact") -> Finding:
    n, value, low, high = _single_value(series)
    return Finding(text, tone, series.measure, n, value, low, high)


def _value_text(series: Series) -> str:
    """The number with its interval and n, in words."""
    n, value, low, high = _single_value(series)
    if isinstance(value, NotComputable):
        return f"{value} (n = {format_number(n)})"
    interval_text = format_interval(low, high, series.measure)
    return f"{format_value(value, series.measure)} ({interval_text}; n = {format_number(n)})"


def _comparison(answers: ReportAnswers, name: str, subject: str) -> Finding:
    """This period beside everything before it, and whether the chart calls the difference a signal.

    `subject` is a phrase with {when} in it, to which the number is added.
    """
    series = answers.this_period[name]
    opening = subject.format(when=period_name(answers.period, answers.granularity))
    if isinstance(_single_value(series)[1], NotComputable):
        return _finding(f"{opening}: {_value_text(series)}.", series, "cannot")
    tone, verdict = _verdict(answers, name)
    return _finding(f"{opening}: {_value_text(series)}{_earlier_text(answers, name)}. {verdict}", series, tone)


def _earlier_text(answers: ReportAnswers, name: str) -> str:
    """What the number was before the period: pooled, or for counts the mean of a period."""
    earlier_series = answers.earlier[name]
    if isinstance(_single_value(earlier_series)[1], NotComputable):
        return ""
    kind = earlier_series.measure.kind
    if kind == "count":
        series = answers.over_time[name]
        counts = [
            n
            for n, period in zip(series.n, series.periods, strict=True)
            if period and period.end <= answers.period.start
        ]
        if not counts:
            return ""
        mean = format_number(round(sum(counts) / len(counts), 1))
        return (
            f"; before that, {mean} a {answers.granularity} on average over {plural(len(counts), answers.granularity)}"
        )
    if kind in ("stock", "stock_age"):
        return f"; at its beginning, {_value_text(earlier_series)}"
    return f"; before that, {_value_text(earlier_series)}"


def _period_position(answers: ReportAnswers, name: str) -> int | None:
    """The place of the report's period in a chart."""
    labels = [period.label if period else "" for period in answers.over_time[name].periods]
    return labels.index(answers.period.label) if answers.period.label in labels else None


def _verdict(answers: ReportAnswers, name: str) -> tuple[Tone, str]:
    """What the chart says about the report's period, in words."""
    chart = answers.charts.get(name)
    if chart is None or isinstance(chart.limits, NotComputable):
        reason = chart.limits.reason if chart and isinstance(chart.limits, NotComputable) else "no chart"
        return "cannot", f"Whether this is more than the usual wobble cannot be told ({reason})."
    position = _period_position(answers, name)
    chart_wide_signals = [signal for signal in chart.signals if signal.rule == "few_crossings"]
    period_signals = [
        signal
        for signal in chart.signals
        if position is not None and signal.first <= position <= signal.last and signal not in chart_wide_signals
    ]
    drift = (
        " Over the whole chart the level does not stand still: the centre line is crossed less often than chance would."
        if chart_wide_signals
        else ""
    )
    if not period_signals:
        return (
            "wobble",
            f"The chart shows no signal here: a difference of this size is this process's usual wobble.{drift}",
        )
    rule_words = " and ".join(dict.fromkeys(signal.words for signal in period_signals))
    verdicts = {signal.verdict for signal in period_signals} - {"neither"}
    side = f" on the {verdicts.pop()} side" if len(verdicts) == 1 else ""
    return "signal", f"The chart shows a signal{side}: {rule_words}. The chart cannot tell why.{drift}"


def promise_section(answers: ReportAnswers) -> Section | None:
    """Promises with a due time, the source's own word on them, and this period against the past."""
    all_time = answers.all_time
    if not is_computable(all_time["promise_kept"]) and not is_computable(all_time["promise_kept_by_source"]):
        return None
    findings = []
    if is_computable(all_time["closed_late"]):
        findings += _due_findings(answers)
    if is_computable(all_time["promise_kept_by_source"]):
        word = "By the source's own word, kept"
        findings.append(
            _finding(
                f"{word}, over the whole record: {_value_text(all_time['promise_kept_by_source'])}.",
                all_time["promise_kept_by_source"],
            )
        )
    name = "promise_kept" if "promise_kept" in answers.charts else "promise_kept_by_source"
    findings.append(_comparison(answers, name, "Promises kept in {when}"))
    charts = [
        answers.charts[measure_name]
        for measure_name in ("promise_kept", "promise_kept_by_source")
        if measure_name in answers.charts
    ]
    lengths = _promised_and_reached(answers)
    title = "What was promised, and what was kept"
    return Section("promises", title, tuple(findings), tuple(charts[:1]), tables=(lengths,) if lengths else ())


MAX_LENGTHS_SHOWN = 8


def _promised_and_reached(answers: ReportAnswers) -> Table | None:
    """Does "two days" mean two days? The most usual lengths of promise, how many were kept, and what it would take."""
    kept_series, needed_series = (
        _by_column(answers, find_measure(name), "promised") for name in ("promise_kept", "promise_to_keep_90")
    )
    needed_position = dict(zip(needed_series.segments, range(len(needed_series)), strict=True))
    usual = sorted(range(len(kept_series)), key=lambda position: -kept_series.n[position])[:MAX_LENGTHS_SHOWN]
    rows = []
    for position in sorted(usual, key=lambda position: kept_series.segments[position] or ""):
        length, needed_at = kept_series.segments[position], needed_position.get(kept_series.segments[position])
        if length is None or needed_at is None or isinstance(kept_series.value[position], NotComputable):
            continue
        needed_time = needed_series.value[needed_at]
        time_text = (
            "not reached yet"
            if isinstance(needed_time, NotComputable)
            else format_value(needed_time, needed_series.measure)
        )
        intervals = (
            format_interval(series.low[index], series.high[index], series.measure)
            for series, index in ((kept_series, position), (needed_series, needed_at))
        )
        interval_texts = (interval_text.removeprefix("95% interval ") for interval_text in intervals)
        rows.append(
            (
                length.lstrip("0"),
                kept_series.n[position],
                format_value(kept_series.value[position], kept_series.measure),
                time_text,
                *interval_texts,
            )
        )
    columns = ("promised within", "fell due", "kept", "nine in ten done within", "95% interval of kept", "of the time")
    note = "From the first ask; open cases count as still waiting. Promises of this length would be kept nine times in ten if that time were named."
    return Table("Promised, and what it took", columns, tuple(rows), note) if len(rows) > 1 else None


def _due_findings(answers: ReportAnswers) -> list[Finding]:
    """Promises with a due time: late among the closed, open past due, and the source's own flag beside ours."""
    all_time = answers.all_time
    late_series, broken_series, kept_series = (
        all_time["closed_late"],
        all_time["promise_broken"],
        all_time["promise_kept"],
    )
    n, share, low, high = _single_value(late_series)
    assert isinstance(share, float)
    findings = [
        _finding(
            f"Of {format_number(n)} closed cases with a target, {format_number(late_series.count[0] or 0)} were closed late: "
            f"{format_percent(share, 2)} ({format_interval(low, high, late_series.measure)}).",
            late_series,
        )
    ]
    agreement = _agreement(answers)
    if agreement:
        findings.append(agreement)
    open_late_count, missed_count = broken_series.count[0] or 0, kept_series.n[0] - (kept_series.count[0] or 0)
    findings.append(
        _finding(
            f"{plural(open_late_count, 'case')} past the target {'is' if open_late_count == 1 else 'are'} still open; a share of closed "
            f"cases leaves them out. With them, {format_number(missed_count)} of {format_number(kept_series.n[0])} promises that fell due were missed, "
            f"and kept were {_value_text(kept_series)}.",
            broken_series,
        )
    )
    running_series = all_time["promise_running"]
    findings.append(
        _finding(
            f"{plural(running_series.n[0] if len(running_series) else 0, 'promise')} of open cases are still to fall due.",
            running_series,
        )
    )
    lateness = all_time["days_late"]
    value = _single_value(lateness)[1]
    words = (
        f"half are delivered within {_value_text(lateness)} after the target"
        if isinstance(value, float)
        else f"how late cannot be said yet ({value})"
    )
    findings.append(
        _finding(f"When a promise is missed, {words}; cases still open are counted as still waiting.", lateness)
    )
    return findings


def _agreement(answers: ReportAnswers) -> Finding | None:
    """How often the source's own flag says what its dates say."""
    condition = "late_secs IS NOT NULL AND source = $source"
    same_sql = "source_kept = CASE WHEN late_secs <= 0 THEN 1 ELSE 0 END"
    counts = answers.case_table.engine.query(
        f"SELECT COUNT(*) AS n, SUM(CASE WHEN {same_sql} THEN 1 ELSE 0 END) AS same, "
        f"SUM(CASE WHEN source_kept IS NULL THEN 1 ELSE 0 END) AS blank FROM {answers.case_table.table} WHERE {condition}",
        {"source": answers.source},
    ).to_pydict()
    n, blank_count = counts["n"][0], counts["blank"][0]
    if not n or blank_count == n:
        return None
    same_count = int(counts["same"][0])
    other_count = n - same_count - blank_count
    return Finding(
        f"The source's own on-time flag agrees with its dates on {format_number(same_count)} of {format_number(n)} of these "
        f"({format_percent(same_count / n, 2)}); of the rest, {format_number(blank_count)} carry no flag and {format_number(other_count)} say otherwise.",
        n=n,
        value=same_count / n,
    )


def wait_section(answers: ReportAnswers) -> Section | None:
    """The waits that the record can answer, open cases counted as still waiting."""
    subjects = {
        "time_to_first_reply": "Half of the cases of {when} had a first reply by a person within",
        "time_to_first_handover": "Half of the cases of {when} had reached whoever must answer within",
        "time_to_resolution": "Half of the cases asked for in {when} were resolved within",
        "time_to_resolution_p90": "Nine in ten of the cases asked for in {when} were resolved within",
    }
    if is_computable(answers.all_time["time_to_resolution"]):  # the hand-over speaks only where the end is unknown
        del subjects["time_to_first_handover"]
    findings, charts = [], []
    for name, subject in subjects.items():
        if all(
            isinstance(value, NotComputable) and value.reason.startswith("the record")
            for value in answers.all_time[name].value
        ):
            continue
        if name in answers.charts:
            findings.append(_comparison(answers, name, subject))
        else:
            opening = subject.format(when=period_name(answers.period, answers.granularity))
            tone: Tone = "cannot" if isinstance(_single_value(answers.this_period[name])[1], NotComputable) else "fact"
            findings.append(
                _finding(f"{opening}: {_value_text(answers.this_period[name])}.", answers.this_period[name], tone)
            )
        if name in answers.charts:
            charts.append(answers.charts[name])
    if not findings:
        return None
    resolution_times = answers.this_period["time_to_resolution"]
    if len(resolution_times) and resolution_times.n[0] and _has_open_cases(resolution_times):
        share = (resolution_times.open[0] or 0) / resolution_times.n[0]
        findings.append(
            _finding(
                f"{format_number(resolution_times.open[0] or 0)} of the {format_number(resolution_times.n[0])} cases of {period_name(answers.period, answers.granularity)} "
                f"({format_percent(share)}) {'is' if resolution_times.open[0] == 1 else 'are'} still open; these times count them as still waiting. A mean over resolved cases would "
                "leave them out and always flatter the latest periods.",
                resolution_times,
            )
        )
    return Section("waits", "How long people wait, those still waiting included", tuple(findings), tuple(charts))


def _has_open_cases(series: Series) -> bool:
    """Some cases of a wait are still open."""
    return bool(series.open and series.open[0])


def load_section(answers: ReportAnswers) -> Section:
    """What came in, what went out, and what waits."""
    findings = [
        _comparison(answers, "asked", "Asked for in {when}"),
        _comparison(answers, "resolved", "Resolved in {when}"),
        _comparison(answers, "still_open", "Waiting at the end of {when}"),
        _comparison(answers, "open_age", "Typical age of a waiting case at the end of {when}"),
    ]
    shown_findings = [
        finding for finding in findings if not (isinstance(finding.value, NotComputable) and finding.n == 0)
    ]
    shown_findings.append(
        Finding(
            "Cases asked for before the record begins are not in it, so too few are shown waiting in its first periods, "
            "and their age starts near zero.",
            "cannot",
        )
    )
    charts = [answers.charts[name] for name in ("asked", "still_open", "open_age") if name in answers.charts]
    return Section("load", "How much came in, and how much is waiting", tuple(shown_findings), tuple(charts))


def quality_section(answers: ReportAnswers) -> Section | None:
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
        if is_computable(answers.all_time[name])
        and not (answers.all_time[name].measure.kind == "share" and answers.all_time[name].value[0] in trivial)
    ]
    if not names:
        return None
    findings = []
    for name in names:
        series = answers.all_time[name]
        findings.append(_finding(f"{subjects[name]}, over the whole record: {_value_text(series)}.", series))
        if name in answers.charts and isinstance(_single_value(answers.this_period[name])[1], float):
            findings.append(_comparison(answers, name, subjects[name] + " in {when}"))
    charts = [answers.charts[name] for name in names if name in answers.charts]
    return Section("quality", "What customers and cases went through", tuple(findings), tuple(charts[:2]))


def signal_section(answers: ReportAnswers) -> Section:
    """Every chart on one line: what signalled, what merely wobbled."""
    rows, findings = [], []
    for name, chart in answers.charts.items():
        position = _period_position(answers, name)
        if position is None:
            continue
        tone, verdict = _verdict(answers, name)
        value = answers.over_time[name].value[position]
        usual = "" if isinstance(chart.limits, NotComputable) else _usual_range(chart, position)
        chart_words = {"wobble": "no signal", "signal": verdict.removeprefix("The chart shows a ").split(". ")[0]}.get(
            tone, "cannot tell"
        )
        rows.append((chart.series.measure.question, format_value(value, chart.series.measure), usual, chart_words))
        if chart.warning:
            findings.append(Finding(f"{chart.series.measure.question} {chart.warning}", "cannot", chart.series.measure))
    table = Table(
        f"Signals and wobbles in {period_name(answers.period, answers.granularity)}",
        ("question", "this period", "usual range", "what the chart says"),
        tuple(rows),
        "The usual range is what this process does by itself, from all its periods; it is no target.",
    )
    return Section("signals", "What signalled, and what merely wobbled", tuple(findings), tables=(table,))


def _usual_range(chart: Chart, position: int) -> str:
    assert not isinstance(chart.limits, NotComputable)
    low, high = float(chart.limits.lower[position]), float(chart.limits.upper[position])
    if low != low:
        return ""
    if chart.series.measure.unit == "share":
        return f"{format_percent(low)} to {format_percent(high)}"
    return f"{format_number(round(low, 2))} to {format_number(round(high, 2))}"


def _focus(answers: ReportAnswers) -> Measure | None:
    """The share by which segments are compared: the first that this source can answer."""
    return next((find_measure(name) for name in FOCUS_MEASURES if is_computable(answers.all_time[name])), None)


def _by_column(answers: ReportAnswers, measure: Measure, column: str) -> Series:
    question = MeasureQuestion((measure,), by=column, where=(("source", answers.source),))
    return answer_question(answers.case_table, question)[measure.name]


def segment_section(answers: ReportAnswers) -> Section | None:
    """The parts that differ by more than chance, by every column that splits the cases."""
    measure = _focus(answers)
    if measure is None:
        return None
    funnels, findings = [], []
    for column in SPLIT_COLUMNS:
        funnel = compare.funnel(_by_column(answers, measure, column), column)
        if isinstance(funnel, NotComputable):
            continue
        funnels.append(funnel)
        outliers = [row for row in funnel.rows if row.stands_out]
        beyond_count = sum(row.beyond_chance for row in funnel.rows)
        text = (
            f"By {column}: {beyond_count} of {len(funnel.rows)} differ from the overall {format_percent(funnel.overall)} by more than chance; "
            f"{plural(len(outliers), 'stands', 'stand')} out even allowing for how much they differ among themselves"
        )
        names = ", ".join(
            f"{row.segment} ({format_percent(row.share)}, n = {format_number(row.n)})" for row in outliers[:3]
        )
        findings.append(Finding(f"{text}{': ' + names if names else ''}.", "signal" if outliers else "wobble", measure))
    if not funnels:
        return None
    title = f"Which parts differ, after allowing for chance ({measure.question.lower().rstrip('?')})"
    return Section("segments", title, tuple(findings), funnels=tuple(funnels[:3]))


def cause_section(answers: ReportAnswers) -> Section | None:
    """The categories in which most misses lie; where, not why."""
    measure = _focus(answers)
    if measure is None:
        return None
    paretos, findings = [], []
    for column in ("category", "service", "priority"):
        pareto = compare.pareto(_by_column(answers, measure, column), column)
        if isinstance(pareto, NotComputable) or len(pareto.rows) < 2:
            continue
        paretos.append(pareto)
        top = pareto.rows[: min(3, len(pareto.rows))]
        names = ", ".join(f"{row.segment} ({format_percent(row.share)})" for row in top)
        findings.append(
            Finding(
                f"By {column}, {format_percent(top[-1].cumulative)} of {format_number(pareto.total)} misses lie in: {names}.",
                "fact",
                measure,
                pareto.total,
            )
        )
    if not paretos:
        return None
    title = "Where most misses lie (" + measure.question.lower().rstrip("?") + ")"
    return Section("causes", title, tuple(findings), paretos=tuple(paretos[:2]))


def oldest_section(answers: ReportAnswers) -> Section | None:
    """The oldest open promises by name; where no due time is known, the oldest open cases."""
    as_of = answers.case_table.as_of[answers.source]
    has_promises = is_computable(answers.all_time["promise_kept"])
    condition = f"due_s IS NOT NULL AND due_s <= {as_of} AND due_first = 0" if has_promises else "asked_s IS NOT NULL"
    order = "due_s" if has_promises else "asked_s"
    case_rows = answers.case_table.engine.query(
        f"SELECT case_id, service, team, asked_s, due_s, {order} AS o FROM {answers.case_table.table} "
        f"WHERE source = $source AND closed = 0 AND {condition} ORDER BY {order}, case_id LIMIT {MAX_OLDEST_SHOWN}",
        {"source": answers.source},
    ).to_pylist()
    if not case_rows:
        return None
    rows = tuple(
        (
            row["case_id"],
            row["service"] or "",
            row["team"] or "",
            _local_day(answers.case_table, row["asked_s"]),
            _local_day(answers.case_table, row["due_s"]) if row["due_s"] else "",
            round((as_of - row["o"]) / 86_400, 1),
        )
        for row in case_rows
    )
    subject = "open promises" if has_promises else "open cases"
    columns = ("case", "service", "team", "asked", "due", "days overdue" if has_promises else "days waiting")
    return Section(
        "oldest", f"The oldest {subject}", tables=(Table(f"The {len(rows)} oldest {subject}", columns, rows),)
    )


def _local_day(case_table: CaseTable, second: int) -> str:
    return datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(case_table.zone)).date().isoformat()


def data_section(answers: ReportAnswers, receipts: Sequence[Receipt]) -> Section:
    """What was read, refused, left out, missing, and impossible."""
    findings, missing, refusals, losses = [], [], [], []
    for receipt in receipts:
        findings.append(
            Finding(
                f"{receipt.file}: {format_number(receipt.rows_read)} rows read = {format_number(receipt.rows_loaded)} loaded + {format_number(receipt.rows_refused)} refused; "
                f"{format_number(receipt.moments)} moments, {format_number(receipt.moments_new)} of them new.",
                n=receipt.rows_read,
            )
        )
        findings += [
            Finding(f"{receipt.file}: {format_note(count, note)}.", "cannot", n=count)
            for note, count in receipt.notes.items()
        ]
        missing += [
            (receipt.file, column, count, format_percent(count / max(receipt.rows_loaded, 1)))
            for column, count in receipt.missing.items()
        ]
        refusals += [(receipt.file, reason, count) for reason, count in receipt.reasons.items()]
        losses += [(receipt.file, reason, count) for reason, count in receipt.losses.items()]
    flag_counts = answers.case_table.engine.query(
        f"SELECT SUM(closed_first) AS c, SUM(due_first) AS d, SUM(resolved_unknown) AS u FROM {answers.case_table.table} WHERE source = $source",
        {"source": answers.source},
    ).to_pydict()
    impossible = {
        "closed before they were opened, which cannot be; kept, flagged, and left out of waits": flag_counts["c"][0],
        "due before they were opened, which cannot be; kept, flagged, and left out of promises": flag_counts["d"][0],
        "resolved at a time that the file does not give; left out of waits": flag_counts["u"][0],
    }
    findings += [
        Finding(f"{plural(int(count), 'case')} {problem}.", "cannot", n=int(count))
        for problem, count in impossible.items()
        if count
    ]
    tables = [Table("Missing values", ("file", "column", "rows without", "share"), tuple(missing))] if missing else []
    tables += [Table("Refused rows", ("file", "reason", "rows"), tuple(refusals))] if refusals else []
    tables += [Table("Moments left out", ("file", "reason", "moments"), tuple(losses))] if losses else []
    return Section("data", "How good the data are", tuple(findings), tables=tuple(tables))


def summary_section(sections: Sequence[Section]) -> Section:
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
