"""Problems as tables: the list, one problem, why a case is about it, decisions, origins, what is new."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from wellserved.listen.book import Book, CustomerProblem, Decision
from wellserved.listen.cost import Amount, Cost
from wellserved.listen.filing import Filing
from wellserved.listen.novelty import Neighbourhood
from wellserved.listen.origins import Scan
from wellserved.listen.rise import QuarterlyTrend
from wellserved.listen.score import ScoredFile
from wellserved.listen.sizes import RANKINGS as RANKINGS
from wellserved.listen.sizes import ProblemSize
from wellserved.measure.matched import MatchedDifference
from wellserved.moments import NotComputable, day_of
from wellserved.report import Table
from wellserved.wording import plural

_BARS = "▁▂▃▄▅▆▇█"
PROBLEM_COLUMNS = (
    "rank", "problem", "cases", "customers", "share", "12 weeks", "change a quarter", "state", "good ratings", "reopened", "chased",
    "accounts twice", "hours", "given back", "cost",
)  # fmt: skip
_NAMES = {"problem": "words", "category": "category", "cause": "cause", "service": "service"}


def problem_table(
    by: str,
    sizes: Sequence[ProblemSize],
    told: int,
    cases: int,
    book: Book | None,
    cost: Cost,
    caution: str = "",
    ranking: str = RANKINGS[0],
) -> Table:
    """All problems of a span by one of the rankings, each with where it may stand."""
    sizes = in_order(sizes, ranking)
    position = RANKINGS.index(ranking)
    reasons = _shared_reasons(sizes)
    rows = tuple(
        (
            rank_words(size.ranks[position]), size.label, size.cases, size.customers, f"{size.share.value:.1%} ({size.share.low:.1%} to {size.share.high:.1%})", text_bars(size.weeks),
            change_words(size.course), size.state + (", alarm" if size.is_alarm else ""), difference_words(size.ratings), difference_words(size.reopened),
            difference_words(size.chased), size.accounts, amount_words(size.cost.hours),
            amount_words(size.cost.given_back, size.cost.currency), amount_words(size.cost.money, size.cost.currency),
        )
        for size in sizes
    )  # fmt: skip
    note = f"{told:,} of {plural(cases, 'case')} tell what they are about. Each case counts once, with what it is mostly about. "
    note += "Ratings, reopenings and chases: percentage points more than in cases alike (service, channel, month, priority). "
    note += "With the problem, not because of it: only a proof can tell that."
    note = " ".join(filter(None, [note, cost_words(cost, sizes), *reasons, caution]))
    if by == "problem" and book is not None:
        note = f"{look_words(book)} {note}"
    told_columns = [index for index in range(len(PROBLEM_COLUMNS)) if any(row[index] not in ("", 0) for row in rows)]
    shown = tuple(tuple(row[index] for index in told_columns) for row in rows)
    return Table(
        f"Problems by {_NAMES[by]}",
        tuple(PROBLEM_COLUMNS[index] for index in told_columns),
        shown,
        f"{note} In brackets: 95%.",
    )


def problem_record(size: ProblemSize) -> dict[str, Any]:
    """A problem's numbers in full, each with its interval, or why it cannot be told."""
    record: dict[str, Any] = {
        "problem": size.label, "cases": size.cases, "customers": size.customers, "state": size.state, "alarm": size.is_alarm, "weeks": list(size.weeks),
        "currency": size.cost.currency,
    }  # fmt: skip
    numbers = {
        "share": size.share,
        "change a quarter": size.course,
        "good ratings": size.ratings,
        "reopened": size.reopened,
        "chased": size.chased,
        "hours": size.cost.hours,
        "given back": size.cost.given_back,
        "cost": size.cost.money,
    }
    for name, known in numbers.items():
        if isinstance(known, NotComputable):
            record[name] = {"reason": known.reason}
            continue
        value = (
            known.ratio
            if isinstance(known, QuarterlyTrend)
            else known.difference
            if isinstance(known, MatchedDifference)
            else known.value
        )
        record[name] = {"value": value, "low": known.low, "high": known.high}
    return record


