"""Who is this? Known identifiers, and customers that are much alike."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from customers.models import Mapping
from resolution.errors import InvalidInput
from resolution.services.keys import rebuild_keys
from resolution.services.resolve import find_potential_duplicates, resolve_customer_identity
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.services.resolve.senders import ANNA, CACHE_DOWN, known

pytestmark = pytest.mark.django_db


class TestResolveCustomerIdentity:
    def look_up(self, mapping: Mapping, value: str, **options: object) -> uuid.UUID | None:
        return resolve_customer_identity(
            channel=mapping.channel, identifier_type=mapping.identifier_type, value=value, **options
        )  # type: ignore[arg-type]

    def test_compares_canonical_values_not_raw_ones(self) -> None:
        mapping = MappingFactory(channel_identifier="anna.smith@example.org")
        assert self.look_up(mapping, " Anna.Smith@EXAMPLE.org ") == mapping.customer_id

    def test_knows_nobody_by_a_value_of_another_channel(self) -> None:
        mapping = MappingFactory(channel_identifier="anna.smith@example.org")
        assert self.look_up(MappingFactory(), mapping.channel_identifier) is None

    @pytest.mark.parametrize("value", ["", "0", "+", "12", "000000000"])
    def test_a_short_or_empty_number_is_nobody(self, value: str) -> None:
        mapping = MappingFactory(identifier_type="phone", channel_identifier="+4930901820")
        assert self.look_up(mapping, value) is None

    @pytest.mark.parametrize("status", ["shared", "ended", "collapsed"])
    def test_only_owned_links_answer(self, status: str) -> None:
        mapping = MappingFactory(status=status)
        assert self.look_up(mapping, mapping.channel_identifier) is None

    def test_a_link_less_sure_than_wanted_does_not_answer(self) -> None:
        mapping = MappingFactory(confidence_score=Decimal("0.79"))
        assert self.look_up(mapping, mapping.channel_identifier) is None
        weak = self.look_up(mapping, mapping.channel_identifier, min_confidence=Decimal("0.50"))
        assert weak == mapping.customer_id

    def test_refuses_an_unknown_type(self) -> None:
        with pytest.raises(InvalidInput, match="is not a type of identifier"):
            resolve_customer_identity(channel=ChannelFactory(), identifier_type="telex", value="1")

    @override_settings(CACHES=CACHE_DOWN)
    def test_answers_from_the_database_when_the_cache_is_down(self) -> None:
        mapping = MappingFactory()
        assert self.look_up(mapping, mapping.channel_identifier) == mapping.customer_id

    @pytest.mark.django_db(transaction=True)
    def test_asks_the_database_for_an_owner_once(self) -> None:
        mapping = MappingFactory()
        first = self.look_up(mapping, mapping.channel_identifier)
        with CaptureQueriesContext(connection) as queries:
            assert self.look_up(mapping, mapping.channel_identifier) == first == mapping.customer_id
        assert len(queries) == 0

    @pytest.mark.django_db(transaction=True)
    def test_a_remembered_weak_link_does_not_answer_who_wants_a_sure_one(self) -> None:
        mapping = MappingFactory(confidence_score=Decimal("0.60"))
        weak = {"min_confidence": Decimal("0.50")}
        assert self.look_up(mapping, mapping.channel_identifier, **weak) == mapping.customer_id
        assert self.look_up(mapping, mapping.channel_identifier) is None


class TestFindPotentialDuplicates:
    def test_finds_by_blocking_keys_best_first(self) -> None:
        near = known(**ANNA)
        nearer = known(**ANNA, email="annegret@feuerbach.example", phone="+4930901820")
        known(name="Bob Jones", birth_date="1955-05-05")
        scores = find_potential_duplicates(data={**ANNA, "email": "annegret@feuerbach.example"})
        assert [score.right for score in scores] == [str(nearer.pk), str(near.pk)]
        assert scores[0].weight > scores[1].weight
        assert {part.field for part in scores[0].fields} >= {"email", "birth_date"}

    def test_never_scans_the_register(self) -> None:
        for number in range(30):
            known(name=f"Person{number} Nobody{number}", birth_date=f"19{40 + number}-01-0{1 + number % 9}")
        anna = known(**ANNA)
        with CaptureQueriesContext(connection) as queries:
            scores = find_potential_duplicates(data=ANNA)
        assert [score.right for score in scores] == [str(anna.pk)]
        # What is blocked, candidates with what is known of them, and which model is live.
        assert len(queries) == 3
        assert [number for number, query in enumerate(queries) if "blocking_keys" in query["sql"]] == [1]

    def test_takes_the_same_queries_for_two_candidates_as_for_twenty(self) -> None:
        def count() -> int:
            with CaptureQueriesContext(connection) as queries:
                find_potential_duplicates(data=ANNA)
            return len(queries)

        known(**ANNA), known(**ANNA)
        few = count()
        for _ in range(18):
            known(**ANNA)
        assert count() == few

    def test_a_field_on_one_side_only_is_no_disagreement(self) -> None:
        known(**ANNA)
        (bare,) = find_potential_duplicates(data=ANNA)
        (fuller,) = find_potential_duplicates(data={**ANNA, "email": "annegret@feuerbach.example"})
        assert bare.weight == fuller.weight

    def test_p8_blank_and_junk_find_nobody(self) -> None:
        known(email="test@test.com", phone="000000000", name="unknown")
        assert (
            find_potential_duplicates(data={"email": "test@test.com", "phone": "000000000", "name": " "})
            == []
        )

    def test_leaves_out_what_lies_below_the_threshold_and_beyond_the_limit(self) -> None:
        for _ in range(3):
            known(**ANNA)
        weight = find_potential_duplicates(data=ANNA)[0].weight
        assert len(find_potential_duplicates(data=ANNA, threshold=weight, limit=2)) == 2
        assert find_potential_duplicates(data=ANNA, threshold=weight + 0.1) == []

    def test_absorbed_customers_are_found_as_their_survivor(self) -> None:
        survivor = CustomerFactory(name="Anna Else")
        CustomerFactory(**ANNA, status="merged", merged_into=survivor)
        rebuild_keys([survivor.pk])
        assert [score.right for score in find_potential_duplicates(data=ANNA)] == [str(survivor.pk)]

    @pytest.mark.parametrize(
        ("data", "match"),
        [
            ({"nmae": "Anna"}, "no field “nmae”; it has name, given_name"),
            ({"name": 5}, "name is int; text is wanted"),
        ],
    )
    def test_refuses_what_is_no_record(self, data: dict[str, str], match: str) -> None:
        with pytest.raises(InvalidInput, match=match):
            find_potential_duplicates(data=data)

    def test_takes_any_text(self) -> None:
        known(**ANNA)
        assert (
            find_potential_duplicates(data={"name": "\0\ud800" + "x" * 10_000, "email": "a" * 10_000}) == []
        )
