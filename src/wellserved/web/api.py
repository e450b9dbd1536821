"""The API: record moments, read measures, series, reports and promises; the same numbers as everywhere else.

A key is its owner's rights, cut down to its scopes. What is sent with an Idempotency-Key is done once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import inspect
import json
import uuid
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from typing import Annotated, Any, Final, Literal

from django.db import DatabaseError, IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from ninja import Field, NinjaAPI, Path, Query, Schema, Status
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser
from ninja.security import HttpBearer
from pydantic import AwareDatetime, ConfigDict

from wellserved import __version__
from wellserved.actions import problem_pages, rendering, sharing
from wellserved.actions.writing import write_line
from wellserved.capture import MAX_ENTRY_LETTERS
from wellserved.damage import as_damage_error
from wellserved.errors import WellservedError
from wellserved.measure import MEASURES, MeasureQuestion
from wellserved.moments import EARLIEST_DATE, LATEST_DATE, Granularity
from wellserved.store.access import AccessScope, has_permission
from wellserved.store.models import ApiKey, Hook, Sent, token_digest
from wellserved.web.analysis import cached_answer
from wellserved.web.error_handling import status_of, storage_error
from wellserved.web.query_parameters import question_in

SCOPES: Final = {
    "journal:write": "write into one's own journal",
    "moments:write": "share moments with one's team",
    "measures:read": "read measures, series and reports",
    "promises:read": "read promises that are shared",
    "accounts:read": "read accounts, with their worth as its owner may see it",
    "accounts:write": "send contracts and what became of them",
}
MAX_MOMENTS_PER_REQUEST: Final = 1_000  # moments in one request
_ID_NAMESPACE: Final = uuid.UUID("6f1c7a52-9d0e-4f43-9a55-2d1f6f0b7c11")  # of ids that are made from names
MAX_CLOCK_DRIFT: Final = timedelta(minutes=5)  # of a webhook's time stamp
_PERMISSION_OF_SCOPE = {
    "measures:read": "read_measures",
    "moments:write": "share",
    "promises:read": "own",
    "accounts:read": "read_accounts",
    "accounts:write": "change_accounts",
    "journal:write": "own",
}


class Key(HttpBearer):
    """Authorization: Bearer ws_..."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey | None:
        """The key, if it is one, has not ended, and its owner still has access."""
        now = timezone.now()
        live_keys = ApiKey.objects.filter(digest=token_digest(token), expires__gt=now, owner__is_active=True)
        key: ApiKey | None = next(iter(live_keys.select_related("owner__team")), None)
        if key is not None and (key.used is None or now - key.used > timedelta(minutes=1)):
            try:
                ApiKey.objects.filter(pk=key.pk).update(used=now)
            except DatabaseError as error:  # on a full disk, what can be read still can
                if storage_error(error) is None:
                    raise
        return key


def strict_json(body: bytes) -> Any:
    """JSON that everybody reads alike: each key once, and numbers alone; ValueError says what it is not."""

    def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            duplicate = next(name for name, _value in pairs if [key for key, _value in pairs].count(name) > 1)
            raise ValueError(f"the key {duplicate[:100]!r} stands there twice")
        return values

    def refuse_constant(name: str) -> None:
        raise ValueError(f"{name} is no number")

    return json.loads(body.decode(), object_pairs_hook=unique_keys, parse_constant=refuse_constant)


class StrictParser(Parser):
    """Reads the body of every request as strict JSON."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The body, as values."""
        return strict_json(request.body)


api = NinjaAPI(
    parser=StrictParser(),
    title="wellserved",
    version=__version__,
    auth=Key(),
    urls_namespace="api",
    docs_url=None,
    openapi_url="/openapi.json",
)


class Problem(Schema):
    """What was wrong, and what to do."""

    detail: str
    do: str = ""


ERRORS = {
    400: Problem,
    401: Problem,
    403: Problem,
    404: Problem,
    409: Problem,
    422: Problem,
    503: Problem,
    507: Problem,
}


