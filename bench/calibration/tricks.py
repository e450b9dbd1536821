"""Ways to look faster without serving better, planted in a made service house: what each does, and what has to give it away.

A house of two teams: Ours (150 cases a week, 30% rated) does what the trick says
from CHANGE on, Theirs (75 a week) goes on as before. Everything that wellserved knows of is recorded, so that a column
can be left out in turn. `expected`: any of these names in the verdict's first sentence or failed check is the right reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from wellserved.calendar import Calendars
from wellserved.cases import fold_into
from wellserved.engine.duckdb import DuckDB, materialise
from wellserved.engine.duckdb import quote_name as quoted
from wellserved.measure import find_measure
from wellserved.measure.case_table import make_case_table
from wellserved.moments import MOMENT_COLUMNS
from wellserved.prove import AnalysisWindow, Proof, ProofRequest, prove

START, BEFORE, AFTER, TAIL = date(2022, 1, 3), 104, 26, 3  # weeks; the tail lets the last cases ripen
CHANGE = START + timedelta(weeks=BEFORE)
HOUR, DAY, WEEK = 3_600.0, 86_400.0, 604_800.0
OURS, THEIRS = 150, 75  # cases a week
SERVICES = ("orders", "invoices", "returns")
HARDER = 2.5  # times the work
LISTED = (
    "bright",
    "ledger",
    "parcel",
    "winter",
    "number",
    "garden",
    "signal",
    "bottle",
    "office",
    "window",
    "pencil",
    "market",
)

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Happened = tuple[str, Array, npt.NDArray[np.str_] | None, object]  # kind, when, team, text


@dataclass
class House:
    """Cases as arrays: seconds since START, or since the ask; nan: it does not happen."""

    random: np.random.Generator
    asked: Array
    ours: Flags
    late: Flags  # asked for since the change, of either team
    hard: Flags
    service: npt.NDArray[np.int64]
    customer: npt.NDArray[np.int64]
    reply: Array
    done: Array  # when it was really done: the last reply
    good: Array  # chance of a good rating
    resolved: Array = field(default_factory=lambda: np.empty(0))  # as recorded; filled from done where a trick does not
    reply_alike: Flags = field(default_factory=lambda: np.empty(0, bool))
    chased: Flags = field(default_factory=lambda: np.empty(0, bool))
    passed: Flags = field(default_factory=lambda: np.empty(0, bool))
    reopened: Flags = field(default_factory=lambda: np.empty(0, bool))
    complained: Flags = field(default_factory=lambda: np.empty(0, bool))
    abandoned: Array = field(default_factory=lambda: np.empty(0))
    merged: Array = field(default_factory=lambda: np.empty(0))
    paused: Array = field(default_factory=lambda: np.empty(0))  # how long
    rated: Flags = field(default_factory=lambda: np.empty(0, bool))
    happy_only: Flags = field(default_factory=lambda: np.empty(0, bool))
    chased_late: Flags = field(default_factory=lambda: np.empty(0, bool))  # after it was closed
    there: Flags = field(default_factory=lambda: np.empty(0, bool))  # in the record at all
    cut_clock: Array = field(default_factory=lambda: np.empty(0))  # seconds by which the recorded ask is later

    @property
    def changed(self) -> Flags:
        """The cases that the change is about."""
        return self.ours & self.late

    def chance(self, share: float) -> Flags:
        """Any case, with this chance."""
        return self.random.random(len(self.asked)) < share


@dataclass(frozen=True)
class Trick:
    """What is done from the change on, and what has to give it away."""

    name: str
    does: str
    expected: tuple[str, ...]
    plant: Callable[[House], None]
    measure: str = "time_to_resolution"
    hard: float = 0.35  # share of hard cases before
    weeks: int = BEFORE  # before the change that are looked at
    column: str = ""  # what gives it away above all: left out, the claim has to be the weaker one all the same


def _times(house: House, which: Flags, factor: float) -> None:
    """Replies and work of some cases take so many times as long."""
    house.reply, house.done = (np.where(which, factor * one, one) for one in (house.reply, house.done))


def _honest(house: House) -> None:
    _times(house, house.changed, 0.7)


def _none(house: House) -> None:
    """Nothing."""


def _early(house: House) -> None:
    house.resolved = np.where(house.changed, 0.5 * house.done, house.done)
    house.reopened |= house.changed & house.chance(0.25)


def _auto(house: House) -> None:
    house.reply = np.where(house.changed & house.chance(0.7), 45.0, house.reply)
    house.chased |= house.changed & house.chance(0.5)


def _picking(house: House) -> None:
    house.done = np.where(house.changed, house.done * np.where(house.hard, 2.2, 0.45), house.done)


def _dumping(house: House) -> None:
    house.passed |= house.changed & house.hard
    house.done = np.where(house.late & (~house.ours | house.hard), house.done * 1.5, house.done)


def _definition(house: House) -> None:
    house.resolved = np.where(house.changed, house.reply + 60, house.done)


def _second_tickets(house: House) -> None:
    house.resolved = np.where(house.changed, 0.5 * house.done, house.done)
    _ask_anew(house, house.changed & house.chance(0.3), house.resolved + 20 * HOUR)


def _hidden_mix(house: House) -> None:
    easier = house.changed & house.hard & house.chance(2 / 3)
    house.done = np.where(easier, house.reply + (house.done - house.reply) / HARDER, house.done)
    house.hard &= ~easier


def _silent_auto(house: House) -> None:
    machine = house.changed & house.chance(0.7)
    house.reply = np.where(machine, house.random.uniform(15, 55, len(machine)), house.reply)
    house.reply_alike |= machine


def _bad_weeks(house: House) -> None:
    bad = house.ours & (house.asked >= (BEFORE - 6) * WEEK) & ~house.late
    _times(house, bad, 2.5)


def _undeclared(house: House) -> None:
    _times(house, house.late, 0.6)


def _pausing(house: House) -> None:
    house.paused = np.where(house.changed & house.chance(0.6), 0.6 * house.done, house.paused)


def _merging(house: House) -> None:
    slow = house.changed & (house.done > 48 * HOUR)
    house.merged = np.where(slow, 40 * HOUR, house.merged)


def _deleting(house: House) -> None:
    house.there &= ~(house.changed & (house.done > 55 * HOUR))


def _redating(house: House) -> None:
    house.resolved = np.where(house.changed, np.maximum(0.55 * house.done, house.reply), house.done)


def _abandoning(house: House) -> None:
    house.abandoned = np.where(house.changed & (house.done > 48 * HOUR), 44 * HOUR, house.abandoned)


def _turning_away(house: House) -> None:
    house.there &= ~(house.changed & house.hard & house.chance(0.7))
    _times(house, house.changed, 0.85)


def _splitting(house: House) -> None:
    parts = house.changed & (house.done > 30 * HOUR)
    _times(house, parts, 1 / 3)
    _ask_anew(house, parts, house.random.uniform(60, 600, len(parts)))
    _ask_anew(house, np.append(parts, np.zeros(len(house.asked) - len(parts), bool)), np.full(len(house.asked), 900.0))


def _worse_work(house: House) -> None:
    _times(house, house.changed, 0.6)
    house.good = np.where(house.changed, 0.62, house.good)


def _ratings_stop(house: House) -> None:
    _worse_work(house)
    house.rated &= ~house.changed


def _happy_asked(house: House) -> None:
    _worse_work(house)
    house.happy_only |= house.changed


def _clock_later(house: House) -> None:
    """The clock starts when the case is first read: the next working morning, or two hours on."""
    at = house.asked % WEEK
    day, hour = at // DAY, at % DAY / HOUR
    open_ = (day < 5) & (hour >= 8) & (hour < 18)
    days = np.where(hour < 8, 0.0, 1.0)
    days += np.select([(day + days) % 7 == 5, (day + days) % 7 == 6], [2.0, 1.0], 0.0)
    morning = (day + days) * DAY + 8.5 * HOUR - at
    later = np.where(open_, 2 * HOUR, morning)
    house.cut_clock = np.where(house.changed, np.minimum(later, 0.8 * house.reply), 0.0)


def _after_hours(house: House) -> None:
    at = house.asked % WEEK
    outside = (at // DAY >= 5) | (at % DAY >= 17 * HOUR) | (at % DAY < 7 * HOUR)
    house.there &= ~(house.changed & outside)


def _slow_auto(house: House) -> None:
    machine = house.changed & house.chance(0.7)
    house.reply = np.where(machine, house.random.uniform(120, 600, len(machine)), house.reply)
    house.reply_alike |= machine


def _bulk_close(house: House) -> None:
    """Every evening at six, what is older than half a day is closed; customers write again, and it is done all the same."""
    closing = np.ceil((house.asked + 12 * HOUR - 18 * HOUR) / DAY) * DAY + 18 * HOUR - house.asked
    bulk = house.changed & (closing < house.done)
    house.resolved = np.where(bulk, closing, house.done)
    house.chased_late |= bulk & house.chance(0.5)


def _rushing(house: House) -> None:
    _worse_work(house)
    house.complained |= house.changed & house.chance(0.06)


OTHERS = "time_to_resolution of all others"
CLOSE = "work after the close"
JUMP = "a jump overnight"
SHAPE = "shape of the waits"
TIMES = "times of asking"
HOUSES = (
    Trick("honest", "30% less work a case", (), _honest),
    Trick("honest, one year", "the same, with 52 weeks before", (), _honest, weeks=52),
    Trick("none", "nothing", (), _none),
)
TRICKS = (
    Trick("early", "closes at half time; a quarter more are reopened", ("reopen_rate",), _early, column="reopenings"),
    Trick("auto", "a machine answers seven in ten; half of the customers ask again", ("contacts",), _auto, "time_to_first_reply", column="chases"),
    Trick("picking", "easy cases first, hard ones lie", ("time_to_resolution_p90", SHAPE), _picking, column="service"),
    Trick("dumping", "hard cases are handed to the other team", (OTHERS, "handovers"), _dumping, column="team"),
    Trick("definition", "resolved is stamped with the first reply", (JUMP, CLOSE), _definition),
    Trick("second tickets", "closes at half time; three in ten ask anew", ("repeat_case_rate",), _second_tickets, column="customer"),
    Trick("hidden mix", "easy work in place of hard, in no column", (SHAPE,), _hidden_mix, hard=0.7, column="service"),
    Trick("silent auto-reply", "a machine answers seven in ten within a minute, as a person", ("answered_within_a_minute", "replies alike"), _silent_auto, "time_to_first_reply", column="words"),
    Trick("six bad weeks", "six bad weeks, then nothing is done", ("bad stretch before", "worst weeks before"), _bad_weeks, column="team"),
    Trick("undeclared change", "something else made everybody faster", ("the others", "no others to compare with"), _undeclared, column="team"),
    Trick("pausing", "six in ten are set to wait for the customer", ("paused_rate",), _pausing, "requester_wait"),
    Trick("merging", "slow cases are merged into others", ("merged_rate",), _merging),
    Trick("deleting", "slow cases vanish from the record", ("asked", SHAPE), _deleting),
    Trick("re-dating", "resolutions are dated back to half of the time", (CLOSE, JUMP), _redating),
    Trick("abandoning", "slow cases are closed as abandoned", ("abandoned_rate",), _abandoning),
    Trick("turning away", "most hard cases are not taken on", ("asked",), _turning_away),
    Trick("splitting", "long cases become three short ones", ("repeat_case_rate", "asked"), _splitting, column="customer"),
    Trick("ratings stop", "worse work; ratings are no longer recorded", ("rated_rate", "rating_good"), _ratings_stop, column="ratings"),
    Trick("only the happy", "worse work; only the happy are asked", ("rated_rate", "rating_good"), _happy_asked, column="ratings"),
    Trick("clock moved", "the clock starts when the case is first read", (TIMES, JUMP, SHAPE), _clock_later, "time_to_first_reply"),
    Trick("after hours", "what comes nights and weekends is left out", (TIMES, "asked"), _after_hours, "business"),
    Trick("slow auto-reply", "a machine answers seven in ten after some minutes", ("replies alike",), _slow_auto, "time_to_first_reply", column="words"),
    Trick("bulk closing", "what is open in the evening is closed, and work goes on", (CLOSE, "contacts"), _bulk_close, column="chases"),
    Trick("rushing", "faster and worse: fewer good ratings, more complaints", ("rating_good", "complaint_rate"), _rushing, column="ratings"),
)  # fmt: skip
LEFT_OUT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ratings": (("rated", "surveyed"), ()),
    "service": ((), ("service", "category")),
    "team": ((), ("team", "from_team")),
    "words": ((), ("text",)),
    "customer": ((), ("customer_id",)),
    "chases": (("chased",), ()),
    "reopenings": (("reopened",), ()),
    "complaints": (("complained",), ()),
}
"""What is left out of the record in turn: kinds of moment, and columns."""


def _ask_anew(house: House, who: Flags, after: Array) -> None:
    """The customers of some cases open another case, so many seconds after the first."""
    places = np.flatnonzero(who)
    for name, value in vars(house).items():
        if isinstance(value, np.ndarray) and len(value) == len(who) and name != "asked":
            setattr(house, name, np.append(value, value[places]))
    house.asked = np.append(house.asked, house.asked[places] + after[places])


def _times_of_asking(random: np.random.Generator, size: int, weeks: int) -> Array:
    """Six in ten ask from Monday to Friday between 8 and 18 o'clock, the others at any time."""
    inside = random.integers(0, 5, size) * DAY + random.uniform(8, 18, size) * HOUR
    at = np.where(random.random(size) < 0.6, inside, random.uniform(0, WEEK, size))
    found: Array = np.sort(random.integers(0, weeks, size) * WEEK + at)
    return found


