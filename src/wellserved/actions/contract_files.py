"""Contracts from a CSV file: every row is loaded, changes what is known, or is refused with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

from wellserved.errors import RequestError
from wellserved.small_csv import csv_rows
from wellserved.store.access import AccessScope, record_event
from wellserved.store.models import Account, Team
from wellserved.store.plan_models import Contract, ContractDeed
from wellserved.value.trust import fold_name

CONTRACT_COLUMNS: Final = ("account", "starts", "ends", "notice", "notice_to", "value_year", "currency", "renews_itself", "reference", "exit_clause", "outcome", "outcome_on", "team")  # fmt: skip
_OUTCOMES: Final = {
    "renewed": "renewed", "left": "left_at_end", "left at the end": "left_at_end", "left_at_end": "left_at_end", "left early": "left_early",
    "left_early": "left_early", "notice given": "notice_given", "notice_given": "notice_given", "notice": "notice_given",
}  # fmt: skip
_YES, _NO = ("yes", "true", "1"), ("", "no", "false", "0")
_NOTICE_TO: Final = ("none", "month", "quarter", "year")
_UNITS: Final = {"day": ("day", 1), "week": ("day", 7), "month": ("month", 1), "year": ("month", 12)}
_PLAIN_DAY: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ].*)?")
_TWO_READINGS: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})+")  # thousands, or parts of one
_DOTTED_DAY: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")  # in which the day always comes first
MAX_MONEY: Final = Decimal("999999999999")


@dataclass
class ContractFile:
    """What came of a file."""

    new: int = 0
    changed: list[int] = field(default_factory=list)  # numbers of the rows that changed a contract that was known
    same: int = 0
    new_accounts: list[str] = field(default_factory=list)
    refused_rows: list[tuple[int, str]] = field(default_factory=list)

    @property
    def words(self) -> str:
        """One sentence."""
        parts = [
            f"{self.new} new, {len(self.changed)} changed, {self.same} as before, {len(self.refused_rows)} refused."
        ]
        if self.changed:
            parts.append(f"Changed by rows {', '.join(map(str, self.changed[:20]))}.")
        if self.new_accounts:
            parts.append(f"Accounts that were not known: {', '.join(self.new_accounts[:20])}.")
        return " ".join(parts)


def read_contracts(content: bytes, scope: AccessScope) -> ContractFile:
    """Contracts under CONTRACT_COLUMNS. The same contract (account, number and first day) is one; what the file has no column for
    stays as it is."""
    header, rows = _table_of(content)
    rows = [(number, cells) for number, cells in rows if any(cells)]
    long_rows = [
        (number, f"{len(cells)} cells under {len(header)} columns")
        for number, cells in rows
        if len(cells) > len(header)
    ]
    facts_of_rows = [
        (number, dict(zip(header, cells, strict=False))) for number, cells in rows if len(cells) <= len(header)
    ]
    outcome = load_contracts(facts_of_rows, scope)
    outcome.refused_rows = sorted([*outcome.refused_rows, *long_rows])
    return outcome


def load_contracts(rows: Iterable[tuple[int, Mapping[str, str]]], scope: AccessScope) -> ContractFile:
    """Contracts as numbered rows of CONTRACT_COLUMNS in words, as a file has them."""
    accounts = {fold_name(name): account for account in scope.accounts() for name in account.known_names}
    outcome = ContractFile()
    for number, cells in rows:
        facts = {
            name: " ".join(cell.split()) if name != "exit_clause" else cell.strip() for name, cell in cells.items()
        }
        try:
            with transaction.atomic():
                _load(facts, number, accounts, outcome)
        except RequestError as error:
            outcome.refused_rows.append((number, error.problem))
    record_event(scope.person, "imported contracts", f"{outcome.new} new, {len(outcome.changed)} changed")
    return outcome


def _table_of(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    rows = csv_rows(content, ",;\t")
    header = [cell.lower().replace(" ", "_") for cell in rows[0]] if rows else []
    if missing := [name for name in ("account", "starts") if name not in header]:
        raise RequestError(
            f"The file has no column called {' or '.join(missing)}.",
            f"Its first row names the columns: {', '.join(CONTRACT_COLUMNS)}; account and starts at least.",
        )
    return header, list(enumerate(rows[1:], start=2))


def _load(facts: Mapping[str, str], number: int, accounts: dict[str, Account], outcome: ContractFile) -> None:
    name = facts.get("account", "")
    if not name or len(name) > 200:
        raise RequestError("no account, or a name of more than 200 letters", "")
    values = _values(facts)
    account = accounts.get(fold_name(name))
    is_new_account = account is None
    if account is None:
        account = Account.objects.get_or_create(name=name)[0]  # another request may have brought it meanwhile
    if team := facts.get("team"):
        account.team = Team.objects.filter(name__iexact=team).first()
        if account.team is None:
            raise RequestError(f"there is no team called {team[:60]!r}", "")
        account.save(update_fields=["team"])
    has_changed, is_new = _save(account, values, facts)
    accounts[fold_name(name)] = account
    outcome.new_accounts += [name] if is_new_account else []
    outcome.new += is_new
    outcome.changed += [number] if has_changed and not is_new else []
    outcome.same += not has_changed and not is_new


def _save(account: Account, values: dict[str, Any], facts: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether anything changed, and whether the contract is new."""
    same = Contract.objects.filter(account=account, starts=values["starts"])
    if values.get("reference"):
        same = same.filter(reference__in=("", values["reference"]))
    contract = same.first()
    is_new = contract is None
    if contract is None:
        contract = Contract(account=account)
    changed = [name for name, value in values.items() if is_new or getattr(contract, name) != value]
    for name in changed:
        setattr(contract, name, values[name])
    try:
        contract.clean_fields()
        contract.terms  # noqa: B018  raises where it cannot be
    except ValidationError as error:
        raise RequestError("; ".join(f"{name}: {' '.join(why)}" for name, why in error.message_dict.items()), "") from error  # fmt: skip
    if changed:
        contract.save()
    return _save_outcome(facts, contract) or bool(changed), is_new


