"""The whole road in a workspace: words to problems, people's decisions, the next look, measures, improvements and proof."""

from __future__ import annotations

import csv
import json
import random
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.listen.corpus import messages
from tests.listen.house import add, desk
from wellserved.actions.claim_drafts import draft_from_improvement
from wellserved.actions.claim_evidence import remake_evidence, require_unchanged
from wellserved.actions.imports import import_file
from wellserved.actions.improvements import declare_improvement, prove_improvement
from wellserved.actions.listening import decide_about, listen_anew
from wellserved.actions.problem_origins import find_origins
from wellserved.actions.problem_questions import overview, why
from wellserved.actions.questions import ask_measures
from wellserved.claim.draft import evidence_root
from wellserved.errors import ClaimRefusedError, RequestError, UnknownNameError
from wellserved.improvement import Improvement
from wellserved.listen.book import read_book, read_parts
from wellserved.listen.cost import Cost
from wellserved.listen.model import MODEL_NAME, OWN_WORDS
from wellserved.listen.origins import Scan
from wellserved.mapping import parse_mapping
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.storage.workspace import Workspace, create_workspace

SECRETS = ("kowalska@example.org", "+49 30 5551234", "DE89370400440532013000")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A desk of half a year that was listened to once."""
    workspace, _ = desk(tmp_path_factory.mktemp("house"), 26, 50)
    listen_anew(workspace)
    return workspace


def named(workspace: Workspace, word: str) -> str:
    """The id of the largest problem in whose sentence a word stands."""
    sizes = overview(workspace, "problem", MeasureQuestion(()), Cost()).sizes
    book = read_book(workspace)
    assert book is not None
    by_label = {problem.label: problem for problem in book.problems}
    return next(
        by_label[size.label].id for size in sizes if word in f"{by_label[size.label].sentence} {size.label}".casefold()
    )


def test_sizes_add_up_to_the_cases_that_tell(home: Workspace) -> None:
    found = overview(home, "problem", MeasureQuestion(()), Cost(6, 30, "EUR"))
    assert found.cases == found.told == 26 * 50
    assert sum(size.cases for size in found.sizes) <= found.told
    for size in found.sizes[:5]:
        (share,) = ask_measures(
            home, MeasureQuestion((find_measure("asked"),), where=(("problem", size.label.split()[0]),))
        )
        assert share.n[0] == size.cases
        assert size.share.low < size.share.value < size.share.high
    half = overview(home, "problem", MeasureQuestion((), since=date(2025, 4, 7)), Cost())
    assert half.told < found.told


def test_what_houses_file_cases_under_are_problems_too(home: Workspace) -> None:
    found = overview(home, "service", MeasureQuestion(()), Cost())
    assert {size.label for size in found.sizes} == {"parts", "repair"}
    (series,) = ask_measures(home, MeasureQuestion((find_measure("problem_share"),), about="service=parts"))
    assert series.value[0] == pytest.approx(
        found.sizes[[size.label for size in found.sizes].index("parts")].share.value
    )
    with pytest.raises(RequestError):
        overview(home, "person_id", MeasureQuestion(()), Cost())
    for column in ("customer_id", "person_id", "account_id"):  # nobody is a problem
        with pytest.raises(UnknownNameError):
            ask_measures(home, MeasureQuestion((find_measure("problem_share"),), about=f"{column}=x"))


def test_decisions_outlive_looks_and_can_be_taken_back(tmp_path: Path) -> None:
    workspace, _ = desk(tmp_path, 26, 40)
    listen_anew(workspace)
    fan, invoice, portal = (named(workspace, word) for word in ("rattl", "invoice", "portal"))
    decide_about(workspace, "named", fan, {"name": "Rattling fans"}, "Kim")
    decide_about(workspace, "merged", portal, {"into": invoice}, "Kim")
    split = decide_about(workspace, "split", fan, {"words": ["ceiling"]}, "Kim")
    late = list(messages(8, 40, 99))
    add(
        workspace,
        [
            row.__class__(**{**row.__dict__, "number": row.number + 50_000, "at": row.at + timedelta(weeks=26)})
            for row in late
        ],
    )
    listen_anew(workspace)
    book = read_book(workspace)
    assert book is not None
    parts = read_parts(workspace, book)
    assert parts is not None
    assert book.find(fan).name == "Rattling fans"
    assert book.find("rattling FANS").id == fan
    assert book.find(portal).id == invoice
    numbers = book.now_about(parts).tolist()
    texts = parts["text"].to_pylist()
    ceiling = {
        number
        for number, text in zip(numbers, texts, strict=True)
        if "ceiling fan" in text and number == split.facts["into"]
    }
    assert ceiling == {split.facts["into"]}
    assert not any(
        number == book.find(fan).number and "ceiling" in text.casefold()
        for number, text in zip(numbers, texts, strict=True)
    )
    decide_about(workspace, "undone", "", {"decision": split.number}, "Kim")
    again = read_book(workspace)
    assert again is not None
    assert split.facts["into"] not in again.now_about(parts)
    decide_about(workspace, "noted", fan, {"note": "see\u2028the supplier"}, "Kim")
    book = read_book(workspace)
    assert book is not None
    assert book.find(fan).notes == ("see\u2028the supplier",)
    with pytest.raises(RequestError, match="fewer than 5 customers"):
        decide_about(workspace, "split", invoice, {"words": ["zebra"]}, "Kim")
    with pytest.raises(RequestError, match="another problem's"):
        decide_about(workspace, "named", invoice, {"name": "p3"}, "Kim")
    with pytest.raises(RequestError):
        decide_about(workspace, "merged", invoice, {"into": invoice}, "Kim")
    old = set(range(1, book.look.next_number))
    afresh = listen_anew(workspace, afresh=True)
    assert not {problem.number for problem in afresh.problems} & old
    assert not any(problem.is_named for problem in afresh.problems)


def test_a_problem_that_grows_slowly_is_found_though_looks_are_many(tmp_path: Path) -> None:
    workspace, _ = desk(tmp_path, 20, 40)
    listen_anew(workspace)
    chance = random.Random(3)
    for day in range(6):
        rows = list(messages(1, 5, 400 + day))
        texts = [
            f"the scanner app crashes when I scan a barcode {chance.choice(('in the store', 'at the gate', 'with gloves on'))}, {chance.choice(('it froze twice', 'I must restart it', 'it shows a white page'))}"
            for _ in rows
        ]
        add(
            workspace,
            [
                row.__class__(
                    **{
                        **row.__dict__,
                        "number": 70_000 + 10 * day + index,
                        "at": row.at + timedelta(weeks=21, days=day),
                        "text": text,
                        "customer": f"scanner{day}-{index}",
                    }
                )
                for index, (row, text) in enumerate(zip(rows, texts, strict=True))
            ],
        )
        listen_anew(workspace)
    assert "scan" in " ".join(reason.problem for reason in why(workspace, "70050"))


def test_no_detail_and_no_name_reaches_a_file_or_an_answer(tmp_path: Path) -> None:
    rows = list(messages(20, 40, 23, dressed=False))
    for index, row in enumerate(rows[:300]):
        secret = SECRETS[index % 3]
        rows[index] = row.__class__(
            **{
                **row.__dict__,
                "text": f"{row.text} Write to {secret}, says Fabrikam Holding Ltd",
                "customer": "Fabrikam Holding Ltd" if index % 7 == 0 else row.customer,
            }
        )
    workspace = create_workspace(tmp_path / "desk", "Europe/Berlin")
    add(workspace, rows)
    book = listen_anew(workspace)
    assert book.look.redacted["mail"] == book.look.redacted["IBAN"] == 100
    parts = read_parts(workspace, book)
    assert parts is not None
    shown = json.dumps([problem.__dict__ for problem in book.problems], default=str) + " ".join(
        parts["text"].to_pylist()
    )
    shown += "".join(reason.text for row in rows[:30] for reason in why(workspace, str(row.number)))
    for secret in (*SECRETS, "Fabrikam"):
        assert secret not in shown
        for file in (workspace.folder / "problems").glob("*.json*"):
            assert secret.encode() not in file.read_bytes(), file


def improvement(about: str) -> Improvement:
    return Improvement("packing", "Foam corners in every box", "2026-07-20", "problem_share", about=about)


@pytest.mark.parametrize(("factor", "wanted"), [(0.15, True), (1.0, False)])
def test_a_problem_becomes_an_improvement_and_its_verdict_is_the_truth(
    tmp_path: Path, factor: float, wanted: bool
) -> None:
    workspace, _ = desk(
        tmp_path, 112, 40, 7, lambda problem, week: (factor if week >= 80 else 1.0) * 2 if problem == "damaged" else 1.0
    )
    listen_anew(workspace)
    pump = named(workspace, "pump")
    book = read_book(workspace)
    assert book is not None
    for problem in book.problems:  # people join what they call the same
        if "pump" in problem.sentence and problem.id != pump:
            decide_about(workspace, "merged", problem.id, {"into": pump}, "Kim")
    declare_improvement(workspace, improvement(pump))
    proof, notes = prove_improvement(workspace, "packing")
    assert proof.headline.startswith("improved") is wanted, proof.headline
    if wanted:
        claim = draft_from_improvement(workspace, "packing", "owner")
        assert re.match(r"Reduced the share of cases about “[^”]+” from \d+-\d+% to ", claim.sentences["full"])
        remade = remake_evidence(workspace, claim.recipe, claim.secret)
        assert remade.root == evidence_root(claim.rows, claim.secret)
        issued = datetime.now(UTC) - timedelta(seconds=2)
        require_unchanged(workspace, claim.recipe, datetime.now(UTC))
        other = next(
            size.label.split()[0]
            for size in overview(workspace, "problem", MeasureQuestion(()), Cost()).sizes
            if not size.label.startswith(f"{pump} ")
        )
        decide_about(workspace, "merged", other, {"into": pump}, "Kim")
        _, notes = prove_improvement(workspace, "packing")
        assert any("decided about" in note for note in notes), notes
        with pytest.raises(ClaimRefusedError, match="decided about"):
            draft_from_improvement(workspace, "packing", "owner")
        assert remake_evidence(workspace, claim.recipe, claim.secret).root != remade.root
        with pytest.raises(ClaimRefusedError, match="decided about since it was signed"):
            require_unchanged(workspace, claim.recipe, issued)


CORRECTIONS = """name = "files"
title = "Customer files"
case = "file"
zone = "UTC"
[columns]
channel = "form"
place = "office"
[[moment]]
kind = "asked"
at = "entered"
required = true
[[moment]]
kind = "corrected"
at = "changed"
edited = "field"
before = "old"
after = "new"
[[moment]]
kind = "resolved"
at = "entered"
"""


def test_the_file_clerk_finds_where_names_are_misspelt(tmp_path: Path) -> None:
    """Names typed in one form at one office are misspelt five times as often; what stood there is kept nowhere."""
    chance = random.Random(2)
    names = ("Kowalczyk", "Schmidbauer", "Fitzgerald", "Oppenheimer", "Villanueva")
    file = tmp_path / "files.csv"
    with file.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["file", "entered", "office", "form", "changed", "field", "old", "new"])
        for number in range(6_000):
            office, form, day = (
                chance.choice(("north", "south", "east", "west")),
                chance.choice(("paper", "web")),
                date(2025, 1, 1) + timedelta(days=number // 20),
            )
            wrong = chance.random() < (0.15 if (office, form) == ("east", "paper") else 0.03)
            news = not wrong and chance.random() < 0.05
            name = chance.choice(names)
            old = name[:2] + name[3:] if wrong else "Brown"
            writer.writerow(
                [
                    number,
                    day,
                    office,
                    form,
                    day + timedelta(days=3) if wrong or news else "",
                    "surname",
                    old,
                    name if wrong or news else "",
                ]
            )
    workspace = create_workspace(tmp_path / "house", "UTC")
    import_file(workspace, file, parse_mapping(CORRECTIONS, "files.toml"))
    scan, fault = find_origins(workspace, "cause=surname: misspelt")
    assert fault == "cause=surname: misspelt"
    scan, fault = find_origins(workspace, None)
    assert fault == "corrections"
    assert isinstance(scan, Scan)
    assert set(scan.named[0].parts) == {("place", "east"), ("channel", "paper")}
    assert scan.named[0].low <= 5 <= scan.named[0].high
    for stored in workspace.folder.rglob("*.parquet"):
        assert not any(name.encode() in stored.read_bytes() for name in names)
    table = overview(workspace, "cause", MeasureQuestion(()), Cost())
    assert [size.label for size in table.sizes] == ["surname: misspelt"]


def test_a_model_joins_languages_and_is_kept_from_look_to_look(tmp_path: Path) -> None:
    german = {
        "damaged": "die Pumpe kam beschädigt an, das Gehäuse ist gerissen",
        "invoice": "die Rechnung zeigt den falschen Betrag",
    }
    workspace, rows = desk(tmp_path, 8, 40)
    add(
        workspace,
        [
            replace(row, number=row.number + 50_000, text=f"{german[row.truth]} {row.number}, {row.customer}")
            for row in rows
            if row.truth in german
        ],
    )
    listen_anew(workspace, mode=MODEL_NAME)
    book = listen_anew(workspace)
    assert book.look.mode == MODEL_NAME
    with pytest.raises(RequestError, match="afresh"):
        listen_anew(workspace, mode=OWN_WORDS)
    parts = read_parts(workspace, book)
    assert parts is not None
    numbers, cases = book.now_about(parts), [int(case) for case in parts["case_id"].to_pylist()]
    truth = {row.number: row.truth for row in rows}
    for name in german:
        english = [
            number for number, case in zip(numbers, cases, strict=True) if truth.get(case) == name and number >= 0
        ]
        other = [
            number
            for number, case in zip(numbers, cases, strict=True)
            if truth.get(case - 50_000) == name and number >= 0
        ]
        assert max(set(english), key=english.count) == max(set(other), key=other.count), name
    assert listen_anew(workspace, afresh=True, mode=OWN_WORDS).look.mode == OWN_WORDS
