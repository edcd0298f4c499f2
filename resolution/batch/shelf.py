"""Profiles kept from one batch to the next: the latest in memory, every other one in a table of the session.

So memory stays the same however many customers are compared, and no profile is worked out twice while true.
"""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

from django.db import connection
from django.db.models import Max

from customers.models import Customer
from customers.services.copying import copy_rows
from resolution.batch.sql import read_sql
from resolution.models import AuditEntry
from resolution.selectors.profiles import load_profiles
from resolution.types import Address, Name, Profile

# Profiles in memory between chunks; one takes about 2 KB.
PROFILES_KEPT = 5_000

_PARTS = {"names": Name, "addresses": Address}
_PART_OF = [_PARTS.get(entry.name) for entry in fields(Profile)[1:]]
_values_of = {kind: attrgetter(*(entry.name for entry in fields(kind))) for kind in (Profile, Name, Address)}


class ProfileShelf:
    """Profiles by id, loaded when first asked for. A session has one shelf: a new one empties the table.

    With each goes the version its customer had then: what is decided on it holds for that version only.
    """

    def __init__(self, most: int = PROFILES_KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[uuid.UUID, Profile] = OrderedDict()
        self._versions: dict[uuid.UUID, int] = {}
        self._sequence: int = AuditEntry.objects.aggregate(last=Max("sequence"))["last"] or 0
        with connection.cursor() as cursor:
            cursor.execute(read_sql("shelf"))

    def put_newcomers(self, profiles: Mapping[uuid.UUID, Profile]) -> None:
        """Add the profiles of customers just made, which need no loading."""
        self._store(profiles, dict.fromkeys(profiles, 1))
        self._make_room(self._most)

    def put(self, profiles: Mapping[uuid.UUID, Profile]) -> None:
        """Add the profiles of customers locked by this change, as they are now."""
        self._store(profiles, _versions_of(profiles))
        self._make_room(self._most)

    def follow(self) -> None:
        """Drop the profiles of customers that the trail says have changed since this was last asked."""
        with connection.cursor() as cursor:
            cursor.execute(read_sql("changed_since"), {"sequence": self._sequence})
            changed, last = cursor.fetchone()
        self.drop(changed or ())
        self._sequence = last or self._sequence

    def drop(self, ids: Collection[uuid.UUID]) -> None:
        """Forget profiles that are no longer true."""
        for key in ids:
            self._kept.pop(key, None)
            self._versions.pop(key, None)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM shelved_profiles WHERE customer_id = ANY(%s)", [list(ids)])

    def put_away(self) -> None:
        """Keep nothing in memory; the table has it all."""
        self._make_room(0)

    def take(self, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Profile]:
        """Return the profiles of those among `ids` that are active, at most four queries."""
        found = {key: self._kept[key] for key in ids if key in self._kept}
        if len(found) < len(ids):
            found |= self._fetch([key for key in ids if key not in found])
            found |= self._load([key for key in ids if key not in found])
        for key in found:
            self._kept.move_to_end(key)
        self._make_room(max(self._most, len(found)))
        return found

    def version(self, key: uuid.UUID) -> int:
        """The version of a customer whose profile was taken last of all, when it was loaded."""
        return self._versions[key]

    def _fetch(self, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Profile]:
        """Bring profiles back from the table."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT customer_id, version, profile FROM shelved_profiles WHERE customer_id = ANY(%s)",
                [list(ids)],
            )
            rows = cursor.fetchall()
        self._versions.update((key, version) for key, version, _ in rows)
        found = {key: read_profile(text) for key, _, text in rows}
        self._kept.update(found)
        return found

    def _load(self, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Profile]:
        """Versions first: a change in between then shows as a version that is no longer the customer's."""
        if not ids:
            return {}
        versions = _versions_of(ids)
        found = load_profiles(ids)
        self._store(found, versions)
        return found

    def _store(self, profiles: Mapping[uuid.UUID, Profile], versions: Mapping[uuid.UUID, int]) -> None:
        rows = ((key, versions[key], write_profile(profile)) for key, profile in profiles.items())
        copy_rows("shelved_profiles", ("customer_id", "version", "profile"), rows)
        self._kept.update(profiles)
        self._versions.update((key, versions[key]) for key in profiles)

    def _make_room(self, most: int) -> None:
        """Let the least recently used go; the table still has them."""
        while len(self._kept) > most:
            del self._versions[self._kept.popitem(last=False)[0]]


def _versions_of(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    return dict(Customer.objects.filter(pk__in=ids).values_list("pk", "version"))


def write_profile(profile: Profile) -> str:
    """Write a profile as one line of JSON, `read_profile` gives back an equal one."""
    return json.dumps(_values_of[Profile](profile), default=lambda part: _values_of[type(part)](part))


def read_profile(text: str) -> Profile:
    """Read a profile as `write_profile` wrote it."""
    key, *columns = json.loads(text)
    return Profile(key, *map(_column, _PART_OF, columns))


def _column(part: Any, values: list[Any]) -> tuple[Any, ...]:
    return tuple([part(*value) for value in values] if part else values)
