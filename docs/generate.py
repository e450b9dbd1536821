"""Write the documents that repeat the code, or with --check fail where they no longer do.

docs/measures.md, docs/glossary.md, docs/cli.md, docs/access.md, and the marked parts of docs/architecture.md,
docs/clocks.md, docs/journal.md and docs/methods/, and the measure that README.md shows.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, get_args

os.environ |= {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "100", "TERMINAL_WIDTH": "100"}

import django
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.calibration.scenarios import SCENARIOS

from wellserved.actions.filter_choices import SPAN_NAMES
from wellserved.actions.uploads import Step
from wellserved.capture import ENTRY_WORDS, RATINGS, SEVERITIES, SHOWN_FIELDS
from wellserved.capture.promise import Fate
from wellserved.capture.sentence import READINGS
from wellserved.chart import CHART_KINDS as CHARTS
from wellserved.chart.rules import RULE_SETS, RULES
from wellserved.claim.check import STATE_WORDS
from wellserved.claim.sentence import CLAIM_TEMPLATES
from wellserved.cli import app
from wellserved.listen.rise import State
from wellserved.mapping import presets
from wellserved.measure import MEASURES, SUBJECTS, Measure, find_measure
from wellserved.measure.series import FILTER_COLUMNS
from wellserved.measure.vendor_rules import VENDOR_RULES, vendor_rules_of
from wellserved.moments import CASE_COLUMNS, DATE_BASES, MOMENT_COLUMNS, MOMENT_KINDS, Granularity
from wellserved.people.prompts import PROMPT_RULES
from wellserved.people.pulse import PULSE_WORDS
from wellserved.people.sight import TargetState
from wellserved.prove.proof import Headline
from wellserved.prove.verdict import Status
from wellserved.resume.sealing import HELD_BACK, NO_CAVEAT, NOT_YOURS, OTHER_NUMBERS, STATE_MARKS
from wellserved.scales import BUILT_IN
from wellserved.sources.infer import UNUSED_KINDS
from wellserved.sources.roles import BY_CONTENT, BY_NAME, DATE_ORDERS, ROLES
from wellserved.sources.time_columns import LENGTH_UNITS

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.web.settings"  # over a throw-away workspace
django.setup()

from wellserved.actions.business_cases import INPUT_FIELDS  # noqa: E402
from wellserved.actions.case_lists import CASE_LIST_COLUMNS  # noqa: E402
from wellserved.actions.membership import ACCESS_EVENTS  # noqa: E402
from wellserved.actions.practices import PRACTICE_EVENTS  # noqa: E402
from wellserved.actions.week_course import COUNTED_WORDS  # noqa: E402
from wellserved.journal.models import OPEN_COLUMNS  # noqa: E402
from wellserved.store.access import ACCESS_REASONS, PERMISSIONS  # noqa: E402 - needs the settings above
from wellserved.store.models import Role  # noqa: E402
from wellserved.web.api import SCOPES  # noqa: E402
from wellserved.web.navigation import PAGES  # noqa: E402
from wellserved.web.views.journal import CARD  # noqa: E402

DOCS = Path(__file__).resolve().parent
GENERATED = "<!-- Made by docs/generate.py; change the code instead. -->\n"


def measures() -> str:
    """Every definition, from the registry."""
    lines = [GENERATED, "# Measures", ""]
    lines += [
        "Each number comes with its n and a 95% interval. Where n is below the least, or the record lacks what the",
        "measure needs, there is no number but a reason. A changed definition gets a new version, announced in the changelog.",
        "A median of an even number is the mean of the two in the middle; where cases are still open, it lies half-way",
        "between the two ends between which exactly half are left, as R's `survfit` prints it. In SQL, `{good}` and `{bad}`",
        "stand for the rule of a rating's scale ([scales](glossary.md#scales-of-ratings)), `{as_of}` for the second up to which its source is known.",
        "",
        "| name | question | unit | better |",
        "|---|---|---|---|",
    ]
    lines += [f"| [{one.name}](#{one.name}) | {one.question} | {one.unit} | {one.better} |" for one in MEASURES]
    for one in MEASURES:
        lines += ["", f"## {one.name}", "", *_definition(one)]
    return "\n".join([*lines, ""])


def _definition(one: Measure) -> list[str]:
    parts = {
        "Question": one.question,
        "Formula": one.formula,
        "Counted": one.counted,
        "Left out": one.exclusions,
        "In a period by": DATE_BASES[one.anchor],
        "Clock": one.clock,
        "Unit, better": f"{one.unit}, {one.better}",
        "Least n": str(one.minimum_n),
        "Needs": f"a record with {one.lacking}" if one.lacking else "nothing more",
        "Population (SQL)": f"`{one.population}`",
        "Event (SQL)": f"`{one.event}`" if one.event else "",
        "Value (SQL)": f"`{one.value}`" if one.value else "",
        "Still waiting (SQL)": f"`{one.waiting}`, since `{one.since}`" if one.waiting else "",
        "Quantile": f"{one.quantile:g}" if one.kind in ("wait", "stock_age") else "",
        "Elsewhere": _elsewhere(one),
        "Source": one.source,
        "Version": "; ".join([*reversed(one.history), f"{one.version if not one.history else 1}: first"]),
    }
    return [f"- **{name}:** {value}" for name, value in parts.items() if value]


def shown_measure() -> str:
    """The measure that the README shows."""
    return "\n".join([*_definition(find_measure("promise_kept")), ""])


def _elsewhere(one: Measure) -> str:
    """How other houses count the same wait, where they differ from ours."""
    rules = [rule for rule in VENDOR_RULES if rule.measure == one.name.removesuffix("_p90")]
    if not rules:
        return ""
    ours = rules[0].words()
    parts = []
    for rule in rules[1:]:
        differs = [f"{key} {value}" for key, value in rule.words().items() if value != ours[key]]
        parts.append(f"{rule.vendor} ({rule.term}): {', '.join(differs) or 'the same'}")
    return "; ".join(parts)


def glossary() -> str:
    """The words, from the code."""
    lines = [GENERATED, "# Glossary", "", "One word for one thing, in code, documents and screens.", ""]
    lines += [
        "- **Moment** (of truth): one dated interaction that the customer can feel. The log of moments is append-only; a correction is a new moment.",
        "- **Case**: the moments that belong to one request; folded from them, never typed in.",
        "- **Promise**: what was said would happen, by when. Kept, late, broken, or still running.",
        "- **Measure**: a versioned definition with unit, direction, clock, period rule, exclusions and least n.",
        "- **Series**: a measure over periods and segments, always with n and interval.",
        "- **Signal**: a chart rule that fired. **Wobble**: what a process does by itself.",
        "- **Not computable**: a value with a reason; never 0, 1 or an empty list.",
        "- **Claim**: one sentence with its evidence, found by rule and signed; *proved* by a verdict, or *measured* over two spans. **Evidence**: a row a case, without a name.",
        "- **Improvement**: a change with dates, owner, idea-giver, helpers, a measure and guardrails, declared before the result is looked at. **Exploration**: a change looked at without a declaration; labelled so wherever it is shown.",
        "- **Guardrail**: a measure that must not get worse by more than its margin. **Verdict**: what `prove` says: improved; improved, harm not excluded; harm shown; worse, no change seen, depends on trend, not enough data, season not covered.",
        "- **Age**: days after the date that puts a case into a period, at which every case of a verdict is looked at.",
        "- **As of**: the latest moment of a source that is not later than its import; open cases are open as of then.",
        "",
        "## Kinds of moment",
        "",
        "| kind | side | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {kind.side} | {kind.meaning} |" for name, kind in MOMENT_KINDS.items()]
    lines += ["", "## Scales of ratings", "", "| scale | from | to | rule |", "|---|---|---|---|"]
    lines += [f"| `{one.name}` | {one.lowest:g} | {one.highest:g} | {one.rule} |" for one in BUILT_IN.values()]
    lines += [
        "",
        "A workspace declares its own in [scales.toml](sources.md#own-scales); `wellserved scales` shows them all.",
    ]
    for title, columns in (("Columns of the log", MOMENT_COLUMNS), ("Columns of a case", CASE_COLUMNS)):
        lines += ["", f"## {title}", "", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{one.name}` | {one.type} | {one.meaning} |" for one in columns]
    lines += ["", "## Charts and rules", "", "| chart | what |", "|---|---|"]
    lines += [f"| `{name}` | {what} |" for name, what in CHARTS.items()]
    lines += ["", "| rule | fires on | sets |", "|---|---|---|"]
    for name, (_, words) in RULES.items():
        sets = ", ".join(kept for kept, rules in RULE_SETS.items() if name in rules)
        lines.append(f"| `{name}` | {words} | {sets} |")
    lines += ["", "## Presets", "", "| name | source | about |", "|---|---|---|"]
    lines += [f"| `{one.name}` | {one.title} | {one.about} |" for one in presets()]
    return "\n".join([*lines, ""])


def words() -> str:
    """The words that a line of the journal may begin with."""
    lines = ["| word | also | meaning | as a moment |", "|---|---|---|---|"]
    lines += [
        f"| `{word}:` | {', '.join(entry.spellings)} | {entry.meaning} | {f'`{entry.kind}`' if entry.kind else 'stays in the journal, or is shared in words alone'} |"
        for word, entry in ENTRY_WORDS.items()
    ]
    return "\n".join(lines)


def prompts() -> str:
    """What the prompt of the day looks for, in its order."""
    return "".join(f"{number}. {rule.question}\n" for number, rule in enumerate(PROMPT_RULES, 1))


def vocabulary() -> str:
    """The names of closed vocabularies that the pages show, where the tools of translators find them."""
    fields = ("kind", *SHOWN_FIELDS, "service", "ticks", *FILTER_COLUMNS, *CASE_LIST_COLUMNS)
    many = [
        *ENTRY_WORDS, *(entry.meaning for entry in ENTRY_WORDS.values()), *RATINGS, *SEVERITIES, *get_args(Fate), *get_args(Granularity),
        *SUBJECTS, *(one.question for one in MEASURES), *(one.unit for one in MEASURES), *(page.title for page in PAGES), *dict.fromkeys(page.group for page in PAGES),
        *READINGS.values(), *(label for _name, label in CARD), *SCOPES.values(), *ACCESS_REASONS, *ACCESS_EVENTS, *PRACTICE_EVENTS, *STATE_MARKS, NOT_YOURS, HELD_BACK, NO_CAVEAT, OTHER_NUMBERS, *COUNTED_WORDS.values(), *SPAN_NAMES, *STATE_WORDS, *ROLES.values(), BY_NAME, *BY_CONTENT.values(), *DATE_ORDERS, *LENGTH_UNITS, *get_args(Step), *UNUSED_KINDS, *(rule.question for rule in PROMPT_RULES), *PULSE_WORDS.values(), *CLAIM_TEMPLATES.values(), *(status.replace("_", " ") for status in (*get_args(Status), *get_args(Headline)[-2:])), *get_args(State), *(field.label for field in INPUT_FIELDS), *get_args(TargetState), *(name.replace("_", " ") for name in fields),
    ]  # fmt: skip
    lines = [f"    gettext_noop({json.dumps(one, ensure_ascii=False)})," for one in dict.fromkeys(many)]
    return "\n".join([
        '"""Names that the pages show from closed vocabularies, for translators. Made by docs/generate.py."""', "",
        "from typing import Final", "", "from django.utils.translation import gettext_noop", "", "NAMES: Final = (", *lines, ")", "",
    ])  # fmt: skip


PRIVATE = (
    "Nobody, whatever their role, reads another's private journal.",
    "Another password, given by an invitation or on the command line, opens nothing of what was written before it.",
    "That holds for a journal, too, that only the workspace's secret locked when the password was given.",
    "The recovery code, or the password of before, opens it again and joins it to what was written since.",
    "A recovery code or a calendar address that was made in between opens nothing from then on; the page asks for a new code.",
    "Until then it stays closed and is kept: nobody can change or erase it.",
    "Another password ends the sessions, the keys for programs and the calendar address of before, and open invitations for that name. Webhooks in stay: they show nothing.",
    "Second factors and passkeys stay, and are asked for. Only the command line ends them (`--without-factors`), on record.",
    "The owner reads on every page who gave the password and when, until they say so; it stays on record under *Me* and in the audit. No mail is sent about it.",
    "Changing one's own password closes nothing.",
    "A passphrase is opened by no password.",
    "A passkey alone opens no journal: the page asks for the password or the recovery code.",
    "Programs and the command line write into a journal, and read nothing from it.",
    "The address of a calendar opens its owner's promises, and, where it was made since it is said so, the days by which contracts that its owner looks after are decided about; no more.",
    "Neither the file of the sessions nor the cookie opens a journal alone.",
    "Whoever tries passwords on a journal is slowed down after ten.",
)
"""What is promised of the private journal; each sentence has its test in PROMISED of tests/web/test_reset.py."""


def access() -> str:
    """Who may do what, from the one module that decides it; and what each address answers to whom, as tested."""
    roles = [role for role in Role if role != Role.alone]
    lines = [GENERATED, "# Who may see and do what", ""]
    lines += [
        "One module decides (`src/wellserved/store/access.py`). What somebody may not see answers as if it did not exist.",
        "Whoever is alone on their computer may do everything.",
        "",
        f"| what | {' | '.join(role.value for role in roles)} |",
        f"|---|{'---|' * len(roles)}",
    ]
    lines += [
        f"| {what} | {' | '.join('yes' if role in who else '' for role in roles)} |"
        for who, what in PERMISSIONS.values()
    ]
    lines += [
        "",
        "Numbers about a person are seen by that person, and by the lead of their team, whose looking is on record under *Me*.",
        "A moment shared with the team is seen by the team; with the lead, by the lead; with team leads and quality, by those.",
        "",
        "Administrators can give themselves another role, and see what it sees; that is on record. They cannot say of themselves",
        "who they are in the records, and one name there is one person's.",
        "",
        "## The private journal",
        "",
        *(f"- {one}" for one in PRIVATE),
        "",
        "**Whoever administers the machine is not bound by this.** With a shell, or the files and the memory of the server, they can:",
        "",
        "- open what the workspace's secret locks: the journal of whoever is alone without a passphrase, and of those who have not",
        "  signed in with their password since the update from a version that knew no other lock (a reset closes it on the pages, not to them);",
        "- replace the code, so that it keeps the next password, passphrase or recovery code that is typed; or read keys out of memory while their owners read;",
        "- guess at a weak password on a copy of the files, at 128 MiB and half a second a guess;",
        "- read the store, and [what lies open beside a sealed entry](journal.md#who-can-read-it).",
        "",
        "A backup brings back what was true when it was made: passwords, keys for programs, people and shares that were ended or withdrawn",
        "since are there again, and have to be ended again. Sessions and open invitations are not.",
        "",
        "## Every address, as the tests ask for it",
        "",
        "Objects belong to `kim`, a member of team A; `peer` and `lead` are of the same team, `foreign` leads another,",
        "`nobody` has not logged in. 404: there is no such page, or it is not theirs; 405: not by this method; 422: said what is wrong.",
        "",
        "```",
        (DOCS.parent / "tests" / "web" / "access.txt").read_text(encoding="utf-8").rstrip(),
        "```",
    ]
    return "\n".join([*lines, ""])


def open_columns() -> str:
    """What lies open beside what is sealed, from the models."""
    lines = ["| table | column | what it tells |", "|---|---|---|"]
    for model, columns in OPEN_COLUMNS.items():
        lines += [f"| {model._meta.verbose_name} | `{name}` | {what} |" for name, what in columns.items()]
    return "\n".join([*lines, ""])


def commands() -> str:
    """The command line's own help."""
    root: Any = typer.main.get_command(app)
    lines = [GENERATED, "# Command line", ""]
    lines += [
        "Output is for reading on a terminal and plain when piped; `--format` gives `html`, `md`, `json` or `csv`.",
        "",
        "| exit code | meaning |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | done, but rows were refused (said how many) |",
        "| 2 | the request was wrong (said what to do) |",
        "| 3 | wellserved failed |",
        "",
        "`wellserved --install-completion` adds completion to your shell.",
    ]
    named = [(name, one) for name, one in root.commands.items() if not hasattr(one, "commands")]
    grouped = [pair for pair in root.commands.items() if hasattr(pair[1], "commands")]
    named += [(f"{group} {name}", one) for group, under in grouped for name, one in under.commands.items()]
    for name, command in sorted(named):
        lines += ["", f"## wellserved {name}", "", command.help or "", ""]
        lines += ["| option | meaning |", "|---|---|"]
        for parameter in command.params:
            if parameter.name == "help":
                continue
            shown = ", ".join(parameter.opts) if parameter.opts[0].startswith("-") else str(parameter.name).upper()
            words = getattr(parameter, "help", "") or ""
            lines.append(f"| `{shown}` | {words} |")
    return "\n".join([*lines, ""])


