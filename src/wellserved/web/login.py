"""Nobody signs up by themselves: people are invited, and the first one is made on the command line."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Closed(DefaultAccountAdapter):  # type: ignore[misc]
    """No sign-up, no mail."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False
