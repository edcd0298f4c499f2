"""Blocking keys in the register: those of the present profile, and of nobody else."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, Mapping
from resolution.matching.blocking import MAX_BLOCK, MAX_CHANCE_BLOCK, blocking_keys
from resolution.matching.key_numbers import number_keys
from resolution.matching.normalise.profile import build_profile
from resolution.models import BlockingKey
from resolution.selectors.candidates import find_candidates
from resolution.selectors.profiles import load_profiles
from resolution.services.keys import rebuild_keys, rebuild_missing_keys
from resolution.types import Profile
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory

pytestmark = pytest.mark.django_db


def keys_of(customer: Customer) -> set[str]:
    return set(BlockingKey.objects.filter(customer=customer).values_list("key", flat=True))


def profile_of(**record: str) -> Profile:
    return build_profile("new", [record])


class TestLoadProfiles:
    def test_joins_the_customer_with_those_it_absorbed_and_its_identifiers(self) -> None:
        anna = CustomerFactory(name="Anna Smith")
        CustomerFactory(name="Anna Jones", status="merged", merged_into=anna)
        MappingFactory(customer=anna, channel_identifier="Anna@Factory.example.com")
        profile = load_profiles([anna.pk])[anna.pk]
        assert profile.key == str(anna.pk)
        assert {name.family for name in profile.names} == {"smith", "jones"}
        assert profile.emails == ("anna@factory.example.com",)

    def test_leaves_out_merged_erased_and_ended(self) -> None:
        anna = CustomerFactory(name="Anna Smith")
        merged = CustomerFactory(status="merged", merged_into=anna)
        erased = CustomerFactory(status="erased")
        MappingFactory(customer=anna, status=Mapping.Status.ENDED)
        profiles = load_profiles([anna.pk, merged.pk, erased.pk])
        assert set(profiles) == {anna.pk}
        assert profiles[anna.pk].emails == ()

    def test_reads_a_national_number_by_the_region_of_the_channel(self) -> None:
        anna = CustomerFactory(phone="030 901820")
        MappingFactory(customer=anna, channel=ChannelFactory(default_region="DE"))
        assert load_profiles([anna.pk])[anna.pk].phones == ("+4930901820",)

    def test_a_state_is_not_taken_for_a_country(self) -> None:
        anna = CustomerFactory(phone="030 901820", region="CA", country="Germany")
        assert load_profiles([anna.pk])[anna.pk].phones == ("+4930901820",)

    def test_an_external_id_belongs_to_its_channel(self) -> None:
        anna = CustomerFactory()
        for code in ("shop", "app"):
            MappingFactory(
                customer=anna,
                channel=ChannelFactory(code=code),
                identifier_type="external_id",
                channel_identifier="4711A",
            )
        assert load_profiles([anna.pk])[anna.pk].external_ids == ("shop:4711A", "app:4711A")

    def test_takes_one_query_however_many_customers(self) -> None:
        people = [MappingFactory().customer for _ in range(8)]
        with CaptureQueriesContext(connection) as queries:
            assert len(load_profiles([row.pk for row in people])) == 8
        assert len(queries) == 1


class TestRebuildKeys:
    def test_puts_the_keys_of_the_present_profile(self) -> None:
        anna = CustomerFactory(name="Anna Smith", birth_date="1980-02-01", city="Leeds")
        rebuild_keys([anna.pk])
        assert keys_of(anna) == set(number_keys(load_profiles([anna.pk])[anna.pk]))
        Customer.objects.filter(pk=anna.pk).update(name="Zoe Xu", city="")
        rebuild_keys([anna.pk])
        assert keys_of(anna) == set(number_keys(load_profiles([anna.pk])[anna.pk]))

    def test_a_merged_customer_loses_its_keys(self) -> None:
        anna, ann = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Ann Smith")
        rebuild_keys([anna.pk, ann.pk])
        Customer.objects.filter(pk=ann.pk).update(status="merged", merged_into=anna)
        rebuild_keys([anna.pk, ann.pk])
        assert not keys_of(ann)
        assert keys_of(anna)

    def test_p8_a_customer_with_blank_and_junk_values_has_no_key(self) -> None:
        nobody = CustomerFactory(name="  ", email="test@test.com", phone="000000", birth_date="1900-01-01")
        rebuild_keys([nobody.pk])
        assert keys_of(nobody) == set()

    def test_fills_an_emptied_table_once(self) -> None:
        anna = CustomerFactory(name="Anna Smith")
        assert rebuild_missing_keys() == 1
        assert keys_of(anna)
        assert rebuild_missing_keys() == 0

    def test_a_register_without_customers_misses_nothing(self) -> None:
        assert rebuild_missing_keys() == 0


class TestFindCandidates:
    def test_finds_who_shares_a_key_and_nobody_else(self) -> None:
        anna, bob = CustomerFactory(email="anna.smith@x.org"), CustomerFactory(email="bob.jones@y.org")
        rebuild_keys([anna.pk, bob.pk])
        assert set(find_candidates(profile_of(email="anna.smith@x.org"))) == {anna.pk}

    def test_a_customer_is_not_its_own_candidate(self) -> None:
        anna = CustomerFactory(email="anna.smith@x.org")
        rebuild_keys([anna.pk])
        assert not find_candidates(load_profiles([anna.pk])[anna.pk])

    def test_a_key_too_common_is_skipped_while_the_finer_one_finds(self) -> None:
        crowd = [
            CustomerFactory(email="office@firm.example", given_name="Bob", family_name=f"Crowd{n}")
            for n in range(MAX_BLOCK)
        ]
        anna = CustomerFactory(email="office@firm.example", given_name="Anna", family_name="Smith")
        rebuild_keys([row.pk for row in (*crowd, anna)])
        newcomer = profile_of(email="office@firm.example", given_name="Anna", family_name="Miller")
        assert "em:office@firm.example" in blocking_keys(newcomer)["same_email"]
        assert set(find_candidates(newcomer)) == {anna.pk}

    @pytest.mark.parametrize(
        ("shared", "most"),
        [
            pytest.param({"email": "office@firm.example"}, MAX_BLOCK, id="of one kind"),
            pytest.param({"family_name": "Quill"}, MAX_CHANCE_BLOCK, id="that strangers share by chance"),
        ],
    )
    def test_who_asks_counts_in_the_size_of_a_key(self, shared: dict[str, str], most: int) -> None:
        crowd = [CustomerFactory(**{"name": "", "email": "", "phone": "", **shared}) for _ in range(most)]
        profiles = rebuild_keys([row.pk for row in crowd])
        assert set(find_candidates(profiles[crowd[0].pk])) == {row.pk for row in crowd[1:]}
        assert not find_candidates(profile_of(**shared))

    def test_brings_what_is_known_of_them(self) -> None:
        anna = CustomerFactory(email="anna.smith@x.org")
        CustomerFactory(name="Anna Jones", status="merged", merged_into=anna)
        MappingFactory(customer=anna, channel_identifier="anna@other.example")
        rebuild_keys([anna.pk])
        found = find_candidates(profile_of(email="anna.smith@x.org"))
        assert found == load_profiles([anna.pk])
        assert found[anna.pk].emails == ("anna.smith@x.org", "anna@other.example")

    def test_takes_one_query_over_the_index(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            find_candidates(profile_of(email="anna.smith@x.org", name="Anna Smith", city="Leeds"))
        assert len(queries) == 1
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {queries[0]['sql']}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "Index" in plan
        assert "Seq Scan on blocking_keys" not in plan
