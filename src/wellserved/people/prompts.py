"""Something to do today: one thing, from one's own entries, with its reason. No streaks, no points.

A rule is one declaration; the first in order that has something to say, and does not rest, is the prompt of the day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, Literal

from wellserved.wording import plural

PromptReply = Literal["shown", "done", "snoozed", "dismissed", "silenced"]
REST_DAYS: Final = 7  # of a rule after it was shown
SNOOZE_DAYS: Final = 1
DISMISSALS: Final = 3  # in a row, after which a rule is silent until it is turned on
QUIET_WORKING_DAYS: Final = 5
FAILURE_DAYS: Final = 2
SAME_CAUSE: Final = 3


@dataclass(frozen=True)
class OpenMatter:
    """Something of one's own that waits: an entry, an account, an improvement."""

    subject: str  # its number
    what: str = ""  # in words, as it may be shown to its owner
    at: datetime | None = None  # since when, or when it is due
    n: int = 0
    total: int = 0


@dataclass(frozen=True)
class Situation:
    """What somebody has before them, gathered from everywhere; instants in their zone."""

    now: datetime
    promises_due: Sequence[OpenMatter] = ()  # n of total like it were late
    open_failures: Sequence[OpenMatter] = ()
    causes: Sequence[OpenMatter] = ()  # n times this quarter
    silent_requests: Sequence[OpenMatter] = ()
    unwritten_week: str = ""  # the last week, where its report was not written
    unanswered_thanks: Sequence[OpenMatter] = ()
    ripe_improvements: Sequence[OpenMatter] = ()
    stale_claims: Sequence[OpenMatter] = ()
    decisions: Sequence[OpenMatter] = ()  # `at`: the day by which an account decides
    tip: OpenMatter | None = None  # a change of somebody else's that was proved to work
    widest_gap: OpenMatter | None = None  # a service whose customers were never asked what they expect
    last_line: date | None = None  # None: they never wrote one
    working_days_since: int = 0


@dataclass(frozen=True)
class Prompt:
    """One thing to do, why, and where."""

    rule: str
    subject: str
    words: str
    page: str  # name of the address


@dataclass(frozen=True)
class PromptAnswer:
    """What somebody did with a prompt."""

    rule: str
    subject: str
    deed: PromptReply
    on: date
    until: date | None = None


@dataclass(frozen=True)
class PromptRule:
    """When there is something to say, and what."""

    name: str
    question: str  # what it looks for, for the page of settings
    page: str
    look: Callable[[Situation], Iterable[tuple[str, str]]] = field(compare=False)  # subject, words
    is_dated: bool = False  # each subject has a day of its own, and rests by itself

    def prompts(self, situation: Situation) -> list[Prompt]:
        """All that it has to say, the most urgent first."""
        return [Prompt(self.name, subject, words, self.page) for subject, words in self.look(situation)]


def _promises(s: Situation) -> Iterable[tuple[str, str]]:
    for matter in s.promises_due:
        if matter.at is None or not s.now <= matter.at <= s.now + timedelta(hours=24):
            continue
        day = "today" if matter.at.date() == s.now.date() else "tomorrow"
        late = f"; {matter.n} of {matter.total} like it were late" if matter.n else ""
        yield matter.subject, f"Your promise {matter.what} is due {day} at {matter.at:%H:%M}{late}."


def _failures(s: Situation) -> Iterable[tuple[str, str]]:
    for matter in s.open_failures:
        days = (s.now - matter.at).days if matter.at else 0
        if days >= FAILURE_DAYS:
            yield matter.subject, f"{matter.what} went wrong {days} days ago and is not made right. Ask the customer: what could we do to make things right?"  # fmt: skip


def _causes(s: Situation) -> Iterable[tuple[str, str]]:
    for matter in s.causes:
        if matter.n >= SAME_CAUSE:
            yield matter.subject, f"{matter.what}: the same cause {matter.n} times this quarter. What would end it?"


def _silent_requests(s: Situation) -> Iterable[tuple[str, str]]:
    for matter in s.silent_requests:
        if matter.at and s.now - matter.at >= timedelta(hours=24):
            yield matter.subject, f"{matter.what} asked {plural((s.now - matter.at).days, 'day')} ago and was not told that it arrived."  # fmt: skip


def _week(s: Situation) -> Iterable[tuple[str, str]]:
    if s.unwritten_week and s.now.weekday() in (0, 4):
        yield (
            s.unwritten_week,
            f"The report of week {s.unwritten_week} is not written yet: a draft from your entries is waiting.",
        )


def _thanks(s: Situation) -> Iterable[tuple[str, str]]:
    for matter in s.unanswered_thanks:
        yield matter.subject, f"{matter.what} thanked you. Say that you were glad to hear it."


def _improvements(s: Situation) -> Iterable[tuple[str, str]]:
    for matter in s.ripe_improvements:
        yield matter.subject, f"The change {matter.what} has been in place long enough: look whether it worked."


