"""Something to do today: sixty situations and the one prompt that each must give."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from wellserved.people.prompts import (
    PROMPT_RULES,
    OpenMatter,
    PromptAnswer,
    Situation,
    prompt_of_the_day,
    silenced_rules,
)

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)  # a Wednesday
FRIDAY, MONDAY = NOW + timedelta(days=2), NOW + timedelta(days=5)
TODAY = NOW.date()


def due(hours: float, what: str = "to Acme", late: int = 0, total: int = 0) -> OpenMatter:
    return OpenMatter("p", what, NOW + timedelta(hours=hours), late, total)


def ago(days: float, what: str = "Acme: wrong labels") -> OpenMatter:
    return OpenMatter("m", what, NOW - timedelta(days=days))


def cause(n: int) -> OpenMatter:
    return OpenMatter("labels", "labels", n=n)


def decides(days: int) -> OpenMatter:
    return OpenMatter("Acme", "Acme", NOW + timedelta(days=days))


PROMISE = "Your promise to Acme is due "
FAILURE = "Acme: wrong labels went wrong {} days ago and is not made right. Ask the customer: what could we do to make things right?"
TIP = "Tip of the month, proved here: Labels are printed first. Would it help you too?"
GAP = (
    "Customers of quotes get less than they expect most often, and you never asked one what they expect. Ask the next."
)
LINE = "No line for {} working days. What was the moment of truth of the last one?"
WEEK = "The report of week 2026-W48 is not written yet: a draft from your entries is waiting."
RIPE = "The change triage has been in place long enough: look whether it worked."
CLAIM = "Your claim “Reduced it” is no longer backed by the records as they are: issue it anew, or take it back."
THANKS = "Northwind thanked you. Say that you were glad to hear it."
SITUATIONS: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"promises_due": [due(3)]}, f"{PROMISE}today at 12:00."),
    ({"promises_due": [due(0)]}, f"{PROMISE}today at 09:00."),
    ({"promises_due": [due(24)]}, f"{PROMISE}tomorrow at 09:00."),
    ({"promises_due": [due(24.1)]}, None),
    ({"promises_due": [due(-0.1)]}, None),
    ({"promises_due": [due(23, late=2, total=5)]}, f"{PROMISE}tomorrow at 08:00; 2 of 5 like it were late."),
    ({"promises_due": [due(5, late=0, total=5)]}, f"{PROMISE}today at 14:00."),
    ({"promises_due": [due(5, "“the draft”")]}, "Your promise “the draft” is due today at 14:00."),
    ({"promises_due": [OpenMatter("p", "to Acme")]}, None),
    ({"promises_due": [due(50), due(4)]}, f"{PROMISE}today at 13:00."),
    ({"promises_due": [due(15)]}, f"{PROMISE}tomorrow at 00:00."),
    ({"open_failures": [ago(2)]}, FAILURE.format(2)),
    ({"open_failures": [ago(1.9)]}, None),
    ({"open_failures": [ago(30)]}, FAILURE.format(30)),
    ({"open_failures": [ago(1), ago(4)]}, FAILURE.format(4)),
    ({"open_failures": [OpenMatter("m", "x")]}, None),
    ({"open_failures": [ago(9)], "promises_due": [due(1)]}, f"{PROMISE}today at 10:00."),
    ({"open_failures": [ago(9)], "promises_due": [due(40)]}, FAILURE.format(9)),
    ({"causes": [cause(3)]}, "labels: the same cause 3 times this quarter. What would end it?"),
    ({"causes": [cause(2)]}, None),
    ({"causes": [cause(7)]}, "labels: the same cause 7 times this quarter. What would end it?"),
    ({"causes": [cause(2), OpenMatter("x", "stock", n=4)]}, "stock: the same cause 4 times this quarter. What would end it?"),
    ({"causes": [cause(5)], "open_failures": [ago(3)]}, FAILURE.format(3)),
    ({"silent_requests": [ago(1, "Acme")]}, "Acme asked 1 day ago and was not told that it arrived."),
    ({"silent_requests": [ago(3, "Acme")]}, "Acme asked 3 days ago and was not told that it arrived."),
    ({"silent_requests": [ago(0.9, "Acme")]}, None),
    ({"silent_requests": [ago(2, "Acme")], "causes": [cause(3)]}, "labels: the same cause 3 times this quarter. What would end it?"),
    ({"unwritten_week": "2026-W48"}, None),
    ({"unwritten_week": "2026-W48", "now": FRIDAY}, WEEK),
    ({"unwritten_week": "2026-W48", "now": MONDAY}, WEEK),
    ({"unwritten_week": "2026-W48", "now": FRIDAY + timedelta(days=1)}, None),
    ({"unwritten_week": "", "now": FRIDAY}, None),
    ({"unwritten_week": "2026-W48", "now": FRIDAY, "unanswered_thanks": [ago(1, "Northwind")]}, WEEK),
    ({"unanswered_thanks": [ago(1, "Northwind")]}, THANKS),
    ({"unanswered_thanks": [ago(0, "Northwind")]}, THANKS),
    ({"unanswered_thanks": [ago(1, "Northwind")], "ripe_improvements": [OpenMatter("triage", "triage")]}, THANKS),
    ({"ripe_improvements": [OpenMatter("triage", "triage")]}, RIPE),
    ({"ripe_improvements": [OpenMatter("triage", "triage")], "stale_claims": [OpenMatter("c", "Reduced it")]}, RIPE),
    ({"stale_claims": [OpenMatter("c", "Reduced it")]}, CLAIM),
    ({"stale_claims": [OpenMatter("c", "Reduced it")], "decisions": [decides(3)]}, CLAIM),
    ({"decisions": [decides(0)]}, "Acme decides about its contract today: talk to them before."),
    ({"decisions": [decides(1)]}, "Acme decides about its contract in 1 day: talk to them before."),
    ({"decisions": [decides(30)]}, "Acme decides about its contract in 30 days: talk to them before."),
    ({"decisions": [decides(31)]}, None),
    ({"decisions": [decides(-1)]}, None),
    ({"decisions": [OpenMatter("Acme", "Acme")]}, None),
    ({"decisions": [decides(-2), decides(9)]}, "Acme decides about its contract in 9 days: talk to them before."),
    ({"decisions": [decides(9)], "widest_gap": OpenMatter("quotes", "quotes")}, "Acme decides about its contract in 9 days: talk to them before."),
    ({"widest_gap": OpenMatter("quotes", "quotes")}, GAP),
    ({"widest_gap": OpenMatter("quotes", "quotes"), "last_line": date(2026, 11, 1), "working_days_since": 9}, GAP),
    ({"last_line": date(2026, 11, 18), "working_days_since": 5}, LINE.format(5)),
    ({"last_line": date(2026, 11, 19), "working_days_since": 4}, None),
    ({"last_line": None, "working_days_since": 40}, None),
    ({"last_line": date(2026, 9, 1), "working_days_since": 60}, LINE.format(60)),
    ({"last_line": TODAY, "working_days_since": 0, "unanswered_thanks": [ago(1, "Northwind")]}, THANKS),
    ({"open_failures": [ago(5)], "decisions": [decides(2)]}, FAILURE.format(5)),
    ({"decisions": [decides(2)], "unwritten_week": "2026-W48", "now": MONDAY}, WEEK),
    ({"silent_requests": [ago(1, "Acme")], "unwritten_week": "2026-W48", "now": FRIDAY}, "Acme asked 3 days ago and was not told that it arrived."),
    ({"tip": OpenMatter("t", "Labels are printed first")}, TIP),
    ({"tip": OpenMatter("t", "Labels are printed first"), "last_line": date(2026, 11, 1), "working_days_since": 9}, TIP),
    ({"tip": OpenMatter("t", "Labels are printed first"), "decisions": [decides(9)]}, "Acme decides about its contract in 9 days: talk to them before."),
    ({"causes": [cause(3)], "stale_claims": [OpenMatter("c", "Reduced it")], "promises_due": [due(-5)]}, "labels: the same cause 3 times this quarter. What would end it?"),
]  # fmt: skip


def situation(facts: dict[str, Any]) -> Situation:
    return Situation(**{"now": NOW, **facts})


@pytest.mark.parametrize(("facts", "words"), SITUATIONS)
def test_the_one_prompt_of_a_situation(facts: dict[str, Any], words: str | None) -> None:
    prompt = prompt_of_the_day(situation(facts), [])
    assert (prompt.words if prompt else None) == words


def test_there_are_sixty_three_situations_and_each_rule_is_among_them() -> None:
    prompts = [prompt for facts, _words in SITUATIONS if (prompt := prompt_of_the_day(situation(facts), []))]
    assert len(SITUATIONS) == 63
    assert {prompt.rule for prompt in prompts} == {rule.name for rule in PROMPT_RULES}


EVERYTHING = {
    "promises_due": [due(1)], "open_failures": [ago(9)], "causes": [cause(4)], "silent_requests": [ago(3, "Acme")],
    "unanswered_thanks": [ago(1, "Northwind")], "ripe_improvements": [OpenMatter("triage", "triage")], "decisions": [decides(9)],
}  # fmt: skip


def _answer(rule: str, subject: str, deed: str, days_ago: int, until: date | None = None) -> PromptAnswer:
    return PromptAnswer(rule, subject, deed, TODAY - timedelta(days=days_ago), until)  # type: ignore[arg-type]


def test_what_was_shown_today_stays_the_prompt_of_the_day_and_no_other_takes_its_place() -> None:
    shown = _answer("failure_open", "m", "shown", 0)
    prompt = prompt_of_the_day(situation(EVERYTHING), [shown])
    assert prompt is not None
    assert prompt.rule == "failure_open"
    for deed in ("done", "dismissed", "snoozed"):
        assert prompt_of_the_day(situation(EVERYTHING), [shown, _answer("failure_open", "m", deed, 0)]) is None
    gone = {**EVERYTHING, "open_failures": []}  # made right meanwhile
    assert prompt_of_the_day(situation(gone), [shown]) is None


def test_a_rule_rests_for_a_week_and_comes_back_earlier_where_it_was_put_off() -> None:
    prompt = prompt_of_the_day(situation(EVERYTHING), [_answer("promise_due", "p", "shown", 1)])
    assert prompt is not None
    assert prompt.rule == "failure_open"
    later = prompt_of_the_day(situation(EVERYTHING), [_answer("promise_due", "p", "shown", 7)])
    assert later is not None
    assert later.rule == "promise_due"
    snoozed = _answer("promise_due", "p", "snoozed", 1, TODAY)
    again = prompt_of_the_day(situation(EVERYTHING), [_answer("promise_due", "p", "shown", 1), snoozed])
    assert again is not None
    assert again.rule == "promise_due"


def test_three_dismissals_in_a_row_silence_a_rule_and_so_does_the_button() -> None:
    twice = [_answer("promise_due", "p", "dismissed", days) for days in (40, 30)]
    assert silenced_rules(twice) == set()
    assert silenced_rules([*twice, _answer("promise_due", "p", "dismissed", 20)]) == {"promise_due"}
    assert silenced_rules([*twice, _answer("promise_due", "p", "done", 25), _answer("promise_due", "p", "dismissed", 20)]) == set()  # fmt: skip
    assert silenced_rules([_answer("same_cause", "", "silenced", 200)]) == {"same_cause"}


def test_over_a_year_there_is_one_prompt_a_day_at_most_and_never_one_kind_on_two_days_of_a_week() -> None:
    answers: list[PromptAnswer] = []
    shown: list[tuple[date, str]] = []
    for days in range(365):
        now = NOW + timedelta(days=days)
        facts = {"promises_due": [OpenMatter("p", "to Acme", now + timedelta(hours=2))], "open_failures": [OpenMatter("m", "Acme", now - timedelta(days=3))], "causes": [cause(4)]}  # fmt: skip
        prompt = prompt_of_the_day(Situation(now, **facts), answers)  # type: ignore[arg-type]
        if prompt is not None:
            shown.append((now.date(), prompt.rule))
            answers.append(PromptAnswer(prompt.rule, prompt.subject, "shown", now.date()))
    assert len({day for day, _rule in shown}) == len(shown) > 100
    for rule in {rule for _day, rule in shown}:
        days_shown = [day for day, name in shown if name == rule]
        assert all((later - earlier).days >= 7 for earlier, later in pairwise(days_shown))
