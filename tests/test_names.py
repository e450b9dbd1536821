"""Names tell a newcomer what stands behind them: nouns of the thing, one meaning each; docstrings stand by themselves."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "wellserved"
MOST_VAGUE = 0.03  # of all names that are bound: better than half of it are words that files, tables and pages keep

PRONOUNS = [
    "one",
    "ones",
    "it",
    "its",
    "this",
    "that",
    "these",
    "those",
    "they",
    "them",
    "theirs",
    "ours",
    "mine",
    "yours",
    "us",
    "he",
    "she",
    "other",
    "others",
    "another",
    "both",
    "each",
    "some",
    "any",
    "all",
    "none",
    "few",
    "many",
    "more",
    "most",
    "less",
    "least",
    "several",
    "such",
    "same",
    "own",
    "what",
    "which",
    "who",
    "whom",
    "why",
    "when",
    "how",
    "here",
    "there",
    "only",
    "again",
    "else",
    "alike",
    "apart",
    "together",
    "beside",
    "besides",
    "near",
    "about",
    "of",
    "up",
    "out",
    "to",
    "with",
    "without",
    "within",
    "inside",
    "outside",
    "instead",
    "against",
    "among",
    "between",
    "over",
    "under",
    "beyond",
    "ahead",
    "alone",
]
FILLERS = [
    "thing",
    "things",
    "stuff",
    "place",
    "places",
    "part",
    "parts",
    "piece",
    "pieces",
    "rest",
    "whole",
    "way",
    "ways",
    "tmp",
    "temp",
    "foo",
    "bar",
    "do",
    "does",
    "did",
    "use",
]
IRREGULAR = [
    "said",
    "says",
    "told",
    "untold",
    "found",
    "made",
    "given",
    "kept",
    "seen",
    "known",
    "shown",
    "drawn",
    "chosen",
    "taken",
    "held",
    "sent",
    "written",
    "met",
    "put",
    "spent",
    "gone",
    "done",
    "been",
    "begun",
    "broken",
    "bought",
    "left",
    "lost",
    "built",
    "felt",
    "thought",
    "caught",
    "laid",
    "led",
    "lent",
    "meant",
    "paid",
    "sold",
    "sought",
    "stood",
    "stuck",
    "struck",
    "swept",
    "taught",
    "torn",
    "thrown",
    "understood",
    "won",
    "wound",
    "become",
    "bent",
    "dealt",
    "dug",
    "driven",
    "eaten",
    "fallen",
    "fed",
    "fought",
    "fled",
    "flown",
    "forgotten",
    "frozen",
    "got",
    "grown",
    "heard",
    "hidden",
    "hurt",
    "learnt",
    "lit",
    "ridden",
    "risen",
    "shaken",
    "shot",
    "slept",
    "spoken",
    "sprung",
    "stolen",
    "sworn",
    "swum",
    "woken",
    "worn",
]
VAGUE = frozenset({*PRONOUNS, *FILLERS, *IRREGULAR})
NOUNS = frozenset(
    [
        "string",
        "heading",
        "encoding",
        "rating",
        "ratings",
        "setting",
        "settings",
        "mapping",
        "meaning",
        "embedding",
        "ceiling",
        "opening",
        "logging",
        "warning",
        "ring",
        "rounding",
        "screening",
        "spacing",
        "padding",
        "binding",
        "staffing",
        "pricing",
        "training",
        "timing",
        "king",
        "spring",
        "need",
        "seed",
        "feed",
        "speed",
        "shed",
        "embed",
        "hundred",
        "indeed",
        "finding",
        "findings",
        "reading",
        "readings",
        "greeting",
        "handling",
        "building",
        "hearing",
        "ordering",
        "grouping",
        "sampling",
        "matching",
        "casing",
        "ending",
        "beginning",
        "drawing",
        "wording",
        "saving",
        "savings",
        "smoothing",
        "housing",
        "listing",
        "pending",
    ]
)
STANDARD = frozenset(
    [
        "expected",
        "observed",
        "missing",
        "required",
        "closed",
        "opened",
        "resolved",
        "promised",
        "recovered",
        "rated",
        "abandoned",
    ]
)  # words of statistics, and kinds of moment

ENTRY_POINTS = ("cli/", "web/views/")  # a command and a page bear the name of the deed that they ask for
ALIASES = frozenset({"Floats", "Ints", "Mask"})  # of one array type, wherever it stands


def is_vague(name: str) -> bool:
    """A pronoun, a filler, or a participle by itself."""
    word = name.strip("_").lower()
    if name.startswith("__") or word in STANDARD or word in NOUNS:
        return False
    return word in VAGUE or bool(re.fullmatch(r"[a-z]{3,}(ed|ing)", word))


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if path.parent.name != "migrations":
            yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def bound_names(tree: ast.Module) -> Iterator[str]:
    """Of functions, classes, parameters, variables and fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = node.args
            yield from (
                argument.arg
                for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
                if argument.arg not in {"self", "cls"}
            )
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def public_names(tree: ast.Module) -> Iterator[str]:
    """What a module defines for others."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))


def test_what_counts_as_vague() -> None:
    assert all(map(is_vague, ("found", "one", "_told", "whole", "PLACE", "looking", "asked")))
    assert not any(map(is_vague, ("open_cases", "interval", "string", "expected", "kept_flag", "rating", "__all__")))


def test_few_names_are_vague() -> None:
    names = [name for _, tree in trees() for name in bound_names(tree)]
    vague_names = sorted(filter(is_vague, names))
    assert len(names) > 10_000
    assert len(vague_names) / len(names) <= MOST_VAGUE, vague_names


def test_no_public_name_has_two_meanings() -> None:
    modules = defaultdict(set)
    for module, tree in trees():
        if not module.startswith(ENTRY_POINTS):
            for name in public_names(tree):
                if not name.startswith("_") and name not in ALIASES:
                    modules[name].add(module)
    assert {name: sorted(places) for name, places in modules.items() if len(places) > 1} == {}


def test_every_docstring_stands_by_itself() -> None:
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                assert not (ast.get_docstring(node) or "").startswith(("The same", "Same ")), f"{module}: {node}"
