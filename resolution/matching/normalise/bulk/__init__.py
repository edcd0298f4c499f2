"""Canonical values of whole columns: what the functions beside this package give, for a million at once.

Each function takes an Arrow array of raw values, preferably each once, and gives arrays of the same length
with the canonical values, "" where a value is missing or unusable. Values of a plain shape are worked out by
Arrow's own functions; all others go through the function for one value, by way of a mapper that may spread
them over processes. Either way the answer is that function's, to the letter.
"""

from __future__ import annotations

from resolution.matching.normalise.bulk.addresses import bulk_cities, bulk_postcodes, bulk_street_lines
from resolution.matching.normalise.bulk.columns import Mapper, in_process
from resolution.matching.normalise.bulk.companies import bulk_companies
from resolution.matching.normalise.bulk.dates import bulk_dates
from resolution.matching.normalise.bulk.emails import bulk_emails
from resolution.matching.normalise.bulk.names import bulk_full_names, bulk_name_parts
from resolution.matching.normalise.bulk.phones import bulk_phones

__all__ = [
    "Mapper",
    "bulk_cities",
    "bulk_companies",
    "bulk_dates",
    "bulk_emails",
    "bulk_full_names",
    "bulk_name_parts",
    "bulk_phones",
    "bulk_postcodes",
    "bulk_street_lines",
    "in_process",
]
