"""A sender nobody doubts, customers that can be found, and messages received."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from customers.models import Channel, Customer
from resolution.services.keys import rebuild_keys
from resolution.services.resolve import create_or_resolve_customer
from resolution.types import Actor, Resolution
from tests.factories import CustomerFactory

ACTOR = Actor(kind="service", name="mailbox")
CACHE_DOWN = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}
# One person, told by enough that nobody doubts it.
ANNA = {
    "given_name": "Annegret", "family_name": "Feuerbach", "birth_date": "1980-02-01",
    "address": "12 Lindenstrasse", "postcode": "10969", "city": "Berlin",
}  # fmt: skip


def known(**fields: object) -> Customer:
    """Make a customer that can be found by what is known of it."""
    customer = CustomerFactory(**fields)
    rebuild_keys([customer.pk])
    return customer


def receive(channel: Channel, message: MappingOf[str, object], **options: object) -> Resolution:
    return create_or_resolve_customer(channel=channel, message=message, actor=ACTOR, **options)  # type: ignore[arg-type]


def customer_of(resolution: Resolution) -> Customer:
    return Customer.objects.get(pk=resolution.customer_id)
