"""The book of problems: what the last look found, and what people decided about it.

problems/found.json      every problem found, with its name, sentence and quotes, and how it was looked for
problems/parts-*.parquet every part of a text, redacted, with the problem that it is about
problems/decisions.jsonl names, merges, splits, notes; a line each, never rewritten

What is found can be found again; what people decided cannot, and is applied on top of every look.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from wellserved import disk
from wellserved.errors import DamageError, RequestError, UnknownNameError
from wellserved.storage.workspace import Workspace

FOUND_FILE, DECISIONS_FILE = "found.json", "decisions.jsonl"
MAX_NAME = 80
Deed = Literal["named", "merged", "split", "closed", "reopened", "noted", "undone"]


@dataclass(frozen=True)
class Quote:
    """A customer's words, redacted."""

    text: str
    at_s: int


@dataclass(frozen=True)
class CustomerProblem:
    """What customers keep meeting."""

    number: int
    name: str
    phrases: tuple[str, ...]
    sentence: str  # a representative one, in the customer's words
    quotes: tuple[Quote, ...]
    parent: int  # the largest of the problems that it belongs with
    born_s: int  # epoch second of its first text
    spot: tuple[float, float] = (0.5, 0.5)  # on the map of problems, 0 to 1
    state: Literal["open", "closed"] = "open"
    notes: tuple[str, ...] = ()
    is_named: bool = False  # by a person

    @property
    def id(self) -> str:
        """What it is called for good: p7."""
        return f"p{self.number}"

    @property
    def label(self) -> str:
        """Its id and its name, as segments show it."""
        return f"{self.id} {self.name}"


@dataclass(frozen=True)
class Decision:
    """What somebody decided about a problem."""

    number: int  # of the decision
    at: str  # UTC
    by: str
    deed: Deed
    problem: int
    facts: dict[str, Any]


@dataclass(frozen=True)
class LookRecord:
    """How problems were looked for the last time."""

    made_at: str  # UTC
    log_version: int
    mode: str  # words, or the model's name
    seed: int
    resolution: float
    agreement: float  # of the two looks, when the grain was chosen
    next_number: int
    moments: int
    wordless: int
    machine: int
    parts: int
    distinct: int
    too_short: int
    alone: int  # parts about no common problem
    cut_lines: dict[str, int] = field(default_factory=dict)
    redacted: dict[str, int] = field(default_factory=dict)
    decisions_from: int = 0  # decisions up to this one were about problems that were given up
    refused: str = ""  # why no problems were told; empty: they were


@dataclass(frozen=True)
class Book:
    """The problems as they stand: found, and decided upon."""

    look: LookRecord
    problems: tuple[CustomerProblem, ...]
    decisions: tuple[Decision, ...]

    def find(self, reference: str) -> CustomerProblem:
        """A problem by its id, its label or its name; one merged into another is that other."""
        wanted = reference.strip().casefold()
        for name in ("id", "label", "name"):
            for problem in self.problems:
                if wanted == str(getattr(problem, name)).casefold():
                    return problem
        if match := re.fullmatch(r"p(\d+)\b.*", wanted):
            target = resolved(int(match[1]), self.decisions)
            for problem in self.problems:
                if problem.number == target:
                    return problem
        raise UnknownNameError("problem", reference, [problem.label for problem in self.problems])

    def labels(self) -> dict[str, str]:
        """What a problem may be called in a filter -> its label: name, id, and the ids of those that go on in it."""
        labels = {name: problem.label for problem in self.problems for name in (problem.name, problem.id)}
        for decision in in_force(self.decisions):
            if decision.deed == "merged":
                goes_on = f"p{resolved(decision.problem, self.decisions)}"
                labels.setdefault(f"p{decision.problem}", labels.get(goes_on, goes_on))
        return labels

    def now_about(self, parts: pa.Table) -> npt.NDArray[np.int64]:
        """The problem that each part is about, decisions applied (-1: no common problem)."""
        numbers = np.array(parts["number"].to_numpy(), dtype=np.int64)
        texts = parts["text"].to_pylist() if any(decision.deed == "split" for decision in self.decisions) else []
        present = {problem.number for problem in self.problems}
        for decision in in_force(self.decisions):
            if decision.deed == "split":
                split_off(numbers, texts, decision)
            elif decision.deed == "merged" and decision.facts["into"] in present:
                numbers[numbers == decision.problem] = decision.facts["into"]
        return numbers


def split_off(numbers: npt.NDArray[np.int64], texts: Sequence[str], decision: Decision) -> None:
    """Give the parts that a split takes out of a problem their own number, in place."""
    inside = np.flatnonzero(numbers == decision.problem)
    numbers[[index for index in inside.tolist() if has_word(texts[index], decision.facts["words"])]] = decision.facts[
        "into"
    ]


