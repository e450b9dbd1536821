"""The shape of a mapping's file, checked as a whole: each setting's type, what it may say, and what goes together.

Only the reading of a mapping imports this module: the library that checks takes a while to load.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from wellserved.errors import MappingError, RequestError
from wellserved.mapping import (
    FACTS,
    MISSING,
    TESTS,
    AtIs,
    DateOrder,
    DelayUnit,
    DueIs,
    Flag,
    Mapping,
    MomentRule,
    RowCondition,
)
from wellserved.moments import MOMENT_KINDS, check_zone
from wellserved.scales import BUILT_IN, SCALES_FILE, Scales

MAX_MISTAKES_SHOWN = 12  # mistakes that are told at once
CANNOT_KINDS = (*MOMENT_KINDS, "first_resolved")
"""What an export may be unable to tell: a kind of moment, or the first resolution where it names the last alone."""


def _printable(value: str) -> str:
    if "\0" in value:
        raise ValueError("takes a text without NUL characters")
    return value


def _zone(value: str) -> str:
    try:
        return value if value == "workspace" else check_zone(value)
    except RequestError as error:
        raise ValueError(
            f"takes a time zone's name, such as Europe/Berlin or UTC, or workspace; {value!r} is none"
        ) from error


def _one_of(names: Iterable[str], noun: str) -> AfterValidator:
    known_names = sorted(names)

    def check_name(value: str) -> str:
        if value not in known_names:
            raise ValueError(f"takes a {noun}{_did_you_mean(value, known_names) or ': ' + ', '.join(known_names)}")
        return value

    return AfterValidator(check_name)


def _scales(info: ValidationInfo) -> Scales:
    """The scales that the mapping may name."""
    scales: Scales = (info.context or {}).get("scales", BUILT_IN)
    return scales


def _scale(value: str, info: ValidationInfo) -> str:
    known_scales = _scales(info)
    if value not in known_scales:
        suggestion = _did_you_mean(value, known_scales) or f": {', '.join(known_scales)}"
        raise ValueError(f"takes a scale{suggestion}; a workspace declares its own in {SCALES_FILE}")
    return value


def _did_you_mean(word: str, known_words: Iterable[str]) -> str:
    matches = get_close_matches(word, list(known_words), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(matches)}?" if matches else ""


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


MappingText = Annotated[str, AfterValidator(_printable)]
Word = Annotated[str, Field(min_length=1), AfterValidator(_printable)]
Texts = Annotated[tuple[MappingText, ...], BeforeValidator(_as_tuple)]
Words = Annotated[tuple[MappingText, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
Fact = Annotated[str, _one_of(FACTS, "fact that a row can carry")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _RowCondition(_Table):
    column: Word | None = None
    row: Literal["first", "last"] | None = None
    is_: Words | None = Field(None, alias="is")
    is_not: Words | None = None
    enters: Words | None = None
    leaves: Words | None = None
    changes: Literal[True] | None = None
    appears: Literal[True] | None = None
    rises: Literal[True] | None = None

    @model_validator(mode="after")
    def _complete(self) -> _RowCondition:
        tests = self.model_dump(by_alias=True, exclude_none=True).keys() & set(TESTS)
        if len(tests) > 1 or bool(tests) != (self.column is not None) or not (tests or self.row):
            raise ValueError(f'takes row = "first" or "last", or a column with one of {", ".join(TESTS)}')
        return self

    def condition(self) -> RowCondition:
        tests = self.model_dump(by_alias=True, exclude_none=True)
        test = next((test for test in TESTS if test in tests), None)
        values = tests[test] if test else ()
        return RowCondition(self.column, test, () if values is True else values, self.row)


class _ValueCondition(_Table):
    column: Word
    is_: Words | None = Field(None, alias="is")
    is_not: Words | None = None

    @model_validator(mode="after")
    def _complete(self) -> _ValueCondition:
        if (self.is_ is None) == (self.is_not is None):
            raise ValueError("takes a column with one of is, is_not")
        return self

    def condition(self) -> RowCondition:
        return RowCondition(self.column, "is" if self.is_ else "is_not", self.is_ or self.is_not or ())


class _Flag(_Table):
    column: Word
    yes: Words
    no: Words


class _Rule(_Table):
    kind: Annotated[str, _one_of(MOMENT_KINDS, "kind of moment")]
    at: Word
    at_is: AtIs = "time"
    required: bool = False
    due: Word | None = None
    due_is: DueIs | None = None
    text: Word | None = None
    score: Word | None = None
    scale: Annotated[str, AfterValidator(_scale)] | None = None
    values: dict[Word, Annotated[float, Field(allow_inf_nan=False)]] = {}
    amount: Word | None = None
    currency: Word | None = None
    cause: Word | None = None
    from_team: Word | None = None
    edited: Word | None = None
    before: Word | None = None
    after: Word | None = None
    delay: Word | None = None
    delay_unit: DelayUnit | None = None
    ref: Word | None = None
    fallback: bool = False
    source_kept: _Flag | None = None
    when: _RowCondition | None = None
    and_when: _ValueCondition | None = None

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> _Rule:
        if (self.score is None) != (self.scale is None):
            raise ValueError(f"needs both `score` and `scale` (one of {', '.join(_scales(info))}), or neither")
        if self.values and self.scale is None:
            raise ValueError("has `values`, and so needs `score` and `scale`")
        edit = (self.edited, self.before, self.after)
        if (self.before is None) != (self.after is None):
            raise ValueError(
                "needs both `before` and `after`, the columns of what stood there and what stands there now, or neither"
            )
        if self.kind != "corrected" and any(edit):
            raise ValueError("has `edited`, `before` or `after`, which are for the kind corrected alone")
        if (self.delay is None) != (self.delay_unit is None):
            raise ValueError(
                "needs both `delay` and `delay_unit` (seconds, minutes, hours, days, clock or words), or neither"
            )
        if self.and_when and not self.when:
            raise ValueError("has `and_when`, and so needs `when`")
        if self.due_is and self.due is None:
            raise ValueError("has `due_is`, and so needs `due`")
        if self.scale is not None:
            scale = _scales(info)[self.scale]
            for word, score in self.values.items():
                if not scale.has_score(score):
                    raise ValueError(f"gives {word!r} the score {score:g}, which the scale {self.scale} does not have")
        return self

    def rule(self, scales: Scales) -> MomentRule:
        rating = scales[self.scale] if self.scale else None
        settings = {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name not in ("when", "and_when", "source_kept")
        }
        kept_flag = self.source_kept
        return MomentRule(
            **{**settings, "values": {**dict(rating.words if rating else ()), **self.values}},
            rating=rating,
            condition=self.when.condition() if self.when else RowCondition(),
            second_condition=self.and_when.condition() if self.and_when else None,
            source_kept=Flag(kept_flag.column, kept_flag.yes, kept_flag.no) if kept_flag else None,
        )


class _MappingFile(_Table):
    name: Word
    case: Word
    moment: Annotated[list[_Rule], Field(min_length=1)]
    title: MappingText | None = None
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    case_missing: Literal["refuse", "row"] = "refuse"
    part: MappingText = ""
    about: MappingText = ""
    credit: MappingText = ""
    caution: MappingText = ""
    recognise: Texts = ()
    missing: Texts = MISSING
    dates: dict[Word, DateOrder] = {}
    clocks: dict[Word, Word] = {}
    no_date: dict[Word, Words] = {}
    newest_first: bool = False
    columns: dict[Fact, Word] = {}
    aliases: dict[Word, Words] = {}
    cannot: dict[Annotated[str, _one_of(CANNOT_KINDS, "kind of moment, or first_resolved")], Word] = {}


def validate_mapping(raw: dict[str, Any], origin: str, scales: Scales = BUILT_IN) -> Mapping:
    """The mapping that a file's tables say; raises MappingError with every setting that is wrong."""
    try:
        file = _MappingFile.model_validate(raw, context={"scales": scales})
    except ValidationError as error:
        mistakes = [
            _mistake_text(mistake["loc"], mistake["type"], mistake["msg"], mistake["input"], raw)
            for mistake in error.errors()
        ]
        remainder = f"; and {len(mistakes) - MAX_MISTAKES_SHOWN} more" if len(mistakes) > MAX_MISTAKES_SHOWN else ""
        raise MappingError(
            f"{origin} cannot be read as a mapping: {'; '.join(mistakes[:MAX_MISTAKES_SHOWN])}{remainder}.",
            "Correct these settings; docs/sources.md shows a whole example.",
        ) from error
    settings = {name: getattr(file, name) for name in _MappingFile.model_fields if name not in ("moment", "title")}
    return Mapping(**settings, title=file.title or file.name, moments=tuple(rule.rule(scales) for rule in file.moment))


