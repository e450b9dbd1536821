"""A line costs as much as it is long: counted in calls and in letters looked at, and by the shape of every pattern."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import datetime
from types import FrameType, ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from wellserved import capture as package
from wellserved.capture import (
    MAX_ENTRY_LETTERS,
    capture,
    due,
    effort,
    money,
    promise,
    question,
    readable_text,
    scores,
    sentence,
    spoken_time,
    when,
)
from wellserved.errors import RequestError

NOW = datetime(2026, 11, 24, 10, 15, tzinfo=ZoneInfo("Europe/Berlin"))
MODULES = (package, due, effort, money, promise, question, scores, sentence, spoken_time, when)
WIDEST = 400  # letters that a pattern may look at from where it begins: a name, a cause, four words with capitals
PIECES = (
    "1h ", "in 1h ", "5 m ", "€1 ", "€12k ", "1 2 000 € ", "1,111,", "10-", "by 1 ", "by 12/5 ", "in 3 ", "at 5 ", "tomorrow at ", "on 12/11 ",
    "sent 3 ", "Mon ", "30 Nov ", "+A ", '+"', "@a", "@.", "@a ", "#a ", "#1", "cause: ", "promised Acme ", "A ", "A", "expected 1 ", "expected 1,", "expected points10 9 ", "expected a got ",
    "half four ", "at four ", "tomorrow at four ", "Freitagvormittag ", "an hour and a half ", "two hours ", "refunded 90 ", "12k ", "28.80 ", "saved 1 return ", "got 1/5 ", "nps 9 ", "stars5 4,5 ", "points10 rated 4/10 ", "by 1 at night ", "tonight at 1 ", "waited ", "wait 1h, ", "idea from ", " ", "\t\n", "from a", ":", "12", "ſ", "yesterday ",
)  # fmt: skip


def patterns() -> Iterator[tuple[ModuleType, str, re.Pattern[str]]]:
    """Every pattern by which lines are read."""
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield module, name, value
            elif name == "_REWRITES":
                yield from ((module, f"{name}[{number}]", pattern) for number, (pattern, _rewrite) in enumerate(value))


class Counted:
    """A pattern that counts the letters it is let loose on: all of a text, or as many as it can be wide at one place."""

    def __init__(self, pattern: re.Pattern[str], seen: list[int]) -> None:
        self._pattern, self._seen = pattern, seen
        self._width = int(re._parser.parse(pattern.pattern, pattern.flags).getwidth()[1])

    def __getattr__(self, name: str) -> Any:
        done = getattr(self._pattern, name)
        if name in ("match", "fullmatch"):

            def match(text: str, place: int = 0) -> Any:
                self._seen[0] += min(len(text) - place, self._width)
                return done(text, place)

            return match
        if name in ("search", "finditer", "findall", "sub"):

            def scan(*given: Any) -> Any:
                self._seen[0] += len(given[-1])
                return done(*given)

            return scan
        return done


def steps(line: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Calls of a function, own or built in, and letters looked at, to read a line and to write it out for others."""
    calls, letters = [0], [0]

    def count(_frame: FrameType, event: str, _what: object) -> None:
        calls[0] += event in ("call", "c_call")

    with monkeypatch.context() as patched:
        for module, name, pattern in patterns():
            if "[" not in name:
                patched.setattr(module, name, Counted(pattern, letters))
        for module in (effort, spoken_time):
            rewrites = [(Counted(pattern, letters), rewrite) for pattern, rewrite in module._REWRITES]
            patched.setattr(module, "_REWRITES", rewrites)
        sys.setprofile(count)
        try:
            capture(line, NOW, ["Acme", "Northwind"])
            readable_text(line)
        finally:
            sys.setprofile(None)
    return calls[0], letters[0]


@pytest.mark.parametrize("word", ["promise: ", "missed: ", ""])
def test_a_line_twice_as_long_takes_twice_the_steps(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for piece in PIECES:
        short, long = (steps(word + piece * (letters // len(piece)), monkeypatch) for letters in (400, 800))
        for few, many in zip(short, long, strict=True):
            assert many <= 2.2 * few + 600, (word, piece, short, long)


def nested(tree: Any, inside: bool = False) -> bool:
    """A repetition of open length within another: what makes a pattern try a text in exponentially many ways."""
    for operator, given in tree:
        name = str(operator)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = given
            if inside and high - low > 200:
                return True
            if nested(inner, inside or high > 4):
                return True
        elif (
            (name == "SUBPATTERN" and nested(given[-1], inside))
            or (name == "BRANCH" and any(nested(one, inside) for one in given[1]))
            or (name in ("ASSERT", "ASSERT_NOT") and nested(given[1], inside))
        ):
            return True
    return False


def test_no_pattern_looks_further_than_it_has_to() -> None:
    """Bounded in width and without open repetitions in repetitions, so that every place of a line costs a constant."""
    found = list(patterns())
    assert len(found) > 40
    for module, name, pattern in found:
        tree = re._parser.parse(pattern.pattern, pattern.flags)
        assert tree.getwidth()[1] <= WIDEST, (module.__name__, name, tree.getwidth())
        assert not nested(tree), (module.__name__, name)


def test_a_pattern_of_open_length_would_be_noticed() -> None:
    for bad in (r"(?:a{0,300}){0,9}", r"(?:x(?:b{1,400}|c)){1,50}"):
        assert nested(re._parser.parse(bad)), bad
    assert re._parser.parse(r"a+").getwidth()[1] > WIDEST


def test_a_line_has_a_longest_length_and_says_so() -> None:
    assert capture("x" * MAX_ENTRY_LETTERS, NOW).text == "x" * MAX_ENTRY_LETTERS
    with pytest.raises(RequestError, match=r"4,001 letters; 4,000 are kept at most.*Shorten it"):
        capture("x" * (MAX_ENTRY_LETTERS + 1), NOW)
