"""The report's details: each section's sentences, with the measure, n and interval that they rest on in small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wellserved.measure import Measure, Series
from wellserved.measure.series import Value
from wellserved.moments import NotComputable
from wellserved.report.answers import ReportAnswers, is_computable
from wellserved.report.brief import rest_in_small
from wellserved.report.contents import Finding, Section, Table, Tone
from wellserved.report.segments import Funnel
from wellserved.report.verdicts import (
    is_complete_count,
    period_position,
    period_verdict,
    readable_interval,
    readable_value,
    usual_range,
)
from wellserved.storage.log import Receipt
from wellserved.wording import (
    format_interval,
    format_note,
    format_number,
    format_percent,
    format_value,
    period_name,
    plural,
)

MAX_LENGTHS_SHOWN: Final = 8


def _single_value(series: Series) -> tuple[int, Value, Value, Value]:
    """n, value, low, high of a series of one number."""
    if not len(series):
        none = NotComputable("no cases")
        return 0, none, none, none
    return series.n[0], series.value[0], series.low[0], series.high[0]


def _finding(text: str, series: Series, tone: Tone = "fact", small: str | None = None) -> Finding:
    n, value, low, high = _single_value(series)
    rest = rest_in_small(series) if small is None else small
    return Finding(text, tone, series.measure, n, value, low, high, rest)


def _value_text(series: Series) -> str:
    """The number in words; its interval and n stand beside it in small."""
    value = _single_value(series)[1]
    return str(value) if isinstance(value, NotComputable) else readable_value(series)


def _period_finding(answers: ReportAnswers, name: str, subject: str) -> Finding:
    """The period's number, and in small what it was before; `subject` has {when} in it."""
    series, before = answers.this_period[name], answers.earlier[name]
    opening = subject.format(when=period_name(answers.period, answers.granularity))
    if isinstance(_single_value(series)[1], NotComputable):
        return _finding(
            f"{opening}: {_value_text(series)}.",
            series,
            "cannot",
            f"n = {format_number(series.n[0]) if len(series) else 0}",
        )
    known_before = not isinstance(_single_value(before)[1], NotComputable) and series.measure.kind != "count"
    notes = [rest_in_small(series), f"previously {_value_text(before)}" if known_before else ""]
    tones: dict[str, Tone] = {"signal": "signal", "wobble": "wobble", "cannot": "fact"}
    tone = tones[period_verdict(answers, name).kind]
    return _finding(f"{opening} {_value_text(series)}.", series, tone, "; ".join(note for note in notes if note))


def overview_section(answers: ReportAnswers) -> Section:
    """Every chart on one line: the number, what it was, what is usual, and what the chart says."""
    rows = []
    for name, chart in answers.charts.items():
        position = period_position(answers, name)
        if position is None:
            continue
        series, before = answers.this_period[name], answers.earlier[name]
        before_text = _earlier_level(answers, name) if series.measure.kind == "count" else _value_text(before)
        is_whole = is_complete_count(series)
        rows.append(
            (
                chart.series.measure.question,
                _value_text(series),
                "" if is_whole or not len(series) else readable_interval(series).removeprefix("95% interval "),
                "" if is_whole or not len(series) else series.n[0],
                "" if isinstance(_single_value(before)[1], NotComputable) else before_text,
                usual_range(chart, position, series),
                period_verdict(answers, name).words,
            )
        )
    table = Table(
        f"All measures in {period_name(answers.period, answers.granularity)}",
        ("question", "this period", "95% interval", "n", "before", "usual range", "what the chart says"),
        tuple(rows),
        "Before: everything before the period; for counts the mean of a period; for what waits, where the period began. "
        "The usual range is what this process does by itself, from all its periods; it is no target.",
    )
    return Section("overview", "All measures at a glance", _warnings(answers), tables=(table,))


def _warnings(answers: ReportAnswers) -> tuple[Finding, ...]:
    """Charts to read with care, each warning once."""
    resembling = [chart.series.measure for chart in answers.charts.values() if chart.warning]
    if not resembling:
        return ()
    questions = " ".join(measure.question for measure in resembling)
    return (
        Finding(
            f"Read the signals of {plural(len(resembling), 'chart')} with care, since neighbouring periods resemble each other there: {questions}",
            "cannot",
            small="Where the correlation from one period to the next is 0.3, about one chart in five shows a false signal; at 0.8 most do. Longer periods help.",
        ),
    )


def _earlier_level(answers: ReportAnswers, name: str) -> str:
    """The mean of a count over the periods before."""
    series = answers.over_time[name]
    counts = [
        n for n, period in zip(series.n, series.periods, strict=True) if period and period.end <= answers.period.start
    ]
    return f"{format_number(round(sum(counts) / len(counts), 1))} a {answers.granularity}" if counts else ""


