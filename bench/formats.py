"""Reading large files of each format: CPU and memory beside the bare reader of the same library, in one run.

    python -m bench.formats jsonl --megabytes 1000
    python -m bench.formats mbox --megabytes 500
    python -m bench.formats xlsx --megabytes 200
    python -m bench.formats csv --megabytes 290

The peak of a workbook is that of the process in which it is read. Of CSV, the whole import is measured, its fold too.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import mailbox
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

WORDS = [f"word{number}" for number in range(5000)]
START = datetime(2024, 1, 1)
BOSTON = Path(__file__).resolve().parent.parent / "src" / "wellserved" / "samples" / "boston311_slice.csv.gz"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def write_jsonl(path: Path, size: int) -> None:
    """Tickets with nested fields, a line each."""
    chance, number = random.Random(1), 0
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            for _ in range(1000):
                number += 1
                at = START + timedelta(seconds=30 * number)
                record = {
                    "id": number, "created_at": f"{at.isoformat()}Z", "solved_at": f"{(at + timedelta(hours=5)).isoformat()}Z" if number % 5 else None,
                    "group": chance.choice(WORDS[:20]), "requester": {"id": number % 9000, "name": "A B"}, "tags": chance.sample(WORDS, 3),
                    "subject": " ".join(chance.choices(WORDS, k=30)), "custom": {"a": number * 2, "b": None, "c": number / 7},
                }  # fmt: skip
                file.write(json.dumps(record) + "\n")


def write_mbox(path: Path, size: int) -> None:
    """Threads of three messages; the third is the house's."""
    chance, number = random.Random(1), 0
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            number += 1
            at = START + timedelta(minutes=number)
            pair = ("help@firm.example", f"c{number // 3}@out.example")
            sender, recipient = pair if number % 3 == 2 else pair[::-1]
            reference = f"In-Reply-To: <{number - 1}@x>\n" if number % 3 == 2 else ""
            body = "\n".join(" ".join(chance.choices(WORDS, k=12)) for _ in range(40))
            file.write(
                f"From {sender} {at:%a %b %d %H:%M:%S %Y}\nFrom: {sender}\nTo: {recipient}\nSubject: About {chance.choice(WORDS)}\n"
                f"Date: {at:%a, %d %b %Y %H:%M:%S} +0000\nMessage-ID: <{number}@x>\n{reference}\n{body}\n\n"
            )


