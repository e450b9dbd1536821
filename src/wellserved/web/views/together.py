"""What a team sees together: shared moments, failures and how they were made right, customers and accounts."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Max, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import sharing
from wellserved.errors import RequestError
from wellserved.store.access import NAMES_SEEN, REASONS, Scope, may, note
from wellserved.store.models import Account, Cause, Customer, Helper, Shared
from wellserved.web.door import book_of, deed, person_of, scope_of
from wellserved.web.forms import AccountForm, CauseForm, CustomerForm, FileForm, FollowForm, MergeForm, ShareForm
from wellserved.web.views.daily import draft_of

FAILS = ("missed", "complaint")
SHOWN, LISTED = 200, 30  # rows of a table, entries of a list
LARGEST = 5_000_000  # bytes of a file of customers
_YES = ("yes", "true", "1")


@deed("own", "GET", "POST")
def shared(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """A shared moment with what belongs to it; its author can change it."""
    scope = scope_of(request)
    row: Shared = get_object_or_404(scope.shared(), id=id_)
    mine = row.author_id == scope.person.pk
    # Its customer stands in the form.
    wanted = mine and scope.knows(row) and (request.method == "POST" or "change" in request.GET)
    form = ShareForm(request.POST or None, initial=_shown(row)) if wanted else None
    if request.method == "POST":
        if form is None:
            raise Http404
        if form.is_valid():
            sharing.change(row, form.facts(), form.cleaned_data["audience"])
            messages.success(request, _("Saved."))
            return redirect("shared", id_)
    thread = scope.shared().filter(thread=row.thread).order_by("at")
    account = row.customer.account if row.customer else None
    given = {
        "row": row, "form": form, "mine": mine, "thread": thread, "follow": FollowForm(), "draft": uuid.uuid4(),
        "account": scope.accounts().filter(pk=account.pk).first() if account else None,
        "repeats": _repeats(scope, row), "helpers": row.helpers.select_related("person"),
    }  # fmt: skip
    return render(request, "shared.html", given)


def _shown(row: Shared) -> dict[str, Any]:
    given = {name: getattr(row, name) for name in sharing.KEPT}
    return {**given, "due": row.due, "audience": row.audience, "customer": row.customer.name if row.customer else ""}


def _repeats(scope: Scope, row: Shared) -> int:
    """Failures of the quarter before it with the same cause or customer."""
    if row.word not in FAILS or not (row.cause or row.customer_id):
        return 0
    same = Q(pk=None)
    if row.cause:
        same |= Q(cause__iexact=row.cause)
    if row.customer_id:
        same |= Q(customer=row.customer_id)
    return scope.shared().filter(same, word="missed", at__gte=row.at - timedelta(days=92), at__lt=row.at).count()


@deed("share", "POST")
def follow(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """The next step after a failure: asked, made right, accepted, rated."""
    scope = scope_of(request)
    row: Shared = get_object_or_404(scope.shared(), id=id_)
    form = FollowForm(request.POST)
    if form.is_valid():
        words = sharing.clean(form.cleaned_data["text"])
        facts = {
            **form.cleaned_data,
            "text": words,
            "customer": row.customer.name if row.customer else "",
            "service": row.service,
        }
        sharing.share(scope.person, facts, timezone.now(), row.audience, row.thread, draft_of(request, id_, facts))
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("That could not be read: %(why)s") % {"why": form.errors.as_text()})
    return redirect("shared", id_)


@deed("own", "POST")
def withdraw(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """Take one's copy back."""
    row: Shared = get_object_or_404(scope_of(request).mine(), id=id_)
    sharing.withdraw(row)
    book_of(request).unshared(row.id)
    messages.success(request, _("Withdrawn. Nobody sees it any more."))
    return redirect("journal")