class Strict(Schema):
    """Takes what it names, and nothing else."""

    model_config = ConfigDict(extra="forbid")


# A text that is too long is refused below, with the sentence that is the same everywhere.
EntryText = Annotated[str, Field(json_schema_extra={"maxLength": MAX_ENTRY_LETTERS}, pattern=r"^[^\x00]*$")]
Short = Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")]
Instant = AwareDatetime


class MomentIn(Strict):
    """A moment, by its word; `id` is the sender's own, so that sending it again changes nothing."""

    word: Literal["missed", "promise", "kept", "broken", "renegotiated", "exceeded", "met", "thanks", "complaint", "idea", "lesson", "recovered", "asked", "gap", "note"]  # fmt: skip
    text: EntryText = ""
    id: uuid.UUID | None = None
    thread: uuid.UUID | None = None
    at: Instant | None = None
    due: Instant | None = None
    customer: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    service: Short = ""
    channel: Annotated[str, Field(max_length=50, pattern=r"^[^\x00]*$")] = ""
    expected: Annotated[float, Field(ge=-10_000, le=10_000)] | None = None
    score: Annotated[float, Field(ge=-10_000, le=10_000)] | None = None
    scale: Annotated[str, Field(max_length=10, pattern=r"^[a-z0-9_]*$")] = ""  # one of the workspace's scales
    cause: Annotated[str, Field(max_length=80, pattern=r"^[^\x00]*$")] = ""
    severity: Literal["", "minor", "major", "critical"] = ""
    hours: Annotated[float, Field(ge=0, le=10_000)] | None = None
    amount: Annotated[float, Field(ge=-1e12, le=1e12)] | None = None
    currency: Annotated[str, Field(max_length=3, pattern=r"^[A-Z]*$")] = ""
    returns: Annotated[int, Field(ge=0, le=100_000)] | None = None
    returns_saved: Annotated[int, Field(ge=0, le=100_000)] | None = None
    audience: Literal["team", "lead", "quality"] = "team"


class Bulk(Strict):
    """Several moments: all of them, or none."""

    moments: Annotated[list[MomentIn], Field(min_length=1, max_length=MAX_MOMENTS_PER_REQUEST)]


class Recorded(Schema):
    """The ids under which they are kept."""

    ids: list[uuid.UUID]


class LineIn(Strict):
    """A line, as it is typed into the journal."""

    line: Annotated[str, Field(min_length=1, json_schema_extra={"maxLength": MAX_ENTRY_LETTERS}, pattern=r"^[^\x00]*$")]
    id: uuid.UUID | None = None


class MeasureOut(Schema):
    """One measure's definition."""

    name: str
    version: int
    question: str
    unit: str
    better: str


class PromiseOut(Schema):
    """One shared promise as it stands."""

    id: uuid.UUID
    customer: str
    service: str
    made: datetime
    due: datetime | None
    fate: str
    renegotiated: int
    overrun: int


class Asked(Strict):
    """A question, as on the pages and the command line."""

    every: Granularity | None = None
    by: Short | None = None
    since: date | None = None
    until: date | None = None
    about: Short | None = None
    where: Annotated[list[Annotated[str, Field(max_length=300, pattern=r"^[^\x00]+$")]], Field(max_length=20)] = []  # noqa: RUF012


Name = Annotated[str, Path(max_length=100)]
IDEMPOTENCY_HEADER: Final = {
    "parameters": [
        {"in": "header", "name": "Idempotency-Key", "required": False, "schema": {"type": "string", "maxLength": 100}}
    ]
}


@api.exception_handler(WellservedError)
def _answer_request_error(request: HttpRequest, error: WellservedError) -> HttpResponse:
    return api.create_response(request, {"detail": error.problem, "do": error.remedy}, status=status_of(error))


@api.exception_handler(Exception)
def _answer_storage_error(request: HttpRequest, error: Exception) -> HttpResponse:
    problem = storage_error(error) or as_damage_error(error)
    if problem is None:
        raise error
    return _answer_request_error(request, problem)


