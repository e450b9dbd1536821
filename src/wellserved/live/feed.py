"""Pages of a live source, kept as they came before anything is made of them; the cursor is written after each page.

A kill at any moment repeats a page at most: the next time it is asked for again, and stands in the place of the first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from wellserved import disk
from wellserved.errors import DamageError
from wellserved.progress import ProgressCallback

Record = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Some records, and the cursor behind them."""

    records: dict[str, list[Record]]  # by their kind, as the source names it
    cursor: str
    total: int = 0  # records that there are to come, as far as the source says


class Feed(Protocol):
    """A source that can be asked for what came after a cursor; empty: from the beginning."""

    def pages(self, cursor: str) -> Iterator[Page]:
        """Page after page, in order. Raises SourceError where the source cannot be reached or refuses."""


@dataclass(frozen=True)
class FeedState:
    """How far a source has been fetched, and how far what was fetched has been imported."""

    cursor: str = ""
    pages: int = 0
    imported: str = ""  # the cursor up to which moments were made


def read_state(folder: Path) -> FeedState:
    """The state of a source that is kept in this folder."""
    try:
        return FeedState(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return FeedState()
    except (ValueError, TypeError) as error:
        raise DamageError(
            f"{folder / 'state.json'} is damaged.", "Remove that file: all is asked for again."
        ) from error


def write_state(folder: Path, state: FeedState) -> FeedState:
    """Keep the state, on disk."""
    disk.write_facts(folder / "state.json", asdict(state))
    return state


def fetch(feed: Feed, folder: Path, on_progress: ProgressCallback) -> FeedState:
    """Ask for all that came since, and keep it; returns the new state."""
    state = read_state(folder)
    (folder / "raw").mkdir(mode=0o700, exist_ok=True)
    done = 0
    for page in feed.pages(state.cursor):
        _write_page(folder, state.pages, page)
        state = write_state(folder, FeedState(page.cursor, state.pages + 1, state.imported))
        done += max(map(len, page.records.values()), default=0)
        on_progress("Asking for what came since", done, max(page.total, done))
    return state


def _page_file(folder: Path, number: int) -> Path:
    return folder / "raw" / f"{number:07d}.json.zst"


def _write_page(folder: Path, number: int, page: Page) -> None:
    target = _page_file(folder, number)
    draft = target.with_suffix(".draft")
    with pa.CompressedOutputStream(pa.OSFile(str(draft), "wb"), "zstd") as stream:
        stream.write(json.dumps(page.records, ensure_ascii=False).encode())
    draft.chmod(0o600)
    disk.sync_to_disk(draft)
    draft.replace(target)


def kept_pages(folder: Path, state: FeedState) -> Iterator[dict[str, list[Record]]]:
    """Every page that was kept, in the order in which they came."""
    for number in range(state.pages):
        file = _page_file(folder, number)
        try:
            with pa.CompressedInputStream(pa.OSFile(str(file), "rb"), "zstd") as stream:
                yield json.loads(stream.read())
        except (OSError, ValueError) as error:
            raise DamageError(
                f"{file} is missing or damaged.", "Remove the source and add it again: all is asked for again."
            ) from error
