"""How straight are the trips through the house? Rooms entered, and calls back into a room that was left.

    python -m bench.walks            a row's import, a report, a proof, a line of the journal

A room is a package or module of the house's first level. Each call of one of its functions is followed; consecutive
calls in one room are one visit. A visit to a room that was visited before is a return.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType

HOUSE = str(Path(__file__).resolve().parent.parent / "src" / "wellserved") + "/"
TOOLS = {
    "errors",
    "progress",
    "moments",
    "disk",
    "engine",
    "scales",
    "wording",
    "calendar",
}  # asked by every room, and no stage of a road


def follow(work: Callable[[], object]) -> list[str]:
    """The rooms in the order of their visits."""
    visits: list[str] = []

    def trace(frame: FrameType, event: str, _argument: object) -> None:
        path = frame.f_code.co_filename
        if event != "call" or not path.startswith(HOUSE) or frame.f_code.co_name == "<module>":
            return
        room = path.removeprefix(HOUSE).split("/")[0].removesuffix(".py")
        if room not in TOOLS and (not visits or visits[-1] != room):
            visits.append(room)

    sys.setprofile(trace)
    try:
        work()
    finally:
        sys.setprofile(None)
    return visits


def walks(folder: Path) -> dict[str, list[str]]:
    """The trips of records: into the log, to a report as a page, to a proof as a page, into the journal."""
    from wellserved.actions import imports, improvements, questions
    from wellserved.cli.databases import prepare_workspace
    from wellserved.improvement import Improvement
    from wellserved.render.formats import html
    from wellserved.render.formats.proof_page import proof_page
    from wellserved.storage.workspace import create_workspace

    workspace = create_workspace(folder, "America/New_York")
    file = Path(HOUSE) / "samples" / "boston311_slice.csv.gz"
    change = Improvement("try", "a date", "2015-12-14", "time_to_resolution", every="day")
    span = None, None

    def proof() -> None:
        page = proof_page(*improvements.explore_change(workspace, change, span))
        assert "<svg" in page

    trips = {
        "row": follow(lambda: imports.import_file(workspace, file)),
        "report": follow(lambda: html.report_page(questions.service_report(workspace))),
        "proof": follow(proof),
    }
    prepare_workspace(folder)
    from wellserved.actions import membership, writing

    owner = membership.find_person(None)
    line = "promise: Acme gets the new quote by Friday"
    return {**trips, "journal line": follow(lambda: writing.write_line(line, owner))}


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        for name, visits in walks(Path(folder)).items():
            counts = Counter(visits)
            returns = len(visits) - len(counts)
            print(f"{name:14} rooms {len(counts):3}   returns {returns:5}   {', '.join(dict.fromkeys(visits))}")
            for (first, second), count in Counter(pairwise(visits)).most_common(6):
                print(f"{'':14}   {first} -> {second}: {count}")


if __name__ == "__main__":
    main()
