"""CSV as programs really write it: any delimiter, any encoding, with or without a header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, TextIO

from resolution.batch.columns import is_known_header
from resolution.batch.facts import FileFacts, unreadable
from resolution.batch.table import Refusal, Row, Table, check_names
from resolution.errors import InvalidInput

DELIMITERS = (",", ";", "\t", "|")
LONGEST_FIELD = 1_000_000
_SAMPLE_CHARACTERS = 1 << 18
_SAMPLE_ROWS = 50
_LOOKS_LIKE_DATA = re.compile(r".*@.+\..+|.*\d{4}.*|\d+([.,/-]\d+)*")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def open_csv(facts: FileFacts, *, delimiter: str = "") -> Table:
    """Sniff delimiter and header of a CSV file and give its table; rows are read only when asked for."""
    sample = _sample(facts)
    delimiter = _checked_delimiter(delimiter) or _sniff_delimiter(sample)
    rows = list(islice(_parsed(sample.splitlines(keepends=True), delimiter), _SAMPLE_ROWS))
    first = next((row for row in rows if row), None)
    if first is None:
        raise InvalidInput(
            f"{facts.path} holds blank lines only; a header and rows are wanted.", path=str(facts.path)
        )
    headed = _is_header(first)
    names = check_names(first if headed else [""] * len(first))
    return Table(
        names=names,
        rows=lambda: _rows(facts, delimiter, headed, len(names)),
        expected=max(facts.lines - headed, 0),
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


def _sniff_delimiter(sample: str) -> str:
    """The one that cuts most sample lines into the same number of columns, and into most columns."""
    lines = sample.splitlines(keepends=True)[:_SAMPLE_ROWS]
    return max(DELIMITERS, key=lambda delimiter: _evenness(lines, delimiter))


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


def _rows(facts: FileFacts, delimiter: str, headed: bool, width: int) -> Iterator[Row | Refusal]:
    csv.field_size_limit(LONGEST_FIELD)
    with _text_of(facts) as file:
        reader = csv.reader(file, delimiter=delimiter)
        found = _filled_rows(reader, facts)
        for line, cells in islice(found, int(headed), None):
            yield cells if isinstance(cells, Refusal) else _checked(line, cells, width)


def _filled_rows(reader: Any, facts: FileFacts) -> Iterator[tuple[int, list[str] | Refusal]]:
    """Rows with anything in them, with the line each begins on; a row the parser gives up on is a refusal."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, Refusal(line, "", _parser_words(error), ())
        except (UnicodeError, OSError) as error:
            raise _cannot_decode(facts, error) from error
        else:
            if any(cell.strip() for cell in cells):
                yield line, cells


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