@api.exception_handler(Http404)
def _answer_not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return api.create_response(request, {"detail": "There is no such thing, or it is not yours to see."}, status=404)


@api.exception_handler(HttpError)
def _answer_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    cause = error.__cause__  # where the body is no JSON, the library keeps why to itself
    detail = f"This is no JSON that can be read: {cause}." if isinstance(cause, ValueError) else str(error)
    return api.create_response(request, {"detail": detail}, status=error.status_code)


@api.exception_handler(ValidationError)
def _answer_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    detail = "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors[:5])
    return api.create_response(
        request, {"detail": detail, "do": "Correct the request; /api/v1/openapi.json describes it."}, status=422
    )


def require_scope(request: HttpRequest, scope: str) -> ApiKey:
    """The key, if it has the scope and its owner may do what it is for."""
    key: ApiKey = request.auth  # type: ignore[attr-defined]
    if scope not in key.scopes.split() or not has_permission(key.owner, _PERMISSION_OF_SCOPE[scope]):
        raise HttpError(403, f"This key may not {SCOPES[scope]}.")
    return key


def _require_storable(text: str) -> None:
    """Lone surrogates are no text, and no database takes them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise HttpError(422, "A text holds half a character (a lone surrogate).") from None


def idempotent(view: Any) -> Any:
    """Do what is asked once an Idempotency-Key, and answer every repetition as the first time."""

    @wraps(view)
    def answer_once(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        once_key = request.headers.get("Idempotency-Key", "")
        if not once_key:
            return view(request, *args, **kwargs)
        if len(once_key) > 100:
            raise HttpError(422, "An Idempotency-Key has at most 100 letters.")
        owner, digest = request.auth.owner, hashlib.sha256(request.path.encode() + request.body).hexdigest()  # type: ignore[attr-defined]
        try:
            with transaction.atomic():
                sent_request = Sent.objects.filter(owner=owner, key=once_key).first()
                if sent_request is None:
                    answer = view(request, *args, **kwargs)
                    body = json.loads(json.dumps(answer.value, default=str))
                    Sent.objects.create(owner=owner, key=once_key, digest=digest, answer=body)
                    return answer
        except IntegrityError:  # the same request came twice at once, and the other was first
            sent_request = Sent.objects.filter(owner=owner, key=once_key).first()
        if sent_request is None or sent_request.digest != digest:
            raise HttpError(409, "This Idempotency-Key was used for another request.")
        return Status(201, sent_request.answer)

    # the names of the view's own module, wherever that is
    answer_once.__signature__ = inspect.signature(view, eval_str=True)  # type: ignore[attr-defined]
    return answer_once


def _share_moment(key: ApiKey, moment: MomentIn) -> uuid.UUID:
    facts = moment.dict(exclude={"id", "thread", "at", "audience"})
    for value in facts.values():
        if isinstance(value, str):
            _require_storable(value)
    at = moment.at or timezone.now()
    if not all(EARLIEST_DATE.year <= instant.year < LATEST_DATE.year for instant in (at, moment.due or at)):
        raise HttpError(422, f"`at` or `due` lies before {EARLIEST_DATE.year} or after {LATEST_DATE.year - 1}.")
    return sharing.share(key.owner, facts, at, moment.audience, moment.thread, moment.id).id


@api.post("/moments", response={201: Recorded, **ERRORS}, openapi_extra=IDEMPOTENCY_HEADER)
@idempotent
def record_moment(request: HttpRequest, moment: MomentIn) -> Any:
    """Share one moment with one's team; it enters the log and counts like any imported one."""
    return Status(201, {"ids": [_share_moment(require_scope(request, "moments:write"), moment)]})


@api.post("/moments/bulk", response={201: Recorded, **ERRORS}, openapi_extra=IDEMPOTENCY_HEADER)
@idempotent
def record_moments(request: HttpRequest, given: Bulk) -> Any:
    """Share up to a thousand moments: all of them, or none."""
    key = require_scope(request, "moments:write")
    with transaction.atomic():
        return Status(201, {"ids": [_share_moment(key, moment) for moment in given.moments]})


