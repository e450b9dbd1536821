"""The API: record moments, read measures, series, reports and promises; the same numbers as everywhere else.

A key is its owner's rights, cut down to its scopes. What is sent with an Idempotency-Key is done once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from typing import Annotated, Any, Final, Literal

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from ninja import Field, NinjaAPI, Path, Query, Schema, Status
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser
from ninja.security import HttpBearer
from pydantic import AwareDatetime, ConfigDict

from wellserved import __version__
from wellserved.actions import looking, sharing
from wellserved.actions.writing import captured, record
from wellserved.capture import LONGEST
from wellserved.damage import as_damage
from wellserved.errors import WellservedError
from wellserved.journal.book import Book
from wellserved.measure import MEASURES, Question
from wellserved.moments import EARLIEST, LATEST, Every
from wellserved.store.access import Scope, may
from wellserved.store.models import ApiKey, Hook, Sent, digest_of
from wellserved.web.analysis import asked
from wellserved.web.asking import question_in
from wellserved.web.failing import failure, status_of

SCOPES: Final = {
    "journal:write": "write into one's own journal",
    "moments:write": "share moments with one's team",
    "measures:read": "read measures, series and reports",
    "promises:read": "read promises that are shared",
}
MANY: Final = 1_000  # moments in one request
_NAMES: Final = uuid.UUID("6f1c7a52-9d0e-4f43-9a55-2d1f6f0b7c11")  # of ids that are made from names
DRIFT: Final = timedelta(minutes=5)  # of a webhook's time stamp
_NEEDS = {"measures:read": "read_measures", "moments:write": "share", "promises:read": "own", "journal:write": "own"}


class Key(HttpBearer):
    """Authorization: Bearer ws_..."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey | None:
        """The key, if it is one, has not ended, and its owner still has access."""
        now = timezone.now()
        found = ApiKey.objects.filter(digest=digest_of(token), expires__gt=now, owner__is_active=True)
        key: ApiKey | None = next(iter(found.select_related("owner__team")), None)
        if key is not None and (key.used is None or now - key.used > timedelta(minutes=1)):
            try:
                ApiKey.objects.filter(pk=key.pk).update(used=now)
            except DatabaseError as error:  # on a full disk, what can be read still can
                if failure(error) is None:
                    raise
        return key


def strict_json(sent: bytes) -> Any:
    """JSON that everybody reads alike: each key once, and numbers alone; ValueError says what it is not."""

    def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        if len(read) < len(pairs):
            twice = next(name for name, _value in pairs if [one for one, _other in pairs].count(name) > 1)
            raise ValueError(f"the key {twice[:100]!r} stands there twice")
        return read

    def no_number(named: str) -> None:
        raise ValueError(f"{named} is no number")

    return json.loads(sent.decode(), object_pairs_hook=once_each, parse_constant=no_number)


class StrictParser(Parser):
    """Reads the body of every request so."""

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


