"""May somebody send as much as a file: asked by the server, before it reads the body, of the same door as everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from wellserved.server import UPLOAD_CHECK


class UploadCheckMiddleware:
    """Stands behind the door, and so answers only for whoever may use the page; no page is opened for such a question."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer every request as the views do; `process_view` alone steps in."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """204: the body may come. The door lets all through to the API, which asks for a key."""
        if UPLOAD_CHECK not in request.META:
            return None
        if request.resolver_match and "api" in request.resolver_match.namespaces:
            from wellserved.web.api import Key

            return HttpResponse(status=204 if Key()(request) else 401)
        return HttpResponse(status=204)