def has_word(text: str, words: Sequence[str]) -> bool:
    """One of the words stands in the text, in large letters or small."""
    return any(word.casefold() in text.casefold() for word in words)


def resolved(number: int, decisions: Sequence[Decision]) -> int:
    """The problem that one goes on in."""
    for decision in in_force(decisions):
        if decision.deed == "merged" and decision.problem == number:
            number = decision.facts["into"]
    return number


def in_force(decisions: Sequence[Decision]) -> list[Decision]:
    """Decisions that nobody took back."""
    undone = {decision.facts["decision"] for decision in decisions if decision.deed == "undone"}
    return [decision for decision in decisions if decision.number not in undone and decision.deed != "undone"]


def read_book(workspace: Workspace) -> Book | None:
    """The book, or None where nobody has listened yet."""
    folder = workspace.folder / "problems"
    if not (folder / FOUND_FILE).exists():
        return None
    try:
        found = json.loads((folder / FOUND_FILE).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamageError(
            f"{folder / FOUND_FILE} is damaged.",
            "Bring it back from a backup, or look anew: `wellserved listen --afresh`.",
        ) from error
    problems = [
        CustomerProblem(**{**problem, "phrases": tuple(problem["phrases"]), "notes": (), "spot": tuple(problem["spot"]), "quotes": tuple(Quote(**quote) for quote in problem["quotes"])})
        for problem in found["problems"]
    ]  # fmt: skip
    look = LookRecord(**found["look"])
    decisions = [decision for decision in read_decisions(folder) if decision.number > look.decisions_from]
    return Book(look, tuple(_decided(problems, decisions)), tuple(decisions))


def open_book(workspace: Workspace) -> Book:
    """The book; raises where nobody has listened yet."""
    book = read_book(workspace)
    if book is None:
        raise RequestError("No problems were looked for yet.", "Listen first: `wellserved listen`.")
    return book


def read_parts(workspace: Workspace, book: Book) -> pa.Table | None:
    """Every part of a text with the problem that it was found to be about, or None where the file is gone."""
    file = workspace.folder / "problems" / parts_name(book.look.made_at)
    return pq.read_table(file) if file.exists() else None


def open_text_parts(workspace: Workspace, book: Book) -> pa.Table:
    """Every part of a text; raises where the file is gone."""
    parts = read_parts(workspace, book)
    if parts is None:
        raise RequestError("The texts that were read are gone.", "Listen again: `wellserved listen`.")
    return parts


def parts_name(made_at: str) -> str:
    """The file of the parts that belong to a look: one that was cut off leaves the look before it whole."""
    return f"parts-{''.join(filter(str.isdigit, made_at))}.parquet"


def words_table(book: Book, parts: pa.Table) -> pa.Table:
    """What questions need to know of the parts: source, case_id, at_s, number, label, share."""
    numbers = book.now_about(parts)
    label_by_number = {problem.number: problem.label for problem in book.problems}
    return (
        parts.select(["source", "case_id", "at_s", "share"])
        .append_column("number", pa.array(numbers, pa.int64()))
        .append_column("label", pa.array([label_by_number.get(number) for number in numbers.tolist()], pa.string()))
    )


def write_look(
    workspace: Workspace, scratch: Path, look: LookRecord, problems: Sequence[CustomerProblem], parts: pa.Table
) -> None:
    """Keep what a look found, whole or not at all; whoever calls holds the workspace's write lock."""
    folder = workspace.folder / "problems"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = parts_name(look.made_at)
    pq.write_table(parts, scratch / name, compression="zstd")
    (scratch / name).chmod(0o600)
    (scratch / name).replace(folder / name)
    with disk.rewrite_file(folder / FOUND_FILE, scratch / FOUND_FILE) as file:
        json.dump(
            {"look": asdict(look), "problems": [asdict(problem) for problem in problems]}, file, ensure_ascii=False
        )
    for older in folder.glob("parts-*.parquet"):
        if older.name != name:
            older.unlink(missing_ok=True)


def read_decisions(folder: Path) -> list[Decision]:
    """All decisions, first to last; a line that is no decision is passed over."""
    file = folder / DECISIONS_FILE
    decisions = []
    for number, line in enumerate(_lines(file), 1):
        try:
            decision = Decision(number=number, **json.loads(line))
        except (ValueError, TypeError):
            continue
        if all(
            isinstance(decision.facts.get(name), kind) for name, kind in _FACTS.get(decision.deed, {"": str}).items()
        ):
            decisions.append(decision)
    return decisions


_FACTS: Final[dict[str, dict[str, type]]] = {
    "named": {"name": str}, "merged": {"into": int}, "split": {"into": int, "words": list}, "closed": {}, "reopened": {}, "noted": {"note": str},
    "undone": {"decision": int},
}  # fmt: skip


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] if file.exists() else []


