"""The smallest valid row of each model, and a small cast of people with distinct access."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import factory
from django.contrib.auth.models import Group, User
from django.utils import timezone
from factory.django import DjangoModelFactory

from customers.models import Channel, Customer, Mapping, Message, SourceRecord, Ticket
from resolution.matching.identifiers import normalise_identifier
from resolution.matching.model import MatchModel, load_model
from resolution.models import Conflict, ConflictMember, StoredModel
from resolution.services.conflicts import name_members
from resolution.services.match_models import add_draft
from resolution.types import Actor


class ChannelFactory(DjangoModelFactory[Channel]):
    class Meta:
        model = Channel
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"channel-{n}")
    name = factory.LazyAttribute(lambda channel: channel.code.title())
    kind = Channel.Kind.WEB
    default_region = "DE"


class CustomerFactory(DjangoModelFactory[Customer]):
    """A customer without any field; `CustomerFactory(name="Anna Smith")` gives it one."""

    class Meta:
        model = Customer
        skip_postgeneration_save = True


class MappingFactory(DjangoModelFactory[Mapping]):
    """An active e-mail link; `normalised` follows from `channel_identifier` unless given.

    One that is made ended owned its value for no time unless `valid_to` is given.
    """

    class Meta:
        model = Mapping
        skip_postgeneration_save = True

    customer = factory.SubFactory(CustomerFactory)
    channel = factory.SubFactory(ChannelFactory)
    identifier_type = "email"
    channel_identifier = factory.Sequence(lambda n: f"person{n}@factory.example.com")
    normalised = factory.LazyAttribute(
        lambda mapping: (
            normalise_identifier(
                mapping.identifier_type, mapping.channel_identifier, region=mapping.channel.default_region
            ).normalised
        )
    )
    status = Mapping.Status.ACTIVE
    valid_from = factory.LazyFunction(timezone.now)
    valid_to = factory.LazyAttribute(
        lambda mapping: mapping.valid_from if mapping.status == Mapping.Status.ENDED else None
    )


class MessageFactory(DjangoModelFactory[Message]):
    class Meta:
        model = Message
        skip_postgeneration_save = True

    channel = factory.SubFactory(ChannelFactory)
    customer = factory.SubFactory(CustomerFactory)
    outcome = Message.Outcome.LINKED


class TicketFactory(DjangoModelFactory[Ticket]):
    class Meta:
        model = Ticket
        skip_postgeneration_save = True

    channel = factory.SubFactory(ChannelFactory)
    customer = factory.SubFactory(CustomerFactory)
    subject = factory.Sequence(lambda n: f"Ticket {n}")


class SourceRecordFactory(DjangoModelFactory[SourceRecord]):
    class Meta:
        model = SourceRecord
        skip_postgeneration_save = True

    channel = factory.SubFactory(ChannelFactory)
    customer = factory.SubFactory(CustomerFactory)
    source_key = factory.Sequence(lambda n: f"record-{n}")
    fingerprint = "0" * 64


class ConflictFactory(DjangoModelFactory[Conflict]):
    """A likely duplicate of two new customers; `members=[a, b]` names them instead."""

    class Meta:
        model = Conflict
        skip_postgeneration_save = True

    members = factory.LazyFunction(lambda: [CustomerFactory(), CustomerFactory()])
    kind = Conflict.Kind.LIKELY_DUPLICATE
    reason = "Both look alike."
    members_key = factory.LazyAttribute(lambda conflict: name_members(row.pk for row in conflict.members))
    due_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=3))

    @classmethod
    def _create(cls, model_class: type[Conflict], *args: Any, **kwargs: Any) -> Conflict:
        members = kwargs.pop("members")
        conflict = super()._create(model_class, *args, **kwargs)
        ConflictMember.objects.bulk_create(ConflictMember(conflict=conflict, customer=row) for row in members)
        return conflict


def make_model(version: str = "2.0.0", **changes: Any) -> MatchModel:
    """Return the shipped model under another version; `prior=-45.0` makes it believe nothing."""
    return replace(load_model(None), **{"name": "trial", "version": version, **changes})


def draft(version: str = "2.0.0", *, actor: Actor | None = None, **changes: Any) -> StoredModel:
    """Keep such a model as a draft; Identity Desk itself made it unless an actor is named."""
    model = make_model(version, **changes)
    return add_draft(model=model, metrics={}, actor=actor or Actor.machine("test"))


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    is_staff = True


def steward(**fields: Any) -> User:
    """Make a person who works the queues."""
    return _with_role("steward", **fields)


def lead(**fields: Any) -> User:
    """Make a person who approves and undoes merges."""
    return _with_role("lead", **fields)


def auditor(**fields: Any) -> User:
    """Make a person who reads the trail."""
    return _with_role("auditor", **fields)


def service_user(**fields: Any) -> User:
    """Make the account behind another program's key."""
    return _with_role("service", is_staff=False, **fields)


def actor_for(user: User) -> Actor:
    """Return the actor a signed-in person acts as."""
    return Actor(kind="user", name=user.get_username(), user_id=user.pk)


def _with_role(role: str, **fields: Any) -> User:
    user = UserFactory(**fields)
    user.groups.add(Group.objects.get(name=role))
    return user
