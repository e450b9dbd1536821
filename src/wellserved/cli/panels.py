"""All commands, each under what it is for."""

from __future__ import annotations

from wellserved.cli import (
    account_commands,
    case_commands,
    claim_check_commands,
    claim_commands,
    data_commands,
    day_commands,
    explore_commands,
    flow_commands,
    improvement_commands,
    journal_commands,
    listen_commands,
    live_commands,
    mail_commands,
    measure_commands,
    objective_commands,
    people_commands,
    practice_commands,
    resume_commands,
    sample_commands,
    server_commands,
    upkeep_commands,
    vendor_commands,
    vocabulary_commands,
)
from wellserved.cli.shared import app

HELP_PANELS = {  # in the order of the help
    data_commands: "Records",
    live_commands: "Records",
    vocabulary_commands: "Records",
    sample_commands: "Records",
    measure_commands: "Numbers and the report",
    vendor_commands: "Numbers and the report",
    flow_commands: "Look closer",
    explore_commands: "Look closer",
    listen_commands: "Look closer",
    improvement_commands: "Improve and prove",
    claim_commands: "Improve and prove",
    claim_check_commands: "Improve and prove",
    resume_commands: "Improve and prove",
    practice_commands: "Improve and prove",
    objective_commands: "Improve and prove",
    case_commands: "Improve and prove",
    account_commands: "Customers and accounts",
    day_commands: "Journal and pages",
    journal_commands: "Journal and pages",
    mail_commands: "Journal and pages",
    server_commands: "Journal and pages",
    people_commands: "Journal and pages",
    upkeep_commands: "Look after what is stored",
}


def group_help() -> None:
    """Each command under what it is for, in the order of HELP_PANELS."""
    modules = [module.__name__ for module in HELP_PANELS]
    panels = dict(zip(modules, HELP_PANELS.values(), strict=True))
    for command in app.registered_commands:
        command.rich_help_panel = panels[str(command.callback.__module__)]
    app.registered_commands.sort(key=lambda command: modules.index(str(command.callback.__module__)))