def layers() -> str:
    """The layers, from the contract that the build enforces."""
    declared = (DOCS.parent / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^layers = \[\n(.*?)^\]", declared, re.M | re.S)
    assert listed is not None
    names = re.findall(r'"([^"]+)"', listed[1])
    return "```\n" + "\n".join(names) + "\n```\n"


def rules() -> str:
    """Every house's rule for every wait, from the registry."""
    lines = []
    for measure in dict.fromkeys(one.measure for one in VENDOR_RULES):
        lines += [f"**{measure}**", ""]
        lines += ["| house | its name | stops at | stands still | runs | before the stop | in a period by | version |"]
        lines += ["|---|---|---|---|---|---|---|---|"]
        for one in vendor_rules_of(find_measure(measure)):
            said = one.words()
            keys = ("stops", "stands still", "runs", "before the stop", "in a period by")
            cells = [one.vendor, one.term, *(said[key] for key in keys), str(one.version)]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    sources = dict.fromkeys((one.vendor, one.source) for one in VENDOR_RULES if one.vendor != "ours")
    return "\n".join([*lines, "Sources:", "", *(f"- {house}: {source}" for house, source in sources), ""])


def _figures(name: str) -> Any:
    """What make calibrate left in docs/methods; nothing where it has not been run."""
    file = DOCS / "methods" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def _shown(value: object) -> str:
    return "" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _table(columns: list[str], rows: list[list[object]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *(f"| {' | '.join(map(_shown, row))} |" for row in rows), ""])


def calibration() -> str:
    """The step's runs: what each scenario is, and how it came out."""
    words = {one.name: one.words for one in SCENARIOS} | {"random": "drawn anew each time"}
    keys = [
        "runs",
        "false",
        "covers",
        "claims",
        "ratio",
        "priced false",
        "priced covers",
        "priced claims",
        "oracle claims",
    ]
    columns = [
        "",
        "series",
        "runs",
        "false",
        "covers",
        "claims",
        "ratio",
        "priced: false",
        "covers",
        "claims",
        "oracle claims",
    ]
    found = _figures("calibration") or {}
    return _table(columns, [[name, words[name], *(row[key] for key in keys)] for name, row in found.items()])


def peers() -> str:
    """Other packages on the same series; ours from the calibration's own runs."""
    found = _figures("peers")
    chosen = list(dict.fromkeys(row["scenario"] for row in found))
    packages = list(dict.fromkeys(row["package"] for row in found))
    at = {(row["package"], row["scenario"]): row for row in found}

    def cell(package: str, scenario: str) -> str:
        row = at.get((package, scenario), {})
        return row.get("failed") or f"{row['false']:.3f} / {row['covers']:.2f} / {row['width']:.1f}" if row else ""

    def runs(package: str) -> object:
        return next((row["runs"] for row in found if row["package"] == package and "runs" in row), "")

    def seconds(package: str) -> object:
        known = [row["seconds"] for row in found if row["package"] == package and "seconds" in row]
        return round(sum(known) / len(known), 4) if known else None

    rows: list[list[object]] = [
        [one, runs(one), *(cell(one, name) for name in chosen), seconds(one)] for one in packages
    ]
    return _table(["false / covers / width", "runs", *chosen, "CPU s"], rows)


def worth_coverage() -> str:
    """How often intervals of what customers are worth hold the truth, one row a kind of house."""
    houses: dict[str, list[dict[str, Any]]] = {}
    for row in _figures("worth") or []:
        houses.setdefault(row["house"], []).append(row)
    table: list[list[object]] = []
    for house, rows in houses.items():
        covers = [row["covers"] for row in rows if row["covers"] is not None]
        table.append(
            [house, rows[0]["runs"], rows[0]["declined"], min(covers, default=None), max(covers, default=None)]
        )
    return _table(["house", "drawn", "declined", "holds the truth, least", "most"], table)


def effects() -> str:
    """Coverage and what is found, one row a measure, noise, length and course."""
    rows: dict[tuple[object, ...], dict[float, dict[str, float]]] = {}
    for cell in _figures("effects") or []:
        place = tuple(cell[name] for name in ("measure", "noise", "before", "after", "course"))
        rows.setdefault(place, {})[cell["size"]] = cell
    table = []
    for (measure, noise, before, after, course), cells in rows.items():
        none = rows[measure, noise, before, after, "step"].get(0.0)
        sizes = [cell for size, cell in cells.items() if size]
        if sizes and none:
            found = " / ".join(f"{cell['found']:.2f}" for cell in sizes)
            least = min(cell["covers"] for cell in sizes)
            table.append([measure, noise, f"{before} + {after}", course, none["found"], least, found])
    return _table(["measure", "noise", "weeks", "course", "false", "covers, least", "found"], table) if table else ""


def listed(name: str) -> str:
    """A list of records as a table."""
    found = _figures("real") if name == "real" else (_figures("companions") or {}).get(name, [])
    return _records(found)


def _records(found: list[dict[str, object]]) -> str:
    return _table(list(found[0]), [list(row.values()) for row in found]) if found else ""


SAID = ("improved", "improved_harm_not_excluded", "harm_shown", "no claim")
"""What a verdict on a planted trick can say."""


def tricks() -> str:
    """The planted tricks, and how often each was told from an improvement."""
    columns = [
        "trick",
        "what is done",
        "runs",
        "improved",
        "harm not excluded",
        "harm shown",
        "no claim",
        "right reason",
    ]
    rows = (_figures("tricks") or {}).get("full", [])
    return _table(columns, [[row[key] for key in ("trick", "does", "runs", *SAID, "right reason")] for row in rows])


def tricks_left_out() -> str:
    """The same with a column left out: all tricks together, an honest change and none apart."""
    rows = (_figures("tricks") or {}).get("left_out", [])
    found: list[list[object]] = []
    for column in dict.fromkeys(row["left out"] for row in rows):
        for name, chosen in (("tricks", ()), ("honest", ("honest", "honest, one year")), ("none", ("none",))):
            many = [row for row in rows if row["left out"] == column and (row["trick"] in chosen if chosen else row["expected"])]  # fmt: skip
            if many:
                found.append([column, name, *_together(many)])
    return _table(
        ["left out", "of", "runs", "improved", "harm not excluded", "harm shown", "no claim", "right reason"], found
    )


def _together(many: list[dict[str, Any]]) -> list[object]:
    """Several lines of the table as one; a reason counts for the runs that looked improved."""
    runs = sum(row["runs"] for row in many)
    shares = [sum(row[key] * row["runs"] for row in many) / runs for key in SAID]
    moved = [
        (row["looked improved"] * row["runs"], row["right reason"]) for row in many if row["right reason"] is not None
    ]
    looked = sum(number for number, _ in moved)
    return [runs, *shares, sum(number * right for number, right in moved) / looked if looked else None]


def methods() -> dict[Path, str]:
    """The methods' pages with their figures."""
    pages = {
        "step": {"calibration": calibration(), "peers": peers(), "real": listed("real"), "effects": effects()},
        "looks": {"looks": listed("looks"), "controls": listed("controls")},
    }
    pages |= {name: {name: listed(name)} for name in ("guardrails", "adoption", "rewards", "shifts")}
    tables = _figures("power") or {}
    pages["power"] = {"power": _records(tables.get("power", []))}
    pages["guardrails"] |= {name: _records(tables.get(name, [])) for name in ("worst", "true")}
    pages["guardrails"] |= {"tricks": tricks(), "tricks left out": tricks_left_out()}
    for name in ("adoption", "shifts"):
        pages[name][f"{name} elsewhere"] = _records((_figures("peers_companions") or {}).get(name, []))
    made = {}
    for name, parts in pages.items():
        file = DOCS / "methods" / f"{name}.md"
        text = file.read_text(encoding="utf-8")
        for mark, content in parts.items():
            text = marked(text, mark, content)
        made[file] = text
    return made


def marked(text: str, name: str, content: str) -> str:
    """Text with the part between two markers replaced."""
    pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.S)
    assert pattern.search(text), f"no marker for {name}"
    return pattern.sub(lambda match: match[1] + content + match[2], text)


