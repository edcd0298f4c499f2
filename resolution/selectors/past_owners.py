"""Who had an identifier at a moment: the link that owned it then, and whose that link was before merges."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime

from customers.models import Customer
from customers.models import Mapping as Link
from customers.selectors import Key, find_owners
from resolution.errors import CustomerErased
from resolution.models import MergeMember, MergeMove
from resolution.selectors.customers import fetch_customers
from resolution.selectors.identifier_rules import is_valid, load_rules
from resolution.types import Identifier, PastOwner

_MAPPINGS = "mappings"


def find_past_owners(identifiers: Mapping[Key, Identifier], moment: datetime) -> dict[Key, PastOwner]:
    """Return who had each identifier then, as it is known today, by key: a merge taken back since never was.

    A link not seen within its type's window before the moment answers nothing. A constant number of queries.
    Raises CustomerErased.
    """
    rules = load_rules()
    links = find_owners(identifiers.keys(), at=moment)
    valid = {key: link for key, link in links.items() if is_valid(link, rules, moment)}
    then = _owners_then(valid.values(), moment)
    today = fetch_customers({link.customer_id for link in valid.values()})
    _refuse_erased(today.values())
    return {
        key: PastOwner(
            identifier=identifiers[key],
            customer_id=str(then.get(link.pk, link.customer_id)),
            canonical_id=str(today[link.customer_id].canonical_id),
            confidence=link.confidence_score,
            valid_from=link.valid_from,
            valid_to=link.valid_to,
        )
        for key, link in valid.items()
    }


def _owners_then(links: Collection[Link], moment: datetime) -> dict[uuid.UUID, uuid.UUID]:
    """Return whose each link was that a merge after the moment has moved, by the link's id."""
    later = MergeMember.objects.filter(
        customer__merged_into__in={link.customer_id for link in links},
        live=True,
        merge__created_at__gt=moment,
    )
    moves = MergeMove.objects.filter(
        merge__in=later.values("merge"), relation=_MAPPINGS, row_id__in=[link.pk for link in links], live=True
    )
    newest_first = moves.order_by("-merge").values_list("row_id", "owner_before")
    return dict(newest_first)  # the first merge after the moment comes last and stays


def _refuse_erased(customers: Collection[Customer]) -> None:
    for customer in customers:
        if customer.status == Customer.Status.ERASED:
            raise CustomerErased(customer.pk)