def promise_section(answers: ReportAnswers) -> Section | None:
    """Promises with a due time, the source's own word on them, and this period against the past."""
    all_time = answers.all_time
    if not is_computable(all_time["promise_kept"]) and not is_computable(all_time["promise_kept_by_source"]):
        return None
    findings = []
    if is_computable(all_time["closed_late"]):
        findings += _due_findings(answers)
    if is_computable(all_time["promise_kept_by_source"]):
        by_source = all_time["promise_kept_by_source"]
        findings.append(
            _finding(
                f"According to the source itself, {_value_text(by_source)} were kept over the whole record.", by_source
            )
        )
    charts = [
        answers.charts[measure_name]
        for measure_name in ("promise_kept", "promise_kept_by_source")
        if measure_name in answers.charts
    ]
    lengths = _promised_and_reached(answers)
    title = "What was promised, and what was kept"
    return Section("promises", title, tuple(findings), tuple(charts[:1]), tables=(lengths,) if lengths else ())


def _promised_and_reached(answers: ReportAnswers) -> Table | None:
    """Does "two days" mean two days? The most usual lengths of promise, how many were kept, and what it would take."""
    if answers.promised_lengths is None:
        return None
    kept_series, needed_series = answers.promised_lengths
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
            else format_value(needed_time, needed_series.measure.unit)
        )
        intervals = (
            format_interval(series.low[index], series.high[index], series.measure.unit)
            for series, index in ((kept_series, position), (needed_series, needed_at))
        )
        interval_texts = (interval_text.removeprefix("95% interval ") for interval_text in intervals)
        rows.append(
            (
                length.lstrip("0"),
                kept_series.n[position],
                format_value(kept_series.value[position], kept_series.measure.unit),
                time_text,
                *interval_texts,
            )
        )
    columns = ("promised within", "fell due", "kept", "nine in ten done within", "95% interval of kept", "of the time")
    note = "From the first ask; open cases count as still waiting. Promises of this length would be kept nine times in ten if that time were named."
    return Table("Promised, and what it took", columns, tuple(rows), note) if len(rows) > 1 else None


def _due_findings(answers: ReportAnswers) -> list[Finding]:
    """Promises with a due time: kept over the whole record, late among the closed, still to come, and how late."""
    all_time = answers.all_time
    late_series, kept_series, lateness = all_time["closed_late"], all_time["promise_kept"], all_time["days_late"]
    n, share = late_series.n[0], late_series.value[0]
    assert isinstance(share, float)
    running_count = all_time["promise_running"].n[0] if len(all_time["promise_running"]) else 0
    findings = [
        _finding(
            f"Over the whole record {format_number(kept_series.count[0] or 0)} of {plural(kept_series.n[0], 'promise')} that fell due were kept: {_value_text(kept_series)}.",
            kept_series,
        ),
        _finding(
            f"Of {format_number(n)} closed cases with a target, {format_number(late_series.count[0] or 0)} were closed late: {format_percent(share, 2)}. "
            "This share leaves out what is overdue and still open.",
            late_series,
        ),
        *_agreement(answers),
        _finding(
            f"{plural(running_count, 'promise')} of open cases {'is' if running_count == 1 else 'are'} still to fall due.",
            all_time["promise_running"],
            small="",
        ),
    ]
    if isinstance(_single_value(lateness)[1], float):
        words = f"When a promise is missed, half are delivered within {_value_text(lateness)} after the target, those still open counted as waiting."
    else:
        words = f"How late missed promises are cannot be said yet: {_value_text(lateness)}."
    return [*findings, _finding(words, lateness)]


def _agreement(answers: ReportAnswers) -> list[Finding]:
    """How often the source's own flag says what its dates say."""
    n, same_count, blank_count = (answers.flag_counts[name] for name in ("n", "same", "blank"))
    if not n or blank_count == n:
        return []
    return [
        Finding(
            f"The source's own on-time flag agrees with its dates on {format_number(same_count)} of {format_number(n)} of these: {format_percent(same_count / n, 2)}.",
            n=n,
            value=same_count / n,
            small=f"of the rest, {format_number(blank_count)} carry no flag and {format_number(n - same_count - blank_count)} say otherwise",
        )
    ]


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
        findings.append(_period_finding(answers, name, subject))
        if name in answers.charts:
            charts.append(answers.charts[name])
    if not findings:
        return None
    resolution_times = answers.this_period["time_to_resolution"]
    if len(resolution_times) and resolution_times.n[0] and _has_open_cases(resolution_times):
        open_count, n = resolution_times.open[0] or 0, resolution_times.n[0]
        findings.append(
            Finding(
                f"{format_number(open_count)} of these {plural(n, 'case')} {'is' if open_count == 1 else 'are'} still open, "
                f"{format_percent(open_count / n)}, and counted as still waiting.",
                n=n,
                value=open_count / n,
                small="A mean over resolved cases would leave them out, and flatter the latest periods.",
            )
        )
    return Section("waits", "How long people wait, those still waiting included", tuple(findings), tuple(charts))


def _has_open_cases(series: Series) -> bool:
    """Some cases of a wait are still open."""
    return bool(series.open and series.open[0])


