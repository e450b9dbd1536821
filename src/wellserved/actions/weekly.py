"""One's own week: what went wrong and what was done, promises, what customers said, what got better, what is next."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import sharing
from wellserved.actions.customer_worth import worth_lines
from wellserved.actions.idea_news import proved_ideas
from wellserved.actions.week_course import course_lines, journal_counts
from wellserved.actions.week_page import OWN_JUDGEMENT, TO_FILL_IN, text_of_sections
from wellserved.capture import readable_text
from wellserved.capture.promise import PromiseState
from wellserved.journal.handle import DecryptedEntry, Journal
from wellserved.moments import month_start, period_of
from wellserved.store.access import AccessScope

MAX_OLDER_PROMISES = 10  # older promises that the report names as next


def recent_weeks(today: date, count: int) -> list[tuple[str, date, date]]:
    """The weeks up to this one, the last first: name, Monday, Sunday."""
    weeks = [period_of(today - timedelta(days=7 * back), "week") for back in range(count)]
    return [(week.label, week.start, week.end - timedelta(days=1)) for week in weeks]


def recent_months(today: date, count: int) -> list[str]:
    """The months up to this one and the years that they are of, the last first: 2026-11, 2026."""
    months = [month_start(today, -back) for back in range(count)]
    names = [f"{month:%Y-%m}" for month in months]
    years = sorted({f"{month:%Y}" for month in months}, reverse=True)
    return [*years, *names]


def week_text(journal: Journal, scope: AccessScope, monday: date) -> tuple[str, bool]:
    """The week's report as its author left it, or as the product drafts it; and whether the author did."""
    saved_text = journal.draft(period_of(monday, "week").label)
    return (draft_week(journal, scope, monday), False) if saved_text is None else (saved_text, True)


def draft_week(journal: Journal, scope: AccessScope, monday: date) -> str:
    """The week's report as the product drafts it, from one's own entries and what one shared; to be edited.

    Everything that was written in the week stands in it, once.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    start = datetime.combine(monday, time(0), zone)
    end = datetime.combine(monday + timedelta(days=7), time(0), zone)
    entries = journal.entries_between(start, end)
    as_of = min(end, timezone.now())  # what falls due later this week is not overdue
    week = Week(start, end, entries, journal.threads(decrypted_entry.entry.thread for decrypted_entry in entries))
    pledges = [
        Pledge(_entry_line(decrypted_entry), state, decrypted_entry)
        for decrypted_entry, state in journal.promises(as_of, start - timedelta(days=365))
    ]
    shared_promises = sharing.visible_promises(scope, as_of, start - timedelta(days=365))
    pledges += [
        Pledge(readable_text(row.text), state, None)
        for row, state in shared_promises
        if row.author_id == scope.person.pk
    ]
    copy_ids = {row.id for row, _state in shared_promises}
    week.reported_ids |= {
        decrypted_entry.entry.id
        for decrypted_entry in entries
        if decrypted_entry.entry.word == "promise" and decrypted_entry.entry.shared in copy_ids
    }
    failures_before = journal.count_entries(start - timedelta(days=7), start, "missed")
    failures = failure_lines(week)
    promise_lines, next_lines = _promise_lines(pledges, week), _next_lines(pledges, week)
    sections: dict[str, list[str]] = {
        _("What went wrong, and what was done"): [*failures, *week.lines_of_word("recovered", _("made right"))],
        _("Promises"): [
            *promise_lines,
            *week.lines_of_word("broken"),
            *week.lines_of_word("renegotiated", _("agreed anew")),
        ],
        _("What customers said"): customer_lines(week),
        _("What went well"): [*week.lines_of_word("exceeded"), *week.lines_of_word("met"), *week.lines_of_word("kept")],
        _("Ideas and lessons"): [
            *_proved_lines(scope, start, end),
            *week.lines_of_word("idea"),
            *week.lines_of_word("lesson"),
        ],
        _("What I can show"): _claim_lines(scope, start, end),
        _("Also noted"): [*week.lines_of_word("note"), *week.lines_of_word("promise", _("promise"))],
        _("What is next"): next_lines,
        _("Beside the week before"): _comparison_lines(entries, failures_before),
    }
    if self_lines := week.lines_of_word("self"):
        sections[_(OWN_JUDGEMENT)] = self_lines
    headline = [*_headline(entries, pledges, week), *worth_lines(scope, week.outcomes)]
    sections[_("The last eight weeks")] = course_lines(journal_counts(journal, start))
    if (
        not entries
        and not promise_lines
        and not next_lines
        and not (sections[_("Ideas and lessons")] or sections[_("What I can show")])
    ):
        return f"{_('The week in short')}\n- {_('nothing recorded')}\n"
    sections = {_("The week in short"): headline, **sections, _("What I need from you"): [TO_FILL_IN]}
    return text_of_sections(sections)


def _headline(entries: list[DecryptedEntry], pledges: list[Pledge], week: Week) -> list[str]:
    """The week in one sentence, and what it came to in hours, returns and money."""
    counts = Counter(decrypted_entry.entry.word for decrypted_entry in entries)
    closed = [pledge for pledge in pledges if pledge.state.closed and week.contains(pledge.state.closed)]
    kept = sum(pledge.state.fate == "kept" for pledge in closed)
    missed_threads = {entry.entry.thread for entry in entries if entry.entry.word == "missed"}
    recovered_threads = {entry.entry.thread for entry in entries if entry.entry.word == "recovered"}
    earlier_count = len(recovered_threads - missed_threads)
    parts = [
        _count_text(len(missed_threads), _("failure"), _("failures"))
        + (
            f", {len(recovered_threads & missed_threads)} {_('made right')}"
            if recovered_threads & missed_threads
            else ""
        )
        if missed_threads
        else "",
        _count_text(earlier_count, _("earlier failure made right"), _("earlier failures made right"))
        if earlier_count
        else "",
        f"{kept} {_('of')} {_count_text(len(closed), _('promise'), _('promises'))} {_('kept')}" if closed else "",
        _count_text(counts["complaint"], _("complaint"), _("complaints")) if counts["complaint"] else "",
        _count_text(counts["thanks"], _("thank-you"), _("thank-yous")) if counts["thanks"] else "",
        _count_text(counts["exceeded"], _("expectation exceeded"), _("expectations exceeded"))
        if counts["exceeded"]
        else "",
    ]
    sentence = "; ".join(part for part in parts if part)
    return [*([f"{sentence}."] if sentence else []), *sum_lines(entries)]


def _claim_lines(scope: AccessScope, start: datetime, end: datetime) -> list[str]:
    """The sentences that were signed in the week, and were not taken back."""
    claims = scope.claims().filter(issued__gte=start, issued__lt=end, state="current").order_by("issued")
    return [f"{claim.sentence} ({_('claim')} {claim.id})" for claim in claims]


def _proved_lines(scope: AccessScope, start: datetime, end: datetime) -> list[str]:
    """What was proved in the week of one's ideas and help."""
    return [
        f"{_('proved, my idea') if idea.role == 'idea' else _('proved, with my help')}: {idea.improvement.what}"
        for idea in proved_ideas(settings.WORKSPACE, scope.person, start, end)
    ]