@api.post("/journal", response={201: Recorded, **ERRORS}, openapi_extra=IDEMPOTENCY_HEADER)
@idempotent
def write_journal(request: HttpRequest, given: LineIn) -> Any:
    """Write a line into one's own journal; nothing can be read from it with a key."""
    key = require_scope(request, "journal:write")
    _require_storable(given.line)
    once_key = request.headers.get("Idempotency-Key", "")  # the journal is another database: its own id makes it once
    id_ = given.id or (uuid.uuid5(_ID_NAMESPACE, f"{key.owner.pk}/{once_key}") if once_key else None)
    return Status(201, {"ids": [write_line(given.line, key.owner, id_).entry.id]})


@api.get("/measures", response={200: list[MeasureOut], **ERRORS})
def list_measures(request: HttpRequest) -> Any:
    """All measures and what they ask."""
    require_scope(request, "measures:read")
    return [{name: getattr(measure, name) for name in MeasureOut.model_fields} for measure in MEASURES]


def permitted_question(key: ApiKey, name: str, parameters: Asked) -> MeasureQuestion:
    """A question that the key's owner may ask."""
    query = QueryDict(mutable=True)
    for field_name in ("every", "by", "since", "until", "about"):
        if (value := getattr(parameters, field_name)) is not None:
            query[field_name] = str(value)
    query.setlist("where", parameters.where)
    question = question_in(query, name)
    AccessScope(key.owner).require_numbers(question.by, question.conditions)
    return question


@api.get("/measures/{name}", response={200: list[dict[str, Any]], **ERRORS})
def read_measure(request: HttpRequest, name: Name, given: Query[Asked]) -> Any:
    """A measure as a series, every number with n and interval: the rows that the pages and the command line give as JSON."""
    key = require_scope(request, "measures:read")
    return HttpResponse(
        cached_answer(rendering.measure_text, permitted_question(key, name, given), "json"),
        content_type="application/json",
    )


@api.get("/problems", response={200: list[dict[str, Any]], **ERRORS})
def read_problems(request: HttpRequest, by: Literal["problem", "category", "cause", "service"] = "problem") -> Any:
    """What customers keep telling, by their words or by what cases are filed under: the numbers of the page's table."""
    require_scope(request, "measures:read")
    return HttpResponse(cached_answer(problem_pages.problem_text, by), content_type="application/json")


@api.get("/reports/{source}", response={200: dict[str, Any], **ERRORS})
def read_report(
    request: HttpRequest, source: Name, every: Granularity | None = None, period: date | None = None
) -> Any:
    """The service report on a source."""
    require_scope(request, "measures:read")
    return HttpResponse(
        cached_answer(rendering.render_report, source, every, period, "json"), content_type="application/json"
    )


@api.get("/promises", response={200: list[PromiseOut], **ERRORS})
def read_promises(request: HttpRequest) -> Any:
    """Shared promises that are open, by their due time."""
    scope, now = AccessScope(require_scope(request, "promises:read").owner), timezone.now()
    promises = sharing.visible_promises(scope, now)
    return [
        {"id": row.id, "customer": scope.customer_of(row), "service": row.service, "made": state.made_at, "due": state.due,
         "fate": state.fate, "renegotiated": state.renegotiated, "overrun": state.late_renegotiations}
        for row, state in sorted(promises, key=lambda promise: (promise[1].due is None, promise[1].due or now))
    ]  # fmt: skip


