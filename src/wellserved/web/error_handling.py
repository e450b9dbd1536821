"""A disk that takes no more: every page says so, and what still works; nothing ends in a traceback."""

from __future__ import annotations

import logging
import sys

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error

from wellserved import disk
from wellserved.errors import DamageError, DiskFullError, StorageError, WellservedError

DISK_FULL_STATUS, STORAGE_BROKEN_STATUS, WRONG_REQUEST_STATUS = 507, 503, 422


def storage_error(error: BaseException | None) -> StorageError | None:
    """What to say where an error is the disk's; None: it is another's."""
    return disk.as_storage_error(error, settings.WORKSPACE.folder) if error is not None else None


def status_of(error: WellservedError) -> int:
    """507: the disk is full; 503: it fails otherwise, or what it holds is damaged; 422: the request was wrong."""
    if isinstance(error, StorageError | DamageError):
        return DISK_FULL_STATUS if isinstance(error, DiskFullError) else STORAGE_BROKEN_STATUS
    return WRONG_REQUEST_STATUS


def server_error_page(request: HttpRequest) -> HttpResponse:
    """The page for what no other page could answer: logging in, too, writes."""
    if (problem := storage_error(sys.exc_info()[1])) is None:
        return server_error(request)
    return HttpResponse(render_to_string("disk.html", {"error": problem}), status=status_of(problem))


class DiskErrorFilter(logging.Filter):
    """A log in which the disk's errors are a sentence, and others keep their tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record stays."""
        if record.exc_info and (problem := storage_error(record.exc_info[1])) is not None:
            record.msg, record.args, record.exc_info, record.exc_text = str(problem), (), None, None
        return True
