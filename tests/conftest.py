"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest

from tests.forked import Commands
from wellserved.storage.workspace import Workspace, create_workspace

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test first: begun last, it would be waited for by all that is done."""
    items.sort(key=lambda one: not one.nodeid.endswith("::test_everything_holds_on_postgresql"))


def sample(name: str) -> Path:
    """A shipped slice."""
    return Path(str(resources.files("wellserved") / "samples" / name))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace in UTC."""
    return create_workspace(tmp_path / "home", "UTC")


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the three shipped slices, to be read only."""
    from wellserved.actions.imports import import_file

    made = create_workspace(tmp_path_factory.mktemp("samples"), "America/New_York")
    for name in ("boston311_slice.csv.gz", "servicenow_slice.csv.gz", "cfpb_slice.csv.gz"):
        import_file(made, sample(name), now=NOW)
    return made


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """The command line: each command in a process of its own."""
    with Commands() as made:
        yield made