@api.post("/hooks/{hook}", auth=None, response={201: Recorded, 204: None, **ERRORS})
def receive(request: HttpRequest, hook: uuid.UUID) -> Any:
    """Take moments from another program, each request signed: Standard Webhooks, or Chatwoot."""
    webhook = Hook.objects.select_related("owner__team").filter(pk=hook, owner__is_active=True).first()
    if webhook is None or not has_permission(webhook.owner, "share"):
        raise HttpError(404, "There is no such webhook.")
    _check_signature(request, webhook)
    try:
        payload = strict_json(request.body)
        moments = (
            _chatwoot_moments(payload)
            if webhook.sort == Hook.Sort.chatwoot
            else [_with_delivery_id(webhook, request, MomentIn.model_validate(payload.get("data", payload)))]
        )
    except (ValueError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        raise HttpError(422, f"This is no moment: {str(error)[:300]}") from None
    owner_key = ApiKey(owner=webhook.owner)
    with transaction.atomic():
        ids = [_share_moment(owner_key, moment) for moment in moments]
    Hook.objects.filter(pk=webhook.pk).update(used=timezone.now())
    return Status(201, {"ids": ids}) if ids else Status(204, None)


def _with_delivery_id(hook: Hook, request: HttpRequest, moment: MomentIn) -> MomentIn:
    """A delivery that comes again is the same moment."""
    return (
        moment
        if moment.id
        else moment.model_copy(update={"id": uuid.uuid5(hook.pk, request.headers.get("webhook-id", ""))})
    )


def _check_signature(request: HttpRequest, hook: Hook) -> None:
    """Raise where it was not signed with the secret, or too long ago. Sources: standardwebhooks.com; Chatwoot's webhook page."""
    if hook.sort == Hook.Sort.standard:
        sent_id, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        signed_content = f"{sent_id}.{stamp}.".encode() + request.body
        signature = base64.b64encode(
            hmac.new(base64.b64decode(hook.secret), signed_content, hashlib.sha256).digest()
        ).decode()
        sent_signatures = [
            signature_text.removeprefix("v1,")
            for signature_text in request.headers.get("webhook-signature", "").split()
            if signature_text.startswith("v1,")
        ]
    else:
        stamp = request.headers.get("x-chatwoot-timestamp", "")
        signature = (
            "sha256=" + hmac.new(hook.secret.encode(), f"{stamp}.".encode() + request.body, hashlib.sha256).hexdigest()
        )
        sent_signatures = [request.headers.get("x-chatwoot-signature", "")]
    is_genuine = any(
        hmac.compare_digest(signature.encode(), sent_signature.encode("utf-8", "replace"))
        for sent_signature in sent_signatures
    )
    is_fresh = (
        stamp.isascii()
        and stamp.isdecimal()
        and len(stamp) < 12
        and abs(timezone.now().timestamp() - int(stamp)) <= MAX_CLOCK_DRIFT.total_seconds()
    )
    if not is_genuine or not is_fresh:
        raise HttpError(401, "The signature is not genuine, or older than five minutes.")


def _chatwoot_moments(payload: dict[str, Any]) -> list[MomentIn]:
    """The events that are moments: a conversation begun, or resolved; no words of it, and no names of agents."""
    event, conversation = str(payload.get("event")), payload.get("conversation") or payload
    number = str(conversation.get("id") or "")
    is_resolved = event == "conversation_status_changed" and payload.get("status") == "resolved"
    word = "met" if is_resolved else "asked" if event == "conversation_created" else ""
    if not word or not number:
        return []
    thread = uuid.uuid5(uuid.NAMESPACE_URL, f"chatwoot/{(payload.get('account') or {}).get('id')}/{number}")
    at = _instant(payload.get("updated_at") or payload.get("timestamp") or payload.get("created_at"))
    contact = ((payload.get("meta") or {}).get("sender") or {}).get("name") or ""
    facts = {"word": word, "id": uuid.uuid5(thread, f"{word}/{at.isoformat()}"), "thread": thread, "at": at}
    channel = str(conversation.get("channel") or "")[:50]
    return [MomentIn.model_validate({**facts, "customer": str(contact)[:200], "channel": channel})]


def _instant(stamp: object) -> datetime:
    """Seconds since 1970, or ISO 8601."""
    if isinstance(stamp, int | float):
        return datetime.fromtimestamp(float(stamp), UTC)
    return datetime.fromisoformat(str(stamp)) if stamp else timezone.now()
