"""CSV as programs really write it: any delimiter, any encoding, with or without a header."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TextIO

from resolution.batch.columns import is_known_header
from resolution.batch.facts import FileFacts, unreadable
from resolution.batch.table import Refusal, Row, Table, check_names
from resolution.errors import InvalidInput

DELIMITERS = (",", ";", "\t", "|")
LONGEST_FIELD = 1_000_000
# Lines a quoted value may run over; beyond, its quotation mark was never closed.
MOST_LINES = 1_000
NOT_CLOSED = "quote not closed: a quotation mark without its other half"
_SAMPLE_CHARACTERS = 1 << 18
_SAMPLE_ROWS = 50
_LOOKS_LIKE_DATA = re.compile(r".*@.+\..+|.*\d{4}.*|\d+([.,/-]\d+)*")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# What spreadsheets write above the header to name the delimiter.
_DELIMITER_LINE = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)
# From this many columns on, two lines of exactly so many cells are two rows.
_MANY_COLUMNS = 5


def open_csv(facts: FileFacts, *, delimiter: str = "") -> Table:
    """Sniff delimiter and header of a CSV file and give its table; rows are read only when asked for."""
    lines = _sample(facts).splitlines(keepends=True)
    told = _DELIMITER_LINE.fullmatch(lines[0])
    lines = lines[bool(told) :]
    delimiter = _checked_delimiter(delimiter) or (told[1] if told else _sniff_delimiter(lines))
    rows = list(islice(_parsed(lines, delimiter), _SAMPLE_ROWS))
    first = next((row for row in rows if row), None)
    if first is None:
        raise InvalidInput(
            f"{facts.path} holds blank lines only; a header and rows are wanted.", path=str(facts.path)
        )
    headed = _is_header(first)
    names = check_names(first if headed else [""] * len(first), facts.path)
    return Table(
        names=names,
        rows=partial(_rows, facts, delimiter, bool(told), headed, len(names)),
        expected=max(facts.lines - headed - bool(told), 0),
        described={"kind": "csv", "delimiter": delimiter, "encoding": facts.encoding, "header": headed},
    )


def _sample(facts: FileFacts) -> str:
    with _text_of(facts) as file:
        try:
            return file.read(_SAMPLE_CHARACTERS)
        except (UnicodeError, OSError) as error:
            raise _cannot_decode(facts, error) from error


def _text_of(facts: FileFacts) -> TextIO:
    errors = (
        "replace" if facts.encoding.replace("_", "-").startswith(("utf-16", "utf-32")) else "surrogateescape"
    )
    try:
        return facts.path.open(encoding=facts.encoding, errors=errors, newline="")
    except OSError as error:
        raise unreadable(facts.path, error) from error


def _cannot_decode(facts: FileFacts, error: Exception) -> InvalidInput:
    if isinstance(error, OSError):
        return unreadable(facts.path, error)
    return InvalidInput(
        f"{facts.path} is not {facts.encoding} ({error}); name its encoding with --encoding.",
        path=str(facts.path),
    )


def _checked_delimiter(given: str) -> str:
    delimiter = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(
        given.lower(), given
    )
    if len(delimiter) > 1 or delimiter in {'"', "\n", "\r"}:
        raise InvalidInput(f"The delimiter “{given[:20]}” is not one character; give one, or the word tab.")
    return delimiter


def _sniff_delimiter(lines: list[str]) -> str:
    """The one that cuts most sample lines into the same number of columns, and into most columns."""
    return max(DELIMITERS, key=lambda delimiter: _evenness(lines[:_SAMPLE_ROWS], delimiter))


def _evenness(lines: list[str], delimiter: str) -> tuple[float, int]:
    widths = Counter(len(row) for row in _parsed(lines, delimiter) if row)
    if not widths:
        return (0.0, 0)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    return (count / widths.total() if width > 1 else 0.0, width)


def _parsed(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST_FIELD)
    try:
        yield from csv.reader(lines, delimiter=delimiter)
    except csv.Error:
        return


def _is_header(first: list[str]) -> bool:
    if any(is_known_header(cell) for cell in first):
        return True
    return not any(_LOOKS_LIKE_DATA.fullmatch(cell.strip()) for cell in first)


def _rows(facts: FileFacts, delimiter: str, told: bool, headed: bool, width: int) -> Iterator[Row | Refusal]:
    """Rows with anything in them, with the line each begins on, below what tells how to read them."""
    csv.field_size_limit(LONGEST_FIELD)
    with _text_of(facts) as file:
        parser = _Parser(file, delimiter, width)
        try:
            if told:
                next(parser.lines)
            if headed:
                parser.pass_header()
            yield from parser.rows()
        except (UnicodeError, OSError) as error:
            raise _cannot_decode(facts, error) from error


class _Lines:
    """The lines of a file; knows those of the record at hand and hands them out again when told to."""

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) == MOST_LINES:
            raise csv.Error(NOT_CLOSED)
        line = self._again.popleft() if self._again else next(self._file)
        self.taken.append(line)
        return line

    def begin_record(self) -> None:
        self.number += len(self.taken)
        self.taken = []

    def keep_first(self) -> None:
        """Let the record at hand be its first line; the others come again."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


