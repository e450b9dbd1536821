"""Set up, demonstrate, check, test and measure wellserved with nothing but Python's standard library.

python3 dev.py setup | demo | serve | format | check | test [pytest arguments] | coverage [pytest arguments]
               bench [names] | test-spark | calibrate [--runs N]

The first call makes .venv and installs the hashed locks: requirements.lock for the product itself,
requirements-dev.lock besides for tests, checks and benchmarks. test-spark makes .venv-engines from
requirements-engines.lock, with Spark and an older DuckDB; calibrate makes .venv-peers from requirements-peers.lock,
with the packages that the engine of `prove` is set beside.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
RUNTIME, DEV = "requirements.lock", "requirements-dev.lock"
ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # for the libraries of linear algebra


def run(*command: str | Path, **env: str) -> None:
    """Run a command in the project's folder; stop with its exit code if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env={**os.environ, **env}, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def engines(_rest: list[str]) -> None:
    """Ask every engine the same questions, a real Spark cluster among them, and compare each cell."""
    if shutil.which("java") is None:
        sys.exit("Spark needs Java 17 or newer; install one (Debian: apt-get install openjdk-17-jre-headless).")
    beside("engines")
    run(PYTHON, "-m", "bench.engines")


def beside(name: str) -> Path:
    """An environment of its own for what does not go with ours; returns its Python."""
    place, lock = ROOT / f".venv-{name}", ROOT / f"requirements-{name}.lock"
    python = place / BIN.relative_to(VENV) / PYTHON.name
    stamp, wanted = place / "lock.sha256", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(place, with_pip=True)
        install(python, "--require-hashes", "-r", lock)
        stamp.write_text(wanted)
    return python


def calibrate(rest: list[str]) -> None:
    """How often the engine and its companions are wrong where the truth is known, and how often other packages are."""
    runs = int(rest[rest.index("--runs") + 1]) if "--runs" in rest else 1_500
    some, alone = str(min(runs, 400)), ONE_CORE
    run(PYTHON, "-m", "bench.calibration", *rest, **alone)
    run(PYTHON, "-m", "bench.calibration.effects", "--runs", some, **alone)
    run(PYTHON, "-m", "bench.calibration.companions", some, **alone)
    run(PYTHON, "-m", "bench.calibration.power", **alone)
    run(PYTHON, "-m", "bench.calibration.procedure", **alone)
    run(PYTHON, "-m", "bench.calibration.worth", "--runs", str(min(runs, 1_000)), **alone)
    whole = ROOT.parent / "shared" / "data" / "boston311_2015.csv.gz"
    if whole.exists() and runs >= 400:  # arbitrary dates on a real record, which does not come with the project
        run(PYTHON, "-m", "bench.calibration.real", whole)
    target = ROOT / "docs" / "methods" / "peers.json"
    run(beside("peers"), "-m", "bench.calibration.peers", target, some, PYTHONPATH=str(ROOT / "src"), **alone)
    run(PYTHON, "docs/generate.py")


