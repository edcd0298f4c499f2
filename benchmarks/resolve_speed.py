"""How long one answer takes: by a known identifier with and without the cache, and for somebody unknown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from unittest import mock

from benchmarks.ground import Figure, find_set, fresh_database, make_channel, milliseconds, say

LOOK_UPS, SEARCHES, SCANS = 2000, 300, 5


def measure(name: str = "customers_10k") -> Iterator[Figure]:
    """Fill a register, then time single answers beside a scan over all customers."""
    path = find_set(name)
    say(f"answering from {name}")
    with fresh_database("resolve"):
        from resolution.services.importing import import_file, open_file
        from resolution.types import Actor

        import_file(open_file(path=path, channel=make_channel()), actor=Actor.machine("benchmark"))
        scan = milliseconds(_timed(_scan_for, _people(SCANS)))
        yield Figure(
            "known identifier, cached", milliseconds(_cached()), scan, "p50 / p99; beside: scan of all"
        )
        yield Figure("known identifier, from PostgreSQL", milliseconds(_uncached()), scan)
        yield Figure("likely duplicates of a record", milliseconds(_timed(_search, _people(SEARCHES))), scan)


def _timed(call: Callable[[Any], object], arguments: Sequence[Any]) -> list[float]:
    samples = []
    for argument in arguments:
        begun = time.perf_counter()
        call(argument)
        samples.append(time.perf_counter() - begun)
    return samples


def _emails(count: int) -> list[str]:
    from customers.models import Mapping

    links = Mapping.objects.owned().filter(identifier_type="email").order_by("id")
    return list(links.values_list("channel_identifier", flat=True)[:count])


def _look_up(email: str) -> object:
    from resolution.services.resolve import resolve_customer_identity

    return resolve_customer_identity(channel="bench", identifier_type="email", value=email)


def _cached() -> list[float]:
    emails = _emails(LOOK_UPS)
    _timed(_look_up, emails)
    return _timed(_look_up, emails)


def _uncached() -> list[float]:
    """The cache switched off as where none is configured."""
    from resolution.services import cache

    with mock.patch.object(cache, "_client", return_value=None):
        return _timed(_look_up, _emails(LOOK_UPS))


def _people(count: int) -> list[dict[str, str]]:
    from customers.models import Customer

    fields = ("given_name", "family_name", "email", "phone", "city", "postcode")
    rows = Customer.objects.active().order_by("id").values(*fields)
    return [{name: value for name, value in row.items() if value} for row in rows[:count]]


def _search(person: dict[str, str]) -> object:
    from resolution.services.resolve import find_potential_duplicates

    return find_potential_duplicates(data=person, channel="bench")


def _scan_for(person: dict[str, str]) -> object:
    """The plain way: every customer's identifiers compared with difflib."""
    from customers.models import Customer
    from resolution.matching.comparisons.simple import composite_match_score

    wanted = _identities(person)
    rows = Customer.objects.active().values("given_name", "family_name", "email", "phone")
    near = (row for row in rows if composite_match_score(wanted, _identities(row)) >= 0.7)
    return list(islice(near, 20))


def _identities(row: Mapping[str, Any]) -> dict[str, str]:
    name = f"{row.get('given_name', '')} {row.get('family_name', '')}".strip()
    found = {"name": name, "email": row.get("email", ""), "phone": row.get("phone", "")}
    return {kind: value for kind, value in found.items() if value}
