"""What every list's search asks of the database: an index read from its key, never a walk over all rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import QuerySet
from django.test import Client, RequestFactory
from django.urls import reverse

from customers.ids import uuid7
from customers.listing import as_number
from customers.models import Channel
from resolution.models import ApiKey
from resolution.services.judge import judge_pair
from resolution.services.merge import merge_customers
from tests.factories import ChannelFactory, CustomerFactory, actor_for, lead

pytestmark = pytest.mark.django_db

# Made by hand, one by one: a walk over them is short for ever.
SMALL = (ApiKey, Channel, Group, User)
SEARCHED = [
    found for found in admin.site._registry.values() if found.search_fields and found.model not in SMALL
]
TERMS = {"text": "anna@example.com", "number": "4711", "id": str(uuid7())}
Node = dict[str, Any]


def plan_of(queryset: QuerySet[Any]) -> Iterator[Node]:
    """Every node of the plan PostgreSQL makes when it may not read a whole table, as on many rows."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    if not queryset.query.is_empty():
        yield from _nodes(json.loads(queryset.explain(format="json"))[0]["Plan"])


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def leads_by(index: str) -> str:
    """The first column or expression of an index, bare of parentheses and casts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_indexdef(%s::regclass, 1, true)", [index])
        return _bare(cursor.fetchone()[0])


def _bare(expression: str) -> str:
    return re.sub(r"[()\"]|::\w+", "", expression)


def walks(table: str, queryset: QuerySet[Any]) -> list[str]:
    """What of a plan reads a table's every row: a scan, or an index not entered by its first column."""
    found = []
    for node in plan_of(queryset):
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] == table:
            found.append(f"scan of {table}")
        index = node.get("Index Name", "")
        if index and _table_of(index) == table and leads_by(index) not in _bare(node.get("Index Cond", "")):
            found.append(f"walk along {index} by {node.get('Index Cond', 'nothing')}")
    return found


def _table_of(index: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_indexes WHERE indexname = %s", [index])
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("searched", SEARCHED, ids=lambda found: type(found).__name__)
def test_a_search_enters_an_index_by_its_first_column(searched: ModelAdmin[Any], term: str) -> None:
    ChannelFactory.create_batch(2)
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_active=True)
    rows, _ = searched.get_search_results(request, searched.get_queryset(request).order_by(), TERMS[term])

    assert walks(searched.model._meta.db_table, rows) == []


def test_a_number_no_row_can_have_finds_nothing() -> None:
    assert [as_number(term) for term in ("4711", " 7 ", "0", "-1", "²", "1" * 30, str(2**63), "anna")] == [
        4711, 7, None, None, None, None, None, None,
    ]  # fmt: skip


def test_merges_and_judgements_are_found_by_number_and_by_each_customer(admin_client: Client) -> None:
    kept, gone, other = (CustomerFactory(name="Ann") for _ in range(3))
    actor = actor_for(lead())
    judged = judge_pair(left_id=kept.pk, right_id=other.pk, verdict="different", reason="", actor=actor)
    merge = merge_customers(member_ids=[kept.pk, gone.pk], survivor_id=kept.pk, actor=actor)

    for wanted, name, terms in (
        (merge, "merge", (merge.pk, kept.pk, gone.pk)),
        (judged, "judgement", (judged.pk, kept.pk, other.pk)),
    ):
        address = reverse(f"admin:resolution_{name}_changelist")
        for term in terms:
            found = admin_client.get(address, {"q": str(term)}).context["cl"].result_list
            assert [row.pk for row in found] == [wanted.pk]
        assert not admin_client.get(address, {"q": "anna"}).context["cl"].result_list
