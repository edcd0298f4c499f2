"""The list of what is blocked is kept between decisions, and read again whenever it is another one."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone

from resolution.models import BlockedValue
from resolution.selectors.identifier_rules import load_blocklist

pytestmark = pytest.mark.django_db
VALUES = ("till@shop.example", "desk@shop.example", "fax@shop.example")


class _TakenBack(RuntimeError):
    pass


def blocked() -> set[str]:
    found = load_blocklist()
    return {value for value in VALUES if found.find("email", value)}


def lift(row: BlockedValue) -> None:
    BlockedValue.objects.filter(pk=row.pk).update(state="retired", retired_at=timezone.now())


@pytest.fixture
def rows() -> list[BlockedValue]:
    return [
        BlockedValue.objects.create(identifier_type="email", value=value, made_by="ada") for value in VALUES
    ]


class TestLoadBlocklist:
    def test_what_was_read_of_a_change_that_was_rolled_back_is_not_read_on(
        self, rows: list[BlockedValue]
    ) -> None:
        with pytest.raises(_TakenBack), transaction.atomic():
            lift(rows[0])
            assert blocked() == set(VALUES[1:])
            raise _TakenBack

        lift(rows[1])

        assert blocked() == {VALUES[0], VALUES[2]}

    def test_one_that_takes_another_s_place_under_its_number_and_time_is_seen(
        self, rows: list[BlockedValue]
    ) -> None:
        assert blocked() == set(VALUES)

        with transaction.atomic():
            BlockedValue.objects.filter(pk=rows[2].pk).update(value="new@shop.example")

        assert blocked() == set(VALUES[:2])
        assert load_blocklist().find("email", "new@shop.example")

    def test_an_unchanged_list_is_read_once(self, rows: list[BlockedValue]) -> None:
        assert load_blocklist() is load_blocklist()
