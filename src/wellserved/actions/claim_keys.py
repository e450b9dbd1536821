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
        """Twelve words to compare it by."""
        return fingerprint(self.public)


def list_keys(workspace: Workspace) -> list[SigningKey]:
    """All keys that ever signed here, the oldest first."""
    return [_read_key(file) for file in _key_files(workspace)]


def _key_files(workspace: Workspace) -> list[Path]:
    return sorted((workspace.folder / "keys" / KEYS_FOLDER).glob("*.json"))


def signing_key(workspace: Workspace, now: datetime, make_private_key: Callable[[], bytes]) -> SigningKey:
    """The key that signs now; the first time, one is made."""
    with workspace.keys_lock() as folder:
        keys = list_keys(workspace)
        if keys and keys[-1].private:
            return keys[-1]
        return _write_new_key(folder, workspace, now, make_private_key())


def replace_key(workspace: Workspace, now: datetime, make_private_key: Callable[[], bytes]) -> SigningKey:
    """Sign with another key from now on; the private half of the one before is destroyed."""
    with workspace.keys_lock() as folder:
        for file in _key_files(workspace):  # first: a kill between leaves no key that signs, and the next makes one
            old_key = _read_key(file)
            if old_key.private:
                ended = SigningKey(old_key.public, b"", old_key.since, now.isoformat(timespec="seconds"))
                _write_key(file, ended)
        return _write_new_key(folder, workspace, now, make_private_key())


def _write_new_key(folder: Path, workspace: Workspace, now: datetime, private: bytes) -> SigningKey:
    """A key after all others, of which some may be lost."""
    (folder / KEYS_FOLDER).mkdir(mode=0o700, exist_ok=True)
    number = max((int(file.stem) for file in _key_files(workspace)), default=0) + 1
    key = SigningKey(verification_key(private), private, now.isoformat(timespec="seconds"), "")
    _write_key(folder / KEYS_FOLDER / f"{number:04d}.json", key)
    return key


def _write_key(file: Path, key: SigningKey) -> None:
    facts = {"public": key.public.hex(), "private": key.private.hex(), "since": key.since, "until": key.until}
    with disk.rewrite_file(file, file.with_name(".draft")) as draft:
        draft.write(json.dumps(facts))


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
            "Bring it back from a backup, or take it away: claims signed by it can then no longer be checked against it.",
        ) from error
    return key
