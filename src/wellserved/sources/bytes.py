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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from wellserved.errors import SourceError
from wellserved.sources.content import HEAD, name_archive, name_content

CHUNK = 1 << 20
MOST_BYTES = 64 << 30  # unpacked; a file this large wants splitting, not patience
RATIO = 200  # unpacked : packed, beyond which a compressed file is taken for a bomb
RATIO_FROM = 50 << 20  # bytes unpacked before the ratio is looked at
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is (0: unknown)."""


@dataclass(frozen=True)
class Text:
    """A file as plain UTF-8 text, and what was counted on the way."""

    path: Path  # UTF-8, no byte order mark, lines ended by LF or CR LF
    sha256: str  # of the file as given
    encoding: str  # as found: utf-8, utf-16, windows-1252 ...
    mended_lines: int  # lines that were not UTF-8 and were read as Windows-1252
    lines: int  # physical lines, blank ones too
    blank_lines: int
    longest_line: int  # bytes
    nul_bytes: int
    stray_returns: int  # carriage returns without a line feed


@dataclass
class _Counts:
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

    def see(self, chunk: bytes) -> None:
        self.size += len(chunk)
        lines = chunk.count(b"\n")
        self.newlines += lines
        if b"\0" in chunk:
            self.nuls += chunk.count(b"\0")
        joined = self.tail[-2:] + chunk
        if b"\r" in joined:
            self.returns += chunk.count(b"\r")
            self.pairs += joined.count(b"\r\n") - self.tail[-2:].count(b"\r\n")
        if not lines:
            self.line += len(chunk)
        else:
            self._measure(chunk)
        self.tail = joined[-2:]

    def _measure(self, chunk: bytes) -> None:
        """Lengths of lines, and how many are blank."""
        signs = np.frombuffer(chunk, dtype=np.uint8)
        ends = np.flatnonzero(signs == 10)
        lengths = np.diff(ends, prepend=-1 - self.line) - 1
        before = np.where(ends > 0, signs[np.maximum(ends - 1, 0)], self.tail[-1])
        self.blanks += int(((lengths == 0) | ((lengths == 1) & (before == 13))).sum())
        self.longest = max(self.longest, int(lengths.max()))
        self.line = len(chunk) - int(ends[-1]) - 1

    def text(self, path: Path, sha256: str, encoding: str, mended: int = 0) -> Text:
        unended = self.size > 0 and not self.tail.endswith(b"\n")
        return Text(
            path,
            sha256,
            encoding,
            mended,
            lines=self.newlines + unended,
            blank_lines=self.blanks,
            longest_line=max(self.longest, self.line),
            nul_bytes=self.nuls,
            stray_returns=self.returns - self.pairs,
        )


_DAMAGE = (
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
)


def _of_the_packer(name: str) -> bool:
    """A file that the packing program added by itself."""
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1] in (".DS_Store", "Thumbs.db")


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, out of gzip or a zip with one file in it."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic[:2] == b"\x1f\x8b":
        with gzip.open(path, "rb") as stream:
            yield stream  # type: ignore[misc]
    elif magic == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            members = [member for member in members if not _of_the_packer(member.filename)]
            name_archive(path.name, [member.filename for member in members])
            tables = [member for member in members if member.filename.lower().endswith((".csv", ".tsv", ".txt"))]
            chosen = tables or members
            if len(chosen) != 1:
                raise SourceError(f"{path.name} holds {len(chosen)} files.", "Unpack it and import them one by one.")
            with archive.open(chosen[0]) as stream:
                yield stream
    else:
        with path.open("rb") as stream:
            yield stream


def _chunks(path: Path, progress: Progress) -> Iterator[bytes]:
    """The unpacked bytes, with bombs and damaged archives refused."""
    packed = path.stat().st_size
    seen = 0
    try:
        with _unpacked(path) as stream:
            while chunk := stream.read(CHUNK):
                seen += len(chunk)
                if seen > MOST_BYTES or (seen > RATIO_FROM and seen > packed * RATIO):
                    raise SourceError(
                        f"{path.name} unpacks to more than {min(seen, MOST_BYTES) >> 20} MB from {packed >> 10} KB.",
                        "This looks like a decompression bomb; unpack it yourself if you trust it.",
                    )
                progress("Reading", seen, max(seen, packed))
                yield chunk
    except _DAMAGE as error:
        raise SourceError(f"{path.name} cannot be unpacked: {error}.", "Export or copy the file again.") from error
    except OSError as error:
        raise SourceError(
            f"{path.name} cannot be read: {error.strerror or error}.", "Check the path and try again."
        ) from error


def _sixteen_bits(head: bytes) -> str | None:
    """UTF-16 without a byte order mark shows as every other byte zero."""
    if len(head) < 8 or b"\0" not in head:
        return None
    even, odd = head[0::2].count(0) / len(head[0::2]), head[1::2].count(0) / len(head[1::2])
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


def open_text(path: Path, scratch: Path, progress: Progress) -> Text:
    """Unpack, decode and count a file.

    Raises SourceError where there is nothing to read: no file, empty, not a table of text, damaged, or a bomb.
    """
    if not path.is_file():
        raise SourceError(f"There is no file {path}.", "Check the name.")
    try:
        with path.open("rb") as file:
            compressed = file.read(4).startswith((b"\x1f\x8b", b"PK\x03\x04"))
    except OSError as error:
        raise SourceError(
            f"{path.name} cannot be read: {error.strerror or error}.", "Check who may read it."
        ) from error
    spool = scratch / "unpacked"
    counts, digest, decoder = _Counts(), hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    head, utf8 = b"", True
    with spool.open("wb") as copy:
        for chunk in _chunks(path, progress):
            if not head:
                head = chunk[:4096]
                name_content(path.name, chunk[:HEAD])
            counts.see(chunk)
            digest.update(chunk)
            if utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    utf8 = False
            if compressed:
                copy.write(chunk)
    if not counts.size:
        raise SourceError(f"{path.name} is empty.", "Export it again.")
    whole = spool if compressed else path
    sha256 = digest.hexdigest()
    wide = next((name for bom, name in BOMS if head.startswith(bom)), None) or _sixteen_bits(head)
    try:
        if utf8:  # a last character may have been cut
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        utf8 = False
    stray = counts.returns - counts.pairs
    mac = stray > 0 and (counts.newlines == 0 or (counts.newlines == 1 and counts.tail.endswith(b"\n")))
    if utf8 and not wide and not mac:
        return counts.text(whole, sha256, "utf-8")
    return _rewrite(path.name, whole, scratch / "text", sha256, wide, utf8, mac)


def _rewrite(name: str, whole: Path, target: Path, sha256: str, wide: str | None, utf8: bool, mac: bool) -> Text:
    """Write the text again as UTF-8: other encodings decoded, single bad lines read as Windows-1252."""
    counts, mended = _Counts(), 0
    mixed = not utf8 and wide in (None, "utf-8-sig")
    try:
        with target.open("wb") as out:
            for line, mend in _by_line(whole) if mixed else _decoded(whole, wide or "utf-8", mac):
                mended += mend
                data = line.encode("utf-8", "replace")
                counts.see(data)
                out.write(data)
    except UnicodeError as error:
        raise SourceError(
            f"{name} begins like {wide} text but is not ({error}).", "Save it again as UTF-8 and import that."
        ) from error
    return counts.text(target, sha256, "utf-8 with windows-1252" if mixed else wide or "utf-8", mended)


def _decoded(whole: Path, encoding: str, mac: bool) -> Iterator[tuple[str, bool]]:
    """Pieces of text, none of them mended; in old Mac files a carriage return ends the line."""
    with whole.open("r", encoding=encoding, newline="") as file:
        while piece := file.read(CHUNK):
            mac = mac or ("\n" not in piece and piece.count("\r") > 1)
            yield piece.replace("\r", "\n") if mac else piece, False


def _by_line(whole: Path) -> Iterator[tuple[str, bool]]:
    """Lines, each with whether it had to be read as Windows-1252; a byte order mark is left out."""
    with whole.open("rb") as file:
        if file.read(3) != codecs.BOM_UTF8:
            file.seek(0)
        while lines := file.readlines(CHUNK):
            for raw in lines:
                try:
                    yield raw.decode("utf-8"), False
                except UnicodeDecodeError:
                    yield raw.decode("cp1252", "backslashreplace"), True
