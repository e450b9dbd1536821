"""The workspace's signing keys: made once, kept like its secret, replaced on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wellserved import disk
from wellserved.claim.envelope import fingerprint, verification_key
from wellserved.errors import DamageError
from wellserved.storage.workspace import Workspace

KEYS_FOLDER = "claims"


@dataclass(frozen=True)
class SigningKey:
    """A key pair; of one that was replaced, the public half alone is left."""

    public: bytes
    private: bytes  # empty: it signs no more
    since: str  # UTC
    until: str  # UTC; empty: it still signs

    @property
    def words(self) -> str:
        """Eight words to compare it by."""
        return fingerprint(self.public)


def list_keys(workspace: Workspace) -> list[SigningKey]:
    """All keys that ever signed here, the oldest first."""
    return [_read_key(file) for file in sorted((workspace.folder / "keys" / KEYS_FOLDER).glob("*.json"))]


def signing_key(workspace: Workspace, now: datetime, make_private_key: Callable[[], bytes]) -> SigningKey:
    """The key that signs now; the first time, one is made."""
    with workspace.keys_lock() as folder:
        keys = list_keys(workspace)
        if keys and keys[-1].private:
            return keys[-1]
        return _write_new_key(folder, len(keys) + 1, now, make_private_key())


def replace_key(workspace: Workspace, now: datetime, make_private_key: Callable[[], bytes]) -> SigningKey:
    """Sign with another key from now on; the private half of the one before is destroyed."""
    with workspace.keys_lock() as folder:
        keys = list_keys(workspace)
        key = _write_new_key(folder, len(keys) + 1, now, make_private_key())
        for number, old_key in enumerate(keys, start=1):
            if old_key.private:
                ended = SigningKey(old_key.public, b"", old_key.since, now.isoformat(timespec="seconds"))
                _write_key(folder, number, ended)
        return key


def _write_new_key(folder: Path, number: int, now: datetime, private: bytes) -> SigningKey:
    key = SigningKey(verification_key(private), private, now.isoformat(timespec="seconds"), "")
    _write_key(folder, number, key)
    return key


def _write_key(folder: Path, number: int, key: SigningKey) -> None:
    place = folder / KEYS_FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    facts = {"public": key.public.hex(), "private": key.private.hex(), "since": key.since, "until": key.until}
    with disk.rewrite_file(place / f"{number:04d}.json", place / ".draft") as file:
        file.write(json.dumps(facts))


def _read_key(file: Path) -> SigningKey:
    try:
        facts = json.loads(file.read_text(encoding="ascii"))
        key = SigningKey(
            bytes.fromhex(facts["public"]), bytes.fromhex(facts["private"]), facts["since"], facts["until"]
        )
        if key.private and verification_key(key.private) != key.public:
            raise ValueError("the two halves do not belong together")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamageError(
            f"{file} is damaged: {error}.",
            "Bring it back from a backup, or sign anew with `wellserved claim keys --replace`.",
        ) from error
    return key