def _count_text(count: int, singular: str, plural_form: str) -> str:
    return f"{count} {singular if count == 1 else plural_form}"


def sum_lines(entries: list[DecryptedEntry]) -> list[str]:
    """Hours, returns and amounts that were written down; amounts of several currencies are never added."""
    hours = sum(float(decrypted_entry.facts.get("hours") or 0) for decrypted_entry in entries)
    returns = sum(int(decrypted_entry.facts.get("returns") or 0) for decrypted_entry in entries)
    saved = sum(int(decrypted_entry.facts.get("returns_saved") or 0) for decrypted_entry in entries)
    amounts: dict[str, float] = {}
    for decrypted_entry in entries:
        if amount := decrypted_entry.facts.get("amount"):
            currency = str(decrypted_entry.facts.get("currency") or "")
            amounts[currency] = amounts.get(currency, 0.0) + float(amount)
    parts = [
        f"{hours:g} {_('hours of work written down')}" if hours else "",
        _count_text(returns, _("return"), _("returns")) if returns else "",
        f"{_count_text(saved, _('return'), _('returns'))} {_('saved')}" if saved else "",
        *(
            f"{_('amounts named')}: {currency} {amount:,.10g}".replace(":  ", ": ")
            for currency, amount in sorted(amounts.items())
        ),
    ]
    sentence = "; ".join(part for part in parts if part)
    return [f"{sentence}."] if sentence else []


@dataclass
class Pledge:
    """A promise with its state; its page, where it stands in the journal alone."""

    text: str
    state: PromiseState
    decrypted_entry: DecryptedEntry | None


