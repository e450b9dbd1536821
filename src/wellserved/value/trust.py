"""Do we do as we said, and does the customer still lean on us? Two things, measured apart, never added to a score.

Reliability: promises kept of those that fell due. Trust: read from breaches left open, and from what the customer does.
Everything is of the 180 days up to a day, from the cases and moments as they stood then; each reason names its cases.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import duckdb
import pyarrow as pa
from scipy import special

from wellserved.engine.duckdb import query, quote_text
from wellserved.measure.interval import wilson_interval
from wellserved.moments import MOMENT_KINDS, NotComputable
from wellserved.wording import plural

ReasonName = Literal["open_breach", "repeated", "chased", "gap", "silence", "asks_less", "unanswered"]
DAY: Final = 86_400
TRUST_DAYS: Final = 180
GRACE_DAYS: Final = 7  # for making right and for answering
FEWEST_PROMISES: Final = 5
CHASED_SHARE: Final = 0.3
FEWEST_GAPS: Final = 8
FEWEST_ASKS: Final = 10
FEWEST_EXPECTATIONS: Final = 10
CURRENT_DAYS: Final = 90  # a source that ended longer before the newest is no longer told of
RECENT_DAYS, EARLIER_DAYS = 90, 365
MAX_CASES_NAMED: Final = 20
MAX_REPEATS_NAMED: Final = 3
_CUSTOMER_KINDS: Final = tuple(
    name for name, kind in MOMENT_KINDS.items() if kind.side == "customer" and name not in ("left", "renewed")
)
_ANSWER_KINDS: Final = ("replied", "explained", "promised", "recovered", "thanked", "resolved")


@dataclass(frozen=True)
class TrustReason:
    """One reason to worry: what was seen, how often, and in which cases."""

    name: ReasonName
    words: str
    n: int
    cases: tuple[tuple[str, str, str], ...] = ()  # source, case, team that had it last; the latest first


@dataclass(frozen=True)
class AccountTrust:
    """How reliable we are to an account, and what weighs on its trust."""

    account: str
    kept: int
    due: int
    reasons: tuple[TrustReason, ...]
    features: Mapping[str, float | None]  # what a model of leaving is made of; None: cannot be told
    rivals: Mapping[str, float | None]  # what is commonly looked at instead
    last_at: datetime | None  # the customer's last moment
    closed_breaches: int  # made right, and accepted where that is recorded
    has_left: bool  # by the records, and has not come again
    team: str = ""  # that had most of its cases

    @property
    def reliability(self) -> tuple[float, float, float] | NotComputable:
        """Share of promises kept in time of those that fell due, with its 95% interval."""
        if not self.due:
            return NotComputable("no promise fell due")
        return self.kept / self.due, *wilson_interval(self.kept, self.due)

    @property
    def is_at_risk(self) -> bool:
        """Two reasons, or one breach that is open and repeated: a rule, not a chance."""
        names = {reason.name for reason in self.reasons}
        return len(names) >= 2


FEATURES: Final = ("open_breach", "repeated", "chased", "gap", "silence", "asks_less")
RIVALS: Final = ("last_rating", "tickets")
FEATURE_WORDS: Final[Mapping[str, str]] = {
    "open_breach": "breaches left open",
    "repeated": "broken twice in one service or for one cause",
    "chased": "share of promises asked about before they were due",
    "gap": "what they got less what they expected",
    "silence": "days of silence, in their own longest usual gaps",
    "asks_less": "requests of the last 90 days beside the year before",
}

_OWNED_SQL = """
    SELECT c.*, coalesce(c.account_id, a.account) AS spelling,
        lower(trim(regexp_replace(coalesce(c.account_id, a.account), '\\s+', ' ', 'g'))) AS account
    FROM {cases} c LEFT JOIN customer_accounts a ON c.customer_id = a.customer
    WHERE coalesce(c.account_id, a.account) IS NOT NULL