def write_csv(path: Path, size: int) -> None:
    """Requests to the city of Boston again and again, each time with other numbers and a year earlier."""
    columns = ("CASE_ENQUIRY_ID", "OPEN_DT", "TARGET_DT", "CLOSED_DT", "OnTime_Status", "CASE_STATUS", "CASE_TITLE", "TYPE", "QUEUE",
               "Department", "neighborhood", "Source")  # fmt: skip
    with gzip.open(BOSTON, "rt", encoding="utf-8-sig", newline="") as sample:
        rows = [{column: row[column] for column in columns} for row in csv.DictReader(sample)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        number = 0
        while file.tell() < size:
            for row in rows:
                number += 1
                year = 2015 - number * 12 // (size // 190)  # of twelve years, whatever the size
                dates = {name: row[name].replace("2015", str(year)) for name in columns[1:4]}
                writer.writerow(row | dates | {"CASE_ENQUIRY_ID": 101_000_000_000 + number})


def write_xlsx(path: Path, size: int) -> None:
    """A sheet of up to a million rows and 28 columns; about 200 bytes a row, packed."""
    chance, rows = random.Random(1), min(1_048_000, size // 200)
    names = ["Ticket ID", "Created at", "Solved at", "Group", *(f"Field {number}" for number in range(24))]
    override = (
        '<Override PartName="/xl/{}" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.{}+xml"/>'
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        + override.format("workbook.xml", "sheet.main") + override.format("worksheets/sheet1.xml", "worksheet") + override.format("styles.xml", "styles") + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
    }  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as file:
            file.write(f'<worksheet xmlns="{SHEET}"><sheetData>'.encode())
            for row in range(1, rows + 1):
                words = names[4:] if row == 1 else [f"{chance.choice(WORDS)} {chance.choice(WORDS)}" for _ in range(24)]
                texts = "".join(
                    f'<c t="inlineStr"><is><t>{word}</t></is></c>' for word in (names[:4] if row == 1 else []) + words
                )
                numbers = (
                    ""
                    if row == 1
                    else f'<c><v>{row}</v></c><c s="1"><v>{45000 + row / 2000}</v></c><c s="1"><v>{45001 + row / 2000}</v></c><c t="inlineStr"><is><t>{WORDS[row % 20]}</t></is></c>'
                )
                file.write(f"<row>{numbers}{texts}</row>".encode())
            file.write(b"</sheetData></worksheet>")


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "jsonl": write_jsonl,
    "mbox": write_mbox,
    "xlsx": write_xlsx,
    "csv": write_csv,
}


def read_bare(kind: str, path: Path) -> int:
    """The rows, by the library alone."""
    if kind == "jsonl":
        with path.open("rb") as file:
            return sum(json.loads(line) is not None for line in file)
    if kind == "mbox":
        box = mailbox.mbox(path, create=False)
        return sum(bool(box.get_bytes(key)) for key in box.keys())  # noqa: SIM118 - a box itself gives messages
    if kind == "csv":
        return len(duckdb.read_csv(str(path), all_varchar=True).to_arrow_table())
    from python_calamine import CalamineWorkbook

    return sum(1 for _ in CalamineWorkbook.from_path(path).get_sheet_by_index(0).iter_rows())


def read_ours(path: Path) -> int:
    """The rows, staged, refused ones too."""
    from wellserved.engine import duckdb
    from wellserved.progress import no_progress
    from wellserved.sources.opening import open_source

    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        opened = open_source(path, Path(scratch), no_progress)
        with duckdb.connect(path, scratch=Path(scratch)) as db:
            return opened.stage(db, opened.header, no_progress).rows_read


def import_ours(path: Path) -> int:
    """The rows, imported into a workspace of their own."""
    from wellserved.actions.imports import import_file
    from wellserved.storage.workspace import create_workspace

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        return import_file(create_workspace(Path(folder), "America/New_York"), path).receipt.rows_read


def measure(kind: str, reader: str, path: Path) -> dict[str, float]:
    """Rows, CPU seconds and the highest memory in MB of a process that reads the file."""
    command = [sys.executable, "-m", "bench.formats", kind, "--read", reader, "--file", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Write a file, and read it in both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=list(WRITERS))
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--read", choices=("bare", "ours"))
    parser.add_argument("--file", type=Path)
    choices = parser.parse_args()
    if choices.read:
        begun = time.process_time()
        if choices.read == "bare":
            rows = read_bare(choices.kind, choices.file)
        else:
            rows = (import_ours if choices.kind == "csv" else read_ours)(choices.file)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak = max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, children.ru_maxrss) >> 10
        cpu = time.process_time() - begun + children.ru_utime + children.ru_stime
        sys.stdout.write(json.dumps({"rows": rows, "cpu": cpu, "peak": peak}))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"large.{choices.kind}"
        WRITERS[choices.kind](path, choices.megabytes << 20)
        bare, ours = measure(choices.kind, "bare", path), measure(choices.kind, "ours", path)
        size = path.stat().st_size >> 20
    for name, result in (("bare", bare), ("wellserved", ours)):
        sys.stdout.write(
            f"{choices.kind} {size} MB, {name}: {result['rows']:,.0f} rows, {result['cpu']:.1f} CPU s, {result['peak']:.0f} MB\n"
        )
    sys.stdout.write(f"ratio {ours['cpu'] / bare['cpu']:.1f}\n")


if __name__ == "__main__":
    main()
