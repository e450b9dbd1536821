"""One text on several engines: every measure's cells compared with DuckDB's, and how long each took.

    make test-spark                    100,000 made cases: DuckDB 2 and 1.5, PostgreSQL, Sail, a real Spark cluster
    ENGINE_CASES=1000000 make test-spark

The cluster is a standalone master and two workers on the loopback interface, started and stopped here. Each engine
is asked in a process of its own, by this environment's Python or by .venv-engines' (DuckDB 1.5, Spark).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines import QUESTIONS, answers, differences

from wellserved.actions import open_cases, synthetic
from wellserved.storage.workspace import create_workspace

ROOT = Path(__file__).resolve().parent.parent
OTHER = ROOT / ".venv-engines" / "bin" / "python"
HOURS = (
    '[[calendar]]\nname = "office"\nzone = "Europe/Berlin"\nhours = { mon-fri = "09:00-17:00" }\nholidays = ["DE"]\n'
)


def make(home: str, cases: str) -> None:
    """A workspace of made cases with opening hours."""
    workspace = create_workspace(Path(home), "Europe/Berlin")
    workspace.calendars.write_text(HOURS, encoding="utf-8")
    synthetic.make_cases(workspace, int(cases), 7)


def ask(home: str, target: str) -> None:
    """All questions of one engine (WELLSERVED_ENGINE) to a file: answers, and seconds by question."""
    workspace, found, taken = create_workspace(Path(home), "Europe/Berlin"), {}, {}
    with open_cases.open_case_table(workspace) as scope:
        for name, question in QUESTIONS.items():
            start = time.perf_counter()
            found[name] = answers(scope, question)
            taken[name] = time.perf_counter() - start
    Path(target).write_text(json.dumps({"answers": found, "seconds": taken}, default=str), encoding="utf-8")


def free_port() -> int:
    """A port of the loopback interface that nobody has."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A Spark master and two workers on 127.0.0.1; gives the master's address."""
    package = subprocess.run(
        [OTHER, "-c", "import pyspark; print(pyspark.__path__[0])"], capture_output=True, text=True, check=True
    )
    launcher, port = f"{package.stdout.strip()}/bin/spark-class", free_port()
    env = {**os.environ, **spark_env()}
    log = (folder / "spark.log").open("w")
    master = [
        "org.apache.spark.deploy.master.Master",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--webui-port",
        str(free_port()),
    ]
    worker = ["org.apache.spark.deploy.worker.Worker", f"spark://127.0.0.1:{port}", "--host", "127.0.0.1", "--cores", "1", "--memory", "3g", "--work-dir", str(folder / "work")]  # fmt: skip
    started = []
    try:
        for command in (master, worker, worker):
            web = ["--webui-port", str(free_port())] if command is worker else []
            started.append(subprocess.Popen([launcher, *command, *web], env=env, stdout=log, stderr=log))
        for _ in range(240):
            if (folder / "spark.log").read_text().count("Registering worker") >= 2:
                break
            time.sleep(0.5)
        else:
            sys.exit(f"The cluster did not start within two minutes:\n{(folder / 'spark.log').read_text()[-2000:]}")
        yield f"spark://127.0.0.1:{port}"
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)


def spark_env() -> dict[str, str]:
    """What keeps Spark on the loopback interface, and gives its workers this code."""
    settings = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.executor.memory": "2g", "spark.sql.shuffle.partitions": "8"}  # fmt: skip
    given = " ".join(f"--conf {key}={value}" for key, value in settings.items())
    return {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_SUBMIT_ARGS": f"{given} pyspark-shell",
        "PYSPARK_PYTHON": str(OTHER),
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "PYTHONWARNINGS": "ignore",
    }


@contextmanager
def sail() -> Iterator[str]:
    """A Spark Connect server without Java, in a process of its own."""
    port = free_port()
    code = f"from pysail.spark import SparkConnectServer as S; S(ip='127.0.0.1', port={port}).start(background=False)"
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(30)


def main() -> None:
    """Ask every engine, print the table, and fail where a cell differs."""
    from tests.engines import postgres

    cases = os.environ.get("ENGINE_CASES", "100000")
    with tempfile.TemporaryDirectory(prefix="ws-engines-") as name:
        folder = Path(name)
        home = str(folder / "home")
        make(home, cases)
        mine = asked(sys.executable, home, folder / "duckdb2.json", "")
        rows = {"DuckDB 2": mine}
        with postgres(folder / "pg") as url:
            rows["PostgreSQL"] = asked(sys.executable, home, folder / "pg.json", url)
        with sail() as url:
            rows["Sail (Spark Connect)"] = asked(sys.executable, home, folder / "sail.json", url)
        rows["DuckDB 1.5"] = asked(OTHER, home, folder / "duckdb15.json", "")
        with cluster(folder) as url:
            rows["Spark 4 standalone, two workers"] = asked(OTHER, home, folder / "spark.json", url)
            if (executors := (folder / "spark.log").read_text().count("Asked to launch executor")) < 2:
                sys.exit(f"Only {executors} of the two workers took part.")
    sys.exit(compared(rows, int(cases)))


def asked(python: str | Path, home: str, target: Path, url: str) -> dict[str, dict[str, list[dict[str, object]]]]:
    """One engine's answers, from a process of its own."""
    env = {**os.environ, **(spark_env() if url.startswith("spark") else {}), "WELLSERVED_ENGINE": url, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}  # fmt: skip
    done = subprocess.run([python, "-m", "bench.engines", "ask", home, str(target)], cwd=ROOT, env=env, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        sys.exit(f"{url or python}: {done.stderr[-3000:]}")
    found: dict[str, dict[str, list[dict[str, object]]]] = json.loads(target.read_text(encoding="utf-8"))
    return found


def compared(rows: dict[str, dict[str, dict[str, list[dict[str, object]]]]], cases: int) -> int:
    """Print cells, differences and seconds an engine; 1 where any differs."""
    mine = rows["DuckDB 2"]["answers"]
    print(f"\nAll measures over {cases:,} made cases; clock seconds by question, two cores\n")
    print(f"| engine | cells compared | differ | {' | '.join(QUESTIONS)} |\n|---|---|---|{'---|' * len(QUESTIONS)}")
    wrong = 0
    for engine, found in rows.items():
        differ = [one for name in QUESTIONS for one in differences(mine[name], found["answers"][name])]
        cells = sum(len(row) for name in QUESTIONS for row in found["answers"][name])
        wrong += len(differ)
        taken = " | ".join(f"{found['seconds'][name]:.1f}" for name in QUESTIONS)
        print(f"| {engine} | {cells:,} | {len(differ)} | {taken} |")
        for one in differ[:5]:
            print(f"  {one}", file=sys.stderr)
    print(f"\n{len(rows)} passed, 0 failed" if not wrong else f"\n0 passed, {wrong} failed")
    return int(wrong > 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"make": make, "ask": ask}[sys.argv[1]](*sys.argv[2:])
    else:
        main()
