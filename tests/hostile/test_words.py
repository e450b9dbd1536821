from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from wellserved.actions.imports import ImportResult, import_file
from wellserved.actions.questions import ask_measures, service_report
from wellserved.cli import app
from wellserved.engine import duckdb as engine
from wellserved.mapping import Mapping, MomentRule
from wellserved.measure import MeasureQuestion, Series, find_measure
from wellserved.render.clean import one_line
from wellserved.render.formats import data, html, markdown, terminal
from wellserved.render.formats.csv import csv_text
from wellserved.report import Finding, Report, Section, Table
from wellserved.report.segments import Funnel, Pareto
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace

NAUGHTY: list[str] = json.loads(
    (Path(__file__).parent / "corpora" / "naughty-strings" / "blns.json").read_text(encoding="utf-8")
)
LONG_NUMBER = "-" + "1" * 59
OWN = [
    "\x01",
    "\x1b]0;owned\x07",
    "\x9b31m",
    "\u061cالعربية",
    "\u202egnp.exe",
    "\u2066hidden\u2069",
    "two\nlines",
    "two\r\nlines",
    "carriage\rreturn",
    "tab\there",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.invalid","click")',
    "＝1+1",
    LONG_NUMBER + "+cmd|' /C calc'!A0",
    "'=1+1",
    "'plain",
    "-5",
    "+49 30 123456",
    "{{ 7*7 }}",
    "{% for x in y %}",
    "]]></text></svg><script>alert(1)</script>",
    "</style></title></textarea><img src=x onerror=alert(1)>",
    "--><script>alert(1)</script><!--",
    "[bold]rich[/bold]",
    "[/]",
    "[link=http://example.invalid]x[/link]",
    ":warning:",
    "| a | b |",
    "[a](javascript:alert(1))",
    "`<b>`",
    "# heading",
    "\ufeffmark",
    "\u200bzero width",
    "\ufffe",
    "e\u0301\u0301\u0301",
    "\u2028line\u2029paragraph",
    "\x85next",
    "a\\",
    '"',
    '""',
    ",",
    ";",
]
WORDS = [*dict.fromkeys([*NAUGHTY, *OWN])]
FILLED = [words for words in WORDS if words]
MAPPING = Mapping(
    name="naughty",
    title="Naughty",
    case="id",
    missing=(),
    columns={"service": "service", "category": "category", "team": "team"},
    moments=(
        MomentRule(kind="asked", at="asked", required=True, text="words"),
        MomentRule(kind="promised", at="asked", due="due"),
        MomentRule(kind="resolved", at="resolved"),
    ),
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NUMBER = re.compile(r"[-+]?\d+([.,]\d+)*([eE][-+]?\d+)?")
DIRECTIONS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


@dataclass(frozen=True)
class Told:
    workspace: Workspace
    done: ImportResult
    report: Report


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Every naughty string imported as words, category, service and team, and the report on it."""
    folder = tmp_path_factory.mktemp("naughty")
    path = folder / "naughty.csv"
    start = datetime(2024, 1, 1, 9, tzinfo=UTC)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "asked", "due", "resolved", "words", "category", "service", "team"])
        for place, words in enumerate(WORDS):
            asked = start + timedelta(hours=17 * place)
            due, resolved = asked + timedelta(days=2), asked + timedelta(days=1 + place % 4)
            stamps = [stamp.strftime("%Y-%m-%dT%H:%M:%SZ") for stamp in (asked, due, resolved)]
            writer.writerow([f"c{place}", *stamps, words, words, words, FILLED[place % 8]])
    workspace = create_workspace(folder / "home")
    done = import_file(workspace, path, MAPPING, NOW)
    return Told(workspace, done, service_report(workspace))


def _renamed(report: Report, called: Callable[[str], str]) -> Report:
    """The report with every place where other people's words can stand filled with all of them, renamed."""
    shown = [called(words) for words in FILLED]
    sections: list[Section] = []
    for section in report.sections:
        sections.append(
            replace(
                section,
                funnels=tuple(
                    replace(one, rows=tuple(replace(row, segment=called(row.segment)) for row in one.rows))
                    for one in section.funnels
                ),
                paretos=tuple(
                    replace(one, rows=tuple(replace(row, segment=called(row.segment)) for row in one.rows))
                    for one in section.paretos
                ),
                tables=tuple(
                    replace(
                        one,
                        rows=tuple(
                            tuple(called(cell) if isinstance(cell, str) else cell for cell in row) for row in one.rows
                        ),
                    )
                    for one in section.tables
                ),
            )
        )
    sections.append(
        Section(
            "words",
            "Words",
            findings=tuple(Finding(words) for words in shown),
            tables=tuple(Table(words, (words, "n"), ((words, 1),), words) for words in shown),
        )
    )
    joined = " ".join(shown)
    return replace(report, sections=tuple(sections), title=joined, credit=joined, caution=joined)


def _crowded(report: Report) -> Report:
    """Every funnel and Pareto row once for each of the words, so that all of them are drawn."""

    def funnel(one: Funnel) -> Funnel:
        row = one.rows[0]
        return replace(one, rows=tuple(replace(row, segment=words, beyond_chance=True) for words in FILLED))

    def pareto(one: Pareto) -> Pareto:
        row = one.rows[0]
        return replace(one, rows=tuple(replace(row, segment=words) for words in FILLED))

    return replace(
        report,
        sections=tuple(
            replace(
                section,
                funnels=tuple(funnel(one) for one in section.funnels if one.rows),
                paretos=tuple(pareto(one) for one in section.paretos if one.rows),
            )
            for section in report.sections
        ),
    )


def _same(words: str) -> str:
    return words


def _dull(_: str) -> str:
    return "words"


class _Tags(HTMLParser):
    """Tags with the names of their attributes, the text, and everything that a page should not hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[tuple[str, tuple[str, ...]]] = set()
        self.count = 0
        self.links: set[str] = set()
        self.odd: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add((tag, tuple(sorted(name for name, _ in attrs))))
        self.count += 1
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "action", "xlink:href")}

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)

    def unknown_decl(self, data: str) -> None:
        self.odd.append(data)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def tags(page: str) -> _Tags:
    parser = _Tags()
    parser.feed(page)
    parser.close()
    return parser


def markdown_bare(text: str) -> str:
    """Markdown without the marks that are escaped, and without the product's own."""
    return re.sub(r"\\.", "", text, flags=re.DOTALL)


def formulas(text: str) -> list[str]:
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    return [cell for cell in cells if re.match(r"\s*[=+\-@\t\r]", cell) and not NUMBER.fullmatch(cell.strip())]


def controls(text: str) -> list[str]:
    return sorted(
        {repr(sign) for sign in text if sign in DIRECTIONS or (unicodedata.category(sign) == "Cc" and sign != "\n")}
    )


def moments(workspace: Workspace, columns: str) -> list[tuple[Any, ...]]:
    files = ", ".join(engine.quote_text(file) for file in log.snapshot(workspace.log).files)
    return duckdb.execute(
        f"SELECT {columns} FROM read_parquet([{files}], hive_partitioning = true) WHERE kind = 'asked' ORDER BY source_row"
    ).fetchall()


def test_the_list_of_naughty_strings_is_here_in_whole() -> None:
    assert len(NAUGHTY) == 485


def test_every_naughty_string_is_loaded_and_none_refused(told: Told) -> None:
    receipt = told.done.receipt
    assert (receipt.rows_read, receipt.rows_loaded, receipt.rows_refused) == (len(WORDS), len(WORDS), 0)
    assert told.done.refusals is None


def test_every_naughty_string_is_in_the_log_byte_for_byte(told: Told) -> None:
    kept = moments(told.workspace, "case_id, text")
    expected = [(f"c{place}", words if words.strip(" ") else None) for place, words in enumerate(WORDS)]
    assert [pair for pair in zip(kept, expected, strict=True) if pair[0] != pair[1]] == []


def test_every_naughty_string_is_a_category_and_a_service_but_for_blanks_around_it(told: Told) -> None:
    kept = moments(told.workspace, "category, service")
    expected = [(words.strip(" ") or None,) * 2 for words in WORDS]
    assert [pair for pair in zip(kept, expected, strict=True) if pair[0] != pair[1]] == []


def test_marks_for_missing_are_missing_and_all_other_words_stay(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["id", "asked", "words"], *([f"c{place}", "2024-01-02", words] for place, words in enumerate(WORDS))]
        )
    mapping = Mapping(
        name="naughty",
        title="Naughty",
        case="id",
        moments=(MomentRule(kind="asked", at="asked", required=True, text="words"),),
    )
    workspace = create_workspace(tmp_path / "home")
    import_file(workspace, path, mapping, NOW)
    kept = [words for (words,) in moments(workspace, "text")]
    expected = [None if words.strip(" ") in ("", *mapping.missing) else words for words in WORDS]
    assert [pair for pair in zip(kept, expected, strict=True) if pair[0] != pair[1]] == []


