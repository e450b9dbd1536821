"""A command's databases: made, brought up to date, and connected."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

from wellserved.storage.workspace import Workspace, create_workspace, default_folder, open_workspace


def prepare_workspace(home: Path | None, make: bool = False) -> Workspace:
    """The workspace with its databases up to date; `make`: where there is none, one is made in the computer's zone."""
    workspace = connect_databases(home, make)
    from wellserved.actions import setup

    setup.prepare(workspace)
    return workspace


def connect_databases(home: Path | None, make: bool = False) -> Workspace:
    """The workspace with its databases at hand, as they are."""
    folder = home or default_folder()
    if make and not (folder / "workspace.toml").exists():
        create_workspace(folder, _computer_zone())
    workspace = open_workspace(folder)
    os.environ["WELLSERVED_HOME"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "wellserved.web.settings"
    import django

    django.setup()
    return workspace


def _computer_zone() -> str:
    """This computer's zone, where it has a name; else UTC."""
    zone_name = os.environ.get("TZ", "") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    try:
        return ZoneInfo(zone_name).key if zone_name else "UTC"
    except (OSError, ValueError):
        return "UTC"