"""
_CASES_SQL = f"""
WITH owned AS ({_OWNED_SQL}), said AS (
    SELECT source, case_id,
        max(epoch("at")) FILTER (kind = 'failed') AS failed_s,
        max(epoch("at")) FILTER (kind = 'recovered') AS recovered_s,
        max(epoch("at")) FILTER (kind = 'accepted') AS accepted_s,
        max(epoch("at")) FILTER (kind IN ('complained', 'returned')) AS complained_s,
        max(epoch("at")) FILTER (kind IN ({{answers}})) AS answered_s,
        arg_max(cause, "at") FILTER (kind = 'failed' AND cause IS NOT NULL) AS cause,
        min(epoch("at")) FILTER (kind = 'chased') AS chased_s,
        max(epoch("at")) FILTER (kind = 'left') AS left_s,
        arg_max(score, "at") FILTER (kind = 'rated' AND score IS NOT NULL AND from_team IS NULL) AS score,
        arg_max(scale, "at") FILTER (kind = 'rated' AND score IS NOT NULL AND from_team IS NULL) AS scale,
        max(epoch("at")) FILTER (kind = 'rated' AND score IS NOT NULL AND from_team IS NULL) AS rated_s,
        arg_max(score, "at") FILTER (kind = 'expected' AND score IS NOT NULL) AS expected,
        arg_max(scale, "at") FILTER (kind = 'expected' AND score IS NOT NULL) AS expected_scale
    FROM {{moments}} GROUP BY 1, 2
), recorded AS (
    SELECT source, bool_or(recovered_s IS NOT NULL) AS recovers, bool_or(accepted_s IS NOT NULL) AS accepts
    FROM said GROUP BY 1
)
SELECT o.account, o.spelling, o.source, o.case_id, o.team, o.service, s.cause, o.asked_s, o.due_s, o.promise_fate, s.score, s.scale, s.rated_s,
    s.expected, s.expected_scale, s.recovered_s, s.accepted_s, s.complained_s, s.answered_s, s.chased_s, s.left_s,
    o.promises, o.overrun, s.failed_s, r.recovers, r.accepts, o.last_s, e.as_of,
    CASE WHEN o.promise_fate IN (2, 3) OR (o.promise_fate = 0 AND o.due_s <= e.as_of) OR o.overrun > 0 THEN o.due_s END AS missed_s
FROM owned o JOIN said s USING (source, case_id) JOIN recorded r USING (source) JOIN source_ends e USING (source)
"""

_GAPS_SQL = f"""
WITH owned AS ({_OWNED_SQL}), came AS (
    SELECT account, source, epoch("at") AS s, timezone('{{zone}}', "at")::DATE - DATE '1970-01-01' AS day
    FROM {{moments}} JOIN owned USING (source, case_id) WHERE kind IN ({{customers}})
), ends AS (  -- an account is known up to where the first of the sources ends that are still told of and that know it
    SELECT account, min(as_of) AS until FROM came JOIN source_ends USING (source) WHERE is_current GROUP BY 1
), days AS (
    SELECT DISTINCT account, day, until FROM came JOIN ends USING (account) WHERE s <= until
), gaps AS (SELECT account, day, until, day - lag(day) OVER (PARTITION BY account ORDER BY day) AS gap FROM days)
SELECT account, max(day) AS last_day, any_value(until) AS until,
    timezone('{{zone}}', to_timestamp(any_value(until)))::DATE - DATE '1970-01-01' AS until_day, count(gap) AS gaps, quantile_cont(gap, 0.95) AS long_gap
