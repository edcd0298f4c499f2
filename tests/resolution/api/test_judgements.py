"""Judgements over HTTP."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from customers.models import Customer
from resolution.models import Judgement
from resolution.services.judge import judge_pair
from resolution.services.merge import merge_customers
from resolution.types import Actor
from tests.factories import CustomerFactory
from tests.factories import steward as make_steward
from tests.resolution.api.answers import ids, problem
from tests.resolution.api.conftest import MakeClient

pytestmark = pytest.mark.django_db
JUDGEMENTS = "/api/v1/judgements"


@pytest.fixture
def pair(db: None) -> tuple[Customer, Customer]:
    left, right = sorted((CustomerFactory(name="Anna"), CustomerFactory(name="Hans")), key=lambda row: row.pk)
    return left, right


def _judge(
    client: APIClient, left: Customer, right: Customer, verdict: str = "different", **more: Any
) -> Any:
    body = {"left_id": str(left.pk), "right_id": str(right.pk), "verdict": verdict, **more}
    return client.post(JUDGEMENTS, body)


class TestJudge:
    def test_writes_the_verdict_on_the_ordered_pair(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        response = _judge(steward, pair[1], pair[0], reason="Other birth date.")
        body = response.json()
        assert response.status_code == 201
        assert (body["left_id"], body["right_id"]) == (str(pair[0].pk), str(pair[1].pk))
        assert (body["verdict"], body["reason"]) == ("different", "Other birth date.")

    def test_the_related_may_say_how(self, steward: APIClient, pair: tuple[Customer, Customer]) -> None:
        response = _judge(steward, *pair, verdict="related", relation="household")
        assert (response.status_code, response.json()["relation"]) == (201, "household")

    def test_a_relation_without_the_related_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        problem(_judge(steward, *pair, relation="household"), 422, "invalid_input")

    def test_a_merged_customer_names_who_to_judge_instead(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        merge_customers(member_ids=[row.pk for row in pair], survivor_id=pair[0].pk, actor=Actor.machine("x"))
        body = problem(_judge(steward, pair[1], CustomerFactory()), 409, "refused")
        assert body["facts"] == {"customer": str(pair[1].pk), "merged_into": str(pair[0].pk)}

    def test_a_later_word_supersedes(self, steward: APIClient, pair: tuple[Customer, Customer]) -> None:
        _judge(steward, *pair)
        _judge(steward, *pair, verdict="related")
        assert Judgement.objects.get(superseded_at__isnull=True).verdict == "related"

    def test_different_of_one_customer_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        merge_customers(member_ids=[row.pk for row in pair], actor=Actor.machine("test"))
        problem(_judge(steward, *pair), 409, "refused")

    def test_a_customer_with_itself_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        problem(_judge(steward, pair[0], pair[0]), 422, "invalid_input")

    def test_an_unknown_customer_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        problem(_judge(steward, pair[0], Customer(pk=uuid.uuid4())), 404, "unknown_customer")

    def test_an_erased_customer_is_refused(self, steward: APIClient, pair: tuple[Customer, Customer]) -> None:
        erased = CustomerFactory(status=Customer.Status.ERASED)
        problem(_judge(steward, pair[0], erased), 410, "customer_erased")

    def test_a_service_reads_what_people_said(
        self, service: APIClient, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        _judge(steward, *pair)
        [row] = service.get(JUDGEMENTS).json()["results"]
        assert row["verdict"] == "different"

    def test_a_service_may_not_judge(self, service: APIClient, pair: tuple[Customer, Customer]) -> None:
        problem(_judge(service, *pair), 403, "not_permitted")
        assert not Judgement.objects.exists()


class TestList:
    @pytest.fixture
    def words(self, pair: tuple[Customer, Customer]) -> list[Judgement]:
        """A word, the one that took its place, and one of other customers by somebody else."""
        others = CustomerFactory.create_batch(2)
        said = [(pair, "different", "ada"), (pair, "same", "ada"), (others, "related", "bob")]
        return [
            judge_pair(
                left_id=two[0].pk, right_id=two[1].pk, verdict=verdict, reason="",
                actor=Actor(kind="user", name=name),
            )
            for two, verdict, name in said
        ]  # fmt: skip

    def test_tells_all_newest_first_and_what_took_the_place_of_which(
        self, steward: APIClient, words: list[Judgement]
    ) -> None:
        rows = steward.get(JUDGEMENTS).json()["results"]
        assert [row["id"] for row in rows] == [word.pk for word in reversed(words)]
        assert [row["superseded_by"] for row in rows] == [None, None, words[1].pk]
        assert [row["superseded_at"] is None for row in rows] == [True, True, False]

    @pytest.mark.parametrize(
        ("query", "places"),
        [
            ({"live": "true"}, [2, 1]),
            ({"live": "false"}, [0]),
            ({"verdict": "related"}, [2]),
            ({"actor": "ada"}, [1, 0]),
            ({"created_after": "2999-01-01T00:00:00Z"}, []),
            ({"created_before": "2999-01-01T00:00:00Z", "verdict": "same"}, [1]),
        ],
    )
    def test_is_narrowed_by_each_filter(
        self, steward: APIClient, words: list[Judgement], query: dict[str, str], places: list[int]
    ) -> None:
        assert ids(steward.get(JUDGEMENTS, query)) == [words[place].pk for place in places]

    def test_of_one_customer_with_those_merged_into_it(
        self, steward: APIClient, words: list[Judgement], pair: tuple[Customer, Customer]
    ) -> None:
        survivor = CustomerFactory()
        merge_customers(
            member_ids=[pair[1].pk, survivor.pk], survivor_id=survivor.pk, actor=Actor.machine("x")
        )
        for key in (pair[0].pk, survivor.pk):
            assert ids(steward.get(JUDGEMENTS, {"customer": key})) == [words[1].pk, words[0].pk]

    def test_goes_on_by_its_cursor(self, steward: APIClient, words: list[Judgement]) -> None:
        first = steward.get(JUDGEMENTS, {"limit": 2}).json()
        assert ids(steward.get(first["next"])) == [words[0].pk]

    @pytest.mark.parametrize(
        "query", [{"live": "yes"}, {"verdict": "maybe"}, {"customer": "x"}, {"created_after": "soon"}]
    )
    def test_a_filter_it_cannot_read_is_refused(self, query: dict[str, str], steward: APIClient) -> None:
        problem(steward.get(JUDGEMENTS, query), 400, "malformed_request")

    def test_needs_the_scope_read(self, client_for: MakeClient, words: list[Judgement]) -> None:
        person = make_steward()
        problem(client_for(person, "conflicts").get(JUDGEMENTS), 403, "not_permitted")
        assert len(ids(client_for(person, "read").get(JUDGEMENTS))) == 3

    def test_costs_the_same_for_few_as_for_many(self, steward: APIClient, words: list[Judgement]) -> None:
        steward.get(JUDGEMENTS)
        with CaptureQueriesContext(connection) as few:
            steward.get(JUDGEMENTS, {"limit": 1})
        with CaptureQueriesContext(connection) as many:
            steward.get(JUDGEMENTS)
        assert len(few) == len(many)