def look_words(book: Book) -> str:
    """What was read, what was left out, and how problems were told apart."""
    look = book.look
    left = [
        plural(look.wordless, "text") + " without words" if look.wordless else "",
        plural(look.machine, "text") + " written by a machine" if look.machine else "",
    ]
    cut = sum(look.cut_lines.values())
    parts = [
        f"{plural(look.moments, 'text')} read, in {plural(look.parts, 'part')}; left out: {' and '.join(filter(None, left))}." if any(left) else f"{plural(look.moments, 'text')} read, in {plural(look.parts, 'part')}.",
        f"{plural(cut, 'line')} of quotes, signatures and footers cut." if cut else "",
        f"Taken out before anything was kept: {', '.join(f'{count:,} {kind}' for kind, count in sorted(look.redacted.items()))}." if look.redacted else "",
        f"{plural(look.too_short, 'part')} too short to tell, {look.alone:,} about no common problem." if not look.refused else f"No problems are told: {look.refused}.",
        "Read by the house's own words, without a model." if look.mode == "words" else f"Read with the model {look.mode}.",
    ]  # fmt: skip
    return " ".join(filter(None, parts))


def cost_words(cost: Cost, sizes: Sequence[ProblemSize]) -> str:
    """What hours and money rest on; nothing where neither is known."""
    sentences = []
    if cost.minutes is not None:
        sentences.append(f"Hours: {cost.minutes:.10g} minutes a reply, as declared.")
    if cost.rate is not None:
        sentences.append(f"An hour costs {f'{cost.rate:.10g} {cost.currency}'.strip()}, as declared.")
    if any(size.cost.counts_back for size in sizes):
        sentences.append(
            "Given back is what returned and recovered moments of these cases say, whenever it was (of a case with both, the larger); its interval "
            "is that of such cases going on coming."
        )
        counted = (
            "hours and what was given back"
            if any(size.cost.counts_work for size in sizes)
            else "what was given back, without work"
        )
        sentences.append(f"Cost: {counted}.")
    return " ".join(sentences)


def _shared_reasons(sizes: Sequence[ProblemSize]) -> list[str]:
    """Why a whole column is empty, once."""
    sentences = []
    for name, values in (
        ("Ratings", [size.ratings for size in sizes]), ("Reopenings", [size.reopened for size in sizes]), ("Chases", [size.chased for size in sizes]),
        ("Hours", [size.cost.hours for size in sizes]), ("Given back", [size.cost.given_back for size in sizes]), ("Cost", [size.cost.money for size in sizes]),
    ):  # fmt: skip
        reasons = {value.reason for value in values if isinstance(value, NotComputable)}
        if len(reasons) == 1 and all(isinstance(value, NotComputable) for value in values):
            sentences.append(f"{name}: {reasons.pop()}.")
    return sentences


def text_bars(weeks: Sequence[int]) -> str:
    """Counts a week as small bars."""
    top = max(weeks, default=0)
    return "".join(_BARS[min(int(count / top * 7.999), 7)] if top else _BARS[0] for count in weeks)


def change_words(course: QuarterlyTrend | NotComputable) -> str:
    """How it changes in a quarter of a year."""
    if isinstance(course, NotComputable):
        return ""
    return f"x{course.ratio:.2f} ({course.low:.2f} to {course.high:.2f})"


def difference_words(difference: MatchedDifference | NotComputable) -> str:
    """Percentage points more than in like cases."""
    if isinstance(difference, NotComputable):
        return ""
    return f"{100 * difference.difference:+.0f} ({100 * difference.low:+.0f} to {100 * difference.high:+.0f})"


def amount_words(amount: Amount | NotComputable, unit: str = "") -> str:
    """A number with its interval; nothing where it cannot be told."""
    if isinstance(amount, NotComputable):
        return ""
    return f"{amount.value:,.0f} ({amount.low:,.0f} to {amount.high:,.0f}){f' {unit}' if unit else ''}"


def rank_words(bounds: tuple[int, int]) -> str:
    """Where it may stand."""
    low, high = bounds
    return "" if not high else str(low) if low == high else f"{low} to {high}"


def in_order(sizes: Sequence[ProblemSize], ranking: str) -> list[ProblemSize]:
    """By number of cases, by hours, or by growth; what is not known comes last."""

    def value(size: ProblemSize) -> float:
        known = {RANKINGS[0]: size.cases, RANKINGS[1]: size.cost.weight, RANKINGS[2]: size.course}[ranking]
        if isinstance(known, NotComputable):
            return float("-inf")
        return known.value if isinstance(known, Amount) else known.ratio if isinstance(known, QuarterlyTrend) else known

    return sorted(sizes, key=lambda size: -value(size))


