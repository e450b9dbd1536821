"""What somebody has before them today, gathered for `people.prompts`; and what they did with a prompt."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final, cast

from django.conf import settings
from django.utils import timezone

from wellserved.actions.contract_ledger import contract_lines
from wellserved.actions.idea_news import proved_improvements
from wellserved.actions.promise_ledger import LedgerPromise, ledger, shared_ledger
from wellserved.explore.gap import ExpectationGaps
from wellserved.improvement import list_records
from wellserved.journal.handle import DecryptedEntry, Journal
from wellserved.journal.models import PromptRest
from wellserved.moments import period_of
from wellserved.people.prompts import (
    PROMPT_RULES,
    SNOOZE_DAYS,
    OpenMatter,
    Prompt,
    PromptAnswer,
    PromptReply,
    Situation,
    prompt_of_the_day,
    silenced_rules,
)
from wellserved.storage.workspace import Workspace
from wellserved.store.access import AccessScope, has_permission
from wellserved.store.models import Outgoing
from wellserved.value.contracts import due_decisions

BY_MAIL: Final = "mail:"  # before the name of a rule that was told by mail: it rests there, and not on the page
TIP_DAYS: Final = 7  # of a month, in which its tip is told
RIPE_DAYS: Final = 28  # after a change, before its first look
REMEMBERED_DAYS: Final = 120  # of what was done with prompts
_MAX_LETTERS: Final = 60


def shared_situation(workspace: Workspace, scope: AccessScope, now: datetime) -> Situation:
    """What may wait of theirs by what was shared, and by what is nobody's secret: their journal is not looked at."""
    today = timezone.localdate(now)
    return Situation(
        timezone.localtime(now),
        promises_due=_promises_due(shared_ledger(scope, now), now),
        ripe_improvements=_ripe_improvements(workspace, scope, today),
        stale_claims=_stale_claims(scope),
        decisions=_decisions(scope, today),
        tip=_tip(workspace, scope, today),
    )


def situation_of(
    workspace: Workspace, scope: AccessScope, journal: Journal, now: datetime, gaps: ExpectationGaps | None = None
) -> Situation:
    """Everything of theirs that may wait; what a locked journal holds is not looked at."""
    local_now = timezone.localtime(now)
    today = local_now.date()
    is_open = journal.is_readable
    quarter = period_of(today, "quarter").start
    failures = journal.entries_between(_midnight(quarter), now, "missed") if is_open else []
    latest = journal.latest(1) if is_open else []
    last_line = timezone.localdate(latest[0].entry.created) if latest else None
    return Situation(
        local_now,
        promises_due=_promises_due(ledger(scope, journal, now, with_closed=True), now),
        open_failures=_open_failures(scope, journal) if is_open else (),
        causes=_causes(failures),
        silent_requests=_unfollowed(journal, now, "asked", 7) if is_open else (),
        unwritten_week=_unwritten_week(scope, journal, today) if is_open else "",
        unanswered_thanks=_unfollowed(journal, now, "thanks", 7) if is_open else (),
        ripe_improvements=_ripe_improvements(workspace, scope, today),
        stale_claims=_stale_claims(scope),
        decisions=_decisions(scope, today),
        tip=_tip(workspace, scope, today),
        widest_gap=_widest_gap(journal, gaps, now) if is_open else None,
        last_line=last_line,
        working_days_since=_working_days(last_line, today),
    )


def _mark(words: str) -> str:
    """What stands for words where they may not lie open: nobody who has the file learns them."""
    return hmac.new(settings.SECRET_KEY.encode(), words.encode(), hashlib.sha256).hexdigest()[:32]


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_LETTERS else f"{line[: _MAX_LETTERS - 1]}…"


