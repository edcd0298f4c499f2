"""People at the desk, each in a browser of their own that tells of every error in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from customers.models import Customer
from resolution.models import Conflict
from resolution.services import audit, conflicts
from resolution.services.link import link_customer_identifier
from resolution.services.profiles import create_customer
from resolution.types import Actor
from tests.browser import note_errors
from tests.factories import ChannelFactory, MappingFactory, MessageFactory, TicketFactory, lead, steward

PASSWORD = "correct horse battery"
DESKTOP = {"width": 1280, "height": 800}

Sit = Callable[..., Page]


@pytest.fixture
def sit_down(live_server: LiveServer, new_context: Callable[..., BrowserContext]) -> Iterator[Sit]:
    """Sign a person in at a browser of their own; the test fails for any console, CSP or script error."""
    errors: list[str] = []

    def sit(user: User, **options: Any) -> Page:
        context = new_context(**{"viewport": DESKTOP, "base_url": live_server.url, **options})
        context.on("page", lambda page: note_errors(page, errors))
        page = context.new_page()
        page.goto("/admin/")
        page.get_by_label("Username").fill(user.get_username())
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        return page

    yield sit
    assert not errors, "the browser reported errors:\n" + "\n".join(errors)


@pytest.fixture
def sara() -> User:
    return _with_password(steward(username="sara"))


@pytest.fixture
def lena() -> User:
    return _with_password(lead(username="lena"))


@pytest.fixture
def pair() -> tuple[Customer, Customer]:
    """One person twice: with identifiers, one of them on both sides, a message, a ticket and a record."""
    first = _customer(name="Anna Smith", email="anna.smith@example.com", phone="+49 30 1234567", city="Leeds")
    second = _customer(name="Ann Smith", email="a.smith@example.org", phone="+49 30 1234567", city="York")
    channel = ChannelFactory(name="Web shop", code="shop")
    for customer in (first, second):
        link_customer_identifier(
            customer_id=customer.pk, channel=channel, identifier_type="email", value=customer.email,
            actor=Actor.machine("test"),
        )  # fmt: skip
    phone = {"identifier_type": "phone", "channel_identifier": "+49 30 1234567"}
    MappingFactory(customer=first, channel=channel, **phone)
    MappingFactory(customer=second, channel=channel, status="shared", **phone)
    MessageFactory(customer=second, channel=channel, subject="Where is my order?")
    TicketFactory(customer=second, channel=channel, subject="Broken lamp")
    return first, second


@pytest.fixture
def conflict(pair: tuple[Customer, Customer]) -> Conflict:
    with audit.change(Actor.machine("test")) as trail:
        return conflicts.open_conflict(
            trail, kind="likely_duplicate", members={row.pk: "member" for row in pair}, reason="Same phone."
        )


def _customer(**fields: str) -> Customer:
    return create_customer(fields=fields, actor=Actor.machine("test"))


def _with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user
