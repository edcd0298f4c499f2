"""Plumbing of every test: servers, a database that can be emptied, an empty cache, a browser that tells."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profiles
from pytest_django import DjangoDbBlocker

from tests import servers
from tests.baseline import Baseline
from tests.browser import browser_type_launch_args, context, expected_page_errors

__all__ = ["browser_type_launch_args", "context", "expected_page_errors"]

# Playwright's synchronous API keeps an event loop on the test's thread, where Django refuses every query.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# Sequences of acts on the database: thousands of acts, the same ones each time, and in a soak any.
profiles.register_profile(
    "acts",
    max_examples=60,
    phases=[Phase.explicit, Phase.generate],  # a failing sequence is made shorter in a soak
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    print_blob=True,
)
profiles.register_profile("a few acts", parent=profiles.get_profile("acts"), max_examples=6)
profiles.register_profile(
    "acts in a soak",
    parent=profiles.get_profile("acts"),
    phases=list(Phase),
    max_examples=1000,
    stateful_step_count=50,
    derandomize=False,
)


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once a run; the parallel workers come later and use them."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    children = servers.start_servers(settings.TEST_SERVERS)
    config.add_cleanup(lambda: servers.stop_servers(settings.TEST_SERVERS, children))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the flush after a test with real transactions end in what the migrations had put there."""
    baseline = Baseline()
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        baseline.keep()
        # On the class: once Playwright's loop runs, this thread gets another connection object.
        patch.setattr(type(connection.ops), "execute_sql_flush", lambda _ops, _statements: baseline.restore())
        yield
        with connection.cursor() as cursor:  # a thread of the live server may have left one open
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """What one test cached, the next must not see."""
    cache.clear()