class _Parser:
    """Records out of lines; what a stray quotation mark has torn open is read line by line instead."""

    def __init__(self, file: Iterable[str], delimiter: str, width: int) -> None:
        self.lines = _Lines(file)
        self._records = csv.reader(self.lines, delimiter=delimiter)
        self._delimiter = delimiter
        self._width = width
        self._other_half = 0

    def pass_header(self) -> None:
        """Pass the first record with anything in it."""
        next((found for found in self._found() if found), None)

    def rows(self) -> Iterator[Row | Refusal]:
        for found in self._found():
            if self._is_torn(found):
                yield self._refuse_first_line(found)
            elif isinstance(found, csv.Error):
                yield Refusal(self.lines.number, "", _parser_words(found), ())
            elif any(cell.strip() for cell in found):
                yield _checked(self.lines.number, found, self._width)

    def _found(self) -> Iterator[list[str] | csv.Error]:
        while True:
            self.lines.begin_record()
            try:
                yield next(self._records)
            except StopIteration:
                return
            except csv.Error as error:
                yield error

    def _is_torn(self, found: list[str] | csv.Error) -> bool:
        taken = self.lines.taken
        if self.lines.number == self._other_half:
            return True
        if len(taken) < 2:
            return False
        if isinstance(found, csv.Error) or len(found) != self._width or not self._closes():
            return True
        return self._are_rows(taken[0], taken[-1])

    def _closes(self) -> bool:
        """Whether every quotation mark of the record at hand is where one belongs."""
        try:
            return bool(next(csv.reader(self.lines.taken, delimiter=self._delimiter, strict=True)))
        except csv.Error:
            return False

    def _are_rows(self, first: str, last: str) -> bool:
        """Whether the ends of a record are each a row in themselves: as wide as one, and holding the same."""
        one, other = self._cells(first), self._cells(last)
        if not len(one) == len(other) == self._width:
            return False
        return self._width >= _MANY_COLUMNS or any(
            _LOOKS_LIKE_DATA.fullmatch(left) and _LOOKS_LIKE_DATA.fullmatch(right)
            for left, right in zip(one, other, strict=True)
        )

    def _cells(self, line: str) -> list[str]:
        """Cut one line at its delimiters, but for those between two quotation marks of one value."""
        edge = re.escape(self._delimiter)
        value = re.compile(rf'(?:(?<={edge})|^)"((?:[^"]|"")*)"(?={edge}|$)')
        bare = value.sub(lambda found: found[1].replace(self._delimiter, " "), line.strip("\r\n"))
        return [cell.strip(' "') for cell in bare.split(self._delimiter)]

    def _refuse_first_line(self, found: list[str] | csv.Error) -> Refusal:
        """Refuse the line the record begins on; the line its quotation mark was closed by is no better."""
        lines = self.lines
        if len(lines.taken) > 1 and not isinstance(found, csv.Error) and self._closes():
            self._other_half = lines.number + len(lines.taken) - 1
        raw = tuple(lines.taken[0].rstrip("\r\n").split(self._delimiter))
        lines.keep_first()
        return Refusal(lines.number, "", NOT_CLOSED, raw)


def _parser_words(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a value of more than {LONGEST_FIELD:,} characters; perhaps a quotation mark is not closed"
    return f"not CSV: {error}"


def _checked(line: int, cells: list[str], width: int) -> Row | Refusal:
    if len(cells) != width:
        return Refusal(line, "", f"{len(cells)} values where {width} columns are", tuple(cells))
    if any(_LONE_SURROGATE.search(cell) for cell in cells if not cell.isascii()):
        return Refusal(line, "", "bytes that are not of the file's encoding", tuple(cells))
    return Row(line, tuple(cells))
