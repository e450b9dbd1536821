"""The report on one screen: what got worse, what got better, what failed, what was promised, what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from wellserved.measure import Series
from wellserved.moments import NotComputable
from wellserved.report.answers import FOCUS_MEASURES, ReportAnswers, is_computable
from wellserved.report.contents import BriefLine, BriefPart
from wellserved.report.segments import NOT_RECORDED, FunnelRow
from wellserved.report.verdicts import (
    PeriodVerdict,
    is_complete_count,
    is_news,
    is_of_an_instant,
    period_position,
    period_verdict,
    readable_interval,
    readable_number,
    readable_value,
    usual_range,
)
from wellserved.wording import format_number, format_percent, format_value, period_name, plural

MAX_LINES: Final = 3  # of a part
FAR_BELOW: Final = 0.1  # below the overall share: said as "only"
FEW_CASES: Final = 30
YOUNG_RECORD_DAYS: Final = 550  # days from its beginning in which what waits may grow for that reason alone


@dataclass(frozen=True)
class ChangeWords:
    """How a change of one measure is said."""

    worse: str
    better: str


CHANGE_WORDS: Final = {
    "promise_kept": ChangeWords("Fewer promises were kept", "More promises were kept"),
    "promise_kept_by_source": ChangeWords("Fewer promises were kept", "More promises were kept"),
    "time_to_resolution": ChangeWords("Cases took longer to resolve", "Cases were resolved sooner"),
    "time_to_first_reply": ChangeWords("People waited longer for a first reply", "People had a first reply sooner"),
    "time_to_first_handover": ChangeWords(
        "Cases took longer to reach whoever must answer", "Cases reached whoever must answer sooner"
    ),
    "still_open": ChangeWords("More cases were waiting", "Fewer cases were waiting"),
    "open_age": ChangeWords("Waiting cases were older", "Waiting cases were younger"),
    "resolved": ChangeWords("Fewer cases were resolved", "More cases were resolved"),
    "reopen_rate": ChangeWords("More resolved cases came back", "Fewer resolved cases came back"),
    "handovers": ChangeWords("Cases were passed on more often", "Cases were passed on less often"),
    "contacts": ChangeWords("Customers had to get in touch more often", "Customers had to get in touch less often"),
    "rating_good": ChangeWords("Fewer customers were satisfied", "More customers were satisfied"),
    "complaint_rate": ChangeWords("More cases brought a complaint", "Fewer cases brought a complaint"),
    "return_rate": ChangeWords("More answers were disputed", "Fewer answers were disputed"),
    "first_contact_resolution": ChangeWords(
        "Fewer cases were settled at the first contact", "More cases were settled at the first contact"
    ),
}


@dataclass(frozen=True)
class FailureWords:
    """How the misses of one share are said."""

    misses: str
    share: str  # of a segment, with {share} and {segment} in it


FAILURE_WORDS: Final = {
    "promise_kept": FailureWords("missed promises", "{share} of the promises of {segment} were kept."),
    "promise_kept_by_source": FailureWords("missed promises", "{share} of the promises of {segment} were kept."),
    "return_rate": FailureWords("disputed answers", "{share} of the answers of {segment} were disputed."),
    "reopen_rate": FailureWords("cases that came back", "{share} of the cases of {segment} came back."),
}


def write_brief(answers: ReportAnswers) -> tuple[BriefPart, ...]:
    """The five parts, each with at least one line."""
    worse, better = _changes(answers, "worse"), _changes(answers, "better")
    return (
        BriefPart("worse", "What got worse", worse),
        BriefPart("better", "What got better", better),
        BriefPart("failed", "What failed most, and where", _failures(answers)),
        BriefPart("promised", "What was promised, and kept", _promises(answers)),
        BriefPart("next", "What to do next", _next_steps(answers, worse)),
    )


def when(answers: ReportAnswers) -> str:
    """In December 2015; in the week of 9 May 2016; on 3 March 2015."""
    preposition = "on" if answers.granularity == "day" else "in"
    return f"{preposition} {period_name(answers.period, answers.granularity)}"


def rest_in_small(series: Series) -> str:
    """The interval and n of a series of one number; empty for what was counted completely."""
    if is_complete_count(series) or not len(series) or isinstance(series.value[0], NotComputable):
        return ""
    interval = readable_interval(series)
    return f"{interval}{', ' if interval else ''}n = {format_number(series.n[0])}"


def _changes(answers: ReportAnswers, side: Literal["worse", "better"]) -> tuple[BriefLine, ...]:
    """What changed to one side beyond the usual wobble, by how many cases it concerns."""
    names = [name for name in answers.charts if name in CHANGE_WORDS and is_computable(answers.this_period[name])]
    verdicts = {name: period_verdict(answers, name) for name in names}
    if "promise_kept" in verdicts:
        verdicts.pop("promise_kept_by_source", None)
    changed = [name for name, verdict in verdicts.items() if verdict.side == side and _is_news(answers, name, side)]
    changed.sort(key=lambda name: -_concerned(answers.this_period[name]))
    if changed:
        lines = tuple(_change_line(answers, name, verdicts[name], side) for name in changed[:MAX_LINES])
        return _with_young_record(answers, changed, lines) if side == "worse" else lines
    told = sum(verdict.kind != "cannot" for verdict in verdicts.values())
    if not told:
        return (BriefLine("It cannot be told yet.", small="There are too few periods to know what is usual."),)
    return (BriefLine("Nothing, beyond the usual ups and downs.", small=f"{plural(told, 'measure')} looked at."),)


def _is_news(answers: ReportAnswers, name: str, side: str) -> bool:
    now, before = answers.this_period[name], answers.earlier[name]
    return is_news(now, now.value[0] if len(now) else None, before.value[0] if len(before) else None, side)


def _concerned(series: Series) -> int:
    """How many cases a change is about: those that failed, or all that waited."""
    if not len(series):
        return 0
    n, count = series.n[0], series.count[0]
    if series.measure.kind != "share" or count is None:
        return n
    return n - count if series.measure.better == "higher" else count


def _change_line(
    answers: ReportAnswers, name: str, verdict: PeriodVerdict, side: Literal["worse", "better"]
) -> BriefLine:
    series, words = answers.this_period[name], CHANGE_WORDS[name]
    at = f"at the end of {period_name(answers.period, answers.granularity)}"
    moment = at if is_of_an_instant(series) else when(answers)
    is_median = series.measure.kind in ("wait", "stock_age")
    notes = ["median" if is_median else "", rest_in_small(series), _usual_in_small(answers, name, verdict)]
    return BriefLine(
        f"{words.worse if side == 'worse' else words.better} than usual {moment}.",
        readable_value(series),
        "; ".join(note for note in notes if note),
        side,
        series.measure,
    )


def _usual_in_small(answers: ReportAnswers, name: str, verdict: PeriodVerdict) -> str:
    """What is usual: the range where it was left, the middle where a run lies on one side of it; and since when."""
    chart, position = answers.charts[name], period_position(answers, name)
    if position is None or isinstance(chart.limits, NotComputable):
        return ""
    series, since = answers.this_period[name], verdict.since
    if verdict.beyond_limits:
        since_text = f", outside it since {period_name(since, answers.granularity)}" if since else ""
        return f"usual range {usual_range(chart, position, series)}{since_text}"
    centre, value = float(chart.limits.centre[position]), series.value[0]
    side = "above" if isinstance(value, float | int) and value > centre else "below"
    since_text = f", {side} it since {period_name(since, answers.granularity)}" if since else ""
    return f"long-run level {readable_number(centre, series)}{since_text}"


def _with_young_record(answers: ReportAnswers, names: list[str], lines: tuple[BriefLine, ...]) -> tuple[BriefLine, ...]:
    """What waits grows from nothing where a record begins: said once, under the first line about it."""
    if (answers.period.start - answers.first).days >= YOUNG_RECORD_DAYS:
        return lines
    note = f"cases from before {answers.first.isoformat()} are not in the record, so part of the rise only shows where the record begins"
    for position, name in enumerate(names[: len(lines)]):
        if is_of_an_instant(answers.this_period[name]):
            line = replace(lines[position], small=f"{lines[position].small}; {note}")
            return (*lines[:position], line, *lines[position + 1 :])
    return lines


def _failures(answers: ReportAnswers) -> tuple[BriefLine, ...]:
    """Where most misses lie, and which part stands out."""
    if answers.focus is None:
        reasons = {str(value) for name in FOCUS_MEASURES for value in answers.all_time[name].value}
        return (BriefLine("The record cannot tell.", small=f"{'; '.join(sorted(reasons)) or 'no cases'}."),)
    words = FAILURE_WORDS[answers.focus.name]
    lines = [*_most_misses(answers, words), *_worst_segment(answers, words)]
    if lines:
        return tuple(lines)
    too_few = "No part of the work can be compared with another: there are too few with enough cases."
    return (BriefLine("No part of the work stands out." if answers.funnels else too_few),)


def _most_misses(answers: ReportAnswers, words: FailureWords) -> Iterator[BriefLine]:
    whole = [pareto for pareto in answers.paretos if pareto.column != "priority"]
    pareto = answers.period_pareto or (whole[-1] if whole else None)
    if pareto is None or not pareto.rows:
        return
    known_rows = [row for row in pareto.rows if row.segment != NOT_RECORDED]
    if not known_rows:
        return
    top, second = known_rows[0], known_rows[1] if len(known_rows) > 1 else None
    more = "" if second and second.count == top.count else ", more than about anything else that is named"
    of_what = when(answers) if answers.period_pareto else f"since {answers.first.isoformat()}"
    after = f"; next {second.segment}, {format_percent(second.share)}" if second else ""
    yield BriefLine(
        f"{format_number(top.count)} of {format_number(pareto.total)} {words.misses} {'was' if top.count == 1 else 'were'} about {top.segment}{more}.",
        small=f"{of_what[0].upper()}{of_what[1:]}: {format_percent(top.share)}{after}",
        measure=answers.focus,
    )


def worst_segment(answers: ReportAnswers) -> tuple[str, FunnelRow, float] | None:
    """The column, the row and the overall share of the part that stands out most on the bad side."""
    if answers.focus is None:
        return None
    sign = -1 if answers.focus.better == "higher" else 1
    candidates = [
        (funnel.column, row, funnel.overall)
        for funnel in answers.funnels
        if funnel.column != "priority"
        for row in funnel.rows
        if row.stands_out and sign * (row.share - funnel.overall) > 0
    ]
    return max(candidates, key=lambda candidate: abs(candidate[1].excess), default=None)


def _worst_segment(answers: ReportAnswers, words: FailureWords) -> Iterator[BriefLine]:
    worst = worst_segment(answers)
    if worst is None:
        return
    _column, row, overall = worst
    share = format_percent(row.share)
    yield BriefLine(
        words.share.format(share=f"Only {share}" if overall - row.share >= FAR_BELOW else share, segment=row.segment),
        small=f"Since {answers.first.isoformat()}: 95% interval {format_percent(row.low)} to {format_percent(row.high)}, "
        f"n = {format_number(row.n)}; overall {format_percent(overall)}",
        tone="worse",
        measure=answers.focus,
    )


def _promises(answers: ReportAnswers) -> tuple[BriefLine, ...]:
    """What was kept of what fell due, and what is overdue."""
    own = is_computable(answers.all_time["promise_kept"])
    name = "promise_kept" if own else "promise_kept_by_source"
    if not is_computable(answers.all_time[name]):
        return (
            BriefLine(
                "How many promises were kept cannot be told.",
                small=f"{next((str(value) for value in answers.all_time['promise_kept'].value), 'no cases')}.",
            ),
        )
    series, lines = answers.this_period[name], []
    if not len(series) or isinstance(series.value[0], NotComputable):
        reason = str(series.value[0]) if len(series) else "no cases"
        lines.append(BriefLine(f"It cannot be told how many were kept {when(answers)}.", small=reason))
    else:
        n, kept = series.n[0], series.count[0] or 0
        before = answers.earlier[name]
        known_before = len(before) and not isinstance(before.value[0], NotComputable)
        were = "was" if kept == 1 else "were"
        sentence = (
            f"{format_number(kept)} of the {plural(n, 'promise')} that fell due {when(answers)} {were} kept."
            if own
            else f"{format_number(kept)} of {plural(n, 'promise')} {were} kept {when(answers)}, according to the source itself."
        )
        notes = [rest_in_small(series)]
        notes += [f"previously {format_value(before.value[0], before.measure.unit)}"] if known_before else []
        lines.append(
            BriefLine(
                sentence, format_value(series.value[0], series.measure.unit), "; ".join(notes), measure=series.measure
            )
        )
    broken = answers.all_time["promise_broken"]
    if own and len(broken) and broken.count[0]:
        are = "promise is" if broken.count[0] == 1 else "promises are"
        lines.append(
            BriefLine(
                f"{format_number(broken.count[0])} {are} overdue and not delivered.",
                "",
                f"On {answers.as_of.date().isoformat()}, where the record ends.",
                "worse",
                broken.measure,
            )
        )
    return tuple(lines)


def _next_steps(answers: ReportAnswers, worse: tuple[BriefLine, ...]) -> tuple[BriefLine, ...]:
    """What the record asks for: the oldest first, the part that stands out, what changed."""
    lines = []
    if answers.oldest.rows:
        oldest = answers.oldest.rows[0]
        days = format_number(round(oldest["days"]))
        late = "past its date" if answers.oldest.are_overdue else "old"
        what = "promises that are overdue" if answers.oldest.are_overdue else "cases that wait longest"
        lines.append(
            BriefLine(
                f"Settle the {what}, beginning with case {oldest['case_id']}.", small=f"It is {days} days {late}."
            )
        )
    if worst := worst_segment(answers):
        lines.append(
            BriefLine(
                f"Find out what is different about {worst[1].segment}.",
                small="Then declare the change you make, so that its effect can be proved.",
            )
        )
    if any(line.tone == "worse" for line in worse):
        lines.append(
            BriefLine(
                "Ask those who do the work what changed.",
                small="The charts say when and how much, not why.",
            )
        )
    asked = answers.this_period["asked"].n
    if asked and asked[0] < FEW_CASES:
        lines.append(
            BriefLine(
                f"Read a longer period: {plural(asked[0], 'case')} {'is' if asked[0] == 1 else 'are'} too few to judge by."
            )
        )
    if not lines:
        lines.append(BriefLine("Go on as you are, and look again next time.", small="Nothing stands out."))
    return tuple(lines[:MAX_LINES])
