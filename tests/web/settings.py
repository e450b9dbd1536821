"""The product's own settings over a throw-away workspace, for the tests and the type checker."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from wellserved.storage.workspace import create_workspace

_FOLDER = Path(tempfile.mkdtemp(prefix="wellserved-tests-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
create_workspace(_FOLDER, "Europe/Berlin")
_before = os.environ.get("WELLSERVED_HOME")
os.environ["WELLSERVED_HOME"] = str(_FOLDER)

from wellserved.web.settings import *  # noqa: E402, F403

if _before is None:
    del os.environ["WELLSERVED_HOME"]
else:
    os.environ["WELLSERVED_HOME"] = _before

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # of throw-away people
ALLOWED_HOSTS = ["*"]