_ERRORS = {
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
Text = Annotated[str, Field(json_schema_extra={"maxLength": LONGEST}, pattern=r"^[^\x00]*$")]
Short = Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")]
Instant = AwareDatetime


class MomentIn(Strict):
    """A moment, by its word; `id` is the sender's own, so that sending it again changes nothing."""

    word: Literal["missed", "promise", "kept", "broken", "renegotiated", "exceeded", "met", "thanks", "complaint", "idea", "lesson", "recovered", "asked", "gap", "note"]  # fmt: skip
    text: Text = ""
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

    moments: Annotated[list[MomentIn], Field(min_length=1, max_length=MANY)]


class Recorded(Schema):
    """The ids under which they are kept."""

    ids: list[uuid.UUID]


class LineIn(Strict):
    """A line, as it is typed into the journal."""

    line: Annotated[str, Field(min_length=1, json_schema_extra={"maxLength": LONGEST}, pattern=r"^[^\x00]*$")]
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

    every: Every | None = None
    by: Short | None = None
    since: date | None = None
    until: date | None = None
    where: Annotated[list[Annotated[str, Field(max_length=300, pattern=r"^[^\x00]+$")]], Field(max_length=20)] = []  # noqa: RUF012


Name = Annotated[str, Path(max_length=100)]
_ONCE: Final = {
    "parameters": [
        {"in": "header", "name": "Idempotency-Key", "required": False, "schema": {"type": "string", "maxLength": 100}}
    ]
}


@api.exception_handler(WellservedError)
def _refused(request: HttpRequest, error: WellservedError) -> HttpResponse:
    return api.create_response(request, {"detail": error.what, "do": error.do}, status=status_of(error))


@api.exception_handler(Exception)
def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    said = failure(error) or as_damage(error)
    if said is None:
        raise error
    return _refused(request, said)


@api.exception_handler(Http404)
def _hidden(request: HttpRequest, error: Http404) -> HttpResponse:
    return api.create_response(request, {"detail": "There is no such thing, or it is not yours to see."}, status=404)


@api.exception_handler(HttpError)
def _wrong(request: HttpRequest, error: HttpError) -> HttpResponse:
    unread = error.__cause__  # where the body is no JSON, the library keeps why to itself
    said = f"This is no JSON that can be read: {unread}." if isinstance(unread, ValueError) else str(error)
    return api.create_response(request, {"detail": said}, status=error.status_code)


@api.exception_handler(ValidationError)
def _misread(request: HttpRequest, error: ValidationError) -> HttpResponse:
    said = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors[:5])
    return api.create_response(
        request, {"detail": said, "do": "Correct the request; /api/v1/openapi.json describes it."}, status=422
    )


def _needs(request: HttpRequest, scope: str) -> ApiKey:
    """The key, if it has the scope and its owner may do what it is for."""
    key: ApiKey = request.auth  # type: ignore[attr-defined]
    if scope not in key.scopes.split() or not may(key.owner, _NEEDS[scope]):
        raise HttpError(403, f"This key may not {SCOPES[scope]}.")
    return key


def _storable(text: str) -> None:
    """Lone surrogates are no text, and no database takes them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise HttpError(422, "A text holds half a character (a lone surrogate).") from None


def once(view: Any) -> Any:
    """Do what is asked once an Idempotency-Key, and answer every repetition as the first time."""

    @wraps(view)
    def done(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        once_key = request.headers.get("Idempotency-Key", "")
        if not once_key:
            return view(request, *args, **kwargs)
        if len(once_key) > 100:
            raise HttpError(422, "An Idempotency-Key has at most 100 letters.")
        owner, digest = request.auth.owner, hashlib.sha256(request.path.encode() + request.body).hexdigest()  # type: ignore[attr-defined]
        try:
            with transaction.atomic():
                known = Sent.objects.filter(owner=owner, key=once_key).first()
                if known is None:
                    answer = view(request, *args, **kwargs)
                    body = json.loads(json.dumps(answer.value, default=str))
                    Sent.objects.create(owner=owner, key=once_key, digest=digest, answer=body)
                    return answer
        except IntegrityError:  # the same request came twice at once, and the other was first
            known = Sent.objects.filter(owner=owner, key=once_key).first()
        if known is None or known.digest != digest:
            raise HttpError(409, "This Idempotency-Key was used for another request.")
        return Status(201, known.answer)

    return done


def _share(key: ApiKey, one: MomentIn) -> uuid.UUID:
    facts = one.dict(exclude={"id", "thread", "at", "audience"})
    for value in facts.values():
        if isinstance(value, str):
            _storable(value)
    at = one.at or timezone.now()
    if not all(EARLIEST.year <= instant.year < LATEST.year for instant in (at, one.due or at)):
        raise HttpError(422, f"`at` or `due` lies before {EARLIEST.year} or after {LATEST.year - 1}.")
    return sharing.share(key.owner, facts, at, one.audience, one.thread, one.id).id


@api.post("/moments", response={201: Recorded, **_ERRORS}, openapi_extra=_ONCE)
@once
def record_moment(request: HttpRequest, moment: MomentIn) -> Any:
    """Share one moment with one's team; it enters the log and counts like any imported one."""
    return Status(201, {"ids": [_share(_needs(request, "moments:write"), moment)]})


