"""Which days can be a birth date: the one check of everything that takes one."""

from __future__ import annotations

import re
from datetime import date

from django.utils import timezone

from resolution.errors import InvalidInput
from resolution.matching.normalise import junk
from resolution.matching.normalise.date import EARLIEST_YEAR, normalise_date
from resolution.matching.normalise.text import fold_text

EARLIEST = date(EARLIEST_YEAR, 1, 1)
_NUMBER = re.compile(r"\d+")


def check_birth_date(day: date) -> date:
    """Return a day somebody can have been born on. Raises InvalidInput for another."""
    if fault := fault_of(day):
        raise InvalidInput(f"birth_date {fault}", field="birth_date")
    return day


def fault_of(day: date) -> str:
    """What is wrong with a day as a birth date, to be read after its name; empty when nothing is."""
    today = timezone.localdate()
    if EARLIEST <= day <= today:
        return ""
    return (
        f"is {day.isoformat()}; a day from {EARLIEST.isoformat()} to today, {today.isoformat()}, is wanted."
    )


def read_birth_date(text: str, region: str) -> str:
    """Read a day, however people write it, as YYYY-MM-DD; empty for none and for one nobody is born on."""
    day = normalise_date(text, region)
    return day if day and not fault_of(date.fromisoformat(day)) else ""


def is_unread(text: str, day: str) -> bool:
    """Whether a text meant a day and `day`, read out of it, is none; fillers and placeholders mean none."""
    return not day and not _is_placeholder(text)


def unread_sentence(text: str) -> str:
    """Say that a birth date was left out, and what would have been taken."""
    return (
        f"birth_date “{text[:40]}” was not used: a day from {EARLIEST.isoformat()} to today,"
        " such as 1980-02-01, is wanted"
    )


def _is_placeholder(text: str) -> bool:
    numbers = _numbers(text)
    return junk.is_filler(fold_text(text)) or numbers in _PLACEHOLDERS or {*numbers} == {0}


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a date whatever their order, the time of day left out."""
    return tuple(sorted(int(found) for found in _NUMBER.findall(text[:10])))


_PLACEHOLDERS = frozenset(map(_numbers, junk.BIRTH_DATES))
