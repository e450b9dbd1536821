"""JSON: an array of records, records one a line or one after the other, or a list of records inside an object.

Nested fields get the path as their name (`requester.id`); a list of plain values becomes one text; a list of objects
stays as it stands, unless the mapping names it as the part whose members are the rows. Numbers keep their spelling.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.sources.bytes import read_chunks
from wellserved.sources.records import RecordFile, RecordWriter
from wellserved.sources.table import BrokenRow

MAX_PATH = 3  # names of objects in which a list of records is looked for
MAX_RECORD_CHARACTERS = 64 << 20
_ODD_BYTES = re.compile("[\udc80-\udcff]+")
_BLANK = re.compile(r"[ \t\r\n]*")
_PAGE_FIELDS = frozenset(
    [
        "count",
        "total",
        "next",
        "next_page",
        "previous",
        "previous_page",
        "prev",
        "page",
        "pages",
        "per_page",
        "limit",
        "offset",
        "meta",
        "links",
        "has_more",
        "end_of_stream",
        "after_url",
        "before_url",
        "after_cursor",
        "before_cursor",
        "end_time",
        "cursor",
        "success",
        "error",
        "status",
    ]
)
_BLANK_OR_COMMA = re.compile(r"[ \t\r\n,]*")
_decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=lambda _: None)


class Piece(NamedTuple):
    """A value of the file, with the number of its row."""

    number: int
    value: Any


class _Text:
    """The file's text, piece by piece, with its hash and what had to be mended."""

    def __init__(self, path: Path, on_progress: ProgressCallback) -> None:
        self._path, self._on_progress = path, on_progress
        self.digest = hashlib.sha256()
        self.mended = 0
        self._pieces: Iterator[str] = iter(())

    def chunks(self) -> Iterator[str]:
        """Pieces of the text from the beginning; bytes that are not UTF-8 are read as Windows-1252."""
        self._pieces = self._decode()
        return self._pieces

    def read_to_end(self) -> None:
        """What nobody asked for is read as well: the hash is that of the whole."""
        for _ in self._pieces:
            pass

    def _decode(self) -> Iterator[str]:
        self.digest, self.mended, decoder = hashlib.sha256(), 0, None
        for chunk in read_chunks(self._path, self._on_progress):
            self.digest.update(chunk)
            if decoder is None:
                is_wide = chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                decoder = codecs.getincrementaldecoder("utf-16" if is_wide else "utf-8-sig")(
                    "replace" if is_wide else "surrogateescape"
                )
            yield self._mend(decoder.decode(chunk))
        if decoder is not None:
            yield self._mend(decoder.decode(b"", final=True))

    def _mend(self, text: str) -> str:
        mended_text, count = _ODD_BYTES.subn(_as_windows_1252, text)
        self.mended += count
        return mended_text


def _as_windows_1252(match: re.Match[str]) -> str:
    return match[0].encode("utf-8", "surrogateescape").decode("cp1252", "replace")


class _Scanner:
    """Reads values off a text that arrives in pieces."""

    def __init__(self, chunks: Iterable[str]) -> None:
        self._chunks = iter(chunks)
        self._buffer, self._position = "", 0
        self._at_end = False

    def _read_more(self) -> bool:
        """Another piece behind what is left; False where the text ends."""
        rest = self._buffer[self._position :]
        step = max(len(rest), 1)  # twice as much each time, so that a long value is not begun too often
        pieces = [rest]
        while step > 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._at_end = True
                break
            pieces.append(chunk)
            step -= len(chunk)
        self._buffer, self._position = "".join(pieces), 0
        return len(self._buffer) > len(rest)

    def peek(self, skipped: re.Pattern[str] = _BLANK) -> str:
        """The next character after blanks; empty at the end."""
        while True:
            self._position = skipped.match(self._buffer, self._position).end()  # type: ignore[union-attr]
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if self._at_end or not self._read_more():
                return ""

    def take(self, character: str) -> bool:
        """Step over this character, if it is the next."""
        if self.peek() != character:
            return False
        self._position += 1
        return True

    def value(self) -> Any:
        """The next value. Raises ValueError where there is none."""
        self.peek()
        while True:
            try:
                value, end = _decoder.raw_decode(self._buffer, self._position)
            except ValueError:
                too_long = len(self._buffer) - self._position > MAX_RECORD_CHARACTERS
                if too_long or self._at_end or not self._read_more():
                    raise
                continue
            length = end - self._position
            if end < len(self._buffer) or self._at_end or not self._read_more():  # a number may go on in the next piece
                self._position += length
                return value

    def rest(self) -> str:
        """What comes next, for a message."""
        return self._buffer[self._position : self._position + 80].split("\n", 1)[0]


def _members(scanner: _Scanner, closing: str) -> Iterator[Piece | BrokenRow]:
    """The members of an array, or values one after the other (closing: empty)."""
    number = 0
    while (character := scanner.peek(_BLANK_OR_COMMA)) and character != closing:
        number += 1
        try:
            yield Piece(number, scanner.value())
        except (ValueError, RecursionError):
            yield BrokenRow(number, scanner.rest(), "is no JSON from here on; what follows it could not be read")
            return
    if closing and not scanner.take(closing):
        yield BrokenRow(number + 1, "", "is missing: the list never closes, so the file was cut off")