def _promises_due(promises: list[LedgerPromise], now: datetime) -> list[OpenMatter]:
    """Open promises of their own by due time, each with how many like it (customer or service) were late in 90 days."""
    own_promises = [promise for promise in promises if promise.mine]
    closed = [promise for promise in own_promises if promise.state.closed is not None]
    matters = []
    for promise in own_promises:
        if promise.state.closed is not None or promise.state.due is None:
            continue
        like_promises = [
            other for other in closed
            if (promise.customer and other.customer == promise.customer) or (promise.service and other.service == promise.service)
        ]  # fmt: skip
        late = sum(other.state.fate in ("late", "broken") for other in like_promises)
        what = f"to {promise.customer}" if promise.customer else f"“{_short(promise.text)}”"
        matters.append(
            OpenMatter(str(promise.id), what, timezone.localtime(promise.state.due), late, len(like_promises))
        )
    return sorted(matters, key=lambda matter: matter.at or now)


def _name_of(entry: DecryptedEntry) -> str:
    customer, text = str(entry.facts.get("customer") or ""), _short(entry.words)
    return f"{customer}: {text}" if customer and text else customer or text or "Something"


def _open_failures(scope: AccessScope, journal: Journal) -> list[OpenMatter]:
    """Failures in the journal, and those that they shared, which nobody made right; the oldest first."""
    entries = journal.open_entries(["missed"])
    copies = {entry.entry.shared for entry in entries}
    matters = [
        OpenMatter(str(entry.entry.id), _name_of(entry), timezone.localtime(entry.entry.at)) for entry in entries
    ]
    for row in scope.own_moments().filter(word="missed", open=True)[:50]:
        if row.pk not in copies:
            words = scope.customer_of(row) or _short(row.text) or "Something"
            matters.append(OpenMatter(str(row.pk), words, timezone.localtime(row.at)))
    return sorted(matters, key=lambda matter: matter.at or timezone.now())


def _causes(failures: Iterable[DecryptedEntry]) -> list[OpenMatter]:
    counts: dict[str, list[str]] = {}
    for entry in failures:
        if cause := str(entry.facts.get("cause") or "").strip():
            counts.setdefault(cause.casefold(), []).append(cause)
    causes_by_count = sorted(counts.values(), key=lambda causes: (-len(causes), causes[0]))
    return [OpenMatter(_mark(causes[0].casefold()), causes[0], n=len(causes)) for causes in causes_by_count]


def _unfollowed(journal: Journal, now: datetime, word: str, days: int) -> list[OpenMatter]:
    """Entries of a word that nothing followed, the oldest first."""
    entries = journal.entries_between(now - timedelta(days=days), now, word)
    threads = journal.threads(entry.entry.thread for entry in entries)
    return [
        OpenMatter(str(entry.entry.id), str(entry.facts.get("customer") or _short(entry.words) or "Somebody"), timezone.localtime(entry.entry.at))
        for entry in entries
        if len(threads[entry.entry.thread]) == 1
    ]  # fmt: skip


def _unwritten_week(scope: AccessScope, journal: Journal, today: date) -> str:
    """This week on a Friday, the last on a Monday, where there are entries and no report was begun or sent."""
    day = today if today.weekday() == 4 else today - timedelta(days=7)
    week = period_of(day, "week")
    name = week.label
    if not journal.entries_between(_midnight(week.start), _midnight(week.end)):
        return ""
    is_written = (
        journal.draft(name) is not None or Outgoing.objects.filter(owner=scope.person, period__startswith=name).exists()
    )
    return "" if is_written else name


def _ripe_improvements(workspace: Workspace, scope: AccessScope, today: date) -> list[OpenMatter]:
    """Changes of their own, four weeks in place or more, at which nobody has looked yet."""
    if not has_permission(scope.person, "read_measures"):
        return []
    own_names = {name for name in (scope.person.username, scope.person.served_as) if name}
    matters = []
    for record in list_records(workspace):
        improvement = record.improvement
        is_mine = scope.alone or improvement.who in own_names
        start = date.fromisoformat(improvement.settles or improvement.since)
        if is_mine and not record.looks and start + timedelta(days=RIPE_DAYS) <= today:
            matters.append(OpenMatter(_mark(improvement.name), improvement.name))
    return matters


def _stale_claims(scope: AccessScope) -> list[OpenMatter]:
    return [OpenMatter(claim.pk, _short(claim.sentence)) for claim in scope.claims().filter(state="stale")]


