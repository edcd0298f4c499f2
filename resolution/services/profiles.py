"""Customers made and changed: checked fields in, blocking keys and trail kept true."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

from customers.models import PROFILE_FIELDS, Customer
from customers.services import register
from resolution.birth_dates import check_birth_date
from resolution.errors import CustomerErased, InvalidInput, Refused, StaleVersion
from resolution.matching.normalise.text import clean_text
from resolution.services import audit, keys, locks
from resolution.services.audit import Trail
from resolution.types import Actor

Stored = str | date | None
CONTACT_FIELDS = ("email", "phone")  # filled from identifiers, so that both say the same


@locks.again_after_deadlock
def create_customer(*, fields: Mapping[str, object], actor: Actor) -> Customer:
    """Make a customer from profile fields, whoever looks alike. Raises InvalidInput naming the field."""
    checked = check_fields(fields)
    if not any(checked.values()):
        raise InvalidInput(
            f"Nothing is known of this customer; give at least one of: {', '.join(PROFILE_FIELDS)}."
        )
    with audit.change(actor) as trail:
        locks.keep_blocklist()
        customer = add_customer(trail, checked, method="by_hand")
        keys.rebuild_keys([customer.pk])
        return customer


@locks.again_after_deadlock
def update_profile(
    *, customer_id: uuid.UUID, version: int, changes: Mapping[str, object], actor: Actor
) -> Customer:
    """Set profile fields of an active customer as its `version` was seen; an empty value clears a field.

    Raises UnknownCustomer, CustomerErased, Refused for a merged one, StaleVersion, InvalidInput.
    """
    checked = check_fields(changes)
    with audit.change(actor) as trail:
        locks.keep_blocklist()
        customer = locks.lock_customers([customer_id])[customer_id]
        _check_changeable(customer, version)
        change_fields(trail, customer, checked)
        keys.rebuild_keys([customer.pk])
        return customer


def add_customer(trail: Trail, fields: Mapping[str, Stored], *, method: str) -> Customer:
    """Make a customer of checked fields as part of a larger change; keys are the caller's to rebuild."""
    customer = register.create_customer(fields)
    after = {name: value for name, value in _shown(fields).items() if value}
    trail.record("create", customer_id=customer.pk, method=method, after=after)
    trail.tell("customer.created", customer_id=customer.pk)
    return customer


def change_fields(trail: Trail, customer: Customer, changes: Mapping[str, Stored]) -> bool:
    """Set fields of a locked customer as part of a larger change; False when they hold these already."""
    differing = {name: value for name, value in changes.items() if getattr(customer, name) != value}
    if not differing:
        return False
    before = {name: getattr(customer, name) for name in differing}
    register.update_customer(customer, differing)
    trail.record("update", customer_id=customer.pk, before=_shown(before), after=_shown(differing))
    trail.tell(
        "customer.updated", customer_id=customer.pk, fields=sorted(differing), version=customer.version
    )
    return True


def check_fields(fields: Mapping[str, object]) -> dict[str, Stored]:
    """Return fields as they are stored. Raises InvalidInput for a wrong name, type, date or length."""
    return {name: check_field(name, value) for name, value in fields.items()}


def check_field(name: str, value: object) -> Stored:
    """Return one field as it is stored: cleaned text, or a date or None for `birth_date`."""
    if name not in PROFILE_FIELDS:
        raise InvalidInput(
            f"A customer has no field “{name[:40]}”; it has {', '.join(PROFILE_FIELDS)}.", field=name[:40]
        )
    if name == "birth_date":
        return _check_date(value)
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is {type(value).__name__}; text is wanted.", field=name)
    text = clean_text(value)
    longest = longest_value(name)
    if len(text) > longest:
        raise InvalidInput(
            f"{name} has {len(text)} characters; at most {longest} fit.", field=name, longest=longest
        )
    return text


def contact_text(kind: str, value: str, normalised: str) -> str:
    """Return an e-mail address or phone number as a profile holds it: without the scheme it came with."""
    text = value.rpartition(":")[2].strip()
    return text if len(text) <= longest_value(kind) else normalised


def longest_value(name: str) -> int:
    """Return how many characters a text field of a customer holds."""
    return int(getattr(Customer._meta.get_field(name), "max_length", 0))


def _check_date(value: object) -> date | None:
    if value in (None, ""):
        return None
    try:
        return check_birth_date(value if isinstance(value, date) else date.fromisoformat(str(value)))
    except ValueError as error:
        raise InvalidInput(
            f"birth_date is “{str(value)[:40]}”; a date such as 1980-02-01 is wanted.", field="birth_date"
        ) from error


def _check_changeable(customer: Customer, version: int) -> None:
    if customer.status == Customer.Status.ERASED:
        raise CustomerErased(customer.pk)
    if customer.merged_into_id:
        raise Refused(
            f"Customer {customer.pk} was merged into {customer.merged_into_id}; change that one.",
            customer=str(customer.pk),
            merged_into=str(customer.merged_into_id),
        )
    if customer.version != version:
        raise StaleVersion(
            f"Customer {customer.pk} is at version {customer.version}, and you saw {version}. Load it again.",
            customer=str(customer.pk),
            version=customer.version,
            seen=version,
        )


def _shown(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value or "") for name, value in fields.items()}