def test_refused_rows_that_are_mended_and_imported_again_keep_their_words(tmp_path: Path) -> None:
    mapping = Mapping(
        name="naughty",
        title="Naughty",
        case="id",
        missing=(),
        moments=(MomentRule(kind="asked", at="asked", required=True, text="words"),),
    )
    path, mended = tmp_path / "words.csv", tmp_path / "mended.csv"
    told = [words for words in FILLED if words.strip(" ")]
    rows = [[f"c{place}", "soon", words] for place, words in enumerate(told)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "asked", "words"], ["first", "2024-01-01", "x"], *rows])
    workspace = create_workspace(tmp_path / "home")
    done = import_file(workspace, path, mapping, NOW)
    assert done.receipt.rows_refused == len(told)
    assert done.refusals is not None
    text = done.refusals.read_bytes().decode()
    mended.write_bytes(text.replace("soon", "2024-01-02").encode())
    again = import_file(workspace, mended, mapping, NOW)
    assert (again.receipt.rows_read, again.receipt.rows_loaded) == (len(told), len(told))
    kept = dict(moments(workspace, "case_id, text"))
    changed = {words: kept.get(f"c{place}") for place, words in enumerate(told) if kept.get(f"c{place}") != words}
    assert changed == {}


def test_no_cell_of_the_refusals_file_is_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [
                ["id", "asked", "words", "=1+1"],
                *([f"c{place}", words, words, words] for place, words in enumerate(FILLED)),
            ]
        )
    mapping = Mapping(
        name="naughty",
        title="Naughty",
        case="id",
        dates={"asked": "day-first"},
        moments=(MomentRule(kind="asked", at="asked", required=True),),
    )
    done = import_file(create_workspace(tmp_path / "home"), path, mapping, NOW)
    assert done.receipt.rows_read == len(FILLED)
    assert done.receipt.rows_refused > 0.95 * len(FILLED)
    assert done.refusals is not None
    assert formulas(done.refusals.read_bytes().decode()) == []