def _weekly(random: np.random.Generator, weeks: int) -> Array:
    """Good weeks and bad ones: factors of all times, an autoregression of .4 with a standard deviation of 8%, and a season of 5%."""
    state, found = 0.0, np.empty(weeks)
    for week in range(weeks):
        state = 0.4 * state + random.normal(0, 0.08 * np.sqrt(1 - 0.4**2))
        found[week] = np.exp(state + 0.05 * np.sin(2 * np.pi * week / 52.18))
    return found


def build(trick: Trick, seed: int) -> House:
    """The house with the trick in it."""
    random = np.random.default_rng([seed, *trick.name.encode()])
    weeks = BEFORE + AFTER + TAIL
    size = (OURS + THEIRS) * weeks
    asked = _times_of_asking(random, size, weeks)
    weekly = _weekly(random, weeks)[(asked // WEEK).astype(int)]
    hard = random.random(size) < trick.hard
    reply = random.lognormal(np.log(3 * HOUR), 0.8, size) * weekly
    if trick.measure == "business":  # nights and weekends wait
        at = asked % WEEK
        outside = (at // DAY >= 5) | (at % DAY >= 17 * HOUR) | (at % DAY < 7 * HOUR)
        reply += np.where(outside, 14 * HOUR, 0)
    done = random.lognormal(np.log(20 * HOUR), 0.7, size) * np.where(hard, HARDER, 1.0) * weekly + reply
    no = np.zeros(size, bool)
    house = House(
        random, asked, random.random(size) < OURS / (OURS + THEIRS), asked >= BEFORE * WEEK, hard,
        random.integers(0, 3, size), random.integers(0, 3_000, size), reply, done, np.full(size, 0.86),
    )  # fmt: skip
    nan = np.full(size, np.nan)
    house.reply_alike, house.chased, house.passed = house.chance(0.1), house.chance(0.12), house.chance(0.05)
    house.reopened, house.complained, house.rated = house.chance(0.08), house.chance(0.03), house.chance(0.3)
    house.abandoned = np.where(house.chance(0.03), done, nan)
    house.merged = np.where(house.chance(0.02), 0.5 * done, nan)
    house.paused = np.where(house.chance(0.2), 0.3 * done, nan)
    house.happy_only, house.chased_late, house.there = no.copy(), no.copy(), ~no
    house.cut_clock = np.zeros(size)
    trick.plant(house)
    if not len(house.resolved):
        house.resolved = house.done.copy()
    return house


def moments(house: House) -> pa.Table:
    """The log that such a house leaves."""
    size = len(house.asked)
    served = np.isnan(house.abandoned) & np.isnan(house.merged)
    with np.errstate(invalid="ignore"):
        good = house.random.random(size) < house.good - 0.15 * (house.done > 90 * HOUR)
    score = np.where(good, house.random.integers(4, 6, size), house.random.integers(1, 4, size)).astype(float)
    asked_of = np.where(house.happy_only, good, True)
    team = np.where(house.ours, "Ours", "Theirs")
    owner = np.where(house.passed, np.where(house.ours, "Theirs", "Ours"), team)
    nothing = np.full(size, np.nan)

    def when(at: Array, which: Flags) -> Array:
        return np.where(which & house.there, at, nothing)

    words = np.array(LISTED)[house.random.integers(0, len(LISTED), (size, 8))]
    unlike = [" ".join(row) for row in words]
    text = np.where(house.reply_alike, "Thank you for your message. We have received it and will look into it.", unlike)
    half = np.minimum(0.5 * (house.reply + house.done), 0.9 * house.done)
    ends = served & (house.resolved > 0)
    rows: list[Happened] = [
        ("asked", when(house.cut_clock, np.ones(size, bool)), team, None),
        ("chased", when(1.2 * house.reply, house.chased & (1.2 * house.reply < house.done)), None, None),
        ("chased", when(house.resolved + 5 * HOUR, house.chased_late & served), None, None),
        ("handed_over", when(0.3 * house.reply, house.passed), owner, None),
        ("replied", when(house.reply, np.ones(size, bool)), owner, text),
        ("paused", when(half, ~np.isnan(house.paused)), owner, None),
        ("resumed", when(half + np.minimum(house.paused, 0.9 * (house.done - half)), ~np.isnan(house.paused)), owner, None),
        ("replied", when(house.done - 1, served), owner, np.array(unlike)),
        ("resolved", when(house.resolved, ends), owner, None),
        ("abandoned", when(house.abandoned, ~np.isnan(house.abandoned)), owner, None),
        ("merged", when(house.merged, ~np.isnan(house.merged)), owner, None),
        ("reopened", when(house.resolved + 30 * HOUR, ends & house.reopened), owner, None),
        ("resolved", when(house.resolved + 60 * HOUR, ends & house.reopened), owner, None),
        ("surveyed", when(house.resolved + HOUR, ends & asked_of), owner, None),
        ("rated", when(house.resolved + 5 * HOUR, ends & asked_of & house.rated), None, None),
        ("complained", when(house.done + HOUR, served & house.complained), None, None),
    ]  # fmt: skip
    return _table(house, rows, score)


def _table(house: House, rows: list[Happened], score: Array) -> pa.Table:
    """Rows of one kind each as a table of moments."""
    end = (BEFORE + AFTER + TAIL) * WEEK
    names = np.array([f"c{place}" for place in range(len(house.asked))])
    start = datetime(START.year, START.month, START.day, tzinfo=UTC).timestamp()
    parts = []
    for number, (kind, after, team, text) in enumerate(rows):
        places = np.flatnonzero(~np.isnan(after) & (house.asked + np.nan_to_num(after) < end))
        at = ((start + house.asked[places] + after[places]) * 1e6).astype(np.int64)
        none = pa.nulls(len(places), pa.string())
        columns: dict[str, pa.Array] = {
            "moment_id": pa.array([f"{number}-{place}" for place in places], pa.string()),
            "at": pa.array(at).cast(pa.timestamp("us", "UTC")),
            "at_is": pa.array(["time"] * len(places), pa.string()),
            "kind": pa.array([kind] * len(places), pa.string()),
            "case_id": pa.array(names[places]),
            "customer_id": pa.array([f"k{one}" for one in house.customer[places]], pa.string()),
            "team": pa.array(team[places].tolist(), pa.string()) if team is not None else none,
            "service": pa.array(np.array(SERVICES)[house.service[places]]) if kind == "asked" else none,
            "text": pa.array(np.asarray(text)[places].tolist(), pa.string()) if text is not None else none,
            "score": pa.array(score[places]) if kind == "rated" else pa.nulls(len(places), pa.float64()),
            "scale": pa.array(["csat5"] * len(places), pa.string()) if kind == "rated" else none,
            "source": pa.array(["house"] * len(places), pa.string()),
            "source_row": pa.array(places + number * len(names)),
            "content": pa.array(places),
            "recorded_at": pa.array(np.full(len(places), int((start + end) * 1e6))).cast(pa.timestamp("us", "UTC")),
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def ask(log: pa.Table, measure: str, left_out: str = "", weeks: int = BEFORE) -> Proof:
    """The verdict on the change in such a log, with a column left out."""
    kinds, columns = LEFT_OUT.get(left_out, ((), ()))
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'; SET threads = 1")
    materialise(db, "log_rows", log)
    listed = ", ".join(
        f"CAST({quoted(column.name) if column.name in log.column_names and column.name not in columns else 'NULL'} AS {column.type}) AS {quoted(column.name)}"
        for column in MOMENT_COLUMNS
    )
    only = " AND ".join(f"kind <> '{kind}'" for kind in kinds) or "true"
    if left_out == "team":  # a house of one team
        only += " AND case_id IN (SELECT case_id FROM log_rows WHERE kind = 'asked' AND team = 'Ours')"
    db.execute(f"CREATE TEMP TABLE moments AS SELECT {listed} FROM log_rows WHERE {only}")
    db.execute("UPDATE moments SET category = service")
    hours = Calendars()
    fold_into(db, "cases", "moments", "UTC", hours)
    cannot = {"house": dict.fromkeys(kinds, "the record does not tell it")}
    scope = make_case_table(DuckDB(db), "cases", "UTC", 1, calendars=hours, cannot=cannot)
    since = CHANGE - timedelta(weeks=weeks) if weeks < BEFORE else None
    looking = AnalysisWindow(scope, "moments", hours, CHANGE, "week", since, capped_follow_up=False)
    where = () if left_out == "team" else (("team", "Ours"),)
    name = "time_to_first_reply" if measure == "business" else measure
    try:
        return prove(looking, ProofRequest(find_measure(name), CHANGE, "week", where))
    finally:
        db.close()


def reasons(proof: Proof) -> list[str]:
    """What the verdict names for not being a plain improvement, first things first."""
    if proof.headline == "harm_shown":
        return [one.guardrail.name for one in proof.harms]
    if proof.headline == "improved_harm_not_excluded":
        return [one.name for one in proof.doubts]
    return [one.name for one in proof.verdict.checks if one.passed is False]