def _lines(chunks: Iterable[str]) -> Iterator[Piece | BrokenRow]:
    """The values of JSON Lines, each with its line's number."""
    number, rest = 0, ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            number += 1
            if line.strip():
                yield _line_value(number, line)
        if len(rest) > MAX_RECORD_CHARACTERS:
            raise SourceError(f"Line {number + 1} is longer than {MAX_RECORD_CHARACTERS >> 20} MB.", "Export again.")
    if rest.strip():
        yield _line_value(number + 1, rest)


def _line_value(number: int, line: str) -> Piece | BrokenRow:
    try:
        return Piece(number, _decoder.decode(line))
    except (ValueError, RecursionError):
        return BrokenRow(number, line.strip()[:2000], "is no JSON")


def _lists(scanner: _Scanner) -> Iterator[Piece | BrokenRow]:
    """The members of one list, or of several that stand one behind the other, as programs write that fetch page by page."""
    number = 0
    while scanner.take("["):
        for item in _members(scanner, "]"):
            number += 1
            if isinstance(item, BrokenRow):
                yield BrokenRow(number, item.line, item.reason)
                return
            yield Piece(number, item.value)
    if scanner.peek():
        yield BrokenRow(number + 1, scanner.rest(), "stands behind the list and belongs to none")


def _names(scanner: _Scanner) -> Iterator[str]:
    """The names in the object that begins here; whoever asks takes the value of each."""
    scanner.take("{")
    while scanner.peek(_BLANK_OR_COMMA) not in ("", "}"):
        name = scanner.value()
        if not isinstance(name, str) or not scanner.take(":"):
            raise ValueError("no name and value")
        yield name
    scanner.take("}")


class _CutListError(Exception):
    """A list in an object ends too early: where it is read, it is refused there."""

    def __init__(self, paths: list[tuple[str, ...]]) -> None:
        super().__init__()
        self.paths = paths


def _skip_object(scanner: _Scanner, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Read past an object; the paths in it, of MAX_PATH + 1 names at most, under which lists of records stand."""
    paths = []
    for name in _names(scanner):
        if scanner.take("["):
            if scanner.peek() == "{":
                paths.append((*path, name))
            if any(isinstance(item, BrokenRow) for item in _members(scanner, "]")):
                raise _CutListError(paths)
        elif scanner.peek() == "{" and len(path) < MAX_PATH:
            paths += _skip_object(scanner, (*path, name))
        else:
            scanner.value()
    return paths


def _object_members(scanner: _Scanner, path: tuple[str, ...]) -> Iterator[Piece | BrokenRow]:
    """The members of one of an object's lists."""
    for name in _names(scanner):
        if name != path[0]:
            if scanner.peek() == "{":
                _skip_object(scanner)
            else:
                scanner.value()
        elif len(path) > 1:
            yield from _object_members(scanner, path[1:])
            return
        elif scanner.take("["):
            yield from _members(scanner, "]")
            return


def _is_record_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(member, dict) for member in value)


def open_json(path: Path, scratch: Path, on_progress: ProgressCallback, part: str = "") -> RecordFile:
    """Read a file of JSON into rows.

    `part`: which of several lists holds the records, and the list inside each record whose members are the rows
    (`ticket_events.child_events`). Raises SourceError where that is left open, no record has it, or there are no records.
    """
    text = _Text(path, on_progress)
    shape, pieces, inner_part = _pieces(path.name, text, part)
    writer = RecordWriter(scratch, path.name)
    has_part = not inner_part
    for piece in pieces:
        if isinstance(piece, BrokenRow):
            writer.refuse(piece)
        elif not isinstance(piece.value, dict):
            writer.refuse(BrokenRow(piece.number, str(piece.value)[:200], "is no record: it has no fields"))
        else:
            has_part = _add_rows(writer, piece, inner_part) or has_part
    text.read_to_end()
    if not has_part:
        raise SourceError(
            f"{path.name}: no record has a list {'.'.join(inner_part)!r}.", "Look at its columns: `wellserved inspect`."
        )
    return writer.finish(shape, text.digest.hexdigest(), part=part, encoding="utf-8", mended_lines=text.mended)


def _add_rows(writer: RecordWriter, piece: Piece, inner_part: list[str]) -> bool:
    """A record as rows; whether it has the list whose members they are."""
    members = _value_at(piece.value, inner_part) if inner_part else None
    has_members = _is_record_list(members)
    number = writer.next_number if inner_part else piece.number
    if members and not has_members:
        reason = f"has something in its list {'.'.join(inner_part)} that is no record"
        writer.refuse(BrokenRow(number, str(piece.value)[:200], reason))
        return False
    try:
        rows = list(_rows(piece.value, inner_part, members if has_members else None))
    except RecursionError:
        writer.refuse(BrokenRow(number, "", "is nested too deeply"))
        return has_members
    for cells in rows:
        writer.add(writer.next_number if inner_part else piece.number, cells)
    return has_members


