"""The plumbing itself: what one test leaves behind, the next does not see."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import connection
from django.test import TransactionTestCase
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from tests.browser import note_errors


def _row_counts() -> dict[str, int]:
    tables = [name for name in connection.introspection.table_names() if name != "django_migrations"]
    with connection.cursor() as cursor:
        counts = {}
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}"')
            counts[table] = cursor.fetchone()[0]
    return counts


@pytest.mark.django_db(transaction=True)
class TestFlush:
    @pytest.fixture(autouse=True)
    def _flush_within(self) -> None:
        self.case = TransactionTestCase()

    def test_gives_back_what_the_migrations_put_there(self) -> None:
        before = _row_counts()
        User.objects.create(username="gone")
        Permission.objects.all().delete()

        self.case._fixture_teardown()

        assert _row_counts() == before

    def test_leaves_sequences_behind_the_rows_that_came_back(self) -> None:
        self.case._fixture_teardown()

        existing = set(Permission.objects.values_list("id", flat=True))
        copied = Permission.objects.create(
            codename="fresh", name="fresh", content_type_id=Permission.objects.all()[0].content_type_id
        )

        assert copied.id not in existing


class TestCache:
    def test_starts_empty(self) -> None:
        assert cache.get("left by a test") is None
        cache.set("left by a test", "here")

    def test_starts_empty_again(self) -> None:
        assert cache.get("left by a test") is None
        cache.set("left by a test", "here")


class TestBrowser:
    @pytest.mark.parametrize(
        ("script", "told"),
        [
            ("document.body.append(Object.assign(document.createElement('script'), {text: '1'}))",
             "Content Security Policy"),
            ("setTimeout(() => { throw new Error('broken') })", "script error"),
            ("console.error('wrong')", "wrong"),
            ("fetch('/nothing-here')", "404"),
        ],
    )  # fmt: skip
    def test_tells_of_every_error_in_a_page(
        self, script: str, told: str, browser: Browser, live_server: LiveServer
    ) -> None:
        errors: list[str] = []
        page = browser.new_page()
        note_errors(page, errors)

        page.goto(f"{live_server.url}/admin/login/")
        assert errors == []
        page.evaluate(f"() => {{ {script} }}")
        page.wait_for_timeout(300)
        page.close()

        assert [error for error in errors if told in error]