def _values(facts: Mapping[str, str]) -> dict[str, Any]:
    """What the columns that the file has say."""
    starts = _day(facts, "starts")
    if starts is None:
        raise RequestError("starts is empty", "")
    values: dict[str, Any] = {"starts": starts}
    if "ends" in facts:
        values["ends"] = _day(facts, "ends")
    if "notice" in facts:
        values["notice_value"], values["notice_unit"] = _notice(facts["notice"])
    if facts.get("notice_to"):
        if facts["notice_to"].lower() not in _NOTICE_TO:
            raise RequestError(f"notice_to is {facts['notice_to'][:40]!r}: none, month, quarter or year", "")
        values["notice_to"] = facts["notice_to"].lower()
    if "value_year" in facts:
        values["value_year"] = _money(facts["value_year"])
        if values["value_year"] is not None and not facts.get("currency"):
            raise RequestError("value_year has no currency beside it", "")
    if "currency" in facts:
        values["currency"] = facts["currency"].upper()
    if "renews_itself" in facts:
        values["renews_itself"] = _yes(facts, "renews_itself")
    for column, name in (("reference", "reference"), ("exit_clause", "exit_words")):
        if column in facts:
            values[name] = facts[column]
    return values


def _save_outcome(facts: Mapping[str, str], contract: Contract) -> bool:
    """What became of it; another end takes the place of the one that was noted. Whether anything changed."""
    words = facts.get("outcome", "").lower()
    if not words:
        return False
    if words not in _OUTCOMES:
        raise RequestError(f"outcome is {words[:40]!r}: renewed, left, left early or notice given", "")
    deed, on = _OUTCOMES[words], _day(facts, "outcome_on") or contract.ends
    if on is None:
        raise RequestError("outcome_on is empty, and the contract has no end", "")
    if ContractDeed.objects.filter(contract=contract, deed=deed, on=on).exists():
        return False
    if deed != "notice_given":
        ContractDeed.objects.filter(contract=contract).exclude(deed="notice_given").delete()
    ContractDeed.objects.create(contract=contract, deed=deed, on=on, known_on=on)
    return True


def _day(facts: Mapping[str, str], name: str) -> date | None:
    text = facts.get(name, "")
    if not text:
        return None
    dotted, plain = _DOTTED_DAY.fullmatch(text), _PLAIN_DAY.fullmatch(text)
    try:
        if dotted:
            return date(*(int(part) for part in dotted.groups()[::-1]))
        return date.fromisoformat(plain[1] if plain else "")
    except ValueError:
        raise RequestError(f"{name} is {text[:40]!r}, no day such as 2026-12-31 or 31.12.2026", "") from None


def _notice(text: str) -> tuple[int, str]:
    """`3 months`, `90 days`, `6 weeks`, `1 year`; nothing: none."""
    words = text.lower().split()
    if not words:
        return 0, "month"
    unit = words[1].rstrip("s") if len(words) == 2 else ""
    if not words[0].isdecimal() or len(words[0]) > 4 or unit not in _UNITS:
        raise RequestError(f"notice is {text[:40]!r}, not such as 3 months, 6 weeks or 90 days", "")
    name, factor = _UNITS[unit]
    return int(words[0]) * factor, name


def _money(text: str) -> Decimal | None:
    if not text:
        return None
    if _TWO_READINGS.fullmatch(text):
        raise RequestError(
            f"value_year is {text[:40]!r}, which can be read in two ways; write it as 120000 or 120.00", ""
        )
    try:
        amount = Decimal(text.replace(" ", ""))
    except InvalidOperation:
        raise RequestError(f"value_year is {text[:40]!r}, no number such as 12000.50", "") from None
    if not amount.is_finite() or not 0 <= amount <= MAX_MONEY:
        raise RequestError(f"value_year is {text[:40]!r}, no amount", "")
    return amount.quantize(Decimal("0.01"))


def _yes(facts: Mapping[str, str], name: str) -> bool:
    text = facts.get(name, "").lower()
    if text not in (*_YES, *_NO):
        raise RequestError(f"{name} is {text[:40]!r}, and not yes or no", "")
    return text in _YES
