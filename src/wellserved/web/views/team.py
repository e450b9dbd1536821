"""What a team sees together: shared moments, failures and how they were made right, customers and accounts."""

from __future__ import annotations

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
from wellserved.actions.customer_worth import CustomerWorth, visible_worths
from wellserved.errors import RequestError
from wellserved.small_csv import csv_rows
from wellserved.store.access import ACCESS_REASONS, NAMES_SEEN_EVENT, AccessScope, has_permission, record_event
from wellserved.store.models import Account, Cause, Customer, Helper, Shared
from wellserved.web.access_middleware import journal_of, person_of, required_permission, scope_of
from wellserved.web.forms import CauseForm, CustomerForm, FileForm, FollowForm, MergeForm, ShareForm
from wellserved.web.views.journal import draft_of

FAILURE_WORDS = ("missed", "complaint")
MAX_ROWS_SHOWN, MAX_FAILURES_LISTED = 100, 30  # rows of a table, entries of a list
MAX_FILE_BYTES = 5_000_000  # bytes of a file of customers
_YES_WORDS = ("yes", "true", "1")


@required_permission("own", "GET", "POST")
def shared_moment(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """A shared moment with what belongs to it; its author can change it."""
    scope = scope_of(request)
    row: Shared = get_object_or_404(scope.visible_moments(), id=id_)
    is_mine = row.author_id == scope.person.pk
    # Its customer stands in the form.
    is_editable = is_mine and scope.knows_customer(row) and (request.method == "POST" or "change" in request.GET)
    form = ShareForm(request.POST or None, initial=_form_values(row)) if is_editable else None
    if request.method == "POST":
        if form is None:
            raise Http404
        if form.is_valid():
            sharing.change_copy(row, form.facts(), form.cleaned_data["audience"])
            messages.success(request, _("Saved."))
            return redirect("shared", id_)
    thread = scope.visible_moments().filter(thread=row.thread).order_by("at")
    context = {
        "row": row, "form": form, "mine": is_mine, "thread": thread, "follow": FollowForm(), "draft": uuid.uuid4(),
        "worth": _worth_of(scope, row.customer),
        "repeats": _count_repeats(scope, row), "helpers": row.helpers.select_related("person"),
    }  # fmt: skip
    return render(request, "shared.html", context)


def _form_values(row: Shared) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in sharing.SHARED_FIELDS}
    return {**values, "due": row.due, "audience": row.audience, "customer": row.customer.name if row.customer else ""}


def _count_repeats(scope: AccessScope, row: Shared) -> int:
    """Failures of the quarter before it with the same cause or customer."""
    if row.word not in FAILURE_WORDS or not (row.cause or row.customer_id):
        return 0
    same_matter = Q(pk=None)
    if row.cause:
        same_matter |= Q(cause__iexact=row.cause)
    if row.customer_id:
        same_matter |= Q(customer=row.customer_id)
    return (
        scope.visible_moments()
        .filter(same_matter, word="missed", at__gte=row.at - timedelta(days=92), at__lt=row.at)
        .count()
    )