def one_problem_tables(problem: CustomerProblem, book: Book, size: ProblemSize | None, zone: str) -> list[Table]:
    """What one problem says, who says it, and what was decided."""
    tables = []
    facts: list[tuple[object, ...]] = [
        ("name", problem.name + ("" if problem.is_named else " (found)")),
        ("phrases", ", ".join(problem.phrases)),
        ("first said", _day(problem.born_s, zone)),
        ("belongs with", _label(book, problem.parent) if problem.parent != problem.number else ""),
        ("state", problem.state),
        *(("note", note) for note in problem.notes),
    ]
    if size:
        facts += [
            ("cases", size.cases),
            ("customers", size.customers),
            ("share", f"{size.share.value:.1%} ({size.share.low:.1%} to {size.share.high:.1%})"),
        ]
        facts += [
            (f"rank: {name}", words)
            for name, bounds in zip(RANKINGS, size.ranks, strict=True)
            if (words := rank_words(bounds))
        ]
    tables.append(
        Table(
            problem.label,
            ("what", "is"),
            tuple((name, value) for name, value in facts if value != ""),
            problem.sentence,
        )
    )
    if problem.quotes:
        rows = tuple((quote.text, _day(quote.at_s, zone)) for quote in problem.quotes)
        tables.append(
            Table(
                "In customers' words",
                ("quote", "said on"),
                rows,
                "Personal details are taken out; each from another customer.",
            )
        )
    own = [decision for decision in book.decisions if problem.number in (decision.problem, decision.facts.get("into"))]
    if own:
        tables.append(decision_table(own, book))
    return tables


def decision_table(decisions: Sequence[Decision], book: Book) -> Table:
    """Who decided what about problems, and when."""
    undone = {decision.facts["decision"] for decision in book.decisions if decision.deed == "undone"}
    rows = tuple(
        (decision.number, decision.at[:16].replace("T", " "), decision.by, _deed_words(decision, book), "taken back" if decision.number in undone else "")
        for decision in decisions
    )  # fmt: skip
    return Table("Decisions", ("no.", "at (UTC)", "by", "what", ""), rows)


def _deed_words(decision: Decision, book: Book) -> str:
    name, facts = _label(book, decision.problem), decision.facts
    return {
        "named": lambda: f"{name} is called {facts['name']}",
        "merged": lambda: f"p{decision.problem} goes on in {_label(book, facts['into'])}",
        "split": lambda: f"{_label(book, facts['into'])} is split off {name}, by: {', '.join(facts['words'])}",
        "closed": lambda: f"{name} is closed",
        "reopened": lambda: f"{name} is open again",
        "noted": lambda: f"{name}: {facts['note']}",
        "undone": lambda: f"decision {facts['decision']} is taken back",
    }[decision.deed]()


def _label(book: Book, number: int) -> str:
    return next((problem.label for problem in book.problems if problem.number == number), f"p{number}")


def _day(second: int, zone: str) -> str:
    return datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def origin_table(scan: Scan | NotComputable, fault: str) -> Table:
    """Which origins bring more of a fault than chance."""
    columns = ("where", "records", "faults", "times as often", "95% interval", "avoidable", "chance")
    if isinstance(scan, NotComputable):
        return Table(f"Where {fault} come from", columns, (), f"Not computable: {scan.reason}.")
    rows = tuple(
        (
            " and ".join(f"{column} {value}" for column, value in origin.parts), origin.records, origin.faults, f"{origin.ratio:.1f}",
            f"{origin.low:.1f} to {origin.high:.1f}", f"{origin.avoidable:,.0f}", f"{origin.chance:.3f}",
        )
        for origin in scan.named
    )  # fmt: skip
    verdict = "" if rows else "No origin is worse than chance would make the worst of them. "
    note = (
        f"{verdict}{scan.faults:,} of {plural(scan.records, 'record')} are at fault; {plural(len(scan.origins), 'origin')} and pairs compared, like months with like. "
        f"An origin of middling size would be found four times in five from {scan.smallest_ratio:.1f} times as often on. "
        "Chance: how often the worst of all would look this bad where nothing is wrong. Where to look first, not why."
    )
    return Table(f"Where {fault} come from", columns, rows, note)


