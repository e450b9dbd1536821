"""Setting up where the network is not as at home: pip's settings reach uv, and pip does what uv cannot, held to the same hashes.

uv and Python are stand-ins here that write down how they were called; everything between is real.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import dev
import pytest

_STAND_IN = """#!{python}
import json, os, sys
from pathlib import Path
with open({calls!r}, "a") as out:
    out.write(json.dumps([Path(sys.argv[0]).name, sys.argv[1:], dict(os.environ)]) + "\\n")
if sys.argv[1:] == ["-m", "pip", "config", "list"]:
    print({listed!r}, end="")
sys.exit({code} if "install" in sys.argv else 0)
"""
HASHED = ["--require-hashes", "-r", "requirements.lock"]


@dataclass
class Desk:
    """A project of its own with a stand-in for each program."""

    root: Path

    def put(self, name: str, code: int = 0, listed: str = "") -> None:
        """A program that ends installations with a code; `listed` is what `pip config list` says."""
        program = self.root / "bin" / name
        program.write_text(_STAND_IN.format(python=sys.executable, calls=str(self.root / "calls"), code=code, listed=listed))  # fmt: skip
        program.chmod(0o755)

    def installs(self) -> list[tuple[str, list[str], dict[str, str]]]:
        """(program, arguments, environment) of each call that installs."""
        lines = (self.root / "calls").read_text().splitlines()
        return [(name, words, env) for name, words, env in map(json.loads, lines) if "install" in words]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty desk, with nothing set."""
    (tmp_path / "bin").mkdir()
    for name in (dev.RUNTIME, dev.DEV, "pyproject.toml"):
        (tmp_path / name).write_text("")
    for name, path in (("ROOT", tmp_path), ("VENV", tmp_path), ("BIN", tmp_path / "bin"), ("PYTHON", tmp_path / "bin" / "python")):  # fmt: skip
        monkeypatch.setattr(dev, name, path)
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "SSL_CERT")) or name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name)
    return Desk(tmp_path)


def test_every_verb_is_a_target_of_make_and_told_to_contributors() -> None:
    makefile, told = (Path(dev.__file__).with_name(name).read_text() for name in ("Makefile", "CONTRIBUTING.md"))
    targets = re.findall(r"^([a-z -]+):$", makefile, re.M)[0].split()
    assert sorted(targets) == sorted(dev.VERBS)
    assert set(re.findall(r"^make ([a-z-]+)", told, re.M)) == {*dev.VERBS} - {"serve"}
    hooks = Path(dev.__file__).with_name(".pre-commit-config.yaml").read_text()
    assert set(re.findall(r"entry: make (.*)", hooks)) <= set(dev.VERBS)


def test_pip_installs_with_the_same_hashes_what_uv_could_not(desk: Desk) -> None:
    desk.put("python")
    desk.put("uv", code=2)
    dev.setup(dev.RUNTIME)
    called = [(name, words[-3:]) for name, words, _ in desk.installs()]
    assert called[:2] == [("uv", HASHED), ("python", HASHED)]
    assert [name for name, words in called if words == ["--no-deps", "-e", "."]] == ["uv", "python"]
    assert (desk.root / f"{dev.RUNTIME}.sha256").exists()


def test_pip_is_not_asked_where_uv_does_it(desk: Desk) -> None:
    desk.put("python")
    desk.put("uv")
    dev.setup(dev.DEV)
    assert [name for name, _, _ in desk.installs()] == ["uv"]


def test_pip_does_it_where_uv_cannot_be_had(desk: Desk) -> None:
    desk.put("python")
    dev.setup(dev.DEV)
    assert [words[-1] for _, words, _ in desk.installs()] == ["uv", "requirements-dev.lock"]
    assert "--require-hashes" in desk.installs()[1][1]


def test_where_both_fail_nothing_is_taken_for_installed(desk: Desk) -> None:
    desk.put("python", code=7)
    desk.put("uv", code=2)
    with pytest.raises(SystemExit) as end:
        dev.setup(dev.RUNTIME)
    assert "CERTIFICATE_VERIFY_FAILED" in str(end.value.code)
    assert "PIP_CERT=" in str(end.value.code)
    assert not (desk.root / f"{dev.RUNTIME}.sha256").exists()


def test_uv_is_told_what_pip_was_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = (
        ":env:.index-url='https://localhost/env'\nglobal.cert='/etc/house.pem'\nglobal.index-url='https://localhost/a'\n"
        "install.extra-index-url='\\nhttps://localhost/b\\nhttps://localhost/c'\nglobal.find-links='/wheels /more'\n"
        "list.format='columns'\n"
    )
    monkeypatch.setenv("UV_FIND_LINKS", "/my/own")
    desk.put("python", listed=listed)
    desk.put("uv")
    dev.setup(dev.DEV)
    ((_, _, env),) = desk.installs()
    assert env["SSL_CERT_FILE"] == "/etc/house.pem"
    assert env["UV_DEFAULT_INDEX"] == "https://localhost/env"
    assert env["UV_INDEX"] == "https://localhost/b https://localhost/c"
    assert env["UV_FIND_LINKS"] == "/my/own"


@pytest.mark.parametrize(
    ("given", "listed", "expected"),
    [
        ({"REQUESTS_CA_BUNDLE": "/r.pem", "CURL_CA_BUNDLE": "/c.pem"}, "", {"SSL_CERT_FILE": "/r.pem"}),
        ({"CURL_CA_BUNDLE": "/c.pem", "SSL_CERT_FILE": "/s.pem"}, "", {"SSL_CERT_FILE": "/c.pem"}),
        ({"REQUESTS_CA_BUNDLE": "/r.pem"}, ":env:.cert='/p.pem'\n", {"SSL_CERT_FILE": "/p.pem"}),
        ({"SSL_CERT_FILE": "/s.pem"}, "", {"SSL_CERT_FILE": "/s.pem", "UV_SYSTEM_CERTS": None}),
        ({}, "global.cert='/'\n", {"SSL_CERT_DIR": "/", "SSL_CERT_FILE": None}),
        ({}, "", {"SSL_CERT_FILE": None, "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}),
    ],
)
def test_the_certificates_are_those_that_pip_would_use(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    listed: str,
    expected: dict[str, str | None],
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: type("", (), {"cafile": "/system.pem", "capath": None}))
    desk.put("python", listed=listed)
    desk.put("uv")
    dev.setup(dev.DEV)
    ((_, _, env),) = desk.installs()
    assert {name: env.get(name) for name in expected} == expected
