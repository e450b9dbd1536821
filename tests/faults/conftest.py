"""The ground that the tests of faults share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.faults import Storage
from tests.faults.ground import Ground


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """A small house on a storage that fails where it is told to."""
    if sys.platform != "linux":
        pytest.skip("calls to the storage are intercepted on Linux alone (LD_PRELOAD)")
    if not shutil.which("gcc"):
        pytest.skip("tests/faults/storage.c is compiled: install gcc")
    with Storage() as storage:
        yield Ground(storage)
