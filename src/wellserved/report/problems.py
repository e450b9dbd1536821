"""What customers keep telling, in the report: what most, what grows, what fell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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
    rows = tuple(
        (
            _name(size),
            format_number(size.cases),
            format_number(size.customers),
            format_percent(size.share.value),
            size.state,
        )
        for size in sizes[:SHOWN_PROBLEMS]
    )
    table = Table(
        "What customers told most", ("problem", "cases", "customers", "share", "state"), rows,
        "By what each case is mostly about. With the problem, not because of it.",
    )  # fmt: skip
    return Section("problems", "What customers keep telling", tuple(findings), tables=(table,))


def _name(size: ProblemSize) -> str:
    """Without its number, which is for who works on it."""
    return size.label.partition(" ")[2]


def _by_course(sizes: Sequence[ProblemSize], state: str) -> list[ProblemSize]:
    return [size for size in sizes if size.state == state][:SHOWN_CHANGES]


def _change(size: ProblemSize, words: str, tone: Tone) -> Finding:
    assert isinstance(size.course, QuarterlyTrend)
    small = f"{size.course.ratio:.2f} times as many as a quarter before, 95% interval {size.course.low:.2f} to {size.course.high:.2f}"
    return Finding(f"{words}: {_name(size)}.", tone, n=size.cases, small=small)
