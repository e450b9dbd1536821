"""The API for other programs that know of accounts and contracts: an account system, a calendar of renewals."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from wellserved.actions.accounts import as_record
from wellserved.actions.contract_files import CONTRACT_COLUMNS, load_contracts
from wellserved.store.access import AccessScope
from wellserved.web.api import ERRORS, IDEMPOTENCY_HEADER, MAX_MOMENTS_PER_REQUEST, Strict, idempotent, require_scope
from wellserved.web.views.accounts import account_rows_of

ContractText = Annotated[str, Field(max_length=5_000, pattern=r"^[^\x00]*$")]


class ContractIn(Strict):
    """A contract in the words of the file's columns; what is left out stays as it is."""

    account: ContractText
    starts: ContractText
    ends: ContractText | None = None
    notice: ContractText | None = None
    notice_to: ContractText | None = None
    value_year: ContractText | float | None = None
    currency: ContractText | None = None
    renews_itself: ContractText | bool | None = None
    reference: ContractText | None = None
    exit_clause: ContractText | None = None
    outcome: ContractText | None = None
    outcome_on: ContractText | None = None
    team: ContractText | None = None


assert tuple(ContractIn.model_fields) == CONTRACT_COLUMNS


class ContractsIn(Strict):
    """Several contracts, each loaded or refused by itself."""

    contracts: Annotated[list[ContractIn], Field(min_length=1, max_length=MAX_MOMENTS_PER_REQUEST)]


class RefusedContract(Schema):
    """A contract that was not loaded, by its place in the request, the first being 1."""

    row: int
    reason: str


class ContractsOut(Schema):
    """What came of them."""

    new: int
    changed: list[int]
    same: int
    new_accounts: list[str]
    refused: list[RefusedContract]


_ANSWER: Final = {201: ContractsOut, **ERRORS}
router = Router()


@router.get("/accounts", response={200: list[dict[str, Any]], **ERRORS})
def list_accounts(request: HttpRequest) -> Any:
    """Accounts that the key's owner may see: reliability, reasons to worry, worth and the next decision, those at risk first."""
    scope = AccessScope(require_scope(request, "accounts:read").owner)
    rows, _trusts = account_rows_of(list(scope.accounts()))
    return [as_record(scope, row) for row in rows]


def _as_cell(value: object) -> str:
    """A value as a file has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


@router.post("/contracts", response=_ANSWER, openapi_extra=IDEMPOTENCY_HEADER)
@idempotent
def record_contracts(request: HttpRequest, contracts: ContractsIn) -> Any:
    """Contracts and what became of them: each is new, changes what is known, is as before, or is refused with its reason."""
    scope = AccessScope(require_scope(request, "accounts:write").owner)
    rows = [
        (number, {name: _as_cell(value) for name, value in contract.dict(exclude_none=True).items()})
        for number, contract in enumerate(contracts.contracts, start=1)
    ]
    outcome = load_contracts(rows, scope)
    refused = [{"row": number, "reason": reason} for number, reason in outcome.refused_rows]
    return Status(
        201,
        {"new": outcome.new, "changed": outcome.changed, "same": outcome.same, "new_accounts": outcome.new_accounts, "refused": refused},
    )  # fmt: skip