_REQUIREMENTS = {
    "string_type": "takes a text",
    "string_too_short": "takes a text that is not empty",
    "float_type": "takes a number",
    "finite_number": "takes a number",
    "bool_type": "takes true or false",
    "dict_type": "takes a table of settings",
    "model_type": "takes a table of settings",
    "list_type": "takes blocks: write [[moment]] above each",
    "tuple_type": "takes a text or a list of texts",
    "too_short": "takes one at least",
}


def _mistake_text(
    location: tuple[int | str, ...], error_type: str, message: str, value: Any, raw: dict[str, Any]
) -> str:
    """One wrong setting: its name, what came, and what it takes."""
    setting = _setting_name(location, raw)
    if error_type == "missing":
        if location == ("moment",):
            return "it has no [[moment]] block, which says what happened and in which column of dates"
        return f"{setting} is missing"
    if error_type == "extra_forbidden":
        return f"{setting} is no setting{_did_you_mean(str(location[-1]), _known_settings(location))}"
    requirement = _REQUIREMENTS.get(error_type) or message.removeprefix("Value error, ")
    if error_type == "literal_error":
        requirement = "takes " + message.removeprefix("Input should be ").replace("'", '"').replace("True", "true")
    if isinstance(value, _Table) or (error_type == "value_error" and isinstance(value, dict)):
        return f"{setting} {requirement}"  # what goes together does not; no single value came
    return f"{setting} is {_show_value(value)} and {requirement}"