def pages(told: Told) -> Iterator[tuple[str, str, str]]:
    """(what, page with the naughty words, page with dull ones instead)"""
    crowded = _crowded(told.report)
    yield "report", html.report_page(told.report), html.report_page(_renamed(told.report, _dull))
    yield "words", html.report_page(_renamed(crowded, _same)), html.report_page(_renamed(crowded, _dull))
    yield (
        "index",
        html.index_page([("a.html", _renamed(told.report, _same))]),
        html.index_page([("a.html", told.report)]),
    )


def test_no_word_becomes_markup_in_a_page(told: Told) -> None:
    for what, page, dull in pages(told):
        found, known = tags(page), tags(dull)
        assert found.tags <= known.tags, what
        assert found.odd == known.odd == [], what
        assert found.links <= known.links, what
        assert not [tag for tag, _ in found.tags if tag in ("script", "img", "iframe", "object", "embed", "form")], what
        assert not [name for _, names in found.tags for name in names if name.startswith("on")], what


def test_a_page_with_naughty_words_has_as_many_tags_as_one_with_dull_words(told: Told) -> None:
    crowded = _crowded(told.report)
    assert (
        tags(html.report_page(_renamed(crowded, _same))).count == tags(html.report_page(_renamed(crowded, _dull))).count
    )


def test_a_page_shows_every_word_as_it_is(told: Told) -> None:
    shown = " ".join("".join(tags(html.report_page(_renamed(told.report, _same))).text).split())
    missing = [words for words in FILLED if " ".join(words.split()) not in shown]
    assert [words for words in missing if not controls(words) and "\ufffe" not in words] == []


def _series(told: Told) -> list[Series]:
    return ask_measures(told.workspace, MeasureQuestion((find_measure("asked"),), "service"))


def test_no_word_becomes_markup_in_a_page_of_measures(told: Told) -> None:
    page = html.series_page(_series(told))
    found = tags(page)
    assert {tag for tag, _ in found.tags} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "main", "p", "div", "table",
        "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd",
    }  # fmt: skip
    assert found.odd == []
    assert not [name for _, names in found.tags for name in names if name.startswith("on")]


def test_measures_by_service_name_every_word(told: Told) -> None:
    (series,) = _series(told)
    assert {words for words in series.segments if words} == {words.strip(" ") for words in FILLED if words.strip(" ")}


def test_no_cell_of_a_csv_is_a_formula(told: Told) -> None:
    assert formulas(data.series_csv(told.report.series)) == []
    assert formulas(data.series_csv(_series(told))) == []
    assert formulas(csv_text(FILLED, [FILLED])) == []