def _claims(s: Situation) -> Iterable[tuple[str, str]]:
    for matter in s.stale_claims:
        yield matter.subject, f"Your claim “{matter.what}” is no longer backed by the records as they are: issue it anew, or take it back."  # fmt: skip


def _decisions(s: Situation) -> Iterable[tuple[str, str]]:
    for matter in s.decisions:
        if matter.at is None:
            continue
        days = (matter.at.date() - s.now.date()).days
        if 0 <= days <= 30:
            when = "today" if days == 0 else f"in {plural(days, 'day')}"
            yield matter.subject, f"{matter.what} decides about its contract {when}: talk to them before."


def _gap(s: Situation) -> Iterable[tuple[str, str]]:
    if s.widest_gap is not None:
        yield s.widest_gap.subject, f"Customers of {s.widest_gap.what} get less than they expect most often, and you never asked one what they expect. Ask the next."  # fmt: skip


def _tip(s: Situation) -> Iterable[tuple[str, str]]:
    if s.tip is not None:
        yield s.tip.subject, f"Tip of the month, proved here: {s.tip.what}. Would it help you too?"


def _silence(s: Situation) -> Iterable[tuple[str, str]]:
    if s.last_line is not None and s.working_days_since >= QUIET_WORKING_DAYS:
        yield "", f"No line for {s.working_days_since} working days. What was the moment of truth of the last one?"


PROMPT_RULES: Final = (
    PromptRule("promise_due", "a promise that is due within a day", "promises", _promises, True),
    PromptRule("failure_open", "a failure that is not made right for two days", "failures", _failures),
    PromptRule("same_cause", "the same cause three times this quarter", "causes", _causes),
    PromptRule("not_acknowledged", "somebody who asked and was not told that it arrived", "journal", _silent_requests),
    PromptRule("week_unwritten", "the week's report, on Friday and Monday", "reports", _week),
    PromptRule("praise_unanswered", "praise that was not answered", "journal", _thanks),
    PromptRule("improvement_ripe", "a change that can be looked at", "improvements", _improvements),
    PromptRule("claim_stale", "a claim that the records no longer back", "claims", _claims),
    PromptRule("contract_decides", "an account that decides within a month", "contracts", _decisions, True),
    PromptRule("expectation_unasked", "what customers expect where the gap is widest", "journal", _gap),
    PromptRule("tip_of_the_month", "what was proved to work elsewhere in the house, once a month", "improvements", _tip, True),
    PromptRule("no_line", "five working days without a line", "today", _silence),
)  # fmt: skip
"""In the order in which they are asked."""


def silenced_rules(answers: Iterable[PromptAnswer]) -> set[str]:
    """Rules that were turned off, or dismissed three times in a row since they were last turned on."""
    counts: dict[str, int] = {}
    off: set[str] = set()
    for answer in sorted(answers, key=lambda answer: answer.on):
        if answer.deed == "dismissed":
            counts[answer.rule] = counts.get(answer.rule, 0) + 1
        elif answer.deed == "silenced":
            off.add(answer.rule)
        elif answer.deed == "done":
            counts[answer.rule] = 0
    return off | {rule for rule, count in counts.items() if count >= DISMISSALS}


def prompt_of_the_day(situation: Situation, answers: Sequence[PromptAnswer]) -> Prompt | None:
    """The one prompt of today: what was shown today already, while it holds; else the first that does not rest.

    A prompt that somebody dealt with today is the day's prompt: no other takes its place.
    """
    today = situation.now.date()
    silent = silenced_rules(answers)
    if any(answer.on == today and answer.deed in ("done", "dismissed", "snoozed") for answer in answers):
        return None
    shown_prompts = {
        (answer.rule, answer.subject) for answer in answers if answer.on == today and answer.deed == "shown"
    }
    candidates = [prompt for rule in PROMPT_RULES if rule.name not in silent for prompt in rule.prompts(situation)]
    for prompt in candidates:
        if (prompt.rule, prompt.subject) in shown_prompts:
            return prompt
    if shown_prompts:  # what was shown has been done meanwhile
        return None
    return next((prompt for prompt in candidates if not _rests(prompt, answers, today)), None)


def _rests(prompt: Prompt, answers: Sequence[PromptAnswer], today: date) -> bool:
    """A rule rests for a week after it was shown, a dated one by its subject; unless it was put off last, and the time has come."""
    is_dated = next(rule.is_dated for rule in PROMPT_RULES if rule.name == prompt.rule)
    own = [
        answer for answer in answers
        if answer.rule == prompt.rule and answer.deed != "silenced" and answer.on < today
        and (not is_dated or answer.subject == prompt.subject)
    ]  # fmt: skip
    if not own:
        return False
    last_day = max(answer.on for answer in own)
    last = [answer for answer in own if answer.on == last_day]
    if any(answer.deed == "snoozed" and answer.until and answer.until <= today for answer in last):
        return False
    return last_day > today - timedelta(days=REST_DAYS)
