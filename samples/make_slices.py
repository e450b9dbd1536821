"""Cut the samples that wellserved ships from the whole exports: every few cases, words with personal details redacted.

python samples/make_slices.py FOLDER_WITH_THE_WHOLE_EXPORTS

A case is kept or left by a hash of its number (or, without one, of its row), so that an incident keeps all
its updates and the choice does not depend on what a case says.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "src" / "wellserved" / "samples"
EMAIL = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(
    r"(?<![\d.-])(?:\+?1[ .-]?)?\(?\d{3}\)?[ .\-/]{0,2}\d{3}[ .-]?\d{4}(?!\d)|(?<![\d/.-])\d{3}[-.]\d{4}(?![\d-])"
)
_WAYS = (
    "street|st|avenue|ave|av|road|rd|drive|dr|lane|ln|court|ct|place|pl|square|sq|terrace|ter|terr|parkway|pkwy|"
    "boulevard|blvd|highway|hwy|circle|cir|way|row|park|wharf|path|alley"
)
ADDRESS = re.compile(rf"\b\d{{1,5}}(?:\s?-\s?\d{{1,5}})?[a-z]?\s+(?:[\w.'’]+\s+){{0,3}}?(?:{_WAYS})\b\.?", re.I)


@dataclass(frozen=True)
class Slice:
    """One export: which file, which column numbers the case, which columns hold free words, one case in how many."""

    whole: str
    part: str
    case: str
    words: tuple[str, ...]
    one_in: int


SLICES = (
    Slice("boston311_2015.csv.gz", "boston311_slice.csv.gz", "CASE_ENQUIRY_ID", ("CLOSURE_REASON", "CASE_TITLE"), 4),
    Slice("servicenow_incident_events.csv.gz", "servicenow_slice.csv.gz", "number", (), 3),
    Slice("cfpb_complaints.csv.gz", "cfpb_slice.csv.gz", "Complaint ID", ("Consumer complaint narrative",), 4),
)


def redact(words: str) -> str:
    """The words without e-mail addresses, telephone numbers and street addresses."""
    for pattern, shown in ((EMAIL, "[e-mail]"), (PHONE, "[telephone]"), (ADDRESS, "[address]")):
        words = pattern.sub(shown, words)
    return words


def cut(one: Slice, folder: Path) -> int:
    """Write one slice; returns its rows."""
    kept = 0
    text = io.StringIO(newline="")
    with gzip.open(folder / one.whole, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames is not None
        writer = csv.DictWriter(text, reader.fieldnames, lineterminator="\n")
        writer.writeheader()
        for row in reader:
            key = row[one.case] or "".join(row.values())
            if zlib.crc32(key.encode()) % one.one_in:
                continue
            writer.writerow({**row, **{column: redact(row[column]) for column in one.words}})
            kept += 1
    # No time and no name in the archive: the same exports give the same bytes.
    with (TARGET / one.part).open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.getvalue().encode())
    return kept


if __name__ == "__main__":
    csv.field_size_limit(10 << 20)
    for each in SLICES:
        print(f"{each.part}: {cut(each, Path(sys.argv[1]))} rows")
