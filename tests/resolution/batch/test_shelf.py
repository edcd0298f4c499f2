"""Profiles on the shelf: a few in memory, all in the session's table, none that is no longer true."""

from __future__ import annotations

from unittest import mock

import pytest
from django.db import connection, transaction

from resolution.batch import shelf
from resolution.batch.caches import find_caches, trim_caches
from resolution.batch.shelf import ProfileShelf, read_profile, write_profile
from resolution.matching.comparisons.name import compare_names
from resolution.matching.model import load_model
from resolution.selectors.profiles import load_profiles
from resolution.types import Address, Name, Profile
from tests.factories import CustomerFactory

FULL = Profile(
    key="k",
    names=(Name("anna", "smith"), Name("", "张伟")),
    emails=("anna@sky.com",),
    birth_dates=("1980-02-13",),
    addresses=(Address("high street", "1", "LS1 4AP", "leeds", "GB"), Address(city="leeds")),
    external_ids=("shop:7",),
)


@pytest.mark.parametrize("profile", [FULL, Profile("nobody")])
def test_a_profile_comes_back_as_it_was_written(profile: Profile) -> None:
    assert read_profile(write_profile(profile)) == profile


def test_the_tables_matching_reads_once_are_not_taken_for_caches_of_values() -> None:
    model = load_model()
    trim_caches(most=0)
    assert load_model() is model


def test_caches_that_grew_are_emptied_and_small_ones_kept() -> None:
    compare_names(("anna", "smith"), ("ann", "smyth"))
    trim_caches()
    assert any(cache.cache_info().currsize for cache in find_caches())
    trim_caches(most=0)
    assert not any(cache.cache_info().currsize for cache in find_caches())


@pytest.mark.django_db
class TestProfileShelf:
    def test_loads_a_profile_once_and_keeps_it_beyond_what_memory_holds(self) -> None:
        ids = [CustomerFactory(name=f"Anna {letter}").pk for letter in "ABCDE"]
        kept = ProfileShelf(most=2)
        with mock.patch.object(shelf, "load_profiles", side_effect=load_profiles) as load:
            taken = [kept.take([key])[key] for key in (*ids, *ids)]
        assert load.call_count == len(ids)
        known = load_profiles(ids)
        assert taken[:5] == taken[5:] == [known[key] for key in ids]

    def test_takes_more_at_once_than_memory_holds(self) -> None:
        ids = [CustomerFactory(name=f"Anna {letter}").pk for letter in "ABCDE"]
        kept = ProfileShelf(most=2)
        kept.take(ids[:3])
        assert kept.take(ids).keys() == set(ids)
        assert [kept.version(key) for key in ids] == [1] * 5

    def test_gives_the_version_its_customer_had(self) -> None:
        customer, other = CustomerFactory(name="Anna", version=7), CustomerFactory(name="Bob")
        kept = ProfileShelf(most=1)
        kept.take([customer.pk])
        kept.take([other.pk])
        kept.take([customer.pk])
        assert kept.version(customer.pk) == 7

    def test_loads_again_what_was_dropped(self) -> None:
        customer = CustomerFactory(name="Anna Smith")
        kept = ProfileShelf(most=1)
        kept.take([customer.pk])
        type(customer).objects.filter(pk=customer.pk).update(name="Anna Jones", family_name="Jones")
        kept.drop([customer.pk])
        assert kept.take([customer.pk]) == load_profiles([customer.pk])

    def test_what_was_put_away_comes_back_without_loading(self) -> None:
        customer = CustomerFactory(name="Anna", version=7)
        kept = ProfileShelf()
        taken = kept.take([customer.pk])
        kept.put_away()
        with mock.patch.object(shelf, "load_profiles", side_effect=AssertionError):
            assert kept.take([customer.pk]) == taken
        assert kept.version(customer.pk) == 7

    def test_leaves_out_who_is_not_active(self) -> None:
        customer = CustomerFactory(name="Anna", status="erased")
        assert ProfileShelf().take([customer.pk]) == {}

    def test_a_change_taken_back_takes_its_newcomers_off_the_table(self) -> None:
        customer = CustomerFactory(name="Anna")
        kept = ProfileShelf()
        with pytest.raises(RuntimeError), transaction.atomic():
            kept.put_newcomers({customer.pk: FULL})
            raise RuntimeError
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM shelved_profiles")
            assert cursor.fetchone() == (0,)

    def test_a_new_shelf_is_empty(self) -> None:
        customer = CustomerFactory(name="Anna")
        ProfileShelf().put_newcomers({customer.pk: FULL})
        assert ProfileShelf().take([customer.pk]) == load_profiles([customer.pk])