FROM gaps GROUP BY 1
"""


def account_trusts(
    db: duckdb.DuckDBPyConnection,
    cases: str,
    moments: str,
    customer_accounts: Iterable[tuple[str, str]],
    as_of: Mapping[str, int],
    account: str | None = None,
    zone: str = "UTC",
) -> list[AccountTrust]:
    """Every account that the records or the table of customers name, in the order of their names; spellings that differ in capitals
    or blanks alone are one account, under the commonest of them.

    `cases`, `moments`: names of tables in `db`, as they stood; `as_of`: source -> epoch second up to which it is known;
    `customer_accounts`: customer and account, for cases whose source names the customer alone; `account`: this account alone;
    `zone`: the one that days are of. A source that ended long before the newest one is no longer told of: what it knows
    grows old with the others, and nobody is silent for it.
    """
    pairs = sorted(dict(customer_accounts).items())
    tables = {
        "customer_accounts": pa.table(
            [pa.array([pair[side] for pair in pairs], pa.string()) for side in (0, 1)], ["customer", "account"]
        ),
        "source_ends": _source_ends(as_of),
    }
    for name, table in tables.items():
        db.register(name, table)
    names = {
        "cases": cases, "moments": moments, "answers": ", ".join(map(quote_text, _ANSWER_KINDS)),
        "customers": ", ".join(map(quote_text, _CUSTOMER_KINDS)), "zone": zone,
    }  # fmt: skip
    condition = f" WHERE account = {quote_text(fold_name(account))}" if account is not None else ""
    case_rows = query(
        db, f"SELECT * FROM ({_CASES_SQL.format_map(names)}){condition} ORDER BY account, asked_s, source, case_id"
    ).to_pylist()
    gap_rows = query(db, f"SELECT * FROM ({_GAPS_SQL.format_map(names)}){condition}").to_pylist()
    for name in tables:
        db.unregister(name)
    gaps = {row["account"]: row for row in gap_rows}
    by_account: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in case_rows:
        by_account[row["account"]].append(row)
    found = [_trust(rows, gaps.get(account, {})) for account, rows in by_account.items()]
    return sorted(found, key=lambda trust: trust.account)


def fold_name(name: str) -> str:
    """What two spellings of one account have in common."""
    return " ".join(name.split()).lower()


def _source_ends(as_of: Mapping[str, int]) -> pa.Table:
    """Source, up to when it is known, and whether it is still told of; one that is not is as old as the newest."""
    newest = max(as_of.values(), default=0)
    current = {source: end >= newest - CURRENT_DAYS * DAY for source, end in as_of.items()}
    ends = [end if current[source] else newest for source, end in as_of.items()]
    return pa.table(
        [pa.array(list(as_of), pa.string()), pa.array(ends, pa.int64()), pa.array(list(current.values()), pa.bool_())],
        ["source", "as_of", "is_current"],
    )


def _trust(rows: Sequence[dict[str, Any]], gap: Mapping[str, Any]) -> AccountTrust:
    account = _commonest(row["spelling"] for row in rows)
    due_rows = [row for row in rows if row["promise_fate"] is not None and _is_recent(row, row["due_s"])]
    open_rows, closed_count, breach_rows = _breaches(rows)
    repeats = _repeats(breach_rows)
    chased = _chased(rows)
    difference = _expectation_gap(rows)
    asked, silence = _asks(rows, gap), _silence(gap)
    unanswered = [
        row for row in rows
        if _is_recent(row, row["complained_s"], GRACE_DAYS) and (row["answered_s"] or 0) < row["complained_s"]
    ]  # fmt: skip
    reasons = (
        _open_reason(open_rows), _repeat_reason(repeats), chased.reason, difference.reason, silence.reason, asked.reason,
        _unanswered_reason(unanswered),
    )  # fmt: skip
    features = {
        "open_breach": float(len(open_rows) + len(unanswered)),
        "repeated": float(bool(repeats)),
        "chased": chased.value,
        "gap": difference.value,
        "silence": silence.value,
        "asks_less": asked.value,
    }
    scale = _commonest(row["scale"] for row in rows if row["scale"])
    rated = [row for row in rows if row["score"] is not None and row["scale"] == scale]
    rivals = {
        "last_rating": float(max(rated, key=lambda row: row["rated_s"])["score"]) if rated else None,
        "tickets": float(sum(_is_recent(row, row["asked_s"]) for row in rows)),
    }
    last_day = gap.get("last_day")
    last_at = datetime.fromtimestamp(int(last_day) * DAY, UTC) if last_day is not None else None
    kept = sum(row["promise_fate"] == 1 for row in due_rows)
    left_s = max((row["left_s"] for row in rows if row["left_s"] is not None), default=None)
    has_left = left_s is not None and all((row["asked_s"] or 0) <= left_s for row in rows)
    return AccountTrust(
        account, kept, len(due_rows), tuple(filter(None, reasons)), features, rivals, last_at, closed_count, has_left,
        _commonest(row["team"] for row in rows if row["team"]),
    )  # fmt: skip


def _commonest(words: Iterable[str]) -> str:
    """The word that comes most often; of several the first by the alphabet; none: empty."""
    counts = Counter(words)
    return min(counts, key=lambda word: (-counts[word], word), default="")


@dataclass(frozen=True)
class _Sign:
    """A number about an account, and whether it is a reason to worry."""

    value: float | None
    reason: TrustReason | None = None


def _is_recent(row: Mapping[str, Any], at: int | float | None, older_than_days: int = 0) -> bool:
    """Within the half year before what its source tells last; `older_than_days`: and not within the last days of it."""
    return at is not None and row["as_of"] - TRUST_DAYS * DAY <= at <= row["as_of"] - older_than_days * DAY


def _cases(rows: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str, str], ...]:
    latest = sorted(rows, key=lambda row: (row["last_s"], row["case_id"]), reverse=True)
    unique = {(str(row["source"]), str(row["case_id"]), str(row["team"] or "")): None for row in latest}
    return tuple(unique)[:MAX_CASES_NAMED]


def _breaches(
    rows: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], int, list[dict[str, Any]]]:
    """Breaches left open for more than a week, how many were closed, and all of them.

    A breach is a failure, or a promise late without word before. What was made right, and accepted where the source tells
    of that, closes it; a source that never tells of anything made right leaves no late promise open.
    """
    open_rows, closed_count, breach_rows = [], 0, []
    for row in rows:
        times = [time for time in (row["failed_s"], row["missed_s"]) if _is_recent(row, time)]
        if not times:
            continue
        breach_rows.append(row)
        broken_s = max(times)
        recovered = row["recovered_s"] is not None and row["recovered_s"] >= broken_s
        accepted = row["accepted_s"] is not None and row["accepted_s"] >= broken_s
        if accepted or (recovered and not row["accepts"]):
            closed_count += 1
        elif _is_recent(row, broken_s, GRACE_DAYS) and _can_be_open(row):
            open_rows.append(row)
    return open_rows, closed_count, breach_rows


def _can_be_open(row: Mapping[str, Any]) -> bool:
    """Whether a breach may be called open: a failure, what was never delivered, or where the source tells what is made right."""
    is_undelivered = row["promise_fate"] in (0, 3) and row["missed_s"] is not None
    return row["failed_s"] is not None or is_undelivered or row["recovers"] or row["accepts"]


def _open_reason(rows: Sequence[dict[str, Any]]) -> TrustReason | None:
    if not rows:
        return None
    return TrustReason(
        "open_breach",
        f"{plural(len(rows), 'breach', 'breaches')} not made right, or not accepted, for more than a week",
        len(rows), _cases(rows),
    )  # fmt: skip


def _repeats(breaches: Sequence[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What was broken twice: by cause or by service, and its cases; causes first, which say more."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for kind in ("cause", "service"):
        for row in breaches:
            if row[kind]:
                groups[kind, str(row[kind])].append(row)
    repeats: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key, rows in groups.items():
        if len(rows) > 1 and rows not in repeats.values():  # the cause of these very cases says it already
            repeats[key] = rows
    return repeats


def _repeat_reason(repeats: Mapping[tuple[str, str], Sequence[dict[str, Any]]]) -> TrustReason | None:
    if not repeats:
        return None
    ordered = sorted(repeats.items(), key=lambda item: -len(item[1]))
    words = "; ".join(f"{name}: broken {len(rows)} times" for (_kind, name), rows in ordered[:MAX_REPEATS_NAMED])
    cases = [row for _key, rows in ordered for row in rows]
    return TrustReason("repeated", f"{words} in half a year", len(ordered[0][1]), _cases(cases))


def _chased(rows: Sequence[dict[str, Any]]) -> _Sign:
    running = [row for row in rows if row["promises"] and row["due_s"] is not None and row["due_s"] >= row["as_of"] - TRUST_DAYS * DAY]  # fmt: skip
    if len(running) < FEWEST_PROMISES:
        return _Sign(None)
    chased = [row for row in running if row["chased_s"] is not None and row["chased_s"] < row["due_s"]]
    share = len(chased) / len(running)
    if share < CHASED_SHARE:
        return _Sign(share)
    words = f"asked before it was due about {len(chased)} of {len(running)} promises"
    return _Sign(share, TrustReason("chased", words, len(running), _cases(chased)))


def _expectation_gap(rows: Sequence[dict[str, Any]]) -> _Sign:
    """Got less expected, on the scale used most; on a scale of effort less is better."""
    pairs: dict[str, list[tuple[float, dict[str, Any]]]] = defaultdict(list)
    for row in rows:
        if row["score"] is not None and row["expected"] is not None and row["scale"] == row["expected_scale"] and _is_recent(row, row["last_s"]):  # fmt: skip
            sign = -1 if row["scale"] == "ces5" else 1
            pairs[str(row["scale"])].append((sign * (row["score"] - row["expected"]), row))
    if not pairs:
        return _Sign(None)
    scale, differences = max(pairs.items(), key=lambda item: (len(item[1]), item[0]))
    n = len(differences)
    mean = sum(value for value, _row in differences) / n
    if n < FEWEST_EXPECTATIONS:
        return _Sign(mean)
    variance = sum((value - mean) ** 2 for value, _row in differences) / (n - 1)
    half_width = float(special.stdtrit(n - 1, 0.975)) * math.sqrt(variance / n)
    if mean + half_width >= 0:
        return _Sign(mean)
    words = f"got {-mean:.1f} less than expected on {scale} ({mean - half_width:.1f} to {mean + half_width:.1f})"
    return _Sign(mean, TrustReason("gap", words, n, _cases(row for value, row in differences if value < 0)))


def _silence(gap: Mapping[str, Any]) -> _Sign:
    if not gap or gap["gaps"] < FEWEST_GAPS:
        return _Sign(None)
    days = int(gap["until_day"]) - int(gap["last_day"])
    long_gap = max(float(gap["long_gap"]), 1.0)
    ratio = days / long_gap
    if days <= long_gap:
        return _Sign(ratio)
    words = f"silent for {days} days; 19 in 20 of their silences lasted {long_gap:.3g} days at most"
    return _Sign(ratio, TrustReason("silence", words, int(gap["gaps"])))


def _asks(rows: Sequence[dict[str, Any]], gap: Mapping[str, Any]) -> _Sign:
    """The rate of the last 90 days beside that of the year before: an exact interval of the ratio of two Poisson counts.

    Given their sum, the recent count is binomial (J. Przyborowski and H. Wilenski, Biometrika 31 (1940) 313).
    """
    if not gap:
        return _Sign(None)
    as_of = int(gap["until"])
    asked = [row["asked_s"] for row in rows if row["asked_s"] is not None and row["asked_s"] <= as_of]
    if not asked:
        return _Sign(None)
    border = as_of - RECENT_DAYS * DAY
    first = max(min(asked), border - EARLIER_DAYS * DAY)
    earlier_days = (border - first) / DAY
    recent = sum(at > border for at in asked)
    earlier = sum(first <= at <= border for at in asked)
    if recent + earlier < FEWEST_ASKS or earlier_days < RECENT_DAYS or not earlier:
        return _Sign(None)
    ratio = (recent / RECENT_DAYS) / max(earlier / earlier_days, 1e-9)
    high = float(special.betaincinv(recent + 1, earlier, 0.975))  # Clopper and Pearson
    limit = high / (1 - high) * earlier_days / RECENT_DAYS
    if limit >= 1:
        return _Sign(math.log(ratio + 0.01))
    words = f"asked {plural(recent, 'time')} in {RECENT_DAYS} days; {plural(earlier, 'time')} in the {earlier_days:.0f} days before, about {earlier * RECENT_DAYS / earlier_days:.0f} in {RECENT_DAYS}"
    return _Sign(math.log(ratio + 0.01), TrustReason("asks_less", words, recent + earlier))


def _unanswered_reason(rows: Sequence[dict[str, Any]]) -> TrustReason | None:
    if not rows:
        return None
    words = f"{plural(len(rows), 'complaint')} without an answer for more than a week"
    return TrustReason("unanswered", words, len(rows), _cases(rows))
