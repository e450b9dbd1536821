"""From any file to plain UTF-8 text on disk, with what was seen on the way counted.

Nothing is held in memory whole: bytes are read in chunks, unpacked, counted, hashed, and where they are
not plain UTF-8 already, written again into the scratch folder as such.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from wellserved.errors import SourceError
from wellserved.progress import ProgressCallback
from wellserved.sources.code_page import guess_code_page
from wellserved.sources.content import HEAD_BYTES, is_workbook, refuse_document_archive, refuse_other_content

CHUNK_BYTES = 1 << 20
MAX_UNPACKED_BYTES = 64 << 30  # unpacked; a file this large wants splitting, not patience
MAX_UNPACK_RATIO = 200  # unpacked : packed, beyond which a compressed file is taken for a bomb
MIN_BYTES_FOR_RATIO = 50 << 20  # bytes unpacked before the ratio is looked at
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


_PAGE_NAMES = {"cp1252": "windows-1252", "cp1250": "windows-1250", "cp1251": "windows-1251", "cp932": "shift-jis"}


@dataclass(frozen=True)
class TextFile:
    """A file as plain UTF-8 text, and what was counted on the way."""

    path: Path  # UTF-8, no byte order mark, lines ended by LF or CR LF
    sha256: str  # of the file as given
    encoding: str  # as found: utf-8, utf-16, windows-1252 ...
    mended_lines: int  # lines that were not UTF-8 and were read by an old code page
    lines: int  # physical lines, blank ones too
    blank_lines: int
    longest_line: int  # bytes
    nul_bytes: int
    stray_returns: int  # carriage returns without a line feed


@dataclass
class LineCounts:
    """What one pass over the bytes sees."""

    size: int = 0
    newlines: int = 0
    returns: int = 0
    pairs: int = 0
    nuls: int = 0
    blanks: int = 0
    line: int = 0
    longest: int = 0
    tail: bytes = b"\n"  # a blank first line counts as blank

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        lines = chunk.count(b"\n")
        self.newlines += lines
        if b"\0" in chunk:
            self.nuls += chunk.count(b"\0")
        joint = self.tail[-2:] + chunk
        if b"\r" in joint:
            self.returns += chunk.count(b"\r")
            self.pairs += joint.count(b"\r\n") - self.tail[-2:].count(b"\r\n")
        if not lines:
            self.line += len(chunk)
        else:
            self._measure(chunk)
        self.tail = joint[-2:]

    def _measure(self, chunk: bytes) -> None:
        """Lengths of lines, and how many are blank."""
        codes = np.frombuffer(chunk, dtype=np.uint8)
        ends = np.flatnonzero(codes == 10)
        lengths = np.diff(ends, prepend=-1 - self.line) - 1
        previous_codes = np.where(ends > 0, codes[np.maximum(ends - 1, 0)], self.tail[-1])
        self.blanks += int(((lengths == 0) | ((lengths == 1) & (previous_codes == 13))).sum())
        self.longest = max(self.longest, int(lengths.max()))
        self.line = len(chunk) - int(ends[-1]) - 1

    def text(self, path: Path, sha256: str, encoding: str, mended_lines: int = 0) -> TextFile:
        open_end = self.size > 0 and not self.tail.endswith(b"\n")
        return TextFile(
            path,
            sha256,
            encoding,
            mended_lines,
            lines=self.newlines + open_end,
            blank_lines=self.blanks,
            longest_line=max(self.longest, self.line),
            nul_bytes=self.nuls,
            stray_returns=self.returns - self.pairs,
        )


DAMAGE_ERRORS = (
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
)


_NO_TABLES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".docx", ".pptx", ".md")  # pictures and documents


def _is_packer_file(name: str) -> bool:
    """A file that the packing program added by itself."""
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1] in (".DS_Store", "Thumbs.db")


def archive_files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of a zip that may hold rows; of a zip of nothing else, all that somebody put there."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    members = [member for member in members if not _is_packer_file(member.filename)]
    return [member for member in members if not member.filename.lower().endswith(_NO_TABLES)] or members


def is_workbook_archive(path: Path) -> bool:
    """Whether a zip is a spreadsheet. Raises SourceError where it would unpack to more than a machine can take."""
    with zipfile.ZipFile(path) as archive:
        members = archive_files(archive)
    if not is_workbook(member.filename for member in members):
        return False
    unpacked_size, packed_size = sum(member.file_size for member in members), path.stat().st_size
    check_unpacked_size(path.name, unpacked_size, packed_size)
    return True


def check_unpacked_size(name: str, unpacked_size: int, packed_size: int) -> None:
    """Raises SourceError where a packed file holds more than it can in earnest."""
    if unpacked_size > MAX_UNPACKED_BYTES or (
        unpacked_size > MIN_BYTES_FOR_RATIO and unpacked_size > packed_size * MAX_UNPACK_RATIO
    ):
        raise SourceError(
            f"{name} unpacks to more than {min(unpacked_size, MAX_UNPACKED_BYTES) >> 20} MB from {packed_size >> 10} KB.",
            "This looks like a decompression bomb; unpack it yourself if you trust it.",
        )


@contextmanager
def open_unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, out of gzip or a zip with one file in it."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic[:2] == b"\x1f\x8b":
        with gzip.open(path, "rb") as stream:
            yield stream  # type: ignore[misc]
    elif magic == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            members = archive_files(archive)
            refuse_document_archive(path.name, [member.filename for member in members])
            if len(members) != 1:
                raise SourceError(f"{path.name} holds {len(members)} files.", "Unpack it and look at them one by one.")
            with archive.open(members[0]) as stream:
                yield stream
    else:
        with path.open("rb") as stream:
            yield stream


def read_chunks(path: Path, on_progress: ProgressCallback) -> Iterator[bytes]:
    """The unpacked bytes, with bombs and damaged archives refused."""
    packed_size = path.stat().st_size
    unpacked_size = 0
    try:
        with open_unpacked(path) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                unpacked_size += len(chunk)
                check_unpacked_size(path.name, unpacked_size, packed_size)
                on_progress("Reading", unpacked_size, max(unpacked_size, packed_size))
                yield chunk
    except DAMAGE_ERRORS as error:
        raise SourceError(f"{path.name} cannot be unpacked: {error}.", "Export or copy the file again.") from error
    except OSError as error:
        raise SourceError(
            f"{path.name} cannot be read: {error.strerror or error}.", "Check the path and try again."
        ) from error


def _utf16_variant(head: bytes) -> str | None:
    """UTF-16 without a byte order mark shows as every other byte zero."""
    if len(head) < 8 or b"\0" not in head:
        return None
    even_zeros, odd_zeros = head[0::2].count(0) / len(head[0::2]), head[1::2].count(0) / len(head[1::2])
    if odd_zeros > 0.4 and even_zeros < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even_zeros > 0.4 and odd_zeros < 0.1 else None


def open_text(path: Path, scratch: Path, on_progress: ProgressCallback) -> TextFile:
    """Unpack, decode and count a file.

    Raises SourceError where there is nothing to read: no file, empty, not a table of text, damaged, or a bomb.
    """
    if not path.is_file():
        raise SourceError(f"There is no file {path}.", "Check the name.")
    try:
        with path.open("rb") as file:
            is_compressed = file.read(4).startswith((b"\x1f\x8b", b"PK\x03\x04"))
    except OSError as error:
        raise SourceError(
            f"{path.name} cannot be read: {error.strerror or error}.", "Check who may read it."
        ) from error
    spool = scratch / "unpacked"
    counts, digest, decoder = LineCounts(), hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    head, is_utf8 = b"", True
    with spool.open("wb") as spool_file:
        for chunk in read_chunks(path, on_progress):
            if not head:
                head = chunk[:4096]
                refuse_other_content(path.name, chunk[:HEAD_BYTES])
            counts.add(chunk)
            digest.update(chunk)
            if is_utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    is_utf8 = False
            if is_compressed:
                spool_file.write(chunk)
    if not counts.size:
        raise SourceError(f"{path.name} is empty.", "Export it again.")
    source = spool if is_compressed else path
    sha256 = digest.hexdigest()
    wide_encoding = next((name for bom, name in BOMS if head.startswith(bom)), None) or _utf16_variant(head)
    try:
        if is_utf8:  # a last character may have been cut
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        is_utf8 = False
    stray_returns = counts.returns - counts.pairs
    is_mac = stray_returns > 0 and (counts.newlines == 0 or (counts.newlines == 1 and counts.tail.endswith(b"\n")))
    if is_utf8 and not wide_encoding and not is_mac:
        return counts.text(source, sha256, "utf-8")
    return _rewrite_as_utf8(path.name, source, scratch / "text", sha256, wide_encoding, is_utf8, is_mac)


def _rewrite_as_utf8(
    name: str, source: Path, target: Path, sha256: str, wide_encoding: str | None, is_utf8: bool, is_mac: bool
) -> TextFile:
    """Write the text again as UTF-8: other encodings decoded, lines that are not UTF-8 read by an old code page."""
    counts, mended_lines = LineCounts(), 0
    is_mixed = not is_utf8 and wide_encoding in (None, "utf-8-sig")
    code_page = guess_code_page(source) if is_mixed else ""
    try:
        with target.open("wb") as stream:
            for line, is_mended in (
                _decode_lines(source, code_page)
                if is_mixed
                else _decode_pieces(source, wide_encoding or "utf-8", is_mac)
            ):
                mended_lines += is_mended
                data = line.encode("utf-8", "replace")
                counts.add(data)
                stream.write(data)
    except UnicodeError as error:
        raise SourceError(
            f"{name} begins like {wide_encoding} text but is not ({error}).", "Save it again as UTF-8 and import that."
        ) from error
    return counts.text(
        target, sha256, f"utf-8 with {_PAGE_NAMES[code_page]}" if is_mixed else wide_encoding or "utf-8", mended_lines
    )


def _decode_pieces(source: Path, encoding: str, is_mac: bool) -> Iterator[tuple[str, bool]]:
    """Pieces of text, none of them mended; in old Mac files a carriage return ends the line."""
    with source.open("r", encoding=encoding, newline="") as file:
        while chunk := file.read(CHUNK_BYTES):
            is_mac = is_mac or ("\n" not in chunk and chunk.count("\r") > 1)
            yield chunk.replace("\r", "\n") if is_mac else chunk, False


def _decode_lines(source: Path, code_page: str) -> Iterator[tuple[str, bool]]:
    """Lines, each with whether it had to be read by a code page; a byte order mark is left out."""
    with source.open("rb") as file:
        if file.read(3) != codecs.BOM_UTF8:
            file.seek(0)
        while lines := file.readlines(CHUNK_BYTES):
            for raw_line in lines:
                try:
                    yield raw_line.decode("utf-8"), False
                except UnicodeDecodeError:
                    yield raw_line.decode(code_page, "backslashreplace"), True
