"""What the migration of ended links leaves of rows that the constraints of the next one would refuse."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.db import connection

from customers.models import Channel, Mapping
from tests.factories import ChannelFactory, MappingFactory

ended_links = importlib.import_module("customers.migrations.0004_close_ended_links")
pytestmark = pytest.mark.django_db


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


def loosen() -> None:
    """Put the table back to before the constraints; a test's end brings them back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("""
            ALTER TABLE customer_identity_mapping
                DROP CONSTRAINT mapping_ends_once, DROP CONSTRAINT p1_one_owner_at_a_time, DISABLE TRIGGER USER
        """)


def migrate() -> None:
    with connection.schema_editor() as editor:
        for operation in ended_links.Migration.operations:
            operation.database_forwards("customers", editor, apps, apps)


def link(channel: Channel, status: str, since: int, until: int | None = None) -> Mapping:
    return MappingFactory(
        channel=channel,
        channel_identifier="anna@example.com",
        status=status,
        valid_from=day(since),
        valid_to=day(until) if until else None,
    )


def time_of(mapping: Mapping) -> tuple[int, int | None]:
    mapping.refresh_from_db()
    return mapping.valid_from.day, mapping.valid_to.day if mapping.valid_to else None


class TestCloseEndedLinks:
    def test_p1_owners_take_turns(self) -> None:
        channel = ChannelFactory()
        loosen()
        first, second = link(channel, "ended", 1, 9), link(channel, "ended", 5, 12)
        shared, present = link(channel, "ended", 3, 7), link(channel, "active", 6)
        migrate()
        assert [time_of(row) for row in (first, second, shared, present)] == [
            (1, 9),
            (9, 12),
            (7, 7),
            (12, None),
        ]

    def test_each_has_an_end_once_and_only_when_it_ended(self) -> None:
        channel = ChannelFactory()
        loosen()
        endless, open_ended = link(channel, "ended", 1), link(channel, "shared", 1, 3)
        migrate()
        endless.refresh_from_db()
        assert endless.valid_to is not None
        assert endless.valid_to.date() == endless.updated_at.date()
        assert time_of(open_ended) == (1, None)

    def test_what_holds_already_stays(self) -> None:
        channel = ChannelFactory()
        former, present = link(channel, "ended", 1, 4), link(channel, "active", 4)
        other = MappingFactory(channel=channel, valid_from=day(2))
        loosen()
        migrate()
        assert [time_of(row) for row in (former, present, other)] == [(1, 4), (4, None), (2, None)]