def filing_tables(filing: Filing | NotComputable, column: str) -> list[Table]:
    """What is filed beside what is said: what belongs together, what hides several problems, what is scattered."""
    title = f"Customers' words beside the {column}"
    columns = (column, "problem", "cases", "by chance", f"of the {column}", "of the problem")
    if isinstance(filing, NotComputable):
        return [Table(title, columns, (), f"Not computable: {filing.reason}.")]
    rows = tuple(
        (pair.category, pair.problem, pair.cases, f"{pair.expected:,.0f}", f"{pair.share_of_category:.0%}", f"{pair.share_of_problem:.0%}")
        for pair in filing.pairs
    )  # fmt: skip
    note = (
        f"{plural(filing.cases, 'case')} told by both. Agreement {max(filing.agreement, 0.0):.2f} (0: as by chance, 1: alike; adjusted mutual information). "
        "Shown is what shares more cases than chance lets expect."
    )
    facts = (
        (f"several problems under one {column}", "; ".join(filing.broad_categories)),
        (f"scattered: no {column} has half of the problem", "; ".join(filing.scattered_problems)),
        (f"equal words under more than one {column}", share_words(filing.split_share, filing.wordings)),
    )
    findings = Table("What to look at", ("what", "which"), tuple(fact for fact in facts if fact[1]))
    return [Table(title, columns, rows, note), findings]


def score_tables(scored: ScoredFile) -> list[Table]:
    """How problems go with the labels that people gave, and what of their file could not be used."""
    columns = ("label", "cases", "problem that holds most", "of the label", "of the problem")
    score, title = scored.score, "Problems beside people's labels"
    if isinstance(score, NotComputable):
        tables = [Table(title, columns, (), f"Not computable: {score.reason}.")]
    else:
        rows = tuple(
            (match.label, match.cases, match.problem, f"{match.share_of_label:.0%}", f"{match.share_of_problem:.0%}")
            for match in score.matches
        )
        agreement = score.agreement
        note = (
            f"{plural(scored.rows, 'row')} read, {score.cases:,} used. Agreement {agreement.value:.2f} ({agreement.low:.2f} to {agreement.high:.2f}); "
            "0: as by chance, 1: alike (adjusted mutual information, 95% by drawing cases anew)."
        )
        tables = [Table(title, columns, rows, note)]
    if scored.refused:
        tables.append(Table("Rows that could not be used", ("row", "why"), scored.refused))
    return tables


def share_words(share: Amount | NotComputable, n: int) -> str:
    """A share of so many with its interval, or why there is none."""
    if isinstance(share, NotComputable):
        return f"not computable: {share.reason}"
    return f"{share.value:.0%} of {n:,} wordings ({share.low:.0%} to {share.high:.0%})"


def novelty_days_table(days: Sequence[Neighbourhood]) -> Table:
    """The numbers behind the drawing of what is new, a row a day."""
    rows = tuple(
        (
            day_of(day.day).isoformat(), day.customers, day.before, f"{day.expected:.1f}", f"{day.score:.1f}",
            f"{day.limit:.1f}" if day.limit < float("inf") else "", "alarm" if day.is_alarm else "",
        )
        for day in days
    )  # fmt: skip
    return Table(
        "Day by day", ("day", "customers in 7 days", "before", "expected", "how unusual", "line", ""), rows,
        "How unusual: 3 is one in a thousand, 4 one in ten thousand, of the most unusual words of the day.",
    )  # fmt: skip


def novelty_table(days: Sequence[Neighbourhood], texts: Sequence[str]) -> Table:
    """Days on which many customers said what was hardly said before."""
    alarms = [day for day in days if day.is_alarm]
    rows = tuple(
        (day_of(day.day).isoformat(), day.customers, day.before, f"{day.expected:.1f}", texts[day.texts[0]][:160])
        for day in alarms
    )
    verdict = "" if rows else "Nothing new: no day stood out. "
    known = sum(day.limit < float("inf") for day in days)
    return Table(
        "New in customers' words",
        ("day", "customers in 7 days", "before", "expected", "for example"),
        rows,
        f"{verdict}{plural(known, 'day')} could be judged; a quiet house sees such an alarm once in 200 days. Customers are counted, not messages.",
    )