def _show_value(value: Any) -> str:
    """What stands there, as far as it is of use."""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        value_text = repr(value)
    except (ValueError, RecursionError):
        return "too large to be shown"
    return value_text if len(value_text) <= 40 else f"{value_text[:40]}..."


def _setting_name(location: tuple[int | str, ...], raw: dict[str, Any]) -> str:
    """A setting's name as a reader of the file finds it: [[moment]] 2 (rated) scale."""
    names = [str(step) for step in location if step != "[key]"]
    if len(location) > 1 and location[0] == "moment" and isinstance(location[1], int):
        block = raw["moment"][location[1]]
        kind = block.get("kind") if isinstance(block, dict) else None
        kind_label = f" ({kind})" if isinstance(kind, str) else ""
        names = [f"[[moment]] {location[1] + 1}{kind_label}", *names[2:]]
        return " ".join([names[0], *([f"`{'.'.join(names[1:])}`"] if names[1:] else [])])
    return f"`{'.'.join(names)}`"


def _known_settings(location: tuple[int | str, ...]) -> list[str]:
    """The settings that are known where an unknown one stands."""
    table = (
        _RowCondition
        if "when" in location[:-1]
        else _ValueCondition
        if "and_when" in location[:-1]
        else _Flag
        if "source_kept" in location[:-1]
        else _Rule
        if len(location) > 1
        else _MappingFile
    )
    return [field.alias or name for name, field in table.model_fields.items()]