@api.post("/moments/bulk", response={201: Recorded, **_ERRORS}, openapi_extra=_ONCE)
@once
def record_moments(request: HttpRequest, given: Bulk) -> Any:
    """Share up to a thousand moments: all of them, or none."""
    key = _needs(request, "moments:write")
    with transaction.atomic():
        return Status(201, {"ids": [_share(key, one) for one in given.moments]})


@api.post("/journal", response={201: Recorded, **_ERRORS}, openapi_extra=_ONCE)
@once
def write_journal(request: HttpRequest, given: LineIn) -> Any:
    """Write a line into one's own journal; nothing can be read from it with a key."""
    key = _needs(request, "journal:write")
    _storable(given.line)
    book = Book(key.owner.pk, settings.SECRET_KEY.encode())
    one = captured(given.line, Scope(key.owner), book)
    once_key = request.headers.get("Idempotency-Key", "")  # the journal is another database: its own id makes it once
    id_ = given.id or (uuid.uuid5(_NAMES, f"{key.owner.pk}/{once_key}") if once_key else None)
    return Status(201, {"ids": [record(one, book, id_).id]})


@api.get("/measures", response={200: list[MeasureOut], **_ERRORS})
def list_measures(request: HttpRequest) -> Any:
    """All measures and what they ask."""
    _needs(request, "measures:read")
    return [{name: getattr(one, name) for name in MeasureOut.model_fields} for one in MEASURES]


def question_of(key: ApiKey, name: str, given: Asked) -> Question:
    """A question that the key's owner may ask."""
    query = QueryDict(mutable=True)
    for part in ("every", "by", "since", "until"):
        if (value := getattr(given, part)) is not None:
            query[part] = str(value)
    query.setlist("where", given.where)
    question = question_in(query, name)
    Scope(key.owner).require_numbers(question.by, question.where)
    return question


@api.get("/measures/{name}", response={200: list[dict[str, Any]], **_ERRORS})
def read_measure(request: HttpRequest, name: Name, given: Query[Asked]) -> Any:
    """A measure as a series, every number with n and interval: the rows that the pages and the command line give as JSON."""
    key = _needs(request, "measures:read")
    return HttpResponse(asked(looking.told, question_of(key, name, given), "json"), content_type="application/json")


@api.get("/reports/{source}", response={200: dict[str, Any], **_ERRORS})
def read_report(request: HttpRequest, source: Name, every: Every | None = None, period: date | None = None) -> Any:
    """The service report on a source."""
    _needs(request, "measures:read")
    return HttpResponse(asked(looking.reported, source, every, period, "json"), content_type="application/json")


@api.get("/promises", response={200: list[PromiseOut], **_ERRORS})
def read_promises(request: HttpRequest) -> Any:
    """Shared promises that are open, by their due time."""
    scope, now = Scope(_needs(request, "promises:read").owner), timezone.now()
    found = sharing.promises(scope, now)
    return [
        {"id": row.id, "customer": scope.customer_of(row), "service": row.service, "made": state.made, "due": state.due,
         "fate": state.fate, "renegotiated": state.renegotiated, "overrun": state.overrun}
        for row, state in sorted(found, key=lambda one: (one[1].due is None, one[1].due or now))
    ]  # fmt: skip


