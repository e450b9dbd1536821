"""What customers keep telling, in the report: what most, what grows, what fell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wellserved.listen.cost import Amount
from wellserved.listen.rise import QuarterlyTrend
from wellserved.listen.sizes import ProblemSize
from wellserved.report.contents import Finding, Section, Table, Tone
from wellserved.wording import format_number, format_percent, plural

SHOWN_PROBLEMS: Final = 5
SHOWN_CHANGES: Final = 3


def problem_section(sizes: Sequence[ProblemSize]) -> Section | None:
    """The problems of a period, found in customers' words; None: none were told."""
    if not sizes:
        return None
    told = round(sizes[0].cases / sizes[0].share.value)
    largest = sizes[0]
    findings = [
        Finding(
            f"Customers told most of: {_name(largest)}, {format_percent(largest.share.value)} of the cases with words.",
            n=told, value=largest.share.value, low=largest.share.low, high=largest.share.high,
            small=f"{plural(largest.cases, 'case')} of {plural(largest.customers, 'customer')}",
        )
    ]  # fmt: skip
    findings += [_change(size, "More and more customers tell of", "signal") for size in _by_course(sizes, "rising")]
    findings += [_change(size, "Fewer and fewer tell of", "fact") for size in _by_course(sizes, "falling")]
    findings += [Finding(f"New: {_name(size)}.", "signal", n=size.cases) for size in sizes if size.state == "new"][
        :SHOWN_CHANGES
    ]
    dearest = _dearest(sizes)
    findings += [_cost(size, position == 0) for position, size in enumerate(dearest)]
    rows = tuple(
        (
            _name(size),
            format_number(size.cases),
            format_number(size.customers),
            format_percent(size.share.value),
            *([_money(size)] if dearest else []),
            size.state,
        )
        for size in [*sizes[:SHOWN_PROBLEMS], *(size for size in dearest if size not in sizes[:SHOWN_PROBLEMS])]
    )
    columns = ("problem", "cases", "customers", "share", *(["cost"] if dearest else []), "state")
    note = "By what each case is mostly about. With the problem, not because of it."
    if dearest:
        has_work = any(size.cost.counts_work for size in dearest)
        has_back = any(size.cost.counts_back for size in dearest)
        counted = [("replies at the minutes and the rate declared", has_work), ("what was given back", has_back)]
        note += f" Cost: {' and '.join(words for words, is_counted in counted if is_counted)}."
    table = Table("What customers told most", columns, rows, note)
    return Section("problems", "What customers keep telling", tuple(findings), tables=(table,))


def _name(size: ProblemSize) -> str:
    """Without its number, which is for who works on it."""
    return size.label.partition(" ")[2]


def _dearest(sizes: Sequence[ProblemSize]) -> list[ProblemSize]:
    """The problems that cost most, where that is known."""
    costly = [size for size in sizes if isinstance(size.cost.money, Amount) and size.cost.money.value > 0]
    return sorted(costly, key=_value)[:SHOWN_CHANGES]


def _value(size: ProblemSize) -> float:
    return -size.cost.money.value if isinstance(size.cost.money, Amount) else 0.0


def _money(size: ProblemSize) -> str:
    money = size.cost.money
    return f"{format_number(round(money.value))} {size.cost.currency}".strip() if isinstance(money, Amount) else ""


def _cost(size: ProblemSize, is_first: bool) -> Finding:
    money = size.cost.money
    assert isinstance(money, Amount)
    begins = "Most was spent on" if is_first else "Then on"
    small = f"95% interval {format_number(round(money.low))} to {format_number(round(money.high))}"
    return Finding(f"{begins}: {_name(size)}, about {_money(size)}.", "fact", n=size.cases, small=small)


def _by_course(sizes: Sequence[ProblemSize], state: str) -> list[ProblemSize]:
    return [size for size in sizes if size.state == state][:SHOWN_CHANGES]


def _change(size: ProblemSize, words: str, tone: Tone) -> Finding:
    assert isinstance(size.course, QuarterlyTrend)
    small = f"{size.course.ratio:.2f} times as many as a quarter before, 95% interval {size.course.low:.2f} to {size.course.high:.2f}"
    return Finding(f"{words}: {_name(size)}.", tone, n=size.cases, small=small)
