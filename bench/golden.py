"""What the product says: every command and every page on its three samples, written into a folder, to be compared.

python -m bench.golden FOLDER                    write it, as the code says it now
python -m bench.golden --compare BEFORE AFTER    print what differs; exit code 1 where anything does

It asks from outside alone: the command line's entry and the addresses of pages. The clock stands where it is put, and
the machine has one processor (a small library, compiled with gcc, answers in the system's place); what is drawn at
random is masked by MASKS.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import gzip
import hashlib
import importlib
import itertools
import json
import os
import re
import resource
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.golden_cases import ADDRESSES, AFTER, BETWEEN, FILES, FORMS, LANES, PEOPLE, POSTS, SAMPLES, UNASKED, UNRUN

PACKAGE: Final = "wellserved"
HOME, CLOCK = "WELLSERVED_HOME", "GOLDEN_CLOCK"  # in the environment: the workspace; the file that holds the time
START: Final = datetime(
    2026, 7, 9, 12, tzinfo=UTC
)  # of the first command in each workspace; each later one is a minute later
HOUSE: Final = "demo/workspace"  # the workspace whose pages are asked
POSTED, READ = START + timedelta(hours=20), START + timedelta(hours=44)  # when pages are sent forms, and read
PASSWORD: Final = "correct horse battery"
LATE: Final = ("duckdb", "pyarrow.compute", "deltalake", "scipy.stats", "scipy.optimize", "jinja2", "holidays", "filelock",
               "django.test.client", "django.core.management", "django.template.defaulttags", "allauth.account", "typst",
               "cryptography.hazmat.primitives.ciphers.aead", "django.db.migrations.executor", "rich.progress")  # fmt: skip

MASKS: Final[
    tuple[tuple[str, str], ...]
] = (  # a pattern, and what stands in its place; {n}: which of its kind in the file
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id {n}>"),
    (r"(?<=csrfmiddlewaretoken\" value=\")\w{32,64}", "<form's token>"),
    (r"\bws_[\w-]{32}", "<key>"),
    (r"\bws_[\w-]{5}(?![\w-])", "<start of a key>"),
    (r"\bwhsec_[\w+/=]{32}", "<secret>"),
    (r"(?<=/invitation/)[\w-]{32}", "<token>"),
    (r"(?<=/calendar/)[\w-]{32}", "<token>"),
    (r"(?<=id=\"once\" readonly value=\")[A-Z0-9]+(?:-[A-Z0-9]+)+", "<recovery code>"),
    (r"(?m)^(?:nanobind: | - leaked | - \.\.\. skipped |See https://nanobind).*\n?", ""),  # DuckDB's, as a process ends
    (r"={3,}\d{15,}={2}", "<boundary {n}>"),
)

FIXED_CLOCK: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *at;

__attribute__((constructor)) static void begin(void) {
    const char *named = getenv("GOLDEN_CLOCK");
    int file = named ? open(named, O_RDONLY) : -1;
    void *seen = file < 0 ? MAP_FAILED : mmap(0, sizeof *at, PROT_READ, MAP_SHARED, file, 0);
    at = seen == MAP_FAILED ? 0 : seen;
    if (file >= 0) close(file);
}

int clock_gettime(clockid_t which, struct timespec *out) {
    if (!at || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE)) return syscall(SYS_clock_gettime, which, out);
    out->tv_sec = *at;
    out->tv_nsec = 0;
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int get_nprocs(void) { return 1; }  // one thread: one order of rows
int get_nprocs_conf(void) { return 1; }

long sysconf(int name) {
    if (name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF) return 1;
    long (*real)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    return real(name);
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""


def put_clock(at: datetime) -> None:
    """From now on every process here sees this time."""
    with Path(os.environ[CLOCK]).open("r+b") as file:
        file.write(int(at.timestamp()).to_bytes(8, sys.byteorder, signed=True))


def masked(text: str) -> str:
    """Without what is random, or differs from folder to folder."""
    text = text.replace(str(Path.cwd()), "<folder>")
    for pattern, mark in MASKS:
        order = {hit: number for number, hit in enumerate(dict.fromkeys(re.findall(pattern, text)), start=1)}
        text = re.sub(pattern, partial(_mark, mark, order), text)
    return text


def _mark(mark: str, order: dict[str, int], hit: re.Match[str]) -> str:
    return mark.format(n=order[hit[0]])


def slug(words: str) -> str:
    """A file's name from what was asked; where it is long, its end is a digest of the rest."""
    plain = re.sub(r"[^\w.=-]+", "-", words).strip("-") or "root"
    return plain if len(plain) <= 110 else f"{plain[:100]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