def made() -> dict[Path, str]:
    """Every generated document."""
    architecture, clocks, journal = DOCS / "architecture.md", DOCS / "clocks.md", DOCS / "journal.md"
    readme = DOCS.parent / "README.md"
    return {
        readme: marked(readme.read_text(encoding="utf-8"), "measure", shown_measure()),
        DOCS / "measures.md": measures(),
        DOCS / "glossary.md": glossary(),
        DOCS / "cli.md": commands(),
        DOCS / "access.md": access(),
        DOCS.parent / "src/wellserved/web/translations.py": vocabulary(),
        journal: marked(marked(journal.read_text(encoding="utf-8"), "words", words()), "open", open_columns()),
        clocks: marked(clocks.read_text(encoding="utf-8"), "rules", rules()),
        DOCS / "accounts.md": marked((DOCS / "accounts.md").read_text(encoding="utf-8"), "coverage", worth_coverage()),
        DOCS / "people.md": marked((DOCS / "people.md").read_text(encoding="utf-8"), "prompts", prompts()),
        **methods(),
        architecture: marked(architecture.read_text(encoding="utf-8"), "layers", layers()),
    }


def main() -> None:
    """Write, or compare."""
    stale = []
    for path, text in made().items():
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(path.name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"Out of date: {', '.join(stale)}. Run: .venv/bin/python docs/generate.py")


if __name__ == "__main__":
    main()
