"""Waits' quantiles: large changes and small numbers, open cases, sums, and the sentence beside its levels."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.prove_house import MAPPING
from wellserved.actions.imports import import_file
from wellserved.cli import app
from wellserved.mapping import parse_mapping
from wellserved.workspace import Workspace, create_workspace

QUOTES = date(2025, 10, 6)


def quotes(folder: Path, before: float = 13.4, after: float = 2.5, spread: float = 0.45) -> Workspace:
    """1,737 quote requests, three a weekday; from the change on they are answered in other days than before."""
    random, lines = np.random.default_rng(2), ["case,at,kind,team,service,score,ref"]
    first = datetime(2023, 12, 11)
    days = [first + timedelta(days=day) for day in range(900) if (first + timedelta(days=day)).weekday() < 5][:579]
    last = days[-1] + timedelta(days=1)
    for place, day in enumerate(day for day in days for _ in range(3)):
        asked = day + timedelta(hours=float(random.uniform(8, 17)))
        median = before if asked.date() < QUOTES else after
        replied = asked + timedelta(days=float(median * random.lognormal(0, spread)))
        lines.append(f"{place},{asked:%Y-%m-%d %H:%M:%S},asked,T,quotes,,{place}a")
        if replied < last:
            lines.append(f"{place},{replied:%Y-%m-%d %H:%M:%S},replied,T,quotes,,{place}r")
    (folder / "quotes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    workspace = create_workspace(folder / "quotes", "UTC")
    import_file(workspace, folder / "quotes.csv", parse_mapping(MAPPING, "quotes"), now=last.astimezone())
    return workspace


@pytest.fixture(scope="module")
def quoted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return quotes(tmp_path_factory.mktemp("quotes"))


@pytest.mark.parametrize("every", ["week", "month"])
def test_the_founding_sentence_is_told_with_its_size(quoted: Workspace, every: str) -> None:
    """From 12-15 days to 2-3 days is 81% less, not the 41% at which one level for all periods ends."""
    asked = ["prove", "--measure", "time_to_first_reply", "--change", QUOTES.isoformat(), "--every", every]
    told = CliRunner().invoke(app, [*asked, "--format", "json", "--home", str(quoted.folder)])
    print(CliRunner().invoke(app, [*asked, "--home", str(quoted.folder)]).output)
    assert told.exit_code == 0, told.output