def install(python: Path, *what: str | Path) -> None:
    """Install what the arguments name with uv, two to three times faster; where uv cannot be had or fails, with pip."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    uv = BIN / ("uv.exe" if os.name == "nt" else "uv")
    if not uv.exists():
        subprocess.run([str(PYTHON), *pip[1:], "uv"], cwd=ROOT, check=False, stderr=subprocess.DEVNULL)
    if uv.exists():
        command = [str(uv), "pip", "install", "--quiet", "--python", str(python), *map(str, what)]
        if not subprocess.run(command, cwd=ROOT, env={**os.environ, **settings_for_uv(python)}, check=False).returncode:
            return
        print("uv could not install this; pip tries the same, with the same hashes ...", flush=True)
    if subprocess.run([*pip, *map(str, what)], cwd=ROOT, check=False).returncode:
        sys.exit(
            "The packages could not be installed; the lines above say why. Where they say CERTIFICATE_VERIFY_FAILED, a proxy "
            "here inspects TLS: name its authority (PIP_CERT=/path/to/authority.pem make demo). Where nothing is reached, name "
            "the proxy (HTTPS_PROXY=http://...) or an index of your own (PIP_INDEX_URL=https://.../simple)."
        )


def settings_for_uv(python: Path) -> dict[str, str]:
    """pip's certificates and indexes, from its files and the environment, in uv's words; what uv was told itself stands.

    A proxy that inspects TLS has an authority of its own, and pip has been told of it where it works at all.
    """
    listed = subprocess.run(
        [str(python), "-m", "pip", "config", "list"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    pip = pip_settings(listed.stdout)
    environ = os.environ
    bundle = pip.get("cert") or environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
    if bundle:
        certificates = {"SSL_CERT_DIR" if Path(bundle).is_dir() else "SSL_CERT_FILE": bundle}
    elif "SSL_CERT_FILE" in environ or "SSL_CERT_DIR" in environ:  # which uv reads as pip does
        certificates = {}
    else:  # the system's, where it has some; under both names, since uv has changed the first for the second
        paths = ssl.get_default_verify_paths()
        certificates = dict.fromkeys(("UV_NATIVE_TLS", "UV_SYSTEM_CERTS"), "1") if paths.cafile or paths.capath else {}
    indexes = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_NO_INDEX": "1" if pip.get("no-index", "").lower() in ("1", "true", "yes", "on") else "",
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # as pip looks: in all of them; every package is held to its hash
    }
    return certificates | {name: value for name, value in indexes.items() if value and name not in environ}


def pip_settings(listed: str) -> dict[str, str]:
    """What `pip config list` says, by option: the environment before [install] before [global]."""
    options: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in listed.splitlines():
            name, equals, value = line.partition("=")
            if equals and name.startswith(section):
                options[name.removeprefix(section)] = str(ast.literal_eval(value))
    return options


def setup(*locks: str) -> None:
    """Install each lock once; a changed lock is installed again."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this very check must run on an older Python
        sys.exit("wellserved needs Python 3.11 or newer; run this with a newer python3 (PYTHON=python3.12 make demo).")
    if not PYTHON.exists():
        print("Setting up .venv (once) ...", flush=True)
        venv.create(VENV, with_pip=True)
    for lock in locks:
        stamp = VENV / f"{lock}.sha256"
        # The project's own declaration counts too: an editable install records its entry points.
        wanted = hashlib.sha256((ROOT / lock).read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            continue
        install(PYTHON, "--require-hashes", "-r", lock)
        if lock == RUNTIME:
            install(PYTHON, "--no-build-isolation", "--no-deps", "-e", ".")
        compile_bytecode(VENV / "lib")
        stamp.write_text(wanted)


def compile_bytecode(*folders: str | Path) -> None:
    """Where Python is told to write no bytecode, nobody else does, and each of the tests' processes would compile all it imports."""
    if sys.dont_write_bytecode:  # some files of packages are templates, and cannot be compiled
        subprocess.run([PYTHON, "-m", "compileall", "-qq", "-j", "0", *folders], cwd=ROOT, check=False)


def demo(rest: list[str]) -> None:
    """Reports over real exports: over the whole ones where they lie beside the project."""
    whole = ROOT.parent / "shared" / "data"
    run(BIN / "wellserved", "demo", *(("--data", whole) if whole.is_dir() else ()), *rest)


def tidy(_rest: list[str]) -> None:
    """Lay the code out, and mend what the linter can mend by itself."""
    run(BIN / "ruff", "format", ".")
    run(BIN / "ruff", "check", "--fix", ".")


def check(_rest: list[str]) -> None:
    """Format, lint, types, layers and generated documents."""
    run(BIN / "ruff", "format", "--check", ".")
    run(BIN / "ruff", "check", ".")
    run(BIN / "mypy")
    run(BIN / "lint-imports")
    run(PYTHON, "docs/generate.py", "--check")


def test(rest: list[str], *measured: str) -> None:
    """Everything, on all cores; the engines by themselves, since Spark's client does not run in a worker of pytest-xdist.

    Each worker calculates on one core: on several, they wait for each other longer than they work.
    """
    compile_bytecode("src", "tests")
    pytest: list[str | Path] = [PYTHON, *measured, "-m", "pytest"]
    if rest:
        run(*pytest, *rest, **ONE_CORE)
        return
    engines_alone = "tests/test_engines.py"
    many = str(min(os.cpu_count() or 1, 4))
    run(*pytest, "--numprocesses", many, "--dist", "worksteal", "--ignore", engines_alone, **ONE_CORE)
    run(*pytest, engines_alone, **ONE_CORE)


def coverage(rest: list[str]) -> None:
    """The share of the source's lines and branches that the tests run: by file, and in all."""
    run(PYTHON, "-m", "coverage", "erase")
    test(rest, "-m", "coverage", "run")
    run(PYTHON, "-m", "coverage", "combine", "--quiet")
    run(PYTHON, "-m", "coverage", "report")


VERBS: dict[str, Callable[[list[str]], None]] = {
    "setup": lambda _rest: None,  # which every verb begins with
    "demo": demo,
    "serve": lambda rest: run(BIN / "wellserved", "serve", *rest),
    "format": tidy,
    "check": check,
    "test": test,
    "coverage": coverage,
    "bench": lambda rest: run(PYTHON, "-m", "bench", *rest),
    "test-spark": engines,
    "calibrate": calibrate,
}


def main(argv: list[str]) -> None:
    verb, rest = (argv[0] if argv else "help"), argv[1:]
    if verb not in VERBS:
        sys.exit(__doc__)
    setup(RUNTIME, *([] if verb in ("demo", "serve") else [DEV]))
    VERBS[verb](rest)


if __name__ == "__main__":
    main(sys.argv[1:])
