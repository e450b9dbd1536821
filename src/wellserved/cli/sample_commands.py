"""Commands that make records to try things on: real samples, and made ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wellserved.cli.shared import (
    HomeOption,
    app,
    console,
    progress,
    workspace_at,
    write,
)
from wellserved.render.formats import data, terminal


@app.command("demo")
def demo_(
    folder: Annotated[Path, typer.Option("--folder", help="Where to put the reports and their workspace.")] = Path(
        "demo"
    ),
    data_folder: Annotated[
        Path | None, typer.Option("--data", help="Whole exports to use instead of the shipped slices.")
    ] = None,
) -> None:
    """Import three real samples and write their service reports."""
    from wellserved import demo

    with progress() as on_progress:
        sample_reports = demo.run_demo(folder, data_folder, on_progress)
    for sample_report in sample_reports:
        console.print(terminal.safe_text(sample_report.report.title, "bold"))
        receipt = sample_report.receipt
        console.print(
            f"  {receipt.rows_read:,} rows read = {receipt.rows_loaded:,} loaded + {receipt.rows_refused:,} refused",
            markup=False,
            highlight=False,
        )
        for finding in sample_report.report.sections[0].findings[:3]:
            console.print(terminal.safe_text(f"  - {finding.text}"))
    console.print(f"\nOpen {(folder / 'index.html').resolve().as_uri()}", markup=False, highlight=False, soft_wrap=True)


@app.command("synth")
def synth_(
    cases: Annotated[int, typer.Argument(help="How many cases to make.", min=1, max=1_000_000_000)] = 100_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same cases.", min=0)] = 1,
    home: HomeOption = None,
) -> None:
    """Make cases with known truths (an effect, gaming, a fault, a leak), to try any measure against an answer."""
    from wellserved import synth
    from wellserved.actions import synthetic

    with progress() as on_progress:
        moment_count = synthetic.make_cases(workspace_at(home), cases, seed, on_progress)
    console.print(
        f"{moment_count:,} moments of {cases:,} made cases are new in the log. What is true of them:", highlight=False
    )
    write(data.as_json(synth.TRUTHS), None)
