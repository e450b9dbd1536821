"""Asking a server that somebody set up, and no other: patient where it is busy, plain about what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import tenacity

from wellserved.errors import SourceError

LONGEST_WAIT = 900.0
ATTEMPTS = 6
_BUSY = (429, 500, 502, 503, 504)


class _BusyError(Exception):
    """The server asks to come again later."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"HTTP {answer.status_code}")
        self.seconds = _retry_after(answer)


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds until which the server wants to be left alone: it says a number, or a date."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _wait_seconds(state: tenacity.RetryCallState) -> float:
    """As long as the server says, up to a quarter of an hour; else twice as long each time."""
    error = state.outcome.exception() if state.outcome else None
    told = error.seconds if isinstance(error, _BusyError) else None
    return min(LONGEST_WAIT, told) if told is not None else tenacity.wait_exponential_jitter(1, 60)(state)


class RemoteSystem:
    """One server, asked over one connection; redirects lead nowhere, so that no secret goes to another host."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(headers=headers, timeout=60.0, follow_redirects=False, trust_env=False)

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def ask(self, method: str, path: str, params: dict[str, str] | None = None, body: Any = None) -> Any:
        """What the server answers, as JSON. Raises SourceError, which says what to do."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=_wait_seconds,
            retry=tenacity.retry_if_exception_type((_BusyError, httpx.TransportError)),
            reraise=True,
        )
        try:
            return retrying(self._ask_once, method, path, params, body)
        except httpx.HTTPError as error:
            raise SourceError(
                f"{self.url} cannot be reached: {type(error).__name__}.", "Check its address, and whether it is up."
            ) from error
        except _BusyError as error:
            raise SourceError(f"{self.url} is too busy ({error}).", "It is asked again the next time.") from error

    def _ask_once(self, method: str, path: str, params: dict[str, str] | None, body: Any) -> Any:
        answer = self._client.request(method, f"{self.url}{path}", params=params, json=body)
        if answer.status_code in _BUSY:
            raise _BusyError(answer)
        if answer.status_code in (401, 403):
            raise SourceError(
                f"{self.url} refuses the sign-in (HTTP {answer.status_code}).",
                "Check the token, and that its user may see all tickets: `wellserved source add` takes a new one.",
            )
        if answer.status_code != 200:
            raise SourceError(
                f"{self.url}{path} answers HTTP {answer.status_code}.", "Check the address of the system."
            )
        try:
            return answer.json()
        except ValueError as error:
            raise SourceError(f"{self.url}{path} answers no JSON.", "Check the address of the system.") from error