@dataclass
class Week:
    """A week's entries with all that belongs to them, and which of them stand in the report already."""

    start: datetime
    end: datetime
    entries: list[DecryptedEntry]
    threads: dict[uuid.UUID, list[DecryptedEntry]]
    reported_ids: set[uuid.UUID] = field(default_factory=set)
    is_dated: bool = False  # each entry with its day

    def line(self, decrypted_entry: DecryptedEntry) -> str:
        """An entry on one line; with its day where the span is longer than a week."""
        day = f"{self.format_time(decrypted_entry.entry.at, '%d %b')}: " if self.is_dated else ""
        return day + _entry_line(decrypted_entry)

    @property
    def outcomes(self) -> list[tuple[str, str | None]]:
        """Word and customer of each entry; what was written later of a matter is about its customer too."""
        customers = {
            thread: next((str(entry.facts["customer"]) for entry in entries if entry.facts.get("customer")), None)
            for thread, entries in self.threads.items()
        }
        return [
            (entry.entry.word, entry.facts.get("customer") or customers.get(entry.entry.thread))
            for entry in self.entries
        ]

    def contains(self, at: datetime) -> bool:
        """An instant lies in the week."""
        return self.start <= at < self.end

    def lines_of_word(self, word: str, label: str = "") -> list[str]:
        """The entries of a word that do not stand elsewhere."""
        word_entries = [
            decrypted_entry
            for decrypted_entry in self.entries
            if decrypted_entry.entry.word == word and decrypted_entry.entry.id not in self.reported_ids
        ]
        self.reported_ids |= {decrypted_entry.entry.id for decrypted_entry in word_entries}
        return [_with_label(label, self.line(decrypted_entry)) for decrypted_entry in word_entries]

    def steps(self, head: DecryptedEntry, include_earlier: bool) -> list[str]:
        """What followed on an entry up to the week's end, its own judgement aside; `whole`: not of this week alone."""
        step_texts = []
        # praise stands with what customers said
        end_words = sharing.FOLLOW_UPS_OF_WORD["promise"] if head.entry.word == "promise" else ()
        for decrypted_entry in self.threads.get(head.entry.thread, []):
            word, is_in_week = decrypted_entry.entry.word, self.contains(decrypted_entry.entry.at)
            if decrypted_entry.entry.id == head.entry.id or word == "self" or (end_words and word not in end_words):
                continue
            if not is_in_week and not (include_earlier and decrypted_entry.entry.at < self.end):
                continue
            self.reported_ids.add(decrypted_entry.entry.id)
            step_texts.append(_step_text(decrypted_entry, head))
        return step_texts

    def format_time(self, at: datetime, time_format: str) -> str:
        """A local time; with its year where that is not the report's."""
        local_time, last_day = timezone.localtime(at), self.end - timedelta(days=1)
        year_format = "" if local_time.year == self.start.year == last_day.year else " %Y"
        return f"{local_time:{time_format.replace('%b', '%b' + year_format)}}"


def _with_label(label: str, words: str) -> str:
    return f"{label}: {words}" if label and words else label or words


def _entry_line(decrypted_entry: DecryptedEntry) -> str:
    """An entry on one line."""
    facts = decrypted_entry.facts
    words = readable_text(str(facts.get("text") or decrypted_entry.words))
    if (giver := str(facts.get("giver", ""))) and giver.casefold() not in words.casefold():
        words = f"{_('from')} {giver}: {words}"
    customer = str(facts.get("customer", ""))
    return f"{customer}: {words}" if customer and customer.casefold() not in words.casefold() else words


def _step_text(decrypted_entry: DecryptedEntry, head: DecryptedEntry) -> str:
    """What followed, in a few words: made right: brought it."""
    labels = {
        "recovered": _("made right"), "note": _("answer"), "met": _("accepted"), "complaint": _("not accepted"), "gap": _("rated"),
        "thanks": _("thanks"), "renegotiated": _("agreed anew"),
    }  # fmt: skip
    words = readable_text(str(decrypted_entry.facts.get("text", "")))
    if words == readable_text(str(head.facts.get("text", ""))):
        words = ""
    if decrypted_entry.entry.word == "gap" and not words and decrypted_entry.facts.get("score") is not None:
        words = f"{decrypted_entry.facts['score']:g} ({decrypted_entry.facts.get('scale') or '?'})"
    return _with_label(labels.get(decrypted_entry.entry.word, _(decrypted_entry.entry.word)), words)


def _with_steps(words: str, steps: Iterable[str]) -> str:
    step_text = "; ".join(step for step in steps if step)
    return f"{words} ({step_text})" if step_text else words


def failure_lines(week: Week) -> list[str]:
    """Failures of the week, and earlier ones on which something followed in it, each with what was done."""
    lines = []
    for thread_entries in week.threads.values():
        head = next(
            (decrypted_entry for decrypted_entry in thread_entries if decrypted_entry.entry.word == "missed"), None
        )
        has_news = any(
            week.contains(decrypted_entry.entry.at) and decrypted_entry.entry.word != "self"
            for decrypted_entry in thread_entries
        )
        if head is None or head.entry.at >= week.end or not has_news:
            continue
        is_made_right = any(
            decrypted_entry.entry.word == "recovered" and decrypted_entry.entry.at < week.end
            for decrypted_entry in thread_entries
        )
        steps = week.steps(head, include_earlier=True)
        week.reported_ids.add(head.entry.id)
        day = "" if week.contains(head.entry.at) or week.is_dated else week.format_time(head.entry.at, "%d %b") + ": "
        lines.append(
            _with_steps(day + week.line(head), [*([] if is_made_right else [_("not yet made right")]), *steps])
        )
    return lines


