"""Birth dates in bulk."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise import junk
from resolution.matching.normalise.bulk.columns import (
    Mapper,
    among,
    as_strings,
    blanked,
    in_process,
    is_short,
    matches,
    only,
    settled_columns,
)
from resolution.matching.normalise.date import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    MONTH_FIRST_REGIONS,
    normalise_date,
)

_LONGEST = 60
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][ -~]*)?$"


def bulk_dates(values: pa.Array, regions: pa.Array, mapper: Mapper = in_process) -> pa.Array:
    """Write each day as YYYY-MM-DD by its region's custom, as `normalise_date` does."""
    texts = as_strings(values).dictionary_encode()
    customs = _customs(as_strings(regions))
    days = {custom: _days(texts.dictionary, custom, mapper) for custom in pc.unique(customs).to_pylist()}
    columns = [pc.fill_null(day.take(texts.indices), "") for day in days.values()]
    chosen = pc.index_in(customs, value_set=pa.array(list(days), pa.string()))
    return pc.choose(chosen, *columns) if columns else pa.nulls(0, pa.string())


def _customs(regions: pa.Array) -> pa.Array:
    """One region for all that write dates as it does: a month-first one or none."""
    encoded = pc.fill_null(regions, "").dictionary_encode()
    month_first, *_ = sorted(MONTH_FIRST_REGIONS)
    names = [
        month_first if name.upper() in MONTH_FIRST_REGIONS else "" for name in encoded.dictionary.to_pylist()
    ]
    return pa.array(names, pa.string()).take(encoded.indices)


def _days(texts: pa.Array, region: str, mapper: Mapper) -> pa.Array:
    regions = pa.array([region] * len(texts), pa.string())
    return settled_columns((texts, regions), (_iso_days(texts),), _day, mapper)[0]


def _day(row: tuple[str, ...]) -> tuple[str]:
    return (normalise_date.__wrapped__(*row),)


def _iso_days(texts: pa.Array) -> pa.Array:
    """The days already written the canonical way, with or without a time."""
    heads = pc.utf8_slice_codeunits(texts, 0, len("YYYY-MM-DD"))
    written = pc.and_(is_short(texts, _LONGEST), matches(texts, _ISO))
    known = only(heads, pc.and_(written, pc.is_in(heads, value_set=_calendar())))
    return blanked(known, among(known, junk.BIRTH_DATES))


@lru_cache(1)
def _calendar() -> pa.Array:
    """Every day that can be a date."""
    first, last = dt.date(EARLIEST_YEAR, 1, 1).toordinal(), dt.date(LATEST_YEAR, 12, 31).toordinal()
    return pa.array([dt.date.fromordinal(day).isoformat() for day in range(first, last + 1)], pa.string())
