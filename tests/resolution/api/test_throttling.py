"""A caller that runs wild is slowed down; nobody else is."""

from __future__ import annotations

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from resolution.api.throttling import CallerRateThrottle
from tests.factories import service_user
from tests.resolution.api.answers import problem
from tests.resolution.api.conftest import MakeClient

pytestmark = pytest.mark.django_db
CUSTOMERS = "/api/v1/customers"


@pytest.fixture
def _two_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CallerRateThrottle.THROTTLE_RATES, "caller", "2/day")


@pytest.mark.usefixtures("_two_a_day")
class TestRateLimit:
    def test_the_request_beyond_it_is_refused_and_told_when_to_come_again(self, service: APIClient) -> None:
        assert [service.get(CUSTOMERS).status_code for _ in range(2)] == [200, 200]
        response = service.get(CUSTOMERS)
        problem(response, 429, "throttled")
        assert 0 < int(response["Retry-After"]) <= 86_400

    def test_each_key_has_its_own(self, client_for: MakeClient) -> None:
        user = service_user()
        one, other = client_for(user), client_for(user)
        assert [one.get(CUSTOMERS).status_code for _ in range(3)] == [200, 200, 429]
        assert other.get(CUSTOMERS).status_code == 200

    @override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}})
    def test_without_a_cache_there_is_none(self, service: APIClient) -> None:
        assert [service.get(CUSTOMERS).status_code for _ in range(3)] == [200, 200, 200]

    def test_a_cache_that_is_away_stops_nobody(self, service: APIClient) -> None:
        away = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:9/0"}
        with override_settings(CACHES={"default": away}):
            assert [service.get(CUSTOMERS).status_code for _ in range(3)] == [200, 200, 200]

    def test_no_rate_is_no_limit(self, service: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(CallerRateThrottle.THROTTLE_RATES, "caller", None)
        assert [service.get(CUSTOMERS).status_code for _ in range(3)] == [200, 200, 200]