def customer_lines(week: Week) -> list[str]:
    """What customers said, asked and rated, each with what followed."""
    lines = []
    for decrypted_entry in week.entries:
        if (
            decrypted_entry.entry.word in ("thanks", "complaint", "gap", "asked")
            and decrypted_entry.entry.id not in week.reported_ids
        ):
            week.reported_ids.add(decrypted_entry.entry.id)
            lines.append(
                _with_steps(
                    week.line(decrypted_entry),
                    week.steps(decrypted_entry, include_earlier=False)
                    if decrypted_entry.entry.word == "complaint"
                    else [],
                )
            )
    return lines


def _promise_lines(pledges: Iterable[Pledge], week: Week) -> list[str]:
    """How promises that fell due or were settled in the week ended; those that were settled by name."""
    pledges = list(pledges)
    closed_pledges = [pledge for pledge in pledges if pledge.state.closed and week.contains(pledge.state.closed)]
    counts = {name: sum(pledge.state.fate == name for pledge in closed_pledges) for name in ("kept", "late", "broken")}
    counts["overdue"] = sum(pledge.state.fate == "overdue" for pledge in pledges)
    counts["made"] = sum(week.contains(pledge.state.made_at) for pledge in pledges)
    counts["anew"] = sum(pledge.state.renegotiated for pledge in pledges if week.contains(pledge.state.made_at))
    if not counts["made"] and not closed_pledges and not counts["overdue"]:
        return []
    summary = _(
        "%(made)d made; %(kept)d kept, %(late)d late, %(broken)d broken, %(anew)d agreed anew; %(overdue)d overdue"
    )
    return [
        summary % counts,
        *(_with_steps(f"{pledge.state.fate}: {pledge.text}", _pledge_steps(pledge, week)) for pledge in closed_pledges),
    ]


def _pledge_steps(pledge: Pledge, week: Week) -> list[str]:
    """What followed on a promise in the week, as far as words were found for it."""
    if pledge.decrypted_entry is None:
        return []
    week.reported_ids.add(pledge.decrypted_entry.entry.id)
    return [
        step
        for step in week.steps(pledge.decrypted_entry, include_earlier=False)
        if step not in (pledge.state.fate, "kept")
    ]


def _comparison_lines(entries: Iterable[DecryptedEntry], previous_count: int) -> list[str]:
    """Counts beside last week's: numbers, not a judgement; one week proves nothing."""
    count = sum(decrypted_entry.entry.word == "missed" for decrypted_entry in entries)
    if not count and not previous_count:
        return []
    comparison = _("missed expectations: %(now)d, the week before %(then)d (one week beside another proves nothing)")
    return [comparison % {"now": count, "then": previous_count}]


def _next_lines(pledges: Iterable[Pledge], week: Week) -> list[str]:
    """Promises that run at the week's end: those of the week, and the most urgent of the others."""
    latest = datetime.max.replace(tzinfo=UTC)
    running_pledges = [
        pledge
        for pledge in pledges
        if pledge.state.made_at < week.end and not (pledge.state.closed and pledge.state.closed < week.end)
    ]
    running_pledges.sort(key=lambda pledge: pledge.state.due or latest)
    new_pledges = [pledge for pledge in running_pledges if week.contains(pledge.state.made_at)]
    older_pledges = [pledge for pledge in running_pledges if not week.contains(pledge.state.made_at)]
    lines = [
        _with_steps(_due_text(pledge, week), _pledge_steps(pledge, week))
        for pledge in running_pledges
        if pledge in new_pledges or pledge in older_pledges[:MAX_OLDER_PROMISES]
    ]
    if len(older_pledges) > MAX_OLDER_PROMISES:
        lines.append(
            _("and %(more)d more, on the page of promises") % {"more": len(older_pledges) - MAX_OLDER_PROMISES}
        )
    return lines


def _due_text(pledge: Pledge, week: Week) -> str:
    if pledge.state.due is None:
        return _("%(what)s (no due time)") % {"what": pledge.text}
    return _("%(what)s (due %(when)s)") % {
        "what": pledge.text,
        "when": week.format_time(pledge.state.due, "%a %d %b, %H:%M"),
    }
