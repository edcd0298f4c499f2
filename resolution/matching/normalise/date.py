"""Birth dates: ISO text from the many ways people and exports write a day."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from resolution.matching.normalise import junk
from resolution.matching.normalise.text import CACHED_VALUES, fold_text

MONTH_FIRST_REGIONS = frozenset({"US", "PH", "FM", "PW", "MH"})
EARLIEST_YEAR, LATEST_YEAR = 1850, 2100

# Two-digit years up to here are of the 2000s. A constant, so that a date means the same on every day.
NEWEST_SHORT_YEAR = 25

# A time of day behind a date, and what is read over: a weekday before it, a dot at its end.
_ZONE = r"(?: ?(?:z|utc|gmt|[+-]\d{2}:?\d{2}))?"
_TIME = re.compile(rf"[t ,]+\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?(?: ?[ap]\.?m\.?)?{_ZONE}$")
_WEEKDAY = re.compile(r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? +")
_CALENDAR_SIGNS = re.compile(r"(\d{4}) ?(?:年|nyeon) ?(\d{1,2}) ?(?:月|wol) ?(\d{1,2}) ?(?:日|il)?")
# Days since 1899-12-30, as spreadsheets count them; five digits, since four are a year.
_SERIAL = re.compile(r"([1-4]\d{4})(?:[.,]\d+)?")
_SERIAL_DAY_ZERO = dt.date(1899, 12, 30)
_ISO = re.compile(r"(\d{4})[-/. ]?(\d{2})[-/. ]?(\d{2})(?:[t ].*)?")
_YEAR_FIRST = re.compile(r"(\d{4})[-/. ]+(\d{1,2})[-/. ]+(\d{1,2})(?:[t ].*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/. ]+(\d{1,2})[-/. ]+(\d{4}|\d{2})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\.?[- ]*([a-z]{3,10})\.?,?[- ]*(\d{4}|\d{2})")
_MONTH_DAY = re.compile(r"([a-z]{3,10})\.? *(\d{1,2})(?:st|nd|rd|th)?,? +(\d{4})")

_MONTHS = (
    "jan januar january janvier enero gennaio styczen ene genn stycznia",
    "feb februar february fevrier febrero febbraio luty fev lutego",
    "mar marz maerz march mars marzo marzec mrz marca",
    "apr april avril abril aprile kwiecien avr abr kwietnia",
    "may mai mayo maggio maj mag maja",
    "jun juni june juin junio giugno czerwiec giu czerwca",
    "jul juli july juillet julio luglio lipiec lug lipca",
    "aug august aout agosto sierpien ago sierpnia",
    "sep sept september septembre septiembre settembre wrzesien set wrzesnia",
    "oct okt oktober october octobre octubre ottobre pazdziernik ott pazdziernika",
    "nov november novembre noviembre listopad listopada",
    "dec dez dezember december decembre diciembre dicembre grudzien dic grudnia",
)
MONTH_NUMBERS = {word: number for number, words in enumerate(_MONTHS, start=1) for word in words.split()}


@lru_cache(CACHED_VALUES)
def normalise_date(text: str, region: str = "") -> str:
    """Write a day as YYYY-MM-DD; empty when it is no day, implausible, or a form's placeholder."""
    folded = _WEEKDAY.sub("", _TIME.sub("", fold_text(text[:60]))).rstrip(".")
    day = _numeric_date(folded, region.upper()) or _worded_date(folded) or _serial_date(folded)
    return "" if day in junk.BIRTH_DATES else day


def _numeric_date(text: str, region: str) -> str:
    found = _ISO.fullmatch(text) or _YEAR_FIRST.fullmatch(text) or _CALENDAR_SIGNS.fullmatch(text)
    if found:
        year, month, day = map(int, found.groups())
        return _iso(year, month, day)
    found = _YEAR_LAST.fullmatch(text)
    return _year_last(found[1], found[2], found[3], region) if found else ""


def _year_last(first: str, second: str, year: str, region: str) -> str:
    """Day first as most write, month first where that is the custom; the other when impossible."""
    day, month = int(first), int(second)
    if region in MONTH_FIRST_REGIONS:
        day, month = month, day
    return _iso(_full_year(year), month, day) or _iso(_full_year(year), day, month)


def _worded_date(text: str) -> str:
    if found := _DAY_MONTH.fullmatch(text):
        return _iso(_full_year(found[3]), MONTH_NUMBERS.get(found[2], 0), int(found[1]))
    if found := _MONTH_DAY.fullmatch(text):
        return _iso(int(found[3]), MONTH_NUMBERS.get(found[1], 0), int(found[2]))
    return ""


def _serial_date(text: str) -> str:
    """The day that a spreadsheet shows for a number of days."""
    found = _SERIAL.fullmatch(text)
    return (_SERIAL_DAY_ZERO + dt.timedelta(days=int(found[1]))).isoformat() if found else ""


def _full_year(year: str) -> int:
    if len(year) == 4:
        return int(year)
    return int(year) + (2000 if int(year) <= NEWEST_SHORT_YEAR else 1900)


def _iso(year: int, month: int, day: int) -> str:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        return ""
    try:
        return dt.date(year, month, day).isoformat()
    except ValueError:
        return ""
