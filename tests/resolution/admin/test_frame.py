"""What every screen does with a request that cannot be read, a clash in the database and a fault of ours."""

from __future__ import annotations

import pytest
from django.contrib.staticfiles import finders
from django.db import IntegrityError, OperationalError
from django.test import Client
from django.urls import reverse

from resolution.errors import TryAgain
from tests.factories import ConflictFactory

pytestmark = pytest.mark.django_db

QUEUE = reverse("resolution:queue")
PAGE = "resolution.selectors.queue.queue_page"


class TestNul:
    @pytest.mark.parametrize("name", ["kind", "band", "state", "after"])
    def test_in_an_address_is_refused_by_name(self, as_steward: Client, name: str) -> None:
        answer = as_steward.get(QUEUE, {name: "a\0"})

        assert answer.status_code == 400
        assert f"“{name}” holds a NUL character" in answer.content.decode()

    def test_in_a_form_is_refused_by_name(self, as_steward: Client) -> None:
        answer = as_steward.post(reverse("resolution:claim-next"), {"kind": "a\0"})

        assert answer.status_code == 400
        assert "is no kind; use " in answer.content.decode()

    def test_in_the_reason_of_a_decision_is_refused(self, as_steward: Client) -> None:
        url = reverse("resolution:workbench", args=[ConflictFactory().pk])

        assert as_steward.post(url, {"action": "different", "reason": "a\0"}).status_code == 400


class TestClash:
    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (IntegrityError("twice"), 409),
            (OperationalError("deadlock detected"), 503),
            (TryAgain("Busy."), 503),
        ],
    )
    def test_is_a_sentence_and_not_a_fault(
        self, as_steward: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(PAGE, fail)
        answer = as_steward.get(QUEUE)

        assert answer.status_code == status
        assert "Not done" in answer.content.decode()
        assert "deadlock" not in answer.content.decode()


class TestFaultOfOurs:
    def test_is_a_page_for_people_without_what_went_wrong(
        self, as_steward: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("secret detail")

        monkeypatch.setattr(PAGE, fail)
        as_steward.raise_request_exception = False
        answer = as_steward.get(QUEUE)

        assert answer.status_code == 500
        assert answer["Content-Type"].startswith("text/html")
        assert "Identity Desk failed at this; nothing was changed." in answer.content.decode()
        assert "secret detail" not in answer.content.decode()


class TestFavicon:
    def test_leads_to_the_icon(self, client: Client) -> None:
        answer = client.get("/favicon.ico")

        assert answer.status_code == 302
        assert answer["Location"].endswith(".svg")
        assert finders.find("resolution/favicon.svg")
