"""The document: JSON Resume, the open format of résumés, read from anybody's file and checked against its schema."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from jsonschema import Draft7Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from wellserved.claim.shapes import plain_texts
from wellserved.errors import RequestError

MAX_RESUME_BYTES: Final = 500_000
MAX_BULLET_LETTERS: Final = 2_000
SCHEMA_ADDRESS: Final = "https://raw.githubusercontent.com/jsonresume/resume-schema/v1.0.0/schema.json"
SEALED_SECTIONS: Final = ("work", "projects", "volunteer")
"""The sections whose entries have bullets (`highlights`), in the order in which they are shown."""
ResumeDocument = dict[str, Any]


class ResumeFormatError(RequestError):
    """A file that is no résumé in this format."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, "Correct the file, or export it again as JSON Resume (jsonresume.org), version 1.")


@lru_cache(maxsize=1)
def resume_schema() -> dict[str, Any]:
    """The schema of JSON Resume 1.3.1, as it is published."""
    text = (resources.files("wellserved") / "resume" / "jsonresume.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def read_resume(raw: bytes) -> ResumeDocument:
    """A résumé from a file; fields that hold nothing are left out, since the schema allows no empty days or addresses.

    Raises `ResumeFormatError` where it is none, naming the field.
    """
    if len(raw) > MAX_RESUME_BYTES:
        raise ResumeFormatError(f"The file has {len(raw):,} bytes; a résumé can have {MAX_RESUME_BYTES:,}.")
    try:
        document = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ResumeFormatError("The file is no JSON.") from error
    if not isinstance(document, dict) or not {"basics", "work", "education", "skills", "projects"} & document.keys():
        raise ResumeFormatError("The file is JSON, and no résumé: it has neither basics nor work.")
    return check_resume(document)


def _refuse_number(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def check_resume(document: ResumeDocument) -> ResumeDocument:
    """The document without what is empty in it, if it follows the schema; raises `ResumeFormatError`."""
    try:
        plain = _without_empty(document)
        json.dumps(plain, ensure_ascii=False).encode()
    except (RecursionError, UnicodeEncodeError) as error:
        raise ResumeFormatError("The file is too deep, or holds half a character.") from error
    checked: ResumeDocument = plain if isinstance(plain, dict) else {}
    validator = Draft7Validator(resume_schema(), format_checker=FormatChecker(("email",)))
    if errors := sorted(validator.iter_errors(checked), key=lambda error: [str(part) for part in error.absolute_path]):
        raise ResumeFormatError("; ".join(_words(error) for error in errors[:5]) + ".")
    for section in SEALED_SECTIONS:
        for entry in entries_of(checked, section):
            if any(len(text) > MAX_BULLET_LETTERS for text in entry.get("highlights", ())):
                raise ResumeFormatError(f"A line has more than {MAX_BULLET_LETTERS:,} letters.")
    return checked


def _words(error: ValidationError) -> str:
    """What is wrong with a field, as people say it."""
    field = " ".join(str(part + 1) if isinstance(part, int) else str(part) for part in error.absolute_path)
    value = json.dumps(error.instance, ensure_ascii=False)[:60]
    if error.validator == "pattern":
        return f"{field} is {value}: write a day as 2024, 2024-05 or 2024-05-31"
    if error.validator == "type":
        return f"{field} is {value}: it has to be {_TYPE_WORDS.get(str(error.validator_value), error.validator_value)}"
    return f"{field} is {value}: that is no {error.validator_value}"


_TYPE_WORDS: Final = {"string": "text", "object": "a group of fields", "array": "a list"}


def _without_empty(value: object) -> object:
    """A value without empty texts, lists and objects in it, nor letters that hide or turn others."""
    if isinstance(value, str):
        return "\n".join(str(plain_texts(line)) for line in value.splitlines()).strip()
    if isinstance(value, dict):
        parts = {str(name): _without_empty(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part not in ("", None, [], {})}
    if isinstance(value, list):
        return [part for part in map(_without_empty, value) if part not in ("", None, [], {})]
    return value


def entries_of(document: ResumeDocument, section: str) -> list[dict[str, Any]]:
    """The entries of a section, in their order."""
    entries: list[dict[str, Any]] = document.get(section, [])
    return entries
