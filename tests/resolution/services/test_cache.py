"""The identity cache: what it remembers, and the interleavings in which it must not lie."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from django.core.cache import caches
from django.test import override_settings
from django_redis import get_redis_connection

from resolution.errors import CacheUnavailable
from resolution.services import cache
from resolution.services.cache import Hit, Miss

KEY = (uuid.uuid4(), "email", "anna@example.com")
OWNER, NEW_OWNER = uuid.uuid4(), uuid.uuid4()
NO_CACHE = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
CACHE_DOWN = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}


def take_lease() -> str:
    found = cache.look_up(KEY)
    assert isinstance(found, Miss)
    return found.lease


def remember(owner: uuid.UUID = OWNER) -> None:
    assert cache.fill(KEY, owner, take_lease())


class TestLookUp:
    def test_remembers_the_owner_and_the_confidence_of_the_link(self) -> None:
        cache.fill(KEY, OWNER, take_lease(), Decimal("0.85"))
        assert cache.look_up(KEY) == Hit(OWNER, Decimal("0.85"))

    def test_forgets_after_the_time_the_policy_sets(self) -> None:
        remember()
        client = get_redis_connection("default")
        (entry,) = client.keys("*:owner:*")
        assert 0 < client.ttl(entry) <= 3600

    def test_names_no_personal_data_in_its_keys(self) -> None:
        remember()
        names = get_redis_connection("default").keys("*")
        assert len(names) == 2
        assert not any(b"anna" in name for name in names)

    def test_gives_the_lease_to_one_reader_at_a_time(self) -> None:
        first, second = take_lease(), take_lease()
        assert first
        assert not second

    def test_a_reader_without_a_lease_fills_nothing(self) -> None:
        take_lease()
        assert not cache.fill(KEY, OWNER, "")
        assert not cache.fill(KEY, OWNER, "lease made-up")
        assert not isinstance(cache.look_up(KEY), Hit)

    def test_keys_of_two_channels_do_not_meet(self) -> None:
        remember()
        assert isinstance(cache.look_up((uuid.uuid4(), *KEY[1:])), Miss)


class TestOwnerChange:
    def test_p10_no_reader_is_served_the_old_owner_once_the_fence_stands(self) -> None:
        remember()
        cache.fence(frozenset({KEY}))
        assert cache.look_up(KEY) == Miss()

    def test_p10_a_reader_that_began_before_the_commit_cannot_fill_after_it(self) -> None:
        lease = take_lease()
        token = cache.fence(frozenset({KEY}))
        cache.release(frozenset({KEY}), token)
        assert not cache.fill(KEY, OWNER, lease)
        assert not isinstance(cache.look_up(KEY), Hit)

    def test_p10_a_reader_cannot_fill_between_fence_and_commit(self) -> None:
        lease = take_lease()
        token = cache.fence(frozenset({KEY}))
        assert not cache.fill(KEY, OWNER, lease)
        assert not cache.fill(KEY, OWNER, take_lease())
        cache.release(frozenset({KEY}), token)
        assert cache.fill(KEY, NEW_OWNER, take_lease())

    def test_p10_the_first_of_two_writers_does_not_open_the_fence_of_the_second(self) -> None:
        first = cache.fence(frozenset({KEY}))
        second = cache.fence(frozenset({KEY}))
        cache.release(frozenset({KEY}), first)
        assert take_lease() == ""
        cache.release(frozenset({KEY}), second)
        assert take_lease() != ""

    def test_p10_release_removes_what_was_filled_where_the_fence_was_lost(self) -> None:
        token = cache.fence(frozenset({KEY}))
        get_redis_connection("default").flushdb()
        remember()
        cache.release(frozenset({KEY}), token)
        assert isinstance(cache.look_up(KEY), Miss)

    def test_p10_a_fence_whose_writer_died_goes_away_by_itself(self) -> None:
        cache.fence(frozenset({KEY}))
        client = get_redis_connection("default")
        (entry,) = client.keys("*:owner:*")
        assert 0 < client.ttl(entry) <= 60

    def test_fences_many_identifiers_at_once(self) -> None:
        keys = frozenset((uuid.uuid4(), "email", f"{n}@example.com") for n in range(6_000))
        token = cache.fence(keys)
        assert len(get_redis_connection("default").keys("*:owner:*")) == 6_000
        cache.release(keys, token)
        assert not get_redis_connection("default").keys("*:owner:*")


class TestWithoutCache:
    @override_settings(CACHES=NO_CACHE)
    def test_every_look_up_misses_and_nothing_is_kept(self) -> None:
        assert cache.look_up(KEY) == Miss()
        assert not cache.fill(KEY, OWNER, "lease")
        cache.release(frozenset({KEY}), cache.fence(frozenset({KEY})))

    @override_settings(CACHES=CACHE_DOWN)
    def test_readers_of_an_unreachable_cache_go_to_the_database(self) -> None:
        assert caches["default"].key_prefix == ""
        assert cache.look_up(KEY) == Miss()
        assert not cache.fill(KEY, OWNER, "lease")

    @override_settings(CACHES=CACHE_DOWN)
    def test_p10_an_owner_change_is_refused_when_the_cache_cannot_be_told(self) -> None:
        with pytest.raises(CacheUnavailable, match="Nothing was changed; try again"):
            cache.fence(frozenset({KEY}))

    @override_settings(CACHES=CACHE_DOWN)
    def test_a_release_that_cannot_be_told_leaves_the_fence_to_end_by_itself(self) -> None:
        cache.release(frozenset({KEY}), "fence gone")


class TestWindows:
    """An owner read by one window of its type says nothing once another is set."""

    TYPES = frozenset({KEY[1]})

    def test_while_it_is_set_nobody_is_answered_and_nobody_fills(self) -> None:
        cache.fill(KEY, OWNER, take_lease())
        token = cache.fence(frozenset(), self.TYPES)
        assert cache.look_up(KEY) == Miss()
        cache.release(frozenset(), token, self.TYPES)
        assert isinstance(cache.look_up(KEY), Miss)

    def test_a_reader_from_before_fills_what_answers_nothing(self) -> None:
        lease = take_lease()
        token = cache.fence(frozenset(), self.TYPES)
        cache.fill(KEY, OWNER, lease)
        cache.release(frozenset(), token, self.TYPES)
        assert cache.fill(KEY, NEW_OWNER, take_lease())
        assert cache.look_up(KEY) == Hit(NEW_OWNER, Decimal("1.00"))

    def test_other_types_are_answered_meanwhile(self) -> None:
        cache.fill(KEY, OWNER, take_lease())
        cache.fence(frozenset(), frozenset({"another"}))
        assert isinstance(cache.look_up(KEY), Hit)
