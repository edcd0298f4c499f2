"""What a file is before it is read: its kind, its hash, its encoding, about how many rows it has."""

from __future__ import annotations

import codecs
import hashlib
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from resolution.errors import InvalidInput, NotFound

_CHUNK = 1 << 20
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "a SQLite database"),
    (b"<", "a web page or XML"),
)
# Letters that eight bits have beyond ASCII, in all their encodings.
_BEYOND_ASCII, _WORDS_BEYOND_ASCII = re.compile(rb"[\xc0-\xff]"), re.compile(rb"[\xc0-\xff]{3,}")
# Objects of JSON, one a line or in a list.
_JSON = re.compile(rb"\s*(?:\[\s*)?\{\s*(?:\"|\})")


@dataclass(frozen=True)
class FileFacts:
    """A readable file; `lines` counts the line ends of a text, `encoding` is empty for Parquet.

    `identity` changes when the file is replaced or written to.
    """

    path: Path
    kind: str
    encoding: str
    lines: int
    identity: tuple[int, int, int]

    @cached_property
    def sha256(self) -> str:
        """The hash of the content, in hex; reads the file. Raises InvalidInput where it cannot be read."""
        digest = hashlib.sha256()
        for chunk in _chunks(self.path):
            digest.update(chunk)
        return digest.hexdigest()


def examine(path: Path, *, encoding: str = "") -> FileFacts:
    """Look at a file, at a text from end to end; memory stays flat.

    Raises NotFound or InvalidInput saying why the file cannot serve.
    """
    _check_encoding(encoding)
    identity = identity_of(path)
    head = _head(path)
    kind = _kind(path, head)
    if kind == "parquet":
        return FileFacts(path, kind, encoding, 0, identity)
    lines, is_utf8 = _walk(path)
    return FileFacts(path, kind, encoding or _encoding(head, is_utf8), lines, identity)


def identity_of(path: Path) -> tuple[int, int, int]:
    """Give what changes when a file does; raises NotFound or InvalidInput where there is none to read."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}. Check the name and the folder.", path=str(path)) from None
    except OSError as error:
        raise unreadable(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise InvalidInput(f"{path} is a folder; name one CSV or Parquet file in it.", path=str(path))
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(
            f"{path} is not an ordinary file; copy its content into one first.", path=str(path)
        )
    return status.st_ino, status.st_size, status.st_mtime_ns


def unreadable(path: Path, error: OSError) -> InvalidInput:
    """Say in a sentence that the system would not give a file's content."""
    why = error.strerror or type(error).__name__
    return InvalidInput(f"{path} cannot be read ({why}): check the file and who may read it.", path=str(path))


def unwritable(path: Path, error: OSError) -> InvalidInput:
    """Say in a sentence that the system would not take what was to be written."""
    why = error.strerror or type(error).__name__
    return InvalidInput(f"{path} cannot be written ({why}): name another place.", path=str(path))


def _check_encoding(encoding: str) -> None:
    try:
        codecs.lookup(encoding or "utf-8")
    except LookupError:
        raise InvalidInput(
            f"There is no encoding “{encoding[:40]}”; usual ones are utf-8, utf-16, cp1252 and iso-8859-2.",
            encoding=encoding[:40],
        ) from None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError as error:
        raise unreadable(path, error) from error


def _kind(path: Path, head: bytes) -> str:
    if not head.strip():
        raise InvalidInput(f"{path} is empty; a file with a header and rows is wanted.", path=str(path))
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    foreign = next((what for mark, what in _FOREIGN if start.startswith(mark)), "")
    if foreign or _JSON.match(start):
        raise InvalidInput(f"{path} is {foreign or 'JSON'}; save it as CSV or Parquet first.", path=str(path))
    return "parquet" if head.startswith(b"PAR1") else "csv"


def _walk(path: Path) -> tuple[int, bool]:
    lines, decoder = 0, _Utf8Check()
    for chunk in _chunks(path):
        lines += chunk.count(b"\n")
        decoder.feed(chunk)
    return lines, decoder.passed()


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise unreadable(path, error) from error


class _Utf8Check:
    """Whether bytes that come in pieces are UTF-8 as a whole."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._failed = False

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        if self._failed:
            return
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self._failed = True

    def passed(self) -> bool:
        self.feed(b"", final=True)
        return not self._failed


def _encoding(head: bytes, is_utf8: bool) -> str:
    for mark, name in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return name
    return _utf16_without_mark(head) or ("utf-8" if is_utf8 else _eight_bits(head))


def _eight_bits(head: bytes) -> str:
    """Cyrillic where letters beyond ASCII make whole words, else Western, where they stand among others."""
    beyond, in_words = len(_BEYOND_ASCII.findall(head)), sum(map(len, _WORDS_BEYOND_ASCII.findall(head)))
    return "cp1251" if in_words > beyond / 2 else "cp1252"


def _utf16_without_mark(head: bytes) -> str:
    """Every second byte of Western text in UTF-16 is zero."""
    pairs = max(len(head) // 2, 1)
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.4 * pairs and even < 0.1 * pairs:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * pairs and odd < 0.1 * pairs else ""
