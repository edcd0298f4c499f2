"""Rows of Python values into a table as COPY's text."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.services.copying import copy_rows

COLUMNS = {
    "place": "bigint", "word": "text", "id": "uuid", "day": "date", "moment": "timestamptz",
    "number": "numeric", "weight": "float8", "flag": "boolean", "facts": "jsonb",
}  # fmt: skip


class Kind(models.TextChoices):
    ONE = "one", "One"


@pytest.fixture
def table(db: None) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE copied ({columns}) ON COMMIT DROP")


def read_back(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Copy rows, missing columns NULL, and read them again."""
    assert copy_rows("copied", tuple(COLUMNS), [[row.get(name) for name in COLUMNS] for row in rows]) == len(
        rows
    )
    names = [name if name != "facts" else "facts::text" for name in COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(names)} FROM copied ORDER BY place")
        return [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.usefixtures("table")
class TestCopyRows:
    def test_every_type_comes_back_as_it_went(self) -> None:
        row = {
            "place": 1, "word": "Zoë", "id": uuid.uuid4(), "day": date(1980, 2, 3),
            "moment": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), "number": Decimal("0.90"),
            "weight": -1.5, "flag": True,
        }  # fmt: skip
        assert read_back(row) == [row | {"facts": None}]

    def test_nothing_known_is_null_and_a_choice_its_value(self) -> None:
        [row] = read_back({"place": 1, "word": Kind.ONE})
        assert row == dict.fromkeys(COLUMNS) | {"place": 1, "word": "one"}

    @given(
        words=st.lists(
            st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), max_size=5
        )
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
    def test_no_text_breaks_out_of_its_column(self, words: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE copied")
        rows = read_back(*({"place": place, "word": word} for place, word in enumerate(words)))
        assert [row["word"] for row in rows] == words

    def test_a_dict_is_json_whatever_is_in_it(self) -> None:
        [row] = read_back({"place": 1, "facts": {"note": 'tab\t, "quote", \\ and\nline'}})
        with connection.cursor() as cursor:
            cursor.execute("SELECT facts ->> 'note' FROM copied")
            assert cursor.fetchone() == ('tab\t, "quote", \\ and\nline',)
        assert row["facts"].startswith("{")

    def test_more_rows_than_a_block(self) -> None:
        assert len(read_back(*({"place": place} for place in range(2500)))) == 2500