def _pieces(name: str, text: _Text, part: str) -> tuple[str, Iterator[Piece | BrokenRow], list[str]]:
    """How the records are written, the records, and the path to the list inside each whose members are the rows."""
    inner_path = part.split(".") if part else []
    scanner = _Scanner(text.chunks())
    if scanner.peek() == "[":
        return "JSON, a list of records", _lists(_Scanner(text.chunks())), inner_path
    try:
        paths = _skip_object(scanner)
        follower = scanner.peek(_BLANK_OR_COMMA)
    except _CutListError as cut:
        paths, follower = cut.paths, ""
    except (ValueError, RecursionError) as error:
        if not _has_one_a_line(text):
            raise SourceError(f"{name} begins like JSON and breaks off.", "Export it again.") from error
        paths, follower = [], "?"  # a first line that is broken is one row, not the file
    if follower == "{" and len(paths) == 1 and not part and _is_page(text, paths[0]):
        return f"JSON, list {paths[0][0]} of many pages", _page_members(text, paths[0][0]), []
    if follower == "{" and not _has_one_a_line(text):
        return "JSON records one after the other", _members(_Scanner(text.chunks()), ""), inner_path
    if follower:
        return "JSON Lines", _lines(text.chunks()), inner_path
    if not paths:
        return _lone_record(name, text, inner_path)
    chosen = next((path for path in paths if f"{part}.".startswith(f"{'.'.join(path)}.")), None)
    if chosen is None and len(paths) > 1:
        listed = [".".join(path) for path in paths]
        raise SourceError(
            f"{name} holds several lists: {', '.join(listed)}.",
            f"Say which of them holds the records: --part {listed[0]}.",
        )
    inner_path = inner_path[len(chosen) :] if chosen else inner_path
    chosen = chosen or paths[0]
    return f"JSON, list {'.'.join(chosen)}", _object_members(_Scanner(text.chunks()), chosen), inner_path


def _is_page(text: _Text, path: tuple[str, ...]) -> bool:
    """Whether an object is a page of records, as programs write them one behind the other: it has nothing else to tell."""
    try:
        record = _Scanner(text.chunks()).value()
    except (ValueError, RecursionError):
        return False
    return len(path) == 1 and {name.casefold() for name in record if name != path[0]} <= _PAGE_FIELDS


def _page_members(text: _Text, name: str) -> Iterator[Piece | BrokenRow]:
    """The records of all pages, numbered through."""
    number = 0
    for page in _members(_Scanner(text.chunks()), ""):
        members = None if isinstance(page, BrokenRow) else _value_at(page.value, [name])
        if not isinstance(members, list):
            number += 1
            yield BrokenRow(number, "", f"is no page with a list {name}")
            continue
        for member in members:
            number += 1
            yield Piece(number, member)


def _lone_record(name: str, text: _Text, path: list[str]) -> tuple[str, Iterator[Piece | BrokenRow], list[str]]:
    """A file of one record; refused where its fields are records themselves, under their ids."""
    record = _Scanner(text.chunks()).value()
    if len(record) > 1 and all(isinstance(value, dict) for value in record.values()):
        raise SourceError(
            f"{name} is one JSON object with records under their ids, not a list of records.",
            "Write it as a list: [{...}, {...}], or one record a line.",
        )
    return "JSON, one record", iter([Piece(1, record)]), path


def _has_one_a_line(text: _Text) -> bool:
    """Most of the first lines are values by themselves."""
    lines: list[str] = []
    for chunk in text.chunks():
        lines += [line for line in chunk.split("\n") if line.strip()]
        if len(lines) > 1:
            break
    sample = lines[: min(10, max(len(lines) - 1, 1))]  # the last one may have been cut
    values = [_line_value(1, line) for line in sample]
    return sum(isinstance(value, Piece) and isinstance(value.value, dict) for value in values) >= 0.5 * len(sample)


def _value_at(record: dict[str, Any], path: list[str]) -> Any:
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _without(record: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The record without what stands at a path; all else as it is."""
    if len(path) == 1:
        return {name: value for name, value in record.items() if name != path[0]}
    return {**record, path[0]: _without(record[path[0]], path[1:])}


def _rows(
    record: dict[str, Any], path: list[str], members: list[dict[str, Any]] | None
) -> Iterator[dict[str, str | None]]:
    """The record as a row, or a row for each of these members of its list at `path`, with the record's other fields."""
    if members is None:
        yield flatten(record)
        return
    own_fields = flatten(_without(record, path))
    for member in members:
        yield own_fields | flatten(member, ".".join(path) + ".")


def flatten(record: dict[str, Any], prefix: str = "") -> dict[str, str | None]:
    """A record's fields by their paths, as text; of two under one path the second is called path_2."""
    cells: dict[str, str | None] = {}
    for name, value in record.items():
        fields = flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": _cell(value)}
        for path, cell in fields.items():
            cells[path if path not in cells else f"{path}_2"] = cell
    return cells


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        if any(isinstance(member, dict | list) for member in value):
            return json.dumps(value, ensure_ascii=False)
        return "; ".join(filter(None, map(_cell, value)))
    return str(value)