@dataclass
class Folder:
    """Where it is written; no name twice."""

    target: Path
    names: set[str] = field(default_factory=set)

    def keep(self, part: str, request: str, text: str) -> None:
        """Write what was answered to what was asked."""
        name = f"{part}/{slug(request)}"
        for number in itertools.count(2):
            if name not in self.names:
                break
            name = f"{part}/{slug(request)}-{number}"
        self.names.add(name)
        file = self.target / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(masked(text), encoding="utf-8")


def program() -> int:
    """The command line's own entry, in this process: `python -m` and sys.argv; its exit code."""
    try:
        runpy.run_module(PACKAGE, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
        return code if isinstance(code, int) else 0 if code is None else 1
    return 0


def in_child(work: Callable[[], int], keys: str = "") -> tuple[int, str, str]:
    """Do something in a process of its own, which has everything loaded: exit code, output, errors."""
    files = [Path(name) for name in ("input", "output", "errors")]
    files[0].write_text(keys, encoding="utf-8")
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            for number, file in enumerate(files):
                os.dup2(os.open(file, os.O_RDONLY if number == 0 else os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _pid, status = os.waitpid(child, 0)
    output, error_output = (file.read_bytes().decode("utf-8", "replace") for file in files[1:])
    return os.waitstatus_to_exitcode(status), output, error_output


def command(words: list[str], home: str, keys: str = "") -> tuple[int, str, str]:
    """Run one command of the product in a workspace."""

    def work() -> int:
        os.environ[HOME], sys.argv = home, [PACKAGE, *words]
        return program()

    return in_child(work, keys)


def expanded(line: str) -> Iterator[str]:
    """A command in each form that it names: @all, or @text,json."""
    hit = re.search(r" @([\w,]+)$", line)
    if hit is None:
        yield line
        return
    for form in FORMS if hit[1] == "all" else hit[1].split(","):
        yield f"{line[: hit.start()]} --format {form}"


def lines_of(table: str) -> Iterator[tuple[str, str, str]]:
    """Workspace, command, and what is typed into it, from the table."""
    home = "none"
    for line in filter(None, map(str.strip, table.splitlines())):
        if line.startswith("["):
            home = line.strip("[]")
            continue
        request, _mark, keys = line.partition(" <<< ")
        for command_line in expanded(request):
            yield home, command_line, keys


def run_commands(folder: Folder, table: str, names: list[str], start: datetime = START) -> set[str]:
    """Every command of a table, each with its exit code and what it printed and wrote; the commands that it names."""
    times: dict[str, int] = {}
    run = set()
    for home, line, keys in lines_of(table):
        times[home] = times.get(home, 0) + 1
        put_clock(start + timedelta(minutes=times[home]))
        words = [part for word in shlex.split(line) for part in (names if word == "MEASURES" else [word])]
        run |= {words[0], " ".join(words[:2])}
        code, output, error_output = command(words, home, f"{keys}\n")
        text = f"$ {PACKAGE} {line}\nexit code {code}\n{output}\n--- said\n{error_output}"
        file = Path(words[words.index("-o") + 1]) if "-o" in words else None
        if file is not None and file.exists():
            text += f"\n--- wrote\n{file.read_text(encoding='utf-8')}"
        folder.keep(f"commands/{Path.cwd().name}/{home.replace('/', '-')}", line, text)
        assert code in (0, 1, 2), text[-3_000:]
    return run


def walk(group: Any, before: str = "") -> Iterator[str]:
    """Every command of the command line, those of groups by both names."""
    for name, entry in group.commands.items():
        if hasattr(entry, "commands"):
            yield from walk(entry, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def all_commands() -> list[str]:
    """The commands that the command line knows; its application is the one that is part of no other."""
    import typer

    apps = [thing for thing in gc.get_objects() if issubclass(type(thing), typer.Typer)]
    parts = {id(group.typer_instance) for app in apps for group in app.registered_groups}
    (root,) = (app for app in apps if id(app) not in parts and (app.registered_commands or app.registered_groups))
    return sorted(walk(typer.main.get_command(root)))


def load() -> None:
    """Load what commands load, once for all."""
    for name in (PACKAGE, *LATE):
        importlib.import_module(name)
    sys.argv = [PACKAGE, "--version"]
    program()


def prepare() -> None:
    """The files that the commands read: the product's samples, and those of FILES."""
    inside = Path(importlib.import_module(PACKAGE).__file__ or "").parent
    for name, content in FILES.items():
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    for name in SAMPLES:
        (shipped,) = inside.rglob(f"{name}_slice.csv.gz")
        Path(f"{name}.csv").write_bytes(gzip.decompress(shipped.read_bytes()))


def inner(lane: str, target: Path) -> None:
    """Write one lane; the clock stands, and the working folder is a scratch folder."""
    load()
    prepare()
    folder, command_names = Folder(target), all_commands()
    gc.collect()
    gc.freeze()  # so that no child copies what it only reads
    names = [measure["name"] for measure in json.loads(command(["measures", "--format", "json"], "none")[1])]
    run = run_commands(folder, LANES[lane], names)
    if lane == "small":
        for name in command_names:
            folder.keep("commands/help", name, command([*name.split(), "--help"], "none")[1])
    if lane == "house":
        pages(folder, lambda: send(folder), POSTED)
        run |= run_commands(folder, BETWEEN, names, POSTED + timedelta(hours=6))
        pages(folder, lambda: read(folder), READ)
        run |= run_commands(folder, AFTER, names, READ + timedelta(hours=6))
    Path("lane.json").write_text(json.dumps([command_names, sorted(run)]), encoding="utf-8")


def pages(folder: Folder, work: Callable[[], None], at: datetime) -> None:
    """Do something with the pages in a process where a command has set up what they need."""

    def inside() -> int:
        os.environ[HOME], sys.argv = HOUSE, [PACKAGE, "user", "list"]
        code = program()
        if code == 0:
            work()
        return code

    put_clock(at)
    code, _output, error_output = in_child(inside)
    folder.keep("pages", f"said while {at:%d %b}", error_output)
    assert code == 0, error_output[-5_000:]


def signed_in(name: str) -> Any:
    """A browser after the login form."""
    from django.test import Client

    client = Client(raise_request_exception=False, SERVER_NAME="localhost")
    if name != "nobody":
        answer = client.post("/login/login/", {"login": name, "password": PASSWORD})
        assert answer.status_code == 302, answer.content[-2_000:]
    return client


def answer_text(answer: Any) -> str:
    """An answer in words: status, headers, content; what is no text by its size and digest."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    headers = [f"{name}: {value}" for name, value in sorted(answer.headers.items()) if name != "Content-Length"]
    headers += [f"Cookie: {name}" for name in sorted(answer.cookies)]
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = f"{len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}"
    return "\n".join([f"status {answer.status_code}", *headers, "", text])


def send(folder: Folder) -> None:
    """Fill the house by its own forms; what they made is kept for `read`."""
    clients = {name: signed_in(name) for name in PEOPLE}
    ids: dict[str, str] = {}
    for number, (name, address, fields, thing) in enumerate(POSTS):
        put_clock(POSTED + timedelta(minutes=number + 1))
        path = address.format(**ids)
        form = {key: value.format(**ids) if isinstance(value, str) else value for key, value in fields.items()}
        answer = clients[name].post(path, form)
        text = answer_text(answer)
        folder.keep("pages/sent", f"{number:02d} {name} {address}", f"{name} sends {address}\n{text}")
        assert answer.status_code in (200, 302), text[-3_000:]
        if thing:
            ids[thing] = part_of(answer, text)
    Path("ids.json").write_text(json.dumps(ids), encoding="utf-8")


def part_of(answer: Any, text: str) -> str:
    """The number, or the secret, of what a form made: from where it leads, or from the page that shows it once."""
    address = re.search(r"([0-9a-f-]{36}|\d+)/?$", answer.headers.get("Location", ""))
    secret = re.search(r'id="once" readonly value="(?:[^"]*/)?([^"/]+?)(?:\.ics)?"', text)
    hit = address or secret
    assert hit is not None, text[-3_000:]
    return hit[1]


def routes(patterns: Iterable[Any], before: str = "") -> Iterator[str]:
    """Every address of the product, as it was declared."""
    for entry in patterns:
        path = before + str(entry.pattern)
        if hasattr(entry, "url_patterns"):
            yield from routes(entry.url_patterns, path)
        else:
            yield path


def shape(route: str) -> str:
    """A declared address without the names of its parts."""
    return "/" + re.sub(r"<[^>]*>|\(\?P<[^)]*\)", "<>", re.sub(r"[\^$]|\\Z", "", route)).replace("(<>", "<>")


def addresses(ids: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Whoever asks, and the address."""
    for line in filter(None, map(str.strip, ADDRESSES.splitlines())):
        who, address = line.split(maxsplit=1)
        for name in PEOPLE[:3] if who == "all" else who.split(","):
            yield name, address.format(**ids)


def read(folder: Folder) -> None:
    """Ask every address, and see that none is left out."""
    from django.urls import get_resolver

    ids = json.loads(Path("ids.json").read_text(encoding="utf-8"))
    clients = {name: signed_in(name) for name in [*PEOPLE, "nobody"]}
    resolver, visits = get_resolver(), set()
    for name, address in addresses(ids):
        keyed = (
            {"HTTP_AUTHORIZATION": f"Bearer {ids[f'key_{name}']}"}
            if "/api/" in address and f"key_{name}" in ids
            else {}
        )
        answer = clients[name].get(address, **keyed)
        text = answer_text(answer)
        for thing, secret in ids.items():
            if len(secret) > 8:
                address = address.replace(secret, thing)
        folder.keep(f"pages/{name}", address.strip("/"), f"{name} asks {address}\n{text}")
        assert answer.status_code < 500 or "readyz" in address, (address, text[-3_000:])
        visits.add(shape(resolver.resolve(answer.request["PATH_INFO"]).route))
    gaps = {shape(route) for route in routes(resolver.url_patterns)} - visits - set(UNASKED)
    assert not gaps, f"These addresses are not asked: {sorted(gaps)}"
    api = json.loads(clients["nobody"].get("/api/v1/openapi.json").content)["paths"]
    api_shapes = {shape(re.sub(r"\{[^}]*\}", "<>", path[1:])) for path, verbs in api.items() if "get" in verbs}
    assert api_shapes <= {shape(address[1:]) for address in visits}, api_shapes - visits


def begin(lane: str, target: Path, scratch: Path) -> subprocess.Popen[bytes]:
    """A process that writes one lane, in a folder and by a clock of its own."""
    clock, work = scratch / f"{lane}.clock", scratch / lane
    clock.write_bytes(int(START.timestamp()).to_bytes(8, sys.byteorder, signed=True))
    work.mkdir()
    base = {
        name: text for name, text in os.environ.items() if not name.startswith(("WELLSERVED_", "DJANGO_", "DATABASE_"))
    }
    env = {**base, "LD_PRELOAD": str(scratch / "clock.so"), CLOCK: str(clock), "PYTHONHASHSEED": "0", "TZ": "UTC",
           "COLUMNS": "120", "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "TERM": "dumb", "OMP_NUM_THREADS": "1",
           "PYTHONPATH": os.pathsep.join(str(Path(entry or ".").resolve()) for entry in sys.path)}  # fmt: skip
    words = [sys.executable, "-m", "bench.golden", "--lane", lane, str(target.resolve())]
    return subprocess.Popen(words, env=env, cwd=work, stdout=subprocess.DEVNULL)


def outer(target: Path, lanes: list[str]) -> None:
    """Compile the clock, write everything, and see that no command is left out."""
    if shutil.which("gcc") is None:
        sys.exit("The clock is compiled: install gcc.")
    if present := [lane for lane in lanes if (target / "commands" / lane).exists()]:
        sys.exit(f"{target} holds {', '.join(present)} already: name another folder.")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="golden-") as name:
        scratch = Path(name).resolve()
        (scratch / "clock.c").write_text(FIXED_CLOCK, encoding="utf-8")
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-O1", "-o", scratch / "clock.so", scratch / "clock.c", "-ldl"], check=True
        )
        processes = {lane: begin(lane, target, scratch) for lane in lanes}
        if failed := [lane for lane, process in processes.items() if process.wait()]:
            sys.exit(f"These lanes failed: {', '.join(failed)}.")
        records = [json.loads((scratch / lane / "lane.json").read_text(encoding="utf-8")) for lane in lanes]
    run = set(UNRUN).union(*(commands for _every, commands in records))
    if len(lanes) == len(LANES) and (gaps := [command for command in records[0][0] if command not in run]):
        sys.exit(f"These commands are not exercised: {', '.join(gaps)}.")
    files = [file for file in target.rglob("*") if file.is_file()]
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{len(files)} files, {size:.1f} MB, {spent.ru_utime + spent.ru_stime:.0f} s of CPU, in {target}")


def differences(before: Path, after: Path) -> int:
    """Print what differs between two folders; how many files do."""
    files = [
        {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} for folder in (before, after)
    ]
    difference_count = 0
    for name in sorted(files[0] | files[1]):
        texts = [
            (folder / name).read_text(encoding="utf-8") if (folder / name).exists() else ""
            for folder in (before, after)
        ]
        if texts[0] == texts[1] and name in files[0] & files[1]:
            continue
        difference_count += 1
        lines = [text.splitlines(keepends=True) for text in texts]
        for line in difflib.unified_diff(lines[0], lines[1], str(before / name), str(after / name)):
            print(line if line.endswith("\n") else f"{line}\n", end="")
    print(f"{difference_count} of {len(files[0] | files[1])} files differ.")
    return difference_count


def main() -> None:
    """Write, or compare."""
    parser = argparse.ArgumentParser(prog="python -m bench.golden", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", nargs="?", type=Path, help="a folder to write into")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--lanes", nargs="+", choices=LANES, default=[*LANES], help="these parts alone")
    parser.add_argument("--lane", choices=LANES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compare:
        sys.exit(1 if differences(*options.compare) else 0)
    if options.lane:
        inner(options.lane, options.target)
    elif options.target:
        outer(options.target, options.lanes)
    else:
        parser.error("name a folder, or --compare BEFORE AFTER")


if __name__ == "__main__":
    main()
