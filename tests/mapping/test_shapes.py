"""Mapping files of any shape: a mapping, or an error that names every wrong setting; never anything else."""

from __future__ import annotations

import copy
import random
import tomllib
from collections.abc import Iterator
from datetime import date
from importlib import resources
from typing import Any

import pytest

from wellserved.errors import MappingError
from wellserved.mapping import Mapping, mapping_of, parse_mapping, presets

MUTATIONS = 4000
NODES: tuple[Any, ...] = (
    *(0, 1, -1, 10**400, 1.5, float("nan"), float("inf"), True, False, "", " ", "\0", "é" * 300, "asked", "rated"),
    *([], [1], ["a"], [[]], {}, {"a": 1}, {"is": 1}, {"row": "first"}, [{}], [{"kind": "asked"}], date(2026, 1, 9)),
)
PLAIN = 'name = "n"\ncase = "id"\n[[moment]]\nkind = "asked"\nat = "Opened"\n'


def shipped() -> list[dict[str, Any]]:
    folder = resources.files("wellserved") / "presets"
    return [tomllib.loads(file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".toml")]


def places(node: Any, parent: Any = None, key: Any = None) -> Iterator[tuple[Any, Any]]:
    if parent is not None:
        yield parent, key
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in list(inner):
        yield from places(value, node, name)


def nested(depth: int) -> Any:
    node: Any = "deep"
    for place in range(depth):
        node = [node] if place % 2 else {"a": node}
    return node


def mutate(raw: dict[str, Any], chance: random.Random) -> None:
    parent, key = chance.choice(list(places(raw)))
    way = chance.randrange(5)
    if way == 0:
        del parent[key]
    elif way == 1:
        parent[key] = nested(chance.choice((1, 3, 30)))
    elif way == 2 and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    elif way == 2:
        parent[f"{key}_2"] = copy.deepcopy(parent[key])
    elif way == 3:
        parent[key] = copy.deepcopy(chance.choice(list(places(raw)))[0])  # another part of the file
    else:
        parent[key] = copy.deepcopy(chance.choice(NODES))


def outcome(raw: dict[str, Any]) -> Mapping | str:
    try:
        return mapping_of(raw, "made.toml")
    except MappingError as error:
        return error.problem


def test_any_shape_gives_a_mapping_or_an_error_that_names_the_setting() -> None:
    chance, originals = random.Random(20261129), shipped()
    wrong: list[str] = []
    for _ in range(MUTATIONS):
        raw = copy.deepcopy(chance.choice(originals))
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            if raw:
                mutate(raw, chance)
        said = outcome(raw)
        wrong += [said] if isinstance(said, str) else []
    assert MUTATIONS / 2 < len(wrong) < MUTATIONS
    for said in wrong:
        assert said.startswith("made.toml cannot be read as a mapping: ")
        assert "`" in said or "[[moment]]" in said
        assert len(said) < 12_000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("scale = [1]", "[[moment]] 1 (asked) `scale` is [1] and takes a text"),
        ("source_kept = 1", "[[moment]] 1 (asked) `source_kept` is 1 and takes a table of settings"),
        ('source_kept = { column = "a" }', "[[moment]] 1 (asked) `source_kept.yes` is missing"),
        ("required = 1", "[[moment]] 1 (asked) `required` is 1 and takes true or false"),
        ('at_is = "lats"', '`at_is` is \'lats\' and takes "time", "not_before" or "last"'),
        ('due_is = "end_of_day"', "[[moment]] 1 (asked) has `due_is`, and so needs `due`"),
        ('score = "s"', "needs both `score` and `scale`"),
        ("values = { Good = 1 }", "has `values`, and so needs `score` and `scale`"),
        ('score = "s"\nscale = "good_bad"\nvalues = { Good = 2 }', "gives 'Good' the score 2"),
        ('score = "s"\nscale = "nps10"\nvalues = { Fine = 6.5 }', "gives 'Fine' the score 6.5"),
        ('score = "s"\nscale = "nps10"\nvalues = { Fine = "six" }', "`values.Fine` is 'six' and takes a number"),
        ('when = { column = "c" }', "when` takes row ="),
        ('and_when = { column = "c", is = ["a"] }', "has `and_when`, and so needs `when`"),
        (
            'when = { column = "c", is = ["a"] }\nand_when = { column = "c", enters = ["a"] }',
            "`and_when.enters` is no setting",
        ),
        (
            'when = { column = "c", is = ["a"] }\nand_when = { column = "c" }',
            "and_when` takes a column with one of is, is_not",
        ),
        ('when = { column = "c", is = [] }', "`when.is` is [] and takes one at least"),
        ('when = { column = "c", is = ["a"], is_not = ["b"] }', "when` takes row ="),
        ('when = { column = "c", appears = "yes" }', "`when.appears` is 'yes' and takes true"),
        ('duee = "x"', "`duee` is no setting; did you mean due"),
        ('[cannot]\nhanded_ove = "x"', "did you mean handed_over"),
        ('[columns]\nteem = "x"', "did you mean team?"),
        ('[dates]\nOpened = "american"', "`dates.Opened` is 'american' and takes \"year-first\""),
    ],
)
def test_a_wrong_setting_is_named_with_what_came_and_what_it_takes(line: str, said: str) -> None:
    with pytest.raises(MappingError) as refused:
        parse_mapping(PLAIN + line, "made.toml")
    assert said in refused.value.problem


def test_all_mistakes_are_told_at_once_and_their_number_is_bounded() -> None:
    with pytest.raises(MappingError) as refused:
        parse_mapping('name = 1\nzone = "Mars"\nmoment = 2\n', "made.toml")
    for part in ("`name` is 1", "`case` is missing", "`zone` is 'Mars'", "`moment` is 2"):
        assert part in refused.value.problem
    with pytest.raises(MappingError, match="and 88 more"):
        mapping_of({**tomllib.loads(PLAIN), **{f"odd{place}": 1 for place in range(100)}}, "made.toml")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = 2026-13-45", "\0", "[a"])
def test_what_is_no_toml_is_said(text: str) -> None:
    with pytest.raises(MappingError, match="is not valid TOML"):
        parse_mapping(text, "made.toml")


def test_a_value_too_large_to_be_shown_is_named_all_the_same() -> None:
    for value in ("caution = 0x" + "F" * 5000, "caution" + ".a" * 2000 + " = 1"):
        with pytest.raises(MappingError, match="`caution` is too large to be shown and takes a text"):
            parse_mapping(value + "\n" + PLAIN, "made.toml")


def test_the_new_settings_are_kept() -> None:
    read = parse_mapping(
        PLAIN + 'due = "Due"\ndue_is = "start_of_day"\nat_is = "last"\nscore = "s"\nscale = "good_bad"\n'
        'values = { Good = 1, Bad = 0 }\n[cannot]\nfirst_resolved = "the last is known alone"\nreopened = "no history"\n',
        "made.toml",
    )
    (rule,) = read.moments
    assert (rule.due_is, rule.at_is, rule.values) == ("start_of_day", "last", {"Good": 1, "Bad": 0})
    assert read.cannot == {"first_resolved": "the last is known alone", "reopened": "no history"}
    assert {one.name for one in presets()} >= {"boston311", "cfpb", "servicenow"}