@pytest.mark.parametrize(
    "words",
    [words for words in FILLED if re.match(r"\s*[=+\-@\t\r\n＝＋－＠]", words) and not NUMBER.fullmatch(words)],
    ids=ascii,
)
def test_words_that_a_spreadsheet_would_run_are_guarded(words: str) -> None:
    (cell,) = next(csv.reader(io.StringIO(csv_text([words], []), newline="")))
    assert cell == "'" + words


def test_a_csv_holds_every_word_as_it_is_or_guarded() -> None:
    (row,) = csv.reader(io.StringIO(csv_text(FILLED, []), newline=""))
    assert [cell for cell, words in zip(row, FILLED, strict=True) if cell not in (words, "'" + words)] == []


def test_numbers_stay_numbers_in_a_csv() -> None:
    (row,) = csv.reader(io.StringIO(csv_text(["-5", "+5", "-1.5", "-1,5", "1e-3"], [])))
    assert row == ["-5", "+5", "-1.5", "-1,5", "1e-3"]


def test_json_is_strict_and_holds_every_word(told: Told) -> None:
    def no(constant: str) -> float:
        raise AssertionError(constant)

    read = json.loads(data.as_json(data.report_data(_renamed(told.report, _same))), parse_constant=no)
    assert [one["text"] for one in read["sections"][-1]["findings"]] == FILLED
    assert json.loads(data.as_json(data.series_rows(_series(told))), parse_constant=no)


def test_no_control_character_reaches_the_terminal(told: Told) -> None:
    assert controls(terminal.plain_text(terminal.report_lines(told.report))) == []
    assert controls(terminal.plain_text(terminal.report_lines(_renamed(_crowded(told.report), _dull)))) == []
    assert controls(terminal.plain_text(terminal.series_lines(_series(told)))) == []
    assert [words for words in FILLED if controls(one_line(words))] == []


def test_no_word_is_markup_in_a_finding_a_cell_or_a_line_on_the_terminal() -> None:
    for words in ("[bold]rich[/bold]", "[/]", "[link=http://example.invalid]x[/link]", ":warning:"):
        assert words in terminal.plain_text(terminal.safe_text(words))
        assert words in terminal.plain_text(terminal.grid("", ["column"], [[words]]))


@pytest.mark.parametrize("words", ["[bold]rich[/bold]", "[/]", "[link=http://example.invalid]x[/link]", ":warning:"])
def test_no_word_is_markup_in_the_title_or_the_head_of_a_table_on_the_terminal(words: str) -> None:
    assert words in terminal.plain_text(terminal.grid(words, ["column"], [["cell"]]))
    assert words in terminal.plain_text(terminal.grid("", [words], [["cell"]]))


def test_a_whole_report_of_naughty_words_is_written_for_the_terminal(told: Told) -> None:
    assert controls(terminal.plain_text(terminal.report_lines(_renamed(_crowded(told.report), _same)))) == []


@pytest.mark.parametrize("name", ["[bold]x.csv", "[red]x[blue].csv", "=1+1.csv", "\x1b[31mred.csv", "{{ 7 }}.csv"])
def test_inspect_shows_a_file_name_as_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("id,asked,words\n1,2024-01-02,x\n2,2024-01-03,y\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["inspect", str(path)])
    assert result.exit_code == 0, result.exception
    assert one_line(name) in " ".join(result.output.split())
    assert "\x1b" not in result.output


def test_inspect_shows_naughty_strings_as_columns_and_as_cells(tmp_path: Path) -> None:
    path = tmp_path / "columns.csv"
    some = [words for words in FILLED if words in OWN or FILLED.index(words) % 12 == 0]
    for batch in range(0, len(some), 60):
        names = some[batch : batch + 60]
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id", *(f"x {one}" for one in names)], *([place, *names] for place in "12")])
        result = CliRunner().invoke(app, ["inspect", str(path), "--output", str(tmp_path / "mapping.toml")])
        assert result.exit_code == 0, result.exception
        assert controls(result.output) == []


def test_no_word_becomes_markup_in_markdown(told: Told) -> None:
    for text in (
        markdown.report_text(_renamed(_crowded(told.report), _same)),
        markdown.series_text(_series(told)),
    ):
        bare = markdown_bare(text)
        assert [sign for sign in "<`[]!~" if sign in bare] == []
        assert controls(text) == []


def test_no_word_breaks_a_table_or_a_line_of_markdown(told: Told) -> None:
    rows: Sequence[str] = markdown.table(("words", "n"), [(words, 1) for words in FILLED])
    assert len(rows) == len(FILLED) + 3
    assert {markdown_bare(row).count("|") for row in rows if row} == {3}
    assert all(row.splitlines() == [row] for row in rows if row)