def decide(workspace: Workspace, deed: Deed, problem: str, facts: dict[str, Any], by: str, now: datetime) -> Decision:
    """Write a decision down; it holds from now on, whatever later looks find."""
    with workspace.write_lock() as scratch:
        book = open_book(workspace)
        file = workspace.folder / "problems" / DECISIONS_FILE
        lines = _lines(file)
        number = len(lines) + 1
        target = 0 if deed == "undone" else book.find(problem).number
        decision = Decision(
            number, now.isoformat(timespec="seconds"), by, deed, target, _checked(workspace, book, deed, target, facts)
        )
        entry = {name: value for name, value in asdict(decision).items() if name != "number"}
        with disk.rewrite_file(file, scratch / DECISIONS_FILE) as draft:
            draft.writelines(f"{line}\n" for line in (*lines, json.dumps(entry)))
    return decision


def _checked(workspace: Workspace, book: Book, deed: Deed, target: int, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a decision, if they can be."""
    if deed == "merged":
        into = book.find(facts["into"]).number
        if into == target:
            raise RequestError("A problem cannot be merged with itself.", "Name another.")
        return {"into": into}
    if deed == "named":
        name = " ".join(str(facts["name"]).split())[:MAX_NAME]
        if re.fullmatch(r"p\d+", name.casefold()) or any(
            name.casefold() == other.name.casefold() and other.number != target for other in book.problems
        ):
            raise RequestError(f"{name!r} is another problem's.", "Give it a name of its own.")
        if not name:
            raise RequestError("The name is empty.", "Give the problem a name of one letter or more.")
        return {"name": name}
    if deed == "split":
        words = [word for word in (" ".join(str(word).split()) for word in facts["words"]) if len(word) > 1]
        if not words:
            raise RequestError("No words to split by.", "Name words that the part to be split off has in it.")
        _check_split(workspace, book, target, words)
        used = [decision.facts["into"] for decision in book.decisions if decision.deed == "split"]
        return {"words": words, "into": max([SPLIT_NUMBERS, *used]) + 1}
    if deed == "undone" and facts["decision"] not in {decision.number for decision in in_force(book.decisions)}:
        raise RequestError(
            f"There is no decision {facts['decision']} in force.", "See them: `wellserved listen decisions`."
        )
    return facts


def _check_split(workspace: Workspace, book: Book, target: int, words: list[str]) -> None:
    """Both parts of a split keep enough customers: a problem of one is a person."""
    parts = open_text_parts(workspace, book)
    inside = np.flatnonzero(book.now_about(parts) == target)
    texts, customers = (parts[name].take(pa.array(inside)).to_pylist() for name in ("text", "customer"))
    moves = [has_word(text, words) for text in texts]
    moved = {customer for customer, moves_on in zip(customers, moves, strict=True) if moves_on}
    stays = {customer for customer, moves_on in zip(customers, moves, strict=True) if not moves_on}
    if min(len(moved), len(stays)) < FEWEST_OF_A_PROBLEM:
        raise RequestError(
            f"One part would have fewer than {FEWEST_OF_A_PROBLEM} customers.",
            "Choose words that more, or fewer, of them use.",
        )


FEWEST_OF_A_PROBLEM: Final = 5
"""Customers: words of fewer are never shown."""
SPLIT_NUMBERS: Final = 100_000
"""Problems that people split off are numbered above this, so that no look ever finds one of the same number."""


def _decided(problems: Sequence[CustomerProblem], decisions: Sequence[Decision]) -> list[CustomerProblem]:
    """Problems with what people decided."""
    by_number = {problem.number: problem for problem in problems}
    for decision in in_force(decisions):
        problem = by_number.get(decision.problem)
        if problem is None:
            continue
        if decision.deed == "named":
            by_number[problem.number] = replace(problem, name=decision.facts["name"], is_named=True)
        elif decision.deed == "merged":
            if decision.facts["into"] in by_number:
                del by_number[problem.number]
        elif decision.deed == "split":
            words = tuple(decision.facts["words"])
            part = by_number.get(decision.facts["into"]) or replace(
                problem,
                number=decision.facts["into"],
                name=", ".join(words)[:MAX_NAME],
                phrases=words,
                quotes=(),
                sentence="",
                state="open",
                notes=(),
                is_named=False,
            )
            by_number[part.number] = part
        elif decision.deed in ("closed", "reopened"):
            by_number[problem.number] = replace(problem, state="closed" if decision.deed == "closed" else "open")
        elif decision.deed == "noted":
            by_number[problem.number] = replace(problem, notes=(*problem.notes, decision.facts["note"]))
    return list(by_number.values())
