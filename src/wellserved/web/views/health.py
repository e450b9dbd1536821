"""Is it up, and is it ready: for whatever keeps it running."""

from __future__ import annotations

from django.conf import settings
from django.db import Error, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from wellserved.actions.worker import worker_state
from wellserved.web.access_middleware import OPEN, required_permission

_ready: set[str] = set()  # databases whose tables were seen to be up to date


@required_permission(OPEN)
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@required_permission(OPEN)
def readyz(request: HttpRequest) -> JsonResponse:
    """Both databases answer and are up to date, and somebody writes shared moments into the log."""
    statuses: dict[str, str] = {}
    for alias in connections:
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
            if alias not in _ready:
                executor = MigrationExecutor(connections[alias])
                if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                    statuses[alias] = "not up to date"
                    continue
                _ready.add(alias)
            statuses[alias] = "ok"
        except Error:
            statuses[alias] = "does not answer"
    worker = worker_state(settings.WORKSPACE)
    is_ready = worker.is_well and all(status == "ok" for status in statuses.values())
    return JsonResponse(
        {"ready": is_ready, **statuses, "worker": "failing" if worker.name == "failing" else str(worker)},
        status=200 if is_ready else 503,
    )
