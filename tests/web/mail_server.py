"""A mail server on loopback, in a process of its own: STARTTLS and signing in are asked for, and readers behave as they are called.

python -m tests.web.mail_server PORT FOLDER: certificate and key stand in FOLDER, and every mail that was taken is kept there.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = b"house", b"correct horse"


class Readers:
    """What each reader says, by the name before the @."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: Counter[str] = Counter()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        name = address.partition("@")[0]
        self.asked[address] += 1
        if name == "greylisted" and self.asked[address] == 1:
            return "450 4.7.1 Greylisted, try again later"
        if name == "unknown":
            return "550 5.1.1 No such user"
        if name == "hanging":
            await asyncio.sleep(30)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        address = envelope.rcpt_tos[0]
        name = address.partition("@")[0]
        if name == "busy" and self.asked[address] == 1:
            return "451 4.3.0 Try again later"
        if name == "spam":
            return "554 5.7.1 Refused"
        (self.folder / f"{uuid.uuid4()}.eml").write_bytes(envelope.original_content)
        if name == "dropping":
            server.transport.abort()
        return "250 OK"


def check_password(_server: Any, _session: Any, _envelope: Any, _mechanism: str, facts: Any) -> AuthResult:
    return AuthResult(success=(facts.login, facts.password) == (USER, PASSWORD))


async def serve(port: int, folder: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    readers = Readers(folder)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            readers, require_starttls=True, tls_context=context, auth_required=True, authenticator=check_password
        ),
        "127.0.0.1",
        port,
    )
    (folder / "ready").touch()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