def _tip(workspace: Workspace, scope: AccessScope, today: date) -> OpenMatter | None:
    """The newest change of somebody else's that was proved to work, in the first week of a month."""
    if today.day > TIP_DAYS or not has_permission(scope.person, "read_measures"):
        return None
    own_names = {name for name in (scope.person.username, scope.person.served_as) if name}
    proofs_of_others = [proof for proof in proved_improvements(workspace) if proof.improvement.who not in own_names]
    if not proofs_of_others:
        return None
    newest = max(proofs_of_others, key=lambda proof: proof.since).improvement
    return OpenMatter(f"{today:%Y-%m}", _short(newest.what))


def _decisions(scope: AccessScope, today: date) -> list[OpenMatter]:
    return [
        OpenMatter(_mark(decision.line.account), decision.line.account, _midnight(decision.decides_on))
        for decision in due_decisions(contract_lines(scope.accounts()), today, 30)
    ]


def _widest_gap(journal: Journal, gaps: ExpectationGaps | None, now: datetime) -> OpenMatter | None:
    """The service whose expectations are most often unmet, where they never wrote down what a customer expects."""
    if gaps is None or not gaps.gaps or journal.count_entries(now - timedelta(days=90), now, "gap"):
        return None
    return OpenMatter(_mark(gaps.gaps[0].segment), gaps.gaps[0].segment)


def _working_days(since: date | None, until: date) -> int:
    """Mondays to Fridays after a day, up to and with another."""
    if since is None:
        return 0
    days = (since + timedelta(days=ahead + 1) for ahead in range(min((until - since).days, 60)))
    return sum(day.weekday() < 5 for day in days)


def answers_of(owner: int, today: date) -> list[PromptAnswer]:
    """What they did with prompts lately; what they turned off stays so. What was told by mail alone is not among it."""
    return [_answer(row) for row in _recent_rests(owner, today) if not row.rule.startswith(BY_MAIL)]


def mail_answers_of(owner: int, today: date) -> list[PromptAnswer]:
    """What counts for a prompt by mail: what the page showed, what was done there, and what was told by mail before."""
    return [_answer(row) for row in _recent_rests(owner, today)]


def _recent_rests(owner: int, today: date) -> list[PromptRest]:
    since = today - timedelta(days=REMEMBERED_DAYS)
    rows = PromptRest.objects.filter(owner=owner).order_by("on", "pk")
    return [row for row in rows if row.on >= since or row.deed in ("silenced", "dismissed", "done")]


def _answer(row: PromptRest) -> PromptAnswer:
    deed = cast(PromptReply, row.deed)
    return PromptAnswer(row.rule.removeprefix(BY_MAIL), row.subject, deed, row.on, row.until)


def todays_prompt(
    workspace: Workspace, scope: AccessScope, journal: Journal, now: datetime, gaps: ExpectationGaps | None = None
) -> Prompt | None:
    """The prompt of the day; that it was shown is remembered, so that its rule answers afterwards."""
    today = timezone.localdate(now)
    answers = answers_of(scope.person.pk, today)
    prompt = prompt_of_the_day(situation_of(workspace, scope, journal, now, gaps), answers)
    if prompt is not None:
        PromptRest.objects.get_or_create(
            owner=scope.person.pk, rule=prompt.rule, subject=prompt.subject, deed="shown", on=today
        )
    return prompt


def answer_prompt(owner: int, rule: str, subject: str, deed: PromptReply, today: date) -> None:
    """Done, later, not this one, or no more of that kind; `shown` turns a rule on again."""
    if rule not in {known.name for known in PROMPT_RULES}:
        return
    if deed == "shown":
        PromptRest.objects.filter(owner=owner, rule=rule, deed__in=("silenced", "dismissed")).delete()
        return
    until = today + timedelta(days=SNOOZE_DAYS) if deed == "snoozed" else None
    PromptRest.objects.get_or_create(
        owner=owner, rule=rule, subject=subject[:64], deed=deed, on=today, defaults={"until": until}
    )


def silent_rules(owner: int, today: date) -> list[tuple[str, str]]:
    """Rules that say nothing any more: name, and what each looks for."""
    silent = silenced_rules(answers_of(owner, today))
    return [(rule.name, rule.question) for rule in PROMPT_RULES if rule.name in silent]