@required_permission("share", "POST")
def add_follow_up(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """The next step after a failure: asked, made right, accepted, rated."""
    scope = scope_of(request)
    row: Shared = get_object_or_404(scope.visible_moments(), id=id_)
    form = FollowForm(request.POST)
    if form.is_valid():
        words = sharing.readable_lines(form.cleaned_data["text"])
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


@required_permission("own", "POST")
def withdraw_shared_moment(request: HttpRequest, id_: uuid.UUID) -> HttpResponseBase:
    """Take one's copy back."""
    row: Shared = get_object_or_404(scope_of(request).own_moments(), id=id_)
    sharing.withdraw_copy(row)
    journal_of(request).mark_unshared(row.id)
    messages.success(request, _("Withdrawn. Nobody sees it any more."))
    return redirect("journal")


@required_permission("own", "POST")
def confirm_help(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Confirm, or deny, that one helped."""
    helper: Helper = get_object_or_404(scope_of(request).help_mentions(), pk=id_)
    if request.POST.get("do") == "confirm":
        helper.confirmed = timezone.now()
        helper.save(update_fields=["confirmed"])
    else:
        helper.delete()
    return redirect("today")


@required_permission("own")
def failures(request: HttpRequest) -> HttpResponse:
    """What went wrong and how it was made right, and what keeps coming back."""
    scope = scope_of(request)
    since = timezone.now() - timedelta(days=92)
    rows = scope.visible_moments().select_related(None).select_related("customer").filter(word__in=FAILURE_WORDS)
    causes = (
        rows.filter(at__gte=since).exclude(cause="").order_by().values("cause")
        .annotate(many=Count("id"), last=Max("at")).order_by("-many", "cause")[:10]
    )  # fmt: skip
    shown_rows = list(rows[:MAX_FAILURES_LISTED])
    recovered_threads = set(
        scope.visible_moments()
        .filter(thread__in=[row.thread for row in shown_rows], word="recovered")
        .values_list("thread", flat=True)
    )
    worths = visible_worths(scope, [row.customer.name for row in shown_rows if row.customer])
    rows_with_worth = [
        (row, row.thread in recovered_threads, worths.get(row.customer.name) if row.customer else None)
        for row in shown_rows
    ]
    return render(request, "failures.html", {"rows": rows_with_worth, "causes": causes})


def _worth_of(scope: AccessScope, customer: Customer | None) -> CustomerWorth | None:
    return visible_worths(scope, [customer.name]).get(customer.name) if customer else None


@required_permission("read_customers", "GET", "POST")
def causes(request: HttpRequest) -> HttpResponseBase:
    """The tree of causes; failures name them."""
    scope = scope_of(request)
    form = CauseForm(request.POST or None)
    if request.method == "POST":
        scope.require_permission("change_customers")
        if form.is_valid():
            parent = form.cleaned_data["parent"].strip()
            parent_cause = Cause.objects.get_or_create(name=parent)[0] if parent else None
            cause, _new = Cause.objects.get_or_create(name=form.cleaned_data["name"].strip())
            if parent_cause is None or parent_cause.pk != cause.pk:
                cause.parent = parent_cause
                cause.save()
            record_event(scope.person, "kept a cause", cause.pk)
            return redirect("causes")
    tree: dict[int | None, list[Cause]] = {}
    for child in scope.causes():
        tree.setdefault(child.parent_id, []).append(child)
    return render(
        request,
        "causes.html",
        {
            "tree": [(root, tree.get(root.pk, [])) for root in tree.get(None, [])],
            "form": form,
            "may_change": has_permission(scope.person, "change_customers"),
        },
    )


@required_permission("read_customers", "GET", "POST")
def customers(request: HttpRequest) -> HttpResponseBase:
    """Everybody who is served, inside the house and outside."""
    scope = scope_of(request)
    form = CustomerForm(request.POST or None)
    form.fields["account"].queryset = scope.accounts()  # type: ignore[attr-defined]
    if request.method == "POST":
        scope.require_permission("change_customers")
        if form.is_valid():
            new_customer = form.save()
            record_event(scope.person, "added a customer", new_customer.pk)
            return redirect("customer", new_customer.pk)
    search_text = request.GET.get("q", "")[:100]
    matching_customers = scope.customers()
    if search_text:
        matching_customers = matching_customers.filter(name__icontains=search_text)
    shown_customers = list(matching_customers[:MAX_ROWS_SHOWN]) if scope.names else []
    is_cut = len(shown_customers) == MAX_ROWS_SHOWN
    failure_counts = _failure_counts(scope, "customer", [customer.pk for customer in shown_customers])
    may_change = has_permission(scope.person, "change_customers")
    merged_customers = scope.merged_customers() if may_change and scope.names else []
    account_ids = {customer.account_id for customer in shown_customers if customer.account_id}
    accounts = dict(scope.accounts().filter(pk__in=account_ids).values_list("pk", "name"))  # those that they can see
    rows = [
        (customer, accounts.get(customer.account_id or 0, ""), failure_counts.get(customer.pk, 0))
        for customer in shown_customers
    ]
    context = {
        "rows": rows,
        "hidden": matching_customers.count() - MAX_ROWS_SHOWN if is_cut else 0,
        "form": form,
        "q": search_text,
        "may_change": may_change,
        "merged": merged_customers,
        "reasons": ACCESS_REASONS,
    }
    return render(request, "customers.html", context)


@required_permission("read_customers", "POST")
def access_reason(request: HttpRequest) -> HttpResponseBase:
    """Why somebody of quality wants to see customers by name; it stands in the audit, and holds for an hour."""
    reason = request.POST.get("reason", "")
    if reason not in ACCESS_REASONS:
        raise Http404
    record_event(person_of(request), NAMES_SEEN_EVENT, reason)
    return redirect("customers")


@required_permission("read_customers", "GET", "POST")
def customer(request: HttpRequest, id_: int) -> HttpResponseBase:
    """One customer: what was shared about them, what they are worth, and of whom they are a duplicate."""
    scope = scope_of(request)
    if not scope.names:
        return redirect("customers")
    row = scope.customers().filter(pk=id_).first()
    if row is None:
        duplicate = get_object_or_404(Customer.objects.select_related("merged_into"), pk=id_)
        return redirect("customer", sharing.merge_target(duplicate).pk)
    form = CustomerForm(request.POST or None, instance=row)
    form.fields["account"].queryset = scope.accounts()  # type: ignore[attr-defined]
    merge = MergeForm()
    merge.fields["other"].queryset = scope.customers().exclude(pk=id_)  # type: ignore[attr-defined]
    if request.method == "POST":
        scope.require_permission("change_customers")
        previous_account = row.account
        if form.is_valid():
            changed_customer = form.save(commit=False)
            if previous_account is not None and not scope.accounts().filter(pk=previous_account.pk).exists():
                changed_customer.account = previous_account  # which this person cannot see, and does not take away
            changed_customer.save()
            sharing.mark_pending([changed_customer, *changed_customer.duplicates.all()])
            record_event(scope.person, "changed a customer", row.pk)
            return redirect("customer", id_)
    shared_rows = scope.visible_moments().filter(Q(customer=row) | Q(customer__merged_into=row))[:50]
    context = {
        "row": row,
        "form": form,
        "merge": merge,
        "seen": shared_rows,
        "worth": _worth_of(scope, row),
        "may_change": has_permission(scope.person, "change_customers"),
    }
    return render(request, "customer.html", context)


@required_permission("change_customers", "POST")
def merge(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Say that a customer is another; undone, both stand as before."""
    scope = scope_of(request)
    row: Customer = get_object_or_404(scope.customers(), pk=id_)
    form = MergeForm(request.POST)
    form.fields["other"].queryset = scope.customers().exclude(pk=id_)  # type: ignore[attr-defined]
    if not form.is_valid():
        raise RequestError("There is no such customer to merge with.", "Choose one of the list.")
    target: Customer = form.cleaned_data["other"]
    row.merged_into = target
    row.save(update_fields=["merged_into"])
    sharing.mark_pending([row, *row.duplicates.all()])
    record_event(scope.person, "merged a customer", f"{row.pk} into {target.pk}")
    messages.success(request, _("Merged. It can be undone below."))
    return redirect("customers")


@required_permission("change_customers", "POST")
def unmerge(request: HttpRequest, id_: int) -> HttpResponseBase:
    """Undo a merge."""
    scope = scope_of(request)
    row: Customer = get_object_or_404(scope.merged_customers(), pk=id_)
    row.merged_into = None
    row.save(update_fields=["merged_into"])
    sharing.mark_pending([row, *row.duplicates.all()])
    record_event(scope.person, "parted a customer", row.pk)
    return redirect("customer", id_)


@required_permission("change_customers", "GET", "POST")
def customers_file(request: HttpRequest) -> HttpResponseBase:
    """Customers from a CSV file: name, account, internal; every row is loaded, or refused with its reason."""
    form = FileForm(request.POST or None, request.FILES or None)
    loaded_count, refused_rows = 0, list[tuple[int, str]]()
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["file"]
        if upload.size > MAX_FILE_BYTES:
            raise RequestError("The file is larger than 5 MB.", "Part it, and read the parts.")
        with transaction.atomic():
            loaded_count, refused_rows = _load_customers(upload.read(), scope_of(request))
        record_event(person_of(request), "imported customers", f"{loaded_count} rows")
    context = {
        "form": form,
        "loaded": loaded_count,
        "refused": refused_rows,
        "read": request.method == "POST" and form.is_valid(),
    }
    return render(request, "customers_file.html", context)


def _load_customers(content: bytes, scope: AccessScope) -> tuple[int, list[tuple[int, str]]]:
    """Rows loaded, and those refused as (row number, reason); the header is row 1."""
    rows = csv_rows(content)
    header = [cell.lower() for cell in rows[0]] if rows else []
    if "name" not in header:
        raise RequestError(
            "The file has no column called name.", "Its first row names the columns: name, account, internal."
        )
    accounts = {account_row.name.casefold(): account_row for account_row in scope.accounts()}
    loaded_count, refused_rows = 0, list[tuple[int, str]]()
    for number, cells in enumerate(rows[1:], start=2):
        facts = dict(zip(header, cells, strict=False))
        if (account_name := facts.get("account", "")[:200]) and has_permission(scope.person, "change_accounts"):
            accounts.setdefault(account_name.casefold(), Account.objects.get_or_create(name=account_name)[0])
        if reason := _refusal_reason(facts, len(cells), len(header), accounts):
            refused_rows.append((number, reason))
            continue
        customer = sharing.customer_named(facts["name"])
        assert customer is not None
        if account := facts.get("account"):
            customer.account = accounts[account.casefold()]
        if facts.get("internal"):
            customer.internal = facts["internal"].lower() in _YES_WORDS
        customer.save()
        loaded_count += 1
    return loaded_count, refused_rows


def _refusal_reason(facts: dict[str, str], cells: int, columns: int, accounts: dict[str, Account]) -> str:
    """Why a row is not loaded; empty: it is."""
    internal_text, account = facts.get("internal", "").lower(), facts.get("account", "")
    if not any(facts.values()):
        return "the row is empty"
    if cells > columns:
        return f"{cells} cells under {columns} columns"
    if not facts.get("name") or len(facts["name"]) > 200:
        return "no name, or one of more than 200 letters"
    if internal_text not in ("", *_YES_WORDS, "no", "false", "0"):
        return f"internal is {internal_text[:40]!r}, and not yes or no"
    if account and account.casefold() not in accounts:
        return f"there is no account called {account[:60]!r} that you look after; finance adds accounts"
    return ""


def _failure_counts(scope: AccessScope, by: str, ids: list[int]) -> dict[int, int]:
    """Failures that were shared, and that this person can see, by customer or account."""
    missed_rows = scope.visible_moments().filter(word="missed", **{f"{by}__in": ids}).order_by()
    return dict(missed_rows.values_list(by).annotate(many=Count("id")))
