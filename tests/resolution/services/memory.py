"""What the tables said of every customer at moments that are remembered, to ask the trail for afterwards."""

from __future__ import annotations

import uuid
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from customers.models import PROFILE_FIELDS, Customer, Mapping
from resolution.errors import CustomerErased, PastUnknown
from resolution.selectors.customer_as_of import CustomerThen, customer_as_of
from resolution.selectors.past import IdentifierThen

# Customer → (status, merged_into, fields, attributes, identifiers).
Said = dict[uuid.UUID, tuple[Any, ...]]


class Memory:
    """Moments and what the tables said; `check` asks the trail for all of them.

    From when to when a link owned its value the trail tells to the act, so times are compared by the number
    of the act they fall in. Of the erased no past is told; of whom they met it is from the erasure on, and
    before it what was so or nothing.
    """

    def __init__(self) -> None:
        self.moments: list[tuple[datetime, Said]] = []
        self._known_from: dict[uuid.UUID, int] = {}
        self.remember()

    def remember(self) -> None:
        said = what_the_tables_say()
        self.moments.append((timezone.now(), said))

    def forget(self, met: Collection[uuid.UUID]) -> None:
        """Somebody whom these met is erased by the act to come."""
        self._known_from.update(dict.fromkeys(met, len(self.moments)))

    def check(self) -> None:
        everybody = self.moments[-1][1]
        erased = {key for key, said in everybody.items() if said[0] == Customer.Status.ERASED}
        for key in erased:
            with pytest.raises(CustomerErased):
                customer_as_of(key, self.moments[0][0])
        for place, (moment, said) in enumerate(self.moments):
            for key in everybody.keys() - erased:
                told = what_the_trail_says(key, moment)
                if place < self._known_from.get(key, 0) and (told is None or len(told) == 1):
                    continue
                assert self._by_acts(told) == self._by_acts(said.get(key))

    def _by_acts(self, said: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if said is None or len(said) == 1:
            return said
        *row, links = said
        return (*row, [(replace(link, valid_from=None, valid_to=None), *self._acts(link)) for link in links])

    def _acts(self, link: IdentifierThen) -> tuple[int | None, int | None]:
        begins, ends = (self._act(moment) for moment in (link.valid_from, link.valid_to))
        return begins, ends

    def _act(self, moment: datetime | None) -> int | None:
        return None if moment is None else bisect_left(self.moments, moment, key=lambda entry: entry[0])


def what_the_tables_say() -> Said:
    links: dict[uuid.UUID, list[IdentifierThen]] = {}
    for link in Mapping.objects.all():
        links.setdefault(link.customer_id, []).append(_identifier(link))
    return {
        row.pk: (
            row.status,
            row.merged_into_id,
            {name: str(getattr(row, name) or "") for name in PROFILE_FIELDS},
            row.attributes,
            tuple(sorted(links.get(row.pk, ()), key=_place)),
        )
        for row in Customer.objects.all()
    }


def what_the_trail_says(customer: uuid.UUID, moment: datetime) -> tuple[Any, ...] | None:
    """None before it was created; a trail that does not hold enough is no answer."""
    try:
        return as_said(customer_as_of(customer, moment))
    except PastUnknown as error:
        return None if "it was created on" in str(error) else (str(error),)


def as_said(then: CustomerThen) -> tuple[Any, ...]:
    identifiers = tuple(sorted(then.identifiers, key=_place))
    return (then.status, then.merged_into, then.fields, then.attributes, identifiers)


def _place(link: IdentifierThen) -> uuid.UUID:
    return link.mapping_id


def _identifier(link: Mapping) -> IdentifierThen:
    return IdentifierThen(
        mapping_id=link.pk,
        channel_id=link.channel_id,
        type=link.identifier_type,
        value=link.channel_identifier,
        normalised=link.normalised,
        status=link.status,
        verified=link.verified,
        confidence=link.confidence_score,
        valid_from=link.valid_from,
        valid_to=link.valid_to,
    )