@deed("own", "POST")
def helped(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Confirm, or deny, that one helped."""
    helper: Helper = get_object_or_404(scope_of(request).helps(), pk=id_)
    if request.POST.get("do") == "confirm":
        helper.confirmed = timezone.now()
        helper.save(update_fields=["confirmed"])
    else:
        helper.delete()
    return redirect("today")


@deed("own")
def failures(request: HttpRequest) -> HttpResponse:
    """What went wrong and how it was made right, and what keeps coming back."""
    scope = scope_of(request)
    since = timezone.now() - timedelta(days=92)
    rows = scope.shared().select_related(None).select_related("customer").filter(word__in=FAILS)
    causes = (
        rows.filter(at__gte=since).exclude(cause="").order_by().values("cause")
        .annotate(many=Count("id"), last=Max("at")).order_by("-many", "cause")[:10]
    )  # fmt: skip
    shown = list(rows[:LISTED])
    ended = set(
        scope.shared()
        .filter(thread__in=[row.thread for row in shown], word="recovered")
        .values_list("thread", flat=True)
    )
    accounts = {one.pk: one for one in scope.accounts()} if may(scope.person, "read_accounts") else {}
    given = [
        (
            row,
            row.thread in ended,
            accounts.get(row.customer.account_id) if row.customer and row.customer.account_id else None,
        )
        for row in shown
    ]
    return render(request, "failures.html", {"rows": given, "causes": causes})


@deed("read_customers", "GET", "POST")
def causes(request: HttpRequest) -> HttpResponseBase:
    """The tree of causes; failures name them."""
    scope = scope_of(request)
    form = CauseForm(request.POST or None)
    if request.method == "POST":
        scope.require("change_customers")
        if form.is_valid():
            parent = form.cleaned_data["parent"].strip()
            above = Cause.objects.get_or_create(name=parent)[0] if parent else None
            made, _new = Cause.objects.get_or_create(name=form.cleaned_data["name"].strip())
            if above is None or above.pk != made.pk:
                made.parent = above
                made.save()
            note(scope.person, "kept a cause", made.pk)
            return redirect("causes")
    tree: dict[int | None, list[Cause]] = {}
    for one in scope.causes():
        tree.setdefault(one.parent_id, []).append(one)
    return render(
        request,
        "causes.html",
        {
            "tree": [(one, tree.get(one.pk, [])) for one in tree.get(None, [])],
            "form": form,
            "may_change": may(scope.person, "change_customers"),
        },
    )


@deed("read_customers", "GET", "POST")
def customers(request: HttpRequest) -> HttpResponseBase:
    """Everybody who is served, inside the house and outside."""
    scope = scope_of(request)
    form = CustomerForm(request.POST or None)
    form.fields["account"].queryset = scope.accounts()  # type: ignore[attr-defined]
    if request.method == "POST":
        scope.require("change_customers")
        if form.is_valid():
            made = form.save()
            note(scope.person, "added a customer", made.pk)
            return redirect("customer", made.pk)
    named = request.GET.get("q", "")[:100]
    chosen = scope.customers()
    if named:
        chosen = chosen.filter(name__icontains=named)
    found = list(chosen[:SHOWN]) if scope.names else []
    failed = _failed(scope, "customer", [one.pk for one in found])
    may_change = may(scope.person, "change_customers")
    merged = scope.merged() if may_change and scope.names else []
    named_by = {one.account_id for one in found if one.account_id}
    accounts = dict(scope.accounts().filter(pk__in=named_by).values_list("pk", "name"))  # those that they can see
    rows = [(one, accounts.get(one.account_id or 0, ""), failed.get(one.pk, 0)) for one in found]
    given = {"rows": rows, "form": form, "q": named, "may_change": may_change, "merged": merged, "reasons": REASONS}
    return render(request, "customers.html", given)


@deed("read_customers", "POST")
def say_why(request: HttpRequest) -> HttpResponseBase:
    """Why somebody of quality wants to see customers by name; it stands in the audit, and holds for an hour."""
    reason = request.POST.get("reason", "")
    if reason not in REASONS:
        raise Http404
    note(person_of(request), NAMES_SEEN, reason)
    return redirect("customers")


@deed("read_customers", "GET", "POST")
def customer(request: HttpRequest, id_: int) -> HttpResponseBase:
    """One customer: what was shared about them, what they are worth, and of whom they are a duplicate."""
    scope = scope_of(request)
    if not scope.names:
        return redirect("customers")
    row = scope.customers().filter(pk=id_).first()
    if row is None:
        duplicate = get_object_or_404(Customer.objects.select_related("merged_into"), pk=id_)
        return redirect("customer", sharing.standing(duplicate).pk)
    form = CustomerForm(request.POST or None, instance=row)
    form.fields["account"].queryset = scope.accounts()  # type: ignore[attr-defined]
    merge = MergeForm()
    merge.fields["other"].queryset = scope.customers().exclude(pk=id_)  # type: ignore[attr-defined]
    if request.method == "POST":
        scope.require("change_customers")
        kept = row.account
        if form.is_valid():
            changed = form.save(commit=False)
            if kept is not None and not scope.accounts().filter(pk=kept.pk).exists():
                changed.account = kept  # which this person cannot see, and does not take away
            changed.save()
            sharing.recount([changed, *changed.duplicates.all()])
            note(scope.person, "changed a customer", row.pk)
            return redirect("customer", id_)
    seen = scope.shared().filter(Q(customer=row) | Q(customer__merged_into=row))[:50]
    account = scope.accounts().filter(pk=row.account_id).first() if row.account_id else None
    given = {
        "row": row,
        "form": form,
        "merge": merge,
        "seen": seen,
        "account": account,
        "may_change": may(scope.person, "change_customers"),
    }
    return render(request, "customer.html", given)


@deed("change_customers", "POST")
def merge(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Say that a customer is another; undone, both stand as before."""
    scope = scope_of(request)
    row: Customer = get_object_or_404(scope.customers(), pk=id_)
    form = MergeForm(request.POST)
    form.fields["other"].queryset = scope.customers().exclude(pk=id_)  # type: ignore[attr-defined]
    if not form.is_valid():
        raise RequestError("There is no such customer to merge with.", "Choose one of the list.")
    other: Customer = form.cleaned_data["other"]
    row.merged_into = other
    row.save(update_fields=["merged_into"])
    sharing.recount([row, *row.duplicates.all()])
    note(scope.person, "merged a customer", f"{row.pk} into {other.pk}")
    messages.success(request, _("Merged. It can be undone below."))
    return redirect("customers")


@deed("change_customers", "POST")
def part(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Undo a merge."""
    scope = scope_of(request)
    row: Customer = get_object_or_404(scope.merged(), pk=id_)
    row.merged_into = None
    row.save(update_fields=["merged_into"])
    sharing.recount([row, *row.duplicates.all()])
    note(scope.person, "parted a customer", row.pk)
    return redirect("customer", id_)


@deed("change_customers", "GET", "POST")
def customers_file(request: HttpRequest) -> HttpResponseBase:
    """Customers from a CSV file: name, account, internal; every row is loaded, or refused with its reason."""
    form = FileForm(request.POST or None, request.FILES or None)
    loaded, refused = 0, list[tuple[int, str]]()
    if request.method == "POST" and form.is_valid():
        given_file = form.cleaned_data["file"]
        if given_file.size > LARGEST:
            raise RequestError("The file is larger than 5 MB.", "Part it, and read the parts.")
        with transaction.atomic():
            loaded, refused = _load(given_file.read(), scope_of(request))
        note(person_of(request), "imported customers", f"{loaded} rows")
    given = {"form": form, "loaded": loaded, "refused": refused, "read": request.method == "POST" and form.is_valid()}
    return render(request, "customers_file.html", given)


def _load(content: bytes, scope: Scope) -> tuple[int, list[tuple[int, str]]]:
    """Rows loaded, and those refused as (row number, reason); the header is row 1."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    try:
        first = text.partition("\n")[0]
        rows = list(
            csv.reader(
                io.StringIO(text.replace("\0", ""), newline=""),
                delimiter=";" if first.count(";") > first.count(",") else ",",
            )
        )
    except csv.Error as error:
        raise RequestError(f"This is no CSV file: {error}.", "Save it as CSV with commas.") from error
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    if "name" not in header:
        raise RequestError(
            "The file has no column called name.", "Its first row names the columns: name, account, internal."
        )
    accounts = {one.name.casefold(): one for one in scope.accounts()}
    loaded, refused = 0, list[tuple[int, str]]()
    for number, cells in enumerate(rows[1:], start=2):
        facts = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        if (named := facts.get("account", "")[:200]) and may(scope.person, "change_accounts"):
            accounts.setdefault(named.casefold(), Account.objects.get_or_create(name=named)[0])
        if why := _refused(facts, len(cells), len(header), accounts):
            refused.append((number, why))
            continue
        one = sharing.customer_called(facts["name"])
        assert one is not None
        if account := facts.get("account"):
            one.account = accounts[account.casefold()]
        if facts.get("internal"):
            one.internal = facts["internal"].lower() in _YES
        one.save()
        loaded += 1
    return loaded, refused


def _refused(facts: dict[str, str], cells: int, columns: int, accounts: dict[str, Account]) -> str:
    """Why a row is not loaded; empty: it is."""
    inside, account = facts.get("internal", "").lower(), facts.get("account", "")
    if not any(facts.values()):
        return "the row is empty"
    if cells > columns:
        return f"{cells} cells under {columns} columns"
    if not facts.get("name") or len(facts["name"]) > 200:
        return "no name, or one of more than 200 letters"
    if inside not in ("", *_YES, "no", "false", "0"):
        return f"internal is {inside[:40]!r}, and not yes or no"
    if account and account.casefold() not in accounts:
        return f"there is no account called {account[:60]!r} that you look after; finance adds accounts"
    return ""


@deed("read_accounts", "GET", "POST")
def accounts(request: HttpRequest) -> HttpResponseBase:
    """What accounts are worth, and whose contract ends next."""
    scope = scope_of(request)
    form = AccountForm(request.POST or None)
    if request.method == "POST":
        scope.require("change_accounts")
        if form.is_valid():
            made = form.save()
            note(scope.person, "added an account", made.pk)
            return redirect("account", made.pk)
    found = list(scope.accounts().order_by("contract_end", "name")[:SHOWN])
    failed = _failed(scope, "customer__account", [one.pk for one in found])
    rows = [(one, failed.get(one.pk, 0)) for one in found]
    return render(
        request, "accounts.html", {"rows": rows, "form": form, "may_change": may(scope.person, "change_accounts")}
    )


def _failed(scope: Scope, by: str, those: list[int]) -> dict[int, int]:
    """Failures that were shared, and that this person can see, by customer or account."""
    missed = scope.shared().filter(word="missed", **{f"{by}__in": those}).order_by()
    return dict(missed.values_list(by).annotate(many=Count("id")))


@deed("read_accounts", "GET", "POST")
def account(request: HttpRequest, id_: int) -> HttpResponseBase:
    """One account."""
    scope = scope_of(request)
    row: Account = get_object_or_404(scope.accounts(), pk=id_)
    form = AccountForm(request.POST or None, instance=row)
    if request.method == "POST":
        scope.require("change_accounts")
        if form.is_valid():
            form.save()
            note(scope.person, "changed an account", row.pk)
            return redirect("account", id_)
    seen = scope.shared().filter(customer__account=row)[:50]
    given = {"row": row, "form": form, "seen": seen, "may_change": may(scope.person, "change_accounts")}
    return render(request, "account.html", given)
