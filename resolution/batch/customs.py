"""Where a file without countries is from, and in which order it writes its dates: told by its values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import phonenumbers

from resolution.batch.sheet import Texts

_LOOKED_AT = 5000
_FEWEST = 20
_CLEARLY = 0.95
_MOST_ODD = 0.005
_INTERNATIONAL = re.compile(r"(?:\+|00)[\d ().\-/]{7,20}")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/. ]+(\d{1,2})[-/. ]+(?:\d{4}|\d{2})")
_MONTH_FIRST, _DAY_FIRST = "US", ""


@dataclass(frozen=True, slots=True)
class Customs:
    """A file's region for rows that name none, and the region whose order all its dates are of.

    `dates` is None where the order is each row's own country's.
    """

    region: str = ""
    dates: str | None = None


def customs_of(phones: Sequence[Texts], dates: Sequence[Texts], *, has_country: bool) -> Customs:
    """Tell a file's customs where the evidence is clear."""
    order = _order_of(value for texts in dates for value in _some(texts))
    if has_country:
        return Customs("", order)
    region = _region_of(value for texts in phones for value in _some(texts))
    return Customs(region or order or "", order)


def _some(texts: Texts) -> list[str]:
    step = max(len(texts.values) // _LOOKED_AT, 1)
    found: list[str] = texts.values[::step].to_pylist() if step == 1 else texts.values.to_pylist()[::step]
    return found


def _region_of(phones: Iterable[str]) -> str:
    """The region that nearly all numbers with a country are of."""
    found = Counter(_region(phone) for phone in phones if _INTERNATIONAL.match(phone))
    found.pop("", None)
    if found.total() < _FEWEST:
        return ""
    region, count = found.most_common(1)[0]
    return region if count >= _CLEARLY * found.total() else ""


def _region(phone: str) -> str:
    try:
        number = phonenumbers.parse(re.sub("^00", "+", phone))
    except phonenumbers.NumberParseException:
        return ""
    # One plan has several regions: the main one stands for all.
    return phonenumbers.region_code_for_country_code(number.country_code or 0).replace("ZZ", "")


def _order_of(dates: Iterable[str]) -> str | None:
    """Days beyond the twelfth tell where the day stands."""
    found = [(int(day[1]), int(day[2])) for day in map(_YEAR_LAST.fullmatch, dates) if day]
    first = sum(one > 12 >= other for one, other in found)
    second = sum(other > 12 >= one for one, other in found)
    if first >= _FEWEST and second <= _MOST_ODD * first:
        return _DAY_FIRST
    if second >= _FEWEST and first <= _MOST_ODD * second:
        return _MONTH_FIRST
    return None