@api.post("/hooks/{hook}", auth=None, response={201: Recorded, 204: None, **_ERRORS})
def receive(request: HttpRequest, hook: uuid.UUID) -> Any:
    """Take moments from another program, each request signed: Standard Webhooks, or Chatwoot."""
    found = Hook.objects.select_related("owner__team").filter(pk=hook, owner__is_active=True).first()
    if found is None or not may(found.owner, "share"):
        raise HttpError(404, "There is no such webhook.")
    _check_signature(request, found)
    try:
        sent = strict_json(request.body)
        moments = (
            _of_chatwoot(sent)
            if found.sort == Hook.Sort.chatwoot
            else [_named(found, request, MomentIn.model_validate(sent.get("data", sent)))]
        )
    except (ValueError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        raise HttpError(422, f"This is no moment: {str(error)[:300]}") from None
    owned = ApiKey(owner=found.owner)
    with transaction.atomic():
        ids = [_share(owned, one) for one in moments]
    Hook.objects.filter(pk=found.pk).update(used=timezone.now())
    return Status(201, {"ids": ids}) if ids else Status(204, None)


def _named(hook: Hook, request: HttpRequest, one: MomentIn) -> MomentIn:
    """A delivery that comes again is the same moment."""
    return one if one.id else one.model_copy(update={"id": uuid.uuid5(hook.pk, request.headers.get("webhook-id", ""))})


def _check_signature(request: HttpRequest, hook: Hook) -> None:
    """Raise where it was not signed with the secret, or too long ago. Sources: standardwebhooks.com; Chatwoot's webhook page."""
    if hook.sort == Hook.Sort.standard:
        sent_id, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        signed = f"{sent_id}.{stamp}.".encode() + request.body
        made = base64.b64encode(hmac.new(base64.b64decode(hook.secret), signed, hashlib.sha256).digest()).decode()
        given = [
            one.removeprefix("v1,")
            for one in request.headers.get("webhook-signature", "").split()
            if one.startswith("v1,")
        ]
    else:
        stamp = request.headers.get("x-chatwoot-timestamp", "")
        made = (
            "sha256=" + hmac.new(hook.secret.encode(), f"{stamp}.".encode() + request.body, hashlib.sha256).hexdigest()
        )
        given = [request.headers.get("x-chatwoot-signature", "")]
    genuine = any(hmac.compare_digest(made.encode(), one.encode("utf-8", "replace")) for one in given)
    fresh = (
        stamp.isascii()
        and stamp.isdecimal()
        and len(stamp) < 12
        and abs(timezone.now().timestamp() - int(stamp)) <= DRIFT.total_seconds()
    )
    if not genuine or not fresh:
        raise HttpError(401, "The signature is not genuine, or older than five minutes.")


def _of_chatwoot(sent: dict[str, Any]) -> list[MomentIn]:
    """The events that are moments: a conversation begun, or resolved; no words of it, and no names of agents."""
    event, talk = str(sent.get("event")), sent.get("conversation") or sent
    number = str(talk.get("id") or "")
    ended = event == "conversation_status_changed" and sent.get("status") == "resolved"
    word = "met" if ended else "asked" if event == "conversation_created" else ""
    if not word or not number:
        return []
    thread = uuid.uuid5(uuid.NAMESPACE_URL, f"chatwoot/{(sent.get('account') or {}).get('id')}/{number}")
    at = _instant(sent.get("updated_at") or sent.get("timestamp") or sent.get("created_at"))
    contact = ((sent.get("meta") or {}).get("sender") or {}).get("name") or ""
    facts = {"word": word, "id": uuid.uuid5(thread, f"{word}/{at.isoformat()}"), "thread": thread, "at": at}
    channel = str(talk.get("channel") or "")[:50]
    return [MomentIn.model_validate({**facts, "customer": str(contact)[:200], "channel": channel})]


def _instant(stamp: object) -> datetime:
    """Seconds since 1970, or ISO 8601."""
    if isinstance(stamp, int | float):
        return datetime.fromtimestamp(float(stamp), UTC)
    return datetime.fromisoformat(str(stamp)) if stamp else timezone.now()
