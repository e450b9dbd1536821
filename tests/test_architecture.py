"""The house keeps its shape: size of functions and files, names of modules, tests that test."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "wellserved"
SHORT, LONGEST, FILE = 30, 60, 600  # lines, as CONTRIBUTING.md names them
FAN_OUT = 14  # modules of the house that one module imports
CONTENTS = {"wellserved.web.urls", "wellserved.cli.panels"}  # every page, every command: lists that grow with the house
BANNED = {"utils", "helpers", "services", "types", "constants", "common", "misc"}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node


def body_lines(node: ast.FunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or first.lineno) - first.lineno + 1


def test_functions_and_files_stay_on_one_page() -> None:
    lengths = sorted(body_lines(node) for path in SOURCE.rglob("*.py") for node in functions(path))
    assert lengths[int(len(lengths) * 0.9)] <= SHORT
    assert lengths[-1] <= LONGEST
    for path in SOURCE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE, path
        assert path.stem not in BANNED


def modules_imported(path: Path, modules: set[str]) -> set[str]:
    """The modules of the house that a module imports, at its top or within a function."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wellserved"):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= (names & modules) | ({str(node.module)} if names - modules else set())
    return imported - {"wellserved"}


def test_no_module_imports_more_of_the_house_than_can_be_kept_in_mind() -> None:
    dotted = {
        path: ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in SOURCE.rglob("*.py")
    }
    fan_outs = {
        name: len(modules_imported(path, set(dotted.values()))) for path, name in dotted.items() if name not in CONTENTS
    }
    assert max(fan_outs.values()) == FAN_OUT, "where it fell, lower the limit here and in CONTRIBUTING.md"
    assert fan_outs["wellserved.actions"] == 0


def test_the_limits_are_those_that_contributors_are_told() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    width, complexity = ruff["line-length"], ruff["lint"]["mccabe"]["max-complexity"]
    for words in (
        f"Nine functions in ten have at most {SHORT} lines, none more than {LONGEST}, without signature and docstring",
        f"a file of the source has at most {FILE}, a line {width} characters",
        f"a function a complexity of at most {complexity}",
        f"A module imports at most {FAN_OUT} others of the house",
    ):
        assert words in told
    named = re.search(r"No module called ([a-z, ]+) or ([a-z]+)\.", told)
    assert named is not None
    assert {*named[1].split(", "), named[2]} == BANNED


def test_public_functions_say_what_they_answer() -> None:
    for path in SOURCE.rglob("*.py"):
        if path.parent.name == "migrations":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree) or not tree.body, path
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def asserts(node: ast.AST, trusted: frozenset[str] = frozenset()) -> bool:
    """The function asserts, expects an exception, or calls one of its file's functions that do."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assert):
            return True
        if isinstance(inner, ast.Call):
            name = inner.func.attr if isinstance(inner.func, ast.Attribute) else getattr(inner.func, "id", "")
            if name in {"raises", "fail"} or name in trusted:
                return True
    return False


def test_every_test_asserts_something() -> None:
    silent, seen = [], 0
    for path in (ROOT / "tests").rglob("*.py"):
        helpers = frozenset(
            node.name for node in functions(path) if not node.name.startswith("test_") and asserts(node)
        )
        for node in functions(path):
            if node.name.startswith("test_"):
                seen += 1
                silent += [] if asserts(node, helpers) else [f"{path.name}: {node.name}"]
    assert seen > 50
    assert silent == []


def test_the_core_starts_without_what_only_tests_need() -> None:
    heavy = ("pytest", "hypothesis", "lifelines", "pandas", "polars", "playwright", "django")
    code = f"import sys, wellserved.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words", [["--help"], ["measure", "--help"], ["--version"], ["measures"], ["presets"]], ids=" ".join
)
def test_what_computes_nothing_loads_nothing_that_computes(words: list[str], tmp_path: Path) -> None:
    heavy = ("numpy", "scipy", "pyarrow", "deltalake", "duckdb", "holidays", "jinja2", "django", "waitress")
    code = f"import atexit, sys; sys.argv = ['wellserved', *{words!r}]\n"
    code += f"atexit.register(lambda: print('loaded', [name for name in {heavy!r} if name in sys.modules]))\n"
    code += "import wellserved.cli; wellserved.cli.main()"
    env = {**os.environ, "WELLSERVED_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.splitlines()[-1] == "loaded []"
    assert len(done.stdout.splitlines()) > 1


def test_nothing_reaches_for_the_network() -> None:
    banned = {"urllib", "http", "requests", "socket", "httpx", "ftplib", "smtplib", "aiohttp"}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if path == SOURCE / "actions" / "smtp.py":  # to the mail server that somebody set up, and to no other
                names = [name for name in names if name not in ("smtplib", "socket")]
            if path == SOURCE / "live" / "asking.py":  # of the systems that somebody set up, and of no others
                names = [name for name in names if name != "httpx"]
            assert not {name.split(".")[0] for name in names if name != "urllib.parse"} & banned, path
