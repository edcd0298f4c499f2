"""A till whose number many customers gave, and its blocking."""

from __future__ import annotations

from typing import Any

from customers.models import Customer
from resolution.models import BlockedValue
from resolution.services.blocks import block_value
from resolution.services.merge import merge_customers
from resolution.types import Actor
from tests.factories import CustomerFactory, MappingFactory
from tests.resolution.batch.files import stranger

ACTOR = Actor(kind="user", name="lena")
TILL = "+4930123456789"


def person(number: int, phone: str = TILL, **fields: Any) -> Customer:
    """Somebody who has nothing with others in common but a telephone."""
    _, given, family, *_ = stranger(number)
    customer = CustomerFactory(**{"given_name": given, "family_name": family, "phone": phone, **fields})
    MappingFactory(customer=customer, identifier_type="phone", channel_identifier=phone)
    return customer


def joined(*customers: Customer) -> Customer:
    merge = merge_customers(member_ids=[row.pk for row in customers], actor=ACTOR)
    return Customer.objects.get(pk=merge.survivor_id)


def block(value: str = TILL, type: str = "phone", **options: Any) -> BlockedValue:
    return block_value(value=value, type=type, actor=ACTOR, **options).row