def load_section(answers: ReportAnswers) -> Section:
    """What came in, what went out, and what waits."""
    asked, resolved = answers.this_period["asked"].n, answers.this_period["resolved"].n
    findings = []
    if asked and resolved:
        more = asked[0] - resolved[0]
        comparison = (
            f"{format_number(abs(more))} {'more' if more >= 0 else 'fewer'} than were" if more else "as many as were"
        )
        findings.append(
            Finding(
                f"{plural(asked[0], 'case')} came in in {period_name(answers.period, answers.granularity)}, {comparison} resolved.",
                n=asked[0],
            )
        )
    findings.append(
        Finding(
            "Cases asked for before the record begins are not in it, so too few are shown waiting in its first periods, "
            "and their age starts near zero.",
            "cannot",
        )
    )
    charts = [answers.charts[name] for name in ("asked", "still_open", "open_age") if name in answers.charts]
    return Section("load", "How much came in, and how much is waiting", tuple(findings), tuple(charts))


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
    charts = [answers.charts[name] for name in names if name in answers.charts]
    return Section("quality", "What customers and cases went through", tuple(findings), tuple(charts[:2]))


def segment_section(answers: ReportAnswers) -> Section | None:
    """The parts that differ by more than chance, by every column that splits the cases."""
    measure = answers.focus
    if measure is None or not answers.funnels:
        return None
    findings = [
        _funnel_finding(funnel, measure) for funnel in answers.funnels if any(row.stands_out for row in funnel.rows)
    ]
    quiet_columns = [funnel.column for funnel in answers.funnels if not any(row.stands_out for row in funnel.rows)]
    if quiet_columns:
        findings.append(Finding(f"Nothing stands out by {', '.join(quiet_columns)}.", "wobble", measure))
    title = f"Which parts differ, after allowing for chance: {measure.question.lower()}"
    return Section("segments", title, tuple(findings), funnels=answers.funnels[:3])


def _funnel_finding(funnel: Funnel, measure: Measure) -> Finding:
    """The segments of one column that stand out."""
    outliers = [row for row in funnel.rows if row.stands_out]
    beyond_count = sum(row.beyond_chance for row in funnel.rows)
    names = ", ".join(f"{row.segment} {format_percent(row.share)}" for row in outliers[:3])
    return Finding(
        f"By {funnel.column}: {plural(len(outliers), 'part stands', 'parts stand')} out: {names}.",
        "signal",
        measure,
        small=f"{format_number(beyond_count)} of {format_number(len(funnel.rows))} differ from the overall {format_percent(funnel.overall)} by more than chance alone",
    )


def cause_section(answers: ReportAnswers) -> Section | None:
    """The categories in which most misses lie; where, not why."""
    if answers.focus is None or not answers.paretos:
        return None
    findings = []
    for pareto in answers.paretos:
        top = pareto.rows[:3]
        names = ", ".join(f"{row.segment} {format_percent(row.share)}" for row in top)
        findings.append(
            Finding(
                f"By {pareto.column}, {format_percent(top[-1].cumulative)} of {format_number(pareto.total)} misses lie in {names}.",
                "fact",
                answers.focus,
                pareto.total,
            )
        )
    title = f"Where most misses lie over the whole record: {answers.focus.question.lower()}"
    return Section("causes", title, tuple(findings), paretos=answers.paretos[:2])


def oldest_section(answers: ReportAnswers) -> Section | None:
    """The oldest open promises by name; where no due time is known, the oldest open cases."""
    if not answers.oldest.rows:
        return None
    names = ("case_id", "service", "team", "asked", "due", "days")
    rows = tuple(tuple(row[name] for name in names) for row in answers.oldest.rows)
    subject = "open promises" if answers.oldest.are_overdue else "open cases"
    days = "days overdue" if answers.oldest.are_overdue else "days waiting"
    columns = ("case", "service", "team", "asked", "due", days)
    return Section(
        "oldest", f"The oldest {subject}", tables=(Table(f"The {len(rows)} oldest {subject}", columns, rows),)
    )


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
    impossible = {
        "closed before they were opened, which cannot be; kept, flagged, and left out of waits": "closed_first",
        "due before they were opened, which cannot be; kept, flagged, and left out of promises": "due_first",
        "resolved at a time that the file does not give; left out of waits": "resolved_unknown",
    }
    findings += [
        Finding(f"{plural(answers.impossible[name], 'case')} {problem}.", "cannot", n=answers.impossible[name])
        for problem, name in impossible.items()
        if answers.impossible[name]
    ]
    tables = [Table("Missing values", ("file", "column", "rows without", "share"), tuple(missing))] if missing else []
    tables += [Table("Refused rows", ("file", "reason", "rows"), tuple(refusals))] if refusals else []
    tables += [Table("Moments left out", ("file", "reason", "moments"), tuple(losses))] if losses else []
    return Section("data", "How good the data are", tuple(findings), tables=tuple(tables))
